//! The tests of a release.

use futures::FutureExt as _;

use super::{Next, Session, wording};
use crate::cluster;
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::{act, status};
use crate::model::condition::reason;
use crate::release::{self, test};

impl Session<'_> {
    /// Runs the tests. A failed one counts as a failure of what made the revision, unless its remediation says
    /// otherwise; what follows from that is decided anew.
    pub(super) async fn test(&mut self, observation: Observation) -> Result<Next, Error> {
        let Some(mut latest) = observation.latest else { return Ok(Next::Again) };
        let options = act::test(self.release);
        let work = self.undertake("Running 'test' action", options.timeout).await?;
        let context = work.context();
        let action = test::run(&context, &mut latest, &options).boxed();
        let done = work.watched(&mut self.report, action).await;
        let why = match done {
            Ok(()) => None,
            Err(release::Error::Cluster(cluster::Error::Preempted)) => {
                return Ok(Next::Done(Rest::NONE));
            }
            Err(error) if error.leaves_pending() => return self.ended(Err(error)).await,
            Err(error) => Some(error.to_string()),
        };
        let mut snapshot = status::snapshot(&latest, status::action_of(&latest));
        snapshot.test_hooks = Some(status::tests(&latest.record));
        self.report.draft().note(snapshot);
        let message = wording::tested(&latest.record, why.as_deref());
        self.report.draft().tested(why.is_none(), &message);
        if why.is_some() {
            self.count_test_failure();
        }
        self.report.save().await?;
        let reason = if why.is_none() { reason::TEST_SUCCEEDED } else { reason::TEST_FAILED };
        self.report.event(why.is_none(), reason, &message).await;
        Ok(Next::Again)
    }

    fn count_test_failure(&mut self) {
        if self.test_failures() == Some(crate::controller::state::TestFailures::Count) {
            self.count_failure();
        } else {
            let failures = self.report.status.failures.unwrap_or(0) + 1;
            self.report.status.failures = Some(failures);
        }
    }
}
