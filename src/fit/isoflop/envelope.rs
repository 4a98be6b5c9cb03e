//! Approach 1 of Hoffmann 2203.15556: powers of compute through the lower envelope of training curves. The 1500 places of
//! the envelope are not independent, so intervals come from drawing whole curves anew; with few sizes they are coarse.

use crate::fit::linear::least_squares;
use crate::fit::{Estimate, FitError, Interval, Named};
use crate::law::{LossCurve, Lowest, envelope};
use crate::spec::Random;
use rayon::prelude::*;
use serde::Serialize;

/// Computes at which the envelope is read (2203.15556 §3.1).
const PLACES: usize = 1500;
/// Least number of sizes.
const SIZES: usize = 4;

/// N*(C) and D*(C) by approach 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnvelopeFit {
    /// `envelope`.
    pub law: String,
    /// Curves used.
    pub curves: usize,
    /// Computes, of 1500, at which the lowest curve lies between a smaller and a larger one.
    pub places: usize,
    /// `a` and `b`, the exponents of N* and D*, and the factors at 1 FLOP.
    pub coefficients: Named<Estimate>,
    /// Compute over which the envelope was read, FLOPs.
    pub compute: [f64; 2],
    /// What a reader must know, in words.
    pub warnings: Vec<String>,
}

/// Fits powers of compute through the envelope of curves; `draws` are resamplings of whole curves.
pub fn approach_one(curves: &[LossCurve], draws: usize, level: f64, seed: u64) -> Result<EnvelopeFit, FitError> {
    let mut sizes: Vec<u64> = curves.iter().map(|curve| curve.n.to_bits()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let refuse = |reasons: String| FitError::TooFewProfiles { budgets: 0, needed: 2, reasons };
    if sizes.len() < SIZES {
        return Err(refuse(format!("curves of {} sizes, and an envelope needs at least {SIZES}", sizes.len())));
    }
    let places = envelope(curves, PLACES);
    let values =
        powers(&places).ok_or_else(|| refuse("no two computes have their lowest curve between a smaller and a larger size".into()))?;
    let drawn: Vec<Option<[f64; 4]>> =
        (0..draws).into_par_iter().map(|draw| powers(&envelope(&resampled(curves, seed, draw), PLACES))).collect();
    let coefficient = |j: usize, name: &str| {
        let draws = drawn.iter().map(|values| values.map_or(f64::NAN, |values| values[j])).collect();
        (name.to_owned(), Estimate::from_draws(values[j], draws, level, Interval::Bootstrap))
    };
    let lost = drawn.iter().filter(|values| values.is_none()).count();
    let mut warnings = vec![
        "a loss in the middle of a run is that of a schedule that has not ended: only curves of constant rate, or ends of runs, are comparable"
            .to_owned(),
    ];
    if lost > 0 {
        warnings.push(format!("{lost} of {draws} draws of curves had no envelope; they widen the intervals"));
    }
    let ends = |pick: fn(f64, f64) -> f64, start| places.iter().map(|place| place.compute).fold(start, pick);
    Ok(EnvelopeFit {
        law: "envelope".into(),
        curves: curves.len(),
        places: places.len(),
        coefficients: Named(["a", "b", "N_factor", "D_factor"].iter().enumerate().map(|(j, name)| coefficient(j, name)).collect()),
        compute: [ends(f64::min, f64::INFINITY), ends(f64::max, 0.0)],
        warnings,
    })
}

fn resampled(curves: &[LossCurve], seed: u64, draw: usize) -> Vec<LossCurve> {
    let mut random = Random::new(seed, &format!("envelope {draw}"));
    (0..curves.len()).map(|_| curves[random.below(curves.len() as u64) as usize].clone()).collect()
}

/// Exponents and factors of straight lines through ln N and ln D over ln C.
fn powers(places: &[Lowest]) -> Option<[f64; 4]> {
    let centre = places.iter().map(|place| place.compute.ln()).sum::<f64>() / places.len() as f64;
    let rows: Vec<Vec<f64>> = places.iter().map(|place| vec![1.0, place.compute.ln() - centre]).collect();
    let line = |of: fn(&Lowest) -> f64| {
        least_squares(&rows, &places.iter().map(|place| of(place).ln()).collect::<Vec<_>>(), &vec![1.0; rows.len()])
    };
    let (n, d) = (line(|place| place.n)?, line(|place| place.d)?);
    let factor = |beta: &[f64]| (beta[0] - beta[1] * centre).exp();
    Some([n.beta[1], d.beta[1], factor(&n.beta), factor(&d.beta)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Chinchilla;

    fn curves(sizes: usize) -> Vec<LossCurve> {
        let law = Chinchilla::default();
        let size = |i: usize| 1e7 * 10f64.powf(3.0 * i as f64 / (sizes - 1) as f64);
        let point = |n: f64, j: usize| {
            let d = 3.0 * n * 1.15f64.powi(j as i32);
            (6.0 * n * d, d, law.at(n, d))
        };
        (0..sizes).map(size).map(|n| LossCurve { n, points: (0..40).map(|j| point(n, j)).collect() }).collect()
    }

    #[test]
    fn the_envelope_of_a_known_law_has_its_exponents() {
        let found = approach_one(&curves(60), 0, 0.95, 0).expect("an envelope");
        let (a, b) = (found.coefficients.0[0].1.value, found.coefficients.0[1].1.value);
        // Sizes a factor 1.12 apart make N*(C) a stair; over three decades its slope is off by less than 0.01.
        assert!((a - Chinchilla::default().params_exponent()).abs() < 0.01, "{a}");
        assert!((a + b - 1.0).abs() < 1e-6);
    }

    #[test]
    fn intervals_come_from_whole_curves_and_few_sizes_are_refused() {
        let found = approach_one(&curves(12), 100, 0.95, 0).expect("an envelope");
        let a = found.coefficients.0[0].1;
        assert!(a.low() < a.value && a.value < a.high() && a.se() > Some(0.0), "{a:?}");
        assert!(approach_one(&curves(3), 0, 0.95, 0).expect_err("three").to_string().contains("3 sizes"));
    }
}
