//! Images made of static files.

use std::path::Path;
use std::process::Command;

use crate::{Space, script};

/// An image of static files; the first is its entrypoint. Runs as user 65532.
#[derive(Debug)]
pub struct Image {
    reference: String,
    options: Vec<String>,
    files: Vec<String>,
}

impl Image {
    /// To be pushed to REFERENCE, such as `registry.test/app:1`.
    pub fn new(reference: &str) -> Self {
        Self { reference: reference.to_owned(), options: Vec::new(), files: Vec::new() }
    }

    /// Adds a file to the root folder.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.files.push(path.as_ref().display().to_string());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.options.extend(["--env".to_owned(), format!("{name}={value}")]);
        self
    }

    /// Adds this machine's trusted CAs.
    pub fn ca_bundle(mut self) -> Self {
        self.options.push("--ca-bundle".to_owned());
        self
    }

    /// Pushes it from within the space, with the space's account for the registry.
    pub fn push(&self, space: &Space) {
        let mut command: Command = script::script("image");
        command.args(&self.options).args([space.name(), &self.reference]).args(&self.files);
        script::checked(&mut command);
    }
}
