use axum::response::{IntoResponse as _, Response};
use pinnace_registry::Limits;

use crate::support::{
    fake::{Fake, Parts},
    limits, plain, reference, refused,
};

fn page(tags: &str, next: Option<String>) -> Response {
    let mut response = format!("{{\"name\":\"app\",\"tags\":{tags}}}").into_response();
    if let Some(next) = next {
        let link = format!("<{next}>; rel=\"next\"").parse().unwrap();
        response.headers_mut().insert("link", link);
    }
    response
}

#[tokio::test]
async fn followed_to_the_last() {
    let fake = Fake::start(Parts::new("x"), |asked| {
        Some(match asked.path.as_str() {
            "tags/list?n=1000" => page(
                r#"["1.0.0","2.0.0_a","../x","latest"]"#,
                Some("/v2/app/tags/list?last=latest&n=1000".to_owned()),
            ),
            "tags/list?last=latest&n=1000" => {
                page(r#"["0.9.0"]"#, Some("list?n=1000&last=0.9.0".to_owned()))
            }
            _ => page("null", None),
        })
    })
    .await;
    let client = plain(limits());
    let tags = client.tags(&fake.chart()).await.unwrap();
    assert_eq!(tags, ["1.0.0", "2.0.0_a", "latest", "0.9.0"]);
    let versions = client.chart_versions(&fake.chart()).await.unwrap();
    assert_eq!(versions[0].to_string(), "2.0.0+a");
    assert_eq!(fake.count("GET tags/"), 6);
}

#[tokio::test]
async fn bounded() {
    let fake = Fake::start(Parts::new("x"), |_| {
        Some(page(r#"["a","b"]"#, Some("/v2/app/tags/list?n=2&last=b".to_owned())))
    })
    .await;
    let tags = plain(Limits { tags: 5, ..limits() }).tags(&fake.chart()).await;
    refused(tags, "TooLarge", "5 tags");
    let tags = plain(Limits { tags_pages: 4, ..limits() }).tags(&fake.chart()).await;
    refused(tags, "TooLarge", "4 pages");
    let tags = plain(Limits { tags_page_bytes: 10, ..limits() }).tags(&fake.chart()).await;
    refused(tags, "TooLarge", "10 bytes");
}

#[tokio::test]
async fn links_that_lead_elsewhere_are_not_followed() {
    let links = [
        "http://elsewhere.test/v2/app/tags/list?n=1",
        "/v2/other/tags/list?n=1",
        "/v2/app/tags/list",
    ];
    for next in links {
        let answer = move |_: &_| Some(page("[]", Some(next.to_owned())));
        let fake = Fake::start(Parts::new("x"), answer).await;
        refused(plain(limits()).tags(&fake.chart()).await, "Malformed", "next page");
        assert_eq!(fake.count("GET"), 1);
    }
    let fake = Fake::start(Parts::new("x"), |_| Some("{\"tags\":3}".into_response())).await;
    let app = reference(format!("{}/app", fake.host));
    refused(plain(limits()).tags(&app).await, "Malformed", "list of tags");
}
