//! The port for probes and for people who look after the process:
//! `GET /livez`, `GET /readyz`, `GET /metrics`, `PUT /log-level`.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use super::{logs, metrics::Metrics};

mod health;

pub use health::{Check, Health};

/// A client has this long to send a request's head, and as long again for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Open requests are given this long when the process stops.
const GRACE: Duration = Duration::from_secs(2);
const LONGEST_BODY: usize = 1024;
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the admin port is not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on the admin address {address}: choose another --admin-address")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the admin port stopped")]
    Serve(#[source] io::Error),
}

/// An admin port that is bound and not yet served.
#[derive(Debug)]
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

/// Binds `address` and serves it until `shutdown` is cancelled.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    Admin::bind(address)?.serve(health, metrics, shutdown).await
}

impl Admin {
    /// Takes the port; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> Result<Self, Error> {
        let bound = std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(Self { address: listener.local_addr()?, listener })
        });
        bound.map_err(|source| Error::Listen { address, source })
    }

    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled.
    pub async fn serve(
        self,
        health: Health,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let handle = axum_server::Handle::new();
        let mut server =
            axum_server::from_tcp(self.listener).map_err(Error::Serve)?.handle(handle.clone());
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT);
        let service = routes(health, metrics).into_make_service_with_connect_info::<SocketAddr>();
        let serving = server.serve(service);
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(Error::Serve),
            () = shutdown.cancelled() => handle.graceful_shutdown(Some(GRACE)),
        }
        serving.await.map_err(Error::Serve)
    }
}

fn routes(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(health))
        .route("/metrics", get(text).with_state(metrics))
        .route("/log-level", put(log_level))
}

async fn readyz(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn text(State(metrics): State<Metrics>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The port has no sign-in, so only the pod itself (`kubectl port-forward`) may change the level.
async fn log_level(ConnectInfo(peer): ConnectInfo<SocketAddr>, body: Body) -> Response {
    if !peer.ip().to_canonical().is_loopback() {
        let why = "the log level can be changed from localhost only: use kubectl port-forward\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let level = match tokio::time::timeout(READ_TIMEOUT, to_bytes(body, LONGEST_BODY)).await {
        Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    match logs::set_level(&level) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ logs::Error::Invalid { .. }) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error @ logs::Error::NotStarted) => {
            (StatusCode::CONFLICT, format!("{error}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
