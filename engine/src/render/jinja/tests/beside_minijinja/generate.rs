//! Templates of any shape, one for each seed.

/// A template of a few statements.
pub(super) fn template(seed: u64) -> String {
    let mut generator =
        Generator { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, text: String::new() };
    generator.put("{% set ns = namespace(q='') %}");
    generator.body(2, 2);
    generator.text
}

struct Generator {
    state: u64,
    text: String,
}

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(bits).unwrap_or(0) % bound
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn any(&mut self, choices: &[&str]) {
        let choice = self.one(choices);
        self.put(choice);
    }

    fn body(&mut self, most: usize, depth: usize) {
        for _ in 0..=self.below(most) {
            self.statement(depth);
        }
    }

    fn tag(&mut self, inside: impl FnOnce(&mut Self)) {
        self.any(&["{% ", "{% ", "{% ", "{%- ", "{%+ "]);
        inside(self);
        self.any(&[" %}", " %}", " %}", " -%}", " +%}"]);
    }

    fn word(&mut self, word: &str) {
        self.tag(|g| g.put(word));
    }

    fn statement(&mut self, depth: usize) {
        let kinds = if depth == 0 { 4 } else { 17 };
        match self.below(kinds) {
            0 => self.any(&["text", "\n", "  ", "\n\n  ", " a\n", "{# note #}", "{% raw %}{{ x }}{% endraw %}", "<&>"]),
            1 | 2 => self.emit(depth),
            3 => self.tag(|g| {
                g.put("set ");
                g.any(&["x", "y", "ns.q", "x, y", "ns.q, x", "n"]);
                g.put(" = ");
                g.expression(2);
            }),
            4 | 5 => {
                self.tag(|g| {
                    g.put("if ");
                    g.expression(2);
                });
                self.body(2, depth - 1);
                if self.below(3) == 0 {
                    self.tag(|g| {
                        g.put("elif ");
                        g.expression(1);
                    });
                    self.body(1, depth - 1);
                }
                if self.below(2) == 0 {
                    self.word("else");
                    self.body(2, depth - 1);
                }
                self.word("endif");
            }
            6 | 7 => {
                self.tag(|g| {
                    g.put("for ");
                    g.any(&["x", "x", "y", "x, y"]);
                    g.put(" in ");
                    g.any(&["l", "ll", "m", "items", "range(4)", "l + e", "ll[0]", "m|items"]);
                    if g.below(4) == 0 {
                        g.put(" if ");
                        g.expression(1);
                    }
                });
                self.body(3, depth - 1);
                if self.below(4) == 0 {
                    self.word("else");
                    self.body(1, depth - 1);
                }
                self.word("endfor");
            }
            8 => {
                let (name, filter) = (self.one(&["x", "ns.q"]), self.one(&["", "|upper", "|indent(2)|trim"]));
                self.tag(|g| g.put(&format!("set {name}{filter}")));
                self.body(2, depth - 1);
                self.word("endset");
            }
            9 => {
                self.tag(|g| {
                    g.put("filter ");
                    g.any(&["upper", "replace('a', 'bb')", "indent(1)|trim", "title"]);
                });
                self.body(2, depth - 1);
                self.word("endfilter");
            }
            10 => {
                self.word("macro m1(x, y=n)");
                self.body(2, depth - 1);
                self.word("endmacro");
                self.put("{{ m1(");
                self.expression(1);
                self.put(") }}");
            }
            11 => {
                self.put("{% macro m2() %}({{ caller(n) }}){% endmacro %}");
                self.word("call(x) m2()");
                self.body(2, depth - 1);
                self.word("endcall");
            }
            12 => {
                self.tag(|g| {
                    g.put("with x=");
                    g.expression(2);
                });
                self.body(2, depth - 1);
                self.word("endwith");
            }
            13 => self.any(&[
                "{% set ns = namespace(q=1) %}",
                "{% set ns = namespace(q=l) %}{% set ns.q = ns.q + [n] %}{{ ns.q }}",
                "{% from '_macros.j2' import twice %}{{ twice(n) }}",
                "{% import '_macros.j2' as lib %}{{ lib.twice(s, 1) }}",
                "{% include '_partial.j2' %}",
            ]),
            14 => {
                self.tag(|g| {
                    g.put("autoescape ");
                    g.any(&["true", "false", "'html'", "'json'"]);
                });
                self.body(2, depth - 1);
                self.word("endautoescape");
            }
            15 => self.put(
                "{% for x in ll recursive %}{{ loop.depth }}{{ loop(x) if x is iterable else x }}{% endfor %}",
            ),
            _ => {
                self.put("{% set ns = namespace(q='') %}{% for x in l %}");
                self.body(2, depth - 1);
                self.put("{% set ns.q = ns.q ~ x %}{% endfor %}{{ ns.q }}");
            }
        }
    }

    fn emit(&mut self, depth: usize) {
        self.any(&["{{ ", "{{ ", "{{- ", "{{"]);
        self.put(" ");
        self.expression(depth.max(2));
        self.any(&[" }}", " }}", " -}}"]);
    }

    fn leaf(&mut self) {
        self.any(&[
            "1", "2", "0", "7.5", "1e2", "'a'", "\"b\\n\"", "'<>'", "''", "true", "false", "none",
            "n", "n", "f", "s", "s", "h", "b", "z", "l", "l", "ll", "m", "e", "items", "x", "y",
            "m.a", "m.b.c", "l[0]", "ll[0][1]", "s[1]", "u",
        ]);
    }

    fn expression(&mut self, depth: usize) {
        if depth == 0 || self.below(5) == 0 {
            return self.leaf();
        }
        match self.below(15) {
            0..=3 => {
                self.expression(depth - 1);
                self.any(&[
                    " ~ ", " ~ ", "~", " + ", "+", " - ", " * ", " / ", " // ", " % ", " ** ",
                    " and ", " or ", " == ", " != ", " < ", " <= ", " > ", " >= ", " in ",
                    " not in ",
                ]);
                self.expression(depth - 1);
            }
            4 | 5 => {
                self.put("(");
                self.expression(depth - 1);
                self.put(")");
                self.any(&["", "", "[0]", "[-1]", "[1:]", "[:2]", ".a", "|string", "|length"]);
            }
            6 => {
                self.any(&["-", "not ", "- "]);
                self.expression(depth - 1);
            }
            7..=9 => {
                self.expression(depth - 1);
                self.any(&[
                    "|upper",
                    "|string",
                    "|default(1)",
                    "|default('d', true)",
                    "|length",
                    "|list",
                    "|join(',')",
                    "|first",
                    "|last",
                    "|reverse",
                    "|sort",
                    "|unique",
                    "|int",
                    "|float",
                    "|abs",
                    "|tojson",
                    "|e",
                    "|safe",
                    "|trim",
                    "|replace('t', n)",
                    "|indent(n)",
                    "|map('string')|join",
                    "|batch(2)|list",
                    "|sum",
                    "|min",
                    "|max",
                    "|items",
                    "|dictsort",
                    "|split",
                    "|lines",
                    "|select('number')|list",
                    "|map(attribute='k')|list",
                    "|title",
                    "|round",
                    "|zip(l)",
                    "|chain(l)",
                    "|slice(2)",
                    "|attr('a')",
                    "|format(n)",
                    "|bool",
                    "|reject('in', l)|list",
                ]);
            }
            10 => {
                self.expression(depth - 1);
                self.any(&[
                    " is defined",
                    " is not defined",
                    " is number",
                    " is eq n",
                    " is in l",
                    " is not in(ll)",
                    " is string",
                    " is divisibleby 2",
                    " is mapping",
                    " is lower",
                    " is sameas(l)",
                    " is lt 3",
                    " is startingwith 't'",
                ]);
            }
            11 => {
                self.expression(depth - 1);
                self.put(" if ");
                self.expression(depth - 1);
                if self.below(3) > 0 {
                    self.put(" else ");
                    self.expression(depth - 1);
                }
            }
            12 => {
                let (open, close) =
                    [("[", "]"), ("(", ",)"), ("{'a': ", "}"), ("{n: ", "}")][self.below(4)];
                self.put(open);
                self.expression(depth - 1);
                self.put(close);
            }
            13 => {
                self.any(&["range(", "dict(a=", "dict(**{'k': ", "namespace(q="]);
                let close = if self.text.ends_with(": ") { "})" } else { ")" };
                self.expression(depth - 1);
                self.put(close);
            }
            _ => {
                self.leaf();
                self.put("[");
                self.expression(depth - 1);
                self.put("]");
            }
        }
    }
}
