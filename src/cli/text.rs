//! Tables and numbers for a terminal.

use super::colour::{dim, warning};
use crate::fit::{Estimate, Interval};
use crate::spec::{SizeMeasure, short};
use crate::sweep::Savings;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table with a header and right-aligned columns but the first, indented by two.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(ToString::to_string));
    table.add_rows(rows.iter().cloned());
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 2 } else { 1 }, 1));
        column.set_cell_alignment(if at == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The same on a screen: heads are dim, and columns that do not fit stand in tables of their own, each with the first column.
pub(super) fn screen_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str).chain([header[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + 2
    };
    let mut parts: Vec<Vec<usize>> = vec![vec![0]];
    let mut taken = width(0);
    for column in 1..header.len() {
        if taken + width(column) > WIDTH && parts.last().is_some_and(|part| part.len() > 1) {
            parts.push(vec![0]);
            taken = width(0);
        }
        taken += width(column);
        parts.last_mut().expect("there is one").push(column);
    }
    let part = |columns: &Vec<usize>| {
        let heads: Vec<&str> = columns.iter().map(|&column| header[column]).collect();
        let cells = |row: &Vec<String>| columns.iter().map(|&column| row[column].clone()).collect();
        let text = table(&heads, &rows.iter().map(cells).collect::<Vec<_>>());
        let (first, others) = text.split_once('\n').unwrap_or((&text, ""));
        format!("{}\n{others}", dim(first))
    };
    parts.iter().map(part).collect()
}

/// A value with an interval whose digits follow from its width, where no standard error is known.
pub(super) fn known_between(value: f64, [low, high]: [f64; 2], level: f64) -> Estimate {
    Estimate::new(value, 0.25 * (high - low), [low, high], level, Interval::Mixture)
}

/// A number in the digits that a number known to `error` has.
pub(super) fn rounded(value: f64, error: f64) -> String {
    Estimate::new(value, error, [value, value], 0.0, Interval::Delta).render()[0].clone()
}

/// Which count of parameters a number of tokens per parameter uses.
pub(super) fn tokens_per(measure: SizeMeasure) -> &'static str {
    match measure {
        SizeMeasure::Total => "tokens per parameter of all",
        SizeMeasure::NonEmbedding => "tokens per non-embedding parameter",
        SizeMeasure::Matmul => "tokens per matmul weight",
        SizeMeasure::FlopsPerToken => "tokens per FLOP of a token",
        SizeMeasure::AsGiven => "tokens per parameter as given",
    }
}

/// Doubts that are shown; the others are counted.
const DOUBTS: usize = 2;

/// What speaks against an answer, the first few of it, each once.
pub(super) fn doubts(all: impl IntoIterator<Item = String>) -> String {
    first_doubts(all, DOUBTS)
}

/// The same with as many as there is room for.
pub(super) fn first_doubts(all: impl IntoIterator<Item = String>, most: usize) -> String {
    let mut seen = std::collections::HashSet::new();
    let all: Vec<String> = all.into_iter().filter(|doubt| seen.insert(doubt.clone())).collect();
    let mut text: String = all.iter().take(most).map(|doubt| warning(&filled("⚠ ", doubt))).collect();
    if all.len() > most {
        text += &format!("  and {} more: --details\n", all.len() - most);
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// One or many of a thing, in words.
pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A part of a report that is shown on a terminal or kept as Markdown.
pub(super) enum Piece {
    /// A heading of its own line.
    Title(String),
    /// Header and rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// A line, with the depth of its indentation.
    Line(usize, String),
}

/// Pieces for a terminal.
pub(super) fn plain(pieces: &[Piece]) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Title(title) => format!("\n{title}\n"),
        Piece::Table(header, rows) => table(header, rows),
        Piece::Line(depth, line) => format!("{}{line}\n", "  ".repeat(*depth)),
    };
    pieces.iter().map(one).collect()
}

/// Pieces as Markdown.
pub(super) fn markdown(pieces: &[Piece]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let one = |piece: &Piece| match piece {
        Piece::Title(title) => format!("\n## {title}\n\n"),
        Piece::Line(depth, line) => format!("{}- {line}\n", "  ".repeat(depth.saturating_sub(1))),
        Piece::Table(header, rows) => {
            let mut text = row(header.iter().map(|name| cell(name)).collect());
            text += &row(header.iter().enumerate().map(|(at, _)| if at == 0 { ":--".into() } else { "--:".into() }).collect());
            rows.iter().for_each(|cells| text += &row(cells.iter().map(|text| cell(text)).collect()));
            text + "\n"
        }
    };
    pieces.iter().map(one).collect::<String>().trim_start().to_owned()
}

/// Columns of a screen that everyone has.
pub(super) const WIDTH: usize = 80;
/// Where the text of an entry begins.
const ENTRY: usize = 10;

/// A word and what is said of it, wrapped beside it.
pub(super) fn entry(word: &str, text: &str) -> String {
    wrapped(text, &format!("  {word:<width$}", width = ENTRY - 2), &" ".repeat(ENTRY))
}

/// A word and names that belong to it, wrapped beside it; names with dashes stay whole.
pub(super) fn names(word: &str, all: &str) -> String {
    let first = format!("  {word:<width$}", width = ENTRY - 2);
    let indent = " ".repeat(ENTRY);
    let whole = textwrap::Options::new(WIDTH).word_separator(textwrap::WordSeparator::AsciiSpace);
    let whole = whole.word_splitter(textwrap::WordSplitter::NoHyphenation).break_words(false);
    textwrap::fill(all, whole.initial_indent(&first).subsequent_indent(&indent)) + "\n"
}

/// A sentence behind a mark, wrapped behind it.
pub(super) fn filled(mark: &str, text: &str) -> String {
    wrapped(text, mark, &" ".repeat(mark.chars().count()))
}

/// A sentence, wrapped and indented by two; names with dashes stay whole.
pub(super) fn indented(text: &str) -> String {
    let whole_words = textwrap::Options::new(WIDTH).word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, whole_words.initial_indent("  ").subsequent_indent("  ").break_words(false)) + "\n"
}

fn wrapped(text: &str, first: &str, others: &str) -> String {
    textwrap::fill(text, textwrap::Options::new(WIDTH).initial_indent(first).subsequent_indent(others).break_words(false)) + "\n"
}

/// A time as a person says it: 45 s, 3 min 20 s, 2 h 5 min.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Four decimals, or an exponent where they would say little; a dash for what is not finite.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "—".into();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e5).contains(&magnitude) { format!("{value:.3e}") } else { format!("{value:.4}") }
}

/// The interval of a count; nothing where none is known.
pub(super) fn counts(estimate: &Estimate) -> String {
    let end = |value: f64| if value.is_finite() { short(value) } else { "unbounded".into() };
    estimate.uncertainty.map_or(String::new(), |one| format!("[{}, {}]", end(one.low), end(one.high)))
}

/// A learning rate in three digits.
pub(super) fn rate_text(rate: f64) -> String {
    format!("{rate:.2e}")
}

/// The compute with which a forecast would have been right, over that which was spent, less one: `29 % less compute`.
pub(super) fn as_compute(part: f64) -> String {
    let percent = 100.0 * part.abs();
    let digits = usize::from(percent < 10.0);
    match part {
        _ if percent < 0.05 => "the same compute".to_owned(),
        part if part >= 1.0 => format!("{:.1} times the compute", 1.0 + part),
        part => format!("{percent:.digits$} % {} compute", if part < 0.0 { "less" } else { "more" }),
    }
}

/// What shared steps save, a line; nothing where none are shared.
pub(super) fn trunk_line(cost: &Savings) -> String {
    if cost.trunks == 0 {
        return String::new();
    }
    let Savings { trunks, sharing, shared, .. } = cost;
    let percent = 100.0 * cost.fraction();
    format!("trunks: {trunks} share the steps of {sharing} runs, {percent:.0} % less compute: {shared:.2e} FLOPs\n")
}

/// A p-value: three decimals, powers of ten below a thousandth; an approximation of tails says nothing below 1e-10.
pub(super) fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-10 => "p < 1e-10".into(),
        p if p < 1e-3 => format!("p = {p:.0e}"),
        p => format!("p = {p:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_two_units() {
        for (seconds, text) in [(0.25, "0.2 s"), (45.0, "45 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn an_error_as_compute_says_its_direction() {
        let told = [-0.29, 0.034, 0.5, 2.4, -1e-12].map(as_compute);
        assert_eq!(told, ["29 % less compute", "3.4 % more compute", "50 % more compute", "3.4 times the compute", "the same compute"]);
    }

    #[test]
    fn a_report_is_plain_text_or_markdown() {
        let pieces = [
            Piece::Title("what".into()),
            Piece::Table(vec!["a", "b"], vec![vec!["1|2".into(), "3".into()]]),
            Piece::Line(1, "said".into()),
        ];
        assert_eq!(plain(&pieces), "\nwhat\n  a    b\n  1|2  3\n  said\n");
        assert_eq!(markdown(&pieces), "## what\n\n| a | b |\n| :-- | --: |\n| 1\\|2 | 3 |\n\n- said\n");
    }

    #[test]
    fn columns_of_a_table_are_aligned() {
        let text = table(&["shape", "N"], &[vec!["2x8".into(), "5.8k".into()], vec!["2x128".into(), "470k".into()]]);
        assert_eq!(text, "  shape     N\n  2x8    5.8k\n  2x128  470k\n");
    }

    #[test]
    fn a_wide_table_is_cut_into_narrow_ones() {
        let header = ["name", "a", "b", "c"];
        let rows = vec![vec!["one".to_owned(), "x".repeat(30), "y".repeat(30), "z".repeat(30)]];
        let text = anstream::adapter::strip_str(&screen_table(&header, &rows)).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH) && text.matches("one").count() == 2 && text.matches("name").count() == 2, "{text}");
        assert_eq!(anstream::adapter::strip_str(&screen_table(&["n"], &[vec!["1".into()]])).to_string(), "  n\n  1\n");
    }

    #[test]
    fn a_number_has_the_digits_of_its_error() {
        assert_eq!([rounded(0.038_93, 0.043_8), rounded(-1.2, 0.4), rounded(223.8049, 9.0)], ["0.039", "-1.20", "223.8"]);
        assert_eq!(known_between(1.2558, [1.2277, 1.2846], 0.95).to_string(), "1.256 [1.228, 1.285]");
    }

    #[test]
    fn p_values_have_as_many_digits_as_they_mean() {
        assert_eq!([0.7252, 4.2e-5, 0.0].map(p_value), ["p = 0.725", "p = 4e-5", "p < 1e-10"]);
    }
}
