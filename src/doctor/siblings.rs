//! What the other runs of a table say of a run: its siblings, equal in all but learning rate and seeds. A rate that costs loss
//! along an ordinary curve shows in nothing else.

use super::{Ailment, Finding};
use crate::spec::sample::mean;
use crate::spec::{Ignoring, RunRecord, RunStatus, of_one_length};
use std::collections::BTreeMap;

/// Loss above that of the best rate that makes a rate wrong. Halving a good rate costs runs of 10⁴ parameters up to 5.5 %, which is
/// what grids of learning rates are for; rates forty times too high cost 6.6 % and more (seeds 0 to 3 of tests/it/doctor.rs).
const WORSE: f64 = 0.06;
/// And so many standard deviations of ln L between seeds.
const NOISES: f64 = 5.0;
/// Standard deviation of ln L between seeds where none was repeated: runs of 5 to 400 thousand parameters have 0.5 to 1.5 %.
const USUAL_NOISE: f64 = 0.015;

/// A finding for each run whose rate is far from the best of its siblings, in the order of the records.
pub(super) fn siblings(records: &[RunRecord]) -> Vec<Option<Finding>> {
    let families = families(records);
    let noise = noise(&families);
    let mut found = vec![None; records.len()];
    for family in &families {
        for rate in family.rates.iter().filter(|rate| rate.value != family.best().value) {
            let is_scanned = family.is_scan_up_to(rate.value);
            for &(at, ln_loss) in &rate.runs {
                let finding = judged(rate.value, ln_loss, family.best(), noise);
                found[at] = finding.map(|finding| if is_scanned { finding.into_remark() } else { finding });
            }
        }
    }
    found
}

/// Runs that differ in learning rate and seeds alone.
struct Family {
    rates: Vec<Rate>,
}

/// Rates from which runs are a scan of them, and how far apart, as a factor, neighbours of a scan are.
const FEWEST_OF_SCAN: usize = 4;
const WIDEST_OF_SCAN: f64 = 4.5;

/// The runs of a family at one learning rate.
struct Rate {
    value: f64,
    /// (place in the table, ln L).
    runs: Vec<(usize, f64)>,
}

impl Family {
    /// Whether the rates from the best to another were tried in order to find the best: what was paid for the search makes no run sick.
    fn is_scan_up_to(&self, rate: f64) -> bool {
        let values: Vec<f64> = self.rates.iter().map(|rate| rate.value).collect();
        let best = self.best().value;
        let inside = values.first().is_some_and(|lowest| *lowest < best) && values.last().is_some_and(|highest| *highest > best);
        let between = |value: &f64| (best.min(rate)..=best.max(rate)).contains(value);
        let way: Vec<f64> = values.iter().copied().filter(between).collect();
        inside && values.len() >= FEWEST_OF_SCAN && way.windows(2).all(|pair| pair[1] / pair[0] <= WIDEST_OF_SCAN)
    }

    /// The rate with the lowest mean ln L.
    fn best(&self) -> &Rate {
        self.rates.iter().min_by(|a, b| a.mean().total_cmp(&b.mean())).expect("a family has runs")
    }
}

impl Rate {
    fn mean(&self) -> f64 {
        mean(self.runs.iter().map(|run| run.1)).expect("a rate has runs")
    }

    /// Σ of squares about the mean, and its degrees of freedom.
    fn squares(&self) -> (f64, usize) {
        let mean = self.mean();
        (self.runs.iter().map(|run| (run.1 - mean).powi(2)).sum(), self.runs.len() - 1)
    }
}

/// Siblings have everything in common but rate, seeds, and what came of the run.
fn families(records: &[RunRecord]) -> Vec<Family> {
    let known = |record: &RunRecord| {
        let loss = record.loss_nats.filter(|loss| loss.0.is_finite() && loss.0 > 0.0)?;
        let rate = record.learning_rate.filter(|rate| *rate > 0.0)?;
        (record.status == RunStatus::Finished).then_some((rate, loss.0.ln()))
    };
    let key = |record: &RunRecord| known(record).map(|_| record.key(Ignoring::SEEDS | Ignoring::LEARNING_RATE));
    let family = |places: Vec<usize>| {
        let mut rates: BTreeMap<u64, Rate> = BTreeMap::new();
        for (at, (rate, ln_loss)) in places.into_iter().filter_map(|at| Some((at, known(&records[at])?))) {
            // Positive numbers have the order of their bits.
            rates.entry(rate.to_bits()).or_insert_with(|| Rate { value: rate, runs: Vec::new() }).runs.push((at, ln_loss));
        }
        Family { rates: rates.into_values().collect() }
    };
    of_one_length(records, key).into_iter().map(|(_, places)| family(places)).collect()
}

/// Standard deviation of ln L between seeds at the best rates, where any was repeated.
fn noise(families: &[Family]) -> f64 {
    let (squares, degrees) =
        families.iter().map(|family| family.best().squares()).fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if degrees == 0 { USUAL_NOISE } else { (squares / degrees as f64).sqrt() }
}

fn judged(rate: f64, ln_loss: f64, best: &Rate, noise: f64) -> Option<Finding> {
    let above = ln_loss - best.mean();
    // The mean of the best has a noise of its own.
    let spread = noise * (1.0 + 1.0 / best.runs.len() as f64).sqrt();
    if above < WORSE.ln_1p() || above < NOISES * spread {
        return None;
    }
    let (ailment, side) = if rate > best.value { (Ailment::RateTooHigh, "lower") } else { (Ailment::RateTooLow, "higher") };
    let evidence = format!(
        "loss {:.3} at a learning rate of {rate:.1e}, {:.1} % above the {:.3} of {} that differ{} in a {side} one of {:.1e} alone; between seeds {:.1} %",
        ln_loss.exp(),
        100.0 * above.exp_m1(),
        best.mean().exp(),
        if best.runs.len() == 1 { "a run".to_owned() } else { format!("{} runs", best.runs.len()) },
        if best.runs.len() == 1 { "s" } else { "" },
        best.value,
        100.0 * noise
    );
    Some(Finding::new(ailment, None, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Nats;

    fn run(rate: f64, seed: u64, loss: f64) -> RunRecord {
        RunRecord {
            run_id: format!("{rate}-{seed}"),
            layers: Some(2),
            learning_rate: Some(rate),
            seed_data: Some(seed),
            loss_nats: Some(Nats(loss)),
            ..RunRecord::default()
        }
    }

    fn ailments(records: &[RunRecord]) -> Vec<Option<Ailment>> {
        siblings(records).into_iter().map(|found| found.map(|finding| finding.ailment)).collect()
    }

    #[test]
    fn a_rate_is_wrong_where_a_sibling_at_another_is_clearly_better() {
        let table = [run(1e-3, 0, 2.6), run(8e-3, 0, 2.0), run(8e-3, 1, 2.02), run(1.6e-2, 0, 2.06), run(0.3, 0, 2.4)];
        assert_eq!(ailments(&table), [Some(Ailment::RateTooLow), None, None, None, Some(Ailment::RateTooHigh)]);
        let told = siblings(&table)[4].clone().expect("found");
        assert!(told.fault && told.evidence.contains("19.4 % above the 2.010 of 2 runs that differ in a lower one of 8.0e-3"), "{told:?}");
    }

    #[test]
    fn a_scan_of_rates_around_the_best_makes_no_run_sick() {
        let losses = [(1e-3, 2.6), (2e-3, 2.3), (4e-3, 2.1), (8e-3, 2.0), (1.6e-2, 2.3)];
        let scan = losses.map(|(rate, loss)| run(rate, 0, loss));
        let found: Vec<_> = siblings(&scan).into_iter().map(|found| found.map(|finding| (finding.ailment, finding.fault))).collect();
        assert_eq!(found[0], Some((Ailment::RateTooLow, false)));
        assert_eq!(found[4], Some((Ailment::RateTooHigh, false)));
        // One that lies far outside was no part of it.
        let outside = [scan.to_vec(), vec![run(0.3, 0, 2.6)]].concat();
        assert!(siblings(&outside)[5].as_ref().is_some_and(|finding| finding.fault));
    }

    #[test]
    fn what_differs_in_more_than_the_rate_is_no_sibling() {
        let other = RunRecord { layers: Some(3), ..run(8e-3, 0, 2.0) };
        assert_eq!(ailments(&[run(0.3, 0, 2.4), other]), [None, None]);
        let diverged = RunRecord { status: RunStatus::Diverged, ..run(8e-3, 0, 2.0) };
        assert_eq!(ailments(&[run(0.3, 0, 2.4), diverged]), [None, None]);
    }

    #[test]
    fn noise_between_seeds_widens_what_is_clear() {
        // ln 2 and ln 2.2 have σ = 0.067, and five of these by √1.5 are 51 %.
        let table = [run(8e-3, 0, 2.0), run(8e-3, 1, 2.2), run(0.3, 0, 2.8)];
        assert_eq!(ailments(&table), [None, None, None]);
    }
}
