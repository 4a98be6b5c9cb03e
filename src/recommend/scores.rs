//! How the laws of a forecast fared over runs: their errors, how often their intervals held and at what width, and what the errors
//! are in compute.

use super::forecast::{Forecast, Predicted, Record};
use super::verification::{Held, ScoredLaw, ScoredRun};
use crate::fit::{OffTheLaw, ln_compute_factor};
use crate::law::{Law, Point};
use std::collections::BTreeSet;

/// Who speaks in a forecast and then every other law that it holds, over the runs. `law` says what compute is worth.
pub(super) fn scored_laws(forecast: &Forecast, law: &Law, runs: &[ScoredRun]) -> Vec<ScoredLaw> {
    let own = runs.iter().map(|run| (run.forecast.clone(), run)).collect();
    let mut all = vec![scored_law(forecast.speaks(), forecast.own_record(), law, own)];
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.by_law.iter().map(|one| &one.name)).collect();
    let in_order = forecast.others.iter().map(|other| &other.name).filter(|name| names.contains(name));
    let more = names.iter().copied().filter(|name| forecast.others.iter().all(|other| other.name != **name));
    for name in in_order.chain(more) {
        let said = |run: &'_ ScoredRun| Some(run.by_law.iter().find(|one| one.name == *name)?.forecast.clone());
        let found = runs.iter().filter_map(|run| Some((said(run)?, run))).collect();
        let record = forecast.others.iter().find(|other| other.name == *name).and_then(|other| other.record.as_ref());
        all.push(scored_law(name, record, law, found));
    }
    all
}

fn scored_law(name: &str, record: Option<&Record>, law: &Law, found: Vec<(Predicted, &ScoredRun)>) -> ScoredLaw {
    let n = found.len() as f64;
    let errors = || found.iter().map(|(said, run)| said.value - run.loss_nats);
    let factors: Vec<Result<f64, OffTheLaw>> = found.iter().map(|(said, run)| as_compute(law, said, &place(run))).collect();
    let scores = || found.iter().map(|(said, run)| interval_score(said, run.loss_nats)).sum::<Option<f64>>();
    ScoredLaw {
        name: name.to_owned(),
        bias_nats: errors().sum::<f64>() / n,
        rms_nats: (errors().map(|error| error * error).sum::<f64>() / n).sqrt(),
        coverage: coverage(&found),
        interval_score_percent: scores().map(|sum| 100.0 * sum / n).filter(|score| score.is_finite()),
        compute_equivalent: factors.iter().copied().sum::<Result<f64, _>>().ok().map(|sum| (sum / n).exp_m1()),
        below_floor: factors.iter().filter(|factor| **factor == Err(OffTheLaw::BelowFloor)).count(),
        own_rms_nats: record.map(|record| record.rms_nats),
    }
}

fn place(run: &ScoredRun) -> Point {
    Point::new(run.params, run.tokens, run.loss_nats)
}

/// ln of the factor on compute by which a law goes from what was forecast at a place to the loss that was found there.
pub(super) fn as_compute(law: &Law, said: &Predicted, found: &Point) -> Result<f64, OffTheLaw> {
    let loss = found.loss * law.at(found.n, found.d) / said.value;
    ln_compute_factor(law, &Point { loss, ..found.clone() })
}

/// Width and 2/α times the miss of the widest interval, over the loss; `None` where an end is open.
fn interval_score(said: &Predicted, loss: f64) -> Option<f64> {
    let band = said.intervals.last()?;
    let (low, high) = (band.low?, band.high?);
    let miss = (low - loss).max(loss - high).max(0.0);
    Some((high - low + 2.0 / (1.0 - band.level) * miss) / loss)
}

/// How often intervals of each level held, over the runs that have one.
fn coverage(found: &[(Predicted, &ScoredRun)]) -> Vec<Held> {
    let bands = || found.iter().flat_map(|(said, run)| said.intervals.iter().map(|band| (band, run.loss_nats)));
    let mut levels: Vec<f64> = bands().map(|(band, _)| band.level).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let held = |level: f64| {
        let of: Vec<bool> = bands().filter(|(band, _)| band.level == level).map(|(band, loss)| band.holds(loss)).collect();
        Held { level, held: of.iter().filter(|held| **held).count(), of: of.len() }
    };
    levels.into_iter().map(held).collect()
}

#[cfg(test)]
mod tests {
    use super::super::forecast::Band;
    use super::*;

    #[test]
    fn an_interval_pays_for_its_width_and_forty_times_for_a_miss() {
        let said = |low, high| Predicted { value: 2.0, intervals: vec![Band { level: 0.95, low, high }] };
        let score = |loss| interval_score(&said(Some(1.9), Some(2.1)), loss).expect("bounded");
        assert!((score(2.0) - 0.1).abs() < 1e-12, "0.2 of 2 nats");
        assert!((score(2.2) - (0.2 + 40.0 * 0.1) / 2.2).abs() < 1e-9);
        assert!((score(1.6) - (0.2 + 40.0 * 0.3) / 1.6).abs() < 1e-9);
        assert_eq!(interval_score(&said(None, Some(2.1)), 2.0), None);
    }
}
