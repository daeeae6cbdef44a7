//! A bar on a terminal, a line for each step elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pinnace_registry::bundle::Progress;
use pinnace_registry::{Digest, Reference};

/// Shows on stderr how far it is.
pub struct Shown {
    bar: ProgressBar,
    on_terminal: bool,
}

impl Shown {
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let on_terminal = !bar.is_hidden();
        let style = ProgressStyle::with_template(
            "{spinner} {msg} {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta}",
        );
        bar.set_style(style.expect("the template is a constant"));
        Self { bar, on_terminal }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Shown {
    fn step(&self, what: &'static str) {
        self.bar.set_message(what);
        self.bar.tick();
        if !self.on_terminal {
            eprintln!("{what}");
        }
    }

    fn expect(&self, blobs: usize, bytes: u64) {
        self.bar.set_length(bytes);
        if !self.on_terminal {
            eprintln!("  {blobs} blobs, {}", indicatif::BinaryBytes(bytes));
        }
    }

    fn bytes(&self, count: u64) {
        self.bar.inc(count);
    }

    fn done(&self, repository: &Reference, digest: &Digest, size: u64) {
        if !self.on_terminal {
            let size = indicatif::BinaryBytes(size);
            eprintln!("  {}@{digest} {size}", repository.path());
        }
    }
}
