//! What the Console was told at start, in the shape that the rest of it needs.

use crate::model::redacted::Redacted;

/// Where things are. Checked once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where agents and people find this Console: `https://host[:port]`.
    pub public_url: String,
    /// Where agents open their stream; the same as `public_url` unless told otherwise.
    pub grpc_url: String,
    /// `oci://host[:port]/path` of the charts.
    pub chart_repository: String,
    /// `host[:port][/path]` of the images; on the same host as the charts.
    pub image_registry: String,
    /// PEM certificates that agents and `helm` need to trust the registry and this Console.
    pub ca_certificates: Option<String>,
    /// Image of the database, such as `registry.test/qdrant/qdrant`; the operator's default if unset.
    pub database_image: Option<String>,
    /// How environments sign in to the registry.
    pub registry: RegistryAccess,
}

/// The registry account that an environment is given.
#[derive(Clone, Debug)]
pub enum RegistryAccess {
    /// The registry asks for no sign-in.
    Anonymous,
    /// Every environment gets the same account.
    Shared { username: String, password: Redacted<String> },
    /// Every environment gets an account of its own in this htpasswd file.
    Htpasswd(std::path::PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "--chart-repository {0} must begin with oci:// and name a host and a path, such as oci://registry.example/qdrant-charts"
    )]
    ChartRepository(String),
    #[error("--{flag} {value} must begin with https://")]
    NotHttps { flag: &'static str, value: String },
    #[error(
        "--image-registry {images} and --chart-repository {charts} are on different hosts, but an environment has one registry account: serve both from one host"
    )]
    TwoHosts { images: String, charts: String },
}

impl Settings {
    /// Normalises trailing slashes and refuses what could not work.
    pub fn checked(mut self) -> Result<Self, SettingsError> {
        for (flag, value) in
            [("public-url", &mut self.public_url), ("grpc-url", &mut self.grpc_url)]
        {
            if !value.starts_with("https://") {
                return Err(SettingsError::NotHttps { flag, value: value.clone() });
            }
            value.truncate(value.trim_end_matches('/').len());
        }
        let charts = &mut self.chart_repository;
        charts.truncate(charts.trim_end_matches('/').len());
        let path = charts.strip_prefix("oci://").and_then(|rest| rest.split_once('/'));
        if path.is_none_or(|(host, path)| host.is_empty() || path.is_empty()) {
            return Err(SettingsError::ChartRepository(self.chart_repository));
        }
        let images = &mut self.image_registry;
        images.truncate(images.trim_end_matches('/').len());
        if registry_host(&self.image_registry) != registry_host(&self.chart_repository) {
            return Err(SettingsError::TwoHosts {
                images: self.image_registry,
                charts: self.chart_repository,
            });
        }
        Ok(self)
    }
}

/// `host[:port]` of an image registry or chart repository.
pub fn registry_host(place: &str) -> &str {
    let rest = place.split_once("://").map_or(place, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
pub(crate) fn sample() -> Settings {
    Settings {
        public_url: "https://vendor.test".into(),
        grpc_url: "https://vendor.test".into(),
        chart_repository: "oci://registry.vendor.test/qdrant-charts".into(),
        image_registry: "registry.vendor.test".into(),
        ca_certificates: None,
        database_image: None,
        registry: RegistryAccess::Anonymous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_trimmed() {
        let with = Settings {
            public_url: "https://vendor.test/".into(),
            chart_repository: "oci://registry.vendor.test/qdrant-charts/".into(),
            ..sample()
        };
        let settings = with.checked().unwrap();
        assert_eq!(settings.public_url, "https://vendor.test");
        assert_eq!(settings.chart_repository, "oci://registry.vendor.test/qdrant-charts");
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let plain = Settings { public_url: "http://vendor.test".into(), ..sample() };
        assert!(matches!(plain.checked(), Err(SettingsError::NotHttps { .. })));
        for charts in ["https://registry.vendor.test/x", "oci://registry.vendor.test", "oci:///x"] {
            let other = Settings { chart_repository: charts.into(), ..sample() };
            assert!(matches!(other.checked(), Err(SettingsError::ChartRepository(_))), "{charts}");
        }
        let two = Settings { image_registry: "images.vendor.test".into(), ..sample() };
        assert!(matches!(two.checked(), Err(SettingsError::TwoHosts { .. })));
    }
}
