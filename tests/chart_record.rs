//! The chart in our release records, against the one that genuine Helm would record.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinnace_engine::Chart;
use pinnace_testbed::tool;
use serde_json::{Map, Value};

/// What our own charts insist on; a schema may forbid it to another.
const REQUIRED: &str = "config.serverURL=https://console.test,config.hybridCloud.id=x";

/// Every chart of ours, and every chart of the tests.
fn charts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = |path: &str| {
        let entries = fs::read_dir(root.join(path)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let tests = folders("tests/charts").into_iter().map(|path| path.join("chart"));
    folders("charts").into_iter().chain(tests).collect()
}

fn helm(home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool("helm"))
        .args(arguments)
        .env("HOME", home)
        .env_remove("KUBECONFIG")
        .current_dir(home)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {words}");
    output.stdout
}

#[test]
fn helm_would_record_the_same_chart() {
    let mut compared = 0;
    for chart in charts() {
        let folder = tempfile::tempdir().unwrap();
        helm(folder.path(), &["package", chart.to_str().unwrap(), "--destination", "."]);
        let archive = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
            .unwrap();
        let archive_name = archive.to_str().unwrap();
        let dry_run = ["install", "demo", archive_name, "--dry-run=client", "-o", "json"];
        let dry_run = [&dry_run[..], &["--skip-schema-validation", "--set", REQUIRED]].concat();
        let release = helm(folder.path(), &dry_run);
        let release: Value = serde_json::from_slice(&release).unwrap();

        let loaded = Chart::from_archive(&fs::read(&archive).unwrap()).unwrap();
        let ours = loaded.for_values(&Map::new(), &mut Vec::new()).unwrap().to_record();
        assert_same(&release["chart"], &ours, &format!("{}: chart", loaded.name()));
        compared += 1;
    }
    assert!(compared >= 4, "only {compared} charts were found");
}

/// Names the first member that differs.
fn assert_same(helm: &Value, ours: &Value, path: &str) {
    if let (Value::Object(helm), Value::Object(ours)) = (helm, ours) {
        let keys = |map: &Map<String, Value>| {
            let mut keys: Vec<String> = map.keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(helm), keys(ours), "the members of {path}");
        for (key, value) in helm {
            assert_same(value, &ours[key], &format!("{path}.{key}"));
        }
        return;
    }
    if let (Some(helm), Some(ours)) = (helm.as_f64(), ours.as_f64()) {
        assert_eq!(helm, ours, "{path}");
        return;
    }
    assert_eq!(helm, ours, "{path}");
}
