//! Registry accounts: one per environment in an htpasswd file, or one for all.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::sync::Mutex;

use super::{
    bootstrap::Account,
    keys,
    settings::{RegistryAccess, Settings},
};

/// bcrypt's cost for passwords of 256 random bits: the work factor adds nothing to those.
const COST: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("cannot update the registry's account file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot hash a registry password")]
    Hash(#[source] bcrypt::BcryptError),
    #[error("the task that writes the registry's account file was cancelled")]
    Cancelled,
}

/// One writer of the htpasswd file.
#[derive(Default)]
pub struct Accounts {
    writing: Mutex<()>,
}

impl Accounts {
    /// An account for this environment; a new password each time. None if the registry needs none.
    pub async fn issue(
        &self,
        settings: &Settings,
        environment: &str,
    ) -> Result<Option<Account>, AccountError> {
        match &settings.registry {
            RegistryAccess::Anonymous => Ok(None),
            RegistryAccess::Shared { username, password } => {
                Ok(Some(Account { username: username.clone(), password: password.clone() }))
            }
            RegistryAccess::Htpasswd(path) => {
                let account = Account { username: username(environment), password: keys::mint() };
                let hash =
                    bcrypt::hash(account.password.expose(), COST).map_err(AccountError::Hash)?;
                self.replace(path, environment, Some(hash)).await?;
                Ok(Some(account))
            }
        }
    }

    /// Removes the environment's account.
    pub async fn revoke(&self, settings: &Settings, environment: &str) -> Result<(), AccountError> {
        match &settings.registry {
            RegistryAccess::Htpasswd(path) => self.replace(path, environment, None).await,
            _ => Ok(()),
        }
    }

    async fn replace(
        &self,
        path: &Path,
        environment: &str,
        hash: Option<String>,
    ) -> Result<(), AccountError> {
        let _one_at_a_time = self.writing.lock().await;
        let (path, username) = (path.to_owned(), username(environment));
        let write = move || {
            replace_line(&path, &username, hash.as_deref())
                .map_err(|source| AccountError::File { path, source })
        };
        tokio::task::spawn_blocking(write).await.map_err(|_| AccountError::Cancelled)?
    }
}

fn username(environment: &str) -> String {
    format!("hybrid-{environment}")
}

/// Replaces one user's line; other lines and the file's mode stay as they are. Readers see the old
/// file or the new one, never a part.
fn replace_line(path: &Path, username: &str, hash: Option<&str>) -> io::Result<()> {
    let (old, mode) = match fs::read_to_string(path) {
        Ok(text) => (text, fs::metadata(path)?.permissions().mode()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), 0o600),
        Err(error) => return Err(error),
    };
    let own = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == username);
    let mut lines: Vec<&str> = old.lines().filter(|line| !own(line)).collect();
    let new = hash.map(|hash| format!("{username}:{hash}"));
    lines.extend(new.as_deref());
    let temporary = path.with_extension("new");
    fs::write(&temporary, lines.join("\n") + "\n")?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::settings::sample;

    #[tokio::test]
    async fn a_second_account_replaces_the_first_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, "other:$2y$05$x\n").unwrap();
        let settings = Settings { registry: RegistryAccess::Htpasswd(path.clone()), ..sample() };
        let accounts = Accounts::default();
        let first = accounts.issue(&settings, "e").await.unwrap().unwrap();
        let second = accounts.issue(&settings, "e").await.unwrap().unwrap();
        assert_ne!(first.password.expose(), second.password.expose());
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "other:$2y$05$x");
        let (name, hash) = lines[1].split_once(':').unwrap();
        assert_eq!(name, "hybrid-e");
        assert!(bcrypt::verify(second.password.expose(), hash).unwrap());
        accounts.revoke(&settings, "e").await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "other:$2y$05$x\n");
    }
}
