//! Criteria that compare laws fitted by least squares of log loss to the same runs: AICc (Hurvich & Tsai 1989), BIC, and
//! the F test of lack of fit against replicates (Draper & Smith 1998 §2.1). n counts independent groups of runs.

use crate::fit::interval::clusters;
use crate::fit::linear::{least_squares, product};
use crate::fit::{Estimator, Fit, FitError, Resample};
use crate::law::Point;
use nalgebra::DMatrix;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, FisherSnedecor};
use std::collections::BTreeMap;

/// How a law compares with others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criteria {
    /// n·ln(RSS/n) + 2q + 2q(q+1)/(n−q−1), q coefficients and the noise; infinite where n ≤ q + 1.
    pub aicc: f64,
    /// n·ln(RSS/n) + q·ln n.
    pub bic: f64,
    /// Test against replicates; absent without any.
    pub lack_of_fit: Option<LackOfFit>,
}

/// F = [SS_lack/(m − p)]/[SS_pure/(n − m)] for m distinct places, squares weighted as in the fit. Where runs share trunks, both sums
/// stand over what they would be under noise common to a trunk, with the degrees of freedom that this leaves them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LackOfFit {
    /// The F statistic.
    pub f: f64,
    /// Degrees of freedom above and below.
    pub degrees: [f64; 2],
    /// Probability of so large an F if the law held.
    pub p_value: f64,
    /// √(SS_pure/(n − m)): standard deviation of ln L between replicates of weight 1.
    pub replicate_sd: f64,
}

/// Criteria of a law fitted by least squares of log loss.
///
/// # Errors
/// Other estimators have no likelihood.
pub fn criteria(fit: &Fit) -> Result<Criteria, FitError> {
    if fit.estimator != Estimator::LeastSquaresLog {
        return Err(FitError::NoLikelihood(fit.estimator.name()));
    }
    let independent = clusters(&fit.evidence.points, Resample::Auto).count as f64;
    let mean_square = fit.objective / fit.evidence.points.len() as f64;
    let q = fit.law.theta().len() as f64 + 1.0;
    let deviance = independent * mean_square.ln();
    let spare = independent - q - 1.0;
    let aicc = if spare > 0.0 { deviance + 2.0 * q + 2.0 * q * (q + 1.0) / spare } else { f64::INFINITY };
    Ok(Criteria { aicc, bic: deviance + q * independent.ln(), lack_of_fit: lack_of_fit(fit) })
}

fn lack_of_fit(fit: &Fit) -> Option<LackOfFit> {
    let (points, p) = (&fit.evidence.points, fit.law.theta().len());
    let cell = cells(points);
    let (n, m) = (points.len(), cell.iter().max()? + 1);
    if n <= m || m <= p {
        return None;
    }
    let mut sums = vec![(0.0, 0.0); m];
    for ((point, residual), &at) in points.iter().zip(&fit.residuals).zip(&cell) {
        sums[at] = (sums[at].0 + point.weight * residual, sums[at].1 + point.weight);
    }
    let weighted = || points.iter().zip(&fit.residuals).zip(&cell).map(|((point, r), &at)| (point.weight, *r, sums[at].0 / sums[at].1));
    let pure: f64 = weighted().map(|(weight, r, mean)| weight * (r - mean).powi(2)).sum();
    let all: f64 = weighted().map(|(weight, r, _)| weight * r * r).sum();
    let degrees = [m - p, n - m];
    let [above, below] =
        Shares::of(fit, &cell).unwrap_or_else(|| degrees.map(|count| Shares { expected: count as f64, degrees: count as f64 }));
    let f = ((all - pure) / above.expected) / (pure / below.expected);
    let p_value = FisherSnedecor::new(above.degrees, below.degrees).map_or(f64::NAN, |law| 1.0 - law.cdf(f));
    Some(LackOfFit { f, degrees: [above.degrees, below.degrees], p_value, replicate_sd: (pure / degrees[1] as f64).sqrt() })
}

/// Number of the place (N, D) of each point, from 0.
fn cells(points: &[Point]) -> Vec<usize> {
    let mut known: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut number = |point: &Point| {
        let next = known.len();
        *known.entry((point.n.to_bits(), point.d.to_bits())).or_insert(next)
    };
    points.iter().map(&mut number).collect()
}

/// What a sum of squares e'Me is expected to be in variances of a run's own noise, tr MV, and how many degrees of freedom it is worth,
/// (tr MV)²/tr MVMV (Satterthwaite 1946).
struct Shares {
    expected: f64,
    degrees: f64,
}

impl Shares {
    /// Of lack of fit and of replicates, where runs share trunks; `None` where none do. As in the sandwich, noise common to a trunk is
    /// taken for as large as that of its runs.
    fn of(fit: &Fit, cell: &[usize]) -> Option<[Self; 2]> {
        let points = &fit.evidence.points;
        let trunk = clusters(points, Resample::Auto);
        if !trunk.clustered {
            return None;
        }
        let n = points.len();
        let root: Vec<f64> = points.iter().map(|point| point.weight.sqrt()).collect();
        let rows: Vec<Vec<f64>> =
            fit.objective_at.jacobian(&fit.objective_at.to_phi(fit.law.theta())).iter().map(|row| row.to_vec()).collect();
        let weights: Vec<f64> = points.iter().map(|point| point.weight).collect();
        let inverse = least_squares(&rows, &fit.residuals, &weights)?.inverse;
        let mut of_cell = vec![0.0; cell.iter().max()? + 1];
        weights.iter().zip(cell).for_each(|(weight, &at)| of_cell[at] += weight);
        let same = |i: usize, j: usize| f64::from(u8::from(i == j));
        // What the means of cells take, and what the law takes of it.
        let means = DMatrix::from_fn(n, n, |i, j| if cell[i] == cell[j] { root[i] * root[j] / of_cell[cell[i]] } else { 0.0 });
        let law = DMatrix::from_fn(n, n, |i, j| root[i] * root[j] * product(&rows[i], &inverse, &rows[j]));
        let noise = DMatrix::from_fn(n, n, |i, j| same(i, j) + if trunk.of[i] == trunk.of[j] { 1.0 } else { 0.0 });
        let pure = DMatrix::identity(n, n) - &means;
        Some([means - law, pure].map(|projection| {
            let spread = projection * &noise;
            let expected = spread.trace();
            Self { expected, degrees: expected * expected / (&spread * &spread).trace() }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Axis, Chinchilla, Design, Evidence, Law, Noise, PowerLaw, simulate};

    fn options() -> FitOptions {
        FitOptions { estimator: Estimator::LeastSquaresLog, search: Search::VarproOnly, refits: 0, ..FitOptions::default() }
    }

    fn evidence() -> Evidence {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let draw = |seed| simulate(&Chinchilla::default().into(), &design, Noise { run: 0.004, cluster: 0.0 }, seed);
        Evidence::as_given(draw(1).into_iter().chain(draw(2)).collect())
    }

    #[test]
    fn a_true_law_of_runs_of_uneven_noise_is_refused_as_often_as_was_agreed() {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let truth = Law::from(Chinchilla::default());
        let refused = |seed: u64| {
            // The smallest budget is five times as noisy as the others, and weighs a twenty-fifth.
            let draw = |seed: u64| {
                let quiet = simulate(&truth, &design, Noise { run: 0.004, cluster: 0.0 }, seed);
                let loud = simulate(&truth, &design, Noise { run: 0.02, cluster: 0.0 }, seed);
                let one = |(quiet, loud): (crate::law::Point, crate::law::Point)| {
                    if quiet.c < 2e17 { crate::law::Point { weight: 0.04, ..loud } } else { quiet }
                };
                quiet.into_iter().zip(loud).map(one).collect::<Vec<_>>()
            };
            let evidence = Evidence::as_given(draw(2 * seed).into_iter().chain(draw(2 * seed + 1)).collect());
            let found = criteria(&fit(&truth, evidence, &options()).expect("a fit")).expect("criteria");
            found.lack_of_fit.expect("replicates").p_value < 0.05
        };
        let share = (0..300).filter(|&seed| refused(seed)).count() as f64 / 300.0;
        // 5 % known to 1.3 points.
        assert!((0.01..0.09).contains(&share), "{share}");
    }

    /// Sizes whose runs of six lengths share a trunk, twice over: noise common to a trunk is as large as that of its runs.
    #[test]
    fn a_true_law_of_runs_that_share_trunks_is_refused_as_often_as_was_agreed() {
        let truth = Law::from(Chinchilla::default());
        let refused = |seed: u64| {
            let mut random = crate::spec::Random::new(seed, "trunks");
            let mut points = Vec::new();
            for size in 0..6 {
                for copy in 0..2 {
                    let common = 0.004 * random.normal();
                    for length in 0..6 {
                        let (n, d) = (1e7 * 2f64.powi(size), 2e8 * 2f64.powi(length));
                        let mut point = Point { cluster: Some(format!("{size} {copy}")), ..Point::new(n, d, 3.0) };
                        point.loss = truth.loss(&point) * (common + 0.004 * random.normal()).exp();
                        points.push(point);
                    }
                }
            }
            let found = criteria(&fit(&truth, Evidence::as_given(points), &options()).expect("a fit")).expect("criteria");
            found.lack_of_fit.expect("replicates").p_value < 0.05
        };
        let share = (0..400).filter(|&seed| refused(seed)).count() as f64 / 400.0;
        // 5 % known to 1.1 points.
        assert!((0.015..0.085).contains(&share), "{share}");
    }

    #[test]
    fn the_true_law_shows_no_lack_of_fit_and_a_law_of_compute_alone_does() {
        let evidence = evidence();
        let of = |form: Law| criteria(&fit(&form, &evidence, &options()).expect("a fit")).expect("criteria");
        let (whole, alone) = (of(Additive.into()), of(PowerLaw { axis: Axis::C, floor: true }.into()));
        let (whole_f, alone_f) = (whole.lack_of_fit.expect("replicates"), alone.lack_of_fit.expect("replicates"));
        assert!(whole_f.p_value > 0.01 && alone_f.p_value < 1e-6, "{whole_f:?} {alone_f:?}");
        assert_eq!(whole_f.degrees, [16.0, 21.0]);
        // 21 degrees of freedom know a standard deviation to 15 %.
        assert!((whole_f.replicate_sd / 0.004 - 1.0).abs() < 0.5);
        assert!(whole.aicc < alone.aicc && whole.bic < alone.bic);
    }
}
