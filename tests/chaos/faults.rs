//! What goes wrong between the controller and the API server: each kind by itself, and then all of them.

use rand::Rng as _;

use crate::child::Child;
use crate::course::Course;
use crate::lane::Lane;
use crate::plan::{Fault, Plan};

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
        self.world.proxy.follow(Plan::random(self.random.random(), faults, CHANCE, at_most));
        // Or there would be none to hit for minutes.
        self.world.proxy.drop_watches();
        let batch = self.begin(lanes).await;
        let begun = batch.begun;
        self.end(&mut [child], lanes, batch, name, begun).await;
        self.world.proxy.follow(Plan::nothing());
        self.outcome.disturbed(self.world.proxy.take_counts().values().sum());
    }
}
