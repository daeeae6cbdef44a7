//! Which cluster and which namespace: kubectl's flags, files and environment.

use std::path::PathBuf;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// The namespace (default: that of the kubeconfig's context)
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The context of the kubeconfig (default: its current one)
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig (default: $KUBECONFIG, then ~/.kube/config, then that of the pod)
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A cluster that answers, and the namespace that is meant.
pub struct Target {
    pub client: Client,
    pub namespace: String,
    /// `-n NAMESPACE`, for commands that are shown to people: what they typed themselves is not left out.
    pub flags: String,
}

impl ClusterArgs {
    pub async fn connect(&self) -> anyhow::Result<Target> {
        // Another provider cannot have been installed by a command line.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = self.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).context("cannot use the kubeconfig")?;
        Ok(Target { client, flags: self.shown(&namespace), namespace })
    }

    /// The flags by which the same cluster and namespace are found again.
    fn shown(&self, namespace: &str) -> String {
        let mut flags = format!("-n {namespace}");
        if let Some(context) = &self.context {
            flags += &format!(" --context {context}");
        }
        if let Some(file) = &self.kubeconfig {
            flags += &format!(" --kubeconfig {}", file.display());
        }
        flags
    }

    async fn config(&self) -> anyhow::Result<Config> {
        let options =
            KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let file = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?,
            None => match Kubeconfig::read() {
                Ok(file) => file,
                // In a pod there is none, and none is needed.
                Err(error) if self.context.is_none() => {
                    return Config::incluster().map_err(|_| {
                        anyhow::Error::from(error)
                            .context("cannot find a cluster: set KUBECONFIG, or give --kubeconfig")
                    });
                }
                Err(error) => return Err(error).context("cannot read the kubeconfig"),
            },
        };
        Config::from_custom_kubeconfig(file, &options).await.context("cannot use the kubeconfig")
    }
}
