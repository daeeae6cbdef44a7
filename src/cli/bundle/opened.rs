//! Bundles on the command line, and whose are believed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pinnace_registry::bundle::{Bundle, PublicKey, Trust};

#[derive(Clone, Debug, clap::Args)]
pub struct BundleArgs {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub rest: OpenArgs,
}

#[derive(Clone, Debug, clap::Args)]
pub struct OpenArgs {
    /// The bundle that a differential one is based on (can be given several times)
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// Public key that must have signed the bundle (can be given several times)
    #[arg(long, value_name = "FILE", conflicts_with = "allow_unsigned")]
    key: Vec<PathBuf>,
    /// Use the bundle whether it is signed or not
    #[arg(long)]
    allow_unsigned: bool,
}

impl BundleArgs {
    pub fn open(&self) -> anyhow::Result<Bundle> {
        if self.rest.key.is_empty() && !self.rest.allow_unsigned {
            bail!(
                "say who must have signed {}, with --key; or --allow-unsigned",
                self.file.display()
            );
        }
        self.open_to_look()
    }

    /// Without a key, too: to look at it.
    pub fn open_to_look(&self) -> anyhow::Result<Bundle> {
        let trust = match self.rest.key.as_slice() {
            [] => Trust::Unsigned,
            keys => {
                Trust::Keys(keys.iter().map(|path| public_key(path)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Bundle::open(&self.file, &self.rest.base, &trust)?)
    }
}

fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let pem = fs::read_to_string(path)
        .with_context(|| format!("cannot read the public key {}", path.display()))?;
    Ok(PublicKey::from_pem(&path.display().to_string(), &pem)?)
}
