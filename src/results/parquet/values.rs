//! Values of a page as text: plain ones, small numbers in runs and packed bits, and whole numbers by their differences.

use super::footer::Column;
use super::thrift::Input;

/// How the values of a column are written, and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// A whole number of 32 or 64 bits.
    Whole {
        wide: bool,
        signed: bool,
        scale: u32,
    },
    /// A number of 32 bits, or of 64.
    Number {
        wide: bool,
    },
    Text,
}

/// Meanings, by Parquet's numbers.
const DECIMAL: i64 = 5;
const UNSIGNED_32: i64 = 13;
const UNSIGNED_64: i64 = 14;

impl Kind {
    /// The kind of a column, or why it has none.
    pub(super) fn of(column: &Column) -> Result<Self, String> {
        let signed = ![UNSIGNED_32, UNSIGNED_64].contains(&column.meaning.unwrap_or(-1));
        let scale = if column.meaning == Some(DECIMAL) { column.scale } else { 0 };
        match column.kind {
            0 => Ok(Self::Bool),
            1 => Ok(Self::Whole { wide: false, signed, scale }),
            2 => Ok(Self::Whole { wide: true, signed, scale }),
            4 => Ok(Self::Number { wide: false }),
            5 => Ok(Self::Number { wide: true }),
            6 if column.meaning != Some(DECIMAL) => Ok(Self::Text),
            3 => Err("it holds times of an old kind".to_owned()),
            _ => Err("it holds values of a kind that is not known here".to_owned()),
        }
    }

    fn whole(self, value: i64) -> String {
        match self {
            Self::Whole { scale, .. } if scale > 0 => format!("{value}e-{scale}"),
            Self::Whole { wide: true, signed: false, .. } => value.cast_unsigned().to_string(),
            Self::Whole { wide: false, signed: false, .. } => (value as u32).to_string(),
            _ => value.to_string(),
        }
    }
}

/// So many values, one after the other.
pub(super) fn plain(input: &mut Input<'_>, kind: &Kind, values: usize) -> Option<Vec<String>> {
    if *kind == Kind::Bool {
        let bits = input.take(values.div_ceil(8))?;
        return Some((0..values).map(|at| (bits[at / 8] >> (at % 8) & 1 == 1).to_string()).collect());
    }
    // A value takes four bytes at least; none is made room for that is not there.
    if values > input.rest.len() / 4 {
        return None;
    }
    let one = |_| {
        Some(match kind {
            Kind::Whole { wide: false, .. } => kind.whole(i64::from(i32::from_le_bytes(input.take(4)?.try_into().ok()?))),
            Kind::Whole { .. } => kind.whole(i64::from_le_bytes(input.take(8)?.try_into().ok()?)),
            Kind::Number { wide: false } => f32::from_le_bytes(input.take(4)?.try_into().ok()?).to_string(),
            Kind::Number { .. } => f64::from_le_bytes(input.take(8)?.try_into().ok()?).to_string(),
            Kind::Text | Kind::Bool => {
                let length = u32::from_le_bytes(input.take(4)?.try_into().ok()?);
                String::from_utf8_lossy(input.take(length as usize)?).trim().to_owned()
            }
        })
    };
    (0..values).map(one).collect()
}

/// So many small numbers of some bits each: runs of one, and groups of eight that are packed.
pub(super) fn levels(input: &mut Input<'_>, width: u32, values: usize) -> Option<Vec<u32>> {
    if width > 32 {
        return None;
    }
    let mut found = Vec::new();
    while found.len() < values {
        let head = input.varint()?;
        let left = values - found.len();
        if head & 1 == 0 {
            let mut value = [0; 4];
            let bytes = input.take(width.div_ceil(8) as usize)?;
            value[..bytes.len()].copy_from_slice(bytes);
            let run = usize::try_from(head >> 1).ok().filter(|run| *run > 0)?;
            found.extend(std::iter::repeat_n(u32::from_le_bytes(value), run.min(left)));
        } else {
            let groups = usize::try_from(head >> 1).ok().filter(|groups| *groups > 0)?;
            let length = groups.checked_mul(width as usize)?;
            // The last group of a file may be cut where its values end.
            let bytes = input.take(length.min(input.rest.len()))?;
            let count = groups.saturating_mul(8).min(left);
            if bytes.len() * 8 < count * width as usize {
                return None;
            }
            found.extend((0..count).map(|at| packed(bytes, at * width as usize, width) as u32));
        }
    }
    Some(found)
}

/// A number of some bits, at a bit; the lowest come first.
fn packed(bytes: &[u8], at: usize, width: u32) -> u64 {
    (0..width as usize).fold(0, |value, bit| {
        let place = at + bit;
        value | u64::from(bytes[place / 8] >> (place % 8) & 1) << bit
    })
}

/// Whole numbers by their differences, in blocks of which each has a least difference and packed bits above it.
pub(super) fn numbers(input: &mut Input<'_>, kind: &Kind, values: usize) -> Option<Vec<String>> {
    let Kind::Whole { wide, .. } = *kind else { return None };
    let block = usize::try_from(input.varint()?).ok()?;
    let minis = usize::try_from(input.varint()?).ok().filter(|minis| *minis > 0)?;
    let all = usize::try_from(input.varint()?).ok()?;
    let mut value = input.zigzag()?;
    let each = block / minis;
    if all != values || each == 0 || each % 8 != 0 {
        return None;
    }
    let fitted = |value: i64| if wide { value } else { i64::from(value as i32) };
    let mut found = vec![kind.whole(fitted(value))];
    while found.len() < values {
        let least = input.zigzag()?;
        let widths = input.take(minis)?;
        for &width in widths {
            if found.len() >= values {
                break;
            }
            if width > 64 {
                return None;
            }
            let bytes = input.take(each / 8 * usize::from(width))?;
            for at in 0..each.min(values - found.len()) {
                let step = packed(bytes, at * usize::from(width), u32::from(width)).cast_signed();
                value = fitted(value.wrapping_add(least).wrapping_add(step));
                found.push(kind.whole(value));
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Kind = Kind::Whole { wide: true, signed: true, scale: 0 };

    #[test]
    fn runs_and_packed_bits_are_read() {
        // Five times 3 in two bits, then the packed numbers 0 1 2 3 0 1 2 3.
        assert_eq!(
            levels(&mut Input { rest: &[10, 3, 3, 0b1110_0100, 0b1110_0100] }, 2, 13),
            Some([3; 5].into_iter().chain([0, 1, 2, 3, 0, 1, 2, 3]).collect())
        );
        assert_eq!(levels(&mut Input { rest: &[] }, 1, 0), Some(vec![]));
        assert_eq!(levels(&mut Input { rest: &[10] }, 2, 5), None, "cut");
        assert_eq!(levels(&mut Input { rest: &[0, 0, 0, 0] }, 1, 5), None, "runs of nothing");
        assert_eq!(levels(&mut Input { rest: &[0xff, 0xff, 0xff, 0xff, 0x0f, 1] }, 8, 5), None, "more than there is");
    }

    #[test]
    fn values_are_text_as_they_are_written_elsewhere() {
        let bytes: Vec<u8> = [1.5_f64, 1e9, 0.1].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(plain(&mut Input { rest: &bytes }, &Kind::Number { wide: true }, 3).expect("whole"), ["1.5", "1000000000", "0.1"]);
        assert_eq!(plain(&mut Input { rest: &bytes }, &Kind::Number { wide: true }, 4), None);
        let decimal = Kind::Whole { wide: true, signed: true, scale: 2 };
        assert_eq!(plain(&mut Input { rest: &350_i64.to_le_bytes() }, &decimal, 1).expect("whole"), ["350e-2"]);
        let unsigned = Kind::Whole { wide: false, signed: false, scale: 0 };
        assert_eq!(plain(&mut Input { rest: &[0xff; 4] }, &unsigned, 1).expect("whole"), ["4294967295"]);
        assert_eq!(plain(&mut Input { rest: &[0b101] }, &Kind::Bool, 3).expect("whole"), ["true", "false", "true"]);
        assert_eq!(plain(&mut Input { rest: &[2, 0, 0, 0, b'a', b'b'] }, &Kind::Text, 1).expect("whole"), ["ab"]);
    }

    #[test]
    fn differences_add_up() {
        // 7, 5, 3, 1, 2, 3, 4, 5: blocks of 128 in four parts; least difference -2, two bits each (Parquet's own example).
        let mut bytes = vec![0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0];
        bytes.extend([0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]);
        assert_eq!(numbers(&mut Input { rest: &bytes }, &WHOLE, 8).expect("whole"), ["7", "5", "3", "1", "2", "3", "4", "5"]);
        assert_eq!(numbers(&mut Input { rest: &bytes[..12] }, &WHOLE, 8), None);
    }
}
