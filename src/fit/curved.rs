//! A law that is no sum of powers laid over points: N and D in units of their means, so that its factors stand for the
//! middle of the data, and the objective summed point by point from the law's own two derivatives.

use super::objective::{Evaluation, Fittable, Grid, Loss, MAX_DIM, Objective, Order, Phi};
use crate::law::{CurvedLaw, DataConstrained, Gamma, Jet, Kaplan, Point};
use rayon::prelude::*;

/// Points of a law in its own units.
#[derive(Debug, Clone)]
pub struct Curved<L> {
    form: L,
    /// Geometric means of N and D.
    units: [f64; 2],
    points: Vec<Point>,
}

impl Fittable for Gamma {
    type Layout = Curved<Self>;
    fn lay_out(&self, points: &[Point]) -> Curved<Self> {
        Curved::new(self, points)
    }
}

impl Fittable for Kaplan {
    type Layout = Curved<Self>;
    fn lay_out(&self, points: &[Point]) -> Curved<Self> {
        Curved::new(self, points)
    }
}

impl Fittable for DataConstrained {
    type Layout = Curved<Self>;
    fn lay_out(&self, points: &[Point]) -> Curved<Self> {
        Curved::new(self, points)
    }
}

/// Points summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 4096;
/// Every how manyth value of a fine scan a coarse one keeps.
const COARSE_STEP: usize = 3;

impl<L: CurvedLaw> Curved<L> {
    fn new(form: &L, points: &[Point]) -> Self {
        let total: f64 = points.iter().map(|p| p.weight).sum();
        let mean = |of: fn(&Point) -> f64| (points.iter().map(|p| p.weight * of(p).ln()).sum::<f64>() / total).exp();
        let units = [mean(|p| p.n), mean(|p| p.d)];
        let in_units = |p: &Point| Point {
            n: p.n / units[0],
            d: p.d / units[1],
            loss: p.loss,
            weight: p.weight,
            unique_tokens: p.unique_tokens.map(|unique| unique / units[1]),
            ..Point::default()
        };
        Self { form: form.in_units(units[0], units[1]), units, points: points.iter().map(in_units).collect() }
    }

    fn law(&self, phi: &Phi) -> L {
        self.form.with_coordinates(&phi[..self.dim()])
    }

    fn part(&self, loss: Loss, phi: &Phi, order: Order, points: &[Point]) -> Evaluation {
        let mut sum = Evaluation::zero();
        for point in points {
            let jet = self.form.jet(&phi[..self.dim()], point);
            let r = loss.residual(jet.value, point.loss.ln());
            sum.value += point.weight * loss.of_residual(r);
            if order != Order::Value {
                add_derivatives(&mut sum, loss, order, r, &jet, point.weight, self.dim());
            }
        }
        sum
    }
}

/// Adds a point's share of gradient and Hessian. For linear loss ∂L = L·∂ln L and ∂²L = L·(∂²ln L + ∂ln L·∂ln L).
fn add_derivatives(sum: &mut Evaluation, loss: Loss, order: Order, r: f64, jet: &Jet, weight: f64, dim: usize) {
    let inside = r.abs() <= loss.reach;
    let force = weight * loss.factor * if inside { r } else { r.clamp(-loss.delta, loss.delta) };
    let reweighted = order == Order::Reweighted;
    let outside = if reweighted { loss.delta / r.abs() } else { 0.0 };
    let stiffness = weight * loss.factor * if inside { 1.0 } else { outside };
    let bending = if reweighted { 0.0 } else { force };
    let (size, own) = if loss.log { (1.0, 0.0) } else { (jet.value.exp(), 1.0) };
    for j in 0..dim {
        sum.gradient[j] += force * size * jet.gradient[j];
        for k in 0..dim {
            let product = jet.gradient[j] * jet.gradient[k];
            sum.hessian[j][k] += stiffness * size * size * product + bending * size * (jet.hessian[j][k] + own * product);
        }
    }
}

impl<L: CurvedLaw> Objective for Curved<L> {
    fn dim(&self) -> usize {
        self.form.coefficients().len()
    }

    fn factors(&self) -> usize {
        self.form.factors()
    }

    fn to_phi(&self, theta: &[f64]) -> Phi {
        let mut phi = [0.0; MAX_DIM];
        let coordinates = self.form.with_theta(theta).in_units(self.units[0], self.units[1]).coordinates();
        phi[..coordinates.len()].copy_from_slice(&coordinates);
        phi
    }

    fn to_theta(&self, phi: &Phi) -> Vec<f64> {
        self.law(phi).in_units(1.0 / self.units[0], 1.0 / self.units[1]).theta()
    }

    fn observed(&self) -> Vec<(f64, f64)> {
        self.points.iter().map(|p| (p.loss.ln(), p.weight)).collect()
    }

    fn reweighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let weighted = self.points.iter().enumerate().map(|(at, p)| Point { weight: weight(at), ..p.clone() });
        Self { form: self.form.clone(), units: self.units, points: weighted.filter(|p| p.weight != 0.0).collect() }
    }

    fn thinned(&self, most: usize) -> Self {
        let stride = self.points.len().div_ceil(most).max(1);
        Self { form: self.form.clone(), units: self.units, points: self.points.iter().step_by(stride).cloned().collect() }
    }

    fn with_ln_losses(&self, ln_losses: &[f64]) -> Self {
        let points = self.points.iter().zip(ln_losses).map(|(p, ln)| Point { loss: ln.exp(), ..p.clone() });
        Self { form: self.form.clone(), units: self.units, points: points.collect() }
    }

    fn evaluate(&self, loss: Loss, phi: &Phi, order: Order) -> Evaluation {
        if self.points.len() <= CHUNK {
            return self.part(loss, phi, order, &self.points);
        }
        let parts: Vec<Evaluation> = self.points.par_chunks(CHUNK).map(|points| self.part(loss, phi, order, points)).collect();
        parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(Evaluation::zero)
    }

    fn ln_predictions(&self, phi: &Phi) -> Vec<f64> {
        let law = self.law(phi);
        self.points.iter().map(|p| law.loss(p).ln()).collect()
    }

    fn jacobian(&self, phi: &Phi) -> Vec<Phi> {
        self.points.iter().map(|p| self.form.jet(&phi[..self.dim()], p).gradient).collect()
    }

    fn axes(&self, grid: Grid) -> Vec<Vec<f64>> {
        let step = if grid == Grid::Fine { 1 } else { COARSE_STEP };
        self.form.shapes().into_iter().map(|values| values.into_iter().skip(step / 2).step_by(step).collect()).collect()
    }

    fn even_shares(&self) -> Phi {
        let mut phi = Phi::default();
        let shares = self.form.even_shares(self.mean_ln_loss());
        phi[..shares.len()].copy_from_slice(&shares);
        phi
    }

    /// Every second shape, each with factors at even shares and a third and three times as large.
    fn starts(&self) -> Vec<Vec<f64>> {
        let axes: Vec<Vec<f64>> = self.form.shapes().into_iter().map(|values| values.into_iter().step_by(2).collect()).collect();
        let shares = self.even_shares();
        let factors = (0..self.factors()).map(|j| [-1.1, 0.0, 1.1].map(|by| shares[j] + by).to_vec());
        let mut grid = vec![Vec::new()];
        for axis in factors.chain(axes) {
            let longer = |start: &Vec<f64>, value: f64| start.iter().copied().chain([value]).collect::<Vec<f64>>();
            grid = grid.iter().flat_map(|start| axis.iter().map(move |value| longer(start, *value))).collect();
        }
        let mut phi = Phi::default();
        let theta = |coordinates: &Vec<f64>| {
            phi[..coordinates.len()].copy_from_slice(coordinates);
            self.to_theta(&phi)
        };
        grid.iter().map(theta).collect()
    }

    fn at_bounds(&self, phi: &Phi, names: &[&str]) -> (Vec<f64>, Vec<String>) {
        let theta = self.to_theta(phi);
        let outside = self.form.bounds().into_iter().filter(|bound| !bound.range.contains(&theta[bound.coefficient]));
        let word = |bound: crate::law::Bound| {
            let (name, value) = (names[bound.coefficient], theta[bound.coefficient]);
            format!("{name} = {value:.3e} is at its bound: {}", bound.meaning)
        };
        let words = outside.map(word).collect();
        (theta, words)
    }

    fn unbounded(&self, coefficient: usize, value: f64) -> f64 {
        let beyond = self.form.bounds().iter().any(|bound| bound.coefficient == coefficient && value >= bound.range.end);
        if beyond { f64::INFINITY } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Estimator;
    use crate::law::{Design, Law, Noise, simulate};

    #[test]
    fn derivatives_of_every_objective_are_those_of_finite_differences() {
        let law = Gamma { gamma: 0.5, a: 4e4, b: 9e4, ..Gamma::default() };
        let points = simulate(&law, &Design::isoflop(&[1e18, 1e19], 5, 8.0), Noise { run: 0.02, cluster: 0.0 }, 1);
        let laid = law.lay_out(&points);
        let phi = laid.to_phi(&law.theta());
        assert!(laid.to_theta(&phi).iter().zip(law.theta()).all(|(left, right)| (left / right - 1.0).abs() < 1e-9));
        for estimator in [Estimator::HuberLog { delta: 0.013 }, Estimator::LeastSquaresLog, Estimator::LeastSquares] {
            let loss = Loss::of(estimator, 1.0);
            let here = laid.evaluate(loss, &phi, Order::Hessian);
            for j in 0..laid.dim() {
                let moved = |by: f64| {
                    let mut moved = phi;
                    moved[j] += by;
                    laid.evaluate(loss, &moved, Order::Hessian)
                };
                let (up, down) = (moved(1e-6), moved(-1e-6));
                let slope = (up.value - down.value) / 2e-6;
                assert!((slope - here.gradient[j]).abs() < 1e-7 * (1.0 + slope.abs()), "{estimator} {j}: {slope} {}", here.gradient[j]);
                for k in 0..laid.dim() {
                    let bend = (up.gradient[k] - down.gradient[k]) / 2e-6;
                    assert!((bend - here.hessian[j][k]).abs() < 1e-6 * (1.0 + bend.abs()), "{estimator} {j} {k}: {bend}");
                }
            }
        }
    }
}
