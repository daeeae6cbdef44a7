//! The public API's rules for a new cluster. Pure.

use super::PROVIDER;
use crate::{
    console::validate::{self, Violations},
    proto::qdrant::cloud::cluster::v1::{Cluster, ClusterConfiguration},
};

const SHORTEST_NAME: usize = 2;
const MAX_NODES: u32 = 100;
const MAX_RANGES: usize = 40;
const MAX_SERVICE_ANNOTATIONS: usize = 64;

/// What is wrong, one line per field.
pub fn violations(cluster: &Cluster) -> Violations {
    let mut wrong = Vec::new();
    let unset = [
        ("id", cluster.id.is_empty()),
        ("created_at", cluster.created_at.is_none()),
        ("deleted_at", cluster.deleted_at.is_none()),
        ("state", cluster.state.is_none()),
    ];
    for (field, unset) in unset {
        if !unset {
            wrong.push(format!("{field}: is set by the Console; leave it out"));
        }
    }
    validate::name(&cluster.name, SHORTEST_NAME, &mut wrong);
    if cluster.cloud_provider_id != PROVIDER {
        wrong.push(format!(
            "cloud_provider_id: must be {PROVIDER}; this Console has no other provider"
        ));
    }
    if cluster.cloud_provider_region_id.is_empty() {
        wrong.push("cloud_provider_region_id: must be the id of an environment".into());
    }
    validate::pairs("labels", &cluster.labels, &mut wrong);
    match &cluster.configuration {
        None => wrong.push("configuration: is required".into()),
        Some(configuration) => self::configuration(configuration, &mut wrong),
    }
    wrong
}

fn configuration(c: &ClusterConfiguration, wrong: &mut Violations) {
    if !(1..=MAX_NODES).contains(&c.number_of_nodes) {
        wrong.push(format!("configuration.number_of_nodes: must be 1 to {MAX_NODES}"));
    }
    if c.version.as_deref().is_some_and(|version| !version_is_exact(version)) {
        wrong.push("configuration.version: must be vX.Y.Z or latest".into());
    }
    validate::pairs("configuration.node_selector", &c.node_selector, wrong);
    validate::pairs("configuration.pod_labels", &c.pod_labels, wrong);
    validate::tolerations("configuration.tolerations", &c.tolerations, wrong);
    if c.annotations.len() > 10 || c.service_annotations.len() > MAX_SERVICE_ANNOTATIONS {
        wrong.push(format!(
            "configuration: at most 10 annotations and {MAX_SERVICE_ANNOTATIONS} service_annotations"
        ));
    }
    if c.topology_spread_constraints.len() > 10 {
        wrong.push("configuration.topology_spread_constraints: at most 10".into());
    }
    if c.allowed_ip_source_ranges.len() > MAX_RANGES
        || !c.allowed_ip_source_ranges.iter().all(|range| ipv4_range(range))
    {
        wrong.push(format!(
            "configuration.allowed_ip_source_ranges: at most {MAX_RANGES} IPv4 ranges such as 10.0.0.0/8"
        ));
    }
    let percentages = [
        ("reserved_cpu_percentage", c.reserved_cpu_percentage),
        ("reserved_memory_percentage", c.reserved_memory_percentage),
    ];
    for (field, value) in percentages {
        if value.is_some_and(|value| !(1..=80).contains(&value)) {
            wrong.push(format!("configuration.{field}: must be 1 to 80"));
        }
    }
}

fn version_is_exact(version: &str) -> bool {
    let exact = |v: &str| semver::Version::parse(v).is_ok();
    version == "latest" || version.strip_prefix('v').is_some_and(exact)
}

fn ipv4_range(range: &str) -> bool {
    range.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<std::net::Ipv4Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|b| b <= 32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Cluster {
        Cluster {
            name: "db".into(),
            cloud_provider_id: PROVIDER.into(),
            cloud_provider_region_id: "e".into(),
            configuration: Some(ClusterConfiguration { number_of_nodes: 1, ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn bounds_from_both_sides() {
        assert_eq!(violations(&sample()), Violations::new());
        let with = |change: &dyn Fn(&mut ClusterConfiguration)| {
            let mut cluster = sample();
            change(cluster.configuration.as_mut().unwrap());
            violations(&cluster).join("; ")
        };
        assert_eq!(with(&|c| c.number_of_nodes = 100), "");
        assert!(with(&|c| c.number_of_nodes = 0).contains("number_of_nodes"));
        assert!(with(&|c| c.number_of_nodes = 101).contains("number_of_nodes"));
        assert_eq!(with(&|c| c.version = Some("v1.2.3".into())), "");
        assert!(with(&|c| c.version = Some("1.2".into())).contains("version"));
        assert_eq!(with(&|c| c.reserved_cpu_percentage = Some(80)), "");
        assert!(with(&|c| c.reserved_cpu_percentage = Some(81)).contains("reserved_cpu"));
        assert!(
            with(&|c| c.allowed_ip_source_ranges = vec!["10.0.0.0/33".into()]).contains("ranges")
        );
        let other = Cluster { cloud_provider_id: "aws".into(), ..sample() };
        assert!(violations(&other)[0].contains("must be hybrid"));
        let short = Cluster { name: "x".into(), ..sample() };
        assert!(violations(&short)[0].contains("2 to 64"));
    }
}
