//! The loss surface of a law over (N, D): shades and contours of equal loss, the runs it was fitted to shaded
//! by what they reached, and the compute-optimal path.

use super::ViewError;
use super::canvas::{Align, Canvas, Fill, LabelStyle, Rect, Stroke};
use super::figure::Figure;
use super::legend::{Entry, ladder_entries};
use super::page::{Conventions, Page, TOKENS};
use super::palette::{BLACK, Ladder, Mark, WHITE, ordered};
use super::panel::{Axis, Panel, range};
use super::ticks::{Scale, Unit};
use crate::law::{ComputeCount, Law, Point};
use crate::spec::LossUnit;

/// Side of a shaded cell, units.
const CELL: f64 = 2.0;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "loss-surface.png",
    caption: "The fitted surface over size and tokens, with the runs and the optimal path",
    of: |subject| {
        let law = &subject.study.law_with_optima()?.law;
        let points = &subject.study.evidence.points;
        Some(loss_surface(points, law, &ComputeCount::of(points), &subject.fitted()))
    },
};

/// The surface of a law with the runs and the path of optima; `count` says how compute follows from N and D.
fn loss_surface(points: &[Point], law: &Law, count: &ComputeCount, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let sound = |p: &&Point| [p.n, p.d, p.loss].iter().all(|value| value.is_finite() && *value > 0.0);
    let points: Vec<&Point> = points.iter().filter(sound).collect();
    if points.is_empty() {
        return Err(ViewError::empty("the loss surface", "no run has a finite loss with positive sizes and tokens"));
    }
    let x = Axis::log(conventions.size_label(), Unit::Count, points.iter().map(|point| point.n));
    let y = Axis::log(TOKENS, Unit::Count, points.iter().map(|point| point.d));
    let shades = shades(&points, law, &x, &y);
    let remark = "Shade of a point: its held-out loss; of the ground: the law's; where they agree, the point fades. White lines: equal loss of the law.";
    let mut page = Page::new("Loss surface", conventions, remark, &entries(&shades, conventions.loss_unit));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    shade(&mut page.canvas, &panel, law, &shades);
    let path = path(&panel, law, count);
    let places = points.iter().map(|point| (point.n, point.d)).chain(path.iter().copied());
    let marks: Vec<(f64, f64)> = places.map(|at| panel.place(at)).collect();
    draw_contours(&mut page.canvas, &panel, law, &shades, &marks);
    draw_path(&mut page.canvas, &panel, &path, law, count, &points);
    for point in &points {
        panel.mark(&mut page.canvas, (point.n, point.d), Mark::Circle, 4.4, Fill::Solid, ground(&shades, point.loss));
    }
    panel.edge(&mut page.canvas, WHITE);
    Ok(page.png())
}

fn entries(shades: &Shades, unit: LossUnit) -> Vec<Entry> {
    let mut entries = ladder_entries(&Ladder::of(spaced(shades.low, shades.high, 40)), unit.heading(), Unit::Plain);
    entries.extend([
        Entry::Gap,
        Entry::Line(Stroke::full(BLACK, 2.2), "optimal path".into()),
        Entry::Mark(Mark::Circle, Fill::Solid, ordered(0.4), "run".into()),
    ]);
    entries
}

/// Losses of the darkest and the lightest shade.
struct Shades {
    low: f64,
    high: f64,
}

fn shades(points: &[&Point], law: &Law, x: &Axis, y: &Axis) -> Shades {
    let corners = [law.at(x.low, y.low), law.at(x.high, y.high)];
    let (low, high) = range(points.iter().map(|point| point.loss).chain(corners)).unwrap_or((1.0, 2.0));
    let low = low.max(1e-9);
    Shades { low, high: high.max(low * 1.02) }
}

fn ground(shades: &Shades, loss: f64) -> super::palette::Colour {
    ordered((loss / shades.low).ln() / (shades.high / shades.low).ln())
}

fn spaced(low: f64, high: f64, count: i32) -> Vec<f64> {
    (0..count).map(|i| low * (high / low).powf(f64::from(i) / f64::from(count - 1))).collect()
}

fn shade(canvas: &mut Canvas, panel: &Panel, law: &Law, shades: &Shades) {
    let Rect { left, top, right, bottom } = panel.inside;
    let (columns, rows) = (((right - left) / CELL).ceil() as usize, ((bottom - top) / CELL).ceil() as usize);
    canvas.clip(panel.inside);
    for column in 0..columns {
        let n = panel.x.value((column as f64 + 0.5) * CELL / panel.inside.width());
        for row in 0..rows {
            let d = panel.y.value(1.0 - (row as f64 + 0.5) * CELL / panel.inside.height());
            let (x, y) = (left + column as f64 * CELL, top + row as f64 * CELL);
            canvas.rect(Rect { left: x, top: y, right: x + CELL, bottom: y + CELL }, ground(shades, law.at(n, d)));
        }
    }
    canvas.unclip();
}

/// D at which a law of N weights has a loss, within a range: by bisection in ln D, since loss falls with data; NaN outside.
fn tokens_at(law: &Law, n: f64, loss: f64, (low, high): (f64, f64)) -> f64 {
    let (mut low, mut high) = (low.ln(), high.ln());
    if !(law.at(n, low.exp()) >= loss && law.at(n, high.exp()) <= loss) {
        return f64::NAN;
    }
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if law.at(n, middle.exp()) > loss { low = middle } else { high = middle }
    }
    (0.5 * (low + high)).exp()
}

/// Contours at round losses.
fn draw_contours(canvas: &mut Canvas, panel: &Panel, law: &Law, shades: &Shades, marks: &[(f64, f64)]) {
    let levels = Axis { label: String::new(), scale: Scale::Linear, unit: Unit::Plain, low: shades.low, high: shades.high };
    for (level, label) in levels.marks(420.0) {
        // A little beyond the panel, so that a contour reaches its edge.
        let tokens = |n: f64| tokens_at(law, n, level, (0.5 * panel.y.low, 2.0 * panel.y.high));
        let sizes = panel.x.samples(panel.x.low, panel.x.high, 300);
        let contour: Vec<(f64, f64)> = sizes.into_iter().map(|n| (n, tokens(n))).filter(|at| at.1.is_finite()).collect();
        panel.line(canvas, &contour, Stroke::full(WHITE.with_alpha(0.55), 1.0));
        if let Some((x, y)) = free_place(panel, &contour, marks) {
            canvas.text(&label, (x, y + 4.0), LabelStyle::new(12.0, WHITE).bold().aligned(Align::Middle));
        }
    }
}

/// The place on the upper half of a contour that is farthest from all marks.
fn free_place(panel: &Panel, contour: &[(f64, f64)], marks: &[(f64, f64)]) -> Option<(f64, f64)> {
    let inside = |at: &&(f64, f64)| (0.08..0.92).contains(&panel.y.share(at.1)) && (0.06..0.94).contains(&panel.x.share(at.0));
    let places: Vec<(f64, f64)> = contour.iter().filter(inside).map(|at| panel.place(*at)).collect();
    let clearance = |at: &(f64, f64)| marks.iter().map(|mark| (mark.0 - at.0).powi(2) + (mark.1 - at.1).powi(2)).fold(2500.0, f64::min);
    let upper = places.iter().take(places.len().div_ceil(2));
    upper.copied().reduce(|best, at| if clearance(&at) > clearance(&best) { at } else { best })
}

/// (N*, D*) at computes that span the panel.
fn path(panel: &Panel, law: &Law, count: &ComputeCount) -> Vec<(f64, f64)> {
    let (low, high) = (count.compute(panel.x.low, panel.y.low), count.compute(panel.x.high, panel.y.high));
    spaced(low, high, 120).into_iter().map(|c| (law.optimal_params(c, count), law.optimal_tokens(c, count))).collect()
}

/// The path, full over the compute of the runs and dashed outside it.
fn draw_path(canvas: &mut Canvas, panel: &Panel, path: &[(f64, f64)], law: &Law, count: &ComputeCount, points: &[&Point]) {
    let compute = |point: &&Point| if point.c > 0.0 { point.c } else { count.compute(point.n, point.d) };
    let computes = range(points.iter().map(compute));
    let Some((first, last)) = computes else { return };
    let (from, to) = (law.optimal_params(first, count), law.optimal_params(last, count));
    for (colour, wider) in [(WHITE.with_alpha(0.8), 1.6), (BLACK, 0.0)] {
        panel.line_between(canvas, path, (panel.x.low, from), Stroke::full(colour, 1.4 + wider).dashed());
        panel.line_between(canvas, path, (from, to), Stroke::full(colour, 2.2 + wider));
        panel.line_between(canvas, path, (to, panel.x.high), Stroke::full(colour, 1.4 + wider).dashed());
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, simulate};

    const SIX: ComputeCount = ComputeCount::Bilinear { k: 6.0 };

    #[test]
    fn surfaces_of_small_and_large_runs_are_drawn() {
        let bytes = Law::from(Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 });
        let noise = Noise { run: 0.02, cluster: 0.0 };
        let small = simulate(&bytes, &Design::isoflop(&[1e10, 3e10, 1e11, 3e11, 1e12], 5, 8.0), noise, 1);
        is_drawn_twice_the_same("surface-bytes", || loss_surface(&small, &bytes, &SIX, &conventions()));
        let large = simulate(&Chinchilla::default().into(), &Design::isoflop(&[1e18, 1e19, 1e20, 1e21, 1e22], 7, 6.0), noise, 1);
        is_drawn_twice_the_same("surface-chinchilla", || loss_surface(&large, &Chinchilla::default().into(), &SIX, &conventions()));
    }

    #[test]
    fn the_surface_around_a_single_run_is_drawn() {
        let one = [Point::new(1e6, 1e8, 3.0), Point::new(f64::NAN, 1e8, 3.0)];
        is_drawn_twice_the_same("surface-single", || loss_surface(&one, &Chinchilla::default().into(), &SIX, &conventions()));
        assert!(loss_surface(&one[1..], &Chinchilla::default().into(), &SIX, &conventions()).is_err());
    }
}
