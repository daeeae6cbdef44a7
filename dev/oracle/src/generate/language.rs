//! The language itself: actions, blocks, variables, scopes, defines, trim marks, comments, mistakes.

use fastrand::Rng;

use super::expression::{odd, path, value, values};
use super::{once_in, pick};
use crate::case::Case;

pub fn case(rng: &mut Rng) -> Case {
    let mut writer =
        Writer { rng, out: String::new(), variables: Vec::new(), loops: 0, budget: 14 };
    writer.file();
    let mut template = writer.out;
    if once_in(rng, 12) {
        damage(rng, &mut template);
    }
    let mut case = Case::new(template);
    case.integers = once_in(rng, 4);
    if once_in(rng, 10) {
        let helpers = "{{ define \"a\" }}helper {{ . }}{{ end }}{{ define \"h\" }}{{ .Values.name }}{{ end }}";
        case.templates.push(("_h.tpl".to_owned(), helpers.to_owned()));
    }
    case
}

/// Breaks a template somewhere: what a typing mistake makes of it.
pub fn damage(rng: &mut Rng, text: &mut String) {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return;
    }
    let at = rng.usize(..chars.len());
    match rng.u32(..4) {
        0 => {
            chars.remove(at);
        }
        1 => chars.insert(at, chars[rng.usize(..chars.len())]),
        2 => {
            let other = rng.usize(..chars.len());
            chars.swap(at, other);
        }
        _ => {
            let odd = pick(
                rng,
                &[
                    "{{", "}}", "(", ")", "|", ".", "$", ",", ":=", "\"", "'", "`", "-", "/*",
                    "*/", "{{-", "-}}", "\\", "é", "#",
                ],
            );
            chars.splice(at..at, odd.chars());
        }
    }
    *text = chars.into_iter().collect();
}

struct Writer<'r> {
    rng: &'r mut Rng,
    out: String,
    /// Those in scope; some more are used by mistake.
    variables: Vec<&'static str>,
    loops: u32,
    /// How many more nodes may be written.
    budget: u32,
}

const NAMES: &[&str] = &["$x", "$y", "$é", "$_1", "$x1", "$key"];
const TEMPLATES: &[&str] =
    &["\"a\"", "\"b\"", "\"h\"", "`a`", "\"t/templates/case.txt\"", "\"\\x61\"", "\"none\""];

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn file(&mut self) {
        if once_in(self.rng, 3) {
            let name = pick(self.rng, TEMPLATES);
            if name != "\"t/templates/case.txt\"" || once_in(self.rng, 10) {
                self.define(name);
            }
        }
        self.nodes(0);
        if once_in(self.rng, 8) {
            self.define("\"b\"");
        }
    }

    fn define(&mut self, name: &str) {
        let outer = std::mem::take(&mut self.variables);
        let loops = std::mem::take(&mut self.loops);
        self.open(&format!("define {name}"));
        self.nodes(2);
        self.open("end");
        self.variables = outer;
        self.loops = loops;
    }

    /// An action with marks and spaces as they may be.
    fn open(&mut self, inside: &str) {
        let left = pick(self.rng, &["{{ ", "{{ ", "{{", "{{- ", "{{-  ", "{{\n", "{{-\t", "{{  "]);
        let right = pick(self.rng, &[" }}", " }}", "}}", " -}}", "  -}}", "\n}}", "\t}}", " }}"]);
        self.push(left);
        self.push(inside);
        self.push(right);
    }

    fn nodes(&mut self, depth: u32) {
        for _ in 0..self.rng.u32(1..=4) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.text();
            self.node(depth);
        }
        self.text();
    }

    fn text(&mut self) {
        let text = pick(
            self.rng,
            &[
                "",
                "",
                "",
                " ",
                "\n",
                "a",
                "  b\n",
                "\n\n  ",
                "é ",
                "<no value>",
                "{",
                "}}",
                "x\r\n",
                "\t",
                "{ {",
                "-",
            ],
        );
        self.push(text);
    }

    fn node(&mut self, depth: u32) {
        let mark = self.variables.len();
        let deep = depth > 3;
        match self.rng.u32(..28) {
            0..=6 => {
                let inside = self.pipeline();
                self.open(&inside);
            }
            7..=10 => self.declare(),
            11..=14 if !deep => self.branch("if", depth),
            15..=17 if !deep => self.branch("with", depth),
            18..=22 if !deep => self.range(depth),
            23 => self.template(depth),
            24 => {
                let word = pick(self.rng, &["break", "continue"]);
                if self.loops > 0 || once_in(self.rng, 30) {
                    let guard = self.pipeline();
                    if once_in(self.rng, 2) {
                        self.open(&format!("if {guard}"));
                        self.open(word);
                        self.open("end");
                    } else {
                        self.open(word);
                    }
                }
            }
            25 => {
                let comment =
                    pick(self.rng, &["/* c */", "/**/", "/* a\nb */", "/* {{ x }} */", "/* c */ "]);
                let left = pick(self.rng, &["{{", "{{- "]);
                let right = pick(self.rng, &["}}", " -}}"]);
                self.push(left);
                let whole = once_in(self.rng, 20);
                self.push(if whole { comment } else { comment.trim_end() });
                self.push(right);
            }
            26 => {
                let inside = odd(self.rng);
                self.open(&inside);
            }
            _ => {
                let inside = path(self.rng);
                self.open(&inside);
            }
        }
        // A declaration lives to the end of its block; a block's own ended with it.
        if self.variables.len() > mark + 1 {
            self.variables.truncate(mark + 1);
        }
    }

    fn declare(&mut self) {
        let name = pick_static(self.rng, NAMES);
        let value = self.pipeline();
        let known = self.variables.contains(&name);
        let sign = if known && once_in(self.rng, 2) { "=" } else { ":=" };
        let sign = if once_in(self.rng, 40) { "=" } else { sign };
        let (before, after) =
            (pick(self.rng, &[" ", " ", ""]), pick(self.rng, &[" ", " ", "", "\n"]));
        self.open(&format!("{name}{before}{sign}{after}{value}"));
        if sign == ":=" {
            self.variables.push(name);
        }
    }

    fn branch(&mut self, word: &str, depth: u32) {
        let mark = self.variables.len();
        let condition = self.condition();
        self.open(&format!("{word} {condition}"));
        self.nodes(depth + 1);
        let inner = self.variables.len().min(mark + 1);
        self.variables.truncate(inner);
        if once_in(self.rng, 3) {
            let again = self.condition();
            let next =
                if once_in(self.rng, 12) { pick(self.rng, &["if", "with", "range"]) } else { word };
            self.open(&format!("else {next} {again}"));
            self.nodes(depth + 1);
        }
        if once_in(self.rng, 3) {
            self.open("else");
            self.nodes(depth + 1);
        }
        if !once_in(self.rng, 80) {
            self.open("end");
        }
        self.variables.truncate(mark);
    }

    fn condition(&mut self) -> String {
        let pipeline = self.pipeline();
        if once_in(self.rng, 5) {
            let name = pick_static(self.rng, NAMES);
            self.variables.push(name);
            return format!("{name} := {pipeline}");
        }
        pipeline
    }

    fn range(&mut self, depth: u32) {
        let mark = self.variables.len();
        let over = self.over();
        let (one, two) = (pick_static(self.rng, NAMES), pick_static(self.rng, NAMES));
        let inside = match self.rng.u32(..10) {
            0..=3 => over,
            4..=5 => {
                self.variables.push(one);
                format!("{one} := {over}")
            }
            6..=7 => {
                self.variables.extend([one, two]);
                format!("{one}, {two} := {over}")
            }
            8 if self.variables.contains(&one) => {
                format!("{one} = {over}")
            }
            _ => {
                self.variables.extend([one, two]);
                pick(
                    self.rng,
                    &[
                        "$x, $y = ",
                        "$x , $y := ",
                        "$x,$y:=",
                        "$x, := ",
                        "$x, $y, $key := ",
                        "$x, 3 := ",
                    ],
                )
                .to_owned()
                    + &over
            }
        };
        self.open(&format!("range {inside}"));
        self.loops += 1;
        self.nodes(depth + 1);
        self.loops -= 1;
        self.variables.truncate(mark);
        if once_in(self.rng, 3) {
            self.open("else");
            self.nodes(depth + 1);
        }
        self.open("end");
    }

    fn over(&mut self) -> String {
        match self.rng.u32(..12) {
            0 => pick(
                self.rng,
                &["3", "0", "-2", "2.0", "5", "'\\x03'", "(index \"\\x03\" 0)", "(int64 3)"],
            )
            .to_owned(),
            1 => pick(
                self.rng,
                &[".Values", ".Release", ".Files", ".Capabilities.APIVersions", "$", "."],
            )
            .to_owned(),
            2..=6 => pick(
                self.rng,
                &[
                    ".Values.list",
                    ".Values.map",
                    ".Values.mixed",
                    ".Values.numbers",
                    ".Values.labels",
                    ".Values.emptyList",
                    ".Values.map.c",
                    ".Values.missing",
                    "$.Values.list",
                ],
            )
            .to_owned(),
            7 => format!("list {}", values(self.rng, 1)),
            8 => pick(
                self.rng,
                &[
                    "until 3",
                    "splitList \",\" \"a,b,c\"",
                    "tuple 1 \"x\" nil",
                    "dict \"b\" 1 \"a\" 2",
                    "chunk 2 (list 1 2 3)",
                    "seq 3",
                    ".Values.name",
                    "keys (dict \"z\" 1)",
                    ".Files.GetBytes \"x\"",
                ],
            )
            .to_owned(),
            _ => self.pipeline(),
        }
    }

    fn template(&mut self, depth: u32) {
        let name = pick(self.rng, TEMPLATES);
        let with =
            if once_in(self.rng, 3) { String::new() } else { format!(" {}", self.pipeline()) };
        match self.rng.u32(..4) {
            0 if depth < 3 => {
                let outer = std::mem::take(&mut self.variables);
                let loops = std::mem::take(&mut self.loops);
                self.open(&format!("block \"c\" {}", if with.is_empty() { " ." } else { &with }));
                self.nodes(depth + 1);
                self.open("end");
                self.variables = outer;
                self.loops = loops;
            }
            1 => {
                let argument = if with.is_empty() { " ." } else { " $" };
                self.open(&format!("include {name}{argument}"));
            }
            2 => {
                let text = pick(
                    self.rng,
                    &[
                        "\"{{ . }}\"",
                        "\"{{ .Values.name }}\"",
                        "\"{{ define \\\"a\\\" }}new{{ end }}{{ include \\\"a\\\" . }}\"",
                        "\"{{ $x := 1 }}{{ $x }}\"",
                        "\"{{ .x.y }}\"",
                        "\"{{\"",
                        ".Values.template",
                        "\"a{{- /* c */ -}} b\"",
                    ],
                );
                self.open(&format!("tpl {text} ."));
            }
            _ => self.open(&format!("template {name}{with}")),
        }
    }

    /// A pipeline of one to three commands.
    fn pipeline(&mut self) -> String {
        let mut out = self.command();
        while once_in(self.rng, 4) {
            out.push_str(pick(self.rng, &[" | ", " | ", "|", " |", "| ", " |\n "]));
            out.push_str(&self.stage());
        }
        out
    }

    fn command(&mut self) -> String {
        match self.rng.u32(..20) {
            0..=4 => path(self.rng),
            5..=7 => self.variable(),
            8..=9 => {
                let name = pick(self.rng, FUNCTIONS);
                format!("{name} {}", values(self.rng, 1))
            }
            10 => {
                let name = pick(self.rng, FUNCTIONS);
                format!("{name} {} {}", self.variable(), value(self.rng, 1))
            }
            11 => format!("({}).{}", self.pipeline_short(), pick(self.rng, FIELDS)),
            12 => format!("({})", self.pipeline_short()),
            13 => format!("{} {}", pick(self.rng, METHODS), value(self.rng, 0)),
            14 => pick(self.rng, METHODS).to_owned(),
            15 => format!("{}.{}", self.variable(), pick(self.rng, FIELDS)),
            16 => format!("{} {}", value(self.rng, 0), value(self.rng, 0)),
            17 => format!("print {} {}", self.variable(), self.variable()),
            _ => value(self.rng, 2),
        }
    }

    fn pipeline_short(&mut self) -> String {
        let first = value(self.rng, 1);
        if once_in(self.rng, 3) { format!("{first} | {}", self.stage()) } else { first }
    }

    fn stage(&mut self) -> String {
        match self.rng.u32(..8) {
            0 => {
                pick(self.rng, &[".", "1", "\"x\"", "nil", "true", "(print)", ".Values.name", "$"])
                    .to_owned()
            }
            1 => format!("{} {}", pick(self.rng, FUNCTIONS), self.variable()),
            2..=3 => format!("{} {}", pick(self.rng, FUNCTIONS), value(self.rng, 0)),
            4 => pick(self.rng, METHODS).to_owned(),
            _ => pick(self.rng, FUNCTIONS).to_owned(),
        }
    }

    fn variable(&mut self) -> String {
        if self.loops > 0 && once_in(self.rng, 4) {
            return ".".to_owned();
        }
        if self.variables.is_empty() || once_in(self.rng, 12) {
            return if once_in(self.rng, 15) { pick(self.rng, NAMES) } else { "$" }.to_owned();
        }
        self.variables[self.rng.usize(..self.variables.len())].to_owned()
    }
}

fn pick_static(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.usize(..from.len())]
}

const FUNCTIONS: &[&str] = &[
    "print",
    "println",
    "printf",
    "printf \"%v\"",
    "printf \"%d\"",
    "len",
    "not",
    "and",
    "or",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "index",
    "slice",
    "html",
    "js",
    "urlquery",
    "call",
    "default",
    "quote",
    "toJson",
    "list",
    "dict",
    "typeOf",
    "kindOf",
    "toString",
    "int",
    "nosuch",
    "required \"r\"",
    "ternary 1 2",
    "set",
    "hasKey",
    "get",
    "empty",
    "first",
];

const FIELDS: &[&str] =
    &["a", "name", "x", "c.d", "k", "Name", "é", "_0", "Values.int", "list", "Seconds", "String"];

const METHODS: &[&str] = &[
    ".Capabilities.APIVersions.Has",
    ".Capabilities.KubeVersion.String",
    ".Capabilities.KubeVersion.Major",
    ".Files.Get",
    ".Files.Glob",
    ".Files.Lines",
    ".Files.AsConfig",
    ".Capabilities.KubeVersion.GitVersion",
    ".Files.nothing",
    ".Capabilities.KubeVersion.nothing",
    ".Capabilities.nothing",
    ".Chart.Name",
    ".Chart.nothing",
    ".Release.Name",
    ".Template.Name",
    ".Subcharts",
    ".Capabilities.KubeVersion.Version",
    "$.Values.name",
    ".Chart.IsRoot",
    ".Release.nothing",
    ".Values.AsMap",
    ".Values.Table",
    ".Values.PathValue",
    ".Values.YAML",
];
