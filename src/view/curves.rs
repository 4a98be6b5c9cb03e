//! Loss against tokens while runs train, all runs in one picture, coloured by size; their held-out losses at
//! the end as marks. Training loss is averaged over bins of equal width in ln(tokens).

use super::ViewError;
use super::canvas::{Fill, Stroke};
use super::figure::{Figure, Picture};
use super::legend::{Entry, ladder_entries};
use super::page::{Conventions, Page, TOKENS};
use super::palette::{GREY, Ladder, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use crate::law::shape_of;
use crate::spec::{CurvePoint, RunRecord, SizeMeasure};
use std::collections::HashMap;

/// Bins over the whole range of tokens.
const BINS: f64 = 140.0;

/// One run as its curve is drawn.
#[derive(Debug, Clone, PartialEq)]
struct RunCurve {
    /// N, under the figure's convention.
    n: f64,
    /// (tokens seen, training loss in nats per token), in the order of training.
    train: Vec<(f64, f64)>,
    /// (tokens, held-out loss in nats per token) at the end.
    held_out: Option<(f64, f64)>,
}

impl RunCurve {
    /// A recorded curve; what was not measured is left out.
    fn of(n: f64, curve: &[CurvePoint], held_out: Option<(f64, f64)>) -> Self {
        let train = curve.iter().filter_map(|point| Some((point.tokens as f64, point.train_loss_nats?))).collect();
        Self { n, train, held_out }
    }
}

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "loss-curves.png",
    caption: "Training loss along every run",
    of: |subject| Some(run_curves(subject.records, subject.curves?, &subject.all_runs())),
};

/// Training loss of all runs against tokens; `curves` by the names of runs.
pub fn run_curves(records: &[RunRecord], curves: &HashMap<String, Vec<CurvePoint>>, conventions: &Conventions) -> Picture {
    loss_curves(&of_records(records, curves, conventions.size_measure), conventions)
}

/// Training loss of all runs against tokens, with their held-out losses.
fn loss_curves(runs: &[RunCurve], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let runs: Vec<RunCurve> = runs.iter().map(usable).filter(|run| !run.train.is_empty() || run.held_out.is_some()).collect();
    let places = || runs.iter().flat_map(|run| run.train.iter().chain(&run.held_out));
    if places().next().is_none() {
        return Err(ViewError::empty("loss curves", "no run has a finite loss at a positive number of tokens"));
    }
    let x = Axis::log(TOKENS, Unit::Count, places().map(|at| at.0));
    let bin = (x.high / x.low).ln() / BINS;
    let smooth: Vec<Vec<(f64, f64)>> = runs.iter().map(|run| averaged(&run.train, bin)).collect();
    let y = Axis::log(format!("loss, {}", conventions.loss_unit), Unit::Plain, shown_losses(&runs, &smooth));
    let ladder = Ladder::of(runs.iter().map(|run| run.n));
    let remark = "Lines: training loss, averaged over bins of equal width in ln D. Marks: held-out loss at the end of a run.";
    let mut page = Page::new("Loss curves", conventions, remark, &entries(&ladder, conventions));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    let (width, alpha, radius, fill) = if runs.len() <= 50 { (1.5, 0.9, 4.2, Fill::Solid) } else { (0.9, 0.5, 2.4, Fill::Bare) };
    // Large runs last, so that the best stand in front.
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by(|left, right| runs[*left].n.total_cmp(&runs[*right].n));
    for &i in &order {
        panel.line(&mut page.canvas, &smooth[i], Stroke::full(ladder.colour(runs[i].n).with_alpha(alpha), width));
    }
    for run in order.iter().map(|&i| &runs[i]) {
        if let Some(end) = run.held_out {
            panel.mark(&mut page.canvas, end, ladder.mark(run.n), radius, fill, ladder.colour(run.n));
        }
    }
    Ok(page.png())
}

fn entries(ladder: &Ladder, conventions: &Conventions) -> Vec<Entry> {
    let mut entries = ladder_entries(ladder, conventions.size_symbol(), Unit::Count);
    entries.extend([
        Entry::Gap,
        Entry::Line(Stroke::full(GREY, 1.5), "training".into()),
        Entry::Mark(Mark::Circle, Fill::Solid, GREY, "held out".into()),
    ]);
    entries
}

fn usable(run: &RunCurve) -> RunCurve {
    let sound = |at: &(f64, f64)| at.0 > 0.0 && at.0.is_finite() && at.1 > 0.0 && at.1.is_finite();
    RunCurve { n: run.n, train: run.train.iter().copied().filter(sound).collect(), held_out: run.held_out.filter(sound) }
}

/// Losses that set the axis: everything but what stands above the start of nine curves in ten, so that one
/// that diverges does not flatten the rest.
fn shown_losses(runs: &[RunCurve], smooth: &[Vec<(f64, f64)>]) -> Vec<f64> {
    let mut starts: Vec<f64> = smooth.iter().filter_map(|curve| curve.first()).map(|at| at.1).collect();
    starts.sort_by(f64::total_cmp);
    let ends = runs.iter().filter_map(|run| run.held_out).map(|at| at.1);
    let top = starts.get((starts.len() * 9) / 10).copied().unwrap_or(f64::INFINITY);
    let kept: Vec<f64> = smooth.iter().flatten().map(|at| at.1).chain(ends.clone()).filter(|loss| *loss <= top).collect();
    if kept.is_empty() { ends.collect() } else { kept }
}

/// Means over bins of ln(tokens): (geometric mean of tokens, mean of losses).
fn averaged(curve: &[(f64, f64)], bin: f64) -> Vec<(f64, f64)> {
    let cell = |tokens: f64| (tokens.ln() / bin).floor();
    curve
        .chunk_by(|left, right| cell(left.0) == cell(right.0))
        .map(|group| {
            let count = group.len() as f64;
            let sums = group.iter().fold((0.0, 0.0), |sums, at| (sums.0 + at.0.ln(), sums.1 + at.1));
            ((sums.0 / count).exp(), sums.1 / count)
        })
        .collect()
}

/// The curves of the runs that have one.
fn of_records(records: &[RunRecord], curves: &HashMap<String, Vec<CurvePoint>>, measure: SizeMeasure) -> Vec<RunCurve> {
    let curve = |record: &RunRecord| {
        let size = shape_of(record).and_then(|shape| measure.of(&shape)).or(record.params_total)?;
        let held_out = record.tokens.zip(record.loss_nats).map(|(tokens, loss)| (tokens.0, loss.0));
        Some(RunCurve::of(size.0, curves.get(&record.run_id)?, held_out))
    };
    records.iter().filter_map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    fn run(n: f64, tokens: f64, floor: f64) -> RunCurve {
        let at = |i: i32| tokens * f64::from(i) / 400.0;
        let train = (1..=400).map(|i| (at(i), floor + 3.0 * (1.0 + at(i) / 2e4).powf(-0.5) + 0.05 * (f64::from(i) * 1.7).sin())).collect();
        RunCurve { n, train, held_out: Some((tokens, floor + 3.0 * (1.0 + tokens / 2e4).powf(-0.5))) }
    }

    #[test]
    fn curves_of_one_of_five_and_of_three_hundred_runs_are_drawn() {
        for count in [1, 5, 300] {
            let runs: Vec<RunCurve> =
                (0..count).map(|i| run(1e4 * 1.02f64.powi(i), 1e5 * 1.01f64.powi(i), 2.0 - 0.003 * f64::from(i))).collect();
            is_drawn_twice_the_same(&format!("curves-{count}"), || loss_curves(&runs, &conventions()));
        }
    }

    #[test]
    fn a_diverged_run_is_drawn_without_flattening_the_others() {
        let mut runs: Vec<RunCurve> = (0..9).map(|i| run(1e4 * 2f64.powi(i), 1e6, 1.5)).collect();
        runs.push(RunCurve { n: 1e5, train: vec![(1e4, 5.0), (2e4, 80.0), (3e4, f64::NAN), (0.0, 1.0), (4e4, 1e9)], held_out: None });
        is_drawn_twice_the_same("curves-diverged", || loss_curves(&runs, &conventions()));
        let kept: Vec<RunCurve> = runs.iter().map(usable).collect();
        let curves: Vec<Vec<(f64, f64)>> = kept.iter().map(|run| averaged(&run.train, 0.05)).collect();
        assert!(shown_losses(&kept, &curves).into_iter().all(|loss| loss < 10.0));
    }

    #[test]
    fn means_are_taken_over_bins_of_the_logarithm() {
        let means = averaged(&[(1.0, 4.0), (1.5, 2.0), (1e3, 1.0)], 1.0);
        assert_eq!(means.len(), 2);
        assert!((means[0].0 - 1.5f64.sqrt()).abs() < 1e-12 && means[0].1 == 3.0);
    }

    #[test]
    fn no_runs_are_an_error_that_says_so() {
        let empty = loss_curves(&[RunCurve { n: 1e4, train: vec![(1e3, f64::NAN)], held_out: None }], &conventions());
        assert!(empty.expect_err("nothing").to_string().contains("no run has a finite loss"));
    }
}
