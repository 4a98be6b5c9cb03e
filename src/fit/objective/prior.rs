//! Weak beliefs about coordinates, as a penalty beside the sum over runs: ½σ²·z² where the sum is of ½r² and σ is the spread of
//! runs, so that beliefs weigh as much as they would in a likelihood.

use super::evaluation::{Evaluation, Order};
use super::loss::ResidualLoss;
use crate::law::{Believed, Prior};

/// Beliefs with their weight.
#[derive(Debug, Clone)]
pub(super) struct Beliefs {
    priors: &'static [Prior],
    /// ln of the lowest loss.
    lowest: f64,
    /// σ².
    variance: f64,
}

impl Beliefs {
    pub(super) fn new(priors: &'static [Prior], lowest: f64, variance: f64) -> Self {
        Self { priors, lowest, variance }
    }

    /// z of a prior with its two derivatives by the coordinate; infinite where the coordinate cannot be.
    fn score(&self, prior: &Prior, x: f64) -> [f64; 3] {
        let spread = prior.spread;
        match prior.of {
            Believed::About(centre) => [(x - centre) / spread, 1.0 / spread, 0.0],
            Believed::BelowLowest(below) => [(x - self.lowest + below) / spread, 1.0 / spread, 0.0],
            Believed::LnAbout(_) if x <= 0.0 => [f64::INFINITY, 0.0, 0.0],
            Believed::LnAbout(centre) => [(x.ln() - centre) / spread, 1.0 / (spread * x), -1.0 / (spread * x * x)],
        }
    }

    /// Adds the penalty and its derivatives; under [`Order::Reweighted`] those of Gauss and Newton.
    pub(super) fn add(&self, sum: &mut Evaluation, loss: ResidualLoss, phi: &[f64], order: Order) {
        let weight = loss.factor * self.variance;
        for prior in self.priors {
            let at = prior.coordinate;
            let [z, slope, bend] = self.score(prior, phi[at]);
            sum.value += 0.5 * weight * z * z;
            sum.gradient[at] += weight * z * slope;
            let bent = if order == Order::Hessian { z * bend } else { 0.0 };
            sum.hessian[at][at] += weight * (slope * slope + bent);
        }
    }
}
