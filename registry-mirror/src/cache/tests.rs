use std::time::Duration;

use serde_json::json;

use super::*;

/// A chart of a known size whose content differs by `name`.
fn chart(name: &str) -> PulledChart {
    let archive = Bytes::from(format!("archive of {name} {}", "x".repeat(1000)));
    let config_bytes = Bytes::from(json!({ "name": name }).to_string());
    let descriptor = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", &config_bytes),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive)],
    });
    let manifest = Bytes::from(manifest.to_string());
    let digest = Digest::of(&manifest).to_string();
    PulledChart { digest, manifest, archive, config: json!({ "name": name }), config_bytes }
}

fn size(chart: &PulledChart) -> u64 {
    (chart.manifest.len() + chart.archive.len() + chart.config_bytes.len()) as u64
}

/// Makes a chart's files look as if they had been used `ago`.
fn age(folder: &Path, chart: &PulledChart, ago: Duration) {
    for bytes in [&chart.manifest, &chart.archive, &chart.config_bytes] {
        let file = File::open(folder.join(Digest::of(bytes).hex())).unwrap();
        file.set_modified(SystemTime::now() - ago).unwrap();
    }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn put_and_get_across_processes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (chart("a"), chart("b"));
    let cache = Cache::new(folder.path().join("new/folder"), 1 << 20).unwrap();
    assert_eq!(cache.get(&a.digest).await.unwrap(), None);
    cache.put(&a).await.unwrap();
    cache.put(&a).await.unwrap();
    let again = Cache::new(folder.path().join("new/folder"), 1 << 20).unwrap();
    assert_eq!(again.get(&a.digest).await.unwrap(), Some(a));
    assert_eq!(again.get(&b.digest).await.unwrap(), None);
    assert_eq!(again.get("../../etc/passwd").await.unwrap(), None);
}

#[tokio::test]
async fn damaged_files_are_noticed_and_removed() {
    for part in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 1 << 20).unwrap();
        let chart = chart("a");
        cache.put(&chart).await.unwrap();
        let bytes = [&chart.manifest, &chart.archive, &chart.config_bytes][part];
        let path = folder.path().join(Digest::of(bytes).hex());
        let mut damaged = bytes.to_vec();
        damaged[0] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_eq!(cache.get(&chart.digest).await.unwrap(), None, "part {part}");
        assert!(!path.exists(), "part {part}");
        cache.put(&chart).await.unwrap();
        assert_eq!(cache.get(&chart.digest).await.unwrap(), Some(chart), "part {part}");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_ignored_and_later_removed() {
    let folder = tempfile::tempdir().unwrap();
    let chart = chart("a");
    let path = folder.path().join(format!("{PARTIAL}abc"));
    fs::write(&path, &chart.archive[..10]).unwrap();
    // Killed after the blobs, before the manifest: the chart is not there.
    fs::write(folder.path().join(Digest::of(&chart.archive).hex()), &chart.archive).unwrap();
    let cache = Cache::new(folder.path(), 1 << 20).unwrap();
    assert_eq!(cache.get(&chart.digest).await.unwrap(), None);
    assert!(path.exists(), "it may belong to a process that is still writing");
    let file = File::open(&path).unwrap();
    file.set_modified(SystemTime::now() - PARTIAL_LIFETIME - Duration::from_secs(1)).unwrap();
    cache.put(&chart).await.unwrap();
    assert!(!path.exists());
    assert_eq!(cache.get(&chart.digest).await.unwrap(), Some(chart));
}

#[tokio::test]
async fn least_recently_used_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, c) = (chart("a"), chart("b"), chart("c"));
    let cache = Cache::new(folder.path(), size(&a) * 2).unwrap();
    cache.put(&a).await.unwrap();
    cache.put(&b).await.unwrap();
    age(folder.path(), &a, Duration::from_secs(200));
    age(folder.path(), &b, Duration::from_secs(100));
    assert!(cache.get(&a.digest).await.unwrap().is_some());
    cache.put(&c).await.unwrap();
    assert!(cache.get(&a.digest).await.unwrap().is_some(), "used a moment ago");
    assert_eq!(cache.get(&b.digest).await.unwrap(), None);
    assert!(cache.get(&c.digest).await.unwrap().is_some());
}

#[tokio::test]
async fn both_sides_of_the_bound_and_other_peoples_files() {
    let folder = tempfile::tempdir().unwrap();
    let a = chart("a");
    let other = folder.path().join("notes.txt");
    fs::write(&other, "x".repeat(5000)).unwrap();
    let small = Cache::new(folder.path(), size(&a) - 1).unwrap();
    small.put(&a).await.unwrap();
    assert_eq!(files(folder.path()), 1);
    let enough = Cache::new(folder.path(), size(&a)).unwrap();
    enough.put(&a).await.unwrap();
    assert!(enough.get(&a.digest).await.unwrap().is_some());
    assert!(other.exists());
}

#[tokio::test]
async fn a_chart_that_is_not_its_digest_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), 1 << 20).unwrap();
    let mut lie = chart("a");
    lie.archive = Bytes::from_static(b"other");
    cache.put(&lie).await.unwrap();
    let mut lie = chart("a");
    lie.digest = Digest::of(b"").to_string();
    cache.put(&lie).await.unwrap();
    assert_eq!(files(folder.path()), 0);
}
