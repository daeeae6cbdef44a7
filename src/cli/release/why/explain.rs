//! What the facts about a release mean: pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::super::age;
use super::facts::{Facts, Revision};
use super::next;
use crate::api::helm_release::HelmReleaseStatus;
use crate::model::condition::{DRIFTED, READY, RELEASED, REMEDIATED, STALLED, reason};
use crate::release::Status;

/// A leader renews its Lease every 5 s; after this time it is gone.
const GONE: i64 = 60;
/// Between a label and its text.
const MARGIN: usize = 12;

/// How a release is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Ready,
    /// An action runs.
    Working,
    /// It is tried again by itself.
    Waiting,
    /// Nothing happens until somebody changes something.
    Stalled,
    Suspended,
    Deleting,
    /// Nobody looks after it.
    Orphaned,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub name: String,
    pub verdict: Verdict,
    pub headline: String,
    /// What is known, each with a label.
    pub facts: Vec<(&'static str, String)>,
    pub next: String,
    /// When it is tried again, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// What a person can do.
    pub advice: Vec<String>,
}

impl Explanation {
    /// A headline, labelled facts, what is next, what to do.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.headline);
        let mut label = "";
        for (title, fact) in &self.facts {
            entry(&mut text, if *title == label { "" } else { title }, fact);
            label = title;
        }
        entry(&mut text, "Next", &self.next);
        for (at, advice) in self.advice.iter().enumerate() {
            entry(&mut text, if at == 0 { "To do" } else { "" }, advice);
        }
        text
    }
}

fn entry(text: &mut String, label: &str, fact: &str) {
    let blanks = " ".repeat(MARGIN);
    let fact = fact.trim_end().replace('\n', &format!("\n{blanks}"));
    *text += &format!("{label:MARGIN$}{fact}\n");
}

/// The facts, and what follows from them.
pub struct View<'a> {
    pub facts: &'a Facts,
    pub name: String,
    pub status: HelmReleaseStatus,
    pub verdict: Verdict,
}

impl View<'_> {
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// The reason of Ready; empty if nothing was said yet.
    pub fn reason(&self) -> &str {
        self.condition(READY).map_or("", |ready| ready.reason.as_str())
    }

    /// The chart that the spec asks for.
    pub fn wanted(&self) -> String {
        let chart = self.facts.release.spec.chart.as_ref();
        chart.map_or_else(String::new, |chart| {
            let name = chart.spec.chart.rsplit('/').next().unwrap_or_default();
            format!("{name} {}", chart.spec.version())
        })
    }

    /// Whether the newest spec has been looked at.
    pub fn is_current(&self) -> bool {
        let ready = self.condition(READY);
        ready.is_some_and(|c| c.observed_generation == self.facts.release.metadata.generation)
    }

    /// The revision whose action runs now.
    pub fn pending(&self) -> Option<&Revision> {
        let latest = self.facts.latest.as_ref()?;
        Status::parse(&latest.status).is_pending().then_some(latest)
    }
}

/// The answer to why a release is as it is.
pub fn explain(facts: &Facts) -> Explanation {
    let mut view = View {
        facts,
        name: facts.release.name_any(),
        status: facts.release.status.clone().unwrap_or_default(),
        verdict: Verdict::Ready,
    };
    view.verdict = verdict(&view);
    let (next, next_attempt) = next::next(&view);
    Explanation {
        headline: headline(&view),
        facts: known(&view),
        next,
        next_attempt,
        advice: next::advice(&view),
        verdict: view.verdict,
        name: view.name,
    }
}

fn verdict(view: &View<'_>) -> Verdict {
    let facts = view.facts;
    let is = |type_: &str, value: &str| view.condition(type_).is_some_and(|c| c.status == value);
    if facts.release.metadata.deletion_timestamp.is_some() {
        return Verdict::Deleting;
    }
    if facts.release.is_suspended() {
        return Verdict::Suspended;
    }
    if view.is_current() && is(READY, "True") {
        return Verdict::Ready;
    }
    if is_orphaned(view) {
        return Verdict::Orphaned;
    }
    if view.is_current() && is(STALLED, "True") {
        return Verdict::Stalled;
    }
    if view.reason() == reason::PROGRESSING && view.is_current() {
        return Verdict::Working;
    }
    Verdict::Waiting
}

/// Whether nobody leads. Without any Lease, only what was never looked at tells: a controller need not be an agent.
fn is_orphaned(view: &View<'_>) -> bool {
    let controller = &view.facts.controller;
    let ago = controller.renewed.map(|at| view.facts.now.as_second() - at.as_second());
    let gone = match (controller.holder.as_str(), ago) {
        ("", None) => view.status.conditions.is_empty(),
        ("", Some(_)) => true,
        (_, ago) => ago.is_none_or(|ago| ago > GONE),
    };
    controller.known && gone
}

fn headline(view: &View<'_>) -> String {
    let (name, wanted) = (&view.name, view.wanted());
    let cause = match view.reason() {
        _ if !view.is_current() => "its newest spec was not looked at yet".to_owned(),
        reason::PROGRESSING => match view.pending() {
            Some(pending) => format!("{} {} is under way", action(&pending.status), pending.chart),
            None => format!("{wanted} is being made ready"),
        },
        reason::INSTALL_FAILED => format!("the installation of {wanted} failed"),
        reason::UPGRADE_FAILED => format!("the upgrade to {wanted} failed"),
        reason::ROLLBACK_SUCCEEDED => {
            format!("the upgrade to {wanted} failed, and the revision before runs again")
        }
        reason::ROLLBACK_FAILED => {
            format!("the upgrade to {wanted} failed, and so did the way back")
        }
        reason::UNINSTALL_SUCCEEDED => {
            format!("the installation of {wanted} failed, and what it left was removed")
        }
        reason::UNINSTALL_FAILED => {
            format!("the installation of {wanted} failed, and so did its removal")
        }
        reason::SOURCE_NOT_READY => "the source of its chart cannot be used".to_owned(),
        reason::ARTIFACT_FAILED => format!("its chart, {wanted}, cannot be had"),
        reason::VALUES_ERROR => "its values cannot be put together".to_owned(),
        reason::DEPENDENCY_NOT_READY => match waited_for(view).as_slice() {
            [] => "a release that it depends on is not ready".to_owned(),
            names => format!("it waits for {}", names.join(", ")),
        },
        reason::PENDING_RELEASE => match view.pending() {
            Some(pending) if pending.owner.is_none() => {
                "another Helm client is at work on it".to_owned()
            }
            _ => "a pause has to end first".to_owned(),
        },
        reason::STATE_ERROR => "it is not this object's to change".to_owned(),
        reason::UNSUPPORTED => "it asks for something that is not supported".to_owned(),
        reason::INVALID_CEL_EXPRESSION => "an expression in its spec is wrong".to_owned(),
        reason::MISSING_ROLLBACK_TARGET => {
            format!("{wanted} failed, and there is nothing to go back to")
        }
        reason::RECONCILE_ERROR => "the cluster did not let the controller do its work".to_owned(),
        "" => "nothing was said about it yet".to_owned(),
        other => other.to_owned(),
    };
    match view.verdict {
        Verdict::Ready if view.condition(DRIFTED).is_some() => {
            format!("{name} is ready, but what is in the cluster was changed by others.")
        }
        Verdict::Ready => format!("{name} is ready."),
        Verdict::Suspended => format!("{name} is suspended: nothing is done about it."),
        Verdict::Deleting => format!("{name} is being deleted."),
        Verdict::Orphaned => {
            format!("{name} is not ready, and nobody looks after it: no agent leads.")
        }
        Verdict::Stalled => format!("{name} is not ready and was given up: {cause}."),
        Verdict::Working | Verdict::Waiting => format!("{name} is not ready: {cause}."),
    }
}

/// The releases of `dependsOn` that are not ready.
pub fn waited_for(view: &View<'_>) -> Vec<String> {
    let waiting =
        view.facts.dependencies.iter().filter(|(_, d)| d.ready.as_deref() != Some("True"));
    waiting.map(|(name, _)| name.clone()).collect()
}

fn action(status: &str) -> &'static str {
    match Status::parse(status) {
        Status::PendingInstall => "the installation of",
        Status::PendingRollback => "the way back to",
        _ => "the upgrade to",
    }
}

fn known(view: &View<'_>) -> Vec<(&'static str, String)> {
    let facts = view.facts;
    let ago = |at: Timestamp| age::human(facts.now.as_second() - at.as_second());
    let mut known = Vec::new();
    let deployed = view.status.history.iter().find(|snapshot| snapshot.status == "deployed");
    known.push((
        "Runs",
        match deployed {
            Some(it) => format!(
                "{} {}, revision {}, for {}",
                it.chart_name,
                it.chart_version,
                it.version,
                ago(it.last_deployed.0)
            ),
            None => "nothing that was finished".to_owned(),
        },
    ));
    known.push(("Wanted", view.wanted()));
    if view.verdict == Verdict::Orphaned {
        let lease = match (facts.controller.holder.as_str(), facts.controller.renewed) {
            ("", Some(at)) => format!("its Lease is free, for {}", ago(at)),
            ("", None) => "it has no Lease".to_owned(),
            (holder, at) => {
                let ago = at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", ago(at)));
                format!("{holder} had the Lease and last renewed it {ago}")
            }
        };
        known.push(("Agent", lease));
    }
    for type_ in [RELEASED, REMEDIATED] {
        let failed = |c: &&Condition| c.status == "False" || c.type_ == REMEDIATED;
        if let Some(condition) = view.condition(type_).filter(failed) {
            // Of what an earlier spec asked for.
            let old = condition.observed_generation < facts.release.metadata.generation;
            known.push((if old { "Before" } else { "Happened" }, said(condition, &ago)));
        }
    }
    let ready = view.condition(READY).filter(|ready| ready.status != "True");
    let told = |message: &str| known.iter().any(|(_, text)| text.contains(message));
    if let Some(ready) = ready.filter(|ready| !told(&ready.message)) {
        known.push(("Says", said(ready, &ago)));
    }
    if let Some(drifted) = view.condition(DRIFTED) {
        known.push(("Drift", drifted.message.clone()));
    }
    if view.reason() == reason::SOURCE_NOT_READY || view.reason() == reason::ARTIFACT_FAILED {
        let source = facts.release.spec.chart.as_ref().map(|chart| &chart.spec.source_ref.name);
        let name = source.cloned().unwrap_or_default();
        known.push((
            "Source",
            match &facts.repository {
                None => format!("HelmRepository {name} is not there"),
                Some(it) if it.suspended => {
                    format!("HelmRepository {name} ({}) is suspended", it.url)
                }
                Some(it) => format!("HelmRepository {name} ({})", it.url),
            },
        ));
    }
    for (name, dependency) in &facts.dependencies {
        match dependency.ready.as_deref() {
            Some("True") => {}
            None => known.push(("Depends on", format!("{name}: it is not there"))),
            Some(_) => known.push(("Depends on", format!("{name}: {}", dependency.message))),
        }
    }
    if let Some(pending) = view.pending() {
        let began = pending.began.map_or_else(String::new, |at| format!(", for {}", ago(at)));
        let who = pending.owner.as_deref().unwrap_or("another Helm client");
        known.push(("At work", format!("{who}, on revision {}{began}", pending.version)));
    }
    if view.verdict != Verdict::Ready {
        known.extend(facts.objects.iter().map(|object| ("Not ready", object.clone())));
        known.extend(facts.pods.iter().map(|pod| ("Pods", pod.clone())));
    }
    known
}

/// A message with the time since when it is so.
fn said(condition: &Condition, ago: &dyn Fn(Timestamp) -> String) -> String {
    format!("{} ({} ago)", condition.message, ago(condition.last_transition_time.0))
}
