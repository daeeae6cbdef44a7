//! What `toYamlPretty` prints: go-yaml v3's emitter with an indentation of 2, over values rather than JSON.
//!
//! Against v2: items stand further in than their key, lines are never folded, floats are printed as Go prints them, and
//! texts that are not UTF-8 become `!!binary`.

use base64::Engine as _;

use super::{Context, Dialect, MAX_SIMPLE_KEY, Printer, is_break};
use crate::template::{Object, Run, Str, Value, from_json_with_integers, go_text};
use crate::yaml::{number, sort};

/// As deep as [`crate::template::to_json`] goes.
const MAX_DEPTH: usize = 1000;
/// How long a line of `!!binary` is.
const BINARY_LINE: usize = 70;

/// The value as go-yaml v3 prints it, with a newline at the end. Err: it is too deep, or larger than the run's budget.
pub(crate) fn to_pretty_string(value: &Value, run: &Run<'_>) -> Result<String, String> {
    let printer = Printer::new(run.environment.budget.output, Dialect::V3);
    let mut pretty = Pretty { printer, run, depth: 0 };
    pretty.node(value, Context::Root)?;
    pretty.printer.finish_line();
    Ok(pretty.printer.out)
}

struct Pretty<'a> {
    printer: Printer,
    run: &'a Run<'a>,
    depth: usize,
}

impl Pretty<'_> {
    fn node(&mut self, value: &Value, context: Context) -> Result<(), String> {
        self.run.spend(1)?;
        self.run.check_size(self.printer.out.len())?;
        if self.depth > MAX_DEPTH {
            return Err("yaml: encountered a cycle".into());
        }
        match value {
            Value::Float(float) => self.printer.plain_word(&number::format_g(*float)),
            Value::String(text) => self.text(text, context),
            Value::Duration(_) => self.printer.text(&go_text(value), context),
            Value::Bytes(bytes) => {
                let items: Vec<Value> = bytes.iter().map(|byte| Value::Uint8(*byte)).collect();
                self.sequence(&items)?;
            }
            Value::List(items) => self.sequence(items)?,
            Value::Map(map) => {
                self.mapping(&map.snapshot())?;
            }
            Value::Object(object) => self.object(&**object, context)?,
            Value::Nil => self.printer.plain_word("null"),
            word => self.printer.plain_word(&go_text(word)),
        }
        Ok(())
    }

    fn text(&mut self, bytes: &[u8], context: Context) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.printer.text(text, context);
        }
        let encoded = base64::prelude::BASE64_STANDARD.encode(bytes);
        self.printer.indicator("!!binary", true, false);
        if encoded.len() < BINARY_LINE {
            return self.printer.plain_word(&encoded);
        }
        let mut lines = String::new();
        for line in encoded.as_bytes().chunks(BINARY_LINE) {
            lines.push_str(&String::from_utf8_lossy(line));
            lines.push('\n');
        }
        self.printer.text(&lines, context);
    }

    fn sequence(&mut self, items: &[Value]) -> Result<(), String> {
        if items.is_empty() {
            self.printer.indicator("[]", true, false);
            return Ok(());
        }
        let outer = self.printer.deepen(false, false);
        self.depth += 1;
        for item in items {
            self.printer.start_line();
            self.printer.indicator("-", true, true);
            self.node(item, Context::Item)?;
        }
        self.depth -= 1;
        self.printer.indent = outer;
        Ok(())
    }

    fn mapping(&mut self, entries: &[(Str, Value)]) -> Result<(), String> {
        let texts: Vec<_> = entries.iter().map(|(key, _)| key.text()).collect();
        let keyed = texts.iter().zip(entries).map(|(text, entry)| (&**text, entry));
        self.entries(sort::sorted_as_v3(keyed.collect()).into_iter().map(|(_, entry)| entry))
    }

    fn entries<'v>(
        &mut self,
        entries: impl ExactSizeIterator<Item = &'v (Str, Value)>,
    ) -> Result<(), String> {
        if entries.len() == 0 {
            self.printer.indicator("{}", true, false);
            return Ok(());
        }
        let outer = self.printer.deepen(false, false);
        self.depth += 1;
        for (key, value) in entries {
            self.printer.start_line();
            if !key.text().chars().any(is_break) && key.len() <= MAX_SIMPLE_KEY {
                self.text(key, Context::SimpleKey);
                self.printer.indicator(":", false, false);
            } else {
                self.printer.indicator("?", true, true);
                self.text(key, Context::Mapping);
                self.printer.start_line();
                self.printer.indicator(":", true, true);
            }
            self.node(value, Context::Mapping)?;
        }
        self.depth -= 1;
        self.printer.indent = outer;
        Ok(())
    }

    /// A time is printed as it is; a struct's fields stand in their order, with names in lower case.
    fn object(&mut self, object: &dyn Object, context: Context) -> Result<(), String> {
        if let Some(fields) = object.json_fields() {
            let fields: Vec<(Str, Value)> = fields
                .into_iter()
                .map(|(name, value)| (name.to_lowercase().as_str().into(), value))
                .collect();
            return self.entries(fields.iter());
        }
        match object.json() {
            serde_json::Value::String(time) if object.type_name() == "time.Time" => {
                self.printer.plain_word(&time);
                Ok(())
            }
            other => self.node(&from_json_with_integers(&other), context),
        }
    }
}
