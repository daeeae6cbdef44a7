//! A namespace for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Cluster, dump_namespace};

/// A namespace for one test. When it drops it is deleted (in the background); if the
/// test is failing, what is in it is printed first.
#[derive(Debug)]
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Namespace<'a> {
    pub(crate) fn create(cluster: &'a Cluster, prefix: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{count}", std::process::id());
        cluster.kubectl(&["create", "namespace", &name]);
        Self { cluster, name }
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", dump_namespace(self.cluster, &self.name));
        }
        let mut delete = self.cluster.enter("kubectl");
        delete.args(["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
        crate::script::said(&mut delete);
    }
}
