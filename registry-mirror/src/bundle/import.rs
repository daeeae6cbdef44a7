//! A bundle into a registry, or its charts into the agent's cache.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    error::BundleError,
    layout,
    opened::{Bundle, Root},
    progress::Progress,
    read::InBundle,
};
use crate::{
    cache::Cache,
    chart,
    client::{Client, PulledChart, Uploaded},
    digest::Digest,
    manifest::Descriptor,
    reference::Reference,
};

/// Blobs on their way at once.
const AT_ONCE: usize = 4;
/// Largest config and archive of a chart that goes into the cache, in bytes. 10 MiB.
const CHART_BYTES: u64 = 10 * 1024 * 1024;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Charts, images and what is attached to them.
    pub roots: usize,
    /// Those that were there already.
    pub unchanged: usize,
    /// Blobs that were sent.
    pub sent: usize,
    /// Of those, in bytes.
    pub bytes: u64,
}

/// Where an import puts a reference: below `to` (`host[:port]` and perhaps a path), at the path
/// that it had, as a mirror of its host would.
pub fn place(to: &str, reference: &Reference) -> Result<Reference, BundleError> {
    let to = to.strip_prefix("oci://").unwrap_or(to).trim_end_matches('/');
    Ok(reference.moved_to(&format!("{to}/{}", reference.repository()))?)
}

impl Bundle {
    /// Pushes everything. What is there already is not sent again, so that a run which broke off
    /// can be repeated; a tag appears after all that it names.
    pub async fn import(
        self: &Arc<Self>,
        client: &Client,
        to: &str,
        progress: &dyn Progress,
    ) -> Result<Imported, BundleError> {
        let mut done = Imported { roots: self.roots().len(), ..Imported::default() };
        progress.step("Comparing");
        let wanted = self.wanted(client, to).await?;
        done.unchanged = done.roots - wanted.iter().map(|(_, roots)| roots.len()).sum::<usize>();
        let blobs = self.blobs_by_repository(&wanted);
        progress.step("Pushing blobs");
        progress.expect(blobs.len(), blobs.iter().map(|(_, blob)| blob.size).sum());
        let pushed = Pushed::default();
        stream::iter(blobs.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |(repository, blob)| {
                let pushed = &pushed;
                async move { self.push(client, &repository, &blob, pushed, progress).await }
            })
            .await?;
        (done.sent, done.bytes) = pushed.sent();
        progress.step("Pushing manifests");
        for (repository, roots) in wanted {
            self.push_manifests(client, &repository, roots).await?;
        }
        Ok(done)
    }

    /// Roots that the registry does not have as they are here, by repository; what is attached
    /// comes after what it is attached to.
    async fn wanted(
        &self,
        client: &Client,
        to: &str,
    ) -> Result<Vec<(Reference, Vec<&Root>)>, BundleError> {
        let asked: Vec<Option<(Reference, &Root)>> = stream::iter(self.roots())
            .map(|root| async move {
                let there = place(to, &root.reference)?;
                let digest = root.reference.digest();
                let name = match there.tag() {
                    Some(tag) => there.with_tag(tag)?,
                    None => there.clone(),
                };
                let known = client.digest_of(&name).await?;
                Ok::<_, BundleError>(
                    (known.as_ref() != digest).then(|| (there.repository_only(), root)),
                )
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut wanted: BTreeMap<String, (Reference, Vec<&Root>)> = BTreeMap::new();
        for (repository, root) in asked.into_iter().flatten() {
            let entry = wanted.entry(repository.path());
            entry.or_insert_with(|| (repository, Vec::new())).1.push(root);
        }
        for (_, roots) in wanted.values_mut() {
            roots.sort_by_key(|root| root.subject.is_some());
        }
        Ok(wanted.into_values().collect())
    }

    fn blobs_by_repository(
        &self,
        wanted: &[(Reference, Vec<&Root>)],
    ) -> Vec<(Reference, Descriptor)> {
        let mut blobs = Vec::new();
        for (repository, roots) in wanted {
            let mut seen = BTreeSet::new();
            for digest in roots.iter().filter_map(|root| root.reference.digest()) {
                for held in self.below(digest).iter().filter_map(|digest| self.held(digest)) {
                    for blob in &held.blobs {
                        if seen.insert(&blob.digest) {
                            blobs.push((repository.clone(), blob.clone()));
                        }
                    }
                }
            }
        }
        blobs
    }

    async fn push(
        self: &Arc<Self>,
        client: &Client,
        repository: &Reference,
        blob: &Descriptor,
        pushed: &Pushed,
        progress: &dyn Progress,
    ) -> Result<(), BundleError> {
        if !client.has_blob(repository, blob).await? {
            self.found(&blob.digest)?;
            let source = InBundle { bundle: self.clone(), digest: blob.digest.clone() };
            let from = pushed.place_of(&blob.digest);
            let how = client.push_blob(repository, blob, from.as_deref(), &source).await?;
            pushed.add(repository, blob, how);
        }
        progress.bytes(blob.size);
        progress.done(repository, &blob.digest, blob.size);
        Ok(())
    }

    async fn push_manifests(
        &self,
        client: &Client,
        repository: &Reference,
        roots: Vec<&Root>,
    ) -> Result<(), BundleError> {
        let mut written = BTreeSet::new();
        for root in roots {
            let Some(digest) = root.reference.digest() else { continue };
            for below in self.below(digest) {
                let is_root = below == *digest;
                if !is_root && !written.insert(below.clone()) {
                    continue;
                }
                let Some(mut manifest) = self.manifest(&below)? else { continue };
                let bound = repository.with_digest(below);
                let name = match root.reference.tag().filter(|_| is_root) {
                    Some(tag) => bound.with_tag(tag)?,
                    None => bound,
                };
                if is_root {
                    manifest.media_type.clone_from(&root.media_type);
                }
                client.put_manifest(&name, &manifest).await?;
            }
        }
        Ok(())
    }

    /// Puts every chart into a cache, where the agent finds it by its digest. Tells their names.
    pub async fn import_charts(
        &self,
        cache: &Cache,
        progress: &dyn Progress,
    ) -> Result<Vec<Reference>, BundleError> {
        progress.step("Writing charts");
        let mut kept = Vec::new();
        for root in self.roots() {
            let Some(digest) = root.reference.digest() else { continue };
            let Some(chart) = self.chart(digest)? else { continue };
            let size = chart.archive.len() as u64;
            cache.put(&chart).await?;
            progress.done(&root.reference.repository_only(), digest, size);
            kept.push(root.reference.clone());
        }
        Ok(kept)
    }

    /// `None` for what is not a chart.
    fn chart(&self, digest: &Digest) -> Result<Option<PulledChart>, BundleError> {
        let Some(manifest) = self.manifest(digest)? else { return Ok(None) };
        let Ok(blobs) = chart::ChartManifest::parse(&manifest.bytes) else { return Ok(None) };
        let config_bytes = self.read_checked(&blobs.config.digest, layout::MANIFEST_BYTES)?;
        let archive = self.read_checked(&blobs.archive.digest, CHART_BYTES)?;
        let Ok(config) = serde_json::from_slice(&config_bytes) else { return Ok(None) };
        Ok(Some(PulledChart {
            digest: digest.to_string(),
            manifest: manifest.bytes,
            archive: archive.into(),
            config,
            config_bytes: config_bytes.into(),
        }))
    }
}

/// What was pushed so far, so that a second repository can take it over from the first.
#[derive(Default)]
struct Pushed(Mutex<PushedSoFar>);

#[derive(Default)]
struct PushedSoFar {
    repositories: HashMap<Digest, String>,
    sent: usize,
    bytes: u64,
}

impl Pushed {
    fn place_of(&self, digest: &Digest) -> Option<String> {
        let so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.repositories.get(digest).cloned()
    }

    fn add(&self, repository: &Reference, blob: &Descriptor, how: Uploaded) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.repositories.insert(blob.digest.clone(), repository.repository().to_owned());
        if how == Uploaded::Sent {
            so_far.sent += 1;
            so_far.bytes += blob.size;
        }
    }

    fn sent(&self) -> (usize, u64) {
        let so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (so_far.sent, so_far.bytes)
    }
}
