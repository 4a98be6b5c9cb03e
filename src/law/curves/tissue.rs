//! Tissue et al., "Scaling Law with Learning Rate Annealing" (2408.11029): L(s) = L0 + A·S1^(−α) − C·S2 with S1 = Σ η_i and
//! S2 = Σ_i Σ_{k≤i} (η_{k−1} − η_k)·λ^(i−k).
//!
//! Steps are counted from 1, S1 holds warmup, and falls are counted after it. In closed form a fall adds
//! (η_{k−1} − η_k)·(1 − λ^n)/(1 − λ) to S2 after n steps at the new rate.

use super::formula::{CurveFormula, CurveLoss, MOST, combinations};
use super::track::{CurveUnits, Track};

/// The law; its numbers are L0, A, α, C/(1 − λ) and −ln λ.
#[derive(Debug, Clone, Copy)]
pub struct Tissue;

impl CurveFormula for Tissue {
    fn name(&self) -> &'static str {
        "tissue"
    }
    fn text(&self) -> &'static str {
        "L0 + A·S1^(−alpha) − C·S2"
    }
    fn source(&self) -> &'static str {
        "Tissue et al. 2408.11029; the form from a transcription, lambda near .999 from memory"
    }
    fn coefficients(&self) -> &'static [&'static str] {
        &["L0", "A", "alpha", "C", "lambda"]
    }

    fn losses(&self, theta: &[f64], track: &Track) -> Vec<CurveLoss> {
        let &[l0, a, alpha, c, forgets] = theta else { panic!("tissue has 5 numbers, not {}", theta.len()) };
        let one = |reading: &super::Reading| {
            let power = a * reading.area.powf(-alpha);
            let (mut gained, mut by_forgets) = (0.0, 0.0);
            for drop in track.drops.iter().take_while(|drop| drop.step < reading.step) {
                let x = forgets * (reading.step - drop.step);
                gained -= drop.fall * (-x).exp_m1();
                by_forgets += drop.fall * x * (-x).exp();
            }
            let mut slopes = [0.0; MOST];
            slopes[..5].copy_from_slice(&[l0, power, -alpha * power * reading.area.ln(), -c * gained, -c * by_forgets]);
            CurveLoss { loss: l0 + power - c * gained, slopes }
        };
        track.readings.iter().map(one).collect()
    }

    fn published(&self, theta: &[f64], units: CurveUnits) -> Vec<f64> {
        let forgets = theta[4] / units.steps;
        vec![theta[0], theta[1] * units.area.powf(theta[2]), theta[2], -theta[3] / units.rate * (-forgets).exp_m1(), (-forgets).exp()]
    }

    fn theta(&self, published: &[f64], units: CurveUnits) -> Vec<f64> {
        let &[l0, a, alpha, c, lambda] = published else { panic!("tissue has 5 coefficients, not {}", published.len()) };
        vec![l0, a * units.area.powf(-alpha), alpha, c * units.rate / (1.0 - lambda), -lambda.ln() * units.steps]
    }

    fn linear(&self) -> &'static [usize] {
        &[0, 1, 3]
    }

    fn starts(&self) -> Vec<Vec<f64>> {
        combinations(&[&[1.0], &[1.0], &[0.25, 0.6, 1.2], &[1.0], &[3.0, 15.0, 80.0, 400.0]])
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rates;
    use super::super::formula::assert_slopes;
    use super::*;
    use crate::spec::{DecayShape, Schedule};

    #[test]
    fn the_double_sum_of_the_paper_is_the_closed_form() {
        let (steps, schedule) = (60u64, Schedule::Wsd { decay_fraction: 0.4, shape: DecayShape::Linear });
        let eta: Vec<f64> = (0..steps).map(|step| 2e-3 * schedule.multiplier(step, steps, 0)).collect();
        let published = [2.4, 0.3, 0.5, 40.0, 0.9];
        let track = Track::new(&Rates::of_schedule(&schedule, 2e-3, steps, 0, f64::INFINITY), &[10.0, 37.0, 60.0], CurveUnits::PLAIN);
        let found = Tissue.losses(&Tissue.theta(&published, CurveUnits::PLAIN), &track);
        for (found, s) in found.iter().zip([10usize, 37, 60]) {
            let s1: f64 = eta[..s].iter().sum();
            let gained = |i: usize| (1..=i).map(|k| (eta[k - 1] - eta[k]) * 0.9f64.powi((i - k) as i32)).sum::<f64>();
            let s2: f64 = (0..s).map(gained).sum();
            let by_hand = 2.4 + 0.3 * s1.powf(-0.5) - 40.0 * s2;
            assert!((found.loss - by_hand).abs() < 1e-12, "{s}: {} {by_hand}", found.loss);
        }
    }

    #[test]
    fn slopes_are_those_of_differences() {
        let rates = Rates::of_schedule(&Schedule::Cosine { final_fraction: 0.1 }, 1.0, 300, 10, f64::INFINITY);
        let track = Track::new(&rates, &[20.0, 150.0, 300.0], CurveUnits { rate: 1.0, area: 200.0, steps: 300.0 });
        assert_slopes(&Tissue, &[2.0, 0.7, 0.6, 0.05, 12.0], &track);
    }
}
