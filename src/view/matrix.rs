//! The conventions matrix: the exponent a that the same runs give under every way of counting N, with its interval. Ways of
//! counting C that give the same exponent stand in one row: a fit of L(N, D) does not see C.

use super::canvas::{Align, Canvas, LabelStyle, Rect, Stroke};
use super::comparison::draw_bar;
use super::figure::{Figure, LARGE};
use super::page::{Conventions, Layout, Page, shortened};
use super::palette::{ACCENT, BLACK, Colour, GREY, Mark, PALE, WHITE};
use super::panel::{AXIS_TEXT, Axis, TICK_TEXT, range};
use super::{Range, ViewError};
use crate::fit::{Convention, FitOptions, FittedLaw, Search, conventions as exponents_counted};
use crate::spec::SizeMeasure;
use crate::study::Study;

/// The exponent under one way of counting N.
#[derive(Debug, Clone, PartialEq)]
struct CountedExponent {
    /// How N is counted.
    size_measure: SizeMeasure,
    /// The ways of counting C that it holds for.
    flop_rules: String,
    /// a, or why there is none.
    exponent: Result<Range, String>,
}

/// Colour of the rows that other figures do not use.
const OTHER: Colour = Colour { rgb: [20, 90, 170], alpha: 1.0 };
/// Room for the names of measures at the left.
const NAMES: f64 = 190.0;
/// Room for the numbers at the right.
const NUMBERS: f64 = 170.0;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "conventions.png",
    caption: "The exponent a under every way of counting N",
    of: |subject| {
        let rows = counted(subject.study, subject.study.law_with_optima()?)?;
        Some(conventions_matrix(&rows, &subject.fitted()))
    },
};

/// A row for each way of counting, that of the other figures in the accent colour.
fn conventions_matrix(rows: &[CountedExponent], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let known: Vec<Range> = rows.iter().filter_map(|row| row.exponent.as_ref().ok().copied()).filter(|a| a.value.is_finite()).collect();
    let Some((low, high)) = range(known.iter().map(|a| a.value)) else {
        return Err(ViewError::empty("the conventions matrix", "an exponent under any way of counting"));
    };
    let remark = "Bars: intervals. The loss of each cell is the lowest as it is; in the accent colour the way of counting of the other figures. \
                  How C is counted moves budgets, not a.";
    let layout = Layout { title: "The exponent a under every way of counting N", remark, ..Layout::default() };
    let mut page = Page::laid(&layout, conventions);
    let Rect { left, right, top, bottom } = page.content;
    let inside = Rect { left: left + NAMES, right: right - NUMBERS, top, bottom: (bottom - 47.0).round() };
    // An open interval must not flatten the rest.
    let span = (high - low).max(0.2);
    let ends = known.iter().flat_map(|a| [a.low, a.high]).filter(|end| *end > low - span && *end < high + span);
    let axis = Axis::linear("", [low, high].into_iter().chain(ends));
    draw_axis(&mut page.canvas, inside, &axis);
    let height = inside.height() / rows.len() as f64;
    for (at, row) in rows.iter().enumerate() {
        let y = inside.top + height * (at as f64 + 0.5);
        if at > 0 {
            page.canvas.line(&[(left, y - 0.5 * height), (right, y - 0.5 * height)], Stroke::full(PALE, 0.8));
        }
        let used = row.size_measure == conventions.size_measure;
        draw_row(&mut page.canvas, (left, right), inside, &axis, y, (row, used));
    }
    let Rect { left, top, right, bottom } = inside;
    page.canvas.line(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], Stroke::full(BLACK, 1.0));
    Ok(page.png())
}

fn draw_axis(canvas: &mut Canvas, inside: Rect, axis: &Axis) {
    canvas.rect(inside, WHITE);
    let style = LabelStyle::new(TICK_TEXT, BLACK).aligned(Align::Middle);
    for (value, label) in axis.marks(inside.width()) {
        let x = inside.left + axis.share(value) * inside.width();
        canvas.line(&[(x, inside.top), (x, inside.bottom)], Stroke::full(PALE, 0.8));
        canvas.text(&label, (x, inside.bottom + 15.0), style);
    }
    let middle = 0.5 * (inside.left + inside.right);
    canvas.text("exponent a of N* ~ C^a", (middle, inside.bottom + 37.0), LabelStyle::new(AXIS_TEXT, BLACK).aligned(Align::Middle));
}

fn draw_row(canvas: &mut Canvas, (left, right): (f64, f64), inside: Rect, axis: &Axis, y: f64, (row, used): (&CountedExponent, bool)) {
    let name = LabelStyle::new(TICK_TEXT, BLACK);
    let small = LabelStyle::new(11.5, GREY);
    canvas.text(words(row.size_measure), (left + 8.0, y - 2.0), if used { name.bold() } else { name });
    canvas.text(&format!("C: {}", row.flop_rules), (left + 8.0, y + 14.0), small);
    match &row.exponent {
        Ok(a) => {
            draw_bar(canvas, inside, axis, y, *a, (Mark::Circle, if used { ACCENT } else { OTHER }));
            canvas.text(&format!("{:.3}", a.value), (inside.right + 12.0, y + 5.0), if used { name.bold() } else { name });
            let end = |end: f64| if end.is_finite() { format!("{end:.3}") } else { "open".into() };
            let interval = if a.is_known() { format!("[{}, {}]", end(a.low), end(a.high)) } else { "no interval".into() };
            canvas.text(&interval, (inside.right + 58.0, y + 5.0), small);
        }
        Err(reason) => {
            let reason = shortened(reason, right - inside.left - 16.0, &|text| small.length(text));
            canvas.text(&reason, (inside.left + 8.0, y + 5.0), small);
        }
    }
}

fn words(measure: SizeMeasure) -> &'static str {
    match measure {
        SizeMeasure::Total => "all parameters",
        SizeMeasure::NonEmbedding => "parameters of blocks",
        SizeMeasure::Matmul => "blocks and output",
        SizeMeasure::FlopsPerToken => "FLOPs per token",
        SizeMeasure::AsGiven => "as given",
    }
}

/// Refits for the exponent under one way of counting, at most.
const CONVENTION_REFITS: usize = 200;

/// The exponent under every way of counting, where the shapes of the runs allow to count anew.
fn counted(study: &Study, fit: &FittedLaw) -> Option<Vec<CountedExponent>> {
    if !study.options.own || study.evidence.points.len() > LARGE {
        return None;
    }
    let options = study.options.fit_options();
    let options = FitOptions { search: Search::VarproOnly, refits: options.refits.min(CONVENTION_REFITS), ..options };
    let found = exponents_counted(&fit.law, &study.records, &options, fit.level);
    let row = |same: &[Convention]| CountedExponent {
        size_measure: same[0].size_measure,
        flop_rules: same.iter().map(|one| one.flop_rule.name()).collect::<Vec<_>>().join(", "),
        exponent: same[0].exponent.as_ref().map(Range::from).map_err(Clone::clone),
    };
    Some(found.chunk_by(|a, b| a.size_measure == b.size_measure && a.exponent == b.exponent).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    #[test]
    fn exponents_with_intervals_open_ends_and_reasons_are_drawn() {
        let row = |size_measure, exponent| CountedExponent { size_measure, flop_rules: "6nd, md, exact".into(), exponent };
        let around = |value: f64, half: f64| Ok(Range { value, low: value - half, high: value + half });
        let rows = [
            row(SizeMeasure::Total, around(0.62, 0.045)),
            row(SizeMeasure::NonEmbedding, around(0.716, 0.05)),
            row(SizeMeasure::Matmul, around(0.651, 0.044)),
            row(SizeMeasure::FlopsPerToken, around(0.616, 0.045)),
        ];
        let used = Conventions { size_measure: SizeMeasure::Matmul, ..conventions() };
        is_drawn_twice_the_same("matrix", || conventions_matrix(&rows, &used));
        let mut open = rows.clone();
        open[1].exponent = Ok(Range { value: 0.7, low: 0.6, high: f64::INFINITY });
        open[3].exponent = Err("chinchilla has 5 coefficients and there are 4 points at 4 different places (N, D)".into());
        is_drawn_twice_the_same("matrix-open", || conventions_matrix(&open, &used));
        assert!(conventions_matrix(&open[3..], &used).expect_err("no exponent").to_string().contains("any way of counting"));
    }
}
