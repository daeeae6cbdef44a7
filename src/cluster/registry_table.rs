//! The ConfigMap by which a site says which registries are asked instead of which, and whose signatures count.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::{Client, ResourceExt as _};
use pinnace_registry::verify::{Policies, PolicyError};
use pinnace_registry::{Rules, RulesError};

use super::error::{explain, retried};

/// Its name. It may be there or not.
pub const TABLE: &str = "qdrant-cloud-registries";
const RULES: &str = "rules.yaml";
const POLICIES: &str = "policies.yaml";

/// Why it cannot be used. Nothing is pulled then: a table that is not understood may forbid what would be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read it: {}", explain(.0))]
    Read(kube::Error),
    #[error("{RULES}: {0}")]
    Rules(#[from] RulesError),
    #[error("{POLICIES}: {0}")]
    Policies(#[from] PolicyError),
    #[error("{0:?} is not a key of it: {RULES} and {POLICIES} are")]
    Key(String),
}

/// What the ConfigMap says.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub rules: Rules,
    pub policies: Policies,
    /// Changes with the content.
    pub version: String,
}

impl Table {
    /// As it is now; empty if there is none.
    pub async fn read(client: &Client, namespace: &str) -> Result<Self, Error> {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let found = retried(|| api.get_opt(TABLE)).await.map_err(Error::Read)?;
        let Some(found) = found else { return Ok(Self::default()) };
        let version = found.resource_version().unwrap_or_default();
        Ok(Self { version, ..Self::parse(&found.data.unwrap_or_default())? })
    }

    fn parse(data: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut table = Self::default();
        for (key, text) in data {
            match key.as_str() {
                RULES => table.rules = Rules::from_yaml(text)?.without_files()?,
                POLICIES if text.trim().is_empty() => {}
                POLICIES => table.policies = Policies::from_yaml(text)?,
                other => return Err(Error::Key(other.chars().take(100).collect())),
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, text: &str) -> Result<Table, Error> {
        Table::parse(&BTreeMap::from([(key.to_owned(), text.to_owned())]))
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let rules = "rules: [{prefix: r.test, mirrors: [{location: m.test}]}]";
        assert_eq!(parse(RULES, rules).expect("valid").rules.rules.len(), 1);
        assert!(parse(POLICIES, "\n").is_ok() && parse(RULES, "").is_ok());
        let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
        let file = format!(
            "rules: [{{prefix: r.test, mirrors: [{{location: m.test, username: u, passwordFile: {token}}}]}}]"
        );
        for (key, text, named) in [
            ("rules.yml", rules, "rules.yml"),
            (RULES, "rules: [{prefix: r.test, mirrors: []}]", "names no mirror"),
            (RULES, &file, "passwordFile"),
            (POLICIES, "policies: [{prefix: r.test, mode: require}]", "names no signer"),
        ] {
            let error = parse(key, text).expect_err(named).to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
