//! Whose signatures a chart needs: those of its source's `verify`, and of the site's own policies.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use pinnace_registry::verify::{Policies, Verdict};
use pinnace_registry::{Digest, Reference, Registries};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Error;
use super::access::{Data, Secrets, text};
use crate::api::artifact::{OidcIdentity, Verification, VerificationProvider};
use crate::cluster::registry_table::Table;

/// Where Notation's trust policy is in a Secret, as in Flux.
const TRUST_POLICY: &str = "trustpolicy.json";
/// Where Sigstore's authorities are in a Secret, as in Flux.
const TRUSTED_ROOT: &str = "trusted_root.json";
/// Verdicts that are remembered.
const MAX_VERDICTS: usize = 4096;
/// A missing signature that is only warned of is looked for again after this time.
const WARNED: Duration = Duration::from_secs(600);

/// All policies that must be met, each by itself.
pub struct Asked {
    all: Vec<Policies>,
    /// Another one when anything of them changes.
    print: String,
}

impl Asked {
    pub async fn of(
        secrets: &Secrets,
        wanted: Option<&Verification>,
        table: &Table,
        reference: &Reference,
    ) -> Result<Self, Error> {
        let mut all = Vec::new();
        let mut print = Sha256::new();
        if table.policies.asks(reference) {
            print.update(&table.version);
            all.push(table.policies.clone());
        }
        if let Some(verify) = wanted {
            let secret = verify.secret_ref.as_ref().or(verify.trusted_root_secret_ref.as_ref());
            let name = secret.map(|secret| secret.name.as_str());
            let name = name.ok_or_else(|| Error::Verify(UNNAMED.to_owned()))?;
            let data = secrets.data(name).await?;
            let policy = match &verify.secret_ref {
                Some(_) => policy(verify.provider, name, &data, reference)?,
                None => keyless(&verify.match_oidc_identity, name, &data, reference)?,
            };
            print.update(&policy);
            all.push(Policies::from_yaml(&policy).map_err(|why| Error::SecretText {
                name: name.to_owned(),
                key: "cannot be used for spec.verify:".to_owned(),
                why: why.to_string(),
            })?);
        }
        Ok(Self { all, print: hex::encode(print.finalize()) })
    }

    /// What each policy says of this digest; an error if one refuses it.
    pub async fn verify(
        &self,
        registries: &Registries,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Verdict, Error> {
        let mut said = Verdict::NotAsked;
        for policies in &self.all {
            let verdict = registries.verify(policies, reference, digest).boxed().await;
            said = match (said, verdict.map_err(Error::Registry)?) {
                (said, Verdict::NotAsked) => said,
                (Verdict::Warned(why), _) => Verdict::Warned(why),
                (_, verdict) => verdict,
            };
        }
        if let Verdict::Warned(why) = &said {
            tracing::warn!(chart = %reference, why, "the chart is used without a trusted signature");
        }
        Ok(said)
    }
}

const UNNAMED: &str = "verify.secretRef is missing: name the Secret with the public keys (cosign) or the trust policy \
     (notation); signers without a key are named in policies.yaml of the ConfigMap qdrant-cloud-registries";

/// The policy of a Secret, as Flux reads it, in the form that the registry crate reads.
fn policy(
    provider: VerificationProvider,
    name: &str,
    data: &Data,
    reference: &Reference,
) -> Result<String, Error> {
    let prefix = reference.path();
    let policy = match provider {
        VerificationProvider::Cosign => {
            let keys = texts(name, data, &[".pub"])?;
            if keys.is_empty() {
                let instead = "add cosign's public key, such as cosign.pub";
                return Err(Error::Secret { name: name.to_owned(), key: "*.pub", instead });
            }
            json!({"prefix": prefix, "mode": "require", "cosign": {"keys": keys}})
        }
        VerificationProvider::Notation => {
            let document = text(name, data, TRUST_POLICY)?.ok_or_else(|| Error::Secret {
                name: name.to_owned(),
                key: TRUST_POLICY,
                instead: "add Notation's trust policy",
            })?;
            let (mode, identities) = trusted(&document, &prefix).map_err(|why| {
                Error::SecretText { name: name.to_owned(), key: TRUST_POLICY.to_owned(), why }
            })?;
            let authorities = texts(name, data, &[".crt", ".pem"])?;
            let notation = json!({"authorities": authorities, "trustedIdentities": identities});
            json!({"prefix": prefix, "mode": mode, "notation": notation})
        }
    };
    Ok(json!({ "policies": [policy] }).to_string())
}

/// The policy for signers without a key: who they are, by patterns that the whole name has to fit.
fn keyless(
    identities: &[OidcIdentity],
    name: &str,
    data: &Data,
    reference: &Reference,
) -> Result<String, Error> {
    let root = text(name, data, TRUSTED_ROOT)?.ok_or_else(|| Error::Secret {
        name: name.to_owned(),
        key: TRUSTED_ROOT,
        instead: "add Sigstore's trusted root, such as `cosign trusted-root create` writes",
    })?;
    let identities: Vec<_> = identities
        .iter()
        .map(|one| json!({"issuerPattern": one.issuer, "subjectPattern": one.subject}))
        .collect();
    let keyless = json!({"trustedRoot": root, "identities": identities});
    let policy = json!({"prefix": reference.path(), "mode": "require", "keyless": keyless});
    Ok(json!({ "policies": [policy] }).to_string())
}

/// All texts under keys that end so, in order.
fn texts(name: &str, data: &Data, endings: &[&str]) -> Result<Vec<String>, Error> {
    let ends = |key: &&String| endings.iter().any(|ending| key.ends_with(ending));
    let mut keys: Vec<&String> = data.keys().filter(ends).collect();
    keys.sort();
    keys.into_iter().map(|key| Ok(text(name, data, key)?.unwrap_or_default())).collect()
}

/// Notation's trust policy document.
/// <https://github.com/notaryproject/specifications/blob/main/specs/trust-store-trust-policy.md>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrustDocument {
    trust_policies: Vec<TrustPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrustPolicy {
    registry_scopes: Vec<String>,
    signature_verification: Level,
    #[serde(default)]
    trust_stores: Vec<String>,
    #[serde(default)]
    trusted_identities: Vec<String>,
}

#[derive(Deserialize)]
struct Level {
    level: String,
}

/// How strictly, and who, by the policy for this repository.
fn trusted(document: &str, repository: &str) -> Result<(&'static str, Vec<String>), String> {
    let document: TrustDocument = serde_json::from_str(document)
        .map_err(|error| format!("is not a trust policy document: {error}"))?;
    let scoped = |scope: &str| {
        document.trust_policies.iter().find(|p| p.registry_scopes.iter().any(|s| s == scope))
    };
    let policy = scoped(repository).or_else(|| scoped("*"));
    let policy = policy.ok_or_else(|| format!("has no policy whose scope is {repository}"))?;
    let mode = match policy.signature_verification.level.as_str() {
        // Revocation lists are not asked for; everything else that `strict` enforces is, in both.
        "strict" | "permissive" => "require",
        "audit" => "warn",
        other => {
            return Err(format!(
                "has the level {other:?} for {repository}: strict, permissive and audit are understood"
            ));
        }
    };
    if let Some(store) = policy.trust_stores.iter().find(|store| !store.starts_with("ca:")) {
        return Err(format!("names the trust store {store:?}: only ca: is understood"));
    }
    Ok((mode, policy.trusted_identities.clone()))
}

/// What was found out about digests, by what was asked.
#[derive(Default)]
pub struct Verdicts(Mutex<HashMap<(String, String), (Instant, Verdict)>>);

impl Verdicts {
    pub fn known(&self, digest: &str, asked: &Asked) -> Option<Verdict> {
        if asked.all.is_empty() {
            return Some(Verdict::NotAsked);
        }
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, verdict) = verdicts.get(&(digest.to_owned(), asked.print.clone()))?;
        let old = matches!(verdict, Verdict::Warned(_)) && since.elapsed() > WARNED;
        (!old).then(|| verdict.clone())
    }

    pub fn note(&self, digest: &Digest, asked: &Asked, verdict: &Verdict) {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        let question = (digest.to_string(), asked.print.clone());
        verdicts.insert(question, (Instant::now(), verdict.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::parse("oci://r.test/charts/app").expect("a reference")
    }

    fn data(entries: &[(&str, &str)]) -> Data {
        entries.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_secret_of_flux_is_a_policy() {
        let keys = data(&[("b.pub", "B"), ("a.pub", "A"), ("cosign.key", "never")]);
        let made = policy(VerificationProvider::Cosign, "s", &keys, &reference()).expect("valid");
        assert_eq!(
            made,
            r#"{"policies":[{"cosign":{"keys":["A","B"]},"mode":"require","prefix":"r.test/charts/app"}]}"#
        );
        let none = policy(VerificationProvider::Cosign, "s", &Data::new(), &reference());
        assert!(none.expect_err("no keys").to_string().contains("cosign.pub"));

        let document = |scope: &str, level: &str, store: &str| {
            format!(
                r#"{{"version":"1.0","trustPolicies":[{{"name":"n","registryScopes":["{scope}"],
                "signatureVerification":{{"level":"{level}"}},"trustStores":["{store}"],
                "trustedIdentities":["x509.subject: CN=build"]}}]}}"#
            )
        };
        for (scope, level, store, expected) in [
            ("*", "strict", "ca:x", Ok("require")),
            ("r.test/charts/app", "audit", "ca:x", Ok("warn")),
            ("r.test/charts/other", "strict", "ca:x", Err("no policy whose scope")),
            ("*", "skip", "ca:x", Err("\"skip\"")),
            ("*", "strict", "tsa:x", Err("tsa:x")),
        ] {
            let got = trusted(&document(scope, level, store), "r.test/charts/app");
            match (got, expected) {
                (Ok((mode, identities)), Ok(expected)) => {
                    assert_eq!((mode, identities.len()), (expected, 1));
                }
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (got, expected) => panic!("{scope} {level} {store}: {got:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn signers_without_a_key_are_named_by_patterns() {
        let identity =
            OidcIdentity { issuer: "https://i.test".into(), subject: "^.*@x.test$".into() };
        let root = data(&[(TRUSTED_ROOT, "{}")]);
        let made = keyless(&[identity], "s", &root, &reference()).expect("a policy");
        assert_eq!(
            made,
            r#"{"policies":[{"keyless":{"identities":[{"issuerPattern":"https://i.test","subjectPattern":"^.*@x.test$"}],"trustedRoot":"{}"},"mode":"require","prefix":"r.test/charts/app"}]}"#
        );
        let anybody = keyless(&[], "s", &root, &reference()).expect("a policy");
        let error = Policies::from_yaml(&anybody).expect_err("nobody is named").to_string();
        assert!(error.contains("anybody could sign"), "{error}");
        let none = keyless(&[], "s", &Data::new(), &reference()).expect_err("no root");
        assert!(none.to_string().contains(TRUSTED_ROOT), "{none}");
    }

    #[test]
    fn what_was_verified_holds_for_the_same_question_alone() {
        let asked = |print: &str| Asked { all: vec![Policies::default()], print: print.into() };
        let digest = Digest::of(b"x");
        let verdicts = Verdicts::default();
        verdicts.note(&digest, &asked("a"), &Verdict::Signed("somebody".into()));
        assert!(verdicts.known(digest.as_str(), &asked("a")).is_some());
        assert_eq!(verdicts.known(digest.as_str(), &asked("b")), None);
        assert_eq!(verdicts.known(Digest::of(b"y").as_str(), &asked("a")), None);
        let nobody = Asked { all: Vec::new(), print: String::new() };
        assert_eq!(verdicts.known(digest.as_str(), &nobody), Some(Verdict::NotAsked));
    }
}
