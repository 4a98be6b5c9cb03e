//! The response of one (N, D) cell to its recipe: ln L as a polynomial of (ln η, ln B) near its minimum (`surface`), fitted robustly.
//! Its minimum is that of the surface, not the lowest loss seen, which is low by luck the more runs were tried.
//! The near-optimal band follows DeepSeek LLM (2401.02954 §3.1), widened to the noise of a run.

use super::curved_axes::CurvedAxes;
use super::robust::KnownNoise;
use super::surface::Surface;
use crate::fit::estimate::t_quantile;
use crate::fit::linear::variance;
use crate::fit::{Estimate, Interval};
use crate::law::{RecipeTrials, Scale};
use crate::spec::NEAR_OPTIMAL;
use serde::Serialize;

/// The response surface of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    /// What a person calls the cell.
    pub cell: String,
    /// N, D and C of the cell.
    pub scale: Scale,
    /// Runs that finished.
    pub runs: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Distinct learning rates and batches.
    pub tried: [usize; 2],
    /// The run with the lowest loss: name, η, B, loss in nats.
    pub best_run: String,
    /// Its learning rate.
    pub best_learning_rate: f64,
    /// Its batch, tokens.
    pub best_batch: f64,
    /// Its loss, nats per token.
    pub best_loss: f64,
    /// η at the minimum of the surface; absent where three rates or a bend are lacking.
    pub learning_rate: Option<Estimate>,
    /// B at the minimum, tokens; absent where three batches or a bend are lacking.
    pub batch: Option<Estimate>,
    /// Loss at the minimum, nats per token.
    pub loss: Option<Estimate>,
    /// ln of the lowest loss seen over that of the surface: below zero by luck, above where the optimum lies between runs.
    pub selection: Option<f64>,
    /// ½ · second derivatives of ln L by (ln η, ln η), (ln η, ln B), (ln B, ln B).
    pub curvature: Option<[f64; 3]>,
    /// What of the optimum lies at or beyond the edge of what was tried, in words.
    pub edges: Vec<String>,
    /// Half-width in ln L of the near-optimal band.
    pub band: f64,
    /// Indices of the trials within the band above the minimum.
    pub near_optimal: Vec<usize>,
    /// Root mean square residual of ln L.
    pub rms: Option<f64>,
}

/// The response surface of a cell; `None` where no run finished.
pub fn response(cell: &RecipeTrials, noise: Option<KnownNoise>, level: f64) -> Option<Response> {
    let (best, best_loss) = cell.best()?;
    let band = NEAR_OPTIMAL.max(noise.map_or(0.0, |noise| 2.0 * noise.sigma));
    let mut found = Response {
        cell: cell.label.clone(),
        scale: cell.scale,
        runs: cell.trials.len() - cell.diverged(),
        diverged: cell.diverged(),
        tried: [cell.tried(|t| t.learning_rate).len(), cell.tried(|t| t.batch).len()],
        best_run: best.run.clone(),
        best_learning_rate: best.learning_rate,
        best_batch: best.batch,
        best_loss,
        learning_rate: None,
        batch: None,
        loss: None,
        selection: None,
        curvature: None,
        edges: Vec::new(),
        band,
        near_optimal: Vec::new(),
        rms: None,
    };
    if let Some(surface) = Surface::near_minimum(cell, [best.learning_rate.ln(), best.batch.ln()], best_loss.ln(), noise) {
        found.take(&surface, level, cell);
        found.rms = Some(surface.rms);
    } else if CurvedAxes::of(cell).count() > 0 {
        found.edges.push("no minimum inside what was tried: ln L does not bend upwards".into());
    }
    let floor = found.loss.filter(|_| found.edges.is_empty()).map_or(best_loss, |loss| loss.value);
    let near = |loss: Option<f64>| loss.is_some_and(|loss| (loss / floor).ln() <= band);
    found.near_optimal = (0..cell.trials.len()).filter(|&at| near(cell.trials[at].loss)).collect();
    Some(found)
}

impl Response {
    /// Whether the optimum is known and inside what was tried.
    pub fn is_inside(&self) -> bool {
        self.loss.is_some() && self.edges.is_empty()
    }

    fn take(&mut self, surface: &Surface, level: f64, cell: &RecipeTrials) {
        let Some(vertex) = surface.vertex() else { return };
        let quantile = t_quantile(level, surface.degrees);
        if surface.curved_axes.rate {
            self.learning_rate = Some(surface.vertex_estimate(0, vertex[0], quantile, level));
            self.edges.extend(edge("learning rate", vertex[0] + surface.centre[0], &cell.tried(|t| t.learning_rate)));
        }
        if surface.curved_axes.batch {
            self.batch = Some(surface.vertex_estimate(1, vertex[1], quantile, level));
            self.edges.extend(edge("batch", vertex[1] + surface.centre[1], &cell.tried(|t| t.batch)));
        }
        let floor = surface.at(vertex);
        // The gradient by the vertex is zero there, so the variance of the floor is that of the surface at a fixed place.
        let row = surface.row(vertex);
        let se = variance(&row, &surface.covariance).sqrt();
        self.loss = Some(Estimate::exp(floor, se, quantile, level, Interval::Delta));
        self.selection = Some(self.best_loss.ln() - floor);
        self.curvature = Some(surface.curvature(vertex));
    }
}

/// The remark on an optimum at or beyond the edge.
fn edge(what: &str, ln_value: f64, tried: &[f64]) -> Option<String> {
    let (low, high) = (tried.first()?, tried.last()?);
    let side = if ln_value < low.ln() {
        format!("below the lowest tried, {}", number(*low))
    } else if ln_value > high.ln() {
        format!("above the highest tried, {}", number(*high))
    } else {
        return None;
    };
    Some(format!("best {what} {side}"))
}

fn number(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value:.3e}") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::law::Trial;
    use crate::spec::Random;

    /// A cell whose ln L is 0.7 + K about (η, B) = (4e-3, 4096), over a grid of factors of two, with noise.
    pub(in crate::fit) fn cell(rates: &[f64], batches: &[f64], sigma: f64, seed: u64) -> RecipeTrials {
        let mut random = Random::new(seed, "response");
        let mut trials = Vec::new();
        for &rate in rates {
            for &batch in batches {
                let (x, y) = ((rate / 4e-3).ln(), (batch / 4096.0).ln());
                let ln_loss = 0.7 + 0.012 * x * x - 0.01 * x * y + 0.009 * y * y + sigma * random.normal();
                let run = format!("{rate} {batch}");
                trials.push(Trial { run, learning_rate: rate, batch, loss: Some(ln_loss.exp()), steps: None });
            }
        }
        RecipeTrials { label: "cell".into(), shape: None, scale: Scale { n: 1e5, d: 1e6, c: 6e11 }, budget: None, trials }
    }

    pub(in crate::fit) fn factors(centre: f64, steps: &[i32]) -> Vec<f64> {
        steps.iter().map(|&step| centre * 2f64.powi(step)).collect()
    }

    #[test]
    fn a_surface_without_noise_is_found_to_rounding() {
        let found = response(&cell(&factors(3e-3, &[-2, -1, 0, 1, 2, 3]), &factors(5000.0, &[-2, -1, 0, 1]), 0.0, 0), None, 0.95);
        let found = found.expect("a surface");
        let [rate, batch, loss] = [found.learning_rate, found.batch, found.loss].map(|estimate| estimate.expect("a minimum").value);
        assert!((rate / 4e-3 - 1.0).abs() < 1e-6 && (batch / 4096.0 - 1.0).abs() < 1e-6, "{rate} {batch}");
        assert!((loss.ln() - 0.7).abs() < 1e-9 && found.is_inside());
        let [kxx, kxy, kyy] = found.curvature.expect("bends");
        assert!((kxx - 0.012).abs() < 1e-8 && (kxy + 0.005).abs() < 1e-8 && (kyy - 0.009).abs() < 1e-8);
        assert!(found.selection.expect("known") > 0.0, "no run stands at the optimum, and there is no luck");
    }

    #[test]
    fn one_batch_gives_a_parabola_and_two_rates_nothing() {
        let found = response(&cell(&factors(3e-3, &[-1, 0, 1, 2]), &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert!((found.learning_rate.expect("a minimum").value / 4e-3 - 1.0).abs() < 1e-6);
        assert_eq!((found.batch, found.tried), (None, [4, 1]));
        let found = response(&cell(&[1e-3, 2e-3], &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert_eq!((found.learning_rate, found.loss, found.edges.len()), (None, None, 0));
    }

    #[test]
    fn an_optimum_beyond_what_was_tried_is_said() {
        let found = response(&cell(&factors(5e-4, &[-2, -1, 0, 1]), &[4096.0], 0.0, 0), None, 0.95).expect("runs");
        assert!(found.edges[0].contains("above the highest tried, 1.000e-3"), "{:?}", found.edges);
        assert!(!found.is_inside());
    }

    #[test]
    fn diverged_and_far_runs_do_not_bend_the_surface() {
        let mut one = cell(&factors(4e-3, &[-2, -1, 0, 1, 2]), &[4096.0], 0.0, 0);
        let far = |rate: f64, loss| Trial { run: "far".into(), learning_rate: rate, batch: 4096.0, loss, steps: None };
        one.trials.extend([far(0.128, Some(5.0)), far(0.256, None)]);
        let found = response(&one, None, 0.95).expect("runs");
        assert!((found.learning_rate.expect("a minimum").value / 4e-3 - 1.0).abs() < 1e-6);
        assert_eq!((found.runs, found.diverged), (6, 1));
    }

    #[test]
    fn the_band_is_a_quarter_of_a_per_cent_or_twice_the_noise() {
        let one = cell(&factors(4e-3, &[-2, -1, 0, 1, 2]), &[4096.0], 0.0, 0);
        let narrow = response(&one, None, 0.95).expect("runs");
        // 0.012·ln²2 = 0.0058 above the minimum at a factor of two.
        assert_eq!((narrow.band, narrow.near_optimal.len()), (NEAR_OPTIMAL, 1));
        let wide = response(&one, Some(KnownNoise { sigma: 0.003, degrees: 8.0 }), 0.95).expect("runs");
        assert_eq!((wide.band, wide.near_optimal.len()), (0.006, 3));
    }

    /// 300 simulations know a coverage of 95 % to 1.3 points; both bounds are three of them away.
    #[test]
    fn intervals_of_the_optimum_cover_at_their_level() {
        let (mut rate, mut batch, mut loss) = (0, 0, 0);
        for seed in 0..300 {
            let one = cell(&factors(3e-3, &[-2, -1, 0, 1, 2, 3]), &factors(5000.0, &[-2, -1, 0, 1]), 0.002, seed);
            let found = response(&one, None, 0.95).expect("a surface");
            let covers = |estimate: Option<Estimate>, truth: f64| {
                usize::from(estimate.is_some_and(|estimate| estimate.low() <= truth && truth <= estimate.high()))
            };
            rate += covers(found.learning_rate, 4e-3);
            batch += covers(found.batch, 4096.0);
            loss += covers(found.loss, 0.7f64.exp());
        }
        for covered in [rate, batch, loss] {
            assert!((273..=297).contains(&covered), "rate {rate}, batch {batch}, loss {loss} of 300");
        }
    }
}
