//! What changed between two observations, as lines of a timeline. Pure.

use super::status;
use crate::proto::pinnace::agent::v1::{Component, Observed, Phase};

const LONGEST: usize = 500;

/// Kind and message of each change that people want to know of.
pub fn between(before: Option<&Observed>, after: &Observed) -> Vec<(&'static str, String)> {
    let mut changes: Vec<(&'static str, String)> = Vec::new();
    if before.is_none() {
        changes.push(("connected", "the agent reported for the first time".into()));
    }
    let mut names: Vec<&String> = after.components.keys().collect();
    names.sort();
    for name in names {
        let new = &after.components[name];
        let old = before.and_then(|before| before.components.get(name));
        if let Some((kind, text)) = component(old, new) {
            let text = format!("{}: {text}", status::title(name));
            changes.push((kind, text.chars().take(LONGEST).collect()));
        }
    }
    changes
}

fn component(old: Option<&Component>, new: &Component) -> Option<(&'static str, String)> {
    let none = Component::default();
    let old = old.unwrap_or(&none);
    let attempted = &new.attempted_version;
    if status::failed(new) && !(status::failed(old) && old.attempted_version == *attempted) {
        let mut new = new.clone();
        new.next_try = None;
        return Some(("upgrade-failed", status::message(&new, 0)));
    }
    if new.running_version != old.running_version && !new.running_version.is_empty() {
        return Some(if old.running_version.is_empty() {
            ("installed", format!("runs {}", new.running_version))
        } else {
            ("upgraded", format!("{} → {}", old.running_version, new.running_version))
        });
    }
    if attempted != &old.attempted_version
        && attempted != &new.running_version
        && !attempted.is_empty()
    {
        return Some(("upgrading", format!("started {attempted}")));
    }
    let ready = |component: &Component| component.phase() == Phase::Ready;
    if ready(old) && !ready(new) && attempted == &new.running_version {
        return Some(("not-ready", format!("is no longer ready: {}", new.message)));
    }
    if !ready(old)
        && ready(new)
        && old.phase() == Phase::NotReady
        && attempted == &old.attempted_version
    {
        return Some(("ready", format!("{} is ready", new.running_version)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(running: &str, attempted: &str, phase: Phase, reason: &str) -> Observed {
        let component = Component {
            running_version: running.into(),
            attempted_version: attempted.into(),
            phase: phase as i32,
            reason: reason.into(),
            message: "why".into(),
            ..Default::default()
        };
        let components = [("qdrant-operator-v2".to_owned(), component)].into();
        Observed { components, ..Default::default() }
    }

    #[test]
    fn the_story_of_an_upgrade_that_fails() {
        let states = [
            seen("", "1.0.0", Phase::NotReady, "Progressing"),
            seen("1.0.0", "1.0.0", Phase::Ready, "InstallSucceeded"),
            seen("1.0.0", "1.1.0", Phase::NotReady, "Progressing"),
            seen("1.0.0", "1.1.0", Phase::NotReady, "UpgradeFailed"),
            seen("1.0.0", "1.1.0", Phase::Ready, "RollbackSucceeded"),
            seen("1.0.0", "1.0.0", Phase::Ready, "RollbackSucceeded"),
        ];
        let mut story = Vec::new();
        let mut before = None;
        for after in &states {
            story.extend(between(before, after).into_iter().map(|(kind, _)| kind));
            before = Some(after);
        }
        let expected =
            ["connected", "upgrading", "installed", "upgrading", "upgrade-failed", "ready"];
        assert_eq!(story, expected);
    }

    #[test]
    fn what_stays_the_same_is_not_told() {
        let state = seen("1.0.0", "1.0.0", Phase::Ready, "InstallSucceeded");
        assert!(between(Some(&state), &state).is_empty());
        let broken = seen("1.0.0", "1.0.0", Phase::NotReady, "UpgradeSucceeded");
        assert_eq!(between(Some(&state), &broken)[0].0, "not-ready");
    }
}
