//! The objective of a sum of powers over all points, with gradient and Hessian, in vectorised passes.
//!
//! With pₖ = exp(tₖ)/Σ exp(t) the log residual r has the gradient v = (pₖ, …, −pₖzₖ, …) in factors and exponents, and the
//! objective the Hessian Σ bend·v·vᵀ with, on the block of each term, Σ slope·pₖ·(1, −zₖ)(1, −zₖ)ᵀ.
//!
//! Points are taken in blocks that stay in the first-level cache, and every step is a plain loop over a block: compilers
//! make vector instructions of such loops, and of one loop with all sums in it they do not (LOG.md). How many terms there
//! are is a number and no parameter of a type: a pass of its own for each took minutes to compile and was no faster.

#![expect(clippy::needless_range_loop, reason = "loops over the columns of a block read best with their indices")]

use super::super::columns::{Columns, GROUP, Group, MAX_POWERS};
use super::super::{Evaluation, Order, ResidualLoss};
use crate::law::vector::{Pass, exp, ln, vectorised};
use rayon::prelude::*;
use std::ops::Range;

/// Groups of points worked out together, in the first-level cache.
const BLOCK: usize = 4;
/// One number for each point of a block.
type Column = [f64; BLOCK * GROUP];
/// Sums kept side by side.
const LANES: usize = 8;

/// What a block is worked out in.
struct Scratch {
    /// v, one column for each coordinate.
    v: [Column; MAX_DIM],
    /// Prediction, then what makes its parts those of v.
    total: Column,
    cost: Column,
    /// Derivatives of the cost by the residual.
    slope: Column,
    bend: Column,
}

/// Most coordinates: a floor, and a factor and an exponent for each power.
const MAX_DIM: usize = 1 + 2 * MAX_POWERS;

/// What a pass sums, in arrays of fixed size.
struct Sums {
    value: f64,
    gradient: [f64; MAX_DIM],
    /// Upper triangle.
    hessian: [[f64; MAX_DIM]; MAX_DIM],
}

/// A sum over some groups.
struct Sum<'a> {
    columns: &'a Columns,
    loss: ResidualLoss,
    phi: &'a [f64],
    order: Order,
    groups: Range<usize>,
}

impl Pass for Sum<'_> {
    type Output = Evaluation;
    #[inline(always)]
    fn run(self) -> Evaluation {
        self.columns.accumulate(self.loss, self.phi, self.order, self.groups)
    }
}

impl Columns {
    /// The objective and as many of its derivatives as asked for.
    pub(in crate::fit::objective) fn evaluate(&self, loss: ResidualLoss, phi: &[f64], order: Order) -> Evaluation {
        /// Groups summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
        const CHUNK: usize = 1024;
        let groups = self.weight.len();
        if groups <= CHUNK {
            return vectorised(Sum { columns: self, loss, phi, order, groups: 0..groups });
        }
        let part = |start: usize| vectorised(Sum { columns: self, loss, phi, order, groups: start..(start + CHUNK).min(groups) });
        let starts: Vec<usize> = (0..groups).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> = starts.into_par_iter().map(part).collect();
        parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(|| Evaluation::zero(self.dim()))
    }

    #[inline(always)]
    fn accumulate(&self, loss: ResidualLoss, phi: &[f64], order: Order, groups: Range<usize>) -> Evaluation {
        let empty = [0.0; BLOCK * GROUP];
        let mut scratch = Scratch { v: [empty; MAX_DIM], total: empty, cost: empty, slope: empty, bend: empty };
        let floor = if self.floor { exp(phi[0]) } else { 0.0 };
        let mut out = Sums { value: 0.0, gradient: [0.0; MAX_DIM], hessian: [[0.0; MAX_DIM]; MAX_DIM] };
        for start in groups.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(groups.end);
            self.parts(floor, phi, block.clone(), &mut scratch);
            if order == Order::Reweighted {
                self.residuals::<true>(loss, block.clone(), &mut scratch);
            } else {
                self.residuals::<false>(loss, block.clone(), &mut scratch);
            }
            self.sums(order, block, &mut scratch, &mut out);
        }
        let dim = self.dim();
        let mut evaluation = Evaluation::zero(dim);
        evaluation.value = out.value;
        evaluation.gradient.copy_from_slice(&out.gradient[..dim]);
        for j in 0..dim {
            for k in j..dim {
                evaluation.hessian[j][k] = out.hessian[j][k];
                evaluation.hessian[k][j] = out.hessian[j][k];
            }
        }
        evaluation
    }

    /// exp(t) of every term, and their sum.
    #[inline(always)]
    fn parts(&self, floor: f64, phi: &[f64], block: Range<usize>, scratch: &mut Scratch) {
        let (floors, powers, points) = (usize::from(self.floor), self.powers(), GROUP * block.len());
        let total = &mut scratch.total[..points];
        total.fill(floor);
        if self.floor {
            scratch.v[0][..points].fill(floor);
        }
        for k in 0..powers {
            let (z, part) = (numbers(&self.z[k], &block, points), &mut scratch.v[floors + k][..points]);
            let (ln_factor, exponent) = (phi[floors + k], phi[powers + floors + k]);
            for j in 0..points {
                part[j] = exp(ln_factor - exponent * z[j]);
                total[j] += part[j];
            }
        }
    }

    /// The cost of every residual and its derivatives.
    #[inline(always)]
    fn residuals<const REWEIGHTED: bool>(&self, loss: ResidualLoss, block: Range<usize>, scratch: &mut Scratch) {
        let points = GROUP * block.len();
        let (total, residual) = (&mut scratch.total[..points], &mut scratch.bend[..points]);
        if loss.log {
            let ln_losses = numbers(&self.ln_loss, &block, points);
            for j in 0..points {
                residual[j] = ln(total[j]) - ln_losses[j];
                total[j] = 1.0 / total[j];
            }
        } else {
            let losses = numbers(&self.loss, &block, points);
            for j in 0..points {
                residual[j] = total[j] - losses[j];
                total[j] = 1.0;
            }
        }
        let weights = numbers(&self.weight, &block, points);
        let (cost, slope) = (&mut scratch.cost[..points], &mut scratch.slope[..points]);
        // ∂² ln Σ exp(t) = diag(p) − p·pᵀ: the second part goes with v·vᵀ.
        let curved = if loss.log && !REWEIGHTED { 1.0 } else { 0.0 };
        for j in 0..points {
            let weight = weights[j] * loss.factor;
            let r = residual[j];
            let size = r.abs();
            let q = size.min(loss.delta);
            cost[j] = weight * q * (size - 0.5 * q);
            let inside = size <= loss.quadratic_until;
            slope[j] = weight * if inside { r } else { r.max(-loss.delta).min(loss.delta) };
            let curvature = if REWEIGHTED {
                weight * (loss.delta / size).min(1.0)
            } else if inside {
                weight
            } else {
                0.0
            };
            residual[j] = curvature - curved * slope[j];
        }
    }

    /// Adds a block's value, gradient and upper triangle of the Hessian.
    #[inline(always)]
    fn sums(&self, order: Order, block: Range<usize>, scratch: &mut Scratch, out: &mut Sums) {
        let (floors, powers, points) = (usize::from(self.floor), self.powers(), GROUP * block.len());
        let (terms, dim) = (floors + powers, floors + 2 * powers);
        let z: [&[f64]; MAX_POWERS] = std::array::from_fn(|k| if k < powers { numbers(&self.z[k], &block, points) } else { &[] });
        let (scale, slope, bend) = (&scratch.total[..points], &scratch.slope[..points], &scratch.bend[..points]);
        let product = &mut scratch.cost[..points];
        out.value += sum_of(product);
        if order == Order::Value {
            return;
        }
        let (of_factors, of_exponents) = scratch.v.split_at_mut(terms);
        for k in 0..terms {
            of_factors[k][..points].iter_mut().zip(scale).for_each(|(part, scale)| *part *= scale);
        }
        for k in 0..powers {
            multiply(&mut of_exponents[k][..points], &of_factors[floors + k][..points], z[k], -1.0);
        }
        let v = scratch.v.each_ref().map(|column| &column[..points]);
        for k in 0..dim {
            out.gradient[k] += dot(slope, v[k]);
        }
        if order == Order::Gradient {
            return;
        }
        for k in 0..dim {
            multiply(product, bend, v[k], 1.0);
            for l in k..dim {
                out.hessian[k][l] += dot(product, v[l]);
            }
        }
        if order == Order::Reweighted {
            return;
        }
        for k in 0..terms {
            out.hessian[k][k] += dot(slope, v[k]);
        }
        for k in 0..powers {
            out.hessian[floors + k][terms + k] += dot(slope, v[terms + k]);
            multiply(product, slope, v[terms + k], -1.0);
            out.hessian[terms + k][terms + k] += dot(product, z[k]);
        }
    }
}

/// The numbers of a block. That there are as many as points is said, so that loops over points need not look.
#[inline(always)]
fn numbers<'a>(column: &'a [Group], block: &Range<usize>, points: usize) -> &'a [f64] {
    &column[block.clone()].as_flattened()[..points]
}

/// out = sign·a·b.
#[inline(always)]
fn multiply(out: &mut [f64], a: &[f64], b: &[f64], sign: f64) {
    out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = sign * a * b);
}

/// Σ aⱼ·bⱼ, eight sums side by side.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum()
}

/// Σ aⱼ, likewise.
#[inline(always)]
fn sum_of(a: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for a in a.chunks_exact(LANES) {
        for i in 0..LANES {
            sums[i] += a[i];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Estimator;
    use crate::law::vector::every_way;
    use crate::law::{Centre, Chinchilla, Law, Point, ThreeTerm, Variable};
    use crate::spec::Random;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_set_of_instructions_sums_to_the_same_bits() {
        let mut random = Random::new(4, "points");
        for law in [Law::from(Chinchilla::default()), Law::of(ThreeTerm, [1.7, 400.0, 30.0, 30.0, 0.34, 0.4, 0.4])] {
            let mut one = |_| {
                let mut ln = |low: f64, high: f64| (low + (high - low) * random.uniform()).exp();
                let (n, batch, steps) = (ln(14.0, 22.0), ln(9.0, 14.0), ln(7.0, 12.0));
                let mut point = Point { batch: Some(batch), steps: Some(steps), ..Point::new(n, batch * steps, 1.0) };
                point.loss = law.loss(&point) * (0.01 * random.normal()).exp();
                point
            };
            let points: Vec<Point> = (0..301).map(&mut one).collect();
            let centre = Centre::of(&points, &[Variable::N, Variable::D, Variable::Batch, Variable::Steps]);
            let columns = Columns::new(law.coefficients(), &centre, &points);
            let phi = law.formula().coordinates_of(law.theta(), &centre);
            let loss = ResidualLoss::of(Estimator::default(), 1.0);
            let groups = 0..columns.weight.len();
            let bits = |of: Evaluation| {
                let hessian: Vec<u64> = (0..of.gradient.len()).flat_map(|j| of.hessian[j].to_vec()).map(f64::to_bits).collect();
                (of.value.to_bits(), of.gradient.iter().map(|slope| slope.to_bits()).collect::<Vec<_>>(), hessian)
            };
            for order in [Order::Value, Order::Gradient, Order::Hessian, Order::Reweighted] {
                let sum = || Sum { columns: &columns, loss, phi: &phi, order, groups: groups.clone() };
                let plain = bits(sum().run());
                every_way(sum).into_iter().for_each(|way| assert_eq!(plain, bits(way), "{order:?}"));
            }
        }
    }
}
