//! `pinnace history`: the revisions of a release, from Helm's records.

use serde_json::{Value, json};

use super::output::{self, Output};
use super::subject::SubjectArgs;
use super::table::Table;
use crate::release::Error;
use crate::release::storage::Stored;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let subject = args.subject.find().await?;
    let mut revisions = Vec::new();
    for known in subject.storage.list().await? {
        match subject.storage.get(known.version).await {
            Ok(stored) => revisions.push(stored),
            // It was pruned between the two reads.
            Err(Error::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if revisions.is_empty() {
        eprintln!("release {} has no revision yet", subject.storage.release());
        return Ok(());
    }
    match args.output {
        Output::Table => print!("{}", table(&revisions).text()),
        output => {
            let all: Vec<Value> = revisions.iter().map(entry).collect();
            print!("{}", output::document(&json!(all), output)?);
        }
    }
    Ok(())
}

fn table(revisions: &[Stored]) -> Table {
    let heading = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"];
    let mut table = Table::new(&heading);
    for stored in revisions {
        let record = &stored.record;
        let updated = record.info.last_deployed;
        table.row(vec![
            record.version.to_string(),
            updated.map_or_else(String::new, |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            record.info.status.to_string(),
            format!("{}-{}", record.chart_name(), record.chart_version()),
            record.app_version().to_owned(),
            record.info.description.clone(),
        ]);
    }
    table
}

/// One revision for programs: the members of `helm history -o json`, the chart's digest, and who is at work.
fn entry(stored: &Stored) -> Value {
    let record = &stored.record;
    let mut entry = json!({
        "revision": record.version,
        "updated": record.info.last_deployed,
        "status": record.info.status,
        "chart": format!("{}-{}", record.chart_name(), record.chart_version()),
        "app_version": record.app_version(),
        "description": record.info.description,
    });
    if let Some(digest) = &stored.chart_digest {
        entry["chart_digest"] = json!(digest);
    }
    if let Some(owner) = &stored.owner {
        entry["owner"] = json!(owner);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::record::{Status, tests::record};

    #[test]
    fn revisions_as_rows() {
        let mut old = Stored::new(record(1, Status::Superseded), "pod", None);
        old.record.info.last_deployed = "2026-01-02T03:04:05.6Z".parse().ok();
        old.record.info.description = "Install complete".into();
        let new = Stored::new(record(2, Status::PendingUpgrade), "pod", Some("sha256:1".into()));
        let expected = "\
REVISION   UPDATED                STATUS            CHART     APP VERSION   DESCRIPTION
1          2026-01-02T03:04:05Z   superseded        c-1.2.3   4             Install complete
2                                 pending-upgrade   c-1.2.3   4
";
        assert_eq!(table(&[old, new.clone()]).text(), expected);
        let entry = entry(&new);
        assert_eq!((&entry["chart_digest"], &entry["owner"]), (&json!("sha256:1"), &json!("pod")));
    }
}
