//! The decoder, composed of candle operations that have gradients: the reference for the fused CPU
//! path, and the path of every other device. LLaMA-style (Touvron 2302.13971): pre-RMSNorm, rotary positions
//! (Su 2104.09864), attention causal or over the whole sequence, SwiGLU (Shazeer 2002.05202), no biases; optional RMSNorm on
//! queries and keys (Wortsman 2309.14322), grouped keys and values (Ainslie 2305.13245), tied head.
//!
//! Letters in shape comments: B sequences, T context, d width, H heads, K key/value heads, h head width,
//! f feed-forward width, V vocabulary. Activations are [B·T, d] outside attention.
//! Mixed precision: matrix products take and give `products`, everything between them is f32.

use super::init::{BlockIndex, Layout};
use super::kernels::head::Sight;
use super::lookup::look_up;
use crate::spec::ModelShape;
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::silu;

/// Added to the mean square inside every RMSNorm.
pub(crate) const NORM_EPSILON: f64 = 1e-6;
/// Base of the rotary frequencies (Su 2104.09864).
pub(crate) const ROPE_THETA: f64 = 10_000.0;

/// A network's tensors in the order of its layout.
pub(crate) struct Transformer<'a> {
    pub(crate) shape: &'a ModelShape,
    pub(crate) layout: &'a Layout,
    pub(crate) parameters: &'a [Tensor],
    pub(crate) positions: &'a Positions,
    /// Number format of matrix products.
    pub(crate) products: DType,
}

/// What depends on positions alone: rotary angles, and the causal mask where attention is causal.
pub(crate) struct Positions {
    cos: Tensor,
    sin: Tensor,
    mask: Option<Tensor>,
}

impl Positions {
    pub(crate) fn new(shape: &ModelShape, device: &Device) -> Result<Self> {
        let (context, half) = (shape.context, shape.head_width() / 2);
        let (cos, sin) = rope_tables(context, half);
        let mask: Vec<f32> =
            (0..context).flat_map(|row| (0..context).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 })).collect();
        Ok(Self {
            cos: Tensor::from_vec(cos, (context, half), device)?,
            sin: Tensor::from_vec(sin, (context, half), device)?,
            mask: Some(Tensor::from_vec(mask, (context, context), device)?),
        })
    }

    /// The same where queries see what is said.
    pub(crate) fn seeing(self, sight: Sight) -> Self {
        match sight {
            Sight::Before => self,
            Sight::Whole => Self { mask: None, ..self },
        }
    }
}

/// Cosines and sines of position·theta^(−i/half) for i in 0..half: two tables [context, half].
pub(crate) fn rope_tables(context: usize, half: usize) -> (Vec<f32>, Vec<f32>) {
    let angles = (0..context).flat_map(|position| (0..half).map(move |i| position as f64 * ROPE_THETA.powf(-(i as f64) / half as f64)));
    angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip()
}

impl Transformer<'_> {
    /// Loss of every token, nats: −ln p(target | inputs up to it). `inputs` and `targets` are [B·T]; so is the result.
    pub(crate) fn token_losses(&self, inputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let log_p = log_softmax(&self.logits(inputs)?)?; // [B·T, V]
        log_p.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?.neg() // [B·T]
    }

    /// Logits [B·T, V] of the next token.
    pub(crate) fn logits(&self, inputs: &Tensor) -> Result<Tensor> {
        let mut x = look_up(&self.parameters[0], inputs)?; // [B·T, d]
        for block in &self.layout.blocks {
            x = (&x + self.attention(block, &self.norm(&x, block.attention_norm)?)?)?;
            x = (&x + self.feed_forward(block, &self.norm(&x, block.ffn_norm)?)?)?;
        }
        self.linear(&self.norm(&x, self.layout.final_norm)?, self.layout.head) // [B·T, V]
    }

    /// x·Wᵀ with W [out, in].
    fn linear(&self, x: &Tensor, weight: usize) -> Result<Tensor> {
        self.product(x, &self.parameters[weight].t()?) // [B·T, out]
    }

    /// a·b in the number format of products, given as f32.
    fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a.to_dtype(self.products)?.matmul(&b.to_dtype(self.products)?)?.to_dtype(DType::F32)
    }

    /// RMSNorm over the last dimension: gain · x / √(mean(x²) + ε) (Zhang & Sennrich 1910.07467).
    fn norm(&self, x: &Tensor, gain: usize) -> Result<Tensor> {
        let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // […, 1]
        let scale = (mean_square + NORM_EPSILON)?.sqrt()?.recip()?;
        x.broadcast_mul(&scale)?.broadcast_mul(&self.parameters[gain]) // […, last]
    }

    fn attention(&self, block: &BlockIndex, x: &Tensor) -> Result<Tensor> {
        let ModelShape { heads, kv_heads, context, width, .. } = *self.shape;
        let head_width = self.shape.head_width();
        let sequences = x.dim(0)? / context;
        let split = |matrix: usize, heads: usize, gain: Option<usize>| -> Result<Tensor> {
            let y = self.linear(x, matrix)?.reshape((sequences, context, heads, head_width))?; // [B, T, H or K, h]
            let y = gain.map_or(Ok(y.clone()), |gain| self.norm(&y, gain))?;
            y.transpose(1, 2)?.contiguous() // [B, H or K, T, h]
        };
        let query = self.rotate(&split(block.query, heads, block.query_norm)?)?;
        let key = self.rotate(&split(block.query + 1, kv_heads, block.key_norm)?)?;
        let value = split(block.query + 2, kv_heads, None)?;
        let (key, value) = (repeat_heads(&key, heads / kv_heads)?, repeat_heads(&value, heads / kv_heads)?); // [B, H, T, h]

        let scores = (self.product(&query, &key.t()?)? / (head_width as f64).sqrt())?; // [B, H, T, T]
        let scores = match &self.positions.mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let weights = softmax(&scores)?;
        let mixed = self.product(&weights, &value)?.transpose(1, 2)?; // [B, T, H, h]
        self.linear(&mixed.reshape((sequences * context, width))?, block.out) // [B·T, d]
    }

    /// Rotary positions: the first half of a head is turned against the second, x [B, H, T, h].
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let half = x.dim(D::Minus1)? / 2;
        let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?); // [B, H, T, h/2]
        let Positions { cos, sin, .. } = self.positions;
        let turned_a = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
        let turned_b = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
        Tensor::cat(&[turned_a, turned_b], D::Minus1)?.contiguous() // [B, H, T, h]
    }

    /// SwiGLU: down·(silu(gate·x) ⊙ up·x).
    fn feed_forward(&self, block: &BlockIndex, x: &Tensor) -> Result<Tensor> {
        let hidden = (silu(&self.linear(x, block.gate)?)? * self.linear(x, block.gate + 1)?)?; // [B·T, f]
        self.linear(&hidden, block.down) // [B·T, d]
    }
}

/// Softmax over the last dimension. The maximum that is taken off for safety changes no value, so no gradient goes through it.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let exponentials = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

/// Its logarithm.
fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// Each key/value head serves `times` query heads that follow one another: [B, K, T, h] → [B, K·times, T, h].
fn repeat_heads(x: &Tensor, times: usize) -> Result<Tensor> {
    if times == 1 {
        return Ok(x.clone());
    }
    let (sequences, kv_heads, context, head_width) = x.dims4()?;
    let spread = x.unsqueeze(2)?.broadcast_as((sequences, kv_heads, times, context, head_width))?;
    spread.contiguous()?.reshape((sequences, kv_heads * times, context, head_width))
}
