//! Which rows are kept: a column compared with a value.

use crate::spec::parse_quantity;
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

    /// Whether a cell is kept.
    pub(super) fn keeps(&self, cell: &str) -> bool {
        let numbers = || Some((number(cell)?, number(&self.value)?));
        let is = |value: &str| cell == value || number(cell).zip(number(value)).is_some_and(|(cell, value)| cell == value);
        let same = || is(&self.value);
        match self.comparison {
            Comparison::Equal => same(),
            Comparison::NotEqual => !same(),
            Comparison::Less => numbers().is_some_and(|(cell, value)| cell < value),
            Comparison::AtMost => numbers().is_some_and(|(cell, value)| cell <= value),
            Comparison::Greater => numbers().is_some_and(|(cell, value)| cell > value),
            Comparison::AtLeast => numbers().is_some_and(|(cell, value)| cell >= value),
            Comparison::OneOf => self.value.trim_matches(['[', ']', '(', ')']).split(',').any(|value| is(value.trim())),
        }
    }
}

/// A number as tables write it: `-1.5`, `3,000,000`, `1.2B`.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| parse_quantity(text).ok())
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
        if is_order && number(value).is_none() {
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
            ["5e8", "1B", "2,000,000,000", "1000000000.0", "", "tiny"].map(|cell| u8::from(filter.keeps(cell)))
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
    fn a_filter_is_written_as_it_is_read_and_nonsense_is_refused() {
        for text in ["a=b", "a!=b", "a<1", "a<=1", "a>1", "a>=1", "a=", "a=x=y", "a in b,c", "a=b in c", "a in millions<5"] {
            assert_eq!(text.parse::<Filter>().map(|filter| filter.to_string()), Ok(text.to_owned()));
        }
        assert!("params".parse::<Filter>().expect_err("refused").contains("`params` is not of the form column=value"));
        assert!("params<many".parse::<Filter>().expect_err("refused").contains("`many` is not a number"));
    }
}
