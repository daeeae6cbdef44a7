//! `pinnace bundle inspect`.

use pinnace_registry::bundle::Root;
use serde::Serialize;

use super::opened::BundleArgs;
use crate::cli::mirror::output::{self, Output, bytes};

/// Lists the charts and images of a bundle by digest, and what is attached to each.
///
/// Manifests are checked, blobs are not read. The signature is checked if a key is given.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  pinnace bundle inspect release.bundle
  pinnace bundle inspect release.bundle --key bundle.key.pub -o yaml";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Result {
    digest: String,
    signed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    blobs: usize,
    bytes: u64,
    not_here: usize,
    items: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// What it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let bundle = args.bundle.open_to_look()?;
    let result = Result {
        digest: bundle.digest().to_string(),
        signed_by: bundle.signed_by().map(str::to_owned),
        base: bundle.base().map(ToString::to_string),
        blobs: bundle.present().count(),
        bytes: bundle.present().map(|(_, size)| size).sum(),
        not_here: bundle.missing().count(),
        items: bundle.roots().iter().map(item).collect(),
    };
    if output::print(args.output, &result)? {
        return Ok(());
    }
    println!("index      {}", result.digest);
    println!("signed by  {}", result.signed_by.as_deref().unwrap_or("not checked: give --key"));
    if let Some(base) = &result.base {
        println!("based on   {base}, which has {} of the blobs", result.not_here);
    }
    println!("holds      {} blobs, {}", result.blobs, bytes(result.bytes));
    for item in &result.items {
        match &item.subject {
            None => println!("{}@{}", item.name, item.digest),
            Some(subject) => println!(
                "  {} {}@{}, attached to {subject}",
                item.r#type.as_deref().unwrap_or("something"),
                item.name,
                item.digest,
            ),
        }
    }
    Ok(())
}

fn item(root: &Root) -> Item {
    let reference = &root.reference;
    let repository = reference.path();
    Item {
        name: match reference.tag() {
            Some(tag) => format!("{repository}:{tag}"),
            None => repository,
        },
        digest: reference.digest().map(ToString::to_string).unwrap_or_default(),
        r#type: root.artifact_type.clone(),
        subject: root.subject.as_ref().map(ToString::to_string),
    }
}
