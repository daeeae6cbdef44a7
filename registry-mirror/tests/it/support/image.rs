//! Images made up on the spot: an index of two platforms, layers, and an SBOM attached to it.

use bytes::Bytes;
use pinnace_registry::{
    Client, Descriptor, Digest, ImageManifest, Index, ManifestBytes, OCI_IMAGE, Platform, Reference,
};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const SBOM: &str = "application/spdx+json";

pub struct Image {
    pub index: ManifestBytes,
    pub platforms: Vec<ManifestBytes>,
    pub sbom: ManifestBytes,
    pub blobs: Vec<(Descriptor, Bytes)>,
}

impl Image {
    /// The first layer is the same for every seed, 1.5 MiB; the second one is its own,
    /// of both platforms.
    pub fn of_two_platforms(seed: u8) -> Self {
        let mut blobs = Vec::new();
        let mut blob = |media_type: &str, bytes: Bytes| {
            let descriptor = Descriptor::of(media_type, &bytes);
            blobs.push((descriptor.clone(), bytes));
            descriptor
        };
        let shared = blob(LAYER, noise(0, 1536 * 1024));
        let mut platforms = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let own = blob(LAYER, noise(seed, 30_000));
            let config =
                format!(r#"{{"architecture":"{architecture}","os":"linux","seed":{seed}}}"#);
            let config = blob(CONFIG, config.into());
            platforms.push(manifest(config, vec![shared.clone(), own], None));
        }
        let listed = platforms.iter().zip(["amd64", "arm64"]).map(|(manifest, architecture)| {
            let platform = Platform {
                architecture: architecture.to_owned(),
                os: "linux".to_owned(),
                variant: None,
                os_version: None,
            };
            Descriptor { platform: Some(platform), ..manifest.descriptor() }
        });
        let index = Index::of(listed.collect());
        let index = ManifestBytes::new(serde_json::to_vec(&index).unwrap().into(), None);
        let sbom = blob(SBOM, format!(r#"{{"spdxVersion":"SPDX-2.3","seed":{seed}}}"#).into());
        let empty = blob("application/vnd.oci.empty.v1+json", Bytes::from_static(b"{}"));
        let sbom = manifest(empty, vec![sbom], Some(index.descriptor()));
        Self { index, platforms, sbom, blobs }
    }

    pub async fn push(self, client: &Client, tagged: &Reference) -> Self {
        let repository = tagged.repository_only();
        for (descriptor, bytes) in &self.blobs {
            client.push_blob(&repository, descriptor, None, bytes).await.unwrap();
        }
        for manifest in self.platforms.iter().chain([&self.index, &self.sbom]) {
            let at = repository.with_digest(manifest.digest.clone());
            client.put_manifest(&at, manifest).await.unwrap();
        }
        client.put_manifest(tagged, &self.index).await.unwrap();
        self
    }

    /// The largest blob, which all images share.
    pub fn shared(&self) -> &(Descriptor, Bytes) {
        self.blobs.first().unwrap()
    }
}

fn manifest(
    config: Descriptor,
    layers: Vec<Descriptor>,
    subject: Option<Descriptor>,
) -> ManifestBytes {
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: Some(OCI_IMAGE.to_owned()),
        artifact_type: subject.is_some().then(|| SBOM.to_owned()),
        config,
        layers,
        subject,
        annotations: None,
    };
    ManifestBytes::new(serde_json::to_vec(&manifest).unwrap().into(), None)
}

/// Bytes that no compression makes smaller.
fn noise(seed: u8, length: usize) -> Bytes {
    let block = |n: usize| Digest::of(format!("{seed} {n}").as_bytes()).hex().to_owned();
    (0..).map(block).flat_map(String::into_bytes).take(length).collect()
}
