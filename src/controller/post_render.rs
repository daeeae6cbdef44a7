//! What a spec changes of what a chart renders: pure. First `postRenderers` in their order, then `commonMetadata`.
//!
//! Objects that nothing is changed of keep the very text that the chart has rendered.

use pinnace_engine::{Rendered, yaml};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::selector::{self, Matcher};
use crate::api::helm_release::{CommonMetadata, HelmReleaseSpec, Kustomize, PostRenderStrategy};
use crate::cluster::Object;

mod images;
mod patches;
mod strategic;

/// Why a spec's changes cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("spec.postRenderers[{renderer}].kustomize.patches[{patch}]: {why}")]
    Patch { renderer: usize, patch: usize, why: patches::Error },
    #[error("spec.postRenderers: cannot read what the chart rendered in {file}: {why}")]
    Rendered { file: String, why: String },
}

/// The digest of all that a spec changes; None if it changes nothing.
pub fn digest(spec: &HelmReleaseSpec) -> Option<String> {
    if spec.post_renderers.is_empty() && spec.common_metadata.is_none() {
        return None;
    }
    let strategy = spec.post_render_strategy.unwrap_or_default();
    let all = json!([spec.post_renderers, strategy, spec.common_metadata]);
    Some(format!("sha256:{}", hex::encode(Sha256::digest(all.to_string()))))
}

/// The digests of both parts, for the status.
pub fn observed(spec: &HelmReleaseSpec) -> (Option<String>, Option<String>) {
    let digest = |part: Value| format!("sha256:{}", hex::encode(Sha256::digest(part.to_string())));
    let renderers = (!spec.post_renderers.is_empty()).then(|| digest(json!(spec.post_renderers)));
    (renderers, spec.common_metadata.as_ref().map(|metadata| digest(json!(metadata))))
}

/// Makes the changes. An object that a patch deletes is gone.
pub fn apply(rendered: &mut Rendered, spec: &HelmReleaseSpec) -> Result<(), Error> {
    if digest(spec).is_none() {
        return Ok(());
    }
    let steps = Steps::of(spec)?;
    let mut kept = Vec::with_capacity(rendered.manifests.len());
    for mut manifest in std::mem::take(&mut rendered.manifests) {
        if let Some(content) = steps.changed(&manifest.content, &manifest.source)? {
            manifest.content = content;
            kept.push(manifest);
        }
    }
    rendered.manifests = kept;
    if spec.post_render_strategy == Some(PostRenderStrategy::NoHooks) {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(rendered.hooks.len());
    for mut hook in std::mem::take(&mut rendered.hooks) {
        if let Some(manifest) = steps.changed(&hook.manifest, &hook.path)? {
            hook.manifest = manifest;
            kept.push(hook);
        }
    }
    rendered.hooks = kept;
    Ok(())
}

/// The changes of a spec, read once.
struct Steps<'a> {
    renderers: Vec<Renderer<'a>>,
    metadata: Option<&'a CommonMetadata>,
}

struct Renderer<'a> {
    patches: Vec<patches::Patch>,
    kustomize: &'a Kustomize,
}

impl<'a> Steps<'a> {
    fn of(spec: &'a HelmReleaseSpec) -> Result<Self, Error> {
        let mut renderers = Vec::new();
        for (renderer, kustomize) in spec.post_renderers.iter().enumerate() {
            let Some(kustomize) = &kustomize.kustomize else { continue };
            let mut patches = Vec::new();
            for (patch, wanted) in kustomize.patches.iter().enumerate() {
                let failed = |why| Error::Patch { renderer, patch, why };
                patches.push(patches::Patch::read(wanted).map_err(failed)?);
            }
            renderers.push(Renderer { patches, kustomize });
        }
        Ok(Self { renderers, metadata: spec.common_metadata.as_ref() })
    }

    /// The text of one file's objects after all changes; None if nothing is left of them.
    fn changed(&self, text: &str, file: &str) -> Result<Option<String>, Error> {
        let unreadable = |why: String| Error::Rendered { file: file.to_owned(), why };
        let value = yaml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if value.is_null() {
            return Ok(Some(text.to_owned()));
        }
        let before = Object::new(value).map_err(unreadable)?;
        let Some(after) = self.object(before.clone())? else { return Ok(None) };
        if after.value == before.value {
            return Ok(Some(text.to_owned()));
        }
        Ok(Some(yaml::to_string(&after.value)))
    }

    fn object(&self, mut object: Object) -> Result<Option<Object>, Error> {
        for (renderer, step) in self.renderers.iter().enumerate() {
            for (patch, wanted) in step.patches.iter().enumerate() {
                let failed = |why| Error::Patch { renderer, patch, why };
                match wanted.apply(object).map_err(failed)? {
                    Some(patched) => object = patched,
                    None => return Ok(None),
                }
            }
            images::replace(&mut object.value, &step.kustomize.images);
        }
        if let Some(metadata) = self.metadata {
            add(&mut object.value, "labels", &metadata.labels);
            add(&mut object.value, "annotations", &metadata.annotations);
        }
        Ok(Some(object))
    }
}

fn add(object: &mut Value, field: &str, more: &std::collections::BTreeMap<String, String>) {
    if more.is_empty() {
        return;
    }
    let metadata = &mut object["metadata"];
    if !metadata[field].is_object() {
        metadata[field] = json!({});
    }
    for (name, value) in more {
        metadata[field][name] = json!(value);
    }
}

/// Whether every selector of the spec can be asked; the error names its field.
pub fn check(spec: &HelmReleaseSpec) -> Result<(), String> {
    Steps::of(spec).map(|_| ()).map_err(|error| super::render::told(&error))
}

fn matcher(selector: &crate::api::helm_release::Selector) -> Result<Matcher, selector::Invalid> {
    Matcher::of(selector)
}

#[cfg(test)]
mod tests;
