//! How much memory a training process needs, so that a plan can say so and a driver can refuse before it is too late.

use super::{ModelShape, ParamCounts};

/// Tokens that the CPU path works on at once, whole sequences: few enough that what passes from one operation to
/// the next stays in the second-level cache, many enough that matrix products run at full speed. Measured (see LOG.md): 256 up to a
/// width of 128, 512 at 256, where each microbatch adds to gradients that lie beyond that cache.
pub fn microbatch_tokens(shape: &ModelShape) -> usize {
    let least: usize = if shape.width < 192 { 256 } else { 512 };
    least.next_multiple_of(shape.context).max(shape.context)
}

/// Bytes of a process that trains nothing: program, buffers of input and output, the table of a synthetic source.
const BASE_BYTES: f64 = 1.2e7;

/// Bytes that a CPU worker needs to train a shape: weight, gradient, two moments and two copies for products of every parameter
/// (24 bytes), the activations of one microbatch of a batch, evaluation windows, and the process itself.
/// A mapped text adds what of it stays resident, at most its size.
pub fn training_bytes(shape: &ModelShape, eval_windows: u64) -> f64 {
    let weights = 24.0 * ParamCounts::of(shape).total() as f64;
    let windows = 8.0 * (eval_windows * (shape.context as u64 + 1)) as f64;
    BASE_BYTES + weights + 4.0 * activation_numbers(shape) + windows
}

/// Numbers kept between forward and backward for one microbatch, and its gradients.
fn activation_numbers(shape: &ModelShape) -> f64 {
    let [layers, width, kv_width, ffn, heads] = [shape.layers, shape.width, shape.kv_width(), shape.ffn, shape.heads].map(|n| n as f64);
    let qkv = width + 2.0 * kv_width;
    let stream = 2.0 * width + 1.0;
    let block = qkv + (width + kv_width) + width + 3.0 * ffn + 3.0 * heads;
    let gradients = 3.0 * width + qkv + ffn;
    let inputs = width.max(ffn);
    let per_token = (2.0 * layers + 1.0) * stream + layers * block + gradients + inputs;
    let (scores, logits) = ((128 * shape.context) as f64, 65_536.0);
    microbatch_tokens(shape) as f64 * per_token + scores + logits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_whole_sequences() {
        let microbatch = |width, context| microbatch_tokens(&ModelShape { context, ..ModelShape::derived(2, width) });
        assert_eq!([32, 100, 128, 256, 500, 700].map(|context| microbatch(256, context)), [512, 600, 512, 512, 1000, 700]);
        assert_eq!([32, 100, 256, 500].map(|context| microbatch(128, context)), [256, 300, 256, 500]);
    }

    #[test]
    fn memory_counts_every_part() {
        // 2x8, context 256, by hand: N = 5,832 of 24 bytes; per token 5·17 + 2·(24 + 16 + 8 + 3·ffn + 3·heads) + …
        let shape = ModelShape::derived(2, 8);
        let (ffn, heads) = (shape.ffn as f64, shape.heads as f64);
        let per_token = 5.0 * 17.0 + 2.0 * (48.0 + 3.0 * ffn + 3.0 * heads) + 24.0 + 24.0 + ffn + ffn.max(8.0);
        let expected = 1.2e7 + 24.0 * 5832.0 + 4.0 * (256.0 * per_token + 32_768.0 + 65_536.0) + 8.0 * 256.0 * 257.0;
        assert_eq!(training_bytes(&shape, 256), expected);
    }
}
