//! Runs of fine-tuning in groups: those of each base, those from scratch, bases before they were fine-tuned.

use super::prepare::on_one_axis;
use crate::law::{Exclusion, Point, Variable, points, tuned};
use crate::spec::sample::extent;
use crate::spec::{EXAMPLES, FlopRule, Ignoring, RANK, REPLAY, RunKey, RunRecord, SCRATCH, SizeMeasure, Tokens, short};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest runs with examples, and fewest numbers of examples, of a table of fine-tuning.
const FEWEST: usize = 4;

/// Tokens an example that differ by this factor or more are not those of the examples.
const OF_EXAMPLES: f64 = 1.1;

/// Whether runs are of fine-tuning: their stage is, or they say on how many examples, and their tokens are not those of the examples.
pub fn is_fine_tuned(records: &[RunRecord]) -> bool {
    if records.iter().any(|record| record.stage.is_some()) {
        return true;
    }
    let of = |record: &RunRecord| {
        let examples = record.covariates().into_iter().find(|(name, _)| name == EXAMPLES)?.1;
        (examples > 0.0).then(|| (examples, record.tokens.map(|tokens| tokens.0 / examples)))
    };
    let found: Vec<(f64, Option<f64>)> = records.iter().filter_map(of).collect();
    let lengths = extent(found.iter().filter_map(|(_, length)| *length));
    let are_of_examples = lengths.is_some_and(|(low, high)| high < OF_EXAMPLES * low);
    let values: BTreeSet<u64> = found.iter().map(|(examples, _)| examples.to_bits()).collect();
    values.len() >= FEWEST && !are_of_examples
}

/// A covariate of a point.
pub(super) fn of(point: &Point, name: &'static str) -> Option<f64> {
    Variable::Named(name).of(point)
}

/// Runs in groups.
pub(super) struct Groups {
    /// Runs of each base with some examples, by what it is.
    pub(super) bases: BTreeMap<BaseKey, Vec<Point>>,
    /// Runs on the examples alone; their D is those.
    pub(super) scratch: Vec<Point>,
    /// Losses of bases before fine-tuning.
    pub(super) before: usize,
    /// What is left out, and why.
    pub(super) excluded: Vec<Exclusion>,
}

/// What tells bases apart: words, N, tokens of pre-training, rank.
pub(super) type BaseKey = (Option<String>, [u64; 3]);

impl Groups {
    pub(super) fn of(records: &[RunRecord], measure: SizeMeasure, rule: FlopRule, own: bool) -> Self {
        let best = tuned(of_best_epochs(records).into_iter().map(on_its_task).collect());
        let kept: Vec<RunRecord> = best.records.into_iter().map(off_its_task).collect();
        let mut groups = Self { bases: BTreeMap::new(), scratch: Vec::new(), before: 0, excluded: best.excluded };
        for record in on_one_axis(&kept, own).into_iter().map(on_its_task) {
            let is_from_scratch = is_from_scratch(&record);
            let (found, excluded) = points(std::slice::from_ref(&record), measure, rule);
            groups.excluded.extend(excluded);
            let Some(point) = found.into_iter().next() else { continue };
            match of(&point, EXAMPLES) {
                None => groups.excluded.push(Exclusion { run: point.run, reason: "it does not say on how many examples".to_owned() }),
                Some(0.0) => groups.before += 1,
                Some(examples) if examples < 0.0 => {
                    groups.excluded.push(Exclusion { run: point.run, reason: "its examples are below 0".to_owned() });
                }
                Some(examples) if is_from_scratch => groups.scratch.push(Point { d: examples, ..point }),
                Some(_) => {
                    let rank = of(&point, RANK).unwrap_or(f64::NAN);
                    let key = (record.other_choices.clone(), [point.n, point.d, rank].map(f64::to_bits));
                    groups.bases.entry(key).or_default().push(point);
                }
            }
        }
        groups
    }

    /// The runs of each base with the least replay that it has: those that laws of the task are about.
    pub(super) fn without_replay(&self) -> impl Iterator<Item = (&BaseKey, Vec<Point>)> {
        self.bases.iter().map(|(key, all)| {
            let least = all.iter().map(|point| of(point, REPLAY).unwrap_or(0.0)).fold(f64::INFINITY, f64::min);
            (key, all.iter().filter(|point| of(point, REPLAY).unwrap_or(0.0) == least).cloned().collect())
        })
    }

    /// The name of each base.
    pub(super) fn names(&self) -> Vec<String> {
        let words = |key: &BaseKey| {
            let values = key.0.as_deref()?.split(", ").map(|pair| pair.split_once(" = ").map_or(pair, |(_, value)| value));
            Some(values.collect::<Vec<_>>().join(", "))
        };
        let differ = |at: usize| self.bases.keys().map(|key| key.1[at]).collect::<BTreeSet<_>>().len() > 1;
        let sizes = |key: &BaseKey| {
            let said = ["N = ", "D = ", "rank "].into_iter().zip(key.1).enumerate().filter(|(at, _)| differ(*at));
            said.map(|(_, (name, bits))| format!("{name}{}", short(f64::from_bits(bits)))).collect::<Vec<_>>().join(", ")
        };
        let named: Vec<Option<String>> = self.bases.keys().map(words).collect();
        let is_enough = |name: &Option<String>| name.is_some() && named.iter().filter(|other| *other == name).count() == 1;
        let one = |(key, name): (&BaseKey, &Option<String>)| {
            let all = [name.clone(), Some(sizes(key)).filter(|_| !is_enough(name))];
            let text = all.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
            if text.is_empty() { "the base".to_owned() } else { text }
        };
        self.bases.keys().zip(&named).map(one).collect()
    }
}

fn is_from_scratch(record: &RunRecord) -> bool {
    record.covariates().iter().any(|(name, value)| name == SCRATCH && *value == 1.0)
}

/// What stands for the tokens of pre-training of a run that has none.
const NO_TOKENS: Tokens = Tokens(1.0);

/// A run from scratch has no tokens of pre-training; a number stands for them, so that runs with other recipes are of its cell.
fn on_its_task(mut record: RunRecord) -> RunRecord {
    if is_from_scratch(&record) {
        record.tokens.get_or_insert(NO_TOKENS);
    }
    record
}

/// The same without that number.
fn off_its_task(mut record: RunRecord) -> RunRecord {
    if is_from_scratch(&record) && record.tokens == Some(NO_TOKENS) {
        record.tokens = None;
    }
    record
}

/// Runs as laws of fine-tuning see them: of those of a sweep that differ in how often they saw their pairs alone that of the lowest loss,
/// as people keep the best epoch.
fn of_best_epochs(records: &[RunRecord]) -> Vec<RunRecord> {
    let mut kept: Vec<RunRecord> = Vec::new();
    let mut places: BTreeMap<RunKey, usize> = BTreeMap::new();
    for record in records.iter().map(RunRecord::of_its_base) {
        if record.stage.is_none() {
            kept.push(record);
            continue;
        }
        let loss = |record: &RunRecord| record.loss_nats.map_or(f64::INFINITY, |loss| loss.0);
        match places.entry(record.key(Ignoring::default())) {
            Entry::Occupied(place) if loss(&record) < loss(&kept[*place.get()]) => kept[*place.get()] = record,
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(record);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, Params};

    fn run(words: Option<&str>, n: f64, covariates: &[(&str, f64)]) -> RunRecord {
        RunRecord {
            run_id: format!("{words:?} {n} {covariates:?}"),
            params_total: Some(Params(n)),
            loss_nats: Some(Nats(2.0)),
            other_choices: words.map(str::to_owned),
            covariates: covariates.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            ..RunRecord::default()
        }
    }

    #[test]
    fn runs_go_to_their_bases_and_those_without_examples_to_none() {
        let runs = [
            run(None, 1e6, &[(EXAMPLES, 0.0)]),
            run(None, 1e6, &[(EXAMPLES, 100.0), (REPLAY, 0.0)]),
            run(None, 1e6, &[(EXAMPLES, 100.0), (REPLAY, 0.1)]),
            run(None, 2e6, &[(EXAMPLES, 100.0)]),
            run(None, 1e6, &[(EXAMPLES, 100.0), (SCRATCH, 1.0)]),
            run(None, 1e6, &[]),
        ];
        let groups = Groups::of(&runs, SizeMeasure::AsGiven, FlopRule::AsGiven, false);
        assert_eq!((groups.before, groups.scratch.len(), groups.excluded.len()), (1, 1, 1));
        // Of two recipes from scratch the better one counts, as from a base.
        let recipe = |loss: f64, rate: f64, scratch: f64| RunRecord {
            learning_rate: Some(rate),
            loss_nats: Some(Nats(loss)),
            ..run(None, 1e6, &[(EXAMPLES, 100.0), (SCRATCH, scratch)])
        };
        let both = [recipe(2.0, 1e-3, 1.0), recipe(1.9, 2e-3, 1.0), recipe(1.8, 1e-3, 0.0), recipe(1.7, 2e-3, 0.0)];
        let better = Groups::of(&both, SizeMeasure::AsGiven, FlopRule::AsGiven, false);
        assert_eq!(better.scratch.iter().map(|point| point.loss).collect::<Vec<_>>(), [1.9]);
        assert_eq!((groups.scratch[0].n, groups.scratch[0].d), (1e6, 100.0));
        assert_eq!(groups.names(), ["N = 1M", "N = 2M"]);
        let counts: Vec<usize> = groups.without_replay().map(|(_, points)| points.len()).collect();
        assert_eq!(counts, [1, 1], "runs with replay are not of the task alone");
    }

    #[test]
    fn bases_are_called_by_their_words_and_by_their_sizes_where_words_are_not_enough() {
        let of = |runs: &[RunRecord]| Groups::of(runs, SizeMeasure::AsGiven, FlopRule::AsGiven, false).names();
        let one = [(EXAMPLES, 100.0)];
        assert_eq!(of(&[run(Some("model = a, family = x"), 1e6, &one), run(Some("model = b, family = x"), 1e6, &one)]), ["a, x", "b, x"]);
        assert_eq!(of(&[run(Some("task = a"), 1e6, &one), run(Some("task = a"), 2e6, &one)]), ["a, N = 1M", "a, N = 2M"]);
        assert_eq!(of(&[run(None, 1e6, &one)]), ["the base"]);
    }

    #[test]
    fn a_table_is_of_fine_tuning_where_it_has_several_numbers_of_examples() {
        let runs = |examples: &[f64]| examples.iter().map(|one| run(None, 1e6, &[(EXAMPLES, *one)])).collect::<Vec<_>>();
        assert!(is_fine_tuned(&runs(&[0.0, 1.0, 2.0, 3.0, 4.0])));
        // Sequences of a pre-training, of 512 tokens each.
        let of_sequences = runs(&[1.0, 2.0, 3.0, 4.0])
            .into_iter()
            .zip(1..)
            .map(|(run, at)| RunRecord { tokens: Some(Tokens(512.0 * f64::from(at))), ..run });
        assert!(!is_fine_tuned(&of_sequences.collect::<Vec<_>>()));
        assert!(!is_fine_tuned(&runs(&[0.0, 1.0, 2.0, 3.0, 3.0])) && !is_fine_tuned(&[run(None, 1e6, &[])]));
    }

    #[test]
    fn runs_of_a_sweep_are_of_their_bases_and_of_the_best_epoch() {
        let of = |epochs: f64, loss: f64, start: &str| RunRecord {
            stage: Some("fine-tuning".into()),
            start: Some(start.into()),
            base_run: (start == "base").then(|| "a base".into()),
            base_tokens: (start == "base").then_some(Tokens(1e6)),
            examples: Some(100),
            replay: Some(0.0),
            epochs: Some(epochs),
            tokens: Some(Tokens(100.0 * epochs)),
            ..RunRecord { loss_nats: Some(Nats(loss)), ..run(None, 1e4, &[]) }
        };
        let records = [of(1.0, 2.0, "base"), of(4.0, 1.5, "base"), of(16.0, 1.8, "base"), of(4.0, 2.5, "scratch")];
        assert!(is_fine_tuned(&records));
        let groups = Groups::of(&records, SizeMeasure::AsGiven, FlopRule::AsGiven, true);
        let bases: Vec<_> = groups.bases.values().flatten().map(|point| (point.d, point.loss, of_point(point))).collect();
        assert_eq!(bases, [(1e6, 1.5, Some(100.0))]);
        assert_eq!(groups.scratch.iter().map(|point| (point.d, point.loss)).collect::<Vec<_>>(), [(100.0, 2.5)]);
    }

    fn of_point(point: &Point) -> Option<f64> {
        super::of(point, EXAMPLES)
    }
}
