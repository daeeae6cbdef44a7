//! Sigstore bundles (`application/vnd.dev.sigstore.bundle.v0.3+json`), attached as referrers: a
//! DSSE envelope around an in-toto statement about the image.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use super::{Parts, SIGN};
use crate::{
    digest::Digest,
    verify::{
        rekor::{Entry, Proof},
        trusted_root::{KeyId, Raw},
    },
};

/// Beginning of the artifact types of all versions.
pub(in crate::verify) const KIND: &str = "application/vnd.dev.sigstore.bundle";
const STATEMENT: &str = "application/vnd.in-toto+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Material {
    certificate: Option<Raw>,
    x509_certificate_chain: Option<Certificates>,
    tlog_entries: Vec<FileEntry>,
    timestamp_verification_data: Option<Stamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<Stamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamp {
    signed_timestamp: String,
}

#[derive(Deserialize)]
struct Certificates {
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileEntry {
    #[serde(default)]
    log_index: String,
    log_id: KeyId,
    #[serde(default)]
    integrated_time: String,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<FileProof>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileProof {
    #[serde(default)]
    log_index: String,
    root_hash: String,
    tree_size: String,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// Reads a bundle; refuses one that is no signature of this digest.
pub(in crate::verify) fn parts(text: &[u8], digest: &Digest) -> Result<Parts, String> {
    let bundle: Bundle = serde_json::from_slice(text)
        .map_err(|error| format!("it is not a sigstore bundle: {error}"))?;
    let envelope = bundle.dsse_envelope.ok_or("its bundle holds no envelope")?;
    let [signature] = envelope.signatures.as_slice() else {
        return Err("its envelope has not exactly one signature".to_owned());
    };
    let payload = decode(&envelope.payload)?;
    is_about(&envelope.payload_type, &payload, digest)?;
    let mut certificates = Vec::new();
    let material = bundle.verification_material;
    let chain = material.x509_certificate_chain.map(|chain| chain.certificates);
    for raw in material.certificate.into_iter().chain(chain.into_iter().flatten()) {
        certificates.push(decode(&raw.raw_bytes)?);
    }
    let entry = material.tlog_entries.into_iter().next().map(entry).transpose()?;
    let stamps = material.timestamp_verification_data.map(|data| data.rfc3161_timestamps);
    let stamps = stamps.into_iter().flatten().map(|stamp| decode(&stamp.signed_timestamp));
    let stamps = stamps.collect::<Result<_, _>>()?;
    Ok(Parts {
        message: encoded(&envelope.payload_type, &payload),
        signature: decode(&signature.sig)?,
        payload,
        certificates,
        entry,
        stamps,
    })
}

/// DSSE's pre-authentication encoding.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let start = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [start.as_bytes(), payload].concat()
}

fn is_about(kind: &str, payload: &[u8], digest: &Digest) -> Result<(), String> {
    let statement: Value =
        serde_json::from_slice(payload).map_err(|_| "its statement is not JSON".to_owned())?;
    let text = |name: &str| statement.get(name).and_then(Value::as_str).unwrap_or_default();
    if kind != STATEMENT || !text("_type").starts_with("https://in-toto.io/Statement/") {
        return Err("its envelope holds no in-toto statement".to_owned());
    }
    if text("predicateType") != SIGN {
        return Err("it is an attestation, not a signature".to_owned());
    }
    let subjects = statement.get("subject").and_then(Value::as_array);
    let names = |subject: &Value| {
        subject.pointer("/digest/sha256").and_then(Value::as_str) == Some(digest.hex())
    };
    if subjects.is_some_and(|subjects| subjects.iter().any(names)) {
        Ok(())
    } else {
        Err("it is about another digest".to_owned())
    }
}

fn entry(entry: FileEntry) -> Result<Entry, String> {
    let proof = entry.inclusion_proof.map(|proof| {
        Ok::<_, String>(Proof {
            index: number(&proof.log_index)?,
            size: number(&proof.tree_size)?,
            root: decode(&proof.root_hash)?,
            hashes: proof.hashes.iter().map(|hash| decode(hash)).collect::<Result<_, _>>()?,
            checkpoint: proof.checkpoint.envelope,
        })
    });
    let promise = entry.inclusion_promise.map(|promise| decode(&promise.signed_entry_timestamp));
    Ok(Entry {
        body: decode(&entry.canonicalized_body)?,
        log_id: decode(&entry.log_id.key_id)?,
        log_index: number(&entry.log_index)?
            .try_into()
            .map_err(|_| "its log index is too large")?,
        integrated: number(&entry.integrated_time)?
            .try_into()
            .map_err(|_| "its time is too large")?,
        promise: promise.transpose()?,
        proof: proof.transpose()?,
    })
}

/// Protobuf's JSON writes 64-bit numbers as text, and leaves out zero.
fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| "its entry of the transparency log cannot be read".to_owned())
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| "it holds something that is not base64".to_owned())
}
