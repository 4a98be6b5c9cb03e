//! What came of a run: one flat row of `runs.csv`, and one row of its curve.

use super::{
    BASE_LOSS_AFTER, BASE_LOSS_BEFORE, BitsPerByte, Dtype, EXAMPLES, FlopRule, Flops, LAYERS, Nats, ParamCounts, Params, PartRecord, RANK,
    REPLAY, RecordedSchedule, RunSpec, SCRATCH, Start, Tokens, VOCABULARY, VOCABULARY_PARAMS, WIDTH,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It stands in the plan and nothing came of it yet.
    Planned,
    /// It saw all its tokens and its loss was measured.
    #[default]
    Finished,
    /// Its loss or gradient stopped being a finite number.
    Diverged,
    /// Its worker died or refused to start.
    Failed,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Planned => "planned",
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
        })
    }
}

/// One row of `runs.csv`: what was trained, under which conventions, and what came of it.
/// A value that is not known is absent. Columns are read by name. The last group, from `device`
/// on, may differ between two executions of the same run; all before may not (on one kind of device).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// Identifier of the run: a hash of everything that determines its result; in a table of others its name or its line.
    pub run_id: String,
    /// Name of the sweep, as in its grid.
    pub sweep: Option<String>,
    /// Kind and name of the corpus.
    pub corpus: Option<String>,
    /// SHA-256 of the prepared corpus, hexadecimal.
    pub corpus_sha256: Option<String>,
    /// Name of the tokenizer; `bytes` where a token is a byte.
    pub tokenizer: Option<String>,
    /// Mean bytes of a held-out token.
    pub bytes_per_token: Option<f64>,
    /// How the run ended, or that it is planned.
    pub status: RunStatus,
    /// Why the run failed or diverged, for a person.
    pub diagnosis: Option<String>,

    /// Number of transformer blocks.
    pub layers: Option<usize>,
    /// Width of the residual stream.
    pub width: Option<usize>,
    /// Number of query heads of a block.
    pub heads: Option<usize>,
    /// Number of key and value heads of a block.
    pub kv_heads: Option<usize>,
    /// Inner width of the feed-forward part of a block.
    pub ffn: Option<usize>,
    /// Number of distinct tokens.
    pub vocabulary: Option<usize>,
    /// Tokens of a training sequence.
    pub context: Option<usize>,
    /// Whether queries and keys are normalised.
    pub qk_norm: Option<bool>,
    /// Whether embedding and unembedding are one matrix.
    pub tied_head: Option<bool>,
    /// Rule of the initialisation.
    pub init: Option<String>,

    /// Number of parameters, all groups.
    pub params_total: Option<Params>,
    /// Parameters of the embedding.
    pub params_embedding: Option<u64>,
    /// Parameters of all attention matrices.
    pub params_attention: Option<u64>,
    /// Parameters of all feed-forward matrices.
    pub params_ffn: Option<u64>,
    /// Gains of all normalisations.
    pub params_norm: Option<u64>,
    /// Parameters of the unembedding; 0 where it is tied to the embedding.
    pub params_unembedding: Option<u64>,

    /// Training tokens D, repetitions counted.
    pub tokens: Option<Tokens>,
    /// Distinct training tokens.
    pub unique_tokens: Option<Tokens>,
    /// Passes over the distinct tokens, D over them.
    pub epochs: Option<f64>,
    /// Tokens of a batch.
    pub batch_tokens: Option<Tokens>,
    /// Optimizer steps.
    pub steps: Option<u64>,
    /// Nominal budget of compute, FLOPs.
    pub budget_flops: Option<Flops>,
    /// How that budget counts compute.
    pub budget_rule: Option<FlopRule>,

    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// Learning-rate schedule.
    pub schedule: Option<RecordedSchedule>,
    /// Tokens over which the learning rate rises.
    pub warmup_tokens: Option<u64>,
    /// Fraction of the run over which the learning rate falls.
    pub decay_fraction: Option<f64>,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: Option<f64>,
    /// Decay of the mean gradient of AdamW.
    pub beta1: Option<f64>,
    /// Decay of the mean squared gradient of AdamW.
    pub beta2: Option<f64>,
    /// Constant that AdamW adds to the root of the mean squared gradient.
    pub eps: Option<f64>,
    /// Factors of learning rate and weight decay by group of parameters.
    pub optimizer_groups: Option<String>,
    /// Norm at which gradients are clipped.
    pub grad_clip: Option<f64>,
    /// Fraction of steps whose gradient was clipped.
    pub clip_fraction: Option<f64>,
    /// Gradient noise scale at the end of the run (McCandlish 1812.06162), tokens.
    pub noise_scale_tokens: Option<f64>,

    /// Seed of the initialisation.
    pub seed_init: Option<u64>,
    /// Seed of the order of the data.
    pub seed_data: Option<u64>,
    /// Seed of the held-out windows.
    pub seed_eval: Option<u64>,

    /// Training compute as 6 · all parameters · D, FLOPs.
    pub flops_6nd: Option<Flops>,
    /// Training compute as M · D, M the non-embedding FLOPs per token (DeepSeek 2401.02954 §3.2), FLOPs.
    pub flops_md: Option<Flops>,
    /// Training compute of everything that is multiplied, attention and unembedding included, FLOPs.
    pub flops_exact: Option<Flops>,

    /// Mean held-out loss over all windows, nats per token.
    pub loss_nats: Option<Nats>,
    /// Standard error of `loss_nats` over windows, common to all runs of a sweep, nats per token.
    pub loss_se_nats: Option<f64>,
    /// Held-out tokens that the loss is a mean over.
    pub eval_tokens: Option<Tokens>,
    /// The same loss in bits per byte of text.
    pub bits_per_byte: Option<BitsPerByte>,
    /// Mean training loss of the last 5 % of steps, nats per token.
    pub train_loss_nats: Option<Nats>,
    /// Entropy of a source where it is known, nats per token.
    pub entropy_nats: Option<f64>,
    /// Lowest loss possible on the held-out windows of such a source, nats per token.
    pub floor_nats: Option<f64>,

    /// Stage of training; empty of pre-training.
    pub stage: Option<String>,
    /// The run that it begins from, where it is fine-tuned.
    pub base_run: Option<String>,
    /// Tokens that this run was trained on.
    pub base_tokens: Option<Tokens>,
    /// What the weights of a fine-tuned run begin as: base or scratch.
    pub start: Option<String>,
    /// Pairs that it is trained on.
    pub examples: Option<u64>,
    /// Share of its windows that are text of its base, from 0 to 1.
    pub replay: Option<f64>,
    /// Rank of what is added to its matrices and alone is trained; 0 where all weights are.
    pub rank: Option<u64>,
    /// Loss before its first step on the held-out windows of its base, nats per token.
    pub base_loss_before: Option<Nats>,
    /// Loss on them at its end.
    pub base_loss_after: Option<Nats>,
    /// Epochs after which its held-out loss was lowest, of those after which it was measured.
    pub best_epoch: Option<f64>,
    /// That loss, nats per token.
    pub best_loss_nats: Option<Nats>,
    /// Share of held-out responses of which every token is the likeliest after all that stands before it.
    pub exact_match: Option<f64>,

    /// What the run is trained to predict: masked or span; empty where it is the next token.
    pub objective: Option<String>,
    /// Which part of its windows is hidden: a number in (0, 1], or uniform.
    pub mask_ratio: Option<String>,
    /// Mean tokens of a hidden span.
    pub span_length: Option<u32>,
    /// Mean held-out loss of a hidden token, where as many are hidden as in training, nats; `loss_nats` is a bound then.
    pub masked_loss_nats: Option<Nats>,
    /// What of `loss_se_nats` is due to which tokens were hidden, nats per token.
    pub masks_se_nats: Option<f64>,

    /// Identifier of the constant-rate steps that the run shares with others.
    pub trunk_id: Option<String>,
    /// Runs of one cluster share steps, so their losses are not independent.
    pub cluster: Option<String>,

    /// Device that the run was trained on.
    pub device: Option<String>,
    /// Number formats of weights and products.
    pub precision: Option<String>,
    /// Version of the program that trained it.
    pub code_version: Option<String>,
    /// Name of the machine.
    pub host: Option<String>,
    /// When the run began, UTC (RFC 3339).
    pub started_at: Option<String>,
    /// Wall time of training, seconds.
    pub wall_seconds: Option<f64>,
    /// Training speed, tokens per second.
    pub tokens_per_second: Option<f64>,
    /// Largest resident memory of its process, MB.
    pub peak_memory_mb: Option<f64>,

    /// What a table of others says of the run in columns that are none of these: not written into a table.
    #[serde(skip)]
    pub other_choices: Option<String>,
    /// What else a table of others says of it in numbers, by the names of [`COVARIATES`](super::COVARIATES) or of its own columns of
    /// shares: not written into a table.
    #[serde(skip)]
    pub covariates: Vec<(String, f64)>,

    /// The parts of a mixture, in the order of their names. In a table each has columns of its own, after all others: `share_NAME`,
    /// `weight_NAME`, `unique_NAME`, `epochs_NAME`, `loss_NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
}

#[cfg(test)]
impl RunRecord {
    /// A row that names the dimensions of a network and nothing else.
    pub(crate) fn of_shape(shape: &crate::spec::ModelShape) -> Self {
        Self {
            layers: Some(shape.layers),
            width: Some(shape.width),
            heads: Some(shape.heads),
            kv_heads: Some(shape.kv_heads),
            ffn: Some(shape.ffn),
            vocabulary: Some(shape.vocabulary),
            context: Some(shape.context),
            qk_norm: Some(shape.qk_norm),
            tied_head: Some(shape.tied_head),
            ..Self::default()
        }
    }
}

impl RunRecord {
    /// Numbers that laws may be about beside N, D and C, by name: those of a table of others, and of the network what is known.
    pub fn covariates(&self) -> Vec<(String, f64)> {
        let mut all = self.covariates.clone();
        all.extend(self.parts.iter().map(|part| (part.share_column(), part.share)));
        for (name, value) in [(LAYERS, self.layers), (WIDTH, self.width)] {
            if let Some(value) = value.filter(|_| !all.iter().any(|(known, _)| known == name)) {
                all.push((name.to_owned(), value as f64));
            }
        }
        let of_fine_tuning = [
            (EXAMPLES, self.examples.map(|examples| examples as f64)),
            (REPLAY, self.replay),
            (RANK, self.rank.map(|rank| rank as f64)),
            (SCRATCH, self.start.as_ref().map(|start| f64::from(u8::from(start == Start::Scratch.name())))),
            (BASE_LOSS_BEFORE, self.base_loss_before.map(|loss| loss.0)),
            (BASE_LOSS_AFTER, self.base_loss_after.map(|loss| loss.0)),
        ];
        all.extend(of_fine_tuning.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let known = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let vocabulary = known(VOCABULARY).or(self.vocabulary.map(|size| size as f64));
        let matrix = vocabulary.zip(known(WIDTH)).map(|(tokens, width)| tokens * width).filter(|_| known(VOCABULARY_PARAMS).is_none());
        all.extend(matrix.map(|size| (VOCABULARY_PARAMS.to_owned(), size)));
        all
    }

    /// A run that is fine-tuned as laws of fine-tuning see it: of what its base was trained on, none from scratch, however often and long
    /// it saw its pairs, with the loss of its best epoch. Any other run as it is.
    pub fn of_its_base(&self) -> Self {
        if self.stage.is_none() {
            return self.clone();
        }
        let loss_nats = self.best_loss_nats.or(self.loss_nats);
        let bits_per_byte = loss_nats.zip(self.bytes_per_token).map(|(loss, bytes)| loss.to_bits_per_byte(bytes));
        Self { loss_nats, bits_per_byte, tokens: self.base_tokens, unique_tokens: None, epochs: None, ..self.clone() }
    }

    /// The row of a run before it is trained: everything that its spec determines.
    pub fn planned(spec: &RunSpec) -> Self {
        let shape = &spec.shape;
        let counts = ParamCounts::of(shape);
        let adamw = &spec.recipe.adamw;
        let tokens = spec.tokens();
        let fine_tuning = spec.stage.fine_tuning();
        let unique = spec.unique_tokens.or(fine_tuning.map(|it| it.epoch_tokens(shape.context)));
        let from_base = fine_tuning.filter(|it| it.start == Start::Base);
        Self {
            run_id: spec.id().0,
            sweep: Some(spec.sweep.clone()),
            corpus: Some(spec.corpus.name()),
            corpus_sha256: Some(spec.corpus_sha256.clone()),
            tokenizer: Some(spec.tokenizer.name.clone()),
            bytes_per_token: Some(spec.tokenizer.bytes_per_token),
            status: RunStatus::Planned,
            layers: Some(shape.layers),
            width: Some(shape.width),
            heads: Some(shape.heads),
            kv_heads: Some(shape.kv_heads),
            ffn: Some(shape.ffn),
            vocabulary: Some(shape.vocabulary),
            context: Some(shape.context),
            qk_norm: Some(shape.qk_norm),
            tied_head: Some(shape.tied_head),
            init: Some(spec.init.to_string()),
            params_total: Some(Params(counts.total() as f64)),
            params_embedding: Some(counts.embedding),
            params_attention: Some(counts.attention),
            params_ffn: Some(counts.ffn),
            params_norm: Some(counts.norm),
            params_unembedding: Some(counts.unembedding),
            tokens: Some(tokens),
            unique_tokens: unique.map(|unique| Tokens(unique as f64)),
            epochs: unique.map(|unique| tokens.0 / unique as f64),
            batch_tokens: Some(Tokens(spec.recipe.batch_tokens as f64)),
            steps: Some(spec.steps),
            budget_flops: spec.budget_flops,
            budget_rule: spec.budget_rule,
            learning_rate: Some(spec.recipe.learning_rate),
            schedule: Some(spec.recipe.schedule.clone().into()),
            warmup_tokens: Some(spec.warmup_steps() * spec.recipe.batch_tokens),
            decay_fraction: spec.recipe.schedule.decay_fraction(),
            weight_decay: Some(adamw.weight_decay),
            beta1: Some(adamw.beta1),
            beta2: Some(adamw.beta2),
            eps: Some(adamw.eps),
            optimizer_groups: Some(spec.recipe.groups.to_string()).filter(|text| !text.is_empty()),
            grad_clip: Some(spec.recipe.grad_clip),
            seed_init: Some(spec.seeds.init),
            seed_data: Some(spec.seeds.data),
            seed_eval: Some(spec.seeds.eval),
            flops_6nd: FlopRule::SixNd.of(shape, tokens),
            flops_md: FlopRule::Md.of(shape, tokens),
            flops_exact: FlopRule::Exact.of(shape, tokens),
            precision: (spec.recipe.dtype != Dtype::default()).then(|| spec.recipe.dtype.to_string()),
            stage: fine_tuning.map(|_| "fine-tuning".to_owned()),
            base_run: from_base.map(|it| it.base.run_id.clone()),
            base_tokens: from_base.map(|it| Tokens(it.base.tokens)),
            start: fine_tuning.map(|it| it.start.to_string()),
            examples: fine_tuning.map(|it| it.examples),
            replay: fine_tuning.map(|it| it.replay_share()),
            rank: fine_tuning.map(|it| u64::from(it.rank)),
            objective: spec.objective.hides().then(|| spec.objective.name().to_string()),
            mask_ratio: spec.objective.ratio().map(|ratio| ratio.to_string()),
            span_length: spec.objective.span_length(),
            parts: spec.mixture.iter().map(PartRecord::from).collect(),
            cluster: spec.trunk_id(),
            trunk_id: spec.trunk_id(),
            ..Self::default()
        }
    }
}

/// One row of a run's curve. A loss that was not measured at a step, or was not finite, is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CurvePoint {
    /// Optimizer steps done, from 1.
    pub step: u64,
    /// Tokens seen so far.
    pub tokens: u64,
    /// Rate used at this step.
    pub learning_rate: f64,
    /// Loss of this step's batch before its update, nats per token.
    pub train_loss_nats: Option<f64>,
    /// Loss on the held-out windows, nats per token.
    pub val_loss_nats: Option<f64>,
    /// Global norm of the gradient before clipping.
    pub grad_norm: Option<f64>,
    /// Whether the gradient was clipped at this step.
    pub clipped: Option<bool>,
    /// Gradient noise scale, tokens (McCandlish 1812.06162), where it was measured.
    pub noise_scale: Option<f64>,
}

/// Everything that one execution of a run yields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedRun {
    /// Its row, but for host, clock and memory, which whoever ran it adds.
    pub record: RunRecord,
    /// Loss curve: logged and held-out losses by step.
    pub curve: Vec<CurvePoint>,
    /// Held-out loss of every fixed window, nats per token; empty unless finished.
    pub window_losses: Vec<f32>,
}

/// What an observer is told while a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimizer steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Loss of the latest batch, nats per token; absent where it is not finite.
    pub train_loss_nats: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::example;
    use super::*;

    #[test]
    fn a_planned_row_counts_what_its_spec_says() {
        let spec = example();
        let record = RunRecord::planned(&spec);
        assert_eq!(record.run_id, spec.id().0);
        assert_eq!(record.tokens, Some(Tokens(1_024_000.0)));
        assert_eq!(record.params_total, Some(Params(ParamCounts::of(&spec.shape).total() as f64)));
        assert_eq!(record.warmup_tokens, Some(40_960), "ten whole steps");
        assert_eq!((record.status, record.loss_nats), (RunStatus::Planned, None));
    }
}
