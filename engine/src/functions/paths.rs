//! Sprig: paths. The os* functions are the same on Linux.

use super::{Function, Kind, bytes};
use crate::template::Value;

const ONE: &[Kind] = &[Kind::String];

pub(super) const TABLE: &[Function] = &[
    Function::new("base", ONE, |_, a| Ok(Value::string(base(bytes(&a[0]))))),
    Function::new("dir", ONE, |_, a| Ok(Value::string(dir(bytes(&a[0]))))),
    Function::new("clean", ONE, |_, a| Ok(Value::string(clean(bytes(&a[0]))))),
    Function::new("ext", ONE, |_, a| Ok(Value::string(ext(bytes(&a[0]))))),
    Function::new("isAbs", ONE, |_, a| Ok(bytes(&a[0]).starts_with(b"/").into())),
    Function::new("osBase", ONE, |_, a| Ok(Value::string(base(bytes(&a[0]))))),
    Function::new("osDir", ONE, |_, a| Ok(Value::string(dir(bytes(&a[0]))))),
    Function::new("osClean", ONE, |_, a| Ok(Value::string(clean(bytes(&a[0]))))),
    Function::new("osExt", ONE, |_, a| Ok(Value::string(ext(bytes(&a[0]))))),
    Function::new("osIsAbs", ONE, |_, a| Ok(bytes(&a[0]).starts_with(b"/").into())),
];

/// path.Base
fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|b| *b != b'/');
    let Some(end) = end else { return b"/" };
    let start = path[..=end].iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    &path[start..=end]
}

/// path.Dir
fn dir(path: &[u8]) -> Vec<u8> {
    clean(path.iter().rposition(|b| *b == b'/').map_or(b"", |slash| &path[..=slash]))
}

/// path.Ext
fn ext(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    name.iter().rposition(|b| *b == b'.').map_or(b"", |dot| &name[dot..])
}

/// path.Clean
fn clean(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if is_rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", &*joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
