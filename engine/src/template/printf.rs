//! Go's fmt: Sprint, Sprintln and Sprintf over template values.

mod directive;
pub(crate) mod float;
mod pad;
mod verb;

use super::{Run, Value};

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

/// Stops early once the run is over its budget; see [`Run::check`].
struct Printer<'a> {
    out: Vec<u8>,
    flags: Flags,
    /// Inside of %!d(…): no methods.
    erroring: bool,
    run: &'a Run<'a>,
}

impl<'a> Printer<'a> {
    fn new(run: &'a Run<'a>) -> Self {
        Printer { out: Vec::new(), flags: Flags::default(), erroring: false, run }
    }

    /// Charges for one more element. True: no more may be printed.
    fn is_full(&self) -> bool {
        self.run.spend(1).is_err() || self.run.check_size(self.out.len()).is_err()
    }
}

/// fmt.Sprint: spaces between operands if neither is a string.
pub(crate) fn print(values: &[Value], run: &Run<'_>) -> Vec<u8> {
    let mut printer = Printer::new(run);
    let mut previous_is_string = false;
    for (i, value) in values.iter().enumerate() {
        if printer.is_full() {
            break;
        }
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
pub(crate) fn println(values: &[Value], run: &Run<'_>) -> Vec<u8> {
    let mut printer = Printer::new(run);
    for (i, value) in values.iter().enumerate() {
        if printer.is_full() {
            break;
        }
        if i > 0 {
            printer.out.push(b' ');
        }
        printer.value(value, 'v');
    }
    printer.out.push(b'\n');
    printer.out
}

/// fmt.Sprintf.
pub(crate) fn printf(format: &[u8], values: &[Value], run: &Run<'_>) -> Vec<u8> {
    let mut printer = Printer::new(run);
    directive::run(&mut printer, format, values);
    printer.out
}

/// What an action prints, and `html` and its kin take: as [`print`], but pointers are followed and nil
/// is `<no value>`.
pub(crate) fn display(values: &[Value], run: &Run<'_>) -> Vec<u8> {
    let mut printer = Printer::new(run);
    let mut previous_is_string = false;
    for (i, value) in values.iter().enumerate() {
        if printer.is_full() {
            break;
        }
        let is_string = matches!(value, Value::String(_) | Value::Nil);
        if i > 0 && !is_string && !previous_is_string {
            printer.out.push(b' ');
        }
        printer.shown(value);
        previous_is_string = is_string;
    }
    printer.out
}

/// fmt.Sprintf("%v", value).
pub(crate) fn text_of(value: &Value, run: &Run<'_>) -> Vec<u8> {
    let mut printer = Printer::new(run);
    printer.value(value, 'v');
    printer.out
}
