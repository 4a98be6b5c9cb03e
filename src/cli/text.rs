//! Tables and numbers for a terminal.

use crate::fit::Estimate;
use crate::spec::short;
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
    let Savings { trunks, sharing, alone, shared } = cost;
    let percent = 100.0 * cost.fraction();
    format!(
        "trunks: {trunks} share the constant-rate steps of {sharing} runs: {shared:.3e} FLOPs instead of {alone:.3e}, {percent:.1} % less\n"
    )
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
    fn p_values_have_as_many_digits_as_they_mean() {
        assert_eq!([0.7252, 4.2e-5, 0.0].map(p_value), ["p = 0.725", "p = 4e-5", "p < 1e-10"]);
    }
}
