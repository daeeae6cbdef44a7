//! Certificates of signers: whose they are, and which authority says so.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    prelude::{FromDer as _, ParsedExtension},
};

use super::key::Key;

/// id-kp-codeSigning, 1.3.6.1.5.5.7.3.3.
const CODE_SIGNING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 3];
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 8];
/// Fulcio's extensions for the issuer of the token: as raw text, and as a DER string.
const ISSUER_V1: &str = "1.3.6.1.4.1.57264.1.1";
const ISSUER_V2: &str = "1.3.6.1.4.1.57264.1.8";

/// What a certificate must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It must say so.
    CodeSigning,
    /// It may say nothing, and must not say other things alone: Notation's rule.
    CodeSigningOrAny,
    /// It must say so.
    TimeStamping,
}

/// What a signer's certificate says.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub der: Vec<u8>,
    pub key: Key,
    /// E-mail addresses and URIs of the certificate.
    pub names: Vec<String>,
    /// Who vouched for the name, by Fulcio's extension.
    pub issuer: Option<String>,
    /// Parts of the subject's name, as `("CN", "build")`.
    pub subject: Vec<(String, String)>,
    pub not_before: i64,
    pub not_after: i64,
    /// `None` if it says nothing of what it is for.
    uses: Option<Uses>,
}

#[derive(Debug, Clone, Copy)]
struct Uses {
    code_signing: bool,
    time_stamping: bool,
}

impl Leaf {
    pub(super) fn parse(der: &[u8]) -> Result<Self, &'static str> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|_| "the signer's certificate cannot be read")?;
        if !rest.is_empty() {
            return Err("there is something after the signer's certificate");
        }
        let key = Key::of(certificate.public_key())?;
        let usage = certificate.extended_key_usage().ok().flatten();
        let validity = certificate.validity();
        Ok(Self {
            der: der.to_vec(),
            key,
            names: names(&certificate),
            issuer: issuer(&certificate),
            subject: subject(&certificate),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            uses: usage.map(|usage| Uses {
                code_signing: usage.value.code_signing,
                time_stamping: usage.value.time_stamping,
            }),
        })
    }

    /// Holds the certificate against these authorities at a point in time (seconds since 1970).
    pub(super) fn check_chain(
        &self,
        authorities: &[Vec<u8>],
        between: &[Vec<u8>],
        at: i64,
        purpose: Purpose,
    ) -> Result<(), String> {
        let (fits, name, usage) = match purpose {
            Purpose::CodeSigning => {
                (self.uses.is_some_and(|uses| uses.code_signing), "signing code", CODE_SIGNING)
            }
            Purpose::CodeSigningOrAny => {
                (self.uses.is_none_or(|uses| uses.code_signing), "signing code", CODE_SIGNING)
            }
            Purpose::TimeStamping => {
                (self.uses.is_some_and(|uses| uses.time_stamping), "timestamps", TIME_STAMPING)
            }
        };
        if !fits {
            return Err(format!("the signer's certificate is not one for {name}"));
        }
        if at < self.not_before || at > self.not_after {
            return Err("the signer's certificate was not valid at that time".to_owned());
        }
        // A certificate that signs for itself, and is trusted as such.
        if authorities.contains(&self.der) {
            return Ok(());
        }
        let authorities: Vec<CertificateDer<'_>> =
            authorities.iter().map(|der| der.as_slice().into()).collect();
        let anchors: Vec<TrustAnchor<'_>> =
            authorities.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
        let between: Vec<CertificateDer<'_>> =
            between.iter().map(|der| der.as_slice().into()).collect();
        let der = CertificateDer::from(self.der.as_slice());
        let seconds = u64::try_from(at).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        EndEntityCert::try_from(&der)
            .and_then(|leaf| {
                leaf.verify_for_usage(
                    webpki::ALL_VERIFICATION_ALGS,
                    &anchors,
                    &between,
                    time,
                    KeyUsage::required_if_present(usage),
                    None,
                    None,
                )
                .map(drop)
            })
            .map_err(|error| format!("no trusted authority stands behind its signer ({error})"))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn issuer(certificate: &X509Certificate<'_>) -> Option<String> {
    let value = |wanted: &str| {
        let found = certificate.extensions().iter().find(|e| e.oid.to_id_string() == wanted)?;
        match found.parsed_extension() {
            ParsedExtension::UnsupportedExtension { .. } => Some(found.value),
            _ => None,
        }
    };
    if let Some(der) = value(ISSUER_V2) {
        // UTF8String of less than 128 bytes, or with one byte of length.
        let text = match der {
            [0x0C, length, text @ ..] if *length < 0x80 && text.len() == usize::from(*length) => {
                text
            }
            [0x0C, 0x81, length, text @ ..] if text.len() == usize::from(*length) => text,
            _ => return None,
        };
        return String::from_utf8(text.to_vec()).ok();
    }
    String::from_utf8(value(ISSUER_V1)?.to_vec()).ok()
}

fn subject(certificate: &X509Certificate<'_>) -> Vec<(String, String)> {
    let short = |oid: &str| {
        Some(match oid {
            "2.5.4.3" => "CN",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.9" => "STREET",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            _ => return None,
        })
    };
    certificate
        .subject()
        .iter_attributes()
        .filter_map(|part| {
            let name = short(&part.attr_type().to_id_string())?;
            Some((name.to_owned(), part.as_str().ok()?.to_owned()))
        })
        .collect()
}
