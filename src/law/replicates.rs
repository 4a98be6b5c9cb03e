//! Runs that differ in nothing but their seeds: what their losses scatter by is the noise of one run.

use super::shape_of;
use crate::spec::{RunRecord, RunStatus};
use std::collections::BTreeMap;

/// ln L of finished runs by cell, a cell being all that stands in a record but seeds, name and outcome. Without seeds in
/// the table nothing says that two equal rows are two trainings, so there are no replicates.
pub fn replicates(records: &[RunRecord]) -> Vec<Vec<f64>> {
    let mut cells: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.status == RunStatus::Finished) {
        let (Some(loss), true) = (record.loss_nats, record.seed_init.is_some() || record.seed_data.is_some()) else {
            continue;
        };
        cells.entry(cell_of(record)).or_default().push(loss.0.ln());
    }
    cells.into_values().filter(|losses| losses.len() > 1).collect()
}

/// Everything that must agree, as text.
fn cell_of(record: &RunRecord) -> String {
    let r = record;
    format!(
        "{:?}",
        (
            (&r.corpus_sha256, r.layers, r.width, r.heads, r.kv_heads, r.ffn, r.vocabulary, r.context, r.qk_norm, r.tied_head),
            (r.params_total, r.tokens, r.unique_tokens, r.batch_tokens, &r.init, r.budget_flops),
            (r.learning_rate, &r.schedule, r.warmup_tokens, r.weight_decay, r.beta1, r.beta2, r.eps, r.grad_clip, &r.optimizer_groups),
        )
    )
}

/// Cell and seeds of a run as one word: runs that share it differ in their recipe alone. `None` where a table does not say.
pub fn block_of(record: &RunRecord) -> Option<String> {
    let shape = shape_of(record)?;
    // Whole batches leave tokens of one budget a little apart.
    let tokens = format!("{:.1e}", record.tokens?.0);
    Some(format!("{shape} {tokens} {}.{}", record.seed_init?, record.seed_data?))
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
