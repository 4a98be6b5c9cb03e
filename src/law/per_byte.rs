//! Which runs may stand in one law. A token of one tokenizer is not a token of another, so neither nats per token nor D are
//! the same quantity for both; bits per byte and bytes of text are.

use crate::spec::{Nats, RunRecord, RunStatus, Tokens};
use std::collections::BTreeSet;

/// The tokenizers of finished runs, each once; rows that name none count as one of their own where others name theirs.
pub fn tokenizers(records: &[RunRecord]) -> Vec<String> {
    let finished = records.iter().filter(|record| record.status == RunStatus::Finished);
    let names: BTreeSet<String> = finished.map(|record| record.tokenizer.clone().unwrap_or_else(|| "unknown".into())).collect();
    names.into_iter().collect()
}

/// The same runs with losses in bits per byte in place of nats per token, and D in bytes of text; none where a finished run
/// does not say how many bytes its tokens have.
pub fn in_bits_per_byte(records: &[RunRecord]) -> Option<Vec<RunRecord>> {
    let convert = |record: &RunRecord| {
        if record.status != RunStatus::Finished {
            return Some(record.clone());
        }
        let bytes = record.bytes_per_token.filter(|bytes| bytes.is_finite() && *bytes > 0.0)?;
        let loss = record.loss_nats?.to_bits_per_byte(bytes);
        let of_text = |tokens: Option<Tokens>| tokens.map(|tokens| Tokens(tokens.0 * bytes));
        Some(RunRecord {
            loss_nats: Some(Nats(loss.0)),
            tokens: of_text(record.tokens),
            unique_tokens: of_text(record.unique_tokens),
            ..record.clone()
        })
    };
    records.iter().map(convert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(tokenizer: &str, bytes_per_token: f64) -> RunRecord {
        RunRecord {
            tokenizer: Some(tokenizer.into()),
            bytes_per_token: Some(bytes_per_token),
            tokens: Some(Tokens(1e6)),
            unique_tokens: Some(Tokens(5e5)),
            loss_nats: Some(Nats(2.0 * std::f64::consts::LN_2)),
            ..RunRecord::default()
        }
    }

    #[test]
    fn tokens_of_four_bytes_and_two_bits_have_half_a_bit_per_byte() {
        let found = in_bits_per_byte(&[run("bpe", 4.0), run("bytes", 1.0)]).expect("known");
        assert_eq!((found[0].loss_nats, found[0].tokens, found[0].unique_tokens), (Some(Nats(0.5)), Some(Tokens(4e6)), Some(Tokens(2e6))));
        assert_eq!((found[1].loss_nats, found[1].tokens), (Some(Nats(2.0)), Some(Tokens(1e6))));
        assert_eq!(in_bits_per_byte(&[RunRecord { bytes_per_token: None, ..run("bpe", 1.0) }]), None);
        let diverged = RunRecord { status: RunStatus::Diverged, loss_nats: None, ..run("bpe", 4.0) };
        assert_eq!(in_bits_per_byte(std::slice::from_ref(&diverged)), Some(vec![diverged]));
    }

    #[test]
    fn tokenizers_are_those_of_finished_runs() {
        let failed = RunRecord { status: RunStatus::Failed, ..run("other", 1.0) };
        assert_eq!(tokenizers(&[run("bytes", 1.0), run("bpe-300", 2.0), run("bytes", 1.0), failed]), ["bpe-300", "bytes"]);
    }
}
