//! Signatures by others: cosign (by key, or keyless with a trusted root in a file) and Notation.
//!
//! [`Policies`] say by prefix what is asked for. [`verify`] takes a digest, not a tag: what was
//! verified is what is pulled then. Nothing is asked of any network but the registry itself.

use std::time::{SystemTime, UNIX_EPOCH};

mod certificate;
mod cosign;
mod identity;
mod key;
mod notation;
mod policy;
mod rekor;
mod timestamp;
mod trusted_root;

pub use policy::{Mode, Policies, PolicyError};

use crate::{
    client::{Client, tags_of_old_signatures},
    digest::Digest,
    error::Error,
    manifest::{Descriptor, Manifest, ManifestBytes},
    reference::Reference,
};
use cosign::{bundle, simple};
use policy::{AnySigner, Policy};

/// Largest signature, in bytes. 1 MiB.
const SIGNATURE_BYTES: u64 = 1024 * 1024;
/// Most signatures that are looked at for one digest. 64.
const MOST: usize = 64;

/// What came of looking for signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// By whom, in words.
    Signed(String),
    /// Nobody was asked for: no policy, or one that is off.
    NotAsked,
    /// The policy only warns; why it is not trusted.
    Warned(String),
}

/// Why something may not be used.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("{reference} is not signed as its policy asks: {why}")]
    NotSigned { reference: Reference, why: String },
    #[error("the signatures of {reference} cannot be read")]
    Registry {
        reference: Reference,
        #[source]
        source: Error,
    },
}

impl VerifyError {
    /// A short fixed name for condition reasons and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotSigned { .. } => "NotSigned",
            Self::Registry { source, .. } => source.reason(),
        }
    }
}

/// Looks for a signature of `digest` that the policy of `name` asks for.
///
/// `name` decides the policy (the original name, not that of a mirror); the signatures are read
/// from `at`, the repository that the content comes from. That cannot do harm: a mirror may hide
/// signatures, and cannot make them.
pub async fn verify(
    policies: &Policies,
    name: &Reference,
    client: &Client,
    at: &Reference,
    digest: &Digest,
) -> Result<Verdict, VerifyError> {
    let Some(policy) = policies.of(name).filter(|_| policies.asks(name)) else {
        return Ok(Verdict::NotAsked);
    };
    let reference = name.repository_only().with_digest(digest.clone());
    let found = match found(client, at, digest, policy).await {
        Ok(found) => found,
        Err(source) if policy.mode == Mode::Warn => return Ok(Verdict::Warned(source.to_string())),
        Err(source) => return Err(VerifyError::Registry { reference, source }),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match judge(policy, &found, digest, now.try_into().unwrap_or(i64::MAX)) {
        Ok(by) => Ok(Verdict::Signed(by)),
        Err(why) if policy.mode == Mode::Warn => Ok(Verdict::Warned(why)),
        Err(why) => Err(VerifyError::NotSigned { reference, why }),
    }
}

/// A signature as it was found, not yet believed.
#[derive(Debug)]
enum Found {
    Simple { payload: Vec<u8>, layer: Descriptor },
    Bundle(Vec<u8>),
    Notation(Vec<u8>),
}

/// Pure: is one of these by one who is trusted?
fn judge(policy: &Policy, found: &[Found], digest: &Digest, now: i64) -> Result<String, String> {
    let mut refused = Vec::new();
    for signature in found {
        for signer in &policy.signers {
            let checked = match (signer, signature) {
                (AnySigner::Cosign(signer), Found::Simple { payload, layer }) => {
                    let none = std::collections::BTreeMap::new();
                    let annotations = layer.annotations.as_ref().unwrap_or(&none);
                    simple::parts(payload, annotations, digest)
                        .and_then(|parts| signer.check(&parts))
                }
                (AnySigner::Cosign(signer), Found::Bundle(text)) => {
                    bundle::parts(text, digest).and_then(|parts| signer.check(&parts))
                }
                (AnySigner::Notation(store), Found::Notation(text)) => {
                    store.check(text, digest, now)
                }
                _ => continue,
            };
            match checked {
                Ok(by) => return Ok(by),
                Err(why) => refused.push(why),
            }
        }
    }
    refused.dedup();
    Err(match refused.as_slice() {
        [] => "it carries no signature of the kind that is asked for".to_owned(),
        [why] => format!("of its one signature, {why}"),
        all => format!("none of its signatures is trusted: {}", all.join("; ")),
    })
}

/// Reads the signatures that the policy can make use of.
async fn found(
    client: &Client,
    at: &Reference,
    digest: &Digest,
    policy: &Policy,
) -> Result<Vec<Found>, Error> {
    let repository = at.repository_only();
    let any = |wanted: fn(&AnySigner) -> bool| policy.signers.iter().any(wanted);
    let mut found = Vec::new();
    let cosign = any(|signer| matches!(signer, AnySigner::Cosign(_)));
    if cosign {
        let [tag, ..] = tags_of_old_signatures(digest);
        match client.manifest(&repository.with_tag(&tag)?).await {
            Ok(manifest) => simple_form(client, &repository, &manifest, &mut found).await?,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for attached in client.referrers(&repository, digest, None).await?.manifests {
        if found.len() >= MOST {
            break;
        }
        let kind = attached.artifact_type.as_deref().unwrap_or_default();
        let is_bundle = cosign && kind.starts_with(bundle::KIND);
        let is_simple = cosign && kind == simple::KIND;
        let is_notation =
            kind == notation::KIND && any(|signer| matches!(signer, AnySigner::Notation(_)));
        if !is_bundle && !is_simple && !is_notation {
            continue;
        }
        let manifest = client.manifest(&repository.with_digest(attached.digest)).await?;
        if is_simple {
            simple_form(client, &repository, &manifest, &mut found).await?;
            continue;
        }
        let Ok(Manifest::Image(image)) = manifest.parse() else { continue };
        let Some(layer) = image.layers.first() else { continue };
        if is_notation && layer.media_type != notation::JWS {
            tracing::warn!(
                media_type = layer.media_type,
                "a Notation signature is no JWS envelope"
            );
            continue;
        }
        let text = client.blob_bytes(&repository, layer, SIGNATURE_BYTES).await?.to_vec();
        found.push(if is_bundle { Found::Bundle(text) } else { Found::Notation(text) });
    }
    Ok(found)
}

/// Signatures in cosign's older form, each a layer of one manifest.
async fn simple_form(
    client: &Client,
    repository: &Reference,
    manifest: &ManifestBytes,
    found: &mut Vec<Found>,
) -> Result<(), Error> {
    let Ok(Manifest::Image(image)) = manifest.parse() else { return Ok(()) };
    let layers = image.layers.into_iter().filter(|layer| layer.media_type == simple::LAYER);
    for layer in layers.take(MOST.saturating_sub(found.len())) {
        let payload = client.blob_bytes(repository, &layer, SIGNATURE_BYTES).await?.to_vec();
        found.push(Found::Simple { payload, layer });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
