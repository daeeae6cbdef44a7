//! `pinnace template` against what genuine Helm printed for our own charts (`tests/charts/refresh`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;

#[test]
fn prints_what_helm_printed() {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let mut failures = Vec::new();
    let mut cases = 0;
    for chart in folders(&charts) {
        for file in fs::read_dir(chart.join("cases")).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "args") {
                cases += 1;
                failures.extend(differs(&chart, &file));
            }
        }
    }
    assert!(cases > 20, "only {cases} cases found");
    assert!(failures.is_empty(), "{} of {cases} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn an_archive_renders_as_its_folder_does() {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let folder = tempfile::tempdir().unwrap();
    for chart in folders(&charts) {
        let archive = folder.path().join("x.tgz");
        let gzip = GzEncoder::new(fs::File::create(&archive).unwrap(), Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        tar.append_dir_all("x", chart.join("chart")).unwrap();
        tar.into_inner().unwrap().finish().unwrap();

        let output = template(folder.path(), &["demo", "x.tgz"]);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {words}", chart.display());
        // What .helmignore leaves out of the folder is in this archive.
        if !chart.join("chart/.helmignore").exists() {
            let expected = fs::read(chart.join("cases/plain.out")).unwrap();
            let difference = first_difference(&expected, &output.stdout);
            assert!(output.stdout == expected, "{}: {difference}", chart.display());
        }
    }
}

#[test]
fn a_broken_archive_is_an_error_with_code_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.tgz"), b"\x1f\x8b\x08 and no more").unwrap();
    let output = template(folder.path(), &["x.tgz"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{words}");
    assert!(words.contains("cannot load the chart x.tgz: the chart is not a gzipped"), "{words}");
}

#[test]
fn flags_without_effect_change_nothing() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/order");
    let expected = fs::read(chart.join("cases/plain.out")).unwrap();
    let flags = "--debug --dry-run --dry-run=client --skip-crds --create-namespace --wait --wait=legacy \
                 --wait-for-jobs --timeout 5m --atomic=false --render-subchart-notes --labels a=b";
    let mut arguments = vec!["demo", "chart"];
    arguments.extend(flags.split_whitespace());
    let output = template(&chart, &arguments);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == expected, "{words}");
    let output = template(&chart, &["demo", "chart", "--dry-run=server"]);
    assert!(!output.status.success() && output.stdout.is_empty());
}

fn template(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .arg("template")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn folders(path: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// None: the same bytes on stdout and the same success.
fn differs(chart: &Path, args: &Path) -> Option<String> {
    let arguments = fs::read_to_string(args).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["template", "demo", "chart"])
        .args(arguments.lines())
        .current_dir(chart)
        .output()
        .unwrap();
    let expected = fs::read(args.with_extension("out")).unwrap_or_default();
    let helm_succeeded = !args.with_extension("fails").exists();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let same_success = output.status.success() == helm_succeeded;
    if same_success && output.stdout == expected && (helm_succeeded || !stderr.is_empty()) {
        return None;
    }
    let difference = first_difference(&expected, &output.stdout);
    Some(format!("{}: {}\n{stderr}{difference}", args.display(), output.status))
}

fn first_difference(expected: &[u8], actual: &[u8]) -> String {
    let (expected, actual) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(actual));
    let mut lines = (1..).zip(expected.lines().zip(actual.lines()));
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((number, (expected, actual))) => {
            format!("line {number}\n- {expected}\n+ {actual}")
        }
        None => format!(
            "Helm printed {} lines, we {}",
            expected.lines().count(),
            actual.lines().count()
        ),
    }
}
