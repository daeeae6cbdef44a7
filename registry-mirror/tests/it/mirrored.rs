//! Copies between real registries: what is there afterwards, and what it cost.

use std::{collections::BTreeMap, sync::Arc};

use pinnace_registry::{
    Client, Digest, ImageManifest, Keychain, Manifest, ManifestBytes, Options, Reference,
    Registries, Rules,
    mirror::{Copier, CopyOptions, Extra, Found, Outcome, Platforms, check, delete, prune},
};

use crate::support::{
    counted::{Counted, never},
    fake::status,
    genuine::{Kind, Registry},
    image::Image,
    limits, reference,
};

pub fn registries() -> Registries {
    let base = Options { plain_http: true, limits: limits(), ..Options::default() };
    Registries::new(Rules::default(), Keychain::default(), base, BTreeMap::new())
}

fn options() -> CopyOptions {
    let platforms = Platforms::default();
    CopyOptions { platforms, attachments: true, dry_run: false, at_once: 4 }
}

fn copier(options: CopyOptions) -> Copier {
    Copier::new(registries(), registries(), options, Arc::new(()))
}

fn client() -> Client {
    crate::support::plain(limits())
}

async fn complete(target: &Reference, digest: &Digest) -> bool {
    check(&registries(), target, digest).await.unwrap().found == Found::Complete
}

#[tokio::test]
async fn whole_with_what_is_attached_and_nothing_twice() {
    for kind in [Kind::Plain, Kind::Old] {
        let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&kind));
        let (counted_from, counted_to) = (Counted::start(&from).await, Counted::start(&to).await);
        let mut images = Vec::new();
        for seed in 1..4u8 {
            let name = format!("a/app{seed}:1.0");
            let image = Image::of_two_platforms(seed).push(&client(), &from.at(&name)).await;
            images.push((image, name));
        }
        let copier = copier(options());
        for (index, (image, name)) in images.iter().enumerate() {
            let source = reference(format!("{}/{name}", counted_from.host));
            let source = source.with_digest(image.index.digest.clone());
            let target = reference(format!("{}/mirror/{name}", counted_to.host));
            let copied = copier.copy(&source, &target).await.unwrap();
            assert_eq!((copied.outcome, copied.attachments), (Outcome::Copied, 1));
            assert_eq!(copied.digest, image.index.digest);
            let large = image.shared().1.len() as u64;
            assert_eq!(copied.bytes > large, index == 0, "the shared layer is mounted later");
            assert!(complete(&target, &image.index.digest).await);
            let repository = target.repository_only();
            let listed = client().referrers(&repository, &image.index.digest, None).await.unwrap();
            assert_eq!(listed.manifests[0].digest, image.sbom.digest);
        }
        counted_from.take();
        counted_to.take();
        let again = self::copier(options());
        for (image, name) in &images {
            let source = reference(format!("{}/{name}", counted_from.host));
            let source = source.with_digest(image.index.digest.clone());
            let target = reference(format!("{}/mirror/{name}", counted_to.host));
            let copied = again.copy(&source, &target).await.unwrap();
            assert_eq!(
                (copied.outcome, copied.bytes, copied.attachments),
                (Outcome::Unchanged, 0, 0)
            );
        }
        // One for the image and one for its SBOM.
        let asked = counted_to.take();
        assert!(asked.iter().all(|line| line.starts_with("HEAD")), "{asked:#?}");
        assert_eq!(asked.len(), 2 * images.len(), "{asked:#?}");

        // Without attachments it is one request for each image, and none to the source.
        counted_from.take();
        let bare = self::copier(CopyOptions { attachments: false, ..options() });
        for (image, name) in &images {
            let source = reference(format!("{}/{name}", counted_from.host));
            let source = source.with_digest(image.index.digest.clone());
            let target = reference(format!("{}/mirror/{name}", counted_to.host));
            bare.copy(&source, &target).await.unwrap();
        }
        assert_eq!((counted_from.take().len(), counted_to.take().len()), (0, images.len()));
    }
}

/// Six images at one time, each with blobs of its own: together they send no more at once than one may.
#[tokio::test]
async fn one_bound_holds_for_all_transfers_together() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    for seed in 1..7u8 {
        let name = from.at(&format!("app{seed}:1.0"));
        Image::of_two_platforms(seed).push(&client(), &name).await;
    }
    for at_once in [1, 3] {
        let counted = Counted::start(&to).await;
        let copier = copier(CopyOptions { at_once, ..options() });
        let copies = (1..7u8).map(|seed| {
            let target = format!("{}/at-once-{at_once}/app{seed}:1.0", counted.host);
            let (source, target) = (from.at(&format!("app{seed}:1.0")), reference(target));
            let copier = &copier;
            async move { copier.copy(&source, &target).await.unwrap() }
        });
        futures::future::join_all(copies).await;
        let most = counted.most_at_once();
        assert!((1..=at_once).contains(&most), "{most} at one time instead of {at_once}");
    }
}

#[tokio::test]
async fn what_crane_pushed_and_signed_the_old_way() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let image = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    let digest = &image.index.digest;
    // A signature as cosign keeps it by default: a tag made of the digest.
    let tag = format!("sha256-{}.sig", digest.hex());
    let (config, layer) = (&image.blobs[2].0, &image.blobs[1].0);
    let signature = ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: config.clone(),
        layers: vec![layer.clone()],
        subject: None,
        annotations: None,
    };
    let signature = ManifestBytes::new(serde_json::to_vec(&signature).unwrap().into(), None);
    let at = from.at("app").with_tag(&tag).unwrap();
    client().put_manifest(&at, &signature).await.unwrap();
    let copied = copier(options()).copy(&from.at("app:1.0"), &to.at("m/app:1.0")).await.unwrap();
    assert_eq!(copied.attachments, 2);
    let seen = client().manifest(&to.at("m/app").with_tag(&tag).unwrap()).await.unwrap();
    assert_eq!(seen.digest, signature.digest);

    // Genuine crane reads what we wrote, and we read what it wrote.
    let name = format!("{}/m/app:1.0", to.host);
    assert_eq!(String::from_utf8(to.crane(&["digest", &name])).unwrap().trim(), digest.as_str());
    assert_eq!(to.crane(&["manifest", &name]), image.index.bytes);
    let other = format!("{}/by/crane:2", to.host);
    to.crane(&["copy", &format!("{}/app:1.0", from.host), &other]);
    assert!(complete(&reference(&other), digest).await);
}

#[tokio::test]
async fn charts_of_helm_go_and_come_back() {
    let from = Registry::start();
    let to = Registry::of_kind(&Kind::Plain);
    from.push_chart("app", "1.0.0+build", "a chart");
    let app = from.at("charts/app").with_tag("1.0.0+build").unwrap();
    let login = login(&from);
    let source = Registries::new(
        Rules::default(),
        Keychain::file(login.path()),
        Options { ca_certificates: vec![from.ca.clone()], limits: limits(), ..Options::default() },
        BTreeMap::new(),
    );
    let copier = Copier::new(source, registries(), options(), Arc::new(()));
    let target = to.at("m/charts/app").with_tag("1.0.0+build").unwrap();
    copier.copy(&app, &target).await.unwrap();
    let there = client().pull_chart(&target, None).await.unwrap();
    assert_eq!(there.config["version"], "1.0.0+build");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let chart = format!("oci://{}/m/charts/app", to.host);
    to.helm(&["pull", &chart, "--version", "1.0.0+build", "--plain-http", "-d", &path]);
    let pulled = std::fs::read(folder.path().join("app-1.0.0+build.tgz")).unwrap();
    assert_eq!(there.archive, pulled);
}

/// The file of `docker login`, with the registry's account.
fn login(registry: &Registry) -> tempfile::NamedTempFile {
    use crate::support::genuine::{PASSWORD, USER};
    let auths = serde_json::json!({
        "auths": { &registry.host: { "username": USER, "password": PASSWORD } },
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), auths.to_string()).unwrap();
    file
}

#[tokio::test]
async fn chosen_platforms() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let image = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    let only = |platform: &str| CopyOptions {
        platforms: Platforms::parse(&[platform]).unwrap(),
        ..options()
    };
    let target = to.at("app:1.0");
    let copied = copier(only("linux/arm64")).copy(&from.at("app:1.0"), &target).await.unwrap();
    // This registry refuses an index of which half is missing: the tag gets a smaller one.
    assert_ne!(copied.digest, image.index.digest);
    let index = client().manifest(&target).await.unwrap();
    assert_eq!(index.digest, copied.digest);
    let Manifest::Index(index) = index.parse().unwrap() else { panic!("not an index") };
    assert_eq!(index.manifests.len(), 1);
    assert_eq!(index.manifests[0].digest, image.platforms[1].digest);
    let again = copier(only("linux/arm64")).copy(&from.at("app:1.0"), &target).await.unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged);
    let none = copier(only("linux/s390x")).copy(&from.at("app:1.0"), &target).await;
    let error = none.unwrap_err().to_string();
    assert!(error.contains("s390x") && error.contains("linux/amd64"), "{error}");
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let image = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    let counted = Counted::start(&to).await;
    let target = reference(format!("{}/app:1.0", counted.host));
    let dry = CopyOptions { dry_run: true, ..options() };
    let copied = copier(dry).copy(&from.at("app:1.0"), &target).await.unwrap();
    assert_eq!(copied.outcome, Outcome::WouldCopy);
    assert!(copied.bytes > image.shared().1.len() as u64);
    let asked = counted.take();
    assert!(asked.iter().all(|a| a.starts_with("HEAD") || a.starts_with("GET")), "{asked:#?}");
}

#[tokio::test]
async fn what_is_missing_is_named_by_digest() {
    let to = Registry::of_kind(&Kind::Plain);
    let image = Image::of_two_platforms(1).push(&client(), &to.at("app:1.0")).await;
    let (target, digest) = (to.at("app:1.0"), &image.index.digest);
    let found = async |target: &Reference, digest: &Digest| {
        check(&registries(), target, digest).await.unwrap().found
    };
    assert_eq!(found(&target, digest).await, Found::Complete);
    assert_eq!(found(&to.at("app:2.0"), digest).await, Found::Missing);
    let other = Digest::of(b"other");
    assert_eq!(found(&target, &other).await, Found::Other(digest.clone()));
    assert_eq!(found(&to.at("app"), &other).await, Found::Missing);
    let arm = &image.platforms[1].digest;
    client().delete_manifest(&to.at("app").with_digest(arm.clone())).await.unwrap();
    assert_eq!(found(&target, digest).await, Found::Incomplete(vec![arm.clone()]));
    // And a copy mends it: nothing but the tag says that it is there.
    let from = Registry::of_kind(&Kind::Plain);
    let whole = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    client().delete_manifest(&target.with_digest(digest.clone())).await.unwrap();
    copier(options()).copy(&from.at("app:1.0"), &target).await.unwrap();
    assert_eq!(found(&target, &whole.index.digest).await, Found::Complete);
}

#[tokio::test]
async fn what_no_plan_needs_goes_and_all_else_stays() {
    let to = Registry::of_kind(&Kind::Plain);
    let one = Image::of_two_platforms(1).push(&client(), &to.at("m/app:1.0")).await;
    let two = Image::of_two_platforms(2).push(&client(), &to.at("m/app:2.0")).await;
    Image::of_two_platforms(3).push(&client(), &to.at("m/other:1.0")).await;
    let needed = [to.at("m/app:1.0").with_digest(one.index.digest.clone())];
    let all = client().repositories(&to.at("m")).await.unwrap();
    assert_eq!(all.len(), 2);
    let extra = prune(&registries(), &needed, &all).await.unwrap();
    let names = |extra: &[Extra]| -> Vec<String> {
        extra.iter().map(|extra| extra.target.tag().unwrap().chars().take(7).collect()).collect()
    };
    // The tags that keep the SBOMs go with their images; that of what is needed stays.
    assert_eq!(names(&extra), ["2.0", "sha256-", "1.0", "sha256-"]);
    for extra in &extra {
        delete(&registries(), extra).await.unwrap();
    }
    assert!(prune(&registries(), &needed, &all).await.unwrap().is_empty());
    assert!(complete(&to.at("m/app:1.0"), &one.index.digest).await);
    let gone = check(&registries(), &to.at("m/app:2.0"), &two.index.digest).await.unwrap();
    assert_eq!(gone.found, Found::Missing);
    let listed = client().referrers(&to.at("m/app"), &one.index.digest, None).await.unwrap();
    assert_eq!(listed.manifests.len(), 1);
}

#[tokio::test]
async fn bursts_of_failures_are_outlived_and_sides_are_named() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let image = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    // Two in a row, and another one later: fewer than there are attempts.
    let failing = |code: u16| {
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |_: &str| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            matches!(n, 2 | 3 | 15).then(|| status(code))
        }
    };
    for (code, name) in [(503, "a"), (429, "b")] {
        let source = Counted::failing(&from, failing(code)).await;
        let target = Counted::failing(&to, failing(code)).await;
        let source = reference(format!("{}/app:1.0", source.host));
        let target = reference(format!("{}/{name}:1.0", target.host));
        copier(options()).copy(&source, &target).await.unwrap();
        assert!(complete(&to.at(&format!("{name}:1.0")), &image.index.digest).await);
    }
    let broken =
        Counted::failing(&from, |line| line.contains("/blobs/").then(|| status(500))).await;
    let source = reference(format!("{}/app:1.0", broken.host));
    let error = copier(options()).copy(&source, &to.at("c:1.0")).await.unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
    let broken = Counted::failing(&to, |line| line.starts_with("POST").then(|| status(403))).await;
    let target = reference(format!("{}/c:1.0", broken.host));
    let error = copier(options()).copy(&from.at("app:1.0"), &target).await.unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
}

/// Set for the child of the next test, which is this program again.
const CHILD: &str = "PINNACE_TEST_COPY";

/// A copy in a process of its own, so that it can be killed.
#[tokio::test]
async fn child_of_a_killed_copy() {
    let Ok(names) = std::env::var(CHILD) else { return };
    let (from, to) = names.split_once(' ').unwrap();
    copier(options()).copy(&reference(from), &reference(to)).await.unwrap();
}

#[tokio::test]
async fn killed_at_any_request_it_leaves_nothing_half_and_goes_on() {
    let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let image = Image::of_two_platforms(1).push(&client(), &from.at("app:1.0")).await;
    let digest = &image.index.digest;
    for kill_at in [2, 5, 8, 11, 14] {
        let (reached, mut at) = tokio::sync::mpsc::unbounded_channel();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let counted = Counted::failing(&to, move |_| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            if n == kill_at {
                reached.send(()).unwrap();
            }
            // The request that it dies in is never answered.
            (n >= kill_at).then(never)
        })
        .await;
        let names = format!("{}/app:1.0 {}/m{kill_at}:1.0", from.host, counted.host);
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "mirrored::child_of_a_killed_copy"])
            .env(CHILD, names)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        at.recv().await.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let target = to.at(&format!("m{kill_at}:1.0"));
        let seen = check(&registries(), &target, digest).await.unwrap().found;
        assert_eq!(seen, Found::Missing, "killed at request {kill_at}");
        copier(options()).copy(&from.at("app:1.0"), &target).await.unwrap();
        assert!(complete(&target, digest).await, "killed at request {kill_at}");
    }
}
