//! Manifests, as far as they name other content. No I/O: bytes that were checked come in.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A pointer to content: what it is, how long, and which bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Where else the content may be had. Layers that have it may be missing in a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
}

/// What an image of an index runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

/// A manifest's bytes as they were sent, and what they are called. The digest is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestBytes {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Bytes,
}

/// A manifest's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    Image(ImageManifest),
    Index(Index),
}

/// An image, a chart, a signature: one config and its layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    pub schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Several manifests under one digest, one for each platform for example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub manifests: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Why bytes are not a manifest that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidManifest(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads an OCI or Docker (schema 2) manifest or index.
    ///
    /// A document that could be taken for both is refused, since two readers of one digest might
    /// then see different content (CVE-2021-41190).
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let invalid = |why: &str| Err(InvalidManifest(why.to_owned()));
        let document: Document = match serde_json::from_slice(bytes) {
            Ok(document) => document,
            Err(error) => {
                let error: String = error.to_string().chars().take(200).collect();
                return Err(InvalidManifest(format!("it is not an OCI manifest: {error}")));
            }
        };
        let Document { schema_version, media_type, artifact_type, subject, annotations, .. } =
            document;
        if schema_version == 1 {
            return invalid("it is a Docker manifest of schema 1, which is no longer in use");
        }
        match (document.manifests, document.config, document.layers) {
            (Some(manifests), None, None) => Ok(Self::Index(Index {
                schema_version,
                media_type,
                artifact_type,
                manifests,
                subject,
                annotations,
            })),
            (None, Some(config), layers) => Ok(Self::Image(ImageManifest {
                schema_version,
                media_type,
                artifact_type,
                config,
                layers: layers.unwrap_or_default(),
                subject,
                annotations,
            })),
            (Some(_), ..) => invalid("it is an image and an index at the same time"),
            (None, None, _) => invalid("it is not an OCI manifest: it has no config"),
        }
    }

    /// The content that this manifest is about: a signature's image, for example.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(image) => image.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }

    /// What kind of artifact it is: its own word, else the type of its config.
    pub fn artifact_type(&self) -> Option<&str> {
        match self {
            Self::Image(image) => {
                image.artifact_type.as_deref().or(Some(image.config.media_type.as_str()))
            }
            Self::Index(index) => index.artifact_type.as_deref(),
        }
    }

    pub fn annotations(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Image(image) => image.annotations.as_ref(),
            Self::Index(index) => index.annotations.as_ref(),
        }
    }
}

impl ManifestBytes {
    /// Names the bytes; the media type is taken from them, or else from what a registry said.
    pub fn new(bytes: Bytes, told: Option<&str>) -> Self {
        let digest = Digest::of(&bytes);
        Self::hashed(bytes, digest, told)
    }

    /// The same with the digest that the bytes were checked against.
    pub(crate) fn hashed(bytes: Bytes, digest: Digest, told: Option<&str>) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
        }
        let own: Option<Own> = serde_json::from_slice(&bytes).ok();
        let is_index = own.as_ref().is_some_and(|own| own.manifests.is_some());
        let media_type = own
            .and_then(|own| own.media_type)
            .or_else(|| told.map(str::to_owned))
            .unwrap_or_else(|| if is_index { OCI_INDEX } else { OCI_IMAGE }.to_owned());
        Self { digest, media_type, bytes }
    }

    pub fn parse(&self) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(&self.bytes)
    }

    /// A descriptor of this manifest.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest.clone(), self.bytes.len() as u64)
    }
}

impl Index {
    /// An index of nothing but these.
    pub fn of(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: None,
        }
    }
}

impl Descriptor {
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: None,
            platform: None,
            urls: None,
        }
    }

    /// Describes these bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// True for a layer that its vendor does not let registries hold.
    pub fn is_foreign(&self) -> bool {
        self.media_type.contains(".foreign.") || self.media_type.contains(".nondistributable.")
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn descriptor(media_type: &str, size: i64) -> Value {
        json!({ "mediaType": media_type, "digest": Digest::of(b"x"), "size": size })
    }

    fn parse(document: &Value) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(document.to_string().as_bytes())
    }

    #[test]
    fn images_and_indexes() {
        let image = json!({
            "schemaVersion": 2,
            "config": descriptor("c", 1),
            "layers": [descriptor("l", 2)],
            "subject": descriptor(OCI_IMAGE, 3),
            "annotations": { "a": "b" },
        });
        let manifest = parse(&image).unwrap();
        assert_eq!(manifest.subject().unwrap().size, 3);
        assert_eq!(manifest.artifact_type(), Some("c"));
        assert_eq!(manifest.annotations().unwrap()["a"], "b");
        let mut of = descriptor(OCI_IMAGE, 9);
        of["platform"] = json!({ "os": "linux", "architecture": "arm64", "variant": "v8" });
        let index = json!({ "schemaVersion": 2, "manifests": [of] });
        let Manifest::Index(index) = parse(&index).unwrap() else { panic!("not an index") };
        let platform = index.manifests[0].platform.as_ref().unwrap();
        assert_eq!(platform.to_string(), "linux/arm64/v8");
    }

    #[test]
    fn refused() {
        let (config, layers) = (descriptor("c", 1), json!([descriptor("l", 2)]));
        let both =
            json!({ "schemaVersion": 2, "config": config, "layers": layers, "manifests": [] });
        let why = |document: &Value| parse(document).unwrap_err().to_string();
        assert!(why(&both).contains("at the same time"));
        assert!(why(&json!({ "schemaVersion": 1, "layers": [] })).contains("schema 1"));
        assert!(why(&json!({ "schemaVersion": 2 })).contains("no config"));
        assert!(why(&json!([])).contains("not an OCI"));
        let negative = json!({ "schemaVersion": 2, "config": descriptor("c", -1), "layers": [] });
        assert!(why(&negative).contains("-1"));
        let mut bad = descriptor("c", 1);
        bad["digest"] = json!("sha256:../../etc");
        let bad = json!({ "schemaVersion": 2, "config": bad });
        assert!(why(&bad).contains("not a digest"));
    }

    #[test]
    fn what_bytes_are_called() {
        let of = |document: Value, told| {
            ManifestBytes::new(document.to_string().into(), told).media_type
        };
        assert_eq!(of(json!({ "mediaType": DOCKER_INDEX }), Some("x/y")), DOCKER_INDEX);
        assert_eq!(of(json!({ "manifests": [] }), Some("x/y")), "x/y");
        assert_eq!(of(json!({ "manifests": [] }), None), OCI_INDEX);
        assert_eq!(of(json!({}), None), OCI_IMAGE);
    }
}
