//! The fewest digits that read back as the same float. Of two texts equally near Go takes the even one, Rust's
//! own formatting the larger.

/// A finite float's digits, without zeros at either end (none for 0), and the power of ten of the first.
struct Digits {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Digits {
    fn of(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading = (all.len() - significant.len()) as i32;
        let digits = significant.trim_end_matches('0').to_owned();
        let exponent = if digits.is_empty() {
            0
        } else {
            exponent.parse().unwrap_or(0) + whole.len() as i32 - 1 - leading
        };
        Self { negative, digits, exponent }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn scientific(&self) -> String {
        let (sign, exponent) = (self.sign(), self.exponent);
        match self.digits.split_at_checked(1) {
            None => format!("{sign}0e0"),
            Some((first, "")) => format!("{sign}{first}e{exponent}"),
            Some((first, rest)) => format!("{sign}{first}.{rest}e{exponent}"),
        }
    }

    fn positional(&self) -> String {
        let (sign, digits) = (self.sign(), &self.digits);
        let Ok(before) = usize::try_from(self.exponent + 1) else {
            let zeros = self.exponent.unsigned_abs() as usize - 1;
            return format!("{sign}0.{}{digits}", "0".repeat(zeros));
        };
        match digits.split_at_checked(before) {
            _ if digits.is_empty() => format!("{sign}0"),
            None => format!("{sign}{digits}{}", "0".repeat(before - digits.len())),
            Some((whole, "")) => format!("{sign}{whole}"),
            Some(("", fraction)) => format!("{sign}0.{fraction}"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        }
    }
}

/// A finite float as `-d.ddde-x`.
pub(crate) fn scientific(f: f64) -> String {
    Digits::of(ryu::Buffer::new().format_finite(f)).scientific()
}

/// The same of a float of 32 bits.
pub(crate) fn scientific32(f: f32) -> String {
    Digits::of(ryu::Buffer::new().format_finite(f)).scientific()
}

/// A finite float as `-ddd.ddd`, however many zeros that takes.
pub(crate) fn positional(f: f64) -> String {
    Digits::of(ryu::Buffer::new().format_finite(f)).positional()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        for (f, e, p) in [
            (0.0, "0e0", "0"),
            (-0.0, "-0e0", "-0"),
            (1.0, "1e0", "1"),
            (-1.5, "-1.5e0", "-1.5"),
            (120.0, "1.2e2", "120"),
            (0.1, "1e-1", "0.1"),
            (0.00125, "1.25e-3", "0.00125"),
            (1e21, "1e21", "1000000000000000000000"),
            (123_456.789, "1.23456789e5", "123456.789"),
        ] {
            assert_eq!((scientific(f).as_str(), positional(f).as_str()), (e, p));
        }
        assert_eq!(scientific(5e-324), "5e-324");
        assert_eq!(scientific(f64::MAX), "1.7976931348623157e308");
        assert_eq!(scientific32(0.1), "1e-1");
    }

    #[test]
    fn of_two_as_near_the_even_one() {
        assert_eq!(scientific(1_824_769_313_002_071.2), "1.8247693130020712e15");
        assert_eq!(positional(1_824_769_313_002_071.2), "1824769313002071.2");
    }

    #[test]
    fn else_as_rust_has_them() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let f = f64::from_bits(bits);
            if f.is_finite() {
                assert_eq!(scientific(f).parse::<f64>().ok(), Some(f));
                assert_eq!(scientific(f).len(), format!("{f:e}").len());
                assert_eq!(positional(f).len(), f.to_string().len());
            }
        }
    }
}
