//! What goes into a bundle: every manifest is read now, and with them the list of blobs is known
//! before the first byte is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{error::BundleError, layout};
use crate::{
    client::{Client, tags_of_old_signatures},
    digest::Digest,
    error::Error,
    manifest::{Descriptor, Manifest, ManifestBytes},
    reference::Reference,
};

/// Most bytes of manifests in one bundle, since they are held in memory. 64 MiB.
const MANIFESTS_BYTES: usize = 64 * 1024 * 1024;
/// What is attached to something attached to something: a signature of an SBOM of an image.
const ATTACHED_DEPTH: usize = 3;

/// A chart or an image to be taken along, and who can read it.
#[derive(Debug, Clone)]
pub struct Item {
    pub client: Client,
    /// With a tag, a digest, or both. A tag is read once: what it stands for then is bundled.
    pub reference: Reference,
    /// The repository that it is read from: its own, or a mirror's. The bundle names the former.
    pub at: Reference,
}

impl Item {
    /// Read from where its name says.
    pub fn new(client: Client, reference: Reference) -> Self {
        let at = reference.repository_only();
        Self { client, reference, at }
    }

    /// Where something of this repository is read.
    fn place(&self, name: &Reference) -> Result<Reference, Error> {
        let place = match name.tag() {
            Some(tag) => self.at.with_tag(tag)?,
            None => self.at.repository_only(),
        };
        Ok(match name.digest() {
            Some(digest) => place.with_digest(digest.clone()),
            None => place,
        })
    }

    async fn manifest(&self, name: &Reference) -> Result<ManifestBytes, Error> {
        self.client.manifest(&self.place(name)?).await
    }
}

/// Whether signatures, attestations and SBOMs come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments {
    Included,
    LeftOut,
}

/// All that a bundle will hold.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By name, so that the same content makes the same index.
    pub roots: BTreeMap<String, (Reference, Descriptor)>,
    pub manifests: BTreeMap<Digest, ManifestBytes>,
    pub blobs: BTreeMap<Digest, Wanted>,
    /// Repositories by manifest in which what is attached was looked for.
    looked_at: BTreeSet<(String, Digest)>,
    bytes: usize,
}

/// A blob and where it can be had.
#[derive(Debug)]
pub(super) struct Wanted {
    pub client: Client,
    pub repository: Reference,
    pub blob: Descriptor,
}

pub(super) async fn plan(items: &[Item], attachments: Attachments) -> Result<Plan, BundleError> {
    let mut plan = Plan::default();
    for item in items {
        let manifest = item.manifest(&item.reference).await?;
        plan.root(item, &item.reference, manifest, attachments).await?;
    }
    Ok(plan)
}

impl Plan {
    async fn root(
        &mut self,
        item: &Item,
        reference: &Reference,
        manifest: ManifestBytes,
        attachments: Attachments,
    ) -> Result<(), BundleError> {
        let mut waiting = vec![(reference.clone(), manifest, 0)];
        while let Some((reference, manifest, depth)) = waiting.pop() {
            let root = self.name(&reference, &manifest)?;
            let below = self.take(item, &root, manifest).await?;
            if attachments == Attachments::LeftOut || depth == ATTACHED_DEPTH {
                continue;
            }
            for digest in below {
                for attached in self.attached(item, &root, digest).await? {
                    let manifest = item.manifest(&attached).await?;
                    waiting.push((attached, manifest, depth + 1));
                }
            }
        }
        Ok(())
    }

    /// Enters a manifest into the index.
    fn name(
        &mut self,
        reference: &Reference,
        manifest: &ManifestBytes,
    ) -> Result<Reference, BundleError> {
        let parsed = parse(reference, manifest)?;
        let bound = reference.with_digest(manifest.digest.clone());
        let mut descriptor = manifest.descriptor();
        descriptor.artifact_type = parsed.artifact_type().map(str::to_owned);
        let tagged = reference.tag().map(|tag| reference.with_tag(tag)).transpose()?;
        let named = tagged.map(|tagged| tagged.image());
        let mut annotations = BTreeMap::new();
        annotations.insert(layout::REPOSITORY.to_owned(), reference.path());
        if let Some(named) = &named {
            annotations.insert(layout::REF_NAME.to_owned(), named.clone());
            annotations.insert(layout::CONTAINERD_NAME.to_owned(), named.clone());
        }
        descriptor.annotations = Some(annotations);
        let key = named.unwrap_or_else(|| bound.image());
        if let Some((known, _)) = self.roots.get(&key)
            && known.digest() != bound.digest()
        {
            let first = known.digest().cloned().unwrap_or_else(|| manifest.digest.clone());
            return Err(BundleError::Ambiguous {
                reference: reference.clone(),
                first,
                second: manifest.digest.clone(),
            });
        }
        self.roots.insert(key, (bound.clone(), descriptor));
        Ok(bound)
    }

    /// Takes a manifest and all below it; tells the digests of all of them.
    async fn take(
        &mut self,
        item: &Item,
        root: &Reference,
        manifest: ManifestBytes,
    ) -> Result<Vec<Digest>, BundleError> {
        let repository = root.repository_only();
        let mut below = Vec::new();
        let mut waiting = vec![(manifest, 0)];
        while let Some((manifest, depth)) = waiting.pop() {
            below.push(manifest.digest.clone());
            match parse(&repository, &manifest)? {
                Manifest::Image(image) => {
                    for blob in std::iter::once(image.config).chain(image.layers) {
                        self.want(item, &repository, blob)?;
                    }
                }
                Manifest::Index(_) if depth == layout::DEEPEST => {
                    let why = "its indexes are nested too deeply".to_owned();
                    return Err(BundleError::NotBundled { reference: root.clone(), why });
                }
                Manifest::Index(index) => {
                    for child in index.manifests {
                        let bound = repository.with_digest(child.digest.clone());
                        let known = self.manifests.get(&child.digest).cloned();
                        let mut child_bytes = match known {
                            Some(known) => known,
                            None => item.manifest(&bound).await?,
                        };
                        // The index's word, since the bundle is read by it.
                        if !child.media_type.is_empty() {
                            child_bytes.media_type = child.media_type;
                        }
                        waiting.push((child_bytes, depth + 1));
                    }
                }
            }
            self.keep(root, manifest)?;
        }
        Ok(below)
    }

    fn want(
        &mut self,
        item: &Item,
        repository: &Reference,
        blob: Descriptor,
    ) -> Result<(), BundleError> {
        if blob.is_foreign() {
            return Ok(());
        }
        match self.blobs.get(&blob.digest) {
            Some(known) if known.blob.size != blob.size => {
                let why = format!("two manifests tell different sizes of {}", blob.digest);
                return Err(BundleError::NotBundled { reference: repository.clone(), why });
            }
            Some(_) => {}
            None => {
                let (client, repository) = (item.client.clone(), item.at.repository_only());
                self.blobs.insert(blob.digest.clone(), Wanted { client, repository, blob });
            }
        }
        Ok(())
    }

    fn keep(&mut self, root: &Reference, manifest: ManifestBytes) -> Result<(), BundleError> {
        if self.manifests.contains_key(&manifest.digest) {
            return Ok(());
        }
        self.bytes += manifest.bytes.len();
        if self.bytes > MANIFESTS_BYTES {
            let why = format!("all manifests together are larger than {MANIFESTS_BYTES} bytes");
            return Err(BundleError::NotBundled { reference: root.clone(), why });
        }
        self.manifests.insert(manifest.digest.clone(), manifest);
        Ok(())
    }

    /// Names of what is attached to a manifest: referrers, and cosign's older tags.
    async fn attached(
        &mut self,
        item: &Item,
        root: &Reference,
        digest: Digest,
    ) -> Result<Vec<Reference>, BundleError> {
        let repository = root.repository_only();
        if !self.looked_at.insert((repository.path(), digest.clone())) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let referrers = item.client.referrers(&item.at, &digest, None).await?;
        for manifest in referrers.manifests {
            found.push(repository.with_digest(manifest.digest));
        }
        for tag in tags_of_old_signatures(&digest) {
            let tagged = repository.with_tag(&tag)?;
            match item.client.digest_of(&item.place(&tagged)?).await {
                Ok(Some(digest)) => found.push(tagged.with_digest(digest)),
                Ok(None) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}

fn parse(reference: &Reference, manifest: &ManifestBytes) -> Result<Manifest, BundleError> {
    manifest.parse().map_err(|why| BundleError::NotBundled {
        reference: reference.with_digest(manifest.digest.clone()),
        why: why.to_string(),
    })
}
