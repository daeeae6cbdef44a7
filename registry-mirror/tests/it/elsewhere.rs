//! Mirror rules at work: one place is down, one lies, and one has it.

use std::{collections::BTreeMap, sync::Arc};

use axum::response::IntoResponse as _;
use pinnace_registry::{
    Keychain, Options, Registries, RegistriesError, Rules,
    bundle::{Attachments, Bundle, Compression, Export, Item, Silent, Trust, export},
    mirror::{Copier, CopyOptions, Platforms},
    verify::{Policies, Verdict},
};

use crate::{
    proxied::proxy,
    support::{
        fake::{Fake, Parts, status},
        genuine::{Kind, PASSWORD, Registry, USER},
        image::Image,
        limits, plain, reference, tool,
    },
};

fn registries(rules: &str) -> Registries {
    let base = Options { plain_http: true, limits: limits(), ..Options::default() };
    Registries::new(Rules::from_yaml(rules).unwrap(), Keychain::default(), base, BTreeMap::new())
}

#[tokio::test]
async fn the_next_place_is_asked_and_each_failure_is_told() {
    let digest = Parts::new("archive").digest();
    let vendor = Fake::start(Parts::new("archive"), |_| None).await;
    let down = Fake::start(Parts::new("x"), |_| Some(status(503))).await;
    let lies = Fake::start(Parts::new("x"), |asked| {
        asked.path.starts_with("manifests/").then(|| Parts::new("other").manifest.into_response())
    })
    .await;
    let table = |policy: &str| {
        format!(
            "rules: [{{prefix: '{}', policy: {policy}, mirrors: \
             [{{location: '{}'}}, {{location: '{}'}}]}}]",
            vendor.host, down.host, lies.host
        )
    };
    let chart = reference(format!("{}/app:1.0.0", vendor.host));
    let first = registries(&table("mirrorFirst"));
    assert_eq!(first.pull_chart(&chart, &digest).await.unwrap().archive, "archive");
    assert!(down.count("GET") > 0 && lies.count("GET") > 0);

    let asked = (down.count(""), lies.count(""));
    let last = registries(&table("defaultFirst"));
    last.pull_chart(&chart, &digest).await.unwrap();
    assert_eq!((down.count(""), lies.count("")), asked);

    let served = vendor.count("");
    let only = registries(&table("mirrorOnly"));
    let error = only.pull_chart(&chart, &digest).await.unwrap_err();
    assert_eq!(vendor.count(""), served, "the vendor is never asked");
    let text = error.to_string();
    assert!(text.contains(&down.host) && text.contains(&lies.host), "{text}");
    assert!(error.is_transient(), "the one that is down may come back");
    let RegistriesError::Nowhere { failures, .. } = error else { panic!("{error:?}") };
    assert_eq!(failures[1].1.reason(), "DigestMismatch");
}

#[tokio::test]
async fn each_place_gets_its_own_credentials() {
    let needs = |user: &'static str| {
        move |asked: &crate::support::fake::Asked| {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:p")));
            match asked.authorization.as_deref() {
                None => Some(crate::support::fake::with_header(
                    401,
                    "www-authenticate",
                    "Basic realm=\"x\"",
                )),
                Some(header) if header == wanted => None,
                Some(_) => Some(status(400)),
            }
        }
    };
    let digest = Parts::new("archive").digest();
    let missing = Fake::start(Parts::new("x"), needs("mirror")).await;
    let vendor = Fake::start(Parts::new("archive"), needs("vendor")).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "p\n").unwrap();
    let login = |user: &str| format!("username: {user}, passwordFile: '{}'", password.display());
    let rules = format!(
        "rules: [{{prefix: '{0}', mirrors: [{{location: '{1}', {2}}}]}}]\n\
         registries: [{{location: '{0}', {3}}}]",
        vendor.host,
        missing.host,
        login("mirror"),
        login("vendor"),
    );
    let chart = reference(format!("{}/app:1.0.0", vendor.host));
    registries(&rules).pull_chart(&chart, &digest).await.unwrap();
}

/// One table for a vendor with a login and a mirror with certificates behind a proxy: each has its own CA and its
/// own way, and none of the other's.
#[tokio::test]
async fn each_place_has_its_own_authority_certificate_and_proxy() {
    let (vendor, mirror) = (Registry::start(), Registry::of_kind(&Kind::Certificates));
    vendor.push_chart("app", "1.0.0", "");
    vendor.push_chart("later", "1.0.0", "");
    let (address, seen) = proxy().await;
    let login = serde_json::json!({
        "auths": { &vendor.host: { "username": USER, "password": PASSWORD } },
    });
    let settings = |fields: &[&str]| {
        let all = [
            ("caFile", mirror.file("ca.crt").display().to_string()),
            ("clientCertificateFile", mirror.file("tls.crt").display().to_string()),
            ("clientKeyFile", mirror.file("tls.key").display().to_string()),
            ("proxy", address.clone()),
        ];
        let given = all.iter().filter(|(field, _)| fields.contains(field));
        given.map(|(field, value)| format!(", {field}: '{value}'")).collect::<String>()
    };
    let with = |policy: &str, fields: &[&str]| {
        let rules = format!(
            "rules: [{{prefix: '{0}', policy: {policy}, mirrors: [{{location: '{1}/m'{2}}}]}}]\n\
             registries: [{{location: '{0}', secret: login, caFile: '{3}'}}]",
            vendor.host,
            mirror.host,
            settings(fields),
            vendor.file("ca.crt").display(),
        );
        let base = Options { limits: limits(), ..Options::default() };
        let secrets = [("login".to_owned(), login.to_string().into())].into();
        Registries::new(Rules::from_yaml(&rules).unwrap(), Keychain::default(), base, secrets)
    };
    let all = ["caFile", "clientCertificateFile", "clientKeyFile", "proxy"];
    let registries = with("mirrorFirst", &all);
    let chart = vendor.at("charts/app:1.0.0");
    let digest = registries.client(&chart).await.unwrap().resolve(&chart).await.unwrap();
    let digest: pinnace_registry::Digest = digest.parse().unwrap();
    assert!(seen.lock().unwrap().is_empty(), "the vendor is reached without the mirror's proxy");

    let options = CopyOptions {
        platforms: Platforms::default(),
        attachments: true,
        dry_run: false,
        at_once: 4,
    };
    let copier = Copier::new(registries.clone(), registries.clone(), options, Arc::new(()));
    let target = mirror.at("m/charts/app:1.0.0");
    copier.copy(&chart.with_digest(digest.clone()), &target).await.unwrap();
    registries.pull_chart(&chart, &digest).await.unwrap();
    let names = std::mem::take(&mut *seen.lock().unwrap());
    assert!(!names.is_empty() && names.iter().all(|name| *name == mirror.host), "{names:?}");

    // What the mirror does not have is the vendor's to give.
    let later = vendor.at("charts/later:1.0.0");
    let other = registries.resolve(&later).await.unwrap();
    registries.pull_chart(&later, &other).await.unwrap();

    // The mirror alone: with all of it, and with one part missing.
    with("mirrorOnly", &all).pull_chart(&chart, &digest).await.unwrap();
    for (missing, reason) in [
        (&all[1..], "Tls"),
        (&["caFile", "proxy"][..], "ClientCertificate"),
        (&["caFile", "clientCertificateFile", "proxy"][..], "InvalidMirror"),
    ] {
        let pulled = with("mirrorOnly", missing).pull_chart(&chart, &digest).await;
        let error = pulled.unwrap_err();
        let text = format!("{error:?}");
        assert_eq!(error.reason(), reason, "{missing:?}: {text}");
        assert!(text.contains(&mirror.host), "{text}");
    }
}

/// Tags, digests and signatures are looked for where charts are: a mirror that has hidden the signatures does not
/// hide them from a table that leads further.
#[tokio::test]
async fn what_is_asked_is_asked_of_every_place() {
    let (vendor, mirror) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let at = vendor.at("app:1.0");
    let image = Image::of_two_platforms(1).push(&plain(limits()), &at).await;
    Image::of_two_platforms(1).push(&plain(limits()), &mirror.at("m/app:1.0")).await;
    let digest = &image.index.digest;
    let signed = std::process::Command::new(tool("cosign-sign"))
        .args(["bundle", &format!("{}@{digest}", at.path())])
        .output()
        .unwrap();
    let key = String::from_utf8(signed.stdout).unwrap();
    let policies = |mode: &str| {
        let policy = serde_json::json!({
            "prefix": vendor.host, "mode": mode, "cosign": { "keys": [key] },
        });
        Policies::from_yaml(&serde_json::json!({ "policies": [policy] }).to_string()).unwrap()
    };
    let place = mirror.host.clone();
    let table = |policy: &str| {
        registries(&format!(
            "rules: [{{prefix: '{}', policy: {policy}, mirrors: [{{location: '{place}/m'}}]}}]",
            vendor.host
        ))
    };
    for (policy, mode, is_signed) in [
        ("mirrorFirst", "require", true),
        ("defaultFirst", "require", true),
        ("mirrorFirst", "warn", true),
        ("mirrorOnly", "warn", false),
    ] {
        let verdict = table(policy).verify(&policies(mode), &at, digest).await.unwrap();
        let wanted = match is_signed {
            true => matches!(verdict, Verdict::Signed(_)),
            false => matches!(verdict, Verdict::Warned(_)),
        };
        assert!(wanted, "{policy} {mode}: {verdict:?}");
    }
    let hidden = table("mirrorOnly").verify(&policies("require"), &at, digest).await.unwrap_err();
    assert_eq!(hidden.reason(), "NotSigned", "{hidden}");

    // A tag that one of the two has alone.
    Image::of_two_platforms(2).push(&plain(limits()), &mirror.at("m/app:2.0")).await;
    let tags = async |policy: &str| {
        let mut tags = table(policy).tags(&at).await.unwrap();
        tags.retain(|tag| !tag.starts_with("sha256-"));
        tags
    };
    assert_eq!(tags("mirrorFirst").await, ["1.0", "2.0"]);
    assert_eq!(tags("mirrorOnly").await, ["1.0", "2.0"]);
    assert_eq!(tags("defaultFirst").await, ["1.0"]);
    let newer = vendor.at("app:2.0");
    table("defaultFirst").resolve(&newer).await.unwrap();
    drop(mirror);
    let gone = table("mirrorOnly").resolve(&newer).await.unwrap_err();
    assert_eq!(gone.reason(), "Unreachable", "{gone}");
    assert_eq!(table("mirrorFirst").resolve(&at).await.unwrap(), *digest);
}

/// A bundle of what a mirror has names what it is a mirror of, with what is attached, and is the bundle that the
/// vendor's own registry would have given.
#[tokio::test]
async fn a_bundle_is_had_from_a_mirror_under_the_vendors_names() {
    let (vendor, mirror) = (Registry::of_kind(&Kind::Plain), Registry::of_kind(&Kind::Plain));
    let name = vendor.at("app:1.0");
    let image = Image::of_two_platforms(1).push(&plain(limits()), &name).await;
    Image::of_two_platforms(1).push(&plain(limits()), &mirror.at("m/app:1.0")).await;
    let empty = Registry::of_kind(&Kind::Plain);
    let table = |policy: &str, location: &str| {
        registries(&format!(
            "rules: [{{prefix: '{}', policy: {policy}, mirrors: [{{location: '{location}/m'}}]}}]",
            vendor.host
        ))
    };
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let place = mirror.host.clone();
    for (registries, host) in [
        (table("mirrorOnly", &place), &place),
        (table("mirrorFirst", &place), &place),
        (table("defaultFirst", &place), &vendor.host),
        // That mirror is empty.
        (table("mirrorFirst", &empty.host), &vendor.host),
        (registries("rules: []"), &vendor.host),
    ] {
        let bound = name.with_digest(image.index.digest.clone());
        let (client, at) = registries.place_of(&bound).await.unwrap();
        assert_eq!(at.host(), *host);
        let path = folder.path().join(files.len().to_string());
        let options = Export {
            to: &path,
            key: None,
            base: None,
            compression: Compression::None,
            attachments: Attachments::Included,
        };
        export(&[Item { client, reference: bound, at }], &options, &Silent).await.unwrap();
        files.push(std::fs::read(&path).unwrap());
        let bundle = Bundle::open(&path, &[], &Trust::Unsigned).unwrap();
        let hosts: Vec<_> =
            bundle.roots().iter().map(|root| root.reference.host().to_owned()).collect();
        assert!(hosts.len() >= 2 && hosts.iter().all(|host| *host == vendor.host), "{hosts:?}");
    }
    assert!(files.iter().all(|file| *file == files[0]));
    let gone = table("mirrorOnly", &empty.host).place_of(&name).await;
    assert!(gone.is_ok(), "one place alone is not asked before");
}
