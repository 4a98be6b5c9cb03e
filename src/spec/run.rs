//! One run, fully determined: everything that can change its result, and the hash that names it.

use super::{
    AdamW, CorpusSpec, Dtype, FlopRule, Flops, MixedPart, ModelShape, Objective, OptimizerGroups, Schedule, Stage, Tokenizer, Tokens,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

/// How a network is trained, apart from how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Tokens per optimizer step; a multiple of the context.
    pub batch_tokens: u64,
    /// How the rate moves.
    pub schedule: Schedule,
    /// Tokens over which the rate rises linearly from zero.
    pub warmup_tokens: u64,
    /// AdamW's betas, epsilon, weight decay and gradient clipping.
    pub adamw: AdamW,
    /// What differs between groups of parameters.
    #[serde(default)]
    pub groups: OptimizerGroups,
    /// Largest global gradient norm; 0 leaves gradients as they are.
    pub grad_clip: f64,
    /// Number format of matrix products.
    #[serde(default)]
    pub dtype: Dtype,
}

/// Seeds of the three independent sources of chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seeds {
    /// Seed of the initialisation.
    pub init: u64,
    /// Order of training data.
    pub data: u64,
    /// Choice of held-out windows.
    pub eval: u64,
}

/// How parameters are initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitRule {
    /// Normal with standard deviation 1/√fan_in, residual outputs divided by √(2·layers), head near zero.
    #[default]
    Standard,
}

impl fmt::Display for InitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard"),
        }
    }
}

/// One run, fully determined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Name of the sweep it belongs to (not part of its identity).
    pub sweep: String,
    /// Shape of the network.
    pub shape: ModelShape,
    /// How weights are initialised.
    pub init: InitRule,
    /// The corpus with its tokenizer and split.
    pub corpus: CorpusSpec,
    /// SHA-256 of the corpus content, hexadecimal.
    pub corpus_sha256: String,
    /// How its text became tokens (not part of its identity: the content hash is of tokens).
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// Distinct tokens that it may see, a multiple of the context, where fewer than the corpus has: it sees them again and again.
    #[serde(default)]
    pub unique_tokens: Option<u64>,
    /// The parts of the corpus with their shares, where it is a mixture, in the order of their names.
    #[serde(default)]
    pub mixture: Vec<MixedPart>,
    /// The stage of training, with what it begins from.
    #[serde(default)]
    pub stage: Stage,
    /// What it is trained to predict. Where tokens are hidden, its vocabulary has one token more than the corpus, the mask.
    #[serde(default)]
    pub objective: Objective,
    /// How it is trained.
    pub recipe: Recipe,
    /// Optimizer steps.
    pub steps: u64,
    /// Seeds of initialisation and data order.
    pub seeds: Seeds,
    /// Held-out windows of one context each that its final loss is measured on.
    pub eval_windows: u64,
    /// Steps from one measurement of the gradient noise scale to the next; 0: none (not part of its identity:
    /// measuring changes nothing).
    #[serde(default)]
    pub noise_scale_every: u64,
    /// Steps from one measurement of the held-out loss on some of the windows to the next; 0: none (not part of its identity:
    /// measuring changes nothing).
    #[serde(default)]
    pub eval_every: u64,
    /// The compute budget that set its tokens, if one did (not part of its identity).
    pub budget_flops: Option<Flops>,
    /// How that budget counts (not part of its identity).
    pub budget_rule: Option<FlopRule>,
}

impl RunSpec {
    /// D: tokens seen in training, steps · batch.
    pub fn tokens(&self) -> Tokens {
        Tokens((self.steps * self.recipe.batch_tokens) as f64)
    }

    /// Sequences per optimizer step.
    pub fn batch_sequences(&self) -> usize {
        (self.recipe.batch_tokens / self.shape.context as u64) as usize
    }

    /// Held-out windows that are measured every [`RunSpec::eval_every`] steps: so many that they take 3 % of the time of training,
    /// where a pass without a gradient takes a third of one with it and a bound takes several; at least one, at most all.
    pub fn windows_on_the_way(&self) -> u64 {
        (self.eval_every * self.batch_sequences() as u64 * 9 / (100 * self.objective.passes())).clamp(1, self.eval_windows.max(1))
    }

    /// Steps over which the rate rises.
    pub fn warmup_steps(&self) -> u64 {
        self.recipe.warmup_tokens.div_ceil(self.recipe.batch_tokens).min(self.steps)
    }

    /// Learning rate at a step.
    pub fn learning_rate(&self, step: u64) -> f64 {
        self.recipe.learning_rate * self.recipe.schedule.multiplier(step, self.steps, self.warmup_steps())
    }

    /// The name of this run: readable, and different whenever anything that can change the result differs.
    pub fn id(&self) -> RunId {
        let hash = short_hash(&self.canonical_text());
        let tokens = self.tokens().to_string().to_lowercase();
        let Seeds { init, data, .. } = self.seeds;
        RunId(format!("{}-d{tokens}-lr{}-b{}-s{init}.{data}-{hash}", self.shape, self.recipe.learning_rate, self.recipe.batch_tokens))
    }

    /// Every field that can change the result, a line each. A field added later is written only
    /// where it differs from what runs did before it existed, so that old names stay true.
    pub fn canonical_text(&self) -> String {
        let ModelShape { layers, width, heads, kv_heads, ffn, vocabulary, context, qk_norm, tied_head } = &self.shape;
        let Recipe { learning_rate, batch_tokens, schedule, warmup_tokens: _, adamw, groups, grad_clip, dtype } = &self.recipe;
        let AdamW { beta1, beta2, eps, weight_decay } = adamw;
        let Seeds { init, data, eval } = self.seeds;
        let mut text = format!(
            "shape {layers} {width} {heads} {kv_heads} {ffn} {vocabulary} {context} {qk_norm} {tied_head}\n\
             init {}\ncorpus {}\nlearning_rate {learning_rate:?}\nbatch_tokens {batch_tokens}\n\
             schedule {schedule}\nwarmup_steps {}\nadamw {beta1:?} {beta2:?} {eps:?} {weight_decay:?}\n\
             grad_clip {grad_clip:?}\nsteps {}\nseeds {init} {data} {eval}\neval_windows {}\n",
            self.init,
            self.corpus_sha256,
            self.warmup_steps(),
            self.steps,
            self.eval_windows,
        );
        if *groups != OptimizerGroups::default() {
            let _ = writeln!(text, "groups {groups}");
        }
        if let Some(unique) = self.unique_tokens {
            let _ = writeln!(text, "unique_tokens {unique}");
        }
        let of_parts =
            |of: fn(&MixedPart) -> u32| -> String { self.mixture.iter().map(|part| format!(" {:?} {}", part.name, of(part))).collect() };
        if !self.mixture.is_empty() {
            let _ = writeln!(text, "shares{}\ntarget{}", of_parts(|part| part.share), of_parts(|part| part.weight));
        }
        if *dtype != Dtype::default() {
            let _ = writeln!(text, "dtype {dtype}");
        }
        text + &self.stage.canonical_text() + &self.objective.canonical_text()
    }
}

/// The first ten hexadecimal digits of the SHA-256 of a text.
pub(super) fn short_hash(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))[..10].to_owned()
}

/// Name of a run: `2x64-d1m-lr0.002-b4096-s0.0-` and ten hexadecimal digits of a hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::TextSpec;
    use super::*;

    pub(crate) fn example() -> RunSpec {
        RunSpec {
            sweep: "example".into(),
            shape: ModelShape::derived(2, 64),
            init: InitRule::Standard,
            corpus: CorpusSpec::Text(TextSpec::of("corpora/sotu.txt")),
            corpus_sha256: "ab".repeat(32),
            tokenizer: Tokenizer::default(),
            unique_tokens: None,
            mixture: Vec::new(),
            stage: Stage::PreTraining,
            objective: Objective::Causal,
            recipe: Recipe {
                learning_rate: 2e-3,
                batch_tokens: 4096,
                schedule: Schedule::default(),
                warmup_tokens: 40_000,
                adamw: AdamW::default(),
                groups: OptimizerGroups::default(),
                grad_clip: 1.0,
                dtype: Dtype::F32,
            },
            steps: 250,
            seeds: Seeds { init: 0, data: 0, eval: 0 },
            eval_windows: 256,
            noise_scale_every: 0,
            eval_every: 0,
            budget_flops: None,
            budget_rule: None,
        }
    }

    #[test]
    fn the_name_of_a_run_is_stable() {
        // Written down once. If this fails, every finished run of every user would be trained again.
        assert_eq!(example().id().0, "2x64-d1.02m-lr0.002-b4096-s0.0-78ab1c92fa");
    }

    #[test]
    fn whatever_changes_the_result_changes_the_name_and_nothing_else_does() {
        let base = example();
        let part = |share, weight| MixedPart { name: "code".into(), share, weight };
        let mixed = |share, weight| RunSpec { mixture: vec![part(share, weight)], ..example() };
        assert_ne!(mixed(1, 2).id(), mixed(2, 2).id(), "shares");
        assert_ne!(mixed(1, 2).id(), mixed(1, 1).id(), "what losses count for");
        assert_eq!(mixed(1, 2).trunk_id(), mixed(1, 1).trunk_id(), "no step depends on what losses count for");
        assert_ne!(mixed(1, 2).trunk_id(), mixed(2, 2).trunk_id());
        let changed: [fn(&mut RunSpec); 13] = [
            |run| run.shape.ffn += 8,
            |run| run.unique_tokens = Some(1024),
            |run| run.shape.qk_norm = false,
            |run| run.corpus_sha256 = "cd".repeat(32),
            |run| run.recipe.learning_rate = 2.000_000_1e-3,
            |run| run.recipe.schedule = Schedule::Constant {},
            |run| run.recipe.adamw.eps = 1e-9,
            |run| run.recipe.groups.base_width = Some(64),
            |run| run.recipe.groups.norm.decay = 1.0,
            |run| run.recipe.dtype = Dtype::Bf16,
            |run| run.steps += 1,
            |run| run.seeds.eval = 1,
            |run| run.eval_windows = 512,
        ];
        for change in changed {
            let mut run = base.clone();
            change(&mut run);
            assert_ne!(run.id(), base.id(), "{}", run.canonical_text());
        }
        let mut same = base.clone();
        same.sweep = "other".into();
        same.corpus = CorpusSpec::Text(TextSpec { max_epochs: 4.0, ..TextSpec::of("elsewhere.txt") });
        same.budget_flops = Some(Flops(1e12));
        same.noise_scale_every = 10;
        same.eval_every = 10;
        assert_eq!(same.id(), base.id());
    }

    #[test]
    fn warmup_is_whole_steps_and_never_longer_than_the_run() {
        let mut run = example();
        assert_eq!(run.warmup_steps(), 10);
        assert_eq!(run.learning_rate(0), 2e-4);
        run.recipe.warmup_tokens = u64::MAX / 2;
        assert_eq!(run.warmup_steps(), run.steps);
    }
}
