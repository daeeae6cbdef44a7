//! Everything that talks to an OCI registry. In reading order:
//!
//! 1. [`Reference`] names what is wanted; [`Digest`] proves what was received.
//! 2. [`Credentials`] say who asks; [`Limits`] say how much a registry may send, and how long it
//!    may take.
//! 3. [`Client`] resolves, pulls and lists. A registry is not trusted: every body is capped and
//!    checked against its digest while it is read, before any parser sees it.
//! 4. [`Cache`] keeps what was pulled, and checks it again when it is read.
//! 5. [`Rules`] say which registry is asked instead of which; [`Registries`] ask them, each with
//!    its own settings and the logins of a [`Keychain`].
//! 6. [`mirror`] brings a plan of charts and images to another registry, checks and prunes it.
//! 7. [`Error`] says which registry, which reference, and what to do.

pub mod bundle;
mod cache;
mod chart;
mod client;
mod credentials;
mod digest;
mod error;
mod images;
mod keychain;
mod limits;
mod manifest;
pub mod mirror;
mod reference;
mod registries;
mod rules;
mod secret;
pub mod verify;
mod versions;

pub use cache::{Cache, CacheError};
pub use client::{
    BlobSource, BlobStream, Client, ClientCertificate, Options, PulledChart, Referrers, Uploaded,
    collect, tags_of_old_signatures,
};
pub use credentials::{Credentials, CredentialsError};
pub use digest::{Digest, InvalidDigest};
pub use error::Error;
pub use images::{RenamedImages, images_of};
pub use keychain::{Keychain, KeychainError};
pub use limits::Limits;
pub use manifest::{
    DOCKER_IMAGE, DOCKER_INDEX, Descriptor, ImageManifest, Index, InvalidManifest, Manifest,
    ManifestBytes, OCI_IMAGE, OCI_INDEX, Platform,
};
pub use reference::{InvalidReference, Reference};
pub use registries::{Registries, RegistriesError};
pub use rules::{Endpoint, EndpointError, Place, Policy, Rule, Rules, RulesError};
pub use secret::Secret;
pub use versions::newest_first;
