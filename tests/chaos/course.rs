//! One operation from its beginning to its checks, and the order in which things are done to them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::check;
use crate::child::Child;
use crate::lane::{Lane, Operation};
use crate::table::Outcome;
use crate::world::{World, looking_after};

/// What is known so far.
pub struct Course {
    pub world: World,
    pub outcome: Outcome,
    /// How long each operation takes by itself, and how many writes.
    pub usual: HashMap<Operation, (Duration, usize)>,
    pub random: StdRng,
    /// Releases that there were.
    lanes: usize,
}

/// Operations of several releases at the same time.
pub struct Batch {
    pub operations: Vec<Operation>,
    /// The revision of each before it.
    before: Vec<u32>,
    pub begun: Instant,
}

pub async fn run(kills: usize, seed: u64) -> Outcome {
    let world = World::new().await;
    let mut course = Course {
        world,
        outcome: Outcome::default(),
        usual: HashMap::new(),
        random: StdRng::seed_from_u64(seed),
        lanes: 0,
    };
    let mut child = course.world.controller("chaos", 0);
    course.undisturbed(&mut child).await;
    course.after_each_write(&mut child, kills / 2).await;
    course.at_any_moment(&mut child, kills).await;
    course.each_fault(&mut child, kills.div_ceil(100)).await;
    child.kill().await;
    course.two_at_once().await;
    course.outcome
}

impl Course {
    /// A release that there was not before.
    pub fn lane(&mut self, heavy: bool) -> Lane {
        self.lanes += 1;
        Lane::new(format!("r{}", self.lanes), heavy)
    }

    /// Does the operation, and what has to come before it, and checks both. How long it took; None: it is stuck.
    pub async fn plain(
        &mut self,
        child: &mut Child,
        lane: &mut Lane,
        operation: Operation,
    ) -> Option<Duration> {
        self.prepare(child, lane, operation).await?;
        let before = lane.revision;
        let begun = Instant::now();
        lane.begin(&self.world, operation).await;
        let done = looking_after(&mut [&mut *child], self.done(lane, operation)).await;
        self.settled(&[child], lane, operation, before, "nothing", done).await?;
        Some(begun.elapsed())
    }

    /// Does what has to come before the operation. None: it is stuck.
    pub async fn prepare(
        &mut self,
        child: &mut Child,
        lane: &mut Lane,
        operation: Operation,
    ) -> Option<()> {
        while let Some(first) = lane.before(operation) {
            Box::pin(self.plain(child, lane, first)).await?;
        }
        Some(())
    }

    /// Asks for some operation of each release.
    pub async fn begin(&mut self, lanes: &mut [Lane]) -> Batch {
        let operations: Vec<Operation> =
            lanes.iter().map(|lane| lane.choose(&mut self.random)).collect();
        let before = lanes.iter().map(|lane| lane.revision).collect();
        let begun = Instant::now();
        for (lane, operation) in lanes.iter_mut().zip(&operations) {
            lane.begin(&self.world, *operation).await;
        }
        Batch { operations, before, begun }
    }

    /// Waits for all of them and checks each. `last`: when they were disturbed for the last time. Releases that are
    /// stuck are replaced.
    pub async fn end(
        &mut self,
        children: &mut [&mut Child],
        lanes: &mut [Lane],
        batch: Batch,
        fault: &str,
        last: Instant,
    ) {
        let pairs = lanes.iter().zip(&batch.operations);
        let all = join_all(pairs.map(|(lane, operation)| self.done(lane, *operation)));
        let done = looking_after(children, all).await;
        let children: Vec<&Child> = children.iter().map(|child| &**child).collect();
        for (index, done) in done.into_iter().enumerate() {
            let (operation, before) = (batch.operations[index], batch.before[index]);
            let lane = &mut lanes[index];
            match self.settled(&children, lane, operation, before, fault, done).await {
                // Done before it was disturbed.
                Some(done) if done < last => {}
                Some(done) => {
                    let beyond = self.beyond(operation, batch.begun, last, done);
                    self.outcome.recovered(operation, fault, beyond);
                }
                None => *lane = self.lane(false),
            }
        }
    }

    /// When the operation was done; None: it is stuck.
    pub async fn done(&self, lane: &Lane, operation: Operation) -> Option<Instant> {
        self.world.until(&lane.name, |release| lane.is_done(operation, release)).await
    }

    /// Checks what the operation has left. None: it is stuck.
    pub async fn settled(
        &mut self,
        children: &[&Child],
        lane: &mut Lane,
        operation: Operation,
        before: u32,
        fault: &str,
        done: Option<Instant>,
    ) -> Option<Instant> {
        let what = format!("{operation} of {} from revision {before}, {fault}", lane.name);
        let said = || {
            for child in children {
                eprintln!("{}", child.last_words());
            }
        };
        if done.is_none() {
            said();
            eprintln!("{}", self.world.told(&lane.name));
            self.outcome.stuck(what);
            return None;
        }
        for wrong in check::all(&self.world, lane, operation, before).await {
            said();
            self.outcome.wrong(format!("{what}: {wrong}"));
        }
        done
    }

    /// How long each operation takes when nobody disturbs it.
    async fn undisturbed(&mut self, child: &mut Child) {
        let mut lane = self.lane(false);
        for operation in Operation::ALL {
            if self.prepare(child, &mut lane, operation).await.is_none() {
                return;
            }
            let before = self.world.proxy.writes();
            if let Some(took) = self.plain(child, &mut lane, operation).await {
                let writes = self.world.proxy.writes() - before;
                println!("{operation}, undisturbed: {:.2} s, {writes} writes", took.as_secs_f64());
                self.usual.insert(operation, (took, writes));
            }
        }
    }

    /// How much later an operation ended than it would have without what happened at `last`.
    pub fn beyond(
        &self,
        operation: Operation,
        begun: Instant,
        last: Instant,
        done: Instant,
    ) -> Duration {
        let usual = self.usual.get(&operation).map(|(time, _)| *time).unwrap_or_default();
        let left = usual.saturating_sub(last.saturating_duration_since(begun));
        done.saturating_duration_since(last).saturating_sub(left)
    }
}
