//! The way back to an earlier revision.

use chrono::Utc;
use futures::FutureExt as _;
use tokio::sync::watch;

use super::{Next, Session, action_context};
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{act, status};
use crate::release::rollback;

impl Session<'_> {
    pub(super) async fn rollback(
        &mut self,
        observation: Observation,
        to: u32,
    ) -> Result<Next, Error> {
        let Some(latest) = observation.latest else { return Ok(Next::Again) };
        let target = self.storage.get(to).await?;
        let options = act::rollback(self.release);
        let timeout = status::go_duration(options.timeout);
        let doing = format!("Running 'rollback' action with timeout of {timeout}");
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        let (progress, told) = watch::channel(String::new());
        let (preempt, _guard) = self.preempt();
        let (cluster, storage) = (self.cluster.clone(), self.storage.clone());
        let context =
            action_context(self.context, &cluster, &storage, Some(preempt), Some(&progress));
        let action = rollback::run(&context, &latest.record, target, Utc::now(), &options).boxed();
        let done = act::watched(&mut self.report, &doing, told, action).await;
        self.settle(done).await
    }
}
