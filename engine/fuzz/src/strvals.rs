//! The language of `--set`.

use pinnace_engine::values::strvals::{self, Form};
use serde_json::Map;

/// The input is lines, each set over the ones before; the first byte says in which form.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let file = |name: &str| Ok(name.to_owned());
    let form = match input.first().map_or(0, |byte| byte % 5) {
        0 => Form::Typed,
        1 => Form::Text,
        2 => Form::Json,
        3 => Form::Literal,
        _ => Form::File(&file),
    };
    let mut values = Map::new();
    for line in text.lines().take(8) {
        let _ = strvals::set(line, &mut values, form);
    }
}
