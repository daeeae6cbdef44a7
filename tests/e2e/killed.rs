//! SIGKILL of the agent at ten moments between the pending record and the end of an upgrade.

use std::time::Duration;

use crate::world::{OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_ten_moments_of_an_upgrade() {
    let world = World::get().await;
    let site = world.install("killed").await;
    site.until_running(OPERATOR, "1.0.0").await;

    let mut expected = vec!["1 deployed 1.0.0".to_owned()];
    let mut interrupted = 0;
    for moment in 0..10u32 {
        let version = if moment % 2 == 0 { "1.1.0" } else { "1.0.0" };
        let revision = moment + 2;
        site.pin(serde_json::json!({"operatorVersion": version})).await;
        site.until_record(OPERATOR, revision).await;
        // The time varies the moment; whatever it hits, the outcome must be the same.
        tokio::time::sleep(Duration::from_millis(u64::from(moment) * 150)).await;
        let status = site.record_status(OPERATOR, revision);
        site.kill_agent();
        interrupted += u32::from(status.starts_with("pending-"));
        site.until_running(OPERATOR, version).await;

        if let Some(last) = expected.last_mut() {
            *last = last.replace(" deployed ", " superseded ");
        }
        expected.push(format!("{revision} deployed {version}"));
        let keep = expected.len().saturating_sub(5);
        let found = site.revisions(OPERATOR);
        assert_eq!(
            found.last(),
            expected.last(),
            "killed {moment} × 150 ms after the pending record ({status}): {found:#?}"
        );
        assert!(expected[keep..].ends_with(&found[found.len().saturating_sub(3)..]), "{found:#?}");
    }
    assert!(interrupted >= 5, "only {interrupted} of 10 kills hit a pending upgrade");
    site.done().await;
}
