//! `pinnace template` and `pinnace lint` beside genuine Helm, in the same run: the same stdout, the same
//! exit code, and the same words on stderr where they are Helm's own.
//!
//! The charts are those of `tests/charts`; each of its cases runs, and further combinations of flags.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "beside_helm/lint.rs"]
mod lint;

/// Flags that meet each other, for every chart.
const COMBINATIONS: &[&[&str]] = &[
    &["--include-crds", "--no-hooks"],
    &["--include-crds", "--skip-tests", "--is-upgrade", "-n", "other"],
    &["--kube-version", "1.30", "-a", "a/v1,b/v1", "-a", "c/v1", "--no-hooks=false"],
    &["--set", "a.b=1,a.c={x,y}", "--set-string", "a.d=2", "--set-json", "e=[1.5]"],
    &["--set", "global.x.y=1", "--set-literal", "global.x.z=a,b"],
    &["--skip-schema-validation", "--show-only", "templates/*.yaml"],
    &["--show-only", "charts/*/templates/*.yaml"],
    &["--show-only", "templates/all.yaml", "--show-only", "templates/nothing.yaml"],
    &["--dry-run", "--wait=true", "--atomic", "--hide-notes"],
    &["--dry-run=true", "--wait=false", "--force"],
    &["--dry-run=none"],
    &["--generate-name"],
    &["--set", "x"],
    &["--set", "x[0=1"],
    &["--set", "x[0].y=1,x[0].z[1]=2"],
    &["--set", "x[70000]=1"],
    &["--set-json", "x={\"a\":"],
    &["--set-file", "x=chart/Chart.yaml"],
];

/// Messages on stderr whose words are not Helm's: those of parsers and of the operating system, and schemas.
const OWN_WORDS: &[&str] = &[
    "YAML parse error",
    "json: cannot unmarshal",
    "no such file",
    "interface conversion",
    "unable to parse key",
    "--set-json",
    "error parsing index",
    "don't meet the specifications",
    "could not parse",
    "type mismatch",
    "has been deprecated",
    "invalid argument",
];

#[test]
fn template_prints_what_helm_prints() {
    let mut failures = Vec::new();
    let mut runs = 0;
    for chart in folders(&root().join("tests/charts")) {
        let mut argument_lists: Vec<Vec<String>> = COMBINATIONS
            .iter()
            .map(|list| list.iter().map(|s| (*s).to_owned()).collect())
            .collect();
        for file in cases(&chart) {
            argument_lists
                .push(fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect());
        }
        for arguments in argument_lists {
            runs += 1;
            let mut all = vec!["template".to_owned(), "demo".to_owned(), "chart".to_owned()];
            all.extend(arguments.iter().cloned());
            let theirs = run(&helm(), &chart, &all);
            let ours = run(&pinnace(), &chart, &all);
            failures.extend(
                difference(&theirs, &ours, arguments.iter().any(|a| a == "--debug"))
                    .map(|why| format!("{} {}: {why}", name(&chart), arguments.join(" "))),
            );
        }
    }
    assert!(runs > 250, "only {runs} runs");
    assert!(failures.is_empty(), "{} of {runs} differ:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn files_are_written_as_helm_writes_them() {
    for chart in ["hooks", "umbrella", "order"] {
        for flags in [
            &["--include-crds"][..],
            &["--include-crds", "--release-name"],
            &["--no-hooks", "--skip-tests"],
        ] {
            let chart = root().join("tests/charts").join(chart);
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let mut printed = Vec::new();
            let mut written = Vec::new();
            for (program, folder) in [helm(), pinnace()].iter().zip(&folders) {
                let folder = folder.path();
                // Twice: what is there already is replaced, and hooks are appended.
                for _ in 0..2 {
                    let mut all =
                        ["template", "demo", "chart", "--output-dir"].map(str::to_owned).to_vec();
                    all.push(folder.to_str().unwrap().to_owned());
                    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
                    let output = run(program, &chart, &all);
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    let text = String::from_utf8_lossy(&output.stdout).into_owned();
                    printed.push(text.replace(folder.to_str().unwrap(), "FOLDER"));
                }
                written.push(tree(folder));
            }
            assert_eq!(written[0], written[1], "{}", chart.display());
            assert_eq!(printed[..2], printed[2..], "{}", chart.display());
        }
    }
}

#[test]
fn charts_that_cannot_be_loaded() {
    const SUBCHART: &str = "apiVersion: v2\nname: s\nversion: 1.0.0\n";
    let mut failures = Vec::new();
    for (file, text) in [
        ("Chart.yaml", "a: ["),
        ("Chart.yaml", "apiVersion: v2\nname: c/d\nversion: 1.0.0\n"),
        ("values.yaml", "a: ["),
        ("values.yaml", "a: 1\n---b: 1\n"),
        ("charts/s/Chart.yaml", "a: ["),
        ("charts/s/Chart.yaml", &SUBCHART.replace("1.0.0", "a.b")),
        ("templates/a.yaml", "a: ["),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("c");
        lint::write(&chart, &[(file, Some(text))]);
        let archive = fs::File::create(folder.path().join("c.tgz")).unwrap();
        let gzip = flate2::write::GzEncoder::new(archive, flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        tar.append_dir_all("c", chart).unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        for name in ["c", "c.tgz"] {
            let arguments = ["template", name].map(str::to_owned);
            let outputs = [helm(), pinnace()].map(|it| run(&it, folder.path(), &arguments));
            let why = difference(&outputs[0], &outputs[1], false);
            failures.extend(why.map(|why| format!("{name} with {file} {text:?}: {why}")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// None: the same stdout and exit code, and the same messages on stderr in any order.
fn difference(theirs: &Output, ours: &Output, is_debug: bool) -> Option<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (their_words, our_words) = (text(&theirs.stderr), text(&ours.stderr));
    if theirs.status.code() != ours.status.code() {
        return Some(format!("{} and {}\n{their_words}\n{our_words}", theirs.status, ours.status));
    }
    if theirs.stdout != ours.stdout {
        let (theirs, ours) = (text(&theirs.stdout), text(&ours.stdout));
        let pair = theirs.lines().zip(ours.lines()).find(|(theirs, ours)| theirs != ours);
        return Some(match pair {
            Some((theirs, ours)) => format!("\n- {theirs}\n+ {ours}"),
            None => format!("{} lines and {}", theirs.lines().count(), ours.lines().count()),
        });
    }
    if is_debug {
        let same_kind = ours.status.success() || our_words.contains("Error: ");
        return (!same_kind).then(|| format!("no error in\n{our_words}"));
    }
    let is_same = same_messages(&their_words, &our_words);
    (!is_same).then(|| format!("stderr:\n{their_words}\nand ours:\n{our_words}"))
}

/// Helm walks maps in random order, and so its warnings come in any. Of a message in its own words it is
/// asked only that ours has one of that kind in its place.
fn same_messages(theirs: &str, ours: &str) -> bool {
    let mut rest = messages(ours);
    let (own, helms): (Vec<String>, Vec<String>) = messages(theirs)
        .into_iter()
        .partition(|message| OWN_WORDS.iter().any(|words| message.contains(words)));
    let all_there = helms.iter().all(|message| {
        let place = rest.iter().position(|ours| ours == message);
        place.map(|place| rest.swap_remove(place)).is_some()
    });
    let kinds = |messages: &[String]| -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for message in messages {
            let kind = message.split([':', ' ']).next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        kinds
    };
    all_there && kinds(&own) == kinds(&rest)
}

/// Lines of the log, and errors with the lines that belong to them.
fn messages(text: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = ["level=", "Error: ", "Flag "].iter().any(|start| line.starts_with(start));
        match messages.last_mut().filter(|_| !begins) {
            Some(message) => message.extend(["\n", line]),
            None => messages.push(line.to_owned()),
        }
    }
    messages
}

fn run(program: &Path, folder: &Path, arguments: &[String]) -> Output {
    let home = folder.join("nowhere");
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("HELM_CONFIG_HOME", &home)
        .env("HELM_CACHE_HOME", std::env::temp_dir().join("pinnace-beside-helm"))
        .output()
        .unwrap()
}

fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut rest = vec![folder.to_owned()];
    while let Some(path) = rest.pop() {
        match path.is_dir() {
            true => rest.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
            }
        }
    }
    found
}

fn cases(chart: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(chart.join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "args"));
    files.sort();
    files
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn name(chart: &Path) -> String {
    chart.file_name().unwrap().to_string_lossy().into_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn pinnace() -> PathBuf {
    env!("CARGO_BIN_EXE_pinnace").into()
}

/// `HELM`, or the one that `make tools` built.
fn helm() -> PathBuf {
    std::env::var_os("HELM").map_or_else(|| pinnace_testbed::tool("helm"), PathBuf::from)
}
