//! How much a pull of a chart on a warm connection takes over what the registry needs for its answers; run by
//! dev/bench-mirror.
//!
//!     pull 127.0.0.1:5000/charts/app:1.0.0   prints the medians in milliseconds: PULL REGISTRY
//!
//! The registry must not want TLS.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use pinnace_registry::{Client, Options, Reference};

const TURNS: usize = 201;

/// The same requests without a client: written to one connection, the answers read and not looked at.
struct Bare {
    connection: BufReader<TcpStream>,
    host: String,
    repository: String,
}

impl Bare {
    fn get(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let (host, repository) = (&self.host, &self.repository);
        let accept = "application/vnd.oci.image.manifest.v1+json, */*";
        let request = format!(
            "GET /v2/{repository}/{path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n"
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.connection.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        Ok(body)
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).context("give HOST:PORT/REPOSITORY:TAG")?;
    let chart = Reference::parse(&name)?;
    let client = Client::new(Options { plain_http: true, ..Options::default() })?;
    let digest = client.resolve(&chart).await?;
    let connection = TcpStream::connect(chart.host())?;
    connection.set_nodelay(true)?;
    let mut bare = Bare {
        connection: BufReader::with_capacity(64 * 1024, connection),
        host: chart.host().to_owned(),
        repository: chart.repository().to_owned(),
    };
    let manifest: serde_json::Value =
        serde_json::from_slice(&bare.get(&format!("manifests/{digest}"))?)?;
    let blob =
        |part: &serde_json::Value| format!("blobs/{}", part["digest"].as_str().unwrap_or_default());
    let parts = [blob(&manifest["config"]), blob(&manifest["layers"][0])];

    // In turns, so that what else goes on meets both.
    let (mut pulls, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let began = Instant::now();
        client.pull_chart(&chart, Some(&digest)).await?;
        pulls.push(began.elapsed());
        let began = Instant::now();
        bare.get(&format!("manifests/{digest}"))?;
        for part in &parts {
            bare.get(part)?;
        }
        answers.push(began.elapsed());
    }
    println!("{:.2} {:.2}", median(pulls), median(answers));
    Ok(())
}
