//! Walks a tree. The order of evaluation, the places and the messages are those of Go's text/template/exec.

mod argument;
mod call;
mod field;
mod method;
mod pipeline;
mod range;

use super::ast::*;
use super::environment::Run;
use super::error::{Cause, ExecError, TemplateError};
use super::parser::Template;
use super::{TemplateSet, Value, printf};
use crate::functions::Kind;

/// Runs a template; gives the bytes it writes.
pub(crate) fn execute(
    set: &TemplateSet,
    template: &Template,
    data: Value,
    run: &Run<'_>,
) -> Result<Vec<u8>, TemplateError> {
    let mut out = Vec::new();
    let dot = Operand::plain(data);
    let mut state = State { set, run, template, vars: Vec::new(), at: None, out: &mut out };
    state.vars.push(("$", dot.clone()));
    state.list(&dot, &template.root)?;
    Ok(out)
}

/// A value as Go's reflect sees it: `interface` if its static type is `interface {}`, as for an element
/// of a map. A nil that is not an interface is Go's invalid value: the result of a pipeline that was nil.
#[derive(Clone)]
struct Operand {
    value: Value,
    interface: bool,
    /// It has an address, as a field behind a pointer has: methods of the pointer are its own, too.
    addressable: bool,
}

impl Operand {
    fn plain(value: Value) -> Self {
        Operand { value, interface: false, addressable: false }
    }

    fn interface(value: Value) -> Self {
        Operand { value, interface: true, addressable: false }
    }

    fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.interface
    }

    fn type_name(&self) -> &str {
        if self.interface { "interface {}" } else { self.value.type_name() }
    }
}

/// How a node ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Walked = Result<Flow, TemplateError>;

struct State<'t, 'o> {
    set: &'t TemplateSet,
    run: &'t Run<'t>,
    template: &'t Template,
    vars: Vec<(&'t str, Operand)>,
    /// The node that an error would point at.
    at: Option<&'t dyn Located>,
    out: &'o mut Vec<u8>,
}

impl<'t> State<'t, '_> {
    fn fail(&self, message: impl Into<String>, cause: Option<Cause>) -> TemplateError {
        let (location, context) = match self.at {
            Some(node) => (self.place(node.pos()), node.to_string()),
            None => (self.template.file.to_string(), String::new()),
        };
        let template = self.template.name.clone();
        let message = message.into();
        Box::new(ExecError { location, template, context, message, cause }).into()
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(self.fail(message, None))
    }

    fn place(&self, pos: usize) -> String {
        let before = &self.template.text[..pos.min(self.template.text.len())];
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |i| i + 1);
        format!("{}:{line}:{column}", self.template.file)
    }

    fn step(&self) -> Result<(), TemplateError> {
        self.run.spend(1).map_err(|message| self.fail(message, None))
    }

    fn check(&self) -> Result<(), TemplateError> {
        self.run.check().map_err(|message| self.fail(message, None))
    }

    fn descend(&self) -> Result<(), TemplateError> {
        self.run.descend().map_err(|message| self.fail(message, None))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TemplateError> {
        self.run.write(bytes.len()).map_err(|message| self.fail(message, None))?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn list(&mut self, dot: &Operand, list: &'t ListNode) -> Walked {
        self.at = Some(list);
        self.descend()?;
        let mut flow = Flow::Next;
        for node in &list.nodes {
            flow = self.node(dot, node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.run.ascend();
        Ok(flow)
    }

    fn node(&mut self, dot: &Operand, node: &'t Node) -> Walked {
        self.step()?;
        match node {
            Node::Text(text) => {
                self.at = Some(text);
                self.write(&text.text)?;
            }
            Node::Action(action) => {
                self.at = Some(action);
                let value = self.pipeline(dot, &action.pipe)?;
                if action.pipe.declared.is_empty() {
                    self.at = Some(action);
                    self.print(&value)?;
                }
            }
            Node::If(branch) | Node::With(branch) => return self.branch(dot, branch),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template(node) => self.template(dot, node)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, operand: &Operand) -> Result<(), TemplateError> {
        match &operand.value {
            Value::Nil => self.write(b"<no value>"),
            Value::String(text) => self.write(text),
            Value::Object(object) if operand.addressable && object.text_of_pointer().is_some() => {
                let text = object.text_of_pointer().unwrap_or_default();
                self.write(text.as_bytes())
            }
            value => {
                let text = printf::display(std::slice::from_ref(value), self.run);
                self.check()?;
                self.write(&text)
            }
        }
    }

    fn branch(&mut self, dot: &Operand, branch: &'t BranchNode) -> Walked {
        self.at = Some(branch);
        let mark = self.vars.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = if value.value.is_true() {
            let dot = if branch.kind == "with" { &value } else { dot };
            self.list(dot, &branch.list)?
        } else if let Some(list) = &branch.else_list {
            self.list(dot, list)?
        } else {
            Flow::Next
        };
        self.vars.truncate(mark);
        Ok(flow)
    }

    fn template(&mut self, dot: &Operand, node: &'t TemplateNode) -> Result<(), TemplateError> {
        self.at = Some(node);
        let Some(template) = self.set.get(&node.name) else {
            return self.error(format!("template {:?} not defined", node.name));
        };
        let dot = match &node.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Operand::plain(Value::Nil),
        };
        let mut inner = State {
            set: self.set,
            run: self.run,
            template,
            vars: vec![("$", dot.clone())],
            at: None,
            out: self.out,
        };
        inner.list(&dot, &template.root)?;
        Ok(())
    }
}
