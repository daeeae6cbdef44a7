//! Plans on the command line, and where their parts go.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pinnace_registry::mirror::Plan;
use pinnace_registry::{Reference, Registries, Rules};

use crate::cli::registries::RegistryArgs;

/// Larger plans are refused by the reader.
const LONGEST: u64 = 17 * 1024 * 1024;

#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// Files of `pinnace mirror plan`, - for stdin
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// Where the mirror is; the path of each name is kept below it
    #[arg(long, value_name = "HOST[:PORT][/PATH]", required_unless_present = "rules")]
    to: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// One part of the plans.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// At the vendor's, with its digest.
    pub source: Reference,
    /// In the mirror, without the digest.
    pub target: Reference,
}

impl TargetArgs {
    pub fn registries(&self) -> anyhow::Result<Registries> {
        self.registry.registries()
    }

    /// All parts of all plans, each once.
    pub fn parts(&self, registries: &Registries) -> anyhow::Result<Vec<Part>> {
        let all;
        let rules = match &self.to {
            Some(to) => {
                let location = to.strip_prefix("oci://").unwrap_or(to).trim_end_matches('/');
                all = Rules::all_to(location)
                    .with_context(|| format!("--to {to}: write host[:port][/path]"))?;
                &all
            }
            None => registries.rules(),
        };
        parts(&self.plan()?, rules)
    }

    /// `--to`, if it is a path below which the mirror alone lies.
    pub fn below(&self) -> anyhow::Result<Option<Reference>> {
        match &self.to {
            Some(to) if to.contains('/') => Ok(Some(Reference::parse(to)?)),
            _ => Ok(None),
        }
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let mut whole = Plan::default();
        for path in &self.plans {
            let named = || format!("cannot read the plan {}", path.display());
            let mut text = String::new();
            let read = match path.to_str() {
                Some("-") => std::io::stdin().take(LONGEST).read_to_string(&mut text),
                _ => fs::File::open(path)
                    .and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
            };
            read.with_context(named)?;
            whole.extend(Plan::from_yaml(&text).with_context(named)?);
        }
        Ok(whole)
    }
}

fn parts(plan: &Plan, rules: &Rules) -> anyhow::Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for item in plan.items() {
        let source = item.reference()?;
        let moved = rules.rewrite(&source);
        if moved == source {
            bail!(
                "no mirror rule says where {} goes: add a rule for {}, or give --to",
                item.name,
                source.host()
            );
        }
        let target = match moved.tag() {
            Some(tag) => moved.repository_only().with_tag(tag)?,
            None => moved.repository_only(),
        };
        let other = parts.iter().find(|part| part.target == target && part.target.tag().is_some());
        match other {
            Some(other) if other.source.digest() != source.digest() => bail!(
                "{} and {} would both become {}: give a rule to each of their registries",
                other.source.image(),
                source.image(),
                target.image()
            ),
            Some(_) => {}
            None => parts.push(Part { source, target }),
        }
    }
    if parts.is_empty() {
        bail!("the plan is empty");
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use pinnace_registry::Digest;
    use pinnace_registry::mirror::Item;

    use super::*;

    fn plan(names: &[(&str, &[u8])]) -> Plan {
        let mut plan = Plan::default();
        for (name, content) in names {
            let reference = Reference::parse(name).unwrap().with_digest(Digest::of(content));
            plan.add_image(Item::new(&reference, "test").unwrap());
        }
        plan
    }

    #[test]
    fn names_below_the_mirror() {
        let rules = Rules::all_to("m.test/v").unwrap();
        let parts = parts(&plan(&[("r.test/a/b:1", b"x"), ("r.test/c", b"y")]), &rules).unwrap();
        let targets: Vec<_> = parts.iter().map(|part| part.target.image()).collect();
        assert_eq!(targets, ["m.test/v/a/b:1", "m.test/v/c"]);
        assert!(parts.iter().all(|part| part.source.digest().is_some()));
    }

    #[test]
    fn refused() {
        let all = Rules::all_to("m.test").unwrap();
        let two = plan(&[("r.test/a:1", b"x"), ("s.test/a:1", b"y")]);
        assert!(parts(&two, &all).unwrap_err().to_string().contains("both become m.test/a:1"));
        let same = plan(&[("r.test/a:1", b"x"), ("s.test/a:1", b"x")]);
        assert_eq!(parts(&same, &all).unwrap().len(), 1);
        let none = parts(&plan(&[("r.test/a:1", b"x")]), &Rules::default());
        assert!(none.unwrap_err().to_string().contains("r.test/a:1"));
        assert!(parts(&Plan::default(), &all).is_err());
    }
}
