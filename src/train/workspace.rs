//! The buffers of the fused path, made once a run. Sizes are for one piece of a batch: a few whole sequences.

use super::kernels::attention::Scores;
use crate::spec::ModelShape;

/// Tokens of a piece, at most one sequence more: few enough that activations stay in the cache, many enough
/// that matrix products run at full speed.
const PIECE_TOKENS: usize = 512;

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
    /// Tokens of a full piece.
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
}

impl Workspace {
    pub(crate) fn new(shape: &ModelShape, logits_at_once: usize) -> Self {
        let ModelShape { layers, width, heads, kv_heads, ffn, vocabulary, context, .. } = *shape;
        let kv_width = shape.kv_width();
        let tokens = PIECE_TOKENS.next_multiple_of(context).max(context);
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
            scores: Scores::new(context),
            logits: vec![0.0; (logits_at_once / vocabulary).clamp(1, tokens) * vocabulary],
            losses: zeros(1),
            dx: zeros(width),
            dnormed: zeros(width),
            dqkv: zeros(width + 2 * kv_width),
            dhidden: zeros(ffn),
        }
    }
}
