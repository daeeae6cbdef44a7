//! A person signs in, upgrades by clicking, and sees it happen.

use std::path::Path;

use fantoccini::Locator;

use crate::{
    browser::Browser,
    world::{AGENT, OPERATOR, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_upgrades_by_clicking() {
    let world = World::get().await;
    let site = world.install("clicked").await;
    site.until_running(AGENT, "1.0.0").await;
    site.until_running(OPERATOR, "1.0.0").await;

    let browser = Browser::start(World::HOST, world.port).await;
    let page = &browser.page;
    let base = format!("https://{}", World::HOST);
    page.goto(&base).await.expect("the sign-in page");
    page.find(Locator::Css("input[type=password]"))
        .await
        .expect("a field for the key")
        .send_keys(&world.console.key)
        .await
        .expect("typed");
    page.find(Locator::Css("button.primary"))
        .await
        .expect("a button")
        .click()
        .await
        .expect("signed in");
    let row = format!("a[href='/environments/{}']", site.id);
    page.wait().for_element(Locator::Css(&row)).await.expect("the environment is listed");
    let artifacts = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    browser.screenshot(&artifacts.join("environments.png")).await;
    page.find(Locator::Css(&row)).await.expect("listed").click().await.expect("opened");

    let text = shown(page, &["Agent Pod State", "Operator Pod State", "1.0.0"]).await;
    assert!(text.contains(&site.id), "the page shows the environment's id: {text}");
    browser.screenshot(&artifacts.join("environment.png")).await;

    for (field, version) in [("agent", "1.1.0"), ("operator", "1.1.0")] {
        let list = page.find(Locator::Css(&format!("select[name={field}]"))).await.expect(field);
        list.select_by_value(version).await.expect("the version is offered");
    }
    page.find(Locator::Css("#apply-versions"))
        .await
        .expect("the upgrade form")
        .click()
        .await
        .expect("clicked");
    site.until_running(OPERATOR, "1.1.0").await;
    site.until_running(AGENT, "1.1.0").await;

    page.refresh().await.expect("the page again");
    shown(page, &["1.1.0"]).await;
    browser.screenshot(&artifacts.join("upgraded.png")).await;
    browser.resize(390, 844).await;
    page.refresh().await.expect("the page on a phone");
    let wide = page
        .execute("return document.documentElement.scrollWidth > window.innerWidth", Vec::new())
        .await
        .expect("measured");
    assert_eq!(wide, serde_json::json!(false), "the page is wider than a phone");
    browser.screenshot(&artifacts.join("phone.png")).await;
    browser.close().await;
    site.done().await;
}

/// The page's text, once it has all of these words.
async fn shown(page: &fantoccini::Client, words: &[&str]) -> String {
    for word in words {
        let containing = format!("//*[contains(normalize-space(.), '{word}')]");
        page.wait()
            .for_element(Locator::XPath(&containing))
            .await
            .unwrap_or_else(|e| panic!("the page never showed {word:?}: {e}"));
    }
    page.find(Locator::Css("body")).await.expect("a body").text().await.expect("its text")
}
