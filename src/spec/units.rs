//! Quantities with their units: counts of weights and tokens, training compute, losses.
//!
//! Each is a thin wrapper over `f64` (runs of others carry fractional counts, and 6·N·D overflows
//! 64-bit integers). Text such as `"2M"`, `"1.2e18"`, `"3,000,000"` is read by one parser; whole
//! values are written without a fraction, others in the shortest form that reads back the same.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// The text is not a number with an optional suffix.
    #[error("`{0}` is not a number; write for example 2500000, 2.5M, 1.2e18 or 3,000,000")]
    NotANumber(String),
    /// The number is zero, negative, infinite or NaN.
    #[error("`{0}` must be a finite number above zero")]
    NotPositive(String),
    /// The number is finite, and powers and products of it are not.
    #[error("`{0}` cannot be reckoned with: it must lie from 1e-60 to 1e60")]
    OutOfRange(String),
}

/// Reads a positive number: digits with optional thousands separators (`,` or `_`), an optional
/// exponent and an optional suffix k, M, B (or G), T, P, E; in small letters too, but for E, which is an exponent's.
pub fn parse_quantity(text: &str) -> Result<f64, QuantityError> {
    let not_a_number = || QuantityError::NotANumber(text.to_owned());
    let trimmed = text.trim();
    let (digits, factor) = match trimmed.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&trimmed[..at], 1e3),
        Some((at, 'M' | 'm')) => (&trimmed[..at], 1e6),
        Some((at, 'B' | 'G' | 'b' | 'g')) => (&trimmed[..at], 1e9),
        Some((at, 'T' | 't')) => (&trimmed[..at], 1e12),
        Some((at, 'P' | 'p')) => (&trimmed[..at], 1e15),
        Some((at, 'E')) => (&trimmed[..at], 1e18),
        _ => (trimmed, 1.0),
    };
    let plain = without_separators(digits.trim_end()).ok_or_else(not_a_number)?;
    let starts_like_a_number = plain.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let special = matches!(plain.to_ascii_lowercase().as_str(), "nan" | "inf" | "-inf" | "+inf");
    if !starts_like_a_number && !special {
        return Err(not_a_number());
    }
    // "1.2e3" written with a suffix is scaled as text, so that 1.1M is 1100000 and not 1100000.0000000001.
    let value: f64 = scaled(&plain, factor).ok_or_else(not_a_number)?;
    checked(value, || text.to_owned())
}

/// Quantities whose products and powers stay finite.
const REASONABLE: RangeInclusive<f64> = 1e-60..=1e60;

fn checked(value: f64, text: impl Fn() -> String) -> Result<f64, QuantityError> {
    match value {
        value if !(value.is_finite() && value > 0.0) => Err(QuantityError::NotPositive(text())),
        value if !REASONABLE.contains(&value) => Err(QuantityError::OutOfRange(text())),
        value => Ok(value),
    }
}

fn scaled(plain: &str, factor: f64) -> Option<f64> {
    if factor == 1.0 {
        return plain.parse().ok();
    }
    if plain.contains(['e', 'E']) {
        return plain.parse::<f64>().ok().map(|value| value * factor);
    }
    format!("{plain}e{}", factor.log10().round()).parse().ok()
}

/// Removes thousands separators; `None` when they do not stand between groups of three digits.
fn without_separators(digits: &str) -> Option<String> {
    if !digits.contains([',', '_']) {
        return Some(digits.to_owned());
    }
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let groups: Vec<&str> = whole.split([',', '_']).collect();
    let well_formed = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit()))
        && (1..=3).contains(&groups[0].len())
        && groups[1..].iter().all(|group| group.len() == 3);
    well_formed.then(|| groups.concat() + &fraction.map(|f| format!(".{f}")).unwrap_or_default())
}

/// Writes a number with three significant digits and an SI-like suffix: 124M, 1.25k, 96.
pub fn short(value: f64) -> String {
    let steps = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    // 999.6k is shown as 1M: the suffix is chosen after rounding to three digits.
    let rounded = three_digits(value);
    match steps.iter().find(|(step, _)| rounded.abs() >= *step) {
        Some((step, suffix)) if rounded.abs() < 1e15 => format!("{}{suffix}", trimmed(rounded / step)),
        Some(_) => format!("{value:.2e}"),
        None => trimmed(rounded),
    }
}

fn three_digits(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.2e}").parse().unwrap_or(value)
}

fn trimmed(value: f64) -> String {
    let decimals = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $show:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(pub f64);

        impl FromStr for $name {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                parse_quantity(text).map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(f64) -> String = $show;
                f.pad(&show(self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize_number(self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(PositiveVisitor).map($name)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                quantity_schema()
            }
        }
    };
}

quantity!(
    /// N: parameters of a network, counted under a stated [`SizeMeasure`](crate::spec::SizeMeasure).
    Params,
    short
);
quantity!(
    /// D: tokens seen in training.
    Tokens,
    short
);
quantity!(
    /// C: training compute in floating-point operations, under a stated [`FlopRule`](crate::spec::FlopRule).
    Flops,
    |value| format!("{value:.2e}")
);
quantity!(
    /// L: held-out loss in nats per token.
    Nats,
    |value| format!("{value:.4}")
);
quantity!(
    /// Held-out loss in bits per byte of text, comparable between tokenizers.
    BitsPerByte,
    |value| format!("{value:.4}")
);

impl Nats {
    /// Bits per byte = nats per token / (ln 2 · bytes per token), bytes counted on the same held-out text.
    pub fn to_bits_per_byte(self, bytes_per_token: f64) -> BitsPerByte {
        BitsPerByte(self.0 / (std::f64::consts::LN_2 * bytes_per_token))
    }
}

/// Whole numbers as integers, all others in shortest round-trip form.
fn serialize_number<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: below it every whole f64 is an exact integer
    if value.fract() == 0.0 && (0.0..EXACT).contains(&value) {
        serializer.serialize_u64(value as u64)
    } else {
        serializer.serialize_f64(value)
    }
}

/// What [`PositiveVisitor`] reads: a number above zero, or text of one as [`parse_quantity`] reads it.
fn quantity_schema() -> Schema {
    const TEXT: &str = r"^\s*\+?[0-9.][0-9.,_]*([eE][+-]?[0-9]+)?\s*[kKmMbBgGtTpPE]?\s*$";
    json_schema!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string", "pattern": TEXT }] })
}

struct PositiveVisitor;

impl Visitor<'_> for PositiveVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a finite number above zero, such as 2500000, \"2.5M\" or 1.2e18")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        checked(value, || if value.abs() > 1e15 { format!("{value:e}") } else { value.to_string() }).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }

    // FLOPs of large runs pass 64 bits, and the CSV reader then offers 128.
    fn visit_u128<E: de::Error>(self, value: u128) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        parse_quantity(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_with_suffixes_exponents_and_separators() {
        for (text, value) in [
            ("2M", 2e6),
            ("1.2B", 1.2e9),
            ("50m", 5e7),
            ("2b", 2e9),
            ("1.1M", 1_100_000.0),
            ("3e9", 3e9),
            ("1.2e18", 1.2e18),
            ("12,345,678", 12_345_678.0),
            ("1_000", 1000.0),
            ("1,234.5", 1234.5),
            ("16k", 16e3),
            ("0.5T", 5e11),
            (" 7 ", 7.0),
            ("5.88e23", 5.88e23),
        ] {
            assert_eq!(parse_quantity(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_positive_number_is_refused_with_the_text() {
        for text in ["", "abc", "1,23", "12,3456", "1..2", "M", "1.2.3M", "infinity war", "٣"] {
            assert_eq!(parse_quantity(text), Err(QuantityError::NotANumber(text.into())), "{text}");
        }
        for text in ["0", "-3", "NaN", "inf", "-1M", "1e999"] {
            assert_eq!(parse_quantity(text), Err(QuantityError::NotPositive(text.into())), "{text}");
        }
    }

    #[test]
    fn quantities_print_with_three_digits_and_a_suffix() {
        for (value, text) in [
            (124e6, "124M"),
            (1.25e3, "1.25k"),
            (96.0, "96"),
            (999_600.0, "1M"),
            (999.4, "999"),
            (1.0, "1"),
            (33_024.0, "33k"),
            (7.5e10, "75B"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(Flops(1.2e18).to_string(), "1.20e18");
    }

    #[test]
    fn numbers_survive_json_bit_for_bit() {
        for value in [0.1 + 0.2, 1e59, 123_456_789.0, 6795600349.2895] {
            let json = serde_json::to_string(&Params(value)).expect("serializes");
            assert_eq!(serde_json::from_str::<Params>(&json).expect("reads"), Params(value), "{json}");
        }
        assert_eq!(serde_json::to_string(&Params(42.0)).expect("serializes"), "42");
    }

    #[test]
    fn bits_per_byte_divide_by_ln_two_and_the_bytes_of_a_token() {
        assert!((Nats(std::f64::consts::LN_2 * 3.0).to_bits_per_byte(1.5).0 - 2.0).abs() < 1e-12);
    }
}
