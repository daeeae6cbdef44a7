//! Cases through both engines, as a stream: Helm works on the next ones while we work on one.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use pinnace_engine::template::on_large_stack;

use crate::case::Case;
use crate::generate::Source;
use crate::helm::{self, Answers, HelmError, Outcome, Questions};
use crate::{ours, shrink};

pub struct Plan {
    pub source: Source,
    pub first: u64,
    pub cases: u64,
    /// No case starts later than this.
    pub time: Option<Duration>,
    pub oracle: PathBuf,
    /// Errors must have the same words.
    pub words: bool,
    /// How many differences are made small and printed.
    pub show: usize,
}

#[derive(Default)]
pub struct Tally {
    pub cases: u64,
    pub differences: u64,
    /// Cases to which Helm itself gives now this answer, now another: addresses, maps in random order.
    pub unsteady: u64,
}

/// How far we may be behind Helm.
const AHEAD: usize = 1024;

/// Runs all cases and prints the differences as they come.
pub fn run(plan: &Plan) -> Result<Tally, HelmError> {
    ours::keep_panics_quiet();
    let (questions, answers) = helm::start(&plan.oracle)?;
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(|| ask(plan, questions, sender));
        on_large_stack(|| compare(plan, answers, receiver))
    })
}

fn ask(plan: &Plan, mut questions: Questions, sender: SyncSender<(u64, Case)>) {
    let start = Instant::now();
    for number in plan.first..plan.first.saturating_add(plan.cases) {
        if plan.time.is_some_and(|time| start.elapsed() > time) {
            break;
        }
        let case = plan.source.case(number);
        // If either fails, the other side has the reason.
        let asked = questions.ask(&case).is_ok();
        if sender.send((number, case)).is_err() || !asked {
            return;
        }
        if number % 32 == 31 && questions.flush().is_err() {
            return;
        }
    }
    let _ = questions.flush();
}

fn compare(
    plan: &Plan,
    mut answers: Answers,
    receiver: Receiver<(u64, Case)>,
) -> Result<Tally, HelmError> {
    let mut tally = Tally::default();
    let mut shown = 0;
    for (number, case) in receiver {
        let helm = answers.next(&case)?;
        let ours = ours::render(&case);
        tally.cases += 1;
        if Verdict::of(&helm, &ours, plan.words) == Verdict::Same {
            continue;
        }
        if !shrink::is_steady(&case, &helm, plan)? {
            tally.unsteady += 1;
            continue;
        }
        tally.differences += 1;
        if shown < plan.show {
            shown += 1;
            let small = shrink::shrink(&case, plan)?;
            println!("# {}, seed {}, case {number}", plan.source.subject(number), plan.source.seed);
            println!("{small}");
        }
    }
    Ok(tally)
}

/// How two outcomes relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    OtherOutput,
    OtherWords,
    OnlyWeFail,
    OnlyHelmFails,
    Panic,
}

impl Verdict {
    pub fn of(helm: &Outcome, ours: &Result<Outcome, String>, words: bool) -> Self {
        match (helm, ours) {
            (_, Err(_)) => Verdict::Panic,
            (Ok(helm), Ok(Ok(ours))) if helm == ours => Verdict::Same,
            (Ok(_), Ok(Ok(_))) => Verdict::OtherOutput,
            (Err(helm), Ok(Err(ours))) if !words || helm == ours => Verdict::Same,
            (Err(_), Ok(Err(_))) => Verdict::OtherWords,
            (Ok(_), Ok(Err(_))) => Verdict::OnlyWeFail,
            (Err(_), Ok(Ok(_))) => Verdict::OnlyHelmFails,
        }
    }
}
