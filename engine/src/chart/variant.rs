//! A chart as something else than its archive says: with other values files, under another version.

use serde_json::Map;

use super::Chart;
use crate::values::{self, ReadError};

/// Why the named files cannot take the place of values.yaml.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesFileError {
    #[error("the chart has no file {0:?}")]
    Missing(String),
    #[error("values file {name:?} of the chart")]
    Read { name: String, source: ReadError },
}

impl Chart {
    /// The chart with these files of its own, merged in this order, in place of its values.yaml; that one
    /// has no part in it unless it is named too.
    pub fn with_values_files(
        &self,
        names: &[String],
        ignore_missing: bool,
    ) -> Result<Self, ValuesFileError> {
        let mut merged = Map::new();
        for name in names {
            let own = name == "values.yaml" && self.has_values_file;
            let file = match (own, self.file(name)) {
                (true, _) => self.values.clone(),
                (false, Some(file)) => values::from_yaml(&String::from_utf8_lossy(file))
                    .map_err(|source| ValuesFileError::Read { name: name.clone(), source })?,
                (false, None) if ignore_missing => continue,
                (false, None) => return Err(ValuesFileError::Missing(name.clone())),
            };
            values::merge(&mut merged, file);
        }
        Ok(Self { values: merged, has_values_file: true, ..self.clone() })
    }

    /// The chart under another version, which templates and records see.
    pub fn with_version(&self, version: &str) -> Self {
        let mut chart = self.clone();
        version.clone_into(&mut chart.metadata.version);
        chart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::File;
    use serde_json::json;

    fn chart() -> Chart {
        let file = |name: &str, text: &str| File {
            name: name.into(),
            data: text.as_bytes().into(),
            modified: None,
        };
        let files = vec![
            file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            file("values.yaml", "a: {x: 1}\nb: own\n"),
            file("more.yaml", "a: {z: 2}\nb: more\n"),
            file("broken.yaml", "- 1\n"),
        ];
        Chart::from_files(files).expect("a chart")
    }

    #[test]
    fn values_files_take_the_place_of_the_charts_own() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let values = |list: &[&str], ignore| {
            chart().with_values_files(&names(list), ignore).map(|c| json!(c.values))
        };
        assert_eq!(values(&["more.yaml"], false), Ok(json!({"a": {"z": 2.0}, "b": "more"})));
        let both = values(&["more.yaml", "values.yaml"], false);
        assert_eq!(both, Ok(json!({"a": {"x": 1.0, "z": 2.0}, "b": "own"})));
        let missing = Err(ValuesFileError::Missing("none.yaml".into()));
        assert_eq!(values(&["none.yaml"], false), missing);
        assert_eq!(values(&["none.yaml"], true), Ok(json!({})));
        assert!(matches!(values(&["broken.yaml"], true), Err(ValuesFileError::Read { .. })));
    }

    #[test]
    fn another_version_is_the_charts_version() {
        assert_eq!(chart().with_version("1.0.0+x").version(), "1.0.0+x");
        assert_eq!(chart().with_version("1.0.0+x").to_record()["metadata"]["version"], "1.0.0+x");
    }
}
