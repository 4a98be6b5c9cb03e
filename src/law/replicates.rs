//! Runs that differ in nothing but their seeds: what their losses scatter by is the noise of one run.

use super::shape_of;
use crate::spec::{Ignoring, RunRecord, RunStatus, of_one_length};

/// ln L of finished runs that differ in their seeds alone, group by group. Without seeds in the table nothing says that two equal
/// rows are two trainings, so there are no replicates.
pub fn replicates(records: &[RunRecord]) -> Vec<Vec<f64>> {
    let key = |record: &RunRecord| {
        let seeded = record.seed_init.is_some() || record.seed_data.is_some();
        let counts = seeded && record.status == RunStatus::Finished && record.loss_nats.is_some();
        counts.then(|| record.key(Ignoring::SEEDS))
    };
    let losses = |group: Vec<usize>| group.into_iter().filter_map(|at| Some(records[at].loss_nats?.0.ln())).collect();
    of_one_length(records, key).into_iter().map(|(_, group)| losses(group)).filter(|losses: &Vec<f64>| losses.len() > 1).collect()
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
}
