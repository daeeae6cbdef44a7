//! Both ways with oras and with what cosign is made of: what they push and sign we copy and verify, what we
//! push and copy they find.

use std::{
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use pinnace_registry::{
    Digest, Reference,
    mirror::{Copier, CopyOptions, Platforms, check},
    verify::{Policies, Verdict, VerifyError, verify},
};

use crate::{
    mirrored::registries,
    support::{
        genuine::{Kind, Registry},
        image::{Image, SBOM},
        limits, plain, tool,
    },
};

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(tool(program)).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    output
}

fn text(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(run(program, arguments).stdout).unwrap()
}

/// Type and digest of what is attached, as genuine oras lists it.
fn discovered(at: &Reference, digest: &Digest) -> Vec<String> {
    let listed = text("oras", &["discover", &format!("{}@{digest}", at.path())]);
    let mut lines: Vec<String> = listed.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn copied(from: &Reference, to: &Reference) -> usize {
    let platforms = Platforms::default();
    let options = CopyOptions { platforms, attachments: true, dry_run: false, at_once: 4 };
    let copier = Copier::new(registries(), registries(), options, Arc::new(()));
    copier.copy(from, to).await.unwrap().attachments
}

fn written(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn artifacts_and_what_is_attached_go_to_and_fro() {
    let folder = tempfile::tempdir().unwrap();
    // The old registry has no referrers API: both sides keep a tag instead.
    for kind in [Kind::Plain, Kind::Old] {
        let (from, to) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&kind));
        let (source, target) = (from.at("a/b:1.0"), to.at("m/a/b:1.0"));

        let file = written(folder.path(), "file", "content");
        let kept = "application/vnd.example.config";
        let pushed = text("oras", &["push", &source.image(), &file, kept]);
        let digest: Digest = pushed.trim().parse().unwrap();
        let subject = format!("{}@{digest}", source.path());
        let note = written(folder.path(), "note", "about it");
        text("oras", &["attach", &subject, &note, "application/vnd.example.note"]);
        assert_eq!(copied(&source, &target).await, 1);
        assert_eq!(run("oras", &["pull", &target.image()]).stdout, b"content");
        assert_eq!(discovered(&target, &digest), discovered(&source, &digest));
        assert_eq!(discovered(&target, &digest).len(), 1);

        // What we have attached oras lists beside its own, and what it attaches then we do too.
        let image = Image::of_two_platforms(1).push(&plain(limits()), &to.at("app:1.0")).await;
        let digest = image.index.digest.clone();
        let app = to.at("app:1.0");
        assert_eq!(discovered(&app, &digest), [format!("{SBOM} {}", image.sbom.digest)]);
        let subject = format!("{}@{digest}", app.path());
        text("oras", &["attach", &subject, &note, "application/vnd.example.note"]);
        let listed = plain(limits()).referrers(&app.repository_only(), &digest, None).await;
        assert_eq!(listed.unwrap().manifests.len(), 2);

        // It copies what we have copied, whole.
        let back = from.at("back:1.0");
        text("oras", &["copy", &app.image(), &back.image()]);
        let found = check(&registries(), &back, &digest).await.unwrap().found;
        assert_eq!(found, pinnace_registry::mirror::Found::Complete);
        assert_eq!(discovered(&back, &digest), discovered(&app, &digest));
    }
}

fn policies(at: &Reference, keys: &[&str]) -> Policies {
    let policy =
        serde_json::json!({ "prefix": at.host(), "mode": "require", "cosign": { "keys": keys } });
    Policies::from_yaml(&serde_json::json!({ "policies": [policy] }).to_string()).unwrap()
}

/// Signed under a tag, as a referrer and as a bundle; verified at the source and in a copy.
#[tokio::test]
async fn what_cosign_signs_we_verify_and_copy() {
    for kind in [Kind::Plain, Kind::Old] {
        for form in ["tag", "referrer", "bundle"] {
            let (from, to) = (Registry::of_kind(&kind), Registry::of_kind(&Kind::Plain));
            let (source, target) = (from.at("app:1.0"), to.at("m/app:1.0"));
            let image = Image::of_two_platforms(1).push(&plain(limits()), &source).await;
            let digest = &image.index.digest;
            let other = text("cosign-sign", &["bundle", &format!("{}@{digest}", source.path())]);
            let key = text("cosign-sign", &[form, &format!("{}@{digest}", source.path())]);
            // The SBOM, and both signatures.
            assert_eq!(copied(&source, &target).await, 3, "{form}");
            for at in [&source, &target] {
                let judged = async |keys: &[&str], digest: &Digest| {
                    verify(&policies(at, keys), at, &plain(limits()), at, digest).await
                };
                let verdict = judged(&[&key], digest).await;
                assert!(matches!(verdict, Ok(Verdict::Signed(_))), "{form} at {at}: {verdict:?}");
                // The key of another signature of the same image counts where it is trusted, alone too.
                assert!(judged(&[&other], digest).await.is_ok(), "{form} at {at}");
                let platform = &image.platforms[0].digest;
                let verdict = judged(&[&key], platform).await;
                assert!(matches!(verdict, Err(VerifyError::NotSigned { .. })), "{verdict:?}");
            }
            let strange = Registry::of_kind(&Kind::Plain);
            let at = strange.at("app:1.0");
            Image::of_two_platforms(1).push(&plain(limits()), &at).await;
            let stranger = text("cosign-sign", &[form, &format!("{}@{digest}", at.path())]);
            let verdict = verify(
                &policies(&target, &[&stranger]),
                &target,
                &plain(limits()),
                &target,
                digest,
            )
            .await;
            let Err(error @ VerifyError::NotSigned { .. }) = verdict else {
                panic!("{form}: {verdict:?}")
            };
            assert!(error.to_string().contains("not by any of the trusted keys"), "{error}");
        }
    }
}
