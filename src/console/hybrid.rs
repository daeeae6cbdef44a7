//! `qdrant.cloud.hybrid.v1`: environments, for gRPC, REST and the pages alike.

use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    bootstrap,
    desk::{Desk, Shared, internal, now},
    keys, mask, pins, status,
    store::{EnvironmentRow, Saved},
    validate,
};
use crate::{
    model::redacted::Redacted,
    proto::qdrant::cloud::hybrid::v1::{
        CreateHybridCloudEnvironmentRequest, CreateHybridCloudEnvironmentResponse,
        DeleteHybridCloudEnvironmentRequest, DeleteHybridCloudEnvironmentResponse,
        GenerateBootstrapCommandsRequest, GenerateBootstrapCommandsResponse,
        GetHybridCloudEnvironmentRequest, GetHybridCloudEnvironmentResponse,
        HybridCloudEnvironment as Environment, ListHybridCloudEnvironmentsRequest,
        ListHybridCloudEnvironmentsResponse, UpdateHybridCloudEnvironmentRequest,
        UpdateHybridCloudEnvironmentResponse, hybrid_cloud_service_server::HybridCloudService,
    },
};

/// What `update_mask` may name.
const UPDATABLE: &[&str] = &[
    "name",
    "configuration",
    "configuration.namespace",
    "configuration.http_proxy_url",
    "configuration.https_proxy_url",
    "configuration.no_proxy_configs",
    "configuration.container_registry_url",
    "configuration.chart_repository_url",
    "configuration.registry_secret_name",
    "configuration.ca_certificates",
    "configuration.database_storage_class",
    "configuration.snapshot_storage_class",
    "configuration.volume_snapshot_storage_class",
    "configuration.ingress",
    "configuration.egress",
    "configuration.log_level",
    "configuration.tolerations",
    "configuration.node_selector",
    "configuration.advanced_operator_settings",
    "configuration.control_plane_labels",
];

/// The service.
#[derive(Clone)]
pub struct Hybrid {
    desk: Shared,
}

impl Hybrid {
    pub fn new(desk: Shared) -> Self {
        Self { desk }
    }

    async fn save(&self, document: &Environment, new: bool) -> Result<(), Status> {
        let violations = validate::environment(document);
        if !violations.is_empty() {
            return Err(Status::invalid_argument(violations.join("; ")));
        }
        let clusters = self.desk.cluster_wants(&document.id).await?;
        self.desk.check_size(document, clusters)?;
        let namespace =
            document.configuration.as_ref().map(|c| c.namespace.as_str()).unwrap_or_default();
        match self.desk.store.save_environment(document, new).await? {
            Saved::Done => Ok(()),
            Saved::NotFound => Err(Status::not_found("the environment was deleted meanwhile")),
            Saved::NameTaken => Err(Status::already_exists(format!(
                "an environment with the name {} exists already; choose another name",
                document.name
            ))),
            Saved::NamespaceTaken(other) => Err(Status::already_exists(format!(
                "the namespace {namespace} is taken by environment {other}: each environment of an account needs a namespace of its own, so that installing one never replaces another's agent; choose another, such as {namespace}-2"
            ))),
        }
    }

    async fn shown(&self, id: &str) -> Result<Environment, Status> {
        let row = self.desk.environment(id).await?;
        shown(&self.desk, row).await
    }
}

/// An environment with its status, as the API shows it.
pub async fn shown(desk: &Desk, row: EnvironmentRow) -> Result<Environment, Status> {
    let observation = desk.store.observation(&row.document.id).await?;
    let now = now();
    let freshness = desk.freshness(&row, now);
    let mut document = row.document;
    document.status = status::environment(observation.as_ref(), freshness, now);
    Ok(document)
}

#[tonic::async_trait]
impl HybridCloudService for Hybrid {
    async fn list_hybrid_cloud_environments(
        &self,
        request: Request<ListHybridCloudEnvironmentsRequest>,
    ) -> Result<Response<ListHybridCloudEnvironmentsResponse>, Status> {
        self.desk.check_account(&request.into_inner().account_id)?;
        let mut items = Vec::new();
        for row in self.desk.store.environments().await? {
            items.push(shown(&self.desk, row).await?);
        }
        Ok(Response::new(ListHybridCloudEnvironmentsResponse { items }))
    }

    async fn get_hybrid_cloud_environment(
        &self,
        request: Request<GetHybridCloudEnvironmentRequest>,
    ) -> Result<Response<GetHybridCloudEnvironmentResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        let environment = self.shown(&request.hybrid_cloud_environment_id).await?;
        Ok(Response::new(GetHybridCloudEnvironmentResponse {
            hybrid_cloud_environment: Some(environment),
        }))
    }

    async fn create_hybrid_cloud_environment(
        &self,
        request: Request<CreateHybridCloudEnvironmentRequest>,
    ) -> Result<Response<CreateHybridCloudEnvironmentResponse>, Status> {
        let mut document = given(request.into_inner().hybrid_cloud_environment)?;
        self.desk.check_account(&document.account_id)?;
        let set = [
            ("id", !document.id.is_empty()),
            ("created_at", document.created_at.is_some()),
            ("last_modified_at", document.last_modified_at.is_some()),
            ("status", document.status.is_some()),
        ];
        if let Some((field, _)) = set.iter().find(|(_, set)| *set) {
            return Err(Status::invalid_argument(format!(
                "{field}: is set by the Console; leave it out"
            )));
        }
        let stamp = status::timestamp(now());
        document.id = Uuid::new_v4().to_string();
        document.created_at = Some(stamp);
        document.last_modified_at = Some(stamp);
        document.bootstrap_commands_generated = false;
        if let Some(configuration) = &mut document.configuration {
            configuration.last_modified_at = Some(stamp);
        }
        self.save(&document, true).await?;
        self.desk.live.set_epoch(&document.id, 0);
        self.desk.note(&document.id, "created", "the environment was created").await;
        let environment = self.shown(&document.id).await?;
        Ok(Response::new(CreateHybridCloudEnvironmentResponse {
            hybrid_cloud_environment: Some(environment),
        }))
    }

    async fn update_hybrid_cloud_environment(
        &self,
        request: Request<UpdateHybridCloudEnvironmentRequest>,
    ) -> Result<Response<UpdateHybridCloudEnvironmentResponse>, Status> {
        let request = request.into_inner();
        let update = given(request.hybrid_cloud_environment)?;
        self.desk.check_account(&update.account_id)?;
        if update.id.is_empty() {
            return Err(Status::invalid_argument("id: is required"));
        }
        let _turn = self.desk.turns.take(&update.id).await;
        let current = self.desk.environment(&update.id).await?.document;
        let paths = request.update_mask.unwrap_or_default().paths;
        let update = if paths.is_empty() {
            update
        } else {
            mask::merge(&current, &update, &paths, UPDATABLE)
                .map_err(|error| Status::invalid_argument(error.to_string()))?
        };
        let stamp = status::timestamp(now());
        let mut document = Environment {
            name: update.name,
            configuration: update.configuration,
            last_modified_at: Some(stamp),
            status: None,
            ..current.clone()
        };
        let namespace = |e: &Environment| e.configuration.as_ref().map(|c| c.namespace.clone());
        if current.bootstrap_commands_generated && namespace(&document) != namespace(&current) {
            return Err(Status::failed_precondition(format!(
                "configuration.namespace: cannot change from {} once the installation command was generated; create another environment instead",
                namespace(&current).unwrap_or_default()
            )));
        }
        if let Some(configuration) = &mut document.configuration {
            configuration.last_modified_at = Some(stamp);
        }
        self.save(&document, false).await?;
        self.desk.settle(&document.id).await?;
        self.desk.note(&document.id, "updated", "the configuration was changed").await;
        let environment = self.shown(&document.id).await?;
        Ok(Response::new(UpdateHybridCloudEnvironmentResponse {
            hybrid_cloud_environment: Some(environment),
        }))
    }

    async fn delete_hybrid_cloud_environment(
        &self,
        request: Request<DeleteHybridCloudEnvironmentRequest>,
    ) -> Result<Response<DeleteHybridCloudEnvironmentResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        let id = &request.hybrid_cloud_environment_id;
        let _turn = self.desk.turns.take(id).await;
        self.desk.environment(id).await?;
        let clusters = self.desk.store.clusters(Some(id)).await?;
        if !clusters.is_empty() {
            let names: Vec<&str> =
                clusters.iter().take(5).map(|row| row.document.name.as_str()).collect();
            return Err(Status::failed_precondition(format!(
                "the environment has {} database clusters ({}): delete those first",
                clusters.len(),
                names.join(", ")
            )));
        }
        // First, and harmless if repeated: once the environment is gone nobody could ask for it again.
        self.desk
            .accounts
            .revoke(&self.desk.settings, id)
            .await
            .map_err(|e| internal("the environment's registry account could not be removed", e))?;
        if !self.desk.store.delete_environment(id).await? {
            return Err(Status::aborted("the environment changed meanwhile: try again"));
        }
        self.desk.live.remove(id);
        self.desk.note(id, "deleted", "the environment was deleted").await;
        Ok(Response::new(DeleteHybridCloudEnvironmentResponse {}))
    }

    async fn generate_bootstrap_commands(
        &self,
        request: Request<GenerateBootstrapCommandsRequest>,
    ) -> Result<Response<GenerateBootstrapCommandsResponse>, Status> {
        let request = request.into_inner();
        self.desk.check_account(&request.account_id)?;
        // In a task of its own: a caller that hangs up does not stop it half way.
        let (desk, id) = (self.desk.clone(), request.hybrid_cloud_environment_id);
        let task = tokio::spawn(async move { generate(&desk, &id).await });
        let response = task.await.map_err(|e| internal("the command was not made", e))??;
        Ok(Response::new(response))
    }
}

/// A new access key and registry account, and the command that installs them. What can fail comes
/// before the moment in which the older key stops working.
async fn generate(desk: &Desk, id: &str) -> Result<GenerateBootstrapCommandsResponse, Status> {
    let _turn = desk.turns.take(id).await;
    let row = desk.environment(id).await?;
    if row.agent.is_none() || row.operator.is_none() {
        let agent = desk.catalogue.newest(pins::AGENT).await?;
        let operator = desk.catalogue.newest(pins::OPERATOR).await?;
        desk.store.choose_if_unset(id, &agent, &operator).await?;
    }
    let row = desk.environment(id).await?;
    let agent = row.agent.ok_or_else(|| Status::aborted("no version is chosen: try again"))?;
    let issued = desk
        .accounts
        .issue(&desk.settings, id)
        .await
        .map_err(|e| internal("a registry account could not be made; the log says why", e))?;
    let access_key = Redacted::new(format!("{id}|{}", keys::mint().expose()));
    let hash = keys::hash(access_key.expose());
    let epoch = match desk.store.rotate_access_key(id, &hash, now()).await {
        Ok(epoch) => epoch,
        Err(error) => {
            // The cluster still has the account before this one.
            if let Err(error) = desk.accounts.restore(&desk.settings, id, issued).await {
                tracing::error!(%error, environment = id, "the registry account before could not be put back");
            }
            return Err(error.into());
        }
    };
    desk.live.set_epoch(id, epoch);
    if let Err(error) = desk.settle(id).await {
        // The command is good all the same; the agent's first call settles again.
        tracing::error!(%error, environment = id, "the desired state could not be brought up to date");
    }
    let rotated = if epoch > 1 { "; the ones before it stopped working" } else { "" };
    let text = format!("an installation command with a new access key was generated{rotated}");
    desk.note(id, "bootstrap", &text).await;
    let account = issued.account;
    let commands = bootstrap::commands(&bootstrap::Inputs {
        settings: &desk.settings,
        public_key: &desk.keys.desired.verifying_key(),
        environment: &row.document,
        version: &agent.version,
        access_key: &access_key,
        account: account.as_ref(),
    });
    let (registry_username, registry_password) = account
        .map(|account| (account.username, account.password.expose().clone()))
        .unwrap_or_default();
    Ok(GenerateBootstrapCommandsResponse {
        commands,
        access_key: access_key.expose().clone(),
        registry_username,
        registry_password,
    })
}

fn given(document: Option<Environment>) -> Result<Environment, Status> {
    document.ok_or_else(|| Status::invalid_argument("hybrid_cloud_environment: is required"))
}
