//! What a new certificate says, in the order in which Go's x509.CreateCertificate says it.

use std::net::{IpAddr, Ipv6Addr};

use chrono::{DateTime, Datelike, Utc};
use sha2::{Digest, Sha256};

use super::certificate::{Certificate, Issuer};
use super::der::{TRUE, element, explicit, integer, octet_string, oid, sequence};
use super::pem;
use super::private_key::{PrivateKey, signed};
use crate::functions::Call;
use crate::template::quote::quote;

/// A certificate that is asked for.
pub(super) struct Request {
    name: Vec<u8>,
    addresses: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    serial: [u8; 16],
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    is_ca: bool,
}

/// Addresses as a certificate holds them.
pub(super) fn addresses(texts: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let address = |text: &Vec<u8>| {
        let text = String::from_utf8_lossy(text);
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => Ok(ip.octets().to_vec()),
            Ok(IpAddr::V6(ip)) => Ok(short(ip)),
            Err(_) => Err(format!("error parsing ip: {text}")),
        }
    };
    texts.iter().map(address).collect()
}

/// Go takes an IPv4 address within IPv6 for an IPv4 address.
fn short(ip: Ipv6Addr) -> Vec<u8> {
    ip.to_ipv4_mapped().map_or_else(|| ip.octets().to_vec(), |ip| ip.octets().to_vec())
}

impl Request {
    pub fn leaf(
        call: &Call<'_>,
        name: &[u8],
        addresses: Vec<Vec<u8>>,
        names: Vec<Vec<u8>>,
        days: i64,
    ) -> Self {
        let start = call.run.environment.now;
        let mut serial = [0; 16];
        (call.run.environment.random)(&mut serial);
        // Go's durations wrap around after 292 years.
        let nanoseconds = days.wrapping_mul(24 * 3600 * 1_000_000_000);
        let end = start.checked_add_signed(chrono::Duration::nanoseconds(nanoseconds));
        let (name, end) = (name.to_vec(), end.unwrap_or(start));
        Request { name, addresses, names, serial, start, end, is_ca: false }
    }

    pub fn ca(call: &Call<'_>, name: &[u8], days: i64) -> Self {
        Request { is_ca: true, ..Self::leaf(call, name, Vec::new(), Vec::new(), days) }
    }

    pub fn self_signed(&self, key: &PrivateKey) -> Result<Certificate, String> {
        let issuer = Issuer { subject: self.subject(), key_id: Vec::new() };
        self.signed(key, &issuer, key)
    }

    /// A certificate for `key`, signed by another's key.
    pub fn signed(
        &self,
        key: &PrivateKey,
        issuer: &Issuer,
        issuer_key: &PrivateKey,
    ) -> Result<Certificate, String> {
        if std::str::from_utf8(&self.name).is_err() {
            return Err("error creating certificate: asn1: string not valid UTF-8".to_owned());
        }
        let subject = self.subject();
        let authority = if issuer.subject == subject { &[][..] } else { &issuer.key_id[..] };
        let content = sequence(&[
            &explicit(0, &integer(&[2])),
            &integer(&self.serial),
            &issuer_key.signature_algorithm(),
            &issuer.subject,
            &sequence(&[&time(self.start), &time(self.end)]),
            &subject,
            &key.public_info(),
            &explicit(3, &sequence(&[&self.extensions(key, authority)?])),
        ]);
        let certificate = signed(&content, issuer_key)?;
        Ok(Certificate { cert: pem::encode("CERTIFICATE", &certificate), key: key.to_pem() })
    }

    /// The name, its common name only.
    fn subject(&self) -> Vec<u8> {
        if self.name.is_empty() {
            return sequence(&[]);
        }
        let printable = |b: &u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b);
        let tag = if self.name.iter().all(printable) { 0x13 } else { 0x0c };
        let attribute = sequence(&[&oid(&[2, 5, 4, 3]), &element(tag, &self.name)]);
        sequence(&[&element(0x31, &attribute)])
    }

    fn extensions(&self, key: &PrivateKey, authority: &[u8]) -> Result<Vec<u8>, String> {
        // Digital signature, key encipherment and, for a CA, the signing of certificates.
        let usage = if self.is_ca { [3, 2, 2, 0xa4] } else { [3, 2, 5, 0xa0] };
        let purposes =
            [oid(&[1, 3, 6, 1, 5, 5, 7, 3, 1]), oid(&[1, 3, 6, 1, 5, 5, 7, 3, 2])].concat();
        let mut out = extension(15, true, &usage);
        out.extend(extension(37, false, &sequence(&[&purposes])));
        out.extend(extension(19, true, &sequence(&[if self.is_ca { TRUE } else { &[] }])));
        if self.is_ca {
            let id = &Sha256::digest(key.public_bits())[..20];
            out.extend(extension(14, false, &octet_string(id)));
        }
        if !authority.is_empty() {
            out.extend(extension(35, false, &sequence(&[&element(0x80, authority)])));
        }
        if !self.names.is_empty() || !self.addresses.is_empty() {
            let mut all = Vec::new();
            for name in &self.names {
                if !name.is_ascii() {
                    let name = quote(name);
                    return Err(format!(
                        "error creating certificate: x509: {name} cannot be encoded as an IA5String"
                    ));
                }
                all.extend(element(0x82, name));
            }
            for address in &self.addresses {
                all.extend(element(0x87, address));
            }
            out.extend(extension(17, self.name.is_empty(), &sequence(&[&all])));
        }
        Ok(out)
    }
}

/// An extension of arc 2.5.29.
fn extension(number: u32, critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if critical { TRUE } else { &[] };
    sequence(&[&oid(&[2, 5, 29, number]), critical, &octet_string(content)])
}

fn time(at: DateTime<Utc>) -> Vec<u8> {
    if (1950..2050).contains(&at.year()) {
        return element(0x17, at.format("%y%m%d%H%M%SZ").to_string().as_bytes());
    }
    element(0x18, at.format("%Y%m%d%H%M%SZ").to_string().as_bytes())
}
