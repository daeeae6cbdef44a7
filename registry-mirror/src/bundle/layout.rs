//! What a bundle's tar may hold, under which names, and how much of it.

use crate::digest::Digest;

/// The OCI image layout's own files.
pub(super) const LAYOUT_FILE: &str = "oci-layout";
pub(super) const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
pub(super) const INDEX_FILE: &str = "index.json";
/// Beside the layout: the signature over the index.
pub(super) const SIGNATURE_FILE: &str = "index.json.sig";

/// Annotation of the index: version of what this module writes.
pub(super) const VERSION: &str = "dev.pinnace.bundle.version";
pub(super) const CURRENT_VERSION: &str = "1";
/// Annotation of the index: digest of the index of the bundle that holds what is left out here.
pub(super) const BASE: &str = "dev.pinnace.bundle.base";
/// Annotation of the index: how many blobs are left out, and the digest of their sorted list.
pub(super) const LEFT_OUT: &str = "dev.pinnace.bundle.left-out";
/// Annotation of a manifest: `host/path` that it was pulled from.
pub(super) const REPOSITORY: &str = "dev.pinnace.bundle.repository";
/// Annotation of a manifest: full name with its tag, as skopeo and others look it up.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The same for `ctr images import`.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Most files in one bundle. 200 000.
pub(super) const MOST_FILES: usize = 200_000;
/// Largest index, in bytes. 32 MiB.
pub(super) const INDEX_BYTES: u64 = 32 * 1024 * 1024;
/// Largest signature file, in bytes. 16 KiB.
pub(super) const SIGNATURE_BYTES: u64 = 16 * 1024;
/// Largest manifest, in bytes. 4 MiB: what registries must accept by the distribution spec.
pub(super) const MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
/// Deepest nesting of indexes in indexes. 4.
pub(super) const DEEPEST: usize = 4;

/// A file of the tar, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Layout,
    Index,
    Signature,
    Blob(Digest),
}

/// Only these names exist; whatever else a tar holds is refused, so no path is ever made of one.
pub(super) fn entry(name: &str) -> Option<Entry> {
    let name = name.strip_prefix("./").unwrap_or(name);
    match name {
        LAYOUT_FILE => Some(Entry::Layout),
        INDEX_FILE => Some(Entry::Index),
        SIGNATURE_FILE => Some(Entry::Signature),
        _ => {
            let hex = name.strip_prefix("blobs/sha256/")?;
            format!("sha256:{hex}").parse().ok().map(Entry::Blob)
        }
    }
}

/// Folders that other tools write before the files in them.
pub(super) fn is_folder(name: &str) -> bool {
    matches!(name.trim_start_matches("./").trim_end_matches('/'), "" | "blobs" | "blobs/sha256")
}

pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let digest = Digest::of(b"x");
        assert_eq!(entry(&blob_name(&digest)), Some(Entry::Blob(digest)));
        assert_eq!(entry("./index.json"), Some(Entry::Index));
        for name in [
            "",
            "/index.json",
            "../index.json",
            "blobs/sha256/..",
            "blobs/sha256/../../etc/passwd",
            "blobs/sha512/ab",
            "manifest.json",
        ] {
            assert_eq!(entry(name), None, "{name}");
        }
        assert!(is_folder("blobs/") && is_folder("./") && !is_folder("blobs/x/"));
    }
}
