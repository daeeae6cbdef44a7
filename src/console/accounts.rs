//! Registry accounts: one per environment in an htpasswd file, or one for all.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
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

/// An account that was made, and what it replaced.
#[derive(Clone, Debug, Default)]
pub struct Issued {
    /// None if the registry needs none.
    pub account: Option<Account>,
    /// The hash that was in the file before.
    before: Option<String>,
}

/// One writer of the htpasswd file.
#[derive(Default)]
pub struct Accounts {
    writing: Mutex<()>,
}

impl Accounts {
    /// An account for this environment; a new password each time.
    pub async fn issue(
        &self,
        settings: &Settings,
        environment: &str,
    ) -> Result<Issued, AccountError> {
        match &settings.registry {
            RegistryAccess::Anonymous => Ok(Issued::default()),
            RegistryAccess::Shared { username, password } => {
                let account = Account { username: username.clone(), password: password.clone() };
                Ok(Issued { account: Some(account), before: None })
            }
            RegistryAccess::Htpasswd(path) => {
                let account = Account { username: username(environment), password: keys::mint() };
                let hash =
                    bcrypt::hash(account.password.expose(), COST).map_err(AccountError::Hash)?;
                let before = self.replace(path, environment, Some(hash)).await?;
                Ok(Issued { account: Some(account), before })
            }
        }
    }

    /// Takes back what [`Accounts::issue`] did.
    pub async fn restore(
        &self,
        settings: &Settings,
        environment: &str,
        issued: Issued,
    ) -> Result<(), AccountError> {
        if let RegistryAccess::Htpasswd(path) = &settings.registry {
            self.replace(path, environment, issued.before).await?;
        }
        Ok(())
    }

    /// Removes the environment's account, if there is one.
    pub async fn revoke(&self, settings: &Settings, environment: &str) -> Result<(), AccountError> {
        if let RegistryAccess::Htpasswd(path) = &settings.registry {
            self.replace(path, environment, None).await?;
        }
        Ok(())
    }

    async fn replace(
        &self,
        path: &Path,
        environment: &str,
        hash: Option<String>,
    ) -> Result<Option<String>, AccountError> {
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

/// Replaces one user's line and returns the hash that it had; other lines and the file's owner and
/// mode stay as they are. Readers see the old file or the new one, never a part, also after a crash.
fn replace_line(path: &Path, username: &str, hash: Option<&str>) -> io::Result<Option<String>> {
    let (old, like) = match fs::read_to_string(path) {
        Ok(text) => (text, Some(fs::metadata(path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), None),
        Err(error) => return Err(error),
    };
    let own = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == username);
    let before = old.lines().find(|line| own(line)).and_then(|line| line.split_once(':'));
    let before = before.map(|(_, hash)| hash.to_owned());
    if before.as_deref() == hash {
        return Ok(before);
    }
    let mut lines: Vec<&str> = old.lines().filter(|line| !own(line)).collect();
    let new = hash.map(|hash| format!("{username}:{hash}"));
    lines.extend(new.as_deref());
    let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    if let Some(like) = like {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(like.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::console::settings::sample;

    #[tokio::test]
    async fn a_second_account_replaces_the_first_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, "other:$2y$05$x\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let settings = Settings { registry: RegistryAccess::Htpasswd(path.clone()), ..sample() };
        let accounts = Accounts::default();
        let first = accounts.issue(&settings, "e").await.unwrap().account.unwrap();
        let issued = accounts.issue(&settings, "e").await.unwrap();
        let second = issued.account.clone().unwrap();
        assert_ne!(first.password.expose(), second.password.expose());
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "other:$2y$05$x");
        let (name, hash) = lines[1].split_once(':').unwrap();
        assert_eq!(name, "hybrid-e");
        assert!(bcrypt::verify(second.password.expose(), hash).unwrap());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        accounts.restore(&settings, "e", issued).await.unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let hash = text.lines().last().unwrap().split_once(':').unwrap().1;
        assert!(bcrypt::verify(first.password.expose(), hash).unwrap(), "the one before is back");
        accounts.revoke(&settings, "e").await.unwrap();
        accounts.revoke(&settings, "e").await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "other:$2y$05$x\n");
    }
}
