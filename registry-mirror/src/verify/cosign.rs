//! Signatures as cosign makes them: its older form under a tag, and sigstore bundles attached as
//! referrers. By public key, or keyless: by a certificate that names who signed.

use super::{
    certificate::{Leaf, Purpose},
    identity::Identity,
    key::Key,
    rekor::{Entry, Signed},
    trusted_root::TrustedRoot,
};

pub(super) mod bundle;
pub(super) mod simple;

/// The type of the statement that `cosign sign` makes. Other statements (attestations) say things
/// about an image, and are no signature of it.
pub(super) const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Who must have signed.
#[derive(Debug, Clone)]
pub(super) enum Signer {
    Keys(Vec<Key>),
    Keyless { root: Box<TrustedRoot>, identities: Vec<Identity> },
}

/// The parts of either form of signature.
#[derive(Debug)]
pub(super) struct Parts {
    /// What is said of the image.
    pub payload: Vec<u8>,
    /// What the signature covers: the payload, or an envelope around it.
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    /// DER of the signer's certificate, and of what is between it and an authority.
    pub certificates: Vec<Vec<u8>>,
    pub entry: Option<Entry>,
    /// Timestamps of the signature, by authorities.
    pub stamps: Vec<Vec<u8>>,
}

impl Signer {
    /// Who signed, in words; or why the signature does not count.
    pub(super) fn check(&self, parts: &Parts) -> Result<String, String> {
        match self {
            Self::Keys(keys) => {
                let known = keys.iter().any(|key| key.verifies(&parts.message, &parts.signature));
                if known {
                    Ok("cosign, by a trusted key".to_owned())
                } else {
                    Err("it is not by any of the trusted keys".to_owned())
                }
            }
            Self::Keyless { root, identities } => keyless(root, identities, parts),
        }
    }
}

fn keyless(root: &TrustedRoot, identities: &[Identity], parts: &Parts) -> Result<String, String> {
    let [leaf, between @ ..] = parts.certificates.as_slice() else {
        return Err("it carries no certificate, so it is not keyless".to_owned());
    };
    let leaf = Leaf::parse(leaf)?;
    if !leaf.key.verifies(&parts.message, &parts.signature) {
        return Err("it does not fit its certificate".to_owned());
    }
    let entry = parts.entry.as_ref().ok_or("it carries no entry of a transparency log")?;
    let Parts { payload, message, signature, stamps, .. } = parts;
    let certificate = leaf.der.as_slice();
    let at = entry.check(root, Signed { payload, message, signature, certificate, stamps })?;
    let mut why = "no authority of the trusted root was valid at that time".to_owned();
    let valid = root.authorities.iter().filter(|authority| authority.valid.holds(at));
    let trusted = valid.into_iter().any(|authority| {
        let (top, below) = authority.chain.split_last().expect("a chain is not empty");
        let between: Vec<Vec<u8>> = between.iter().chain(below).cloned().collect();
        let checked =
            leaf.check_chain(std::slice::from_ref(top), &between, at, Purpose::CodeSigning);
        checked.map_err(|error| why = error).is_ok()
    });
    if !trusted {
        return Err(why);
    }
    let issuer = leaf.issuer.as_deref().unwrap_or_default();
    let by = leaf.names.iter().find(|name| identities.iter().any(|i| i.fits(issuer, name)));
    by.map(|name| format!("cosign, keyless: {name} by {issuer}")).ok_or_else(|| {
        format!("it is by {} of {issuer:?}, who is not trusted", leaf.names.join(", "))
    })
}
