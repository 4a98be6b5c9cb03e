//! Which of several networks to fine-tune, from a few small trials of each, the question of Lin 2402.02314: the straight line of ln L over
//! ln D through the last trials, carried to the examples that are meant to be used. On the 27 choices of its three tables (trials up to
//! a half, a quarter, … a 512th of the most examples) the base chosen lies 1.7 % above the best on average; by the rectified law, whose
//! four coefficients few trials do not determine, 6.7 % even with weak priors, by the last trial alone 5.8 %.

use crate::fit::{Estimate, Interval, least_squares, t_quantile};
use crate::law::{Point, Variable};
use crate::spec::EXAMPLES;
use serde::Serialize;

/// Numbers of examples that a line goes through, and the fewest of a base.
pub const FEWEST_TRIALS: usize = 5;
/// How many times the examples of the largest trial a base is chosen for.
pub const AHEAD: f64 = 8.0;
/// Shares of the most examples that trials are cut at to see whether they would have chosen well.
const CUTS: [f64; 3] = [1.0 / 8.0, 1.0 / 32.0, 1.0 / 128.0];

/// The trials of a base: its name, and a point of each.
pub type Trials = (String, Vec<Point>);

/// Which base to fine-tune.
#[derive(Debug, Clone, Serialize)]
pub struct BaseChoice {
    /// Examples that the bases are compared on: several times those of the largest trial.
    pub examples: f64,
    /// Forecast loss of each base there, the lowest first.
    pub forecasts: Vec<(String, Estimate)>,
    /// What smaller trials of the same bases would have chosen.
    pub record: Vec<ChosenEarlier>,
}

/// What trials up to some examples would have chosen for the most examples that were run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChosenEarlier {
    /// Most examples of the trials.
    pub trials: f64,
    /// Examples that the choice was for.
    pub examples: f64,
    /// Bases that were compared.
    pub bases: usize,
    /// The base that the trials choose, and the best in truth.
    pub chosen: String,
    /// The base whose loss was lowest.
    pub best: String,
    /// How far the loss of the chosen base lies above the lowest, as a share of it.
    pub above: f64,
    /// The same of the base whose last trial was the lowest, which is what one would choose without a law.
    pub above_by_last: f64,
}

/// Examples of a point.
fn examples(point: &Point) -> f64 {
    Variable::Named(EXAMPLES).of(point).unwrap_or(f64::NAN)
}

/// ln L of a base at some examples with its standard error and degrees of freedom, by the line through its last numbers of examples;
/// none of fewer than [`FEWEST_TRIALS`].
pub fn carried(trials: &[Point], to: f64) -> Option<(f64, f64, f64)> {
    let mut tried: Vec<f64> = trials.iter().map(examples).collect();
    tried.sort_by(|a, b| b.total_cmp(a));
    tried.dedup();
    let from = *tried.get(FEWEST_TRIALS - 1)?;
    let last: Vec<&Point> = trials.iter().filter(|point| examples(point) >= from).collect();
    // Seen from where it is asked for, so that the first coefficient is the answer.
    let rows: Vec<Vec<f64>> = last.iter().map(|point| vec![1.0, (examples(point) / to).ln()]).collect();
    let ln_losses: Vec<f64> = last.iter().map(|point| point.loss.ln()).collect();
    let line = least_squares(&rows, &ln_losses, &vec![1.0; rows.len()])?;
    let degrees = rows.len() as f64 - 2.0;
    Some((line.beta[0], (line.inverse[0][0] * line.residual / degrees).sqrt(), degrees))
}

/// Chooses among bases; `None` where fewer than two have enough trials.
pub fn choose(bases: &[Trials], level: f64) -> Option<BaseChoice> {
    let most = bases.iter().map(|(_, trials)| largest(trials)).fold(0.0, f64::max);
    let one = |(name, trials): &Trials| {
        let (ln_loss, se, degrees) = carried(trials, AHEAD * most)?;
        Some((name.clone(), Estimate::exp(ln_loss, se, t_quantile(level, degrees), level, Interval::Delta)))
    };
    let mut forecasts: Vec<(String, Estimate)> = bases.iter().filter_map(one).collect();
    forecasts.sort_by(|(_, a), (_, b)| a.value.total_cmp(&b.value));
    let record = CUTS.iter().filter_map(|cut| chosen_earlier(bases, cut * most, most)).collect();
    (forecasts.len() > 1).then_some(BaseChoice { examples: AHEAD * most, forecasts, record })
}

/// The most examples of some trials.
fn largest(trials: &[Point]) -> f64 {
    trials.iter().map(examples).fold(0.0, f64::max)
}

/// What trials up to `cut` examples choose for `most`, among the bases that were run there and have enough trials.
pub fn chosen_earlier(bases: &[Trials], cut: f64, most: f64) -> Option<ChosenEarlier> {
    let rounding = 1.0 + 1e-9;
    let one = |(name, trials): &Trials| {
        let at_most = trials.iter().filter(|point| examples(point) >= most / rounding).map(|point| point.loss);
        let truth = at_most.min_by(f64::total_cmp)?;
        let seen: Vec<Point> = trials.iter().filter(|point| examples(point) <= cut * rounding).cloned().collect();
        let last = seen.iter().max_by(|a, b| examples(a).total_cmp(&examples(b)))?.loss;
        Some((name.clone(), truth, carried(&seen, most)?.0, last))
    };
    let all: Vec<_> = bases.iter().filter_map(one).collect();
    let chosen = all.iter().min_by(|a, b| a.2.total_cmp(&b.2))?;
    let by_last = all.iter().min_by(|a, b| a.3.total_cmp(&b.3))?;
    let best = all.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    (all.len() > 1).then(|| ChosenEarlier {
        trials: cut,
        examples: most,
        bases: all.len(),
        chosen: chosen.0.clone(),
        best: best.0.clone(),
        above: chosen.1 / best.1 - 1.0,
        above_by_last: by_last.1 / best.1 - 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Rectified};

    fn trials(name: &str, theta: [f64; 4], count: i32) -> Trials {
        let law = Law::of(Rectified, theta);
        let place = |at: i32| Point { covariates: vec![(EXAMPLES.to_owned(), 100.0 * 2f64.powi(at))], ..Point::new(1.0, 1.0, 1.0) };
        (name.to_owned(), (0..count).map(place).map(|point| Point { loss: law.loss(&point), ..point }).collect())
    }

    #[test]
    fn a_line_is_carried_to_where_it_is_asked_for() {
        let of = |examples: f64, loss: f64| Point { covariates: vec![(EXAMPLES.to_owned(), examples)], loss, ..Point::new(1.0, 1.0, 1.0) };
        // 8/√D from the second on; the first lies elsewhere and is not among the last five.
        let mut points: Vec<Point> = (1..6).map(|at| 4f64.powi(at)).map(|examples| of(examples, 8.0 / examples.sqrt())).collect();
        points.push(of(1.0, 3.0));
        let (ln_loss, se, degrees) = carried(&points, 4f64.powi(7)).expect("six");
        assert!((ln_loss - (8.0f64 / 128.0).ln()).abs() < 1e-12 && se < 1e-6 && degrees == 3.0, "{ln_loss} {se}");
        assert_eq!(carried(&points[..4], 1e6), None);
    }

    #[test]
    fn the_base_that_falls_faster_is_chosen_before_it_is_ahead() {
        // Steep from the first and level later, and the other way round: they cross after the tenth doubling.
        let bases = [trials("early", [1.0, 20.0, 2.0, 0.3], 14), trials("late", [0.4, 6000.0, 1500.0, 0.7], 14)];
        let at = |base: &Trials, place: usize| base.1[place].loss;
        assert!(at(&bases[0], 10) < at(&bases[1], 10) && at(&bases[1], 13) < at(&bases[0], 13), "the curves cross");
        let found = chosen_earlier(&bases, 100.0 * 2f64.powi(10), 100.0 * 2f64.powi(13)).expect("enough trials");
        assert_eq!((found.chosen.as_str(), found.best.as_str(), found.above, found.bases), ("late", "late", 0.0, 2));
        assert!(found.above_by_last > 0.05, "{found:?}");
        let choice = choose(&bases, 0.95).expect("two");
        assert_eq!((choice.forecasts[0].0.as_str(), choice.examples), ("late", 800.0 * 2f64.powi(13)));
        assert!(choose(&bases[..1], 0.95).is_none() && choose(&[trials("a", [1.0, 20.0, 2.0, 0.3], 4)], 0.95).is_none());
    }
}
