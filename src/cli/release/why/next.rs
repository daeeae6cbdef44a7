//! What happens next with a release, and what a person can do: pure.

use k8s_openapi::jiff::Timestamp;

use super::super::age;
use super::explain::{Verdict, View, waited_for};
use crate::api::helm_release::{Remediation, RemediationStrategy};
use crate::controller::status::{go_duration, next_attempt};
use crate::model::condition::{READY, RECONCILING, STALLED, reason};
use crate::release::Status;

/// What happens next, and when, if that is known.
pub fn next(view: &View<'_>) -> (String, Option<Timestamp>) {
    let text = |text: &str| (text.to_owned(), None);
    match view.verdict {
        Verdict::Ready => {
            let every = go_duration(view.facts.release.interval());
            (format!("it is looked at again when something changes, and every {every}"), None)
        }
        Verdict::Suspended => {
            text("nothing, until it is resumed; a deletion does not uninstall it")
        }
        Verdict::Deleting => text("its objects are removed, then the HelmRelease itself goes"),
        Verdict::Orphaned => {
            text("nothing, until an agent leads again: it goes on where the last one stopped")
        }
        Verdict::Stalled => (given_up(view), None),
        Verdict::Working => working(view),
        Verdict::Waiting => waiting(view),
    }
}

fn given_up(view: &View<'_>) -> String {
    let reason = view.condition(STALLED).map_or("", |stalled| stalled.reason.as_str());
    match reason {
        reason::RETRIES_EXCEEDED => {
            let said = view.condition(STALLED).map_or("", |stalled| stalled.message.as_str());
            format!(
                "nothing, until the spec or the chart changes or a fresh start is asked for: {said}"
            )
        }
        reason::STATE_ERROR => {
            "nothing, until the other owner lets go of it or this spec changes".to_owned()
        }
        _ => "nothing, until the spec changes".to_owned(),
    }
}

fn working(view: &View<'_>) -> (String, Option<Timestamp>) {
    let Some(pending) = view.pending() else {
        return ("the action is about to begin".to_owned(), None);
    };
    let release = &view.facts.release;
    let (timeout, after) = match Status::parse(&pending.status) {
        Status::PendingInstall => {
            (release.install_timeout(), then(release.spec.install_remediation(), "removed"))
        }
        Status::PendingRollback => {
            (release.rollback_timeout(), "the way back is tried again".to_owned())
        }
        _ => (release.upgrade_timeout(), then(release.spec.upgrade_remediation(), "rolled back")),
    };
    let until = pending.began.and_then(|began| began.checked_add(timeout).ok());
    let text = match until {
        Some(until) if until > view.facts.now => format!(
            "it waits until all objects are ready, or until {} (in {}); after that {after}",
            shown(until),
            age::human(until.as_second() - view.facts.now.as_second())
        ),
        _ => format!("its time is over and it is about to end; after that {after}"),
    };
    (text, None)
}

/// What follows a failed action.
fn then(remediation: Remediation, undone: &str) -> String {
    let undone = match (undone, remediation.strategy) {
        ("rolled back", RemediationStrategy::Uninstall) => "removed",
        (undone, _) => undone,
    };
    match (remediation.retries, remediation.remediate_last_failure) {
        (Some(0), false) => "it counts as failed and stays as it is".to_owned(),
        (Some(0), true) => format!("it counts as failed and is {undone}"),
        _ => format!("it counts as failed, is {undone}, and is tried again"),
    }
}

fn waiting(view: &View<'_>) -> (String, Option<Timestamp>) {
    let pause = view.condition(RECONCILING).or_else(|| view.condition(READY));
    let at = pause.and_then(|condition| next_attempt(&condition.message));
    if let Some(at) = at.and_then(|at| Timestamp::from_second(at.timestamp()).ok()) {
        let left = at.as_second() - view.facts.now.as_second();
        let when = if left > 0 { format!("in {}", age::human(left)) } else { "now".to_owned() };
        return (format!("the next attempt is at {} ({when})", shown(at)), Some(at));
    }
    let pause = "it is tried again by itself, after pauses of at most 5 minutes";
    let text = match view.reason() {
        _ if !view.is_current() => "the controller looks at it within seconds".to_owned(),
        reason::SOURCE_NOT_READY => format!("{pause}, and at once when the HelmRepository changes"),
        reason::ARTIFACT_FAILED => {
            format!("{pause}; what runs stays as it is")
        }
        reason::VALUES_ERROR => {
            format!("{pause}, and at once when the ConfigMap or Secret changes")
        }
        reason::DEPENDENCY_NOT_READY => match waited_for(view).as_slice() {
            [] => "it goes on as soon as what it depends on is ready".to_owned(),
            names => format!("it goes on as soon as {} ready", are(names)),
        },
        _ => pause.to_owned(),
    };
    (text, None)
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(" and "))
}

fn shown(at: Timestamp) -> String {
    let whole = at.as_duration().as_secs();
    Timestamp::from_second(whole).unwrap_or(at).to_string()
}

/// What a person can do, the likeliest first. Commands are whole.
pub fn advice(view: &View<'_>) -> Vec<String> {
    let (name, flags) = (&view.name, &view.facts.flags);
    let command = |verb: &str| format!("pinnace {verb} {name} {flags}");
    let namespace = view.facts.release.own_namespace();
    let kubectl = |rest: &str| format!("kubectl -n {namespace} {rest}");
    let fresh = format!("remove the cause, then a fresh start: {} --reset", command("reconcile"));
    match view.verdict {
        Verdict::Ready | Verdict::Deleting => return Vec::new(),
        Verdict::Suspended => return vec![command("resume")],
        Verdict::Orphaned => {
            return vec![
                kubectl("get pods -l app.kubernetes.io/name=qdrant-cloud-agent"),
                kubectl("logs deployment/qdrant-cloud-agent --previous"),
            ];
        }
        Verdict::Working => {
            return vec![format!("wait, and watch: pinnace get {name} {flags} --watch -o wide")];
        }
        Verdict::Waiting | Verdict::Stalled => {}
    }
    match view.reason() {
        reason::INSTALL_FAILED
        | reason::UPGRADE_FAILED
        | reason::ROLLBACK_FAILED
        | reason::UNINSTALL_SUCCEEDED
        | reason::UNINSTALL_FAILED
        | reason::MISSING_ROLLBACK_TARGET => {
            vec![fresh, "or ask for another version".to_owned()]
        }
        reason::ROLLBACK_SUCCEEDED => {
            vec!["ask for another version".to_owned(), format!("or {fresh}")]
        }
        reason::SOURCE_NOT_READY => {
            let source = view.facts.release.spec.chart.as_ref();
            let source = source.map_or("", |chart| chart.spec.source_ref.name.as_str());
            vec![kubectl(&format!("get helmrepositories.cd.qdrant.io {source} -o yaml"))]
        }
        reason::ARTIFACT_FAILED => vec![registry(view)],
        reason::VALUES_ERROR => vec![kubectl(&format!(
            "get helmreleases.cd.qdrant.io {name} -o jsonpath='{{.spec.valuesFrom}}'"
        ))],
        reason::DEPENDENCY_NOT_READY => waited_for(view)
            .iter()
            .filter(|name| !name.contains('/'))
            .map(|name| format!("pinnace why {name} {flags}"))
            .collect(),
        reason::UNSUPPORTED | reason::INVALID_CEL_EXPRESSION => {
            vec!["change the field that the message names".to_owned()]
        }
        reason::STATE_ERROR => {
            vec!["have one of the two HelmReleases name another release, or delete it".to_owned()]
        }
        reason::PENDING_RELEASE | "" => Vec::new(),
        _ => vec![command("reconcile")],
    }
}

/// Where to look, by the first word of what the registry client says.
fn registry(view: &View<'_>) -> String {
    let message = view.condition(READY).map_or("", |ready| ready.message.as_str());
    let source = view.facts.release.spec.chart.as_ref();
    let source = source.map_or("", |chart| chart.spec.source_ref.name.as_str());
    match message.split([':', ' ']).next().unwrap_or_default() {
        "Unauthorized" | "Forbidden" => {
            format!("correct the pull secret that HelmRepository {source} names in spec.secretRef")
        }
        "NotFound" => {
            "see whether the registry (or its mirror) has this version, or ask for another".to_owned()
        }
        "DigestMismatch" => {
            "tell the vendor: the registry serves something else than was pinned; do not override it".to_owned()
        }
        "Tls" => format!("see whether HelmRepository {source} names the registry's CA in spec.certSecretRef"),
        "ClientCertificate" => {
            format!("give the registry a certificate that it knows: tls.crt and tls.key in the Secret that HelmRepository {source} names in spec.certSecretRef")
        }
        "Unreachable" | "TimedOut" => {
            "see whether the agent's pod reaches the registry: name, network, proxy".to_owned()
        }
        _ => "read the message: it says what the chart or the registry is missing".to_owned(),
    }
}
