//! How much rests on single runs: the exponent a without each run in turn, against the compute of the run, beside the
//! interval of all runs. A run outside the band alone carries the answer.

use super::canvas::{Fill, LabelStyle, Stroke};
use super::figure::{Figure, LARGE};
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, BLACK, Colour, GREY, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use super::{Range, ViewError};
use crate::fit::{FittedLaw, Influence, Quantity, influence};
use crate::law::ComputeCount;
use std::collections::HashMap;

/// The exponent without one run.
#[derive(Debug, Clone, PartialEq)]
struct LeftOut {
    /// Name of the run.
    run: String,
    /// Its compute, FLOPs.
    compute: f64,
    /// a without it.
    exponent: f64,
}

/// Colour of the runs.
const RUN: Colour = Colour { rgb: [20, 90, 170], alpha: 1.0 };
/// Most influential runs that are named.
const NAMED: usize = 3;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "influence.png",
    caption: "The exponent a without each run in turn",
    of: |subject| {
        let (runs, all) = influence_on_a(subject.study.law_with_optima()?)?;
        Some(leave_one_out(&runs, all, &subject.fitted()))
    },
};

/// a without each run, and a of all of them with its interval.
fn leave_one_out(left_out: &[LeftOut], all: Range, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let sound = |one: &&LeftOut| one.compute.is_finite() && one.compute > 0.0 && one.exponent.is_finite();
    let mut left_out: Vec<&LeftOut> = left_out.iter().filter(sound).collect();
    if left_out.is_empty() || !all.value.is_finite() {
        return Err(ViewError::empty("the influence of runs", "no exponent without any run"));
    }
    left_out.sort_by(|a, b| (b.exponent - all.value).abs().total_cmp(&(a.exponent - all.value).abs()));
    let ends = [all.low, all.high].into_iter().filter(|end| end.is_finite());
    let x = Axis::log(conventions.compute_label(), Unit::Power, left_out.iter().map(|one| one.compute));
    let y = Axis::linear("exponent a of N* ~ C^a", left_out.iter().map(|one| one.exponent).chain([all.value]).chain(ends));
    let (left, right) = (x.low, x.high);
    let entries = [
        Entry::Mark(Mark::Circle, Fill::Solid, RUN, "without one run".into()),
        Entry::Line(Stroke::full(ACCENT, 1.6), "all runs".into()),
        Entry::Band(ACCENT.with_alpha(0.14), "interval".into()),
    ];
    let remark = "Each mark: a of a fit without that run. The three that move a most are named.";
    let mut page = Page::new("Influence of single runs on a", conventions, remark, &entries);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    if all.low.is_finite() && all.high.is_finite() {
        panel.band(&mut page.canvas, &[(left, all.low, all.high), (right, all.low, all.high)], ACCENT.with_alpha(0.14));
    }
    panel.line(&mut page.canvas, &[(left, all.value), (right, all.value)], Stroke::full(ACCENT, 1.6));
    for one in left_out.iter().rev() {
        panel.mark(&mut page.canvas, (one.compute, one.exponent), Mark::Circle, 3.6, Fill::Solid, RUN);
    }
    for one in left_out.iter().take(NAMED).filter(|one| !one.run.is_empty()) {
        let how = LabelStyle::new(10.5, if one.run.len() > 60 { GREY } else { BLACK });
        let (column, row) = panel.place((one.compute, one.exponent));
        let length = how.length(&one.run);
        // To the right where there is room, else to the left.
        let beside = if column + 8.0 + length < panel.inside.right { column + 8.0 } else { (column - 8.0 - length).max(panel.inside.left) };
        page.canvas.label(&one.run, (beside, row + 4.0), how);
    }
    Ok(page.png())
}

/// The exponent a without each run in turn.
fn influence_on_a(fit: &FittedLaw) -> Option<(Vec<LeftOut>, Range)> {
    let points = &fit.evidence.points;
    // A run of hundreds carries little, and a fit without each of them is a wait.
    if points.len() > LARGE {
        return None;
    }
    let compute: HashMap<&str, f64> = points.iter().map(|point| (point.run.as_str(), point.c)).collect();
    let exponent = Quantity::params_exponent(fit.evidence.largest_compute(), &ComputeCount::of(points));
    let found = influence(fit, &exponent).ok()?;
    let one = |one: Influence| Some(LeftOut { compute: *compute.get(one.run.as_str())?, run: one.run, exponent: one.without });
    Some((found.into_iter().filter_map(one).collect(), Range::from(fit.derived.get("a")?)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    #[test]
    fn the_influence_of_runs_is_drawn_and_nothing_is_refused() {
        let one = |at: i32| LeftOut {
            run: format!("2x{}-d1m", 8 * (at + 1)),
            compute: 1e11 * 2f64.powi(at % 6),
            exponent: 0.65 + 0.004 * f64::from(at * 7 % 5) - if at == 3 { 0.03 } else { 0.0 },
        };
        let runs: Vec<LeftOut> = (0..24).map(one).collect();
        let all = Range { value: 0.653, low: 0.61, high: 0.70 };
        is_drawn_twice_the_same("influence", || leave_one_out(&runs, all, &conventions()));
        let open = Range { low: f64::NEG_INFINITY, high: f64::INFINITY, ..all };
        is_drawn_twice_the_same("influence-open", || leave_one_out(&runs[..1], open, &conventions()));
        assert!(leave_one_out(&[], all, &conventions()).is_err());
    }
}
