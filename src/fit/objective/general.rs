//! The objective of any law, summed from its own two derivatives over points laid side by side.

use super::evaluation::{Evaluation, Order};
use super::loss::ResidualLoss;
use super::matrix::Phi;
use crate::law::vector::{Pass, vectorised};
use crate::law::{AnyFormula, Block, Centre, Jet, LANES, Lanes, Point, Scalar, laid};
use rayon::prelude::*;

/// Blocks summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 512;

/// Where an objective is asked for, and what of it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) phi: &'a [f64],
    /// Coordinates to differentiate by.
    pub(super) free: &'a [usize],
    pub(super) order: Order,
}

/// What a formula can see of points, without their names, in blocks; what fills the last block has no weight.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    len: usize,
    blocks: Vec<Block>,
    ln_loss: Vec<Lanes>,
    weight: Vec<Lanes>,
}

impl Blocks {
    pub(super) fn new(points: &[Point]) -> Self {
        let slim = |point: &Point| Point { run: String::new(), cluster: None, budget: None, ..point.clone() };
        Self {
            len: points.len(),
            blocks: Block::of(&points.iter().map(slim).collect::<Vec<_>>()),
            ln_loss: laid(points.iter().map(|p| p.loss.ln()), 0.0),
            weight: laid(points.iter().map(|p| p.weight), 0.0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// (ln L, weight) of each point.
    pub(super) fn observed(&self) -> Vec<(f64, f64)> {
        self.each(&self.ln_loss).zip(self.each(&self.weight)).collect()
    }

    /// One number a point, of numbers laid in blocks.
    fn each<'a>(&self, laid: &'a [Lanes]) -> impl Iterator<Item = f64> + use<'a> {
        laid.iter().flat_map(|lanes| lanes.0).take(self.len)
    }

    /// The points of some indices with other weights.
    pub(super) fn gathered(&self, kept: &[(usize, f64)]) -> Self {
        let ln_losses: Vec<f64> = self.each(&self.ln_loss).collect();
        let points: Vec<Point> = kept.iter().map(|&(at, _)| self.blocks[at / LANES].points[at % LANES].clone()).collect();
        Self {
            len: kept.len(),
            blocks: Block::of(&points),
            ln_loss: laid(kept.iter().map(|&(at, _)| ln_losses[at]), 0.0),
            weight: laid(kept.iter().map(|&(_, weight)| weight), 0.0),
        }
    }

    pub(super) fn with_ln_losses(&self, ln_losses: &[f64]) -> Self {
        Self { ln_loss: laid(ln_losses.iter().copied(), 0.0), ..self.clone() }
    }

    pub(super) fn ln_predictions(&self, form: &dyn AnyFormula, centre: &Centre, phi: &[f64]) -> Vec<f64> {
        self.each(&form.ln_losses(phi, centre, &self.blocks)).collect()
    }

    pub(super) fn jacobian(&self, form: &dyn AnyFormula, centre: &Centre, phi: &[f64]) -> Vec<Phi> {
        let mut rows: Vec<Phi> = Vec::with_capacity(self.blocks.len() * LANES);
        let free: Vec<usize> = (0..phi.len()).collect();
        form.jets(phi, &free, centre, &self.blocks, false, &mut |_, jet| {
            rows.extend((0..LANES).map(|lane| jet.gradient.iter().map(|slope| slope.0[lane]).collect::<Phi>()));
        });
        rows.truncate(self.len);
        rows
    }

    /// The objective and as many of its derivatives by the coordinates `free` as asked for; others are 0.
    pub(super) fn evaluate(&self, form: &dyn AnyFormula, centre: &Centre, loss: ResidualLoss, at: Asked<'_>) -> Evaluation {
        let part = |start: usize| self.part(form, centre, loss, at, start);
        let starts: Vec<usize> = (0..self.blocks.len()).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> = if let [start] = starts[..] { vec![part(start)] } else { starts.into_par_iter().map(part).collect() };
        parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(|| Evaluation::zero(at.phi.len()))
    }

    fn part(&self, form: &dyn AnyFormula, centre: &Centre, loss: ResidualLoss, asked: Asked<'_>, start: usize) -> Evaluation {
        let Asked { phi, free, order } = asked;
        let blocks = &self.blocks[start..(start + CHUNK).min(self.blocks.len())];
        let mut sums = Sums::new(loss, order, free.len());
        if order == Order::Value {
            let predictions = form.ln_losses(phi, centre, blocks);
            predictions
                .iter()
                .enumerate()
                .for_each(|(at, ln_loss)| sums.add_value(*ln_loss, self.ln_loss[start + at], self.weight[start + at]));
        } else {
            form.jets(phi, free, centre, blocks, order == Order::Hessian, &mut |at, jet| {
                vectorised(Add { sums: &mut sums, jet, ln_loss: self.ln_loss[start + at], weight: self.weight[start + at] });
            });
        }
        sums.total(phi.len(), free)
    }
}

/// Adds a block's share to sums.
struct Add<'a> {
    sums: &'a mut Sums,
    jet: &'a Jet,
    ln_loss: Lanes,
    weight: Lanes,
}

impl Pass for Add<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.sums.add(self.jet, self.ln_loss, self.weight);
    }
}

/// Sums over blocks, point by point of a block.
struct Sums {
    loss: ResidualLoss,
    order: Order,
    value: Lanes,
    gradient: Vec<Lanes>,
    /// Lower triangle.
    hessian: Vec<Lanes>,
}

impl Sums {
    fn new(loss: ResidualLoss, order: Order, dim: usize) -> Self {
        let zero = Lanes::splat(0.0);
        let bends = if matches!(order, Order::Hessian | Order::Reweighted) { dim * (dim + 1) / 2 } else { 0 };
        let slopes = if order == Order::Value { 0 } else { dim };
        Self { loss, order, value: zero, gradient: vec![zero; slopes], hessian: vec![zero; bends] }
    }

    #[inline(always)]
    fn residual(&self, prediction: Lanes, ln_loss: Lanes) -> Lanes {
        if self.loss.log { prediction - ln_loss } else { prediction.exp() - ln_loss.exp() }
    }

    fn add_value(&mut self, prediction: Lanes, ln_loss: Lanes, weight: Lanes) {
        let r = self.residual(prediction, ln_loss);
        self.value = self.value + weight * r.each(|r| self.loss.of_residual(r));
    }

    /// Adds a block's share. For linear loss ∂L = L·∂ln L and ∂²L = L·(∂²ln L + ∂ln L·∂ln L).
    #[inline(always)]
    fn add(&mut self, jet: &Jet, ln_loss: Lanes, weight: Lanes) {
        let loss = self.loss;
        let r = self.residual(jet.value, ln_loss);
        let reweighted = self.order == Order::Reweighted;
        let size = if loss.log { Lanes::splat(1.0) } else { jet.value.exp() };
        let score = weight * size * r.each(|r| loss.score(r));
        self.value = self.value + weight * r.each(|r| loss.of_residual(r));
        for (sum, slope) in self.gradient.iter_mut().zip(&jet.gradient) {
            *sum = *sum + score * *slope;
        }
        if self.hessian.is_empty() {
            return;
        }
        let curvature = weight * size * size * r.each(|r| loss.curvature(r, reweighted));
        let outer = if loss.log || reweighted { curvature } else { curvature + score };
        let mut sums = self.hessian.iter_mut();
        for (j, slope) in jet.gradient.iter().enumerate() {
            let scaled = outer * *slope;
            for (other, sum) in jet.gradient[..=j].iter().zip(&mut sums) {
                *sum = *sum + scaled * *other;
            }
        }
        for (sum, bend) in self.hessian.iter_mut().zip(&jet.hessian) {
            *sum = *sum + score * *bend;
        }
    }

    /// In their places among all coordinates.
    fn total(&self, dim: usize, free: &[usize]) -> Evaluation {
        let mut out = Evaluation::zero(dim);
        out.value = self.value.sum();
        self.gradient.iter().zip(free).for_each(|(sum, &j)| out.gradient[j] = sum.sum());
        let places = free.iter().enumerate().flat_map(|(at, &j)| free[..=at].iter().map(move |&k| (j, k)));
        for ((j, k), sum) in places.zip(&self.hessian) {
            out.hessian[j][k] = sum.sum();
            out.hessian[k][j] = out.hessian[j][k];
        }
        out
    }
}
