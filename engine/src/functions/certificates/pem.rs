//! PEM, as Go's encoding/pem reads and writes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) struct Block {
    pub kind: String,
    pub content: Vec<u8>,
}

/// The first block of a text. None: there is none.
pub(super) fn decode(text: &str) -> Option<Block> {
    let block = ::pem::parse(text).ok()?;
    Some(Block { kind: block.tag().to_owned(), content: block.into_contents() })
}

pub(super) fn encode(kind: &str, content: &[u8]) -> String {
    let body = STANDARD.encode(content);
    let mut out = format!("-----BEGIN {kind}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {kind}-----\n"));
    out
}
