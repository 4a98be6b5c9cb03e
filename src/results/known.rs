//! Names under which the field writes our columns (exports of trackers, the public data sets of the literature), with the units that
//! stand in them.

use super::table::{RawTable, TableError};
use super::units::in_units;
use crate::spec::{COVARIATES, parse_quantity};
use csv::StringRecord;
use std::collections::HashSet;

/// Which foreign column is read as which of ours: pairs (ours, theirs). Theirs may be times a number, `params*1e6`, or `none`.
pub type ColumnMap = Vec<(String, String)>;

/// A column of ours and the names under which others write it; the first is that used in messages.
pub(super) struct Known {
    pub(super) ours: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A fit cannot do without it (or derives it from the others).
    Needed,
    /// A number that helps; one that cannot be read counts as absent.
    Quantity,
    /// A whole number that helps.
    Whole,
    /// A name or other text.
    Text,
    /// A number of no column of ours, which others follow from.
    Extra,
}

pub(super) const PARAMS: &str = "params_total";
pub(super) const TOKENS: &str = "tokens";
pub(super) const LOSS: &str = "loss_nats";
pub(super) const STEPS: &str = "steps";
pub(super) const RUN: &str = "run_id";
/// One column may be both of these: runs that were planned on a budget and met it.
pub(super) const FLOPS: &str = "flops_exact";
pub(super) const BUDGET: &str = "budget_flops";
/// Sequences a step: tokens a step where the length of a sequence is known.
pub(super) const BATCH_SEQUENCES: &str = "batch_sequences";
/// Parameters that each token meets, of a mixture of experts.
pub(super) const ACTIVE: &str = "active_params";
/// What `--columns` says of a column that is to be read from nowhere.
const NOTHING: &str = "none";

/// Every column that is read. Headers of W&B exports, of Open-Athena, marin, Step Law, nanochat, KC and of the points
/// recovered by Epoch are among the aliases.
pub(super) const KNOWN: [Known; 17] = [
    Known {
        ours: PARAMS,
        aliases: &[
            "params",
            "parameters",
            "n_params",
            "num_params",
            "parameter_count",
            "model size",
            "model_size",
            "n",
            "num_parameters",
            "n_parameters",
            "total_params",
            "total_parameters",
            "total_parameter_count",
        ],
        kind: Kind::Needed,
    },
    Known {
        ours: TOKENS,
        aliases: &[
            "tokens",
            "d",
            "n_tokens",
            "num_tokens",
            "train_tokens",
            "training_tokens",
            "tokens_trained",
            "tokens_seen",
            "num_tokens_seen",
            "total_tokens",
            "throughput/total_tokens",
        ],
        kind: Kind::Needed,
    },
    Known {
        ours: LOSS,
        aliases: &[
            "loss",
            "val_loss",
            "validation_loss",
            "loss_validation",
            "eval_loss",
            "final_loss",
            "test_loss",
            "val/loss",
            "eval/loss",
            "validation/loss",
            "eval/paloma/macro_loss",
            "val_bpb",
            "bpb",
            "bits_per_byte",
            "bits_per_token",
        ],
        kind: Kind::Needed,
    },
    Known {
        ours: FLOPS,
        aliases: &[
            "flops",
            "flop",
            "c",
            "compute",
            "train_flops",
            "training_flops",
            "training flop",
            "total_flops",
            "throughput/total_flops",
            "train_compute",
            "training_compute",
        ],
        kind: Kind::Needed,
    },
    Known { ours: BUDGET, aliases: &["budget", "flops_budget", "flop_budget", "compute_budget"], kind: Kind::Quantity },
    Known { ours: "unique_tokens", aliases: &["unique_tokens", "unique tokens", "d_unique"], kind: Kind::Quantity },
    Known { ours: "batch_tokens", aliases: &["batch_tokens", "batch_size_tokens", "tokens_per_step"], kind: Kind::Quantity },
    Known {
        ours: STEPS,
        aliases: &[
            "steps",
            "num_steps",
            "num_iterations",
            "train_steps",
            "num_train_steps",
            "trainer.num_train_steps",
            "step",
            "_step",
            "global_step",
            "trainer/global_step",
            "train_step",
            "training_step",
            "iteration",
            "iter",
            "iters",
        ],
        kind: Kind::Whole,
    },
    Known {
        ours: "learning_rate",
        aliases: &["learning_rate", "lr", "optimizer.learning_rate", "max_lr", "peak_lr"],
        kind: Kind::Quantity,
    },
    Known { ours: BATCH_SEQUENCES, aliases: &["batch_sequences", "bs", "batch_size", "trainer.train_batch_size"], kind: Kind::Extra },
    Known { ours: "context", aliases: &["context", "context_length", "seq_len", "sequence_length", "max_seq_len"], kind: Kind::Whole },
    Known { ours: "bytes_per_token", aliases: &["bytes_per_token"], kind: Kind::Quantity },
    Known { ours: "corpus", aliases: &["corpus", "dataset", "train_dataset", "training_data"], kind: Kind::Text },
    Known { ours: "schedule", aliases: &["schedule", "lr_schedule", "lr_scheduler", "lr_scheduler_type"], kind: Kind::Text },
    Known { ours: "seed_init", aliases: &["seed"], kind: Kind::Whole },
    Known {
        ours: ACTIVE,
        aliases: &[
            "active_params",
            "params_active",
            "active_parameters",
            "n_active",
            "n_active_params",
            "num_active_params",
            "activated",
            "activated_params",
            "activated_parameters",
            "active_parameter_count",
        ],
        kind: Kind::Extra,
    },
    Known { ours: RUN, aliases: &["run", "run_id", "name", "run_name", "exp_name", "hyper_id"], kind: Kind::Text },
];

/// Names of steps that are a place in a run, not its length.
const ALONG: [&str; 7] = ["step", "global_step", "train_step", "training_step", "iteration", "iter", "iters"];

/// Whether a header names a place in a run.
pub(super) fn is_along(header: &str) -> bool {
    let is = |name: &str| ALONG.iter().any(|along| canonical(along) == canonical(name));
    is(header) || last_part(header).is_some_and(is)
}

/// Whether a name is that of a loss.
pub(super) fn is_loss(name: &str) -> bool {
    let last = last_part(name).unwrap_or(name);
    KNOWN.iter().filter(|known| known.ours == LOSS).any(|known| known.aliases.iter().any(|alias| canonical(alias) == canonical(last)))
}

/// Where a column of ours stands in a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) at: usize,
    /// What its numbers are to be multiplied by, and the unit in words.
    pub(super) unit: Option<(f64, String)>,
}

impl Known {
    /// Whether a name is ours or one of the aliases.
    pub(super) fn is(&self, name: &str) -> bool {
        name == self.ours || self.aliases.contains(&name)
    }

    /// Its column in a table: the one mapped to it, the one named as ours, one of its aliases, one of them with a unit, or one whose
    /// path ends with one of them. A column without a value is one where there is no other.
    pub(super) fn find(&self, table: &RawTable, map: &ColumnMap) -> Result<Option<Found>, TableError> {
        if let Some((_, theirs)) = map.iter().find(|(name, _)| self.is(name)) {
            return Ok(mapped(table, theirs));
        }
        let is_taken = |at: usize| map.iter().any(|(_, theirs)| mapped(table, theirs).is_some_and(|found| found.at == at));
        let mut seen = HashSet::new();
        let mut all: Vec<Found> = self.candidates(table).into_iter().filter(|found| !is_taken(found.at) && seen.insert(found.at)).collect();
        if all.len() > 1 {
            let filled: Vec<Found> = all.iter().filter(|found| !is_blank(table, found.at)).cloned().collect();
            all = if filled.is_empty() { vec![all.swap_remove(0)] } else { filled };
            // A letter alone is a count of anything.
            if all.iter().any(|found| table.headers[found.at].len() > 1) {
                all.retain(|found| table.headers[found.at].len() > 1);
            }
        }
        // The place of a row goes before the length of its run.
        if self.ours == STEPS {
            let (places, lengths): (Vec<&Found>, Vec<&Found>) = all.iter().partition(|found| is_along(&table.headers[found.at]));
            let is_place = |place: &&&Found| lengths.iter().any(|length| !are_alike(table, place.at, length.at));
            if let Some(place) = places.iter().find(is_place) {
                return Ok(Some((*place).clone()));
            }
        }
        match all.as_slice() {
            [first, others @ ..]
                if self.kind == Kind::Needed
                    && let Some(second) = others
                        .iter()
                        .find(|other| table.headers[first.at] != table.headers[other.at] && !are_equal(table, first.at, other.at)) =>
            {
                Err(TableError::Ambiguous {
                    path: table.path.clone(),
                    first: table.headers[first.at].clone(),
                    second: table.headers[second.at].clone(),
                    meaning: self.aliases[0],
                })
            }
            all => Ok(all.first().cloned()),
        }
    }

    /// Columns that may be it, by the first way to recognise one that finds any; in the order of the aliases.
    fn candidates(&self, table: &RawTable) -> Vec<Found> {
        let plain = |at: usize| Found { at, unit: None };
        let by = |is: &dyn Fn(&str, &str) -> bool| -> Vec<Found> {
            let names = std::iter::once(self.ours).chain(self.aliases.iter().copied());
            let at =
                |name: &str| table.headers.iter().enumerate().filter(|(_, header)| is(header, name)).map(|(at, _)| at).collect::<Vec<_>>();
            names.flat_map(at).map(plain).collect()
        };
        if let Some(at) = table.headers.iter().position(|header| header.eq_ignore_ascii_case(self.ours)) {
            return vec![plain(at)];
        }
        let exact = by(&|header, name| header.eq_ignore_ascii_case(name));
        if !exact.is_empty() {
            return exact;
        }
        let spelt = by(&|header, name| canonical(header) == canonical(name));
        if !spelt.is_empty() {
            return spelt;
        }
        let with_unit: Vec<Found> = if self.is_counted() { self.with_units(table) } else { Vec::new() };
        if !with_unit.is_empty() {
            return with_unit;
        }
        by(&|header, name| {
            !header.to_ascii_lowercase().contains("train")
                && !is_ratio(header)
                && last_part(header).is_some_and(|last| canonical(last) == canonical(name))
        })
    }

    fn is_counted(&self) -> bool {
        [PARAMS, TOKENS, FLOPS, BUDGET, ACTIVE, "unique_tokens", "batch_tokens"].contains(&self.ours)
    }

    fn with_units(&self, table: &RawTable) -> Vec<Found> {
        let is_ours = |base: &str| self.aliases.iter().any(|alias| canonical(alias) == base);
        let one = |(at, header): (usize, &String)| {
            let (base, factor, said) = in_units(header, [FLOPS, BUDGET].contains(&self.ours))?;
            is_ours(&base).then_some(Found { at, unit: Some((factor, said)) })
        };
        table.headers.iter().enumerate().filter_map(one).collect()
    }
}

/// The column that a map names, with what it is multiplied by.
pub(super) fn mapped(table: &RawTable, theirs: &str) -> Option<Found> {
    let position = |name: &str| table.headers.iter().position(|header| header == name);
    if let Some(at) = position(theirs) {
        return Some(Found { at, unit: None });
    }
    let (name, factor) = theirs.rsplit_once('*')?;
    let factor: f64 = factor.trim().parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0)?;
    Some(Found { at: position(name.trim())?, unit: Some((factor, format!("times {factor:e}"))) })
}

/// Whether a map says that a column is read from nowhere.
pub(super) fn is_nothing(theirs: &str) -> bool {
    theirs == NOTHING
}

/// Whether a map names a column that is there.
pub(super) fn is_there(table: &RawTable, theirs: &str) -> bool {
    mapped(table, theirs).is_some()
}

/// Whether no row has a value in a column.
pub(super) fn is_blank(table: &RawTable, at: usize) -> bool {
    table.rows.iter().all(|(_, row)| row.get(at).is_none_or(str::is_empty))
}

/// A name in small letters, its words joined by _.
pub(super) fn canonical(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// Whether a name is a quantity over another, `tokens/params`.
fn is_ratio(name: &str) -> bool {
    let is_needed = |part: &str| {
        KNOWN.iter().any(|known| known.kind == Kind::Needed && known.aliases.iter().any(|alias| canonical(alias) == canonical(part)))
    };
    name.split_once('/').is_some_and(|(above, _)| is_needed(above))
}

/// Whether two columns hold the same numbers in most rows, up to one: the last step of a run and its length.
fn are_alike(table: &RawTable, one: usize, other: usize) -> bool {
    let number = |row: &StringRecord, at: usize| parse_quantity(row.get(at)?).ok();
    let both = |(_, row): &(u64, StringRecord)| Some((number(row, one)? - number(row, other)?).abs() <= 1.0);
    let alike: Vec<bool> = table.rows.iter().filter_map(both).collect();
    2 * alike.iter().filter(|same| **same).count() >= alike.len()
}

/// Whether two columns hold the same numbers in every row of several.
pub(super) fn are_equal(table: &RawTable, one: usize, other: usize) -> bool {
    let same = |(_, row): &(u64, StringRecord)| {
        let (one, other) = (row.get(one).unwrap_or_default(), row.get(other).unwrap_or_default());
        one == other || parse_quantity(one).is_ok_and(|one| parse_quantity(other).is_ok_and(|other| one == other))
    };
    table.rows.len() > 1 && table.rows.iter().all(same)
}

/// What stands last in a name that is a path.
fn last_part(name: &str) -> Option<&str> {
    name.rsplit_once(['/', '.']).map(|(_, last)| last)
}

/// The names that users give.
pub(super) fn names_known() -> String {
    let all = KNOWN.iter().map(|known| known.aliases[0]).chain(COVARIATES.iter().map(|known| known.name));
    all.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn found(headers: &[&str]) -> Vec<(&'static str, String, f64)> {
        let headers: Vec<String> = headers.iter().map(|&header| header.to_owned()).collect();
        let table = RawTable { path: PathBuf::from("x.csv"), headers, rows: Vec::new() };
        let one = |known: &Known| {
            let found = known.find(&table, &Vec::new()).unwrap_or_else(|error| panic!("{error}"))?;
            Some((known.aliases[0], table.headers[found.at].clone(), found.unit.map_or(1.0, |(factor, _)| factor)))
        };
        KNOWN.iter().filter_map(one).collect()
    }

    #[test]
    fn columns_are_known_by_spelling_unit_and_path() {
        let of = |headers: &[&str]| found(headers).into_iter().map(|(ours, _, factor)| (ours, factor)).collect::<Vec<_>>();
        assert_eq!(of(&["Params (M)", "Tokens_B", "Val Loss"]), [("params", 1e6), ("tokens", 1e9), ("loss", 1.0)]);
        assert_eq!(
            of(&["params_in_millions", "billions of tokens", "metrics.val_loss"]),
            [("params", 1e6), ("tokens", 1e9), ("loss", 1.0)]
        );
        assert_eq!(of(&["N [1e6]", "D", "total_gflops"]), [("params", 1e6), ("tokens", 1.0), ("flops", 1e9)]);
        for header in ["pf-days", "compute (PFLOP/s-days)", "petaflop_days", "flops_pf_days", "train_pfdays"] {
            assert_eq!(of(&[header]), [("flops", 8.64e19)], "{header}");
        }
        assert_eq!(of(&["train/loss", "d_model", "m", "b"]), []);
    }
}
