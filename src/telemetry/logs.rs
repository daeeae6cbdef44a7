//! Logs on stderr, as text for people or as JSON lines for machines, with a level that can be
//! changed while the program runs.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use tracing::level_filters::LevelFilter;
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
/// Targets of this project's crates; targets that begin so are meant as well.
const OURS: [&str; 3] = ["pinnace", "qdrant_cloud_agent", "qdrant_operator"];

static LEVEL: OnceLock<Level> = OnceLock::new();

struct Level {
    handle: reload::Handle<EnvFilter, Registry>,
    /// `RUST_LOG` is set, which outranks the configuration.
    is_fixed: bool,
}

/// Starts logging at `info`, or at what `RUST_LOG` says, to the letter. A second call changes nothing.
pub fn init(format: Format) {
    let fixed = std::env::var("RUST_LOG").ok().and_then(|level| directives(&level).ok());
    let is_fixed = fixed.is_some();
    let (filter, handle) =
        reload::Layer::new(fixed.unwrap_or_else(|| EnvFilter::new(DEFAULT_LEVEL)));
    let lines = Layer::new().with_writer(io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        LEVEL.get_or_init(|| Level { handle, is_fixed });
    }
}

/// Sets the level that a configuration file asks for, unless `RUST_LOG` outranks it.
pub fn configure(level: &str) -> Result<(), Error> {
    if LEVEL.get().is_some_and(|current| current.is_fixed) {
        tracing::info!(log_level = level, "the configured log level is not used: RUST_LOG is set");
        return filter(level).map(drop);
    }
    set_level(level)
}

/// Changes the level of the running program: a level, or `target=level` directives. A level by itself
/// is about this project's crates: at `debug` the libraries stay at `info`, at `trace` they stay at
/// `debug`.
pub fn set_level(level: &str) -> Result<(), Error> {
    let filter = filter(level)?;
    let current = LEVEL.get().ok_or(Error::NotStarted)?;
    current.handle.reload(filter).map_err(|_| Error::NotStarted)?;
    tracing::info!(log_level = level, "log level changed");
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    let libraries = match level.trim().parse() {
        Ok(LevelFilter::DEBUG) => "info",
        Ok(LevelFilter::TRACE) => "debug",
        _ => return directives(level),
    };
    let ours = OURS.map(|target| format!("{target}={}", level.trim()));
    directives(&format!("{libraries},{}", ours.join(",")))
}

/// Directives to the letter.
fn directives(level: &str) -> Result<EnvFilter, Error> {
    let level = level.trim();
    let invalid = || Error::Invalid { level: level.chars().take(60).collect() };
    // A bare word that is no level would be taken for the name of a target and log nothing.
    let bare_word_is_level = level
        .split(',')
        .filter(|part| !part.contains(['=', '[']))
        .all(|part| part.parse::<LevelFilter>().is_ok());
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

    /// Asks a program that logs at `level` about one target.
    macro_rules! is_logged {
        ($level:expr, $target:literal, $at:ident) => {
            tracing::subscriber::with_default(
                tracing_subscriber::registry().with(filter($level).expect("a level")),
                || tracing::enabled!(target: $target, tracing::Level::$at),
            )
        };
    }

    #[test]
    fn a_level_is_about_our_own_crates() {
        assert!(is_logged!("debug", "pinnace::controller", DEBUG));
        assert!(is_logged!("debug", "pinnace_registry::client", DEBUG));
        assert!(is_logged!("DEBUG", "qdrant_cloud_agent", DEBUG));
        assert!(!is_logged!("debug", "pinnace::controller", TRACE));
        assert!(is_logged!("debug", "kube_client::client", INFO));
        assert!(!is_logged!("debug", "kube_client::client", DEBUG));
        assert!(!is_logged!("debug", "hyper_util::client", DEBUG));
        assert!(!is_logged!("debug", "sqlx::query", DEBUG));
        assert!(is_logged!("trace", "pinnace::controller", TRACE));
        assert!(is_logged!("trace", "h2::codec", DEBUG));
        assert!(!is_logged!("trace", "h2::codec", TRACE));
        assert!(!is_logged!("warn", "kube_client::client", INFO));
    }

    #[test]
    fn directives_are_taken_to_the_letter() {
        assert!(is_logged!("info,hyper=debug", "hyper::proto", DEBUG));
        assert!(!is_logged!("info,hyper=debug", "pinnace", DEBUG));
        let letter = tracing_subscriber::registry().with(directives("debug").expect("a level"));
        let logged = tracing::subscriber::with_default(
            letter,
            || tracing::enabled!(target: "rustls::client", tracing::Level::DEBUG),
        );
        assert!(logged, "as RUST_LOG says");
    }
}
