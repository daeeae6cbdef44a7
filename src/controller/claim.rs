//! Whose release it is: pure. Two HelmReleases that name the same Helm release must not fight over it.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::FINALIZER;
use crate::api::helm_release::{HelmRelease, Snapshot};
use crate::release::Stored;

/// How release records name the object that they were made for: `<name>/<uid>`.
pub fn holder(release: &HelmRelease) -> String {
    format!("{}/{}", release.name_any(), release.uid().unwrap_or_default())
}

/// Whether the object has nothing to do with any release any longer: it is on its way out, and this controller
/// has done its part.
pub fn lets_go(release: &HelmRelease) -> bool {
    let kept = release.finalizers().iter().any(|f| f == FINALIZER);
    release.metadata.deletion_timestamp.is_some() && !kept
}

/// Whether two objects keep Helm's records in the same place: elsewhere a name means another release.
fn same_place(one: &HelmRelease, other: &HelmRelease) -> bool {
    one.storage_namespace() == other.storage_namespace()
        && one.spec.kube_config == other.spec.kube_config
}

/// Whether two objects may mean the same Helm release: by the names they ask for, or by what was made for one.
pub fn same_release(one: &HelmRelease, other: &HelmRelease) -> bool {
    let asked = |r: &HelmRelease| r.release_name().ok().map(|name| name.to_string());
    let made = |r: &HelmRelease| {
        let head = r.status.as_ref().and_then(|s| s.history.first());
        head.map(|head| head.name.clone())
    };
    let wanted = asked(other);
    wanted.is_some() && (asked(one) == wanted || made(one) == wanted)
}

/// What of an object decides who has its Helm release, as one text: it changes when someone else may have it.
pub fn standing(release: &HelmRelease) -> String {
    let name = release.release_name().map(|name| name.to_string()).unwrap_or_default();
    format!("{name}/{}", lets_go(release))
}

/// The name of another object that has the Helm release `name`. `recorded` is who made its newest revision,
/// if it says so; `all` are the live HelmReleases of the namespace.
///
/// Whoever made the newest revision has the release; without such a word, whoever noted it in its status; then
/// the older object.
pub fn taken(
    release: &HelmRelease,
    name: &str,
    recorded: Option<&str>,
    all: &[Arc<HelmRelease>],
) -> Option<String> {
    if recorded == Some(&holder(release)) {
        return None;
    }
    let others = || {
        let rival = |other: &&Arc<HelmRelease>| {
            other.uid() != release.uid() && !lets_go(other) && same_place(release, other)
        };
        all.iter().filter(rival)
    };
    if let Some(owner) = others().find(|other| recorded == Some(&holder(other))) {
        return Some(owner.name_any());
    }
    let rank = |release: &HelmRelease| {
        let noted = release.status.as_ref().and_then(|s| s.history.first());
        let noted = noted.is_some_and(|head| head.name == name);
        let made = release.creation_timestamp().map(|t| t.0);
        (!noted, made, release.name_any())
    };
    let own = rank(release);
    others()
        .filter(|other| other.release_name().is_ok_and(|n| n.as_str() == name))
        .find(|other| rank(other) < own)
        .map(|other| other.name_any())
}

/// Whether the deletion of the object `holder` takes the release with it, whose newest revision is `newest`: it made
/// it, it has adopted this very revision, or a person has upgraded by hand what it had made.
///
/// A number alone says nothing: after an uninstallation another's release of the same name counts from 1 again.
pub fn uninstalls(newest: &Stored, holder: Option<&str>, history: &[Snapshot]) -> bool {
    let Some(head) = history.first() else { return newest.holder.as_deref() == holder };
    match newest.holder.as_deref() {
        Some(recorded) => Some(recorded) == holder || head.digest == newest.record.digest(),
        None => {
            let installed = newest.record.info.first_deployed.map(|at| at.timestamp());
            installed == Some(head.first_deployed.0.as_second())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::status;
    use crate::release::Status;
    use crate::release::record::tests::record;
    use serde_json::json;

    fn release(name: &str, made: u32, noted: bool) -> Arc<HelmRelease> {
        let history = json!([{
            "digest": "d", "name": "web", "namespace": "n", "version": 3, "status": "deployed",
            "chartName": "c", "chartVersion": "1.0.0", "configDigest": "d",
            "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z",
        }]);
        let release = serde_json::from_value(json!({
            "apiVersion": "cd.qdrant.io/v2", "kind": "HelmRelease",
            "metadata": {
                "name": name, "namespace": "n", "uid": format!("uid-{name}"),
                "creationTimestamp": format!("2026-01-0{made}T00:00:00Z"),
            },
            "spec": {"interval": "1m", "releaseName": "web"},
            "status": {"history": if noted { history } else { json!([]) }},
        }));
        Arc::new(release.expect("a release"))
    }

    #[test]
    fn one_of_two_has_the_release() {
        for (a_noted, b_noted, recorded, a_taken) in [
            (false, false, None, false),
            (false, true, None, true),
            (true, true, None, false),
            (true, false, Some("b/uid-b"), true),
            (false, true, Some("a/uid-a"), false),
            (false, false, Some("gone/uid-gone"), false),
            (false, true, Some("gone/uid-gone"), true),
        ] {
            let (a, b) = (release("a", 1, a_noted), release("b", 2, b_noted));
            let all = [a.clone(), b.clone()];
            let of = |r: &HelmRelease| taken(r, "web", recorded, &all);
            let expected = (a_taken.then(|| "b".to_owned()), (!a_taken).then(|| "a".to_owned()));
            assert_eq!((of(&a), of(&b)), expected, "{a_noted} {b_noted} {recorded:?}");
        }
        let a = release("a", 1, false);
        assert_eq!(taken(&a, "web", None, std::slice::from_ref(&a)), None);
    }

    #[test]
    fn what_goes_leaves_its_release_to_others() {
        let (mut first, second) = (release("a", 1, true), release("b", 2, false));
        let of = |first: &Arc<HelmRelease>| {
            taken(&second, "web", None, &[first.clone(), second.clone()])
        };
        let going = Arc::make_mut(&mut first);
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-03T00:00:00Z")).expect("a time");
        going.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        let before = standing(&first);
        assert_eq!(of(&first), Some("a".to_owned()), "it is still being uninstalled");
        Arc::make_mut(&mut first).metadata.finalizers = Some(vec!["others".to_owned()]);
        assert_eq!(of(&first), None);
        assert_ne!(standing(&first), before);
    }

    #[test]
    fn a_deletion_takes_its_own_release_alone() {
        let revision = |version: u32, minute: u32| {
            let mut record = record(version, Status::Deployed);
            let at = format!("2026-01-01T00:{minute:02}:00Z").parse().expect("a time");
            record.info.first_deployed = Some(at);
            record
        };
        let (mine, theirs, gone) = (Some("a/uid-a"), Some("b/uid-b"), Some("gone/uid"));
        let noted = [status::snapshot(&Stored::new(revision(3, 1), "", None), "install")];
        for (what, record, holder, history, expected) in [
            ("made by it, not noted", revision(3, 1), mine, &noted[..0], true),
            ("made by it, and newer", revision(4, 1), mine, &noted[..], true),
            ("another's", revision(3, 1), theirs, &noted[..0], false),
            ("another's newer one", revision(4, 1), theirs, &noted[..], false),
            (
                "another's installation that has come to the same number",
                revision(3, 9),
                theirs,
                &noted[..],
                false,
            ),
            ("adopted from who is gone", revision(3, 1), gone, &noted[..], true),
            ("upgraded by hand", revision(4, 1), None, &noted[..], true),
            ("installed by hand since", revision(3, 9), None, &noted[..], false),
            ("installed and upgraded by hand since", revision(4, 9), None, &noted[..], false),
            ("nobody's", revision(3, 1), None, &noted[..0], false),
        ] {
            let mut newest = Stored::new(record, "", None);
            newest.holder = holder.map(str::to_owned);
            assert_eq!(uninstalls(&newest, mine, history), expected, "{what}");
        }
    }
}
