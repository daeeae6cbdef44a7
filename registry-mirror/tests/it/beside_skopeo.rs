//! Both ways with skopeo of the distribution: what it pushes we copy, what we push or pack it pulls.

use std::{path::Path, process::Command, sync::Arc};

use pinnace_registry::{
    Digest,
    bundle::{Attachments, Compression, Export, Item, Silent, export},
    mirror::{self, Copier, CopyOptions, Found, Outcome, Plan, Platforms},
};

use crate::{
    mirrored::registries,
    support::{
        genuine::{Kind, Registry},
        image::Image,
        limits, plain, reference,
    },
};

/// Otherwise it packs layers that are not packed, and the digest is another.
const PRESERVE: &str = "--preserve-digests";

fn skopeo(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    // The machine may have no policy of its own; which signatures count is not the question here.
    let policy = folder.join("policy.json");
    std::fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
    let run = Command::new("skopeo")
        .arg("--policy")
        .arg(&policy)
        .args(arguments)
        .env("HOME", folder)
        .output()
        .unwrap_or_else(|error| panic!("skopeo: {error}; dev/install test installs it"));
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "skopeo {arguments:?}: {error}");
    run.stdout
}

#[tokio::test]
async fn images_go_to_and_fro_and_keep_their_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let source = from.at("app:1.0");
    let image = Image::of_two_platforms(1).push(&plain(limits()), &source).await;
    let digest = image.index.digest.clone();
    let docker = |registry: &Registry, name: &str| format!("docker://{}/{name}", registry.host);
    let open = ["--src-tls-verify=false", "--dest-tls-verify=false"];

    // What skopeo has pushed is copied, and is what was there.
    let pushed = docker(&from, "by/skopeo:1.0");
    let original = docker(&from, "app:1.0");
    let copy = [&["copy", "--all", PRESERVE][..], &open, &[&original, &pushed]].concat();
    skopeo(folder.path(), &copy);
    let options = CopyOptions {
        platforms: Platforms::default(),
        attachments: true,
        dry_run: false,
        at_once: 4,
    };
    let copier = Copier::new(registries(), registries(), options, Arc::new(()));
    let copied = copier.copy(&from.at("by/skopeo:1.0"), &to.at("m/app:1.0")).await.unwrap();
    assert_eq!((copied.outcome, &copied.digest), (Outcome::Copied, &digest));

    // What we have pushed skopeo reads, whole.
    let ours = docker(&to, "m/app:1.0");
    let raw = ["inspect", "--raw", "--tls-verify=false", &ours];
    assert_eq!(Digest::of(&skopeo(folder.path(), &raw)), digest);
    let layout = format!("oci:{}", folder.path().join("layout").display());
    let pull = [&["copy", "--all", PRESERVE, open[0]][..], &[&ours, &layout]].concat();
    skopeo(folder.path(), &pull);

    // A bundle is an archive to it.
    let path = folder.path().join("release.bundle");
    let attachments = Attachments::Included;
    let options =
        Export { to: &path, key: None, base: None, compression: Compression::None, attachments };
    let item = Item::new(plain(limits()), source.clone());
    export(&[item], &options, &Silent).await.unwrap();
    let archive = format!("oci-archive:{}:{}/app:1.0", path.display(), from.host);
    let target = docker(&to, "out/of/bundle:1.0");
    skopeo(
        folder.path(),
        &[&["copy", "--all", PRESERVE, open[1]][..], &[&archive, &target]].concat(),
    );
    let there = reference(format!("{}/out/of/bundle:1.0", to.host));
    assert_eq!(plain(limits()).resolve(&there).await.unwrap(), digest.as_str());
}

/// The lists of `mirror plan -o skopeo` and `-o crane`, in the hands of those whom they are for.
#[tokio::test]
async fn its_sync_list_and_the_one_for_crane_bring_all_of_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let mut plan = Plan::default();
    let mut digests = Vec::new();
    for (seed, name) in [(1, "a/app:1.0"), (2, "a/app:2.0"), (3, "b:1.0")] {
        let at = from.at(name);
        let image = Image::of_two_platforms(seed).push(&plain(limits()), &at).await;
        let bound = at.with_digest(image.index.digest.clone());
        plan.add_image(mirror::Item::new(&bound, "test").unwrap());
        digests.push((name, image.index.digest));
    }
    // One without a tag.
    let bare = from.at("b").with_digest(digests[2].1.clone());
    plan.add_image(mirror::Item::new(&bare, "test").unwrap());

    let mut list = plan.for_skopeo();
    // The list names registries as they are; these here have no TLS.
    list[&from.host]["tls-verify"] = false.into();
    let file = folder.path().join("sync.yaml");
    std::fs::write(&file, format!("{}{list}", mirror::SYNC_LIST_NOTE)).unwrap();
    let file = file.display().to_string();
    let target = format!("{}/skopeo", to.host);
    let sync = ["sync", "--all", PRESERVE, "--src", "yaml", "--dest", "docker"];
    let sync = [&sync[..], &["--dest-tls-verify=false", &file, &target]].concat();
    skopeo(folder.path(), &sync);

    for line in plan.for_crane().lines() {
        let path = line.strip_prefix(&format!("{}/", from.host)).unwrap();
        let (path, _) = path.split_once('@').unwrap();
        to.crane(&["copy", line, &format!("{}/crane/{path}", to.host)]);
    }
    for (name, digest) in &digests {
        // skopeo keeps the last part of a path, crane was told all of it.
        let last = name.rsplit('/').next().unwrap();
        for at in [format!("skopeo/{last}"), format!("crane/{name}")] {
            let found = mirror::check(&registries(), &to.at(&at), digest).await.unwrap().found;
            assert_eq!(found, Found::Complete, "{at}");
        }
    }
}
