//! Sprig: derivePassword, the algorithm of masterpasswordapp.com.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Call, Function, Kind, Returned, bytes, text};
use crate::template::Value;

use Kind::{String as S, Uint32};

pub(super) const TABLE: &[Function] =
    &[Function::new("derivePassword", &[Uint32, S, S, S, S], derive)];

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// The shapes of a password: each letter stands for a set of characters.
fn shapes(kind: &[u8]) -> &'static [&'static str] {
    match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => &[],
    }
}

fn characters(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive(c: &Call<'_>, a: &[Value]) -> Returned {
    let shapes = shapes(bytes(&a[1]));
    if shapes.is_empty() {
        return Ok(format!("cannot find password template {}", text(&a[1])).into());
    }
    let counter = match a[0] {
        Value::Uint64(counter) => counter as u32,
        _ => 0,
    };
    let (password, user, site) = (bytes(&a[2]), bytes(&a[3]), bytes(&a[4]));
    // scrypt fills 32 MiB, twice.
    c.run.spend(1_000_000)?;
    let failed = || "failed to derive password".to_owned();
    let with_length = |text: &[u8]| [SEED, &(text.len() as u32).to_be_bytes(), text].concat();
    let parameters = scrypt::Params::new(15, 8, 2).map_err(|_| failed())?;
    let mut key = [0; 64];
    scrypt::scrypt(password, &with_length(user), &parameters, &mut key).map_err(|_| failed())?;
    let mut hash = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| failed())?;
    hash.update(&with_length(site));
    hash.update(&counter.to_be_bytes());
    let seed = hash.finalize().into_bytes();
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let chosen = shape.bytes().zip(&seed[1..]).map(|(letter, byte)| {
        let from = characters(letter);
        from[usize::from(*byte) % from.len()]
    });
    Ok(Value::string(chosen.collect::<Vec<u8>>()))
}
