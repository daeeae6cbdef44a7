//! A headless Chromium, driven by WebDriver.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder};
use serde_json::json;

/// A browser of its own profile. Its processes end with it.
pub struct Browser {
    driver: Child,
    /// Only kept: it goes with this handle.
    _profile: tempfile::TempDir,
    pub page: Client,
}

impl Browser {
    /// `resolve`: host name and port of 127.0.0.1 that stands for it.
    pub async fn start(host: &str, port: u16) -> Self {
        let driver_port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={driver_port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: `dev/install test` installs it");
        let profile = tempfile::tempdir().expect("a folder");
        let options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,1000",
            "--ignore-certificate-errors",
            format!("--host-resolver-rules=MAP {host} 127.0.0.1:{port}"),
            format!("--user-data-dir={}", profile.path().display()),
        ]});
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("browserName".into(), json!("chrome"));
        capabilities.insert("acceptInsecureCerts".into(), json!(true));
        capabilities.insert("goog:chromeOptions".into(), options);
        let address = format!("http://127.0.0.1:{driver_port}");
        let mut tries = 0;
        let page = loop {
            let http = hyper_util::client::legacy::connect::HttpConnector::new();
            match ClientBuilder::new(http)
                .capabilities(capabilities.clone())
                .connect(&address)
                .await
            {
                Ok(page) => break page,
                Err(_) if tries < 100 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("chromedriver on {address}: {error}"),
            }
        };
        Self { driver, _profile: profile, page }
    }

    /// Keeps a picture of the whole window.
    pub async fn screenshot(&self, file: &Path) {
        let png = self.page.screenshot().await.expect("a screenshot");
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the artifacts' folder");
        std::fs::write(file, png).expect("the screenshot written");
    }

    pub async fn resize(&self, width: u32, height: u32) {
        self.page.set_window_size(width, height).await.expect("resized");
    }

    pub async fn close(self) {
        let _ = self.page.clone().close().await;
    }
}

/// The driver takes its browser with it when it is told to end, also by a failing test.
impl Drop for Browser {
    fn drop(&mut self) {
        let pid = self.driver.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.driver.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
