//! Profile likelihood under least squares of log loss: for each value of a quantity the least objective that any
//! coefficients with that value reach. With normal noise of unknown size the values with
//! RSS(value)/RSS_min ≤ 1 + F(1, ν)/ν are the interval, ν counted on independent runs or clusters
//! (Bates & Watts 1988 §6.1). The quantity may be a coefficient or any decision that follows from them.

use super::bootstrap::groups;
use super::estimate::t_quantile;
use super::newton::{back_substitute, cholesky, descend};
use super::objective::{Evaluation, Fittable, Loss, Objective, Order, Phi};
use super::{Estimate, Estimator, FitError, FittedLaw, Interval, Named, Resample};
use crate::law::{Chinchilla, ComputeCount, Evidence};
use rayon::prelude::*;

/// A quantity that follows from the coefficients of a law.
pub struct Target<L> {
    /// What it is called.
    pub name: String,
    /// How it follows.
    pub of: Box<dyn Fn(&L) -> f64 + Sync + Send>,
}

/// Intervals of one quantity by two methods, and the profile itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Profile {
    /// By the profile.
    pub profile: Estimate,
    /// By linearisation at the minimum.
    pub delta: Estimate,
    /// (value, RSS/RSS_min) wherever the profile was evaluated, by value.
    pub curve: Vec<(f64, f64)>,
}

/// The coefficients of the Chinchilla law, a, and for each compute N*, D* and L*.
pub fn chinchilla_targets(evidence: &Evidence, computes: &[f64]) -> Vec<Target<Chinchilla>> {
    let count = ComputeCount::of(&evidence.points);
    let mut targets: Vec<Target<Chinchilla>> = Vec::new();
    let mut add = |name: String, of: Box<dyn Fn(&Chinchilla) -> f64 + Sync + Send>| targets.push(Target { name, of });
    add("E".into(), Box::new(|law| law.e));
    add("A".into(), Box::new(|law| law.a));
    add("B".into(), Box::new(|law| law.b));
    add("alpha".into(), Box::new(|law| law.alpha));
    add("beta".into(), Box::new(|law| law.beta));
    add("a".into(), Box::new(Chinchilla::params_exponent));
    for &compute in computes {
        let [for_params, for_tokens, for_loss] = [count.clone(), count.clone(), count.clone()];
        add(format!("params at {compute:e}"), Box::new(move |law| law.optimal_params(compute, &for_params)));
        add(format!("tokens at {compute:e}"), Box::new(move |law| law.optimal_tokens(compute, &for_tokens)));
        add(format!("loss at {compute:e}"), Box::new(move |law| law.optimal_loss(compute, &for_loss)));
    }
    targets
}

/// Profiles quantities of a law fitted by least squares of log loss; other estimators have no likelihood to profile.
pub fn profiles<L: Fittable>(
    fitted: &FittedLaw<L>,
    evidence: &Evidence,
    resample: Resample,
    level: f64,
    targets: &[Target<L>],
) -> Result<Named<Profile>, FitError> {
    if fitted.estimator != Estimator::LeastSquaresLog {
        return Err(FitError::NoLikelihood(fitted.estimator.name()));
    }
    let sum = fitted.law.lay_out(&evidence.points);
    let independent = groups(&evidence.points, resample).count;
    let degrees = independent as f64 - sum.dim() as f64;
    let problem = Problem {
        sum: &sum,
        form: &fitted.law,
        best: sum.to_phi(&fitted.law.theta()),
        degrees,
        quantile: t_quantile(level, degrees),
        level,
    };
    Ok(Named(targets.par_iter().map(|target| (target.name.clone(), problem.profile(target))).collect()))
}

struct Problem<'a, L: Fittable> {
    sum: &'a L::Layout,
    form: &'a L,
    best: Phi,
    degrees: f64,
    quantile: f64,
    level: f64,
}

/// Squares of log residuals.
const SQUARES: Loss = Loss { log: true, delta: f64::INFINITY, factor: 2.0, reach: f64::INFINITY };

impl<L: Fittable> Problem<'_, L> {
    /// Every quantity here is positive and is profiled by its logarithm, in which it is closer to linear.
    fn quantity(&self, target: &Target<L>, phi: &Phi) -> f64 {
        (target.of)(&self.form.with_theta(&self.sum.to_theta(phi))).ln()
    }

    fn profile(&self, target: &Target<L>) -> Profile {
        let here = self.sum.evaluate(SQUARES, &self.best, Order::Hessian);
        let centre = self.quantity(target, &self.best);
        let slope = ln_slope(self.sum, self.form, target, &self.best);
        let free: Vec<usize> = (0..self.sum.dim()).collect();
        // Var ln q = σ²·gᵀ(JᵀJ)⁻¹g, and the Hessian of Σ r² is 2·JᵀJ near the minimum.
        let sigma2 = here.value / self.degrees;
        let solved = cholesky(&here.hessian, free.len()).map(|lower| back_substitute(&lower, free.len(), slope));
        let variance = solved.map_or(f64::INFINITY, |x| 2.0 * sigma2 * free.iter().map(|&j| slope[j] * x[j]).sum::<f64>());
        let se = variance.max(0.0).sqrt();
        let value = centre.exp();
        let estimate = |low: f64, high: f64, interval| Estimate { value, se: value * se, low, high, level: self.level, interval };
        let delta = estimate((centre - self.quantile * se).exp(), (centre + self.quantile * se).exp(), Interval::Delta);
        let mut curve = vec![(value, 1.0)];
        let (low, high) = if self.degrees > 0.0 && se.is_finite() && se > 0.0 {
            let mut side = |direction: f64| self.end(target, here.value, centre, direction * se, &mut curve);
            (side(-1.0).map_or(0.0, f64::exp), side(1.0).map_or(f64::INFINITY, f64::exp))
        } else {
            (0.0, f64::INFINITY)
        };
        curve.sort_by(|left, right| left.0.total_cmp(&right.0));
        Profile { profile: estimate(low, high, Interval::Profile), delta, curve }
    }

    /// ln of the end of the interval on the side of `step` (one standard error with its sign); `None` where the
    /// profile stays below the cut as far as 30 standard errors.
    fn end(&self, target: &Target<L>, least: f64, centre: f64, step: f64, curve: &mut Vec<(f64, f64)>) -> Option<f64> {
        // The signed root √(ν·(RSS/RSS_min − 1)) is nearly linear in the quantity and meets t at the end.
        let mut start = self.best;
        // A hundred times the curvature of the profile itself, 2σ²/se²: each round misses a hundredth of the last.
        let stiffness = 200.0 * least / self.degrees / (step * step);
        let mut root = |at: f64| {
            let (phi, value) = self.constrained(target, centre + at * step, stiffness, start);
            curve.push(((centre + at * step).exp(), value / least));
            let beyond = (self.degrees * (value / least - 1.0).max(0.0)).sqrt() - self.quantile;
            // Far beyond the end, where a coefficient may run off to its bound, is no place to begin from.
            if beyond < 0.0 {
                start = phi;
            }
            beyond
        };
        let (mut inner, mut f_inner) = (0.0, -self.quantile);
        let mut outer = self.quantile;
        let mut f_outer = root(outer);
        while f_outer < 0.0 {
            if outer > 30.0 {
                return None;
            }
            (inner, f_inner) = (outer, f_outer);
            outer *= 1.6;
            f_outer = root(outer);
        }
        for _ in 0..30 {
            // Regula falsi, kept a tenth away from either end so that both close in.
            let share = (f_inner / (f_inner - f_outer)).clamp(0.1, 0.9);
            let middle = inner + share * (outer - inner);
            let f_middle = root(middle);
            if f_middle < 0.0 {
                (inner, f_inner) = (middle, f_middle)
            } else {
                (outer, f_outer) = (middle, f_middle)
            }
            if outer - inner < 1e-4 * outer || f_middle.abs() < 1e-4 {
                break;
            }
        }
        Some(centre + 0.5 * (inner + outer) * step)
    }

    /// Minimum of Σ r² where ln quantity = `wanted`: augmented Lagrangian (Nocedal & Wright §17.3), each subproblem by Newton.
    fn constrained(&self, target: &Target<L>, wanted: f64, stiffness: f64, start: Phi) -> (Phi, f64) {
        let free: Vec<usize> = (0..self.sum.dim()).collect();
        let mut phi = start;
        let mut multiplier = 0.0;
        for _ in 0..12 {
            let augmented = |at: &Phi, order: Order| {
                let mut all = self.sum.evaluate(SQUARES, at, order);
                let miss = self.quantity(target, at) - wanted;
                all.value += multiplier * miss + 0.5 * stiffness * miss * miss;
                if order != Order::Value {
                    self.add_constraint(target, at, multiplier + stiffness * miss, stiffness, &mut all);
                }
                if all.value.is_nan() {
                    all.value = f64::INFINITY;
                }
                all
            };
            phi = descend(phi, &free, 40, self.sum.total_weight(), augmented).phi;
            let miss = self.quantity(target, &phi) - wanted;
            multiplier += stiffness * miss;
            if miss.abs() < 1e-9 * (1.0 + wanted.abs()) {
                break;
            }
        }
        (phi, self.sum.evaluate(SQUARES, &phi, Order::Value).value)
    }

    /// Adds the derivatives of the penalty: `force`·g and stiffness·g·gᵀ (the curvature of the quantity is left to the damping).
    fn add_constraint(&self, target: &Target<L>, at: &Phi, force: f64, stiffness: f64, all: &mut Evaluation) {
        let slope = ln_slope(self.sum, self.form, target, at);
        for j in 0..self.sum.dim() {
            all.gradient[j] += force * slope[j];
            for k in 0..self.sum.dim() {
                all.hessian[j][k] += stiffness * slope[j] * slope[k];
            }
        }
    }
}

/// ∂ ln quantity / ∂ coordinate by central differences; optima found numerically are known to 1e-9.
pub(crate) fn ln_slope<L: Fittable>(sum: &L::Layout, form: &L, target: &Target<L>, at: &Phi) -> Phi {
    let step = 1e-5;
    let mut slope = Phi::default();
    for j in 0..sum.dim() {
        let moved = |by: f64| {
            let mut moved = *at;
            moved[j] += by;
            (target.of)(&form.with_theta(&sum.to_theta(&moved))).ln()
        };
        slope[j] = (moved(step) - moved(-step)) / (2.0 * step);
    }
    slope
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, chinchilla};
    use crate::law::{Design, Noise, simulate};

    fn fitted(noise: f64) -> (FittedLaw<Chinchilla>, Evidence) {
        let law = Chinchilla::default();
        let points = simulate(&law, &Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0), Noise { run: noise, cluster: 0.0 }, 4);
        let evidence = Evidence::as_given(points);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        (chinchilla(&evidence, &options).expect("a fit"), evidence)
    }

    #[test]
    fn profiles_with_little_noise_are_those_of_linearisation() {
        let (fitted, evidence) = fitted(1e-5);
        let all = profiles(&fitted, &evidence, Resample::Auto, 0.95, &chinchilla_targets(&evidence, &[1e21])).expect("profiles");
        assert_eq!(all.0.len(), 9);
        for (name, one) in all.iter() {
            let (width, linear) = (one.profile.high - one.profile.low, one.delta.high - one.delta.low);
            assert!((width / linear - 1.0).abs() < 0.01, "{name}: {one:?}");
        }
    }

    #[test]
    fn a_floor_that_may_be_nothing_leaves_both_sides_of_a_far_forecast_open_to_see() {
        use crate::fit::{Floor, power_law};
        use crate::law::{Axis, PowerLaw};
        // Six budgets over a factor of 32 with 0.6 % of noise: the floor is hardly known, and L at 300 times the compute may lie
        // well below its estimate.
        let law = PowerLaw { axis: Axis::C, floor: Some(0.5), factor: 82.7, exponent: 0.1624 };
        let design = Design::grid(&[1.0], &[1e11, 2e11, 4e11, 8e11, 1.6e12, 3.2e12].map(|c| c / 6.0), crate::law::Sharing::Independent);
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        for seed in 0..20 {
            let evidence = Evidence::as_given(simulate(&law, &design, Noise { run: 0.006, cluster: 0.0 }, seed));
            let fitted = power_law(Axis::C, Floor::Free, &evidence, &options).expect("a fit");
            let far = Target { name: "loss".into(), of: Box::new(|law: &PowerLaw| law.at(9.6e14)) };
            let found = profiles(&fitted, &evidence, Resample::Auto, 0.95, &[far]).expect("profiled").0[0].1.profile;
            assert!(found.low < 0.99 * found.value && found.high > 1.01 * found.value, "seed {seed}: {found:?}");
        }
    }

    #[test]
    fn profiles_with_noise_hold_the_truth_and_are_asked_of_least_squares_alone() {
        let (fitted, evidence) = fitted(0.003);
        let truth = Chinchilla::default();
        let all = profiles(&fitted, &evidence, Resample::Auto, 0.99, &chinchilla_targets(&evidence, &[])).expect("profiles");
        for (name, known) in [("E", truth.e), ("alpha", truth.alpha), ("beta", truth.beta), ("a", truth.params_exponent())] {
            let one = &all.get(name).expect("profiled").profile;
            assert!(one.low < known && known < one.high, "{name}: {one:?}");
        }
        let huber = FittedLaw { estimator: Estimator::default(), ..fitted };
        let error = profiles(&huber, &evidence, Resample::Auto, 0.95, &[]).expect_err("no likelihood");
        assert!(error.to_string().contains("bootstrap"), "{error}");
    }
}
