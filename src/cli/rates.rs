//! Measured training rates of this machine, kept in the user's cache folder: `bench` writes them, `plan`
//! and `sweep` predict time from them.

use super::kept;
use crate::spec::{Dtype, ModelShape};
use crate::sweep::{ASSUMED_FLOPS_PER_SECOND, MeasuredRate};
use serde::{Deserialize, Serialize};
#[cfg(feature = "train")]
use std::path::PathBuf;

const FILE: &str = "rates.json";

/// One measured workload, as `scalelab bench --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rate {
    /// Name: S, M, L, or a shape with context and batch.
    pub(super) workload: String,
    /// Shape of the network whose speed was measured.
    pub(super) shape: ModelShape,
    /// Tokens per optimizer step.
    pub(super) batch_tokens: u64,
    /// Number format of products.
    #[serde(default)]
    pub(super) dtype: Dtype,
    /// Runs trained side by side, one thread each.
    pub(super) threads: usize,
    /// Training tokens per second of all of them together.
    pub(super) tokens_per_second: f64,
    /// The same in 10⁹ FLOP/s, exact count.
    pub(super) gflops: f64,
    /// What square matrix products alone reach with as many threads, 10⁹ FLOP/s.
    pub(super) gemm_gflops: f64,
    /// Peak memory of the process, MB.
    pub(super) peak_memory_mb: Option<f64>,
    /// Where the time of a step goes.
    #[serde(default)]
    pub(super) step: Option<StepShares>,
    /// Name of the processor.
    #[serde(default)]
    pub(super) processor: Option<String>,
    /// How many times as fast a step is while the processor reads and writes denormals as 0, where it can be told to and one run
    /// was measured alone: 1 where training makes none.
    #[serde(default)]
    pub(super) flush_gain: Option<f64>,
}

/// Shares of the time of a training step; they add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct StepShares {
    /// Matrix products of weights.
    pub(super) gemm: f64,
    /// Attention, its own products included.
    pub(super) attention: f64,
    /// Norms, rotations, SwiGLU, cross-entropy, embedding.
    pub(super) elementwise: f64,
    /// Norm of the gradient, update.
    pub(super) optimizer: f64,
    /// Batches, curve, progress.
    pub(super) other: f64,
}

/// Rates of this machine, or none.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates(pub(super) Vec<Rate>);

impl Rates {
    /// Rates that `bench` measured on this machine, if it ran.
    pub(super) fn load() -> Self {
        Self(kept::read(FILE))
    }

    /// Keeps new measurements over old ones of the same workload and threads.
    #[cfg(feature = "train")]
    pub(super) fn keep(mut self, new: Vec<Rate>) -> std::io::Result<Option<PathBuf>> {
        self.0.retain(|old| !new.iter().any(|one| same_workload(one, old)));
        self.0.extend(new);
        kept::write(FILE, &self.0)
    }

    /// What was measured, for predictions.
    pub(super) fn measured(&self) -> Vec<MeasuredRate> {
        let one = |rate: &Rate| MeasuredRate {
            shape: rate.shape.clone(),
            batch_tokens: rate.batch_tokens,
            dtype: rate.dtype,
            threads: rate.threads,
            tokens_per_second: rate.tokens_per_second,
        };
        self.0.iter().map(one).collect()
    }

    /// Where predicted times come from, in words.
    pub(super) fn origin(&self) -> String {
        if self.0.is_empty() {
            format!("{:.0} GFLOP/s a worker assumed; `scalelab bench` measures this machine", ASSUMED_FLOPS_PER_SECOND / 1e9)
        } else {
            "from rates that `scalelab bench` measured".into()
        }
    }
}

#[cfg(feature = "train")]
fn same_workload(a: &Rate, b: &Rate) -> bool {
    (&a.shape, a.batch_tokens, a.dtype, a.threads) == (&b.shape, b.batch_tokens, b.dtype, b.threads)
}
