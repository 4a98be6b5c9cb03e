//! The objective of any law, summed point by point from its own two derivatives.

use super::evaluation::{Evaluation, Order};
use super::loss::ResidualLoss;
use crate::law::{AnyFormula, Centre, Jet, Point};
use rayon::prelude::*;

/// Points summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 4096;

/// What a formula can see of a point, without its names.
pub(super) fn slim(point: &Point) -> Point {
    Point { run: String::new(), cluster: None, budget: None, ..point.clone() }
}

/// The objective and as many of its derivatives as asked for.
pub(super) fn evaluate(
    form: &dyn AnyFormula,
    centre: &Centre,
    points: &[Point],
    loss: ResidualLoss,
    phi: &[f64],
    order: Order,
) -> Evaluation {
    let part = |points: &[Point]| part(form, centre, points, loss, phi, order);
    if points.len() <= CHUNK {
        return part(points);
    }
    let parts: Vec<Evaluation> = points.par_chunks(CHUNK).map(part).collect();
    parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(|| Evaluation::zero(phi.len()))
}

fn part(form: &dyn AnyFormula, centre: &Centre, points: &[Point], loss: ResidualLoss, phi: &[f64], order: Order) -> Evaluation {
    let mut sum = Evaluation::zero(phi.len());
    if order == Order::Value {
        let predictions = form.losses(&form.coefficients_at(phi, centre), points);
        for (point, prediction) in points.iter().zip(predictions) {
            sum.value += point.weight * loss.of_residual(loss.residual(prediction.ln(), point.loss.ln()));
        }
    } else {
        form.jets(phi, centre, points, order != Order::Gradient, &mut |at, jet| add(&mut sum, loss, order, jet, &points[at]));
    }
    sum
}

/// Adds a point's share. For linear loss ∂L = L·∂ln L and ∂²L = L·(∂²ln L + ∂ln L·∂ln L).
fn add(sum: &mut Evaluation, loss: ResidualLoss, order: Order, jet: &Jet, point: &Point) {
    let r = loss.residual(jet.value, point.loss.ln());
    let reweighted = order == Order::Reweighted;
    let score = point.weight * loss.score(r);
    let curvature = point.weight * loss.curvature(r, reweighted);
    let bending = if reweighted { 0.0 } else { score };
    let (size, own) = if loss.log { (1.0, 0.0) } else { (jet.value.exp(), 1.0) };
    sum.value += point.weight * loss.of_residual(r);
    let dim = jet.gradient.len();
    for (j, slope) in jet.gradient.iter().enumerate() {
        sum.gradient[j] += score * size * slope;
        if order == Order::Gradient {
            continue;
        }
        let (row, bends) = (&mut sum.hessian[j], &jet.hessian[j * dim..][..dim]);
        for ((sum, other), bend) in row.iter_mut().zip(&jet.gradient).zip(bends) {
            let product = slope * other;
            *sum += curvature * size * size * product + bending * size * (bend + own * product);
        }
    }
}
