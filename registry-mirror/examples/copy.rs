//! Copies a plan to a registry without TLS on this machine: what `pinnace mirror copy` does, in a
//! few lines.
//!
//!     cargo run --release -p pinnace-registry --example copy -- plan.yaml --to 127.0.0.1:5000/mirror
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, error::Error, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use pinnace_registry::{
    Keychain, Options, Registries, Rules,
    mirror::{Copier, CopyOptions, Outcome, Plan, Platforms},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plan, flag, to] = arguments.as_slice() else {
        return Err("give PLAN --to HOST[:PORT][/PATH]".into());
    };
    assert_eq!(flag, "--to");
    let plan = Plan::from_yaml(&std::fs::read_to_string(plan)?)?;
    let all_to = Rules::all_to(to)?;
    let base = Options { plain_http: true, ..Options::default() };
    let registries = Registries::new(Rules::default(), Keychain::default(), base, BTreeMap::new());
    let options = CopyOptions {
        platforms: Platforms::default(),
        attachments: false,
        dry_run: false,
        at_once: 8,
    };
    let copier = Copier::new(registries.clone(), registries, options, Arc::new(()));
    let copies = stream::iter(plan.items()).map(async |item| {
        let source = item.reference()?;
        let moved = all_to.rewrite(&source);
        let target = match moved.tag() {
            Some(tag) => moved.with_tag(tag)?,
            None => moved.repository_only(),
        };
        Ok::<_, Box<dyn Error>>(copier.copy(&source, &target).await?)
    });
    let copied: Vec<_> = copies.buffer_unordered(16).try_collect().await?;
    let new = copied.iter().filter(|copied| copied.outcome == Outcome::Copied).count();
    println!("{new} copied, {} unchanged", copied.len() - new);
    Ok(())
}
