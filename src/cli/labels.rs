//! What a run is called on a screen: its shape and tokens, and of its recipe what tells it apart from other runs of the plan.

use crate::spec::{RunRecord, short};
use std::collections::{HashMap, HashSet};

/// Which parts the names of a plan's runs need.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    parts: Vec<Part>,
    /// Whether the parts alone leave two runs with one name.
    with_hash: bool,
}

/// A part of a name: how it reads of a row, where the row has it.
type Part = fn(&RunRecord) -> Option<String>;

/// Parts that stand in a name where they differ between runs of one shape and length.
const PARTS: [Part; 13] = [
    |run| objective(run),
    |run| Some(format!("pairs {}", short(run.examples? as f64))),
    |run| Some(format!("from {}", run.start.as_ref()?)),
    |run| Some(format!("base D {}", short(run.base_tokens?.0))),
    |run| Some(format!("replay {}", short(run.replay?))),
    |run| Some(format!("rank {}", run.rank?)),
    |run| Some(format!("lr {}", rate(run.learning_rate?))),
    |run| Some(format!("batch {}", short(run.batch_tokens?.0))),
    |run| Some(format!("epochs {}", short(run.epochs?))),
    |run| mixture(run),
    |run| Some(run.schedule.as_ref()?.to_string()),
    |run| Some(format!("wd {}", rate(run.weight_decay?))),
    |run| Some(format!("seed {}", run.seed_init?)),
];

/// Digits of a run's hash that stand at the end of its name, where they must.
const HASH_DIGITS: usize = 4;

impl Labels {
    /// Names that tell the runs of a plan apart.
    pub(super) fn of(plan: &[RunRecord]) -> Self {
        let parts: Vec<Part> = PARTS.into_iter().filter(|part| varies(plan, *part)).collect();
        let labels = Self { parts, with_hash: false };
        let mut seen = HashSet::new();
        let with_hash = !plan.iter().all(|run| seen.insert(labels.of_run(run)));
        Self { with_hash, ..labels }
    }

    /// The name of a run, such as `2x16 D 3.4M seed 0`; the name of its files where its row tells no shape.
    pub(super) fn of_run(&self, run: &RunRecord) -> String {
        let Some(mut name) = cell(run) else { return run.run_id.clone() };
        self.parts.iter().filter_map(|part| part(run)).for_each(|part| name += &format!(" {part}"));
        if self.with_hash {
            let start = run.run_id.char_indices().rev().nth(HASH_DIGITS - 1).map_or(0, |(at, _)| at);
            name += &format!(" {}", &run.run_id[start..]);
        }
        name
    }
}

/// What is predicted, such as `masked uniform` or `span 0.15 of 3`; nothing where it is the next token.
fn objective(run: &RunRecord) -> Option<String> {
    let length = run.span_length.map_or_else(String::new, |length| format!(" of {length}"));
    Some(format!("{} {}{length}", run.objective.as_ref()?, run.mask_ratio.as_ref()?))
}

/// Shares of the parts of a mixture in per cent, in the order of their names, such as `mix 50/30/20`.
fn mixture(run: &RunRecord) -> Option<String> {
    let shares: Vec<String> = run.parts.iter().map(|part| format!("{:.0}", 100.0 * part.share)).collect();
    (!shares.is_empty()).then(|| format!("mix {}", shares.join("/")))
}

/// Shape and tokens, such as `2x16 D 3.4M`.
fn cell(run: &RunRecord) -> Option<String> {
    let tokens = run.tokens.map_or(String::new(), |tokens| format!(" D {}", short(tokens.0)));
    shape(run).map(|shape| shape + &tokens)
}

/// Layers and width, such as `2x16`.
pub(super) fn shape(run: &RunRecord) -> Option<String> {
    Some(format!("{}x{}", run.layers?, run.width?))
}

/// Whether runs of one shape and length differ in a part.
fn varies(plan: &[RunRecord], part: Part) -> bool {
    let mut first: HashMap<Option<String>, Option<String>> = HashMap::new();
    plan.iter().any(|run| {
        let own = part(run);
        *first.entry(cell(run)).or_insert_with(|| own.clone()) != own
    })
}

/// A number in three digits without zeros at its end, such as 8e-3 or 0.1.
pub(super) fn rate(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if (1e-2..1e2).contains(&value.abs()) {
        format!("{}", format!("{digits}e{power}").parse().unwrap_or(value))
    } else {
        format!("{digits}e{power}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{PartRecord, Tokens};

    fn run(width: usize, rate: f64, seed: u64) -> RunRecord {
        RunRecord {
            run_id: format!("{width}-{rate}-{seed}-abcdef"),
            layers: Some(2),
            width: Some(width),
            tokens: Some(Tokens(3.4e6)),
            learning_rate: Some(rate),
            seed_init: Some(seed),
            ..RunRecord::default()
        }
    }

    #[test]
    fn a_name_holds_what_tells_runs_of_a_size_apart_and_no_more() {
        let of = |runs: &[RunRecord]| Labels::of(runs).of_run(&runs[0]);
        assert_eq!(of(&[run(8, 8e-3, 0), run(16, 4e-3, 0)]), "2x8 D 3.4M", "a rate that follows from the size");
        assert_eq!(of(&[run(8, 8e-3, 0), run(8, 4e-3, 0)]), "2x8 D 3.4M lr 8e-3");
        assert_eq!(of(&[run(8, 8e-3, 0), run(8, 8e-3, 1)]), "2x8 D 3.4M seed 0");
        assert_eq!(of(&[run(8, 8e-3, 0), run(8, 8e-3, 0)]), "2x8 D 3.4M cdef", "twins in all that is named");
        let mixed = |shares: [f64; 2]| {
            let parts = shares.map(|share| PartRecord { share, ..PartRecord::default() }).into();
            RunRecord { parts, ..run(8, 8e-3, 0) }
        };
        let tuned = |examples| RunRecord { examples: Some(examples), start: Some("base".into()), ..run(8, 8e-3, 0) };
        assert_eq!(of(&[tuned(100), tuned(1000)]), "2x8 D 3.4M pairs 100");
        assert_eq!(of(&[mixed([0.25, 0.75]), mixed([1.0, 0.0])]), "2x8 D 3.4M mix 25/75");
        assert_eq!(Labels::default().of_run(&RunRecord { run_id: "theirs".into(), ..RunRecord::default() }), "theirs");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!([8e-3, 0.1, 1.256e-3, 0.032].map(rate), ["8e-3", "0.1", "1.26e-3", "0.032"]);
    }
}
