//! Decimal numbers of any length, as github.com/shopspring/decimal computes with them for addf and its kin.

use num_bigint::BigInt;

use crate::functions::cast::to_float64;
use crate::functions::{Call, Returned};
use crate::template::Value;
use crate::template::printf::float::format_float;
use crate::template::shortest;

/// `value` times ten to the power of `exponent`.
#[derive(Clone)]
pub(super) struct Decimal {
    value: BigInt,
    exponent: i64,
}

/// Divisions are rounded to so many places.
const PLACES: i64 = 16;

/// The first number, and the operation with each of the others in their order.
pub(super) fn chain(
    numbers: &[Value],
    operate: fn(&Decimal, &Decimal) -> Result<Decimal, String>,
    call: &Call<'_>,
) -> Returned {
    let Some((first, others)) = numbers.split_first() else { return Ok(Value::Float(0.0)) };
    let mut result = Decimal::new(to_float64(first))?;
    for other in others {
        result = operate(&result, &Decimal::new(to_float64(other))?)?;
        call.run.spend(1 + result.value.bits() / 64)?;
    }
    Ok(Value::Float(result.to_f64()))
}

impl Decimal {
    /// The shortest decimal that reads back as the float.
    fn new(float: f64) -> Result<Self, String> {
        if !float.is_finite() {
            return Err(format!("Cannot create a Decimal from {}", format_float(float, 'g', -1)));
        }
        let text = shortest::scientific(float);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
        let digits = mantissa.replace('.', "");
        Ok(Decimal {
            value: digits.parse().unwrap_or_default(),
            exponent: exponent.parse::<i64>().unwrap_or(0) - places,
        })
    }

    /// The nearest float.
    fn to_f64(&self) -> f64 {
        format!("{}e{}", self.value, self.exponent).parse().unwrap_or(0.0)
    }

    /// Both values in the smaller of the two exponents.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |d: &Self| &d.value * power_of_ten(d.exponent - exponent);
        (scaled(self), scaled(other), exponent)
    }

    pub fn add(&self, other: &Self) -> Result<Self, String> {
        let (a, b, exponent) = self.aligned(other);
        Ok(Decimal { value: a + b, exponent })
    }

    pub fn subtract(&self, other: &Self) -> Result<Self, String> {
        let (a, b, exponent) = self.aligned(other);
        Ok(Decimal { value: a - b, exponent })
    }

    pub fn multiply(&self, other: &Self) -> Result<Self, String> {
        let exponent = self.exponent + other.exponent;
        if i32::try_from(exponent).is_err() {
            return Err(format!("exponent {exponent} overflows an int32!"));
        }
        Ok(Decimal { value: &self.value * &other.value, exponent })
    }

    /// Half away from zero at the last place.
    pub fn divide(&self, other: &Self) -> Result<Self, String> {
        if other.value == BigInt::ZERO {
            return Err("decimal division by 0".into());
        }
        let shift = self.exponent - other.exponent + PLACES;
        let (numerator, denominator) = if shift < 0 {
            (self.value.clone(), &other.value * power_of_ten(-shift))
        } else {
            (&self.value * power_of_ten(shift), other.value.clone())
        };
        let quotient = &numerator / &denominator;
        let rest = &numerator - &quotient * &denominator;
        let twice = BigInt::from(rest.magnitude().clone()) * 2;
        let value = if twice < BigInt::from(denominator.magnitude().clone()) {
            quotient
        } else if numerator.sign() == denominator.sign() {
            quotient + 1
        } else {
            quotient - 1
        };
        Ok(Decimal { value, exponent: -PLACES })
    }
}

fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(a: f64, b: f64) -> f64 {
        let number = |f| Decimal::new(f).expect("finite");
        number(a).divide(&number(b)).expect("not zero").to_f64()
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        assert_eq!(divided(2.0, 3.0), 0.6666666666666667);
        assert_eq!(divided(-2.0, 3.0), -0.6666666666666667);
        assert_eq!(divided(1.0, 1e300), 0.0);
        assert_eq!(divided(1e300, 1e-300), f64::INFINITY);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert!(Decimal::new(f64::NAN).is_err_and(|e| e == "Cannot create a Decimal from NaN"));
        assert!(Decimal::new(0.0).is_ok_and(|zero| zero.to_f64() == 0.0));
    }
}
