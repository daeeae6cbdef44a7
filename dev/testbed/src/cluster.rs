//! A one-node Kubernetes cluster.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::{Namespace, Space, script};

/// A one-node Kubernetes cluster with a registry of its own. It goes with this handle.
#[derive(Debug)]
pub struct Cluster {
    space: Space,
}

impl Cluster {
    /// Starts one and waits until pods can be scheduled: about 10 s. The name is for
    /// people who look at the machine; other tests may use the same.
    pub fn start(name: &str) -> Self {
        let name = Space::unique(name);
        let owner = std::process::id().to_string();
        script::run("cluster", &["up", &name, "--owner", &owner]);
        Self { space: Space::owned(name) }
    }

    /// The cluster that all tests share: the one named by `PINNACE_TEST_CLUSTER`, or
    /// one that ends with this process. Keep to a [`Namespace`] of your own in it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("PINNACE_TEST_CLUSTER") {
            Ok(name) if !name.is_empty() => Self { space: Space::running(name) },
            _ => Self::start("tests"),
        })
    }

    /// Its network, for commands that run in it.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// An administrator's kubeconfig that works on this machine.
    pub fn kubeconfig(&self) -> PathBuf {
        self.space.path("KUBECONFIG")
    }

    /// The API server's audit log: JSON lines at level Metadata, without the requests
    /// of the cluster's own components.
    pub fn audit_log(&self) -> PathBuf {
        self.space.path("AUDIT_LOG")
    }

    /// Runs `kubectl ARGS…` as administrator and returns what it prints; panics if it fails.
    pub fn kubectl(&self, args: &[&str]) -> String {
        self.space.run("kubectl", args)
    }

    /// Adds empty persistent volumes of class `local`, each for one claim.
    pub fn add_volumes(&self, count: usize) {
        script::run("cluster", &["volumes", self.space.name(), &count.to_string()]);
    }

    /// Makes a namespace with a name like PREFIX-1234-1.
    pub fn namespace(&self, prefix: &str) -> Namespace<'_> {
        Namespace::create(self, prefix)
    }
}

impl Deref for Cluster {
    type Target = Space;

    fn deref(&self) -> &Space {
        &self.space
    }
}
