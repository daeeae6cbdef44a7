//! The way to the Console as the agent's configuration says now. Kubernetes renews the mounted file in a running
//! pod, so that another CA or proxy needs no restart.

use std::{path::PathBuf, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::connect::Connector;
use crate::agent::{
    chain,
    config::{Config, Proxy},
};

/// How often the file is looked at. Kubernetes takes up to a minute to renew it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells of each other way, for ever. `config` is what the file said when `way` was made.
pub async fn follow(path: PathBuf, config: Config, way: watch::Sender<Connector>) {
    let mut file = File::new(path, config);
    loop {
        sleep(INTERVAL).await;
        if let Some(other) = file.look() {
            way.send_replace(other);
        }
    }
}

struct File {
    path: PathBuf,
    /// What the last way was made of.
    held: (Option<String>, Proxy),
    /// What was wrong with the file when it was last read: it is said once.
    wrong: Option<String>,
}

impl File {
    fn new(path: PathBuf, config: Config) -> Self {
        Self { path, held: (config.ca_certificates, config.proxy), wrong: None }
    }

    /// The way that the file says, if it is another one than it was.
    fn look(&mut self) -> Option<Connector> {
        let found = self.read();
        let wrong = found.as_ref().err().cloned();
        if wrong != self.wrong
            && let Some(why) = &wrong
        {
            tracing::warn!("the way to the Console stays as it was: {why}");
        }
        self.wrong = wrong;
        found.ok().flatten()
    }

    fn read(&mut self) -> Result<Option<Connector>, String> {
        let config = Config::load(&self.path).map_err(|error| chain(&error))?;
        if (&config.ca_certificates, &config.proxy) == (&self.held.0, &self.held.1) {
            return Ok(None);
        }
        let connector = Connector::of(&config).map_err(|error| chain(&error))?;
        self.held = (config.ca_certificates, config.proxy);
        Ok(Some(connector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::config::tests::text;

    #[test]
    fn another_proxy_is_told_once_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("config.yaml");
        let write = |more: &str| std::fs::write(&path, text() + more).expect("write");
        write("");
        let mut file = File::new(path.clone(), Config::load(&path).expect("valid"));
        let proxy = "httpsProxy: http://proxy.test:3128\n";
        for (more, told) in
            [("later: 1\n", false), ("httpsProxy: 'no:url'\n", false), (proxy, true), ("", true)]
        {
            write(more);
            assert_eq!((file.look().is_some(), file.look().is_some()), (told, false), "{more}");
        }
        std::fs::remove_file(&path).expect("there");
        assert!(file.look().is_none() && file.wrong.is_some());
    }
}
