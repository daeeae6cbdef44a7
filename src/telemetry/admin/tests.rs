use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::*;

struct Running {
    base: String,
    http: reqwest::Client,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), Error>>,
}

fn start(health: &Health) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let admin = Admin::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let base = format!("http://{}", admin.address());
    let shutdown = CancellationToken::new();
    let metrics = Metrics::new("test", "1.2.3");
    let task = tokio::spawn(admin.serve(health.clone(), metrics, shutdown.clone()));
    Running { base, http: reqwest::Client::new(), shutdown, task }
}

impl Running {
    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn put_level(&self, level: &str) -> (u16, String) {
        let request = self.http.put(format!("{}/log-level", self.base)).body(level.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn probes_and_metrics() {
    let health = Health::new();
    let api = health.register("kubernetes");
    let link = health.register("link");
    let running = start(&health);

    assert_eq!(running.get("/livez").await, (200, "ok\n".to_owned()));

    link.ready();
    api.not_ready("no answer");
    let (status, body) = running.get("/readyz").await;
    assert_eq!(status, 503);
    let wanted = json!({
        "ready": false,
        "checks": {
            "kubernetes": { "ready": false, "reason": "no answer" },
            "link": { "ready": true },
        },
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), wanted);

    api.ready();
    assert_eq!(running.get("/readyz").await.0, 200);
    assert!(health.is_ready());

    let (status, body) = running.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("pinnace_build_info"), "{body}");
    assert_eq!(running.get("/elsewhere").await.0, 404);
}

#[tokio::test]
async fn log_level_is_set_or_refused() {
    logs::init(logs::Format::Json);
    let running = start(&Health::new());
    assert_eq!(running.put_level("info,pinnace=debug").await, (204, String::new()));
    let (status, body) = running.put_level("loud").await;
    assert_eq!(status, 400);
    assert!(body.contains("\"loud\""), "{body}");
    assert_eq!(running.put_level(&"x".repeat(LONGEST_BODY + 1)).await.0, 413);
    assert_eq!(running.get("/log-level").await.0, 405);
}

#[tokio::test]
async fn shutdown_ends_it() {
    let running = start(&Health::new());
    assert_eq!(running.get("/livez").await.0, 200);
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
    assert!(running.http.get(&running.base).send().await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = Admin::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let error = Admin::bind(first.address()).unwrap_err();
    assert!(error.to_string().contains(&first.address().to_string()), "{error}");
}
