//! Everything that talks to an OCI registry.
