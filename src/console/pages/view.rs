//! What the templates are given: plain text, decided here.

use serde::Serialize;
use tonic::Status;

use crate::{
    console::{
        desk::{Desk, now},
        live::Freshness,
        pins, status,
        store::EnvironmentRow,
        versions::Versions,
    },
    proto::pinnace::{agent::v1::Component, agent::v1::Phase, console::v1::ComponentVersions},
};

const EVENTS: i64 = 30;

/// One row of the list.
#[derive(Debug, Serialize)]
pub struct Row {
    pub id: String,
    pub name: String,
    pub namespace: String,
    pub state: State,
    pub agent: String,
    pub operator: String,
    pub freshness: String,
}

/// A word and the look that goes with it; never the look alone.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct State {
    /// `good`, `busy`, `bad` or `unknown`.
    pub look: &'static str,
    pub word: String,
}

/// One environment.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub id: String,
    pub name: String,
    pub namespace: String,
    pub state: State,
    pub summary: String,
    pub freshness: String,
    pub stale: bool,
    pub bootstrapped: bool,
    pub connected_once: bool,
    pub components: Vec<Part>,
    pub facts: Vec<(&'static str, String)>,
    pub refusal: String,
    pub catalogue_error: String,
    pub events: Vec<Line>,
}

/// The agent or the operator.
#[derive(Debug, Serialize)]
pub struct Part {
    /// `agent` or `operator`: the field of the form.
    pub field: &'static str,
    pub title: String,
    pub state: State,
    pub pods: String,
    pub running: String,
    pub attempted: String,
    pub wanted: String,
    pub message: String,
    pub available: Vec<String>,
}

/// One line of the timeline.
#[derive(Debug, Serialize)]
pub struct Line {
    pub at: String,
    pub ago: String,
    pub kind: String,
    pub look: &'static str,
    pub message: String,
}

/// Every environment.
pub async fn list(desk: &Desk) -> Result<Vec<Row>, Status> {
    let mut rows = Vec::new();
    for row in desk.store.environments().await? {
        let observation = desk.store.observation(&row.document.id).await?;
        let freshness = desk.freshness(&row, now());
        let shown = status::environment(observation.as_ref(), freshness, now());
        let observed = observation.map(|row| row.observed).unwrap_or_default();
        let running = |name: &str| {
            observed.components.get(name).map(|c| c.running_version.clone()).unwrap_or_default()
        };
        rows.push(Row {
            state: overall(&row, shown.as_ref(), freshness),
            agent: running(pins::AGENT),
            operator: running(pins::OPERATOR_RELEASE),
            freshness: fresh(freshness),
            namespace: namespace(&row),
            id: row.document.id,
            name: row.document.name,
        });
    }
    Ok(rows)
}

/// One environment; a registry that does not answer hides the choice of versions, nothing else.
pub async fn environment(desk: &Desk, versions: &Versions, id: &str) -> Result<Shown, Status> {
    let row = desk.environment(id).await?;
    let observation = desk.store.observation(id).await?;
    let freshness = desk.freshness(&row, now());
    let shown = status::environment(observation.as_ref(), freshness, now());
    let (known, catalogue_error) = match versions.list(id).await {
        Ok(known) => (known, String::new()),
        Err(error) => (versions.known(id, Vec::new(), Vec::new()).await?, error.message().into()),
    };
    let observed = observation.map(|row| row.observed).unwrap_or_default();
    let stale = matches!(freshness, Freshness::Stale { .. });
    let seen = |name: &str| observed.components.get(name).cloned().unwrap_or_default();
    let components = vec![
        part("agent", pins::AGENT, known.agent.unwrap_or_default(), &seen(pins::AGENT), stale),
        part(
            "operator",
            pins::OPERATOR_RELEASE,
            known.operator.unwrap_or_default(),
            &seen(pins::OPERATOR_RELEASE),
            stale,
        ),
    ];
    let mut facts = vec![("Namespace", namespace(&row))];
    if let Some(shown) = &shown {
        let distribution = shown
            .kubernetes_distribution
            .map(|_| shown.kubernetes_distribution().as_str_name())
            .and_then(|name| name.strip_prefix("KUBERNETES_DISTRIBUTION_"))
            .map(str::to_lowercase);
        facts.push(("Kubernetes", shown.kubernetes_version.clone()));
        facts.extend(distribution.map(|name| ("Distribution", name)));
        facts.push(("Nodes", shown.number_of_nodes.to_string()));
        let classes: Vec<&str> = shown.storage_classes.iter().map(|c| c.name.as_str()).collect();
        if !classes.is_empty() {
            facts.push(("Storage classes", classes.join(", ")));
        }
    }
    facts.push((
        "Generation",
        format!("{} wanted, {} answered", known.generation, known.observed_generation),
    ));
    let events = desk.store.events(id, EVENTS).await?;
    Ok(Shown {
        state: overall(&row, shown.as_ref(), freshness),
        summary: shown.as_ref().map(|shown| shown.message.clone()).unwrap_or_default(),
        freshness: fresh(freshness),
        stale,
        bootstrapped: row.document.bootstrap_commands_generated,
        connected_once: shown.is_some(),
        components,
        facts,
        refusal: known.refusal,
        catalogue_error,
        events: events
            .into_iter()
            .map(|event| Line {
                at: status::clock(event.at),
                ago: status::ago(now() - event.at),
                look: match event.kind.as_str() {
                    "upgrade-failed" | "refused" | "not-ready" => "bad",
                    "upgraded" | "installed" | "ready" | "connected" => "good",
                    _ => "plain",
                },
                kind: event.kind.replace('-', " "),
                message: event.message,
            })
            .collect(),
        namespace: namespace(&row),
        id: row.document.id,
        name: row.document.name,
    })
}

fn namespace(row: &EnvironmentRow) -> String {
    row.document.configuration.as_ref().map(|c| c.namespace.clone()).unwrap_or_default()
}

fn fresh(freshness: Freshness) -> String {
    match freshness {
        Freshness::Never => "never connected".into(),
        Freshness::Fresh { last_seen } if now() - last_seen < 5 => "connected now".into(),
        Freshness::Fresh { last_seen } => format!("seen {}", status::ago(now() - last_seen)),
        Freshness::Stale { last_seen } => {
            format!("last known, {}", status::ago(now() - last_seen))
        }
    }
}

fn overall(
    row: &EnvironmentRow,
    shown: Option<&crate::proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironmentStatus>,
    freshness: Freshness,
) -> State {
    use crate::proto::qdrant::cloud::hybrid::v1::HybridCloudEnvironmentStatusPhase as P;
    let (look, word) = match (shown, freshness) {
        (_, Freshness::Stale { .. }) => ("unknown", "Not connected"),
        (None, Freshness::Fresh { .. }) => ("busy", "Connected, waiting for the first report"),
        (None, Freshness::Never) if row.document.bootstrap_commands_generated => {
            ("busy", "Waiting for first contact")
        }
        (None, Freshness::Never) => ("unknown", "Not installed"),
        (Some(shown), _) => match shown.phase() {
            P::Ready if shown.message.is_empty() => ("good", "Ready"),
            P::Ready => ("bad", "Ready, with a failed upgrade"),
            P::NotReady => ("busy", "Not ready"),
            P::FailedToSync => ("bad", "Failed to sync"),
            P::Unspecified => ("unknown", "Unknown"),
        },
    };
    State { look, word: word.into() }
}

fn part(
    field: &'static str,
    release: &str,
    versions: ComponentVersions,
    seen: &Component,
    stale: bool,
) -> Part {
    let word = match seen.phase() {
        Phase::Ready => "Ready",
        Phase::NotReady => "Not ready",
        Phase::NotFound => "Not found",
        Phase::Unspecified => "No report yet",
    };
    let look = match seen.phase() {
        _ if stale => "unknown",
        _ if status::failed(seen) => "bad",
        Phase::Ready => "good",
        Phase::NotReady => "busy",
        Phase::NotFound => "bad",
        Phase::Unspecified => "unknown",
    };
    let word = if stale { format!("{word} when last known") } else { word.into() };
    let pods = match seen.pods_wanted {
        0 => String::new(),
        wanted => format!("{} of {wanted} pods ready", seen.pods_ready),
    };
    Part {
        field,
        title: status::title(release).into(),
        state: State { look, word },
        pods,
        running: versions.running,
        attempted: versions.attempted,
        wanted: versions.wanted,
        message: versions.message,
        available: versions.available,
    }
}
