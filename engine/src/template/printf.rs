//! Go's fmt: Sprint, Sprintln and Sprintf over template values.

mod directive;
pub(crate) mod float;
mod pad;
mod verb;

use super::Value;

/// Deepest nesting that is printed.
const MAX_DEPTH: usize = 1000;

/// The flags of one directive.
#[derive(Clone, Copy, Default)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// %+v
    plus_v: bool,
    /// %#v
    sharp_v: bool,
}

struct Printer {
    out: Vec<u8>,
    flags: Flags,
    /// Inside of %!d(…): no methods.
    erroring: bool,
}

impl Printer {
    fn new() -> Self {
        Printer { out: Vec::new(), flags: Flags::default(), erroring: false }
    }
}

/// fmt.Sprint: spaces between operands if neither is a string.
pub(crate) fn print(values: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    let mut previous_is_string = false;
    for (i, value) in values.iter().enumerate() {
        let is_string = matches!(value, Value::String(_));
        if i > 0 && !is_string && !previous_is_string {
            printer.out.push(b' ');
        }
        printer.value(value, 'v');
        previous_is_string = is_string;
    }
    printer.out
}

/// fmt.Sprintln.
pub(crate) fn println(values: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            printer.out.push(b' ');
        }
        printer.value(value, 'v');
    }
    printer.out.push(b'\n');
    printer.out
}

/// fmt.Sprintf.
pub(crate) fn printf(format: &[u8], values: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    directive::run(&mut printer, format, values);
    printer.out
}

/// fmt.Sprintf("%v", value).
pub(crate) fn text_of(value: &Value) -> Vec<u8> {
    let mut printer = Printer::new();
    printer.value(value, 'v');
    printer.out
}
