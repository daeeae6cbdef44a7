//! Docker's credential helpers: programs `docker-credential-NAME` that are asked over stdin.

use std::{path::Path, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use super::KeychainError;
use crate::{credentials::Credentials, secret::Secret};

/// A helper may ask a person or a cloud; after this it is stopped.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// Most bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// What helpers say if they do not know a registry, by Docker's library for them.
const UNKNOWN: &str = "credentials not found";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// `None` if the helper does not know the server.
pub(super) async fn get(
    name: &str,
    server: &str,
    config: &Path,
) -> Result<Option<Credentials>, KeychainError> {
    let failed = |why: String| KeychainError::Helper {
        name: name.chars().take(100).collect(),
        host: server.to_owned(),
        why,
    };
    // It becomes the name of a program: nothing that could be a path.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(failed("this is not a name of a helper".to_owned()));
    }
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| KeychainError::NoHelper {
            name: name.to_owned(),
            path: config.to_owned(),
            source,
        })?;
    let asked = async {
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // One that answers without reading is no error.
        let _ = stdin.write_all(server.as_bytes()).await;
        drop(stdin);
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut answer = Vec::new();
        stdout.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>((child.wait().await?, answer))
    };
    let (status, answer) = tokio::time::timeout(LONGEST_RUN, asked)
        .await
        .map_err(|_| failed(format!("it did not answer in {} s", LONGEST_RUN.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        let said = String::from_utf8_lossy(&answer);
        if said.contains(UNKNOWN) {
            return Ok(None);
        }
        return Err(failed(format!("it ended with {status}")));
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| failed("its answer is not JSON of a user name and a secret".to_owned()))?;
    let secret = Secret::new(answer.secret);
    Ok(match answer.username.as_str() {
        "" => None,
        "<token>" => Some(Credentials::IdentityToken(secret)),
        username => Some(Credentials::basic(username, secret)),
    })
}
