//! Residuals over (N, D): where a law is too high and where too low. A pattern (a corner, a saddle) says that
//! the law bends otherwise than the runs; no pattern is what noise looks like.

use super::ViewError;
use super::canvas::Fill;
use super::figure::Figure;
use super::legend::Entry;
use super::page::{Conventions, Page, TOKENS};
use super::palette::{ACCENT, Colour, GREY, Mark};
use super::panel::{Axis, Panel};
use super::residuals::{Residual, is_sound, two_digits};
use super::ticks::Unit;

/// Colour of runs better than the law; of worse ones the accent.
const BETTER: Colour = Colour { rgb: [20, 90, 170], alpha: 1.0 };
/// Radius of the mark of the largest residual, units.
const LARGEST: f64 = 13.0;
const SMALLEST: f64 = 2.2;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "residual-map.png",
    caption: "Residuals over size and tokens",
    of: |subject| {
        let law = &subject.study.law_with_optima()?.law;
        Some(residual_map(&Residual::of(&subject.study.evidence.points, law), &subject.fitted()))
    },
};

/// Residuals as marks over (N, D): up and orange where a run is worse than the law, down and blue where better.
fn residual_map(residuals: &[Residual], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let sound = |residual: &&Residual| is_sound(residual) && residual.d.is_finite() && residual.d > 0.0;
    let mut residuals: Vec<&Residual> = residuals.iter().filter(sound).collect();
    if residuals.is_empty() {
        return Err(ViewError::empty("the residual map", "no run with a finite observed and predicted loss"));
    }
    let x = Axis::log(conventions.size_label(), Unit::Count, residuals.iter().map(|residual| residual.n));
    let y = Axis::log(TOKENS, Unit::Count, residuals.iter().map(|residual| residual.d));
    let full = full_size(&residuals);
    let beyond = residuals.iter().any(|residual| residual.percent().abs() > full);
    let remark = "Area of a mark: size of the residual 100·ln(observed/predicted).";
    let mut page = Page::new("Residuals over size and tokens", conventions, remark, &entries(full, beyond));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    // Large marks first, so that small ones stand in front.
    residuals.sort_by(|left, right| right.percent().abs().total_cmp(&left.percent().abs()));
    for residual in residuals {
        let (mark, colour) = sign(residual.percent());
        panel.mark(&mut page.canvas, (residual.n, residual.d), mark, radius(residual.percent(), full), Fill::Solid, colour);
    }
    Ok(page.png())
}

fn sign(percent: f64) -> (Mark, Colour) {
    if percent > 0.0 { (Mark::Triangle, ACCENT) } else { (Mark::TriangleDown, BETTER) }
}

/// The area grows in proportion to the residual, up to that of the largest mark.
fn radius(percent: f64, full: f64) -> f64 {
    if full > 0.0 { (LARGEST * (percent.abs() / full).min(1.0).sqrt()).max(SMALLEST) } else { SMALLEST }
}

/// The residual of the largest mark: the largest, or, where few stand far out, what nine in ten stay below, twice.
fn full_size(residuals: &[&Residual]) -> f64 {
    let mut sizes: Vec<f64> = residuals.iter().map(|residual| residual.percent().abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes[sizes.len() - 1].min(2.0 * sizes[(sizes.len() - 1) * 9 / 10])
}

fn entries(full: f64, beyond: bool) -> Vec<Entry> {
    vec![
        Entry::Heading("residual".into()),
        Entry::Mark(Mark::Triangle, Fill::Solid, ACCENT, "loss above law".into()),
        Entry::Mark(Mark::TriangleDown, Fill::Solid, BETTER, "loss below law".into()),
        Entry::Gap,
        Entry::Scaled(Mark::Triangle, LARGEST, GREY, format!("{}{} %", if beyond { "≥ " } else { "" }, two_digits(full))),
        Entry::Scaled(Mark::Triangle, radius(0.25, 1.0), GREY, format!("{} %", two_digits(full / 4.0))),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, Sharing, simulate};

    #[test]
    fn residuals_over_a_grid_and_of_one_run_are_drawn() {
        let law = Chinchilla { e: 1.0, a: 30.0, b: 40.0, alpha: 0.35, beta: 0.33 };
        let sizes: Vec<f64> = (0..7).map(|i| 5e3 * 2f64.powi(i)).collect();
        let tokens: Vec<f64> = (0..6).map(|i| 2e5 * 2.5f64.powi(i)).collect();
        let points = simulate(&law.into(), &Design::grid(&sizes, &tokens, Sharing::Independent), Noise { run: 0.006, cluster: 0.0 }, 5);
        let residuals = Residual::of(&points, &law.into());
        is_drawn_twice_the_same("residual-map", || residual_map(&residuals, &conventions()));
        let mut outlier = residuals.clone();
        outlier[3].observed *= 1.3;
        is_drawn_twice_the_same("residual-map-outlier", || residual_map(&outlier, &conventions()));
        let exact = [Residual { run: String::new(), n: 1e6, d: 1e8, observed: 2.0, predicted: 2.0 }];
        is_drawn_twice_the_same("residual-map-single", || residual_map(&exact, &conventions()));
        assert!(residual_map(&[], &conventions()).is_err());
    }
}
