//! Which column of a foreign table is which of ours: names under which the field writes them (W&B exports, the public
//! data sets of the literature), a map for all others, and what can be derived where a column is missing.

use super::table::{RawTable, TableError, columns_found};
use crate::spec::{Flops, Params, RunRecord, Tokens, parse_quantity};
use csv::StringRecord;
use std::collections::HashSet;

/// Which foreign column is read as which of ours: pairs (ours, theirs).
pub type ColumnMap = Vec<(String, String)>;

/// A column of ours and the names under which others write it; the first is that used in messages.
struct Known {
    ours: &'static str,
    aliases: &'static [&'static str],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
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

/// One column may be both of these: runs that were planned on a budget and met it.
const FLOPS: &str = "flops_exact";
const BUDGET: &str = "budget_flops";
/// Sequences a step: tokens a step where the length of a sequence is known.
const BATCH_SEQUENCES: &str = "batch_sequences";
/// Tokens of a sequence in the runs of Step Law (2503.04715), by headers that only its tables have.
const STEP_LAW: ([&str; 3], f64) = (["ffnh", "numh", "numl"], 2048.0);

/// Every column that is read. Headers of W&B exports, of Open-Athena, marin, Step Law, nanochat, KC and of the points
/// recovered by Epoch are among the aliases.
const KNOWN: [Known; 16] = [
    Known {
        ours: "params_total",
        aliases: &["params", "parameters", "n_params", "num_params", "parameter_count", "model size", "model_size", "n"],
        kind: Kind::Needed,
    },
    Known {
        ours: "tokens",
        aliases: &[
            "tokens",
            "d",
            "n_tokens",
            "num_tokens",
            "train_tokens",
            "tokens_trained",
            "tokens_seen",
            "total_tokens",
            "throughput/total_tokens",
        ],
        kind: Kind::Needed,
    },
    Known {
        ours: "loss_nats",
        aliases: &[
            "loss",
            "val_loss",
            "validation_loss",
            "eval_loss",
            "final_loss",
            "test_loss",
            "val/loss",
            "eval/loss",
            "validation/loss",
            "eval/paloma/macro_loss",
            "val_bpb",
            "bits_per_byte",
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
            "throughput/total_gflops",
        ],
        kind: Kind::Needed,
    },
    Known { ours: BUDGET, aliases: &["budget", "flops_budget", "flop_budget"], kind: Kind::Quantity },
    Known { ours: "unique_tokens", aliases: &["unique_tokens", "unique tokens", "d_unique"], kind: Kind::Quantity },
    Known { ours: "batch_tokens", aliases: &["batch_tokens", "batch_size_tokens", "tokens_per_step"], kind: Kind::Quantity },
    Known {
        ours: "steps",
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
    Known { ours: "run_id", aliases: &["run", "run_id", "name", "run_name", "exp_name"], kind: Kind::Text },
];

/// Columns written in other units, with the factor to ours.
const UNITS: [(&str, f64); 1] = [("throughput/total_gflops", 1e9)];

/// How the columns of a table are read.
pub(super) struct Columns {
    /// For each column the name of ours that it is read as; unknown ones keep theirs and are ignored.
    pub(super) names: StringRecord,
    /// Columns found by an alias that may hold what cannot be read, with what they hold.
    lenient: Vec<(usize, Kind)>,
    /// Whether FLOPs are to be multiplied, and by what.
    flops_unit: f64,
    /// Whether the column of FLOPs is that of budgets, too.
    budget_is_flops: bool,
    /// Column of sequences a step, and the tokens of one where the table's headers say whose they are.
    sequences: Option<(usize, Option<f64>)>,
    /// What a reader must know, in words.
    pub(super) notes: Vec<String>,
}

impl Columns {
    /// Finds every known column of a table; of params, tokens and FLOPs one is enough where `one_variable`, else two.
    pub(super) fn of(table: &RawTable, map: &ColumnMap, one_variable: bool) -> Result<Self, TableError> {
        check_map(table, map)?;
        let mut names = table.headers.clone();
        let mut columns = Self {
            names: StringRecord::new(),
            lenient: Vec::new(),
            flops_unit: 1.0,
            budget_is_flops: false,
            sequences: None,
            notes: Vec::new(),
        };
        let mut missing = Vec::new();
        for known in &KNOWN {
            let Some(at) = known.find(table, map)? else {
                if known.kind == Kind::Needed {
                    missing.push(known);
                }
                continue;
            };
            if known.kind == Kind::Extra {
                columns.sequences = Some((at, None));
                continue;
            }
            if known.ours == BUDGET && names[at] == FLOPS {
                columns.budget_is_flops = true;
                continue;
            }
            known.ours.clone_into(&mut names[at]);
            let header = &table.headers[at];
            if known.kind != Kind::Needed && !map.iter().any(|(_, theirs)| theirs == header) && header != known.ours {
                columns.lenient.push((at, known.kind));
            }
            columns.remark(known, header);
        }
        let has = |ours: &str| names.iter().any(|name| name == ours);
        if has("steps") && has("batch_tokens") && has("params_total") && !has("tokens") {
            missing.retain(|known| !["tokens", FLOPS].contains(&known.ours));
            columns.notes.push("tokens are derived, D = steps x batch".to_owned());
        }
        columns.measure_sequences(table, &names);
        // Of params, tokens and FLOPs any one follows from the other two.
        let loss = missing.iter().find(|known| known.ours == "loss_nats");
        let enough = if one_variable { 2 } else { 1 };
        if let Some(known) = loss.or_else(|| missing.iter().find(|_| missing.len() > enough)) {
            let found = columns_found(&table.headers);
            return Err(TableError::MissingColumn { path: table.path.clone(), wanted: known.aliases[0], found });
        }
        match missing.first().filter(|_| missing.len() == 1).map(|known| known.ours) {
            Some("tokens") => columns.notes.push("tokens are derived, D = C/(6 N)".to_owned()),
            Some("params_total") => columns.notes.push("params are derived, N = C/(6 D)".to_owned()),
            _ => {}
        }
        columns.names = StringRecord::from(names);
        Ok(columns)
    }

    /// Finds out how long a sequence is.
    fn measure_sequences(&mut self, table: &RawTable, names: &[String]) {
        let has = |ours: &str| names.iter().any(|name| name == ours);
        let Some((at, length)) = &mut self.sequences else { return };
        let (headers, tokens) = STEP_LAW;
        if headers.iter().all(|wanted| table.headers.iter().any(|header| header == wanted)) {
            *length = Some(tokens);
            self.notes.push(format!("`{}` counts sequences of {tokens} tokens, as Step Law's runs have", table.headers[*at]));
        } else if !has("batch_tokens") && !has("context") && !has("steps") {
            self.notes.push(format!(
                "`{}` counts sequences of unknown length: it tells recipes apart and is no batch in tokens (a column `context` would make it one)",
                table.headers[*at]
            ));
        }
    }

    fn remark(&mut self, known: &Known, header: &str) {
        let lower = header.to_ascii_lowercase();
        if known.ours == FLOPS {
            self.flops_unit = UNITS.iter().find(|(name, _)| *name == lower).map_or(1.0, |(_, unit)| *unit);
        }
        if known.ours == "loss_nats" && (lower.contains("bpb") || lower.contains("bits_per_byte")) {
            self.notes.push(format!("`{header}` is read as it stands: losses, E and A, B are in bits per byte, not nats per token"));
        }
    }

    /// A row in which what need not be read and cannot be is blank.
    pub(super) fn cleaned(&self, row: &StringRecord) -> StringRecord {
        let clean = |(at, cell): (usize, &str)| match self.lenient.iter().find(|(lenient, _)| *lenient == at) {
            Some((_, Kind::Quantity)) if parse_quantity(cell).is_err() => String::new(),
            Some((_, Kind::Whole)) => {
                cell.parse::<f64>().ok().filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x)).map_or(String::new(), |x| format!("{x}"))
            }
            _ => cell.to_owned(),
        };
        row.iter().enumerate().map(clean).collect::<Vec<String>>().into()
    }

    /// Brings a record to our units and derives what is missing; `row` is the record's as it stands in the table.
    pub(super) fn completed(&self, mut record: RunRecord, row: &StringRecord) -> RunRecord {
        record.flops_exact = record.flops_exact.map(|flops| Flops(self.flops_unit * flops.0));
        if self.budget_is_flops {
            record.budget_flops = record.flops_exact;
        }
        if let (None, Some(steps), Some(Tokens(batch))) = (record.tokens, record.steps, record.batch_tokens) {
            record.tokens = Some(Tokens(steps as f64 * batch)).filter(|tokens| tokens.0 > 0.0);
        }
        if let Some(Flops(c)) = record.flops_exact {
            match (record.params_total, record.tokens) {
                (Some(Params(n)), None) => record.tokens = Some(Tokens(c / (6.0 * n))),
                (None, Some(Tokens(d))) => record.params_total = Some(Params(c / (6.0 * d))),
                _ => {}
            }
        }
        if record.batch_tokens.is_none() {
            self.batch(&mut record, row);
        }
        record
    }

    /// Tokens a step: sequences times their length, else all tokens over all steps.
    fn batch(&self, record: &mut RunRecord, row: &StringRecord) {
        let sequences = self.sequences.and_then(|(at, length)| Some((parse_quantity(row.get(at)?).ok()?, length)));
        let length = |known: Option<f64>| known.or(record.context.map(|context| context as f64));
        record.batch_tokens = match sequences {
            Some((sequences, known)) if length(known).is_some() => length(known).map(|length| Tokens(sequences * length)),
            _ => record.tokens.zip(record.steps.filter(|&steps| steps > 0)).map(|(tokens, steps)| Tokens(tokens.0 / steps as f64)),
        };
        if let (None, Some((sequences, _))) = (record.batch_tokens, sequences) {
            // The recipe in words: what is no number of tokens still tells two of them apart.
            let schedule = record.schedule.take().map_or(String::new(), |schedule| format!("{schedule}, "));
            record.schedule = Some(format!("{schedule}{sequences} sequences a step").into());
        }
    }
}

impl Known {
    /// Its column in a table: the one mapped to it, the one named as ours, or one of its aliases.
    fn find(&self, table: &RawTable, map: &ColumnMap) -> Result<Option<usize>, TableError> {
        let position = |wanted: &str| table.headers.iter().position(|header| header.eq_ignore_ascii_case(wanted));
        if let Some((_, theirs)) = map.iter().find(|(name, _)| self.is(name)) {
            return Ok(table.headers.iter().position(|header| header == theirs));
        }
        let taken = |at: &usize| map.iter().any(|(_, theirs)| *theirs == table.headers[*at]);
        let mut seen = HashSet::new();
        let found: Vec<usize> = position(self.ours).map_or_else(
            || self.aliases.iter().filter_map(|alias| position(alias)).filter(|at| !taken(at) && seen.insert(*at)).collect(),
            |at| vec![at],
        );
        match found.as_slice() {
            [first, second, ..] if self.kind == Kind::Needed => Err(TableError::Ambiguous {
                path: table.path.clone(),
                first: table.headers[*first].clone(),
                second: table.headers[*second].clone(),
                meaning: self.aliases[0],
            }),
            found => Ok(found.first().copied()),
        }
    }

    fn is(&self, name: &str) -> bool {
        name == self.ours || self.aliases.contains(&name)
    }
}

/// The table with a column more for each constant.
pub(super) fn with_constants(mut table: RawTable, map: &ColumnMap, constants: &[(String, String)]) -> Result<RawTable, TableError> {
    for (name, value) in constants {
        let error =
            |problem: String| TableError::Row { path: table.path.clone(), line: 1, problem: format!("--set {name}={value}: {problem}") };
        let Some(known) = KNOWN.iter().find(|known| known.is(name)) else {
            return Err(error(format!("`{name}` is not one of {}", names_known())));
        };
        if let Some(at) = known.find(&table, map)? {
            return Err(error(format!(
                "the file has the column `{}` for {}; --set is for a column that it lacks",
                table.headers[at], known.aliases[0]
            )));
        }
        let problem = match known.kind {
            Kind::Text => None,
            Kind::Whole => value.parse::<u64>().err().map(|_| format!("`{value}` is no whole number")),
            _ => parse_quantity(value).err().map(|problem| problem.to_string()),
        };
        if let Some(problem) = problem {
            return Err(error(problem));
        }
        table.headers.push(known.ours.to_owned());
        table.rows.iter_mut().for_each(|(_, row)| row.push_field(value));
    }
    Ok(table)
}

fn names_known() -> String {
    KNOWN.iter().map(|known| known.aliases[0]).collect::<Vec<_>>().join(", ")
}

/// A map of columns names what exists, on both sides, and no column twice but for FLOPs that are budgets.
fn check_map(table: &RawTable, map: &ColumnMap) -> Result<(), TableError> {
    let error = |problem: String| Err(TableError::Row { path: table.path.clone(), line: 1, problem });
    for (at, (ours, theirs)) in map.iter().enumerate() {
        if !KNOWN.iter().any(|known| known.is(ours)) {
            return error(format!("--columns {ours}={theirs}: `{ours}` is not one of {}", names_known()));
        }
        if !table.headers.contains(theirs) {
            return error(format!("--columns {ours}={theirs}: there is no column `{theirs}`; {}", columns_found(&table.headers)));
        }
        let is = |name: &str, wanted: &str| KNOWN.iter().any(|known| known.ours == wanted && known.is(name));
        let both = |a: &str, b: &str| is(a, FLOPS) && is(b, BUDGET);
        if map[..at].iter().any(|(other, before)| before == theirs && !both(other, ours) && !both(ours, other)) {
            return error(format!("--columns names the column `{theirs}` twice"));
        }
    }
    Ok(())
}
