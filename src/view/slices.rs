//! Loss against D for each N, with the fitted law: one curve a size, dashed outside the tokens at which that
//! size was trained, and the loss E of unlimited weights and data below.

use super::ViewError;
use super::canvas::{Fill, Stroke};
use super::figure::Figure;
use super::legend::{Entry, ladder_entries, scale_marks};
use super::page::{Conventions, Page, TOKENS};
use super::palette::{BLACK, GREY, Ladder};
use super::panel::{Axis, Panel, range};
use super::ticks::Unit;
use crate::law::{Law, Point};

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "loss-by-tokens.png",
    caption: "Held-out loss against training tokens, one colour a size, with the fitted law",
    of: |subject| Some(loss_by_tokens(&subject.study.evidence.points, subject.law(), &subject.fitted())),
};

/// Loss against tokens by size, with a fitted law where there is one.
fn loss_by_tokens(points: &[Point], law: Option<&Law>, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let points: Vec<&Point> = points.iter().filter(|p| sound(p.n) && sound(p.d) && p.loss.is_finite()).collect();
    if points.is_empty() {
        return Err(ViewError::empty("loss against tokens", "no run has a finite loss with positive sizes and tokens"));
    }
    let ladder = Ladder::of(points.iter().map(|point| point.n));
    let x = Axis::log(TOKENS, Unit::Count, points.iter().map(|point| point.d));
    let losses = || points.iter().map(|point| point.loss);
    let floor = law.and_then(Law::floor).filter(|e| near(*e, losses()));
    let y = Axis::losses(conventions.loss_label(), losses().chain(floor));
    let remark = match (law, ladder.is_discrete()) {
        (None, _) => "",
        (Some(_), true) => "Curves: the fitted law at each size, dashed outside the tokens of its runs.",
        (Some(_), false) => "Curves: the fitted law at the sizes marked on the scale of colours.",
    };
    let mut page = Page::new("Loss against tokens", conventions, remark, &entries(&ladder, law, conventions));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    if let Some(e) = floor {
        panel.line(&mut page.canvas, &[(panel.x.low, e), (panel.x.high, e)], Stroke::full(GREY, 0.9));
        panel.remark(&mut page.canvas, e, &format!("E = {e:.3}"));
    }
    if let Some(law) = law {
        for slice in slices(&ladder, &points) {
            draw_slice(&mut page, &panel, law, &ladder, &slice);
        }
    }
    let radius = if points.len() <= 80 { 4.2 } else { 3.0 };
    for point in &points {
        panel.mark(&mut page.canvas, (point.d, point.loss), ladder.mark(point.n), radius, Fill::Solid, ladder.colour(point.n));
    }
    Ok(page.png())
}

fn sound(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// Whether a level lies so close to the losses that showing it does not squeeze them.
fn near(level: f64, losses: impl Iterator<Item = f64>) -> bool {
    range(losses).is_some_and(|(low, high)| level.is_finite() && level <= high && low - level <= 1.2 * (high - low))
}

/// A curve of the law at one size, and the range of tokens over which that size was trained.
struct Slice {
    n: f64,
    trained: Option<(f64, f64)>,
}

/// One slice a size while they are few; else slices at round sizes, which no run has.
fn slices(ladder: &Ladder, points: &[&Point]) -> Vec<Slice> {
    if !ladder.is_discrete() {
        let (low, high) = (ladder.steps[0], ladder.steps[ladder.steps.len() - 1]);
        return scale_marks(low, high, Unit::Count).into_iter().map(|(n, _)| Slice { n, trained: None }).collect();
    }
    let slice = |step: usize| {
        let own: Vec<&&Point> = points.iter().filter(|point| ladder.step(point.n) == step).collect();
        let n = own.iter().map(|point| point.n).sum::<f64>() / own.len() as f64;
        Slice { n, trained: range(own.iter().map(|point| point.d)) }
    };
    (0..ladder.steps.len()).map(slice).collect()
}

fn draw_slice(page: &mut Page, panel: &Panel, law: &Law, ladder: &Ladder, slice: &Slice) {
    let stroke = Stroke::full(ladder.colour(slice.n), 1.5);
    let outside = Stroke { width: 1.0, ..stroke }.dashed();
    let curve = |from: f64, to: f64| panel.x.samples(from, to, 60).into_iter().map(|d| (d, law.at(slice.n, d))).collect::<Vec<_>>();
    let Some((first, last)) = slice.trained else {
        return panel.line(&mut page.canvas, &curve(panel.x.low, panel.x.high), outside);
    };
    panel.line(&mut page.canvas, &curve(first, last), stroke);
    panel.line(&mut page.canvas, &curve(first, panel.x.low), outside);
    panel.line(&mut page.canvas, &curve(last, panel.x.high), outside);
}

fn entries(ladder: &Ladder, law: Option<&Law>, conventions: &Conventions) -> Vec<Entry> {
    let mut entries = ladder_entries(ladder, conventions.size_symbol(), Unit::Count);
    if let Some(law) = law {
        let dashed = Stroke::full(BLACK, 1.0).dashed();
        entries.extend([Entry::Gap, Entry::Heading(in_greek(formula_of(law.text())))]);
        if ladder.is_discrete() {
            entries.extend([Entry::Line(Stroke::full(BLACK, 1.5), "among its runs".into()), Entry::Line(dashed, "beyond them".into())]);
        } else {
            entries.push(Entry::Line(dashed, "at marked N".into()));
        }
        entries.push(Entry::Gap);
        let numbers = law.coefficients().iter().zip(law.theta());
        entries.extend(numbers.map(|(one, value)| Entry::Remark(format!("{} = {}", in_greek(one.name), four_digits(*value)))));
    }
    entries
}

/// What a law sets L equal to.
pub fn formula_of(text: &str) -> &str {
    text.split_once(" = ").map_or(text, |(_, formula)| formula)
}

/// Names of Greek letters as the letters.
pub fn in_greek(text: &str) -> String {
    [("alpha", "α"), ("beta", "β"), ("gamma", "γ")].iter().fold(text.to_owned(), |text, (name, letter)| text.replace(name, letter))
}

/// Four significant digits, in full or as a power of ten.
pub(super) fn four_digits(value: f64) -> String {
    let digits = value.abs().log10().floor();
    if !value.is_finite() || value == 0.0 || !(-4.0..6.0).contains(&digits) {
        return format!("{value:.3e}");
    }
    format!("{value:.places$}", places = (3.0 - digits).max(0.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, Sharing, simulate};

    const BYTES: Chinchilla = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };

    #[test]
    fn losses_of_few_and_of_many_sizes_are_drawn_with_their_law() {
        let noise = Noise { run: 0.005, cluster: 0.0 };
        let few = simulate(&BYTES.into(), &Design::isoflop(&[1e10, 3e10, 1e11, 3e11, 1e12], 5, 8.0), noise, 1);
        is_drawn_twice_the_same("slices-isoflop", || loss_by_tokens(&few, Some(&BYTES.into()), &conventions()));
        let sizes: Vec<f64> = (0..6).map(|i| 5e3 * 2.4f64.powi(i)).collect();
        let tokens: Vec<f64> = (0..5).map(|i| 2e5 * 2.5f64.powi(i)).collect();
        let grid = simulate(&BYTES.into(), &Design::grid(&sizes, &tokens, Sharing::Independent), noise, 2);
        is_drawn_twice_the_same("slices-grid", || loss_by_tokens(&grid, Some(&BYTES.into()), &conventions()));
    }

    #[test]
    fn a_single_point_and_level_losses_are_drawn() {
        is_drawn_twice_the_same("slices-single", || loss_by_tokens(&[Point::new(1e6, 1e8, 3.0)], None, &conventions()));
        let level: Vec<Point> = (0..5).map(|i| Point::new(1e6, 1e8 * 10f64.powi(i), 3.0 + 1e-7 * f64::from(i))).collect();
        is_drawn_twice_the_same("slices-level", || loss_by_tokens(&level, Some(&Chinchilla::default().into()), &conventions()));
        let only_nan = [Point::new(1e6, 1e8, f64::NAN)];
        assert!(loss_by_tokens(&only_nan, None, &conventions()).expect_err("nothing").to_string().contains("no run"));
    }

    #[test]
    fn coefficients_have_four_digits() {
        for (value, text) in [(1.69337, "1.693"), (0.33917, "0.3392"), (406.401, "406.4"), (14120.9, "14121"), (3.2e9, "3.200e9")] {
            assert_eq!(four_digits(value), text);
        }
    }
}
