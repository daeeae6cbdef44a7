//! What the Console may see besides state: Kubernetes events, usage of nodes, and names and counts of
//! databases. Nothing else of a database is asked for, and of its answer nothing else is kept.

mod database;
mod events;
mod usage;

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{link::ring::Ring, world::World};
use crate::proto::pinnace::agent::v1::telemetry_request::Message;

/// How often usage of nodes and databases is sampled.
const SAMPLE: Duration = Duration::from_secs(60);

/// Starts the sources; they end when `tasks` is dropped.
pub fn start(
    client: &Client,
    namespace: &str,
    world: &World,
    ring: &Arc<Ring>,
    tasks: &mut JoinSet<()>,
) {
    tasks.spawn(events::forward(client.clone(), namespace.to_owned(), ring.clone()));
    tasks.spawn(sample(world.clone(), ring.clone()));
}

async fn sample(world: World, ring: Arc<Ring>) {
    let databases = database::Databases::new();
    let mut clock = tokio::time::interval(SAMPLE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    world.ready().await;
    loop {
        clock.tick().await;
        let now = chrono::Utc::now();
        let nodes = world.nodes.state();
        if !nodes.is_empty() {
            ring.push(Message::Usage(usage::usage(&nodes, &world.pods.state(), now)));
        }
        let Ok(databases) = &databases else { continue };
        for telemetry in databases.sample(&world.clusters.state(), &world.pods.state(), now).await {
            ring.push(Message::Database(telemetry));
        }
    }
}
