//! Points of the simplex, shares that add up to 1: an even grid of them, and seeded draws.

use super::mixture::apportioned;
use super::random::Random;

/// How many points [`simplex_grid`] has, as a floating-point number, for it may be more than anybody counts.
pub fn simplex_points(parts: usize, steps: u32) -> f64 {
    // (steps + parts - 1) over (parts - 1).
    (1..parts).fold(1.0, |product, k| product * (f64::from(steps) + k as f64) / k as f64).round()
}

/// Every mixture whose shares are multiples of 1/steps, in the order of the first share, then the second and so on, from 0 up.
pub fn simplex_grid(parts: usize, steps: u32) -> Vec<Vec<u32>> {
    fn fill(shares: &mut Vec<u32>, rest: u32, parts: usize, all: &mut Vec<Vec<u32>>) {
        if parts == 1 {
            shares.push(rest);
            all.push(shares.clone());
            shares.pop();
            return;
        }
        for share in 0..=rest {
            shares.push(share);
            fill(shares, rest - share, parts - 1, all);
            shares.pop();
        }
    }
    let mut all = Vec::new();
    if parts > 0 {
        fill(&mut Vec::with_capacity(parts), steps, parts, &mut all);
    }
    all
}

/// A mixture drawn from the symmetric Dirichlet distribution of concentration `alpha`, in units of the whole; 1 draws from all
/// mixtures alike, less than 1 favours corners, more favours the middle.
pub fn dirichlet_draw(random: &mut Random, parts: usize, alpha: f64) -> Vec<u32> {
    loop {
        // Shares are gamma variates over their sum; in logs, for at small concentrations all may be too small for a number.
        let logs: Vec<f64> = (0..parts).map(|_| ln_gamma_draw(random, alpha)).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        if let Some(shares) = apportioned(&weights) {
            return shares;
        }
    }
}

/// The logarithm of a gamma variate of shape `alpha` and scale 1 (Marsaglia and Tsang 2000; below 1 by G(a) = G(a + 1)·U^(1/a)).
fn ln_gamma_draw(random: &mut Random, alpha: f64) -> f64 {
    if alpha < 1.0 {
        return ln_gamma_draw(random, alpha + 1.0) + (1.0 - random.uniform()).ln() / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = random.normal();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - random.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::WHOLE;

    #[test]
    fn a_grid_has_every_mixture_once() {
        assert_eq!(simplex_grid(2, 2), [[0, 2], [1, 1], [2, 0]]);
        for (parts, steps) in [(1, 4), (2, 4), (3, 4), (4, 3), (5, 1)] {
            let mut all = simplex_grid(parts, steps);
            assert_eq!(all.len() as f64, simplex_points(parts, steps), "{parts} parts, step 1/{steps}");
            assert!(all.iter().all(|shares| shares.iter().sum::<u32>() == steps && shares.len() == parts));
            all.dedup();
            assert_eq!(all.len() as f64, simplex_points(parts, steps));
        }
        assert_eq!(simplex_points(3, 4), 15.0);
        assert!(simplex_points(64, 1_000_000) > 1e100);
    }

    #[test]
    fn draws_have_the_mean_and_the_variance_of_the_distribution() {
        // Of a symmetric Dirichlet over k parts: mean 1/k, variance (k - 1)/(k²·(k·alpha + 1)).
        for (alpha, parts) in [(1.0, 3), (0.3, 4), (5.0, 2)] {
            let mut random = Random::new(7, "draws of a test");
            let count = 4000;
            let draws: Vec<f64> = (0..count).map(|_| f64::from(dirichlet_draw(&mut random, parts, alpha)[0]) / f64::from(WHOLE)).collect();
            let (k, n) = (parts as f64, f64::from(count));
            let mean = draws.iter().sum::<f64>() / n;
            let variance = draws.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / n;
            let expected = (k - 1.0) / (k * k * (k * alpha + 1.0));
            assert!((mean - 1.0 / k).abs() < 4.0 * (expected / n).sqrt(), "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.1, "{alpha}: {variance} {expected}");
        }
        let mut random = Random::new(0, "draws of a test");
        assert_eq!(dirichlet_draw(&mut random, 3, 1e-6).iter().sum::<u32>(), WHOLE, "a corner");
    }
}
