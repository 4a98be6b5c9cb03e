//! What the fused path knows of a network beside its weights: where parameters and heads lie, and the rotary angles.

use super::adamw::factor_ranges;
use super::init::Layout;
use super::kernels::head::HeadView;
use super::kernels::rotary::Heads;
use super::transformer::rope_tables;
use super::workspace::BlockActivations;
use crate::spec::{GroupFactors, ModelShape, OptimizerGroups};
use std::ops::Range;

/// What stays the same through training.
pub(crate) struct Network {
    pub(crate) shape: ModelShape,
    pub(crate) layout: Layout,
    /// Flat ranges, and what learning rate and decay are multiplied by there.
    pub(crate) factors: Vec<(Range<usize>, GroupFactors)>,
    /// Rotary angles [T, h/2].
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

impl Network {
    pub(crate) fn new(shape: &ModelShape, groups: &OptimizerGroups) -> Self {
        let (cos, sin) = rope_tables(shape.context, shape.head_width() / 2);
        let layout = Layout::of(shape);
        Self { shape: shape.clone(), factors: factor_ranges(&layout, groups, shape.width), layout, cos, sin }
    }

    /// Queries (with the factor of the scores) and keys in a row [query | key | value].
    pub(crate) fn heads(&self, keys: bool) -> Heads {
        let shape = &self.shape;
        let (head_width, kv_width) = (shape.head_width(), shape.kv_width());
        Heads {
            count: if keys { shape.kv_heads } else { shape.heads },
            width: head_width,
            context: shape.context,
            raw_stride: shape.width + 2 * kv_width,
            rotated_stride: shape.width + kv_width,
            scale: if keys { 1.0 } else { 1.0 / (head_width as f32).sqrt() },
        }
    }

    /// A gain for queries or keys; empty where there is none.
    pub(crate) fn qk_gain<'a>(&self, weights: &'a [f32], index: Option<usize>) -> &'a [f32] {
        index.map_or(&[], |index| &weights[self.layout.range(index)])
    }

    /// The views of one head of one sequence: query, key, value.
    pub(crate) fn head_views<'a>(&self, block: &'a BlockActivations, sequence: usize, head: usize) -> [HeadView<'a>; 3] {
        let shape = &self.shape;
        let (head_width, kv_width, first) = (shape.head_width(), shape.kv_width(), sequence * shape.context);
        let kv_head = head / (shape.heads / shape.kv_heads);
        let rotated_stride = shape.width + kv_width;
        let raw_stride = rotated_stride + kv_width;
        let rotated = |at: usize| HeadView { data: &block.rotated[first * rotated_stride + at..], stride: rotated_stride };
        let value = HeadView { data: &block.qkv[first * raw_stride + rotated_stride + kv_head * head_width..], stride: raw_stride };
        [rotated(head * head_width), rotated(shape.width + kv_head * head_width), value]
    }
}
