//! Profile likelihood under least squares of log loss: for each value of a quantity the least objective that any
//! coefficients with that value reach. With normal noise of unknown size the values with
//! RSS(value)/RSS_min ≤ 1 + F(1, ν)/ν are the interval, ν counted on independent runs or clusters
//! (Bates & Watts 1988 §6.1). The quantity may be a coefficient or any decision that follows from them.

use crate::fit::estimate::t_quantile;
use crate::fit::interval::clusters;
use crate::fit::objective::{Evaluation, Objective, Order, Phi, ResidualLoss};
use crate::fit::search::descend;
use crate::fit::{Estimate, Estimator, Fit, FitError, Interval, Named, Quantity};
use rayon::prelude::*;

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

/// Profiles quantities of a law fitted by least squares of log loss.
///
/// # Errors
/// Other estimators have no likelihood to profile.
pub fn profiles(fit: &Fit, level: f64, quantities: &[Quantity]) -> Result<Named<Profile>, FitError> {
    if fit.estimator != Estimator::LeastSquaresLog {
        return Err(FitError::NoLikelihood(fit.estimator.name()));
    }
    let independent = clusters(&fit.evidence.points, fit.resample).count;
    let degrees = independent as f64 - fit.objective_at.dim() as f64;
    let quantile = t_quantile(level, degrees);
    let one = |quantity: &Quantity| {
        let scale = Scale::of(quantity.of(&fit.law));
        let problem = Problem { fit, sum: &fit.objective_at, quantity, scale, degrees, quantile, level };
        (quantity.name().to_owned(), problem.profile())
    };
    Ok(Named(quantities.par_iter().map(one).collect()))
}

/// In what a quantity is profiled: one above zero by its logarithm, in which it is closer to linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Logarithm,
    Itself,
}

impl Scale {
    pub(super) fn of(value: f64) -> Self {
        if value > 0.0 { Self::Logarithm } else { Self::Itself }
    }

    pub(super) fn to(self, value: f64) -> f64 {
        if self == Self::Logarithm { value.ln() } else { value }
    }

    pub(super) fn back(self, scaled: f64) -> f64 {
        if self == Self::Logarithm { scaled.exp() } else { scaled }
    }

    /// What a standard error on this scale is multiplied by to be one of the quantity.
    pub(super) fn unit(self, value: f64) -> f64 {
        if self == Self::Logarithm { value } else { 1.0 }
    }
}

/// The least that a quantity can be: 0 where it is above zero, or exactly 0, as a term that has vanished is.
fn lowest(value: f64) -> f64 {
    if value >= 0.0 { 0.0 } else { f64::NEG_INFINITY }
}

struct Problem<'a> {
    fit: &'a Fit,
    sum: &'a Objective,
    quantity: &'a Quantity,
    scale: Scale,
    degrees: f64,
    quantile: f64,
    level: f64,
}

/// Squares of log residuals.
const SQUARES: ResidualLoss = ResidualLoss::SQUARES;

impl Problem<'_> {
    fn quantity(&self, phi: &Phi) -> f64 {
        self.scale.to(self.quantity.of(&self.fit.law.with_theta(&self.sum.to_theta(phi))))
    }

    fn profile(&self) -> Profile {
        // At the reported coefficients: a term that has all but vanished is reported as 0.
        let best = self.sum.to_phi(self.fit.law.theta());
        let here = self.sum.evaluate(SQUARES, &best, Order::Hessian);
        let centre = self.quantity(&best);
        let slope = self.slope(&best);
        let free: Vec<usize> = (0..self.sum.dim()).collect();
        // Var ln q = σ²·gᵀ(JᵀJ)⁻¹g, and the Hessian of Σ r² is 2·JᵀJ near the minimum.
        let sigma2 = here.value / self.degrees;
        let mut lower = here.hessian;
        let solved = lower.cholesky().then(|| lower.back_substitute(&slope));
        let variance = solved.map_or(f64::INFINITY, |x| 2.0 * sigma2 * free.iter().map(|&j| slope[j] * x[j]).sum::<f64>());
        let se = variance.max(0.0).sqrt();
        let value = self.scale.back(centre);
        let estimate = |low: f64, high: f64, interval| Estimate::new(value, self.scale.unit(value) * se, [low, high], self.level, interval);
        let ends = [-1.0, 1.0].map(|side| self.scale.back(centre + side * self.quantile * se));
        let delta = estimate(ends[0], ends[1], Interval::Delta);
        let mut curve = vec![(value, 1.0)];
        let (low, high) = if self.degrees > 0.0 && se.is_finite() && se > 0.0 {
            let mut side =
                |direction: f64| self.end(here.value, (&best, centre), direction * se, &mut curve).map(|end| self.scale.back(end));
            (side(-1.0).unwrap_or(lowest(value)), side(1.0).unwrap_or(f64::INFINITY))
        } else {
            (lowest(value), f64::INFINITY)
        };
        curve.sort_by(|left, right| left.0.total_cmp(&right.0));
        Profile { profile: estimate(low, high, Interval::Profile), delta, curve }
    }

    /// The end of the interval, on the scale of the profile, on the side of `step` (one standard error with its sign); `None` where the
    /// profile stays below the cut as far as 30 standard errors.
    fn end(&self, least: f64, (best, centre): (&Phi, f64), step: f64, curve: &mut Vec<(f64, f64)>) -> Option<f64> {
        // The signed root √(ν·(RSS/RSS_min − 1)) is nearly linear in the quantity and meets t at the end.
        let mut start = best.clone();
        // A hundred times the curvature of the profile itself, 2σ²/se²: each round misses a hundredth of the last.
        let stiffness = 200.0 * least / self.degrees / (step * step);
        let mut root = |at: f64| {
            let (phi, value) = self.constrained(centre + at * step, stiffness, start.clone());
            curve.push((self.scale.back(centre + at * step), value / least));
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
        for round in 1..=30 {
            // Regula falsi, kept a tenth away from either end, and halves, so that both close in.
            let share = if round % 3 == 0 { 0.5 } else { (f_inner / (f_inner - f_outer)).clamp(0.1, 0.9) };
            let middle = inner + share * (outer - inner);
            let f_middle = root(middle);
            if f_middle.abs() < 1e-4 {
                return Some(centre + middle * step);
            }
            if f_middle < 0.0 {
                (inner, f_inner) = (middle, f_middle)
            } else {
                (outer, f_outer) = (middle, f_middle)
            }
            if outer - inner < 1e-4 * outer {
                break;
            }
        }
        Some(centre + 0.5 * (inner + outer) * step)
    }

    /// Minimum of Σ r² where ln quantity = `wanted`: augmented Lagrangian (Nocedal & Wright §17.3), each subproblem by Newton.
    fn constrained(&self, wanted: f64, stiffness: f64, start: Phi) -> (Phi, f64) {
        let free: Vec<usize> = (0..self.sum.dim()).collect();
        let mut phi = start;
        let mut multiplier = 0.0;
        for _ in 0..12 {
            let augmented = |at: &Phi, order: Order| {
                let mut all = self.sum.evaluate(SQUARES, at, order);
                let miss = self.quantity(at) - wanted;
                all.value += multiplier * miss + 0.5 * stiffness * miss * miss;
                if order != Order::Value {
                    self.add_constraint(at, multiplier + stiffness * miss, stiffness, &mut all);
                }
                if all.value.is_nan() {
                    all.value = f64::INFINITY;
                }
                all
            };
            phi = descend(phi, &free, 40, self.sum.total_weight(), augmented).phi;
            let miss = self.quantity(&phi) - wanted;
            multiplier += stiffness * miss;
            if miss.abs() < 1e-9 * (1.0 + wanted.abs()) {
                break;
            }
        }
        let value = self.sum.evaluate(SQUARES, &phi, Order::Value).value;
        (phi, value)
    }

    /// Adds the derivatives of the penalty: `force`·g and stiffness·g·gᵀ (the curvature of the quantity is left to the damping).
    fn add_constraint(&self, at: &Phi, force: f64, stiffness: f64, all: &mut Evaluation) {
        let slope = self.slope(at);
        for j in 0..self.sum.dim() {
            all.gradient[j] += force * slope[j];
            for k in 0..self.sum.dim() {
                all.hessian[j][k] += stiffness * slope[j] * slope[k];
            }
        }
    }

    fn slope(&self, at: &Phi) -> Phi {
        slope(self.sum, self.fit, self.quantity, self.scale, at)
    }
}

/// ∂ quantity / ∂ coordinate on its scale by central differences; optima found numerically are known to 1e-9.
pub(super) fn slope(sum: &Objective, fit: &Fit, quantity: &Quantity, scale: Scale, at: &Phi) -> Phi {
    let step = 1e-5;
    let derivative = |j: usize| {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved[j] += by;
            scale.to(quantity.of(&fit.law.with_theta(&sum.to_theta(&moved))))
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    (0..sum.dim()).map(derivative).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Axis, Chinchilla, ComputeCount, Design, Evidence, Law, Noise, PowerLaw, Sharing, simulate};

    const OPTIONS: FitOptions = FitOptions {
        estimator: Estimator::LeastSquaresLog,
        search: Search::VarproOnly,
        refits: 0,
        resample: crate::fit::Resample::Auto,
        seed: 0,
    };

    fn fitted(noise: f64) -> Fit {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let points = simulate(&Chinchilla::default().into(), &design, Noise { run: noise, cluster: 0.0 }, 4);
        fit(&Additive.into(), Evidence::as_given(points), &OPTIONS).expect("a fit")
    }

    /// Every coefficient, a, and the optimum of a budget.
    fn asked(fit: &Fit) -> Vec<Quantity> {
        let count = ComputeCount::of(&fit.evidence.points);
        let decisions = Quantity::optimum(1e21, &count).into_iter().chain([Quantity::params_exponent(1e21, &count)]);
        Quantity::coefficients(&fit.law).into_iter().chain(decisions).collect()
    }

    #[test]
    fn profiles_with_little_noise_are_those_of_linearisation() {
        let fit = fitted(1e-5);
        let all = profiles(&fit, 0.95, &asked(&fit)).expect("profiles");
        assert_eq!(all.0.len(), 9);
        for (name, one) in all.iter() {
            let (width, linear) = (one.profile.high() - one.profile.low(), one.delta.high() - one.delta.low());
            assert!((width / linear - 1.0).abs() < 0.01, "{name}: {one:?}");
        }
    }

    #[test]
    fn a_quantity_below_zero_is_profiled_as_its_negative_is() {
        let fit = fitted(1e-5);
        let [plain, negative] =
            [1.0, -1.0].map(|sign| Quantity::new("alpha", move |law| sign * law.theta()[3])).map(|one| profiles(&fit, 0.95, &[one]));
        let [plain, negative] = [plain, negative].map(|found| found.expect("profiles").0[0].1.profile);
        assert!((plain.low() / -negative.high() - 1.0).abs() < 1e-5 && (plain.high() / -negative.low() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn an_end_is_where_the_profile_meets_the_quantile_and_not_the_middle_of_what_was_left_to_search() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 5, 8.0);
        for seed in 0..20 {
            let points = simulate(&Chinchilla::default().into(), &design, Noise { run: 0.01, cluster: 0.0 }, seed);
            let fit = fit(&Additive.into(), Evidence::as_given(points), &OPTIONS).expect("a fit");
            let degrees = fit.evidence.points.len() as f64 - 5.0;
            let cut = 1.0 + t_quantile(0.95, degrees).powi(2) / degrees;
            for (name, one) in profiles(&fit, 0.95, &asked(&fit)).expect("profiles").iter() {
                let value = one.profile.value;
                for end in [one.profile.low(), one.profile.high()].into_iter().filter(|end| end.is_finite() && *end != 0.0) {
                    // Where the profile, between the places that were tried on this side, crosses the cut.
                    let outwards = |a: &&(f64, f64), b: &&(f64, f64)| (a.0 - value).abs().total_cmp(&(b.0 - value).abs());
                    let side = || one.curve.iter().filter(|at| (at.0 - value) * (end - value) >= 0.0);
                    let (inner, outer) =
                        (side().filter(|at| at.1 < cut).max_by(outwards), side().filter(|at| at.1 >= cut).min_by(outwards));
                    let (Some(inner), Some(outer)) = (inner, outer) else { panic!("{name}: {one:?}") };
                    let crossed = inner.0 + (outer.0 - inner.0) * (cut - inner.1) / (outer.1 - inner.1);
                    assert!((end - crossed).abs() < 0.005 * (end - value).abs(), "seed {seed}, {name}: {end} for {crossed} in {one:?}");
                }
            }
        }
    }

    #[test]
    fn a_floor_that_may_be_nothing_leaves_both_sides_of_a_far_forecast_open_to_see() {
        // Six budgets over a factor of 32 with 0.6 % of noise: the floor is hardly known, and L at 300 times the compute may lie
        // well below its estimate.
        let law = Law::of(PowerLaw { axis: Axis::C, floor: true }, [0.5, 82.7, 0.1624]);
        let design = Design::grid(&[1.0], &[1e11, 2e11, 4e11, 8e11, 1.6e12, 3.2e12].map(|c| c / 6.0), Sharing::Independent);
        for seed in 0..20 {
            let evidence = Evidence::as_given(simulate(&law, &design, Noise { run: 0.006, cluster: 0.0 }, seed));
            let fit = fit(&law, evidence, &OPTIONS).expect("a fit");
            let far = Quantity::loss_at("loss", crate::law::Point { c: 9.6e14, ..crate::law::Point::new(1.0, 1.6e14, 1.0) });
            let found = profiles(&fit, 0.95, &[far]).expect("profiled").0[0].1.profile;
            assert!(found.low() < 0.99 * found.value && found.high() > 1.01 * found.value, "seed {seed}: {found:?}");
        }
    }

    #[test]
    fn profiles_with_noise_hold_the_truth_and_are_asked_of_least_squares_alone() {
        let fit = fitted(0.003);
        let truth = Chinchilla::default();
        let all = profiles(&fit, 0.99, &asked(&fit)).expect("profiles");
        for (name, known) in [("E", truth.e), ("alpha", truth.alpha), ("beta", truth.beta), ("a", truth.params_exponent())] {
            let one = &all.get(name).expect("profiled").profile;
            assert!(one.low() < known && known < one.high(), "{name}: {one:?}");
        }
        let huber = Fit { estimator: Estimator::default(), ..fit };
        let error = profiles(&huber, 0.95, &[]).expect_err("no likelihood");
        assert!(error.to_string().contains("bootstrap"), "{error}");
    }
}
