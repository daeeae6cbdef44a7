//! What clusters and vendors have in common.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::script;

/// A network of its own on this machine, with its own DNS names and trusted CAs.
#[derive(Debug)]
pub struct Space {
    name: String,
    info: HashMap<String, String>,
    owned: bool,
}

impl Space {
    /// A name that no other test process uses, within the 30 characters of a space's.
    pub(crate) fn unique(name: &str) -> String {
        format!("{name}-{}", std::process::id())
    }

    /// A space that goes with this handle.
    pub(crate) fn owned(name: String) -> Self {
        Self::read(name, true)
    }

    /// A space that somebody else made and will remove.
    pub(crate) fn running(name: String) -> Self {
        Self::read(name, false)
    }

    fn read(name: String, owned: bool) -> Self {
        let printed = script::run("cluster", &["info", &name]);
        let lines = printed.lines().filter_map(|line| line.split_once('='));
        let info = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { name, info, owned }
    }

    /// Its name for the scripts, as in `dev/cluster enter NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run in it: its network, DNS, trusted CAs and, in a
    /// cluster, `KUBECONFIG`. The pinned tools come first in its `PATH`.
    pub fn enter(&self, program: &str) -> Command {
        let mut command = script::script("cluster");
        command.args(["enter", &self.name, "--", program]);
        command
    }

    /// Runs a command in it and returns what it prints; panics if it fails.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        script::checked(self.enter(program).args(args))
    }

    /// The file with the CA that signed every certificate of this space (PEM).
    pub fn ca(&self) -> PathBuf {
        self.path("CA")
    }

    /// Its registry as seen from this machine: TLS, signed by [`Space::ca`]. Inside
    /// it is `registry.test`.
    pub fn registry(&self) -> SocketAddr {
        self.address("REGISTRY")
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        PathBuf::from(self.value(key))
    }

    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        self.value(key).parse().expect("an address and a port")
    }

    fn value(&self, key: &str) -> &str {
        self.info.get(key).unwrap_or_else(|| panic!("dev/cluster info {}: no {key}", self.name))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.owned {
            let removed = script::said(script::script("cluster").args(["down", &self.name]));
            if !removed.is_empty() {
                eprintln!("cannot remove {}: {removed}", self.name);
            }
        }
    }
}
