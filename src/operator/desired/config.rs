//! The database's configuration files.

use super::*;

/// Their texts. JSON is YAML, and its order is fixed.
pub struct Files {
    pub production: String,
    pub local: String,
}

impl Files {
    pub fn of(database: &Database) -> Self {
        let config = database.spec.config.clone().unwrap_or_default();
        let mut service = Map::new();
        let mut unknown = config.other.into_iter().collect::<Map<_, _>>();
        if let Some(wanted) = config.service {
            for (key, value) in [
                ("jwt_rbac", wanted.jwt_rbac.map(Value::from)),
                ("hide_jwt_dashboard", wanted.hide_jwt_dashboard.map(Value::from)),
                ("max_request_size_mb", wanted.max_request_size_mb.map(Value::from)),
            ] {
                service.extend(value.map(|value| (key.to_owned(), value)));
            }
            if !wanted.other.is_empty() {
                unknown.insert("service".into(), wanted.other.into_iter().collect());
            }
        }
        let mut storage = json!({
            "storage_path": "/qdrant/storage",
            "snapshots_path": "/qdrant/storage/snapshots",
        });
        if let Some(Value::Object(mut wanted)) = config.storage {
            if let Some(performance) = wanted.remove("performance") {
                storage["performance"] = performance;
            }
            if !wanted.is_empty() {
                unknown.insert("storage".into(), wanted.into());
            }
        }
        if let Some(collection) = config.collection {
            storage["collection"] = collection;
        }
        let mut production = json!({
            "cluster": { "enabled": true, "p2p": { "port": PEER } },
            "service": service,
            "storage": storage,
        });
        if let Some(level) = config.log_level {
            production["log_level"] = level.into();
        }
        Self {
            production: format!("{production:#}\n"),
            local: format!("{:#}\n", Value::Object(unknown)),
        }
    }

    /// Changes when a file does, so that the nodes are restarted.
    pub fn digest(&self) -> String {
        let both = format!("{}{}", self.production, self.local);
        Digest::of(both.as_bytes()).hex().to_owned()
    }
}
