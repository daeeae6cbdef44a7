//! What a browser is given.

use pinnace::proto::pinnace::agent::v1::{Component, Hello, Observed, Phase};

use crate::harness::{ADMIN_KEY, Console, Down};

/// A browser that keeps its cookie.
pub struct Browser<'a> {
    console: &'a Console,
    cookie: String,
}

/// A form as a browser posts it.
fn form(console: &Console, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let kind = "application/x-www-form-urlencoded";
    console.http().post(console.url(path)).header("content-type", kind).body(body)
}

pub struct Page {
    pub status: u16,
    pub location: String,
    pub text: String,
}

impl<'a> Browser<'a> {
    pub async fn sign_in(console: &'a Console) -> Self {
        let sent = form(console, "/sign-in", &[("key", ADMIN_KEY)]);
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        for attribute in ["HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        Self { console, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.header("cookie", &self.cookie).send().await.unwrap();
        let location = answer.headers().get("location").map(|l| l.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"));
        Page { status, location: location.unwrap_or_default(), text: answer.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.console.http().get(self.console.url(path))).await
    }

    /// Posts a form with the CSRF token of the page at `from`.
    async fn post(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(from).await.text;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let fields = [fields, &[("csrf", csrf)]].concat();
        self.send(form(self.console, path, &fields)).await
    }
}

#[tokio::test]
async fn only_the_admin_key_signs_in() {
    let console = Console::start().await;
    let http = console.http();
    for path in ["/", "/environments", "/environments/new", "/environments/x"] {
        let answer = http.get(console.url(path)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (303, &"/sign-in".parse().unwrap())
        );
    }
    let wrong = form(&console, "/sign-in", &[("key", "wrong")]).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().get("set-cookie").is_none());
    assert!(wrong.text().await.unwrap().contains("This is not the admin key"));
    let forged = http
        .get(console.url("/environments"))
        .header("cookie", "__Host-pinnace-session=9999999999.x.y");
    assert_eq!(forged.send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn the_story_in_a_browser() {
    let console = Console::start().await;
    let browser = Browser::sign_in(&console).await;
    assert!(browser.get("/environments").await.text.contains("No environment yet"));

    let bad = [("name", "prod"), ("namespace", "qdrant"), ("operator_settings", "a: [")];
    let refused = browser.post("/environments/new", "/environments", &bad).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("Operator settings are not YAML"));
    assert!(refused.text.contains("value=\"prod\""), "what was typed stays");

    let fields = [("name", "prod"), ("namespace", "qdrant")];
    let made = browser.post("/environments/new", "/environments", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let path = made.location;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let page = browser.get(&path).await.text;
    for text in [&id, "Not installed", "Agent Pod State", "Operator Pod State", "never connected"] {
        assert!(page.contains(text), "{text} is missing");
    }

    let install = format!("{path}/installation-command");
    let page = browser.post(&path, &install, &[]).await.text;
    assert!(page.contains("helm upgrade --install qdrant-cloud-agent"), "{page}");
    assert!(page.contains("Waiting for first contact"));
    assert!(!browser.get(&path).await.text.contains("access-key="), "secrets are shown once");

    let chosen = [("agent", "1.0.0"), ("operator", "1.0.0")];
    let set = browser.post(&path, &format!("{path}/versions"), &chosen).await;
    assert_eq!((set.status, set.location.as_str()), (303, path.as_str()));
    let page = browser.get(&path).await.text;
    assert!(page.contains("id=\"operator-wanted\">1.0.0<"), "{page}");

    let unknown = browser.post(&path, &format!("{path}/versions"), &[("operator", "9.9.9")]).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.contains("chart qdrant-operator has no version 9.9.9"));
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let console = Console::start().await;
    let (id, _) = console.environment("e").await;
    let browser = Browser::sign_in(&console).await;
    let path = format!("/environments/{id}/versions");
    let fields = [("csrf", "guessed"), ("operator", "1.0.0")];
    let refused = browser.send(form(&console, &path, &fields)).await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_failed_upgrade_is_shown_and_escaped() {
    let console = Console::start().await;
    let (id, key) = console.environment("e").await;
    let token = console.token(&key).await.unwrap();
    let mut agent = console.agent(&id, &token, Hello::default()).await.unwrap();
    agent.desired().await;
    let failed = Component {
        running_version: "1.0.0".into(),
        attempted_version: "1.1.0".into(),
        phase: Phase::Ready as i32,
        reason: "RollbackSucceeded".into(),
        message: "<b>never ready</b>".into(),
        pods_ready: 1,
        pods_wanted: 1,
        ..Default::default()
    };
    let components = [("qdrant-operator-v2".to_owned(), failed)].into();
    agent.observe(Observed { seq: 1, generation: 1, components, ..Default::default() }).await;
    let browser = Browser::sign_in(&console).await;
    let state = browser.get(&format!("/environments/{id}/state")).await.text;
    let expected = "running 1.0.0, upgrade to 1.1.0 failed: &lt;b&gt;never ready&lt;";
    assert!(state.contains(expected), "{state}");
    assert!(state.contains("1 of 1 pods ready") && state.contains("connected now"), "{state}");
}

#[tokio::test]
async fn a_silent_registry_hides_only_the_choice() {
    let console = Console::with(Box::new(Down)).await;
    let made = crate::harness::create("e", "e");
    let made = console.hybrid().await.create_hybrid_cloud_environment(made).await.unwrap();
    let id = made.into_inner().hybrid_cloud_environment.unwrap().id;
    let page = Browser::sign_in(&console).await.get(&format!("/environments/{id}")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("The versions cannot be listed"));
    assert!(page.text.contains("registry.test did not answer"));
    assert!(page.text.contains("Agent Pod State"));
}
