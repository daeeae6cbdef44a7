//! What state a release is in: pure. The states are Flux's (`internal/reconcile/state.go`), and three of our
//! own: a pending revision that can be resumed, one that can be adopted, one that was not yet noted.

use chrono::{DateTime, Utc};
use pinnace_registry::Rules;
use serde_json::{Map, Value};

use super::{mirrored, status::test_failed};
use crate::api::helm_release::Snapshot;
use crate::release::record::Status;
use crate::release::storage::{Stored, Summary};

/// What the spec asks for.
pub struct Wanted<'a> {
    pub chart_name: &'a str,
    pub chart_version: &'a str,
    /// Of the chart's OCI manifest; None if another digest under the same version is no difference.
    pub chart_digest: Option<&'a str>,
    pub config: &'a Map<String, Value>,
    /// Digest of what the spec changes of the rendered objects.
    pub post_rendering: Option<&'a str>,
    /// Where the images are that the chart names.
    pub mirrors: &'a Rules,
    /// Whether the release's tests are to be run, and what a failed one means.
    pub tests: Option<TestFailures>,
}

/// Whether a failed test makes a release a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestFailures {
    Count,
    Ignored,
}

/// What Helm's storage holds.
pub struct Observed<'a> {
    pub latest: Option<&'a Stored>,
    /// The latest revision's metadata.
    pub summary: Option<&'a Summary>,
    /// `status.history`, the newest first.
    pub history: &'a [Snapshot],
    /// The HelmRelease itself, as records name it: `<name>/<uid>`.
    pub holder: &'a str,
}

impl Observed<'_> {
    /// Whether a pending revision may be carried on: a controller began it, for this very object.
    pub fn resumable(latest: &Stored, holder: &str) -> bool {
        let status = latest.record.info.status;
        status.is_pending() && latest.owner.is_some() && of_holder(latest, holder)
    }
}

/// Whether a revision was made for this object, or by nobody who left a name.
pub fn of_holder(latest: &Stored, holder: &str) -> bool {
    latest.holder.as_deref().is_none_or(|made_for| made_for == holder)
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// No release, or an uninstalled one whose history was kept. `next` is the revision to install.
    Absent {
        next: u32,
    },
    /// An uninstallation was begun and not ended.
    Uninstalling,
    /// A pending revision of this controller, whose process is gone. `wanted`: it still is what the spec asks
    /// for, or it is a way back.
    Interrupted {
        wanted: bool,
    },
    /// A pending or half uninstalled revision that someone else wrote at this time.
    Locked {
        since: Option<DateTime<Utc>>,
    },
    /// A revision of this controller that ended without being noted in the status. `wanted`: it is what the
    /// spec asks for.
    Unnoted {
        wanted: bool,
    },
    /// A revision that someone else deployed, and that is just what is wanted.
    Adoptable,
    /// A revision that someone else made.
    Unmanaged {
        why: String,
    },
    /// The last action failed. `remediation`: it was a rollback.
    Failed {
        remediation: bool,
    },
    /// Deployed, and not what is wanted.
    OutOfSync {
        why: String,
    },
    /// As it is wanted, and its tests are still to be run.
    Untested,
    InSync,
}

/// Which state this is.
pub fn of(observed: &Observed<'_>, wanted: &Wanted<'_>) -> State {
    let Some(latest) = observed.latest else { return State::Absent { next: 1 } };
    let record = &latest.record;
    let difference = difference(latest, wanted);
    match record.info.status {
        Status::Uninstalled => return State::Absent { next: record.version + 1 },
        Status::Uninstalling if latest.owner.is_some() => return State::Uninstalling,
        // A person's `helm uninstall` gets its time, as any other action of theirs.
        Status::Uninstalling => {
            return State::Locked { since: observed.summary.and_then(|s| s.modified) };
        }
        status if status.is_pending() => {
            return match Observed::resumable(latest, observed.holder) {
                true => State::Interrupted {
                    wanted: status == Status::PendingRollback || difference.is_none(),
                },
                false => State::Locked { since: observed.summary.and_then(|s| s.modified) },
            };
        }
        _ => {}
    }
    let noted = observed.history.first().is_some_and(|head| {
        head.version == i64::from(record.version) && head.digest == record.digest()
    });
    if !noted {
        // Only this controller writes the digest of the chart; Helm drops it when it writes a record.
        return match (&latest.chart_digest, record.info.status, difference) {
            (Some(_), _, difference) if of_holder(latest, observed.holder) => {
                State::Unnoted { wanted: difference.is_none() }
            }
            (_, Status::Deployed, None) => State::Adoptable,
            (_, status, difference) => State::Unmanaged {
                why: difference.unwrap_or_else(|| format!("its status is {status}")),
            },
        };
    }
    match (record.info.status, difference) {
        (Status::Failed, _) => State::Failed { remediation: record.info.rollback_revision > 0 },
        (Status::Deployed, None) => tested(observed.history.first(), wanted.tests),
        (Status::Deployed, Some(why)) => State::OutOfSync { why },
        (status, _) => State::OutOfSync { why: format!("its status is {status}") },
    }
}

/// What the tests of a release say that is just what is wanted.
fn tested(head: Option<&Snapshot>, tests: Option<TestFailures>) -> State {
    match (head, tests) {
        (_, None) => State::InSync,
        (Some(head), Some(failures)) if head.test_hooks.is_some() => {
            match failures == TestFailures::Count && test_failed(head) {
                true => State::Failed { remediation: false },
                false => State::InSync,
            }
        }
        _ => State::Untested,
    }
}

/// How the latest revision differs from what is wanted.
fn difference(latest: &Stored, wanted: &Wanted<'_>) -> Option<String> {
    let record = &latest.record;
    if record.chart_name() != wanted.chart_name {
        let (old, new) = (record.chart_name(), wanted.chart_name);
        return Some(format!("its chart is {old}, not {new}"));
    }
    if record.chart_version() != wanted.chart_version {
        let (old, new) = (record.chart_version(), wanted.chart_version);
        return Some(format!("its chart has version {old}, not {new}"));
    }
    let digests = latest.chart_digest.as_deref().zip(wanted.chart_digest);
    if digests.is_some_and(|(made_of, wanted)| made_of != wanted) {
        return Some("its chart has the same version and another digest".to_owned());
    }
    if record.config != *wanted.config {
        return Some("its values are others".to_owned());
    }
    if latest.post_rendering.as_deref() != wanted.post_rendering {
        return Some("its post-renderers or common metadata are others".to_owned());
    }
    let fits = mirrored::fits(latest, wanted.mirrors);
    (!fits).then(|| "the site's mirrors have its images under other names".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::status;
    use crate::release::record::tests::record;
    use serde_json::json;

    const DIGEST: &str = "sha256:1";

    fn stored(status: Status, ours: bool) -> Stored {
        let mut stored = Stored::new(record(4, status), "pod", ours.then(|| DIGEST.to_owned()));
        if !(ours && (status.is_pending() || status == Status::Uninstalling)) {
            stored.owner = None;
        }
        stored
    }

    fn state(latest: Option<&Stored>, noted: bool, wanted: (&str, &str, Value)) -> State {
        let head = latest.filter(|_| noted).map(|l| status::snapshot(l, "upgrade"));
        let history: Vec<Snapshot> = head.into_iter().collect();
        let observed = Observed { latest, summary: None, history: &history, holder: "r/1" };
        let config = wanted.2.as_object().cloned().unwrap_or_default();
        let wanted = Wanted {
            chart_name: "c",
            chart_version: wanted.0,
            chart_digest: Some(wanted.1),
            config: &config,
            post_rendering: None,
            mirrors: &Rules::default(),
            tests: None,
        };
        of(&observed, &wanted)
    }

    #[test]
    fn states() {
        use Status::{
            Deployed, Failed, PendingRollback, PendingUpgrade, Superseded, Uninstalled,
            Uninstalling,
        };
        let same = || ("1.2.3", DIGEST, json!({"a": 1}));
        let newer = || ("1.2.4", "sha256:2", json!({"a": 1}));
        let out_of_sync = |why: &str| State::OutOfSync { why: why.into() };
        let unmanaged = |why: &str| State::Unmanaged { why: why.into() };
        let version = "its chart has version 1.2.3, not 1.2.4";
        for (status, ours, noted, wanted, expected) in [
            (Uninstalled, true, true, same(), State::Absent { next: 5 }),
            (Uninstalling, true, true, same(), State::Uninstalling),
            (Uninstalling, false, true, same(), State::Locked { since: None }),
            (PendingUpgrade, true, false, same(), State::Interrupted { wanted: true }),
            (PendingUpgrade, true, false, newer(), State::Interrupted { wanted: false }),
            (PendingRollback, true, false, newer(), State::Interrupted { wanted: true }),
            (PendingUpgrade, false, true, same(), State::Locked { since: None }),
            (Deployed, true, false, same(), State::Unnoted { wanted: true }),
            (Failed, true, false, same(), State::Unnoted { wanted: true }),
            (Failed, true, false, newer(), State::Unnoted { wanted: false }),
            (Deployed, false, false, same(), State::Adoptable),
            (Deployed, false, false, newer(), unmanaged(version)),
            (Failed, false, false, same(), unmanaged("its status is failed")),
            (Failed, true, true, newer(), State::Failed { remediation: false }),
            (Deployed, true, true, same(), State::InSync),
            (Deployed, false, true, same(), State::InSync),
            (Deployed, true, true, newer(), out_of_sync(version)),
            (
                Deployed,
                true,
                true,
                ("1.2.3", "sha256:2", json!({"a": 1})),
                out_of_sync("its chart has the same version and another digest"),
            ),
            (
                Deployed,
                true,
                true,
                ("1.2.3", DIGEST, json!({"a": 2})),
                out_of_sync("its values are others"),
            ),
            (Superseded, true, true, same(), out_of_sync("its status is superseded")),
        ] {
            let latest = stored(status, ours);
            assert_eq!(state(Some(&latest), noted, wanted), expected, "{status} {ours} {noted}");
        }
        assert_eq!(state(None, false, same()), State::Absent { next: 1 });
    }

    #[test]
    fn what_another_object_began_is_not_carried_on() {
        let mut pending = stored(Status::PendingUpgrade, true);
        for (holder, expected) in [
            (None, State::Interrupted { wanted: true }),
            (Some("r/1"), State::Interrupted { wanted: true }),
            (Some("r/2"), State::Locked { since: None }),
        ] {
            pending.holder = holder.map(str::to_owned);
            let found = state(Some(&pending), false, ("1.2.3", DIGEST, json!({"a": 1})));
            assert_eq!(found, expected, "{holder:?}");
        }
        let mut theirs = stored(Status::Deployed, true);
        theirs.holder = Some("other/2".into());
        let found = state(Some(&theirs), false, ("1.2.3", DIGEST, json!({"a": 1})));
        assert_eq!(found, State::Adoptable);
    }

    /// `chart.spec.reconcileStrategy: ChartVersion`: a moved tag is no news.
    #[test]
    fn another_digest_counts_only_where_it_is_asked_for() {
        let latest = stored(Status::Deployed, true);
        let history = [status::snapshot(&latest, "upgrade")];
        let observed =
            Observed { latest: Some(&latest), summary: None, history: &history, holder: "r/1" };
        for (digest, in_sync) in [(None, true), (Some(DIGEST), true), (Some("sha256:2"), false)] {
            let wanted = Wanted {
                chart_name: "c",
                chart_version: "1.2.3",
                chart_digest: digest,
                config: &latest.record.config,
                post_rendering: None,
                mirrors: &Rules::default(),
                tests: None,
            };
            assert_eq!(of(&observed, &wanted) == State::InSync, in_sync, "{digest:?}");
        }
    }

    #[test]
    fn other_post_rendering_is_a_difference() {
        let mut latest = stored(Status::Deployed, true);
        latest.post_rendering = Some("sha256:p".into());
        let found = state(Some(&latest), true, ("1.2.3", DIGEST, json!({"a": 1})));
        let why = "its post-renderers or common metadata are others".to_owned();
        assert_eq!(found, State::OutOfSync { why });
    }

    #[test]
    fn a_release_is_tested_once_and_a_failure_may_count() {
        use TestFailures::{Count, Ignored};
        let mut latest = stored(Status::Deployed, true);
        let failed = State::Failed { remediation: false };
        for (tests, phase, expected) in [
            (None, None, State::InSync),
            (Some(Count), None, State::Untested),
            (Some(Count), Some("Succeeded"), State::InSync),
            (Some(Count), Some("Failed"), failed),
            (Some(Ignored), Some("Failed"), State::InSync),
            (None, Some("Failed"), State::InSync),
        ] {
            let hook =
                |phase| json!({"name": "t", "events": ["test"], "last_run": {"phase": phase}});
            let hook = phase.map(hook).map(serde_json::from_value);
            latest.record.hooks = hook.into_iter().collect::<Result<_, _>>().expect("hooks");
            let mut head = status::snapshot(&latest, "install");
            head.test_hooks = phase.map(|_| status::tests(&latest.record));
            let history = [head];
            let observed =
                Observed { latest: Some(&latest), summary: None, history: &history, holder: "r/1" };
            let wanted = Wanted {
                chart_name: "c",
                chart_version: "1.2.3",
                chart_digest: None,
                config: &latest.record.config,
                post_rendering: None,
                mirrors: &Rules::default(),
                tests,
            };
            assert_eq!(of(&observed, &wanted), expected, "{tests:?} {phase:?}");
        }
    }

    #[test]
    fn what_a_person_deployed_over_ours_is_noticed() {
        let ours = stored(Status::Deployed, true);
        let history = [status::snapshot(&ours, "upgrade")];
        let mut theirs = stored(Status::Deployed, false);
        theirs.record.version += 1;
        theirs.record.config.insert("a".into(), json!(7));
        let observed =
            Observed { latest: Some(&theirs), summary: None, history: &history, holder: "r/1" };
        let config = ours.record.config.clone();
        let wanted = Wanted {
            chart_name: "c",
            chart_version: "1.2.3",
            chart_digest: Some(DIGEST),
            config: &config,
            post_rendering: None,
            mirrors: &Rules::default(),
            tests: None,
        };
        let why = "its values are others".to_owned();
        assert_eq!(of(&observed, &wanted), State::Unmanaged { why });
    }
}
