//! The controller is killed after each write of each operation, and with several releases at work at any moment.

use std::time::{Duration, Instant};

use rand::Rng as _;
use rand::seq::SliceRandom as _;

use crate::child::Child;
use crate::course::Course;
use crate::lane::{Lane, Operation};
use crate::world::looking_after;

/// Releases that are at work at the same time.
pub const LANES: usize = 6;

const AFTER_A_WRITE: &str = "killed after a write";
const AT_ANY_MOMENT: &str = "killed at any moment";

impl Course {
    /// One release, whose controller is killed once after each write of each operation; in an order of the seed's
    /// until there were `at_most` kills.
    pub async fn after_each_write(&mut self, child: &mut Child, at_most: usize) {
        let mut all: Vec<(Operation, usize)> = Vec::new();
        for operation in Operation::ALL {
            let writes = self.usual.get(&operation).map_or(0, |(_, writes)| *writes);
            all.extend((1..writes).map(|write| (operation, write)));
        }
        all.shuffle(&mut self.random);
        let mut lane = self.lane(false);
        for (operation, write) in all {
            if self.outcome.kills() >= at_most {
                return;
            }
            let ready = self.prepare(child, &mut lane, operation).await.is_some();
            if !ready || self.kill_after(child, &mut lane, operation, write).await.is_none() {
                lane = self.lane(false);
            }
        }
    }

    /// Kills the controller after so many writes. False: the operation needs fewer; None: it is stuck.
    async fn kill_after(
        &mut self,
        child: &mut Child,
        lane: &mut Lane,
        operation: Operation,
        writes: usize,
    ) -> Option<bool> {
        let before = lane.revision;
        let begun = Instant::now();
        // The gate is set before there is anything to do.
        let held = async {
            self.world.proxy.hold_after(writes).await;
            true
        };
        lane.begin(&self.world, operation).await;
        let held = tokio::select! {
            held = held => held,
            _ = self.done(lane, operation) => false,
        };
        let last = Instant::now();
        if held {
            child.kill().await;
            self.outcome.killed();
            self.outcome.hit(operation, AFTER_A_WRITE);
        }
        self.world.proxy.open();
        if held {
            child.restart();
        }
        let done = looking_after(&mut [&mut *child], self.done(lane, operation)).await;
        let fault = format!("killed after write {writes}");
        let done = self.settled(&[&*child], lane, operation, before, &fault, done).await?;
        if held {
            let beyond = self.beyond(operation, begun, last, done);
            self.outcome.recovered(operation, AFTER_A_WRITE, beyond);
        }
        Some(held)
    }

    /// Releases of which one has pods.
    pub fn several(&mut self) -> Vec<Lane> {
        (0..LANES).map(|index| self.lane(index == 0)).collect()
    }

    /// Several releases, and kills at any moment and after any write, until there were so many.
    pub async fn at_any_moment(&mut self, child: &mut Child, kills: usize) {
        let mut lanes = self.several();
        while self.outcome.kills() < kills {
            let batch = self.begin(&mut lanes).await;
            let times = self.random.random_range(1..=3).min(kills - self.outcome.kills());
            let last = self.kill_some(child, &lanes, &batch.operations, times).await;
            self.end(&mut [&mut *child], &mut lanes, batch, AT_ANY_MOMENT, last).await;
        }
    }

    /// Kills the controller so many times; when the last time was.
    async fn kill_some(
        &mut self,
        child: &mut Child,
        lanes: &[Lane],
        operations: &[Operation],
        times: usize,
    ) -> Instant {
        let mut last = Instant::now();
        for _ in 0..times {
            let pause = Duration::from_millis(self.random.random_range(0..1500));
            if self.random.random_bool(0.5) {
                tokio::time::sleep(pause).await;
            } else {
                let writes = self.random.random_range(1..40);
                tokio::select! {
                    () = self.world.proxy.hold_after(writes) => {}
                    () = tokio::time::sleep(Duration::from_secs(3)) => {}
                }
            }
            last = Instant::now();
            child.kill().await;
            self.outcome.killed();
            self.world.proxy.open();
            child.restart();
            for (lane, operation) in lanes.iter().zip(operations) {
                let open = self.world.is(&lane.name, |release| !lane.is_done(*operation, release));
                if open {
                    self.outcome.hit(*operation, AT_ANY_MOMENT);
                }
            }
        }
        last
    }
}
