//! Sprig: paths. The os* functions are the same on Linux.

use super::{Function, Kind, text};

const ONE: &[Kind] = &[Kind::String];

pub(super) const TABLE: &[Function] = &[
    Function::new("base", ONE, |_, a| Ok(base(&text(&a[0])).into())),
    Function::new("dir", ONE, |_, a| Ok(dir(&text(&a[0])).into())),
    Function::new("clean", ONE, |_, a| Ok(clean(&text(&a[0])).into())),
    Function::new("ext", ONE, |_, a| Ok(ext(&text(&a[0])).into())),
    Function::new("isAbs", ONE, |_, a| Ok(text(&a[0]).starts_with('/').into())),
    Function::new("osBase", ONE, |_, a| Ok(base(&text(&a[0])).into())),
    Function::new("osDir", ONE, |_, a| Ok(dir(&text(&a[0])).into())),
    Function::new("osClean", ONE, |_, a| Ok(clean(&text(&a[0])).into())),
    Function::new("osExt", ONE, |_, a| Ok(ext(&text(&a[0])).into())),
    Function::new("osIsAbs", ONE, |_, a| Ok(text(&a[0]).starts_with('/').into())),
];

/// path.Base
fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/".into();
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned()
}

/// path.Dir
fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |i| &path[..=i]))
}

/// path.Ext
fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |i| &name[i..])
}

/// path.Clean
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}
