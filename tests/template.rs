//! `pinnace template` against what genuine Helm printed for our own charts (`tests/charts/refresh`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

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
    let expected = fs::read(args.with_extension("out")).ok();
    let stderr = String::from_utf8_lossy(&output.stderr);
    match expected {
        Some(expected) if output.status.success() && output.stdout == expected => None,
        None if !output.status.success() && output.stdout.is_empty() && !stderr.is_empty() => None,
        expected => Some(format!(
            "{}: {}\n{stderr}{}",
            args.display(),
            output.status,
            first_difference(&expected.unwrap_or_default(), &output.stdout)
        )),
    }
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
