//! The reason of an end, left where Kubernetes looks for it.

use std::{fmt::Display, fs::OpenOptions, io, io::Write as _, path::Path};

/// Kubernetes' default `terminationMessagePath`.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// Kubernetes cuts termination messages at this many bytes.
const LIMIT: usize = 4096;

/// Leaves a fatal error in `/dev/termination-log`, so that `kubectl describe pod` shows it.
///
/// Does nothing outside a container (the file is not there). At most 4096 bytes are kept.
pub fn last_words(error: impl Display) {
    if let Err(error) = write(Path::new(TERMINATION_LOG), &error.to_string()) {
        tracing::debug!(%error, "could not write the termination message");
    }
}

fn write(path: &Path, message: &str) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).truncate(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let end = message.floor_char_boundary(LIMIT);
    file.write_all(&message.as_bytes()[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_only_where_the_file_exists_and_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("termination-log");
        write(&path, "gone").unwrap();
        assert!(!path.exists());

        std::fs::write(&path, "older and longer").unwrap();
        write(&path, "no access key").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no access key");

        write(&path, &"é".repeat(LIMIT)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "é".repeat(LIMIT / 2));
    }
}
