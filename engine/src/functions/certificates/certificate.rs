//! Sprig's certificate, a struct of two PEM texts, and reading one that signs others.

use std::any::Any;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::issue::Request;
use super::pem;
use super::private_key::PrivateKey;
use crate::functions::Returned;
use crate::template::{Object, Value};

/// The name of Go's type.
pub(super) const TYPE: &str = "sprig.certificate";

pub(super) struct Certificate {
    pub cert: String,
    pub key: String,
}

/// What a certificate takes over from the one that signs it.
pub(super) struct Issuer {
    /// The name, as DER.
    pub subject: Vec<u8>,
    /// Empty if it has none.
    pub key_id: Vec<u8>,
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        TYPE
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.cert.as_str().into()),
            "Key" => Some(self.key.as_str().into()),
            _ => None,
        }
    }

    fn text(&self) -> Option<String> {
        Some(format!("{{{} {}}}", self.cert, self.key))
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "Cert": self.cert, "Key": self.key })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A certificate and a key that the chart brings itself, checked.
pub(super) fn custom(cert: &str, key: &str) -> Returned {
    let decode = |text: &str, what: &str| {
        let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        STANDARD.decode(clean).map_err(|_| format!("unable to decode base64 {what}"))
    };
    let cert = decode(cert, "certificate")?;
    let key = decode(key, "private key")?;
    let (cert, key) = (String::from_utf8_lossy(&cert), String::from_utf8_lossy(&key));
    let block = pem::decode(&cert).ok_or("unable to decode certificate")?;
    parse(&block.content, "decodedCert")?;
    PrivateKey::parse(&key).map_err(|error| format!("error parsing private key: {error}"))?;
    Ok(Certificate { cert: cert.into_owned(), key: key.into_owned() }.into())
}

fn parse<'a>(content: &'a [u8], name: &str) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(content) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(format!("error parsing certificate: {name}.Bytes: x509: trailing data")),
        Err(_) => {
            Err(format!("error parsing certificate: {name}.Bytes: x509: malformed certificate"))
        }
    }
}

/// A certificate for `key`, signed by the certificate `ca`.
pub(super) fn signed_by(
    ca: &Value,
    request: impl FnOnce() -> Result<Request, String>,
    key: &PrivateKey,
) -> Result<Certificate, String> {
    let ca = match ca {
        Value::Object(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    };
    let ca = ca.ok_or("unable to decode certificate")?;
    let block = pem::decode(&ca.cert).ok_or("unable to decode certificate")?;
    let parent = parse(&block.content, "decodedSignerCert")?;
    let parent_key = PrivateKey::parse(&ca.key)
        .map_err(|error| format!("error parsing private key: {error}"))?;
    let request = request()?;
    if parent.public_key().raw != parent_key.public_info() {
        return Err(
            "error creating certificate: x509: provided PrivateKey doesn't match parent's \
                    PublicKey"
                .into(),
        );
    }
    let key_id =
        parent.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
    let issuer =
        Issuer { subject: parent.subject().as_raw().to_vec(), key_id: key_id.unwrap_or_default() };
    request.signed(key, &issuer, &parent_key)
}
