//! Names of releases, for the shell to complete.

use std::ffi::OsStr;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use super::connect::ClusterArgs;
use crate::api::helm_release::HelmRelease;

/// A shell that waits longer than this for its cluster is worse than one that completes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The HelmReleases of the namespace whose names begin like this: that of `-n` if it was typed before, or the
/// kubeconfig's. Nothing if the cluster does not answer.
pub fn complete(current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy().into_owned();
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let cluster = ClusterArgs { namespace: namespace(&words), ..ClusterArgs::default() };
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return Vec::new() };
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, list(&cluster)).await });
    let names = names.ok().and_then(Result::ok).unwrap_or_default();
    names.into_iter().filter(|n| n.starts_with(&begun)).map(CompletionCandidate::new).collect()
}

async fn list(cluster: &ClusterArgs) -> anyhow::Result<Vec<String>> {
    let target = cluster.connect().await?;
    let api: Api<HelmRelease> = Api::namespaced(target.client, &target.namespace);
    let releases = api.list_metadata(&ListParams::default()).await?;
    Ok(releases.items.iter().map(|release| release.name_any()).collect())
}

/// The namespace among the words of a command line that is being typed.
fn namespace(words: &[String]) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "-n" || word == "--namespace" {
            return words.next().cloned();
        }
        let joined = word.strip_prefix("--namespace=").or_else(|| {
            let rest = word.strip_prefix("-n")?;
            (!word.starts_with("--") && !rest.is_empty()).then_some(rest)
        });
        if let Some(namespace) = joined {
            return Some(namespace.trim_start_matches('=').to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::namespace;

    #[test]
    fn the_namespace_of_a_half_typed_line() {
        for (line, expected) in [
            ("pinnace get ", None),
            ("pinnace get -n qdrant ", Some("qdrant")),
            ("pinnace get --namespace qdrant ", Some("qdrant")),
            ("pinnace get --namespace=qdrant ", Some("qdrant")),
            ("pinnace get -nqdrant ", Some("qdrant")),
            ("pinnace get --no-headers ", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(namespace(&words).as_deref(), expected, "{line}");
        }
    }
}
