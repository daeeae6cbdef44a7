//! Registries into a bundle.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    error::BundleError,
    layout,
    left_out::LeftOut,
    opened::Bundle,
    plan::{Attachments, Item, Plan, Wanted, plan},
    progress::Progress,
    signature::SigningKey,
    write::{Compression, Writing},
};
use crate::{digest::Digest, manifest::Index};

/// How a bundle is written.
#[derive(Debug)]
pub struct Export<'a> {
    pub to: &'a Path,
    /// Signs the index.
    pub key: Option<&'a SigningKey>,
    /// What this one holds is left out.
    pub base: Option<&'a Bundle>,
    pub compression: Compression,
    pub attachments: Attachments,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Digest of the index.
    pub digest: Digest,
    /// Charts, images and what is attached to them.
    pub roots: usize,
    pub manifests: usize,
    pub blobs: usize,
    /// Blobs that are in the base.
    pub left_out: usize,
    /// Of the file.
    pub bytes: u64,
}

/// Blobs up to this size are fetched ahead of their turn, this many at once.
const SMALL: u64 = 1024 * 1024;
const AHEAD: usize = 8;

/// A blob whose turn comes. A large one is opened only then, so that no connection waits for the
/// one before it.
struct Ready<'a> {
    wanted: &'a Wanted,
    bytes: Option<Bytes>,
}

/// Writes these charts and images, and all that they name, into one file.
///
/// The same content gives the same bytes. The file appears whole or not at all; a run that was
/// killed leaves a `.partial-` file beside it that may be removed.
pub async fn export(
    items: &[Item],
    export: &Export<'_>,
    progress: &dyn Progress,
) -> Result<Exported, BundleError> {
    progress.step("Reading manifests");
    let plan = plan(items, export.attachments).await?;
    let (here, left_out): (Vec<&Wanted>, Vec<&Wanted>) = plan.blobs.values().partition(|wanted| {
        export.base.is_none_or(|base| base.find(&wanted.blob.digest).is_none())
    });
    let index = index(&plan, &left_out, export.base);
    let digest = Digest::of(&index);
    let mut files = vec![
        (layout::LAYOUT_FILE.to_owned(), Bytes::from_static(layout::LAYOUT.as_bytes())),
        (layout::INDEX_FILE.to_owned(), index.into()),
    ];
    if let Some(key) = export.key {
        files.push((layout::SIGNATURE_FILE.to_owned(), key.sign(&digest).into()));
    }
    for manifest in plan.manifests.values() {
        files.push((layout::blob_name(&manifest.digest), manifest.bytes.clone()));
    }
    progress.step("Writing blobs");
    progress.expect(here.len(), here.iter().map(|wanted| wanted.blob.size).sum());
    let mut writing = Writing::start(export.to, export.compression);
    // A manifest can be a layer, too: then it is in the tar already.
    let manifests = &plan.manifests;
    let rest = here.iter().filter(|wanted| !manifests.contains_key(&wanted.blob.digest));
    if let Err(error) = fill(&mut writing, files, rest.copied(), progress).await {
        writing.give_up().await;
        return Err(error);
    }
    let bytes = writing.finish().await?;
    Ok(Exported {
        digest,
        roots: plan.roots.len(),
        manifests: plan.manifests.len(),
        blobs: here.len(),
        left_out: left_out.len(),
        bytes,
    })
}

async fn fill<'a>(
    writing: &mut Writing,
    files: Vec<(String, Bytes)>,
    blobs: impl Iterator<Item = &'a Wanted>,
    progress: &dyn Progress,
) -> Result<(), BundleError> {
    for (name, bytes) in files {
        writing.file(name, bytes.len() as u64).await?;
        writing.bytes(bytes).await?;
    }
    let mut ready = stream::iter(blobs.map(fetch)).buffered(AHEAD);
    while let Some(next) = ready.try_next().await? {
        blob(writing, next, progress).await?;
    }
    Ok(())
}

async fn fetch(wanted: &Wanted) -> Result<Ready<'_>, BundleError> {
    let Wanted { client, repository, blob } = wanted;
    let bytes = match blob.size {
        0..=SMALL => Some(client.blob_bytes(repository, blob, SMALL).await?),
        _ => None,
    };
    Ok(Ready { wanted, bytes })
}

async fn blob(
    writing: &mut Writing,
    ready: Ready<'_>,
    progress: &dyn Progress,
) -> Result<(), BundleError> {
    let Ready { wanted, bytes } = ready;
    let blob = &wanted.blob;
    writing.file(layout::blob_name(&blob.digest), blob.size).await?;
    if let Some(bytes) = bytes {
        progress.bytes(blob.size);
        writing.bytes(bytes).await?;
    } else {
        let mut stream = wanted.client.blob(&wanted.repository, blob).await?;
        while let Some(bytes) = stream.try_next().await? {
            progress.bytes(bytes.len() as u64);
            writing.bytes(bytes).await?;
        }
    }
    progress.done(&wanted.repository, &blob.digest, blob.size);
    Ok(())
}

fn index(plan: &Plan, left_out: &[&Wanted], base: Option<&Bundle>) -> Vec<u8> {
    let mut annotations = BTreeMap::new();
    annotations.insert(layout::VERSION.to_owned(), layout::CURRENT_VERSION.to_owned());
    if let Some(base) = base {
        let these = left_out
            .iter()
            .map(|wanted| &wanted.blob.digest)
            .filter(|digest| !plan.manifests.contains_key(*digest));
        annotations.insert(layout::BASE.to_owned(), base.digest().to_string());
        annotations.insert(layout::LEFT_OUT.to_owned(), LeftOut::these(these).to_string());
    }
    let roots = plan.roots.values().map(|(_, descriptor)| descriptor.clone()).collect();
    let index = Index { annotations: Some(annotations), ..Index::of(roots) };
    serde_json::to_vec(&index).expect("an index is JSON")
}
