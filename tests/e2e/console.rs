//! The Console's public API, as a customer's script would call it: REST with an api key.

use std::time::Duration;

use serde_json::{Value, json};

/// A Console, and the account of its admin key.
#[derive(Clone, Debug)]
pub struct Console {
    http: reqwest::Client,
    pub url: String,
    pub account: String,
    pub key: String,
}

/// What the Console answered to a request that it did not grant.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
}

impl Console {
    /// On this port of 127.0.0.1, with a certificate for `host` that chains to `ca` (PEM).
    pub fn new(port: u16, ca: &[u8], host: &str, account: String, key: String) -> Self {
        let http = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(ca).expect("a CA")])
            .resolve(host, ([127, 0, 0, 1], port).into())
            .timeout(Duration::from_secs(30))
            // Each test has a runtime of its own, and a connection ends with the one that opened it.
            .pool_max_idle_per_host(0)
            .build()
            .expect("an HTTP client");
        Self { http, url: format!("https://{host}:{port}"), account, key }
    }

    /// Whether it is there. Who forwards its port takes connections before.
    pub async fn answers(&self) -> bool {
        self.http.get(&self.url).send().await.is_ok()
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Refusal> {
        let method = method.parse().expect("a method");
        let url = format!("{}{path}", self.url);
        let mut request =
            self.http.request(method, &url).header("authorization", format!("apikey {}", self.key));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap_or_else(|e| panic!("{url}: {e:?}"));
        let status = response.status();
        let text = response.text().await.expect("a body");
        let answer: Value = serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("{url} answered {status} with no JSON ({e}): {text}"));
        if status.is_success() {
            Ok(answer)
        } else {
            let message = answer["message"].as_str().unwrap_or(&text).to_owned();
            Err(Refusal { status: status.as_u16(), message })
        }
    }

    /// The path of the account's databases.
    pub fn clusters(&self) -> String {
        format!("/api/cluster/v1/accounts/{}/clusters", self.account)
    }

    fn environments(&self) -> String {
        format!("/api/hybrid/v1/accounts/{}/hybrid-cloud-environments", self.account)
    }

    pub async fn create(&self, name: &str, configuration: Value) -> Result<String, Refusal> {
        let body = json!({"hybridCloudEnvironment": {
            "accountId": self.account, "name": name, "configuration": configuration}});
        let made = self.call("POST", &self.environments(), Some(body)).await?;
        Ok(made["hybridCloudEnvironment"]["id"].as_str().expect("an id").to_owned())
    }

    pub async fn environment(&self, id: &str) -> Result<Value, Refusal> {
        let path = format!("{}/{id}", self.environments());
        Ok(self.call("GET", &path, None).await?["hybridCloudEnvironment"].take())
    }

    /// Changes fields of the environment's configuration.
    pub async fn configure(&self, id: &str, changes: Value) -> Result<Value, Refusal> {
        let mut environment = self.environment(id).await?;
        for (field, value) in changes.as_object().into_iter().flatten() {
            environment["configuration"][field] = value.clone();
        }
        let path = format!("{}/{id}", self.environments());
        let body = json!({"hybridCloudEnvironment": environment});
        self.call("PUT", &path, Some(body)).await
    }

    pub async fn delete(&self, id: &str) -> Result<Value, Refusal> {
        self.call("DELETE", &format!("{}/{id}", self.environments()), None).await
    }

    /// The lines of the installation command.
    pub async fn bootstrap(&self, id: &str) -> Result<Vec<String>, Refusal> {
        let path = format!("{}/{id}/bootstrap-commands", self.environments());
        let answer = self.call("POST", &path, Some(json!({}))).await?;
        let lines = answer["commands"].as_array().expect("commands");
        Ok(lines.iter().map(|line| line.as_str().expect("a line").to_owned()).collect())
    }

    fn versions_path(&self, id: &str) -> String {
        let account = &self.account;
        format!("/api/console/v1/accounts/{account}/hybrid-cloud-environments/{id}/versions")
    }

    pub async fn versions(&self, id: &str) -> Result<Value, Refusal> {
        self.call("GET", &self.versions_path(id), None).await
    }

    /// `wanted`: `agentVersion`, `operatorVersion`, or both.
    pub async fn pin(&self, id: &str, wanted: Value) -> Result<Value, Refusal> {
        self.call("PUT", &self.versions_path(id), Some(wanted)).await
    }
}
