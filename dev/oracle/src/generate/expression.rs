//! Expressions of every type that a template can hold, fit to be an argument.

use fastrand::Rng;

use super::{once_in, pick};

/// The paths of the shared values.
const PATHS: &[&str] = &[
    ".Values.name",
    ".Values.empty",
    ".Values.int",
    ".Values.big",
    ".Values.huge",
    ".Values.float",
    ".Values.neg",
    ".Values.zero",
    ".Values.yes",
    ".Values.no",
    ".Values.null",
    ".Values.missing",
    ".Values.list",
    ".Values.numbers",
    ".Values.mixed",
    ".Values.emptyList",
    ".Values.emptyMap",
    ".Values.map",
    ".Values.map.c",
    ".Values.map.c.e",
    ".Values.labels",
    ".Values.labels.app",
    ".Values.multi",
    ".Values.unicode",
    ".Values.quoted",
    ".Values.version",
    ".Values.date",
    ".Values.url",
    ".Release.Name",
    ".Release.Revision",
    ".Release.IsInstall",
    ".Chart.Name",
    ".Template.Name",
];

/// Values that only a function makes.
const MADE: &[&str] = &[
    "(int64 7)",
    "(int64 -9223372036854775808)",
    "(float64 2)",
    "(index \"abc\" 1)",
    "(splitList \",\" \"a,b,c\")",
    "(splitList \",\" \"\")",
    "(until 3)",
    "(untilStep 10 0 -3)",
    "(tuple)",
    "(list)",
    "(dict)",
    "(list nil)",
    "(list 1 2.5 \"x\" nil true)",
    "(list (list 1 2) (list))",
    "(dict \"a\" 1 \"b\" (dict \"c\" nil))",
    "(dict \"k\" \"v\")",
    "(dict 1 2)",
    "(chunk 2 (list 1 2 3))",
    "(mustToDuration \"90s\")",
    "(mustToDuration \"1h2m3.5s\")",
    "(b64dec \"/w==\")",
    "(b64dec \"YeKCYg==\")",
    "(toDate \"2006-01-02\" \"2024-02-29\")",
    "(splitn \".\" 2 \"a.b.c\")",
    "(split \".\" \"a.b\")",
    "(.Files.GetBytes \"nothing\")",
    "(.Files.Lines \"nothing\")",
    "(len .Values.list)",
    "(printf \"%d\" 3)",
    "(print)",
    "(eq 1 1)",
    "(not true)",
    "(and)",
];

const TEXTS: &[&str] = &[
    r#""""#,
    r#""x""#,
    r#""hello""#,
    r#""a b""#,
    r#""Grüße ☃""#,
    r#""日本語""#,
    r#""a\tb\nc""#,
    r#""q\"q'q`q""#,
    r#""\\""#,
    r#""\x00\x7f""#,
    r#""\u00a0\u2028\ufeff""#,
    r#""\U0001F600""#,
    r#""\xff\xfe""#,
    r#""a\xc3""#,
    r#""\377\101""#,
    r#""<a href='x'>&amp;</a>""#,
    r#""%d %s %%""#,
    r#""{{ .x }}""#,
    "`raw \\n`",
    "`a\"b`",
    "``",
    r#""1""#,
    r#""true""#,
    r#""0x1F""#,
    r#""1.5e3""#,
    r#""-3""#,
    r#""a.b.c""#,
    r#""name""#,
    r#""int""#,
    r#""k""#,
    r#""a""#,
];

const INTS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "-7",
    "+3",
    "10",
    "42",
    "255",
    "256",
    "1000000",
    "1_000",
    "0x1F",
    "0XfF",
    "0b101",
    "0o17",
    "017",
    "0x_1",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "0x7fffffffffffffff",
    "1e3",
    "1e18",
    "'a'",
    "'\\n'",
    "'世'",
    "'\\''",
    "'\\x41'",
    "'\\u00e9'",
    "'\\377'",
    "4294967295",
    "65",
];

const FLOATS: &[&str] = &[
    "0.0",
    "1.0",
    "1.5",
    "-2.25",
    ".5",
    "5.",
    "1e3",
    "1E-7",
    "1e21",
    "1e20",
    "123456789.0",
    "1e6",
    "0.1",
    "3.14159",
    "1e100",
    "-0.0",
    "0x1p4",
    "0x1.8p-1",
    "1_0.5",
    "2.5e-10",
    "1.7976931348623157e308",
    "5e-324",
    "0.000001",
    "100000.0",
    "1234567.891",
    "-1e-5",
];

/// Things that lexer or parser refuse, or just not.
const ODD: &[&str] = &[
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0x",
    "08",
    "0b2",
    "1__0",
    "1_",
    "_1",
    "0x1.8",
    "1e",
    "1i",
    "2.5i",
    "1+2i",
    "0i",
    "''",
    "'ab'",
    "'\\q'",
    "\"\\q\"",
    "\"\\ud800\"",
    "\"\\U00110000\"",
    "\"\\400\"",
    "\"\\x4\"",
    "1.2.3",
    "0x1p",
    "+",
    "-",
    "..",
    ".1.",
    "1a",
    "0_7",
    "0_x1",
    "'\\\"'",
    "\"\\'\"",
    "1e1000000000",
    "0x1p1000000",
    "0x1p-2000",
    "1E+2",
    "1e-400",
    "00",
    "0e0",
    "09.5",
    "0b1e3",
    "0o8",
    "0x.8p1",
    "0x1_2",
    "0b_1",
    "1._5",
    "1_.5",
    "1e_5",
    "1e5_0",
];

/// An expression that may stand as an argument.
pub fn value(rng: &mut Rng, depth: u32) -> String {
    match rng.u32(..if depth == 0 { 13 } else { 20 }) {
        0..=1 => text(rng),
        2..=3 => int(rng),
        4 => float(rng),
        5 => pick(rng, &["true", "false", "nil"]).to_owned(),
        6..=9 => pick(rng, PATHS).to_owned(),
        10..=11 => pick(rng, MADE).to_owned(),
        12 => pick(rng, &["$.Values", ".Values", ".Release", "(.Values)", ".Template"]).to_owned(),
        13 => format!("(list {})", values(rng, depth - 1)),
        14 => dict(rng, depth - 1),
        15 => format!("({} {})", pick(rng, &["index", "slice"]), values(rng, depth - 1)),
        16 => format!("({} {})", pick(rng, COMPARE), values(rng, depth - 1)),
        17 => format!("({} {})", pick(rng, BUILTIN), values(rng, depth - 1)),
        18 => format!("({} | {})", value(rng, depth - 1), pick(rng, BUILTIN)),
        _ => format!("({} {})", pick(rng, CASTS), value(rng, depth - 1)),
    }
}

const COMPARE: &[&str] = &["eq", "ne", "lt", "le", "gt", "ge"];
const BUILTIN: &[&str] = &[
    "print", "println", "html", "js", "urlquery", "len", "not", "and", "or", "index", "slice",
    "call", "printf",
];
const CASTS: &[&str] =
    &["int", "int64", "float64", "toString", "quote", "toJson", "len", "typeOf", "kindOf", "first"];

/// Arguments, one to four.
pub fn values(rng: &mut Rng, depth: u32) -> String {
    let count = rng.u32(1..=4);
    let words: Vec<_> = (0..count).map(|_| value(rng, depth)).collect();
    words.join(" ")
}

/// A string literal.
pub fn text(rng: &mut Rng) -> String {
    if once_in(rng, 60) { odd(rng) } else { pick(rng, TEXTS).to_owned() }
}

/// An integer literal, of some width.
pub fn int(rng: &mut Rng) -> String {
    match rng.u32(..20) {
        0 => rng.i64(..).to_string(),
        1 => rng.i32(..).to_string(),
        2 => format!("{:#x}", rng.u64(..) >> rng.u32(..64)),
        3 if once_in(rng, 3) => odd(rng),
        4..=8 => rng.i32(-5..20).to_string(),
        _ => pick(rng, INTS).to_owned(),
    }
}

/// A literal of a float, from all over their range.
pub fn float(rng: &mut Rng) -> String {
    match rng.u32(..8) {
        0 => {
            let f = f64::from_bits(rng.u64(..));
            if f.is_finite() { format!("{f:e}") } else { "0.5".to_owned() }
        }
        1 => format!("{:.*}", rng.usize(1..6), (rng.f64() - 0.5) * 10f64.powi(rng.i32(-6..12))),
        2 => format!("{}.0", rng.i32(-2000..2_000_000)),
        3 => format!("{:e}", (rng.f64() - 0.5) * 10f64.powi(rng.i32(-30..30))),
        _ => pick(rng, FLOATS).to_owned(),
    }
}

/// What is at the edge of the grammar of literals.
pub fn odd(rng: &mut Rng) -> String {
    pick(rng, ODD).to_owned()
}

fn dict(rng: &mut Rng, depth: u32) -> String {
    let mut out = String::from("(dict");
    for _ in 0..rng.u32(..4) {
        out.push(' ');
        out.push_str(pick(
            rng,
            &["\"a\"", "\"b\"", "\"c d\"", "\"é\"", "\"\"", "\"Name\"", "\"1\""],
        ));
        out.push(' ');
        out.push_str(&value(rng, depth));
    }
    out.push(')');
    out
}

/// A path into the values, or one that leads nowhere.
pub fn path(rng: &mut Rng) -> String {
    if once_in(rng, 8) {
        let end =
            pick(rng, &["x", "a", "name", "0", "Name", "c.d", "missing.x", "e", "Keys", "String"]);
        format!("{}.{end}", pick(rng, PATHS))
    } else {
        pick(rng, PATHS).to_owned()
    }
}
