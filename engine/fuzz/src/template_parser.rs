//! Lexer and parser.

use pinnace_engine::template::TemplateSet;

/// The input is a template.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(error) = TemplateSet::new().parse("fuzz", &text) {
        assert!(!error.to_string().is_empty(), "an error without a text");
    }
}
