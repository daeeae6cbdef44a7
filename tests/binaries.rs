//! Every binary says what it is and takes its flags as they are declared.

use std::process::Command;

const BINARIES: [(&str, &str); 4] = [
    ("pinnace", env!("CARGO_BIN_EXE_pinnace")),
    ("pinnace-console", env!("CARGO_BIN_EXE_pinnace-console")),
    ("qdrant-cloud-agent", env!("CARGO_BIN_EXE_qdrant-cloud-agent")),
    ("qdrant-operator", env!("CARGO_BIN_EXE_qdrant-operator")),
];

#[test]
fn each_prints_its_version_and_its_help() {
    for (name, path) in BINARIES {
        for (flag, begins) in [
            ("--version", format!("{name} {}", env!("CARGO_PKG_VERSION"))),
            ("--help", String::new()),
        ] {
            let output = Command::new(path).arg(flag).output().expect("the binary starts");
            let stdout = String::from_utf8_lossy(&output.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name} {flag}: {stdout}{stderr}");
            assert!(stdout.starts_with(&begins), "{name} {flag}: {stdout}");
            assert!(flag != "--help" || stdout.contains("Usage: "), "{name} {flag}: {stdout}");
        }
    }
}

/// By the type in the header of an ELF file: 2 stands where it was linked to, 3 anywhere.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
fn only_peoples_command_stands_at_a_fixed_address() {
    for (name, path) in BINARIES {
        let binary = std::fs::read(path).expect("the binary");
        let wanted: [u8; 2] = if name == "pinnace" { [2, 0] } else { [3, 0] };
        assert_eq!(binary[16..18], wanted, "{name}");
    }
}
