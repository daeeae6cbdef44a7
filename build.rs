//! Compiles proto/ into OUT_DIR: messages and services by tonic, JSON by pbjson. No protoc needed.

use std::process::Command;
use std::{env, error::Error, fs, path::Path, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Compiled in by a macro that cargo does not see through.
    println!("cargo:rerun-if-changed=src/console/store/migrations");
    if is_static() {
        link_at_a_fixed_address("pinnace");
        pack_relocations();
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    protos(Path::new("proto"), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("descriptors.bin"), &encoded)?;
    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        .build(&[".pinnace.agent"])?;
    // Clients of the REST API expect fields that are empty, as gRPC-gateway writes them.
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        .emit_fields()
        .build(&[".pinnace.console", ".qdrant"])?;
    Ok(())
}

/// A static program that may be anywhere in memory first writes 88,000 addresses into itself, which takes longer than
/// many a chart to render. People's command is no server that an attacker can try again and again; the servers stay as
/// they are.
fn link_at_a_fixed_address(program: &str) {
    for argument in ["-no-pie", "-static"] {
        println!("cargo:rustc-link-arg-bin={program}={argument}");
    }
}

/// Whether the C library, which is glibc, is part of the programs.
fn is_static() -> bool {
    let cfg = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    let is_static = cfg("TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    cfg("TARGET_OS") == "linux" && cfg("TARGET_ENV") == "gnu" && is_static
}

/// The addresses that the servers write into themselves are listed in 30 KiB instead of 2 MiB, all of which would be read at
/// the start and stay. A program's own glibc has to know that list: 2.36 is the first that does.
fn pack_relocations() {
    let version = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let knows = version.is_ok_and(|version| {
        let number = version.trim().strip_prefix("glibc 2.").and_then(|n| n.parse::<u32>().ok());
        number.is_some_and(|number| number >= 36)
    });
    if knows && env::var("HOST") == env::var("TARGET") {
        println!("cargo:rustc-link-arg=-Wl,-z,pack-relative-relocs");
    }
}

fn protos(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            protos(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
