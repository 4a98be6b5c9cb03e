//! When runs are one and the same to whoever asks: of one cell, replicates of each other, alike in all but the learning rate.
//! Every column of a record is either part of what a run is, or derived from that, or came of it; a column that is added must be
//! put into one of the three before this file compiles.

use super::exact::Exact;
use super::{Dtype, FlopRule, RunRecord, is_outcome};
use std::ops::BitOr;

/// Tokens of runs of one length may differ by this part: D is rounded to whole batches, which moves two runs of fifty steps or more
/// apart by a fiftieth at most. Lengths of a sweep are further apart, so that a law has something to learn from them.
pub const SAME_TOKENS: f64 = 0.02;

/// Compute of runs of one budget may differ by this part: D is rounded to whole batches, and budgets of one sweep are a factor of
/// two or more apart.
pub const SAME_BUDGET: f64 = 0.1;

/// The same, in ln, where compute is counted under another convention than the one that the runs were planned under: 6·N·D of
/// networks of 10⁴ to 10⁵ parameters on one exact budget spreads by 0.13 (results/grid, results/study), and the other count shifts the
/// whole budget; budgets of a forecast are at least a factor of two apart, 0.69.
pub const SAME_BUDGET_COUNTED_ANEW: f64 = 0.3;

/// Loss above the best of a cell, in ln L, within which a recipe is near-optimal: DeepSeek's band (2401.02954, section 3.1: at most
/// 0.25 % above the minimum).
pub const NEAR_OPTIMAL: f64 = 0.0025;

/// Whether two amounts of compute are one budget.
pub fn same_budget(a: f64, b: f64) -> bool {
    (a / b).ln().abs() <= SAME_BUDGET.ln_1p()
}

/// What may differ between runs that are asked about as one. Sums of these: `Ignoring::SEEDS | Ignoring::LEARNING_RATE`.
/// By default nothing may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ignoring(u8);

impl Ignoring {
    /// Seeds of the initialisation and of the order of data.
    pub const SEEDS: Self = Self(1);
    /// Peak learning rate.
    pub const LEARNING_RATE: Self = Self(2);
    /// Tokens per optimizer step.
    pub const BATCH: Self = Self(4);
    /// The schedule of the learning rate.
    pub const SCHEDULE: Self = Self(8);
    /// Warmup, AdamW with its groups, clipping, number format.
    pub const OPTIMIZER: Self = Self(16);
    /// What columns of others say, of which nobody knows whether it is data, network or recipe.
    pub const OTHER_CHOICES: Self = Self(32);
    /// All of how a run is trained.
    pub const RECIPE: Self = Self(2 | 4 | 8 | 16);

    fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both, in a constant.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Ignoring {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// What is read, and how often: the hash of the content, or what a table of others calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Data {
    content: Option<String>,
    tokenizer: Option<String>,
    /// How often it was seen, in tenths; 0 where nothing was seen twice.
    repetition: u64,
}

/// What a run begins from, and how much of its data it sees, where it is no pre-training.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Beginning {
    stage: Option<String>,
    base_run: Option<String>,
    start: Option<String>,
    examples: Option<u64>,
    replay: Option<Exact>,
    rank: Option<u64>,
}

/// What is predicted, where it is not the next token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Gaps {
    objective: Option<String>,
    mask_ratio: Option<String>,
    span_length: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Network {
    dimensions: [Option<usize>; 7],
    variants: [Option<bool>; 2],
    init: Option<String>,
    /// N, where a table of others names a size and no shape.
    size: Option<Exact>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Optimizer {
    warmup_tokens: Option<u64>,
    adamw: [Option<Exact>; 4],
    groups: Option<String>,
    grad_clip: Option<Exact>,
    /// The number format, where it is not the usual one, which rows of a plan leave out.
    precision: Option<String>,
}

/// What a run is, but for its length and for what is ignored. Ordered by data, network, budget, recipe and seeds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    data: Data,
    beginning: Beginning,
    gaps: Gaps,
    network: Network,
    budget: Option<(Exact, Option<&'static str>)>,
    seed_eval: Option<u64>,
    schedule: Option<(Option<String>, Option<Exact>)>,
    learning_rate: Option<Option<Exact>>,
    batch: Option<Option<Exact>>,
    optimizer: Option<Optimizer>,
    other_choices: Option<String>,
    covariates: Vec<(String, Exact)>,
    seeds: Option<[Option<u64>; 2]>,
}

impl RunRecord {
    /// What the run is, but for its length and for what is ignored.
    pub fn key(&self, ignoring: Ignoring) -> RunKey {
        let exact = |value: Option<f64>| value.map(Exact::from);
        let asked = |what: Ignoring| !ignoring.has(what);
        let RunRecord {
            corpus,
            corpus_sha256,
            tokenizer,
            layers,
            width,
            heads,
            kv_heads,
            ffn,
            vocabulary,
            context,
            qk_norm,
            tied_head,
            init,
            params_total,
            tokens,
            unique_tokens,
            epochs,
            batch_tokens,
            steps,
            budget_flops,
            budget_rule,
            learning_rate,
            schedule,
            decay_fraction,
            warmup_tokens,
            weight_decay,
            beta1,
            beta2,
            eps,
            optimizer_groups,
            grad_clip,
            precision,
            seed_init,
            seed_data,
            seed_eval,
            other_choices,
            covariates,
            parts,
            stage,
            base_run,
            start,
            examples,
            replay,
            rank,
            objective,
            mask_ratio,
            span_length,
            // Names, and what follows from the columns above.
            run_id: _,
            sweep: _,
            bytes_per_token: _,
            params_embedding: _,
            params_attention: _,
            params_ffn: _,
            params_norm: _,
            params_unembedding: _,
            flops_6nd: _,
            flops_md: _,
            flops_exact: _,
            trunk_id: _,
            cluster: _,
            base_tokens: _,
            // What came of it.
            status: _,
            diagnosis: _,
            clip_fraction: _,
            noise_scale_tokens: _,
            loss_nats: _,
            loss_se_nats: _,
            eval_tokens: _,
            bits_per_byte: _,
            train_loss_nats: _,
            entropy_nats: _,
            floor_nats: _,
            base_loss_before: _,
            base_loss_after: _,
            best_epoch: _,
            best_loss_nats: _,
            exact_match: _,
            masked_loss_nats: _,
            masks_se_nats: _,
            // Who made it, and when. Devices differ by rounding alone where the number format is the same.
            device: _,
            code_version: _,
            host: _,
            started_at: _,
            wall_seconds: _,
            tokens_per_second: _,
            peak_memory_mb: _,
        } = self;
        let seen = tokens.zip(*unique_tokens).map(|(tokens, unique)| tokens.0 / unique.0).or(*epochs);
        let own_batch = batch_tokens.map(|batch| batch.0);
        let whole_steps = tokens.zip(steps.filter(|steps| *steps > 0)).map(|(tokens, steps)| (tokens.0 / steps as f64).round());
        let optimizer = || Optimizer {
            warmup_tokens: *warmup_tokens,
            adamw: [weight_decay, beta1, beta2, eps].map(|value| exact(*value)),
            groups: optimizer_groups.clone(),
            grad_clip: exact(*grad_clip),
            precision: precision.as_deref().map(number_format).filter(|format| *format != Dtype::F32.to_string()),
        };
        RunKey {
            data: Data {
                content: corpus_sha256.clone().or_else(|| corpus.clone()),
                // The hash is that of what the tokenizer made; a table of others may have its name alone.
                tokenizer: tokenizer.clone().filter(|_| corpus_sha256.is_none()),
                repetition: repetition(seen),
            },
            beginning: Beginning {
                stage: stage.clone(),
                base_run: base_run.clone(),
                start: start.clone(),
                examples: *examples,
                replay: exact(*replay),
                rank: *rank,
            },
            gaps: Gaps { objective: objective.clone(), mask_ratio: mask_ratio.clone(), span_length: *span_length },
            network: Network {
                dimensions: [*layers, *width, *heads, *kv_heads, *ffn, *vocabulary, *context],
                variants: [*qk_norm, *tied_head],
                init: init.clone(),
                size: if layers.is_some() { None } else { exact(params_total.map(|params| params.0)) },
            },
            budget: budget_flops.map(|flops| (Exact::from(flops.0), budget_rule.map(FlopRule::name))),
            seed_eval: *seed_eval,
            schedule: asked(Ignoring::SCHEDULE).then(|| (schedule.as_ref().map(ToString::to_string), exact(*decay_fraction))),
            learning_rate: asked(Ignoring::LEARNING_RATE).then(|| exact(*learning_rate)),
            batch: asked(Ignoring::BATCH).then(|| exact(own_batch.or(whole_steps))),
            optimizer: asked(Ignoring::OPTIMIZER).then(optimizer),
            other_choices: other_choices.clone().filter(|_| asked(Ignoring::OTHER_CHOICES)),
            covariates: covariates
                .iter()
                .filter(|(name, _)| !is_outcome(name))
                .map(|(name, value)| (name.clone(), Exact::from(*value)))
                .chain(parts.iter().map(|part| (part.share_column(), Exact::from(part.share))))
                .collect(),
            seeds: asked(Ignoring::SEEDS).then_some([*seed_init, *seed_data]),
        }
    }
}

/// How often data were seen, in tenths; 0 where none was seen twice.
fn repetition(seen: Option<f64>) -> u64 {
    seen.filter(|epochs| *epochs > 1.01).map_or(0, |epochs| (10.0 * epochs).round() as u64)
}

/// `f32` of `f32, tf32 off`: how sums are made is the device's, and no choice of the recipe.
fn number_format(precision: &str) -> String {
    precision.split(',').next().unwrap_or_default().trim().to_owned()
}

/// Places of the runs that are one to whoever asks, by key: of one key and of tokens within [`SAME_TOKENS`] of the fewest among them.
/// Runs without a key belong to no group. Groups stand in the order of their keys, then of tokens; in a group runs of fewer tokens
/// come first, then those earlier in the table.
pub fn of_one_length<K: Ord>(records: &[RunRecord], key: impl Fn(&RunRecord) -> Option<K>) -> Vec<(K, Vec<usize>)> {
    let tokens = |record: &RunRecord| record.tokens.map_or(0.0, |tokens| tokens.0);
    let mut keyed: Vec<(K, f64, usize)> =
        records.iter().enumerate().filter_map(|(at, record)| Some((key(record)?, tokens(record), at))).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut groups: Vec<(K, f64, Vec<usize>)> = Vec::new();
    for (key, tokens, at) in keyed {
        match groups.last_mut() {
            Some((known, fewest, group)) if *known == key && tokens <= *fewest * (1.0 + SAME_TOKENS) => group.push(at),
            _ => groups.push((key, tokens, vec![at])),
        }
    }
    groups.into_iter().map(|(key, _, group)| (key, group)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::example;
    use super::super::{Flops, Nats, Params, PartRecord, Tokens};
    use super::*;

    fn run() -> RunRecord {
        RunRecord::planned(&example())
    }

    #[test]
    fn a_change_of_any_choice_is_another_run_and_one_of_any_outcome_is_not() {
        let one = run();
        let other = |change: fn(&mut RunRecord)| {
            let mut record = one.clone();
            change(&mut record);
            assert_ne!(record, one, "the change changes something");
            record.key(Ignoring::default()) != one.key(Ignoring::default())
        };
        let choices: [fn(&mut RunRecord); 25] = [
            |r| r.corpus_sha256 = Some("other".into()),
            |r| r.layers = Some(9),
            |r| r.qk_norm = r.qk_norm.map(|on| !on),
            |r| r.init = Some("other".into()),
            |r| r.batch_tokens = Some(Tokens(1.0)),
            |r| r.budget_flops = Some(Flops(1.0)),
            |r| r.learning_rate = Some(1.0),
            |r| r.warmup_tokens = Some(1),
            |r| r.weight_decay = Some(1.0),
            |r| r.grad_clip = Some(9.0),
            |r| r.optimizer_groups = Some("other".into()),
            |r| r.precision = Some("bf16".into()),
            |r| r.seed_eval = Some(9),
            |r| r.seed_data = Some(9),
            |r| r.other_choices = Some("optimizer = muon".into()),
            |r| r.base_run = Some("a base".into()),
            |r| r.start = Some("scratch".into()),
            |r| r.examples = Some(100),
            |r| r.replay = Some(0.05),
            |r| r.rank = Some(4),
            |r| r.objective = Some("masked".into()),
            |r| r.mask_ratio = Some("uniform".into()),
            |r| r.span_length = Some(3),
            |r| r.covariates = vec![("experts".into(), 8.0)],
            |r| r.parts = vec![PartRecord { name: "code".into(), share: 0.5, ..PartRecord::default() }],
        ];
        assert!(choices.iter().all(|change| other(*change)));
        let outcomes: [fn(&mut RunRecord); 7] = [
            |r| r.masked_loss_nats = Some(Nats(1.0)),
            |r| r.run_id = "other".into(),
            |r| r.eval_tokens = Some(Tokens(1.0)),
            |r| r.device = Some("cuda:0".into()),
            |r| r.precision = Some("f32, tf32 off".into()),
            |r| r.wall_seconds = Some(1.0),
            |r| r.corpus = Some("another name of it".into()),
        ];
        let f32_run = RunRecord { precision: Some("f32".into()), ..one.clone() };
        for change in outcomes {
            let mut record = f32_run.clone();
            change(&mut record);
            assert_eq!(record.key(Ignoring::default()), f32_run.key(Ignoring::default()));
        }
    }

    #[test]
    fn what_is_ignored_may_differ_and_nothing_else() {
        let one = run();
        let rate = RunRecord { learning_rate: Some(0.5), ..one.clone() };
        let seed = RunRecord { seed_init: Some(7), ..one.clone() };
        let decay = RunRecord { weight_decay: Some(0.5), ..one.clone() };
        let same = |other: &RunRecord, ignoring| other.key(ignoring) == one.key(ignoring);
        assert!(same(&rate, Ignoring::LEARNING_RATE) && !same(&rate, Ignoring::SEEDS));
        assert!(same(&seed, Ignoring::SEEDS | Ignoring::LEARNING_RATE) && !same(&seed, Ignoring::RECIPE));
        assert!(same(&decay, Ignoring::RECIPE) && !same(&decay, Ignoring::SEEDS | Ignoring::LEARNING_RATE));
    }

    #[test]
    fn tokens_rounded_to_whole_batches_are_one_length_and_a_ladder_of_close_lengths_is_not() {
        let of = |tokens: f64, rate: f64| RunRecord { tokens: Some(Tokens(tokens)), learning_rate: Some(rate), ..run() };
        let grouped = |table: &[RunRecord], ignoring| {
            of_one_length(table, |record| Some(record.key(ignoring))).into_iter().map(|(_, group)| group).collect::<Vec<_>>()
        };
        let table = [of(1.0e6, 1e-3), of(1.015e6, 2e-3), of(1.03e6, 1e-3), of(2e6, 1e-3)];
        assert_eq!(grouped(&table, Ignoring::RECIPE), [vec![0, 1], vec![2], vec![3]], "2 % from the fewest, not from the last");
        assert_eq!(grouped(&table, Ignoring::default()).len(), 4);
        assert_eq!(grouped(&[], Ignoring::RECIPE), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_size_stands_for_the_shape_that_a_table_of_others_does_not_name() {
        let of = |n: f64| RunRecord { params_total: Some(Params(n)), ..RunRecord::default() };
        assert_ne!(of(1e6).key(Ignoring::default()), of(2e6).key(Ignoring::default()));
        let steps = |steps| RunRecord { tokens: Some(Tokens(1e6)), steps: Some(steps), ..of(1e6) };
        assert_ne!(steps(10).key(Ignoring::SEEDS), steps(20).key(Ignoring::SEEDS), "the batch follows from steps");
        let named = |name: &str| RunRecord { corpus: Some(name.into()), ..of(1e6) };
        assert_ne!(named("c4").key(Ignoring::RECIPE), named("code").key(Ignoring::RECIPE));
    }

    #[test]
    fn data_seen_again_are_another_matter_than_data_seen_once() {
        let of = |unique: f64| RunRecord { tokens: Some(Tokens(1e6)), unique_tokens: Some(Tokens(unique)), ..run() };
        let same = |a: f64, b: f64| of(a).key(Ignoring::default()) == of(b).key(Ignoring::default());
        assert!(same(1e6, 9e9) && same(250_000.0, 250_300.0) && !same(250_000.0, 500_000.0));
    }

    #[test]
    fn budgets_are_one_within_a_tenth_either_way() {
        assert!(same_budget(1.09e12, 1e12) && same_budget(1e12, 1.09e12) && !same_budget(1.2e12, 1e12));
    }
}
