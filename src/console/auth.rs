//! Who may call: the admin key on the APIs. (Agents have tokens of their own: `link::token`.)

use http::HeaderMap;
use subtle::ConstantTimeEq as _;
use tonic::{Request, Status, metadata::MetadataMap, service::Interceptor};

use super::keys;

/// Checks `Authorization: apikey <key>` against the stored hash.
#[derive(Clone)]
pub struct AdminKey {
    hash: String,
}

impl AdminKey {
    /// From the hash of the key ([`keys::hash`]).
    pub fn new(hash: String) -> Self {
        Self { hash }
    }

    /// Whether this is the admin key. The comparison takes the same time for every wrong key.
    pub fn is(&self, key: &str) -> bool {
        keys::hash(key).as_bytes().ct_eq(self.hash.as_bytes()).into()
    }

    fn check(&self, header: Option<&str>) -> Result<(), Status> {
        let Some(header) = header else {
            return Err(Status::unauthenticated(
                "this call needs the header `Authorization: apikey <key>`",
            ));
        };
        let key =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("apikey"));
        match key {
            Some((_, key)) if self.is(key.trim()) => Ok(()),
            Some(_) => Err(Status::unauthenticated("the API key is not valid")),
            None => Err(Status::unauthenticated(
                "the Authorization header must have the form `apikey <key>`",
            )),
        }
    }

    /// For REST.
    pub fn check_headers(&self, headers: &HeaderMap) -> Result<(), Status> {
        self.check(headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()))
    }

    fn check_metadata(&self, metadata: &MetadataMap) -> Result<(), Status> {
        self.check(metadata.get("authorization").and_then(|value| value.to_str().ok()))
    }
}

impl Interceptor for AdminKey {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        self.check_metadata(request.metadata())?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_admin_key_passes() {
        let admin = AdminKey::new(keys::hash("right"));
        assert!(admin.check(Some("apikey right")).is_ok());
        assert!(admin.check(Some("ApiKey right")).is_ok());
        for header in [None, Some(""), Some("right"), Some("Bearer right"), Some("apikey wrong")] {
            let error = admin.check(header).expect_err("refused");
            assert_eq!(error.code(), tonic::Code::Unauthenticated, "{header:?}");
            assert!(!error.message().contains("wrong"));
        }
    }
}
