//! Who this Console is: the account's id and the signing key, which its database and agents know it by.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    keys::{self, KeyError, Keys},
    store::{Store, StoreError},
};

const ACCOUNT: &str = "account-id";
const SIGNING_KEY: &str = "signing-key";

/// Made on the first start, the same ever after.
pub struct Identity {
    pub account_id: String,
    pub keys: Keys,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the Console's keys cannot be used")]
    Keys(#[from] KeyError),
    #[error("the Console's database cannot say whose it is")]
    Store(#[from] StoreError),
    #[error(
        "{} is missing, but the database beside it is not new: restore the whole data folder from a backup", .0.display()
    )]
    Missing(PathBuf),
    #[error(
        "{} does not belong to the database beside it: restore both from the same backup", .0.display()
    )]
    Foreign(PathBuf),
}

/// Reads the identity in this folder. Only with a new database is it made: agents accept documents of
/// the signing key that they were installed with, and of no other.
pub async fn open(store: &Store, data: &Path) -> Result<Identity, IdentityError> {
    let known = (store.fact(SIGNING_KEY).await?, store.fact(ACCOUNT).await?);
    let new = known == (None, None) && store.environments().await?.is_empty();
    let path = data.join(SIGNING_KEY);
    if !new && !path.exists() {
        return Err(IdentityError::Missing(path));
    }
    let keys = Keys::open(data)?;
    let account_id = account_id(&data.join(ACCOUNT), new)?;
    let public = STANDARD.encode(keys.desired.verifying_key().as_bytes());
    for (name, known, found) in [(SIGNING_KEY, known.0, &public), (ACCOUNT, known.1, &account_id)] {
        if known.is_some_and(|known| known != *found) {
            return Err(IdentityError::Foreign(data.join(name)));
        }
        store.set_fact(name, found).await?;
    }
    Ok(Identity { account_id, keys })
}

fn account_id(path: &Path, new: bool) -> Result<String, IdentityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && new => {
            let id = uuid::Uuid::new_v4().to_string();
            keys::write_private(path, &id)?;
            Ok(id)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(IdentityError::Missing(path.to_owned()))
        }
        Err(source) => Err(KeyError::File { path: path.to_owned(), source }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_made_once_and_its_loss_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let store = Store::open(&data.join("console.db")).await.unwrap();
        let first = open(&store, data).await.unwrap();
        let again = open(&store, data).await.unwrap();
        assert_eq!(first.account_id, again.account_id);
        for name in [SIGNING_KEY, ACCOUNT] {
            let path = data.join(name);
            let text = fs::read_to_string(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let error = open(&store, data).await.err().unwrap();
            assert!(matches!(&error, IdentityError::Missing(found) if *found == path), "{error}");
            let other = STANDARD.encode([7; 32]).replace('=', "");
            fs::write(&path, other).unwrap();
            let error = open(&store, data).await.err().unwrap();
            assert!(matches!(&error, IdentityError::Foreign(found) if *found == path), "{error}");
            fs::write(&path, text).unwrap();
        }
        fs::remove_file(data.join("token-key")).unwrap();
        assert!(open(&store, data).await.is_ok(), "tokens are short-lived");
    }
}
