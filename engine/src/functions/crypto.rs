//! Sprig: hashes, passwords, randomness, which is the caller's.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Call, Function, Kind, Returned, bytes, int, text};
use crate::template::Value;

use Kind::{Int, String as S};

const ALPHA: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) const TABLE: &[Function] = &[
    Function::new("sha1sum", &[S], |_, a| Ok(hex::encode(Sha1::digest(bytes(&a[0]))).into())),
    Function::new("sha256sum", &[S], |_, a| Ok(hex::encode(Sha256::digest(bytes(&a[0]))).into())),
    Function::new("sha512sum", &[S], |_, a| Ok(hex::encode(Sha512::digest(bytes(&a[0]))).into())),
    Function::new("adler32sum", &[S], |_, a| Ok(adler32(bytes(&a[0])).to_string().into())),
    Function::new("bcrypt", &[S], |c, a| Ok(hash_password(c, bytes(&a[0])))),
    Function::new("htpasswd", &[S, S], |c, a| {
        let user = text(&a[0]);
        if user.contains(':') {
            return Ok(format!("invalid username: {user}").into());
        }
        match hash_password(c, bytes(&a[1])) {
            Value::String(hash) => Ok(format!("{user}:{hash}").into()),
            other => Ok(other),
        }
    }),
    Function::new("uuidv4", &[], |c, _| Ok(uuid(c).into())),
    Function::new("randAlphaNum", &[Int], |c, a| random_text(c, &a[0], ALPHANUMERIC)),
    Function::new("randAlpha", &[Int], |c, a| random_text(c, &a[0], ALPHA)),
    Function::new("randNumeric", &[Int], |c, a| random_text(c, &a[0], b"0123456789")),
    Function::new("randAscii", &[Int], |c, a| {
        let printable: Vec<u8> = (32..127).collect();
        random_text(c, &a[0], &printable)
    }),
    Function::new("randBytes", &[Int], |c, a| {
        use base64::Engine;
        if int(&a[0]) < 0 {
            return Err("runtime error: makeslice: len out of range".into());
        }
        let mut buffer = vec![0; count(c, &a[0])?];
        (c.run.environment.random)(&mut buffer);
        Ok(base64::engine::general_purpose::STANDARD.encode(buffer).into())
    }),
    Function::new("shuffle", &[S], |c, a| {
        let mut chars: Vec<char> = text(&a[0]).chars().collect();
        for i in (1..chars.len()).rev() {
            chars.swap(i, below(c, i + 1));
        }
        Ok(chars.into_iter().collect::<String>().into())
    }),
    // Without DNS, as Helm renders by default.
    Function::new("getHostByName", &[S], |_, _| Ok("".into())),
];

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

/// What a hash costs in steps: it is made to take long.
const BCRYPT_COST: u64 = 200_000;

/// Cost 10, as Sprig. An error becomes the text.
fn hash_password(c: &Call<'_>, password: &[u8]) -> Value {
    let failed = |what: String| format!("failed to encrypt string with bcrypt: {what}").into();
    if password.len() > 72 {
        return failed("bcrypt: password length exceeds 72 bytes".into());
    }
    if c.run.spend(BCRYPT_COST).is_err() {
        return "".into();
    }
    let mut salt = [0; 16];
    (c.run.environment.random)(&mut salt);
    match bcrypt::hash_with_salt(password, 10, salt) {
        Ok(hash) => hash.format_for_version(bcrypt::Version::TwoA).into(),
        Err(error) => failed(error.to_string()),
    }
}

fn uuid(c: &Call<'_>) -> String {
    let mut b = [0; 16];
    (c.run.environment.random)(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let text = hex::encode(b);
    let (head, node) = text.split_at(20);
    format!("{}-{}-{}-{}-{node}", &head[..8], &head[8..12], &head[12..16], &head[16..])
}

fn count(c: &Call<'_>, value: &Value) -> Result<usize, String> {
    let count = usize::try_from(int(value)).unwrap_or(0);
    c.run.check_size(count)?;
    c.run.spend(count as u64 / 8)?;
    Ok(count)
}

/// A fair number below `bound`.
fn below(c: &Call<'_>, bound: usize) -> usize {
    let bound = bound as u64;
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let mut buffer = [0; 8];
        (c.run.environment.random)(&mut buffer);
        let number = u64::from_le_bytes(buffer);
        if number < fair {
            return (number % bound) as usize;
        }
    }
}

fn random_text(c: &Call<'_>, length: &Value, alphabet: &[u8]) -> Returned {
    let length = count(c, length)?;
    Ok(Value::string((0..length).map(|_| alphabet[below(c, alphabet.len())]).collect::<Vec<u8>>()))
}
