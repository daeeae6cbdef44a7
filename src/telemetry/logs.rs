//! Logs on stderr, as text for people or as JSON lines for machines, with a level that can be
//! changed while the program runs.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use tracing_subscriber::{
    EnvFilter, Registry,
    fmt::Layer,
    layer::{Layer as _, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// One line per event, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why a level was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "log level {level:?} is not understood: use error, warn, info, debug or trace, \
         or directives such as \"info,pinnace::controller=debug\""
    )]
    Invalid { level: String },
    #[error("the log level cannot be changed: logging has not been started")]
    NotStarted,
}

/// Longer directives than this are refused.
const LONGEST_LEVEL: usize = 512;
const DEFAULT_LEVEL: &str = "info";

static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging at the level of `RUST_LOG`, or `info`. A second call changes nothing.
pub fn init(format: Format) {
    let start = std::env::var("RUST_LOG").ok().and_then(|level| filter(&level).ok());
    let (filter, handle) =
        reload::Layer::new(start.unwrap_or_else(|| EnvFilter::new(DEFAULT_LEVEL)));
    let lines = Layer::new().with_writer(io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        LEVEL.get_or_init(|| handle);
    }
}

/// Changes the level of the running program: a level, or `target=level` directives.
pub fn set_level(level: &str) -> Result<(), Error> {
    let filter = filter(level)?;
    let handle = LEVEL.get().ok_or(Error::NotStarted)?;
    handle.reload(filter).map_err(|_| Error::NotStarted)?;
    tracing::info!(level, "log level changed");
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    let level = level.trim();
    let invalid = || Error::Invalid { level: level.chars().take(60).collect() };
    // A bare word that is no level would be taken for the name of a target and log nothing.
    let bare_word_is_level = level
        .split(',')
        .filter(|part| !part.contains(['=', '[']))
        .all(|part| part.parse::<tracing::level_filters::LevelFilter>().is_ok());
    if level.is_empty() || level.len() > LONGEST_LEVEL || !bare_word_is_level {
        return Err(invalid());
    }
    EnvFilter::try_new(level).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives() {
        for level in ["info", "DEBUG", "warn,pinnace::controller=trace", " error\n"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["", "loud", "info,loud", "pinnace=loud", &"a=info,".repeat(100)] {
            let error = filter(level).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{level}");
        }
    }
}
