//! One leader at a time, by a `coordination.k8s.io` Lease.
//!
//! Clocks of other machines are not trusted: a lease counts as expired only when this process has seen it
//! unchanged for its whole duration, by its own clock. A write carries the resource version that was read,
//! so two candidates can never both succeed.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fence::Fence;
use super::{Error, error};
use crate::cluster::clock;

/// Which Lease, for whom, and how fast.
#[derive(Clone, Debug)]
pub struct Settings {
    pub namespace: String,
    pub name: String,
    /// Unique per process: the pod's name.
    pub identity: String,
    /// How long a lease holds without renewal.
    pub duration: Duration,
    /// How often it is renewed, and looked at by those who wait.
    pub renewal: Duration,
}

impl Settings {
    /// 15 s without renewal and another may take over; renewed every 5 s.
    pub fn new(namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renewal: Duration::from_secs(5),
        }
    }

    /// How long after the begin of a renewal its holder acts: shorter than others wait, by the time that a call may be
    /// under way.
    fn term(&self) -> Duration {
        self.duration.mul_f64(2.0 / 3.0)
    }
}

/// Leadership, from [`Lease::acquire`] until it is lost or released.
pub struct Lease {
    lost: CancellationToken,
    /// Until when this process leads for certain.
    until: watch::Receiver<Instant>,
    stop: CancellationToken,
    renewing: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Lease {
    /// Waits until this process leads. None if `shutdown` came first.
    pub async fn acquire(
        client: Client,
        settings: Settings,
        shutdown: &CancellationToken,
    ) -> Option<Self> {
        let mut candidate = Candidate::new(client, settings);
        let mut started = Instant::now();
        while !candidate.try_lead().await {
            tokio::select! {
                () = tokio::time::sleep(candidate.settings.renewal) => {}
                () = shutdown.cancelled() => return None,
            }
            started = Instant::now();
        }
        tracing::info!(
            lease = candidate.settings.name,
            identity = candidate.settings.identity,
            "leading"
        );
        Some(Self::kept(candidate, started))
    }

    /// Takes the lease from whoever holds it, and returns once a former holder has had the time to notice, which
    /// ends it. For a rescue from a holder that does nothing with it.
    pub async fn seize(client: Client, settings: Settings) -> Self {
        let notice = settings.renewal + Duration::from_secs(1);
        let (namespace, name) = (settings.namespace.clone(), settings.name.clone());
        let mut candidate = Candidate::new(client, settings);
        candidate.seizes = true;
        let mut started = Instant::now();
        while !candidate.try_lead().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
            started = Instant::now();
        }
        candidate.seizes = false;
        tracing::warn!(namespace, lease = name, "taken from its holder");
        let lease = Self::kept(candidate, started);
        tokio::time::sleep(notice).await;
        lease
    }

    /// Renewed from now on; `started`: when the call began that took it.
    fn kept(candidate: Candidate, started: Instant) -> Self {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let (renewed, until) = watch::channel(started + candidate.settings.term());
        let renewing = tokio::spawn(keep(candidate, renewed, lost.clone(), stop.clone()));
        Self { lost, until, stop, renewing: Some(renewing) }
    }

    /// Cancelled when another may lead from now on: whoever acts as the leader must stop at once.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Holds back writes that a successor could already be making.
    pub fn fence(&self) -> Fence {
        Fence::until(self.until.clone())
    }

    /// Gives the lease up, so that a successor need not wait for it to expire.
    pub async fn release(mut self) {
        self.stop.cancel();
        if let Some(renewing) = self.renewing.take()
            && let Err(error) = renewing.await
        {
            tracing::warn!(%error, "the lease was not released in order");
        }
    }
}

async fn keep(
    mut candidate: Candidate,
    renewed: watch::Sender<Instant>,
    lost: CancellationToken,
    stop: CancellationToken,
) {
    loop {
        // Stops before others may see the lease as expired.
        let until = *renewed.borrow();
        let next = Instant::now() + candidate.settings.renewal.min(candidate.settings.duration / 3);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = stop.cancelled() => {
                candidate.give_up().await;
                return lost.cancel();
            }
        }
        let started = Instant::now();
        match tokio::time::timeout_at(
            until.max(started + Duration::from_secs(1)),
            candidate.try_lead(),
        )
        .await
        {
            Ok(true) => drop(renewed.send_replace(started + candidate.settings.term())),
            Ok(false) if !candidate.may_be_ours() || Instant::now() >= until => {
                return lost.cancel();
            }
            Err(_) if Instant::now() >= until => return lost.cancel(),
            _ => {}
        }
    }
}

/// What the lease was when this process looked at it, and since when it has been so.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    holder: String,
    renewed: Option<Timestamp>,
    duration: Duration,
    since: Instant,
}

/// What to do about a lease.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Create,
    /// It is ours: renew it.
    Renew,
    /// It is free or expired: take it.
    Take,
    Wait,
}

fn decide(seen: Option<&Seen>, identity: &str, now: Instant) -> Decision {
    match seen {
        None => Decision::Create,
        Some(seen) if seen.holder == identity => Decision::Renew,
        Some(seen) if seen.holder.is_empty() => Decision::Take,
        Some(seen) if now.duration_since(seen.since) >= seen.duration => Decision::Take,
        Some(_) => Decision::Wait,
    }
}

struct Candidate {
    api: Api<Object>,
    settings: Settings,
    seen: Option<Seen>,
    /// Does not wait for the holder to be gone.
    seizes: bool,
}

impl Candidate {
    fn new(client: Client, settings: Settings) -> Self {
        Self {
            api: Api::namespaced(client, &settings.namespace),
            settings,
            seen: None,
            seizes: false,
        }
    }

    fn may_be_ours(&self) -> bool {
        self.seen.as_ref().is_none_or(|s| s.holder == self.settings.identity)
    }

    /// Reads the lease and renews or takes it where that is right. True: this process leads.
    async fn try_lead(&mut self) -> bool {
        match self.step().await {
            Ok(leads) => leads,
            Err(error) => {
                tracing::warn!(%error, "no lease");
                false
            }
        }
    }

    async fn step(&mut self) -> Result<bool, Error> {
        let name = self.settings.name.clone();
        let failed = |verb| {
            let name = name.clone();
            move |e| Error::api(verb, format!("Lease {name}"), e)
        };
        let found = error::limited(self.api.get_opt(&name)).await.map_err(failed("read"))?;
        self.look(found.as_ref(), Instant::now());
        let decision = match decide(self.seen.as_ref(), &self.settings.identity, Instant::now()) {
            Decision::Wait if self.seizes => Decision::Take,
            decision => decision,
        };
        let wanted = self.spec(found.as_ref(), &decision);
        let result = match (decision, found) {
            (Decision::Wait, _) => return Ok(false),
            (_, None) => {
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let lease = Object { metadata, spec: Some(wanted) };
                error::limited(self.api.create(&PostParams::default(), &lease)).await
            }
            (_, Some(lease)) => {
                let lease = Object { spec: Some(wanted), ..lease };
                error::limited(self.api.replace(&name, &PostParams::default(), &lease)).await
            }
        };
        match result {
            Ok(lease) => {
                self.look(Some(&lease), Instant::now());
                Ok(true)
            }
            // Another was faster; the next look tells who.
            Err(e) if error::is_code(&e, 409) => Ok(false),
            Err(e) => Err(failed("write")(e)),
        }
    }

    fn look(&mut self, found: Option<&Object>, now: Instant) {
        let spec = found.and_then(|lease| lease.spec.as_ref());
        let next = found.map(|_| Seen {
            holder: spec.and_then(|s| s.holder_identity.clone()).unwrap_or_default(),
            renewed: spec.and_then(|s| s.renew_time.as_ref()).map(|t| t.0),
            duration: spec
                .and_then(|s| s.lease_duration_seconds)
                .and_then(|s| u64::try_from(s).ok())
                .map_or(self.settings.duration, Duration::from_secs),
            since: now,
        });
        self.seen = match (self.seen.take(), next) {
            (Some(before), Some(next))
                if before.holder == next.holder && before.renewed == next.renewed =>
            {
                Some(before)
            }
            (_, next) => next,
        };
    }

    fn spec(&self, found: Option<&Object>, decision: &Decision) -> LeaseSpec {
        let now = MicroTime(clock::timestamp());
        let before = found.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let taken = *decision != Decision::Renew;
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
            acquire_time: if taken { Some(now.clone()) } else { before.acquire_time },
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(taken)),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    async fn give_up(&mut self) {
        let name = self.settings.name.clone();
        let Ok(Some(mut lease)) = error::limited(self.api.get_opt(&name)).await else { return };
        let ours = |s: &&mut LeaseSpec| s.holder_identity.as_ref() == Some(&self.settings.identity);
        let Some(spec) = lease.spec.as_mut().filter(ours) else { return };
        spec.holder_identity = Some(String::new());
        let params = PostParams::default();
        if let Err(error) = error::limited(self.api.replace(&name, &params, &lease)).await {
            tracing::warn!(lease = name, error = %error::explain(&error), "not released");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lease_that_we_saw_expire_is_taken() {
        let start = Instant::now();
        let duration = Duration::from_secs(15);
        let seen =
            |holder: &str| Seen { holder: holder.into(), renewed: None, duration, since: start };
        let after = |seconds| start + Duration::from_secs(seconds);
        for (seen, now, expected) in [
            (None, start, Decision::Create),
            (Some(seen("")), start, Decision::Take),
            (Some(seen("me")), after(100), Decision::Renew),
            (Some(seen("other")), start, Decision::Wait),
            (Some(seen("other")), after(14), Decision::Wait),
            (Some(seen("other")), after(15), Decision::Take),
        ] {
            assert_eq!(decide(seen.as_ref(), "me", now), expected, "{seen:?}");
        }
    }
}
