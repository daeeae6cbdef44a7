//! The tags of a repository, and the versions among them.

use semver::Version;
use serde::Deserialize;

use super::{Client, paging::next_page, request::Request};
use crate::{
    error::Error,
    limits::Expected,
    reference::{Reference, is_tag},
    versions::newest_first,
};

impl Client {
    /// All tags of a repository, in the registry's order; what cannot be a tag is left out.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            /// `null` for a repository that has lost its last tag.
            tags: Option<Vec<String>>,
        }
        let limits = self.limits();
        let too_large = |limit: usize, unit| Error::TooLarge {
            what: "the list of tags",
            reference: reference.clone(),
            limit: limit as u64,
            unit,
        };
        let list = format!("/v2/{}/tags/list", reference.repository());
        let mut tags = Vec::new();
        let mut path = format!("tags/list?n={}", limits.tags_page);
        for _ in 0..limits.tags_pages {
            let request = || Request::get(reference, &path).accept("application/json");
            let expected = Expected { limit: limits.tags_page_bytes, size: None, digest: None };
            let answer = self.0.get(request, "a page of tags", expected).await?;
            let page: Page =
                serde_json::from_slice(&answer.body.bytes).map_err(|_| Error::Malformed {
                    registry: reference.host().to_owned(),
                    reference: reference.clone(),
                    why: "its list of tags is not the JSON that the OCI specification asks for"
                        .to_owned(),
                })?;
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(|tag| is_tag(tag)));
            if tags.len() > limits.tags {
                return Err(too_large(limits.tags, "tags"));
            }
            match next_page(&answer.headers, &answer.url, &list, reference)? {
                Some(query) => path = format!("tags/list?{query}"),
                None => return Ok(tags),
            }
        }
        Err(too_large(limits.tags_pages, "pages"))
    }

    /// The versions of a chart, newest first.
    pub async fn chart_versions(&self, reference: &Reference) -> Result<Vec<Version>, Error> {
        Ok(newest_first(self.tags(reference).await?))
    }
}
