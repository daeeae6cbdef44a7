//! The tree of a template. Positions are byte offsets into the text of the file it came from.

use std::fmt::{self, Display, Write};

use super::Str;
use super::number::Number;
use super::quote::quote;
use crate::functions::Function;

/// A node that an error can point at: its place, and (by Display) how Go prints it.
pub(crate) trait Located: Display {
    fn pos(&self) -> usize;
}

pub(crate) struct ListNode {
    pub pos: usize,
    pub nodes: Vec<Node>,
}

pub(crate) enum Node {
    Text(TextNode),
    Action(ActionNode),
    If(Box<BranchNode>),
    With(Box<BranchNode>),
    Range(Box<BranchNode>),
    Template(TemplateNode),
    Break,
    Continue,
}

pub(crate) struct TextNode {
    pub pos: usize,
    pub text: Str,
}

pub(crate) struct ActionNode {
    pub pos: usize,
    pub pipe: PipeNode,
}

pub(crate) struct BranchNode {
    pub kind: &'static str,
    pub pos: usize,
    pub pipe: PipeNode,
    pub list: ListNode,
    pub else_list: Option<ListNode>,
}

pub(crate) struct TemplateNode {
    pub pos: usize,
    pub name: String,
    pub pipe: Option<PipeNode>,
}

pub(crate) struct PipeNode {
    pub pos: usize,
    pub is_assign: bool,
    pub declared: Vec<VariableNode>,
    pub commands: Vec<CommandNode>,
}

/// A command has at least one argument; the first is what is called.
pub(crate) struct CommandNode {
    pub pos: usize,
    pub args: Vec<Term>,
}

pub(crate) struct VariableNode {
    pub pos: usize,
    /// `$name`, then fields.
    pub ident: Vec<String>,
}

pub(crate) enum Term {
    Identifier { pos: usize, function: &'static Function },
    Dot(usize),
    Nil(usize),
    Variable(VariableNode),
    Field { pos: usize, ident: Vec<String> },
    Chain { pos: usize, node: Box<Term>, fields: Vec<String> },
    Bool { pos: usize, value: bool },
    Number { pos: usize, text: String, number: Box<Number> },
    String { pos: usize, quoted: String, text: Str },
    Pipe(PipeNode),
}

impl ListNode {
    /// Nothing but white space.
    pub fn is_empty(&self) -> bool {
        self.nodes.iter().all(|node| match node {
            Node::Text(text) => text.text.text().trim().is_empty(),
            _ => false,
        })
    }
}

macro_rules! located {
    ($($type:ty),*) => {$(
        impl Located for $type {
            fn pos(&self) -> usize {
                self.pos
            }
        }
    )*};
}
located!(
    ListNode,
    TextNode,
    ActionNode,
    BranchNode,
    TemplateNode,
    PipeNode,
    CommandNode,
    VariableNode
);

impl Located for Term {
    fn pos(&self) -> usize {
        match self {
            Term::Dot(pos) | Term::Nil(pos) => *pos,
            Term::Identifier { pos, .. }
            | Term::Field { pos, .. }
            | Term::Chain { pos, .. }
            | Term::Bool { pos, .. }
            | Term::Number { pos, .. }
            | Term::String { pos, .. } => *pos,
            Term::Variable(variable) => variable.pos,
            Term::Pipe(pipe) => pipe.pos,
        }
    }
}

impl Display for ListNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nodes.iter().try_for_each(|node| node.fmt(f))
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Text(node) => node.fmt(f),
            Node::Action(node) => node.fmt(f),
            Node::If(node) | Node::With(node) | Node::Range(node) => node.fmt(f),
            Node::Template(node) => node.fmt(f),
            Node::Break => f.write_str("{{break}}"),
            Node::Continue => f.write_str("{{continue}}"),
        }
    }
}

impl Display for TextNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.text())
    }
}

impl Display for ActionNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}}}}}", self.pipe)
    }
}

impl Display for BranchNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{} {}}}}}{}", self.kind, self.pipe, self.list)?;
        if let Some(list) = &self.else_list {
            write!(f, "{{{{else}}}}{list}")?;
        }
        f.write_str("{{end}}")
    }
}

impl Display for TemplateNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Display for PipeNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, variable) in self.declared.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            variable.fmt(f)?;
        }
        if !self.declared.is_empty() {
            f.write_str(if self.is_assign { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for CommandNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_char(' ')?;
            }
            match arg {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                arg => arg.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Display for VariableNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ident.join("."))
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Identifier { function, .. } => f.write_str(function.name),
            Term::Dot(_) => f.write_char('.'),
            Term::Nil(_) => f.write_str("nil"),
            Term::Variable(variable) => variable.fmt(f),
            Term::Field { ident, .. } => ident.iter().try_for_each(|name| write!(f, ".{name}")),
            Term::Chain { node, fields, .. } => {
                match &**node {
                    Term::Pipe(pipe) => write!(f, "({pipe})")?,
                    node => node.fmt(f)?,
                }
                fields.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Term::Bool { value, .. } => value.fmt(f),
            Term::Number { text, .. } => f.write_str(text),
            Term::String { quoted, .. } => f.write_str(quoted),
            Term::Pipe(pipe) => pipe.fmt(f),
        }
    }
}
