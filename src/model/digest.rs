//! A content digest. The type is the registry crate's, which checks every byte against it.

pub use pinnace_registry::{Digest, InvalidDigest};
