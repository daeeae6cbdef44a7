//! SIGKILL in the middle of an import and of writes to the cache: what is seen afterwards is whole, and a second
//! run completes it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use pinnace_registry::{
    Cache, Client, Options,
    bundle::{Attachments, Bundle, Compression, Export, Item, Silent, Trust, export, place},
    mirror::{Found, check},
};

use crate::{
    mirrored::registries,
    support::{
        counted::{Counted, never},
        genuine::{Kind, Registry},
        image::Image,
        limits, reference,
    },
};

/// Set for the children of these tests, which are this program again.
const CHILD: &str = "PINNACE_TEST_KILLED";

fn child(test: &str, what: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("killed::{test}")])
        .env(CHILD, what)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn client() -> Client {
    Client::new(Options { plain_http: true, limits: limits(), ..Options::default() }).unwrap()
}

async fn import(path: &Path, to: &str) {
    let bundle = Bundle::open(path, &[], &Trust::Unsigned).unwrap();
    std::sync::Arc::new(bundle).import(&client(), to, &Silent).await.unwrap();
}

#[tokio::test]
async fn child_that_imports() {
    let Ok(names) = std::env::var(CHILD) else { return };
    let (path, to) = names.split_once(' ').unwrap();
    import(Path::new(path), to).await;
}

#[tokio::test]
async fn an_import_that_is_killed_at_any_request_goes_on() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let source = from.at("app:1.0");
    let image = Image::of_two_platforms(1).push(&client(), &source).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("release.bundle");
    let options = Export {
        to: &path,
        key: None,
        base: None,
        compression: Compression::None,
        attachments: Attachments::Included,
    };
    let items = [Item::new(client(), source.clone())];
    export(&items, &options, &Silent).await.unwrap();
    for kill_at in [2, 6, 10, 14] {
        let (reached, mut at) = tokio::sync::mpsc::unbounded_channel();
        let count = AtomicUsize::new(0);
        let counted = Counted::failing(&to, move |_| {
            let n = count.fetch_add(1, Ordering::Relaxed) + 1;
            if n == kill_at {
                reached.send(()).unwrap();
            }
            (n >= kill_at).then(never)
        })
        .await;
        let below = |host: &str| format!("{host}/killed{kill_at}");
        let names = format!("{} {}", path.display(), below(&counted.host));
        let child = child("child_that_imports", &names);
        at.recv().await.unwrap();
        kill(child);
        let target = place(&below(&to.host), &source).unwrap();
        let digest = &image.index.digest;
        let seen = check(&registries(), &target, digest).await.unwrap().found;
        assert_eq!(seen, Found::Missing, "a tag was there at request {kill_at}");
        import(&path, &below(&to.host)).await;
        let seen = check(&registries(), &target, digest).await.unwrap().found;
        assert_eq!(seen, Found::Complete, "killed at request {kill_at}");
    }
}

/// Pulls a chart and puts it into new caches below a folder until it is killed.
#[tokio::test]
async fn child_that_writes_caches() {
    let Ok(names) = std::env::var(CHILD) else { return };
    let (folder, name) = names.split_once(' ').unwrap();
    let chart = client().pull_chart(&reference(name), None).await.unwrap();
    for n in 0.. {
        let cache = Cache::new(Path::new(folder).join(n.to_string()), 1 << 30).unwrap();
        cache.put(&chart).await.unwrap();
    }
}

#[tokio::test]
async fn a_cache_that_was_being_written_holds_nothing_half() {
    let registry = Registry::of_kind(&Kind::Plain);
    let (digest, name) = large_chart(&registry).await;
    for round in 0..4u64 {
        let folder = tempfile::tempdir().unwrap();
        let names = format!("{} {name}", folder.path().display());
        let child = child("child_that_writes_caches", &names);
        // Killed at some point of the third cache or a later one.
        while !folder.path().join((2 + round).to_string()).exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        kill(child);
        let mut caches: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        caches.sort();
        assert!(caches.len() > 2);
        for path in caches {
            for file in std::fs::read_dir(&path).unwrap().map(|file| file.unwrap()) {
                let name = file.file_name().to_string_lossy().into_owned();
                let bytes = std::fs::read(file.path()).unwrap();
                let hex = pinnace_registry::Digest::of(&bytes).hex().to_owned();
                assert!(name == hex || name.starts_with(".partial-"), "{name} is not its content");
            }
            let cache = Cache::new(&path, 1 << 30).unwrap();
            let chart = client().pull_chart(&reference(&name), None).await.unwrap();
            let found = cache.get(&digest).await.unwrap();
            assert!(found.is_none() || found.as_ref() == Some(&chart), "half a chart was given");
            cache.put(&chart).await.unwrap();
            assert_eq!(cache.get(&digest).await.unwrap(), Some(chart));
        }
    }
}

/// A chart whose archive takes a moment to write: 8 MiB that are no archive, since nobody unpacks it here.
async fn large_chart(registry: &Registry) -> (String, String) {
    use pinnace_registry::{Descriptor, ImageManifest, ManifestBytes, OCI_IMAGE};
    let repository = registry.at("charts/large");
    let noise = (0..8u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    let archive = bytes::Bytes::from(noise.collect::<Vec<u8>>());
    let config = bytes::Bytes::from_static(br#"{"name":"large","version":"1.0.0"}"#);
    let layer = Descriptor::of("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive);
    let described = Descriptor::of("application/vnd.cncf.helm.config.v1+json", &config);
    for (blob, bytes) in [(&layer, &archive), (&described, &config)] {
        client().push_blob(&repository, blob, None, bytes).await.unwrap();
    }
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE.to_owned()),
        artifact_type: None,
        config: described,
        layers: vec![layer],
        subject: None,
        annotations: None,
    };
    let manifest = ManifestBytes::new(serde_json::to_vec(&manifest).unwrap().into(), None);
    let tagged = registry.at("charts/large:1.0.0");
    client().put_manifest(&tagged, &manifest).await.unwrap();
    (manifest.digest.to_string(), format!("{}/charts/large:1.0.0", registry.host))
}
