//! Sprig: keys and certificates, as Go's crypto/x509 makes them. Randomness and time are the caller's.

mod certificate;
mod der;
mod issue;
mod pem;
mod private_key;

use self::certificate::Certificate;
use self::issue::Request;
use self::private_key::PrivateKey;
use super::{Call, Function, Kind, Returned, bytes, int, text};
use crate::template::Value;

use Kind::{Int, List as L, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("genPrivateKey", &[S], generate_key),
    Function::new("buildCustomCert", &[S, S], |_, a| {
        certificate::custom(&text(&a[0]), &text(&a[1]))
    }),
    Function::new("genCA", &[S, Int], |c, a| {
        let key = PrivateKey::rsa(c, KEY_BITS)?;
        Ok(Request::ca(c, bytes(&a[0]), int(&a[1])).self_signed(&key)?.into())
    }),
    Function::new("genCAWithKey", &[S, Int, S], |c, a| {
        let key = given_key(&a[2])?;
        Ok(Request::ca(c, bytes(&a[0]), int(&a[1])).self_signed(&key)?.into())
    }),
    Function::new("genSelfSignedCert", &[S, L, L, Int], |c, a| {
        let key = PrivateKey::rsa(c, KEY_BITS)?;
        Ok(request(c, a)?.self_signed(&key)?.into())
    }),
    Function::new("genSelfSignedCertWithKey", &[S, L, L, Int, S], |c, a| {
        let key = given_key(&a[4])?;
        Ok(request(c, a)?.self_signed(&key)?.into())
    }),
    Function::new("genSignedCert", &[S, L, L, Int, C], |c, a| {
        let key = PrivateKey::rsa(c, KEY_BITS)?;
        Ok(certificate::signed_by(&a[4], || request(c, a), &key)?.into())
    }),
    Function::new("genSignedCertWithKey", &[S, L, L, Int, C, S], |c, a| {
        let key = given_key(&a[5])?;
        Ok(certificate::signed_by(&a[4], || request(c, a), &key)?.into())
    }),
];

const C: Kind = Kind::Object(certificate::TYPE);

/// Of the RSA key of a certificate.
const KEY_BITS: usize = 2048;

impl From<Certificate> for Value {
    fn from(certificate: Certificate) -> Self {
        Value::object(certificate)
    }
}

fn given_key(pem: &Value) -> Result<PrivateKey, String> {
    PrivateKey::parse(&text(pem)).map_err(|error| format!("parsing private key: {error}"))
}

/// Name, addresses, other names and days: the first arguments of all that ask for a certificate.
fn request(c: &Call<'_>, a: &[Value]) -> Result<Request, String> {
    let addresses = strings(c, &a[1], |text| format!("error parsing ip: {text} is not a string"))?;
    let addresses = issue::addresses(&addresses)?;
    let names = strings(c, &a[2], |text| {
        format!("error processing alternate dns name: {text} is not a string")
    })?;
    Ok(Request::leaf(c, bytes(&a[0]), addresses, names, int(&a[3])))
}

fn strings(
    c: &Call<'_>,
    list: &Value,
    wrong: impl Fn(String) -> String,
) -> Result<Vec<Vec<u8>>, String> {
    let Value::List(list) = list else { return Ok(Vec::new()) };
    let string = |value: &Value| match value {
        Value::String(text) => Ok(text.to_vec()),
        value => {
            let shown = crate::template::printf::text_of(value, c.run);
            Err(wrong(String::from_utf8_lossy(&shown).into_owned()))
        }
    };
    list.iter().map(string).collect()
}

/// A key of any kind as PEM; a kind that is not known becomes the text.
fn generate_key(c: &Call<'_>, a: &[Value]) -> Returned {
    let key = match bytes(&a[0]) {
        b"" | b"rsa" => PrivateKey::rsa(c, 4096)?,
        b"dsa" => PrivateKey::dsa(c)?,
        b"ecdsa" => PrivateKey::ecdsa(c)?,
        b"ed25519" => PrivateKey::ed25519(c)?,
        _ => return Ok(format!("Unknown type {}", text(&a[0])).into()),
    };
    Ok(key.to_pem().into())
}
