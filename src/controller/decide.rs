//! What to do about a state: pure. The rules are Flux's (`internal/reconcile/atomic_release.go`), with a
//! growing pause between attempts.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::state::State;
use crate::api::helm_release::{AttemptedAction, Remediation, RemediationStrategy};
use crate::model::condition::reason;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The same for an attempt that the cluster has cut short: nobody has to change anything for the next one to succeed.
const FIRST_SHORT_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_SHORT_PAUSE: Duration = Duration::from_secs(60);

const UNLOCKED: &str = "it was pending for longer than its action may take";

/// What the decision depends on beside the state.
#[derive(Clone, Debug)]
pub struct Situation {
    pub install: Remediation,
    pub upgrade: Remediation,
    /// The pause before a failed install is tried again, if it is not to be undone (`RetryOnFailure`).
    pub install_retry: Option<Duration>,
    pub upgrade_retry: Option<Duration>,
    pub install_failures: u64,
    pub upgrade_failures: u64,
    /// Steps of any kind that failed since what is wanted has changed; a failed way back is one.
    pub failures: u64,
    pub last_action: Option<AttemptedAction>,
    /// The revision to go back to: the last good one of the history that is still in the storage, unchanged.
    pub rollback_target: Option<u32>,
    /// Whether the release never was deployed and its records are those of this object: what a failed
    /// install left may then be removed.
    pub removable: bool,
    /// Whether the name of an uninstalled release whose history was kept may be used again.
    pub reuse: bool,
    /// What the chart's other name leads to, if it has one now.
    pub renamed: Option<Renamed>,
    /// When the last attempt ended: the latest record was written, or what a failed install left was removed.
    pub last_attempt: Option<DateTime<Utc>>,
    /// How long a pending revision of someone else is left alone.
    pub patience: Duration,
    pub now: DateTime<Utc>,
}

/// The chart that is wanted has another name than that of the release.
#[derive(Clone, Debug, PartialEq)]
pub enum Renamed {
    Reinstall {
        why: String,
    },
    /// Nobody made the release for this object: it is not taken away from whoever did.
    NotOurs {
        message: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Install {
        revision: u32,
    },
    Upgrade {
        why: String,
    },
    Resume,
    FinishUninstall,
    /// Runs the release's tests.
    Test,
    /// Marks a pending revision as failed, so that the next one can follow.
    Unlock {
        why: &'static str,
    },
    /// Takes the latest revision into the history as it is. `counts`: if it failed, that is a failure of what
    /// is wanted now.
    Note {
        adopted: bool,
        counts: bool,
    },
    Rollback {
        to: u32,
    },
    /// Uninstalls the release, for another chart to take its place.
    Reinstall {
        why: String,
    },
    /// Uninstalls what a failed action left.
    Remove,
    /// Nothing before that time.
    Wait {
        until: DateTime<Utc>,
        why: String,
    },
    /// Nothing until the spec changes.
    Stall {
        reason: &'static str,
        message: String,
    },
    Ready,
}

use Decision::{Install, Remove, Resume, Rollback, Stall, Unlock, Upgrade, Wait};

/// What is to be done next.
pub fn decide(state: &State, situation: &Situation) -> Decision {
    match state {
        State::Absent { next } => {
            if *next > 1 && !situation.reuse {
                let message = "cannot reuse a name that is still in use: the release was uninstalled with its \
                               history kept: remove spec.install.replace, or set it to true";
                return Stall { reason: reason::STATE_ERROR, message: message.to_owned() };
            }
            let failures = situation.install_failures;
            let install = Install { revision: *next };
            if let Some(pause) = situation.install_retry {
                return situation.after(pause, failures, install);
            }
            if situation.install.exhausted(failures) {
                return exhausted("install", failures);
            }
            situation.unless_too_soon(failures, install)
        }
        State::Uninstalling => Decision::FinishUninstall,
        State::Interrupted { wanted: true } => Resume,
        State::Interrupted { wanted: false } => {
            Unlock { why: "it was interrupted, and something else is wanted since" }
        }
        State::Locked { since } => situation.locked(*since),
        State::Unnoted { wanted } => Decision::Note { adopted: false, counts: *wanted },
        State::Adoptable => Decision::Note { adopted: true, counts: false },
        State::Unmanaged { why } => {
            situation.upgrade(format!("the release was changed by someone else: {why}"))
        }
        State::Failed { remediation } => situation.failed(*remediation),
        State::OutOfSync { why } => situation.upgrade(why.clone()),
        State::Untested => Decision::Test,
        State::InSync => Decision::Ready,
    }
}

/// The pause after so many failures.
pub fn pause(failures: u64) -> Duration {
    doubled(FIRST_PAUSE, failures).min(LONGEST_PAUSE)
}

/// The pause after so many attempts in a row that were cut short.
pub fn short_pause(times: u64) -> Duration {
    doubled(FIRST_SHORT_PAUSE, times).min(LONGEST_SHORT_PAUSE)
}

fn doubled(first: Duration, times: u64) -> Duration {
    let doublings = u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    first.saturating_mul(1 << doublings)
}

fn exhausted(action: &str, failures: u64) -> Decision {
    let message = format!("Failed to {action} after {failures} attempt(s)");
    Stall { reason: reason::RETRIES_EXCEEDED, message }
}

impl Situation {
    fn upgrade(&self, why: String) -> Decision {
        match &self.renamed {
            Some(Renamed::Reinstall { why }) => return Decision::Reinstall { why: why.clone() },
            Some(Renamed::NotOurs { message }) => {
                return Stall { reason: reason::UNSUPPORTED, message: message.clone() };
            }
            None => {}
        }
        if let Some(pause) = self.upgrade_retry {
            return self.after(pause, self.upgrade_failures, Upgrade { why });
        }
        if self.upgrade.exhausted(self.upgrade_failures) {
            return exhausted("upgrade", self.upgrade_failures);
        }
        self.unless_too_soon(self.upgrade_failures, Upgrade { why })
    }

    fn unless_too_soon(&self, failures: u64, decision: Decision) -> Decision {
        self.after(pause(failures), failures, decision)
    }

    /// Not before this pause after the last attempt, if that failed. One that ended in the future was stamped by a clock
    /// that is off, and is not waited for: it may be hours away.
    fn after(&self, pause: Duration, failures: u64, decision: Decision) -> Decision {
        let Some(last) = self.last_attempt.filter(|_| failures > 0) else { return decision };
        let until = last + pause;
        if until <= self.now || last > self.now {
            return decision;
        }
        Wait { until, why: format!("{failures} attempt(s) failed") }
    }

    fn locked(&self, since: Option<DateTime<Utc>>) -> Decision {
        let until = since.unwrap_or(self.now) + self.patience;
        if since.is_none() || until <= self.now {
            return Unlock { why: UNLOCKED };
        }
        Wait { until, why: "another Helm client is at work on the release".to_owned() }
    }

    fn failed(&self, was_remediation: bool) -> Decision {
        let (remediation, failures, action, retry) = match self.last_action {
            Some(AttemptedAction::Install) => {
                (self.install, self.install_failures, "install", self.install_retry)
            }
            Some(AttemptedAction::Upgrade) => {
                (self.upgrade, self.upgrade_failures, "upgrade", self.upgrade_retry)
            }
            None => return self.upgrade("the last revision failed".to_owned()),
        };
        // Without a count the cause of the failure has changed since: another attempt is due.
        if failures == 0 {
            return self.upgrade("the last revision failed".to_owned());
        }
        if let Some(pause) = retry.filter(|_| !was_remediation) {
            let why = "the last attempt failed, and nothing of it is undone".to_owned();
            return self.after(pause, failures, Upgrade { why });
        }
        if remediation.exhausted(failures) && !remediation.remediate_last_failure {
            return exhausted(action, failures);
        }
        let asked_for = action == "upgrade";
        let decision = match (remediation.strategy, self.rollback_target) {
            (RemediationStrategy::Uninstall, _) if self.removable || asked_for => Remove,
            // What once worked is never removed because of an install that failed.
            (RemediationStrategy::Uninstall, None) => {
                return self.upgrade("the last revision failed".to_owned());
            }
            (_, Some(to)) => Rollback { to },
            (RemediationStrategy::Rollback, None) => {
                let message =
                    "Failed to perform remediation: there is no earlier revision to go back to";
                return Stall {
                    reason: reason::MISSING_ROLLBACK_TARGET,
                    message: message.to_owned(),
                };
            }
        };
        // The way back is taken at once; when it failed as well, after a pause.
        if !was_remediation {
            return decision;
        }
        self.unless_too_soon(self.failures.max(failures + 1), decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttemptedAction as Attempted;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("time")
    }

    fn remediation(retries: u64, last: bool, strategy: RemediationStrategy) -> Remediation {
        Remediation {
            retries: Some(retries),
            ignore_test_failures: false,
            remediate_last_failure: last,
            strategy,
        }
    }

    fn situation() -> Situation {
        Situation {
            install: remediation(0, false, RemediationStrategy::Uninstall),
            upgrade: remediation(0, false, RemediationStrategy::Rollback),
            install_retry: None,
            upgrade_retry: None,
            install_failures: 0,
            upgrade_failures: 0,
            failures: 0,
            last_action: None,
            rollback_target: Some(1),
            removable: false,
            reuse: true,
            renamed: None,
            last_attempt: Some(now() - Duration::from_secs(3600)),
            patience: Duration::from_secs(300),
            now: now(),
        }
    }

    fn stalled(decision: &Decision) -> Option<&'static str> {
        match decision {
            Stall { reason, .. } => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn states_without_failures() {
        let why = || "x".to_owned();
        for (state, expected) in [
            (State::Absent { next: 3 }, Install { revision: 3 }),
            (State::Uninstalling, Decision::FinishUninstall),
            (State::Interrupted { wanted: true }, Resume),
            (State::Unnoted { wanted: true }, Decision::Note { adopted: false, counts: true }),
            (State::Unnoted { wanted: false }, Decision::Note { adopted: false, counts: false }),
            (State::Adoptable, Decision::Note { adopted: true, counts: false }),
            (State::OutOfSync { why: why() }, Upgrade { why: why() }),
            (
                State::Unmanaged { why: why() },
                Upgrade { why: "the release was changed by someone else: x".to_owned() },
            ),
            (State::InSync, Decision::Ready),
            (
                State::Failed { remediation: false },
                Upgrade { why: "the last revision failed".to_owned() },
            ),
        ] {
            assert_eq!(decide(&state, &situation()), expected, "{state:?}");
        }
    }

    #[test]
    fn a_failed_upgrade_without_retries_stalls_as_flux_does() {
        let failed =
            Situation { upgrade_failures: 1, last_action: Some(Attempted::Upgrade), ..situation() };
        let decision = decide(&State::Failed { remediation: false }, &failed);
        assert_eq!(stalled(&decision), Some(reason::RETRIES_EXCEEDED));
    }

    #[test]
    fn a_failed_upgrade_is_rolled_back_and_tried_again() {
        let upgrade = remediation(1, true, RemediationStrategy::Rollback);
        let failed = |upgrade_failures, last_attempt| Situation {
            upgrade,
            upgrade_failures,
            last_action: Some(Attempted::Upgrade),
            last_attempt: Some(last_attempt),
            ..situation()
        };
        let long_ago = now() - Duration::from_secs(3600);
        let state = State::Failed { remediation: false };
        let out = State::OutOfSync { why: "v".into() };
        assert_eq!(decide(&state, &failed(1, now())), Rollback { to: 1 });
        assert_eq!(decide(&out, &failed(1, long_ago)), Upgrade { why: "v".into() });
        let until = now() + FIRST_PAUSE;
        let wait = Wait { until, why: "1 attempt(s) failed".into() };
        assert_eq!(decide(&out, &failed(1, now())), wait);
        let ahead = now() + Duration::from_secs(3600);
        assert_eq!(decide(&out, &failed(1, ahead)), Upgrade { why: "v".into() });
        assert_eq!(decide(&state, &failed(2, now())), Rollback { to: 1 });
        assert_eq!(stalled(&decide(&out, &failed(2, long_ago))), Some(reason::RETRIES_EXCEEDED));
    }

    #[test]
    fn a_failed_rollback_is_tried_again_after_a_pause() {
        let failed = Situation {
            upgrade: remediation(0, true, RemediationStrategy::Rollback),
            upgrade_failures: 1,
            last_action: Some(Attempted::Upgrade),
            last_attempt: Some(now()),
            ..situation()
        };
        let decision = decide(&State::Failed { remediation: true }, &failed);
        assert!(matches!(decision, Wait { .. }), "{decision:?}");
    }

    #[test]
    fn a_failed_install_is_removed() {
        let failed = |remediate_last| Situation {
            install: remediation(0, remediate_last, RemediationStrategy::Uninstall),
            install_failures: 1,
            last_action: Some(Attempted::Install),
            removable: true,
            rollback_target: None,
            ..situation()
        };
        let state = State::Failed { remediation: false };
        assert_eq!(decide(&state, &failed(true)), Remove);
        assert_eq!(stalled(&decide(&state, &failed(false))), Some(reason::RETRIES_EXCEEDED));
        let absent = State::Absent { next: 1 };
        assert_eq!(stalled(&decide(&absent, &failed(true))), Some(reason::RETRIES_EXCEEDED));
    }

    #[test]
    fn what_once_worked_is_never_removed_because_of_an_old_counter() {
        let failed = |rollback_target| Situation {
            install: remediation(3, true, RemediationStrategy::Uninstall),
            install_failures: 1,
            last_action: Some(Attempted::Install),
            rollback_target,
            ..situation()
        };
        let state = State::Failed { remediation: false };
        assert_eq!(decide(&state, &failed(Some(4))), Rollback { to: 4 });
        assert!(matches!(decide(&state, &failed(None)), Upgrade { .. }));
    }

    #[test]
    fn the_way_back_is_tried_ever_more_seldom() {
        let until = |failures| {
            let failed = Situation {
                upgrade: remediation(0, true, RemediationStrategy::Rollback),
                upgrade_failures: 1,
                failures,
                last_action: Some(Attempted::Upgrade),
                last_attempt: Some(now()),
                ..situation()
            };
            match decide(&State::Failed { remediation: true }, &failed) {
                Wait { until, .. } => (until - now()).num_seconds(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([1, 2, 4, 20].map(until), [10, 10, 40, 300]);
    }

    #[test]
    fn an_install_is_tried_again_after_a_pause() {
        let removed = |ago| Situation {
            install: remediation(3, false, RemediationStrategy::Uninstall),
            install_failures: 2,
            last_attempt: Some(now() - Duration::from_secs(ago)),
            ..situation()
        };
        let absent = State::Absent { next: 1 };
        assert!(matches!(decide(&absent, &removed(9)), Wait { .. }));
        assert_eq!(decide(&absent, &removed(10)), Install { revision: 1 });
    }

    #[test]
    fn a_chart_of_another_name_needs_a_word() {
        let ours = Renamed::Reinstall { why: "a, not b".into() };
        let ours = Situation { renamed: Some(ours), ..situation() };
        let theirs = Renamed::NotOurs { message: "a, not b".into() };
        let theirs = Situation { renamed: Some(theirs), ..situation() };
        for state in [
            State::OutOfSync { why: "x".into() },
            State::Unmanaged { why: "x".into() },
            State::Failed { remediation: false },
        ] {
            assert_eq!(stalled(&decide(&state, &theirs)), Some(reason::UNSUPPORTED), "{state:?}");
            let decision = decide(&state, &ours);
            assert_eq!(decision, Decision::Reinstall { why: "a, not b".into() }, "{state:?}");
        }
    }

    #[test]
    fn a_failure_may_be_left_and_tried_again_in_place() {
        let retry = Some(Duration::from_secs(300));
        let failed = |ago, last_action, failures| Situation {
            install_retry: retry,
            upgrade_retry: retry,
            install_failures: failures,
            upgrade_failures: failures,
            last_action: Some(last_action),
            last_attempt: Some(now() - Duration::from_secs(ago)),
            ..situation()
        };
        let state = State::Failed { remediation: false };
        for action in [Attempted::Install, Attempted::Upgrade] {
            let until = now() + Duration::from_secs(1);
            let decision = decide(&state, &failed(299, action, 9));
            assert_eq!(decision, Wait { until, why: "9 attempt(s) failed".into() });
            let decision = decide(&state, &failed(300, action, 9));
            assert!(matches!(decision, Upgrade { .. }), "{decision:?}");
            let decision = decide(&state, &failed(0, action, 0));
            assert!(
                matches!(decision, Upgrade { .. }),
                "another spec waits for nothing: {decision:?}"
            );
        }
        let absent = State::Absent { next: 1 };
        let decision = decide(&absent, &failed(300, Attempted::Install, 9));
        assert_eq!(decision, Install { revision: 1 });
        assert!(matches!(decide(&absent, &failed(1, Attempted::Install, 9)), Wait { .. }));
    }

    #[test]
    fn a_kept_history_may_forbid_its_name() {
        let kept = Situation { reuse: false, ..situation() };
        let again = State::Absent { next: 4 };
        assert_eq!(stalled(&decide(&again, &kept)), Some(reason::STATE_ERROR));
        assert_eq!(decide(&State::Absent { next: 1 }, &kept), Install { revision: 1 });
        assert_eq!(decide(&again, &situation()), Install { revision: 4 });
    }

    #[test]
    fn without_a_target_there_is_no_way_back() {
        let failed = Situation {
            upgrade: remediation(0, true, RemediationStrategy::Rollback),
            upgrade_failures: 1,
            last_action: Some(Attempted::Upgrade),
            rollback_target: None,
            ..situation()
        };
        let decision = decide(&State::Failed { remediation: false }, &failed);
        assert_eq!(stalled(&decision), Some(reason::MISSING_ROLLBACK_TARGET));
    }

    #[test]
    fn other_clients_get_their_time() {
        let locked = |since: u64| State::Locked { since: Some(now() - Duration::from_secs(since)) };
        assert!(matches!(decide(&locked(299), &situation()), Wait { .. }));
        assert_eq!(decide(&locked(300), &situation()), Unlock { why: UNLOCKED });
        assert_eq!(decide(&State::Locked { since: None }, &situation()), Unlock { why: UNLOCKED });
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert_eq!([1, 2, 3, 7, 99].map(|n| pause(n).as_secs()), [5, 10, 20, 300, 300]);
        assert_eq!([1, 2, 3, 7, 99].map(|n| short_pause(n).as_secs()), [1, 2, 4, 60, 60]);
    }
}
