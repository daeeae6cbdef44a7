//! The side that publishes: a network with a registry, and room for a Console.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;

use crate::{Space, script};

/// A network in which this machine is `vendor.test`, with a registry that asks for a
/// login, `registry.vendor.test`. It goes with this handle.
#[derive(Debug)]
pub struct Vendor {
    space: Space,
}

impl Vendor {
    /// The registry account that may push; clients in this space use it already.
    pub const PUBLISHER: &str = "publisher";

    /// Starts one, in about 1 s.
    pub fn start(name: &str) -> Self {
        let name = Space::unique(name);
        let owner = std::process::id().to_string();
        script::run("network", &["up", &name, "--owner", &owner]);
        Self { space: Space::owned(name) }
    }

    /// Its network, for commands that run in it.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The address that is `vendor.test` to itself and to linked customers: what
    /// should be reached from there listens on its port 443.
    pub fn listen_address(&self) -> String {
        format!("{}:443", self.space.path("ADDRESS").display())
    }

    /// Leads to [`Vendor::listen_address`] from this machine.
    pub fn published_address(&self) -> SocketAddr {
        self.space.address("VENDOR")
    }

    /// A certificate for `vendor.test`, `registry.vendor.test`, `localhost` and 127.0.0.1.
    pub fn certificate(&self) -> PathBuf {
        self.space.path("CERTIFICATE")
    }

    /// The key of [`Vendor::certificate`].
    pub fn key(&self) -> PathBuf {
        self.space.path("KEY")
    }

    /// The registry's accounts: lines of NAME:BCRYPT. An account that is added counts at once.
    pub fn htpasswd(&self) -> PathBuf {
        self.space.path("HTPASSWD")
    }

    /// A file with the password of [`Vendor::PUBLISHER`].
    pub fn publisher_password(&self) -> PathBuf {
        self.space.path("PUBLISHER_PASSWORD")
    }
}

impl Deref for Vendor {
    type Target = Space;

    fn deref(&self) -> &Space {
        &self.space
    }
}
