//! Bounds what begins at one time, without anyone being kept waiting by those that take long.
//!
//! An upgrade of all releases wakes hundreds at once. Side by side each would need as long as all together, hold what it has
//! read meanwhile, and open a connection of its own to the API server.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::Semaphore;

/// Work counts for that long, and no longer: what it does then is mostly to wait.
const COUNTS: Duration = Duration::from_secs(1);

/// So much work begins at one time; each second as much again may, whatever became of it.
pub struct Burst {
    at_once: Semaphore,
    counts: Duration,
}

impl Burst {
    pub fn of(at_once: usize) -> Self {
        Self { at_once: Semaphore::new(at_once.max(1)), counts: COUNTS }
    }

    /// Does the work when its turn has come. `work` makes nothing before.
    pub async fn run<W: Future>(&self, work: impl FnOnce() -> W) -> W::Output {
        // The semaphore is never closed.
        let turn = self.at_once.acquire().await.ok();
        let work = Box::pin(work());
        match select(work, Box::pin(tokio::time::sleep(self.counts))).await {
            Either::Left((done, _)) => done,
            Either::Right(((), work)) => {
                drop(turn);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn so_much_at_once() {
        let burst = Burst { counts: Duration::from_secs(3600), ..Burst::of(3) };
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = async || {
            most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            at_work.fetch_sub(1, Ordering::SeqCst);
        };
        join_all((0..20).map(|_| burst.run(work))).await;
        assert_eq!(most.into_inner(), 3);
    }

    #[tokio::test]
    async fn what_takes_long_keeps_nobody_waiting() {
        let burst = Burst { counts: Duration::from_millis(20), ..Burst::of(3) };
        let stuck = join_all((0..7).map(|_| burst.run(pending::<()>)));
        let (stuck, late) = (stuck.fuse(), burst.run(|| ready("done")).fuse());
        futures::pin_mut!(stuck, late);
        let first = futures::select_biased! { _ = stuck => "stuck", late = late => late };
        assert_eq!(first, "done");
    }
}
