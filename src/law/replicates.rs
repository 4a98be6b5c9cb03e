//! Runs that differ in nothing but their seeds: what their losses scatter by is the noise of one run.

use super::shape_of;
use crate::spec::{Ignoring, RunRecord, RunStatus, of_one_length};
use std::collections::BTreeMap;

/// ln L of finished runs that differ in their seeds alone, group by group. Without seeds in the table nothing says that two equal
/// rows are two trainings, so there are no replicates. A pair of seeds that comes twice is counted once where its losses are the
/// same, a copy; where they are not, something that no column says differs between the runs, and the group is none.
pub fn replicates(records: &[RunRecord]) -> Vec<Vec<f64>> {
    let key = |record: &RunRecord| {
        let seeded = record.seed_init.is_some() || record.seed_data.is_some();
        let counts = seeded && record.status == RunStatus::Finished && record.loss_nats.is_some();
        counts.then(|| record.key(Ignoring::SEEDS))
    };
    let group = |group: Vec<usize>| {
        let mut by_seeds: BTreeMap<[Option<u64>; 2], f64> = BTreeMap::new();
        for record in group.into_iter().map(|at| &records[at]) {
            let ln_loss = record.loss_nats?.0.ln();
            let known = *by_seeds.entry([record.seed_init, record.seed_data]).or_insert(ln_loss);
            if known != ln_loss {
                return None;
            }
        }
        Some(by_seeds.into_values().collect())
    };
    of_one_length(records, key).into_iter().filter_map(|(_, places)| group(places)).filter(|losses: &Vec<f64>| losses.len() > 1).collect()
}

/// Cell and seeds of each run as one word: runs that share it differ in their recipe, their data, or a detail of their network
/// alone. `None` where a table does not say.
pub fn blocks_of(records: &[RunRecord]) -> Vec<Option<String>> {
    let key =
        |record: &RunRecord| Some((shape_of(record)?.to_string(), record.tokens.map(|_| ())?, [record.seed_init?, record.seed_data?]));
    let mut blocks = vec![None; records.len()];
    for ((shape, (), [init, data]), group) in of_one_length(records, key) {
        let tokens = records[group[0]].tokens.map_or(0.0, |tokens| tokens.0);
        for at in group {
            blocks[at] = Some(format!("{shape} {tokens} {init}.{data}"));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, Params, Tokens};

    #[test]
    fn only_runs_that_differ_in_seeds_are_replicates() {
        let run = |seed: Option<u64>, rate: f64, loss: f64| RunRecord {
            params_total: Some(Params(1e6)),
            tokens: Some(Tokens(2e7)),
            seed_init: seed,
            learning_rate: Some(rate),
            loss_nats: Some(Nats(loss)),
            ..RunRecord::default()
        };
        let records =
            [run(Some(0), 1e-3, 2.0), run(Some(1), 1e-3, 2.1), run(Some(0), 2e-3, 2.2), run(None, 1e-3, 2.3), run(None, 1e-3, 2.4)];
        assert_eq!(replicates(&records), [vec![2f64.ln(), 2.1f64.ln()]]);
        let diverged = RunRecord { status: RunStatus::Diverged, ..run(Some(2), 2e-3, 9.0) };
        assert!(replicates(&[records[2].clone(), diverged]).is_empty());
    }

    #[test]
    fn runs_of_one_seed_are_no_replicates_of_each_other() {
        let run = |seed: u64, choice: Option<&str>, loss: f64| RunRecord {
            params_total: Some(Params(1e6)),
            tokens: Some(Tokens(2e7)),
            seed_init: Some(seed),
            other_choices: choice.map(str::to_owned),
            loss_nats: Some(Nats(loss)),
            ..RunRecord::default()
        };
        let none: [Vec<f64>; 0] = [];
        assert_eq!(replicates(&[run(0, None, 2.0), run(0, None, 2.3)]), none, "they differ in what no column says");
        let crossed = [run(0, None, 2.0), run(0, None, 2.3), run(1, None, 2.01), run(1, None, 2.31)];
        assert_eq!(replicates(&crossed), none);
        let copied = [run(0, None, 2.0), run(0, None, 2.0), run(1, None, 2.01)];
        assert_eq!(replicates(&copied), [vec![2f64.ln(), 2.01f64.ln()]], "a copy is no further run");
        let told = [run(0, Some("a"), 2.0), run(0, Some("b"), 2.3), run(1, Some("a"), 2.01), run(1, Some("b"), 2.31)];
        assert_eq!(replicates(&told).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
