//! Public charts, rendered by genuine Helm and by us in the same run and compared byte for byte.
//!
//! The charts come from pinned Go modules (`tests/public-charts/go.mod`) and are never committed.
//! Each is rendered with its defaults, with every values file in its ci/ folder, and with the
//! settings below.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SETTINGS: [(&str, &[&str]); 9] = [
    ("metrics-server", &["--set", "replicas=3,metrics.enabled=true,serviceMonitor.enabled=true"]),
    (
        "metrics-server",
        &[
            "--set",
            "tls.type=helm,apiService.insecureSkipTLSVerify=false",
            "-s",
            "templates/apiservice.yaml",
            "--kube-version",
            "1.30",
            "--set",
            "tls.type=metrics-server",
        ],
    ),
    (
        "metrics-server",
        &[
            "--set",
            "podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable=1,addonResizer.enabled=true",
            "-n",
            "kube-system",
        ],
    ),
    ("descheduler", &["--set", "kind=Deployment,replicas=2,leaderElection.enabled=true"]),
    (
        "descheduler",
        &["--set", "schedule=*/5 * * * *,suspend=true,cronJobAnnotations.a=b", "-n", "kube-system"],
    ),
    (
        "external-dns",
        &[
            "--set",
            "provider.name=webhook,provider.webhook.image.repository=example.com/hook,provider.webhook.image.tag=v1",
        ],
    ),
    (
        "external-dns",
        &[
            "--set",
            "sources={service,ingress,crd},serviceMonitor.enabled=true,namespaced=true",
            "--include-crds",
        ],
    ),
    (
        "ingress-nginx",
        &[
            "--set",
            "controller.kind=Both,controller.metrics.enabled=true,defaultBackend.enabled=true",
        ],
    ),
    (
        "ingress-nginx",
        &[
            "--no-hooks",
            "--set",
            "tcp.8080=default/example:9000,controller.admissionWebhooks.enabled=false",
            "--is-upgrade",
        ],
    ),
];

#[test]
fn public_charts_render_as_helm_renders_them() {
    let helm = helm();
    let mut failures = Vec::new();
    let mut rendered = 0;
    for chart in charts() {
        let name = chart.file_name().unwrap().to_str().unwrap();
        let mut variations: Vec<Vec<String>> = vec![vec![]];
        variations.extend(ci_values(&chart).map(|file| vec!["--values".to_owned(), file]));
        let settings = SETTINGS.iter().filter(|(chart, _)| *chart == name);
        variations.extend(settings.map(|(_, args)| args.iter().map(|a| (*a).to_owned()).collect()));
        for arguments in variations {
            let theirs = template(&helm, &chart, &arguments);
            let ours = template(Path::new(env!("CARGO_BIN_EXE_pinnace")), &chart, &arguments);
            assert!(
                theirs.status.success(),
                "helm refuses {name} {arguments:?}: {}",
                String::from_utf8_lossy(&theirs.stderr)
            );
            rendered += 1;
            if !ours.status.success() || ours.stdout != theirs.stdout {
                failures.push(format!("{name} {arguments:?}: {}", difference(&theirs, &ours)));
            }
        }
    }
    assert!(rendered > 40, "only {rendered} renderings");
    assert!(
        failures.is_empty(),
        "{} of {rendered} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn template(program: &Path, chart: &Path, arguments: &[String]) -> Output {
    let mut command = Command::new(program);
    command.args(["template", "demo"]).arg(chart).args(arguments);
    command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()))
}

fn difference(theirs: &Output, ours: &Output) -> String {
    let (expected, actual) =
        (String::from_utf8_lossy(&theirs.stdout), String::from_utf8_lossy(&ours.stdout));
    let mut lines = (1..).zip(expected.lines().zip(actual.lines()));
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((number, (expected, actual))) => format!("line {number}\n- {expected}\n+ {actual}"),
        None => format!("{} {}", ours.status, String::from_utf8_lossy(&ours.stderr)),
    }
}

/// `HELM`, or the one that `make tools` built.
fn helm() -> PathBuf {
    let helm = std::env::var_os("HELM").map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache")
        });
        cache.join("pinnace/tools/helm")
    });
    assert!(
        helm.is_file(),
        "there is no Helm at {}: run `make tools`, or set HELM",
        helm.display()
    );
    helm
}

/// The chart folders of the pinned modules, downloaded into Go's module cache.
fn charts() -> Vec<PathBuf> {
    let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/public-charts");
    let modules = fs::read_to_string(pins.join("go.mod")).unwrap();
    let modules: Vec<&str> =
        modules.lines().filter_map(|line| line.strip_prefix('\t')?.split(' ').next()).collect();
    assert!(modules.len() >= 3, "{modules:?}");
    let charts = modules.iter().map(|module| {
        let output = Command::new("go")
            .args(["mod", "download", "-json", module])
            .current_dir(&pins)
            .output()
            .unwrap_or_else(|error| panic!("cannot run go: {error}; run `make tools`"));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let Some(folder) = answer["Dir"].as_str().filter(|_| output.status.success()) else {
            panic!(
                "cannot download {module}: {}{}",
                answer["Error"],
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let name = module.rsplit('/').next().unwrap();
        Path::new(folder).join("charts").join(name)
    });
    charts.collect()
}

/// Values that make the chart invent keys, so that no two renderings are alike.
const RANDOM: &str = "tls-helm-values.yaml";

fn ci_values(chart: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(chart.join("ci")).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with(RANDOM));
    files.sort();
    files.into_iter().map(|path| path.to_str().unwrap().to_owned())
}
