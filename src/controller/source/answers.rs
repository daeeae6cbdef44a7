//! What registries answered lately: a release is looked at more often than its chart is asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::origin::Origin;
use crate::api::annotation;
use crate::api::helm_release::HelmRelease;
use crate::cluster::registry_table::Table;

/// Questions that are remembered.
const MAX_QUESTIONS: usize = 4096;

/// Which chart of which version, asked of which repository as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    namespace: String,
    repository: Option<String>,
    generation: Option<i64>,
    chart: String,
    version: String,
    /// Of the mirror table.
    table: String,
}

impl Question {
    pub fn of(namespace: &str, origin: &Origin, table: &Table) -> Self {
        let (repository, generation) = origin.said_by.clone();
        Self {
            namespace: namespace.to_owned(),
            repository,
            generation,
            chart: origin.url.clone(),
            version: origin.which.text().to_owned(),
            table: table.version.clone(),
        }
    }
}

/// The digest that each question was answered with, and when.
#[derive(Default)]
pub struct Answers(Mutex<HashMap<Question, (Instant, String)>>);

impl Answers {
    /// The answer, unless it is too old for the release, or the release asks for a look now.
    pub fn known(&self, question: &Question, release: &HelmRelease) -> Option<String> {
        let handled = release.status.as_ref().and_then(|s| s.last_handled_reconcile_at.as_deref());
        if release.request(annotation::REQUESTED_AT) != handled {
            return None;
        }
        self.younger(question, release.chart_interval(), Instant::now())
    }

    /// A look comes up to a tenth before its time.
    fn younger(&self, question: &Question, interval: Duration, now: Instant) -> Option<String> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, digest) = answers.get(question)?;
        let young = now.saturating_duration_since(*since) < interval.mul_f64(0.9);
        young.then(|| digest.clone())
    }

    pub fn note(&self, question: Question, digest: &str) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MAX_QUESTIONS {
            answers.clear();
        }
        answers.insert(question, (Instant::now(), digest.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(version: &str) -> Question {
        Question {
            namespace: "n".into(),
            repository: Some("u".into()),
            generation: Some(1),
            chart: "c".into(),
            version: version.into(),
            table: String::new(),
        }
    }

    #[test]
    fn an_answer_holds_for_the_charts_interval() {
        let answers = Answers::default();
        answers.note(question("1.x"), "sha256:1");
        let interval = Duration::from_secs(100);
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        let known =
            |version: &str, seconds| answers.younger(&question(version), interval, after(seconds));
        assert_eq!(known("1.x", 80).as_deref(), Some("sha256:1"));
        assert_eq!(known("1.x", 91), None);
        assert_eq!(known("2.x", 0), None);
    }
}
