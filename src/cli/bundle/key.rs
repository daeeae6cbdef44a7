//! `pinnace bundle key`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pinnace_registry::bundle::SigningKey;

/// Makes an Ed25519 key: the private half in FILE, the public half in FILE.pub.
///
/// `openssl genpkey -algorithm ed25519` makes such keys, too.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  pinnace bundle key bundle.key")]
pub struct Args {
    /// File to make; one that exists is left alone
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let pem = SigningKey::generate()?;
    let public = SigningKey::from_pem("the new key", pem.expose())?.public();
    let mut public_file = args.file.clone().into_os_string();
    public_file.push(".pub");
    let public_file = PathBuf::from(public_file);
    create(&args.file, 0o600, pem.expose())?;
    create(&public_file, 0o644, &public.to_pem())?;
    println!("key {} is in {}", public.id(), args.file.display());
    println!("give {} to those who verify", public_file.display());
    Ok(())
}

fn create(path: &Path, mode: u32, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot make {}", path.display()))
}
