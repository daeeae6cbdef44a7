//! Keys: the Console's own, in its data folder, and the ones that it mints.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::model::redacted::Redacted;

/// The Console's own keys. Each is a file of its own (mode 0600) that is made when it is not there.
pub struct Keys {
    /// Signs desired states; agents learn its public half from the installation command.
    pub desired: SigningKey,
    /// Signs the short-lived tokens of agents.
    pub token: SigningKey,
    /// Signs sessions and CSRF tokens of the pages.
    pub session: SigningKey,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot use the Console's key file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{} is not a key of this Console: it should hold 32 bytes in base64; restore it from a backup", .0.display()
    )]
    Malformed(PathBuf),
}

impl Keys {
    /// Reads the keys in this folder; makes those that are missing.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let key = |name: &str| seed(&folder.join(name)).map(|seed| SigningKey::from_bytes(&seed));
        Ok(Self {
            desired: key("signing-key")?,
            token: key("token-key")?,
            session: key("session-key")?,
        })
    }
}

fn seed(path: &Path) -> Result<[u8; 32], KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok();
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| KeyError::Malformed(path.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let seed = random::<32>();
            write_private(path, &URL_SAFE_NO_PAD.encode(seed))?;
            Ok(seed)
        }
        Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner can read, as a whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A new secret of 256 bits that is safe in shells, URLs and YAML.
pub fn mint() -> Redacted<String> {
    Redacted::new(URL_SAFE_NO_PAD.encode(random::<32>()))
}

/// Hex SHA-256: what is stored of a key. Enough for keys of 256 random bits.
pub fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_stay_the_same_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::open(folder.path()).unwrap();
        let again = Keys::open(folder.path()).unwrap();
        assert_eq!(first.desired.to_bytes(), again.desired.to_bytes());
        assert_ne!(first.desired.to_bytes(), first.token.to_bytes());
        let mode = fs::metadata(folder.path().join("signing-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token-key"), "short").unwrap();
        assert!(matches!(Keys::open(folder.path()), Err(KeyError::Malformed(_))));
    }
}
