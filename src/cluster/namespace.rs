//! The namespace that a release is installed into.

use serde_json::json;

use super::{Cluster, Error, Key, apply, error};

/// Makes the namespace if it is missing. It outlives the release.
pub async fn ensure(cluster: &Cluster, name: &str) -> Result<(), Error> {
    let key = Key {
        api_version: "v1".into(),
        kind: "Namespace".into(),
        namespace: None,
        name: name.to_owned(),
    };
    match cluster.get(&key).await {
        Ok(Some(_)) => return Ok(()),
        Err(Error::Api { source, .. }) if error::is_code(&source, 403) => {}
        Ok(None) => {}
        Err(error) => return Err(error),
    }
    let value = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    });
    apply::create(cluster, &key, &value).await.map(|_| ())
}
