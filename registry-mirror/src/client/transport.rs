//! Requests with sign-in, retries and checked answers. A response's body can only be had through
//! [`crate::limits::read`].

use std::time::{Duration, Instant, SystemTime};

use futures::TryStreamExt as _;
use reqwest::{Method, Response, StatusCode, Url, header};

use super::{
    Options,
    auth::{self, Challenge, Grant, Grants, Token},
    http, retry,
};
use crate::{
    credentials::Credentials,
    digest::Digest,
    error::Error,
    limits::{Checked, Expected, Limits, Refused, read},
    reference::Reference,
};

/// Most bytes of an error's or a token's body that are read.
const SMALL_BODY: u64 = 64 * 1024;
/// Most characters of a registry's own message that are shown.
const LONGEST_MESSAGE: usize = 200;

#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    credentials: Credentials,
    grants: Grants,
    scheme: &'static str,
    pub(super) limits: Limits,
}

/// `GET|HEAD /v2/<repository>/<path>`
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub reference: &'a Reference,
    pub path: &'a str,
    pub accept: &'static str,
}

impl Transport {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        Ok(Self {
            http: http::client(&options)?,
            credentials: options.credentials,
            grants: Grants::default(),
            scheme: if options.plain_http { "http" } else { "https" },
            limits: options.limits,
        })
    }

    /// The digest that a registry tells for a manifest; `None` if it tells none or does not
    /// answer HEAD as it would GET.
    pub(super) async fn head(&self, request: Request<'_>) -> Result<Option<Digest>, Error> {
        let mut number = 1;
        loop {
            match self.send(Method::HEAD, request).await {
                Ok(response) => return Ok(told_digest(&response)),
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(Error::Server { status: 400..500, .. }) => return Ok(None),
                Err(error) => self.pause(&mut number, error).await?,
            }
        }
    }

    /// A body that is as expected, and the path of the next page if the answer names one.
    pub(super) async fn get(
        &self,
        request: Request<'_>,
        what: &'static str,
        expected: Expected<'_>,
    ) -> Result<(Checked, Option<String>), Error> {
        let mut number = 1;
        loop {
            match self.get_once(request, what, expected).await {
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
    ) -> Result<(Checked, Option<String>), Error> {
        let response = self.send(Method::GET, request).await?;
        let next = next_page(&response, request)?;
        let told = told_digest(&response);
        // A registry that tells another digest than it sends has broken bytes.
        let digest = expected.digest.or(told.as_ref());
        let expected = Expected { digest, ..expected };
        let body = self.body(response, request.reference, what, expected).await?;
        Ok((body, next))
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    /// (A function that takes the attempt as an async closure would make futures that cannot be spawned.)
    async fn pause(&self, number: &mut u32, error: Error) -> Result<(), Error> {
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
    async fn send(&self, method: Method, request: Request<'_>) -> Result<Response, Error> {
        let reference = request.reference;
        let (host, repository) = (reference.host(), reference.repository());
        let known = self.grants.get(host, repository);
        let response = self.send_once(&method, request, known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return self.success(response, reference).await;
        }
        let Some(grant) = self.sign_in(&response, reference).await? else {
            return Err(self.unauthorized(reference));
        };
        let response = self.send_once(&method, request, Some(&grant)).await?;
        if response.status().is_success() {
            self.grants.put(host, repository, grant);
        }
        self.success(response, reference).await
    }

    async fn send_once(
        &self,
        method: &Method,
        request: Request<'_>,
        grant: Option<&Grant>,
    ) -> Result<Response, Error> {
        let Request { reference, path, accept } = request;
        let (host, repository) = (reference.host(), reference.repository());
        let url = format!("{}://{host}/v2/{repository}/{path}", self.scheme);
        let mut builder = self.http.request(method.clone(), url).header(header::ACCEPT, accept);
        if let Some(grant) = grant {
            builder = builder.header(header::AUTHORIZATION, &grant.header);
        }
        builder.send().await.map_err(|error| http::explain(error, reference))
    }

    /// `None` if there is nothing to sign in with.
    async fn sign_in(
        &self,
        response: &Response,
        reference: &Reference,
    ) -> Result<Option<Grant>, Error> {
        let values = response.headers().get_all(header::WWW_AUTHENTICATE);
        let challenge = Challenge::parse(values.iter().filter_map(|value| value.to_str().ok()));
        let basic = auth::basic(&self.credentials);
        let (realm, service, scope) = match challenge {
            // Without a challenge, the one thing that can be tried is a name and a password.
            None | Some(Challenge::Basic) => return Ok(basic.map(Grant::lasting)),
            Some(Challenge::Bearer { realm, service, scope }) => (realm, service, scope),
        };
        let malformed = |why: &str| Error::Malformed {
            registry: reference.host().to_owned(),
            reference: reference.clone(),
            why: why.to_owned(),
        };
        let repository = reference.repository();
        let url = auth::token_url(&realm, service.as_deref(), scope.as_deref(), repository)
            .filter(|url| url.scheme() == "https" || url.scheme() == self.scheme)
            .ok_or_else(|| malformed("its token service is not an https URL"))?;
        let mut builder = self.http.get(url);
        if let Some(basic) = basic {
            builder = builder.header(header::AUTHORIZATION, basic);
        }
        let response = builder.send().await.map_err(|error| http::explain(error, reference))?;
        let response = self.success(response, reference).await?;
        let expected = Expected { limit: SMALL_BODY, size: None, digest: None };
        let body = self.body(response, reference, "the token", expected).await?;
        let token: Token = serde_json::from_slice(&body.bytes)
            .map_err(|_| malformed("its token service did not answer with a token"))?;
        let grant = Grant::of_token(token, Instant::now())
            .ok_or_else(|| malformed("its token service gave an empty token"))?;
        Ok(Some(grant))
    }

    async fn body(
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
            Refused::Stream(error) if error.is_timeout() => http::explain(error, &reference),
            Refused::Stream(error) => {
                let registry = reference.host().to_owned();
                Error::Interrupted { what, registry, reference, source: error.without_url() }
            }
        })
    }

    /// The response, or what its status means.
    async fn success(&self, response: Response, reference: &Reference) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let registry = reference.host().to_owned();
        let retry_after = retry_after(&response);
        Err(match status {
            StatusCode::NOT_FOUND => Error::NotFound { reference: reference.clone() },
            StatusCode::UNAUTHORIZED => self.unauthorized(reference),
            StatusCode::FORBIDDEN => Error::Forbidden { registry, reference: reference.clone() },
            StatusCode::TOO_MANY_REQUESTS => {
                Error::RateLimited { registry, reference: reference.clone(), retry_after }
            }
            _ => Error::Server {
                registry,
                reference: reference.clone(),
                status: status.as_u16(),
                message: message(response).await,
                retry_after,
            },
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

fn told_digest(response: &Response) -> Option<Digest> {
    response.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(value, SystemTime::now())
}

/// The path of the next page out of a Link header. It must stay in the same list.
fn next_page(response: &Response, request: Request<'_>) -> Result<Option<String>, Error> {
    let Some(link) = response.headers().get(header::LINK) else { return Ok(None) };
    let list = request.path.split_once('?').map_or(request.path, |(list, _)| list);
    let next = || {
        let (target, parameters) = link.to_str().ok()?.strip_prefix('<')?.split_once('>')?;
        parameters.replace([' ', '"'], "").contains("rel=next").then_some(())?;
        let next: Url = response.url().join(target).ok()?;
        let own = format!("/v2/{}/{list}", request.reference.repository());
        (next.origin() == response.url().origin() && next.path() == own).then_some(())?;
        Some(format!("{list}?{}", next.query()?))
    };
    next().map(Some).ok_or_else(|| Error::Malformed {
        registry: request.reference.host().to_owned(),
        reference: request.reference.clone(),
        why: "its link to the next page is not a page of the same list".to_owned(),
    })
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
