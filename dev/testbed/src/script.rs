//! Runs the scripts of the folder above this crate.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The path of a pinned tool that `dev/build-tools` built, such as `helm`.
pub fn tool(name: &str) -> PathBuf {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let cache = || {
        let home = || PathBuf::from(set("HOME").unwrap_or_else(|| "/root".into()));
        set("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from)
    };
    let tools = set("PINNACE_TOOLS").map_or_else(|| cache().join("pinnace/tools"), PathBuf::from);
    let path = tools.join(name);
    assert!(path.exists(), "{} is missing: run dev/build-tools", path.display());
    path
}

/// The command that runs `dev/NAME`.
pub(crate) fn script(name: &str) -> Command {
    let dev = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in dev/");
    let mut command = Command::new(dev.join(name));
    command.stdin(Stdio::null());
    command
}

/// Runs `dev/NAME ARGS…` and returns what it prints; panics if it fails.
pub(crate) fn run<A: AsRef<OsStr>>(name: &str, args: &[A]) -> String {
    checked(script(name).args(args))
}

/// Runs the command and returns what it prints; panics, with its errors, if it fails.
pub(crate) fn checked(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All that the command prints, whether or not it succeeds.
pub(crate) fn said(command: &mut Command) -> String {
    let output = output(command);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"))
}
