//! Function calls.

use super::*;
use crate::functions::{Call, Function};

impl<'t> State<'t, '_> {
    pub(super) fn function(
        &mut self,
        dot: &Operand,
        function: &'static Function,
        node: &'t dyn Located,
        args: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        let args = args.get(1..).unwrap_or_default();
        self.check_arity(function, args.len(), last.is_some())?;
        if matches!(function.name, "and" | "or") {
            return self.short_circuit(dot, function.name == "or", args, last);
        }
        self.descend()?;
        let mut values = Vec::with_capacity(args.len() + 1);
        for (i, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, function.kind_of(i), arg)?.value);
        }
        if let Some(operand) = last {
            let kind = function.kind_of(values.len());
            values.push(self.validate(operand, kind)?.value);
        }
        let call = Call { set: self.set, run: self.run };
        let result = match function.name {
            "call" => Err(not_callable(args, &values[0], self.run)),
            // The word nil has not even the type interface {}.
            "len" if matches!(args, [Term::Nil(_)]) => {
                Err("reflect: call of reflect.Value.Type on zero Value".into())
            }
            _ => (function.body)(&call, &values),
        };
        self.run.ascend();
        let result = result.and_then(|value| {
            self.run.check()?;
            self.run.charge(&value)?;
            Ok(value)
        });
        match result {
            Ok(value) => Ok(Operand::plain(value)),
            Err(cause) => {
                self.at = Some(node);
                Err(self.fail(format!("error calling {}", function.name), Some(cause)))
            }
        }
    }

    fn check_arity(
        &self,
        function: &Function,
        written: usize,
        piped: bool,
    ) -> Result<(), TemplateError> {
        let name = function.name;
        let given = written + usize::from(piped);
        let fixed = function.params.len();
        if function.rest.is_some() {
            if given < fixed {
                return self.error(format!(
                    "wrong number of args for {name}: want at least {fixed} got {written}"
                ));
            }
        } else if given != fixed {
            return self
                .error(format!("wrong number of args for {name}: want {fixed} got {given}"));
        }
        Ok(())
    }

    /// `and`, `or`: arguments after the one that decides are not evaluated.
    fn short_circuit(
        &mut self,
        dot: &Operand,
        or: bool,
        args: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        let mut value = Operand::plain(Value::Nil);
        for arg in args {
            value = self.argument(dot, Kind::Reflect, arg)?;
            if value.value.is_true() == or {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}

/// Why `call` fails: a chart cannot hold a function.
fn not_callable(args: &[Term], value: &Value, run: &Run<'_>) -> Cause {
    if matches!(value, Value::Nil) {
        return "call of nil".into();
    }
    let name = match args.first() {
        Some(term) => term.to_string(),
        None => String::from_utf8_lossy(&printf::text_of(value, run)).into_owned(),
    };
    format!("non-function {name} of type {}", value.type_name()).into()
}
