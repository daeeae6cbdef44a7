//! Sprig: base64 and base32.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Function, Kind, bytes};
use crate::template::Value;

const ONE: &[Kind] = &[Kind::String];

pub(super) const TABLE: &[Function] = &[
    Function::new("b64enc", ONE, |_, a| Ok(STANDARD.encode(bytes(&a[0])).into())),
    Function::new("b64dec", ONE, |_, a| Ok(decode64(bytes(&a[0])))),
    Function::new("b32enc", ONE, |_, a| Ok(encode32(bytes(&a[0])).into())),
    Function::new("b32dec", ONE, |_, a| Ok(decode32(bytes(&a[0])))),
];

/// An error becomes the text, as in Sprig.
fn decode64(text: &[u8]) -> Value {
    decode(text).map_or_else(Value::from, Value::string)
}

/// base64.StdEncoding.DecodeString: line ends are skipped.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let clean: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    decoder64()
        .decode(&clean)
        .map_err(|_| format!("illegal base64 data at input byte {}", bad_byte64(text)))
}

/// Go accepts bits that say nothing in the last character.
fn decoder64() -> base64::engine::GeneralPurpose {
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
}

/// Where Go's decoder stops.
fn bad_byte64(text: &[u8]) -> usize {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let skipped = |b: u8| matches!(b, b'\r' | b'\n');
    let mut in_group = 0;
    let mut i = 0;
    while i < text.len() {
        let b = text[i];
        if skipped(b) {
            i += 1;
            continue;
        }
        if b == b'=' {
            if in_group < 2 {
                return i;
            }
            let mut next = i + 1;
            while next < text.len() && skipped(text[next]) {
                next += 1;
            }
            if in_group == 2 {
                if next >= text.len() {
                    return text.len();
                }
                if text[next] != b'=' {
                    return next;
                }
                next += 1;
            }
            while next < text.len() && skipped(text[next]) {
                next += 1;
            }
            return next;
        }
        if !valid(b) {
            return i;
        }
        in_group = (in_group + 1) % 4;
        i += 1;
    }
    text.len() - if in_group == 0 { 0 } else { in_group }
}

const ALPHABET32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn encode32(input: &[u8]) -> String {
    let mut out = String::new();
    for group in input.chunks(5) {
        let mut bits = 0u64;
        for i in 0..5 {
            bits = bits << 8 | u64::from(group.get(i).copied().unwrap_or(0));
        }
        let used = (group.len() * 8).div_ceil(5);
        for i in 0..8 {
            let index = (bits >> (35 - 5 * i)) as usize & 31;
            out.push(if i < used { ALPHABET32[index] as char } else { '=' });
        }
    }
    out
}

/// Line ends are skipped; an error becomes the text. The places of errors are Go's, strange ones too.
fn decode32(text: &[u8]) -> Value {
    let clean: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let mut out = Vec::new();
    match quanta32(&clean, &mut out) {
        Ok(()) => Value::string(out),
        Err(at) => format!("illegal base32 data at input byte {at}").into(),
    }
}

/// Err: the place of an error.
fn quanta32(text: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut at = 0;
    while at < text.len() {
        let (mut bits, mut used) = (0u64, 0);
        let mut padded = false;
        while used < 8 {
            let Some(b) = text.get(at) else { return Err(text.len() - used) };
            at += 1;
            let left = text.len() - at;
            if *b == b'=' && used >= 2 && left < 8 {
                if left + used < 7 {
                    return Err(text.len());
                }
                if let Some(k) =
                    (0..7 - used).find(|k| text.get(at + k).is_some_and(|b| *b != b'='))
                {
                    return Err(at + k - 1);
                }
                if matches!(used, 3 | 6) {
                    return Err(at - 1);
                }
                padded = true;
                break;
            }
            let Some(value) = ALPHABET32.iter().position(|a| a == b) else { return Err(at - 1) };
            bits |= (value as u64) << (35 - 5 * used);
            used += 1;
        }
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + used * 5 / 8]);
        if padded {
            break;
        }
    }
    Ok(())
}
