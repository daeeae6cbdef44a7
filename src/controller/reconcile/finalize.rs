//! The end of an object, and the finalizer that keeps it there until its release is gone.

use futures::FutureExt as _;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::unmet::not_ready;
use super::{Context, Error, read_values};
use crate::api::FINALIZER;
use crate::api::helm_release::HelmRelease;
use crate::cluster::error;
use crate::controller::memory::Rest;
use crate::controller::redactor::Redactor;
use crate::controller::report::Report;
use crate::controller::session::Session;
use crate::controller::target::Target;
use crate::model::condition::reason;

/// How often the finalizer is tried to be set while others write the object.
const FINALIZER_TRIES: usize = 5;

/// The object is being deleted: uninstalls the release, unless it is suspended or never was taken in hand.
pub async fn finalize(
    release: &HelmRelease,
    context: &Context,
    mut report: Box<Report>,
    redactor: &mut Redactor,
) -> Result<Rest, Error> {
    // What was made is what goes, even if the spec says another name since.
    let made = report.status.history.first().map(|head| head.name.clone());
    let name = made.or_else(|| release.release_name().ok().map(|name| name.to_string()));
    if let Some(name) = name.filter(|_| !release.is_suspended()) {
        let lock = context.lock(&name);
        let _alone = lock.lock().await;
        // The copy at hand may be from before the end: what another object has made under the name since is not ours.
        let api: Api<HelmRelease> =
            Api::namespaced(context.client.clone(), &release.own_namespace());
        let own = release.name_any();
        let live = error::retried(|| api.get_opt(&own)).await?;
        if !live.is_some_and(|live| live.uid() == release.uid() && has_finalizer(&live)) {
            return Ok(Rest::UNTIL_CHANGE);
        }
        let Some(target) = way_out(release, context, &mut report).await? else {
            set_finalizer(context, release, false).boxed().await?;
            return Ok(Rest::UNTIL_CHANGE);
        };
        let target = match target {
            Ok(target) => target,
            Err(rest) => return Ok(rest),
        };
        let kept = report.status.storage_namespace.clone();
        let mut session =
            Session::new(release, &name, context, target, report).stored_in(kept.as_deref());
        let _ = read_values(&mut session, release, context).await;
        let gone = session.uninstall().boxed().await;
        *redactor = session.report.redactor.clone();
        if !gone? {
            let pause = context.memory.pause(&release.uid().unwrap_or_default(), None);
            return Ok(Rest::of(pause));
        }
    }
    set_finalizer(context, release, false).boxed().await?;
    Ok(Rest::UNTIL_CHANGE)
}

/// How a release can be reached that is to be uninstalled. None: what leads there is gone, and nothing can be done.
/// An error: not now.
async fn way_out(
    release: &HelmRelease,
    context: &Context,
    report: &mut Report,
) -> Result<Option<Result<Target, Rest>>, Error> {
    let found = match context.targets.lost(release).await {
        Ok(true) => return Ok(None),
        Ok(false) => context.targets.of(release).boxed().await,
        Err(error) => Err(error),
    };
    match found {
        Ok(target) => Ok(Some(Ok(target))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => {
            let (reason, message) = (reason::REST_CLIENT_ERROR, error.to_string());
            not_ready(report, context, release, reason, &message, None).await.map(|r| Some(Err(r)))
        }
    }
}

pub fn has_finalizer(release: &HelmRelease) -> bool {
    release.finalizers().iter().any(|f| f == FINALIZER)
}

/// Adds or removes the finalizer, and leaves those of others alone whatever happens meanwhile.
pub async fn set_finalizer(
    context: &Context,
    release: &HelmRelease,
    on: bool,
) -> Result<(), kube::Error> {
    let api: Api<HelmRelease> = Api::namespaced(context.client.clone(), &release.own_namespace());
    let name = release.name_any();
    let mut tries = 0;
    let mut known = on.then(|| release.clone());
    loop {
        let live = match known.take() {
            Some(known) => Some(known),
            None => error::retried(|| api.get_opt(&name)).await?,
        };
        let Some(live) = live else { return Ok(()) };
        if live.uid() != release.uid() || has_finalizer(&live) == on {
            return Ok(());
        }
        let mut finalizers = live.finalizers().to_vec();
        finalizers.retain(|f| f != FINALIZER);
        if on {
            finalizers.push(FINALIZER.to_owned());
        }
        let patch = json!({
            "metadata": {"finalizers": finalizers, "resourceVersion": live.metadata.resource_version},
        });
        let merge = Patch::Merge(&patch);
        tries += 1;
        let params = PatchParams::default();
        // If the answer to a write is lost, the next one is refused, and the next look shows that it is done.
        match error::retried(|| api.patch_metadata(&name, &params, &merge)).await {
            Err(error) if error::is_code(&error, 409) && tries < FINALIZER_TRIES => {}
            Err(error) if on || !error::is_code(&error, 404) => return Err(error),
            _ => return Ok(()),
        }
    }
}
