//! What the data leave open of the exponents: the cloud of the refits' (α, β), with lines of equal a = β/(α+β).

use super::canvas::{Align, Canvas, Fill, LabelStyle, Stroke};
use super::figure::Figure;
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, Colour, GREY, Mark};
use super::panel::{Axis, Panel};
use super::{Range, ViewError};
use crate::fit::{Estimate, FittedLaw};

/// Colour of refits.
const CLOUD: Colour = Colour { rgb: [38, 84, 150], alpha: 0.35 };

/// The exponents of a fit, of its refits and of published laws.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExponentCloud {
    /// (α, β) of every refit.
    pub(super) refits: Vec<(f64, f64)>,
    /// α with its interval.
    pub(super) alpha: Range,
    /// β with its interval.
    pub(super) beta: Range,
}

impl ExponentCloud {
    /// The refits of a fitted law as a cloud, and the intervals that the fit prints.
    /// `None` for a law that has no α and β.
    pub(super) fn of(fitted: &FittedLaw) -> Option<Self> {
        let printed = |name: &str| fitted.coefficients.get(name).map(|estimate: &Estimate| Range::from(estimate));
        let drawn = |law: &crate::law::Law| Some((law.get("alpha")?, law.get("beta")?));
        Some(Self { refits: fitted.draws.iter().map(drawn).collect::<Option<_>>()?, alpha: printed("alpha")?, beta: printed("beta")? })
    }
}

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "exponents.png",
    caption: "Exponents of the refits",
    of: |subject| {
        let cloud = ExponentCloud::of(subject.study.law_with_optima()?)?;
        Some(exponent_cloud(&cloud, &subject.fitted()))
    },
};

/// The cloud of refitted exponents.
fn exponent_cloud(cloud: &ExponentCloud, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let refits: Vec<(f64, f64)> = cloud.refits.iter().copied().filter(|at| at.0.is_finite() && at.1.is_finite()).collect();
    if refits.is_empty() {
        return Err(ViewError::empty("the cloud of exponents", "the fit has no refits; ask for a bootstrap"));
    }
    let own = |pick: fn(&(f64, f64)) -> f64, fit: Range| central(&refits, pick).into_iter().chain([fit.value, fit.low, fit.high]);
    let x = Axis::linear("α, exponent of N", own(|at| at.0, cloud.alpha));
    let y = Axis::linear("β, exponent of D", own(|at| at.1, cloud.beta));
    let remark = "Dashed: equal a = β/(α+β), the exponent of N*(C). Refits in the outermost half per cent may lie outside the frame.";
    let mut page = Page::new("Exponents and their uncertainty", conventions, remark, &entries(&refits));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    draw_splits(&mut page.canvas, &panel);
    for at in &refits {
        panel.mark(&mut page.canvas, *at, Mark::Circle, 2.2, Fill::Bare, CLOUD);
    }
    let best = (cloud.alpha.value, cloud.beta.value);
    panel.error_bar_across(&mut page.canvas, best.1, cloud.alpha.low, cloud.alpha.high, ACCENT);
    panel.error_bar(&mut page.canvas, best.0, cloud.beta.low, cloud.beta.high, ACCENT);
    panel.mark(&mut page.canvas, best, Mark::Diamond, 5.5, Fill::Solid, ACCENT);
    Ok(page.png())
}

/// Values without the outermost half per cent on either side, so that stray refits do not flatten the cloud.
fn central(refits: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = refits.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 200;
    values[cut..values.len() - cut].to_vec()
}

/// Lines of equal a through the origin, labelled where they leave the frame at the top or the right.
fn draw_splits(canvas: &mut Canvas, panel: &Panel) {
    for twentieth in 1..20 {
        let a = f64::from(twentieth) / 20.0;
        let slope = a / (1.0 - a);
        let line = [panel.x.low, panel.x.high].map(|alpha| (alpha, slope * alpha));
        panel.line(canvas, &line, Stroke::full(GREY.with_alpha(0.7), 0.9).dashed());
        let (right, top) = ((panel.x.high, slope * panel.x.high), (panel.y.high / slope, panel.y.high));
        let (at, align, shift) = if right.1 <= panel.y.high { (right, Align::End, (-6.0, -5.0)) } else { (top, Align::Start, (4.0, 15.0)) };
        if panel.x.share(at.0) > 0.02 && panel.y.share(at.1) > 0.04 && panel.x.share(at.0) <= 1.0 {
            let (x, y) = panel.place(at);
            canvas.label(&format!("a = {a:.2}"), (x + shift.0, y + shift.1), LabelStyle::new(12.0, GREY).aligned(align));
        }
    }
}

fn entries(refits: &[(f64, f64)]) -> Vec<Entry> {
    let refits = format!("{} {}", refits.len(), if refits.len() == 1 { "refit" } else { "refits" });
    vec![
        Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "fit with interval".into()),
        Entry::Mark(Mark::Circle, Fill::Bare, CLOUD.with_alpha(0.6), refits),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    /// A slanted cloud from a fixed sequence.
    fn cloud(count: usize) -> ExponentCloud {
        let wave = |i: usize, step: f64| (i as f64 * step).sin() + (i as f64 * step * 1.7).cos();
        let refits = (0..count).map(|i| (0.35 + 0.012 * wave(i, 0.73), 0.36 + 0.01 * wave(i, 0.73) + 0.012 * wave(i, 1.31))).collect();
        let around = |value: f64| Range { value, low: value - 0.025, high: value + 0.027 };
        ExponentCloud { refits, alpha: around(0.35), beta: around(0.36) }
    }

    #[test]
    fn clouds_of_a_thousand_refits_and_of_one_are_drawn() {
        is_drawn_twice_the_same("cloud", || exponent_cloud(&cloud(1000), &conventions()));
        is_drawn_twice_the_same("cloud-single", || exponent_cloud(&cloud(1), &conventions()));
        assert!(exponent_cloud(&cloud(0), &conventions()).expect_err("nothing").to_string().contains("bootstrap"));
    }

    #[test]
    fn stray_refits_do_not_set_the_axes() {
        let mut wide = cloud(1000);
        wide.refits.push((9.0, -4.0));
        assert!(central(&wide.refits, |at| at.0).into_iter().all(|alpha| alpha < 1.0));
    }
}
