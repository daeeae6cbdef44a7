//! Items to trees. The grammar and the messages are those of Go's text/template/parse.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::*;
use super::error::ParseError;
use super::lexer::{Item, ItemType, Lexer};
use super::lossy::Lossy;
use super::number::Number;
use super::quote::{quote, unquote};
use crate::functions;

/// How deep blocks and parentheses may nest (`else if` counts as nesting). Go stops at 10000 parentheses.
pub(crate) const MAX_NESTING: usize = 250;

/// A parsed template. `text` and `file` are those of the file that holds it, for the places in errors.
pub(crate) struct Template {
    pub name: String,
    pub file: Arc<str>,
    pub text: Arc<str>,
    pub root: ListNode,
}

/// Parses a file: the templates it defines, its own body last.
pub(crate) fn parse(name: &str, text: &[u8]) -> Result<Vec<Template>, ParseError> {
    let file: Arc<str> = name.into();
    let source = Lossy::new(text);
    let shared: Arc<str> = source.text().into();
    let mut parser = Parser {
        lexer: Lexer::new(source.text()),
        source: &source,
        tokens: Vec::new(),
        last_line: 0,
        file,
        text: shared,
        vars: vec!["$".into()],
        defined: Vec::new(),
        action_line: 0,
        range_depth: 0,
        depth: 0,
    };
    let root = parser.file_body()?;
    parser.add(name.to_owned(), root)?;
    Ok(parser.defined)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The bytes that the items were.
    source: &'a Lossy<'a>,
    /// Pushed back, the next one last.
    tokens: Vec<Item<'a>>,
    last_line: usize,
    file: Arc<str>,
    text: Arc<str>,
    vars: Vec<Cow<'a, str>>,
    defined: Vec<Template>,
    action_line: usize,
    range_depth: usize,
    depth: usize,
}

type Parsed<T> = Result<T, ParseError>;

/// What ends a list of nodes.
enum End {
    End,
    Else,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Item<'a> {
        self.tokens.pop().unwrap_or_else(|| {
            let item = self.lexer.next_item();
            self.last_line = item.line;
            item
        })
    }

    fn backup(&mut self, item: Item<'a>) {
        self.tokens.push(item);
    }

    fn peek(&mut self) -> &Item<'a> {
        if self.tokens.is_empty() {
            let item = self.next();
            self.backup(item);
        }
        &self.tokens[self.tokens.len() - 1]
    }

    fn next_non_space(&mut self) -> Item<'a> {
        loop {
            let item = self.next();
            if item.kind != ItemType::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> &Item<'a> {
        while self.peek().kind == ItemType::Space {
            self.tokens.pop();
        }
        self.peek()
    }

    fn error<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError {
            file: self.file.to_string(),
            line: self.last_line,
            message: message.into(),
        })
    }

    fn expect(&mut self, kind: ItemType, context: &str) -> Parsed<Item<'a>> {
        let item = self.next_non_space();
        if item.kind == kind { Ok(item) } else { self.unexpected(&item, context) }
    }

    fn unexpected<T>(&self, item: &Item<'_>, context: &str) -> Parsed<T> {
        if item.kind == ItemType::Error {
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != item.line {
                let verb = if item.value.ends_with(" action") { "" } else { " in action" };
                extra = format!("{verb} started at {}:{}", self.file, self.action_line);
            }
            return self.error(format!("{item}{extra}"));
        }
        self.error(format!("unexpected {item} in {context}"))
    }

    /// Counts one level of nesting while `parse` runs.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return self.error(format!(
                "blocks and parentheses nest deeper than {MAX_NESTING}; split the template with define"
            ));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn add(&mut self, name: String, root: ListNode) -> Parsed<()> {
        let template = Template { name, file: self.file.clone(), text: self.text.clone(), root };
        let Some(i) = self.defined.iter().position(|t| t.name == template.name) else {
            self.defined.push(template);
            return Ok(());
        };
        if self.defined[i].root.is_empty() {
            self.defined[i] = template;
        } else if !template.root.is_empty() {
            return self
                .error(format!("template: multiple definition of template {:?}", template.name));
        }
        Ok(())
    }

    fn file_body(&mut self) -> Parsed<ListNode> {
        let mut root = ListNode { pos: self.peek().pos, nodes: Vec::new() };
        while self.peek().kind != ItemType::Eof {
            if self.peek().kind == ItemType::LeftDelim {
                let delim = self.next();
                let item = self.next_non_space();
                if item.kind == ItemType::Define {
                    self.definition()?;
                    continue;
                }
                self.backup(item);
                self.backup(delim);
            }
            match self.text_or_action()? {
                Ok(node) => root.nodes.push(node),
                Err(End::End) => return self.error("unexpected {{end}}"),
                Err(End::Else) => return self.error("unexpected {{else}}"),
            }
        }
        Ok(root)
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        self.expect(ItemType::RightDelim, context)?;
        let root = self.body_of_template(context)?;
        self.add(name, root)
    }

    /// The body of a define or block, with variables of its own.
    fn body_of_template(&mut self, context: &str) -> Parsed<ListNode> {
        let vars = std::mem::replace(&mut self.vars, vec!["$".into()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let action_line = std::mem::take(&mut self.action_line);
        let (list, end) = self.nested(|p| p.item_list())?;
        self.vars = vars;
        self.range_depth = range_depth;
        self.action_line = action_line;
        match end {
            End::End => Ok(list),
            End::Else => self.error(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    fn item_list(&mut self) -> Parsed<(ListNode, End)> {
        let mut list = ListNode { pos: self.peek_non_space().pos, nodes: Vec::new() };
        while self.peek_non_space().kind != ItemType::Eof {
            match self.text_or_action()? {
                Ok(node) => list.nodes.push(node),
                Err(end) => {
                    list.nodes.shrink_to_fit();
                    return Ok((list, end));
                }
            }
        }
        self.error("unexpected EOF")
    }

    /// A node, or the end of the list it would be in.
    fn text_or_action(&mut self) -> Parsed<Result<Node, End>> {
        let item = self.next_non_space();
        match item.kind {
            ItemType::Text => {
                let text = self.source.bytes(item.pos..item.pos + item.value.len()).into();
                Ok(Ok(Node::Text(TextNode { pos: item.pos, text })))
            }
            ItemType::LeftDelim => {
                self.action_line = item.line;
                let node = self.action();
                if node.is_ok() {
                    self.action_line = 0;
                }
                node
            }
            _ => self.unexpected(&item, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Result<Node, End>> {
        let item = self.next_non_space();
        let node = match item.kind {
            ItemType::Block => self.block_control()?,
            ItemType::Break => {
                self.loop_control("{{break}}")?;
                Node::Break
            }
            ItemType::Continue => {
                self.loop_control("{{continue}}")?;
                Node::Continue
            }
            ItemType::Else => {
                if !matches!(self.peek_non_space().kind, ItemType::If | ItemType::With) {
                    self.expect(ItemType::RightDelim, "else")?;
                }
                return Ok(Err(End::Else));
            }
            ItemType::End => {
                self.expect(ItemType::RightDelim, "end")?;
                return Ok(Err(End::End));
            }
            ItemType::If => Node::If(self.branch("if")?),
            ItemType::Range => Node::Range(self.branch("range")?),
            ItemType::With => Node::With(self.branch("with")?),
            ItemType::Template => self.template_control()?,
            _ => {
                let pos = item.pos;
                self.backup(item);
                let pipe = self.pipeline("command", ItemType::RightDelim)?;
                Node::Action(ActionNode { pos, pipe })
            }
        };
        Ok(Ok(node))
    }

    fn loop_control(&mut self, name: &str) -> Parsed<()> {
        let item = self.next_non_space();
        if item.kind != ItemType::RightDelim {
            return self.unexpected(&item, name);
        }
        if self.range_depth == 0 {
            return self.error(format!("{name} outside {{{{range}}}}"));
        }
        Ok(())
    }

    fn branch(&mut self, kind: &'static str) -> Parsed<Box<BranchNode>> {
        self.nested(|p| {
            let vars = p.vars.len();
            let branch = p.branch_body(kind);
            p.vars.truncate(vars);
            branch.map(Box::new)
        })
    }

    fn branch_body(&mut self, kind: &'static str) -> Parsed<BranchNode> {
        let pipe = self.pipeline(kind, ItemType::RightDelim)?;
        self.range_depth += usize::from(kind == "range");
        let (list, end) = self.item_list()?;
        self.range_depth -= usize::from(kind == "range");
        let else_list = match end {
            End::End => None,
            End::Else => Some(self.else_list(kind)?),
        };
        Ok(BranchNode { kind, pos: pipe.pos, pipe, list, else_list })
    }

    fn else_list(&mut self, kind: &'static str) -> Parsed<ListNode> {
        let item = self.peek();
        let pos = item.pos;
        let chained = match item.kind {
            ItemType::If if kind == "if" => true,
            ItemType::With if kind == "with" => true,
            _ => false,
        };
        if chained {
            self.next();
            let branch = self.branch(kind)?;
            let node = if kind == "if" { Node::If(branch) } else { Node::With(branch) };
            return Ok(ListNode { pos, nodes: vec![node] });
        }
        match self.item_list()? {
            (list, End::End) => Ok(list),
            (_, End::Else) => self.error("expected end; found {{else}}"),
        }
    }

    fn block_control(&mut self) -> Parsed<Node> {
        let context = "block clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let pipe = self.pipeline(context, ItemType::RightDelim)?;
        let root = self.body_of_template(context)?;
        self.add(name.clone(), root)?;
        Ok(Node::Template(TemplateNode { pos: item.pos, name, pipe: Some(pipe) }))
    }

    fn template_control(&mut self) -> Parsed<Node> {
        let context = "template clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let next = self.next_non_space();
        let mut pipe = None;
        if next.kind != ItemType::RightDelim {
            self.backup(next);
            pipe = Some(self.pipeline(context, ItemType::RightDelim)?);
        }
        Ok(Node::Template(TemplateNode { pos: item.pos, name, pipe }))
    }

    /// What a literal means. A raw one keeps bytes that are not UTF-8.
    fn literal(&self, item: &Item<'_>) -> Option<Vec<u8>> {
        if item.kind == ItemType::String {
            return unquote(&item.value);
        }
        let quoted = self.source.bytes(item.pos..item.pos + item.value.len());
        let raw = quoted.strip_prefix(b"`")?.strip_suffix(b"`")?;
        Some(raw.iter().copied().filter(|byte| *byte != b'\r').collect())
    }

    fn template_name(&mut self, item: &Item<'_>, context: &str) -> Parsed<String> {
        match item.kind {
            ItemType::String | ItemType::RawString => match self.literal(item) {
                Some(name) => Ok(String::from_utf8_lossy(&name).into_owned()),
                None => self.error("invalid syntax"),
            },
            _ => self.unexpected(item, context),
        }
    }

    fn pipeline(&mut self, context: &str, end: ItemType) -> Parsed<PipeNode> {
        let pos = self.peek_non_space().pos;
        let mut pipe =
            PipeNode { pos, is_assign: false, declared: Vec::new(), commands: Vec::new() };
        self.declarations(context, &mut pipe)?;
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => {
                    self.check_pipeline(&pipe, context)?;
                    pipe.commands.shrink_to_fit();
                    return Ok(pipe);
                }
                ItemType::Bool
                | ItemType::CharConstant
                | ItemType::Complex
                | ItemType::Dot
                | ItemType::Field
                | ItemType::Identifier
                | ItemType::Number
                | ItemType::Nil
                | ItemType::RawString
                | ItemType::String
                | ItemType::Variable
                | ItemType::LeftParen => {
                    self.backup(item);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&item, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, context: &str, pipe: &mut PipeNode) -> Parsed<()> {
        while self.peek_non_space().kind == ItemType::Variable {
            let variable = self.next();
            let after = self.peek().clone();
            let next = self.peek_non_space().clone();
            let declares = matches!(next.kind, ItemType::Assign | ItemType::Declare);
            let comma = next.kind == ItemType::Char && next.value == ",";
            if !declares && !comma {
                if after.kind == ItemType::Space {
                    self.backup(after);
                }
                self.backup(variable);
                return Ok(());
            }
            self.next_non_space();
            pipe.declared.push(variable_node(variable.pos, &variable.value));
            self.vars.push(variable.value);
            if declares {
                pipe.is_assign = next.kind == ItemType::Assign;
                return Ok(());
            }
            if context != "range" || pipe.declared.len() >= 2 {
                return self.error(format!("too many declarations in {context}"));
            }
            let kind = self.peek_non_space().kind;
            if !matches!(kind, ItemType::Variable | ItemType::RightDelim | ItemType::RightParen) {
                return self.error("range can only initialize variables");
            }
        }
        Ok(())
    }

    fn check_pipeline(&self, pipe: &PipeNode, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.args[0],
                Term::Bool { .. }
                    | Term::Dot(_)
                    | Term::Nil(_)
                    | Term::Number { .. }
                    | Term::String { .. }
            ) {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<CommandNode> {
        let mut command = CommandNode { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let item = self.next();
            match item.kind {
                ItemType::Space => continue,
                ItemType::RightDelim | ItemType::RightParen => self.backup(item),
                ItemType::Pipe => {}
                _ => return self.unexpected(&item, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.error("empty command");
        }
        command.args.shrink_to_fit();
        Ok(command)
    }

    fn operand(&mut self) -> Parsed<Option<Term>> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.peek().kind != ItemType::Field {
            return Ok(Some(term));
        }
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == ItemType::Field {
            fields.push(self.next().value[1..].to_owned());
        }
        Ok(Some(match term {
            Term::Field { mut ident, .. } => {
                ident.reserve_exact(fields.len());
                ident.append(&mut fields);
                Term::Field { pos, ident }
            }
            Term::Variable(mut variable) => {
                variable.ident.reserve_exact(fields.len());
                variable.ident.append(&mut fields);
                variable.pos = pos;
                Term::Variable(variable)
            }
            Term::Bool { .. }
            | Term::String { .. }
            | Term::Number { .. }
            | Term::Nil(_)
            | Term::Dot(_) => {
                let text = quote(term.to_string().as_bytes());
                return self.error(format!("unexpected . after term {text}"));
            }
            term => Term::Chain { pos, node: Box::new(term), fields },
        }))
    }

    fn term(&mut self) -> Parsed<Option<Term>> {
        let item = self.next_non_space();
        let pos = item.pos;
        Ok(Some(match item.kind {
            ItemType::Identifier => {
                let Some(function) = functions::find(&item.value) else {
                    return self.error(format!("function {:?} not defined", item.value));
                };
                Term::Identifier { pos, function }
            }
            ItemType::Dot => Term::Dot(pos),
            ItemType::Nil => Term::Nil(pos),
            ItemType::Variable => {
                if !self.vars.contains(&item.value) {
                    return self.error(format!("undefined variable {:?}", item.value));
                }
                Term::Variable(variable_node(pos, &item.value))
            }
            ItemType::Field => Term::Field { pos, ident: vec![item.value[1..].to_owned()] },
            ItemType::Bool => Term::Bool { pos, value: item.value == "true" },
            ItemType::CharConstant | ItemType::Complex | ItemType::Number => {
                let number = match item.kind {
                    ItemType::CharConstant => Number::from_char(&item.value),
                    ItemType::Complex => Number::from_complex(&item.value),
                    _ => Number::parse(&item.value),
                };
                match number {
                    Ok(number) => {
                        Term::Number { pos, text: item.value.into_owned(), number: number.into() }
                    }
                    Err(message) => return self.error(message),
                }
            }
            ItemType::LeftParen => Term::Pipe(
                self.nested(|p| p.pipeline("parenthesized pipeline", ItemType::RightParen))?,
            ),
            ItemType::String | ItemType::RawString => match self.literal(&item) {
                Some(text) => {
                    Term::String { pos, quoted: item.value.into_owned(), text: text.into() }
                }
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.backup(item);
                return Ok(None);
            }
        }))
    }
}

fn variable_node(pos: usize, name: &str) -> VariableNode {
    VariableNode { pos, ident: vec![name.to_owned()] }
}
