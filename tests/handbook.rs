//! registry-mirror/README.md shows what the program prints: its commands are run, against real registries.

use std::path::Path;
use std::process::Command;

#[test]
fn the_handbook_shows_what_is_printed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry-mirror/replay");
    let mut replay = Command::new(script);
    let run = replay.env("PINNACE", env!("CARGO_BIN_EXE_pinnace")).output().expect("bash");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "registry-mirror/replay --write makes it so:\n{out}{err}");
}
