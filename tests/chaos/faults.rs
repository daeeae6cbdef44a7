//! What goes wrong between the controller and the API server: each kind by itself, and then all of them.

use std::time::Instant;

use futures::future::join_all;
use rand::Rng as _;

use crate::child::Child;
use crate::course::Course;
use crate::lane::{Lane, Operation};
use crate::plan::{Fault, Plan};
use crate::world::looking_after;

/// How likely each call is hit.
const CHANCE: f64 = 0.15;

impl Course {
    /// Several releases, and one kind of fault after the other, so many times.
    pub async fn each_fault(&mut self, child: &mut Child, times: usize) {
        let mut lanes = self.several();
        for _ in 0..times {
            for fault in Fault::ALL {
                // Each of them costs the time that an answer is waited for.
                let at_most = if fault == Fault::Silence { 4 } else { 60 };
                self.round(child, &mut lanes, &[fault], at_most).await;
            }
            let loud: Vec<Fault> =
                Fault::ALL.into_iter().filter(|f| *f != Fault::Silence).collect();
            self.round(child, &mut lanes, &loud, 80).await;
        }
    }

    async fn round(
        &mut self,
        child: &mut Child,
        lanes: &mut [Lane],
        faults: &[Fault],
        at_most: usize,
    ) {
        let name = if let [fault] = faults { fault.name() } else { "all but silence" };
        let operations: Vec<Operation> =
            lanes.iter().map(|lane| lane.choose(&mut self.random)).collect();
        let before: Vec<u32> = lanes.iter().map(|lane| lane.revision).collect();
        self.world.proxy.follow(Plan::random(self.random.random(), faults, CHANCE, at_most));
        // Or there would be none to hit for minutes.
        self.world.proxy.drop_watches();
        let begun = Instant::now();
        for (lane, operation) in lanes.iter_mut().zip(&operations) {
            lane.begin(&self.world, *operation).await;
        }
        let all = join_all(
            lanes.iter().zip(&operations).map(|(lane, operation)| self.done(lane, *operation)),
        );
        let done = looking_after(&mut [&mut *child], all).await;
        self.world.proxy.follow(Plan::nothing());
        let counts = self.world.proxy.take_counts();
        self.outcome.disturbed(counts.values().sum());
        for (index, done) in done.into_iter().enumerate() {
            let (operation, before) = (operations[index], before[index]);
            let done =
                self.settled(&[&*child], &mut lanes[index], operation, before, name, done).await;
            match done {
                Some(done) => {
                    let beyond = self.beyond(operation, begun, begun, done);
                    self.outcome.recovered(operation, name, beyond);
                }
                None => lanes[index] = self.lane(false),
            }
        }
    }
}
