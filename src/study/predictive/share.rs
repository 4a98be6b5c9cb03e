//! The frontier through minima of budgets in losses beside laws: it knows most of the lowest loss of a compute, through which it was
//! drawn, and nothing of the walls, where what a run lies above that is the laws'.

use super::average;
use super::frontier::ByFrontier;
use super::origins::{Errors, Origin};
use super::settings::{LEAST_ERROR, Settings};

/// Weight of the frontier beside the laws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    prior: f64,
    fade: f64,
    /// Mean square error of the laws over that of the frontier.
    better: f64,
}

impl Share {
    /// That of a frontier which knows no losses.
    pub(super) const NOTHING: Self = Self { prior: 0.0, fade: 1.0, better: 1.0 };

    /// By the errors of both at the cuts that have a frontier below, those of the runs above that lie near the lowest loss.
    pub(super) fn of(origins: &[Origin], weights: &[f64], settings: &Settings) -> Self {
        let alike = Self { prior: settings.frontier, fade: settings.fade, better: 1.0 };
        let told: Vec<[f64; 2]> = origins.iter().filter_map(|origin| alike.errors(origin, weights)).collect();
        let error = |at: usize| average(told.iter().map(|one| one[at])).max(LEAST_ERROR);
        Self { better: if told.is_empty() { 1.0 } else { error(1) / error(0) }, ..alike }
    }

    /// Mean square errors of the frontier and of the laws over the runs above a cut, by the square of the distance.
    fn errors(&self, origin: &Origin, weights: &[f64]) -> Option<[f64; 2]> {
        let near = |one: &ByFrontier| one.weight * self.nearness(one.said(weights).rise);
        let total: f64 = origin.by_frontier.iter().map(near).sum();
        let mean = |of: &dyn Fn(&ByFrontier) -> f64| origin.by_frontier.iter().map(|one| near(one) * of(one)).sum::<f64>() / total;
        let square = |error: f64| (error / origin.ln_factor).powi(2);
        let both = || [mean(&|one| square(one.said(weights).ln_loss - one.found)), mean(&|one| square(one.by_laws(weights) - one.found))];
        (total > 0.0).then(both)
    }

    /// Weight at a place whose ln L lies so far above the lowest of its compute.
    pub(super) fn at(&self, rise: f64) -> f64 {
        let prior = self.prior * self.nearness(rise);
        prior * self.better / (prior * self.better + 1.0 - prior)
    }

    fn nearness(&self, rise: f64) -> f64 {
        (-rise.max(0.0) / self.fade).exp()
    }
}

/// Mean error of ln L over the runs above a cut by laws and, with its share, the frontier, and its variance by noise and coefficients.
pub(super) fn error_of(origin: &Origin, weights: &[f64], share: &Share) -> (f64, f64) {
    let parts: [fn(&Errors) -> f64; 3] = [|one| one.mean, |one| one.noise, |one| one.statistics];
    let [error, noise, statistics] = parts.map(|of| origin.weighted(weights, of));
    let total: f64 = origin.by_frontier.iter().map(|one| one.weight).sum();
    let mut moved = (0.0, 0.0);
    for one in &origin.by_frontier {
        let said = one.said(weights);
        let part = one.weight / total * share.at(said.rise);
        moved.0 += part * (said.ln_loss - one.by_laws(weights));
        moved.1 += part * (said.statistics - statistics);
    }
    (error + moved.0, noise + statistics + moved.1)
}

/// Root mean square error of ln L by the frontier below a cut over the runs above it, where there is one.
pub(super) fn rms_of_frontier(origin: &Origin, weights: &[f64]) -> Option<f64> {
    let total: f64 = origin.by_frontier.iter().map(|one| one.weight).sum();
    let squares = origin.by_frontier.iter().map(|one| one.weight * (one.said(weights).ln_loss - one.found).powi(2));
    (total > 0.0).then(|| (squares.sum::<f64>() / total).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_weighs_by_its_record_and_less_and_less_up_the_walls() {
        let share = Share { prior: 0.5, fade: 0.1, better: 3.0 };
        // Odds of 1 by 3 at the lowest loss; where the prior is 1/4, of 1/3 by 3.
        assert!((share.at(0.0) - 0.75).abs() < 1e-12 && (share.at(0.1 * 2f64.ln()) - 0.5).abs() < 1e-12);
        assert!(share.at(1.0) < 2e-4 && Share::NOTHING.at(0.0) == 0.0);
        // Below what the law takes for the lowest loss there is no more to know than at it.
        assert_eq!(share.at(-0.1), share.at(0.0));
    }

    /// A run that the laws put `by_laws` off and the frontier `by_frontier`, a rise above the lowest loss.
    fn run(by_laws: f64, by_frontier: f64, rise: f64) -> ByFrontier {
        let found = 1.0;
        ByFrontier { found, weight: 1.0, lowest: (found + by_frontier - rise, 0.01), laws: vec![(found + by_laws, rise)] }
    }

    fn origin(runs: Vec<ByFrontier>) -> Origin {
        let errors = vec![Errors { mean: 0.04, square: 0.0016, noise: 1e-4, statistics: 2e-4 }];
        Origin { by_frontier: runs, errors, ..crate::study::predictive::tests::origin(1.0, Vec::new()) }
    }

    #[test]
    fn runs_on_the_walls_say_nothing_of_which_of_them_is_better() {
        let settings = Settings { frontier: 0.5, fade: 0.05, ..Settings::default() };
        let of = |runs: Vec<ByFrontier>| Share::of(&[origin(runs)], &[1.0], &settings).at(0.0);
        // Half the error is a quarter of its square.
        assert!((of(vec![run(0.04, 0.02, 0.0)]) - 0.8).abs() < 1e-9);
        assert!((of(vec![run(0.04, 0.02, 0.0), run(0.04, 2.0, 1.0)]) - 0.8).abs() < 1e-2);
        assert_eq!(of(Vec::new()), 0.5);
    }

    #[test]
    fn the_error_at_a_cut_is_that_of_both_by_their_weights() {
        let share = Share { prior: 0.5, fade: 0.1, better: 1.0 };
        let (error, variance) = error_of(&origin(vec![run(0.04, 0.02, 0.0)]), &[1.0], &share);
        // Half of each; the frontier's own variance is 1e-4 where the laws' is 2e-4.
        assert!((error - 0.03).abs() < 1e-12 && (variance - (1e-4 + 1.5e-4)).abs() < 1e-12, "{error} {variance}");
        let alone = error_of(&origin(Vec::new()), &[1.0], &share);
        assert!((alone.0 - 0.04).abs() < 1e-15 && (alone.1 - 3e-4).abs() < 1e-15);
        assert!((rms_of_frontier(&origin(vec![run(0.04, 0.02, 0.0)]), &[1.0]).expect("one") - 0.02).abs() < 1e-12);
    }
}
