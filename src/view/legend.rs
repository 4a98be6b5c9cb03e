//! What colours, marks and lines mean: a column at the right of the panels, or labels at the ends of curves,
//! pushed apart where they would overlap.

use super::canvas::{Align, Canvas, Fill, LabelStyle, Rect, Stroke};
use super::palette::{BLACK, Colour, GREY, Ladder, Mark, ordered};
use super::ticks::{Scale, Span, Unit, ticks, written};

const LINE: f64 = 19.0;
const SWATCH: f64 = 24.0;
const TEXT: f64 = 13.0;
/// Gap between the entries of a legend in one line.
const BETWEEN: f64 = 18.0;
/// Height of a scale of colours.
const COLOURS: f64 = 172.0;

/// One line of a legend.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    /// A heading in bold.
    Heading(String),
    /// A piece of the line.
    Line(Stroke, String),
    /// The mark as it is drawn.
    Mark(Mark, Fill, Colour, String),
    /// A mark of a given radius.
    Scaled(Mark, f64, Colour, String),
    /// A filled area.
    Band(Colour, String),
    /// A remark without a swatch.
    Remark(String),
    /// A scale of colours from the first value to the last.
    Colours(f64, f64, Unit),
    /// Space between groups of entries.
    Gap,
}

impl Entry {
    fn height(&self) -> f64 {
        match self {
            Self::Colours(..) => 190.0,
            Self::Gap => 9.0,
            Self::Scaled(_, radius, ..) => LINE.max(2.4 * radius),
            _ => LINE,
        }
    }

    fn width(&self) -> f64 {
        let regular = LabelStyle::new(TEXT, BLACK);
        match self {
            Self::Heading(text) => regular.bold().length(text),
            Self::Remark(text) => regular.length(text),
            Self::Line(_, text) | Self::Mark(_, _, _, text) | Self::Scaled(_, _, _, text) | Self::Band(_, text) => {
                SWATCH + 7.0 + regular.length(text)
            }
            Self::Colours(low, high, unit) => {
                24.0 + regular.length(&written(*low, *unit)).max(regular.length(&written(*high, *unit))) + 12.0
            }
            Self::Gap => 0.0,
        }
    }
}

/// The steps of a ladder as marks, or as a scale of colours when they are many.
pub(super) fn ladder_entries(ladder: &Ladder, heading: &str, unit: Unit) -> Vec<Entry> {
    let mut entries: Vec<Entry> = heading.split('\n').map(|line| Entry::Heading(line.to_owned())).collect();
    if ladder.is_discrete() {
        entries.extend(ladder.steps.iter().rev().map(|step| {
            let text = short(*step, unit);
            Entry::Mark(ladder.mark(*step), Fill::Solid, ladder.colour(*step), text)
        }));
    } else {
        entries.push(Entry::Colours(ladder.steps[0], ladder.steps[ladder.steps.len() - 1], unit));
    }
    entries
}

/// A value with three significant digits, in its unit.
pub(super) fn short(value: f64, unit: Unit) -> String {
    let rounded = format!("{value:.2e}").parse().unwrap_or(value);
    written(rounded, unit)
}

/// Room a legend takes at the right, with the gap before it.
pub(super) fn width(entries: &[Entry]) -> f64 {
    if entries.is_empty() { 0.0 } else { entries.iter().map(Entry::width).fold(0.0, f64::max) + 16.0 }
}

/// Draws a legend from the upper left corner of `at` downwards.
pub(super) fn draw(canvas: &mut Canvas, at: Rect, entries: &[Entry]) {
    let left = at.left + 16.0;
    let mut top = at.top;
    for entry in entries {
        draw_entry(canvas, left, top, entry);
        top += entry.height();
    }
}

/// Draws a legend of a few entries in one line that ends at `right`.
pub(super) fn draw_row(canvas: &mut Canvas, right: f64, top: f64, entries: &[Entry]) {
    let mut left = right - row_width(entries);
    for entry in entries {
        draw_entry(canvas, left, top, entry);
        left += entry.width() + BETWEEN;
    }
}

/// Width of a legend in one line.
pub(super) fn row_width(entries: &[Entry]) -> f64 {
    let gaps = BETWEEN * entries.len().saturating_sub(1) as f64;
    entries.iter().map(Entry::width).sum::<f64>() + gaps
}

fn draw_entry(canvas: &mut Canvas, left: f64, top: f64, entry: &Entry) {
    let (middle, baseline) = (top + 0.5 * LINE, top + 0.5 * LINE + 4.3);
    let regular = LabelStyle::new(TEXT, BLACK);
    let swatch = [(left, middle), (left + SWATCH, middle)];
    let centre = (left + 0.5 * SWATCH, middle);
    let beside = (left + SWATCH + 7.0, baseline);
    match entry {
        Entry::Heading(text) => canvas.text(text, (left, baseline), regular.bold()),
        Entry::Remark(text) => canvas.text(text, (left, baseline), LabelStyle::new(TEXT, GREY)),
        Entry::Line(stroke, text) => {
            canvas.line(&swatch, *stroke);
            canvas.text(text, beside, regular);
        }
        Entry::Mark(mark, fill, colour, text) => {
            canvas.mark(centre, *mark, 4.5, *fill, *colour);
            canvas.text(text, beside, regular);
        }
        Entry::Scaled(mark, radius, colour, text) => {
            let shift = 0.5 * (entry.height() - LINE);
            canvas.mark((centre.0, centre.1 + shift), *mark, *radius, Fill::Solid, *colour);
            canvas.text(text, (beside.0, beside.1 + shift), regular);
        }
        Entry::Band(colour, text) => {
            canvas.rect(Rect { left, top: middle - 6.0, right: left + SWATCH, bottom: middle + 6.0 }, *colour);
            canvas.text(text, beside, regular);
        }
        Entry::Colours(low, high, unit) => colours(canvas, left, top, (*low, *high, *unit)),
        Entry::Gap => {}
    }
}

/// Labelled values of a scale of colours.
pub(super) fn scale_marks(low: f64, high: f64, unit: Unit) -> Vec<(f64, String)> {
    ticks(&Span { scale: Scale::Log, unit, low, high, length: COLOURS, extent: &|_| TEXT * 0.8 }).major
}

fn colours(canvas: &mut Canvas, left: f64, top: f64, (low, high, unit): (f64, f64, Unit)) {
    let bar = Rect { left, top: top + 8.0, right: left + 16.0, bottom: top + 8.0 + COLOURS };
    let rows = COLOURS as u32;
    for row in 0..rows {
        let y = bar.bottom - f64::from(row) - 1.0;
        canvas.rect(Rect { top: y, bottom: y + 1.0, ..bar }, ordered(f64::from(row) / f64::from(rows - 1)));
    }
    for (value, label) in scale_marks(low, high, unit) {
        let y = bar.bottom - bar.height() * (value / low).ln() / (high / low).ln();
        canvas.line(&[(bar.right, y), (bar.right + 4.0, y)], Stroke::full(BLACK, 1.0));
        canvas.text(&label, (bar.right + 8.0, y + 4.3), LabelStyle::new(TEXT, BLACK));
    }
}

/// A text at the end of a curve.
pub(super) struct EndLabel {
    /// Where the curve ends.
    pub(super) at: (f64, f64),
    pub(super) text: String,
    pub(super) colour: Colour,
}

/// Writes labels in a column at the right of `inside`, each as near to the end of its curve as the others
/// allow, joined to it by a thin line. Where there is no room for all, evenly spread ones are kept.
pub(super) fn end_labels(canvas: &mut Canvas, inside: Rect, mut labels: Vec<EndLabel>) {
    const HEIGHT: f64 = 15.5;
    labels.retain(|label| label.at.0.is_finite() && label.at.1.is_finite());
    labels.sort_by(|left, right| left.at.1.total_cmp(&right.at.1));
    let room = (inside.height() / HEIGHT).floor().max(1.0) as usize;
    if labels.len() > room {
        let stride = labels.len().div_ceil(room);
        labels = labels.into_iter().step_by(stride).collect();
    }
    let rows: Vec<f64> = labels.iter().map(|label| label.at.1.clamp(inside.top, inside.bottom)).collect();
    for (label, row) in labels.iter().zip(spread(&rows, HEIGHT, inside.top + 7.0, inside.bottom - 7.0)) {
        let edge = inside.right + 4.0;
        canvas.line(&[label.at, (edge + 8.0, row)], Stroke::full(label.colour.with_alpha(0.45), 0.8));
        canvas.text(&label.text, (edge + 11.0, row + 4.3), LabelStyle::new(TEXT, label.colour.legible()).aligned(Align::Start));
    }
}

/// Moves sorted positions as little as it can (in squares) so that neighbours are `gap` apart within limits;
/// where they cannot fit, they are spaced evenly from the lower limit on.
pub(super) fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    // Without the gaps the positions must only not decrease: isotonic regression by pooling neighbours.
    let last = (high - gap * wanted.len().saturating_sub(1) as f64).max(low);
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (i, position) in wanted.iter().enumerate() {
        blocks.push((position - gap * i as f64, 1));
        while blocks.len() > 1 && blocks[blocks.len() - 2].0 > blocks[blocks.len() - 1].0 {
            let (upper, n) = blocks.pop().expect("two blocks");
            let (lower, m) = blocks.pop().expect("two blocks");
            blocks.push(((upper * n as f64 + lower * m as f64) / (n + m) as f64, n + m));
        }
    }
    let level = blocks.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value.clamp(low, last), count));
    level.enumerate().map(|(i, value)| value + gap * i as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_room_stay_and_crowded_ones_part_evenly() {
        assert_eq!(spread(&[10.0, 50.0, 90.0], 15.0, 0.0, 100.0), [10.0, 50.0, 90.0]);
        assert_eq!(spread(&[50.0, 50.0], 20.0, 0.0, 100.0), [40.0, 60.0]);
        assert_eq!(spread(&[1.0, 2.0], 20.0, 0.0, 100.0), [0.0, 20.0]);
        assert_eq!(spread(&[99.0, 100.0], 20.0, 0.0, 100.0), [80.0, 100.0]);
        assert!(spread(&[], 20.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn parted_labels_keep_their_distance_whatever_is_wanted() {
        let wanted: Vec<f64> = (0..12).map(|i| 40.0 + f64::from(i * i) * 0.3).collect();
        let rows = spread(&wanted, 8.0, 0.0, 100.0);
        assert!(rows.windows(2).all(|pair| pair[1] - pair[0] >= 8.0 - 1e-9));
        assert!(rows[0] >= 0.0 && rows[11] <= 100.0);
    }
}
