//! Which repositories a bundle has, and what may be read in each.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    bundle::{Bundle, BundleError},
    digest::Digest,
    manifest::Descriptor,
    reference::Reference,
};

/// Repositories by the names under which they are served.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Under their own path, without the host. Those of several hosts may share one.
    by_path: BTreeMap<String, Repository>,
    by_host: BTreeMap<String, Repository>,
}

#[derive(Debug, Default)]
pub(super) struct Repository {
    pub tags: BTreeMap<String, Digest>,
    pub manifests: BTreeSet<Digest>,
    pub blobs: BTreeSet<Digest>,
    /// What is attached, by what it is attached to.
    pub referrers: BTreeMap<Digest, Vec<Descriptor>>,
}

impl Names {
    pub(super) fn of(bundle: &Bundle) -> Result<Self, BundleError> {
        let mut names = Self::default();
        for root in bundle.roots() {
            let reference = &root.reference;
            let Some(digest) = reference.digest() else { continue };
            let below = bundle.below(digest);
            let mut descriptor = Descriptor::new(&root.media_type, digest.clone(), root.size);
            descriptor.artifact_type.clone_from(&root.artifact_type);
            if let Some(manifest) = bundle.manifest(digest)? {
                let parsed = manifest.parse().ok();
                descriptor.annotations =
                    parsed.and_then(|manifest| manifest.annotations().cloned());
            }
            let attached = root.subject.as_ref().map(|subject| (subject, &descriptor));
            let by_host = names.by_host.entry(reference.path()).or_default();
            by_host.add(bundle, reference, &below, attached)?;
            let by_path = names.by_path.entry(reference.repository().to_owned()).or_default();
            by_path.add(bundle, reference, &below, attached)?;
        }
        Ok(names)
    }

    /// By `name`, or below the host that a container runtime tells (`ns`).
    pub(super) fn repository(&self, name: &str, host: Option<&str>) -> Option<&Repository> {
        host.and_then(|host| self.by_host.get(&format!("{host}/{name}")))
            .or_else(|| self.by_path.get(name))
            .or_else(|| self.by_host.get(name))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.by_path.keys().map(String::as_str)
    }
}

impl Repository {
    fn add(
        &mut self,
        bundle: &Bundle,
        reference: &Reference,
        below: &[Digest],
        attached: Option<(&Digest, &Descriptor)>,
    ) -> Result<(), BundleError> {
        for digest in below {
            let held = bundle.held(digest).into_iter().flat_map(|held| &held.blobs);
            self.blobs.extend(held.map(|blob| blob.digest.clone()));
            self.manifests.insert(digest.clone());
        }
        if let Some((subject, descriptor)) = attached {
            let known = self.referrers.entry(subject.clone()).or_default();
            if !known.iter().any(|known| known.digest == descriptor.digest) {
                known.push(descriptor.clone());
            }
        }
        let (Some(tag), Some(digest)) = (reference.tag(), reference.digest()) else {
            return Ok(());
        };
        match self.tags.insert(tag.to_owned(), digest.clone()) {
            Some(first) if first != *digest => Err(BundleError::Ambiguous {
                reference: reference.repository_only().with_tag(tag)?,
                first,
                second: digest.clone(),
            }),
            _ => Ok(()),
        }
    }
}
