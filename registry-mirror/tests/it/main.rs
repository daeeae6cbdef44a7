//! The client against registries.
//!
//! - [`bundles`]: one file with everything, from a real registry and back into one
//! - [`distribution`]: a real CNCF distribution registry, with charts that `helm push` put there
//! - [`memory`]: the most that a process takes, for small and large blobs and for endless answers
//! - [`mirrored`]: copies between real registries, new and old, and copies that are killed
//! - [`killed`]: SIGKILL in imports and in writes to the cache
//! - [`beside_oras`]: both ways with oras, and what cosign has signed
//! - [`beside_skopeo`]: both ways with genuine skopeo
//! - [`tokens`]: a real registry that takes the tokens of a small service of our own
//! - [`transfers`]: blobs that break off, and registries that lie about them
//! - [`elsewhere`]: mirrors, one down, one lying, and one that has it
//! - [`proxied`]: the same through an HTTPS proxy
//! - [`sign_in`]: token services
//! - [`hostile`]: a registry of our own that sends wrong, endless or broken answers
//! - [`misbehaving`]: every fault at every place, in pulls, copies and exports
//! - [`busy`]: a registry of our own that limits, fails or redirects
//! - [`in_the_clear`]: redirects and token services without TLS
//! - [`strangers`]: servers that ask who the client is, and hang up
//! - [`signatures`]: keyless ones and those of Notation, made by genuine libraries
//! - [`pages`]: lists of tags over several pages
#![allow(clippy::unwrap_used)]

mod beside_oras;
mod beside_skopeo;
mod bundles;
mod busy;
mod distribution;
mod elsewhere;
mod hostile;
mod in_the_clear;
mod killed;
mod memory;
mod mirrored;
mod misbehaving;
mod pages;
mod proxied;
mod sign_in;
mod signatures;
mod strangers;
mod support;
mod tokens;
mod transfers;
