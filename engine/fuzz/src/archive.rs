//! Unpacking and loading of a chart archive.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use pinnace_engine::Chart;

/// The input is a tar stream; as it is, too, for the sake of the gzip reader.
pub fn run(input: &[u8]) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(input).expect("a Vec takes everything");
    let archive = gzip.finish().expect("a Vec takes everything");
    if let Ok(chart) = Chart::from_archive(&archive) {
        assert!(!chart.name().is_empty(), "a chart without a name was loaded");
    }
    let _ = Chart::from_archive(input);
}
