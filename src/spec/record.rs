//! What came of a run: one flat row of `runs.csv`, and one row of its curve.

use super::{BitsPerByte, Dtype, FlopRule, Flops, Nats, ParamCounts, Params, RecordedSchedule, RunSpec, Tokens};
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
#[expect(missing_docs, reason = "the columns are described in ARCHITECTURE.md, section 6; names carry units")]
pub struct RunRecord {
    pub run_id: String,
    pub sweep: Option<String>,
    pub corpus: Option<String>,
    pub corpus_sha256: Option<String>,
    pub tokenizer: Option<String>,
    pub bytes_per_token: Option<f64>,
    pub status: RunStatus,
    pub diagnosis: Option<String>,

    pub layers: Option<usize>,
    pub width: Option<usize>,
    pub heads: Option<usize>,
    pub kv_heads: Option<usize>,
    pub ffn: Option<usize>,
    pub vocabulary: Option<usize>,
    pub context: Option<usize>,
    pub qk_norm: Option<bool>,
    pub tied_head: Option<bool>,
    pub init: Option<String>,

    pub params_total: Option<Params>,
    pub params_embedding: Option<u64>,
    pub params_attention: Option<u64>,
    pub params_ffn: Option<u64>,
    pub params_norm: Option<u64>,
    pub params_unembedding: Option<u64>,

    pub tokens: Option<Tokens>,
    pub unique_tokens: Option<Tokens>,
    pub epochs: Option<f64>,
    pub batch_tokens: Option<Tokens>,
    pub steps: Option<u64>,
    pub budget_flops: Option<Flops>,
    pub budget_rule: Option<FlopRule>,

    pub learning_rate: Option<f64>,
    pub schedule: Option<RecordedSchedule>,
    pub warmup_tokens: Option<u64>,
    pub decay_fraction: Option<f64>,
    pub weight_decay: Option<f64>,
    pub beta1: Option<f64>,
    pub beta2: Option<f64>,
    pub eps: Option<f64>,
    pub optimizer_groups: Option<String>,
    pub grad_clip: Option<f64>,
    pub clip_fraction: Option<f64>,
    pub noise_scale_tokens: Option<f64>,

    pub seed_init: Option<u64>,
    pub seed_data: Option<u64>,
    pub seed_eval: Option<u64>,

    pub flops_6nd: Option<Flops>,
    pub flops_md: Option<Flops>,
    pub flops_exact: Option<Flops>,

    pub loss_nats: Option<Nats>,
    pub loss_se_nats: Option<f64>,
    pub eval_tokens: Option<Tokens>,
    pub bits_per_byte: Option<BitsPerByte>,
    pub train_loss_nats: Option<Nats>,
    pub entropy_nats: Option<f64>,
    pub floor_nats: Option<f64>,

    pub trunk_id: Option<String>,
    pub cluster: Option<String>,

    pub device: Option<String>,
    pub precision: Option<String>,
    pub code_version: Option<String>,
    pub host: Option<String>,
    pub started_at: Option<String>,
    pub wall_seconds: Option<f64>,
    pub tokens_per_second: Option<f64>,
    pub peak_memory_mb: Option<f64>,

    /// What a table of others says of the run in columns that are none of these: not written into a table.
    #[serde(skip)]
    pub other_choices: Option<String>,
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
    /// The row of a run before it is trained: everything that its spec determines.
    pub fn planned(spec: &RunSpec) -> Self {
        let shape = &spec.shape;
        let counts = ParamCounts::of(shape);
        let adamw = &spec.recipe.adamw;
        let tokens = spec.tokens();
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
            unique_tokens: spec.unique_tokens.map(|unique| Tokens(unique as f64)),
            epochs: spec.unique_tokens.map(|unique| tokens.0 / unique as f64),
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
    /// Its curve.
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
