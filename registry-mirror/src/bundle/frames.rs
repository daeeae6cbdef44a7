//! Compression that can be read from the middle: zstd in the seekable format, which is a row of
//! independent frames and a table of their sizes in a last frame that `zstd -d` skips.
//! <https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md>

use std::{
    fs::File,
    io::{self, Read as _, Write},
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes in one frame before compression; a reader unpacks this much to get at any byte in it.
const FRAME: usize = 1024 * 1024;
/// Largest frame that is read; other writers make larger ones than this one does.
const LARGEST_FRAME: u32 = 16 * 1024 * 1024;
/// Most frames that are read: a table of 32 MiB.
const MOST_FRAMES: u32 = 4 * 1024 * 1024;
/// Unpacked frames that a reader keeps.
const KEPT: usize = 8;
const LEVEL: i32 = 3;

const SKIPPABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const FOOTER: u64 = 9;
/// Bit of the footer's descriptor: each entry of the table has a checksum.
const CHECKSUMS: u8 = 0x80;
const RESERVED: u8 = 0x7C;

/// The first bytes of any zstd file.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Writes frames; [`Writer::finish`] adds the table.
pub(super) struct Writer<W: Write> {
    to: W,
    pending: Vec<u8>,
    table: Vec<(u32, u32)>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, pending: Vec::with_capacity(FRAME), table: Vec::new() }
    }

    fn frame(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let packed = zstd::bulk::compress(&self.pending, LEVEL)?;
        self.to.write_all(&packed)?;
        let size = |length: usize| u32::try_from(length).map_err(io::Error::other);
        self.table.push((size(packed.len())?, size(self.pending.len())?));
        self.pending.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.frame()?;
        let count = u32::try_from(self.table.len()).map_err(io::Error::other)?;
        let mut table = Vec::with_capacity(self.table.len() * 8 + 17);
        table.extend(SKIPPABLE.to_le_bytes());
        table.extend((count * 8 + FOOTER as u32).to_le_bytes());
        for (packed, unpacked) in self.table {
            table.extend(packed.to_le_bytes());
            table.extend(unpacked.to_le_bytes());
        }
        table.extend(count.to_le_bytes());
        table.push(0);
        table.extend(SEEKABLE.to_le_bytes());
        self.to.write_all(&table)?;
        Ok(self.to)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == FRAME {
            self.frame()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads at offsets of the unpacked bytes.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    frames: Vec<Frame>,
    length: u64,
    kept: Mutex<Vec<(usize, Arc<Vec<u8>>)>>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where its unpacked bytes begin, and its packed ones.
    start: u64,
    at: u64,
    packed: u32,
    unpacked: u32,
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Reader {
    /// Reads the table; `None` for zstd without one.
    pub(super) fn open(file: File) -> io::Result<Option<Self>> {
        let size = file.metadata()?.len();
        let Some(footer_at) = size.checked_sub(FOOTER) else { return Ok(None) };
        let mut footer = [0; FOOTER as usize];
        file.read_exact_at(&mut footer, footer_at)?;
        if number(&footer, 5) != SEEKABLE {
            return Ok(None);
        }
        let (count, descriptor) = (number(&footer, 0), footer[4]);
        if count > MOST_FRAMES || descriptor & RESERVED != 0 {
            return Err(malformed("its seek table has too many frames, or unknown flags"));
        }
        let entry = if descriptor & CHECKSUMS == 0 { 8 } else { 12 };
        let table = u64::from(count) * entry + FOOTER;
        let Some(end) = size.checked_sub(table + 8) else {
            return Err(malformed("its seek table is longer than the file"));
        };
        let mut header = [0; 8];
        file.read_exact_at(&mut header, end)?;
        if number(&header, 0) != SKIPPABLE || u64::from(number(&header, 4)) != table {
            return Err(malformed("its seek table has no valid header"));
        }
        let mut entries = vec![0; (table - FOOTER) as usize];
        file.read_exact_at(&mut entries, end + 8)?;
        let (mut at, mut start) = (0, 0);
        let mut frames = Vec::with_capacity(count as usize);
        for entry in entries.chunks_exact(entry as usize) {
            let (packed, unpacked) = (number(entry, 0), number(entry, 4));
            if unpacked > LARGEST_FRAME || packed > LARGEST_FRAME + LARGEST_FRAME / 128 {
                return Err(malformed("a frame is larger than 16 MiB"));
            }
            frames.push(Frame { start, at, packed, unpacked });
            at += u64::from(packed);
            start += u64::from(unpacked);
        }
        if at != end {
            return Err(malformed("its seek table does not cover the file"));
        }
        Ok(Some(Self { file, frames, length: start, kept: Mutex::default() }))
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// As `FileExt::read_at`: some bytes, none at the end.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.length {
            return Ok(0);
        }
        let which = self.frames.partition_point(|frame| frame.start <= offset) - 1;
        let unpacked = self.frame(which)?;
        let rest = &unpacked[(offset - self.frames[which].start) as usize..];
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        Ok(taken)
    }

    fn frame(&self, which: usize) -> io::Result<Arc<Vec<u8>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(kept, _)| *kept == which) {
            let found = kept.remove(at);
            let bytes = found.1.clone();
            kept.push(found);
            return Ok(bytes);
        }
        drop(kept);
        let frame = self.frames[which];
        let mut packed = vec![0; frame.packed as usize];
        self.file.read_exact_at(&mut packed, frame.at)?;
        // One byte more than announced is allowed, to notice that there is more.
        let mut bytes = Vec::with_capacity(frame.unpacked as usize);
        zstd::stream::Decoder::with_buffer(packed.as_slice())?
            .take(u64::from(frame.unpacked) + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() != frame.unpacked as usize {
            return Err(malformed("a frame does not have the size that the seek table tells"));
        }
        let bytes = Arc::new(bytes);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((which, bytes.clone()));
        Ok(bytes)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        (0..FRAME * 2 + 4711).map(|n| (n / 7 % 251) as u8).collect()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn open(packed: &[u8]) -> io::Result<Option<Reader>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(packed).unwrap();
        Reader::open(file)
    }

    #[test]
    fn any_part_of_it() {
        let bytes = bytes();
        let reader = open(&packed(&bytes)).unwrap().unwrap();
        assert_eq!(reader.length(), bytes.len() as u64);
        for (at, length) in [(0, 10), (FRAME - 3, 3), (FRAME, 9), (FRAME * 2 + 4700, 11)] {
            let mut part = vec![0; length];
            assert_eq!(reader.read_at(&mut part, at as u64).unwrap(), length);
            assert_eq!(part, bytes[at..at + length]);
        }
        assert_eq!(reader.read_at(&mut [0; 9], FRAME as u64 - 3).unwrap(), 3);
        assert_eq!(reader.read_at(&mut [0; 9], bytes.len() as u64).unwrap(), 0);
        assert_eq!(open(&packed(b"")).unwrap().unwrap().length(), 0);
    }

    #[test]
    fn plain_zstd_reads_it() {
        let bytes = bytes();
        assert_eq!(zstd::decode_all(packed(&bytes).as_slice()).unwrap(), bytes);
    }

    #[test]
    fn without_a_table() {
        assert!(open(&zstd::encode_all(&b"abc"[..], 3).unwrap()).unwrap().is_none());
        assert!(open(b"abc").unwrap().is_none());
    }

    #[test]
    fn a_table_that_lies() {
        let whole = packed(&bytes());
        let table = whole.len() - 3 * 8 - 9;
        let with = |at: usize, value: u32| {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            bytes
        };
        let end = whole.len();
        for (why, bytes) in [
            ("too many frames", with(end - 9, MOST_FRAMES + 1)),
            ("no valid header", with(end - 9, 2)),
            ("longer than the file", with(end - 9, MOST_FRAMES)),
            ("larger than 16 MiB", with(table + 4, LARGEST_FRAME + 1)),
            ("does not cover", with(table, 5)),
        ] {
            assert!(open(&bytes).unwrap_err().to_string().contains(why), "{why}");
        }
        for unpacked in [FRAME as u32 - 1, FRAME as u32 + 1] {
            let reader = open(&with(table + 4, unpacked)).unwrap().unwrap();
            assert!(reader.read_at(&mut [0; 9], 0).is_err(), "{unpacked}");
        }
    }
}
