//! Loss against compute: every run, the law's least loss L*(C) with its band, dashed outside the data, and the
//! loss E below which no compute leads.

use super::canvas::{Fill, Stroke};
use super::figure::Figure;
use super::frontier::{AMONG, LAW, OUTSIDE};
use super::legend::{Entry, ladder_entries};
use super::optimal::{Frontier, FrontierPoint};
use super::page::{Conventions, Page};
use super::palette::{ACCENT, GREY, Ladder, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use super::{Range, ViewError};
use crate::law::Point;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "loss-by-compute.png",
    caption: "Loss against compute: runs, and the frontier L*(C) with its band",
    of: |subject| {
        let frontier = subject.frontier()?;
        // The floor of one law is none of several.
        let floor = subject.study.law_with_optima().and_then(|fit| fit.law.floor()).filter(|_| !frontier.together);
        Some(loss_by_compute(&subject.study.evidence.points, frontier, floor, &subject.fitted()))
    },
};

/// Losses of all runs and of the frontier against compute; `floor` is the fitted E.
fn loss_by_compute(points: &[Point], frontier: &Frontier, floor: Option<f64>, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let sound = |p: &&Point| [p.n, p.c, p.loss].iter().all(|value| value.is_finite() && *value > 0.0);
    let points: Vec<&Point> = points.iter().filter(sound).collect();
    if points.is_empty() {
        return Err(ViewError::empty("loss against compute", "no run has a finite loss and compute"));
    }
    let law = losses(&frontier.law);
    let computes = points.iter().map(|point| point.c).chain(law.iter().map(|at| at.0));
    let x = Axis::log(conventions.compute_label(), Unit::Power, computes);
    let shown = points.iter().map(|point| point.loss).chain(law.iter().map(|at| at.1.value)).chain(floor);
    let y = Axis::losses(conventions.loss_label(), shown);
    let ladder = Ladder::of(points.iter().map(|point| point.n));
    let remark = match (law.is_empty(), frontier.together) {
        (true, _) => "",
        (_, false) => "Law: least loss at each compute, dashed outside the compute of the runs.",
        (_, true) => "Least loss at each compute by several laws, weighted by their record: dashed outside the compute of the runs.",
    };
    let mut page = Page::new("Loss against compute", conventions, remark, &entries(&ladder, frontier, conventions));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    if let Some(e) = floor {
        panel.line(&mut page.canvas, &[(panel.x.low, e), (panel.x.high, e)], Stroke::full(GREY, 0.9));
        panel.remark(&mut page.canvas, e, &format!("E = {e:.3}"));
    }
    for point in &points {
        panel.mark(&mut page.canvas, (point.c, point.loss), ladder.mark(point.n), 3.6, Fill::Solid, ladder.colour(point.n));
    }
    draw_law(&mut page, &panel, &law, frontier.evidence.unwrap_or((panel.x.low, panel.x.high)));
    for (compute, loss) in losses(&frontier.optima) {
        panel.mark(&mut page.canvas, (compute, loss.value), Mark::Diamond, 4.8, Fill::Solid, ACCENT);
    }
    Ok(page.png())
}

/// (C, L*) of those points that have a loss.
fn losses(points: &[FrontierPoint]) -> Vec<(f64, Range)> {
    let known = points.iter().filter_map(|point| Some((point.compute, point.loss?)));
    known.filter(|(compute, loss)| compute.is_finite() && *compute > 0.0 && loss.value.is_finite()).collect()
}

fn draw_law(page: &mut Page, panel: &Panel, law: &[(f64, Range)], (first, last): (f64, f64)) {
    let band: Vec<(f64, f64, f64)> = law.iter().map(|(compute, loss)| (*compute, loss.low, loss.high)).collect();
    let curve: Vec<(f64, f64)> = law.iter().map(|(compute, loss)| (*compute, loss.value)).collect();
    let dashed = Stroke::full(LAW, 1.4).dashed();
    let parts =
        [((panel.x.low, first), OUTSIDE, dashed), ((first, last), AMONG, Stroke::full(LAW, 2.0)), ((last, panel.x.high), OUTSIDE, dashed)];
    for (part, opacity, stroke) in parts {
        panel.band_between(&mut page.canvas, &band, part, LAW.with_alpha(opacity));
        panel.line_between(&mut page.canvas, &curve, part, stroke);
    }
}

fn entries(ladder: &Ladder, frontier: &Frontier, conventions: &Conventions) -> Vec<Entry> {
    let mut entries = ladder_entries(ladder, conventions.size_symbol(), Unit::Count);
    entries.push(Entry::Gap);
    if !losses(&frontier.optima).is_empty() {
        entries.push(Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "IsoFLOP minimum".into()));
    }
    if !losses(&frontier.law).is_empty() {
        entries.push(Entry::Line(Stroke::full(LAW, 2.0), "least loss L*".into()));
        let has_band = losses(&frontier.law).iter().any(|(_, loss)| loss.is_known());
        entries.extend(has_band.then(|| Entry::Band(LAW.with_alpha(AMONG), "interval".into())));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::frontier::tests::example;
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, simulate};

    #[test]
    fn losses_over_compute_are_drawn_with_and_without_a_law() {
        let law = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };
        let design = Design::isoflop(&[1e10, 3e10, 1e11, 3e11, 1e12], 7, 4.0);
        let points = simulate(&law.into(), &design, Noise { run: 0.005, cluster: 0.0 }, 1);
        let shown = example(&law, 1e10, 1e12);
        is_drawn_twice_the_same("loss-compute", || loss_by_compute(&points, &shown, Some(1.0), &conventions()));
        is_drawn_twice_the_same("loss-compute-single", || loss_by_compute(&points[..1], &Frontier::default(), None, &conventions()));
        assert!(loss_by_compute(&[], &shown, None, &conventions()).is_err());
    }
}
