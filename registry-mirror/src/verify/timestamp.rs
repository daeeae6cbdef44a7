//! Timestamps of a signature by an authority of the trusted root (RFC 3161), as bundles carry them
//! beside entries of logs that sign no time.

use chrono::NaiveDateTime;
use ring::digest::{self, Algorithm};

use super::{
    certificate::{Leaf, Purpose},
    trusted_root::Authority,
};

// Names of content and attributes, in DER.
const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2];
const STAMP: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 4];
/// 2.16.840.1.101.3.4.2.N; N is 1 for SHA-256, 2 for SHA-384, 3 for SHA-512.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];

// Tags of DER.
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
const NAME: u8 = 6;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The first tag of a context, of which SignedData and SignerInfo have one each.
const CONTEXT: u8 = 0xA0;

/// Most timestamps of one signature that are looked at.
const MOST: usize = 8;

/// When one of these authorities saw the signature, in seconds since 1970.
pub(super) fn time(
    authorities: &[Authority],
    stamps: &[Vec<u8>],
    signature: &[u8],
) -> Result<i64, String> {
    let mut why = "neither its log (SignedEntryTimestamp) nor a timestamp tells when it was made, \
                   which is needed to check it without a network"
        .to_owned();
    if !stamps.is_empty() && authorities.is_empty() {
        why = "the trusted root names no authority for its timestamp".to_owned();
    }
    for stamp in stamps.iter().take(MOST) {
        for authority in authorities {
            match check(stamp, authority, signature) {
                Ok(at) => return Ok(at),
                Err(error) => why = error,
            }
        }
    }
    Err(why)
}

fn check(stamp: &[u8], authority: &Authority, signature: &[u8]) -> Result<i64, String> {
    let stamp = Stamp::parse(stamp).ok_or("its timestamp cannot be read")?;
    if digest::digest(stamp.imprint.0, signature).as_ref() != stamp.imprint.1 {
        return Err("its timestamp is about another signature".to_owned());
    }
    // The attributes are what is signed; they name the content by its digest.
    if digest::digest(stamp.hash, stamp.content).as_ref() != stamp.digest {
        return Err("the content of its timestamp is not what was signed".to_owned());
    }
    if !authority.valid.holds(stamp.at) {
        return Err("the authority for its timestamp was not trusted at that time".to_owned());
    }
    // A trusted root names the certificate that signs, not only who stands behind it.
    let (leaf, above) = authority.chain.split_first().expect("a chain is not empty");
    let leaf = Leaf::parse(leaf)?;
    if !leaf.key.verifies(&stamp.signed, stamp.signature) {
        return Err("its timestamp is not by an authority of the trusted root".to_owned());
    }
    let (top, between) = match above.split_last() {
        Some((top, between)) => (std::slice::from_ref(top), between),
        None => (std::slice::from_ref(&leaf.der), above),
    };
    leaf.check_chain(top, between, stamp.at, Purpose::TimeStamping)
        .map_err(|why| format!("its timestamp does not count: {why}"))?;
    Ok(stamp.at)
}

/// The parts of a TimeStampResp that matter here.
struct Stamp<'a> {
    /// TSTInfo.
    content: &'a [u8],
    imprint: (&'static Algorithm, &'a [u8]),
    at: i64,
    /// The attributes, as they were signed.
    signed: Vec<u8>,
    hash: &'static Algorithm,
    /// Of the content, by the attributes.
    digest: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Stamp<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut response = Der(text).only()?.within(SEQUENCE)?;
        let mut status = response.next()?.within(SEQUENCE)?;
        // Granted, or granted with changes.
        if !matches!(status.next()?.of(INTEGER)?, [0 | 1]) {
            return None;
        }
        let mut outer = response.next()?.within(SEQUENCE)?;
        outer.named(SIGNED_DATA)?;
        let mut data = outer.next()?.within(CONTEXT)?.only()?.within(SEQUENCE)?;
        data.next()?.of(INTEGER)?;
        data.next()?.of(SET)?;
        let mut content = data.next()?.within(SEQUENCE)?;
        content.named(STAMP)?;
        let content = content.next()?.within(CONTEXT)?.only()?.of(OCTETS)?;
        // Certificates and revocation lists may come before the one signer.
        let signers = loop {
            match data.next()? {
                item if item.tag == SET => break item,
                item if item.tag & 0xC0 == 0x80 => {}
                _ => return None,
            }
        };
        let mut signer = signers.within(SET)?.only()?.within(SEQUENCE)?;
        signer.next()?.of(INTEGER)?;
        signer.next()?;
        let hash = algorithm(signer.next()?)?;
        let attributes = signer.next()?;
        let digest = attested(attributes.within(CONTEXT)?)?;
        signer.next()?.of(SEQUENCE)?;
        let signature = signer.next()?.of(OCTETS)?;
        // They are signed as the set that they are, without the tag that they have here.
        let mut signed = attributes.whole.to_vec();
        *signed.first_mut()? = SET;
        let (imprint, at) = info(content)?;
        Some(Self { content, imprint, at, signed, hash, digest, signature })
    }
}

/// The digest of the content, if the attributes are those of a timestamp.
fn attested(mut attributes: Der<'_>) -> Option<&[u8]> {
    let (mut kinds, mut digests) = (Vec::new(), Vec::new());
    while !attributes.0.is_empty() {
        let mut attribute = attributes.next()?.within(SEQUENCE)?;
        let name = attribute.next()?.of(NAME)?;
        let values = attribute.next()?.within(SET)?;
        match name {
            CONTENT_TYPE => kinds.push(values.only()?.of(NAME)?),
            MESSAGE_DIGEST => digests.push(values.only()?.of(OCTETS)?),
            _ => {}
        }
    }
    match (&kinds[..], &digests[..]) {
        ([kind], [digest]) if *kind == STAMP => Some(digest),
        _ => None,
    }
}

/// What TSTInfo says was seen, and when.
fn info(content: &[u8]) -> Option<((&'static Algorithm, &[u8]), i64)> {
    let mut info = Der(content).only()?.within(SEQUENCE)?;
    info.next()?.of(INTEGER)?;
    info.next()?.of(NAME)?;
    let mut imprint = info.next()?.within(SEQUENCE)?;
    let imprint = (algorithm(imprint.next()?)?, imprint.next()?.of(OCTETS)?);
    info.next()?.of(INTEGER)?;
    let time = std::str::from_utf8(info.next()?.of(TIME)?).ok()?.strip_suffix('Z')?;
    let seconds = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    let at = NaiveDateTime::parse_from_str(seconds, "%Y%m%d%H%M%S").ok()?;
    Some((imprint, at.and_utc().timestamp()))
}

fn algorithm(item: Item<'_>) -> Option<&'static Algorithm> {
    let name = item.within(SEQUENCE)?.next()?.of(NAME)?;
    match name.strip_prefix(SHA2)? {
        [1] => Some(&digest::SHA256),
        [2] => Some(&digest::SHA384),
        [3] => Some(&digest::SHA512),
        _ => None,
    }
}

/// Items of DER, one after the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

#[derive(Clone, Copy)]
struct Item<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<Item<'a>> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        // Longer tags do not occur here.
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (length, rest) = match usize::from(*first) {
            short @ 0..=0x7F => (short, rest),
            long => {
                let (bytes, rest) = rest.split_at_checked(long & 0x7F)?;
                // As much as any signature that is read, and never without an end.
                if bytes.is_empty() || bytes.len() > 3 {
                    return None;
                }
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Item { tag: *tag, content, whole })
    }

    /// The one item that there is.
    fn only(mut self) -> Option<Item<'a>> {
        self.next().filter(|_| self.0.is_empty())
    }

    fn named(&mut self, name: &[u8]) -> Option<()> {
        (self.next()?.of(NAME)? == name).then_some(())
    }
}

impl<'a> Item<'a> {
    fn of(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    fn within(self, tag: u8) -> Option<Der<'a>> {
        self.of(tag).map(Der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_der() {
        let one = |bytes: &'static [u8]| Der(bytes).only().map(|item| (item.tag, item.content));
        assert_eq!(one(&[4, 2, 7, 8]), Some((4, &[7, 8][..])));
        assert_eq!(one(&[4, 0x81, 2, 7, 8]), Some((4, &[7, 8][..])));
        assert_eq!(one(&[4, 0x82, 0, 2, 7, 8]), Some((4, &[7, 8][..])));
        // Cut off, without an end, too long, followed by something, with a longer tag.
        for bad in [
            &[][..],
            &[4],
            &[4, 2, 7],
            &[4, 0x80, 7, 0, 0],
            &[4, 0x84, 0, 0, 0, 1, 7],
            &[4, 0x83, 0xFF, 0xFF, 0xFF, 7],
            &[4, 1, 7, 5, 0],
            &[0x1F, 0x81, 1, 0],
        ] {
            assert_eq!(one(bad), None, "{bad:?}");
        }
    }
}
