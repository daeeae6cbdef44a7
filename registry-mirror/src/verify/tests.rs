//! Genuine signatures (see tests/fixtures/signatures), and the same with one thing changed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:b994ded7af3706c63464d966514507b3266d0e1ed936322e8faadf417d7d86a0";
/// When the fixtures were made: 2026-11-21T16:00:00Z.
const NOW: i64 = 1_795_276_800;
const DAY: i64 = 24 * 3600;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/signatures/", $name))
    };
}

const BUNDLE: &str = fixture!("cosign-bundle.json");
/// Of a log that signs the time.
const KEYLESS: &str = fixture!("keyless/rekor1-bundle.json");
const ROOT: &str = fixture!("keyless/rekor1-root.json");
/// Of one that does not: an authority for timestamps does.
const STAMPED: &str = fixture!("keyless/rekor2-bundle.json");
const STAMPED_ROOT: &str = fixture!("keyless/rekor2-root.json");
const NOTATION: &str = fixture!("notation.json");

fn digest() -> Digest {
    DIGEST.parse().unwrap()
}

fn policies(signers: Value) -> Result<Policies, PolicyError> {
    let mut policy = json!({ "prefix": "r.example/app", "mode": "require" });
    policy.as_object_mut().unwrap().extend(signers.as_object().unwrap().clone());
    Policies::from_yaml(&json!({ "policies": [policy] }).to_string())
}

/// What a policy of these signers says about one signature.
fn judged(signers: &Value, found: Found, now: i64) -> Result<String, String> {
    let policies = policies(signers.clone()).unwrap();
    let reference = Reference::parse("r.example/app").unwrap();
    judge(policies.of(&reference).unwrap(), &[found], &digest(), now)
}

fn refused(signers: &Value, found: Found, why: &str) {
    let error = judged(signers, found, NOW).unwrap_err();
    assert!(error.contains(why), "{error:?} does not say {why:?}");
}

fn by_key() -> Value {
    json!({ "cosign": { "keys": [fixture!("cosign.pub")] } })
}

fn keyless(issuer: &str, subject: &str) -> Value {
    json!({ "keyless": {
        "trustedRoot": ROOT,
        "identities": [{ "issuer": issuer, "subject": subject }],
    } })
}

fn build() -> Value {
    keyless("https://issuer.example.com", "build@example.com")
}

fn notation(subject: &str) -> Value {
    json!({ "notation": {
        "authorities": [fixture!("notation.crt")],
        "trustedIdentities": [subject],
    } })
}

fn bundle(text: &str) -> Found {
    Found::Bundle(text.as_bytes().to_vec())
}

/// A JSON text with one value changed.
fn with(text: &str, pointer: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut document: Value = serde_json::from_str(text).unwrap();
    change(document.pointer_mut(pointer).expect(pointer));
    document.to_string()
}

/// Changes text that is within base64.
fn within(value: &mut Value, from: &str, to: &str) {
    let text = String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    assert!(text.contains(from), "{text}");
    *value = STANDARD.encode(text.replace(from, to)).into();
}

/// One bit of what base64 stands for.
fn flip(value: &mut Value) {
    let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *value = STANDARD.encode(bytes).into();
}

fn simple(payload: &str) -> Found {
    let Manifest::Image(image) =
        Manifest::parse(fixture!("cosign-simple.manifest.json").as_bytes()).unwrap()
    else {
        panic!("an index")
    };
    let layer = image.layers[0].clone();
    Found::Simple { payload: payload.as_bytes().to_vec(), layer }
}

#[test]
fn cosign_by_key_in_its_older_form() {
    let payload = fixture!("cosign-simple.payload.json");
    assert_eq!(judged(&by_key(), simple(payload), NOW).unwrap(), "cosign, by a trusted key");
    let other = payload.replace("b994ded7", "00000000");
    refused(&by_key(), simple(&other), "about another digest");
    let other = payload.replace("null", "{}");
    refused(&by_key(), simple(&other), "not by any of the trusted keys");
    let other = payload.replace("cosign container image signature", "something else");
    refused(&by_key(), simple(&other), "not a signature of an image");
    refused(&build(), simple(payload), "not keyless");
}

#[test]
fn cosign_by_key_as_a_bundle() {
    assert_eq!(judged(&by_key(), bundle(BUNDLE), NOW).unwrap(), "cosign, by a trusted key");
    let changed = with(BUNDLE, "/dsseEnvelope/signatures/0/sig", flip);
    refused(&by_key(), bundle(&changed), "not by any of the trusted keys");
    let payload = "/dsseEnvelope/payload";
    let changed = with(BUNDLE, payload, |value| within(value, "b994ded7", "00000000"));
    refused(&by_key(), bundle(&changed), "about another digest");
    let changed = with(BUNDLE, payload, |value| within(value, "cosign/sign/v1", "slsa"));
    refused(&by_key(), bundle(&changed), "an attestation, not a signature");
    let changed = with(BUNDLE, payload, |value| within(value, "{}", "{ }"));
    refused(&by_key(), bundle(&changed), "not by any of the trusted keys");
    refused(&by_key(), bundle("{}"), "not a sigstore bundle");
    refused(&build(), bundle(BUNDLE), "not keyless");
    // The key of somebody else.
    refused(&by_key(), bundle(KEYLESS), "not by any of the trusted keys");
}

#[test]
fn keyless_by_identity() {
    let by = judged(&build(), bundle(KEYLESS), NOW + 4000 * DAY).unwrap();
    assert_eq!(by, "cosign, keyless: build@example.com by https://issuer.example.com");
    let other = keyless("https://issuer.example.com", "other@example.com");
    refused(&other, bundle(KEYLESS), "build@example.com");
    let other = keyless("https://other.example.com", "build@example.com");
    refused(&other, bundle(KEYLESS), "not trusted");
    // Patterns fit the whole text.
    let pattern = |subject: &str| {
        json!({ "keyless": { "trustedRoot": ROOT, "identities": [
            { "issuer": "https://issuer.example.com", "subjectPattern": subject },
        ] } })
    };
    judged(&pattern("[a-z]+@example\\.com"), bundle(KEYLESS), NOW).unwrap();
    refused(&pattern("build@example"), bundle(KEYLESS), "not trusted");
    refused(&pattern("x|build"), bundle(KEYLESS), "not trusted");
}

#[test]
fn keyless_and_the_log() {
    let entry = "/verificationMaterial/tlogEntries/0";
    let at = |rest: &str| format!("{entry}{rest}");
    let promise = at("/inclusionPromise/signedEntryTimestamp");
    refused(&build(), bundle(&with(KEYLESS, &promise, flip)), "did not sign its entry");
    let later = |value: &mut Value| *value = "1795276153".into();
    let changed = with(KEYLESS, &at("/integratedTime"), later);
    refused(&build(), bundle(&changed), "did not sign its entry");
    let changed = with(KEYLESS, entry, |value| {
        value.as_object_mut().unwrap().remove("inclusionPromise");
    });
    refused(&build(), bundle(&changed), "tells when it was made");
    let changed = with(KEYLESS, "/verificationMaterial/tlogEntries", |value| *value = json!([]));
    refused(&build(), bundle(&changed), "no entry of a transparency log");
    let changed = with(KEYLESS, &at("/logId/keyId"), flip);
    refused(&build(), bundle(&changed), "not in the trusted root");
    let changed = with(KEYLESS, &at("/inclusionProof/rootHash"), flip);
    refused(&build(), bundle(&changed), "does not hold");
    let changed = with(KEYLESS, &at("/inclusionProof/checkpoint/envelope"), |value| {
        *value = value.as_str().unwrap().replacen("rekor", "other", 1).into();
    });
    refused(&build(), bundle(&changed), "did not sign the tree");
}

#[test]
fn keyless_and_the_timestamp() {
    let build = || {
        json!({ "keyless": { "trustedRoot": STAMPED_ROOT, "identities": [
            { "issuer": "https://issuer.example.com", "subject": "build@example.com" },
        ] } })
    };
    judged(&build(), bundle(STAMPED), NOW + 4000 * DAY).unwrap();
    let stamp =
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
    let original = serde_json::from_str::<Value>(STAMPED).unwrap();
    let original = STANDARD.decode(original.pointer(stamp).unwrap().as_str().unwrap()).unwrap();
    let stamped =
        |bytes: &[u8]| with(STAMPED, stamp, |value| *value = STANDARD.encode(bytes).into());
    // Whatever bit is another, it either does not count or was none that is signed; and nothing that is cut off does.
    let mut harmless = 0;
    for at in 0..original.len() {
        let mut changed = original.clone();
        changed[at] ^= 1;
        harmless += usize::from(judged(&build(), bundle(&stamped(&changed)), NOW).is_ok());
        judged(&build(), bundle(&stamped(&original[..at])), NOW).unwrap_err();
    }
    // Names of algorithms beside those that are used, who signed (its key is known), versions.
    assert!(harmless < 100, "{harmless} of {} bytes do not matter", original.len());
    // Its time, which the content's digest protects.
    let time = original.windows(15).position(|part| part.starts_with(b"20261121")).unwrap();
    let mut later = original.clone();
    later[time + 3] = b'7';
    refused(&build(), bundle(&stamped(&later)), "not what was signed");

    let none = |value: &mut Value| *value = json!([]);
    let all = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    refused(&build(), bundle(&with(STAMPED, all, none)), "tells when it was made");
    let entry = "/verificationMaterial/tlogEntries/0";
    let unproved = with(STAMPED, entry, |value| {
        value.as_object_mut().unwrap().remove("inclusionProof");
    });
    refused(&build(), bundle(&unproved), "nothing proves");
    let body = format!("{entry}/canonicalizedBody");
    let other = with(STAMPED, &body, |value| within(value, "0.0.2", "0.0.3"));
    refused(&build(), bundle(&other), "does not hold");
    // One signature's timestamp does not stand for another's.
    let envelope = "/dsseEnvelope/signatures/0/sig";
    refused(&build(), bundle(&with(STAMPED, envelope, flip)), "does not fit its certificate");
}

#[test]
fn keyless_and_the_authority() {
    let root = |change: &dyn Fn(&mut Value)| {
        let mut root: Value = serde_json::from_str(ROOT).unwrap();
        change(&mut root);
        json!({ "keyless": { "trustedRoot": root.to_string(), "identities": [
            { "issuer": "https://issuer.example.com", "subject": "build@example.com" },
        ] } })
    };
    let ended = root(&|root| {
        root["certificateAuthorities"][0]["validFor"] = json!({ "end": "2020-01-01T00:00:00Z" });
    });
    refused(&ended, bundle(KEYLESS), "no authority of the trusted root was valid");
    let ended = root(&|root| {
        root["tlogs"][0]["publicKey"]["validFor"] = json!({ "end": "2020-01-01T00:00:00Z" });
    });
    refused(&ended, bundle(KEYLESS), "not trusted at that time");
    // An authority of another name and key.
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).unwrap();
    let stranger = STANDARD.encode(stranger.cert.der());
    let other = root(&|root| {
        let certificates = json!([{ "rawBytes": stranger }]);
        root["certificateAuthorities"][0]["certChain"]["certificates"] = certificates;
    });
    refused(&other, bundle(KEYLESS), "no trusted authority");
}

#[test]
fn by_notation() {
    let found = |text: &str| Found::Notation(text.as_bytes().to_vec());
    let trusted = notation("x509.subject: C=US, O=Notary, CN=pinnace.example");
    let by = judged(&trusted, found(NOTATION), NOW).unwrap();
    assert!(by.starts_with("Notation, by C=US"), "{by}");
    judged(&notation("*"), found(NOTATION), NOW).unwrap();
    refused(&notation("x509.subject: CN=other"), found(NOTATION), "who is not trusted");
    let late = judged(&trusted, found(NOTATION), NOW + 2 * DAY).unwrap_err();
    assert!(late.contains("not valid at that time"), "{late}");

    let changed = with(NOTATION, "/signature", |value| {
        let text = value.as_str().unwrap();
        let other = if text.starts_with('A') { "B" } else { "A" };
        *value = format!("{other}{}", &text[1..]).into();
    });
    refused(&trusted, found(&changed), "does not fit its certificate");
    let changed = with(NOTATION, "/header/x5c", |value| *value = json!([]));
    refused(&trusted, found(&changed), "no certificate");
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let protected = |from: &str, to: &str| {
        with(NOTATION, "/protected", |value| {
            let bytes = url.decode(value.as_str().unwrap()).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{text}");
            *value = url.encode(text.replace(from, to)).into();
        })
    };
    refused(&trusted, found(&protected("PS256", "none")), "not one for its certificate's key");
    refused(&trusted, found(&protected("PS256", "ES256")), "not one for its certificate's key");
    let strange = protected("signingScheme\"]", "signingScheme\",\"x\"]");
    refused(&trusted, found(&strange), "not known here");
    let expired =
        protected("\"cty\"", "\"io.cncf.notary.expiry\":\"2026-11-20T00:00:00Z\",\"cty\"");
    refused(&trusted, found(&expired), "has expired");
    refused(&trusted, found(&protected("notary.x509", "notary.other")), "only one known here");

    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).unwrap();
    let other = json!({ "notation": {
        "authorities": [stranger.cert.pem()], "trustedIdentities": ["*"],
    } });
    refused(&other, found(NOTATION), "no trusted authority");
}

#[test]
fn policies_that_would_trust_anybody() {
    let identity = |identity: Value| {
        policies(json!({ "keyless": { "trustedRoot": ROOT, "identities": [identity] } }))
    };
    for (signers, why) in [
        (json!({}), "names no signer"),
        (json!({ "cosign": { "keys": [] } }), "no keys"),
        (json!({ "cosign": { "keys": ["-"] } }), "no PEM"),
        (json!({ "keyless": { "trustedRoot": ROOT, "identities": [] } }), "no identities"),
        (
            json!({ "keyless": { "trustedRoot": "{}", "identities": [
            { "issuer": "a", "subject": "b" },
        ] } }),
            "no certificate authority",
        ),
        (
            json!({ "notation": { "authorities": [], "trustedIdentities": ["*"] } }),
            "no authorities",
        ),
        (json!({ "cosign": { "keys": [], "more": 1 } }), "more"),
    ] {
        let error = policies(signers).unwrap_err().to_string();
        assert!(error.contains(why), "{error:?} does not say {why:?}");
    }
    for (wrong, why) in [
        (json!({}), "no issuer"),
        (json!({ "issuer": "", "subject": "a" }), "no issuer"),
        (json!({ "issuer": "a" }), "no subject"),
        (json!({ "issuer": "a", "subjectPattern": ".*" }), "anybody"),
        (json!({ "issuer": "a", "subjectPattern": "(" }), "cannot be read"),
        (json!({ "issuer": "a", "subject": "a", "subjectPattern": "a" }), "both"),
    ] {
        let error = identity(wrong).unwrap_err().to_string();
        assert!(error.contains(why), "{error:?} does not say {why:?}");
    }
}

#[test]
fn the_longest_prefix_counts() {
    let text = r"
policies:
- {prefix: r.example, mode: warn, notation: {authorities: [PEM], trustedIdentities: ['*']}}
- {prefix: r.example/app, mode: off}
";
    let pem = fixture!("notation.crt").replace('\n', "\\n");
    let policies = Policies::from_yaml(&text.replace("PEM", &format!("\"{pem}\""))).unwrap();
    let mode = |name: &str| policies.of(&Reference::parse(name).unwrap()).map(|policy| policy.mode);
    assert_eq!(mode("r.example/other"), Some(Mode::Warn));
    assert_eq!(mode("r.example/app/part:1"), Some(Mode::Off));
    assert_eq!(mode("r.example/apple"), Some(Mode::Warn));
    assert_eq!(mode("other.example/app"), None);
}
