//! How numbers are written in a column: with decimal commas or points, with thousands set apart, with a word for their size.

use std::borrow::Cow;

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numerals {
    /// Whether a comma stands before the decimals.
    pub(super) decimal_comma: bool,
    /// Whether commas may be of thousands or before decimals, for all that the column says.
    pub(super) is_doubtful: bool,
    /// Whether points set thousands apart.
    thousands_points: bool,
    /// Whether every cell is as a program writes it.
    pub(super) is_plain: bool,
}

impl Numerals {
    /// Finds out how cells are written. `1,234` may be either; it has decimals in a column of `small` numbers that has no points.
    pub(super) fn of<'a>(cells: impl Iterator<Item = &'a str>, small: bool) -> Self {
        let mut found = Self { is_plain: true, ..Self::default() };
        let (mut has_points, mut has_doubtful, mut has_thousands) = (false, false, false);
        for cell in cells {
            if is_plain(cell) {
                has_points |= cell.contains('.');
                continue;
            }
            found.is_plain = false;
            match shape(&bare(cell)) {
                Shape::DecimalComma => found.decimal_comma = true,
                Shape::Doubtful => has_doubtful = true,
                Shape::Thousands => has_thousands = true,
                Shape::ThousandsPoints => found.thousands_points = true,
                Shape::Other => has_points |= cell.contains('.'),
            }
        }
        found.is_doubtful = has_doubtful && !has_points && !has_thousands;
        found.decimal_comma |= found.is_doubtful && small;
        found
    }

    /// A cell as a program writes it.
    pub(super) fn plain<'a>(&self, cell: &'a str) -> Cow<'a, str> {
        if self.is_plain || is_plain(cell) && !self.thousands_points {
            return Cow::Borrowed(cell);
        }
        let mut text = bare(cell);
        if self.decimal_comma {
            text = text.replace('.', "").replace(',', ".");
        } else if self.thousands_points {
            text = text.replace('.', "");
        }
        Cow::Owned(text)
    }
}

/// What commas and points of a cell can mean.
enum Shape {
    DecimalComma,
    /// `1,234`
    Doubtful,
    /// `1,234,567`
    Thousands,
    ThousandsPoints,
    Other,
}

fn shape(text: &str) -> Shape {
    let unsigned = text.trim_start_matches(['+', '-']);
    // Without the letter of its size; an exponent follows decimals.
    let (digits, word) = unsigned.split_at(unsigned.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(unsigned.len()));
    let has_exponent = word.len() > 1;
    let commas = digits.matches(',').count();
    let points = digits.matches('.').count();
    let of_thousands = |mark: char| digits.split(mark).skip(1).all(|group| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit()));
    match (commas, points) {
        (1, 0) => {
            let (whole, rest) = digits.split_once(',').unwrap_or((digits, ""));
            let could_be_thousands = of_thousands(',') && (1..=3).contains(&whole.len()) && whole != "0";
            if could_be_thousands && rest.len() == 3 && !has_exponent { Shape::Doubtful } else { Shape::DecimalComma }
        }
        (1, _) if digits.rfind('.') < digits.find(',') => Shape::DecimalComma,
        (0, 2..) if of_thousands('.') => Shape::ThousandsPoints,
        (2.., 0) if of_thousands(',') => Shape::Thousands,
        _ => Shape::Other,
    }
}

/// Digits, a point and an exponent alone, or nothing.
fn is_plain(cell: &str) -> bool {
    let mut points = 0;
    cell.bytes().all(|byte| {
        points += usize::from(byte == b'.');
        byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-') && points < 2
    })
}

/// Words for a size, and the letter for it.
const SIZES: [(&str, &str); 18] = [
    ("thousand", "k"),
    ("k", "k"),
    ("millions", "M"),
    ("million", "M"),
    ("mio", "M"),
    ("mn", "M"),
    ("m", "M"),
    ("billions", "B"),
    ("billion", "B"),
    ("bn", "B"),
    ("b", "B"),
    ("g", "G"),
    ("trillions", "T"),
    ("trillion", "T"),
    ("tn", "T"),
    ("t", "T"),
    ("p", "P"),
    ("e", "E"),
];
/// Words that say again what is counted.
const COUNTED: [&str; 10] = ["parameters", "params", "param", "tokens", "token", "toks", "flops", "flop", "nats", "steps"];

/// A number without what sets its thousands apart, and with a letter in place of a word for its size.
fn bare(cell: &str) -> String {
    let cell = cell.trim();
    let tail = cell.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |at| at + 1);
    let (number, words) = cell.split_at(tail);
    let apart = |c: &char| !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '’');
    let number: String = number.chars().filter(apart).collect();
    let words: Vec<String> =
        words.split_whitespace().map(str::to_ascii_lowercase).filter(|word| !COUNTED.contains(&word.as_str())).collect();
    match words.as_slice() {
        [] => number,
        [word] => match SIZES.iter().find(|(name, _)| name == word) {
            Some((_, letter)) if !number.is_empty() => number + letter,
            _ => cell.to_owned(),
        },
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(cells: &[&str], small: bool) -> Vec<String> {
        let numerals = Numerals::of(cells.iter().copied(), small);
        cells.iter().map(|cell| numerals.plain(cell).into_owned()).collect()
    }

    #[test]
    fn a_column_tells_what_its_commas_and_points_are() {
        assert_eq!(plain(&["3,71234", "2,5"], true), ["3.71234", "2.5"]);
        assert_eq!(plain(&["3,712", "2,500"], true), ["3.712", "2.500"]);
        assert_eq!(plain(&["3,712", "12,500"], false), ["3,712", "12,500"], "thousands, which are read as they stand");
        assert_eq!(plain(&["1.234,5", "0,5"], false), ["1234.5", "0.5"]);
        assert_eq!(plain(&["50.000.000", "1.000.000"], false), ["50000000", "1000000"]);
        assert_eq!(plain(&["1,234,567.5", "3.5"], true), ["1,234,567.5", "3.5"]);
        assert_eq!(plain(&["1,5e9"], false), ["1.5e9"]);
        assert_eq!(plain(&["10M", "1,300M"], false), ["10M", "1,300M"], "thousands of millions");
        assert_eq!(plain(&["1,300e9"], false), ["1.300e9"]);
        assert!(Numerals::of(["1,300", "8,500"].into_iter(), false).is_doubtful);
        assert!(!Numerals::of(["1,300", "1,300,000"].into_iter(), false).is_doubtful);
        assert!(Numerals::of(["1.5", "2e9", ""].into_iter(), true).is_plain);
    }

    #[test]
    fn thousands_are_set_apart_and_sizes_are_said_in_many_ways() {
        assert_eq!(plain(&["50 000 000", "1'000", "2\u{a0}000"], false), ["50000000", "1000", "2000"]);
        let said = ["50m", "2b", "1.3 billion", "7B params", "3 Mio", "5e9 tokens"];
        assert_eq!(plain(&said, false), ["50M", "2B", "1.3B", "7B", "3M", "5e9"]);
        assert_eq!(plain(&["NaN", "three", "d512", "m"], false), ["NaN", "three", "d512", "m"]);
    }
}
