//! One signed file with charts and images in it, for the walk across an air gap.
//!
//! The file is an OCI image layout in a tar, so other tools read it, too. In reading order:
//!
//! 1. [`export`] reads every manifest ([`Item`]), then writes the tar beside its name and renames
//!    it. The index comes first; an Ed25519 signature ([`SigningKey`]) over its digest vouches for
//!    all that it names.
//! 2. [`Bundle::open`] believes nothing: the signature ([`Trust`]), every name in the tar, every
//!    manifest. Blobs are checked while they are read. Nothing is unpacked.
//! 3. [`Bundle::verify`] reads all of it; [`Bundle::import`] pushes it into a registry and
//!    [`Bundle::import_charts`] fills the agent's cache; [`serve()`] makes it a registry itself.
//!
//! A differential bundle leaves out what an earlier one holds. Its index names the earlier one by
//! digest, and tells the number and the digest of what is missing.

mod archive;
mod error;
mod export;
mod frames;
mod import;
mod layout;
mod left_out;
mod opened;
mod plan;
mod progress;
mod read;
mod serve;
mod signature;
mod verify;
mod write;

pub use error::BundleError;
pub use export::{Export, Exported, export};
pub use import::{Imported, place};
pub use opened::{Bundle, Root};
pub use plan::{Attachments, Item};
pub use progress::{Progress, Silent};
pub use serve::{Access, serve};
pub use signature::{PublicKey, SigningKey, Trust};
pub use verify::Verified;
pub use write::Compression;
