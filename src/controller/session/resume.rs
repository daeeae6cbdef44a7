//! A revision that a process has left pending, carried to its end.

use futures::FutureExt as _;
use tokio::sync::watch;

use super::{Next, Session, action_context, wording};
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{act, status};
use crate::release::resume;

impl Session<'_> {
    pub(super) async fn resume(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(latest) = observation.latest else { return Ok(Next::Again) };
        let options = act::resume(self.release, latest.record.info.status);
        let timeout = status::go_duration(options.timeout);
        let doing =
            format!("Resuming revision {} with timeout of {timeout}", latest.record.version);
        self.report.draft().progressing(&doing);
        self.report.save().await?;
        self.report
            .event(true, "Resumed", &format!("resuming {}", wording::full_name(&latest.record)))
            .await;
        let (progress, told) = watch::channel(String::new());
        let (preempt, _guard) = self.preempt();
        let (cluster, storage) = (self.cluster.clone(), self.storage.clone());
        let context =
            action_context(self.context, &cluster, &storage, Some(preempt), Some(&progress));
        let action = resume::run(&context, latest, &options).boxed();
        let done = act::watched(&mut self.report, &doing, told, action).await;
        self.settle(done).await
    }
}
