//! The older form: a manifest under the tag `sha256-<hex>.sig` (or attached as a referrer), with one
//! layer for each signature whose annotations hold the signature.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;
use serde_json::Value;

use super::Parts;
use crate::{digest::Digest, verify::rekor::Entry};

/// What such a manifest is called where it is a referrer instead.
pub(in crate::verify) const KIND: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// Media type of the layers.
pub(in crate::verify) const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG: &str = "dev.sigstore.cosign/bundle";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Log {
    signed_entry_timestamp: String,
    payload: LogPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// Reads a layer and its annotations; refuses one that is about another digest.
pub(in crate::verify) fn parts(
    payload: &[u8],
    annotations: &BTreeMap<String, String>,
    digest: &Digest,
) -> Result<Parts, String> {
    let document: Value =
        serde_json::from_slice(payload).map_err(|_| "its payload is not JSON".to_owned())?;
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if text("/critical/type") != "cosign container image signature" {
        return Err("its payload is not a signature of an image".to_owned());
    }
    let about = text("/critical/image/docker-manifest-digest");
    if about != digest.as_str() {
        return Err("it is about another digest".to_owned());
    }
    let signature = annotations.get(SIGNATURE).and_then(|text| STANDARD.decode(text).ok());
    let signature = signature.ok_or("it carries no signature")?;
    let mut certificates = Vec::new();
    for name in [CERTIFICATE, CHAIN] {
        let pem = annotations.get(name).map(String::as_bytes).unwrap_or_default();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "its certificate is not PEM".to_owned())?;
            certificates.push(certificate.to_vec());
        }
    }
    let entry = annotations.get(LOG).map(|text| entry(text)).transpose()?;
    let payload = payload.to_vec();
    Ok(Parts {
        message: payload.clone(),
        payload,
        signature,
        certificates,
        entry,
        stamps: Vec::new(),
    })
}

fn entry(text: &str) -> Result<Entry, String> {
    let bad = || "its entry of the transparency log cannot be read".to_owned();
    let log: Log = serde_json::from_str(text).map_err(|_| bad())?;
    Ok(Entry {
        body: STANDARD.decode(&log.payload.body).map_err(|_| bad())?,
        log_id: hex::decode(&log.payload.log_id).map_err(|_| bad())?,
        log_index: log.payload.log_index,
        integrated: log.payload.integrated_time,
        promise: Some(STANDARD.decode(&log.signed_entry_timestamp).map_err(|_| bad())?),
        proof: None,
    })
}
