//! A client that asks once for what every release needs and a watch tells of: the HelmRepositories, and the table of
//! mirrors. An answer holds until the watch shows a change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;

use super::memory::Memory;
use crate::cluster::registry_table::TABLE;
use crate::cluster::relay;

/// Answers that are remembered.
const MAX_ANSWERS: usize = 256;

/// What was answered, and how often the watch had shown a change when it was asked.
#[derive(Clone)]
struct Answer {
    changes: u64,
    status: StatusCode,
    body: Bytes,
}

type Answers = Arc<Mutex<HashMap<String, Answer>>>;

/// A client for objects of `namespace`, whose watches tell `memory` of every change.
pub fn client(inner: Client, namespace: &str, memory: Memory) -> Client {
    let namespace = namespace.to_owned();
    let answers = Answers::default();
    relay::client(inner, move |inner, request| {
        let cause = cause(&request, &namespace);
        let (memory, answers) = (memory.clone(), answers.clone());
        async move {
            match cause {
                Some(cause) => remembered(&inner, request, cause, &memory, &answers).await,
                None => inner.send(request).await,
            }
        }
    })
}

/// How the memory calls what is asked for, if it knows of its changes.
fn cause(request: &Request<Body>, namespace: &str) -> Option<String> {
    let uri = request.uri();
    if *request.method() != Method::GET || uri.query().is_some_and(|query| !query.is_empty()) {
        return None;
    }
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["apis", "cd.qdrant.io", "v1", "namespaces", own, "helmrepositories", name]
            if *own == namespace =>
        {
            Some(format!("HelmRepository/{name}"))
        }
        ["api", "v1", "namespaces", own, "configmaps", TABLE] if *own == namespace => {
            Some(format!("ConfigMap/{TABLE}"))
        }
        _ => None,
    }
}

async fn remembered(
    inner: &Client,
    request: Request<Body>,
    cause: String,
    memory: &Memory,
    answers: &Answers,
) -> Result<Response<Body>, kube::Error> {
    // Counted before it is asked: of whatever changes from now on the watch has still to tell.
    let changes = memory.changes_of(&cause);
    let known = answers.lock().unwrap_or_else(PoisonError::into_inner).get(&cause).cloned();
    if let Some(known) = known.filter(|known| known.changes == changes) {
        return Ok(response(&known));
    }
    let (parts, body) = inner.send(request).await?.into_parts();
    if !matches!(parts.status, StatusCode::OK | StatusCode::NOT_FOUND) {
        return Ok(Response::from_parts(parts, body));
    }
    let answer = Answer { changes, status: parts.status, body: body.collect_bytes().await? };
    let response = response(&answer);
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    if answers.len() >= MAX_ANSWERS {
        answers.clear();
    }
    answers.insert(cause, answer);
    Ok(response)
}

fn response(answer: &Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body.to_vec()));
    *response.status_mut() = answer.status;
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{Api, PartialObjectMeta};
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    /// A client whose server answers each call with how many there were.
    fn counting() -> (Client, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let service = service_fn(move |request: Request<Body>| {
            let count = counted.fetch_add(1, Ordering::SeqCst);
            let missing = request.uri().path().contains("/empty/");
            async move {
                let body = match missing {
                    true => json!({"kind": "Status", "code": 404, "reason": "NotFound"}),
                    false => {
                        json!({"metadata": {"name": TABLE}, "data": {"count": count.to_string()}})
                    }
                };
                let mut response = Response::new(Body::from(body.to_string().into_bytes()));
                if missing {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                Ok::<_, kube::Error>(response)
            }
        });
        (Client::new(service, "n"), calls)
    }

    fn seen(memory: &Memory, version: &str) {
        let object: PartialObjectMeta<ConfigMap> = serde_json::from_value(
            json!({"metadata": {"name": TABLE, "resourceVersion": version}}),
        )
        .expect("metadata");
        memory.saw_values(&object);
    }

    #[tokio::test]
    async fn an_answer_holds_until_a_change_is_seen() {
        for namespace in ["n", "empty"] {
            let (memory, (inner, calls)) = (Memory::default(), counting());
            let client = client(inner, namespace, memory.clone());
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            let mut expected = 0;
            for version in ["1", "2", "3"] {
                seen(&memory, version);
                expected += 1;
                for _ in 0..3 {
                    let found = maps.get_opt(TABLE).await.expect("an answer");
                    assert_eq!(found.is_some(), namespace == "n");
                    assert_eq!(calls.load(Ordering::SeqCst), expected, "version {version}");
                }
            }
        }
    }

    #[tokio::test]
    async fn of_anything_else_nothing_is_remembered() {
        let (inner, calls) = counting();
        let client = client(inner, "n", Memory::default());
        for (namespace, name) in [("n", "other"), ("elsewhere", TABLE)] {
            let before = calls.load(Ordering::SeqCst);
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            for _ in 0..2 {
                maps.get_opt(name).await.expect("an answer");
            }
            assert_eq!(calls.load(Ordering::SeqCst), before + 2, "{namespace}/{name}");
        }
    }
}
