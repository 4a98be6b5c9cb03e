//! The Multi-Power Law (Luo et al. 2503.12811):
//! L(t) = L0 + A·(S1(t) + S_W)^(−α) − B·Σ_{k≤t} (η_{k−1} − η_k)·G(η_k^(−γ)·S_k(t)), G(x) = 1 − (1 + C·x)^(−β), S_k(t) = Σ_{τ=k}^t η_τ.
//!
//! S1 + S_W is the sum of all rates, warmup included; falls are counted after warmup.

use super::formula::{CurveFormula, CurveLoss, MOST, combinations};
use super::track::{CurveUnits, Track};

/// The law; its numbers are L0, A, α, B, C, β, γ.
#[derive(Debug, Clone, Copy)]
pub struct MultiPower;

/// A rate of nothing counts as this share of the unit: η^(−γ) has no end there.
const LEAST_RATE: f64 = 1e-6;

impl CurveFormula for MultiPower {
    fn name(&self) -> &'static str {
        "multi-power"
    }
    fn text(&self) -> &'static str {
        "L0 + A·(S1 + S_W)^(−alpha) − B·Σ_k (η_(k−1) − η_k)·(1 − (1 + C·η_k^(−gamma)·S_k)^(−beta))"
    }
    fn source(&self) -> &'static str {
        "Luo et al. 2503.12811; the form and its coefficients read in the paper"
    }
    fn coefficients(&self) -> &'static [&'static str] {
        &["L0", "A", "alpha", "B", "C", "beta", "gamma"]
    }

    fn losses(&self, theta: &[f64], track: &Track) -> Vec<CurveLoss> {
        let &[l0, a, alpha, b, c, beta, gamma] = theta else { panic!("multi-power has 7 numbers, not {}", theta.len()) };
        let falls: Vec<[f64; 4]> = track
            .drops
            .iter()
            .map(|drop| {
                let ln_rate = drop.rate.max(LEAST_RATE).ln();
                [drop.area, drop.fall, c * (-gamma * ln_rate).exp(), ln_rate]
            })
            .collect();
        let one = |reading: &super::Reading| {
            let power = a * reading.area.powf(-alpha);
            let (mut gained, mut by_c, mut by_beta, mut by_gamma) = (0.0, 0.0, 0.0, 0.0);
            for [area, fall, pace, ln_rate] in falls.iter().take_while(|[area, ..]| *area < reading.area) {
                let x = pace * (reading.area - area);
                let log = x.ln_1p();
                let left = (-beta * log).exp();
                gained -= fall * (-beta * log).exp_m1();
                by_beta += fall * log * left;
                let slope = fall * left * x / (1.0 + x);
                by_c += slope;
                by_gamma -= slope * ln_rate;
            }
            let mut slopes = [0.0; MOST];
            let of_falls = [-b * gained, -b * beta * by_c, -b * beta * by_beta, -b * beta * gamma * by_gamma];
            slopes[..3].copy_from_slice(&[l0, power, -alpha * power * reading.area.ln()]);
            slopes[3..].copy_from_slice(&of_falls);
            CurveLoss { loss: l0 + power - b * gained, slopes }
        };
        track.readings.iter().map(one).collect()
    }

    fn published(&self, theta: &[f64], units: CurveUnits) -> Vec<f64> {
        let &[l0, a, alpha, b, c, beta, gamma] = theta else { panic!("multi-power has 7 numbers, not {}", theta.len()) };
        vec![l0, a * units.area.powf(alpha), alpha, b / units.rate, c * units.rate.powf(gamma) / units.area, beta, gamma]
    }

    fn theta(&self, published: &[f64], units: CurveUnits) -> Vec<f64> {
        let &[l0, a, alpha, b, c, beta, gamma] = published else { panic!("multi-power has 7 coefficients, not {}", published.len()) };
        vec![l0, a * units.area.powf(-alpha), alpha, b * units.rate, c * units.rate.powf(-gamma) * units.area, beta, gamma]
    }

    fn linear(&self) -> &'static [usize] {
        &[0, 1, 3]
    }

    fn starts(&self) -> Vec<Vec<f64>> {
        combinations(&[&[1.0], &[1.0], &[0.3, 0.8], &[1.0], &[2.0, 30.0, 500.0], &[0.3, 1.0], &[0.15, 0.6]])
    }
}

/// Coefficients that the paper gives for networks of 25M, 100M and 400M parameters, by their number of parameters.
pub const MULTI_POWER_PUBLISHED: [(f64, [f64; 7]); 3] = [
    (25e6, [3.040, 0.525, 0.508, 363.8, 2.066, 0.583, 0.641]),
    (100e6, [2.651, 0.601, 0.453, 437.9, 2.132, 0.598, 0.655]),
    (400e6, [2.375, 0.654, 0.429, 523.4, 2.025, 0.594, 0.635]),
];

#[cfg(test)]
mod tests {
    use super::super::Rates;
    use super::super::formula::assert_slopes;
    use super::*;
    use crate::spec::{DecayShape, Schedule};

    #[test]
    fn the_sum_of_the_paper_is_what_is_computed() {
        let (steps, warmup) = (80u64, 5u64);
        let schedule = Schedule::Cosine { final_fraction: 0.1 };
        let eta: Vec<f64> = (0..steps).map(|step| 3e-4 * schedule.multiplier(step, steps, warmup)).collect();
        let published = MULTI_POWER_PUBLISHED[0].1;
        let [l0, a, alpha, b, c, beta, gamma] = published;
        let track = Track::new(&Rates::of_schedule(&schedule, 3e-4, steps, warmup, f64::INFINITY), &[30.0, 80.0], CurveUnits::PLAIN);
        let found = MultiPower.losses(&MultiPower.theta(&published, CurveUnits::PLAIN), &track);
        for (found, t) in found.iter().zip([30usize, 80]) {
            let all: f64 = eta[..t].iter().sum();
            let gain = |k: usize| {
                let since: f64 = eta[k..t].iter().sum();
                (eta[k - 1] - eta[k]) * (1.0 - (1.0 + c * eta[k].powf(-gamma) * since).powf(-beta))
            };
            let by_hand = l0 + a * all.powf(-alpha) - b * (warmup as usize..t).map(gain).sum::<f64>();
            assert!((found.loss - by_hand).abs() < 1e-12, "{t}: {} {by_hand}", found.loss);
        }
    }

    #[test]
    fn coarse_pieces_stay_close_to_the_steps() {
        for schedule in [
            Schedule::Cosine { final_fraction: 0.0 },
            Schedule::Exponential { final_fraction: 0.01 },
            Schedule::Wsd { decay_fraction: 0.2, shape: DecayShape::OneMinusSqrt },
            Schedule::Wsd { decay_fraction: 0.2, shape: DecayShape::Linear },
        ] {
            let places: Vec<f64> = (10..=100).map(|at| f64::from(at) * 200.0).collect();
            let theta = MultiPower.theta(&MULTI_POWER_PUBLISHED[0].1, CurveUnits::PLAIN);
            let losses = |levels: f64| {
                let rates = Rates::of_schedule(&schedule, 3e-4, 20_000, 500, levels);
                MultiPower.losses(&theta, &Track::new(&rates, &places, CurveUnits::PLAIN))
            };
            let (exact, coarse) = (losses(f64::INFINITY), losses(super::super::LEVELS));
            let worst = exact.iter().zip(&coarse).map(|(a, b)| (b.loss / a.loss - 1.0).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-4, "{schedule}: {worst:.1e}");
        }
    }

    #[test]
    fn slopes_are_those_of_differences() {
        let rates = Rates::of_schedule(&Schedule::Cosine { final_fraction: 0.1 }, 1.0, 300, 10, f64::INFINITY);
        let track = Track::new(&rates, &[20.0, 150.0, 300.0], CurveUnits { rate: 1.0, area: 200.0, steps: 300.0 });
        assert_slopes(&MultiPower, &[2.0, 0.7, 0.6, 0.2, 12.0, 0.6, 0.4], &track);
    }
}
