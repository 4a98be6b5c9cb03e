//! Laws of several data sets side by side: the exponents of optimal size and data with their intervals, as DeepSeek
//! (2401.02954, table 4) lists them, and the optimal size against compute.

use super::canvas::{Align, Canvas, Fill, LabelStyle, Rect, Stroke};
use super::frontier::AMONG;
use super::legend::Entry;
use super::optimal::FrontierPoint;
use super::page::{Conventions, Layout, Page, shortened};
use super::palette::{BLACK, Colour, GREY, Ladder, Mark, PALE, WHITE, ordered};
use super::panel::{AXIS_TEXT, Axis, Panel, TICK_TEXT, range};
use super::ticks::Unit;
use super::{Range, ViewError};

/// The law of one data set, as the comparison draws it.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedLaw {
    /// Name of the data set.
    pub name: String,
    /// Quantities of its law by symbol, in the order in which they are drawn; the same for every data set.
    pub exponents: Vec<(&'static str, Range)>,
    /// N*(C) and D*(C) at increasing compute.
    pub frontier: Vec<FrontierPoint>,
    /// Least and largest compute of its runs, FLOPs.
    pub evidence: (f64, f64),
}

/// Exponents at the left, a row for each symbol and in it a bar for each data set; N*(C) at the right. `shared`: quantities of the
/// fit with common exponents, as vertical lines.
pub fn comparison(laws: &[ComparedLaw], shared: &[(&'static str, f64)], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    if laws.is_empty() {
        return Err(ViewError::empty("the comparison of data sets", "no law"));
    }
    let colours = Colours::of(laws.len());
    let remark = "Bars: 95 % intervals unless stated otherwise; dotted: the exponent that all share. Right: the size that is recommended, solid over the compute of the runs, dashed outside it.";
    let beside = entries(laws, &colours);
    let mut page = Page::laid(&Layout { title: "Data sets compared", remark, beside: &beside, ..Layout::default() }, conventions);
    let Rect { left, right, .. } = page.content;
    let middle = left + 0.46 * (right - left);
    draw_exponents(&mut page.canvas, Rect { right: middle - 10.0, ..page.content }, laws, shared, &colours);
    draw_frontiers(&mut page.canvas, Rect { left: middle + 6.0, ..page.content }, laws, conventions, &colours);
    Ok(page.png())
}

/// Colour and mark of each data set.
struct Colours {
    count: usize,
    marks: Ladder,
}

impl Colours {
    fn of(count: usize) -> Self {
        Self { count, marks: Ladder::of((1..=count).map(|at| at as f64 * 2.0)) }
    }

    fn colour(&self, at: usize) -> Colour {
        ordered(if self.count > 1 { at as f64 / (self.count - 1) as f64 } else { 0.35 })
    }

    fn mark(&self, at: usize) -> Mark {
        self.marks.mark((at + 1) as f64 * 2.0)
    }
}

fn entries(laws: &[ComparedLaw], colours: &Colours) -> Vec<Entry> {
    let name = |text: &str| shortened(text, 120.0, &|text| LabelStyle::new(13.0, BLACK).length(text));
    let entry = |(at, law): (usize, &ComparedLaw)| Entry::Mark(colours.mark(at), Fill::Solid, colours.colour(at), name(&law.name));
    std::iter::once(Entry::Heading("data".into())).chain(laws.iter().enumerate().map(entry)).collect()
}

/// Room for the symbols at the left of the rows.
const SYMBOLS: f64 = 46.0;

fn draw_exponents(canvas: &mut Canvas, outside: Rect, laws: &[ComparedLaw], shared: &[(&'static str, f64)], colours: &Colours) {
    let inside = Rect { left: outside.left + SYMBOLS, top: outside.top, right: outside.right, bottom: (outside.bottom - 47.0).round() };
    let symbols: Vec<&'static str> = laws[0].exponents.iter().map(|(symbol, _)| *symbol).collect();
    let axis = exponent_axis(laws, shared);
    let column = |value: f64| inside.left + axis.share(value) * inside.width();
    canvas.rect(inside, WHITE);
    let style = LabelStyle::new(TICK_TEXT, BLACK);
    for (value, label) in axis.marks(inside.width()) {
        canvas.line(&[(column(value), inside.top), (column(value), inside.bottom)], Stroke::full(PALE, 0.8));
        canvas.text(&label, (column(value), inside.bottom + 15.0), style.aligned(Align::Middle));
    }
    canvas.text(
        "exponent",
        (0.5 * (inside.left + inside.right), inside.bottom + 37.0),
        LabelStyle::new(AXIS_TEXT, BLACK).aligned(Align::Middle),
    );
    let height = inside.height() / symbols.len().max(1) as f64;
    for (row, symbol) in symbols.iter().enumerate() {
        let top = inside.top + row as f64 * height;
        canvas.line(&[(inside.left, top), (inside.right, top)], Stroke::full(GREY, if row == 0 { 0.0 } else { 0.6 }));
        canvas.text(symbol, (inside.left - 10.0, top + 0.5 * height + 5.0), LabelStyle::new(16.0, BLACK).bold().aligned(Align::End));
        for (_, value) in shared.iter().filter(|(of, _)| of == symbol) {
            let dotted = Stroke { colour: GREY, width: 1.4, dash: &[1.5, 3.5] };
            canvas.line(&[(column(*value), top), (column(*value), top + height)], dotted);
        }
        for (at, law) in laws.iter().enumerate() {
            let y = top + height * (at as f64 + 1.0) / (laws.len() as f64 + 1.0);
            draw_bar(canvas, inside, &axis, y, law.exponents[row].1, (colours.mark(at), colours.colour(at)));
        }
    }
    let Rect { left, top, right, bottom } = inside;
    canvas.line(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], Stroke::full(BLACK, 1.0));
}

/// Intervals widen the axis by no more than the span of the values: an open one must not flatten the rest.
fn exponent_axis(laws: &[ComparedLaw], shared: &[(&'static str, f64)]) -> Axis {
    let ranges = || laws.iter().flat_map(|law| law.exponents.iter().map(|(_, range)| *range));
    let values: Vec<f64> = ranges().map(|range| range.value).chain(shared.iter().map(|(_, value)| *value)).collect();
    let (low, high) = range(values.iter().copied()).unwrap_or((0.0, 1.0));
    let span = (high - low).max(0.2);
    let ends = ranges().flat_map(|range| [range.low, range.high]).filter(|end| *end > low - span && *end < high + span);
    Axis::linear("", values.iter().copied().chain(ends))
}

/// An interval across, with its value.
pub(super) fn draw_bar(canvas: &mut Canvas, inside: Rect, axis: &Axis, y: f64, range: Range, (mark, colour): (Mark, Colour)) {
    let column = |value: f64| (inside.left + axis.share(value) * inside.width()).clamp(inside.left, inside.right);
    let end = |value: f64, open: f64| column(if value.is_finite() { value } else { open });
    if range.is_known() {
        let (low, high) = (end(range.low, axis.low), end(range.high, axis.high));
        canvas.line(&[(low, y), (high, y)], Stroke::full(colour, 2.2));
        for x in [low, high].into_iter().filter(|x| *x > inside.left && *x < inside.right) {
            canvas.line(&[(x, y - 4.5), (x, y + 4.5)], Stroke::full(colour, 1.6));
        }
    }
    canvas.mark((column(range.value), y), mark, 5.5, Fill::Solid, colour);
}

fn draw_frontiers(canvas: &mut Canvas, place: Rect, laws: &[ComparedLaw], conventions: &Conventions, colours: &Colours) {
    let points = || laws.iter().flat_map(|law| &law.frontier).filter(|point| point.n.value.is_finite() && point.n.value > 0.0);
    let x = Axis::log(conventions.compute_label(), Unit::Power, points().map(|point| point.compute));
    let label = conventions.size_label().replacen(',', "*,", 1);
    let y = Axis::log(label, Unit::Count, points().map(|point| point.n.value));
    let panel = Panel::draw(canvas, place, x, y);
    for (at, law) in laws.iter().enumerate() {
        let colour = colours.colour(at);
        let band: Vec<(f64, f64, f64)> = law.frontier.iter().map(|p| (p.compute, p.n.low.max(1e-300), p.n.high)).collect();
        panel.band_between(canvas, &band, law.evidence, colour.with_alpha(0.7 * AMONG));
        let line: Vec<(f64, f64)> = law.frontier.iter().map(|p| (p.compute, p.n.value)).collect();
        let (first, last) = law.evidence;
        let dashed = Stroke::full(colour, 1.4).dashed();
        panel.line_between(canvas, &line, (panel.x.low, first), dashed);
        panel.line_between(canvas, &line, (first, last), Stroke::full(colour, 2.2));
        panel.line_between(canvas, &line, (last, panel.x.high), dashed);
        if let Some(end) = law.frontier.iter().rfind(|p| p.compute <= last) {
            panel.mark(canvas, (end.compute, end.n.value), colours.mark(at), 5.0, Fill::Solid, colour);
        }
    }
    panel.title(canvas, "Optimal size");
}

#[cfg(test)]
mod tests {
    use super::super::frontier::tests::example;
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::Chinchilla;

    fn law(name: &str, alpha: f64, beta: f64, half: f64) -> ComparedLaw {
        let law = Chinchilla { alpha, beta, ..Chinchilla::default() };
        let around = |value: f64| Range { value, low: value - half, high: value + half };
        let a = law.params_exponent();
        ComparedLaw {
            name: name.into(),
            exponents: vec![("a", around(a)), ("b", around(1.0 - a)), ("α", around(alpha)), ("β", around(beta))],
            frontier: example(&law, 1e18, 1e20).law,
            evidence: (1e18, 1e20),
        }
    }

    #[test]
    fn data_sets_with_close_wide_and_open_intervals_are_drawn() {
        let three = [law("english", 0.34, 0.28, 0.03), law("code", 0.41, 0.30, 0.05), law("chinese", 0.30, 0.45, 0.1)];
        let shared = [("α", 0.35), ("β", 0.33)];
        is_drawn_twice_the_same("comparison", || comparison(&three, &shared, &conventions()));
        let mut open = three.clone();
        open[1].exponents[2].1.high = f64::INFINITY;
        open[0].name = "a data set whose name is longer than any legend".into();
        is_drawn_twice_the_same("comparison-open", || comparison(&open, &[], &conventions()));
        let seven: Vec<ComparedLaw> = (0..7).map(|at| law(&format!("data {at}"), 0.3 + 0.02 * f64::from(at), 0.3, 0.04)).collect();
        is_drawn_twice_the_same("comparison-seven", || comparison(&seven, &shared, &conventions()));
        assert!(comparison(&[], &[], &conventions()).expect_err("nothing").to_string().contains("no law"));
    }
}
