//! What runs may follow, whatever law is fitted to them: truths for simulations, all as near to one additive law on the design as
//! their form lets them be.

use crate::fit::{Estimator, FitOptions, Search, fit};
use crate::law::{Chinchilla, Departure, Design, Evidence, Farseer, FarseerMoved, Law, Noise, families, simulate};
use crate::spec::sample::{extent, mean};

/// What runs follow, and what a run of larger compute will follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// Name of the truth, for tables.
    pub name: String,
    /// The law of the runs of the design.
    pub runs: Law,
    /// The law of what is forecast.
    pub ahead: Law,
    /// Whether the runs can show it, so that a forecast is held to what it says.
    pub shows: bool,
}

/// The outer exponent: in the middle of the 0.31 to 0.45 of language models (Videau 2608.07222).
const OUTER: f64 = 0.4;
/// Part of its power of compute that the reducible loss loses at a bend.
const SLOWER: f64 = 1.0 / 3.0;
/// Compute of a bend beyond the runs, over the largest of the design.
const BEYOND: f64 = 3.0;
/// What every factor of ten in weights adds to the loss where larger networks are tuned worse.
const MISTUNED: f64 = 0.005;

/// The additive law `asked`; every other registered law of N and D; a bend in the middle of the design's compute and one at three times
/// the largest, from which on the reducible loss falls a third less steeply; and networks that are tuned worse by 0.5 % of the loss for
/// every factor of ten in weights above the smallest, those ahead too or tuned well.
///
/// Laws take the coefficients of a fit to losses of `asked` without noise on the design, the outer exponent held at 0.4, for left free
/// it would be 1. Farseer's, whose nine coefficients would take the shape of the additive law, keeps the shape that was published: the
/// middle of the runs that were published with it is put on that of the design, and so is the loss there.
pub fn truths(asked: Chinchilla, design: &Design) -> Vec<Truth> {
    let plain = Law::from(asked);
    let shown = |name: &str, law: Law| Truth { name: name.into(), ahead: law.clone(), runs: law, shows: true };
    let (bends, beyond) = bends(asked, design);
    let mistuned = mistuned(asked, design);
    let ill = |name: &str, ahead: &Law| Truth { name: name.into(), runs: mistuned.clone(), ahead: ahead.clone(), shows: false };
    std::iter::once(shown("the additive law", plain.clone()))
        .chain(others(asked, design).into_iter().map(|(name, law)| shown(&name, law)))
        .chain([
            shown("a bend among the runs", bends),
            Truth { shows: false, ..shown("a bend at 3x the largest", beyond) },
            ill("large ones tuned worse, next too", &mistuned),
            ill("large ones tuned worse, next not", &plain),
        ])
        .collect()
}

/// Registered laws of N and D but the additive one; one that cannot be fitted to the design is left out.
fn others(asked: Chinchilla, design: &Design) -> Vec<(String, Law)> {
    let forms = families().into_iter().map(Law::unfitted);
    let one = |form: Law| match form.name() {
        "gamma" => Some((format!("an outer exponent of {OUTER}"), nearest(&Departure::Outer(OUTER).into(), asked, design)?)),
        "kaplan" => Some(("Kaplan's law".into(), nearest(&form, asked, design)?)),
        "farseer" => Some(("Farseer's law".into(), farseer(asked, design))),
        name => Some((format!("the law {name}"), nearest(&form, asked, design)?)),
    };
    forms.filter(|form| form.additive().is_none()).filter_map(one).collect()
}

/// The form with the coefficients of a fit to losses without noise.
fn nearest(form: &Law, asked: Chinchilla, design: &Design) -> Option<Law> {
    let exact = Evidence::as_given(simulate(&asked.into(), design, Noise::default(), 0));
    let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
    fit(form, exact, &options).ok().map(|fit| fit.law)
}

/// The published shape with its middle, and the loss there, put on those of the design.
fn farseer(asked: Chinchilla, design: &Design) -> Law {
    let [n, d] = [design.cells.iter().map(|cell| cell.n).collect::<Vec<_>>(), design.cells.iter().map(|cell| cell.d).collect()]
        .map(|values| mean(values.into_iter().map(f64::ln)).unwrap_or(0.0).exp());
    let moved = FarseerMoved { params: n / Farseer::MIDDLE[0], tokens: d / Farseer::MIDDLE[1] };
    let higher = (asked.at(n, d) / Law::of(moved, Farseer::PUBLISHED).at(n, d)).ln();
    let mut theta = Farseer::PUBLISHED;
    // S and Q, logarithms of the heights of both terms.
    theta[..2].iter_mut().for_each(|level| *level += higher);
    Law::of(moved, theta)
}

/// With a bend in the middle of the runs, and with one beyond them.
fn bends(asked: Chinchilla, design: &Design) -> (Law, Law) {
    let (least, most) = extent(design.cells.iter().map(|cell| cell.n * cell.d)).unwrap_or((1.0, 1.0));
    let slower = SLOWER * asked.alpha * asked.beta / (asked.alpha + asked.beta);
    let bent = |at: f64| Law::of(Departure::Bend { at, slower }, Law::from(asked).theta().to_vec());
    (bent((least * most).sqrt()), bent(BEYOND * most))
}

fn mistuned(asked: Chinchilla, design: &Design) -> Law {
    let (smallest, _) = extent(design.cells.iter().map(|cell| cell.n)).unwrap_or((1.0, 1.0));
    Law::of(Departure::Mistuned { smallest, part: MISTUNED }, Law::from(asked).theta().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_law_of_size_and_data_is_a_truth_near_the_one_that_was_asked_for() {
        let design = Design::isoflop(&[1e17, 3e17, 1e18, 3e18, 1e19], 6, 8.0);
        let all = truths(Chinchilla::default(), &design);
        let registered = families().into_iter();
        assert_eq!(all.len(), registered.count() + 4, "two bends and two of networks tuned worse");
        for truth in &all {
            let off = |cell: &crate::law::Cell| (truth.runs.at(cell.n, cell.d) / Chinchilla::default().at(cell.n, cell.d)).ln().abs();
            let worst = design.cells.iter().map(off).fold(0.0, f64::max);
            // Beyond the runs a bend shows by hardly anything.
            let least = if truth.name == "the additive law" { -1.0 } else { 1e-3 };
            assert!(worst > least && worst < 0.3, "{} is off by {worst}", truth.name);
            assert_eq!(worst < 1e-12, truth.runs.additive().is_some());
        }
    }
}
