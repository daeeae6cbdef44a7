//! An action on the release while it lasts: told in the status, and ended once something newer is wanted.

use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Session;
use crate::cluster::Cluster;
use crate::controller::reconcile::{Context, Error};
use crate::controller::report::Report;
use crate::controller::{act, status};
use crate::release;
use crate::release::storage::Storage;

/// What an action works with, apart from the session, which goes on telling what it does.
pub struct Work<'a> {
    doing: String,
    context: &'a Context,
    cluster: Cluster,
    storage: Storage,
    progress: watch::Sender<String>,
    preempt: CancellationToken,
    turn: release::Turn,
    /// Ends the look-out for something newer.
    _until_dropped: DropGuard,
}

impl<'a> Session<'a> {
    /// Says in the status what is about to be done: `doing`, and how long it may take.
    pub(super) async fn undertake(
        &mut self,
        doing: &str,
        timeout: std::time::Duration,
    ) -> Result<Work<'a>, Error> {
        let doing = format!("{doing} with timeout of {}", status::go_duration(timeout));
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        let (preempt, _until_dropped) = self.context.newest.token(&self.uid, self.generation());
        Ok(Work {
            doing,
            context: self.context,
            cluster: self.cluster.clone(),
            storage: self.storage.clone(),
            progress: watch::Sender::new(String::new()),
            preempt,
            turn: release::Turn::default(),
            _until_dropped,
        })
    }
}

impl Work<'_> {
    /// The same with a place among those that work at the same time.
    pub fn in_turn(self, permit: OwnedSemaphorePermit) -> Self {
        Self { turn: release::Turn::new(permit), ..self }
    }

    pub fn context(&self) -> release::Context<'_> {
        release::Context {
            cluster: &self.cluster,
            storage: &self.storage,
            identity: &self.context.identity,
            stop: self.context.shutdown.clone(),
            preempt: self.preempt.clone(),
            progress: Some(&self.progress),
            turn: Some(&self.turn),
        }
    }

    /// Carries an action of this [`Work::context`] out.
    pub async fn watched<T>(&self, report: &mut Report, action: BoxFuture<'_, T>) -> T {
        act::watched(report, &self.doing, self.progress.subscribe(), action).await
    }
}
