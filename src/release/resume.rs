//! A pending revision whose owner is gone: the same revision is carried to its end.
//!
//! Hooks that succeeded do not run again, objects are applied again (which changes nothing where it was done),
//! and the wait begins anew.

use super::record::Record;
use super::storage::Stored;
use super::{Context, Error, Options, deploy};
use crate::cluster::Object;

/// Resumes a pending revision. The caller knows that its owner no longer works on it: it holds the leader's
/// lease, and is not at work on the release itself.
pub async fn run(
    ctx: &Context<'_>,
    mut stored: Stored,
    options: &Options,
) -> Result<Record, Error> {
    let crds = match stored.record.info.rollback_revision {
        0 => crds(&stored.record)?,
        _ => Vec::new(),
    };
    if stored.owner.as_deref() != Some(ctx.identity) {
        stored.owner = Some(ctx.identity.to_owned());
        ctx.storage.update(&mut stored).await?;
    }
    deploy::run(ctx, stored, &crds, options).await
}

/// The definitions in the crds/ folder of the record's chart. Records do not hold those of subcharts; Helm
/// leaves them out, and they were the first thing that the interrupted action applied.
fn crds(record: &Record) -> Result<Vec<Object>, Error> {
    use base64::Engine as _;
    let mut objects = Vec::new();
    for file in record.chart["files"].as_array().into_iter().flatten() {
        let name = file["name"].as_str().unwrap_or_default();
        let yaml = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        let data = file["data"].as_str().unwrap_or_default();
        if name.starts_with("crds/") && yaml {
            let bytes = base64::prelude::BASE64_STANDARD.decode(data).unwrap_or_default();
            objects.extend(Object::parse_all(&String::from_utf8_lossy(&bytes), name)?);
        }
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::super::record::Status;
    use super::super::record::tests::record;
    use super::*;
    use base64::Engine as _;
    use serde_json::json;

    #[test]
    fn definitions_come_from_the_record() {
        let mut record = record(1, Status::PendingInstall);
        let yaml = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n";
        let data = base64::prelude::BASE64_STANDARD.encode(yaml);
        record.chart["files"] = json!([
            {"name": "crds/a.yaml", "data": data},
            {"name": "crds/README.md", "data": "IyBoaQ=="},
            {"name": "README.md", "data": "IyBoaQ=="},
        ]);
        let found = crds(&record).expect("valid");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key.name, "a");
    }
}
