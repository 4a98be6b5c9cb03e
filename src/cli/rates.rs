//! Measured training rates of this machine, kept in the user's cache folder: `bench` writes them, `plan`
//! and `sweep` predict time from them.

#[cfg(feature = "train")]
use crate::results::write_whole;
use crate::spec::{FlopRule, ModelShape, RunSpec};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;

/// One measured workload, as `scalelab bench --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rate {
    /// Name: S, M, L, or a shape with context and batch.
    pub(super) workload: String,
    /// The network.
    pub(super) shape: ModelShape,
    /// Tokens per optimizer step.
    pub(super) batch_tokens: u64,
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

/// Training rate assumed for one worker where nothing was measured, FLOP/s: what one core of a current
/// CPU reaches at the smallest shapes (see LOG.md).
const DEFAULT_RATE: f64 = 2.5e10;

/// Rates of this machine, or none.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates(pub(super) Vec<Rate>);

impl Rates {
    /// What `bench` kept.
    pub(super) fn load() -> Self {
        let read = || serde_json::from_slice(&fs::read(path()?).ok()?).ok();
        Self(read().unwrap_or_default())
    }

    /// Keeps new measurements over old ones of the same workload and threads.
    #[cfg(feature = "train")]
    pub(super) fn keep(mut self, new: Vec<Rate>) -> std::io::Result<Option<PathBuf>> {
        self.0.retain(|old| !new.iter().any(|one| same_workload(one, old)));
        self.0.extend(new);
        let Some(path) = path() else { return Ok(None) };
        write_whole(&path, &serde_json::to_vec_pretty(&self.0)?)?;
        Ok(Some(path))
    }

    /// Predicted seconds of one token of a run on one of `workers` workers.
    pub(super) fn seconds_per_token(&self, spec: &RunSpec, workers: usize) -> f64 {
        let flops = per_token(&spec.shape);
        let mut known: Vec<&Rate> = self.0.iter().filter(|rate| rate.threads == workers).collect();
        if known.is_empty() {
            known = self.0.iter().filter(|rate| rate.threads == 1).collect();
        }
        let exact = known.iter().rev().find(|rate| rate.shape == spec.shape && rate.batch_tokens == spec.recipe.batch_tokens);
        if let Some(rate) = exact {
            return rate.threads as f64 / rate.tokens_per_second;
        }
        let mut curve: Vec<(f64, f64)> =
            known.iter().map(|rate| (per_token(&rate.shape).ln(), (rate.gflops * 1e9 / rate.threads as f64).ln())).collect();
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        flops / interpolated(&curve, flops.ln()).map_or(DEFAULT_RATE, f64::exp)
    }

    /// Where predicted times come from, in words.
    pub(super) fn origin(&self) -> String {
        if self.0.is_empty() {
            format!("{:.0} GFLOP/s a worker assumed; `scalelab bench` measures this machine", DEFAULT_RATE / 1e9)
        } else {
            "from rates that `scalelab bench` measured".into()
        }
    }
}

/// FLOPs of one training token, exact count.
pub(super) fn per_token(shape: &ModelShape) -> f64 {
    FlopRule::Exact.per_token(shape).expect("a counted rule")
}

#[cfg(feature = "train")]
fn same_workload(a: &Rate, b: &Rate) -> bool {
    (&a.shape, a.batch_tokens, a.threads) == (&b.shape, b.batch_tokens, b.threads)
}

/// Linear between neighbours, constant outside; `None` without points.
fn interpolated(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let (first, last) = (curve.first()?, curve.last()?);
    if x <= first.0 {
        return Some(first.1);
    }
    let pair = curve.windows(2).find(|pair| x <= pair[1].0);
    Some(pair.map_or(last.1, |pair| {
        let share = (x - pair[0].0) / (pair[1].0 - pair[0].0);
        pair[0].1 + share * (pair[1].1 - pair[0].1)
    }))
}

/// `$XDG_CACHE_HOME/scalelab/rates.json`, or below `~/.cache`.
fn path() -> Option<PathBuf> {
    Some(cache_folder()?.join("rates.json"))
}

/// Our folder among the user's caches.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var("XDG_CACHE_HOME").ok().filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var("HOME").ok().map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("scalelab"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_between_measured_shapes_lie_between_them() {
        let curve = [(0.0, 1.0), (2.0, 3.0), (4.0, 3.0)];
        assert_eq!([-1.0, 1.0, 3.0, 9.0].map(|x| interpolated(&curve, x)), [Some(1.0), Some(2.0), Some(3.0), Some(3.0)]);
        assert_eq!(interpolated(&[], 1.0), None);
    }
}
