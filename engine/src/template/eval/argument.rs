//! Arguments: each is evaluated for the type of its parameter.

use super::*;

impl<'t> State<'t, '_> {
    pub(super) fn argument(
        &mut self,
        dot: &Operand,
        kind: Kind,
        term: &'t Term,
    ) -> Result<Operand, TemplateError> {
        self.at = Some(term);
        let value = match term {
            Term::Dot(_) => dot.clone(),
            Term::Nil(_) => {
                if kind.can_be_nil() {
                    return Ok(Operand::interface(Value::Nil));
                }
                return self.error(format!("cannot assign nil to {}", kind.type_name()));
            }
            Term::Field { ident, .. } => self.fields(dot, dot.clone(), term, ident, &[], None)?,
            Term::Variable(variable) => self.variable(dot, variable, &[], None)?,
            Term::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Term::Identifier { function, .. } => self.function(dot, function, term, &[], None)?,
            Term::Chain { .. } => self.chain(dot, term, &[], None)?,
            term => return self.literal(kind, term).map(Operand::plain),
        };
        self.validate(value, kind)
    }

    /// A constant for a parameter of this kind.
    fn literal(&mut self, kind: Kind, term: &'t Term) -> Result<Value, TemplateError> {
        let expected = match (kind, term) {
            (Kind::Any | Kind::Reflect, term) => return self.constant(term),
            (Kind::Bool, Term::Bool { value, .. }) => return Ok(Value::Bool(*value)),
            (Kind::String, Term::String { text, .. }) => return Ok(Value::String(text.clone())),
            (Kind::Int, Term::Number { number, .. }) if number.int.is_some() => {
                return Ok(Value::Int(number.int.unwrap_or_default()));
            }
            (Kind::Duration, Term::Number { number, .. }) if number.int.is_some() => {
                return Ok(Value::Duration(number.int.unwrap_or_default()));
            }
            (Kind::Float, Term::Number { number, .. }) if number.float.is_some() => {
                return Ok(Value::Float(number.float.unwrap_or_default()));
            }
            (Kind::Uint32, Term::Number { number, .. }) if number.uint.is_some() => {
                return Ok(Value::Uint64(number.uint.unwrap_or_default()));
            }
            (Kind::Uint32, _) => "unsigned integer",
            (Kind::Bool, _) => "bool",
            (Kind::String, _) => "string",
            (Kind::Int | Kind::Duration, _) => "integer",
            (Kind::Float, _) => "float",
            (kind, term) => {
                return self
                    .error(format!("can't handle {term} for arg of type {}", kind.type_name()));
            }
        };
        self.error(format!("expected {expected}; found {term}"))
    }

    /// A constant by itself: its text decides its type.
    pub(super) fn constant(&mut self, term: &'t Term) -> Result<Value, TemplateError> {
        self.at = Some(term);
        match term {
            Term::Bool { value, .. } => Ok(Value::Bool(*value)),
            Term::String { text, .. } => Ok(Value::String(text.clone())),
            Term::Number { number, .. } if let Some(complex) = number.complex => {
                Ok(Value::object(complex))
            }
            Term::Number { text, number, .. } => {
                let marks: &[char] = if text.starts_with("0x") || text.starts_with("0X") {
                    &['p', 'P']
                } else {
                    &['.', 'e', 'E', 'p', 'P']
                };
                let looks_float = !text.starts_with('\'') && text.contains(marks);
                match (number.float, number.int) {
                    (Some(f), _) if looks_float => Ok(Value::Float(f)),
                    (_, Some(i)) => Ok(Value::Int(i)),
                    _ => self.error(format!("{text} overflows int")),
                }
            }
            term => self.error(format!("can't evaluate command {:?}", term.to_string())),
        }
    }

    /// Whether a value may be passed as a parameter of this kind.
    pub(super) fn validate(&self, operand: Operand, kind: Kind) -> Result<Operand, TemplateError> {
        if operand.is_invalid() {
            if kind.can_be_nil() {
                return Ok(operand);
            }
            return self.error(format!("invalid value; expected {}", kind.type_name()));
        }
        if kind.accepts(&operand.value) {
            return Ok(operand);
        }
        let got = match operand.value {
            Value::Nil => "interface {}",
            ref value => value.type_name(),
        };
        self.error(format!("wrong type for value; expected {}; got {got}", kind.type_name()))
    }
}
