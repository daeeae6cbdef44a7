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
    /// Cases that ended Helm's process: lists that no memory holds, loops that last a minute. We have limits there.
    pub fatal: u64,
}

/// More such cases among a thousand mean that something else is wrong with Helm's process.
const MAX_FATAL: u64 = 5;
/// As many may come at once.
const LUCK: u64 = 20;

/// A line after so many cases tells how far it is.
const PROGRESS: u64 = 100_000;
/// How far we may be behind Helm.
const AHEAD: usize = 1024;

/// Runs all cases and prints the differences as they come.
pub fn run(plan: &Plan) -> Result<Tally, HelmError> {
    ours::keep_panics_quiet();
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut first = plan.first;
    loop {
        let (questions, answers) = helm::start(&plan.oracle)?;
        let (sender, receiver) = sync_channel(AHEAD);
        let fatal = std::thread::scope(|scope| {
            scope.spawn(|| ask(plan, first, start, questions, sender));
            on_large_stack(|| compare(plan, answers, receiver, &mut tally))
        })?;
        match fatal {
            None => return Ok(tally),
            Some(number) => {
                first = on_large_stack(|| one_by_one(plan, number, &mut tally))?;
            }
        }
        tally.fatal += 1;
        if tally.fatal > LUCK + tally.cases / 1000 * MAX_FATAL {
            return Err(HelmError::Ended);
        }
    }
}

fn ask(
    plan: &Plan,
    first: u64,
    start: Instant,
    mut questions: Questions,
    sender: SyncSender<(u64, Case)>,
) {
    for number in first..plan.first.saturating_add(plan.cases) {
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

/// Some: the case that ended Helm's process.
fn compare(
    plan: &Plan,
    mut answers: Answers,
    receiver: Receiver<(u64, Case)>,
    tally: &mut Tally,
) -> Result<Option<u64>, HelmError> {
    for (number, case) in receiver {
        let helm = match answers.next() {
            Err(HelmError::Ended) => return Ok(Some(number)),
            answer => answer?,
        };
        judge(plan, number, &case, &helm, tally)?;
    }
    Ok(None)
}

/// Finds the case that ended Helm's process, which worked on several: it is `from`, or comes soon after it. The number of
/// the next one.
fn one_by_one(plan: &Plan, from: u64, tally: &mut Tally) -> Result<u64, HelmError> {
    let (mut questions, mut answers) = helm::start(&plan.oracle)?;
    let last = plan.first.saturating_add(plan.cases).min(from + AHEAD as u64);
    for number in from..last {
        let case = plan.source.case(number);
        // If either fails, there is no answer.
        let _ = questions.ask(&case).and_then(|()| questions.flush());
        let helm = match answers.next() {
            Err(HelmError::Ended) => {
                eprintln!("Helm's process does not survive case {number}");
                return Ok(number + 1);
            }
            answer => answer?,
        };
        judge(plan, number, &case, &helm, tally)?;
    }
    Ok(last)
}

/// Counts a case, and shows it if the two differ. Needs a large stack.
fn judge(
    plan: &Plan,
    number: u64,
    case: &Case,
    helm: &Outcome,
    tally: &mut Tally,
) -> Result<(), HelmError> {
    tally.cases += 1;
    if tally.cases.is_multiple_of(PROGRESS) {
        eprintln!("{} cases, {} differences so far", tally.cases, tally.differences);
    }
    if Verdict::of(helm, &ours::render(case), plan.words) == Verdict::Same {
        return Ok(());
    }
    if !shrink::is_steady(case, helm, plan)? {
        tally.unsteady += 1;
        return Ok(());
    }
    tally.differences += 1;
    if tally.differences <= plan.show as u64 {
        let small = shrink::shrink(case, plan)?;
        println!("# {}, seed {}, case {number}", plan.source.subject(number), plan.source.seed);
        println!("{small}");
    }
    Ok(())
}

/// A list's `slice` past its end. Go may show memory that it keeps in reserve there: see docs/compatibility.md.
fn is_past_the_end(error: &str) -> bool {
    error.contains("reflect.Value.Slice: slice index out of bounds")
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
            (Ok(_), Ok(Err(ours))) if is_past_the_end(ours) => Verdict::Same,
            (Ok(_), Ok(Err(_))) => Verdict::OnlyWeFail,
            (Err(_), Ok(Ok(_))) => Verdict::OnlyHelmFails,
        }
    }
}
