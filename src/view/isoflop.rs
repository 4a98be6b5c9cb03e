//! IsoFLOP profiles (Hoffmann 2203.15556, approach 2): for each compute budget the losses of its runs against
//! N, the fitted ln-parabola, and its vertex with an interval.

use super::canvas::{Fill, Stroke};
use super::figure::Figure;
use super::legend::{EndLabel, Entry, end_labels, short};
use super::page::{Conventions, Layout, Page};
use super::palette::{ACCENT, GREY, Ladder, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use super::{Range, ViewError};
use crate::law::Parabola;
use crate::spec::same_budget;
use crate::study::Study;

/// One budget as its profile is drawn.
#[derive(Debug, Clone, PartialEq)]
struct IsoflopBudget {
    /// C, FLOPs.
    budget: f64,
    /// (N, held-out loss in nats per token) of its runs.
    runs: Vec<(f64, f64)>,
    /// The parabola through them.
    parabola: Option<Parabola>,
    /// N at its vertex, with interval, and the loss there; absent where the budget was dropped from the fit.
    vertex: Option<(Range, f64)>,
}

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "isoflop.png",
    caption: "IsoFLOP profiles: loss against size at each budget",
    of: |subject| {
        let budgets = profiles(subject.study);
        (!budgets.is_empty()).then(|| isoflop_profiles(&budgets, &subject.evidence()))
    },
};

/// Loss against N for each budget, with parabolas and their vertices. Budgets without a vertex are hollow.
fn isoflop_profiles(budgets: &[IsoflopBudget], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let budgets: Vec<IsoflopBudget> = budgets.iter().map(usable).filter(|budget| !budget.runs.is_empty()).collect();
    if budgets.is_empty() {
        return Err(ViewError::empty("IsoFLOP profiles", "no budget has a run with a finite loss"));
    }
    let sizes = budgets.iter().flat_map(|budget| budget.runs.iter().map(|run| run.0));
    let x = Axis::log(conventions.size_label(), Unit::Count, sizes);
    let losses = budgets.iter().flat_map(|budget| budget.runs.iter().map(|run| run.1).chain(budget.vertex.map(|vertex| vertex.1)));
    let y = Axis::losses(conventions.loss_label(), losses);
    let ladder = Ladder::of(budgets.iter().map(|budget| budget.budget));
    let dropped = budgets.iter().any(|budget| budget.vertex.is_none());
    let remark = if dropped { "Hollow: budgets without a minimum inside their sizes, left out of the fit." } else { "" };
    let layout = Layout { title: "IsoFLOP profiles", remark, above: &entries(dropped), room: 88.0, ..Layout::default() };
    let mut page = Page::laid(&layout, conventions);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    let ends = budgets.iter().map(|budget| draw_budget(&mut page, &panel, budget, &ladder)).collect();
    for budget in &budgets {
        draw_vertex(&mut page, &panel, budget);
    }
    end_labels(&mut page.canvas, panel.inside, ends);
    Ok(page.png())
}

fn entries(dropped: bool) -> Vec<Entry> {
    let mut entries = vec![
        Entry::Mark(Mark::Circle, Fill::Solid, GREY, "run".into()),
        Entry::Line(Stroke::full(GREY, 1.6), "parabola in ln N".into()),
        Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "minimum with interval".into()),
    ];
    if dropped {
        entries.push(Entry::Mark(Mark::Circle, Fill::Hollow, GREY, "left out".into()));
    }
    entries
}

/// Draws the runs and the parabola; says where the label of the budget belongs.
fn draw_budget(page: &mut Page, panel: &Panel, budget: &IsoflopBudget, ladder: &Ladder) -> EndLabel {
    let colour = ladder.colour(budget.budget);
    let (first, last) = (budget.runs[0], budget.runs[budget.runs.len() - 1]);
    let mut end = last;
    if let Some(parabola) = budget.parabola.filter(|_| last.0 > first.0) {
        let curve: Vec<(f64, f64)> = panel.x.samples(first.0, last.0, 80).into_iter().map(|n| (n, parabola.at(n))).collect();
        let stroke = Stroke::full(colour, 1.7);
        panel.line(&mut page.canvas, &curve, if budget.vertex.is_some() { stroke } else { stroke.dashed() });
        end = curve[curve.len() - 1];
    }
    let fill = if budget.vertex.is_some() { Fill::Solid } else { Fill::Hollow };
    for run in &budget.runs {
        panel.mark(&mut page.canvas, *run, ladder.mark(budget.budget), 4.2, fill, colour);
    }
    let row = panel.row(end.1).clamp(panel.inside.top, panel.inside.bottom);
    EndLabel { at: (panel.column(end.0), row), text: format!("{} FLOPs", short(budget.budget, Unit::Power)), colour }
}

fn draw_vertex(page: &mut Page, panel: &Panel, budget: &IsoflopBudget) {
    if let Some((n, loss)) = budget.vertex {
        panel.error_bar_across(&mut page.canvas, loss, n.low, n.high, ACCENT);
        panel.mark(&mut page.canvas, (n.value, loss), Mark::Diamond, 5.2, Fill::Solid, ACCENT);
    }
}

fn usable(budget: &IsoflopBudget) -> IsoflopBudget {
    let mut runs: Vec<(f64, f64)> =
        budget.runs.iter().copied().filter(|run| run.0 > 0.0 && run.0.is_finite() && run.1.is_finite()).collect();
    runs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let vertex = budget.vertex.filter(|(n, loss)| n.value > 0.0 && n.value.is_finite() && loss.is_finite());
    IsoflopBudget { runs, vertex, ..budget.clone() }
}

/// Every budget with its runs, its parabola and, where it is used, its vertex.
fn profiles(study: &Study) -> Vec<IsoflopBudget> {
    let points = &study.evidence.points;
    let mut budgets: Vec<f64> = points.iter().filter_map(|point| point.budget).collect();
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let profile = |budget: f64| {
        let runs = points.iter().filter(|point| point.budget == Some(budget)).map(|point| (point.n, point.loss)).collect();
        let used = study.isoflop.as_ref().and_then(|fit| fit.profiles.iter().find(|profile| same_budget(profile.compute, budget)));
        IsoflopBudget {
            budget,
            runs,
            parabola: used.and_then(|profile| profile.parabola),
            vertex: used.map(|profile| (Range::from(&profile.params), profile.loss)),
        }
    };
    budgets.into_iter().map(profile).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, ComputeCount};

    /// Seven sizes around the optimum of each budget and the exact parabola through the middle three.
    fn budgets(law: &Chinchilla, computes: &[f64], spread: f64) -> Vec<IsoflopBudget> {
        let count = ComputeCount::Bilinear { k: 6.0 };
        let profile = |c: f64| {
            let best = law.optimal_params(c, &count);
            let loss = |n: f64| law.at(n, c / (6.0 * n));
            let runs: Vec<(f64, f64)> = (-3..=3).map(|i| best * spread.powi(i)).map(|n| (n, loss(n))).collect();
            let curvature = (loss(best * spread) + loss(best / spread) - 2.0 * loss(best)) / (2.0 * spread.ln().powi(2));
            let parabola = Parabola { centre: best.ln(), c: [loss(best), 0.0, curvature] };
            let vertex = Some((Range { value: best, low: best / 1.2, high: best * 1.3 }, loss(best)));
            IsoflopBudget { budget: c, runs, parabola: Some(parabola), vertex }
        };
        computes.iter().map(|&c| profile(c)).collect()
    }

    #[test]
    fn profiles_of_small_and_large_budgets_are_drawn() {
        let bytes = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };
        let mut small = budgets(&bytes, &[1e10, 3e10, 1e11, 3e11, 1e12], 1.6);
        small[4].vertex = None;
        is_drawn_twice_the_same("isoflop-bytes", || isoflop_profiles(&small, &conventions()));
        let named = Conventions { sweep: "a-sweep-with-a-name-that-is-far-too-long-for-its-line ".repeat(3), ..conventions() };
        is_drawn_twice_the_same("isoflop-long-name", || isoflop_profiles(&small, &named));
        let large = budgets(&Chinchilla::default(), &[6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21], 1.5);
        is_drawn_twice_the_same("isoflop-chinchilla", || isoflop_profiles(&large, &conventions()));
    }

    #[test]
    fn a_single_run_twelve_decades_and_level_losses_are_drawn() {
        let one = IsoflopBudget { budget: 1e10, runs: vec![(1e4, 2.0), (f64::NAN, 3.0), (1e5, f64::NAN)], parabola: None, vertex: None };
        is_drawn_twice_the_same("isoflop-single", || isoflop_profiles(std::slice::from_ref(&one), &conventions()));
        let computes: Vec<f64> = (10..=22).map(|power| 10f64.powi(power)).collect();
        let decades = budgets(&Chinchilla::default(), &computes, 2.0);
        is_drawn_twice_the_same("isoflop-decades", || isoflop_profiles(&decades, &conventions()));
        let mut level = budgets(&Chinchilla::default(), &[1e20, 2e20], 1.5);
        for budget in &mut level {
            budget.runs.iter_mut().enumerate().for_each(|(i, run)| run.1 = 2.0 + 1e-7 * i as f64);
            budget.vertex = Some((Range { value: 1e9, low: f64::NEG_INFINITY, high: f64::INFINITY }, 2.0));
        }
        is_drawn_twice_the_same("isoflop-level", || isoflop_profiles(&level, &conventions()));
    }

    #[test]
    fn budgets_without_runs_are_an_error() {
        assert!(isoflop_profiles(&[], &conventions()).expect_err("nothing").to_string().contains("no budget"));
    }
}
