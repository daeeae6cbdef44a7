//! Requests with sign-in, retries and checked answers. A response's body can only be had through
//! [`crate::limits::read`] or as a [`super::download`], which checks the same.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use futures::TryStreamExt as _;
use reqwest::{Response, StatusCode, Url, header};

use super::{
    Options,
    auth::Grant,
    grants::{Grants, Slot, current},
    http,
    referrers::Hosts,
    request::{Request, Target},
    retry,
};
use crate::{
    credentials::Credentials,
    digest::Digest,
    error::Error,
    limits::{Checked, Expected, Limits, Refused, read},
    reference::Reference,
};

/// Most bytes of an error's or a token's body that are read.
pub(super) const SMALL_BODY: u64 = 64 * 1024;
/// Most characters of a registry's own message that are shown.
const LONGEST_MESSAGE: usize = 200;

#[derive(Debug)]
pub(super) struct Transport {
    pub(super) http: reqwest::Client,
    met: http::Acquaintance,
    pub(super) credentials: Credentials,
    grants: Grants,
    pub(super) scheme: &'static str,
    pub(super) limits: Limits,
    /// Held while an index of referrers is read, changed and written.
    pub(super) attaching: tokio::sync::Mutex<()>,
    pub(super) without_referrers: Hosts,
}

/// A checked body with what its headers said.
#[derive(Debug)]
pub(super) struct Answer {
    pub body: Checked,
    pub headers: header::HeaderMap,
    /// Where the answer came from, after redirects.
    pub url: Url,
}

impl Transport {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        let met = http::Acquaintance::default();
        Ok(Self {
            http: http::client(&options, &met)?,
            met,
            credentials: options.credentials,
            grants: Grants::default(),
            scheme: if options.plain_http { "http" } else { "https" },
            limits: options.limits,
            attaching: tokio::sync::Mutex::default(),
            without_referrers: Hosts::default(),
        })
    }

    /// A body that is as expected. `request` makes the same request for each attempt.
    pub(super) async fn get<'a>(
        &self,
        request: impl Fn() -> Request<'a>,
        what: &'static str,
        expected: Expected<'_>,
    ) -> Result<Answer, Error> {
        let mut number = 1;
        loop {
            match self.get_once(request(), what, expected).await {
                Ok(done) => return Ok(done),
                Err(error) => self.pause(&mut number, error).await?,
            }
        }
    }

    /// A success, whatever its body. `request` makes the same request for each attempt.
    pub(super) async fn ask<'a>(
        &self,
        request: impl Fn() -> Request<'a>,
    ) -> Result<Response, Error> {
        let mut number = 1;
        loop {
            match self.send(request()).await {
                Ok(done) => return Ok(done),
                Err(error) => self.pause(&mut number, error).await?,
            }
        }
    }

    async fn get_once(
        &self,
        request: Request<'_>,
        what: &'static str,
        expected: Expected<'_>,
    ) -> Result<Answer, Error> {
        let reference = request.reference;
        let response = self.send(request).await?;
        let told = told_digest(&response);
        // A registry that tells another digest than it sends has broken bytes.
        let digest = expected.digest.or(told.as_ref());
        let expected = Expected { digest, ..expected };
        let (headers, url) = (response.headers().clone(), response.url().clone());
        let body = self.body(response, reference, what, expected).await?;
        Ok(Answer { body, headers, url })
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    /// (A function that takes the attempt as an async closure would make futures that cannot be spawned.)
    pub(super) async fn pause(&self, number: &mut u32, error: Error) -> Result<(), Error> {
        if !error.is_transient() {
            return Err(error);
        }
        let Some(wait) = retry::wait(*number, error.retry_after(), &self.limits, retry::spread())
        else {
            return Err(error);
        };
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(%error, attempt = *number, wait_ms, "trying the registry again");
        tokio::time::sleep(wait).await;
        *number += 1;
        Ok(())
    }

    /// One request, signed in if the registry asks for it. The answer is a success.
    pub(super) async fn send(&self, mut request: Request<'_>) -> Result<Response, Error> {
        let (reference, verb) = (request.reference, request.access.verb());
        let host = reference.host();
        let url = self.url(&request);
        // Where an upload goes on may be a store of blobs elsewhere, which must not learn anything.
        let own = self.is_own(&url, reference);
        let scopes = request.access.scopes(reference.repository());
        let slot = self.grants.slot(host, &scopes);
        let known = if own { self.known(&slot, &scopes, reference).await? } else { None };
        let response = self.send_once(&mut request, &url, known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !own {
            return self.success(response, reference, verb).await;
        }
        let Some(grant) = self.renew(&slot, known, &response, &scopes, reference).await? else {
            return Err(self.unauthorized(reference));
        };
        drop(response);
        if matches!(request.body, super::request::Body::Stream(None, _)) {
            let registry = host.to_owned();
            return Err(Error::SignInEnded { registry, reference: reference.clone() });
        }
        let response = self.send_once(&mut request, &url, Some(&grant)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            *slot.lock().await = None;
        }
        self.success(response, reference, verb).await
    }

    /// The grant that is there, or one that is had without being asked, since this registry has
    /// asked for another scope before.
    async fn known(
        &self,
        slot: &Slot,
        scopes: &str,
        reference: &Reference,
    ) -> Result<Option<Grant>, Error> {
        if let Some(grant) = current(slot).await {
            return Ok(Some(grant));
        }
        let Some(challenge) = self.grants.challenge(reference.host()) else { return Ok(None) };
        let mut held = slot.lock().await;
        if let Some(grant) = held.clone().filter(|grant| grant.is_good(Instant::now())) {
            return Ok(Some(grant));
        }
        *held = self.sign_in(Some(challenge), scopes, reference).await?;
        Ok(held.clone())
    }

    /// A grant after a 401 to `used`; another request may have had a new one meanwhile.
    async fn renew(
        &self,
        slot: &Slot,
        used: Option<Grant>,
        response: &Response,
        scopes: &str,
        reference: &Reference,
    ) -> Result<Option<Grant>, Error> {
        let mut held = slot.lock().await;
        let newer = held.as_ref().filter(|held| {
            held.is_good(Instant::now())
                && used.as_ref().is_none_or(|used| used.header != held.header)
        });
        if let Some(newer) = newer {
            return Ok(Some(newer.clone()));
        }
        let challenge = Self::challenge(response);
        if let Some(challenge) = &challenge {
            self.grants.remember(reference.host(), challenge);
        }
        *held = self.sign_in(challenge, scopes, reference).await?;
        Ok(held.clone())
    }

    fn url(&self, request: &Request<'_>) -> String {
        let (host, repository) = (request.reference.api_host(), request.reference.repository());
        match &request.target {
            Target::Repository(path) => format!("{}://{host}/v2/{repository}/{path}", self.scheme),
            Target::Registry(path) => format!("{}://{host}/v2/{path}", self.scheme),
            Target::Url(url) => url.to_string(),
        }
    }

    fn is_own(&self, url: &str, reference: &Reference) -> bool {
        let base = Url::parse(&format!("{}://{}/", self.scheme, reference.api_host()));
        let own = |base: Url| Url::parse(url).is_ok_and(|url| url.origin() == base.origin());
        base.is_ok_and(own)
    }

    async fn send_once(
        &self,
        request: &mut Request<'_>,
        url: &str,
        grant: Option<&Grant>,
    ) -> Result<Response, Error> {
        let mut builder = self.http.request(request.method.clone(), url);
        builder = builder.header(header::ACCEPT, request.accept);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some((body, length)) = request.body.take()
            && request.method != reqwest::Method::GET
            && request.method != reqwest::Method::HEAD
        {
            builder = builder.header(header::CONTENT_LENGTH, length).body(body);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(grant) = grant {
            builder = builder.header(header::AUTHORIZATION, &grant.header);
        }
        let answer = builder.send().await;
        if answer.is_ok() {
            self.met.answered.store(true, Relaxed);
        }
        answer.map_err(|error| self.met.explain(error, request.reference))
    }

    pub(super) async fn body(
        &self,
        response: Response,
        reference: &Reference,
        what: &'static str,
        expected: Expected<'_>,
    ) -> Result<Checked, Error> {
        let reference = reference.clone();
        read(response.bytes_stream(), expected).await.map_err(|refused| match refused {
            Refused::TooLarge => {
                Error::TooLarge { what, reference, limit: expected.limit, unit: "bytes" }
            }
            Refused::Size { expected, actual } => {
                Error::Truncated { what, reference, expected, actual }
            }
            Refused::Digest { expected, actual } => {
                Error::DigestMismatch { what, reference, expected, actual }
            }
            Refused::Stream(error) => http::broken_off(error, what, &reference),
        })
    }

    /// The response, or what its status means.
    pub(super) async fn success(
        &self,
        response: Response,
        reference: &Reference,
        action: &'static str,
    ) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let registry = reference.host().to_owned();
        let retry_after = retry_after(&response);
        let reference = reference.clone();
        Err(match status {
            StatusCode::NOT_FOUND => Error::NotFound { reference },
            StatusCode::UNAUTHORIZED => self.unauthorized(&reference),
            StatusCode::FORBIDDEN => Error::Forbidden { registry, reference, action },
            StatusCode::TOO_MANY_REQUESTS => {
                Error::RateLimited { registry, reference, retry_after }
            }
            _ => {
                let message = message(response).await;
                let status = status.as_u16();
                Error::Server { registry, reference, status, message, retry_after }
            }
        })
    }

    fn unauthorized(&self, reference: &Reference) -> Error {
        Error::Unauthorized {
            registry: reference.host().to_owned(),
            reference: reference.clone(),
            anonymous: self.credentials == Credentials::Anonymous,
        }
    }
}

pub(super) fn told_digest(response: &Response) -> Option<Digest> {
    response.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(value, SystemTime::now())
}

/// The registry's own words, as far as they can be shown on one line.
async fn message(response: Response) -> String {
    let expected = Expected { limit: SMALL_BODY, size: None, digest: None };
    let stream = response.bytes_stream().map_err(drop);
    let Ok(body) = read(stream, expected).await else { return String::new() };
    let json: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap_or_default();
    let message = json["errors"][0]["message"].as_str().unwrap_or_default();
    message.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect()
}
