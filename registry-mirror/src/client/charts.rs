//! Helm charts: a manifest, its metadata and its archive.

use bytes::Bytes;

use super::Client;
use crate::{
    chart::ChartManifest, digest::Digest, error::Error, limits::Checked, manifest::Descriptor,
    reference::Reference,
};

/// A chart whose every byte was checked against `digest`, directly or through the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledChart {
    /// `sha256:…` of the manifest.
    pub digest: String,
    /// The manifest as the registry sent it.
    pub manifest: Bytes,
    /// The gzipped tar, still packed.
    pub archive: Bytes,
    /// The chart's metadata (its Chart.yaml as JSON), always an object.
    pub config: serde_json::Value,
    /// The bytes of `config`, as the manifest's digest covers them.
    pub config_bytes: Bytes,
}

impl Client {
    /// Pulls a chart. With `expected_digest`, or a digest in the reference, nothing but that
    /// manifest is accepted, even if the tag has moved; without a tag it is asked for by digest.
    pub async fn pull_chart(
        &self,
        reference: &Reference,
        expected_digest: Option<&str>,
    ) -> Result<PulledChart, Error> {
        let expected = expected_digest.map(str::parse::<Digest>).transpose()?;
        let expected = match (reference.digest(), expected) {
            (Some(named), Some(expected)) if *named != expected => {
                return Err(Error::DigestMismatch {
                    what: "the manifest",
                    reference: reference.clone(),
                    expected,
                    actual: named.clone(),
                });
            }
            (named, expected) => expected.or_else(|| named.cloned()),
        };
        let bound = match expected {
            Some(digest) => &reference.with_digest(digest),
            None => reference,
        };
        let manifest = self.manifest(bound).await?;
        let not_a_chart = |why| Error::NotAChart { reference: reference.clone(), why };
        let blobs = ChartManifest::parse(&manifest.bytes).map_err(not_a_chart)?;
        let limits = self.limits();
        // Both at once: a chart then costs two round trips instead of three.
        let (config, archive) = futures::try_join!(
            self.small_blob(reference, "the config", &blobs.config, limits.config_bytes),
            self.small_blob(reference, "the chart", &blobs.archive, limits.chart_bytes),
        )?;
        let metadata: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&config.bytes)
                .map_err(|_| not_a_chart("its config is not a JSON object".to_owned()))?;
        Ok(PulledChart {
            digest: manifest.digest.into(),
            manifest: manifest.bytes,
            archive: archive.bytes,
            config: metadata.into(),
            config_bytes: config.bytes,
        })
    }

    async fn small_blob(
        &self,
        reference: &Reference,
        what: &'static str,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Checked, Error> {
        self.checked_blob(reference, what, blob, limit).await
    }
}
