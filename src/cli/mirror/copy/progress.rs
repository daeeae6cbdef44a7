//! A bar on a terminal, lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pinnace_registry::mirror::{Event, Progress};

use super::Line;

/// Shows how far a copy is.
pub struct Shown {
    bar: ProgressBar,
    on_terminal: bool,
}

impl Shown {
    pub fn new(parts: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let on_terminal = !bar.is_hidden();
        let style = ProgressStyle::with_template(
            "{spinner} {wide_bar} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {msg} {eta}",
        );
        bar.set_style(style.expect("the template is a constant"));
        bar.set_message(format!("{parts} to look at,"));
        Self { bar, on_terminal }
    }

    /// Says what became of one part.
    pub fn done(&self, line: &Line, as_text: bool) {
        if self.on_terminal {
            self.bar.println(line.text());
        } else if as_text {
            println!("{}", line.text());
        } else if line.error.is_some() {
            eprintln!("{}", line.text());
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Shown {
    fn event(&self, event: Event) {
        if !self.on_terminal {
            return;
        }
        match event {
            Event::Expected(bytes) => self.bar.inc_length(bytes),
            Event::Sent(bytes) | Event::Spared(bytes) => self.bar.inc(bytes),
        }
    }
}
