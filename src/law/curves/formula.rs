//! What a law of loss curves declares: the loss at every reading of a track, with its slopes.

use super::track::{CurveUnits, Track};
use std::fmt::Debug;

/// Most numbers that a law of curves has.
pub const MOST: usize = 7;

/// A loss with its slopes by the logarithm of every number of the law, in their order; 0 beyond them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveLoss {
    /// Loss, in the unit of the curves.
    pub loss: f64,
    /// ∂L/∂ ln θ_j.
    pub slopes: [f64; MOST],
}

/// A law of the loss along a training with any learning rates.
///
/// It is no [`Formula`](super::super::Formula): that gives the loss at one point from a few numbers of it, block by block of points; here
/// the loss at a reading is a sum over all falls of the rate before it, the falls are shared by the readings of a run and by the runs of a
/// schedule, and what is fitted are whole curves. So a law is evaluated a track at a time, in readings × falls, and writes down its slopes.
///
/// All numbers θ are above 0, so a search moves their logarithms. They count rates, sums of rates and steps in the units of the track;
/// [`CurveFormula::published`] gives the coefficients of the paper.
pub trait CurveFormula: Debug + Send + Sync {
    /// Name used in files and on the command line.
    fn name(&self) -> &'static str;

    /// The formula, for a person.
    fn text(&self) -> &'static str;

    /// Where it is from, and how far that was checked.
    fn source(&self) -> &'static str;

    /// Names of the coefficients as published, in their order.
    fn coefficients(&self) -> &'static [&'static str];

    /// Loss at every reading.
    fn losses(&self, theta: &[f64], track: &Track) -> Vec<CurveLoss>;

    /// Coefficients as published, of rates per step and of steps as they are.
    fn published(&self, theta: &[f64], units: CurveUnits) -> Vec<f64>;

    /// The inverse of [`CurveFormula::published`].
    fn theta(&self, published: &[f64], units: CurveUnits) -> Vec<f64>;

    /// Indices of the numbers that the loss is a sum over, Σ θ_j·f_j, while the others are held.
    fn linear(&self) -> &'static [usize];

    /// Values of all numbers that a search starts from, in units of the peak rate and of the longest training; those of
    /// [`CurveFormula::linear`] stand for nothing.
    fn starts(&self) -> Vec<Vec<f64>>;

    /// What the rates must do for its numbers to be told apart, where `fell` says whether any rate fell after warmup.
    fn needs(&self, fell: bool) -> Option<&'static str> {
        (!fell).then_some("no rate falls after warmup, and what a fall is worth is what this law is about")
    }
}

/// Every combination of some values.
pub(super) fn combinations(values: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new()];
    for values in values {
        all = all.iter().flat_map(|start: &Vec<f64>| values.iter().map(move |value| [start.as_slice(), &[*value]].concat())).collect();
    }
    all
}

/// Slopes against central differences, and coefficients against their inverse.
#[cfg(test)]
pub(super) fn assert_slopes(law: &dyn CurveFormula, theta: &[f64], track: &Track) {
    let here = law.losses(theta, track);
    assert_eq!(here.len(), track.readings.len());
    for j in 0..theta.len() {
        let moved = |by: f64| {
            let mut moved = theta.to_vec();
            moved[j] *= f64::exp(by);
            law.losses(&moved, track)
        };
        let (up, down) = (moved(1e-5), moved(-1e-5));
        for (at, found) in here.iter().enumerate() {
            let slope = (up[at].loss - down[at].loss) / 2e-5;
            assert!(
                (found.slopes[j] - slope).abs() < 1e-7 * (1.0 + slope.abs()),
                "{} {j} at {at}: {} {slope}",
                law.name(),
                found.slopes[j]
            );
        }
    }
    let linear: Vec<f64> = here.iter().map(|one| law.linear().iter().map(|&j| one.slopes[j]).sum()).collect();
    linear.iter().zip(&here).for_each(|(sum, one)| assert!((sum - one.loss).abs() < 1e-12 * one.loss, "a sum of {:?}", law.linear()));
    let units = CurveUnits { rate: 3e-3, area: 17.0, steps: 9000.0 };
    let back = law.theta(&law.published(theta, units), units);
    theta.iter().zip(&back).for_each(|(a, b)| assert!((b / a - 1.0).abs() < 1e-9, "{theta:?} {back:?}"));
}
