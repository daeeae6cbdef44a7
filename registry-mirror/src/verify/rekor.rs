//! Entries of the transparency log Rekor: that an entry is in the log, when it came there, and
//! that it is about the signature at hand.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    timestamp,
    trusted_root::{Log, TrustedRoot},
};

/// An entry as a signature carries it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Canonical JSON.
    pub body: Vec<u8>,
    pub log_id: Vec<u8>,
    pub log_index: i64,
    /// Seconds since 1970. The log's promise covers it, and without one it means nothing.
    pub integrated: i64,
    /// SignedEntryTimestamp. Logs of Rekor's second version give none.
    pub promise: Option<Vec<u8>>,
    pub proof: Option<Proof>,
}

#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub index: u64,
    pub size: u64,
    pub root: Vec<u8>,
    pub hashes: Vec<Vec<u8>>,
    pub checkpoint: String,
}

/// What was signed, for the log's entry to be held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    /// Of these bytes, or of the message, the entry names the sha256, as its kind has it.
    pub payload: &'a [u8],
    /// What the signature covers.
    pub message: &'a [u8],
    pub signature: &'a [u8],
    /// DER of the signer's certificate.
    pub certificate: &'a [u8],
    /// Timestamps of the signature.
    pub stamps: &'a [Vec<u8>],
}

impl Entry {
    /// The time at which the log, or an authority for timestamps, saw the signature, after
    /// everything about both was checked.
    pub(super) fn check(&self, root: &TrustedRoot, signed: Signed<'_>) -> Result<i64, String> {
        let log = root.log(&self.log_id).ok_or("its log is not in the trusted root")?;
        // Only the promise signs the time; a proof alone does not tell when.
        let at = match &self.promise {
            Some(promise) if log.key.verifies(self.promised().as_bytes(), promise) => {
                self.integrated
            }
            Some(_) => return Err("the log did not sign its entry".to_owned()),
            None => timestamp::time(&root.stampers, signed.stamps, signed.signature)?,
        };
        if !log.valid.holds(at) {
            return Err("its log was not trusted at that time".to_owned());
        }
        match &self.proof {
            Some(proof) => proof.check(log, &self.body)?,
            None if self.promise.is_some() => {}
            None => return Err("nothing proves that its entry is in the log".to_owned()),
        }
        is_about(&self.body, signed)?;
        Ok(at)
    }

    /// The canonical JSON that the promise signs.
    fn promised(&self) -> String {
        format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            STANDARD.encode(&self.body),
            self.integrated,
            hex::encode(&self.log_id),
            self.log_index,
        )
    }
}

impl Proof {
    /// That the body is in a tree whose root the log signed (RFC 6962, and a signed note).
    fn check(&self, log: &Log, body: &[u8]) -> Result<(), String> {
        if included(self.index, self.size, body, &self.hashes).as_deref() != Some(&self.root[..]) {
            return Err("the proof that its entry is in the log does not hold".to_owned());
        }
        let bad = || "the log did not sign the tree that its entry is in".to_owned();
        let (note, signatures) = self.checkpoint.split_once("\n\n").ok_or_else(bad)?;
        // Name, size, root. The root is that of one tree, whatever size is told with it.
        let root = note.lines().nth(2).and_then(|root| STANDARD.decode(root).ok());
        if root.as_deref() != Some(&self.root[..]) {
            return Err(bad());
        }
        let note = format!("{note}\n");
        let signed = signatures.lines().take(16).any(|line| {
            let last = line.strip_prefix("\u{2014} ").and_then(|line| line.rsplit_once(' '));
            let bytes = last.and_then(|(_, text)| STANDARD.decode(text).ok());
            // Four bytes say which key; it is tried anyway.
            bytes.is_some_and(|bytes| {
                bytes.get(4..).is_some_and(|bytes| log.key.verifies(note.as_bytes(), bytes))
            })
        });
        if signed { Ok(()) } else { Err(bad()) }
    }
}

/// The root of a tree of `size` leaves in which `body` is the leaf `index`; `None` if the number
/// of hashes is not the one that belongs to it (RFC 9162, 2.1.3.2).
fn included(index: u64, size: u64, body: &[u8], hashes: &[Vec<u8>]) -> Option<Vec<u8>> {
    if index >= size {
        return None;
    }
    let node = |left: &[u8], right: &[u8]| {
        let mut hash = Sha256::new_with_prefix([1]);
        hash.update(left);
        hash.update(right);
        hash.finalize().to_vec()
    };
    let mut hash = Sha256::new_with_prefix([0]);
    hash.update(body);
    let mut at = hash.finalize().to_vec();
    let (mut index, mut last) = (index, size - 1);
    for other in hashes {
        if last == 0 || other.len() != 32 {
            return None;
        }
        if index & 1 == 1 || index == last {
            at = node(other, &at);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            at = node(&at, other);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(at)
}

/// That the entry is about this payload, signature and certificate.
fn is_about(body: &[u8], signed: Signed<'_>) -> Result<(), String> {
    let entry: Value =
        serde_json::from_slice(body).map_err(|_| "the log's entry is not JSON".to_owned())?;
    let text = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let decoded = |path: &str| STANDARD.decode(text(path)).unwrap_or_default();
    let pem = |path: &str| {
        let der = CertificateDer::from_pem_slice(&decoded(path)).ok();
        der.map(|der| der.to_vec()).unwrap_or_default()
    };
    let hex = |path: &str| hex::decode(text(path)).unwrap_or_default();
    let Signed { payload, message, .. } = signed;
    let (of, hash, signature, certificate) = match (text("/kind"), text("/apiVersion")) {
        ("hashedrekord", "0.0.1") => (
            message,
            hex("/spec/data/hash/value"),
            decoded("/spec/signature/content"),
            pem("/spec/signature/publicKey/content"),
        ),
        ("hashedrekord", "0.0.2") => (
            message,
            decoded("/spec/hashedRekordV002/data/digest"),
            decoded("/spec/hashedRekordV002/signature/content"),
            decoded("/spec/hashedRekordV002/signature/verifier/x509Certificate/rawBytes"),
        ),
        ("dsse", "0.0.1") => (
            payload,
            hex("/spec/payloadHash/value"),
            decoded("/spec/signatures/0/signature"),
            pem("/spec/signatures/0/verifier"),
        ),
        ("dsse", "0.0.2") => (
            payload,
            decoded("/spec/dsseV002/payloadHash/digest"),
            decoded("/spec/dsseV002/signatures/0/content"),
            decoded("/spec/dsseV002/signatures/0/verifier/x509Certificate/rawBytes"),
        ),
        ("intoto", "0.0.2") => (
            payload,
            hex("/spec/content/payloadHash/value"),
            // Twice, since the envelope's own text is encoded again.
            STANDARD.decode(decoded("/spec/content/envelope/signatures/0/sig")).unwrap_or_default(),
            pem("/spec/content/envelope/signatures/0/publicKey"),
        ),
        (kind, version) => {
            let kind: String = kind.chars().take(40).collect();
            let version: String = version.chars().take(10).collect();
            return Err(format!("the log's entry is of a kind not known here: {kind} {version}"));
        }
    };
    if hash != Sha256::digest(of).as_slice()
        || signature != signed.signature
        || certificate != signed.certificate
    {
        return Err("the log's entry is about another signature".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(body: &[u8]) -> Vec<u8> {
        Sha256::new_with_prefix([&[0], body].concat()).finalize().to_vec()
    }

    fn node(left: &[u8], right: &[u8]) -> Vec<u8> {
        Sha256::new_with_prefix([&[1], left, right].concat()).finalize().to_vec()
    }

    #[test]
    fn proofs_of_a_tree_of_three() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|body| leaf(body));
        let ab = node(&a, &b);
        let root = Some(node(&ab, &c));
        assert_eq!(included(0, 3, b"a", &[b.clone(), c.clone()]), root);
        assert_eq!(included(1, 3, b"b", &[a.clone(), c.clone()]), root);
        assert_eq!(included(2, 3, b"c", std::slice::from_ref(&ab)), root);
        assert_eq!(included(0, 1, b"a", &[]), Some(a.clone()));
        // Too few, too many, out of the tree.
        assert_eq!(included(0, 3, b"a", std::slice::from_ref(&b)), None);
        assert_eq!(included(2, 3, b"c", &[ab.clone(), ab]), None);
        assert_eq!(included(3, 3, b"c", &[]), None);
        assert_ne!(included(0, 3, b"x", &[b, c]), root);
    }
}
