//! Loss against learning rate for each size and budget: the profiles whose minima a rule for the rate is read
//! from. Rates at which training diverged are crosses at the upper edge.

use super::canvas::{Fill, Stroke};
use super::figure::{Figure, Subject};
use super::legend::{EndLabel, Entry, end_labels, ladder_entries, short};
use super::page::{Conventions, Layout, Page};
use super::palette::{ACCENT, GREY, Ladder, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use super::{Range, ViewError};
use crate::law::RecipeTrials;

/// Runs of one size and budget that differ in their learning rate.
#[derive(Debug, Clone, PartialEq)]
struct RateCurve {
    /// N, under the figure's convention.
    n: f64,
    /// D, tokens; labels the curve where several have the same size.
    d: f64,
    /// (peak learning rate, held-out loss in nats per token).
    runs: Vec<(f64, f64)>,
    /// Peak learning rates at which training diverged.
    diverged: Vec<f64>,
    /// Best rate with its interval, and the loss there.
    optimum: Option<(Range, f64)>,
}

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "learning-rates.png",
    caption: "Loss against learning rate, one curve a cell",
    of: |subject| {
        let curves = rates_of_cells(subject);
        (!curves.is_empty()).then(|| rate_curves(&curves, &subject.all_runs()))
    },
};

/// U-curves: loss against learning rate, one curve for each size and budget.
fn rate_curves(curves: &[RateCurve], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let curves: Vec<RateCurve> = curves.iter().map(usable).filter(|curve| !curve.runs.is_empty()).collect();
    if curves.is_empty() {
        return Err(ViewError::empty("loss against learning rate", "no run has a finite loss and a learning rate"));
    }
    let rates = curves.iter().flat_map(|curve| curve.runs.iter().map(|run| run.0).chain(curve.diverged.iter().copied()));
    let x = Axis::log("peak learning rate", Unit::Power, rates);
    let losses = curves.iter().flat_map(|curve| curve.runs.iter().map(|run| run.1).chain(curve.optimum.map(|best| best.1)));
    let y = Axis::losses(conventions.loss_label(), losses);
    let ladder = Ladder::of(curves.iter().map(|curve| curve.n));
    let labelled = curves.len() > ladder.steps.len();
    let room = if labelled { 62.0 } else { 0.0 };
    let remark = if labelled { "Labels at the ends: D, training tokens." } else { "" };
    let entries = ladder_entries(&ladder, conventions.size_symbol(), Unit::Count);
    let layout = Layout { title: "Loss against learning rate", remark, beside: &entries, above: &signs(&curves), room };
    let mut page = Page::laid(&layout, conventions);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    for curve in &curves {
        draw_curve(&mut page, &panel, curve, &ladder);
    }
    for curve in &curves {
        draw_optimum(&mut page, &panel, curve);
    }
    if labelled {
        end_labels(&mut page.canvas, panel.inside, curves.iter().map(|curve| end_label(&panel, curve, &ladder)).collect());
    }
    Ok(page.png())
}

fn signs(curves: &[RateCurve]) -> Vec<Entry> {
    let mut signs = Vec::new();
    if curves.iter().any(|curve| !curve.diverged.is_empty()) {
        signs.push(Entry::Mark(Mark::Cross, Fill::Hollow, GREY, "diverged".into()));
    }
    if curves.iter().any(|curve| curve.optimum.is_some()) {
        signs.push(Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "best rate with interval (hollow: open)".into()));
    }
    signs
}

fn draw_curve(page: &mut Page, panel: &Panel, curve: &RateCurve, ladder: &Ladder) {
    let colour = ladder.colour(curve.n);
    panel.line(&mut page.canvas, &curve.runs, Stroke::full(colour, 1.2));
    for run in &curve.runs {
        panel.mark(&mut page.canvas, *run, ladder.mark(curve.n), 4.0, Fill::Solid, colour);
    }
    // Sizes one below the other, or equal rates would hide each other.
    let top = panel.y.value(0.975 - 0.03 * (ladder.step(curve.n) % 8) as f64);
    for rate in &curve.diverged {
        panel.mark(&mut page.canvas, (*rate, top), Mark::Cross, 4.5, Fill::Hollow, colour);
    }
}

fn draw_optimum(page: &mut Page, panel: &Panel, curve: &RateCurve) {
    if let Some((rate, loss)) = curve.optimum {
        let fill = if rate.is_open() { Fill::Hollow } else { Fill::Solid };
        if !rate.is_open() {
            panel.error_bar_across(&mut page.canvas, loss, rate.low, rate.high, ACCENT);
        }
        panel.mark(&mut page.canvas, (rate.value, loss), Mark::Diamond, 4.8, fill, ACCENT);
    }
}

fn end_label(panel: &Panel, curve: &RateCurve, ladder: &Ladder) -> EndLabel {
    let last = curve.runs[curve.runs.len() - 1];
    EndLabel { at: panel.place(last), text: short(curve.d, Unit::Count), colour: ladder.colour(curve.n) }
}

fn usable(curve: &RateCurve) -> RateCurve {
    let sound = |value: f64| value.is_finite() && value > 0.0;
    let mut runs: Vec<(f64, f64)> = curve.runs.iter().copied().filter(|run| sound(run.0) && run.1.is_finite()).collect();
    runs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let diverged = curve.diverged.iter().copied().filter(|rate| sound(*rate)).collect();
    let optimum = curve.optimum.filter(|(rate, loss)| sound(rate.value) && loss.is_finite());
    RateCurve { runs, diverged, optimum, ..curve.clone() }
}

/// Loss against learning rate of each cell in which more than one rate was tried: the mean over seeds, at the best batch of
/// each rate. The optimum is that of the cell's surface.
fn rates_of_cells(subject: &Subject<'_>) -> Vec<RateCurve> {
    let curve = |cell: &RecipeTrials| {
        let rates = cell.tried(|trial| trial.learning_rate);
        let lowest = |rate: f64| {
            let of_batch = |batch: f64| {
                let same = cell.trials.iter().filter(|trial| trial.learning_rate == rate && trial.batch == batch);
                let losses: Vec<f64> = same.filter_map(|trial| trial.loss).collect();
                (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
            };
            cell.tried(|trial| trial.batch).into_iter().filter_map(of_batch).min_by(f64::total_cmp)
        };
        let runs: Vec<(f64, f64)> = rates.iter().filter_map(|&rate| Some((rate, lowest(rate)?))).collect();
        let diverged = rates.iter().copied().filter(|&rate| lowest(rate).is_none()).collect();
        let best = cell.best().map(|(trial, _)| trial.run.as_str());
        let response =
            subject.study.hyperparameters.as_ref().and_then(|found| found.cells.iter().find(|one| Some(one.best_run.as_str()) == best));
        let optimum = response.filter(|one| one.is_inside()).and_then(|one| Some((Range::from(&one.learning_rate?), one.loss?.value)));
        RateCurve { n: cell.scale.n, d: cell.scale.d, runs, diverged, optimum }
    };
    subject.trials().iter().filter(|cell| cell.tried(|trial| trial.learning_rate).len() > 1).map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    fn curve(n: f64, d: f64, rates: i32) -> RateCurve {
        let (best, floor) = (0.05 * n.powf(-0.3), 1.0 + 30.0 * n.powf(-0.35) + 40.0 * d.powf(-0.33));
        let loss = |rate: f64| floor + 0.03 * (rate / best).ln().powi(2);
        let runs = (0..rates).map(|i| 5e-4 * 2f64.powi(i)).map(|rate| (rate, loss(rate))).collect();
        let optimum = Some((Range { value: best, low: best / 1.4, high: best * 1.3 }, floor));
        RateCurve { n, d, runs, diverged: vec![6.4e-2], optimum }
    }

    #[test]
    fn losses_over_the_learning_rate_are_drawn_for_sizes_and_budgets() {
        let sizes: Vec<RateCurve> = [1e4, 4e4, 1.6e5, 6.4e5].map(|n| curve(n, 4e6, 6)).to_vec();
        is_drawn_twice_the_same("rates-sizes", || rate_curves(&sizes, &conventions()));
        let budgets: Vec<RateCurve> = [1e4, 4e4, 1.6e5].iter().flat_map(|&n| [1e6, 4e6, 1.6e7].map(|d| curve(n, d, 6))).collect();
        is_drawn_twice_the_same("rates-budgets", || rate_curves(&budgets, &conventions()));
    }

    #[test]
    fn a_single_rate_without_an_optimum_is_drawn() {
        let one = RateCurve { optimum: None, diverged: vec![], ..curve(1e5, 1e6, 1) };
        is_drawn_twice_the_same("rates-single", || rate_curves(std::slice::from_ref(&one), &conventions()));
        let none = RateCurve { runs: vec![(1e-3, f64::NAN)], ..one };
        assert!(rate_curves(&[none], &conventions()).expect_err("nothing").to_string().contains("learning rate"));
    }
}
