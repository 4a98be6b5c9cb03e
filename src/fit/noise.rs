//! The noise of a run, σ of ln L, from cells whose runs differ in their seeds alone: pooled, or a power of the loss,
//! ln σ = c + s·(ln L − centre), where enough replicates show one. Variances of cells are scaled χ², so c and s maximise
//! Σ νᵢ·(−ln σᵢ − sᵢ²/(2σᵢ²)) (Davidian & Carroll 1987).

use super::{Estimate, Interval};
use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// How much ln L scatters between seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeedNoise {
    /// Cells with at least two runs.
    pub cells: usize,
    /// Runs in them.
    pub runs: usize,
    /// Σ (runs of a cell − 1).
    pub degrees: usize,
    /// σ of ln L at `loss_at`.
    pub sigma: Estimate,
    /// Loss at which `sigma` stands: the geometric mean over the cells.
    pub loss_at: f64,
    /// d ln σ/d ln L, where the replicates show that it is not 0; else σ is the same for every loss.
    pub slope: Option<Estimate>,
}

/// Degrees of freedom and cells below which no slope is looked for.
const DEGREES_FOR_SLOPE: usize = 10;
const CELLS_FOR_SLOPE: usize = 5;
/// Rise of 2·ln likelihood that a slope must bring: χ² with one degree, 95 %.
const RISE_FOR_SLOPE: f64 = 3.841;

impl SeedNoise {
    /// From the ln losses of each cell; `None` without a cell of two different losses.
    pub fn of(cells: &[Vec<f64>], level: f64) -> Option<Self> {
        let cells: Vec<Cell> = cells.iter().filter_map(|losses| Cell::of(losses)).collect();
        let degrees: f64 = cells.iter().map(|cell| cell.degrees).sum();
        let centre = cells.iter().map(|cell| cell.degrees * cell.mean).sum::<f64>() / degrees;
        let variance = cells.iter().map(|cell| cell.degrees * cell.variance).sum::<f64>() / degrees;
        if degrees.is_nan() || degrees < 1.0 || variance <= 0.0 {
            return None;
        }
        let slope = slope(&cells, centre, level).filter(|_| cells.len() >= CELLS_FOR_SLOPE && degrees >= DEGREES_FOR_SLOPE as f64);
        let (value, slope) = match slope {
            Some((ln_sigma, slope)) => (ln_sigma.exp(), Some(slope)),
            None => (variance.sqrt(), None),
        };
        Some(Self {
            cells: cells.len(),
            runs: degrees as usize + cells.len(),
            degrees: degrees as usize,
            sigma: chi_square_interval(value, degrees, level)?,
            loss_at: centre.exp(),
            slope,
        })
    }

    /// σ of ln L at a loss.
    pub fn at(&self, loss: f64) -> f64 {
        self.sigma.value * self.slope.map_or(1.0, |slope| (loss / self.loss_at).powf(slope.value))
    }
}

/// What replicates of one cell say.
struct Cell {
    mean: f64,
    variance: f64,
    degrees: f64,
}

impl Cell {
    fn of(losses: &[f64]) -> Option<Self> {
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n;
        let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        (losses.len() > 1).then_some(Self { mean, variance: squares / (n - 1.0), degrees: n - 1.0 })
    }
}

/// ln σ at the centre and the slope by Newton's method; `None` where it raises the likelihood too little.
fn slope(cells: &[Cell], centre: f64, level: f64) -> Option<(f64, Estimate)> {
    let pooled = cells.iter().map(|cell| cell.degrees * cell.variance).sum::<f64>() / cells.iter().map(|cell| cell.degrees).sum::<f64>();
    let at = |[c, s]: [f64; 2]| -> f64 {
        let part = |cell: &Cell| {
            let ln_sigma = c + s * (cell.mean - centre);
            cell.degrees * (-ln_sigma - 0.5 * cell.variance * (-2.0 * ln_sigma).exp())
        };
        cells.iter().map(part).sum()
    };
    let start = [0.5 * pooled.ln(), 0.0];
    let mut x = start;
    let mut information = [0.0; 2];
    for _ in 0..100 {
        // Fisher scoring: the information is 2·Σν and 2·Σν·(ln L − centre)², uncorrelated about the weighted centre.
        let mut score = [0.0; 2];
        information = [0.0; 2];
        for cell in cells {
            let off = cell.mean - centre;
            let excess = cell.degrees * (cell.variance * (-2.0 * (x[0] + x[1] * off)).exp() - 1.0);
            score = [score[0] + excess, score[1] + excess * off];
            information = [information[0] + 2.0 * cell.degrees, information[1] + 2.0 * cell.degrees * off * off];
        }
        if information[1] <= 0.0 {
            return None;
        }
        // Half a step keeps the scoring from overshooting where variances differ by orders of magnitude.
        let step = [score[0] / information[0], score[1] / information[1]];
        x = [x[0] + 0.5 * step[0], x[1] + 0.5 * step[1]];
        if step[0].abs() + step[1].abs() < 1e-12 {
            break;
        }
    }
    let se = information[1].sqrt().recip();
    let width = super::estimate::t_quantile(level, f64::INFINITY) * se;
    let estimate = Estimate::new(x[1], se, [x[1] - width, x[1] + width], level, Interval::Delta);
    (2.0 * (at(x) - at(start)) > RISE_FOR_SLOPE).then_some((x[0], estimate))
}

/// ν·s²/σ² is χ² with ν degrees.
fn chi_square_interval(value: f64, degrees: f64, level: f64) -> Option<Estimate> {
    let law = ChiSquared::new(degrees).ok()?;
    let end = |share: f64| value * (degrees / law.inverse_cdf(share)).sqrt();
    let (low, high) = (end(0.5 * (1.0 + level)), end(0.5 * (1.0 - level)));
    Some(Estimate::new(value, value / (2.0 * degrees).sqrt(), [low, high], level, Interval::ChiSquare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    #[test]
    fn two_pairs_are_pooled_with_the_interval_of_chi_square() {
        // Differences 0.02 and 0.04: variances 2e-4 and 8e-4, pooled 5e-4.
        let noise = SeedNoise::of(&[vec![1.0, 1.02], vec![0.5, 0.54], vec![0.1]], 0.95).expect("replicates");
        assert_eq!((noise.cells, noise.runs, noise.degrees, noise.slope), (2, 4, 2, None));
        assert!((noise.sigma.value - 5e-4f64.sqrt()).abs() < 1e-12);
        // Quantiles of χ² with two degrees are −2·ln of the tail.
        assert!((noise.sigma.high() / noise.sigma.value - (2.0 / (-2.0 * 0.975f64.ln())).sqrt()).abs() < 1e-6);
        assert_eq!(SeedNoise::of(&[vec![1.0], vec![2.0]], 0.95), None);
        assert_eq!(SeedNoise::of(&[vec![1.0, 1.0]], 0.95), None, "the same bytes twice are no replicate");
    }

    fn cells(slope: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut random = Random::new(seed, "noise");
        (0..30)
            .map(|i| {
                let ln_loss = 0.3 + 0.04 * f64::from(i);
                (0..4).map(|_| ln_loss + 0.005 * (slope * (ln_loss - 0.88)).exp() * random.normal()).collect()
            })
            .collect()
    }

    #[test]
    fn a_power_of_the_loss_is_recovered_and_a_constant_mostly_left_constant() {
        let found: Vec<f64> = (0..40).filter_map(|seed| SeedNoise::of(&cells(2.0, seed), 0.95)?.slope).map(|slope| slope.value).collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        // 90 degrees over a spread of 0.35 know a slope to 0.21; the mean of 40 to 0.034.
        assert!(found.len() == 40 && (mean - 2.0).abs() < 0.12, "{mean} of {}", found.len());
        let constant = (0..200).filter(|seed| SeedNoise::of(&cells(0.0, *seed), 0.95).expect("noise").slope.is_none()).count();
        // 95 % of 200, five standard errors below.
        assert!(constant >= 175, "{constant}");
    }
}
