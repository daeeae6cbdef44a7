//! Genuine Helm, in a process of its own that answers a line per line.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::case::Case;

/// The output, or the words of the error.
pub type Outcome = Result<String, String>;

#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    #[error("cannot start {path}: {source}; `make tools` builds it")]
    Start { path: PathBuf, source: io::Error },
    #[error("Helm's process ended before it answered")]
    Ended,
    #[error("Helm's process gave an answer that cannot be read: {0}")]
    Answer(String),
}

/// Where `make tools` puts the oracle.
pub fn built() -> PathBuf {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = || {
        set("XDG_CACHE_HOME")
            .unwrap_or_else(|| set("HOME").unwrap_or_else(|| "/root".into()).join(".cache"))
    };
    set("PINNACE_TOOLS").unwrap_or_else(|| cache().join("pinnace/tools")).join("oracle")
}

/// Where questions go in.
pub struct Questions(BufWriter<ChildStdin>);

/// Where answers come out, in the order of the questions.
pub struct Answers {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// Starts the process. Both ends must be served at once: it answers while it is asked.
pub fn start(path: &Path) -> Result<(Questions, Answers), HelmError> {
    let mut child = Command::new(path)
        .arg("answer")
        // If it dies, then of a case that no memory holds; the stacks say nothing more.
        .stderr(Stdio::null())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| HelmError::Start { path: path.to_owned(), source })?;
    let stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    Ok((Questions(BufWriter::new(stdin)), Answers { child, out: BufReader::new(stdout) }))
}

impl Questions {
    /// Asks. An error means that the process ended; [`Answers::next`] says so.
    pub fn ask(&mut self, case: &Case) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, case)?;
        self.0.write_all(b"\n")
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    output: String,
    #[serde(default)]
    error: String,
    failed: bool,
}

impl Answers {
    /// The answer to the case whose turn it is.
    pub fn next(&mut self) -> Result<Outcome, HelmError> {
        let mut line = String::new();
        // Part of a line is the last that is heard of it.
        if self.out.read_line(&mut line).is_err() || !line.ends_with('\n') {
            return Err(HelmError::Ended);
        }
        let unreadable = |error: &dyn std::fmt::Display| HelmError::Answer(error.to_string());
        let answer: Answer = serde_json::from_str(&line).map_err(|error| unreadable(&error))?;
        let text = |encoded: &str| {
            let bytes = BASE64_STANDARD.decode(encoded).map_err(|error| unreadable(&error))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(if answer.failed {
            Err(text(&answer.error)?)
        } else {
            Ok(without_key_types(without_address(text(&answer.output)?)))
        })
    }
}

/// Words that are known to differ: see docs/compatibility.md.
pub fn without_key_types(text: String) -> String {
    match text.find("map key") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The root holds one pointer, whose address shows when it is printed: another in each of Helm's
/// processes, always the same with us.
pub fn without_address(mut text: String) -> String {
    const BEFORE: &str = "Capabilities:";
    let mut from = 0;
    while let Some(at) = text[from..].find(BEFORE) {
        from += at + BEFORE.len();
        if let Some(end) = text[from..].find(" Chart:")
            && text[from..from + end].trim_start_matches(' ').starts_with("0x")
        {
            text.replace_range(from..from + end, "ADDRESS");
        }
    }
    text
}

impl Drop for Answers {
    /// Its stdin may still be open elsewhere.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
