//! The repositories of a registry, where it tells them (`_catalog`; many do not).

use serde::Deserialize;

use super::{
    Client,
    paging::next_page,
    request::{Request, Target},
    scope::Access,
};
use crate::{error::Error, limits::Expected, reference::Reference};

impl Client {
    /// The repositories at or below the reference's path, in the registry's order.
    pub async fn repositories(&self, below: &Reference) -> Result<Vec<Reference>, Error> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let limits = self.limits();
        let inside = |name: &str| {
            name.strip_prefix(below.repository())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut found = Vec::new();
        let mut path = format!("_catalog?n={}", limits.tags_page);
        for _ in 0..limits.tags_pages {
            let request = || {
                let target = Target::Registry(&path);
                Request::new(reqwest::Method::GET, below, Access::Catalog, target)
                    .accept("application/json")
            };
            let expected = Expected { limit: limits.tags_page_bytes, size: None, digest: None };
            let answer = self.0.get(request, "the list of repositories", expected).await?;
            let page: Page =
                serde_json::from_slice(&answer.body.bytes).map_err(|_| Error::Malformed {
                    registry: below.host().to_owned(),
                    reference: below.clone(),
                    why: "its list of repositories is not JSON".to_owned(),
                })?;
            let names = page.repositories.unwrap_or_default();
            for name in names.iter().filter(|name| inside(name)) {
                found.extend(Reference::parse(&format!("{}/{name}", below.host())));
            }
            match next_page(&answer.headers, &answer.url, "/v2/_catalog", below)? {
                Some(query) => path = format!("_catalog?{query}"),
                None => return Ok(found),
            }
        }
        Err(Error::TooLarge {
            what: "the list of repositories",
            reference: below.clone(),
            limit: limits.tags_pages as u64,
            unit: "pages",
        })
    }
}
