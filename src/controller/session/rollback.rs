//! The way back to an earlier revision.

use futures::FutureExt as _;

use super::{Next, Session};
use crate::cluster::clock;
use crate::controller::act;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
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
        let work = self.undertake("Running 'rollback' action", options.timeout).await?;
        let context = work.context();
        let action =
            rollback::run(&context, &latest.record, target, clock::now(), &options).boxed();
        let done = work.watched(&mut self.report, action).await;
        self.settle(done).await
    }
}
