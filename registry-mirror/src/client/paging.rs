//! Lists over several pages: tags, repositories, referrers.

use reqwest::{
    Url,
    header::{HeaderMap, LINK},
};

use crate::{error::Error, reference::Reference};

/// The query of the next page out of a Link header; `list` is the path of the list, and the next
/// page must be one of the same list at the same host.
pub(super) fn next_page(
    headers: &HeaderMap,
    url: &Url,
    list: &str,
    reference: &Reference,
) -> Result<Option<String>, Error> {
    let Some(link) = headers.get(LINK) else { return Ok(None) };
    let next = || {
        let (target, parameters) = link.to_str().ok()?.strip_prefix('<')?.split_once('>')?;
        parameters.replace([' ', '"'], "").contains("rel=next").then_some(())?;
        let next: Url = url.join(target).ok()?;
        (next.origin() == url.origin() && next.path() == list).then_some(())?;
        next.query().map(str::to_owned)
    };
    next().map(Some).ok_or_else(|| Error::Malformed {
        registry: reference.host().to_owned(),
        reference: reference.clone(),
        why: "its link to the next page is not a page of the same list".to_owned(),
    })
}
