//! Go's fmt.

use serde_json::json;

use super::chunks::Chunks;
use super::small_run::small_run;

/// The input is a format, then its arguments.
pub fn run(input: &[u8]) {
    let mut chunks = Chunks(input);
    let format = chunks.text();
    let (a, b, c) = (chunks.value(0), chunks.value(0), chunks.value(0));
    let data = json!({ "format": format, "a": a, "b": b, "c": c });
    for arguments in ["", ".a", ".a .b .c", "(print .a) 1 'x'"] {
        let _ = small_run(&format!("{{{{ printf .format {arguments} }}}}"), &data);
    }
}
