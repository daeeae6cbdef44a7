//! Stages 2 and 7: opens the one connection out, writes what was pinned, reports what is there.

pub mod config;
pub mod link;

use std::error::Error;

/// An error and its causes on one line, for logs and statuses.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
