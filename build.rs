//! Compiles proto/ into OUT_DIR: messages and services by tonic, JSON by pbjson. No protoc needed.

use std::{env, error::Error, fs, path::Path, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Compiled in by a macro that cargo does not see through.
    println!("cargo:rerun-if-changed=src/console/store/migrations");
    link_at_a_fixed_address("pinnace");
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
    let cfg = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    let is_static = cfg("TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    if cfg("TARGET_OS") == "linux" && cfg("TARGET_ENV") == "gnu" && is_static {
        for argument in ["-no-pie", "-static"] {
            println!("cargo:rustc-link-arg-bin={program}={argument}");
        }
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
