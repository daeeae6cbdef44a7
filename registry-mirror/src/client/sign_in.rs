//! From a registry's question to a grant. Requests to token services are sent here.

use std::time::Instant;

use reqwest::{Response, StatusCode, header};

use super::{
    auth::{self, Challenge, Grant, Token},
    http,
    transport::{SMALL_BODY, Transport},
};
use crate::{error::Error, limits::Expected, reference::Reference};

impl Transport {
    /// What the registry asks for in a 401.
    pub(super) fn challenge(response: &Response) -> Option<Challenge> {
        let values = response.headers().get_all(header::WWW_AUTHENTICATE);
        Challenge::parse(values.iter().filter_map(|value| value.to_str().ok()))
    }

    /// `None` if there is nothing to sign in with.
    pub(super) async fn sign_in(
        &self,
        challenge: Option<Challenge>,
        scopes: &str,
        reference: &Reference,
    ) -> Result<Option<Grant>, Error> {
        let (realm, service, asked) = match challenge {
            // Without a challenge, the one thing that can be tried is a name and a password.
            None | Some(Challenge::Basic) => {
                return Ok(auth::basic(&self.credentials).map(Grant::lasting));
            }
            Some(Challenge::Bearer { realm, service, scope }) => (realm, service, scope),
        };
        // What the registry asks for may be less than a mount needs, which names two repositories.
        let scopes = asked.as_deref().filter(|_| !scopes.contains(' ')).unwrap_or(scopes);
        let response = self.token(&realm, service.as_deref(), scopes, reference).await?;
        let response = self.success(response, reference, "read").await?;
        let expected = Expected { limit: SMALL_BODY, size: None, digest: None };
        let body = self.body(response, reference, "the token", expected).await?;
        let malformed = |why| malformed(reference, why);
        let token: Token = serde_json::from_slice(&body.bytes)
            .map_err(|_| malformed("its token service did not answer with a token"))?;
        let grant = Grant::of_token(token, Instant::now())
            .ok_or_else(|| malformed("its token service gave an empty token"))?;
        Ok(Some(grant))
    }

    /// Asks with GET and Basic, as all services understand; with an OAuth2 form where there is an
    /// identity token, or the service does not know GET.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &str,
        reference: &Reference,
    ) -> Result<Response, Error> {
        let secure = |url: &reqwest::Url| url.scheme() == "https" || url.scheme() == self.scheme;
        let url = auth::token_url(realm, service, scopes)
            .filter(secure)
            .ok_or_else(|| malformed(reference, "its token service is not an https URL"))?;
        let form = auth::token_form(&self.credentials, service, scopes);
        let basic = auth::basic(&self.credentials);
        if basic.is_some() || form.is_none() {
            let mut builder = self.http.get(url.clone());
            if let Some(basic) = basic {
                builder = builder.header(header::AUTHORIZATION, basic);
            }
            let response = builder.send().await.map_err(|error| http::explain(error, reference))?;
            let unknown = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            if !unknown.contains(&response.status()) || form.is_none() {
                return Ok(response);
            }
        }
        let form = form.expect("there is a form where GET was not enough");
        let url = reqwest::Url::parse(realm).ok().filter(secure);
        let url = url.ok_or_else(|| malformed(reference, "its token service is not a URL"))?;
        let builder = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.expose().to_owned());
        builder.send().await.map_err(|error| http::explain(error, reference))
    }
}

fn malformed(reference: &Reference, why: &str) -> Error {
    Error::Malformed {
        registry: reference.host().to_owned(),
        reference: reference.clone(),
        why: why.to_owned(),
    }
}
