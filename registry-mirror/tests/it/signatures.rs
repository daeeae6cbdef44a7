//! Signatures that genuine libraries have just made and pushed: keyless by sigstore-go's own test authorities,
//! and Notation's. (Those by key are in `beside_oras`.)

use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pinnace_registry::{
    Digest, Reference,
    verify::{Policies, Verdict, VerifyError, verify},
};
use serde_json::{Value, json};

use crate::support::{
    genuine::{Kind, Registry},
    image::Image,
    limits, plain, tool,
};

const ISSUER: &str = "https://issuer.example.com";
const SUBJECT: &str = "build@example.com";

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool(program)).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// An image in a new registry.
async fn image(kind: &Kind) -> (Registry, Reference, Digest) {
    let registry = Registry::of_kind(kind);
    let at = registry.at("app:1.0");
    let image = Image::of_two_platforms(1).push(&plain(limits()), &at).await;
    (registry, at, image.index.digest)
}

fn bound(at: &Reference, digest: &Digest) -> String {
    format!("{}@{digest}", at.path())
}

/// What a policy of these signers says.
async fn judged(
    at: &Reference,
    digest: &Digest,
    mode: &str,
    signers: &Value,
) -> Result<Verdict, VerifyError> {
    let mut policy = json!({ "prefix": at.host(), "mode": mode });
    policy.as_object_mut().unwrap().extend(signers.as_object().unwrap().clone());
    let policies = Policies::from_yaml(&json!({ "policies": [policy] }).to_string()).unwrap();
    verify(&policies, at, &plain(limits()), at, digest).await
}

async fn signed(at: &Reference, digest: &Digest, signers: &Value) -> String {
    match judged(at, digest, "require", signers).await {
        Ok(Verdict::Signed(by)) => by,
        other => panic!("{other:?}"),
    }
}

async fn refused(at: &Reference, digest: &Digest, signers: &Value, why: &str) {
    let Err(error @ VerifyError::NotSigned { .. }) = judged(at, digest, "require", signers).await
    else {
        panic!("trusted, although {why}")
    };
    assert!(error.to_string().contains(why), "{error} does not say {why}");
}

fn keyless(root: &Value, issuer: &str, subject: &str) -> Value {
    let identities = json!([{ "issuer": issuer, "subject": subject }]);
    json!({ "keyless": { "trustedRoot": root.to_string(), "identities": identities } })
}

/// The root with a part of it that ended long ago.
fn ended(root: &Value, part: &str) -> Value {
    let mut root = root.clone();
    *root.pointer_mut(part).expect(part) =
        json!({ "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z" });
    keyless(&root, ISSUER, SUBJECT)
}

/// With a log that signs the time, and with one beside which an authority for timestamps does.
#[tokio::test]
async fn keyless_with_a_trusted_root_in_a_file() {
    for (form, kind) in [("rekor1", Kind::Plain), ("rekor2", Kind::Plain), ("rekor2", Kind::Old)] {
        let (_registry, at, digest) = image(&kind).await;
        let made: Value =
            serde_json::from_str(&run("cosign-sign", &[form, &bound(&at, &digest)])).unwrap();
        let root = &made["trustedRoot"];
        let trusted = keyless(root, ISSUER, SUBJECT);
        let by = signed(&at, &digest, &trusted).await;
        assert_eq!(by, format!("cosign, keyless: {SUBJECT} by {ISSUER}"));
        refused(&at, &digest, &keyless(root, ISSUER, "other@example.com"), SUBJECT).await;
        refused(&at, &digest, &keyless(root, "https://other.example.com", SUBJECT), ISSUER).await;

        // All of another root, and each part of it.
        let stranger: Value =
            serde_json::from_str(&run("cosign-sign", &[form, digest.as_str()])).unwrap();
        let stranger = &stranger["trustedRoot"];
        let log = "its log is not in the trusted root";
        refused(&at, &digest, &keyless(stranger, ISSUER, SUBJECT), log).await;
        let with = |part: &str| {
            let mut mixed = root.clone();
            mixed[part] = stranger[part].clone();
            keyless(&mixed, ISSUER, SUBJECT)
        };
        let authority = "no trusted authority stands behind its signer";
        refused(&at, &digest, &with("certificateAuthorities"), authority).await;
        refused(&at, &digest, &with("tlogs"), log).await;
        let over = ended(root, "/certificateAuthorities/0/validFor");
        refused(&at, &digest, &over, "no authority of the trusted root was valid").await;
        let over = ended(root, "/tlogs/0/publicKey/validFor");
        refused(&at, &digest, &over, "its log was not trusted at that time").await;
        if form == "rekor2" {
            let stamp = "its timestamp is not by an authority of the trusted root";
            refused(&at, &digest, &with("timestampAuthorities"), stamp).await;
            let over = ended(root, "/timestampAuthorities/0/validFor");
            let why = "the authority for its timestamp was not trusted at that time";
            refused(&at, &digest, &over, why).await;
            let mut none = root.clone();
            none["timestampAuthorities"] = json!([]);
            let none = keyless(&none, ISSUER, SUBJECT);
            refused(&at, &digest, &none, "names no authority for its timestamp").await;
        }

        // A key alone is no identity, and the signature is about nothing else.
        let Value::String(key) = &root["tlogs"][0]["publicKey"]["rawBytes"] else { panic!() };
        let key = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let by_key = json!({ "cosign": { "keys": [key] } });
        refused(&at, &digest, &by_key, "not by any of the trusted keys").await;
        let bundle = STANDARD.decode(made["bundle"]["dsseEnvelope"]["payload"].as_str().unwrap());
        assert!(String::from_utf8(bundle.unwrap()).unwrap().contains(digest.hex()));
        let other = Image::of_two_platforms(2).push(&plain(limits()), &at).await.index.digest;
        refused(&at, &other, &trusted, "no signature of the kind").await;
    }
}

#[tokio::test]
async fn by_notations_library() {
    for (kind, of) in [("ec", Kind::Plain), ("rsa", Kind::Plain), ("ec", Kind::Old)] {
        let (_registry, at, digest) = image(&of).await;
        let authority = run("notation-sign", &[kind, &bound(&at, &digest), "3600"]);
        let notation = |authority: &str, identity: &str| json!({ "notation": { "authorities": [authority], "trustedIdentities": [identity] } });
        let build = "x509.subject: C=US, O=Example, CN=build";
        let by = signed(&at, &digest, &notation(&authority, build)).await;
        assert!(by.contains("CN=build"), "{by}");
        signed(&at, &digest, &notation(&authority, "*")).await;
        let other = notation(&authority, "x509.subject: O=Example, CN=other");
        refused(&at, &digest, &other, "who is not trusted").await;
        let (_strange, elsewhere, same) = image(&Kind::Plain).await;
        let stranger = run("notation-sign", &[kind, &bound(&elsewhere, &same), "0"]);
        refused(&at, &digest, &notation(&stranger, "*"), "no trusted authority").await;
    }
}

/// What a policy asks, warns of or leaves alone; and what a registry that fails makes of each.
#[tokio::test]
async fn required_warned_of_and_off() {
    let (registry, at, digest) = image(&Kind::Plain).await;
    let authority = run("notation-sign", &["ec", &bound(&at, &digest), "0"]);
    let trusted =
        json!({ "notation": { "authorities": [authority], "trustedIdentities": ["CN=build"] } });
    let other =
        json!({ "notation": { "authorities": [authority], "trustedIdentities": ["CN=other"] } });
    for (mode, signers, wanted) in [
        ("require", &trusted, "signed"),
        ("warn", &trusted, "signed"),
        ("off", &trusted, "not asked"),
        ("require", &other, "refused"),
        ("warn", &other, "warned"),
        ("off", &other, "not asked"),
    ] {
        let verdict = judged(&at, &digest, mode, signers).await;
        let came = match &verdict {
            Ok(Verdict::Signed(_)) => "signed",
            Ok(Verdict::NotAsked) => "not asked",
            Ok(Verdict::Warned(why)) if why.contains("who is not trusted") => "warned",
            Err(VerifyError::NotSigned { .. }) => "refused",
            _ => "something else",
        };
        assert_eq!(came, wanted, "{mode}: {verdict:?}");
    }
    drop(registry);
    let gone = judged(&at, &digest, "require", &trusted).await;
    assert!(matches!(&gone, Err(VerifyError::Registry { .. })), "{gone:?}");
    assert!(matches!(judged(&at, &digest, "warn", &trusted).await, Ok(Verdict::Warned(_))));
    assert_eq!(judged(&at, &digest, "off", &trusted).await.unwrap(), Verdict::NotAsked);
}
