//! Archives that are not to be trusted: each ends in an error that says why.

use std::error::Error;
use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use pinnace_engine::Chart;
use pinnace_engine::chart::{ChartError, MAX_ENTRIES, MAX_SIZE};
use tar::{Builder, EntryType, Header};

const METADATA: &str = "apiVersion: v2\nname: t\nversion: 1.0.0\n";

/// An archive in the making.
struct Archive(Builder<GzEncoder<Vec<u8>>>);

impl Archive {
    fn empty() -> Self {
        Self(Builder::new(GzEncoder::new(Vec::new(), Compression::fast())))
    }

    /// With a Chart.yaml that is right.
    fn chart() -> Self {
        Self::empty().file("t/Chart.yaml", METADATA)
    }

    fn file(self, path: &str, data: impl AsRef<[u8]>) -> Self {
        self.entry(path, EntryType::Regular, "", data.as_ref())
    }

    /// The path goes into the header as it is: the tar library itself would refuse some.
    fn entry(mut self, path: &str, kind: EntryType, link: &str, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.append(&header, data).expect("a tar in memory");
        self
    }

    fn gzip(self) -> Vec<u8> {
        self.0.into_inner().and_then(GzEncoder::finish).expect("a gzip in memory")
    }

    fn load(self) -> Result<Chart, ChartError> {
        Chart::from_archive(&self.gzip())
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a gzip in memory")
}

/// The error with its causes, as people see it.
fn words(result: Result<Chart, ChartError>) -> String {
    let error = result.expect_err("a refusal");
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn refused(archive: Archive, wanted: &str) {
    let text = words(archive.load());
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_good_archive_loads() {
    let chart = Archive::chart()
        .entry("t/templates/", EntryType::Directory, "", b"")
        .file("t/templates/a.yaml", "a: 1\n")
        .file("t/charts/sub/Chart.yaml", METADATA.replace("name: t", "name: sub"))
        .load()
        .expect("a chart");
    assert_eq!((chart.name(), chart.dependencies().len()), ("t", 1));
}

#[test]
fn links_and_devices_are_refused() {
    for kind in
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo]
    {
        let archive = Archive::chart().entry("t/values.yaml", kind, "/etc/passwd", b"");
        refused(archive, "\"t/values.yaml\": links, devices and other irregular files");
    }
}

#[test]
fn paths_that_leave_the_chart_are_refused() {
    for (path, why) in [
        ("/etc/passwd", "absolute path"),
        ("t//etc/passwd", "absolute path"),
        ("t/../../etc/passwd", "parent directory"),
        ("t/..", "parent directory"),
        ("t/a/../../x", "parent directory"),
        ("t\\..\\..\\x", "parent directory"),
        ("t/c:/windows", "illegally named"),
        ("loose", "outside the base directory"),
        ("Chart.yaml", "not in base directory"),
    ] {
        refused(Archive::chart().file(path, "x"), why);
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    let good = Archive::chart().file("t/a.txt", vec![b'x'; 100_000]).gzip();
    for end in [1, 9, 20, good.len() / 2] {
        let text = words(Chart::from_archive(&good[..end]));
        assert!(text.contains("not a gzipped tar archive: "), "{end}: {text}");
    }
    for bytes in [&b""[..], b"apiVersion: v2\n", b"\x1f\x8b", b"PK\x03\x04", &[0; 1024]] {
        let text = words(Chart::from_archive(bytes));
        assert!(text.contains("not a gzipped tar archive: "), "{bytes:.20?}: {text}");
    }
    let text = words(Chart::from_archive(&gzip(&[b'x'; 2000])));
    assert!(text.contains("not a gzipped tar archive: "), "{text}");
    assert!(words(Chart::from_archive(&gzip(b""))).contains("holds no files"));
    refused(Archive::empty(), "holds no files");
    refused(Archive::empty().file("t/values.yaml", "a: 1"), "Chart.yaml file is missing");
}

#[test]
fn size_is_limited_over_all_files() {
    let half = vec![0; usize::try_from(MAX_SIZE / 2).expect("it fits")];
    let room = half.len() - METADATA.len();
    let archive = |last: usize| Archive::chart().file("t/a", &half).file("t/b", &half[..last]);
    assert!(archive(room).load().is_ok());
    refused(archive(room + 1), "larger than the maximum size 104857600");
}

#[test]
fn a_gzip_bomb_is_not_unpacked() {
    // One header that promises what follows, and a gigabyte of it.
    let mut header = Header::new_gnu();
    header.set_path("t/Chart.yaml").expect("a path");
    header.set_size(1 << 30);
    header.set_cksum();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let block = vec![0; 1 << 20];
    encoder.write_all(header.as_bytes()).expect("a gzip in memory");
    for _ in 0..1 << 10 {
        encoder.write_all(&block).expect("a gzip in memory");
    }
    let bomb = encoder.finish().expect("a gzip in memory");
    assert!(bomb.len() < 16 << 20);
    let text = words(Chart::from_archive(&bomb));
    assert!(text.contains("larger than the maximum size"), "{text}");
    // A folder's data is skipped, but costs the same.
    let skipped = Archive::chart().entry("t/x/", EntryType::Directory, "", &vec![0; 130 << 20]);
    refused(skipped.file("t/a", "x"), "larger than the maximum size");
}

#[test]
fn archives_in_archives_share_one_budget() {
    let inner = |name: &str, size: usize| {
        let metadata = METADATA.replace("name: t", &format!("name: {name}"));
        Archive::empty()
            .file(&format!("{name}/Chart.yaml"), metadata)
            .file(&format!("{name}/zeros"), vec![0; size])
            .gzip()
    };
    let outer = |size: usize| {
        ["a", "b", "c"].into_iter().fold(Archive::chart(), |archive, name| {
            archive.file(&format!("t/charts/{name}.tgz"), inner(name, size))
        })
    };
    assert_eq!(outer(1 << 20).load().expect("a chart").dependencies().len(), 3);
    refused(outer(40 << 20), "larger than the maximum size");

    let mut nested = Archive::chart().gzip();
    for _ in 0..60 {
        nested = Archive::chart().file("t/charts/t.tgz", nested).gzip();
    }
    let text = words(Chart::from_archive(&nested));
    assert!(text.contains("subcharts nest deeper than 40 levels"), "{text}");
}

#[test]
fn entries_are_limited() {
    let archive = |count: usize| {
        (1..count).fold(Archive::chart(), |archive, i| archive.file(&format!("t/f/{i}"), ""))
    };
    assert!(archive(MAX_ENTRIES).load().is_ok());
    refused(archive(MAX_ENTRIES + 1), "more than 20000 entries");
    refused(archive(100_000), "more than 20000 entries");
}

#[test]
fn a_chart_yaml_of_nonsense_is_refused() {
    let nested = "[".repeat(100_000);
    let laughs = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, i| {
        text + &format!("a{0}: &a{0} [*a{i}, *a{i}]\n", i + 1)
    });
    for (metadata, why) in [
        ("", "chart.metadata"),
        ("{", "cannot load Chart.yaml"),
        ("\t\t: :", "cannot load Chart.yaml"),
        ("- a\n- b\n", "cannot load Chart.yaml"),
        ("just words", "cannot load Chart.yaml"),
        ("name: [1, 2]\n", "cannot load Chart.yaml"),
        ("apiVersion: v2\nname: t\n", "chart.metadata.version is required"),
        ("apiVersion: v2\nname: ../x\nversion: 1.0.0\n", "name"),
        ("apiVersion: v2\nname: t\nversion: one\n", "version"),
        ("apiVersion: v9\nname: t\nversion: 1.0.0\n", "apiVersion \"v9\" is neither"),
        (nested.as_str(), "cannot load Chart.yaml"),
        (laughs.as_str(), "cannot load Chart.yaml"),
    ] {
        let text = words(Archive::empty().file("t/Chart.yaml", metadata).load());
        assert!(text.contains(why), "{metadata:.40}: {text:.300}");
    }
    let text = words(Archive::empty().file("t/Chart.yaml", b"\xff\xfe\x00name").load());
    assert!(text.contains("UTF-8"), "{text}");
}
