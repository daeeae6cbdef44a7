//! Chart archives: gzipped tar, not trusted.

use std::io::{self, Read as _};

use chrono::DateTime;
use flate2::read::MultiGzDecoder;

use super::{ChartError, File};

/// The most bytes that a chart's files may have together, unpacked (Helm's limit: 100 MiB).
pub const MAX_SIZE: u64 = 100 * 1024 * 1024;
/// What the archives' own headers may take on top.
const MAX_OVERHEAD: u64 = 28 * 1024 * 1024;
/// The most entries that a chart's archive and those of its subcharts may have together.
pub const MAX_ENTRIES: usize = 20_000;
const MAX_PATH: usize = 4096;

/// What a chart and its subcharts' archives may still unpack to.
pub(super) struct Budget {
    /// Bytes of files.
    bytes: u64,
    /// Bytes of tar streams.
    stream: u64,
    entries: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: MAX_SIZE, stream: MAX_SIZE + MAX_OVERHEAD, entries: MAX_ENTRIES }
    }
}

impl Budget {
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), ChartError> {
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.bytes.checked_sub(bytes));
        self.bytes = left.ok_or(ChartError::TooLarge)?;
        Ok(())
    }
}

/// The files below the archive's one top folder.
pub(super) fn unpack(gzip: &[u8], budget: &mut Budget) -> Result<Vec<File>, ChartError> {
    let mut plain = MultiGzDecoder::new(gzip).take(budget.stream);
    let files = read(&mut plain, budget);
    budget.stream = plain.limit();
    match files {
        // The stream was cut off by us.
        Err(ChartError::Archive(_)) if budget.stream == 0 => Err(ChartError::TooLarge),
        Ok(files) if files.is_empty() => Err(ChartError::Empty),
        files => files,
    }
}

fn read(plain: &mut dyn io::Read, budget: &mut Budget) -> Result<Vec<File>, ChartError> {
    let mut archive = tar::Archive::new(plain);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(ChartError::Archive)? {
        let mut entry = entry.map_err(ChartError::Archive)?;
        budget.entries = budget.entries.checked_sub(1).ok_or(ChartError::TooMany)?;
        let full_name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || full_name.ends_with('/') {
            continue;
        }
        let refused = |why| ChartError::Path { name: full_name.chars().take(200).collect(), why };
        if !(kind.is_file() || kind.is_contiguous()) {
            return Err(refused("links, devices and other irregular files are not allowed"));
        }
        let name = below_top_folder(&full_name).map_err(refused)?;
        let modified = entry.header().mtime().ok().and_then(|seconds| {
            i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        });
        let mut data = Vec::new();
        (&mut entry).take(budget.bytes + 1).read_to_end(&mut data).map_err(ChartError::Archive)?;
        budget.spend(data.len())?;
        if u64::try_from(data.len()).is_ok_and(|read| read < entry.size()) {
            return Err(ChartError::Archive(io::ErrorKind::UnexpectedEof.into()));
        }
        let data = without_byte_order_mark(&data).into();
        files.push(File { name, data, modified });
    }
    Ok(files)
}

/// The path without its first part, cleaned as Go's `path.Clean` does it.
fn below_top_folder(full_name: &str) -> Result<String, &'static str> {
    if full_name.len() > MAX_PATH {
        return Err("its path is too long");
    }
    // Archives packed on Windows have backslashes throughout.
    let delimiter = if full_name.contains('\\') { '\\' } else { '/' };
    let (top, rest) = full_name.split_once(delimiter).unwrap_or((full_name, ""));
    if top == "Chart.yaml" {
        return Err("chart yaml not in base directory");
    }
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') || top.is_empty() {
        return Err("chart illegally contains absolute paths");
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err("chart illegally references parent directory");
                }
            }
            part => parts.push(part),
        }
    }
    let Some(first) = parts.first() else {
        return Err("chart illegally contains content outside the base directory");
    };
    if first.starts_with("..") {
        return Err("chart illegally references parent directory");
    }
    let drive = first.as_bytes();
    if parts.len() > 1 && drive.len() == 2 && drive[0].is_ascii_alphabetic() && drive[1] == b':' {
        return Err("chart contains illegally named files");
    }
    Ok(parts.join("/"))
}

pub(super) fn without_byte_order_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, clean) in [
            ("a/Chart.yaml", "Chart.yaml"),
            ("a/b/../c", "c"),
            ("a\\templates\\x.yaml", "templates/x.yaml"),
            ("./a", "a"),
            ("a/./b//c", "b/c"),
        ] {
            assert_eq!(below_top_folder(path).as_deref(), Ok(clean), "{path}");
        }
        for path in
            ["a", "a//x", "/a/b", "a/../b", "a/b/../../c", "Chart.yaml", "a/c:/x", "a/..b", "a/."]
        {
            assert!(below_top_folder(path).is_err(), "{path}");
        }
    }
}
