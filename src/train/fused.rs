//! A network trained on the processor by the fused operations of `kernels`: forward and backward written out
//! over flat buffers, nothing allocated after the first step, one thread.
//!
//! Sequences do not see one another, so a batch is worked through in microbatches of a few sequences whose
//! activations stay in the cache; each microbatch goes forward and backward before the next, and adds to the gradient.
//! This also makes memory independent of the batch. candle takes no part.

use super::TrainError;
use super::adamw::Update;
use super::init::Layout;
use super::kernels::adamw as optimizer;
use super::kernels::attention::{HeadGradients, attend, attend_backward};
use super::kernels::head::HeadView;
use super::kernels::matmul::{Into, Matrix};
use super::kernels::norm::{add_norm, norm, norm_backward};
use super::kernels::panels::{Factors, Panels, multiply_panels};
use super::kernels::rotary::{rotate, rotate_backward};
use super::kernels::swiglu::{swiglu, swiglu_backward};
use super::kernels::{cross_entropy, embedding};
use super::laid_out::LaidOut;
use super::learner::{Learner, LearnerState, Task};
use super::meter::{Part, metered};
use super::network::Network;
use super::workspace::{BlockActivations, Workspace};
use crate::corpus::counted;
use crate::spec::{ModelShape, OptimizerGroups};

/// Floats of logits computed at once: a quarter of a megabyte.
const LOGITS_AT_ONCE: usize = 1 << 16;

pub(crate) struct Fused {
    network: Network,
    weights: Vec<f32>,
    /// The same, for products.
    laid_out: LaidOut,
    gradient: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    workspace: Workspace,
    task: Task,
}

impl Fused {
    pub(crate) fn new(shape: &ModelShape, groups: &OptimizerGroups, state: LearnerState, factors: Factors) -> Self {
        let network = Network::new(shape, groups);
        let mut laid_out = LaidOut::new(shape.layers, factors);
        laid_out.lay_out(shape, &network.layout, &state.weights);
        Self {
            network,
            laid_out,
            gradient: vec![0.0; state.weights.len()],
            weights: state.weights,
            mean: state.mean,
            square: state.square,
            workspace: Workspace::new(shape, LOGITS_AT_ONCE, factors),
            task: Task::default(),
        }
    }

    /// The same for another task.
    pub(crate) fn of_task(mut self, task: Task) -> Self {
        self.workspace.scores = self.workspace.scores.seeing(task.sight());
        Self { task, ..self }
    }

    /// Inputs and targets of one microbatch after another.
    fn microbatches<'a>(&self, inputs: &'a [u32], targets: &'a [u32]) -> impl Iterator<Item = (&'a [u32], &'a [u32])> + use<'a> {
        let tokens = self.workspace.tokens;
        inputs.chunks(tokens).zip(targets.chunks(tokens))
    }

    /// Gradient of the mean loss of a batch, microbatch by microbatch; that loss.
    fn batch_gradient(&mut self, inputs: &[u32], targets: &[u32]) -> f64 {
        let Self { network, weights, laid_out, gradient, workspace, .. } = self;
        let of_targets = self.task.weights(targets, network.shape.context);
        let counted = if of_targets.is_some() { 1 } else { counted(targets).max(1) };
        let scale = 1.0 / counted as f32;
        let mut sum = 0.0;
        let mut into = Into::Replace;
        clear_sums(&network.layout, gradient);
        let tokens = workspace.tokens;
        for (at, (inputs, targets)) in inputs.chunks(tokens).zip(targets.chunks(tokens)).enumerate() {
            let weighed = of_targets.as_ref().map(|all| &all[at * tokens..][..targets.len()]);
            forward(network, weights, laid_out, inputs, workspace, Keep::ForBackward);
            sum += head_and_loss(network, laid_out, gradient, (targets, weighed, scale), into, workspace);
            backward(network, weights, laid_out, gradient, inputs, into, workspace);
            into = Into::Add;
        }
        sum / counted as f64
    }

    /// One AdamW update.
    fn apply(&mut self, update: &Update) {
        for (range, factors) in &self.network.factors {
            let (weights, gradient) = (&mut self.weights[range.clone()], &self.gradient[range.clone()]);
            let (mean, square) = (&mut self.mean[range.clone()], &mut self.square[range.clone()]);
            optimizer::update(&update.times(*factors), weights, gradient, mean, square);
        }
        self.laid_out.lay_out(&self.network.shape, &self.network.layout, &self.weights);
    }
}

impl Learner for Fused {
    fn gradient(&mut self, inputs: &[u32], targets: &[u32]) -> Result<f64, TrainError> {
        metered(Part::Gradient, || Ok(self.batch_gradient(inputs, targets)))
    }

    fn gradient_norm(&mut self) -> Result<f64, TrainError> {
        metered(Part::Optimizer, || Ok(optimizer::sum_of_squares(&self.gradient).sqrt()))
    }

    fn flat_gradient(&self) -> Result<Vec<f32>, TrainError> {
        Ok(self.gradient.clone())
    }

    fn update(&mut self, update: &Update) -> Result<(), TrainError> {
        metered(Part::Optimizer, || self.apply(update));
        Ok(())
    }

    fn put(&mut self, weights: &[f32]) -> Result<(), TrainError> {
        self.weights.copy_from_slice(weights);
        self.laid_out.lay_out(&self.network.shape, &self.network.layout, &self.weights);
        Ok(())
    }

    fn state(&self) -> Result<LearnerState, TrainError> {
        Ok(LearnerState { weights: self.weights.clone(), mean: self.mean.clone(), square: self.square.clone() })
    }

    fn hits(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<bool>, TrainError> {
        let mut hits = Vec::with_capacity(inputs.len());
        for (inputs, targets) in self.microbatches(inputs, targets) {
            forward(&self.network, &self.weights, &self.laid_out, inputs, &mut self.workspace, Keep::Nothing);
            let vocabulary = self.network.shape.vocabulary;
            each_logits(&self.network, &self.laid_out, targets, &mut self.workspace, |logits, targets, _| {
                hits.extend(cross_entropy::hits(logits, targets, vocabulary));
            });
        }
        Ok(hits)
    }

    fn token_losses(&mut self, inputs: &[u32], targets: &[u32]) -> Result<Vec<f32>, TrainError> {
        let mut losses = Vec::with_capacity(inputs.len());
        for (inputs, targets) in self.microbatches(inputs, targets) {
            forward(&self.network, &self.weights, &self.laid_out, inputs, &mut self.workspace, Keep::Nothing);
            let (vocabulary, first) = (self.network.shape.vocabulary, losses.len());
            losses.resize(first + targets.len(), 0.0);
            each_logits(&self.network, &self.laid_out, targets, &mut self.workspace, |logits, targets, row| {
                cross_entropy::losses(logits, targets, vocabulary, &mut losses[first + row..]);
            });
        }
        Ok(losses)
    }
}

/// Whether activations of all blocks are kept or each block writes over the last one's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    ForBackward,
    Nothing,
}

impl Keep {
    /// Which activations a block uses.
    fn block(self, layer: usize) -> usize {
        if self == Self::ForBackward { layer } else { 0 }
    }

    /// Which activations a norm uses: three in turn would do, two do.
    fn site(self, site: usize) -> usize {
        if self == Self::ForBackward { site } else { site % 2 }
    }
}

/// From ids to the normed input of the head, which is left in the last site.
fn forward(network: &Network, weights: &[f32], laid_out: &LaidOut, inputs: &[u32], workspace: &mut Workspace, keep: Keep) {
    let Network { shape, layout, cos, sin, .. } = network;
    let (width, kv_width, ffn, tokens) = (shape.width, shape.kv_width(), shape.ffn, inputs.len());
    let qkv_width = width + 2 * kv_width;
    let Workspace { sites, blocks, branch, scores, .. } = workspace;

    let first = &mut sites[0];
    embedding::gather(&weights[layout.range(0)], inputs, width, &mut first.x[..tokens * width]);
    let gain = &weights[layout.range(layout.blocks[0].attention_norm)];
    norm(&first.x[..tokens * width], gain, &mut first.normed, &mut first.inverse[..tokens]);

    for (layer, (index, weight)) in layout.blocks.iter().zip(&laid_out.blocks).enumerate() {
        let block = &mut blocks[keep.block(layer)];
        let next_gain = layout.blocks.get(layer + 1).map_or(layout.final_norm, |next| next.attention_norm);
        let [site, middle] = [2 * layer, 2 * layer + 1].map(|i| keep.site(i));
        let normed = Matrix::new(&sites[site].normed, tokens, width);

        multiply_panels(&mut block.qkv, qkv_width, Into::Replace, normed, &weight.qkv.forward);
        let query_gain = network.qk_gain(weights, index.query_norm);
        let key_gain = network.qk_gain(weights, index.key_norm);
        rotate(network.heads(false), tokens, &block.qkv, query_gain, cos, sin, &mut block.rotated, &mut block.query_inverse);
        rotate(network.heads(true), tokens, &block.qkv[width..], key_gain, cos, sin, &mut block.rotated[width..], &mut block.key_inverse);
        metered(Part::Attention, || attention(network, block, tokens, scores));
        multiply_panels(branch, width, Into::Replace, Matrix::new(&block.mixed, tokens, width), &weight.out.forward);
        join(sites, site, middle, branch, &weights[layout.range(index.ffn_norm)], tokens);

        let normed = Matrix::new(&sites[middle].normed, tokens, width);
        multiply_panels(&mut block.gate_up, 2 * ffn, Into::Replace, normed, &weight.gate_up.forward);
        swiglu(&block.gate_up[..tokens * 2 * ffn], ffn, &mut block.hidden);
        multiply_panels(branch, width, Into::Replace, Matrix::new(&block.hidden, tokens, ffn), &weight.down.forward);
        join(sites, middle, keep.site(2 * layer + 2), branch, &weights[layout.range(next_gain)], tokens);
    }
    workspace.last_site = keep.site(2 * shape.layers);
}

/// The residual stream of site `from` plus a branch becomes that of site `to`, normed.
fn join(sites: &mut [super::workspace::Site], from: usize, to: usize, branch: &[f32], gain: &[f32], tokens: usize) {
    let [from, to] = sites.get_disjoint_mut([from, to]).expect("two different sites");
    add_norm(&from.x[..tokens * gain.len()], branch, gain, &mut to.x, &mut to.normed, &mut to.inverse);
}

/// Every head of every sequence.
fn attention(network: &Network, block: &mut BlockActivations, tokens: usize, scores: &mut super::kernels::attention::Scores) {
    let ModelShape { heads, context, width, .. } = network.shape;
    let head_width = network.shape.head_width();
    let mut mixed = std::mem::take(&mut block.mixed);
    let mut log_sums = std::mem::take(&mut block.log_sums);
    for (sequence, head) in (0..tokens / context).flat_map(|sequence| (0..heads).map(move |head| (sequence, head))) {
        let views = network.head_views(block, sequence, head);
        let mixed = &mut mixed[sequence * context * width + head * head_width..];
        let at = (sequence * heads + head) * context;
        attend(views, head_width, mixed, width, &mut log_sums[at..at + context], scores);
    }
    (block.mixed, block.log_sums) = (mixed, log_sums);
}

/// Logits of all tokens of a microbatch, a few rows at a time, with their targets and the first of these rows.
fn each_logits(
    network: &Network,
    laid_out: &LaidOut,
    targets: &[u32],
    workspace: &mut Workspace,
    mut each: impl FnMut(&mut [f32], &[u32], usize),
) {
    let (width, vocabulary) = (network.shape.width, network.shape.vocabulary);
    let normed = &workspace.sites[workspace.last_site].normed;
    let rows = workspace.logits.len() / vocabulary;
    for (i, targets) in targets.chunks(rows).enumerate() {
        let normed = Matrix::new(&normed[i * rows * width..], targets.len(), width);
        multiply_panels(&mut workspace.logits, vocabulary, Into::Replace, normed, &laid_out.head.forward);
        let logits = &mut workspace.logits[..targets.len() * vocabulary];
        each(logits, targets, i * rows);
    }
}

/// Sum of the losses of a microbatch, each times its weight where they have some; the gradient of the head, and that of its input into `workspace.dnormed`.
fn head_and_loss(
    network: &Network,
    laid_out: &LaidOut,
    gradient: &mut [f32],
    (targets, weighed, scale): (&[u32], Option<&[f32]>, f32),
    mut into: Into,
    workspace: &mut Workspace,
) -> f64 {
    let (width, vocabulary) = (network.shape.width, network.shape.vocabulary);
    let range = network.layout.range(network.layout.head);
    let Workspace { sites, logits, losses, dnormed, last_site, panels, .. } = workspace;
    let normed = &sites[*last_site].normed;
    let rows = logits.len() / vocabulary;
    for (i, targets) in targets.chunks(rows).enumerate() {
        let normed = Matrix::new(&normed[i * rows * width..], targets.len(), width);
        multiply_panels(logits, vocabulary, Into::Replace, normed, &laid_out.head.forward);
        let logits = &mut logits[..targets.len() * vocabulary];
        cross_entropy::losses_and_gradient(logits, targets, vocabulary, scale, &mut losses[i * rows..]);
        if let Some(weights) = weighed {
            cross_entropy::weigh(logits, &weights[i * rows..][..targets.len()], vocabulary, &mut losses[i * rows..]);
        }
        let dlogits = Matrix::new(logits, targets.len(), vocabulary);
        multiply_panels(&mut dnormed[i * rows * width..], width, Into::Replace, dlogits, &laid_out.head.backward);
        add_gradient(&mut gradient[range.clone()], into, dlogits, normed, panels);
        into = Into::Add;
    }
    losses[..targets.len()].iter().map(|loss| f64::from(*loss)).sum()
}

/// Gradient of a matrix of weights [out, in] from that of its outputs [tokens, out] and its inputs [tokens, in].
fn add_gradient(gradient: &mut [f32], into: Into, outputs: Matrix<'_>, inputs: Matrix<'_>, panels: &mut Panels) {
    panels.lay_out(inputs);
    multiply_panels(gradient, inputs.columns(), into, outputs.t(), panels);
}

/// From the gradient of the head's input to those of all other parameters.
fn backward(
    network: &Network,
    weights: &[f32],
    laid_out: &LaidOut,
    gradient: &mut [f32],
    inputs: &[u32],
    into: Into,
    workspace: &mut Workspace,
) {
    let Network { shape, layout, cos, sin, .. } = network;
    let (width, kv_width, ffn, tokens) = (shape.width, shape.kv_width(), shape.ffn, inputs.len());
    let qkv_width = width + 2 * kv_width;
    let Workspace { sites, blocks, scores, dx, dnormed, dqkv, dhidden, panels, .. } = workspace;

    dx[..tokens * width].fill(0.0);
    let through_norm = |site: usize, gain: usize, dnormed: &[f32], dx: &mut [f32], gradient: &mut [f32]| {
        let (site, range) = (&sites[site], layout.range(gain));
        let dgain = &mut gradient[range.clone()];
        norm_backward(&dnormed[..tokens * width], &site.x, &site.inverse, &weights[range], dx, dgain);
    };
    through_norm(2 * shape.layers, layout.final_norm, dnormed, dx, gradient);

    for (layer, (index, weight)) in layout.blocks.iter().zip(&laid_out.blocks).enumerate().rev() {
        let block = &mut blocks[layer];
        let out = Matrix::new(dx, tokens, width);
        add_gradient(&mut gradient[layout.range(index.down)], into, out, Matrix::new(&block.hidden, tokens, ffn), panels);
        multiply_panels(dhidden, ffn, Into::Replace, out, &weight.down.backward);
        swiglu_backward(&dhidden[..tokens * ffn], ffn, &mut block.gate_up);
        let dgate_up = Matrix::new(&block.gate_up, tokens, 2 * ffn);
        let normed = Matrix::new(&sites[2 * layer + 1].normed, tokens, width);
        add_gradient(&mut gradient[layout.joint_range(index.gate, 2)], into, dgate_up, normed, panels);
        multiply_panels(dnormed, width, Into::Replace, dgate_up, &weight.gate_up.backward);
        through_norm(2 * layer + 1, index.ffn_norm, dnormed, dx, gradient);

        let out = Matrix::new(dx, tokens, width);
        add_gradient(&mut gradient[layout.range(index.out)], into, out, Matrix::new(&block.mixed, tokens, width), panels);
        multiply_panels(dnormed, width, Into::Replace, out, &weight.out.backward);
        metered(Part::Attention, || attention_backward(network, block, dnormed, dqkv, tokens, scores));
        for (keys, gain, inverse) in [(false, index.query_norm, &block.query_inverse), (true, index.key_norm, &block.key_inverse)] {
            let at = if keys { width } else { 0 };
            let gain_values = network.qk_gain(weights, gain);
            let dgain = gain.map_or(&mut [][..], |gain| &mut gradient[layout.range(gain)]);
            let (raw, dqkv) = (&block.qkv[at..], &mut dqkv[at..]);
            rotate_backward(network.heads(keys), tokens, raw, gain_values, cos, sin, inverse, dqkv, dgain);
        }
        let dqkv = Matrix::new(dqkv, tokens, qkv_width);
        let normed = Matrix::new(&sites[2 * layer].normed, tokens, width);
        add_gradient(&mut gradient[layout.joint_range(index.query, 3)], into, dqkv, normed, panels);
        multiply_panels(dnormed, width, Into::Replace, dqkv, &weight.qkv.backward);
        through_norm(2 * layer, index.attention_norm, dnormed, dx, gradient);
    }
    embedding::scatter_add(&dx[..tokens * width], inputs, width, &mut gradient[layout.range(0)]);
}

/// Gradients of all heads' queries, keys and values into `dqkv`.
fn attention_backward(
    network: &Network,
    block: &BlockActivations,
    dmixed: &[f32],
    dqkv: &mut [f32],
    tokens: usize,
    scores: &mut super::kernels::attention::Scores,
) {
    let ModelShape { heads, kv_heads, context, width, .. } = network.shape;
    let (head_width, kv_width) = (network.shape.head_width(), network.shape.kv_width());
    let stride = width + 2 * kv_width;
    for (sequence, head) in (0..tokens / context).flat_map(|sequence| (0..heads).map(move |head| (sequence, head))) {
        let views = network.head_views(block, sequence, head);
        let at = sequence * context * width + head * head_width;
        let view = |data| HeadView { data, stride: width };
        let group = heads / kv_heads;
        let kv_at = width + head / group * head_width;
        let gradients = HeadGradients {
            data: &mut dqkv[sequence * context * stride..],
            stride,
            offsets: [head * head_width, kv_at, kv_at + kv_width],
            keys_and_values: if head % group == 0 { Into::Replace } else { Into::Add },
        };
        let sums = (sequence * heads + head) * context;
        let log_sums = &block.log_sums[sums..sums + context];
        attend_backward(views, head_width, view(&block.mixed[at..]), view(&dmixed[at..]), log_sums, gradients, scores);
    }
}

/// Zeroes what is only ever added to: gains, and an embedding with a head beside it (a tied one is first replaced by the head's gradient).
fn clear_sums(layout: &Layout, gradient: &mut [f32]) {
    use crate::spec::ParamGroup;
    for parameter in &layout.parameters {
        if matches!(parameter.group, ParamGroup::Norm | ParamGroup::Embedding) {
            gradient[parameter.range()].fill(0.0);
        }
    }
}

#[cfg(test)]
impl Fused {
    /// Every buffer that a step writes, with its name.
    pub(crate) fn buffers(&self) -> Vec<(String, &[f32])> {
        let Self { weights, gradient, mean, square, workspace, .. } = self;
        let named = [("weights", weights), ("gradient", gradient), ("first moments", mean), ("second moments", square)];
        let own = named.map(|(name, buffer)| (name.to_owned(), buffer.as_slice()));
        own.into_iter().chain(workspace.buffers()).collect()
    }

    /// Root mean squares of the residual stream at every site and of the logits, over one microbatch of tokens.
    pub(crate) fn activation_sizes(&mut self, inputs: &[u32]) -> Vec<f64> {
        let inputs = &inputs[..inputs.len().min(self.workspace.tokens)];
        forward(&self.network, &self.weights, &self.laid_out, inputs, &mut self.workspace, Keep::ForBackward);
        let ModelShape { width, vocabulary, .. } = self.network.shape;
        let size = |values: &[f32]| (values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        let sites = &self.workspace.sites;
        let mut sizes: Vec<f64> = sites.iter().map(|site| size(&site.x[..inputs.len() * width])).collect();
        let mut logits = vec![0.0; inputs.len() * vocabulary];
        let normed = Matrix::new(&sites[sites.len() - 1].normed, inputs.len(), width);
        multiply_panels(&mut logits, vocabulary, Into::Replace, normed, &self.laid_out.head.forward);
        sizes.push(size(&logits));
        sizes
    }
}
