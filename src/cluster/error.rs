//! What went wrong with the cluster, for people; and which calls are worth another try.

use std::fmt::Display;
use std::time::Duration;

use kube::core::Status;
use tower::BoxError;

use super::fence;

/// How often a call is made before its error counts.
const TRIES: u32 = 5;
/// How long the API server may take for one answer: longer than its longest wait for a webhook, which is 30 s
/// (`timeoutSeconds`), so that its own word about the webhook is heard.
pub const LIMIT: Duration = Duration::from_secs(35);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {verb} {object}: {}", explain(source))]
    Api { verb: &'static str, object: String, source: kube::Error },
    #[error(
        "the cluster has no {kind} in {api_version}: install its CustomResourceDefinition, or correct the chart"
    )]
    UnknownKind { api_version: String, kind: String },
    #[error("cannot read the manifest of {source_file}: {message}")]
    Manifest { source_file: String, message: String },
    #[error(
        "{object} belongs to the Helm release {owner}: uninstall that release, or rename the object"
    )]
    Owned { object: String, owner: String },
    #[error(
        "{object} exists and is not managed by Helm: delete it, or let the release take it over"
    )]
    NotOwned { object: String },
    #[error(
        "the crds/ folder of the chart has {object}, and this account may not {verb} it: \
         a cluster administrator has to apply it first ({})",
        explain(source)
    )]
    CrdForbidden { verb: &'static str, object: String, source: kube::Error },
    #[error(
        "{object} would lose version {version}, which objects are stored in: keep that version in the chart, or have the \
         objects rewritten and remove it from status.storedVersions first"
    )]
    StoredVersion { object: String, version: String },
    #[error("{object} cannot be changed: {}: {instead}", explain(source))]
    Immutable { object: String, instead: &'static str, source: kube::Error },
    #[error("{0}")]
    NotReady(String),
    #[error("stopped before the end")]
    Interrupted,
    #[error("a newer version of the object asks for something else")]
    Preempted,
}

impl Error {
    pub fn api(verb: &'static str, object: impl Display, source: kube::Error) -> Self {
        Self::Api { verb, object: object.to_string(), source }
    }

    /// Whether the cluster was out of reach or busy, so that the same call may succeed later.
    pub fn transient(&self) -> bool {
        matches!(self, Self::Api { source, .. } if transient(source) || collided(source))
    }

    /// Whether the action ended because it was told to, not because something failed.
    pub fn stopped(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Preempted)
    }
}

/// The API server's own words; for transport errors the innermost cause.
pub fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("{} ({})", status.reason, status.code),
        kube::Error::Service(why) if why.is::<fence::Expired>() => why.to_string(),
        other => {
            let mut innermost: &dyn std::error::Error = other;
            while let Some(cause) = innermost.source() {
                innermost = cause;
            }
            format!("the Kubernetes API cannot be reached: {innermost}")
        }
    }
}

/// An error and its causes on one line, for logs and statuses.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<kube::Error>() {
            return format!("{text}: {}", explain(error));
        }
        let more = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The answer's status, if the API server answered at all.
pub fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// Whether the API server answered with this HTTP code.
pub fn is_code(error: &kube::Error, code: u16) -> bool {
    status(error).is_some_and(|s| s.code == code)
}

/// Whether the manifest has a field that its kind does not have. Server-side apply answers that with a code 500.
pub fn undeclared(error: &kube::Error) -> bool {
    status(error).is_some_and(|s| {
        s.message.contains("failed to create typed patch object")
            || s.message.contains("field not declared in schema")
    })
}

/// Busy, restarting or unreachable: 429, 5xx and broken connections.
pub fn transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) if undeclared(error) => status.code == 429,
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

/// Whether two writes met (409 `Conflict`). A call that names no version of its own can be refused by it, too: where the
/// server counts what it makes against a quota. That an object is there already (`AlreadyExists`) is another matter.
pub fn collided(error: &kube::Error) -> bool {
    status(error).is_some_and(|s| s.code == 409 && s.reason == "Conflict")
}

/// The pause after so many tries, without jitter.
fn pause(tried: u32) -> Duration {
    Duration::from_millis(100 << tried)
}

/// A call that ends: after [`LIMIT`] without an answer it counts as one that did not reach the API server. What
/// it was to do may have been done. On the heap: the future of a call takes some KiB, in each of those around it.
pub fn limited<T>(
    call: impl Future<Output = Result<T, kube::Error>>,
) -> impl Future<Output = Result<T, kube::Error>> {
    Box::pin(within(LIMIT, call))
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(kube::Error::Service(unanswered(limit))),
    }
}

/// The cause of a call that was given up after `limit`.
pub fn unanswered(limit: Duration) -> BoxError {
    format!("it has not answered within {} s", limit.as_secs()).into()
}

/// Makes an idempotent call again while the API server is busy or away: after 0.2, 0.4, 0.8 and 1.6 s,
/// each up to half as long again. Each try ends like one that is [`limited`].
pub fn retried<T, F, Call>(call: Call) -> impl Future<Output = Result<T, kube::Error>>
where
    Call: FnMut() -> F,
    F: Future<Output = Result<T, kube::Error>>,
{
    Box::pin(again(call, transient))
}

/// The same for a write that names no version of the object: if it has [`collided`], that was none of its own doing.
pub fn unconditional<T, F, Call>(call: Call) -> impl Future<Output = Result<T, kube::Error>>
where
    Call: FnMut() -> F,
    F: Future<Output = Result<T, kube::Error>>,
{
    Box::pin(again(call, |error| transient(error) || collided(error)))
}

async fn again<T, F, Call>(
    mut call: Call,
    worth: impl Fn(&kube::Error) -> bool,
) -> Result<T, kube::Error>
where
    Call: FnMut() -> F,
    F: Future<Output = Result<T, kube::Error>>,
{
    let mut tried = 1;
    loop {
        match within(LIMIT, call()).await {
            Err(error) if tried < TRIES && worth(&error) => {
                tokio::time::sleep(pause(tried).mul_f64(1.0 + rand::random::<f64>() / 2.0)).await;
                tried += 1;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16) -> kube::Error {
        kube::Error::Api(Status::failure("no", "Because").with_code(code).boxed())
    }

    #[test]
    fn a_slow_webhook_is_waited_for() {
        let longest_webhook = Duration::from_secs(30);
        assert!(LIMIT > longest_webhook);
    }

    #[test]
    fn busy_servers_are_asked_again() {
        for (code, again) in
            [(500, true), (503, true), (429, true), (404, false), (409, false), (403, false)]
        {
            assert_eq!(transient(&api(code)), again, "{code}");
        }
        let typo = "failed to create typed patch object (n/x; /v1, Kind=X): .a: field not declared in schema";
        let typo = Status::failure(typo, "InternalError").with_code(500);
        assert!(!transient(&kube::Error::Api(typo.boxed())));
        assert_eq!([1, 2, 3, 4].map(|tried| pause(tried).as_millis()), [200, 400, 800, 1600]);
    }

    #[tokio::test]
    async fn a_refusal_is_not_asked_again() {
        let mut made = 0;
        let result: Result<(), _> = retried(|| {
            made += 1;
            async { Err(api(403)) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(made, 1);
    }

    #[tokio::test]
    async fn a_write_that_met_another_one_is_made_again() {
        let refused = |reason: &str| {
            let status = Status::failure("the object has been modified", reason).with_code(409);
            kube::Error::Api(status.boxed())
        };
        let made = async |reason: &str| {
            let mut made = 0;
            let result = unconditional(|| {
                made += 1;
                let result = if made < 3 { Err(refused(reason)) } else { Ok(()) };
                async { result }
            });
            (result.await.is_ok(), made)
        };
        assert_eq!(made("Conflict").await, (true, 3));
        assert_eq!(made("AlreadyExists").await, (false, 1));
        assert!(
            !transient(&refused("Conflict")),
            "a call that names a version is refused for good"
        );
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_out_of_reach() {
        let result: Result<(), _> = within(Duration::ZERO, std::future::pending()).await;
        let error = result.expect_err("no answer");
        assert!(transient(&error));
        assert_eq!(
            explain(&error),
            "the Kubernetes API cannot be reached: it has not answered within 0 s"
        );
    }

    #[test]
    fn the_servers_words_are_told_once() {
        let error = Error::api("apply", "Deployment a/b", api(422));
        assert_eq!(error.to_string(), "cannot apply Deployment a/b: no");
    }
}
