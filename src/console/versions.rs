//! `pinnace.console.v1`: which versions there are, and which an environment should run.

use tonic::{Request, Response, Status};

use super::{
    catalogue::Content,
    desk::{Shared, now},
    live::Freshness,
    pins, status,
    store::Chosen,
};
use crate::proto::pinnace::{
    agent::v1::{Component, Phase},
    console::v1::{
        ChartVersion, ComponentVersions, ListChartVersionsRequest, ListChartVersionsResponse,
        ListVersionsRequest, ListVersionsResponse, SetVersionsRequest, SetVersionsResponse,
        console_service_server::ConsoleService,
    },
};

/// Versions on a page of the catalogue if nobody says how many, and at most.
const PAGE: u32 = 10;
const LARGEST_PAGE: u32 = 50;

/// The service.
#[derive(Clone)]
pub struct Versions {
    desk: Shared,
}

impl Versions {
    pub fn new(desk: Shared) -> Self {
        Self { desk }
    }

    /// What can be chosen, and what is known.
    pub async fn list(&self, id: &str) -> Result<ListVersionsResponse, Status> {
        let agents = self.desk.catalogue.versions(pins::AGENT).await?;
        let operators = self.desk.catalogue.versions(pins::OPERATOR).await?;
        self.known(id, agents, operators).await
    }

    /// One page of the catalogue.
    pub async fn page(
        &self,
        chart: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<ListChartVersionsResponse, Status> {
        if ![pins::AGENT, pins::OPERATOR].contains(&chart) {
            return Err(Status::not_found(format!(
                "there is no chart {chart:?} here: {} and {} are",
                pins::AGENT,
                pins::OPERATOR
            )));
        }
        let size = match page_size {
            ..0 => return Err(Status::invalid_argument("page_size: must not be negative")),
            0 => PAGE,
            size => size.unsigned_abs().min(LARGEST_PAGE),
        };
        let after = match page_token {
            "" => None,
            text => Some(text.parse::<semver::Version>().map_err(|_| {
                Status::invalid_argument("page_token: use next_page_token of the page before")
            })?),
        };
        let desk = &self.desk;
        let key = desk.keys.desired.verifying_key();
        let values = pins::values_of_nobody(&desk.settings, &key, chart);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let page = desk.catalogue.page(chart, after.as_ref(), size, &values).await?;
        let last = page.entries.last().filter(|_| page.more);
        let next_page_token = last.map(|entry| entry.version.to_string()).unwrap_or_default();
        let items = page.entries.into_iter().map(|entry| {
            let version = entry.version.to_string();
            match entry.content {
                Ok(Content { digest, images }) => ChartVersion {
                    version,
                    digest: digest.to_string(),
                    images,
                    ..Default::default()
                },
                Err(problem) => ChartVersion { version, problem, ..Default::default() },
            }
        });
        Ok(ListChartVersionsResponse { items: items.collect(), next_page_token })
    }

    /// What is known, with these lists to choose from. Asks no registry.
    pub async fn known(
        &self,
        id: &str,
        agents: Vec<semver::Version>,
        operators: Vec<semver::Version>,
    ) -> Result<ListVersionsResponse, Status> {
        let row = self.desk.environment(id).await?;
        let observation = self.desk.store.observation(id).await?;
        let desired = self.desk.store.desired(id).await?;
        let now = now();
        let freshness = self.desk.freshness(&row, now);
        let observed = observation.map(|row| row.observed).unwrap_or_default();
        let side = |release: &str, chosen: Option<&Chosen>, available: Vec<semver::Version>| {
            let seen = observed.components.get(release).cloned().unwrap_or_default();
            versions(chosen, available, &seen, freshness, now)
        };
        let last_seen = match freshness {
            Freshness::Never => None,
            Freshness::Fresh { last_seen } | Freshness::Stale { last_seen } => Some(last_seen),
        };
        Ok(ListVersionsResponse {
            agent: Some(side(pins::AGENT, row.agent.as_ref(), agents)),
            operator: Some(side(pins::OPERATOR_RELEASE, row.operator.as_ref(), operators)),
            last_seen: last_seen.map(status::timestamp),
            connected: matches!(freshness, Freshness::Fresh { .. }),
            generation: desired.as_ref().map_or(0, |row| row.generation),
            observed_generation: observed.generation,
            refusal: desired.map(|row| row.refusal).unwrap_or_default(),
        })
    }
}

fn versions(
    chosen: Option<&Chosen>,
    available: Vec<semver::Version>,
    seen: &Component,
    freshness: Freshness,
    now: i64,
) -> ComponentVersions {
    let phase = match seen.phase() {
        Phase::Unspecified => "",
        _ if status::stale(freshness, now).is_some() => "Unknown",
        Phase::Ready => "Ready",
        Phase::NotReady => "NotReady",
        Phase::NotFound => "NotFound",
    };
    let said = status::message(seen, now);
    ComponentVersions {
        available: available.iter().map(ToString::to_string).collect(),
        wanted: chosen.map(|chosen| chosen.version.to_string()).unwrap_or_default(),
        attempted: seen.attempted_version.clone(),
        running: seen.running_version.clone(),
        phase: phase.into(),
        message: match status::stale(freshness, now) {
            Some(stale) if said.is_empty() => stale,
            Some(stale) => format!("{stale}: {said}"),
            None => said,
        },
    }
}

#[tonic::async_trait]
impl ConsoleService for Versions {
    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        Ok(Response::new(self.list(&request.environment_id).await?))
    }

    async fn list_chart_versions(
        &self,
        request: Request<ListChartVersionsRequest>,
    ) -> Result<Response<ListChartVersionsResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        let page = self.page(&request.chart, request.page_size, &request.page_token).await?;
        Ok(Response::new(page))
    }

    async fn set_versions(
        &self,
        request: Request<SetVersionsRequest>,
    ) -> Result<Response<SetVersionsResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        let id = request.environment_id.as_str();
        self.desk.environment(id).await?;
        if request.agent_version.is_none() && request.operator_version.is_none() {
            return Err(Status::invalid_argument(
                "name agent_version, operator_version, or both: nothing was asked for",
            ));
        }
        let catalogue = &self.desk.catalogue;
        let agent = match &request.agent_version {
            Some(version) => Some(catalogue.choose(pins::AGENT, version).await?),
            None => None,
        };
        let operator = match &request.operator_version {
            Some(version) => Some(catalogue.choose(pins::OPERATOR, version).await?),
            None => None,
        };
        self.desk.store.choose(id, agent.as_ref(), operator.as_ref()).await?;
        self.desk.settle(id).await?;
        let wanted = [("agent", &agent), ("operator", &operator)];
        let wanted: Vec<String> = wanted
            .iter()
            .filter_map(|(what, chosen)| chosen.as_ref().map(|c| format!("{what} {}", c.version)))
            .collect();
        self.desk.note(id, "versions", &format!("wanted: {}", wanted.join(", "))).await;
        Ok(Response::new(SetVersionsResponse { versions: Some(self.list(id).await?) }))
    }
}
