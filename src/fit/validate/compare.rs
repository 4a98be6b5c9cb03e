//! Groups of runs side by side (data sets, recipes): a fit of each, tests of equal exponents, and a fit in which all groups
//! share α and β while each keeps its own E, A and B. DeepSeek 2401.02954 §3.3 reads data quality from such exponents.

use crate::fit::interval::{Clusters, Found, clusters, drawing};
use crate::fit::objective::{Evaluation, Objective, Order, Phi, ResidualLoss};
use crate::fit::search::{End, descend, schur, solve_factors};
use crate::fit::{Estimate, Estimator, FitError, FitOptions, FittedLaw, Interval, Named, fit};
use crate::law::{Additive, Chinchilla, Evidence, Law};
use crate::spec::Random;
use nalgebra::{Matrix2, Vector2};
use rayon::prelude::*;
use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor};
use std::cell::RefCell;

/// Groups with their own laws and with shared exponents.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The fit of each group.
    pub groups: Vec<GroupFit>,
    /// Groups that could not be fitted, and why.
    pub refused: Vec<(String, String)>,
    /// Tests that the groups have the same exponents.
    pub equality: Vec<EqualityTest>,
    /// The fit with shared exponents.
    pub shared: SharedFit,
}

/// One group of runs with its own law.
#[derive(Debug, Clone, Serialize)]
pub struct GroupFit {
    /// Name of the group.
    pub group: String,
    /// Its own law.
    pub fitted: FittedLaw,
}

/// A test of the hypothesis that quantities are equal in all groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EqualityTest {
    /// The quantities that are compared.
    pub of: &'static str,
    /// `wald`: χ² of the estimates, weighted by the covariances of their refits. `f`: the rise of Σ r² when exponents are
    /// shared (least squares of log loss alone).
    pub method: &'static str,
    /// χ² or F.
    pub statistic: f64,
    /// Degrees of freedom (of F: above; below it has n − 5k).
    pub degrees: usize,
    /// Probability of so large a statistic if the quantities were equal.
    pub p_value: f64,
}

/// L = E_g + A_g/N^α + B_g/D^β over groups g.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharedFit {
    /// `alpha`, `beta` and `a` = β/(α+β), with intervals from refits to runs (or clusters) drawn within each group.
    pub coefficients: Named<Estimate>,
    /// The law of each group.
    pub laws: Vec<Chinchilla>,
    /// Objective with shared exponents.
    pub objective: f64,
    /// Sum of the groups' own objectives.
    pub separate_objective: f64,
}

/// Fits groups apart and together. Groups that cannot be fitted are named; fewer than two that can are an error.
pub fn compare(all: &[(String, Evidence)], options: &FitOptions, level: f64) -> Result<Comparison, FitError> {
    let (mut fitted, mut evidence, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (group, runs) in all {
        match fit(&Additive.into(), runs, options).and_then(|fit| fit.at(level)) {
            Ok(fit) => {
                fitted.push(GroupFit { group: group.clone(), fitted: fit });
                evidence.push(runs);
            }
            Err(error) => refused.push((group.clone(), error.to_string())),
        }
    }
    if fitted.len() < 2 {
        let reasons = refused.iter().map(|(group, why)| format!("{group}: {why}")).collect::<Vec<_>>().join("; ");
        return Err(FitError::TooFewGroups { groups: all.len(), fitted: fitted.len(), reasons });
    }
    let joint = Joint::new(&evidence, options);
    let shared = joint.fit(&fitted, options, level).ok_or(FitError::NoMinimum { law: "chinchilla with shared exponents".into() })?;
    let mut equality = wald_tests(&fitted);
    equality.extend(f_test(&shared, evidence.iter().map(|runs| runs.points.len()).sum(), fitted.len(), options.estimator));
    Ok(Comparison { groups: fitted, refused, equality, shared })
}

/// The groups under shared exponents: for given α and β each group's factors are solved by themselves.
struct Joint {
    sums: Vec<Objective>,
    weights: Vec<Vec<f64>>,
    clusters: Vec<Clusters>,
    estimator: Estimator,
}

/// Where α and β stand among the coordinates of a joint search.
const EXPONENTS: [usize; 2] = [0, 1];

impl Joint {
    fn new(evidence: &[&Evidence], options: &FitOptions) -> Self {
        Self {
            sums: evidence.iter().map(|runs| Objective::new(&Additive.into(), &runs.points)).collect(),
            weights: evidence.iter().map(|runs| runs.points.iter().map(|p| p.weight).collect()).collect(),
            clusters: evidence.iter().map(|runs| clusters(&runs.points, options.resample)).collect(),
            estimator: options.estimator,
        }
    }

    /// Searches from the exponents of each group and from their mean; refits start from the end.
    fn fit(&self, fitted: &[GroupFit], options: &FitOptions, level: f64) -> Option<SharedFit> {
        let own: Vec<[f64; 2]> = fitted.iter().map(|one| [law_of(one).alpha, law_of(one).beta]).collect();
        let mean = |k: usize| own.iter().map(|pair| pair[k]).sum::<f64>() / own.len() as f64;
        let starts: Vec<[f64; 2]> = own.iter().copied().chain([[mean(0), mean(1)]]).collect();
        let factors: Vec<Phi> = self.sums.iter().zip(fitted).map(|(sum, one)| sum.to_phi(one.fitted.law.theta())).collect();
        let ends = starts.into_iter().map(|start| search(&self.sums, self.estimator, start, &factors));
        let (best, phis) = ends.filter(|(end, _)| end.value.is_finite()).min_by(|l, r| l.0.value.total_cmp(&r.0.value))?;
        let exponents = [best.phi[0], best.phi[1]];
        let draws = self.refits(exponents, &phis, options);
        let interval = self.drawing(options);
        let estimate = |of: fn(&[f64; 2]) -> f64| Estimate::from_draws(of(&exponents), draws.iter().map(of).collect(), level, interval);
        let law = |(sum, phi): (&Objective, &Phi)| Chinchilla::from_coefficients(&sum.to_theta(phi));
        Some(SharedFit {
            coefficients: Named(vec![
                ("alpha".into(), estimate(|pair| pair[0])),
                ("beta".into(), estimate(|pair| pair[1])),
                ("a".into(), estimate(|pair| pair[1] / (pair[0] + pair[1]))),
            ]),
            laws: self.sums.iter().zip(&phis).map(law).collect(),
            objective: best.value,
            separate_objective: fitted.iter().map(|one| one.fitted.objective).sum(),
        })
    }

    /// What is drawn anew: residuals where any group by itself would draw them.
    fn drawing(&self, options: &FitOptions) -> Interval {
        let each: Vec<Interval> = self.clusters.iter().map(|one| drawing(one, self.estimator, options.resample)).collect();
        let order = [Interval::ResidualBootstrap, Interval::ClusterBootstrap];
        order.into_iter().find(|kind| each.contains(kind)).unwrap_or(Interval::Bootstrap)
    }

    /// Exponents of refits to runs (or clusters, or where these are asked for residuals) drawn within each group; NaN where no
    /// search ended or nothing is left to draw.
    fn refits(&self, start: [f64; 2], factors: &[Phi], options: &FitOptions) -> Vec<[f64; 2]> {
        let of_residuals = self.drawing(options) == Interval::ResidualBootstrap;
        let laid = self.sums.iter().zip(&self.clusters).zip(factors);
        let residuals: Vec<Found> = laid.map(|((sum, clusters), phi)| Found::of(sum, clusters, self.estimator, phi)).collect();
        if of_residuals && residuals.iter().any(Found::is_empty) {
            return vec![[f64::NAN; 2]; options.refits];
        }
        let refit = |at: usize| {
            let mut random = Random::new(options.seed, &format!("shared {at}"));
            let resampled = |group: usize| {
                if of_residuals {
                    return self.sums[group].with_ln_losses(&residuals[group].losses(&self.clusters[group], &mut random));
                }
                let count = self.clusters[group].count;
                let mut drawn = vec![0.0; count];
                (0..count).for_each(|_| drawn[random.below(count as u64) as usize] += 1.0);
                self.sums[group].reweighted(|point| self.weights[group][point] * drawn[self.clusters[group].of[point]])
            };
            let sums: Vec<Objective> = (0..self.sums.len()).map(resampled).collect();
            let (end, _) = search(&sums, self.estimator, start, factors);
            if end.value.is_finite() { [end.phi[0], end.phi[1]] } else { [f64::NAN; 2] }
        };
        (0..options.refits).into_par_iter().map(refit).collect()
    }
}

fn law_of(group: &GroupFit) -> Chinchilla {
    Chinchilla::from_coefficients(group.fitted.law.theta())
}

/// Newton over (α, β) on the sum of the groups' projected objectives. Returns the end and each group's coordinates.
fn search(sums: &[Objective], estimator: Estimator, start: [f64; 2], factors: &[Phi]) -> (End, Vec<Phi>) {
    // The absolute deviation within 1e-6 nats of its corner.
    let loss = ResidualLoss::of(estimator, 1e-6);
    let warm = RefCell::new(factors.to_vec());
    let scale = |sum: &Objective, k: usize| sum.exponent_scale(sum.factors() + k);
    let at = |exponents: &Phi, sum: &Objective, from: &Phi| {
        let mut phi = from.clone();
        EXPONENTS.into_iter().for_each(|k| phi[sum.factors() + k] = exponents[k] * scale(sum, k));
        solve_factors(sum, loss, phi).phi
    };
    let projected = |exponents: &Phi, _: Order| {
        let mut whole = Evaluation::zero(EXPONENTS.len());
        for (sum, from) in sums.iter().zip(warm.borrow_mut().iter_mut()) {
            *from = at(exponents, sum, from);
            let part = schur(sum, sum.evaluate(loss, from, Order::Hessian));
            whole.value += part.value;
            for j in EXPONENTS {
                whole.gradient[j] += scale(sum, j) * part.gradient[sum.factors() + j];
                for k in EXPONENTS {
                    whole.hessian[j][k] += scale(sum, j) * scale(sum, k) * part.hessian[sum.factors() + j][sum.factors() + k];
                }
            }
        }
        whole
    };
    let phi = Phi::from_slice(&start);
    let weight = sums.iter().map(Objective::total_weight).sum();
    let end = descend(phi, &EXPONENTS, 100, weight, projected);
    let phis = sums.iter().zip(warm.borrow().iter()).map(|(sum, from)| at(&end.phi, sum, from)).collect();
    (end, phis)
}

/// χ² tests that α, β, both, or a are the same in all groups, from the covariance of each group's refits.
fn wald_tests(fitted: &[GroupFit]) -> Vec<EqualityTest> {
    type Pick = fn(&Chinchilla) -> Vec<f64>;
    let of = |pick: Pick, law: &Law| pick(&Chinchilla::from_coefficients(law.theta()));
    let tests: [(&'static str, Pick); 4] = [
        ("alpha", |law| vec![law.alpha]),
        ("beta", |law| vec![law.beta]),
        ("alpha and beta", |law| vec![law.alpha, law.beta]),
        ("a", |law| vec![law.params_exponent()]),
    ];
    let test = |(name, pick): (&'static str, Pick)| {
        let estimates: Vec<Vec<f64>> = fitted.iter().map(|one| of(pick, &one.fitted.law)).collect();
        let precisions: Option<Vec<Matrix2<f64>>> =
            fitted.iter().map(|one| precision(&one.fitted.draws.iter().map(|law| of(pick, law)).collect::<Vec<_>>())).collect();
        let degrees = (fitted.len() - 1) * estimates[0].len();
        let statistic = spread_about_mean(&estimates, &precisions?)?;
        let p_value = ChiSquared::new(degrees as f64).map_or(f64::NAN, |law| law.sf(statistic));
        Some(EqualityTest { of: name, method: "wald", statistic, degrees, p_value })
    };
    tests.into_iter().filter_map(test).collect()
}

/// Inverse covariance of draws of one or two numbers; a missing second is held at unit precision.
fn precision(draws: &[Vec<f64>]) -> Option<Matrix2<f64>> {
    let n = draws.len() as f64;
    let dim = draws.first().filter(|_| draws.len() >= 20)?.len();
    let mean: Vec<f64> = (0..dim).map(|j| draws.iter().map(|draw| draw[j]).sum::<f64>() / n).collect();
    let entry = |j: usize, k: usize| draws.iter().map(|draw| (draw[j] - mean[j]) * (draw[k] - mean[k])).sum::<f64>() / (n - 1.0);
    let second = if dim == 1 { [0.0, 1.0] } else { [entry(0, 1), entry(1, 1)] };
    inverse(Matrix2::new(entry(0, 0), second[0], second[0], second[1]))
}

/// The inverse of a symmetric positive matrix.
fn inverse(matrix: Matrix2<f64>) -> Option<Matrix2<f64>> {
    (matrix.determinant() > 0.0).then(|| matrix.try_inverse()).flatten()
}

/// Σ (x − x̄)ᵀ·W·(x − x̄) about the mean weighted by W.
fn spread_about_mean(estimates: &[Vec<f64>], precisions: &[Matrix2<f64>]) -> Option<f64> {
    let padded: Vec<Vector2<f64>> = estimates.iter().map(|one| Vector2::new(one[0], one.get(1).copied().unwrap_or(0.0))).collect();
    let total: Matrix2<f64> = precisions.iter().sum();
    let moment: Vector2<f64> = padded.iter().zip(precisions).map(|(x, w)| w * x).sum();
    let mean = inverse(total)? * moment;
    Some(padded.iter().zip(precisions).map(|(x, w)| (x - mean).dot(&(w * (x - mean)))).sum())
}

/// F of the rise of Σ r² by sharing exponents.
fn f_test(shared: &SharedFit, points: usize, groups: usize, estimator: Estimator) -> Option<EqualityTest> {
    let (above, below) = (2 * (groups - 1), points.checked_sub(5 * groups).filter(|degrees| *degrees > 0)?);
    let rise = (shared.objective - shared.separate_objective).max(0.0);
    let statistic = rise / above as f64 / (shared.separate_objective / below as f64);
    let p_value = FisherSnedecor::new(above as f64, below as f64).map_or(f64::NAN, |law| law.sf(statistic));
    let test = EqualityTest { of: "alpha and beta", method: "f", statistic, degrees: above, p_value };
    (estimator == Estimator::LeastSquaresLog).then_some(test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Search;
    use crate::law::{Design, Noise, simulate};

    const FIRST: Chinchilla = Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.34, beta: 0.28 };

    fn two(second: Chinchilla, noise: f64) -> Vec<(String, Evidence)> {
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let draw =
            |law: &Chinchilla, seed| Evidence::as_given(simulate(&Law::from(*law), &design, Noise { run: noise, cluster: 0.0 }, seed));
        vec![("first".into(), draw(&FIRST, 1)), ("second".into(), draw(&second, 2))]
    }

    fn options(refits: usize) -> FitOptions {
        FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits, ..FitOptions::default() }
    }

    #[test]
    fn shared_exponents_are_recovered_from_groups_without_noise() {
        let second = Chinchilla { e: 2.1, a: 900.0, b: 250.0, ..FIRST };
        let found = compare(&two(second, 0.0), &options(0), 0.95).expect("two fits").shared;
        assert!((found.coefficients.get("alpha").expect("shared").value / 0.34 - 1.0).abs() < 1e-6, "{found:?}");
        for (found, known) in found.laws.iter().zip([FIRST, second]) {
            assert!((found.e / known.e - 1.0).abs() < 1e-6 && (found.a / known.a - 1.0).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn equal_exponents_pass_and_unequal_ones_are_told_apart() {
        let p_values = |second: Chinchilla| -> Vec<f64> {
            let found = compare(&two(second, 0.003), &options(200), 0.95).expect("two fits");
            found.equality.iter().map(|test| test.p_value).collect()
        };
        let equal = p_values(Chinchilla { e: 2.1, a: 900.0, b: 250.0, ..FIRST });
        assert_eq!(equal.len(), 5, "alpha, beta, both, a, and F");
        assert!(equal.iter().all(|p| *p > 0.01), "{equal:?}");
        let apart = p_values(Chinchilla { a: 30.0, alpha: 0.2, b: 3000.0, beta: 0.4, ..FIRST });
        assert!(apart.iter().all(|p| *p < 1e-3), "{apart:?}");
    }

    #[test]
    fn a_group_that_cannot_be_fitted_is_named() {
        let mut groups = two(FIRST, 0.003);
        groups[1].1.points.truncate(3);
        let error = compare(&groups, &options(0), 0.95).expect_err("one is left");
        assert!(error.to_string().contains("second: chinchilla has 5 coefficients"), "{error}");
        groups.extend(two(FIRST, 0.002).into_iter().take(1));
        assert_eq!(compare(&groups, &options(0), 0.95).expect("two are left").refused[0].0, "second");
    }
}
