//! One request to a registry, as the rest of the client words it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method, Url,
    header::{HeaderName, HeaderValue},
};

use super::scope::Access;
use crate::reference::Reference;

/// What is asked of which repository.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Names host and repository, and is what errors are about.
    pub reference: &'a Reference,
    pub access: Access<'a>,
    pub method: Method,
    pub target: Target<'a>,
    pub accept: &'static str,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Body,
    /// For the request and its answer; `None` for [`crate::Limits::request_timeout`].
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone)]
pub(super) enum Target<'a> {
    /// Below `/v2/<repository>/`.
    Repository(&'a str),
    /// Below `/v2/`.
    Registry(&'a str),
    /// Where the registry said that an upload goes on. Another host gets no credentials.
    Url(Url),
}

#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Bytes(Bytes),
    /// Sent once, with this length; what came of it is not known when the request fails.
    Stream(Option<reqwest::Body>, u64),
}

impl<'a> Request<'a> {
    pub(super) fn get(reference: &'a Reference, path: &'a str) -> Self {
        Self::new(Method::GET, reference, Access::Pull, Target::Repository(path))
    }

    pub(super) fn new(
        method: Method,
        reference: &'a Reference,
        access: Access<'a>,
        target: Target<'a>,
    ) -> Self {
        Self {
            reference,
            access,
            method,
            target,
            accept: "*/*",
            headers: Vec::new(),
            body: Body::Empty,
            timeout: None,
        }
    }

    pub(super) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(super) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    pub(super) fn body(self, body: Body) -> Self {
        Self { body, ..self }
    }

    pub(super) fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Adds a header. A value that no header can hold is left out: callers pass what they have
    /// checked or written themselves.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }
}

impl Body {
    /// The body for one sending; `None` if it was a stream and has been sent.
    pub(super) fn take(&mut self) -> Option<(reqwest::Body, u64)> {
        match self {
            Self::Empty => Some((reqwest::Body::default(), 0)),
            Self::Bytes(bytes) => Some((bytes.clone().into(), bytes.len() as u64)),
            Self::Stream(body, length) => body.take().map(|body| (body, *length)),
        }
    }
}
