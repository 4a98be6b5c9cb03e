//! The rules that are scored, side by side.

use scalelab::fit::{Estimator, FitOptions, Search, fit};
use scalelab::law::{Additive, Evidence, Gamma, Kaplan, Law, Point};
use scalelab::spec::SizeMeasure;
use scalelab::spec::sample::standard_deviation;
use scalelab::study::Mixture;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The interval, at a level of confidence, of the loss of one run.
pub(crate) type Interval = Box<dyn Fn(&Point, f64) -> [f64; 2]>;
/// What a rule says once it has seen the runs below a cut; `None` where it says that it cannot tell.
pub(crate) type Rule = fn(&Evidence) -> Option<Interval>;

/// Every rule. Another is a line here.
pub(crate) const RULES: [(&str, Rule); 4] = [
    ("mixture", mixture),
    ("additive", |seen| alone(Additive.into(), seen)),
    ("gamma", |seen| alone(Gamma.into(), seen)),
    ("kaplan", |seen| alone(Kaplan.into(), seen)),
];

/// What scalelab says.
fn mixture(seen: &Evidence) -> Option<Interval> {
    let mixture = Mixture::of(seen)?;
    Some(Box::new(move |run, level| mixture.one_run(run).interval(level)))
}

/// Refits of a law by itself.
const REFITS: usize = 100;

/// A law taken for true: the spread of its refits, and that of its residuals with the degrees of freedom that they leave.
fn alone(form: Law, seen: &Evidence) -> Option<Interval> {
    // The estimators that `fit` takes for tables of others and for our own.
    let estimator = if seen.size_measure == SizeMeasure::AsGiven { Estimator::default() } else { Estimator::LeastSquaresLog };
    let options = FitOptions { estimator, search: Search::VarproOnly, refits: REFITS, ..FitOptions::default() };
    let fitted = fit(&form, seen, &options).ok()?;
    let spare = seen.points.len().checked_sub(form.coefficients().len()).filter(|spare| *spare > 0)? as f64;
    let residual = fitted.residuals.iter().map(|r| r * r).sum::<f64>() / spare;
    let student = StudentsT::new(0.0, 1.0, spare).ok()?;
    Some(Box::new(move |run, level| {
        let drawn: Vec<f64> = fitted.draws.iter().map(|law| law.loss(run).ln()).collect();
        let spread = residual.sqrt().hypot(standard_deviation(&drawn).unwrap_or(0.0));
        let reach = spread * student.inverse_cdf(0.5 * (1.0 + level));
        [-reach, reach].map(|by| fitted.law.loss(run) * by.exp())
    }))
}
