//! What a search will still ask for: it is played on with losses of a valley about the best recipes so far, until it is settled.

use super::grid::{CorpusFacts, Grid};
use super::plan::PlanError;
use super::planned::PlannedRun;
use super::search::{Propose, resolve};
use crate::spec::{Nats, RunRecord, RunSpec, RunStatus};
use std::collections::{HashMap, HashSet};

/// What a valley rises by, of the loss, where the rate or the batch is e times that of its bottom. Only the order of losses
/// matters to a search; how wide valleys are, hardly.
const RISE: f64 = 0.03;
/// Rounds after which a search is not followed further.
const MOST_ROUNDS: usize = 200;

/// The runs that a search is expected to ask for beyond the plan that `done` gives; none where nothing is searched.
pub fn foresee(
    grid: &Grid,
    facts: &CorpusFacts,
    seconds_per_token: &dyn Fn(&RunSpec) -> f64,
    done: &HashMap<String, RunRecord>,
    propose: Propose<'_>,
) -> Result<Vec<PlannedRun>, PlanError> {
    if !grid.recipe.search.any() {
        return Ok(Vec::new());
    }
    let bottoms = Bottoms::of(grid, done);
    let mut imagined = done.clone();
    let mut asked: Option<HashSet<String>> = None;
    for _ in 0..MOST_ROUNDS {
        let plan = resolve(grid, facts, seconds_per_token, &imagined, propose)?.plan;
        let known = asked.get_or_insert_with(|| plan.runs.iter().map(|run| run.id.clone()).collect());
        let missing: Vec<&PlannedRun> = plan.runs.iter().filter(|run| !imagined.contains_key(&run.id)).collect();
        if missing.is_empty() {
            return Ok(plan.runs.into_iter().filter(|run| !known.contains(&run.id) && !done.contains_key(&run.id)).collect());
        }
        let played: Vec<(String, RunRecord)> = missing.iter().map(|run| (run.id.clone(), bottoms.played(&run.spec))).collect();
        imagined.extend(played);
    }
    Ok(Vec::new())
}

/// The best recipe of a shape on a number of tokens.
struct Bottom {
    ln_n: f64,
    ln_d: f64,
    learning_rate: f64,
    batch: f64,
    loss: f64,
}

impl Bottom {
    fn of(record: &RunRecord) -> Option<Self> {
        Some(Self {
            ln_n: record.params_total?.0.ln(),
            ln_d: record.tokens?.0.ln(),
            learning_rate: record.learning_rate?,
            batch: record.batch_tokens?.0,
            loss: record.loss_nats?.0,
        })
    }

    fn distance(&self, other: &Self) -> f64 {
        (self.ln_n - other.ln_n).powi(2) + (self.ln_d - other.ln_d).powi(2)
    }
}

struct Bottoms {
    /// Every finished run.
    known: Vec<Bottom>,
    /// Before anything is known: the middle of where the search starts.
    start: (f64, f64),
}

impl Bottoms {
    fn of(grid: &Grid, done: &HashMap<String, RunRecord>) -> Self {
        let mut known: Vec<Bottom> = done.values().filter_map(Bottom::of).collect();
        // Of a cell the lowest loss comes first; a map has no order of its own.
        known.sort_by(|a, b| a.loss.total_cmp(&b.loss).then(a.learning_rate.total_cmp(&b.learning_rate)).then(a.ln_d.total_cmp(&b.ln_d)));
        let mut rates = grid.recipe.learning_rates.clone();
        rates.sort_by(f64::total_cmp);
        let mut batches = grid.recipe.batch_tokens.clone();
        batches.sort_unstable();
        Self { known, start: (rates[rates.len() / 2], batches[batches.len() / 2] as f64) }
    }

    /// How a run ends where its valley lies as the nearest that is known.
    fn played(&self, spec: &RunSpec) -> RunRecord {
        let mut record = RunRecord::planned(spec);
        let (rate, batch) = (spec.recipe.learning_rate, spec.recipe.batch_tokens as f64);
        let size = |number: Option<f64>| number.map_or(0.0, f64::ln);
        let own = Bottom {
            ln_n: size(record.params_total.map(|n| n.0)),
            ln_d: size(record.tokens.map(|d| d.0)),
            learning_rate: rate,
            batch,
            loss: 0.0,
        };
        // The first of equals: the best of the nearest cell.
        let nearest = self.known.iter().min_by(|a, b| a.distance(&own).total_cmp(&b.distance(&own)));
        let ((best_rate, best_batch), loss) = nearest.map_or((self.start, 1.0), |known| ((known.learning_rate, known.batch), known.loss));
        let apart = (rate / best_rate).ln().powi(2) + (batch / best_batch).ln().powi(2);
        (record.status, record.loss_nats) = (RunStatus::Finished, Some(Nats(loss * (1.0 + RISE * apart))));
        record
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::facts;
    use super::super::grid::tests::SMALL;
    use super::*;
    use crate::spec::{SearchFamily, SearchSpace};

    /// Three rates; then higher ones as long as the highest is the best.
    fn bracketing(space: &SearchSpace, _: &[SearchFamily], family: &SearchFamily) -> Vec<(f64, f64)> {
        let start = space.learning_rate.as_ref().expect("searched");
        let best = family.tried.iter().filter_map(|tried| Some((tried.loss?, tried.learning_rate))).min_by(|a, b| a.0.total_cmp(&b.0));
        let highest = family.tried.iter().map(|tried| tried.learning_rate).fold(0.0, f64::max);
        match best {
            None => start.iter().map(|&rate| (rate, family.batch)).collect(),
            Some((_, rate)) if rate == highest => vec![(2.0 * highest, family.batch)],
            Some(_) => Vec::new(),
        }
    }

    #[test]
    fn what_is_foreseen_is_what_a_search_with_such_valleys_asks_for() {
        let text = format!("{SMALL}\n[recipe]\nlearning_rate = {{ search = \"adaptive\", start = [4e-3, 1e-3, 2e-3] }}");
        let grid = Grid::parse(&text).expect("valid");
        let (facts, seconds) = (facts(None), |_: &RunSpec| 1e-5);
        let ahead = |done: &HashMap<String, RunRecord>| foresee(&grid, &facts, &seconds, done, &bracketing).expect("a plan");
        let plan = |done: &HashMap<String, RunRecord>| resolve(&grid, &facts, &seconds, done, &bracketing).expect("a plan").plan;
        // Nothing is known: each of two chains has a second family, which needs its three rates.
        assert_eq!(ahead(&HashMap::new()).len(), 6);
        // The truth has its optimum at 16e-3: three more rates for every family, and one that is too high.
        let mut done = HashMap::new();
        let mut foreseen = Vec::new();
        loop {
            let now = plan(&done);
            let missing: Vec<&PlannedRun> = now.runs.iter().filter(|run| !done.contains_key(&run.id)).collect();
            foreseen.push(missing.len() + ahead(&done).len());
            if missing.is_empty() {
                break;
            }
            let ended = missing.iter().map(|run| {
                let mut record = RunRecord::planned(&run.spec);
                let loss = 2.0 + (run.spec.recipe.learning_rate / 16e-3).ln().powi(2);
                (record.status, record.loss_nats) = (RunStatus::Finished, Some(Nats(loss)));
                (run.id.clone(), record)
            });
            let ended: Vec<_> = ended.collect();
            done.extend(ended);
        }
        assert_eq!(done.len(), 4 * 6);
        assert_eq!(foreseen.last(), Some(&0));
        // Once the smaller shapes have found 16e-3, the others are foreseen to the last run.
        let halfway = foreseen[foreseen.len() / 2];
        assert_eq!(halfway, 12, "{foreseen:?}");
    }

    #[test]
    fn nothing_is_foreseen_where_nothing_is_searched() {
        let grid = Grid::parse(SMALL).expect("valid");
        let found = foresee(&grid, &facts(None), &|_: &RunSpec| 1e-5, &HashMap::new(), &bracketing).expect("a plan");
        assert!(found.is_empty());
    }
}
