//! How much memory a process takes at most: the same for small blobs and for large ones, and for registries that
//! send without an end.

use std::{path::Path, process::Command, sync::Arc};

use bytes::Bytes;
use futures::StreamExt as _;
use pinnace_registry::{
    Descriptor, Digest, ImageManifest, ManifestBytes, OCI_IMAGE,
    bundle::{
        Access, Attachments, Bundle, Compression, Export, Item, Silent, Trust, export, serve,
    },
    mirror::{Copier, CopyOptions, Platforms},
};

use crate::{
    mirrored::registries,
    misbehaving,
    support::{
        genuine::{Kind, Registry},
        limits, plain, reference,
    },
};

/// Set for the child of these tests, which is this program again: what it does, and with what.
const CHILD: &str = "PINNACE_TEST_MEMORY";

const MIB: u64 = 1024 * 1024;
/// More than all buffers together: both are as full as they get.
const SMALL: u64 = 16 * MIB;
/// Debug builds hash slowly.
const LARGE: u64 = 48 * MIB;
/// What two runs may differ by.
const SPREAD: u64 = 16 * MIB;

#[tokio::test]
async fn child_that_is_measured() {
    let Ok(line) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["nothing"] => {}
        ["misbehaving"] => misbehaving::every_fault_at_every_place().await,
        ["copy", from, to] => {
            let options = CopyOptions {
                platforms: Platforms::default(),
                attachments: false,
                dry_run: false,
                at_once: 4,
            };
            let copier = Copier::new(registries(), registries(), options, Arc::new(()));
            copier.copy(&reference(from), &reference(to)).await.unwrap();
        }
        ["export", from, file] => {
            let item = Item::new(plain(limits()), reference(from));
            for (compression, ending) in [(Compression::None, "tar"), (Compression::Zstd, "zst")] {
                let to = Path::new(file).with_extension(ending);
                let attachments = Attachments::LeftOut;
                let options = Export { to: &to, key: None, base: None, compression, attachments };
                export(std::slice::from_ref(&item), &options, &Silent).await.unwrap();
            }
        }
        ["import", file, to] => {
            for ending in ["tar", "zst"] {
                let bundle = opened(&Path::new(file).with_extension(ending));
                bundle.verify(&|_| ()).unwrap();
                let below = format!("{to}/{ending}");
                bundle.import(&plain(limits()), &below, &Silent).await.unwrap();
            }
        }
        ["serve", file, name] => {
            for ending in ["tar", "zst"] {
                let bundle = opened(&Path::new(file).with_extension(ending));
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let host = listener.local_addr().unwrap();
                let routes = serve(bundle, Access::Anyone).unwrap();
                tokio::spawn(async move { axum::serve(listener, routes).await });
                read(&reference(format!("{host}/{name}"))).await;
            }
        }
        _ => panic!("{line}"),
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak={}", kib * 1024);
}

fn opened(path: &Path) -> Arc<Bundle> {
    Arc::new(Bundle::open(path, &[], &Trust::Unsigned).unwrap())
}

/// Every blob of an image, to its end, and forgets it.
async fn read(image: &pinnace_registry::Reference) {
    let client = plain(limits());
    let manifest = client.manifest(image).await.unwrap();
    let pinnace_registry::Manifest::Image(parsed) = manifest.parse().unwrap() else { panic!() };
    for layer in parsed.layers {
        let mut stream = client.blob(image, &layer).await.unwrap();
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            bytes += chunk.unwrap().len() as u64;
        }
        assert_eq!(bytes, layer.size);
    }
}

/// The most memory that a process needs for this, in bytes.
fn peak(line: &str) -> u64 {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::child_that_is_measured", "--nocapture"])
        .env(CHILD, line)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{line}: {said}{error}");
    let (_, peak) = said.split_once("peak=").unwrap_or_else(|| panic!("{line}: {said}"));
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

/// An image of one layer of so many bytes, under `name:1`.
async fn image(registry: &Registry, name: &str, size: u64) {
    let at = registry.at(&format!("{name}:1"));
    // Nothing that zstd makes small, and nothing that takes long to make.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 32).to_le_bytes()
    });
    let layer: Bytes = noise.flatten().take(usize::try_from(size).unwrap()).collect();
    let config = Bytes::from_static(b"{}");
    let described =
        |kind: &str, bytes: &Bytes| Descriptor::new(kind, Digest::of(bytes), bytes.len() as u64);
    let layers = [described("application/vnd.oci.image.layer.v1.tar", &layer)];
    let of_config = described("application/vnd.oci.image.config.v1+json", &config);
    for (blob, bytes) in [(&layers[0], &layer), (&of_config, &config)] {
        plain(limits()).push_blob(&at, blob, None, bytes).await.unwrap();
    }
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE.to_owned()),
        artifact_type: None,
        config: of_config,
        layers: layers.to_vec(),
        subject: None,
        annotations: None,
    };
    let manifest = ManifestBytes::new(serde_json::to_vec(&manifest).unwrap().into(), None);
    plain(limits()).put_manifest(&at, &manifest).await.unwrap();
}

#[tokio::test]
async fn it_does_not_grow_with_the_size_of_blobs() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("small", SMALL), ("large", LARGE)] {
        image(&from, name, size).await;
    }
    let file = |name: &str| folder.path().join(name).display().to_string();
    for action in ["copy", "export", "import", "serve"] {
        let [small, large] = ["small", "large"].map(|name| {
            peak(&match action {
                "copy" => format!("copy {0}/{name}:1 {1}/copied/{name}:1", from.host, to.host),
                "export" => format!("export {}/{name}:1 {}", from.host, file(name)),
                "import" => format!("import {} {}/{name}", file(name), to.host),
                _ => format!("serve {} {name}:1", file(name)),
            })
        });
        assert!(large < small + SPREAD, "{action}: {small} and {large} bytes");
    }
}

#[tokio::test]
async fn it_does_not_grow_with_what_a_registry_sends() {
    let (before, after) = (peak("nothing"), peak("misbehaving"));
    // Fifty registries and clients at one time, each within its own limits.
    assert!(after < before + 96 * MIB, "{before} and {after} bytes");
}
