//! A revision that a process has left pending, carried to its end.

use futures::FutureExt as _;

use super::{Next, Session, wording};
use crate::controller::act;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::release::resume;

impl Session<'_> {
    pub(super) async fn resume(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(latest) = observation.latest else { return Ok(Next::Again) };
        let options = act::resume(self.release, latest.record.info.status);
        let doing = format!("Resuming revision {}", latest.record.version);
        let work = self.undertake(&doing, options.timeout).await?;
        self.report
            .event(true, "Resumed", &format!("resuming {}", wording::full_name(&latest.record)))
            .await;
        let context = work.context();
        let action = resume::run(&context, latest, &options).boxed();
        let done = work.watched(&mut self.report, action).await;
        self.settle(done).await
    }
}
