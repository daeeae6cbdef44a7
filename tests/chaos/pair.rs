//! Two controllers at once, of which one leads: it is killed, or stands still beyond its lease and goes on. With clocks
//! that are an hour off, too.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;
use kube::runtime::wait::await_condition;
use rand::Rng as _;

use crate::child::Child;
use crate::course::Course;
use crate::lane::{Lane, Operation};

/// A lease ends after 15 s, and is looked at every 5 s.
const TAKEN_OVER: Duration = Duration::from_secs(60);
const HOUR: i64 = 3600;

impl Course {
    pub async fn two_at_once(&mut self) {
        for (name, ahead) in [("", [0, 0]), (", clocks off", [HOUR, -HOUR])] {
            self.leader_killed(&format!("leader killed{name}"), ahead).await;
            self.leader_paused(&format!("leader paused{name}"), ahead).await;
        }
    }

    /// The one that leads, the other one, and releases to work on.
    async fn pair(&mut self, ahead: [i64; 2]) -> Option<(Child, Child, Vec<Lane>)> {
        let number: u32 = self.random.random();
        let [one, two] = [("one", ahead[0]), ("two", ahead[1])]
            .map(|(name, ahead)| self.world.controller(&format!("{name}-{number}"), ahead));
        let holder = self.holder(&[one.identity(), two.identity()]).await?;
        let (mut leader, other) = if holder == one.identity() { (one, two) } else { (two, one) };
        let mut lanes: Vec<Lane> = (0..4).map(|_| self.lane(false)).collect();
        for lane in &mut lanes {
            self.plain(&mut leader, lane, Operation::Install).await?;
        }
        Some((leader, other, lanes))
    }

    /// Waits until one of these holds the Lease.
    async fn holder(&mut self, of: &[&str]) -> Option<String> {
        let bed = &self.world.bed;
        let api: Api<Lease> = Api::namespaced(bed.client.clone(), bed.namespace());
        let holder = |lease: &Lease| lease.spec.as_ref()?.holder_identity.clone();
        let of: Vec<String> = of.iter().map(|identity| (*identity).to_owned()).collect();
        let held = await_condition(api, "chaos", move |lease: Option<&Lease>| {
            lease.and_then(holder).is_some_and(|now| of.contains(&now))
        });
        match tokio::time::timeout(TAKEN_OVER, held).await {
            Ok(lease) => lease.expect("a watch").as_ref().and_then(holder),
            Err(_) => {
                self.outcome.stuck("nobody has taken the Lease over".to_owned());
                None
            }
        }
    }

    async fn moment(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(0..800))).await;
    }

    async fn leader_killed(&mut self, name: &str, ahead: [i64; 2]) {
        let Some((mut leader, mut other, mut lanes)) = self.pair(ahead).await else { return };
        let batch = self.begin(&mut lanes).await;
        self.moment().await;
        leader.kill().await;
        self.outcome.killed();
        for operation in &batch.operations {
            self.outcome.hit(*operation, name);
        }
        let last = Instant::now();
        self.end(&mut [&mut other], &mut lanes, batch, name, last).await;
        self.holder(&[other.identity()]).await;
        other.kill().await;
    }

    /// When it goes on, another one has long done its work, and does more.
    async fn leader_paused(&mut self, name: &str, ahead: [i64; 2]) {
        let Some((mut leader, mut other, mut lanes)) = self.pair(ahead).await else { return };
        let batch = self.begin(&mut lanes).await;
        self.moment().await;
        leader.pause().await;
        let last = Instant::now();
        self.end(&mut [&mut other], &mut lanes, batch, name, last).await;
        // It may have been done before it stood still, and then nobody has led since.
        if self.holder(&[other.identity()]).await.is_none() {
            return;
        }
        let batch = self.begin(&mut lanes).await;
        self.moment().await;
        leader.resume().await;
        let last = Instant::now();
        self.end(&mut [&mut leader, &mut other], &mut lanes, batch, name, last).await;
        self.holder(&[other.identity()]).await;
        leader.kill().await;
        other.kill().await;
    }
}
