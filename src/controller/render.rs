//! Chart and values to manifests, on a thread of its own.

use std::sync::Arc;

use kube::api::{Api, DynamicObject, ListParams};
use pinnace_engine::render::{Capabilities, Lookup, Operation, Options};
use pinnace_engine::{Chart, Rendered};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use crate::cluster::{self, Cluster, Key, error};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error("{0}")]
    Engine(String),
    #[error("the renderer broke: {0}")]
    Broken(String),
}

/// What is rendered, and as which revision.
#[derive(Clone)]
pub struct Input {
    pub chart: Arc<Chart>,
    pub values: Value,
    pub release: String,
    pub namespace: String,
    pub revision: u32,
    pub operation: Operation,
    /// Do not hold the values against the charts' values.schema.json.
    pub skip_schema_validation: bool,
}

/// Renders with the cluster's capabilities, `lookup` reading from the cluster. Also the chart as Helm
/// records it: with the dependencies that these values enable.
pub async fn run(cluster: &Cluster, input: Input) -> Result<(Rendered, Value), Error> {
    let found = cluster.discovery().capabilities().await?;
    let capabilities =
        Capabilities { kube_version: found.kube_version, api_versions: found.api_versions };
    let lookup = ClusterLookup { cluster: cluster.clone(), runtime: Handle::current() };
    let rendering = tokio::task::spawn_blocking(move || {
        let options = Options {
            revision: input.revision,
            operation: input.operation,
            capabilities,
            lookup: Some(&lookup),
            skip_schema_validation: input.skip_schema_validation,
            ..Options::new(&input.release, &input.namespace)
        };
        let rendered = pinnace_engine::render(&input.chart, &input.values, &options)
            .map_err(|e| Error::Engine(told(&e)))?;
        let none = Map::new();
        let values = input.values.as_object().unwrap_or(&none);
        let chart =
            input.chart.for_values(values, &mut Vec::new()).map_err(|e| Error::Engine(told(&e)))?;
        Ok((rendered, chart.to_record()))
    });
    match rendering.await {
        Ok(rendered) => rendered,
        Err(broken) => Err(Error::Broken(broken.to_string())),
    }
}

/// An error with its causes.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The template function `lookup` on a live cluster, called from a thread that may block.
struct ClusterLookup {
    cluster: Cluster,
    runtime: Handle,
}

impl Lookup for ClusterLookup {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let key = Key {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: (!namespace.is_empty()).then(|| namespace.into()),
            name: name.into(),
        };
        let found = self.runtime.block_on(async {
            if name.is_empty() { self.list(&key).await } else { self.get(&key).await }
        });
        found.map_err(|e| e.to_string())
    }
}

impl ClusterLookup {
    async fn get(&self, key: &Key) -> Result<Value, cluster::Error> {
        let found = self.cluster.get(key).await?;
        Ok(found.and_then(|object| serde_json::to_value(object).ok()).unwrap_or_default())
    }

    async fn list(&self, key: &Key) -> Result<Value, cluster::Error> {
        let api: Api<DynamicObject> = match self.cluster.api(key).await {
            Ok(api) => api,
            Err(cluster::Error::UnknownKind { .. }) => return Ok(Value::Null),
            Err(error) => return Err(error),
        };
        let params = ListParams::default();
        let list = error::retried(|| api.list(&params))
            .await
            .map_err(|e| cluster::Error::api("list", key, e))?;
        Ok(
            json!({"apiVersion": key.api_version, "kind": format!("{}List", key.kind), "items": list.items}),
        )
    }
}
