//! The tests of a deployed release: its hooks of the event `test` (`pkg/action/release_testing.go`).

use std::time::Duration;

use super::record::{Hook, Record};
use super::storage::Stored;
use super::{Context, Error, hooks};
use crate::cluster;

/// The event of tests; the engine has made it of `test-success`, too.
pub const EVENT: &str = "test";

/// How a release is tested (`spec.test`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// For each test.
    pub timeout: Duration,
    /// Tests to run by name; all of them if this is empty.
    pub only: Vec<String>,
    /// Tests to leave out.
    pub without: Vec<String>,
}

impl Options {
    fn choose(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|n| n == name);
        !named(&self.without) && (self.only.is_empty() || named(&self.only))
    }
}

/// Runs the tests that have not succeeded yet, one at a time, until one fails. The record says what became of each.
///
/// [`cluster::Error::Preempted`] if something newer is wanted meanwhile; what runs then goes on running, and a later
/// call for the same revision looks on.
pub async fn run(ctx: &Context<'_>, stored: &mut Stored, options: &Options) -> Result<(), Error> {
    let chosen = |name: &str| options.choose(name);
    tokio::select! {
        result = hooks::run_chosen(ctx, stored, EVENT, options.timeout, chosen) => result,
        () = ctx.stop.cancelled() => Err(cluster::Error::Interrupted.into()),
        () = ctx.preempt.cancelled() => Err(cluster::Error::Preempted.into()),
    }
}

/// The tests of a release.
pub fn hooks_of(record: &Record) -> impl Iterator<Item = &Hook> {
    record.hooks.iter().filter(|hook| hook.events.iter().any(|e| e == EVENT || e == "test-success"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_chosen_by_name() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let chosen = |only: &[&str], without: &[&str]| {
            let options =
                Options { only: names(only), without: names(without), ..Options::default() };
            ["a", "b", "c"].into_iter().filter(|name| options.choose(name)).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&[], &[]), ["a", "b", "c"]);
        assert_eq!(chosen(&["a", "c"], &[]), ["a", "c"]);
        assert_eq!(chosen(&[], &["b"]), ["a", "c"]);
        assert_eq!(chosen(&["a", "b"], &["b"]), ["a"]);
    }
}
