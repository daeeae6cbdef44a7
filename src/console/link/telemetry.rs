//! One `Telemetry` stream: bytes are granted, records are kept within a bound.

use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::token::Claims;
use crate::{
    console::desk::{Shared, now},
    proto::pinnace::agent::v1::{TelemetryRequest, TelemetryResponse, telemetry_request},
};

/// Bytes that an agent may have on the way.
const WINDOW: u64 = 256 << 10;

/// Stores what comes until either side ends the stream.
pub async fn run(
    desk: Shared,
    claims: Claims,
    mut incoming: Streaming<TelemetryRequest>,
    send: mpsc::Sender<Result<TelemetryResponse, Status>>,
    shutdown: CancellationToken,
) {
    let mut left = 0;
    loop {
        if left < WINDOW / 2 {
            let credit = TelemetryResponse { credit_bytes: WINDOW - left };
            if send.send(Ok(credit)).await.is_err() {
                return;
            }
            left = WINDOW;
        }
        let message = tokio::select! {
            () = shutdown.cancelled() => return,
            message = incoming.message() => match message {
                Ok(Some(message)) => message,
                Ok(None) | Err(_) => return,
            },
        };
        let valid = desk.live.epoch(&claims.environment) == Some(claims.epoch);
        let kept = if valid {
            let size = message.encoded_len() as u64;
            match left.checked_sub(size) {
                Some(rest) => {
                    left = rest;
                    keep(&desk, &claims.environment, &message).await
                }
                None => Err(Status::resource_exhausted("more bytes were sent than were granted")),
            }
        } else {
            Err(Status::unauthenticated(super::REPLACED))
        };
        if let Err(status) = kept {
            let _ = send.send(Err(status)).await;
            return;
        }
    }
}

async fn keep(desk: &Shared, environment: &str, message: &TelemetryRequest) -> Result<(), Status> {
    let kind = match &message.message {
        Some(telemetry_request::Message::Event(_)) => "event",
        Some(telemetry_request::Message::Usage(_)) => "usage",
        Some(telemetry_request::Message::Database(_)) => "database",
        Some(telemetry_request::Message::Gap(_)) => "gap",
        None => return Ok(()),
    };
    let document = serde_json::to_string(message).map_err(|error| {
        Status::invalid_argument(format!("telemetry has no JSON form: {error}"))
    })?;
    desk.store.add_telemetry(environment, kind, &document, now()).await?;
    Ok(())
}
