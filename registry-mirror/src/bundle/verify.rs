//! Every byte of a bundle against its digest.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{error::BundleError, opened::Bundle};
use crate::digest::Digest;

/// What [`Bundle::verify`] has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub manifests: usize,
    pub blobs: usize,
    pub bytes: u64,
    /// Blobs that are left out, and are in no base that was given.
    pub not_here: usize,
}

impl Bundle {
    /// Reads all that is here, on all processors. `read` is told how many bytes were read.
    pub fn verify(&self, read: &(dyn Fn(u64) + Sync)) -> Result<Verified, BundleError> {
        let blobs: Vec<(&Digest, u64)> = self.present().collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((digest, _)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.check(digest, read) {
                    next.store(blobs.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        Ok(Verified {
            manifests: self.manifest_count(),
            blobs: blobs.len(),
            bytes: blobs.iter().map(|(_, size)| size).sum(),
            not_here: self.missing().count(),
        })
    }
}
