//! The list of trained numbers of a network and their first values.
//!
//! All paths (composed, fused, any device) share one flat order of f32 numbers: the order of [`Layout`].
//! Matrices are row-major [out, in]. First values are drawn from ChaCha8 keyed by (seed, parameter name),
//! so they are the same on every machine and device, and adding a parameter does not move the others.

use crate::spec::{ModelShape, ParamCounts, ParamGroup, Random, RunSpec};
use std::ops::Range;

/// One parameter: a matrix [rows, columns] = [out, in], or a gain [1, columns].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) group: ParamGroup,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Where it begins in the flat order.
    pub(crate) offset: usize,
    /// Standard deviation of its first values; a gain begins at 1.
    std: f64,
}

impl Parameter {
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }

    /// Whether it is a matrix of a block.
    pub(crate) fn is_matrix(&self) -> bool {
        self.group == ParamGroup::Matrix
    }
}

/// Where each parameter of one block lies in the list of [`Layout::parameters`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BlockIndex {
    pub(crate) attention_norm: usize,
    pub(crate) query_norm: Option<usize>,
    pub(crate) key_norm: Option<usize>,
    /// Query; key and value follow, so that the three are one matrix [d + 2·kv, d] in the flat order.
    pub(crate) query: usize,
    pub(crate) out: usize,
    pub(crate) ffn_norm: usize,
    /// Gate; up follows, so that both are one matrix [2·ffn, d].
    pub(crate) gate: usize,
    pub(crate) down: usize,
}

/// All parameters of a shape in their flat order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) blocks: Vec<BlockIndex>,
    pub(crate) final_norm: usize,
    /// The output matrix; the embedding's index (0) where the head is tied.
    pub(crate) head: usize,
    /// Trained numbers in all.
    pub(crate) total: usize,
}

/// Standard deviation of a head of its own: so small that the first loss is ln V (nanochat uses the same).
const HEAD_STD: f64 = 0.001;

impl Layout {
    /// The parameters of a shape. Standard deviations: 1/√fan_in, residual outputs (out, down) further
    /// divided by √(2·layers) (Radford 2019 §2.3), embedding 1/√d, head 0.001. A tied embedding
    /// begins at min(0.02, 1/(2d)): a token's own logit √d·|e| ≈ d·std must stay small for a first loss of ln V.
    pub(crate) fn of(shape: &ModelShape) -> Self {
        let ModelShape { width, ffn, vocabulary, .. } = *shape;
        let (kv_width, head_width) = (shape.kv_width(), shape.head_width());
        let residual = 1.0 / (2.0 * shape.layers as f64).sqrt();
        let fan_in = |n: usize| 1.0 / (n as f64).sqrt();
        let mut list = List::default();

        let embedding_std = if shape.tied_head { (0.5 / width as f64).min(0.02) } else { fan_in(width) };
        list.add("embedding".into(), ParamGroup::Embedding, [vocabulary, width], embedding_std);
        let blocks = (0..shape.layers)
            .map(|layer| {
                let mut add = |name: &str, group, size, std| list.add(format!("blocks.{layer}.{name}"), group, size, std);
                let attention_norm = add("attention_norm", ParamGroup::Norm, [1, width], 0.0);
                let mut qk_gain = |name: &str| shape.qk_norm.then(|| add(name, ParamGroup::Norm, [1, head_width], 0.0));
                let (query_norm, key_norm) = (qk_gain("query_norm"), qk_gain("key_norm"));
                let query = add("query", ParamGroup::Matrix, [width, width], fan_in(width));
                add("key", ParamGroup::Matrix, [kv_width, width], fan_in(width));
                add("value", ParamGroup::Matrix, [kv_width, width], fan_in(width));
                let out = add("out", ParamGroup::Matrix, [width, width], fan_in(width) * residual);
                let ffn_norm = add("ffn_norm", ParamGroup::Norm, [1, width], 0.0);
                let gate = add("gate", ParamGroup::Matrix, [ffn, width], fan_in(width));
                add("up", ParamGroup::Matrix, [ffn, width], fan_in(width));
                let down = add("down", ParamGroup::Matrix, [width, ffn], fan_in(ffn) * residual);
                BlockIndex { attention_norm, query_norm, key_norm, query, out, ffn_norm, gate, down }
            })
            .collect();
        let final_norm = list.add("final_norm".into(), ParamGroup::Norm, [1, width], 0.0);
        let head = if shape.tied_head { 0 } else { list.add("head".into(), ParamGroup::Head, [vocabulary, width], HEAD_STD) };
        let layout = Self { parameters: list.parameters, blocks, final_norm, head, total: list.total };
        debug_assert_eq!(layout.total as u64, ParamCounts::of(shape).total());
        layout
    }

    /// What low-rank additions to the matrices of a shape are made of, matrix by matrix: A [rank, in], drawn, and B [out, rank], zero at
    /// first. It has no blocks, norms or head of its own.
    pub(crate) fn low_rank(shape: &ModelShape, rank: usize) -> Self {
        let mut list = List::default();
        for matrix in Self::of(shape).parameters.into_iter().filter(Parameter::is_matrix) {
            let Parameter { name, group, rows, columns, .. } = matrix;
            list.add(format!("{name}.down"), group, [rank, columns], 1.0 / (columns as f64).sqrt());
            list.add(format!("{name}.up"), group, [rows, rank], 0.0);
        }
        Self { parameters: list.parameters, blocks: Vec::new(), final_norm: 0, head: 0, total: list.total }
    }

    /// The numbers that a run trains.
    pub(crate) fn trained(spec: &RunSpec) -> Self {
        match spec.stage.fine_tuning().map_or(0, |it| it.rank) {
            0 => Self::of(&spec.shape),
            rank => Self::low_rank(&spec.shape, rank as usize),
        }
    }

    /// First values of all parameters in the flat order.
    pub(crate) fn first_weights(&self, seed_init: u64) -> Vec<f32> {
        let mut weights = Vec::with_capacity(self.total);
        for parameter in &self.parameters {
            let count = parameter.range().len();
            if parameter.group == ParamGroup::Norm {
                weights.extend(std::iter::repeat_n(1.0f32, count));
            } else {
                let mut random = Random::new(seed_init, &parameter.name);
                weights.extend((0..count).map(|_| (parameter.std * random.normal()) as f32));
            }
        }
        weights
    }

    /// The flat range of a parameter by its index.
    pub(crate) fn range(&self, index: usize) -> Range<usize> {
        self.parameters[index].range()
    }

    /// The flat range of `count` parameters that follow one another, as one matrix.
    pub(crate) fn joint_range(&self, first: usize, count: usize) -> Range<usize> {
        self.range(first).start..self.range(first + count - 1).end
    }
}

#[derive(Default)]
struct List {
    parameters: Vec<Parameter>,
    total: usize,
}

impl List {
    fn add(&mut self, name: String, group: ParamGroup, [rows, columns]: [usize; 2], std: f64) -> usize {
        self.parameters.push(Parameter { name, group, rows, columns, offset: self.total, std });
        self.total += rows * columns;
        self.parameters.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_every_counted_weight_once() {
        let base = ModelShape::derived(3, 32);
        for (qk_norm, tied_head, kv_heads) in [(true, false, 2), (false, true, 2), (true, true, 1)] {
            let shape = ModelShape { qk_norm, tied_head, kv_heads, ..base.clone() };
            let layout = Layout::of(&shape);
            assert_eq!(layout.total as u64, ParamCounts::of(&shape).total());
            assert_eq!(layout.first_weights(0).len(), layout.total);
            let mut end = 0;
            for parameter in &layout.parameters {
                assert_eq!(parameter.offset, end, "{}", parameter.name);
                end = parameter.range().end;
            }
        }
    }

    #[test]
    fn weights_have_the_spread_that_their_group_asks_for() {
        let shape = ModelShape::derived(2, 64);
        let layout = Layout::of(&shape);
        let weights = layout.first_weights(5);
        for (name, std) in [("embedding", 0.125), ("blocks.1.query", 0.125), ("blocks.0.out", 0.0625), ("head", 0.001)] {
            let parameter = layout.parameters.iter().find(|p| p.name == name).expect("named");
            let values = &weights[parameter.range()];
            let found = (values.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
            // Standard error of a standard deviation from 4096 draws: 1.1 %; five of them.
            assert!((found / std - 1.0).abs() < 0.055, "{name}: {found} instead of {std}");
        }
    }

    #[test]
    fn a_parameter_keeps_its_first_values_when_others_come_and_go() {
        let shape = ModelShape::derived(2, 32);
        let other = ModelShape { qk_norm: false, layers: 3, ..shape.clone() };
        let (a, b) = (Layout::of(&shape), Layout::of(&other));
        let value = |layout: &Layout| layout.first_weights(9)[layout.parameters[layout.blocks[1].gate].range()].to_vec();
        assert_eq!(value(&a), value(&b));
    }
}
