//! The buffers of the fused path, made once a run. Sizes are for one microbatch of a batch: a few whole sequences.

use super::kernels::attention::Scores;
use super::kernels::panels::{Factors, Panels};
use crate::spec::{ModelShape, microbatch_tokens};

/// A place where the residual stream passes a norm. Sites 2l and 2l + 1 stand before attention and feed-forward
/// of block l, the last before the head.
pub(crate) struct Site {
    /// The residual stream [tokens, d].
    pub(crate) x: Vec<f32>,
    /// 1/rms of every row [tokens].
    pub(crate) inverse: Vec<f32>,
    /// The stream after the norm [tokens, d].
    pub(crate) normed: Vec<f32>,
}

/// What one block keeps for its backward pass.
pub(crate) struct BlockActivations {
    /// Query, key and value as they come from the matrix product [tokens, d + 2·kv].
    pub(crate) qkv: Vec<f32>,
    /// 1/rms of every query head [tokens, H].
    pub(crate) query_inverse: Vec<f32>,
    /// 1/rms of every key head [tokens, K].
    pub(crate) key_inverse: Vec<f32>,
    /// Query and key, normed and turned [tokens, d + kv].
    pub(crate) rotated: Vec<f32>,
    /// ln Σ e^score of every query [sequences, H, T].
    pub(crate) log_sums: Vec<f32>,
    /// What attention yields [tokens, d].
    pub(crate) mixed: Vec<f32>,
    /// Gate and up [tokens, 2f]; their gradient in the backward pass.
    pub(crate) gate_up: Vec<f32>,
    /// silu(gate) ⊙ up [tokens, f].
    pub(crate) hidden: Vec<f32>,
}

/// All buffers.
pub(crate) struct Workspace {
    /// Tokens of a full microbatch.
    pub(crate) tokens: usize,
    pub(crate) sites: Vec<Site>,
    /// The site that the latest forward pass ended in.
    pub(crate) last_site: usize,
    pub(crate) blocks: Vec<BlockActivations>,
    /// What a block adds to the stream [tokens, d].
    pub(crate) branch: Vec<f32>,
    pub(crate) scores: Scores,
    /// A few rows of logits [rows, V].
    pub(crate) logits: Vec<f32>,
    /// Loss of every token [tokens].
    pub(crate) losses: Vec<f32>,
    /// Gradient of the residual stream [tokens, d].
    pub(crate) dx: Vec<f32>,
    /// Gradient after a norm [tokens, d].
    pub(crate) dnormed: Vec<f32>,
    /// Gradient of query, key, value [tokens, d + 2·kv].
    pub(crate) dqkv: Vec<f32>,
    /// Gradient of the hidden layer [tokens, f].
    pub(crate) dhidden: Vec<f32>,
    /// The inputs of one matrix, for the gradient of its weights.
    pub(crate) panels: Panels,
}

impl Workspace {
    pub(crate) fn new(shape: &ModelShape, logits_at_once: usize, factors: Factors) -> Self {
        let ModelShape { layers, width, heads, kv_heads, ffn, vocabulary, context, .. } = *shape;
        let kv_width = shape.kv_width();
        let tokens = microbatch_tokens(shape);
        let zeros = |per_token: usize| vec![0.0f32; tokens * per_token];
        let site = |_| Site { x: zeros(width), inverse: zeros(1), normed: zeros(width) };
        let block = |_| BlockActivations {
            qkv: zeros(width + 2 * kv_width),
            query_inverse: zeros(heads),
            key_inverse: zeros(kv_heads),
            rotated: zeros(width + kv_width),
            log_sums: zeros(heads),
            mixed: zeros(width),
            gate_up: zeros(2 * ffn),
            hidden: zeros(ffn),
        };
        Self {
            tokens,
            sites: (0..2 * layers + 1).map(site).collect(),
            last_site: 0,
            blocks: (0..layers).map(block).collect(),
            branch: zeros(width),
            scores: Scores::new(context, shape.head_width(), factors),
            logits: vec![0.0; (logits_at_once / vocabulary).clamp(1, tokens) * vocabulary],
            losses: zeros(1),
            dx: zeros(width),
            dnormed: zeros(width),
            dqkv: zeros(width + 2 * kv_width),
            dhidden: zeros(ffn),
            panels: Panels::new(factors),
        }
    }
}

#[cfg(test)]
impl Workspace {
    /// Every buffer with its name; taken apart without `..`, so that a new one is not forgotten.
    pub(crate) fn buffers(&self) -> Vec<(String, &[f32])> {
        let Self { tokens: _, sites, last_site: _, blocks, branch, scores, logits, losses, dx, dnormed, dqkv, dhidden, panels } = self;
        let mut list = Vec::new();
        for (i, Site { x, inverse, normed }) in sites.iter().enumerate() {
            list.extend(named(&format!("site {i} "), [("x", x), ("inverse", inverse), ("normed", normed)]));
        }
        for (i, block) in blocks.iter().enumerate() {
            let BlockActivations { qkv, query_inverse, key_inverse, rotated, log_sums, mixed, gate_up, hidden } = block;
            let inverses = [("query inverse", query_inverse), ("key inverse", key_inverse), ("log sums", log_sums)];
            let rest = [("qkv", qkv), ("rotated", rotated), ("mixed", mixed), ("gate and up", gate_up), ("hidden", hidden)];
            list.extend(named(&format!("block {i} "), inverses).into_iter().chain(named(&format!("block {i} "), rest)));
        }
        let of_head = [("branch", branch), ("logits", logits), ("losses", losses)];
        let gradients = [("dx", dx), ("dnormed", dnormed), ("dqkv", dqkv), ("dhidden", dhidden)];
        list.extend(named("", of_head).into_iter().chain(named("", gradients)));
        list.push(("panels".into(), panels.data()));
        list.extend(scores.buffers().map(|(name, buffer)| (format!("attention's {name}"), buffer)));
        list
    }
}

#[cfg(test)]
fn named<'a, const N: usize>(prefix: &str, buffers: [(&str, &'a Vec<f32>); N]) -> [(String, &'a [f32]); N] {
    buffers.map(|(name, buffer)| (format!("{prefix}{name}"), buffer.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ParamCounts, training_bytes};

    #[test]
    fn predicted_memory_counts_these_buffers() {
        for shape in [ModelShape::derived(2, 16), ModelShape::derived(6, 256)] {
            let Workspace { tokens, sites, blocks, branch, logits, losses, dx, dnormed, dqkv, dhidden, .. } =
                Workspace::new(&shape, 1 << 16, Factors::F32);
            let of_site = |site: &Site| site.x.len() + site.inverse.len() + site.normed.len();
            let of_block = |block: &BlockActivations| {
                let lists = [&block.qkv, &block.query_inverse, &block.key_inverse, &block.rotated, &block.log_sums, &block.mixed];
                lists.map(Vec::len).iter().sum::<usize>() + block.gate_up.len() + block.hidden.len()
            };
            let rest = [branch, logits, losses, dx, dnormed, dqkv, dhidden].map(|list| list.len()).iter().sum::<usize>();
            // Panels grow to the widest inputs of a matrix.
            let rest = rest + tokens * shape.width.max(shape.ffn);
            let numbers = sites.iter().map(of_site).sum::<usize>() + blocks.iter().map(of_block).sum::<usize>() + rest;
            let scores = 4.0 * (128 * shape.context) as f64;
            let predicted = training_bytes(&shape, 0) - 1.2e7 - scores - 24.0 * ParamCounts::of(&shape).total() as f64;
            assert!((numbers as f64 * 4.0 / predicted - 1.0).abs() < 0.02, "{shape}: {} and {predicted}", numbers * 4);
        }
    }
}
