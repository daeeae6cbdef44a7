use super::*;
use crate::proto::pinnace::agent::v1::{Observed, Region};

fn component(
    running: &str,
    attempted: &str,
    phase: Phase,
    reason: &str,
    message: &str,
) -> Component {
    Component {
        namespace: "qdrant".into(),
        running_version: running.into(),
        attempted_version: attempted.into(),
        wanted_version: attempted.into(),
        phase: phase as i32,
        reason: reason.into(),
        message: message.into(),
        ..Default::default()
    }
}

fn row(operator: Component) -> ObservationRow {
    let agent = component("1.0.0", "1.0.0", Phase::Ready, "UpgradeSucceeded", "");
    ObservationRow {
        observed: Observed {
            components: [(AGENT.to_owned(), agent), (OPERATOR_RELEASE.to_owned(), operator)].into(),
            region: Some(Region {
                phase: "Ready".into(),
                kubernetes_version: "v1.36.3".into(),
                kubernetes_distribution: "k3s".into(),
                ..Default::default()
            }),
            ..Default::default()
        },
        at: 1000,
    }
}

const FRESH: Freshness = Freshness::Fresh { last_seen: 1000 };

#[test]
fn all_ready() {
    let ready = component("2.0.0", "2.0.0", Phase::Ready, "InstallSucceeded", "");
    let status = environment(Some(&row(ready)), FRESH, 1000).unwrap();
    assert_eq!(status.phase(), StatusPhase::Ready);
    assert_eq!(status.message, "");
    assert_eq!(status.cluster_creation_readiness(), Readiness::Ready);
    assert_eq!(status.kubernetes_distribution(), KubernetesDistribution::K3s);
    assert_eq!(status.component_statuses[1].version, "2.0.0");
}

#[test]
fn a_failed_upgrade_stays_visible_while_the_old_version_runs() {
    let mut failed =
        component("2.0.0", "2.1.0", Phase::Ready, "RollbackSucceeded", "pod never became ready");
    failed.next_try = Some(timestamp(1300));
    let status = environment(Some(&row(failed)), FRESH, 1000).unwrap();
    let expected =
        "running 2.0.0, upgrade to 2.1.0 failed: pod never became ready; next try in 5 min";
    assert_eq!(status.component_statuses[1].message, expected);
    assert_eq!(status.component_statuses[1].version, "2.0.0");
    assert_eq!(status.message, format!("qdrant-operator-v2: {expected}"));
}

#[test]
fn an_upgrade_under_way_is_no_failure() {
    let busy =
        component("2.0.0", "2.1.0", Phase::NotReady, "Progressing", "waiting for Deployment");
    let status = environment(Some(&row(busy)), FRESH, 1000).unwrap();
    assert_eq!(status.phase(), StatusPhase::NotReady);
    let expected = "running 2.0.0, upgrading to 2.1.0: waiting for Deployment";
    assert_eq!(status.component_statuses[1].message, expected);
}

#[test]
fn past_the_lease_nothing_is_good() {
    let ready = component("2.0.0", "2.0.0", Phase::Ready, "InstallSucceeded", "");
    let stale = Freshness::Stale { last_seen: 1000 };
    let status = environment(Some(&row(ready)), stale, 1000 + 14 * 60).unwrap();
    assert_eq!(status.phase(), StatusPhase::FailedToSync);
    assert_eq!(status.cluster_creation_readiness(), Readiness::NotReady);
    assert_eq!(status.message, "the agent is not connected; last known, 14 min ago");
    for component in &status.component_statuses {
        assert_eq!(component.phase(), ComponentPhase::Unspecified);
        assert!(component.message.starts_with("last known, 14 min ago"), "{}", component.message);
    }
}

#[test]
fn nothing_is_known_before_the_first_report() {
    assert_eq!(environment(None, Freshness::Never, 0), None);
}
