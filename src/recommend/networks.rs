//! Networks that can be built for a budget: layers and width as the runs have them, at and beside the optimum, and what the
//! law says of their losses.

use super::Known;
use super::allocation::Allocation;
use super::noise::Losses;
use crate::fit::{Estimate, Fit, Quantity};
use crate::law::{ComputeCount, Point, shape_of};
use crate::spec::{FlopRule, ModelShape, RunRecord, SizeMeasure};

/// A network at a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Why it is looked at.
    pub role: String,
    /// Layers, width, heads and feed-forward width.
    pub shape: ModelShape,
    /// N under the fit's measure.
    pub params: f64,
    /// D, whole steps.
    pub tokens: f64,
}

/// The networks at and beside the optimum of a budget: those asked for as (layers, width), else the nearest that can be
/// built to N*, half and twice of it. None where runs have no shapes.
pub fn networks(fit: &Fit, records: &[RunRecord], allocation: &Allocation, asked: &[(usize, usize)]) -> Vec<Network> {
    let Some(builder) = Builder::of(fit, records) else { return Vec::new() };
    let batch = allocation.batch_tokens.map(|batch| batch.value);
    let network = |role: &str, (shape, params): (ModelShape, f64)| Network {
        role: role.to_owned(),
        tokens: builder.tokens(&shape, params, allocation.compute, batch),
        shape,
        params,
    };
    if !asked.is_empty() {
        return asked.iter().filter_map(|&size| Some(network("as asked", builder.sized(size)?))).collect();
    }
    let near = |(role, factor): (&str, f64)| Some(network(role, builder.nearest(factor * allocation.params.value)?));
    [("half the size", 0.5), ("optimum", 1.0), ("twice the size", 2.0)].into_iter().filter_map(near).collect()
}

/// Mean losses of networks at their tokens, with the interval of the law, and the same for one run each.
pub fn network_losses(fit: &Fit, level: f64, known: &Known<'_>, networks: &[Network]) -> Vec<[Estimate; 2]> {
    let count = ComputeCount::of(&fit.evidence.points);
    let place = |one: &Network| Point { c: count.compute(one.params, one.tokens), ..Point::new(one.params, one.tokens, 1.0) };
    losses_at(fit, level, known, &networks.iter().map(place).collect::<Vec<_>>())
}

/// Mean losses at some places, and those of one run each.
pub(super) fn losses_at(fit: &Fit, level: f64, known: &Known<'_>, places: &[Point]) -> Vec<[Estimate; 2]> {
    let losses: Vec<Losses> = match known.mixture {
        Some(mixture) => places.iter().map(|place| Losses::together(mixture, place, level)).collect(),
        None => {
            let asked: Vec<Quantity> = places.iter().map(|place| Quantity::loss_at("loss", place.clone())).collect();
            fit.intervals(&asked, level).into_iter().map(|mean| Losses::by_law(fit, known.records, mean)).collect()
        }
    };
    losses.into_iter().map(|one| [one.mean, one.one_run]).collect()
}

/// Builds networks as the runs have them.
pub(super) struct Builder {
    /// The largest of the runs.
    template: ModelShape,
    /// Median width over layers.
    aspect: f64,
    measure: SizeMeasure,
    flop_rule: FlopRule,
    pub(super) count: ComputeCount,
}

impl Builder {
    /// `None` where runs have no shapes.
    pub(super) fn of(fit: &Fit, records: &[RunRecord]) -> Option<Self> {
        let evidence = &fit.evidence;
        Some(Self {
            template: records.iter().filter_map(shape_of).max_by_key(|shape| shape.width * shape.layers)?,
            aspect: aspect_ratio(records)?,
            measure: if evidence.size_measure == SizeMeasure::AsGiven { SizeMeasure::Total } else { evidence.size_measure },
            flop_rule: evidence.flop_rule,
            count: ComputeCount::of(&evidence.points),
        })
    }

    /// The network nearest to a size in ln N, at an aspect ratio (width over layers) near that of the runs, with the other
    /// dimensions as the runs have them, and its size.
    pub(super) fn nearest(&self, target: f64) -> Option<(ModelShape, f64)> {
        nearest_shape(&self.template, self.aspect, self.measure, target, 8)
    }

    /// The network of so many layers and so much width, and its size.
    fn sized(&self, (layers, width): (usize, usize)) -> Option<(ModelShape, f64)> {
        let shape = like(&self.template, layers, width);
        let n = self.measure.of(&shape)?.0;
        shape.check().is_ok().then_some((shape, n))
    }

    /// What a budget leaves for it, whole batches.
    pub(super) fn tokens(&self, shape: &ModelShape, params: f64, compute: f64, batch: Option<f64>) -> f64 {
        let per_step = batch.unwrap_or(1.0);
        let affordable =
            self.flop_rule.per_token(shape).map_or_else(|| self.count.tokens(params, compute), |per_token| compute / per_token);
        (affordable / per_step).floor().max(1.0) * per_step
    }
}

/// A network of other layers and width, the rest derived or as in `template`.
fn like(template: &ModelShape, layers: usize, width: usize) -> ModelShape {
    ModelShape {
        vocabulary: template.vocabulary,
        context: template.context,
        qk_norm: template.qk_norm,
        tied_head: template.tied_head,
        ..ModelShape::derived(layers, width)
    }
}

/// The network nearest in ln N to `target`, near an aspect ratio, with widths in whole `step`s where they are large; its
/// other dimensions are derived or those of `template`.
pub(super) fn nearest_shape(
    template: &ModelShape,
    aspect: f64,
    measure: SizeMeasure,
    target: f64,
    step: usize,
) -> Option<(ModelShape, f64)> {
    let mut best: Option<(f64, ModelShape, f64)> = None;
    for layers in 1..=160 {
        // Networks of more than a few steps' width are built in whole steps, smaller ones in eighths of a step.
        let widths = (8..=16_384).step_by(8).filter(|width| width % step == 0 || (*width < 4 * step && width % (step / 8).max(8) == 0));
        for width in widths {
            let off_aspect = (width as f64 / layers as f64 / aspect).ln().abs();
            if off_aspect > std::f64::consts::LN_2 {
                continue;
            }
            let shape = like(template, layers, width);
            let Some(n) = measure.of(&shape).map(|n| n.0).filter(|_| shape.check().is_ok()) else { continue };
            // A tenth of a factor in aspect weighs as much as a hundredth in size.
            let score = (n / target).ln().abs() + 0.1 * off_aspect;
            if best.as_ref().is_none_or(|(lowest, ..)| score < *lowest) {
                best = Some((score, shape, n));
            }
        }
    }
    best.map(|(_, shape, n)| (shape, n))
}

/// Median width over layers of the runs' networks.
fn aspect_ratio(records: &[RunRecord]) -> Option<f64> {
    let mut ratios: Vec<f64> = records.iter().filter_map(|record| Some(record.width? as f64 / record.layers? as f64)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}
