//! The tar of a bundle, written beside its name and renamed when all of it is on the disk.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::{error::BundleError, frames};

/// Whether the tar is compressed. Layers of images mostly are already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    /// Frames of 1 MiB with a seek table; `zstd -d` unpacks it.
    Zstd,
}

/// Files of the tar, on their way to the disk.
pub(super) struct Writing {
    to: PathBuf,
    parts: mpsc::Sender<Part>,
    writer: tokio::task::JoinHandle<io::Result<u64>>,
}

enum Part {
    File {
        name: String,
        size: u64,
    },
    Bytes(Bytes),
    /// Only a tar that was meant to end is kept.
    End,
}

/// Chunks under way between network and disk.
const UNDER_WAY: usize = 16;

impl Writing {
    pub(super) fn start(to: &Path, compression: Compression) -> Self {
        let (parts, received) = mpsc::channel(UNDER_WAY);
        let path = to.to_owned();
        let writer = tokio::task::spawn_blocking(move || write(&path, compression, received));
        Self { to: to.to_owned(), parts, writer }
    }

    pub(super) async fn file(&mut self, name: String, size: u64) -> Result<(), BundleError> {
        self.send(Part::File { name, size }).await
    }

    pub(super) async fn bytes(&mut self, bytes: Bytes) -> Result<(), BundleError> {
        self.send(Part::Bytes(bytes)).await
    }

    /// Puts the bundle in its place; tells its size.
    pub(super) async fn finish(mut self) -> Result<u64, BundleError> {
        self.send(Part::End).await?;
        self.outcome().await
    }

    /// Waits until nothing of it is left.
    pub(super) async fn give_up(self) {
        let Self { parts, writer, .. } = self;
        drop(parts);
        // It fails, since it was not told of an end.
        let _ = writer.await;
    }

    async fn send(&mut self, part: Part) -> Result<(), BundleError> {
        if self.parts.send(part).await.is_ok() {
            return Ok(());
        }
        // The writer has ended, which it does early only when it fails.
        self.outcome().await.map(drop)
    }

    async fn outcome(&mut self) -> Result<u64, BundleError> {
        let written = (&mut self.writer).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|source| BundleError::Write { path: self.to.clone(), source })
    }
}

fn write(to: &Path, compression: Compression, parts: mpsc::Receiver<Part>) -> io::Result<u64> {
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial-");
    let file = tempfile::Builder::new().prefix(&name).tempfile_in(folder)?;
    let out = BufWriter::with_capacity(256 * 1024, file);
    let out = match compression {
        Compression::None => tar(out, parts)?,
        Compression::Zstd => tar(frames::Writer::new(out), parts)?.finish()?,
    };
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    keep(file, to, folder)
}

fn keep(file: NamedTempFile, to: &Path, folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::PermissionsExt as _;
    // A bundle is for everybody; its signature says what it is worth.
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    let size = file.as_file().metadata()?.len();
    file.persist(to).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(size)
}

fn tar<W: Write>(mut out: W, mut parts: mpsc::Receiver<Part>) -> io::Result<W> {
    const BLOCK: u64 = 512;
    let zeros = [0; 2 * BLOCK as usize];
    let pad = |out: &mut W, size: u64| {
        out.write_all(&zeros[..(size.next_multiple_of(BLOCK) - size) as usize])
    };
    let (mut size, mut written) = (0, 0);
    let short = || io::Error::other("a file has another length than was said");
    while let Some(part) = parts.blocking_recv() {
        match part {
            Part::Bytes(bytes) => {
                written += bytes.len() as u64;
                out.write_all(&bytes)?;
            }
            Part::File { .. } | Part::End if written != size => return Err(short()),
            Part::File { name, size: next } => {
                pad(&mut out, size)?;
                out.write_all(header(&name, next)?.as_bytes())?;
                (size, written) = (next, 0);
            }
            Part::End => {
                pad(&mut out, size)?;
                out.write_all(&zeros)?;
                return Ok(out);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::Interrupted, "the export was given up"))
}

/// Always the same for the same file: no time, no user.
fn header(name: &str, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}
