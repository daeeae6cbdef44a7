//! The agent upgrades itself to versions that crash, hang, or cannot reach the Console, and is killed half-way: each
//! ends at a working agent and one clean revision.
//!
//! The broken versions are the real agent in charts with one mistake each, which shows only after the agent before
//! has ended.

use std::time::Duration;

use pinnace::api::helm_release::DEFAULT_MAX_HISTORY;
use serde_json::json;

use crate::world::{AGENT, Site, World};

/// Crashes as soon as it leads: its cache cannot be made.
pub const CRASHES: &str = "1.2.1";
/// Stays ready and never leads: its Lease is in a namespace that it may not touch.
pub const HANGS: &str = "1.2.2";
/// Leads, finishes its release, and finds no Console.
pub const ALONE: &str = "1.2.3";

/// Each broken version, and the mistake in its Deployment: a text of the template and what takes its place.
pub const MISTAKES: [(&str, &str, &str, &str); 3] = [
    (CRASHES, "deployment.yaml", "            - /cache\n", "            - /proc/nothing\n"),
    (
        HANGS,
        "deployment.yaml",
        "            - name: POD_NAMESPACE\n              valueFrom:\n                fieldRef:\n                  \
         fieldPath: metadata.namespace\n",
        "            - name: POD_NAMESPACE\n              value: default\n",
    ),
    (
        ALONE,
        "_helpers.tpl",
        "{{- toYaml .Values.config -}}",
        "{{- toYaml (merge (dict \"grpcServerURL\" \"https://nowhere.test\") .Values.config) -}}",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_crashes_is_undone() {
    let site = undone("rescue-crash", CRASHES).await;
    // A version that works goes through, and needs no rescue: on a busy machine it may take longer than a broken one is given.
    site.rescue_after("3m");
    site.pin(json!({"agentVersion": "1.1.0"})).await;
    site.until_running(AGENT, "1.1.0").await;
    site.until_gone(&format!("job/{AGENT}-rescue")).await;
    assert_eq!(site.revisions(AGENT).last().map(String::as_str), Some("4 deployed 1.1.0"));
    site.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_is_undone() {
    undone("rescue-hang", HANGS).await.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_cannot_reach_the_console_is_undone() {
    undone("rescue-alone", ALONE).await.done().await;
}

impl Site {
    /// How long a new agent is given to confirm.
    fn rescue_after(&self, time: &str) {
        let annotation = format!("cd.qdrant.io/rescue-after={time}");
        self.kubectl(&["annotate", "--overwrite", "helmrelease.cd.qdrant.io", AGENT, &annotation]);
    }
}

/// Upgrades to a broken version, and waits until the version before is back.
async fn undone(name: &str, broken: &str) -> Site {
    let world = World::get().await;
    let site = world.install(name).await;
    site.until_running(AGENT, "1.0.0").await;
    site.rescue_after("25s");
    site.pin(json!({"agentVersion": broken})).await;
    site.until_condition(AGENT, "Remediated", "True", "rollback").await;
    site.until("the old agent is back, and the Console shows why", |versions| {
        let agent = &versions["agent"];
        versions["connected"] == true
            && agent["running"] == "1.0.0"
            && agent["attempted"] == broken
            && agent["wanted"] == broken
            && agent["phase"] == "Ready"
            && agent["message"].as_str().is_some_and(|m| m.contains("did not confirm within 25 s"))
    })
    .await;
    let expected = [
        "1 superseded 1.0.0".to_owned(),
        format!("2 failed {broken}"),
        "3 deployed 1.0.0".to_owned(),
    ];
    assert_eq!(site.revisions(AGENT), expected);
    site.kubectl(&["rollout", "status", &format!("deployment/{AGENT}"), "--timeout=60s"]);
    site.until_gone(&format!("job/{AGENT}-rescue")).await;
    site.until_condition(AGENT, "Stalled", "True", "Failed to upgrade").await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_half_way_ends_at_the_new_one() {
    let world = World::get().await;
    let site = world.install("rescue-killed").await;
    site.until_running(AGENT, "1.0.0").await;
    // `make chaos` has more of them.
    let kills: u32 =
        std::env::var("SELF_UPGRADE_KILLS").map_or(3, |n| n.parse().expect("a number"));
    let apart = 5000 / kills.max(2).saturating_sub(1);
    let mut interrupted = 0;
    for moment in 0..kills {
        let version = if moment % 2 == 0 { "1.1.0" } else { "1.0.0" };
        let revision = moment + 2;
        site.pin(json!({"agentVersion": version})).await;
        site.until_record(AGENT, revision).await;
        // The time varies the moment; whatever it hits, the outcome must be the same.
        tokio::time::sleep(Duration::from_millis(u64::from(moment * apart))).await;
        interrupted += u32::from(site.record_status(AGENT, revision).starts_with("pending-"));
        site.kill_agent();
        site.until_running(AGENT, version).await;
        site.until_gone(&format!("job/{AGENT}-rescue")).await;
        let revisions = site.revisions(AGENT);
        let kept = (revision as usize).min(DEFAULT_MAX_HISTORY);
        assert_eq!(revisions.len(), kept, "{revisions:?}");
        assert_eq!(revisions.last(), Some(&format!("{revision} deployed {version}")));
        let settled = |line: &String| line.contains(" superseded ") || line.contains(" deployed ");
        assert!(revisions.iter().all(settled), "{revisions:?}");
    }
    println!("self-upgrade: {kills} kills, {interrupted} of them while it was pending");
    assert!(interrupted * 2 >= kills, "only {interrupted} of {kills} kills hit a pending upgrade");
    site.done().await;
}
