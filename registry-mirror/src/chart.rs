//! Which blobs of a manifest make a Helm chart. No I/O: bytes that were checked come in.

use crate::manifest::{Descriptor, Manifest};

pub(crate) const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// The second one is what Helm wrote while OCI support was an experiment.
pub(crate) const LAYERS: [&str; 2] =
    ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// The two blobs of a chart; a provenance file beside them is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartManifest {
    pub config: Descriptor,
    pub archive: Descriptor,
}

impl ChartManifest {
    /// Says in words why it is not a chart's manifest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest = match Manifest::parse(bytes) {
            Ok(Manifest::Image(manifest)) => manifest,
            Ok(Manifest::Index(_)) => return Err("it is an index of several images".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        if manifest.config.media_type != CONFIG {
            let found: String = manifest.config.media_type.chars().take(100).collect();
            return Err(format!("its config is {found:?} instead of {CONFIG:?}"));
        }
        let is_chart = |layer: &Descriptor| LAYERS.contains(&layer.media_type.as_str());
        let mut layers = manifest.layers.into_iter().filter(is_chart);
        let archive = layers.next().ok_or_else(|| format!("it has no layer {:?}", LAYERS[0]))?;
        if layers.next().is_some() {
            return Err("it has more than one chart layer".to_owned());
        }
        Ok(Self { config: manifest.config, archive })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::digest::Digest;

    fn descriptor(media_type: &str, size: i64) -> Value {
        json!({ "mediaType": media_type, "digest": Digest::of(b"x"), "size": size })
    }

    fn parse(config: Value, layers: &[Value]) -> Result<ChartManifest, String> {
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        ChartManifest::parse(manifest.to_string().as_bytes())
    }

    #[test]
    fn a_chart_with_provenance_and_a_legacy_one() {
        let config = descriptor(CONFIG, 7);
        let provenance = descriptor("application/vnd.cncf.helm.chart.provenance.v1.prov", 9);
        for layer in LAYERS {
            let chart = parse(config.clone(), &[provenance.clone(), descriptor(layer, 8)]).unwrap();
            assert_eq!((chart.config.size, chart.archive.size), (7, 8));
        }
    }

    #[test]
    fn not_charts() {
        let config = || descriptor(CONFIG, 7);
        let layer = || descriptor(LAYERS[0], 8);
        let image = descriptor("application/vnd.oci.image.config.v1+json", 7);
        let why = |result: Result<ChartManifest, String>| result.unwrap_err();
        assert!(why(parse(image, &[layer()])).contains("image.config"));
        assert!(why(parse(config(), &[])).contains("no layer"));
        assert!(why(parse(config(), &[layer(), layer()])).contains("more than one"));
        assert!(why(ChartManifest::parse(b"[]")).contains("not an OCI"));
        let index = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
        assert!(why(ChartManifest::parse(index.as_bytes())).contains("index"));
    }
}
