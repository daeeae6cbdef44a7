//! What an upgrade to another chart or other values would do, asked of the API server. Nothing is written.

use std::sync::Arc;

use pinnace_engine::Chart;
use pinnace_engine::render::Operation;
use pinnace_registry::Rules;
use serde_json::{Map, Value};

use super::redactor::Redactor;
use super::{act, mirrored, post_render, render};
use crate::api::helm_release::HelmRelease;
use crate::cluster::object::Owner;
use crate::cluster::preview::{self, Change, Difference};
use crate::cluster::{self, Cluster, Key, Object, prune};
use crate::release;
use crate::release::record::Status;
use crate::release::storage::Storage;
use crate::release::{Options, deploy};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(transparent)]
    Release(#[from] release::Error),
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error(transparent)]
    PostRender(#[from] post_render::Error),
    #[error(transparent)]
    Mirrored(#[from] mirrored::Error),
}

/// What is asked about.
pub struct Question<'a> {
    /// The spec as it would be.
    pub release: &'a HelmRelease,
    pub storage: &'a Storage,
    pub chart: Arc<Chart>,
    /// Where the images are that the chart names.
    pub mirrors: &'a Rules,
    pub values: &'a Map<String, Value>,
    /// Hides what must not be shown.
    pub redactor: &'a Redactor,
}

/// What would be done.
#[derive(Debug)]
pub struct Preview {
    /// The newest revision and its chart, `<chart>@<version>`; None: it would be an installation.
    pub from: Option<(u32, String)>,
    pub objects: Vec<preview::Preview>,
    /// Definitions that would be made, or (`true`) replaced.
    pub definitions: Vec<(Key, bool)>,
    /// Events and objects of hooks, in the order in which they would run.
    pub hooks: Vec<(&'static str, String)>,
}

impl Preview {
    /// Whether an upgrade would change nothing in the cluster.
    pub fn is_empty(&self) -> bool {
        let same = |object: &preview::Preview| object.change == Change::Same;
        self.objects.iter().all(same) && self.definitions.is_empty()
    }

    /// How many objects would stay as they are.
    pub fn unchanged(&self) -> usize {
        self.objects.iter().filter(|object| object.change == Change::Same).count()
    }
}

/// Renders what is asked about and holds it against the cluster.
pub async fn run(cluster: &Cluster, question: &Question<'_>) -> Result<Preview, Error> {
    let (release, storage) = (question.release, question.storage);
    let revisions = storage.list().await?;
    let newest = revisions.last().filter(|newest| newest.status != Status::Uninstalled);
    let next = revisions.last().map_or(1, |newest| newest.version + 1);
    let from = match newest {
        None => None,
        Some(newest) => {
            let record = storage.get(newest.version).await?.record;
            let chart = format!("{}@{}", record.chart_name(), record.chart_version());
            Some((newest.version, chart))
        }
    };
    let (operation, options) = match from {
        None => (Operation::Install, act::install(release)),
        Some(_) => (Operation::Upgrade, act::upgrade(release)),
    };
    let input = render::Input {
        chart: question.chart.clone(),
        values: Value::Object(question.values.clone()),
        release: storage.release().to_owned(),
        namespace: release.release_namespace(),
        revision: next,
        operation,
        skip_schema_validation: act::skips_schema(release, operation),
    };
    let (mut rendered, _) = render::run(cluster, input).await?;
    post_render::apply(&mut rendered, &release.spec)?;
    mirrored::apply(&mut rendered, question.mirrors)?;

    let place = |yaml: String| placed(cluster, yaml, release.release_namespace());
    let objects = place(rendered.manifest()).await?;
    let mut earlier = Vec::new();
    for version in deploy::traces(&revisions, next) {
        let record = storage.get(version).await?.record;
        earlier.push(deploy::placed_where_served(cluster, &record).await?);
    }
    let owner = Owner { release: storage.release().into(), namespace: storage.namespace().into() };
    let mut seen = preview::applied(cluster, &objects, &owner, options.adoption).await?;
    seen.extend(preview::deleted(cluster, &prune::gone(&earlier, &objects), &owner).await?);
    seen.iter_mut().for_each(|object| hide(&mut object.change, question.redactor));
    let mut definitions = Vec::new();
    for file in &rendered.crds {
        definitions.extend(Object::parse_all(&file.content, &file.filename)?);
    }
    let definitions = preview::defined(cluster, &definitions, options.crds).await?;
    Ok(Preview { from, objects: seen, definitions, hooks: hooks(&rendered, operation, &options) })
}

/// Objects of a manifest, each in its namespace. Those of unknown kinds stay where they say they are.
async fn placed(
    cluster: &Cluster,
    yaml: String,
    namespace: String,
) -> Result<Vec<Object>, cluster::Error> {
    let mut objects = Object::parse_all(&yaml, "the chart")?;
    for object in &mut objects {
        match cluster.discovery().place(object, &namespace).await {
            Ok(()) | Err(cluster::Error::UnknownKind { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(objects)
}

/// The hooks that would run, those before the objects first.
fn hooks(
    rendered: &pinnace_engine::Rendered,
    operation: Operation,
    options: &Options,
) -> Vec<(&'static str, String)> {
    if !options.hooks {
        return Vec::new();
    }
    let events = match operation {
        Operation::Install => ["pre-install", "post-install"],
        Operation::Upgrade => ["pre-upgrade", "post-upgrade"],
    };
    let mut found = Vec::new();
    for event in events {
        let mut of_event: Vec<_> =
            rendered.hooks.iter().filter(|hook| hook.events.iter().any(|e| e == event)).collect();
        of_event.sort_by_key(|hook| (hook.weight, hook.name.clone()));
        found.extend(of_event.iter().map(|hook| (event, format!("{} {}", hook.kind, hook.name))));
    }
    found
}

fn hide(change: &mut Change, redactor: &Redactor) {
    let shown = |value: &mut Value| redact(value, redactor);
    match change {
        Change::Fields(fields) => {
            for Difference { before, after, .. } in fields {
                shown(before);
                shown(after);
            }
        }
        Change::Refused(why) => *why = redactor.redact(why),
        Change::Create | Change::Delete | Change::Same => {}
    }
}

fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.redact(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, redactor)),
        Value::Object(entries) => entries.values_mut().for_each(|value| redact(value, redactor)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_do_not_get_into_a_preview() {
        let mut redactor = Redactor::default();
        redactor.add(&json!("topsecret"));
        let mut change = Change::Fields(vec![Difference {
            field: "/spec".into(),
            before: json!({"args": ["--key=topsecret"]}),
            after: json!("topsecret"),
        }]);
        hide(&mut change, &redactor);
        let Change::Fields(fields) = &change else { panic!("{change:?}") };
        assert_eq!(fields[0].before, json!({"args": ["--key=[redacted]"]}));
        assert_eq!(fields[0].after, json!("[redacted]"));
    }
}
