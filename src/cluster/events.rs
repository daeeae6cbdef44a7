//! Kubernetes Events about one object.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::error;

/// The longest note that the events API takes, in bytes.
const MAX_NOTE: usize = 1024;
/// Events that are remembered, so that the next one of the same words only counts. A recorder remembers each for six
/// minutes, whole: of a thousand releases that is more than all else that is known of them.
const REMEMBERED: u32 = 100;

/// Publishes Events as one component. An Event that cannot be published is logged, never an error.
#[derive(Clone)]
pub struct Events {
    client: Client,
    reporter: Reporter,
    recorder: Arc<Mutex<(Recorder, u32)>>,
}

impl Events {
    /// `controller` names the component, `instance` the process.
    pub fn new(client: Client, controller: &str, instance: &str) -> Self {
        let reporter = Reporter { controller: controller.into(), instance: Some(instance.into()) };
        let recorder = Recorder::new(client.clone(), reporter.clone());
        Self { client, reporter, recorder: Arc::new(Mutex::new((recorder, 0))) }
    }

    /// For one Event more.
    fn recorder(&self) -> Recorder {
        let mut current = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if current.1 == REMEMBERED {
            *current = (Recorder::new(self.client.clone(), self.reporter.clone()), 0);
        }
        current.1 += 1;
        current.0.clone()
    }

    pub async fn normal(&self, about: &ObjectReference, reason: &str, note: &str) {
        self.publish(about, EventType::Normal, reason, note).await;
    }

    pub async fn warning(&self, about: &ObjectReference, reason: &str, note: &str) {
        self.publish(about, EventType::Warning, reason, note).await;
    }

    async fn publish(&self, about: &ObjectReference, type_: EventType, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.into(),
            note: Some(shortened(note, MAX_NOTE)),
            action: reason.into(),
            secondary: None,
        };
        let recorder = self.recorder();
        if let Err(error) = error::limited(recorder.publish(&event, about)).await {
            tracing::warn!(reason, error = %error::explain(&error), "an event was not published");
        }
    }
}

/// At most `max` bytes of the text; `…` shows that some is missing.
pub fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, Response};
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    /// What an API server is asked, that says yes to everything.
    fn asked() -> (Client, Arc<Mutex<Vec<Method>>>) {
        let asked = Arc::<Mutex<Vec<Method>>>::default();
        let noted = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Body>| {
            noted.lock().expect("no panic").push(request.method().clone());
            async {
                Ok::<_, kube::Error>(Response::new(Body::from(br#"{"metadata": {}}"#.to_vec())))
            }
        });
        (Client::new(service, "n"), asked)
    }

    #[tokio::test]
    async fn the_same_words_are_counted_until_many_others_were_told() {
        let (client, asked) = asked();
        let events = Events::new(client, "controller", "process");
        let about = ObjectReference::default();
        let last = || asked.lock().expect("no panic").last().cloned();
        events.normal(&about, "Reason", "again").await;
        assert_eq!(last(), Some(Method::POST));
        events.normal(&about, "Reason", "again").await;
        assert_eq!(last(), Some(Method::PATCH));
        for number in 2..REMEMBERED {
            events.normal(&about, "Reason", &number.to_string()).await;
        }
        events.normal(&about, "Reason", "again").await;
        assert_eq!(last(), Some(Method::POST), "it was forgotten");
        assert_eq!(events.recorder.lock().expect("no panic").1, 1);
    }

    #[test]
    fn never_longer_than_allowed() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcdef", 5), "ab…");
        assert_eq!(shortened("äääää", 8), "ää…");
    }
}
