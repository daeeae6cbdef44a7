//! Fields of maps and objects, and methods.

use super::*;
use crate::template::MapType;

impl<'t> State<'t, '_> {
    /// `.a.b.c`; the arguments belong to the last field.
    pub(super) fn fields(
        &mut self,
        dot: &Operand,
        mut receiver: Operand,
        node: &'t dyn Located,
        ident: &'t [String],
        args: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        let Some((name, path)) = ident.split_last() else { return Ok(receiver) };
        for name in path {
            receiver = self.field(dot, name, node, &[], None, receiver)?;
        }
        self.field(dot, name, node, args, last, receiver)
    }

    fn field(
        &mut self,
        dot: &Operand,
        name: &'t str,
        node: &'t dyn Located,
        args: &'t [Term],
        last: Option<Operand>,
        receiver: Operand,
    ) -> Result<Operand, TemplateError> {
        if receiver.is_invalid() {
            return Ok(receiver);
        }
        let has_args = args.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil => {
                return self.error(format!("nil pointer evaluating interface {{}}.{name}"));
            }
            Value::Map(map) => {
                if has_args {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                return Ok(match (map.get(name.as_bytes()), map.kind()) {
                    (Some(value), MapType::String) => Operand::plain(value),
                    (None, MapType::String) => Operand::plain("".into()),
                    (value, _) => Operand::interface(value.unwrap_or(Value::Nil)),
                });
            }
            Value::Object(object) => {
                if !has_args && let Some(value) = object.field(name) {
                    return Ok(Operand::plain(value));
                }
                let mut values = Vec::new();
                for arg in args.iter().skip(1) {
                    values.push(self.argument(dot, Kind::Any, arg)?.value);
                }
                values.extend(last.map(|operand| operand.value));
                if let Some(result) = object.call(name, &values) {
                    return result.map(Operand::plain).map_err(|message| {
                        self.at = Some(node);
                        self.fail(format!("error calling {name}"), Some(Cause::Function(message)))
                    });
                }
                if object.field(name).is_some() {
                    return self
                        .error(format!("{name} has arguments but cannot be invoked as function"));
                }
            }
            Value::Duration(nanoseconds) if !has_args => {
                if let Some(value) = crate::functions::duration::method(*nanoseconds, name) {
                    return Ok(Operand::plain(value));
                }
            }
            _ => {}
        }
        self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))
    }
}
