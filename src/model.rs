//! Plain types that everyone shares. No I/O, no Kubernetes client, no wire format.

pub mod condition;
pub mod desired;
pub mod digest;
pub mod redacted;
pub mod release;
