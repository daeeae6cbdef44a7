//! The operator's configuration: the chart's value `settings`.

use std::{fs, io, path::Path};

use serde::Deserialize;

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// The database's image if nothing else is said.
const DEFAULT_IMAGE: &str = "registry.cloud.qdrant.io/qdrant/qdrant";

/// The whole file; what is missing has its default, what is unknown is left for later versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    pub log_level: Option<String>,
    pub features: Features,
}

/// What the operator does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Features {
    pub cluster_management: ClusterManagement,
}

/// How databases are looked after.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterManagement {
    pub enable: bool,
    pub storage_class: StorageClass,
    pub qdrant: Qdrant,
}

impl Default for ClusterManagement {
    fn default() -> Self {
        Self { enable: true, storage_class: StorageClass::default(), qdrant: Qdrant::default() }
    }
}

/// Classes of databases that do not name their own; empty means the cluster's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct StorageClass {
    pub database: Option<String>,
    pub snapshot: Option<String>,
}

/// The database itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Qdrant {
    pub image: Image,
}

/// The database's image, without a tag: that is the version of each QdrantCluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Image {
    pub repository: String,
    pub pull_policy: String,
    pub pull_secret_name: Option<String>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            repository: DEFAULT_IMAGE.into(),
            pull_policy: "IfNotPresent".into(),
            pull_secret_name: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the settings {file}")]
    Read {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("the settings {file} are larger than the {MAX_FILE} bytes that are read")]
    TooLarge { file: String },
    #[error("the settings {file} are not valid: correct `settings` in the values of the release")]
    Malformed {
        file: String,
        #[source]
        source: Box<serde_saphyr::Error>,
    },
}

impl Settings {
    /// Reads a YAML file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let read = |source| Error::Read { file: file.clone(), source };
        if fs::metadata(path).map_err(read)?.len() > MAX_FILE {
            return Err(Error::TooLarge { file });
        }
        let text = fs::read_to_string(path).map_err(read)?;
        serde_saphyr::from_str(&text)
            .map_err(|source| Error::Malformed { file, source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, Error> {
        let file = tempfile::NamedTempFile::new().expect("file");
        fs::write(file.path(), text).expect("write");
        Settings::load(file.path())
    }

    #[test]
    fn the_charts_values_are_the_defaults() {
        let values = include_str!("../../charts/qdrant-operator/values.yaml");
        let values: serde_json::Value = serde_saphyr::from_str(values).expect("values");
        let settings: Settings = serde_json::from_value(values["settings"].clone()).expect("valid");
        let (ours, image) =
            (settings.features.cluster_management, Settings::default().features.cluster_management);
        assert!(ours.enable);
        assert_eq!(ours.qdrant.image.repository, image.qdrant.image.repository);
        assert_eq!(load("{}").expect("valid"), Settings::default());
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let error = load("features: {clusterManagement: {enable: perhaps}}").expect_err("refused");
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        assert!(matches!(Settings::load(Path::new("/none")), Err(Error::Read { .. })));
        let large = "#".repeat(1 + MAX_FILE as usize);
        assert!(matches!(load(&large), Err(Error::TooLarge { .. })));
    }
}
