//! Values in one name of a file or folder: `lr0.001_seed1` by the pieces `lr`, a learning rate, `_`, a seed.

use super::known::{KNOWN, Kind, Known};
use super::numerals::Numerals;
use super::sheet::shown;
use crate::spec::parse_quantity;
use std::collections::HashSet;

/// A piece of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Any,
    /// A value of a known column, by its number.
    Value(usize),
}

impl Piece {
    /// As it stands in a pattern.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Any => "*".to_owned(),
            Self::Value(at) => format!("{{{}}}", KNOWN[*at].aliases[0]),
        }
    }
}

/// The values in a name, or why what stands there is none; `None` where the name does not fit.
pub(super) fn fitted(pieces: &[Piece], name: &str) -> Option<Vec<Result<(usize, String), String>>> {
    let with = |strict: bool| {
        let mut values = Vec::new();
        fits(pieces, name, 0, strict, &mut values, &mut HashSet::new()).then_some(values)
    };
    let said = |(at, text): (usize, &str)| {
        let known = &KNOWN[at];
        value(known, text).map(|value| (at, value)).ok_or_else(|| format!("`{}` is no number for {}", shown(text), known.aliases[0]))
    };
    // A way in which every value is one goes before others.
    Some(with(true).or_else(|| with(false))?.into_iter().map(said).collect())
}

/// Whether pieces fill a text from a place on; the longest values first. `failed` are places that lead to nothing.
fn fits<'a>(
    pieces: &[Piece],
    text: &'a str,
    from: usize,
    strict: bool,
    values: &mut Vec<(usize, &'a str)>,
    failed: &mut HashSet<(usize, usize)>,
) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return from == text.len() };
    if failed.contains(&(pieces.len(), from)) {
        return false;
    }
    let is_found = match piece {
        Piece::Text(literal) => {
            text[from..].starts_with(literal.as_str()) && fits(rest, text, from + literal.len(), strict, values, failed)
        }
        Piece::Any => ends(text, from).any(|end| fits(rest, text, end, strict, values, failed)),
        Piece::Value(at) => ends(text, from).filter(|end| *end > from).any(|end| {
            if strict && value(&KNOWN[*at], &text[from..end]).is_none() {
                return false;
            }
            values.push((*at, &text[from..end]));
            let is_found = fits(rest, text, end, strict, values, failed);
            if !is_found {
                values.pop();
            }
            is_found
        }),
    };
    if !is_found {
        failed.insert((pieces.len(), from));
    }
    is_found
}

/// Where a piece that begins at a place may end, the furthest first.
fn ends(text: &str, from: usize) -> impl Iterator<Item = usize> {
    (from..=text.len()).rev().filter(|&end| text.is_char_boundary(end))
}

/// What a part of a name says of a column: a number may have a word before it, as `lr0.001` and `seed_1` have.
fn value(known: &Known, text: &str) -> Option<String> {
    let number = |text: &str| {
        let plain = Numerals::of(std::iter::once(text), false).plain(text).into_owned();
        match known.kind {
            Kind::Whole => plain
                .parse::<u64>()
                .ok()
                .or_else(|| parse_quantity(&plain).ok().filter(|x| x.fract() == 0.0).map(|x| x as u64))
                .map(|x| x.to_string()),
            _ => parse_quantity(&plain).ok().map(|x| x.to_string()),
        }
    };
    if known.kind == Kind::Text {
        return Some(text.to_owned());
    }
    let begins = |at: &usize| text[*at..].starts_with(|c: char| c.is_ascii_digit()) && is_word(&text[..*at]);
    text.char_indices().map(|(at, _)| at).filter(begins).find_map(|at| number(&text[at..]))
}

/// Whether a text is nothing, or words before a number: letters, what joins them, and digits that belong to a word.
fn is_word(text: &str) -> bool {
    let mut before = None;
    text.chars().all(|c| {
        let is_fine = c.is_alphabetic()
            || "_-= ".contains(c) && before.is_some()
            || c.is_ascii_digit() && before.is_some_and(|b: char| b.is_alphanumeric());
        before = Some(c);
        is_fine
    }) && !text.ends_with(|c: char| c.is_ascii_digit())
}
