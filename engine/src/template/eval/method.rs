//! Methods of values.

use super::*;
use crate::functions::duration;
use crate::template::values_methods;
use crate::template::{MapType, Method};

/// The method of this name that Go would find.
pub(super) fn find(receiver: &Operand, name: &str) -> Option<Method> {
    let method = match &receiver.value {
        Value::Object(object) => {
            let method = object.method(name)?;
            let is_pointer = object.kind() == "ptr" || receiver.addressable;
            return (is_pointer || !method.of_pointer).then_some(method);
        }
        Value::Duration(_) => duration::method(name)?,
        Value::Map(map) if map.kind() == MapType::Values => values_methods::method(name)?,
        _ => return None,
    };
    Some(method)
}

impl<'t> State<'t, '_> {
    #[expect(clippy::too_many_arguments, reason = "what a call is made of")]
    pub(super) fn call_method(
        &mut self,
        dot: &Operand,
        name: &str,
        method: Method,
        node: &'t dyn Located,
        args: &'t [Term],
        last: Option<Operand>,
        receiver: Operand,
    ) -> Result<Operand, TemplateError> {
        let args = args.get(1..).unwrap_or_default();
        let (given, wanted) = (args.len() + usize::from(last.is_some()), method.parameters.len());
        if given != wanted {
            return self
                .error(format!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        let mut values = Vec::with_capacity(given);
        for (arg, kind) in args.iter().zip(method.parameters) {
            values.push(self.argument(dot, *kind, arg)?.value);
        }
        if let (Some(operand), Some(kind)) = (last, method.parameters.last()) {
            values.push(self.validate(operand, *kind)?.value);
        }
        let result = match &receiver.value {
            Value::Object(object) => object.call(name, &values),
            Value::Duration(nanoseconds) => duration::call(*nanoseconds, name, &values).map(Ok),
            Value::Map(map) => values_methods::call(map, name, &values, self.run),
            _ => None,
        };
        self.at = Some(node);
        match result {
            Some(Ok(value)) => {
                self.run.charge(&value).map_err(|message| self.fail(message, None))?;
                self.check()?;
                Ok(Operand::plain(value))
            }
            Some(Err(message)) => {
                Err(self.fail(format!("error calling {name}"), Some(Cause::Function(message))))
            }
            None => self.error(format!("can't call method {name}")),
        }
    }
}
