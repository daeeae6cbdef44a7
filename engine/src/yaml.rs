//! YAML as Helm reads and writes it: `sigs.k8s.io/yaml`, that is go-yaml v2 with JSON between.
//!
//! Reading follows YAML 1.1 (`yes` and `on` are booleans, `010` is eight) and takes the first
//! document only. Printing sorts keys in go-yaml's natural order and quotes as it does.

mod documents;
mod encoding;
mod events;
mod fields;
mod node;
mod number;
mod print;
mod read;
mod scalar;
mod scan;
mod sort;

pub use documents::InvalidSeparator;
pub(crate) use documents::documents;
pub(crate) use encoding::decode;
pub(crate) use fields::{Fields, is_named};
pub use number::as_go_floats;
pub(crate) use number::{as_text, normalise};
pub use print::to_string;
pub(crate) use print::{to_pretty_string, to_string_within};
pub use read::{YamlError, from_str};
pub(crate) use read::{entries_from_str, from_str_exact, reads_json_as_it_is, repeated_keys};
