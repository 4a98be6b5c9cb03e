//! Best learning rate and batch against compute: the optimum of each cell with its interval, the near-optimal runs behind it,
//! the fitted law with its band, dashed outside the cells, and published laws as thin lines.

use super::canvas::{Canvas, Fill, Rect, Stroke};
use super::figure::{Figure, Subject};
use super::frontier::{AMONG, LAW, OUTSIDE, reference_stroke};
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, GREY, Mark};
use super::panel::{Axis, Panel, range};
use super::ticks::Unit;
use super::{Range, ViewError};
use crate::fit::{Estimate, RecipeStudy};
use crate::law::{PowerRule, RECIPES, RecipeTrials, Scale};

/// Learning rate and batch at a compute.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RecipePoint {
    /// C, FLOPs.
    compute: f64,
    /// Peak learning rate; absent where it is not known.
    learning_rate: Option<Range>,
    /// Batch, tokens; absent where it is not known.
    batch: Option<Range>,
}

/// A published law, along a path on which N and D grow with C.
#[derive(Debug, Clone, PartialEq)]
struct RecipeLine {
    /// Name of the published rule.
    name: String,
    /// Points along it, without intervals.
    points: Vec<RecipePoint>,
}

/// Everything on the figure.
#[derive(Debug, Clone, PartialEq, Default)]
struct RecipeFigure {
    /// Optimum of each cell.
    optima: Vec<RecipePoint>,
    /// Near-optimal runs.
    near: Vec<RecipePoint>,
    /// The fitted law with its band.
    law: Vec<RecipePoint>,
    /// Published laws.
    published: Vec<RecipeLine>,
}

type Pick = fn(&RecipePoint) -> Option<Range>;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "recipe-laws.png",
    caption: "Optimal learning rate and batch against compute",
    of: |subject| Some(recipe_laws(&laws_of_recipes(subject, subject.study.hyperparameters.as_ref()?), &subject.all_runs())),
};

/// Learning rate and batch against compute, side by side.
fn recipe_laws(figure: &RecipeFigure, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
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
            panel.mark(canvas, (point.compute, range.value), Mark::Circle, 3.0, Fill::Hollow, GREY);
        }
    }
    for point in &figure.optima {
        if let Some(range) = pick(point) {
            if range.is_open() {
                panel.mark(canvas, (point.compute, range.value), Mark::Diamond, 5.0, Fill::Hollow, ACCENT);
            } else {
                panel.error_bar(canvas, point.compute, range.low, range.high, ACCENT);
                panel.mark(canvas, (point.compute, range.value), Mark::Diamond, 5.0, Fill::Solid, ACCENT);
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
        panel.band_between(canvas, &band, part, LAW.with_alpha(opacity));
        panel.line_between(canvas, &curve, part, stroke);
    }
}

fn entries(figure: &RecipeFigure) -> Vec<Entry> {
    let mut entries = vec![
        Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "optimum of a cell".into()),
        Entry::Mark(Mark::Diamond, Fill::Hollow, ACCENT, "its interval is open".into()),
        Entry::Mark(Mark::Circle, Fill::Hollow, GREY, "near-optimal run".into()),
    ];
    if !figure.law.is_empty() {
        entries.extend([Entry::Line(Stroke::full(LAW, 2.0), "fitted law".into()), Entry::Band(LAW.with_alpha(AMONG), "interval".into())]);
    }
    if !figure.published.is_empty() {
        entries.extend([Entry::Gap, Entry::Heading("published".into())]);
        let line = |(at, line): (usize, &RecipeLine)| Entry::Line(reference_stroke(at), line.name.clone());
        entries.extend(figure.published.iter().enumerate().map(line));
    }
    entries
}

/// Points along which laws are drawn.
const LAW_POINTS: usize = 60;

/// Optima and near-optimal runs of the cells, the law that served unseen cells best, and the published ones, along the line
/// on which N and D of the cells grow with C.
fn laws_of_recipes(subject: &Subject<'_>, recipes: &RecipeStudy) -> RecipeFigure {
    let trials = subject.scored_trials();
    let range = |estimate: &Estimate| Range::from(estimate);
    let exact = |value: f64| Range { value, low: value, high: value };
    let optima = recipes.cells.iter().filter(|cell| cell.is_inside()).map(|cell| RecipePoint {
        compute: cell.scale.c,
        learning_rate: cell.learning_rate.as_ref().map(range),
        batch: cell.batch.as_ref().map(range),
    });
    let near = recipes.cells.iter().zip(&trials).flat_map(|(cell, trials)| {
        cell.near_optimal.iter().map(move |&at| RecipePoint {
            compute: cell.scale.c,
            learning_rate: (cell.tried[0] > 1).then(|| exact(trials.trials[at].learning_rate)),
            batch: (cell.tried[1] > 1).then(|| exact(trials.trials[at].batch)),
        })
    });
    let law = recipes.best_law().map_or_else(Vec::new, |law| {
        let at = |(compute, scale): (f64, Scale)| RecipePoint {
            compute,
            learning_rate: law.learning_rate.as_ref().map(|fit| range(&fit.at(&scale))),
            batch: law.batch.as_ref().map(|fit| range(&fit.at(&scale))),
        };
        path_of(&trials, &|cell| cell.scale).into_iter().map(at).collect()
    });
    let published = RECIPES.iter().filter(|_| trials.iter().all(|cell| cell.shape.is_some())).map(|recipe| {
        let path = path_of(&trials, &|cell| cell.scale_under(recipe.size_measure, recipe.flop_rule));
        let at = |(compute, scale): (f64, Scale)| {
            let value = |rule: &PowerRule| Some(exact(rule.at(&scale)));
            RecipePoint { compute, learning_rate: value(&recipe.learning_rate), batch: value(&recipe.batch_tokens) }
        };
        RecipeLine { name: recipe.name.into(), points: path.into_iter().map(at).collect() }
    });
    RecipeFigure { optima: optima.collect(), near: near.collect(), law, published: published.collect() }
}

/// Places over the compute of the cells and a hundred times more, each with its compute as the cells count it: N and D grow
/// alike from the geometric means of the cells, counted as `scale` does.
fn path_of(trials: &[RecipeTrials], scale: &dyn Fn(&RecipeTrials) -> Scale) -> Vec<(f64, Scale)> {
    let mean = |pick: &dyn Fn(&RecipeTrials) -> f64| (trials.iter().map(|cell| pick(cell).ln()).sum::<f64>() / trials.len() as f64).exp();
    let [n, d, c] = [mean(&|cell| scale(cell).n), mean(&|cell| scale(cell).d), mean(&|cell| scale(cell).c)];
    let centre = mean(&|cell| cell.scale.c);
    let low = trials.iter().map(|cell| cell.scale.c).fold(f64::INFINITY, f64::min);
    let high = 100.0 * trials.iter().map(|cell| cell.scale.c).fold(0.0, f64::max);
    let place = |at: usize| {
        let compute = low * (high / low).powf(at as f64 / (LAW_POINTS - 1) as f64);
        let grown = compute / centre;
        (compute, Scale { n: n * grown.sqrt(), d: d * grown.sqrt(), c: c * grown })
    };
    (0..LAW_POINTS).map(place).collect()
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
