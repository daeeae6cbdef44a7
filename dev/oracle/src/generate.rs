//! Cases from seeds, by subject.

mod document;
mod expression;
mod function;
mod language;
mod printf;
mod sets;

use fastrand::Rng;

use crate::case::Case;

/// A family of cases.
pub struct Subject {
    pub name: &'static str,
    /// How many of a hundred-odd cases are of this subject.
    pub weight: u32,
    /// Draws everything from the generator, and nothing from elsewhere.
    pub generate: fn(&mut Rng) -> Case,
}

pub const SUBJECTS: &[Subject] = &[
    Subject { name: "language", weight: 30, generate: language::case },
    Subject { name: "printf", weight: 20, generate: printf::case },
    Subject { name: "function", weight: 50, generate: function::case },
    Subject { name: "document", weight: 30, generate: document::case },
    Subject { name: "sets", weight: 10, generate: sets::case },
];

/// The endless row of cases of one seed.
pub struct Source {
    pub seed: u64,
    subjects: Vec<&'static Subject>,
}

impl Source {
    /// Cases of these subjects; of all if there is none.
    pub fn new(seed: u64, only: &[&'static Subject]) -> Self {
        let subjects = if only.is_empty() { SUBJECTS.iter().collect() } else { only.to_vec() };
        Source { seed, subjects }
    }

    /// The case of this number: always the same.
    pub fn case(&self, number: u64) -> Case {
        let mut rng = self.rng(number);
        (self.choose(&mut rng).generate)(&mut rng)
    }

    /// The subject of the case of this number.
    pub fn subject(&self, number: u64) -> &'static str {
        self.choose(&mut self.rng(number)).name
    }

    fn rng(&self, number: u64) -> Rng {
        let mut rng = Rng::with_seed(self.seed ^ number.rotate_left(32));
        Rng::with_seed(rng.u64(..) ^ number)
    }

    fn choose(&self, rng: &mut Rng) -> &'static Subject {
        let total: u32 = self.subjects.iter().map(|subject| subject.weight).sum();
        let mut at = rng.u32(..total);
        for subject in &self.subjects {
            match at.checked_sub(subject.weight) {
                Some(rest) => at = rest,
                None => return subject,
            }
        }
        unreachable!("the weights add up")
    }
}

/// One of them.
fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// True once in `n`.
fn once_in(rng: &mut Rng, n: u32) -> bool {
    rng.u32(..n) == 0
}
