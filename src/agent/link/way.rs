//! The way to the Console as the agent's configuration says now. Kubernetes renews the mounted file in a running
//! pod, so that another CA or proxy needs no restart.

use std::{path::PathBuf, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::connect::Connector;
use crate::agent::{chain, config::Config};

/// How often the file is looked at. Kubernetes takes up to a minute to renew it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells of each other way, for ever. `config` is what the file said when `way` was made.
pub async fn follow(path: PathBuf, config: Config, way: watch::Sender<Connector>) {
    let mut held = (config.ca_certificates, config.proxy);
    let mut complaint = None;
    loop {
        sleep(INTERVAL).await;
        let read = || -> Result<_, String> {
            let config = Config::load(&path).map_err(|error| chain(&error))?;
            let wanted = (config.ca_certificates.clone(), config.proxy.clone());
            if wanted == held {
                return Ok(None);
            }
            let connector = Connector::of(&config).map_err(|error| chain(&error))?;
            Ok(Some((wanted, connector)))
        };
        let found = read();
        let wrong = found.as_ref().err().cloned();
        if wrong != complaint
            && let Some(why) = &wrong
        {
            tracing::warn!("the way to the Console stays as it was: {why}");
        }
        complaint = wrong;
        if let Ok(Some((wanted, connector))) = found {
            held = wanted;
            way.send_replace(connector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::config::tests::text;

    #[tokio::test(start_paused = true)]
    async fn another_proxy_is_told_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("config.yaml");
        let write = |more: &str| std::fs::write(&path, text() + more).expect("write");
        write("");
        let config = Config::load(&path).expect("valid");
        let first = Connector::of(&config).expect("usable");
        let (sender, mut way) = watch::channel(first.clone());
        tokio::spawn(follow(path.clone(), config, sender));
        for more in ["later: 1\n", "httpsProxy: 'no:url'\n", "caCertificates: none\n"] {
            write(more);
            sleep(2 * INTERVAL).await;
            assert_eq!(way.has_changed().ok(), Some(more.starts_with("caC")), "{more}");
            way.mark_unchanged();
        }
        write("httpsProxy: http://proxy.test:3128\n");
        way.changed().await.expect("it is followed");
        assert!(!way.borrow().is(&first));
    }
}
