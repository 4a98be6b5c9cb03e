//! The functional scaling law (2509.19189) for one size of network:
//! L = L0 + A·(e(t) + h·∫_0^t K(t − z)·(e(z) + σ²)·η(z) dz) in intrinsic time t = c·Σ η, with e(t) = (1 + t)^(−s) and
//! K(t) = (1 + t)^(−κ), κ = 2 − 1/β in the paper.
//!
//! The form is that of a transcription. L0, A, the scale c of time and the height h of the noise are the constants that its "~" leaves
//! open, so they are ours and unverified.

use super::formula::{CurveFormula, CurveLoss, MOST, combinations};
use super::track::{CurveUnits, Track};

/// The law; its numbers are L0, A, s, c, h, κ − 1 and σ².
#[derive(Debug, Clone, Copy)]
pub struct Functional;

impl CurveFormula for Functional {
    fn name(&self) -> &'static str {
        "functional"
    }
    fn text(&self) -> &'static str {
        "L0 + A·(e(t) + h·∫ K(t − z)·(e(z) + sigma2)·η dz), t = c·Σ η, e = (1 + t)^(−s), K = (1 + t)^(−kappa)"
    }
    fn source(&self) -> &'static str {
        "2509.19189; the form from a transcription, its constants unverified"
    }
    fn coefficients(&self) -> &'static [&'static str] {
        &["L0", "A", "s", "c", "h", "kappa", "sigma2"]
    }

    fn losses(&self, theta: &[f64], track: &Track) -> Vec<CurveLoss> {
        let &[l0, a, s, c, h, decay, noise] = theta else { panic!("functional has 7 numbers, not {}", theta.len()) };
        // e in the middle of each stretch, with its slopes by ln s and ln c.
        let middle = |stretch: &super::Stretch| {
            let z = c * 0.5 * (stretch.from + stretch.to);
            let e = (-s * z.ln_1p()).exp();
            [stretch.rate, stretch.from, stretch.to, e, -s * z.ln_1p() * e, -s * z / (1.0 + z) * e]
        };
        let stretches: Vec<[f64; 6]> = track.stretches.iter().map(middle).collect();
        // ∫ K from 0 to x, with its slopes by x and by ln(κ − 1).
        let kernel = |x: f64| {
            let log = x.ln_1p();
            let left = (-decay * log).exp();
            let whole = -(-decay * log).exp_m1() / decay;
            [whole, left / (1.0 + x), log * left - whole]
        };
        let one = |reading: &super::Reading| {
            let t = c * reading.area;
            let e = (-s * t.ln_1p()).exp();
            let (mut sum, mut of_noise, mut by_s, mut by_c, mut by_decay) = (0.0, 0.0, 0.0, 0.0, 0.0);
            // What lies before a boundary, and its slope by ln c, from one stretch to the next.
            let at = |area: f64| {
                let x = c * (reading.area - area);
                let [whole, density, by_decay] = kernel(x);
                [whole, density * x, by_decay]
            };
            let mut begin = stretches.first().map_or([0.0; 3], |first| at(first[1]));
            for [rate, _, to, e, e_by_s, e_by_c] in stretches.iter().take_while(|stretch| stretch[1] < reading.area) {
                let end = at(to.min(reading.area));
                let [held, held_by_c, held_by_decay] = [0, 1, 2].map(|k| rate * (begin[k] - end[k]));
                sum += held * (e + noise);
                of_noise += held * noise;
                by_s += held * e_by_s;
                by_c += held_by_c * (e + noise) + held * e_by_c;
                by_decay += held_by_decay * (e + noise);
                begin = end;
            }
            let mut slopes = [0.0; MOST];
            let time = t / (1.0 + t);
            slopes.copy_from_slice(&[
                l0,
                a * (e + h * sum),
                a * (h * by_s - s * t.ln_1p() * e),
                a * (h * by_c - s * time * e),
                a * h * sum,
                a * h * by_decay,
                a * h * of_noise,
            ]);
            CurveLoss { loss: l0 + a * (e + h * sum), slopes }
        };
        track.readings.iter().map(one).collect()
    }

    fn published(&self, theta: &[f64], units: CurveUnits) -> Vec<f64> {
        let &[l0, a, s, c, h, decay, noise] = theta else { panic!("functional has 7 numbers, not {}", theta.len()) };
        vec![l0, a, s, c / units.area, h / units.rate, 1.0 + decay, noise]
    }

    fn theta(&self, published: &[f64], units: CurveUnits) -> Vec<f64> {
        let &[l0, a, s, c, h, kappa, noise] = published else { panic!("functional has 7 coefficients, not {}", published.len()) };
        vec![l0, a, s, c * units.area, h * units.rate, kappa - 1.0, noise]
    }

    fn linear(&self) -> &'static [usize] {
        &[0, 1]
    }

    fn starts(&self) -> Vec<Vec<f64>> {
        combinations(&[&[1.0], &[1.0], &[0.3, 0.8], &[10.0, 100.0, 1000.0], &[0.1, 1.0], &[0.2, 0.8], &[0.01, 0.2]])
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rates;
    use super::super::formula::assert_slopes;
    use super::*;
    use crate::spec::Schedule;

    #[test]
    fn the_integral_is_that_of_a_fine_sum() {
        let rates = Rates::of_schedule(&Schedule::deepseek(), 1.0, 100, 10, f64::INFINITY);
        let published = [2.0, 1.5, 0.4, 0.7, 0.3, 1.6, 0.05];
        let track = Track::new(&rates, &[15.0, 60.0, 95.0, 100.0], CurveUnits::PLAIN);
        let found = Functional.losses(&Functional.theta(&published, CurveUnits::PLAIN), &track);
        for (found, reading) in found.iter().zip(&track.readings) {
            let (t, parts) = (0.7 * reading.area, 400_000);
            // The rate at an intrinsic time, and the middle sum over so many parts.
            let rate_at = |area: f64| {
                let mut before = 0.0;
                let inside = |piece: &&super::super::Piece| {
                    before += piece.rate * piece.steps;
                    area <= before
                };
                rates.pieces.iter().find(inside).expect("inside").rate
            };
            let part = |i: i32| {
                let z = t * (f64::from(i) + 0.5) / f64::from(parts);
                (1.0 + t - z).powf(-1.6) * ((1.0 + z).powf(-0.4) + 0.05) * rate_at(z / 0.7)
            };
            let integral: f64 = (0..parts).map(part).sum::<f64>() * t / f64::from(parts);
            let by_hand = 2.0 + 1.5 * ((1.0 + t).powf(-0.4) + 0.3 * integral);
            assert!((found.loss / by_hand - 1.0).abs() < 5e-5, "{}: {} {by_hand}", reading.step, found.loss);
        }
    }

    #[test]
    fn slopes_are_those_of_differences() {
        let rates = Rates::of_schedule(&Schedule::Cosine { final_fraction: 0.1 }, 1.0, 300, 10, f64::INFINITY);
        let track = Track::new(&rates, &[20.0, 150.0, 300.0], CurveUnits { rate: 1.0, area: 200.0, steps: 300.0 });
        assert_slopes(&Functional, &[2.0, 0.7, 0.6, 40.0, 0.5, 0.6, 0.1], &track);
    }
}
