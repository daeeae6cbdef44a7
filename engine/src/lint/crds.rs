//! The files of crds/; with them, as in Helm, those of subcharts.

use super::Findings;
use super::objects::Object;
use crate::Chart;

/// `folder`: where the chart is below the one that is looked at, empty or with a `/` at its end.
pub(super) fn check(chart: &Chart, folder: &str, findings: &mut Findings) {
    for file in chart.files.iter().filter(|file| file.name.starts_with("crds/")) {
        let name = file.name.to_lowercase();
        if [".yaml", ".yml", ".json"].iter().any(|known| name.ends_with(known)) {
            let path = format!("{folder}{}", file.name);
            check_file(&path, &String::from_utf8_lossy(&file.data), findings);
        }
    }
    for subchart in chart.dependencies() {
        check(subchart, &format!("{folder}charts/{}/", subchart.name()), findings);
    }
}

fn check_file(path: &str, text: &str, findings: &mut Findings) {
    for object in Object::all_of(text) {
        match object {
            Err(why) => findings.error(path, format!("unable to parse YAML: {why}")),
            Ok(object) => {
                if !object.api_version.starts_with("apiextensions.k8s.io") {
                    findings.error(path, "apiVersion is not in 'apiextensions.k8s.io'");
                }
                if object.kind != "CustomResourceDefinition" {
                    findings.error(path, "object kind is not 'CustomResourceDefinition'");
                }
            }
        }
    }
}
