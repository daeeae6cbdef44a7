//! Sprig: AES-256 in CBC mode, the password for a key.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use super::{Call, Function, Kind, Returned, bytes};
use crate::template::Value;

const TWO: &[Kind] = &[Kind::String, Kind::String];

pub(super) const TABLE: &[Function] =
    &[Function::new("encryptAES", TWO, encrypt), Function::new("decryptAES", TWO, decrypt)];

const BLOCK: usize = 16;

/// The first bytes of the password, zeros after it.
fn key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let len = password.len().min(key.len());
    key[..len].copy_from_slice(&password[..len]);
    key
}

fn encrypt(c: &Call<'_>, a: &[Value]) -> Returned {
    let (password, text) = (bytes(&a[0]), bytes(&a[1]));
    if text.is_empty() {
        return Ok("".into());
    }
    let mut start = [0; BLOCK];
    (c.run.environment.random)(&mut start);
    let cipher = cbc::Encryptor::<Aes256>::new(&key(password).into(), &start.into());
    let sealed = cipher.encrypt_padded_vec::<Pkcs7>(text);
    Ok(STANDARD.encode([&start[..], &sealed].concat()).into())
}

fn decrypt(_: &Call<'_>, a: &[Value]) -> Returned {
    let (password, text) = (bytes(&a[0]), bytes(&a[1]));
    if text.is_empty() {
        return Ok("".into());
    }
    let sealed = super::encoding::decode(text)?;
    let out_of_range = |words: String| format!("runtime error: slice bounds out of range {words}");
    let Some((start, sealed)) = sealed.split_first_chunk::<BLOCK>() else {
        let capacity = text.len() / 4 * 3;
        return Err(out_of_range(format!("[:{BLOCK}] with capacity {capacity}")).into());
    };
    let cipher = cbc::Decryptor::<Aes256>::new(&key(password).into(), &(*start).into());
    let plain = cipher
        .decrypt_padded_vec::<NoPadding>(sealed)
        .map_err(|_| "crypto/cipher: input not full blocks")?;
    let Some(last) = plain.last() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    match plain.len().checked_sub(usize::from(*last)) {
        Some(len) => Ok(Value::string(&plain[..len])),
        None => {
            let end = plain.len() as i64 - i64::from(*last);
            Err(out_of_range(format!("[:{end}]")).into())
        }
    }
}
