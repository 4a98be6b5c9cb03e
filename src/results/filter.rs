//! Which rows are kept: a column compared with a value.

use super::numerals::Numerals;
use crate::spec::parse_quantity;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Keeps the rows whose cell compares with a value as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Header of the column.
    pub column: String,
    /// How its cell must compare.
    pub comparison: Comparison,
    /// What the field is compared with.
    pub value: String,
}

/// How a cell compares with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same text, or the same number (`1` and `1.0`).
    Equal,
    /// Neither.
    NotEqual,
    /// Two numbers, the cell's less; a cell without a number is not kept.
    Less,
    /// Less, or the same.
    AtMost,
    /// Two numbers, the cell's greater.
    Greater,
    /// Greater, or the same.
    AtLeast,
    /// The same as one of several, which commas separate.
    OneOf,
}

/// Operators, the word first, then the longer of two that begin alike first.
static SIGNS: [(&str, Comparison); 7] = [
    (" in ", Comparison::OneOf),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl Filter {
    /// Rows in which a column has a value.
    pub fn equal(column: &str, value: &str) -> Self {
        Self { column: column.to_owned(), comparison: Comparison::Equal, value: value.to_owned() }
    }

    /// The same, ready for the cells of a column: how its numbers are written, in which unit they are, and whether its values are plain
    /// numbers whatever that is.
    pub(super) fn test(&self, numerals: Numerals, unit: f64, in_plain: bool) -> Test<'_> {
        let one = |text: &str| {
            let text = text.trim();
            let value = number(&numerals, text).or_else(|| number(&Numerals::of(std::iter::once(text), false), text))?;
            // A size such as 7B is meant as it is said.
            let is_size = text.ends_with(|c: char| c.is_ascii_alphabetic());
            Some(if in_plain || is_size { value / unit } else { value })
        };
        let texts: Vec<&str> = match self.comparison {
            Comparison::OneOf => self.value.trim_matches(['[', ']', '(', ')']).split(',').map(str::trim).collect(),
            _ => vec![self.value.as_str()],
        };
        let values = texts.into_iter().map(|text| (text, one(text))).collect();
        Test { comparison: self.comparison, numerals, values }
    }
}

/// A filter as the cells of one column are held against it.
pub(super) struct Test<'a> {
    comparison: Comparison,
    numerals: Numerals,
    /// Texts, with the numbers that they are in the unit of the column.
    values: Vec<(&'a str, Option<f64>)>,
}

/// Numbers that differ by less are one, as a share: units are powers of ten and not of two.
const SAME: f64 = 1e-12;

impl Test<'_> {
    /// Whether a cell is kept.
    pub(super) fn keeps(&self, cell: &str) -> bool {
        let own = OnceCell::new();
        let own = || *own.get_or_init(|| number(&self.numerals, cell));
        let are_one = |one: f64, other: f64| one == other || (one - other).abs() <= SAME * one.abs();
        let is =
            |(text, value): &(&str, Option<f64>)| cell == *text || value.is_some_and(|value| own().is_some_and(|own| are_one(own, value)));
        let order = || own()?.partial_cmp(&self.values[0].1?);
        let same = || self.values.iter().any(is);
        match self.comparison {
            Comparison::Equal | Comparison::OneOf => same(),
            Comparison::NotEqual => !same(),
            Comparison::Less => !same() && order() == Some(Ordering::Less),
            Comparison::AtMost => order().is_some_and(|order| order == Ordering::Less || same()),
            Comparison::Greater => !same() && order() == Some(Ordering::Greater),
            Comparison::AtLeast => order().is_some_and(|order| order == Ordering::Greater || same()),
        }
    }
}

/// A number as tables write it: `-1.5`, `3,000,000`, `1.2B`, `7 billion`.
fn number(numerals: &Numerals, text: &str) -> Option<f64> {
    let plain = numerals.plain(text);
    plain.parse().ok().or_else(|| parse_quantity(&plain).ok())
}

impl FromStr for Filter {
    type Err = String;

    /// `column=value`, or with !=, <, <=, > or >=, or `column in a,b`.
    fn from_str(text: &str) -> Result<Self, String> {
        // The word may stand in the name of a column: it is one only where no other does.
        let (word, others) = SIGNS.split_at(1);
        let first = |signs: &'static [(&'static str, Comparison)]| {
            let at = |at: usize| signs.iter().find(|(sign, _)| text[at..].starts_with(sign)).map(|sign| (at, sign));
            text.char_indices().find_map(|(place, _)| at(place))
        };
        let (at, (sign, comparison)) = first(others)
            .or_else(|| first(word))
            .ok_or_else(|| format!("`{text}` is not of the form column=value; !=, <, <=, >, >= and `column in a,b` are known, too"))?;
        let (column, value) = (text[..at].trim(), text[at + sign.len()..].trim());
        let is_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual | Comparison::OneOf);
        if is_order && number(&Numerals::of(std::iter::once(value), false), value).is_none() {
            return Err(format!("`{value}` is not a number, which {sign} asks for; write for example 2500000, 2.5M or 1.2e18"));
        }
        Ok(Self { column: column.to_owned(), comparison: *comparison, value: value.to_owned() })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, _) = SIGNS.iter().find(|(_, one)| *one == self.comparison).expect("every comparison has a sign");
        write!(f, "{}{sign}{}", self.column, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_read_and_keeps_what_it_says() {
        let kept = |filter: &str| {
            let filter: Filter = filter.parse().expect("a filter");
            let cells = ["5e8", "1B", "2,000,000,000", "1000000000.0", "", "tiny"];
            let test = filter.test(Numerals::of(cells.into_iter(), false), 1.0, false);
            cells.map(|cell| u8::from(test.keeps(cell)))
        };
        assert_eq!(kept("params<1e9"), [1, 0, 0, 0, 0, 0]);
        assert_eq!(kept("params <= 1e9"), [1, 1, 0, 1, 0, 0]);
        assert_eq!(kept("params>1B"), [0, 0, 1, 0, 0, 0]);
        assert_eq!(kept("params>=1B"), [0, 1, 1, 1, 0, 0]);
        assert_eq!(kept("params=1e9"), [0, 1, 0, 1, 0, 0]);
        assert_eq!(kept("params!=1e9"), [1, 0, 1, 0, 1, 1]);
        assert_eq!(kept("params=tiny"), [0, 0, 0, 0, 0, 1]);
        assert_eq!(kept("params in 1B, tiny"), [0, 1, 0, 1, 0, 1]);
        assert_eq!(kept("params in [5e8]"), [1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn numbers_are_one_however_they_are_written() {
        let kept = |filter: &str, cells: [&str; 4]| {
            let filter: Filter = filter.parse().expect("a filter");
            let test = filter.test(Numerals::of(cells.into_iter(), false), 1.0, false);
            cells.map(|cell| u8::from(test.keeps(cell)))
        };
        for written in ["7B", "7e9", "7,000,000,000", "7 billion", "7000000000", "7b"] {
            assert_eq!(kept(&format!("params={written}"), ["7B", "7e9", "7 000 000 000", "7.1B"]), [1, 1, 1, 0], "{written}");
            assert_eq!(kept(&format!("params<={written}"), ["6.9B", "7e9", "7 000 000 000", "7.1B"]), [1, 1, 1, 0], "{written}");
        }
        assert_eq!(kept("lr<0,002", ["0,001", "0,002", "0,5", "x"]), [1, 0, 0, 0], "decimal commas on both sides");
        assert_eq!(kept("lr in [0.002, 0.5]", ["0,001", "0,002", "0,5", "x"]), [0, 1, 1, 0]);
        assert_eq!(kept("offset>-1", ["-2", "-1", "-0.5", "3"]), [0, 0, 1, 1], "what is below 0, too");
        assert_eq!(kept("name=v1", ["v1", "v1.0", "1", ""]), [1, 0, 0, 0], "words are words");
    }

    #[test]
    fn a_bare_number_is_in_the_unit_of_the_column_and_a_size_is_not() {
        let kept = |filter: &str, in_plain: bool| {
            let filter: Filter = filter.parse().expect("a filter");
            let test = filter.test(Numerals::of(["50"].into_iter(), false), 1e6, in_plain);
            ["50", "100", "1300"].map(|cell| u8::from(test.keeps(cell)))
        };
        assert_eq!(kept("params_M<=100", false), [1, 1, 0]);
        assert_eq!(kept("params_M<=100M", false), [1, 1, 0]);
        assert_eq!(kept("params_M=1.3B", false), [0, 0, 1]);
        assert_eq!(kept("params<=1e8", true), [1, 1, 0]);
        assert_eq!(kept("params!=1.3e9", true), [1, 1, 0]);
    }

    #[test]
    fn a_filter_is_written_as_it_is_read_and_nonsense_is_refused() {
        for text in ["a=b", "a!=b", "a<1", "a<=1", "a>1", "a>=1", "a=", "a=x=y", "a in b,c", "a=b in c", "a in millions<5"] {
            assert_eq!(text.parse::<Filter>().map(|filter| filter.to_string()), Ok(text.to_owned()));
        }
        assert!("params".parse::<Filter>().expect_err("refused").contains("`params` is not of the form column=value"));
        assert!("params<many".parse::<Filter>().expect_err("refused").contains("`many` is not a number"));
    }
}
