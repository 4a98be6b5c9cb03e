//! How well a law describes its runs: observed against predicted loss, and the residuals in per cent below,
//! the farthest of them named.

use super::ViewError;
use super::canvas::{Fill, LabelStyle, Rect, Stroke};
use super::figure::Figure;
use super::legend::{Entry, ladder_entries};
use super::page::{Conventions, Page, shortened};
use super::palette::{BLACK, GREY, Ladder};
use super::panel::{Axis, Panel, left_room};
use super::ticks::{Unit, written};
use crate::law::{Law, Point};

/// One run beside its prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Residual {
    /// Name of the run.
    pub(super) run: String,
    /// N, under the figure's convention.
    pub(super) n: f64,
    /// D, tokens.
    pub(super) d: f64,
    /// Observed held-out loss, nats per token.
    pub(super) observed: f64,
    /// The law's loss, nats per token.
    pub(super) predicted: f64,
}

impl Residual {
    /// Residuals of points under a law.
    pub(super) fn of(points: &[Point], law: &Law) -> Vec<Self> {
        let residual =
            |point: &Point| Self { run: point.run.clone(), n: point.n, d: point.d, observed: point.loss, predicted: law.loss(point) };
        points.iter().map(residual).collect()
    }

    /// 100·ln(observed/predicted), per cent.
    pub(super) fn percent(&self) -> f64 {
        100.0 * (self.observed / self.predicted).ln()
    }
}

/// How many of the farthest runs are named.
const NAMED: usize = 3;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "observed-predicted.png",
    caption: "Observed against predicted loss, and residuals",
    of: |subject| {
        let law = &subject.study.law_with_optima()?.law;
        Some(observed_and_predicted(&Residual::of(&subject.study.evidence.points, law), &subject.fitted()))
    },
};

/// Observed against predicted loss with residuals.
fn observed_and_predicted(residuals: &[Residual], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let residuals: Vec<Residual> = residuals.iter().filter(|residual| is_sound(residual)).cloned().collect();
    if residuals.is_empty() {
        return Err(ViewError::empty("observed and predicted loss", "no run with a finite observed and predicted loss"));
    }
    let ladder = Ladder::of(residuals.iter().map(|residual| residual.n));
    let remark = "Residual: 100·ln(observed/predicted); grey band: ± root mean square.";
    let mut page = Page::new("Observed and predicted loss", conventions, remark, &entries(&ladder, &residuals, conventions));
    let cut = page.content.top + 0.6 * page.content.height();
    let both = residuals.iter().flat_map(|residual| [residual.observed, residual.predicted]);
    let losses = Axis::linear("", both);
    let percents = Axis::linear("residual, %", residuals.iter().map(Residual::percent).chain([0.0]));
    let upper = Rect { bottom: cut - 4.0, ..page.content };
    let y = Axis { label: format!("observed, {}", conventions.loss_unit), ..losses.clone() };
    let lower = Rect { top: cut + 4.0, ..page.content };
    let x = Axis { label: format!("predicted, {}", conventions.loss_unit), ..losses.clone() };
    let room = left_room(&losses, &y, upper).max(left_room(&x, &percents, lower));
    let panel = Panel::draw_with_room(&mut page.canvas, upper, losses.clone(), y, room);
    panel.line(&mut page.canvas, &[(losses.low, losses.low), (losses.high, losses.high)], Stroke::full(GREY, 1.1));
    for residual in &residuals {
        let at = (residual.predicted, residual.observed);
        panel.mark(&mut page.canvas, at, ladder.mark(residual.n), radius(&residuals), Fill::Solid, ladder.colour(residual.n));
    }
    let panel = Panel::draw_with_room(&mut page.canvas, lower, x, percents, room);
    draw_residuals(&mut page, &panel, &residuals, &ladder);
    Ok(page.png())
}

fn draw_residuals(page: &mut Page, panel: &Panel, residuals: &[Residual], ladder: &Ladder) {
    let rms = root_mean_square(residuals);
    let ends = [panel.x.low, panel.x.high];
    panel.band(&mut page.canvas, &ends.map(|x| (x, -rms, rms)), GREY.with_alpha(0.15));
    panel.line(&mut page.canvas, &ends.map(|x| (x, 0.0)), Stroke::full(GREY, 1.1));
    for residual in residuals {
        let at = (residual.predicted, residual.percent());
        panel.mark(&mut page.canvas, at, ladder.mark(residual.n), radius(residuals), Fill::Solid, ladder.colour(residual.n));
    }
    let mut taken: Vec<Rect> = Vec::new();
    let marks: Vec<(f64, f64)> = residuals.iter().map(|residual| panel.place((residual.predicted, residual.percent()))).collect();
    for i in farthest(residuals) {
        name_one(page, panel, &residuals[i], &marks, &mut taken);
    }
}

/// Writes the name of a run beside its mark, on the side where it covers fewest others; not at all where there is no room.
fn name_one(page: &mut Page, panel: &Panel, residual: &Residual, marks: &[(f64, f64)], taken: &mut Vec<Rect>) {
    let style = LabelStyle::new(11.5, BLACK);
    let text = shortened(&residual.run, 0.45 * panel.inside.width(), &|text| style.length(text));
    let (x, y) = panel.place((residual.predicted, residual.percent()));
    let length = style.length(&text);
    let (right, left, middle) = (x + 9.0, x - 9.0 - length, x - 0.5 * length);
    let (beside, below, above) = (y + 4.0, y + 17.0, y - 9.0);
    let candidates =
        [(right, beside), (left, beside), (middle, below), (middle, above), (right, below), (left, below), (right, above), (left, above)];
    let boxes = candidates.map(|(left, base)| Rect { left, top: base - 10.0, right: left + length, bottom: base + 3.0 });
    let inside = panel.inside;
    let within = |b: &Rect| b.left > inside.left + 2.0 && b.right < inside.right - 2.0 && b.top > inside.top && b.bottom < inside.bottom;
    let free =
        |b: &Rect, taken: &[Rect]| !taken.iter().any(|t| t.left < b.right && b.left < t.right && t.top < b.bottom && b.top < t.bottom);
    let hidden =
        |b: &Rect| marks.iter().filter(|m| m.0 > b.left - 5.0 && m.0 < b.right + 5.0 && m.1 > b.top - 5.0 && m.1 < b.bottom + 5.0).count();
    let usable = boxes.into_iter().filter(|candidate| within(candidate) && free(candidate, taken));
    if let Some(found) = usable.min_by_key(hidden) {
        page.canvas.label(&text, (found.left, found.bottom - 3.0), style);
        taken.push(found);
    }
}

pub(super) fn is_sound(residual: &Residual) -> bool {
    [residual.n, residual.observed, residual.predicted].iter().all(|value| value.is_finite() && *value > 0.0)
}

fn radius(residuals: &[Residual]) -> f64 {
    if residuals.len() <= 80 { 4.2 } else { 3.0 }
}

/// Root mean square of the residuals, per cent.
fn root_mean_square(residuals: &[Residual]) -> f64 {
    (residuals.iter().map(|residual| residual.percent().powi(2)).sum::<f64>() / residuals.len() as f64).sqrt()
}

/// Indices of the runs farthest from the law, the farthest first.
fn farthest(residuals: &[Residual]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..residuals.len()).filter(|&i| !residuals[i].run.is_empty()).collect();
    order.sort_by(|&left, &right| residuals[right].percent().abs().total_cmp(&residuals[left].percent().abs()));
    order.truncate(NAMED);
    order
}

fn entries(ladder: &Ladder, residuals: &[Residual], conventions: &Conventions) -> Vec<Entry> {
    let mut entries = ladder_entries(ladder, conventions.size_symbol(), Unit::Count);
    let largest = residuals.iter().map(|residual| residual.percent().abs()).fold(0.0, f64::max);
    entries.extend([
        Entry::Gap,
        Entry::Line(Stroke::full(GREY, 1.1), "equal".into()),
        Entry::Band(GREY.with_alpha(0.15), format!("± rms, {} %", two_digits(root_mean_square(residuals)))),
        Entry::Remark(format!("farthest {} %", two_digits(largest))),
    ]);
    entries
}

/// Two significant digits.
pub(super) fn two_digits(value: f64) -> String {
    let text = format!("{value:.1e}");
    let rounded: f64 = text.parse().unwrap_or(value);
    if rounded != 0.0 && !(1e-3..1e4).contains(&rounded) { written(rounded, Unit::Power) } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, simulate};

    #[test]
    fn residuals_of_few_and_of_three_hundred_runs_are_drawn() {
        let law = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };
        for (budgets, sizes) in [(5, 5), (20, 15)] {
            let budgets: Vec<f64> = (0..budgets).map(|i| 1e10 * 1.8f64.powi(i)).collect();
            let mut points = simulate(&law.into(), &Design::isoflop(&budgets, sizes, 8.0), Noise { run: 0.005, cluster: 0.0 }, 3);
            points.iter_mut().enumerate().for_each(|(i, point)| point.run = format!("2x64-s0-c{i}-a-rather-long-name"));
            let residuals = Residual::of(&points, &law.into());
            is_drawn_twice_the_same(&format!("residuals-{}", points.len()), || observed_and_predicted(&residuals, &conventions()));
        }
    }

    #[test]
    fn a_single_run_and_residuals_of_a_millionth_are_drawn() {
        let exact = |i: i32| Residual { run: format!("run-{i}"), n: 1e6, d: 1e8, observed: 2.0 + 1e-6 * f64::from(i % 3), predicted: 2.0 };
        for count in [1, 9] {
            let residuals: Vec<Residual> = (0..count).map(exact).collect();
            is_drawn_twice_the_same(&format!("residuals-exact-{count}"), || observed_and_predicted(&residuals, &conventions()));
        }
        let unknown = Residual { observed: f64::NAN, ..exact(1) };
        assert!(observed_and_predicted(&[unknown], &conventions()).expect_err("nothing").to_string().contains("no run"));
    }

    #[test]
    fn the_farthest_runs_are_found_on_either_side() {
        let at = |run: &str, observed: f64| Residual { run: run.into(), n: 1e6, d: 1e8, observed, predicted: 2.0 };
        let residuals = [at("a", 2.01), at("b", 1.9), at("c", 2.0), at("d", 2.05), at("", 3.0)];
        assert_eq!(farthest(&residuals), [1, 3, 0]);
        assert!((residuals[1].percent() + 5.129).abs() < 1e-3);
    }
}
