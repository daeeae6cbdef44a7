//! The form of a new environment.

use serde::{Deserialize, Serialize};

use crate::proto::qdrant::cloud::hybrid::v1::{
    HybridCloudEnvironment as Environment, HybridCloudEnvironmentConfiguration as Configuration,
};

/// Fields as a browser sends them; empty means unset.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct NewEnvironment {
    #[serde(skip_serializing)]
    pub csrf: String,
    pub name: String,
    pub namespace: String,
    pub log_level: String,
    pub database_storage_class: String,
    pub snapshot_storage_class: String,
    pub volume_snapshot_storage_class: String,
    pub container_registry_url: String,
    pub chart_repository_url: String,
    pub registry_secret_name: String,
    pub ca_certificates: String,
    pub http_proxy_url: String,
    pub https_proxy_url: String,
    pub no_proxy: String,
    pub operator_settings: String,
}

impl NewEnvironment {
    /// The environment that was described, or what is wrong with the text of a field.
    pub fn environment(&self, account: &str) -> Result<Environment, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let settings = match given(&self.operator_settings) {
            None => None,
            Some(yaml) => Some(operator_settings(&yaml)?),
        };
        let log_level = match self.log_level.as_str() {
            "" => None,
            level => Some(level.parse().map_err(|_| "Log level: choose one of the list")?),
        };
        Ok(Environment {
            account_id: account.to_owned(),
            name: self.name.trim().to_owned(),
            configuration: Some(Configuration {
                namespace: self.namespace.trim().to_owned(),
                log_level,
                database_storage_class: given(&self.database_storage_class),
                snapshot_storage_class: given(&self.snapshot_storage_class),
                volume_snapshot_storage_class: given(&self.volume_snapshot_storage_class),
                container_registry_url: given(&self.container_registry_url),
                chart_repository_url: given(&self.chart_repository_url),
                registry_secret_name: given(&self.registry_secret_name),
                ca_certificates: given(&self.ca_certificates),
                http_proxy_url: given(&self.http_proxy_url),
                https_proxy_url: given(&self.https_proxy_url),
                no_proxy_configs: self.no_proxy.split([',', ' ', '\n']).filter_map(given).collect(),
                advanced_operator_settings: settings,
                ..Default::default()
            }),
            ..Default::default()
        })
    }
}

fn operator_settings(yaml: &str) -> Result<pbjson_types::Struct, String> {
    let value: serde_json::Value = serde_saphyr::from_str(yaml)
        .map_err(|error| format!("Operator settings are not YAML that can be read: {error}"))?;
    if !value.is_object() {
        return Err("Operator settings must be a YAML mapping, such as `settings:`".into());
    }
    serde_json::from_value(value).map_err(|error| format!("Operator settings: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_unset() {
        let form =
            NewEnvironment { name: " a ".into(), namespace: "b".into(), ..Default::default() };
        let expected = Environment {
            account_id: "x".into(),
            name: "a".into(),
            configuration: Some(Configuration { namespace: "b".into(), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(form.environment("x").unwrap(), expected);
    }

    #[test]
    fn broken_yaml_is_refused_with_the_reason() {
        let with =
            |text: &str| NewEnvironment { operator_settings: text.into(), ..Default::default() };
        let error = with("settings: [").environment("x").unwrap_err();
        assert!(error.starts_with("Operator settings are not YAML"), "{error}");
        let error = with("- 1").environment("x").unwrap_err();
        assert!(error.contains("must be a YAML mapping"), "{error}");
        assert!(with("settings:\n  logLevel: debug").environment("x").is_ok());
    }
}
