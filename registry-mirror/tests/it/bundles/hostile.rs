use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use pinnace_registry::{
    Digest,
    bundle::{BundleError, Compression, Export, Silent, Trust, place},
};
use tempfile::TempDir;

use crate::support::genuine::Registry;

use super::{Source, key, open, signed, trusted, written};

/// A whole tar of these files, as anybody can write it.
fn tar(folder: &TempDir, files: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.path().join("made-up");
    let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // The library's own `set_path` refuses what is wanted here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.finish().unwrap();
    path
}

const LAYOUT: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);

fn refused(path: &Path, why: &str) -> BundleError {
    let error = open(path, &Trust::Unsigned).unwrap_err();
    assert!(error.to_string().contains(why), "{error} does not say {why}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

fn index(manifests: serde_json::Value) -> Vec<u8> {
    let annotations = serde_json::json!({ "dev.pinnace.bundle.version": "1" });
    serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2, "manifests": manifests, "annotations": annotations,
    }))
    .unwrap()
}

#[test]
fn what_is_not_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let file = |bytes: &[u8]| {
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        path
    };
    refused(&file(b""), "ends in the middle");
    refused(&file(&[1; 2048]), "not a tar");
    refused(&file(&zstd::encode_all(&b"abc"[..], 1).unwrap()), "zstd -d");
    refused(folder.path(), "not a file");
    refused(&folder.path().join("missing"), "cannot read");
    let empty = index(serde_json::json!([]));
    let made = |files: &[(&str, &[u8])]| tar(&folder, files);
    refused(&made(&[]), "no OCI image layout");
    refused(&made(&[LAYOUT]), "no index.json");
    refused(&made(&[LAYOUT, ("index.json", b"{}")]), "not an OCI index");
    let foreign = br#"{"schemaVersion":2,"manifests":[]}"#;
    refused(&made(&[LAYOUT, ("index.json", foreign)]), "pinnace bundle export");
    let newer = String::from_utf8(empty.clone()).unwrap().replace("\"1\"", "\"2\"");
    refused(&made(&[LAYOUT, ("index.json", newer.as_bytes())]), "use a newer pinnace");
    open(&made(&[LAYOUT, ("index.json", &empty)]), &Trust::Unsigned).unwrap();
}

#[test]
fn names_that_lead_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let empty = index(serde_json::json!([]));
    for name in ["../../etc/cron.d/x", "/etc/passwd", "blobs/sha256/../../x", "manifest.json"] {
        refused(&tar(&folder, &[LAYOUT, (name, b"x"), ("index.json", &empty)]), name);
    }
    refused(&tar(&folder, &[LAYOUT, LAYOUT]), "twice");
    let digest = Digest::of(b"x");
    let blob = format!("blobs/sha256/{}", digest.hex());
    let smuggled = [LAYOUT, ("index.json", &*empty), (&*blob, b"x".as_slice())];
    refused(&tar(&folder, &smuggled), "nothing names");
}

#[test]
fn links_and_devices() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Char,
        tar::EntryType::Fifo,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
    ] {
        let path = folder.path().join("linked");
        let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path("index.json").unwrap();
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
        tar.finish().unwrap();
        refused(&path, "not a plain file");
    }
}

#[test]
fn sizes_beyond_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for size in [5000, u64::MAX / 2, u64::MAX] {
        let mut header = tar::Header::new_gnu();
        header.set_path("index.json").unwrap();
        header.set_size(size);
        header.set_cksum();
        let path = folder.path().join("sized");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        file.write_all(&[0; 4096]).unwrap();
        refused(&path, "cut off");
    }
}

#[test]
fn an_index_that_lies() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = br#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    let digest = Digest::of(manifest);
    let name = format!("blobs/sha256/{}", digest.hex());
    let config = format!("blobs/sha256/{}", Digest::of(b"{}").hex());
    let image = "application/vnd.oci.image.manifest.v1+json";
    let with = |size: usize, annotations: serde_json::Value| {
        index(serde_json::json!([
            { "mediaType": image, "digest": digest, "size": size, "annotations": annotations },
        ]))
    };
    let repository = serde_json::json!({ "dev.pinnace.bundle.repository": "h.example/a" });
    let made = |index: &[u8], manifest: &[u8]| {
        let files =
            [LAYOUT, ("index.json", index), (&*name, manifest), (&*config, b"{}".as_slice())];
        tar(&folder, &files)
    };
    let good = with(manifest.len(), repository.clone());
    open(&made(&good, manifest), &Trust::Unsigned).unwrap();
    refused(&made(&with(1, repository), manifest), "size");
    let mut damaged = manifest.to_vec();
    *damaged.last_mut().unwrap() = b' ';
    assert_eq!(refused(&made(&good, &damaged), "damaged").reason(), "Damaged");
    refused(&made(&with(manifest.len(), serde_json::json!({})), manifest), "no repository");
    let elsewhere = serde_json::json!({
        "dev.pinnace.bundle.repository": "h.example/a",
        "org.opencontainers.image.ref.name": "h.example/b:1",
    });
    refused(&made(&with(manifest.len(), elsewhere), manifest), "not in its repository");
    let without = tar(&folder, &[LAYOUT, ("index.json", &good), (&name, manifest)]);
    assert_eq!(refused(&without, Digest::of(b"{}").hex()).reason(), "Missing");
}

#[tokio::test]
async fn changed_after_it_was_signed() {
    let source = Source::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    let key = key();
    let trust = trusted(&key);
    written(&source.items(), &signed(&path, &key)).await;
    let good = fs::read(&path).unwrap();
    let at = |text: &[u8]| good.windows(text.len()).position(|part| part == text).unwrap();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        open(&path, &trust)
    };
    // In a repository's name, which only the signature protects.
    let error = changed(at(b"images/app")).unwrap_err();
    assert_eq!(error.reason(), "BadSignature", "{error}");
    // In a blob, which is read later.
    let (layer, bytes) = source.image.shared();
    let bundle = changed(at(bytes) + 700_000).unwrap();
    let error = bundle.verify(&|_| ()).unwrap_err();
    assert_eq!(error.reason(), "Damaged", "{error}");
    assert!(error.to_string().contains(layer.digest.as_str()), "{error}");
    let target = Registry::start();
    let client = target.client();
    bundle.import(&client, &target.host, &Silent).await.unwrap_err();
    let image = place(&target.host, &source.reference("images/app:1.0.0")).unwrap();
    assert_eq!(client.digest_of(&image).await.unwrap(), None);

    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(open(&path, &trust).unwrap_err().to_string().contains("cut off"));

    fs::write(&path, &good).unwrap();
    let stranger = super::key();
    let error = open(&path, &trusted(&stranger)).unwrap_err();
    assert_eq!(error.reason(), "NotTrusted");
    for id in [key.public().id(), stranger.public().id()] {
        assert!(error.to_string().contains(&id), "{error}");
    }
    open(&path, &Trust::Unsigned).unwrap();

    let compression = Compression::Zstd;
    written(&source.items(), &Export { key: None, compression, ..signed(&path, &key) }).await;
    assert_eq!(open(&path, &trust).unwrap_err().reason(), "Unsigned");
    let mut packed = fs::read(&path).unwrap();
    let middle = packed.len() / 2;
    packed[middle] ^= 0xFF;
    fs::write(&path, packed).unwrap();
    let bundle = open(&path, &Trust::Unsigned);
    bundle.and_then(|bundle| bundle.verify(&|_| ())).unwrap_err();
}
