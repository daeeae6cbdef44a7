//! Answers in the distribution specification's form.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::bundle::BundleError;

/// Error codes of the distribution specification.
#[derive(Debug, Clone, Copy)]
pub(super) enum Code {
    BlobUnknown,
    ManifestUnknown,
    NameUnknown,
    RangeInvalid,
    Unauthorized,
    Unknown,
    Unsupported,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

pub(super) fn refused(status: StatusCode, code: Code, why: &str) -> Response {
    let errors = serde_json::json!({ "errors": [{ "code": code.name(), "message": why }] });
    let mut response = json("application/json", errors.to_string().into_bytes());
    *response.status_mut() = status;
    response
}

/// The bundle's file failed us. The log says how; the client is told no path.
pub(super) fn failed(error: &BundleError) -> Response {
    tracing::error!(%error, "the bundle cannot be read");
    let why = "the bundle cannot be read; its log says why";
    refused(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, why)
}

pub(super) fn json(media_type: &'static str, bytes: Vec<u8>) -> Response {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_LENGTH, length);
    let version = HeaderValue::from_static("registry/2.0");
    headers.insert("docker-distribution-api-version", version);
    response
}
