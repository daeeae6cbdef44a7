//! Pipelines, commands and variables.

use super::*;

impl<'t> State<'t, '_> {
    /// The value of a pipeline; never an interface. Declares or assigns its variables.
    pub(super) fn pipeline(
        &mut self,
        dot: &Operand,
        pipe: &'t PipeNode,
    ) -> Result<Operand, TemplateError> {
        self.at = Some(pipe);
        self.descend()?;
        let mut last = None;
        for command in &pipe.commands {
            let mut value = self.command(dot, command, last)?;
            value.interface = false;
            last = Some(value);
        }
        self.run.ascend();
        let value = last.unwrap_or(Operand::plain(Value::Nil));
        for variable in &pipe.declared {
            let name = &variable.ident[0];
            if pipe.is_assign {
                self.set_var(name, value.clone())?;
            } else {
                self.vars.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    pub(super) fn set_var(&mut self, name: &str, value: Operand) -> Result<(), TemplateError> {
        match self.vars.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => return self.error(format!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn var(&self, name: &str) -> Result<Operand, TemplateError> {
        match self.vars.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    /// `last` is the value piped in: the final argument.
    fn command(
        &mut self,
        dot: &Operand,
        command: &'t CommandNode,
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        self.step()?;
        let args = &command.args[..];
        let first = &args[0];
        match first {
            Term::Field { ident, .. } => {
                self.at = Some(first);
                return self.fields(dot, dot.clone(), first, ident, args, last);
            }
            Term::Chain { .. } => return self.chain(dot, first, args, last),
            Term::Identifier { function, .. } => {
                self.at = Some(first);
                return self.function(dot, function, command, args, last);
            }
            Term::Pipe(pipe) => {
                self.not_a_function(args, &last)?;
                return self.pipeline(dot, pipe);
            }
            Term::Variable(variable) => return self.variable(dot, variable, args, last),
            _ => {}
        }
        self.at = Some(first);
        self.not_a_function(args, &last)?;
        match first {
            Term::Nil(_) => self.error("nil is not a command"),
            Term::Dot(_) => Ok(dot.clone()),
            first => self.constant(first).map(Operand::plain),
        }
    }

    fn not_a_function(&self, args: &[Term], last: &Option<Operand>) -> Result<(), TemplateError> {
        if args.len() > 1 || last.is_some() {
            let name = match &args[0] {
                Term::Pipe(pipe) => pipe.to_string(),
                term => term.to_string(),
            };
            return self.error(format!("can't give argument to non-function {name}"));
        }
        Ok(())
    }

    pub(super) fn chain(
        &mut self,
        dot: &Operand,
        chain: &'t Term,
        args: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        self.at = Some(chain);
        let Term::Chain { node, fields, .. } = chain else {
            return self.error("internal error: not a chain");
        };
        if matches!(**node, Term::Nil(_)) {
            return self.error(format!("indirection through explicit nil in {chain}"));
        }
        let receiver = self.argument(dot, Kind::Any, node)?;
        self.fields(dot, receiver, chain, fields, args, last)
    }

    pub(super) fn variable(
        &mut self,
        dot: &Operand,
        variable: &'t VariableNode,
        args: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand, TemplateError> {
        self.at = Some(variable);
        let value = self.var(&variable.ident[0])?;
        if variable.ident.len() == 1 {
            if !args.is_empty() {
                self.not_a_function(args, &last)?;
            }
            return Ok(value);
        }
        self.fields(dot, value, variable, &variable.ident[1..], args, last)
    }
}
