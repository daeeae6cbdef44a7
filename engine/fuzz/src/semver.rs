//! Versions and constraints.

use pinnace_engine::version::{Constraint, Version};

/// The input is a constraint, then, on the next line, a version.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (constraint, version) = text.split_once('\n').unwrap_or((&text, "1.2.3"));
    let (constraint, version) = (Constraint::parse(constraint), Version::parse(version));
    if let (Ok(constraint), Ok(version)) = (&constraint, &version) {
        constraint.matches(version);
    }
}
