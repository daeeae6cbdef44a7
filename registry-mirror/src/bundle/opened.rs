//! A bundle that may be used: its signature was checked, and every manifest in it was read and
//! held against its digest. What the blobs hold is checked while they are read.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{
    archive::{Archive, Place},
    error::BundleError,
    layout,
    left_out::LeftOut,
    signature::{self, Refused, Trust},
};
use crate::{
    digest::Digest,
    manifest::{Descriptor, Index, Manifest, ManifestBytes},
    reference::Reference,
};

/// An opened bundle with the ones that it is based on. Nothing of it is unpacked.
#[derive(Debug)]
pub struct Bundle {
    /// Its own, then those of its bases.
    archives: Vec<Archive>,
    digest: Digest,
    signed_by: Option<String>,
    base: Option<Digest>,
    left_out: Option<LeftOut>,
    roots: Vec<Root>,
    manifests: BTreeMap<Digest, Held>,
    blobs: BTreeMap<Digest, u64>,
    /// Blobs whose bytes were found to be right.
    pub(super) intact: Mutex<HashSet<Digest>>,
}

/// A manifest that the index names: a chart, an image, or what is attached to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Where it came from, with its tag if it had one, and always with its digest.
    pub reference: Reference,
    pub media_type: String,
    /// Its own word, or the type of its config.
    pub artifact_type: Option<String>,
    /// What it is attached to.
    pub subject: Option<Digest>,
    /// Of its manifest, in bytes.
    pub size: u64,
}

/// What is known of a manifest in the bundle.
#[derive(Debug)]
pub(super) struct Held {
    pub media_type: String,
    pub children: Vec<Digest>,
    /// Config and layers. Not those that their vendor keeps to itself.
    pub blobs: Vec<Descriptor>,
}

impl Bundle {
    /// Opens a bundle and those that it is based on, in any order.
    pub fn open(path: &Path, bases: &[PathBuf], trust: &Trust) -> Result<Self, BundleError> {
        let archive = Archive::open(path)?;
        let index_bytes = archive.index()?;
        let digest = Digest::of(&index_bytes);
        let signed_by = signed_by(&archive, &digest, trust)?;
        let index = index(&archive, &index_bytes)?;
        let base = base_of(&archive, &index)?;
        let left_out = LeftOut::of(&index).map_err(|why| archive.malformed(why))?;
        let mut bundle = Self {
            digest,
            signed_by,
            left_out,
            roots: Vec::new(),
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
            intact: Mutex::default(),
            archives: with_bases(archive, base.clone(), bases)?,
            base,
        };
        for descriptor in &index.manifests {
            bundle.root(descriptor)?;
        }
        bundle.check_blobs()?;
        Ok(bundle)
    }

    /// Digest of the index: it names this bundle, and is what is signed.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Id of the trusted key that signed it; `None` if nobody was asked for.
    pub fn signed_by(&self) -> Option<&str> {
        self.signed_by.as_deref()
    }

    /// Digest of the index of the bundle that this one is based on.
    pub fn base(&self) -> Option<&Digest> {
        self.base.as_ref()
    }

    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Configs and layers, with their sizes, whether they are here or in a base.
    pub fn blobs(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs.iter().map(|(digest, size)| (digest, *size))
    }

    /// Blobs that are here, or in a base that was given.
    pub fn present(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs().filter(|(digest, _)| self.find(digest).is_some())
    }

    pub fn manifest_count(&self) -> usize {
        self.manifests.len()
    }

    /// Blobs that are neither here nor in a base that was given.
    pub fn missing(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs().filter(|(digest, _)| self.find(digest).is_none())
    }

    /// A manifest's bytes, if the bundle holds it.
    pub fn manifest(&self, digest: &Digest) -> Result<Option<ManifestBytes>, BundleError> {
        let Some(held) = self.manifests.get(digest) else { return Ok(None) };
        let bytes = self.read_checked(digest, layout::MANIFEST_BYTES)?;
        let media_type = held.media_type.clone();
        Ok(Some(ManifestBytes { digest: digest.clone(), media_type, bytes: bytes.into() }))
    }

    pub(super) fn held(&self, digest: &Digest) -> Option<&Held> {
        self.manifests.get(digest)
    }

    /// A manifest and all below it, each before what names it.
    pub(super) fn below(&self, root: &Digest) -> Vec<Digest> {
        let mut found = BTreeSet::new();
        let mut order = Vec::new();
        self.collect_below(root, &mut found, &mut order);
        order
    }

    fn collect_below(&self, at: &Digest, found: &mut BTreeSet<Digest>, order: &mut Vec<Digest>) {
        if !found.insert(at.clone()) {
            return;
        }
        for child in self.manifests.get(at).into_iter().flat_map(|held| &held.children) {
            self.collect_below(child, found, order);
        }
        order.push(at.clone());
    }

    /// The archive that holds this content.
    pub(super) fn find(&self, digest: &Digest) -> Option<(&Archive, Place)> {
        self.archives.iter().find_map(|archive| Some((archive, archive.blob(digest)?)))
    }

    /// As [`Bundle::find`], or the error that says where it should be.
    pub(super) fn found(&self, digest: &Digest) -> Result<(&Archive, Place), BundleError> {
        self.find(digest).ok_or_else(|| {
            let (path, digest) = (self.own().path.clone(), digest.clone());
            match &self.base {
                Some(base) => BundleError::InBase { path, digest, base: base.clone() },
                None => BundleError::Missing { path, digest },
            }
        })
    }

    /// Bytes of some content within a limit, after they were held against their digest.
    pub(super) fn read_checked(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, BundleError> {
        let (archive, place) = self.found(digest)?;
        let bytes = archive.whole(digest.as_str(), place, limit)?;
        let actual = Digest::of(&bytes);
        if actual != *digest {
            let (path, digest) = (archive.path.clone(), digest.clone());
            return Err(BundleError::Damaged { path, digest, actual });
        }
        Ok(bytes)
    }

    fn own(&self) -> &Archive {
        self.archives.first().expect("a bundle has its own archive")
    }

    fn root(&mut self, descriptor: &Descriptor) -> Result<(), BundleError> {
        let reference = reference_of(descriptor).map_err(|why| {
            let what = &descriptor.digest;
            self.own().malformed(&format!("its index names {what} in a wrong way: {why}"))
        })?;
        let manifest = self.walk(descriptor, 0)?;
        self.roots.push(Root {
            reference,
            media_type: descriptor.media_type.clone(),
            artifact_type: manifest.artifact_type().map(str::to_owned),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            size: descriptor.size,
        });
        Ok(())
    }

    /// Reads a manifest and all below it. All manifests are in the bundle itself, not in a base.
    fn walk(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Manifest, BundleError> {
        let digest = &descriptor.digest;
        let wrong = |bundle: &Self, why: &str| bundle.own().malformed(&format!("{digest}: {why}"));
        let place = self.own().blob(digest).ok_or_else(|| BundleError::Missing {
            path: self.own().path.clone(),
            digest: digest.clone(),
        })?;
        if place.size != descriptor.size {
            return Err(wrong(self, "its size is not the one that is told of it"));
        }
        let bytes = self.read_checked(digest, layout::MANIFEST_BYTES)?;
        let manifest = Manifest::parse(&bytes).map_err(|why| wrong(self, &why.to_string()))?;
        if self.manifests.contains_key(digest) {
            return Ok(manifest);
        }
        let media_type = descriptor.media_type.clone();
        let mut held = Held { media_type, children: Vec::new(), blobs: Vec::new() };
        match &manifest {
            Manifest::Image(image) => {
                let blobs = std::iter::once(&image.config).chain(&image.layers);
                held.blobs = blobs.filter(|blob| !blob.is_foreign()).cloned().collect();
                for blob in &held.blobs {
                    let known = self.blobs.insert(blob.digest.clone(), blob.size);
                    if known.is_some_and(|size| size != blob.size) {
                        return Err(wrong(self, "two manifests tell different sizes of a blob"));
                    }
                }
            }
            Manifest::Index(index) => {
                if depth == layout::DEEPEST {
                    return Err(wrong(self, "indexes are nested too deeply"));
                }
                held.children = index.manifests.iter().map(|child| child.digest.clone()).collect();
                for child in &index.manifests {
                    self.walk(child, depth + 1)?;
                }
            }
        }
        self.manifests.insert(digest.clone(), held);
        Ok(manifest)
    }

    /// Holds what is in the tar against what the manifests name.
    fn check_blobs(&self) -> Result<(), BundleError> {
        let own = self.own();
        for (digest, size) in own.blobs() {
            let known = self.blobs.get(digest);
            if known.is_none() && !self.manifests.contains_key(digest) {
                return Err(own.malformed(&format!("nothing names {digest}, which it holds")));
            }
            if known.is_some_and(|known| *known != size) {
                return Err(own.malformed(&format!("{digest} has not the size told of it")));
            }
        }
        let absent: Vec<&Digest> = self
            .blobs
            .keys()
            .filter(|digest| own.blob(digest).is_none() && !self.manifests.contains_key(*digest))
            .collect();
        match (&self.left_out, absent.first()) {
            (Some(told), _) if *told != LeftOut::these(absent.iter().copied()) => {
                Err(own.malformed("it leaves out other blobs than its index says"))
            }
            (None, Some(digest)) => {
                Err(BundleError::Missing { path: own.path.clone(), digest: (*digest).clone() })
            }
            _ => Ok(()),
        }
    }
}

fn signed_by(
    archive: &Archive,
    index: &Digest,
    trust: &Trust,
) -> Result<Option<String>, BundleError> {
    let Trust::Keys(keys) = trust else { return Ok(None) };
    let path = || archive.path.clone();
    let Some(file) = archive.signature()? else {
        return Err(BundleError::Unsigned { path: path() });
    };
    match signature::check(&file, index, keys) {
        Ok(key) => Ok(Some(key)),
        Err(Refused::Malformed) => Err(archive.malformed("its signature is not readable")),
        Err(Refused::Bad(key)) => Err(BundleError::BadSignature { path: path(), key }),
        Err(Refused::NotTrusted(by)) => {
            let trusted = keys.iter().map(|key| key.id()).collect();
            Err(BundleError::NotTrusted { path: path(), by, trusted })
        }
    }
}

fn index(archive: &Archive, bytes: &[u8]) -> Result<Index, BundleError> {
    let index = match Manifest::parse(bytes) {
        Ok(Manifest::Index(index)) => index,
        _ => return Err(archive.malformed("its index.json is not an OCI index")),
    };
    match annotation(&index, layout::VERSION) {
        Some(layout::CURRENT_VERSION) => Ok(index),
        Some(version) => {
            let version: String = version.chars().take(20).collect();
            let why = format!("it is of version {version}; use a newer pinnace");
            Err(archive.malformed(&why))
        }
        None => Err(archive.malformed("it was not written by `pinnace bundle export`")),
    }
}

pub(super) fn annotation<'a>(index: &'a Index, name: &str) -> Option<&'a str> {
    index.annotations.as_ref()?.get(name).map(String::as_str)
}

fn base_of(archive: &Archive, index: &Index) -> Result<Option<Digest>, BundleError> {
    let base = annotation(index, layout::BASE).map(str::parse).transpose();
    base.map_err(|_| archive.malformed("the bundle that it is based on has no digest"))
}

/// A bundle's archive and those of the row of bundles below it. Each is known by the digest in
/// the one above, so that their own signatures are not needed.
fn with_bases(
    own: Archive,
    mut wanted: Option<Digest>,
    bases: &[PathBuf],
) -> Result<Vec<Archive>, BundleError> {
    let path = own.path.clone();
    let mut archives = vec![own];
    let mut rest = Vec::new();
    for base in bases {
        let archive = Archive::open(base)?;
        let bytes = archive.index()?;
        let below = base_of(&archive, &index(&archive, &bytes)?)?;
        rest.push((Digest::of(&bytes), below, archive));
    }
    while !rest.is_empty() {
        let Some(at) = rest.iter().position(|(digest, ..)| Some(digest) == wanted.as_ref()) else {
            let base = rest.swap_remove(0).2.path;
            return Err(BundleError::WrongBase { path, base, wanted });
        };
        let (_, below, archive) = rest.swap_remove(at);
        archives.push(archive);
        wanted = below;
    }
    Ok(archives)
}

fn reference_of(descriptor: &Descriptor) -> Result<Reference, String> {
    let annotation = |name: &str| descriptor.annotations.as_ref().and_then(|all| all.get(name));
    let repository = annotation(layout::REPOSITORY).ok_or("it has no repository")?;
    let repository = Reference::parse(repository).map_err(|error| error.to_string())?;
    if repository.tag().is_some() || repository.digest().is_some() {
        return Err("its repository has a tag or a digest".to_owned());
    }
    let Some(name) = annotation(layout::REF_NAME) else {
        return Ok(repository.with_digest(descriptor.digest.clone()));
    };
    let named = Reference::parse(name).map_err(|error| error.to_string())?;
    if named.repository_only() != repository || named.digest().is_some() {
        return Err("its name is not in its repository".to_owned());
    }
    Ok(named.with_digest(descriptor.digest.clone()))
}
