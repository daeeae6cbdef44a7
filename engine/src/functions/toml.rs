//! Helm: TOML, written as github.com/BurntSushi/toml writes it.

mod read;
mod write;

use super::{Call, Function, Kind, Returned, bytes};
use crate::template::{Map, MapType, Value, lossy};

use Kind::{Any, String as S};

pub(super) const TABLE: &[Function] = &[
    Function::new("toToml", &[Any], |c, a| encode(c, &a[0], |message| Ok(message.into()))),
    Function::new("mustToToml", &[Any], |c, a| encode(c, &a[0], |message| Err(message.into()))),
    Function::new("fromToml", &[S], |_, a| {
        Ok(read::read(&lossy(read::without_mark(bytes(&a[0])))).unwrap_or_else(|message| {
            let map = Map::new(MapType::Any, Default::default());
            map.set("Error", message.into());
            Value::Map(map)
        }))
    }),
];

fn encode(c: &Call<'_>, value: &Value, failed: fn(String) -> Returned) -> Returned {
    if matches!(value, Value::Nil) {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let written = write::write(c.run, value);
    c.run.check()?;
    match written {
        Ok(text) => Ok(Value::string(text)),
        Err(message) => failed(message),
    }
}
