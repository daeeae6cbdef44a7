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
        if let Some(method) = method::find(&receiver, name) {
            return self.call_method(dot, name, method, node, args, last, receiver);
        }
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
                if let Some(value) = object.field(name) {
                    if has_args {
                        return self.error(format!(
                            "{name} has arguments but cannot be invoked as function"
                        ));
                    }
                    let addressable = object.kind() == "ptr" || receiver.addressable;
                    return Ok(Operand { addressable, ..Operand::plain(value) });
                }
            }
            _ => {}
        }
        self.error(format!("can't evaluate field {name} in type {}", receiver.type_name()))
    }
}
