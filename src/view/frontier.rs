//! The compute-optimal frontier: N*, D* and L* against C. Optima of IsoFLOP budgets with intervals, the law's
//! frontier with its band, dashed outside the data, and published laws as thin lines for comparison.

use super::canvas::{Canvas, Fill, Rect, Stroke};
use super::figure::Figure;
use super::legend::Entry;
use super::optimal::{Frontier, FrontierPoint, ReferenceFrontier};
use super::page::{Conventions, Page, TOKENS};
use super::palette::{ACCENT, Colour, GREY, Mark};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use super::{Range, ViewError};

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "frontier.png",
    caption: "Compute-optimal size and tokens with bands, dashed outside the runs",
    of: |subject| Some(frontier(subject.frontier()?, &subject.fitted())),
};

/// What one panel shows of a point.
struct Shown {
    title: &'static str,
    label: String,
    of: fn(&FrontierPoint) -> Range,
    reference: fn(&(f64, f64, f64)) -> f64,
}

/// N*(C) and D*(C) side by side.
fn frontier(frontier: &Frontier, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let frontier = usable(frontier);
    let computes: Vec<f64> = frontier.optima.iter().chain(&frontier.law).map(|point| point.compute).collect();
    if computes.is_empty() {
        return Err(ViewError::empty("the compute-optimal frontier", "neither IsoFLOP optima nor a fitted law"));
    }
    let remark = match (frontier.law.is_empty(), frontier.together, has_band(&frontier)) {
        (true, ..) => "",
        (_, true, _) => {
            "As recommended: solid over the compute of the runs, dashed outside it; the band is the interval at each C, paler outside it."
        }
        (_, _, true) => "Law: solid over the compute of the runs, dashed outside it; the band is the interval at each C, paler outside it.",
        (..) => "Law: solid over the compute of the runs, dashed outside it; it has no intervals.",
    };
    let mut page = Page::new("Compute-optimal frontier", conventions, remark, &entries(&frontier));
    let quantities = [
        Shown { title: "Parameters", label: starred(&conventions.size_label()), of: |p| p.n, reference: |p| p.1 },
        Shown { title: "Tokens", label: starred(TOKENS), of: |p| p.d, reference: |p| p.2 },
    ];
    let Rect { left, right, .. } = page.content;
    let middle = 0.5 * (left + right);
    let halves = [Rect { right: middle - 6.0, ..page.content }, Rect { left: middle + 6.0, ..page.content }];
    for (quantity, place) in quantities.iter().zip(halves) {
        let x = Axis::log(conventions.compute_label(), Unit::Power, computes.iter().copied());
        draw_quantity(&mut page.canvas, place, x, &frontier, quantity);
    }
    Ok(page.png())
}

/// Whether the law has intervals.
fn has_band(frontier: &Frontier) -> bool {
    frontier.law.iter().any(|point| point.n.is_known() || point.d.is_known())
}

/// "N, parameters" → "N*, parameters".
fn starred(label: &str) -> String {
    label.replacen(',', "*,", 1)
}

fn draw_quantity(canvas: &mut Canvas, place: Rect, x: Axis, frontier: &Frontier, quantity: &Shown) {
    let own = frontier.optima.iter().chain(&frontier.law).map(quantity.of);
    let bars = frontier.optima.iter().map(quantity.of).flat_map(|range| [range.low, range.high]);
    // Intervals widen the axis by no more than a decade: an open one must not flatten the rest.
    let values: Vec<f64> = own.map(|range| range.value).filter(|value| value.is_finite()).collect();
    let (low, high) = super::panel::range(values.iter().copied()).unwrap_or((1.0, 10.0));
    let bars = bars.filter(|end| *end > low / 10.0 && *end < high * 10.0);
    let y = Axis::log(quantity.label.clone(), Unit::Count, values.iter().copied().chain(bars));
    let panel = Panel::draw(canvas, place, x, y);
    for (i, reference) in frontier.published.iter().enumerate() {
        let line: Vec<(f64, f64)> = reference.points.iter().map(|point| (point.0, (quantity.reference)(point))).collect();
        panel.line(canvas, &line, reference_stroke(i));
    }
    draw_law(canvas, &panel, frontier, quantity.of);
    for point in &frontier.optima {
        let range = (quantity.of)(point);
        panel.error_bar(canvas, point.compute, range.low, range.high, ACCENT);
        panel.mark(canvas, (point.compute, range.value), Mark::Diamond, 5.0, Fill::Solid, ACCENT);
    }
    panel.title(canvas, quantity.title);
}

/// Opacity of the law's band over the compute of the runs.
pub(super) const AMONG: f64 = 0.26;
/// Opacity of the band outside it.
pub(super) const OUTSIDE: f64 = 0.11;
/// Colour of the law on this figure.
pub(super) const LAW: Colour = Colour { rgb: [38, 84, 150], alpha: 1.0 };

fn draw_law(canvas: &mut Canvas, panel: &Panel, frontier: &Frontier, of: fn(&FrontierPoint) -> Range) {
    let band: Vec<(f64, f64, f64)> =
        frontier.law.iter().map(|point| (point.compute, of(point).low.max(0.0).max(1e-300), of(point).high)).collect();
    let (first, last) = frontier.evidence.unwrap_or((panel.x.low, panel.x.high));
    let curve: Vec<(f64, f64)> = frontier.law.iter().map(|point| (point.compute, of(point).value)).collect();
    let parts = [((panel.x.low, first), OUTSIDE), ((first, last), AMONG), ((last, panel.x.high), OUTSIDE)];
    for (part, opacity) in parts {
        panel.band_between(canvas, &band, part, LAW.with_alpha(opacity));
    }
    let dashed = Stroke::full(LAW, 1.4).dashed();
    panel.line_between(canvas, &curve, (panel.x.low, first), dashed);
    panel.line_between(canvas, &curve, (first, last), Stroke::full(LAW, 2.0));
    panel.line_between(canvas, &curve, (last, panel.x.high), dashed);
}

/// Thin grey lines of published laws, told apart by their dashes.
pub(super) fn reference_stroke(index: usize) -> Stroke {
    const DASHES: [&[f64]; 6] = [&[], &[1.2, 2.8], &[9.0, 3.0, 1.2, 3.0], &[3.5, 3.0], &[12.0, 3.5], &[9.0, 2.6, 1.2, 2.6, 1.2, 2.6]];
    Stroke { colour: GREY, width: 1.0, dash: DASHES[index % DASHES.len()] }
}

fn entries(frontier: &Frontier) -> Vec<Entry> {
    let mut entries = Vec::new();
    if !frontier.optima.is_empty() {
        entries.push(Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "IsoFLOP minimum".into()));
    }
    if !frontier.law.is_empty() {
        entries.extend([
            Entry::Line(Stroke::full(LAW, 2.0), if frontier.together { "recommended" } else { "law" }.into()),
            Entry::Line(Stroke::full(LAW, 1.4).dashed(), if frontier.together { "extrapolated" } else { "law, extrapolated" }.into()),
        ]);
        entries.extend(has_band(frontier).then(|| Entry::Band(LAW.with_alpha(AMONG), "interval".into())));
    }
    if !frontier.published.is_empty() {
        entries.extend([Entry::Gap, Entry::Heading("published".into())]);
        let line = |(i, reference): (usize, &ReferenceFrontier)| Entry::Line(reference_stroke(i), reference.name.clone());
        entries.extend(frontier.published.iter().enumerate().map(line));
    }
    entries
}

fn usable(frontier: &Frontier) -> Frontier {
    let sound = |point: &FrontierPoint| [point.compute, point.n.value, point.d.value].iter().all(|v| v.is_finite() && *v > 0.0);
    let kept = |points: &[FrontierPoint]| points.iter().copied().filter(sound).collect::<Vec<_>>();
    Frontier { optima: kept(&frontier.optima), law: kept(&frontier.law), ..frontier.clone() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::optimal::reference_frontier;
    use super::super::tests::{conventions, is_drawn_twice_the_same, shade};
    use super::*;
    use crate::fit::Estimate;
    use crate::law::{Chinchilla, ComputeCount};

    fn point(law: &Chinchilla, c: f64, percent: f64) -> FrontierPoint {
        let count = ComputeCount::Bilinear { k: 6.0 };
        let around = |value: f64| Range { value, low: value / (1.0 + percent / 100.0), high: value * (1.0 + percent / 100.0) };
        let (n, d) = (law.optimal_params(c, &count), law.optimal_tokens(c, &count));
        FrontierPoint { compute: c, n: around(n), d: around(d), loss: Some(around(law.at(n, d))) }
    }

    /// Optima over decades of compute, the law over a decade more on each side with a band that widens outside.
    pub(in crate::view) fn example(law: &Chinchilla, low: f64, high: f64) -> Frontier {
        let over = |from: f64, to: f64, count: i32| (0..count).map(move |i| from * (to / from).powf(f64::from(i) / f64::from(count - 1)));
        let outside = |c: f64| (low / c).max(c / high).max(1.0).ln();
        let published = crate::law::PUBLISHED[..3].iter();
        Frontier {
            optima: over(low, high, 6).map(|c| point(law, c * 1.02, 18.0)).collect(),
            law: over(low / 10.0, high * 100.0, 80).map(|c| point(law, c, 8.0 + 9.0 * outside(c))).collect(),
            together: false,
            evidence: Some((low, high)),
            published: published.map(|p| reference_frontier(p.name, &p.law, 6.0, (low / 10.0, high * 100.0))).collect(),
        }
    }

    #[test]
    fn frontiers_of_few_and_many_decades_are_drawn() {
        let mut small = example(&Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 }, 1e10, 1e12);
        small.published.clear();
        is_drawn_twice_the_same("frontier-bytes", || frontier(&small, &conventions()));
        let large = example(&Chinchilla::default(), 6e18, 3e21);
        is_drawn_twice_the_same("frontier-chinchilla", || frontier(&large, &conventions()));
        let wide = example(&Chinchilla::default(), 1e10, 1e22);
        is_drawn_twice_the_same("frontier-decades", || frontier(&wide, &conventions()));
    }

    #[test]
    fn a_law_without_intervals_is_drawn_without_a_band() {
        let law = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };
        let mut bare = example(&law, 1e10, 1e12);
        bare.published.clear();
        let without = |value: f64| Range::from(&Estimate::exact(value));
        bare.law.iter_mut().for_each(|point| (point.n, point.d) = (without(point.n.value), without(point.d.value)));
        assert!(!has_band(&bare));
        let banded = example(&law, 1e10, 1e12);
        let banded = Frontier { published: Vec::new(), ..banded };
        let [bare, banded] = [&bare, &banded].map(|one| shade(&frontier(one, &conventions()).expect("drawn")));
        assert!(bare < banded, "{bare} {banded}: a band is colour, and one without ends fills the panel");
    }

    #[test]
    fn one_optimum_with_an_open_interval_is_drawn() {
        let mut one = point(&Chinchilla::default(), 1e20, 10.0);
        one.n.high = f64::INFINITY;
        one.d.low = f64::NEG_INFINITY;
        let nothing_else = Frontier { optima: vec![one, FrontierPoint { compute: f64::NAN, ..one }], ..Frontier::default() };
        is_drawn_twice_the_same("frontier-single", || frontier(&nothing_else, &conventions()));
        assert!(frontier(&Frontier::default(), &conventions()).expect_err("nothing").to_string().contains("neither"));
    }
}
