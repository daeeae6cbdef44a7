//! Lists: repositories, tags, and what is attached.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use serde_json::json;

use super::{
    Served,
    answer::json as answer,
    names::{Names, Repository},
    path::parameter,
};
use crate::{
    digest::Digest,
    manifest::{Index, OCI_INDEX},
};

/// Most names on one page.
const PAGE: usize = 1000;

pub(super) fn catalog(names: &Names, query: &str) -> Response {
    let (page, next) = cut(names.paths(), query);
    let body = json!({ "repositories": page });
    paged(body, next.map(|next| format!("/v2/_catalog?{next}")))
}

pub(super) fn tags(name: &str, repository: &Repository, query: &str) -> Response {
    let (page, next) = cut(repository.tags.keys().map(String::as_str), query);
    let body = json!({ "name": name, "tags": page });
    paged(body, next.map(|next| format!("/v2/{name}/tags/list?{next}")))
}

pub(super) fn referrers(
    served: &Served,
    repository: &Repository,
    subject: &Digest,
    query: &str,
) -> Response {
    let kind = parameter(query, "artifactType");
    let all = repository.referrers.get(subject).cloned().unwrap_or_default();
    let of_kind = |known: Option<&str>| kind.as_deref().is_none_or(|kind| known == Some(kind));
    let manifests = all
        .into_iter()
        .filter(|found| of_kind(found.artifact_type.as_deref()))
        .filter(|found| served.bundle.held(&found.digest).is_some())
        .collect();
    let index = serde_json::to_vec(&Index::of(manifests)).expect("an index is JSON");
    let mut response = answer(OCI_INDEX, index);
    if kind.is_some() {
        let filters = HeaderValue::from_static("artifactType");
        response.headers_mut().insert("oci-filters-applied", filters);
    }
    response
}

/// The names after `last`, `n` of them at most; and the query of the page after.
fn cut<'a>(names: impl Iterator<Item = &'a str>, query: &str) -> (Vec<&'a str>, Option<String>) {
    let asked = parameter(query, "n").and_then(|n| n.parse().ok());
    let length = asked.unwrap_or(PAGE).min(PAGE);
    let last = parameter(query, "last").unwrap_or_default();
    let mut rest = names.skip_while(|name| !last.is_empty() && *name <= last.as_str());
    let page: Vec<&str> = rest.by_ref().take(length).collect();
    let more = rest.next().is_some() && length > 0;
    let next = page.last().filter(|_| more).map(|last| format!("n={length}&last={last}"));
    (page, next)
}

fn paged(body: serde_json::Value, next: Option<String>) -> Response {
    let mut response = answer("application/json", body.to_string().into_bytes());
    let link = next.and_then(|next| format!("<{next}>; rel=\"next\"").parse().ok());
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn pages() {
        let names = ["a", "b", "c"];
        let of = |query| cut(names.into_iter(), query);
        assert_eq!(of(""), (vec!["a", "b", "c"], None));
        assert_eq!(of("n=2"), (vec!["a", "b"], Some("n=2&last=b".to_owned())));
        assert_eq!(of("n=2&last=b"), (vec!["c"], None));
        assert_eq!(of("n=0"), (vec![], None));
        assert_eq!(of("last=c"), (vec![], None));
        assert_eq!(of("n=3"), (vec!["a", "b", "c"], None));
    }
}
