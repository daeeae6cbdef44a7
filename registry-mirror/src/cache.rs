//! Charts on disk, by digest. The folder holds one file per blob, named by the sha256 of its
//! content, so that `sha256sum *` checks all of it.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{chart::ChartManifest, client::PulledChart, digest::Digest};

/// A bounded cache. Clones share it; several processes may use one folder.
///
/// A file appears whole or not at all (written beside, synced, renamed), and a manifest appears
/// after the blobs that it names. What does not match its name when it is read is removed and
/// counts as missing. The least recently used files go first when the bound is passed.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    max_bytes: u64,
    /// Held while files are removed.
    evicting: Mutex<()>,
}

/// The cache's disk failed. A chart can still be pulled without it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the chart cache at {path}", path = .path.display())]
pub struct CacheError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Files that a killed process left half-written; older ones are removed.
const PARTIAL: &str = ".partial-";
const PARTIAL_LIFETIME: Duration = Duration::from_secs(3600);

impl Cache {
    /// Opens or makes a cache in `folder` that holds at most `max_bytes`.
    pub fn new(folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, CacheError> {
        let folder = folder.into();
        let opened = fs::create_dir_all(&folder);
        let cache = Self(Arc::new(Inner { folder, max_bytes, evicting: Mutex::new(()) }));
        opened.map_err(|source| cache.0.failed("open", source))?;
        cache.0.evict(&[]).map_err(|source| cache.0.failed("tidy", source))?;
        Ok(cache)
    }

    /// The chart with this manifest digest, if all of it is here and intact.
    pub async fn get(&self, digest: &str) -> Result<Option<PulledChart>, CacheError> {
        let Ok(digest) = digest.parse::<Digest>() else { return Ok(None) };
        self.on_disk("read", move |inner| inner.get(&digest)).await
    }

    /// Keeps a chart. One that is larger than the whole cache, or does not fit its own manifest,
    /// is not kept.
    pub async fn put(&self, chart: &PulledChart) -> Result<(), CacheError> {
        let chart = chart.clone();
        self.on_disk("write", move |inner| inner.put(&chart)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, CacheError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| self.0.failed(action, source))
    }
}

impl Inner {
    fn get(&self, digest: &Digest) -> io::Result<Option<PulledChart>> {
        let Some(manifest) = self.read(digest)? else { return Ok(None) };
        let Ok(blobs) = ChartManifest::parse(&manifest) else { return Ok(None) };
        let Some(config_bytes) = self.read(&blobs.config.digest)? else { return Ok(None) };
        let Some(archive) = self.read(&blobs.archive.digest)? else { return Ok(None) };
        let Ok(config) = serde_json::from_slice(&config_bytes) else { return Ok(None) };
        let digest = digest.to_string();
        Ok(Some(PulledChart { digest, manifest, archive, config, config_bytes }))
    }

    fn put(&self, chart: &PulledChart) -> io::Result<()> {
        let digest = Digest::of(&chart.manifest);
        let Ok(blobs) = ChartManifest::parse(&chart.manifest) else { return Ok(()) };
        let parts = [
            (&blobs.archive.digest, &chart.archive),
            (&blobs.config.digest, &chart.config_bytes),
            (&digest, &chart.manifest),
        ];
        let total: u64 = parts.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let fits = parts.iter().all(|(digest, bytes)| Digest::of(bytes) == **digest);
        if total > self.max_bytes || !fits || digest.as_str() != chart.digest {
            tracing::debug!(digest = chart.digest, total, "chart is not cached");
            return Ok(());
        }
        for (digest, bytes) in parts {
            self.write(digest, bytes)?;
        }
        self.evict(&parts.map(|(digest, _)| self.path(digest)))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// The content, if it is there and intact; its time of use becomes now.
    fn read(&self, digest: &Digest) -> io::Result<Option<Bytes>> {
        let path = self.path(digest);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        (&mut file).take(self.max_bytes + 1).read_to_end(&mut bytes)?;
        if Digest::of(&bytes) != *digest {
            tracing::warn!(path = %path.display(), "removing a damaged file of the chart cache");
            remove(&path)?;
            return Ok(None);
        }
        // Only the order of eviction hangs on it; a read-only folder still serves.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(bytes.into()))
    }

    fn write(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        if self.read(digest)?.is_some() {
            return Ok(());
        }
        let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.path(digest)).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Removes what was used longest ago until the bound holds, sparing `keep`.
    fn evict(&self, keep: &[PathBuf]) -> io::Result<()> {
        let _one_at_a_time = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified()?;
            if name.to_string_lossy().starts_with(PARTIAL) {
                if now.duration_since(used).is_ok_and(|age| age > PARTIAL_LIFETIME) {
                    remove(&entry.path())?;
                }
            } else if metadata.is_file() && is_blob(&name.to_string_lossy()) {
                files.push((used, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.max_bytes {
                break;
            }
            if !keep.contains(&path) {
                remove(&path)?;
                total -= size;
            }
        }
        Ok(())
    }

    fn failed(&self, action: &'static str, source: io::Error) -> CacheError {
        CacheError { action, path: self.folder.clone(), source }
    }
}

/// Files with other names are somebody else's and are left alone.
fn is_blob(name: &str) -> bool {
    format!("sha256:{name}").parse::<Digest>().is_ok()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
