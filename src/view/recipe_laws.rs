//! Best learning rate and batch against compute: the optimum of each cell with its interval, the near-optimal runs behind it,
//! the fitted law with its band, dashed outside the cells, and published laws as thin lines.

use super::canvas::{Body, Canvas, Rect, Stroke};
use super::frontier::{AMONG, LAW, OUTSIDE, reference_stroke};
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, GREY, Mark};
use super::panel::{Axis, Panel, range};
use super::ticks::Unit;
use super::{Range, ViewError};

/// Learning rate and batch at a compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecipePoint {
    /// C, FLOPs.
    pub compute: f64,
    /// Peak learning rate; absent where it is not known.
    pub learning_rate: Option<Range>,
    /// Batch, tokens; absent where it is not known.
    pub batch: Option<Range>,
}

/// A published law, along a path on which N and D grow with C.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeLine {
    /// Its name.
    pub name: String,
    /// Points along it, without intervals.
    pub points: Vec<RecipePoint>,
}

/// Everything on the figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecipeFigure {
    /// Optimum of each cell.
    pub optima: Vec<RecipePoint>,
    /// Near-optimal runs.
    pub near: Vec<RecipePoint>,
    /// The fitted law with its band.
    pub law: Vec<RecipePoint>,
    /// Published laws.
    pub published: Vec<RecipeLine>,
}

type Pick = fn(&RecipePoint) -> Option<Range>;

/// Learning rate and batch against compute, side by side.
pub fn recipe_laws(figure: &RecipeFigure, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let computes: Vec<f64> = figure.optima.iter().chain(&figure.near).chain(&figure.law).map(|point| point.compute).collect();
    let quantities: [(&str, &str, Unit, Pick); 2] = [
        ("Peak learning rate", "peak learning rate", Unit::Power, |point| point.learning_rate),
        ("Batch", "batch, tokens", Unit::Count, |point| point.batch),
    ];
    let drawn: Vec<_> =
        quantities.iter().filter(|(.., pick)| figure.near.iter().chain(&figure.optima).any(|point| pick(point).is_some())).collect();
    if computes.is_empty() || drawn.is_empty() {
        return Err(ViewError::empty("learning rate and batch against compute", "no cell has a surface with a minimum"));
    }
    let remark = "Law: solid over the compute of the cells, dashed outside. Laws are drawn where N and D grow alike from the middle of the cells. Published ones were made for far larger networks.";
    let mut page = Page::new("Best learning rate and batch", conventions, remark, &entries(figure));
    let Rect { left, right, .. } = page.content;
    let width = (right - left) / drawn.len() as f64;
    for (at, (title, label, unit, pick)) in drawn.iter().enumerate() {
        let place = Rect { left: left + at as f64 * width, right: left + (at + 1) as f64 * width - 8.0, ..page.content };
        let x = Axis::log(conventions.compute_label(), Unit::Power, computes.iter().copied());
        draw(&mut page.canvas, place, x, figure, (title, label, *unit, *pick));
    }
    Ok(page.png())
}

fn draw(canvas: &mut Canvas, place: Rect, x: Axis, figure: &RecipeFigure, (title, label, unit, pick): (&str, &str, Unit, Pick)) {
    let own = figure.optima.iter().chain(&figure.near).chain(&figure.law).filter_map(pick).map(|range| range.value);
    let (low, high) = range(own.clone()).unwrap_or((1e-3, 1.0));
    // Published laws may lie far off: they widen the axis by a decade at most.
    let published = figure.published.iter().flat_map(|line| line.points.iter().filter_map(pick).map(|range| range.value));
    let near = published.filter(|value| *value > low / 10.0 && *value < high * 10.0);
    let y = Axis::log(label, unit, own.chain(near));
    let panel = Panel::draw(canvas, place, x, y);
    for (at, line) in figure.published.iter().enumerate() {
        let points: Vec<(f64, f64)> = line.points.iter().filter_map(|point| Some((point.compute, pick(point)?.value))).collect();
        panel.line(canvas, &points, reference_stroke(at));
    }
    draw_law(canvas, &panel, figure, pick);
    for point in &figure.near {
        if let Some(range) = pick(point) {
            panel.mark(canvas, (point.compute, range.value), Mark::Circle, 3.0, Body::Hollow, GREY);
        }
    }
    for point in &figure.optima {
        if let Some(range) = pick(point) {
            if range.is_open() {
                panel.mark(canvas, (point.compute, range.value), Mark::Diamond, 5.0, Body::Hollow, ACCENT);
            } else {
                panel.error_bar(canvas, point.compute, range.low, range.high, ACCENT);
                panel.mark(canvas, (point.compute, range.value), Mark::Diamond, 5.0, Body::Solid, ACCENT);
            }
        }
    }
    panel.title(canvas, title);
}

fn draw_law(canvas: &mut Canvas, panel: &Panel, figure: &RecipeFigure, pick: Pick) {
    let known: Vec<(f64, Range)> = figure.law.iter().filter_map(|point| Some((point.compute, pick(point)?))).collect();
    let cells = figure.near.iter().chain(&figure.optima).map(|point| point.compute);
    let (first, last) = range(cells).unwrap_or((panel.x.low, panel.x.high));
    let band: Vec<(f64, f64, f64)> = known.iter().map(|(c, range)| (*c, range.low.max(1e-300), range.high)).collect();
    let curve: Vec<(f64, f64)> = known.iter().map(|(c, range)| (*c, range.value)).collect();
    let dashed = Stroke::full(LAW, 1.4).dashed();
    for (part, opacity, stroke) in
        [((panel.x.low, first), OUTSIDE, dashed), ((first, last), AMONG, Stroke::full(LAW, 2.0)), ((last, panel.x.high), OUTSIDE, dashed)]
    {
        panel.band_between(canvas, &band, part, LAW.faint(opacity));
        panel.line_between(canvas, &curve, part, stroke);
    }
}

fn entries(figure: &RecipeFigure) -> Vec<Entry> {
    let mut entries = vec![
        Entry::Mark(Mark::Diamond, Body::Solid, ACCENT, "optimum of a cell".into()),
        Entry::Mark(Mark::Diamond, Body::Hollow, ACCENT, "its interval is open".into()),
        Entry::Mark(Mark::Circle, Body::Hollow, GREY, "near-optimal run".into()),
    ];
    if !figure.law.is_empty() {
        entries.extend([Entry::Line(Stroke::full(LAW, 2.0), "fitted law".into()), Entry::Band(LAW.faint(AMONG), "interval".into())]);
    }
    if !figure.published.is_empty() {
        entries.extend([Entry::Gap, Entry::Heading("published".into())]);
        let line = |(at, line): (usize, &RecipeLine)| Entry::Line(reference_stroke(at), line.name.clone());
        entries.extend(figure.published.iter().enumerate().map(line));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    fn point(compute: f64, batch: bool, spread: f64) -> RecipePoint {
        let around = |value: f64| Range { value, low: value / spread, high: value * spread };
        RecipePoint {
            compute,
            learning_rate: Some(around(0.3 * compute.powf(-0.13))),
            batch: batch.then(|| around(0.5 * compute.powf(0.3))),
        }
    }

    fn figure(batch: bool) -> RecipeFigure {
        let cells = [5e10, 2e11, 3e11, 1.2e12, 2e12, 8e12];
        RecipeFigure {
            optima: cells.map(|c| point(c * 1.1, batch, 1.4)).to_vec(),
            near: cells.iter().flat_map(|&c| [point(c, batch, 1.0), point(1.02 * c, batch, 1.0)]).collect(),
            law: (0..40).map(|i| point(5e10 * 1.4f64.powi(i), batch, 1.0 + 0.02 * f64::from(i))).collect(),
            published: vec![RecipeLine {
                name: "deepseek".into(),
                points: (0..10).map(|i| point(5e10 * 4f64.powi(i), true, 1.0)).collect(),
            }],
        }
    }

    #[test]
    fn laws_of_learning_rate_and_batch_are_drawn() {
        is_drawn_twice_the_same("recipe-laws", || recipe_laws(&figure(true), &conventions()));
        is_drawn_twice_the_same("recipe-laws-rate", || recipe_laws(&figure(false), &conventions()));
        assert!(recipe_laws(&RecipeFigure::default(), &conventions()).expect_err("nothing").to_string().contains("surface"));
    }
}
