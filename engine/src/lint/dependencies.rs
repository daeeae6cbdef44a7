//! Chart.yaml's dependencies against charts/.

use super::Findings;
use crate::Chart;

pub(super) fn check(chart: &Chart, findings: &mut Findings) {
    let wanted: Vec<&str> =
        chart.metadata.dependencies.iter().map(|dependency| dependency.name.as_str()).collect();
    let present: Vec<&str> = chart.dependencies.iter().map(Chart::name).collect();
    let without = |all: &[&str], others: &[&str]| {
        let rest: Vec<&str> = all.iter().copied().filter(|name| !others.contains(name)).collect();
        (!rest.is_empty()).then(|| rest.join(","))
    };
    if let Some(names) = without(&present, &wanted) {
        findings
            .error("Chart.yaml", format!("chart metadata is missing these dependencies: {names}"));
    }
    if let Some(names) = without(&wanted, &present) {
        findings
            .warning("charts/", format!("chart directory is missing these dependencies: {names}"));
    }
}
