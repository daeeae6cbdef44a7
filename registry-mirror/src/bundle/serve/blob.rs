//! Blobs, whole or in part.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};

use super::answer::{self, Code, refused};
use crate::{bundle::Bundle, digest::Digest};

pub(super) async fn answer(
    bundle: &Arc<Bundle>,
    digest: Digest,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let unknown = || {
        let why = "it is in the bundle that this one is based on: serve both, with --base";
        refused(StatusCode::NOT_FOUND, Code::BlobUnknown, why)
    };
    let Some((_, place)) = bundle.find(&digest) else { return unknown() };
    let size = place.size;
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = asked.map_or(Range::Whole, |text| Range::parse(text, size));
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header("docker-content-digest", digest.as_str())
        .header(header::ETAG, format!("\"{digest}\""));
    let (response, length, stream) = match range {
        Range::None => {
            let why = "the blob ends before that";
            let mut response = refused(StatusCode::RANGE_NOT_SATISFIABLE, Code::RangeInvalid, why);
            if let Ok(all) = format!("bytes */{size}").parse() {
                response.headers_mut().insert(header::CONTENT_RANGE, all);
            }
            return response;
        }
        _ if *method == Method::HEAD => {
            let response = response.header(header::CONTENT_LENGTH, size);
            return response.body(Body::empty()).unwrap_or_else(|_| unknown());
        }
        Range::Whole => (response, size, bundle.clone().stream(digest)),
        Range::Part { from, to } => {
            let part = format!("bytes {from}-{}/{size}", to - 1);
            let response =
                response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, part);
            (response, to - from, bundle.clone().range(digest, from, to).await)
        }
    };
    match stream {
        Ok(stream) => response
            .header(header::CONTENT_LENGTH, length)
            .body(Body::from_stream(stream))
            .unwrap_or_else(|_| unknown()),
        Err(error) => answer::failed(&error),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// `to` is the byte after the last.
    Part {
        from: u64,
        to: u64,
    },
    /// Nothing of the blob.
    None,
}

impl Range {
    /// One range. Several, and other units, are answered with the whole, as RFC 9110 allows.
    fn parse(text: &str, size: u64) -> Self {
        let parts = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'));
        let (from, to) = match parts {
            Some((from, to)) if !to.contains(',') => (from, to),
            _ => return Self::Whole,
        };
        match (from.parse::<u64>(), to.parse::<u64>()) {
            (Ok(from), _) if from >= size => Self::None,
            (Ok(from), Ok(to)) if to >= from => {
                Self::Part { from, to: to.saturating_add(1).min(size) }
            }
            (Ok(from), Err(_)) if to.is_empty() => Self::Part { from, to: size },
            (Err(_), Ok(0)) if from.is_empty() => Self::None,
            (Err(_), Ok(last)) if from.is_empty() && size > 0 => {
                Self::Part { from: size.saturating_sub(last), to: size }
            }
            _ => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |from, to| Range::Part { from, to };
        for (text, range) in [
            ("bytes=0-3", part(0, 4)),
            ("bytes=4-", part(4, 10)),
            ("bytes=9-99", part(9, 10)),
            ("bytes=0-18446744073709551615", part(0, 10)),
            ("bytes=-4", part(6, 10)),
            ("bytes=-99", part(0, 10)),
            ("bytes=-0", Range::None),
            ("bytes=10-", Range::None),
            ("bytes=3-2", Range::Whole),
            ("bytes=0-1,4-5", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes=a-b", Range::Whole),
        ] {
            assert_eq!(Range::parse(text, 10), range, "{text}");
        }
        assert_eq!(Range::parse("bytes=0-", 0), Range::None);
    }
}
