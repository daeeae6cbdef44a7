//! Installs and upgrades.

use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use pinnace_engine::render::Operation;
use serde_json::{Map, Value};

use super::{Next, Session, wording};
use crate::api::helm_release::AttemptedAction;
use crate::cluster::clock;
use crate::cluster::{crd, namespace};
use crate::controller::memory::Rest;
use crate::controller::observe::Observation;
use crate::controller::reconcile::Error;
use crate::controller::source::Pulled;
use crate::controller::{act, mirrored, post_render, render, status};
use crate::model::condition::reason;
use crate::release::storage::Stored;
use crate::release::{self, deploy, install, record, upgrade};

const NOTHING_CHANGED: &str = "nothing was changed";

/// What an action has left as it was that ended before its record was written: definitions come first.
fn untouched(definitions: bool, policy: crd::Policy) -> &'static str {
    match definitions && policy != crd::Policy::Skip {
        true => {
            "no object of the release was changed, definitions of its crds/ folder may have been"
        }
        false => NOTHING_CHANGED,
    }
}

/// What has to be there before the first record: the namespace, and the chart's definitions.
async fn prepare(
    context: &release::Context<'_>,
    wanted: &upgrade::Wanted<'_>,
    options: &release::Options,
) -> Result<Vec<crd::Outcome>, release::Error> {
    if options.create_namespace {
        namespace::ensure(context.cluster, wanted.namespace).await?;
    }
    deploy::definitions(context, &wanted.crds()?, options).await
}

impl Session<'_> {
    /// Installs (without `latest`) or upgrades.
    pub(super) async fn deploy(
        &mut self,
        revision: u32,
        latest: Option<Stored>,
        pulled: &Pulled,
        config: &Map<String, Value>,
        why: &str,
    ) -> Result<Next, Error> {
        let (operation, attempted, options, verb) = match latest {
            None => {
                let options = act::install(self.release);
                (Operation::Install, AttemptedAction::Install, options, "install")
            }
            Some(_) => {
                let options = act::upgrade(self.release);
                (Operation::Upgrade, AttemptedAction::Upgrade, options, "upgrade")
            }
        };
        self.report.status.last_attempted_release_action = Some(attempted);
        tracing::info!(release = self.object, revision, why, "{verb}");
        let input = render::Input {
            chart: pulled.chart.clone(),
            values: Value::Object(config.clone()),
            release: self.storage.release().to_owned(),
            namespace: self.release.release_namespace(),
            revision,
            operation,
            skip_schema_validation: act::skips_schema(self.release, operation),
        };
        // The semaphore is never closed.
        let permit = self.context.at_work.clone().acquire_owned().await.ok();
        let rendered = render::run(&self.cluster, input).boxed().await;
        let (mut rendered, mut chart) = match rendered {
            Ok(rendered) => rendered,
            Err(render::Error::Cluster(error)) if error.transient() => return Err(error.into()),
            Err(error) => {
                return self.not_begun(verb, pulled, &error.to_string(), NOTHING_CHANGED).await;
            }
        };
        if let Err(error) = post_render::apply(&mut rendered, &self.release.spec) {
            return self.not_begun(verb, pulled, &error.to_string(), NOTHING_CHANGED).await;
        }
        let renamed_images = match mirrored::apply(&mut rendered, &pulled.mirrors) {
            Ok(renamed) => renamed,
            Err(error) => {
                return self.not_begun(verb, pulled, &error.to_string(), NOTHING_CHANGED).await;
            }
        };
        if self.release.records_are_lean() {
            record::make_lean(&mut chart);
        }
        if latest.is_none() {
            self.report.status.history.clear();
        }
        if let Some(at) = self.forced.take() {
            self.report.status.last_handled_force_at = Some(at);
        }
        let doing = format!("Running '{verb}' action");
        let mut work = self.undertake(&doing, options.timeout).await?;
        if let Some(permit) = permit {
            work = work.in_turn(permit);
        }
        if let (Some(guard), Some(latest)) = (&self.context.guard, &latest) {
            let (release, name) = (self.release, self.storage.release());
            let from = latest.record.version;
            if let Err(why) = guard.before_upgrade(release, name, from).await {
                return self.not_begun(verb, pulled, &why, NOTHING_CHANGED).await;
            }
        }
        let started = Instant::now();
        let context = work.context();
        let wanted = upgrade::Wanted {
            release: context.storage.release(),
            namespace: &self.release.release_namespace(),
            chart,
            chart_digest: Some(&pulled.digest),
            post_rendering: post_render::digest(&self.release.spec),
            renamed_images,
            config: config.clone(),
            rendered,
            now: clock::now(),
        };
        let has_definitions = !wanted.rendered.crds.is_empty();
        // Definitions and the namespace are written before the record is.
        if (has_definitions || options.create_namespace)
            && let Err(error) = wanted.check_size()
        {
            return self.not_begun(verb, pulled, &error.to_string(), NOTHING_CHANGED).await;
        }
        let mut said = None;
        let action = async {
            let definitions = prepare(&context, &wanted, &options).boxed().await?;
            said = wording::definitions(&definitions);
            match latest {
                None => install::run(&context, wanted, revision, &options).boxed().await,
                Some(latest) => {
                    upgrade::run(&context, wanted, latest.record, &options).boxed().await
                }
            }
        }
        .boxed();
        let done = work.watched(&mut self.report, action).await;
        if let Some(message) = said {
            self.report.event(true, "DefinitionsApplied", &message).boxed().await;
        }
        let took = format!("{:.3}s", started.elapsed().as_secs_f64());
        self.report.status.last_attempted_release_action_duration = Some(took);
        match done {
            Err(error) if error.leaves_pending() => self.ended(Err(error)).boxed().await,
            Err(error) => {
                let after = Observation::of(&self.storage).boxed().await?;
                match &after.latest {
                    Some(stored) if stored.record.version == revision => {
                        self.broke_off(stored, &error).boxed().await
                    }
                    _ => {
                        let untouched = untouched(has_definitions, options.crds);
                        self.not_begun(verb, pulled, &error.to_string(), untouched).await
                    }
                }
            }
            Ok(stored) => self.concluded(stored).boxed().await,
        }
    }

    /// An action that did not get as far as a record: it counts for the pause alone, not as an attempt.
    /// `untouched` says what is as it was before.
    fn not_begun<'s>(
        &'s mut self,
        verb: &'s str,
        pulled: &'s Pulled,
        why: &'s str,
        untouched: &'s str,
    ) -> BoxFuture<'s, Result<Next, Error>> {
        async move {
            let (name, namespace) = (self.storage.release(), self.storage.namespace());
            let chart = format!("{}@{}", pulled.chart.name(), pulled.chart.version());
            let message = format!(
                "Helm {verb} failed for release {namespace}/{name} with chart {chart}: {why}"
            );
            let reason =
                if verb == "install" { reason::INSTALL_FAILED } else { reason::UPGRADE_FAILED };
            let text = self.report.redactor.redact(&message);
            let known = self.report.status.conditions.iter().any(|c| c.message == text);
            self.report.draft().released(false, reason, &message);
            let failures = self.report.status.failures.unwrap_or(0) + 1;
            self.report.status.failures = Some(failures);
            let pause = self.context.memory.pause(&self.uid, None);
            let next = status::time_of_day(clock::now() + pause);
            self.report.draft().waiting(&format!("{untouched}; next attempt at {next}"));
            self.report.save().await?;
            if !known {
                self.report.event(false, reason, &message).await;
            }
            Ok(Next::Done(Rest::of(pause)))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_may_have_been_changed() {
        for (definitions, policy, nothing) in [
            (false, crd::Policy::Create, true),
            (true, crd::Policy::Skip, true),
            (true, crd::Policy::Create, false),
            (true, crd::Policy::CreateReplace, false),
        ] {
            let text = untouched(definitions, policy);
            assert_eq!(text == NOTHING_CHANGED, nothing, "{definitions} {policy:?}");
        }
    }
}
