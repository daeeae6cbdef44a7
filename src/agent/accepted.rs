//! The last accepted desired state, kept in a Secret: a restarted agent goes on without the Console,
//! and never accepts an older state than before.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::FIELD_MANAGER;
use crate::model::desired::{Desired, DesiredError, MAX_DOCUMENT, SignedDesired};

/// The Secret. Values of a pin may be sensitive, so it is not a ConfigMap.
pub const SECRET: &str = "qdrant-cloud-agent-state";
/// Compressed, because a Secret holds 1 MiB and so may a document.
const DOCUMENT: &str = "desired.json.gz";
const SIGNATURE: &str = "signature";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the Secret {SECRET}, which holds the last accepted state")]
    Read(#[source] kube::Error),
    #[error("cannot write the Secret {SECRET}, which holds the last accepted state")]
    Write(#[source] kube::Error),
    #[error("the Secret {SECRET} is damaged: {0}; it is replaced once the Console sends a state")]
    Damaged(&'static str),
    #[error(
        "the state in the Secret {SECRET} is not used; it is replaced once the Console sends one"
    )]
    Refused(#[source] DesiredError),
}

/// The Secret in the agent's namespace.
#[derive(Clone)]
pub struct Store {
    api: Api<Secret>,
}

impl Store {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client, namespace) }
    }

    /// The state that was kept last, checked as if it had just arrived.
    pub async fn load(
        &self,
        key: &VerifyingKey,
        environment: &str,
    ) -> Result<Option<(SignedDesired, Desired)>, Error> {
        let Some(secret) = self.api.get_opt(SECRET).await.map_err(Error::Read)? else {
            return Ok(None);
        };
        let signed = unpack(&secret)?;
        let desired = signed.verify(key, environment, 0).map_err(Error::Refused)?;
        Ok(Some((signed, desired)))
    }

    /// Replaces what was kept.
    pub async fn save(&self, signed: &SignedDesired) -> Result<(), Error> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": SECRET },
            "data": {
                DOCUMENT: STANDARD.encode(pack(&signed.document)),
                SIGNATURE: STANDARD.encode(signed.signature),
            },
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.api.patch(SECRET, &parameters, &Patch::Apply(secret)).await.map_err(Error::Write)?;
        Ok(())
    }
}

fn pack(document: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(document).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

fn unpack(secret: &Secret) -> Result<SignedDesired, Error> {
    let get = |key| secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| &bytes.0[..]);
    let packed = get(DOCUMENT).ok_or(Error::Damaged("the document is missing"))?;
    let signature = get(SIGNATURE).ok_or(Error::Damaged("the signature is missing"))?;
    let signature =
        signature.try_into().map_err(|_| Error::Damaged("the signature is not 64 bytes long"))?;
    let mut document = Vec::new();
    GzDecoder::new(packed)
        .take(MAX_DOCUMENT as u64 + 1)
        .read_to_end(&mut document)
        .map_err(|_| Error::Damaged("the document is not compressed by gzip"))?;
    Ok(SignedDesired { document, signature })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(entries: &[(&str, Vec<u8>)]) -> Secret {
        let data = entries.iter().map(|(k, v)| (k.to_string(), ByteString(v.clone()))).collect();
        Secret { data: Some(data), ..Default::default() }
    }

    #[test]
    fn round_trip_of_the_largest_document() {
        let document = vec![b'x'; MAX_DOCUMENT];
        let found = unpack(&secret(&[(DOCUMENT, pack(&document)), (SIGNATURE, vec![7; 64])]));
        assert_eq!(found.expect("whole"), SignedDesired { document, signature: [7; 64] });
    }

    #[test]
    fn damage_is_named_and_bounded() {
        let bomb = pack(&vec![0; 3 * MAX_DOCUMENT]);
        let found = unpack(&secret(&[(DOCUMENT, bomb), (SIGNATURE, vec![7; 64])]));
        assert_eq!(found.expect("cut").document.len(), MAX_DOCUMENT + 1);
        for (entries, problem) in [
            (vec![(SIGNATURE, vec![7; 64])], "document is missing"),
            (vec![(DOCUMENT, pack(b"x"))], "signature is missing"),
            (vec![(DOCUMENT, pack(b"x")), (SIGNATURE, vec![7; 63])], "64"),
            (vec![(DOCUMENT, b"x".to_vec()), (SIGNATURE, vec![7; 64])], "gzip"),
        ] {
            let error = unpack(&secret(&entries)).expect_err(problem).to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
