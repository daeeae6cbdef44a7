//! `qdrant.cloud.cluster.v1`: database clusters of hybrid environments.

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    desk::{MAX_CLUSTERS, Shared, now},
    status,
    store::ClusterRow,
};
use crate::{
    model::desired::ClusterWant,
    proto::{pinnace::agent::v1::Observed, qdrant::cloud::cluster::v1::*},
};

mod rules;
mod spec;
mod state;

use cluster_service_server::ClusterService;

/// The only provider of this Console.
pub const PROVIDER: &str = "hybrid";
const LARGEST_PAGE: i32 = 250;

/// The service.
#[derive(Clone)]
pub struct Clusters {
    desk: Shared,
}

/// What a desired state says of this cluster.
pub fn want(row: &ClusterRow) -> ClusterWant {
    match row.document.deleted_at {
        Some(_) => ClusterWant::Deleted,
        None => ClusterWant::Present {
            spec: spec::of(&row.document),
            labels: spec::labels(&row.document),
        },
    }
}

/// The agent has answered to the generation that deletes this cluster, and says that it is gone.
pub fn is_gone(row: &ClusterRow, observed: &Observed) -> bool {
    let said = observed.clusters.get(&row.document.id);
    row.deleted_in.is_some_and(|generation| generation <= observed.generation)
        && said.is_some_and(|cluster| !cluster.present)
}

impl Clusters {
    pub fn new(desk: Shared) -> Self {
        Self { desk }
    }

    async fn row(&self, account: &str, id: &str) -> Result<ClusterRow, Status> {
        self.desk.check_account(account)?;
        self.desk.store.cluster(id).await?.ok_or_else(|| {
            let id: String = id.chars().take(80).collect();
            Status::not_found(format!("there is no cluster {id:?} in this account"))
        })
    }

    /// The cluster with its state, which responses always carry.
    async fn shown(&self, row: ClusterRow) -> Result<Cluster, Status> {
        let environment = row.document.cloud_provider_region_id.clone();
        let home = self.desk.environment(&environment).await?;
        let observed = self.desk.store.observation(&environment).await?;
        let freshness = self.desk.freshness(&home, now());
        Ok(state::shown(row, &home.document, observed.as_ref(), freshness, now()))
    }
}

#[tonic::async_trait]
impl ClusterService for Clusters {
    async fn list_clusters(
        &self,
        request: Request<ListClustersRequest>,
    ) -> Result<Response<ListClustersResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        let provider = request.cloud_provider_id.as_deref();
        let region = request.cloud_provider_region_id.as_deref();
        if region.is_some() && provider.is_none() {
            return Err(Status::invalid_argument(
                "cloud_provider_region_id: needs cloud_provider_id too",
            ));
        }
        let rows = match provider {
            Some(provider) if provider != PROVIDER => Vec::new(),
            _ => self.desk.store.clusters(region).await?,
        };
        let total = rows.len();
        let start = match request.page_token.as_deref().filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => token.parse::<usize>().map_err(|_| {
                Status::invalid_argument("page_token: is not one that this Console gave out")
            })?,
        };
        let size = match request.page_size {
            None => total,
            Some(size @ 1..=LARGEST_PAGE) => size.unsigned_abs() as usize,
            Some(_) => {
                return Err(Status::invalid_argument(format!(
                    "page_size: must be 1 to {LARGEST_PAGE}"
                )));
            }
        };
        let mut items = Vec::new();
        for row in rows.into_iter().skip(start).take(size) {
            items.push(self.shown(row).await?);
        }
        let end = start.saturating_add(size);
        Ok(Response::new(ListClustersResponse {
            items,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
            next_page_token: (end < total).then(|| end.to_string()),
        }))
    }

    async fn get_cluster(
        &self,
        request: Request<GetClusterRequest>,
    ) -> Result<Response<GetClusterResponse>, Status> {
        let request = request.into_inner();
        let row = self.row(&request.account_id, &request.cluster_id).await?;
        Ok(Response::new(GetClusterResponse { cluster: Some(self.shown(row).await?) }))
    }

    async fn create_cluster(
        &self,
        request: Request<CreateClusterRequest>,
    ) -> Result<Response<CreateClusterResponse>, Status> {
        let cluster = request.into_inner().cluster;
        let mut cluster =
            cluster.ok_or_else(|| Status::invalid_argument("cluster: is required"))?;
        self.desk.check_account(&cluster.account_id)?;
        let violations = rules::violations(&cluster);
        if !violations.is_empty() {
            return Err(Status::invalid_argument(violations.join("; ")));
        }
        let environment = cluster.cloud_provider_region_id.clone();
        let _turn = self.desk.turns.take(&environment).await;
        let home = self.desk.environment(&environment).await?;
        let others = self.desk.store.clusters(None).await?;
        if others.iter().any(|row| row.document.name == cluster.name) {
            return Err(Status::already_exists(format!(
                "a cluster with the name {} exists already; choose another name",
                cluster.name
            )));
        }
        let stamp = status::timestamp(now());
        cluster.id = Uuid::new_v4().to_string();
        cluster.created_at = Some(stamp);
        if let Some(configuration) = &mut cluster.configuration {
            configuration.last_modified_at = Some(stamp);
            configuration.version.get_or_insert_with(|| spec::DEFAULT_VERSION.into());
        }
        let row = ClusterRow { document: cluster.clone(), deleted_in: None };
        let mut wants = self.desk.cluster_wants(&environment).await?;
        if wants.len() >= MAX_CLUSTERS {
            return Err(Status::invalid_argument(format!(
                "the environment has {MAX_CLUSTERS} clusters, and may not have more"
            )));
        }
        wants.insert(cluster.id.clone(), want(&row));
        self.desk.check_size(&home.document, wants)?;
        self.desk.store.add_cluster(&cluster, now()).await?;
        self.desk.settle(&environment).await?;
        let text = format!("cluster {} was created", cluster.name);
        self.desk.note(&environment, "cluster-created", &text).await;
        Ok(Response::new(CreateClusterResponse { cluster: Some(self.shown(row).await?) }))
    }

    async fn delete_cluster(
        &self,
        request: Request<DeleteClusterRequest>,
    ) -> Result<Response<DeleteClusterResponse>, Status> {
        let request = request.into_inner();
        let mut row = self.row(&request.account_id, &request.cluster_id).await?;
        let environment = row.document.cloud_provider_region_id.clone();
        let _turn = self.desk.turns.take(&environment).await;
        let desired = self.desk.store.desired(&environment).await?;
        // No agent has ever been told of it: nobody has to confirm.
        let unknown = desired.is_none();
        if request.force() || unknown {
            self.desk.store.remove_cluster(&row.document.id).await?;
        } else if row.document.deleted_at.is_none() {
            row.document.deleted_at = Some(status::timestamp(now()));
            self.desk.store.mark_cluster_deleted(&row.document).await?;
        }
        self.desk.settle(&environment).await?;
        let how = if request.force() { "forgotten without the agent's word" } else { "deleted" };
        let text = format!("cluster {} was asked to be {how}", row.document.name);
        self.desk.note(&environment, "cluster-delete", &text).await;
        Ok(Response::new(DeleteClusterResponse {}))
    }

    async fn get_cluster_downscale_risk(
        &self,
        _: Request<GetClusterDownscaleRiskRequest>,
    ) -> Result<Response<GetClusterDownscaleRiskResponse>, Status> {
        Err(not_yet("GetClusterDownscaleRisk"))
    }

    async fn create_cluster_from_backup(
        &self,
        _: Request<CreateClusterFromBackupRequest>,
    ) -> Result<Response<CreateClusterFromBackupResponse>, Status> {
        Err(not_yet("CreateClusterFromBackup"))
    }

    async fn update_cluster(
        &self,
        _: Request<UpdateClusterRequest>,
    ) -> Result<Response<UpdateClusterResponse>, Status> {
        Err(not_yet("UpdateCluster"))
    }

    async fn restart_cluster(
        &self,
        _: Request<RestartClusterRequest>,
    ) -> Result<Response<RestartClusterResponse>, Status> {
        Err(not_yet("RestartCluster"))
    }

    async fn suspend_cluster(
        &self,
        _: Request<SuspendClusterRequest>,
    ) -> Result<Response<SuspendClusterResponse>, Status> {
        Err(not_yet("SuspendCluster"))
    }

    async fn unsuspend_cluster(
        &self,
        _: Request<UnsuspendClusterRequest>,
    ) -> Result<Response<UnsuspendClusterResponse>, Status> {
        Err(not_yet("UnsuspendCluster"))
    }

    async fn enable_cluster_jwt_rbac(
        &self,
        _: Request<EnableClusterJwtRbacRequest>,
    ) -> Result<Response<EnableClusterJwtRbacResponse>, Status> {
        Err(not_yet("EnableClusterJwtRbac"))
    }

    async fn suggest_cluster_name(
        &self,
        _: Request<SuggestClusterNameRequest>,
    ) -> Result<Response<SuggestClusterNameResponse>, Status> {
        Err(not_yet("SuggestClusterName"))
    }

    async fn list_qdrant_releases(
        &self,
        _: Request<ListQdrantReleasesRequest>,
    ) -> Result<Response<ListQdrantReleasesResponse>, Status> {
        Err(not_yet("ListQdrantReleases"))
    }

    async fn get_qdrant_release(
        &self,
        _: Request<GetQdrantReleaseRequest>,
    ) -> Result<Response<GetQdrantReleaseResponse>, Status> {
        Err(not_yet("GetQdrantRelease"))
    }
}

fn not_yet(method: &str) -> Status {
    Status::unimplemented(format!(
        "this version of the Console does not do {method}; it lists, shows, creates and deletes clusters"
    ))
}
