//! Expressions: parentheses where MiniJinja's grammar wants them and nowhere else, since it bounds how
//! deep they nest.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOpKind, Call, CallArg, CompareOpKind, Expr, GetAttr, UnaryOpKind,
};
use minijinja::value::{Value, ValueKind};

use super::Printer;

/// How tightly an expression binds, as MiniJinja's parser descends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    If,
    Or,
    And,
    Not,
    Compare,
    Power,
    /// Filters and tests; our own are filters.
    Filter,
    Minus,
    /// Attributes, items and calls.
    Postfix,
}

/// Tests that look at no more than what kind of value there is.
const GLANCES: [&str; 21] = [
    "boolean",
    "defined",
    "divisibleby",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "int",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "odd",
    "safe",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
];

fn binding(expression: &Expr<'_>) -> Binding {
    match expression {
        Expr::IfExpr(_) => Binding::If,
        Expr::BinOp(operation) => match operation.op {
            BinOpKind::ScOr => Binding::Or,
            BinOpKind::ScAnd => Binding::And,
            BinOpKind::Pow => Binding::Power,
            op if filter_of(op).is_some() => Binding::Filter,
            _ => Binding::Compare,
        },
        Expr::UnaryOp(operation) => match operation.op {
            UnaryOpKind::Not => Binding::Not,
            UnaryOpKind::Neg => Binding::Minus,
        },
        Expr::Compare(_) => Binding::Compare,
        Expr::Filter(_) | Expr::Test(_) | Expr::Slice(_) => Binding::Filter,
        // A digit and a dot are another number.
        Expr::Const(constant) if constant.value.kind() == ValueKind::Number => Binding::Minus,
        Expr::List(list) if list.as_const().is_none() => Binding::Filter,
        Expr::Tuple(tuple) if tuple.as_const().is_none() => Binding::Filter,
        Expr::Map(map) if map.as_const().is_none() => Binding::Filter,
        _ => Binding::Postfix,
    }
}

/// Operators that are printed as filters.
fn filter_of(op: BinOpKind) -> Option<&'static str> {
    Some(match op {
        BinOpKind::Add => "__add",
        BinOpKind::Sub => "__sub",
        BinOpKind::Mul => "__mul",
        BinOpKind::Div => "__div",
        BinOpKind::FloorDiv => "__floordiv",
        BinOpKind::Rem => "__rem",
        BinOpKind::Concat => "__concat",
        _ => return None,
    })
}

impl Printer<'_> {
    pub(super) fn expression(&mut self, expression: &Expr<'_>) {
        self.bound(expression, Binding::If);
    }

    /// Where an `if` would belong to something else.
    pub(super) fn iterated(&mut self, expression: &Expr<'_>) {
        self.bound(expression, Binding::Or);
    }

    /// The expression, piped into a filter of ours.
    pub(super) fn counted(&mut self, expression: &Expr<'_>, filter: &str) {
        self.bound(expression, Binding::Filter);
        self.write(&["|", filter]);
    }

    /// `{% filter … %}` and `{% set x | … %}`: a chain of filters without what is piped into it.
    pub(super) fn filters(&mut self, expression: &Expr<'_>) {
        if let Expr::Filter(filter) = expression {
            if let Some(before) = &filter.expr {
                self.filters(before);
                self.write(&["|"]);
            }
            self.filter(filter.name, &filter.args, filter.span());
        }
    }

    pub(super) fn call(&mut self, call: &Call<'_>) {
        match &call.expr {
            // MiniJinja goes on at the loop, in whatever it runs: a block, or a file that is included.
            Expr::Var(name) if name.id != "super" && !(name.id == "loop" && self.in_loop) => {
                self.write(&["("]);
                self.bare(&call.expr);
                self.write(&["|__callee(\"", name.id, "\"))"]);
            }
            callee => self.bound(callee, Binding::Postfix),
        }
        // It compares its arguments with those of the last time.
        let compares = matches!(&call.expr, Expr::GetAttr(method) if method.name == "changed");
        self.arguments(&call.args, compares);
    }

    pub(super) fn set_attribute(&mut self, attribute: &GetAttr<'_>, value: impl FnOnce(&mut Self)) {
        self.counted(&attribute.expr, "__set(");
        self.write(&["\"", attribute.name, "\", "]);
        value(self);
        self.write(&[")"]);
    }

    fn bound(&mut self, expression: &Expr<'_>, least: Binding) {
        if binding(expression) < least {
            self.write(&["("]);
            self.bare(expression);
            self.write(&[")"]);
        } else {
            self.bare(expression);
        }
    }

    fn bare(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(variable) => {
                self.at(variable.span());
                // Behind a test MiniJinja takes the operator for a name, which nothing can have.
                if variable.id == "not" {
                    self.refuse(
                        "`not` is no name; are parentheses missing?".into(),
                        variable.span(),
                    );
                }
                self.name(variable.id, variable.span());
            }
            Expr::Const(constant) => {
                self.at(constant.span());
                self.constant(&constant.value);
            }
            Expr::Slice(slice) => {
                self.counted(&slice.expr, "__slice(");
                for (index, part) in
                    [&slice.start, &slice.stop, &slice.step].into_iter().enumerate()
                {
                    self.write(&[if index > 0 { ", " } else { "" }]);
                    match part {
                        Some(part) => self.expression(part),
                        None => self.write(&["none"]),
                    }
                }
                self.write(&[")"]);
            }
            Expr::UnaryOp(operation) => match operation.op {
                UnaryOpKind::Not => {
                    self.write(&["not "]);
                    self.bound(&operation.expr, Binding::Not);
                }
                UnaryOpKind::Neg => {
                    self.write(&["-"]);
                    self.bound(&operation.expr, Binding::Minus);
                }
            },
            Expr::BinOp(operation) => {
                self.operation(operation.op, &operation.left, &operation.right)
            }
            Expr::Compare(comparison) => {
                self.compared(&comparison.expr);
                for next in &comparison.ops {
                    self.compared_with(next.op, &next.expr);
                }
            }
            Expr::IfExpr(choice) => {
                self.bound(&choice.true_expr, Binding::Or);
                self.write(&[" if "]);
                self.bound(&choice.test_expr, Binding::Or);
                if let Some(otherwise) = &choice.false_expr {
                    self.write(&[" else "]);
                    self.bound(otherwise, Binding::If);
                }
            }
            Expr::Filter(filter) => {
                if let Some(piped) = &filter.expr {
                    self.bound(piped, Binding::Filter);
                }
                self.write(&["|"]);
                self.filter(filter.name, &filter.args, filter.span());
            }
            Expr::Test(test) => {
                let compares = !GLANCES.contains(&test.name);
                match compares {
                    true => self.compared(&test.expr),
                    false => self.bound(&test.expr, Binding::Filter),
                }
                self.write(&[" is "]);
                self.at(test.span());
                self.name(test.name, test.span());
                self.arguments(&test.args, compares);
            }
            Expr::GetAttr(attribute) => {
                self.bound(&attribute.expr, Binding::Postfix);
                self.write(&[".", attribute.name]);
            }
            Expr::GetItem(item) => {
                self.bound(&item.expr, Binding::Postfix);
                self.write(&["["]);
                self.key(&item.subscript_expr);
                self.write(&["]"]);
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                self.at(list.span());
                self.write(&["["]);
                self.items(&list.items);
                self.write(&[if list.as_const().is_some() { "]" } else { "]|__made" }]);
            }
            Expr::Tuple(tuple) => {
                self.write(&["("]);
                self.items(&tuple.items);
                self.write(&[if tuple.items.len() == 1 { "," } else { "" }]);
                self.write(&[if tuple.as_const().is_some() { ")" } else { ")|__made" }]);
            }
            Expr::Map(map) => {
                self.at(map.span());
                self.write(&["{"]);
                for (index, (key, value)) in map.keys.iter().zip(&map.values).enumerate() {
                    self.write(&[if index > 0 { ", " } else { "" }]);
                    self.key(key);
                    self.write(&[": "]);
                    self.expression(value);
                }
                self.write(&[if map.as_const().is_some() { "}" } else { "}|__made" }]);
            }
        }
    }

    fn operation(&mut self, op: BinOpKind, left: &Expr<'_>, right: &Expr<'_>) {
        if let Some(filter) = filter_of(op) {
            self.counted(left, filter);
            self.write(&["("]);
            self.expression(right);
            self.write(&[")"]);
            return;
        }
        let (sign, left_least, right_least) = match op {
            BinOpKind::ScOr => (" or ", Binding::Or, Binding::And),
            BinOpKind::ScAnd => (" and ", Binding::And, Binding::Not),
            BinOpKind::Pow => (" ** ", Binding::Power, Binding::Filter),
            BinOpKind::Eq => return self.comparison(CompareOpKind::Eq, left, right),
            BinOpKind::Ne => return self.comparison(CompareOpKind::Ne, left, right),
            BinOpKind::Lt => return self.comparison(CompareOpKind::Lt, left, right),
            BinOpKind::Lte => return self.comparison(CompareOpKind::Lte, left, right),
            BinOpKind::Gt => return self.comparison(CompareOpKind::Gt, left, right),
            BinOpKind::Gte => return self.comparison(CompareOpKind::Gte, left, right),
            _ => return self.comparison(CompareOpKind::In, left, right),
        };
        self.bound(left, left_least);
        self.write(&[sign]);
        self.bound(right, right_least);
    }

    fn comparison(&mut self, op: CompareOpKind, left: &Expr<'_>, right: &Expr<'_>) {
        self.compared(left);
        self.compared_with(op, right);
    }

    fn compared_with(&mut self, op: CompareOpKind, right: &Expr<'_>) {
        self.write(&[comparison_sign(op)]);
        match op {
            CompareOpKind::In | CompareOpKind::NotIn => self.counted(right, "__searched"),
            _ => self.compared(right),
        }
    }

    fn compared(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Const(_) => self.bare(expression),
            _ => self.counted(expression, "__compared"),
        }
    }

    /// To find an item, its number may have to be counted up to, and a key is compared.
    fn key(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Const(constant) if constant.value.kind() == ValueKind::String => {
                self.bare(expression);
            }
            _ => self.counted(expression, "__compared"),
        }
    }

    fn items(&mut self, items: &[Expr<'_>]) {
        for (index, item) in items.iter().enumerate() {
            self.write(&[if index > 0 { ", " } else { "" }]);
            self.expression(item);
        }
    }

    fn filter(&mut self, name: &str, arguments: &[CallArg<'_>], span: Span) {
        self.at(span);
        self.name(name, span);
        if !arguments.is_empty() {
            self.arguments(arguments, false);
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>], compares: bool) {
        self.write(&["("]);
        for (index, argument) in arguments.iter().enumerate() {
            self.write(&[if index > 0 { ", " } else { "" }]);
            match argument {
                CallArg::Pos(value) if compares => self.compared(value),
                CallArg::Pos(value) => self.expression(value),
                CallArg::Kwarg(name, value) => {
                    self.write(&[name, "="]);
                    self.expression(value);
                }
                CallArg::PosSplat(values) => {
                    self.write(&["*"]);
                    self.counted(values, "__made");
                }
                CallArg::KwargSplat(values) => {
                    self.write(&["**"]);
                    self.counted(values, "__made");
                }
            }
        }
        self.write(&[")"]);
    }

    fn constant(&mut self, value: &Value) {
        let Some(text) = value.as_str() else {
            let number = f64::try_from(value.clone()).ok().filter(|_| !value.is_integer());
            return match (value.kind(), number) {
                (ValueKind::Bool, _) => {
                    self.write(&[if value.is_true() { "true" } else { "false" }])
                }
                (ValueKind::None, _) => self.write(&["none"]),
                // What is too large to be written otherwise.
                (_, Some(float)) if float.is_infinite() => self.write(&["1e999"]),
                (_, Some(float)) => self.write(&[&format!("{float:?}")]),
                _ => self.write(&[&value.to_string()]),
            };
        };
        self.write(&["\""]);
        for char in text.chars() {
            match char {
                '"' => self.write(&["\\\""]),
                '\\' => self.write(&["\\\\"]),
                '\n' => self.write(&["\\n"]),
                char => self.out.push(char),
            }
        }
        self.write(&["\""]);
    }
}

fn comparison_sign(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => " == ",
        CompareOpKind::Ne => " != ",
        CompareOpKind::Lt => " < ",
        CompareOpKind::Lte => " <= ",
        CompareOpKind::Gt => " > ",
        CompareOpKind::Gte => " >= ",
        CompareOpKind::In => " in ",
        CompareOpKind::NotIn => " not in ",
    }
}
