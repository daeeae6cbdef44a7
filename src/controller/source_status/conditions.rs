//! The conditions of a source, pure: what came of a look at it, in Flux's words (source-controller `api/v1`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use pinnace_registry::verify::Verdict;

use crate::controller::source::{Error, Kind};
use crate::model::condition::{
    ARTIFACT_IN_STORAGE, FETCH_FAILED, READY, RECONCILING, SOURCE_VERIFIED, STALLED, reason,
};

/// What a source says of itself.
pub enum Said<'a> {
    /// An artifact is there. `verified`: by whom it is signed, if anybody was asked for.
    Good { reason: &'static str, message: &'a str, stored: bool, verified: Option<&'a Verdict> },
    /// There is none, or what is there is older than what was asked for.
    Bad { reason: &'static str, message: &'a str, kind: Kind },
}

impl<'a> Said<'a> {
    /// A failure, in the words of an OCIRepository, or of a HelmChart.
    pub fn failed(error: &Error, message: &'a str, of_chart: bool) -> Self {
        let class = error.class();
        let reason = if of_chart { class.chart } else { class.artifact };
        Self::Bad { reason, message, kind: class.kind }
    }
}

/// All conditions after a look. One that stays as it is keeps its time.
pub fn conditions(
    before: &[Condition],
    generation: i64,
    said: &Said<'_>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |type_: &str, value: &str, reason: &str, message: &str| {
        let old = before.iter().find(|c| c.type_ == type_ && c.status == value);
        Condition {
            type_: type_.to_owned(),
            status: value.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: old.map_or(Time(now), |old| old.last_transition_time.clone()),
        }
    };
    let kept = |type_: &str| before.iter().find(|c| c.type_ == type_).cloned();
    match said {
        Said::Good { reason, message, stored, verified } => {
            let mut all = vec![condition(READY, "True", reason, message)];
            if *stored {
                all.push(condition(ARTIFACT_IN_STORAGE, "True", reason, message));
            }
            all.extend(verified.and_then(told).map(|(value, reason, message)| {
                condition(SOURCE_VERIFIED, value, reason, &message)
            }));
            all
        }
        Said::Bad { reason, message, kind } => {
            let mut all = vec![condition(READY, "False", reason, message)];
            match kind {
                Kind::Stalled => all.push(condition(STALLED, "True", reason, message)),
                Kind::Fetch | Kind::Signature => all.push(condition(
                    RECONCILING,
                    "True",
                    reason::PROGRESSING_WITH_RETRY,
                    message,
                )),
            }
            match kind {
                Kind::Signature => all.push(condition(SOURCE_VERIFIED, "False", reason, message)),
                Kind::Fetch | Kind::Stalled => {
                    all.push(condition(FETCH_FAILED, "True", reason, message));
                    all.extend(kept(SOURCE_VERIFIED));
                }
            }
            all.extend(kept(ARTIFACT_IN_STORAGE));
            all
        }
    }
}

/// Status, reason and message of [`SOURCE_VERIFIED`].
fn told(verdict: &Verdict) -> Option<(&'static str, &'static str, String)> {
    match verdict {
        Verdict::Signed(by) => Some(("True", "Succeeded", format!("signed: {by}"))),
        Verdict::Warned(why) => Some(("False", "VerificationError", why.clone())),
        Verdict::NotAsked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(conditions: &[Condition]) -> Vec<String> {
        conditions.iter().map(|c| format!("{} {} {}", c.type_, c.status, c.reason)).collect()
    }

    #[test]
    fn a_failure_is_told_and_what_was_found_before_stays() {
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let signed = Verdict::Signed("by a key".into());
        let good = |message| Said::Good {
            reason: "Succeeded",
            message,
            stored: true,
            verified: Some(&signed),
        };
        let first = conditions(&[], 1, &good("a"), at(1));
        let expected = [
            "Ready True Succeeded",
            "ArtifactInStorage True Succeeded",
            "SourceVerified True Succeeded",
        ];
        assert_eq!(summary(&first), expected);
        let again = conditions(&first, 1, &good("a"), at(2));
        assert_eq!(again, first, "no news");

        let bad = |kind| Said::Bad { reason: "OCIArtifactPullFailed", message: "why", kind };
        let failed = conditions(&first, 2, &bad(Kind::Fetch), at(3));
        assert_eq!(
            summary(&failed),
            [
                "Ready False OCIArtifactPullFailed",
                "Reconciling True ProgressingWithRetry",
                "FetchFailed True OCIArtifactPullFailed",
                "SourceVerified True Succeeded",
                "ArtifactInStorage True Succeeded",
            ]
        );
        assert_eq!(failed[4].observed_generation, Some(1), "what it is about");
        let refused = conditions(&[], 1, &bad(Kind::Signature), at(3));
        assert_eq!(summary(&refused)[2], "SourceVerified False OCIArtifactPullFailed");
        let stalled = conditions(&failed, 2, &bad(Kind::Stalled), at(4));
        assert!(summary(&stalled).contains(&"Stalled True OCIArtifactPullFailed".to_owned()));
        assert!(!summary(&stalled).iter().any(|c| c.starts_with("Reconciling")));
        assert_eq!(summary(&conditions(&stalled, 3, &good("b"), at(5))), expected);
    }
}
