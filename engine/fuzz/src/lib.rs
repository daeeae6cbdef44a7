//! What is fuzzed: each module takes any bytes and must return, in bounded time and memory.
//!
//! `fuzz_targets/` feeds them from libFuzzer, `engine/tests/corpus.rs` from the files of `corpus/`.

pub mod archive;
pub mod chunks;
pub mod jinja;
pub mod printf;
pub mod semver;
pub mod small_run;
pub mod strvals;
pub mod template;
pub mod template_parser;
pub mod yaml_printer;
pub mod yaml_reader;

/// Its name, which is that of its folder in `corpus/`, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 9] = [
    ("archive", archive::run),
    ("jinja", jinja::run),
    ("printf", printf::run),
    ("semver", semver::run),
    ("strvals", strvals::run),
    ("template", template::run),
    ("template_parser", template_parser::run),
    ("yaml_printer", yaml_printer::run),
    ("yaml_reader", yaml_reader::run),
];
