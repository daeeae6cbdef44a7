//! What is said of a spec that is not acted upon.

use std::time::Duration;

use kube::ResourceExt as _;

use super::{Context, Error};
use crate::api::helm_release::HelmRelease;
use crate::cluster::clock;
use crate::controller::memory::Rest;
use crate::controller::report::Report;
use crate::controller::status;

/// The spec cannot be honoured: nothing until it changes.
pub async fn refuse(report: &mut Report, reason: &str, message: &str) -> Result<Rest, Error> {
    let known = report.status.conditions.iter().any(|c| c.message == message);
    report.draft().stalled(reason, message);
    report.save().await?;
    if !known {
        report.event(false, reason, message).await;
    }
    Ok(Rest::UNTIL_CHANGE)
}

/// What is wanted cannot be had for now. The release stays as it is.
pub async fn not_ready(
    report: &mut Report,
    context: &Context,
    release: &HelmRelease,
    reason: &str,
    message: &str,
    asked: Option<Duration>,
) -> Result<Rest, Error> {
    let pause = context.memory.pause(&release.uid().unwrap_or_default(), asked);
    let text = report.redactor.redact(message);
    let known = report.status.conditions.iter().any(|c| c.reason == reason && c.message == text);
    let next = status::time_of_day(clock::now() + pause);
    report.draft().not_ready_until(reason, message, &next);
    report.save().await?;
    if !known {
        report.event(false, reason, message).await;
    }
    Ok(Rest::of(pause))
}
