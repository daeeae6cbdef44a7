//! The tar under a bundle: where each file begins, without unpacking anything.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    error::BundleError,
    frames,
    layout::{self, Entry},
};
use crate::digest::Digest;

/// An opened tar. Reading is by offset, so any number of readers share it.
#[derive(Debug)]
pub(super) struct Archive {
    pub path: PathBuf,
    store: Store,
    index: Option<Place>,
    signature: Option<Place>,
    blobs: HashMap<Digest, Place>,
}

/// Where a file's bytes are, in the unpacked tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: u64,
    pub size: u64,
}

#[derive(Debug)]
enum Store {
    Plain { file: File, length: u64 },
    Zstd(frames::Reader),
}

const BLOCK: u64 = 512;

impl Archive {
    /// Reads the headers of the tar. One that holds anything but an OCI image layout and our
    /// signature (links, other paths, the same file twice) is refused.
    pub(super) fn open(path: &Path) -> Result<Self, BundleError> {
        let failed = |source| BundleError::Read { path: path.to_owned(), source };
        let malformed = |why| BundleError::Malformed { path: path.to_owned(), why };
        let mut file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(malformed("it is not a file".to_owned()));
        }
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start).map_err(failed)?;
        let store = if start == frames::MAGIC {
            match frames::Reader::open(file) {
                Ok(Some(reader)) => Store::Zstd(reader),
                Ok(None) => return Err(BundleError::NotSeekable { path: path.to_owned() }),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(malformed(error.to_string()));
                }
                Err(error) => return Err(failed(error)),
            }
        } else {
            let length = file.metadata().map_err(failed)?.len();
            Store::Plain { file, length }
        };
        let mut archive = Self {
            path: path.to_owned(),
            store,
            index: None,
            signature: None,
            blobs: HashMap::new(),
        };
        archive.scan().map_err(|refused| match refused {
            Refused::Io(source) => failed(source),
            Refused::Tar(why) => malformed(why),
        })?;
        Ok(archive)
    }

    fn scan(&mut self) -> Result<(), Refused> {
        let length = self.store.length();
        let mut offset = 0;
        let mut files = 0;
        let mut layout = false;
        loop {
            let mut block = [0; BLOCK as usize];
            if length - offset < BLOCK {
                return Err(Refused::Tar("it ends in the middle: copy it again".to_owned()));
            }
            self.store.read_exact_at(&mut block, offset)?;
            if block.iter().all(|byte| *byte == 0) {
                break;
            }
            files += 1;
            if files > layout::MOST_FILES {
                let most = layout::MOST_FILES;
                return Err(Refused::Tar(format!("it holds more than {most} files")));
            }
            let (name, kind, size) = header(&block)?;
            let place = Place { offset: offset + BLOCK, size };
            let blocks = size.checked_next_multiple_of(BLOCK);
            offset = blocks
                .and_then(|size| place.offset.checked_add(size))
                .filter(|end| *end <= length)
                .ok_or_else(|| Refused::Tar(format!("{name} is cut off: copy it again")))?;
            if kind.is_dir() && layout::is_folder(&name) && size == 0 {
                continue;
            }
            if !kind.is_file() {
                return Err(Refused::Tar(format!("{name} is not a plain file")));
            }
            let before = match layout::entry(&name) {
                Some(Entry::Layout) => std::mem::replace(&mut layout, true).then_some(place),
                Some(Entry::Index) => self.index.replace(place),
                Some(Entry::Signature) => self.signature.replace(place),
                Some(Entry::Blob(digest)) => self.blobs.insert(digest, place),
                None => return Err(Refused::Tar(format!("{name} does not belong in a bundle"))),
            };
            if before.is_some() {
                return Err(Refused::Tar(format!("{name} is in it twice")));
            }
        }
        if layout { Ok(()) } else { Err(Refused::Tar("it holds no OCI image layout".to_owned())) }
    }

    /// The bytes of index.json, within their limit.
    pub(super) fn index(&self) -> Result<Vec<u8>, BundleError> {
        let place = self.index.ok_or_else(|| self.malformed("it has no index.json"))?;
        self.whole("index.json", place, layout::INDEX_BYTES)
    }

    pub(super) fn signature(&self) -> Result<Option<Vec<u8>>, BundleError> {
        let read = |place| self.whole("its signature", place, layout::SIGNATURE_BYTES);
        self.signature.map(read).transpose()
    }

    pub(super) fn blob(&self, digest: &Digest) -> Option<Place> {
        self.blobs.get(digest).copied()
    }

    pub(super) fn blobs(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs.iter().map(|(digest, place)| (digest, place.size))
    }

    /// All bytes of one file, within a limit.
    pub(super) fn whole(
        &self,
        what: &str,
        place: Place,
        limit: u64,
    ) -> Result<Vec<u8>, BundleError> {
        if place.size > limit {
            return Err(self.malformed(&format!("{what} is larger than {limit} bytes")));
        }
        let mut bytes = vec![0; place.size as usize];
        self.read_exact_at(&mut bytes, place.offset)?;
        Ok(bytes)
    }

    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), BundleError> {
        let path = || self.path.clone();
        let read = self.store.read_exact_at(buffer, offset);
        read.map_err(|source| BundleError::Read { path: path(), source })
    }

    pub(super) fn malformed(&self, why: &str) -> BundleError {
        BundleError::Malformed { path: self.path.clone(), why: why.to_owned() }
    }
}

impl Store {
    fn length(&self) -> u64 {
        match self {
            Self::Plain { length, .. } => *length,
            Self::Zstd(reader) => reader.length(),
        }
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        match self {
            Self::Plain { file, .. } => file.read_exact_at(buffer, offset),
            Self::Zstd(reader) => {
                while !buffer.is_empty() {
                    let read = reader.read_at(buffer, offset)?;
                    if read == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Ok(())
            }
        }
    }
}

enum Refused {
    Io(io::Error),
    Tar(String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Name, kind and size of a checked header. Extended headers are other kinds, and refused above.
fn header(block: &[u8; BLOCK as usize]) -> Result<(String, tar::EntryType, u64), Refused> {
    let not_tar = || Refused::Tar("it is not a tar, or damaged".to_owned());
    let header = tar::Header::from_byte_slice(block);
    let sum = block.iter().enumerate().fold(0_u32, |sum, (at, byte)| {
        sum + if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) }
    });
    if header.cksum().map_err(|_| not_tar())? != sum {
        return Err(not_tar());
    }
    let name = String::from_utf8_lossy(&header.path_bytes()).chars().take(200).collect();
    Ok((name, header.entry_type(), header.entry_size().map_err(|_| not_tar())?))
}
