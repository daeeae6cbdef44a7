//! A difference made small: pieces of the case go as long as it differs in the same way.

use std::fmt;

use crate::case::{Case, shared_values};
use crate::helm::{self, HelmError, Outcome};
use crate::ours;
use crate::run::{Plan, Verdict};

/// How often candidates are tried; each time is a start of Helm's process.
const ROUNDS: usize = 100;

/// The smallest case found, and what both make of it.
pub struct Small {
    case: Case,
    helm: Outcome,
    ours: Result<Outcome, String>,
}

/// Shrinks a case that differs. Needs a large stack.
pub fn shrink(case: &Case, plan: &Plan) -> Result<Small, HelmError> {
    let mut best = try_all(vec![case.clone()], plan)?.pop().ok_or(HelmError::Ended)?;
    let wanted = best.verdict(plan);
    let mut size = best.case.template.chars().count().div_ceil(2).max(1);
    for _ in 0..ROUNDS {
        let tried = try_all(smaller(&best.case, size), plan)?;
        match tried.into_iter().find(|small| small.verdict(plan) == wanted) {
            Some(small) if is_steady(&small.case, &small.helm, plan)? => best = small,
            Some(_) => break,
            None if size == 1 => break,
            None => size = size.div_ceil(2),
        }
    }
    Ok(best)
}

/// How often each of so many processes is asked again. Of two keys in Go's random order they have the same one first so
/// often in one of four billion cases; each process has its heap elsewhere, and a printed address may be shorter in one of
/// sixteen.
const AGAIN: usize = 8;
const PROCESSES: usize = 4;

/// Whether Helm gives the same answer again and again, in other processes.
pub fn is_steady(case: &Case, first: &Outcome, plan: &Plan) -> Result<bool, HelmError> {
    let same = |small: &Small| match (&small.helm, first) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => a == b || !plan.words,
        _ => false,
    };
    for _ in 0..PROCESSES {
        let again = try_all(vec![case.clone(); AGAIN], plan)?;
        if again.len() < AGAIN || !again.iter().all(same) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Those up to one that ends Helm's process.
fn try_all(cases: Vec<Case>, plan: &Plan) -> Result<Vec<Small>, HelmError> {
    let (mut questions, mut answers) = helm::start(&plan.oracle)?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let asked = cases.iter().try_for_each(|case| questions.ask(case));
            // If it fails, the answer that does not come tells.
            let _ = asked.and_then(|()| questions.flush());
            drop(questions);
        });
        let mut tried = Vec::new();
        for case in &cases {
            let helm = match answers.next() {
                Err(HelmError::Ended) => break,
                answer => answer?,
            };
            tried.push(Small { case: case.clone(), helm, ours: ours::render(case) });
        }
        Ok(tried)
    })
}

/// The case without one of its other files, on the shared values, or without `size` characters.
fn smaller(case: &Case, size: usize) -> Vec<Case> {
    let mut found = Vec::new();
    for i in 0..case.templates.len() {
        let mut less = case.clone();
        less.templates.remove(i);
        found.push(less);
    }
    for i in 0..case.files.len() {
        let mut less = case.clone();
        less.files.remove(i);
        found.push(less);
    }
    for i in 0..case.sets.len() {
        let mut less = case.clone();
        less.sets.remove(i);
        found.push(less);
        found.extend(without_one_character(&case.sets[i].line).map(|line| {
            let mut less = case.clone();
            less.sets[i].line = line;
            less
        }));
    }
    for i in 0..case.files.len() {
        found.extend(without_one_character(&case.files[i].1).map(|text| {
            let mut less = case.clone();
            less.files[i].1 = text;
            less
        }));
    }
    if case.integers {
        found.push(Case { integers: false, ..case.clone() });
    }
    if case.values != shared_values() {
        found.push(Case { values: shared_values(), ..case.clone() });
    }
    // The files are what matters, and a template that reads none of them can differ for another reason.
    let text: Vec<char> = match case.files.is_empty() {
        true => case.template.chars().collect(),
        false => Vec::new(),
    };
    for start in (0..text.len()).step_by(size.div_ceil(2)) {
        let end = (start + size).min(text.len());
        let template = text[..start].iter().chain(&text[end..]).collect();
        found.push(Case { template, ..case.clone() });
    }
    found
}

fn without_one_character(text: &str) -> impl Iterator<Item = String> {
    text.char_indices().map(|(at, c)| format!("{}{}", &text[..at], &text[at + c.len_utf8()..]))
}

impl Small {
    fn verdict(&self, plan: &Plan) -> Verdict {
        Verdict::of(&self.helm, &self.ours, plan.words)
    }
}

impl fmt::Display for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |outcome: &Outcome| match outcome {
            Ok(text) => format!("| {}", text.replace('\n', "\n| ")),
            Err(text) => format!("! {}", text.replace('\n', "\n! ")),
        };
        writeln!(f, "{}", self.case)?;
        writeln!(f, "helm:\n{}", line(&self.helm))?;
        match &self.ours {
            Ok(outcome) => writeln!(f, "ours:\n{}", line(outcome)),
            Err(panic) => writeln!(f, "ours:\npanic: {panic}"),
        }
    }
}
