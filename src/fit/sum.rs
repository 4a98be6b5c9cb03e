//! The objective of a sum of powers over all points, with gradient and Hessian, in one vectorised pass.
//!
//! A law Σ wₖ·xₖ^(−sₖ) is Σ exp(tₖ) with tₖ = cₖ − sₖ·zₖ, where zₖ is ln xₖ centred and scaled to unit
//! spread over the points: so the search does not depend on units and the Hessian is well conditioned.
//! With pₖ = exp(tₖ)/Σ exp(t) the log residual has ∂r/∂tₖ = pₖ and ∂²r/∂tₖ∂tₗ = δₖₗpₖ − pₖpₗ.

#![expect(clippy::needless_range_loop, reason = "loops over lanes and over small matrices read best with their indices")]

use super::Estimator;
use super::vector::{LANES, Lanes, exp, ln};
use crate::law::{Point, SeparableLaw, Variable};
use rayon::prelude::*;

/// Most terms with an exponent.
pub(crate) const MAX_POWERS: usize = 3;
const MAX_TERMS: usize = MAX_POWERS + 1;
/// Most coordinates: a factor for each term, an exponent for each power.
pub(crate) const MAX_DIM: usize = MAX_TERMS + MAX_POWERS;
/// Coordinates of a search: ln factors at the centre of the data, then scaled exponents.
pub(crate) type Phi = [f64; MAX_DIM];

/// Points laid out by column in groups of lanes; padding has weight zero.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    /// Whether the first term is a constant.
    pub(crate) floor: bool,
    /// Mean of ln x of each power.
    pub(crate) centre: Vec<f64>,
    /// Spread of ln x of each power.
    pub(crate) scale: Vec<f64>,
    /// Points.
    pub(crate) len: usize,
    z: Vec<Vec<Lanes>>,
    ln_loss: Vec<Lanes>,
    loss: Vec<Lanes>,
    weight: Vec<Lanes>,
    /// Index into theta of each factor, then of each exponent.
    factors: Vec<usize>,
    exponents: Vec<usize>,
}

/// What is summed over the points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Loss {
    /// Residual of logarithms, or of losses.
    pub(crate) log: bool,
    /// Where the function of the residual becomes linear; infinite for squares.
    pub(crate) delta: f64,
    /// Factor on Huber's function.
    pub(crate) factor: f64,
    /// Up to where derivatives are those of the square; δ, but for the predictor of [`super::varpro`].
    pub(crate) reach: f64,
}

impl Loss {
    /// The smooth objective of an estimator; absolute deviation is Huber's function over δ for a small δ.
    pub(crate) fn of(estimator: Estimator, smoothing: f64) -> Self {
        match estimator {
            Estimator::HuberLog { delta } => Self { log: true, delta, factor: 1.0, reach: delta },
            Estimator::LeastSquaresLog => Self { log: true, delta: f64::INFINITY, factor: 2.0, reach: f64::INFINITY },
            Estimator::LeastSquares => Self { log: false, delta: f64::INFINITY, factor: 2.0, reach: f64::INFINITY },
            Estimator::AbsoluteLog => Self { log: true, delta: smoothing, factor: 1.0 / smoothing, reach: smoothing },
        }
    }
}

/// Objective, gradient and Hessian; only the first `dim` coordinates mean anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation {
    pub(crate) value: f64,
    pub(crate) gradient: Phi,
    pub(crate) hessian: [Phi; MAX_DIM],
}

/// How much of an [`Evaluation`] is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Value,
    Gradient,
    Hessian,
}

impl Sum {
    /// Lays out points for a law; every point must carry the law's variables.
    pub(crate) fn new(law: &impl SeparableLaw, points: &[Point]) -> Self {
        let terms = law.terms();
        let floor = terms[0].variable == Variable::One;
        let powers = &terms[usize::from(floor)..];
        assert!(powers.len() <= MAX_POWERS, "a separable law has at most {MAX_POWERS} powers");
        let total: f64 = points.iter().map(|p| p.weight).sum();
        let (mut z, mut centre, mut scale) = (Vec::new(), Vec::new(), Vec::new());
        for term in powers {
            let ln_x: Vec<f64> = points.iter().map(|p| term.variable.of(p).map_or(f64::NAN, f64::ln)).collect();
            let mean = ln_x.iter().zip(points).map(|(x, p)| p.weight * x).sum::<f64>() / total;
            let square = ln_x.iter().zip(points).map(|(x, p)| p.weight * (x - mean).powi(2)).sum::<f64>() / total;
            let spread = if square > 0.0 { square.sqrt() } else { 1.0 };
            z.push(lanes(ln_x.iter().map(|x| (x - mean) / spread), 0.0));
            centre.push(mean);
            scale.push(spread);
        }
        Self {
            floor,
            centre,
            scale,
            len: points.len(),
            z,
            ln_loss: lanes(points.iter().map(|p| p.loss.ln()), 0.0),
            loss: lanes(points.iter().map(|p| p.loss), 1.0),
            weight: lanes(points.iter().map(|p| p.weight), 0.0),
            factors: terms.iter().map(|term| term.factor).collect(),
            exponents: powers.iter().filter_map(|term| term.exponent).collect(),
        }
    }

    /// The same coordinates over points weighted anew; points of weight zero are left out.
    pub(crate) fn reweighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let kept: Vec<(usize, f64)> = (0..self.len).map(|at| (at, weight(at))).filter(|(_, weight)| *weight != 0.0).collect();
        self.gathered(&kept)
    }

    /// At most `most` points at even distances.
    pub(crate) fn thinned(&self, most: usize) -> Self {
        let stride = self.len.div_ceil(most).max(1);
        let kept: Vec<(usize, f64)> = (0..self.len).step_by(stride).map(|at| (at, self.weight[at / LANES][at % LANES])).collect();
        self.gathered(&kept)
    }

    fn gathered(&self, kept: &[(usize, f64)]) -> Self {
        let pick = |column: &[Lanes], padding| lanes(kept.iter().map(|(at, _)| column[at / LANES][at % LANES]), padding);
        Self {
            len: kept.len(),
            z: self.z.iter().map(|column| pick(column, 0.0)).collect(),
            ln_loss: pick(&self.ln_loss, 0.0),
            loss: pick(&self.loss, 1.0),
            weight: lanes(kept.iter().map(|(_, weight)| *weight), 0.0),
            floor: self.floor,
            centre: self.centre.clone(),
            scale: self.scale.clone(),
            factors: self.factors.clone(),
            exponents: self.exponents.clone(),
        }
    }

    /// Number of terms.
    pub(crate) fn terms(&self) -> usize {
        self.factors.len()
    }

    /// Number of terms with an exponent.
    pub(crate) fn powers(&self) -> usize {
        self.exponents.len()
    }

    /// Number of coordinates.
    pub(crate) fn dim(&self) -> usize {
        self.terms() + self.powers()
    }

    /// Sum of weights.
    pub(crate) fn total_weight(&self) -> f64 {
        self.weight.iter().flatten().sum()
    }

    /// Weighted mean of ln L.
    pub(crate) fn mean_ln_loss(&self) -> f64 {
        let sum: f64 = self.weight.iter().flatten().zip(self.ln_loss.iter().flatten()).map(|(w, l)| w * l).sum();
        sum / self.total_weight()
    }

    /// Objective of the best-guess constant, exp(mean ln L): the scale that makes an objective free of units.
    pub(crate) fn scale_of(&self, loss: Loss) -> f64 {
        let mean = self.mean_ln_loss();
        let mut sum = 0.0;
        for at in 0..self.len {
            let (group, lane) = (at / LANES, at % LANES);
            let r = if loss.log { mean - self.ln_loss[group][lane] } else { mean.exp() - self.loss[group][lane] };
            let q = r.abs().min(loss.delta);
            sum += self.weight[group][lane] * loss.factor * q * (r.abs() - 0.5 * q);
        }
        if sum > 0.0 { sum } else { 1.0 }
    }

    /// Coordinates of coefficients.
    pub(crate) fn to_phi(&self, theta: &[f64]) -> Phi {
        let mut phi = [0.0; MAX_DIM];
        let floors = usize::from(self.floor);
        for (k, &factor) in self.factors.iter().enumerate() {
            phi[k] = theta[factor].ln();
        }
        for (k, &exponent) in self.exponents.iter().enumerate() {
            phi[floors + k] -= theta[exponent] * self.centre[k];
            phi[self.terms() + k] = theta[exponent] * self.scale[k];
        }
        phi
    }

    /// Coefficients of coordinates.
    pub(crate) fn to_theta(&self, phi: &Phi) -> Vec<f64> {
        let mut theta = vec![0.0; self.dim()];
        let floors = usize::from(self.floor);
        for (k, &factor) in self.factors.iter().enumerate() {
            theta[factor] = phi[k];
        }
        for (k, &exponent) in self.exponents.iter().enumerate() {
            theta[exponent] = phi[self.terms() + k] / self.scale[k];
            theta[self.factors[floors + k]] += theta[exponent] * self.centre[k];
        }
        for &factor in &self.factors {
            theta[factor] = theta[factor].exp();
        }
        theta
    }

    /// Predicted ln L of each point.
    pub(crate) fn ln_predictions(&self, phi: &Phi) -> Vec<f64> {
        (0..self.len).map(|at| self.terms_at(phi, at).iter().sum::<f64>().ln()).collect()
    }

    fn terms_at(&self, phi: &Phi, at: usize) -> Vec<f64> {
        let floors = usize::from(self.floor);
        let power = |k: usize| (phi[floors + k] - phi[self.terms() + k] * self.z[k][at / LANES][at % LANES]).exp();
        self.floor.then(|| phi[0].exp()).into_iter().chain((0..self.powers()).map(power)).collect()
    }

    /// ∂ ln prediction / ∂ coordinate of each point.
    pub(crate) fn jacobian(&self, phi: &Phi) -> Vec<Phi> {
        let floors = usize::from(self.floor);
        let row = |at: usize| {
            let parts = self.terms_at(phi, at);
            let total: f64 = parts.iter().sum();
            let mut row = [0.0; MAX_DIM];
            for (k, part) in parts.iter().enumerate() {
                row[k] = part / total;
            }
            for k in 0..self.powers() {
                row[self.terms() + k] = -row[floors + k] * self.z[k][at / LANES][at % LANES];
            }
            row
        };
        (0..self.len).map(row).collect()
    }

    /// Σ w·|ln prediction − ln L|.
    pub(crate) fn absolute(&self, phi: &Phi) -> f64 {
        let weights = self.weight.iter().flatten();
        let residuals = self.ln_predictions(phi).into_iter().zip(self.ln_loss.iter().flatten());
        residuals.zip(weights).map(|((prediction, ln_loss), weight)| weight * (prediction - ln_loss).abs()).sum()
    }

    /// The objective and as many of its derivatives as asked for.
    pub(crate) fn evaluate(&self, loss: Loss, phi: &Phi, order: Order) -> Evaluation {
        /// Groups summed by one thread at a time; fixed, so that sums do not depend on the number of threads.
        const CHUNK: usize = 4096;
        let groups = self.weight.len();
        if groups <= CHUNK {
            return self.pass(loss, phi, order, 0..groups);
        }
        let starts: Vec<usize> = (0..groups).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> =
            starts.into_par_iter().map(|start| self.pass(loss, phi, order, start..(start + CHUNK).min(groups))).collect();
        parts.into_iter().reduce(Evaluation::plus).unwrap_or_else(Evaluation::zero)
    }

    fn pass(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2. The instructions round as the portable ones do.
            return unsafe { self.pass_avx2(loss, phi, order, groups) };
        }
        self.dispatch(loss, phi, order, groups)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pass_avx2(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        self.dispatch(loss, phi, order, groups)
    }

    #[inline(always)]
    fn dispatch(&self, loss: Loss, phi: &Phi, order: Order, groups: std::ops::Range<usize>) -> Evaluation {
        match (self.powers(), self.floor) {
            (1, false) => self.by_order::<1, 0>(loss, phi, order, groups),
            (1, true) => self.by_order::<1, 1>(loss, phi, order, groups),
            (2, false) => self.by_order::<2, 0>(loss, phi, order, groups),
            (2, true) => self.by_order::<2, 1>(loss, phi, order, groups),
            (3, false) => self.by_order::<3, 0>(loss, phi, order, groups),
            _ => self.by_order::<3, 1>(loss, phi, order, groups),
        }
    }

    #[inline(always)]
    fn by_order<const P: usize, const FLOORS: usize>(
        &self,
        loss: Loss,
        phi: &Phi,
        order: Order,
        groups: std::ops::Range<usize>,
    ) -> Evaluation {
        match order {
            Order::Value => self.accumulate::<P, FLOORS, 0>(loss, phi, groups),
            Order::Gradient => self.accumulate::<P, FLOORS, 1>(loss, phi, groups),
            Order::Hessian => self.accumulate::<P, FLOORS, 2>(loss, phi, groups),
        }
    }

    #[inline(always)]
    fn accumulate<const P: usize, const FLOORS: usize, const ORDER: usize>(
        &self,
        loss: Loss,
        phi: &Phi,
        groups: std::ops::Range<usize>,
    ) -> Evaluation {
        let terms = P + FLOORS;
        let constant = if FLOORS == 1 { exp([phi[0]; LANES]) } else { [0.0; LANES] };
        let mut value = [0.0; LANES];
        let mut by_term = [[0.0; LANES]; MAX_TERMS];
        let mut by_power = [[0.0; LANES]; MAX_POWERS];
        let mut pairs = [[[0.0; LANES]; MAX_TERMS]; MAX_TERMS];
        let mut mixed = [[[0.0; LANES]; MAX_POWERS]; MAX_TERMS];
        let mut powers = [[[0.0; LANES]; MAX_POWERS]; MAX_POWERS];
        let columns: [&[Lanes]; MAX_POWERS] = std::array::from_fn(|k| if k < P { &self.z[k][groups.clone()] } else { &[][..] });
        let (ln_losses, losses, weights) = (&self.ln_loss[groups.clone()], &self.loss[groups.clone()], &self.weight[groups]);
        for at in 0..weights.len() {
            let mut parts = [constant; MAX_TERMS];
            for k in 0..P {
                let z = &columns[k][at];
                let mut t = [0.0; LANES];
                for i in 0..LANES {
                    t[i] = phi[FLOORS + k] - phi[terms + k] * z[i];
                }
                parts[FLOORS + k] = exp(t);
            }
            let mut total = [0.0; LANES];
            for part in parts.iter().take(terms) {
                for i in 0..LANES {
                    total[i] += part[i];
                }
            }
            let mut r = [0.0; LANES];
            if loss.log {
                let ln_total = ln(total);
                for i in 0..LANES {
                    r[i] = ln_total[i] - ln_losses[at][i];
                    let reciprocal = 1.0 / total[i];
                    for part in parts.iter_mut().take(terms) {
                        part[i] *= reciprocal;
                    }
                }
            } else {
                for i in 0..LANES {
                    r[i] = total[i] - losses[at][i];
                }
            }
            let (mut slope, mut bend) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                let weight = weights[at][i] * loss.factor;
                let size = r[i].abs();
                let q = size.min(loss.delta);
                value[i] += weight * q * (size - 0.5 * q);
                let inside = size <= loss.reach;
                slope[i] = weight * if inside { r[i] } else { r[i].clamp(-loss.delta, loss.delta) };
                let curvature = if inside { weight } else { 0.0 };
                bend[i] = if loss.log { curvature - slope[i] } else { curvature };
            }
            if ORDER == 0 {
                continue;
            }
            for k in 0..terms {
                for i in 0..LANES {
                    let pull = slope[i] * parts[k][i];
                    by_term[k][i] += pull;
                    if k >= FLOORS {
                        by_power[k - FLOORS][i] += pull * columns[k - FLOORS][at][i];
                    }
                }
            }
            if ORDER == 1 {
                continue;
            }
            for k in 0..terms {
                for l in k..terms {
                    for i in 0..LANES {
                        let own = if k == l { slope[i] * parts[k][i] } else { 0.0 };
                        let m = bend[i] * parts[k][i] * parts[l][i] + own;
                        pairs[k][l][i] += m;
                        if l >= FLOORS {
                            let by_l = m * columns[l - FLOORS][at][i];
                            mixed[k][l - FLOORS][i] += by_l;
                            if k >= FLOORS {
                                powers[k - FLOORS][l - FLOORS][i] += by_l * columns[k - FLOORS][at][i];
                                if k != l {
                                    mixed[l][k - FLOORS][i] += m * columns[k - FLOORS][at][i];
                                }
                            }
                        }
                    }
                }
            }
        }
        let mut out = Evaluation::zero();
        out.value = total_of(&value);
        for k in 0..terms {
            out.gradient[k] = total_of(&by_term[k]);
            for l in k..terms {
                out.hessian[k][l] = total_of(&pairs[k][l]);
                out.hessian[l][k] = out.hessian[k][l];
            }
            for l in 0..P {
                out.hessian[k][terms + l] = -total_of(&mixed[k][l]);
                out.hessian[terms + l][k] = out.hessian[k][terms + l];
            }
        }
        for k in 0..P {
            out.gradient[terms + k] = -total_of(&by_power[k]);
            for l in k..P {
                out.hessian[terms + k][terms + l] = total_of(&powers[k][l]);
                out.hessian[terms + l][terms + k] = out.hessian[terms + k][terms + l];
            }
        }
        out
    }
}

impl Evaluation {
    fn zero() -> Self {
        Self { value: 0.0, gradient: [0.0; MAX_DIM], hessian: [[0.0; MAX_DIM]; MAX_DIM] }
    }

    fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for j in 0..MAX_DIM {
            self.gradient[j] += other.gradient[j];
            for k in 0..MAX_DIM {
                self.hessian[j][k] += other.hessian[j][k];
            }
        }
        self
    }
}

fn total_of(lanes: &Lanes) -> f64 {
    lanes.iter().sum()
}

fn lanes(values: impl Iterator<Item = f64>, padding: f64) -> Vec<Lanes> {
    let mut groups = Vec::new();
    let mut filled = LANES;
    for value in values {
        if filled == LANES {
            groups.push([padding; LANES]);
            filled = 0;
        }
        if let Some(last) = groups.last_mut() {
            last[filled] = value;
        }
        filled += 1;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Axis, Chinchilla, Law, PowerLaw};
    use crate::spec::Random;

    fn points() -> Vec<Point> {
        let mut random = Random::new(1, "points");
        let law = Chinchilla::default();
        (0..37)
            .map(|_| {
                let (n, d) = ((14.0 + 8.0 * random.uniform()).exp(), (18.0 + 8.0 * random.uniform()).exp());
                let mut point = Point::new(n, d, law.at(n, d) * (0.02 * random.normal()).exp());
                point.weight = 0.5 + random.uniform();
                point
            })
            .collect()
    }

    fn check(law: impl SeparableLaw) {
        let points = points();
        let sum = Sum::new(&law, &points);
        let phi = sum.to_phi(&law.theta());
        let theta = sum.to_theta(&phi);
        assert!(theta.iter().zip(law.theta()).all(|(left, right)| (left / right - 1.0).abs() < 1e-10), "{theta:?}");
        for estimator in [Estimator::HuberLog { delta: 0.013 }, Estimator::LeastSquaresLog, Estimator::LeastSquares] {
            let loss = Loss::of(estimator, 1.0);
            let here = sum.evaluate(loss, &phi, Order::Hessian);
            let direct: f64 = points.iter().map(|p| p.weight * direct_loss(estimator, law.loss(p), p.loss)).sum();
            assert!((here.value / direct - 1.0).abs() < 1e-11, "{} {direct}", here.value);
            for j in 0..sum.dim() {
                let moved = |by: f64| {
                    let mut moved = phi;
                    moved[j] += by;
                    sum.evaluate(loss, &moved, Order::Gradient)
                };
                let (up, down) = (moved(1e-6), moved(-1e-6));
                let slope = (up.value - down.value) / 2e-6;
                assert!((slope - here.gradient[j]).abs() < 1e-6 * (1.0 + slope.abs()), "{estimator} {j}: {slope} {}", here.gradient[j]);
                for k in 0..sum.dim() {
                    let bend = (up.gradient[k] - down.gradient[k]) / 2e-6;
                    // Huber's second derivative jumps where a residual crosses δ; none does within 1e-6 here.
                    assert!(
                        (bend - here.hessian[j][k]).abs() < 1e-5 * (1.0 + bend.abs()),
                        "{estimator} {j} {k}: {bend} {}",
                        here.hessian[j][k]
                    );
                }
            }
        }
    }

    fn direct_loss(estimator: Estimator, prediction: f64, loss: f64) -> f64 {
        match estimator {
            Estimator::HuberLog { delta } => {
                let r = (prediction / loss).ln().abs();
                if r <= delta { 0.5 * r * r } else { delta * (r - 0.5 * delta) }
            }
            Estimator::LeastSquaresLog => (prediction / loss).ln().powi(2),
            Estimator::LeastSquares => (prediction - loss).powi(2),
            Estimator::AbsoluteLog => (prediction / loss).ln().abs(),
        }
    }

    #[test]
    fn derivatives_of_every_objective_are_those_of_finite_differences() {
        check(Chinchilla::default());
        check(PowerLaw { axis: Axis::C, floor: Some(1.8), factor: 40.0, exponent: 0.1 });
        check(PowerLaw { axis: Axis::N, floor: None, factor: 10.0, exponent: 0.07 });
    }

    #[test]
    fn long_data_are_summed_as_short_ones() {
        let points: Vec<Point> = points().into_iter().cycle().take(40_000).collect();
        let law = Chinchilla::default();
        let sum = Sum::new(&law, &points);
        let phi = sum.to_phi(&law.theta());
        let loss = Loss::of(Estimator::default(), 1.0);
        let whole = sum.evaluate(loss, &phi, Order::Hessian);
        let apart = (0..4).map(|quarter| sum.reweighted(|at| if at % 4 == quarter { points[at].weight } else { 0.0 }));
        let parts = apart.map(|part| part.evaluate(loss, &phi, Order::Hessian)).reduce(Evaluation::plus).expect("four");
        assert!((whole.value / parts.value - 1.0).abs() < 1e-12);
        assert!((whole.hessian[3][4] / parts.hessian[3][4] - 1.0).abs() < 1e-9);
    }
}
