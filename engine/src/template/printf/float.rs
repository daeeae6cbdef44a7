//! Floats as Go's strconv and fmt write them.

use super::Printer;
use crate::template::shortest;

/// No float64 has more decimals; Rust's own formatting panics at precisions above 65535.
const EXACT: usize = 1100;

/// strconv.FormatFloat(f, format, precision, 64); a precision of -1 is the shortest text that reads back the same.
pub(crate) fn format_float(f: f64, format: char, precision: i32) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    match format {
        'e' | 'E' => exponent_form(f, format, precision),
        'f' | 'F' => match usize::try_from(precision) {
            Ok(precision) => {
                let exact = precision.min(EXACT);
                format!("{f:.exact$}{}", "0".repeat(precision - exact))
            }
            Err(_) => shortest::positional(f),
        },
        'x' | 'X' => hex_form(f, format == 'X', precision),
        'b' => binary_form(f),
        _ => general_form(f, format, precision),
    }
}

/// -d.dddde±dd
fn exponent_form(f: f64, e: char, precision: i32) -> String {
    let text = match usize::try_from(precision) {
        Ok(precision) => format!("{f:.*e}", precision.min(EXACT)),
        Err(_) => shortest::scientific(f),
    };
    let zeros = usize::try_from(precision).unwrap_or(0).saturating_sub(EXACT);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{}{e}{sign}{:02}", "0".repeat(zeros), exponent.abs())
}

fn general_form(f: f64, format: char, precision: i32) -> String {
    let shortest = precision < 0;
    let wanted = if precision == 0 { 1 } else { precision };
    let scientific = exponent_form(f, 'e', if shortest { -1 } else { wanted - 1 });
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // Zeros at the end say nothing.
    let significant = digits.trim_end_matches('0');
    let count = significant.len().max(1) as i32;
    let mut threshold = wanted;
    if threshold > count && count > exponent {
        threshold = count;
    }
    if shortest {
        threshold = 6;
    }
    let e = if format == 'G' { 'E' } else { 'e' };
    if exponent < -4 || exponent >= threshold {
        return exponent_form(f, e, count - 1);
    }
    let decimals = (count - 1 - exponent).max(0);
    format_float(f, 'f', decimals)
}

fn parts(f: f64) -> (bool, u64, i32) {
    let bits = f.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    (f.is_sign_negative(), mantissa, exponent)
}

/// -ddddp±ddd
fn binary_form(f: f64) -> String {
    let (negative, mantissa, exponent) = parts(f);
    let sign = if negative { "-" } else { "" };
    format!("{sign}{mantissa}p{exponent:+}")
}

/// -0x1.yyyyyyyyp±dd
fn hex_form(f: f64, upper: bool, precision: i32) -> String {
    let (negative, mut mantissa, mut exponent) = parts(f);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() as i32 - 11;
        mantissa <<= shift;
        exponent += 52 - shift;
    }
    // One bit, then 13 hexadecimal digits.
    if (0..13).contains(&precision) {
        let drop = (13 - precision) * 4;
        let half = 1u64 << (drop - 1);
        let rest = mantissa & ((1 << drop) - 1);
        mantissa >>= drop;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let lead = mantissa >> 52;
    let mut digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    match usize::try_from(precision) {
        Err(_) => digits.truncate(digits.trim_end_matches('0').len()),
        Ok(n) if n <= 13 => digits.truncate(n),
        Ok(n) => digits.push_str(&"0".repeat(n - 13)),
    }
    let dot = if digits.is_empty() { "" } else { "." };
    let sign = if negative { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let text = format!("{sign}0x{lead}{dot}{digits}p{exponent_sign}{:02}", exponent.abs());
    if upper { text.to_uppercase() } else { text }
}

impl Printer<'_> {
    /// False: the verb is not for floats.
    pub(super) fn float(&mut self, f: f64, verb: char) -> bool {
        let (verb, precision) = match verb {
            'v' => ('g', -1),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, -1),
            'f' | 'e' | 'E' => (verb, 6),
            'F' => ('f', 6),
            _ => return false,
        };
        self.formatted(f, verb, precision);
        true
    }

    fn formatted(&mut self, f: f64, verb: char, precision: i32) {
        let precision = self.flags.precision.map_or(precision, |p| p.min(i32::MAX as usize) as i32);
        let mut text = format_float(f, verb, precision);
        if !text.starts_with(['+', '-']) {
            text.insert(0, '+');
        }
        let flags = self.flags;
        if flags.space && text.starts_with('+') && !flags.plus {
            text.replace_range(..1, " ");
        }
        if !f.is_finite() {
            if f.is_nan() && !flags.space && !flags.plus {
                text.remove(0);
            }
            let zero = std::mem::take(&mut self.flags.zero);
            self.pad(text.as_bytes());
            self.flags.zero = zero;
            return;
        }
        if flags.sharp && verb != 'b' {
            text = with_decimal_point(&text, verb, precision);
        }
        if flags.plus || !text.starts_with('+') {
            let width = flags.width.unwrap_or(0);
            if flags.zero && !flags.minus && width > text.len() {
                self.out.push(text.as_bytes()[0]);
                self.padding(width - text.len());
                self.out.extend_from_slice(&text.as_bytes()[1..]);
                return;
            }
            self.pad(text.as_bytes());
            return;
        }
        self.pad(&text.as_bytes()[1..]);
    }
}

/// The # flag: always a decimal point; %g keeps its zeros.
fn with_decimal_point(text: &str, verb: char, precision: i32) -> String {
    let mut wanted = match verb {
        'g' | 'G' | 'x' if precision == -1 => 6,
        'g' | 'G' | 'x' => precision,
        _ => 0,
    };
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E'] };
    let (mut number, tail) = match text.find(marks) {
        Some(i) => (text[..i].to_owned(), &text[i..]),
        None => (text.to_owned(), ""),
    };
    let mut seen = false;
    for c in number[1..].chars().filter(|c| *c != '.') {
        seen |= c != '0';
        wanted -= i32::from(seen);
    }
    if !number.contains('.') {
        if number.len() == 2 && number.ends_with('0') {
            wanted -= 1;
        }
        number.push('.');
    }
    number.push_str(&"0".repeat(usize::try_from(wanted).unwrap_or(0)));
    number + tail
}
