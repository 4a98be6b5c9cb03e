//! The weights of a network as its matrix products read them, laid out anew after every update.

use super::init::Layout;
use super::kernels::matmul::Matrix;
use super::kernels::panels::{Factors, Panels};
use crate::spec::ModelShape;

/// A matrix of weights W [out, in].
pub(crate) struct Weight {
    /// Wᵀ [in, out]: inputs times it are outputs.
    pub(crate) forward: Panels,
    /// W [out, in]: gradients of outputs times it are gradients of inputs.
    pub(crate) backward: Panels,
}

impl Weight {
    fn new(factors: Factors) -> Self {
        Self { forward: Panels::new(factors), backward: Panels::new(factors) }
    }

    fn lay_out(&mut self, weights: &[f32], rows: usize, columns: usize) {
        let weight = Matrix::new(weights, rows, columns);
        self.forward.lay_out(weight.t());
        self.backward.lay_out(weight);
    }
}

/// The matrices of one block.
pub(crate) struct BlockWeights {
    /// Query, key and value [d + 2·kv, d].
    pub(crate) qkv: Weight,
    /// [d, d].
    pub(crate) out: Weight,
    /// Gate and up [2f, d].
    pub(crate) gate_up: Weight,
    /// [d, f].
    pub(crate) down: Weight,
}

/// All matrices of a network.
pub(crate) struct LaidOut {
    pub(crate) blocks: Vec<BlockWeights>,
    /// The unembedding [V, d].
    pub(crate) head: Weight,
}

impl LaidOut {
    /// Of so many layers that are not there yet.
    pub(crate) fn new(layers: usize, factors: Factors) -> Self {
        let weight = || Weight::new(factors);
        let block = |_| BlockWeights { qkv: weight(), out: weight(), gate_up: weight(), down: weight() };
        Self { blocks: (0..layers).map(block).collect(), head: weight() }
    }

    /// Reads all weights.
    pub(crate) fn lay_out(&mut self, shape: &ModelShape, layout: &Layout, weights: &[f32]) {
        let ModelShape { width, ffn, vocabulary, .. } = *shape;
        for (block, index) in self.blocks.iter_mut().zip(&layout.blocks) {
            block.qkv.lay_out(&weights[layout.joint_range(index.query, 3)], width + 2 * shape.kv_width(), width);
            block.out.lay_out(&weights[layout.range(index.out)], width, width);
            block.gate_up.lay_out(&weights[layout.joint_range(index.gate, 2)], 2 * ffn, width);
            block.down.lay_out(&weights[layout.range(index.down)], width, ffn);
        }
        self.head.lay_out(&weights[layout.range(layout.head)], vocabulary, width);
    }
}
