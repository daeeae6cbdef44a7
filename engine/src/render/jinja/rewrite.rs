//! A template as MiniJinja is to run it: the same template, with the operators that make or walk through
//! large values turned into filters that count them ([`super::operators`]).
//!
//! MiniJinja has no hook for an operator. So its own parser reads the template, and what it read is
//! printed again: statements and expressions as they were, each on its line, but
//!
//! - text becomes `{{ N|__text }}`, the text number N; so the formatter sees all that is written, and
//!   each turn of a loop looks at the clock;
//! - `a ~ b`, `a + b`, `a[1:]` … become `a|__concat(b)`, `a|__add(b)`, `a|__slice(1, none, none)` …: chains stay
//!   flat, as they were;
//! - what is compared, or a key, goes through `|__compared`; new lists and mappings through `|__made`;
//! - `f(a)` becomes `(f|__callee("f"))(a)`, which cannot be the `loop` of somewhere else;
//! - `{% set ns.x = v %}` becomes `{{ ns|__set("x", v) }}`.

use minijinja::machinery::ast::{self, Stmt};
use minijinja::machinery::{Span, Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;

use super::error::JinjaError;

mod expressions;

/// Words, operators and texts of all templates together: so much does MiniJinja's parser hold in memory.
const MAX_TOKENS: usize = 500_000;
/// Those of one `{{ … }}` or `{% … %}`, and the `elif`s of a file: so deep may the parser's calls nest.
const MAX_TAG: usize = 20_000;
const MAX_ELIFS: usize = 2_000;

/// The texts of all templates, and how many tokens are left for further ones.
pub(super) struct Rewriter {
    /// The first is empty.
    pub texts: Vec<Value>,
    /// The most names that one file binds.
    pub names: usize,
    tokens_left: usize,
}

impl Rewriter {
    pub(super) fn new() -> Self {
        let empty = Value::from_safe_string(String::new());
        Self { texts: vec![empty], names: 0, tokens_left: MAX_TOKENS }
    }

    pub(super) fn rewrite(
        &mut self,
        path: &str,
        text: &str,
        syntax: &SyntaxConfig,
    ) -> Result<String, JinjaError> {
        self.count(path, text, syntax)?;
        let parsed =
            parse(text, path, syntax.clone()).map_err(|error| JinjaError::of(path, &error))?;
        let mut printer = Printer {
            out: String::with_capacity(text.len()),
            line: 1,
            texts: &mut self.texts,
            names: 0,
            in_loop: false,
            refused: None,
        };
        printer.statement(&parsed);
        let Printer { out, names, refused, .. } = printer;
        self.names = self.names.max(names);
        match refused {
            None => Ok(out),
            Some((why, line)) => Err(JinjaError::new(path, line, &why)),
        }
    }

    /// Refuses templates on which the parser itself would take too much memory or stack.
    fn count(&mut self, path: &str, text: &str, syntax: &SyntaxConfig) -> Result<(), JinjaError> {
        let (mut in_tag, mut elifs, mut is_first) = (0, 0, false);
        // What cannot be cut into tokens is told by the parser.
        for (token, span) in tokenize(text, false, syntax.clone()).map_while(Result::ok) {
            let refuse = |why: String| Err(JinjaError::new(path, span.start_line.into(), &why));
            if matches!(token, Token::BlockStart | Token::VariableStart) {
                in_tag = 0;
            }
            elifs += usize::from(is_first && matches!(token, Token::Ident("elif")));
            is_first = matches!(token, Token::BlockStart);
            in_tag += 1;
            if in_tag > MAX_TAG {
                return refuse(format!("this tag has more than {MAX_TAG} words and operators"));
            }
            if elifs > MAX_ELIFS {
                return refuse(format!("the template has more than {MAX_ELIFS} `elif`s"));
            }
            self.tokens_left = match self.tokens_left.checked_sub(1) {
                Some(left) => left,
                None => {
                    return refuse(format!(
                        "all templates together have more than {MAX_TOKENS} words and operators"
                    ));
                }
            };
        }
        Ok(())
    }
}

/// Writes statements and expressions so that MiniJinja reads them as the same again.
struct Printer<'t> {
    out: String,
    /// The line that is being written.
    line: u16,
    texts: &'t mut Vec<Value>,
    /// How many names were bound.
    names: usize,
    /// Whether what is written is run by the loop around it, and not by a block or a macro in it.
    in_loop: bool,
    /// Why the template cannot be run, and the line.
    refused: Option<(String, usize)>,
}

impl Printer<'_> {
    fn write(&mut self, parts: &[&str]) {
        self.out.extend(parts.iter().copied());
    }

    /// Goes on to the line of the original; inside of a tag, line breaks mean nothing.
    fn at(&mut self, span: Span) {
        while self.line < span.start_line {
            self.out.push('\n');
            self.line += 1;
        }
    }

    fn open(&mut self, span: Span, keyword: &str) {
        self.write(&["{% "]);
        self.at(span);
        self.write(&[keyword, " "]);
    }

    fn close(&mut self) {
        self.write(&[" %}"]);
    }

    fn end(&mut self, keyword: &str) {
        self.write(&["{% ", keyword, " %}"]);
    }

    fn name(&mut self, name: &str, span: Span) {
        if name.starts_with("__") {
            self.refuse(format!("{name}: names that begin with `__` are reserved"), span);
        }
        self.write(&[name]);
    }

    fn refuse(&mut self, why: String, span: Span) {
        self.refused.get_or_insert((why, span.start_line.into()));
    }

    fn text(&mut self, number: usize) {
        self.write(&["{{ ", &number.to_string(), "|__text }}"]);
    }

    fn charge(&mut self, bytes: usize) {
        self.write(&["{{ ", &bytes.to_string(), "|__held }}"]);
    }

    fn body(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    /// A body that runs many times. Each time it says so.
    fn turn(&mut self, statements: &[Stmt<'_>]) {
        if !matches!(statements.first(), Some(Stmt::EmitRaw(_))) {
            self.text(0);
        }
        self.body(statements);
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitRaw(raw) => {
                self.texts.push(Value::from_safe_string(raw.raw.to_owned()));
                self.write(&["{{ "]);
                self.at(raw.span());
                self.write(&[&(self.texts.len() - 1).to_string(), "|__text }}"]);
            }
            Stmt::EmitExpr(emit) => {
                self.write(&["{{ "]);
                self.at(emit.span());
                self.expression(&emit.expr);
                self.write(&[" }}"]);
            }
            Stmt::ForLoop(repeat) => self.for_loop(repeat),
            Stmt::IfCond(condition) => self.if_condition(condition),
            Stmt::WithBlock(with) => {
                self.open(with.span(), "with");
                for (index, (target, value)) in with.assignments.iter().enumerate() {
                    self.write(&[if index > 0 { ", " } else { "" }]);
                    self.target(target);
                    self.write(&["="]);
                    self.expression(value);
                }
                self.close();
                self.body(&with.body);
                self.end("endwith");
            }
            Stmt::Set(set) => self.set(set),
            Stmt::SetBlock(set) => {
                self.open(set.span(), "set");
                let attributes = self.target(&set.target);
                if let Some(filter) = &set.filter {
                    self.write(&["|"]);
                    self.filters(filter);
                }
                self.close();
                self.body(&set.body);
                self.end("endset");
                self.assign(&attributes);
            }
            Stmt::AutoEscape(escape) => {
                self.open(escape.span(), "autoescape");
                self.expression(&escape.enabled);
                self.close();
                self.body(&escape.body);
                self.end("endautoescape");
            }
            Stmt::FilterBlock(block) => {
                self.open(block.span(), "filter");
                self.filters(&block.filter);
                self.close();
                self.body(&block.body);
                self.end("endfilter");
            }
            Stmt::Block(block) => {
                self.open(block.span(), "block");
                self.write(&[block.name, if block.required { " required" } else { "" }]);
                self.close();
                // Of a required block nothing is ever printed; it must stay empty.
                if !block.required {
                    let in_loop = std::mem::replace(&mut self.in_loop, false);
                    self.body(&block.body);
                    self.in_loop = in_loop;
                }
                self.end("endblock");
            }
            Stmt::Import(import) => {
                self.open(import.span(), "import");
                self.expression(&import.expr);
                self.write(&[" as "]);
                // MiniJinja's parser lets it be anything, and its compiler panics.
                if !matches!(import.name, ast::Expr::Var(_) | ast::Expr::GetAttr(_)) {
                    self.refuse("`as` takes a name".to_owned(), import.span());
                }
                let attributes = self.target(&import.name);
                self.close();
                self.assign(&attributes);
            }
            Stmt::FromImport(import) => {
                self.open(import.span(), "from");
                self.expression(&import.expr);
                self.write(&[" import "]);
                for (index, (name, alias)) in import.names.iter().enumerate() {
                    self.write(&[if index > 0 { ", " } else { "" }]);
                    self.target(name);
                    if let Some(alias) = alias {
                        self.write(&[" as "]);
                        self.target(alias);
                    }
                }
                self.close();
            }
            Stmt::Extends(extends) => {
                self.open(extends.span(), "extends");
                self.expression(&extends.name);
                self.close();
            }
            Stmt::Include(include) => {
                self.open(include.span(), "include");
                self.expression(&include.name);
                self.write(&[if include.ignore_missing { " ignore missing" } else { "" }]);
                self.close();
            }
            Stmt::Macro(defined) => {
                self.open(defined.span(), "macro");
                self.names += 1;
                self.name(defined.name, defined.span());
                self.parameters(defined);
                self.macro_body(defined, "endmacro");
            }
            Stmt::CallBlock(block) => {
                self.open(block.span(), "call");
                self.parameters(&block.macro_decl);
                self.write(&[" "]);
                self.call(&block.call);
                self.macro_body(&block.macro_decl, "endcall");
            }
            Stmt::Do(run) => {
                self.open(run.span(), "do");
                self.call(&run.call);
                self.close();
            }
        }
    }

    fn for_loop(&mut self, repeat: &ast::Spanned<ast::ForLoop<'_>>) {
        self.open(repeat.span(), "for");
        self.target(&repeat.target);
        self.write(&[" in "]);
        match &repeat.filter_expr {
            None => self.iterated(&repeat.iter),
            // MiniJinja collects what is let through.
            Some(filter) => {
                self.counted(&repeat.iter, "__made");
                self.write(&[" if "]);
                self.expression(filter);
            }
        }
        self.write(&[if repeat.recursive { " recursive" } else { "" }]);
        self.close();
        let in_loop = std::mem::replace(&mut self.in_loop, true);
        self.turn(&repeat.body);
        self.in_loop = in_loop;
        if !repeat.else_body.is_empty() {
            self.end("else");
            self.body(&repeat.else_body);
        }
        self.end("endfor");
    }

    /// `else` with nothing but an `if` is an `elif`.
    fn if_condition(&mut self, mut condition: &ast::Spanned<ast::IfCond<'_>>) {
        self.open(condition.span(), "if");
        loop {
            self.iterated(&condition.expr);
            self.close();
            self.body(&condition.true_body);
            match condition.false_body.as_slice() {
                [Stmt::IfCond(next)] => {
                    condition = next;
                    self.open(condition.span(), "elif");
                }
                [] => break,
                other => {
                    self.end("else");
                    self.body(other);
                    break;
                }
            }
        }
        self.end("endif");
    }

    fn set(&mut self, set: &ast::Spanned<ast::Set<'_>>) {
        if let ast::Expr::GetAttr(attribute) = &set.target {
            self.write(&["{{ "]);
            self.at(set.span());
            self.set_attribute(attribute, |printer| printer.expression(&set.expr));
            self.write(&[" }}"]);
            return;
        }
        self.open(set.span(), "set");
        let attributes = self.target(&set.target);
        self.write(&[" = "]);
        self.expression(&set.expr);
        self.close();
        self.assign(&attributes);
    }

    /// What is assigned to; attributes through names of ours, which are returned with them.
    fn target<'a>(&mut self, target: &'a ast::Expr<'a>) -> Vec<(String, &'a ast::GetAttr<'a>)> {
        let mut attributes = Vec::new();
        self.target_into(target, &mut attributes);
        attributes
    }

    fn target_into<'a>(
        &mut self,
        target: &'a ast::Expr<'a>,
        attributes: &mut Vec<(String, &'a ast::GetAttr<'a>)>,
    ) {
        match target {
            ast::Expr::List(list) => {
                self.write(&["("]);
                for item in &list.items {
                    self.target_into(item, attributes);
                    self.write(&[", "]);
                }
                self.write(&[")"]);
            }
            ast::Expr::GetAttr(attribute) => {
                let name = format!("__target{}", attributes.len());
                self.write(&[&name]);
                attributes.push((name, attribute));
            }
            name => {
                self.names += 1;
                self.expression(name);
            }
        }
    }

    fn assign(&mut self, attributes: &[(String, &ast::GetAttr<'_>)]) {
        for (name, attribute) in attributes {
            self.write(&["{{ "]);
            self.set_attribute(attribute, |printer| printer.write(&[name]));
            self.write(&[" }}"]);
        }
    }

    fn parameters(&mut self, defined: &ast::Spanned<ast::Macro<'_>>) {
        self.write(&["("]);
        let required = defined.args.len().saturating_sub(defined.defaults.len());
        for (index, argument) in defined.args.iter().enumerate() {
            self.write(&[if index > 0 { ", " } else { "" }]);
            self.target(argument);
            if let Some(default) = index.checked_sub(required).and_then(|i| defined.defaults.get(i))
            {
                self.write(&["="]);
                self.expression(default);
            }
        }
        self.write(&[")"]);
    }

    /// MiniJinja keeps what a macro encloses until the page ends, each time that it is defined.
    fn macro_body(&mut self, defined: &ast::Spanned<ast::Macro<'_>>, end: &str) {
        self.close();
        let start = self.out.len();
        let in_loop = std::mem::replace(&mut self.in_loop, false);
        self.turn(&defined.body);
        self.in_loop = in_loop;
        // It encloses at most the names in its text, each of which takes two bytes or more.
        let enclosed = (self.out.len() - start) / 2;
        self.end(end);
        self.charge(1024 + 64 * enclosed.min(1000));
    }
}
