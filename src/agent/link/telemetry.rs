//! The telemetry stream: sends what the Console granted bytes for, and no more.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{ring::Ring, token::Token};
use crate::proto::pinnace::agent::v1::{
    TelemetryRequest, agent_link_service_client::AgentLinkServiceClient,
};

/// The most credit that is counted, in bytes.
const MAX_CREDIT: u64 = 64 << 20;

/// Sends records of `ring` until the stream ends; says why it ended.
///
/// A record that was handed to the connection when it broke may be lost; records in the ring are not.
pub async fn run(
    client: &mut AgentLinkServiceClient<Channel>,
    token: &Token,
    ring: &Ring,
) -> tonic::Status {
    let (sender, receiver) = mpsc::channel(1);
    let responses = client.telemetry(token.request(ReceiverStream::new(receiver))).await;
    let mut responses = match responses {
        Ok(responses) => responses.into_inner(),
        Err(status) => return status,
    };
    let ended = || tonic::Status::unavailable("the Console ended the telemetry stream");
    let mut credit = 0u64;
    loop {
        tokio::select! {
            response = responses.message() => match response {
                Ok(Some(grant)) => credit = credit.saturating_add(grant.credit_bytes).min(MAX_CREDIT),
                Ok(None) => return ended(),
                Err(status) => return status,
            },
            next = next(&sender, ring, credit) => {
                let Some((slot, record, size)) = next else { return ended() };
                credit -= size;
                slot.send(record);
            }
        }
    }
}

/// A record that fits into `credit` and the slot it will travel in; `None` when the stream ended.
/// Nothing is lost when this is dropped while it waits.
async fn next<'a>(
    sender: &'a mpsc::Sender<TelemetryRequest>,
    ring: &Ring,
    credit: u64,
) -> Option<(mpsc::Permit<'a, TelemetryRequest>, TelemetryRequest, u64)> {
    loop {
        let slot = sender.reserve().await.ok()?;
        if let Some((record, size)) = ring.take(credit) {
            return Some((slot, record, size));
        }
        drop(slot);
        ring.changed().await;
    }
}
