//! Which records this process has written: whoever watches them knows the writes of others by it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Versions that are remembered.
const KEPT: usize = 1024;

#[derive(Default)]
struct Known {
    /// The versions that this process has written lately.
    own: VecDeque<String>,
    /// By release: the version that was last seen, and how often one was seen that others have written.
    seen: HashMap<String, (String, u64)>,
    /// By release: how many writes are under way, and the versions that were seen since. An event can come before its
    /// write's answer.
    under_way: HashMap<String, (usize, Vec<String>)>,
}

/// Clones share what is known.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Known>>);

impl Written {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record of this release is about to be written.
    pub(super) fn begin(&self, release: &str) -> Writing<'_> {
        self.known().under_way.entry(release.to_owned()).or_default().0 += 1;
        Writing { written: self, release: release.to_owned() }
    }

    /// A watch has shown a record of this version.
    pub fn saw(&self, release: &str, version: &str) {
        let mut known = self.known();
        let own = known.own.iter().any(|own| own == version);
        if own || known.seen.get(release).is_some_and(|(last, _)| last == version) {
            return;
        }
        let seen = known.seen.entry(release.to_owned()).or_default();
        *seen = (version.to_owned(), seen.1 + 1);
        if let Some((_, early)) = known.under_way.get_mut(release) {
            early.push(version.to_owned());
        }
    }

    /// How often others have written records of the release.
    pub fn by_others(&self, release: &str) -> u64 {
        self.known().seen.get(release).map_or(0, |(_, times)| *times)
    }
}

/// A write that is under way until this is dropped.
pub(super) struct Writing<'a> {
    written: &'a Written,
    release: String,
}

impl Writing<'_> {
    /// The write has made this version.
    pub fn done(self, version: Option<&str>) {
        let Some(version) = version else { return };
        let mut known = self.written.known();
        let early = known.under_way.get_mut(&self.release).map(|(_, early)| early);
        let counted = early.and_then(|early| {
            let at = early.iter().position(|early| early == version)?;
            Some(early.remove(at))
        });
        if counted.is_some()
            && let Some((_, times)) = known.seen.get_mut(&self.release)
        {
            *times = times.saturating_sub(1);
        }
        if known.own.len() >= KEPT {
            known.own.pop_front();
        }
        known.own.push_back(version.to_owned());
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut known = self.written.known();
        if let Some((writes, _)) = known.under_way.get_mut(&self.release) {
            *writes -= 1;
            if *writes == 0 {
                known.under_way.remove(&self.release);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_writes_are_known_for_a_while() {
        let written = Written::default();
        for version in 0..=KEPT {
            written.begin("r").done(Some(&version.to_string()));
        }
        written.saw("r", "1");
        written.saw("r", "1024");
        assert_eq!(written.by_others("r"), 0);
        written.saw("r", "0");
        written.saw("r", "0");
        assert_eq!((written.by_others("r"), written.by_others("s")), (1, 0));
        assert!(written.known().under_way.is_empty());
    }

    #[test]
    fn an_event_may_come_before_its_writes_answer() {
        let written = Written::default();
        let writing = written.begin("r");
        written.saw("r", "7");
        written.saw("r", "8");
        assert_eq!(written.by_others("r"), 2);
        writing.done(Some("8"));
        assert_eq!(written.by_others("r"), 1, "7 is another's");
        let lost = written.begin("r");
        written.saw("r", "9");
        drop(lost);
        assert_eq!(written.by_others("r"), 2, "nobody knows whose it is");
    }
}
