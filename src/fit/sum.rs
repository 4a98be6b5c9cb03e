//! A sum of powers laid over points.
//!
//! A law Σ wₖ·xₖ^(−sₖ) is Σ exp(tₖ) with tₖ = cₖ − sₖ·zₖ, where zₖ is ln xₖ centred and scaled to unit
//! spread over the points: so the search does not depend on units and the Hessian is well conditioned.

use super::objective::{Evaluation, Fittable, Grid, Loss, MAX_DIM, Objective, Order, Phi};
use crate::law::{Chinchilla, Point, PowerLaw, SeparableLaw, ThreeTerm, Variable};

/// Most terms with an exponent.
pub(super) const MAX_POWERS: usize = 3;
/// Exponents of a fine scan, a factor 1.5 apart, and of a coarse one.
const FINE: [f64; 11] = [0.03, 0.05, 0.075, 0.11, 0.17, 0.25, 0.38, 0.57, 0.86, 1.3, 2.0];
const COARSE: [f64; 4] = [0.1, 0.3, 0.6, 1.2];
/// Ln of the part of the loss below which a term counts as absent (1e-6).
pub(super) const ABSENT: f64 = -13.8;
/// Exponents outside are reported as at a bound.
pub(super) const EXPONENTS: std::ops::Range<f64> = 1e-3..10.0;

/// Points laid out together: as many as four registers of eight hold, so that no loop over them has a remainder.
pub(super) const GROUP: usize = 32;
/// One number for each point of a group.
pub(super) type Group = [f64; GROUP];

/// Points laid out by column in groups; padding has weight zero.
#[derive(Debug, Clone)]
pub struct Sum {
    /// Whether the first term is a constant.
    pub(super) floor: bool,
    /// Mean of ln x of each power.
    centre: Vec<f64>,
    /// Spread of ln x of each power.
    pub(super) scale: Vec<f64>,
    /// Points.
    pub(super) len: usize,
    pub(super) z: Vec<Vec<Group>>,
    pub(super) ln_loss: Vec<Group>,
    pub(super) loss: Vec<Group>,
    pub(super) weight: Vec<Group>,
    /// Index into theta of each factor, then of each exponent.
    factors: Vec<usize>,
    exponents: Vec<usize>,
}

impl Fittable for Chinchilla {
    type Layout = Sum;
    fn lay_out(&self, points: &[Point]) -> Sum {
        Sum::new(self, points)
    }
}

impl Fittable for PowerLaw {
    type Layout = Sum;
    fn lay_out(&self, points: &[Point]) -> Sum {
        Sum::new(self, points)
    }
}

impl Fittable for ThreeTerm {
    type Layout = Sum;
    fn lay_out(&self, points: &[Point]) -> Sum {
        Sum::new(self, points)
    }
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
            z.push(columns(ln_x.iter().map(|x| (x - mean) / spread), 0.0));
            centre.push(mean);
            scale.push(spread);
        }
        Self {
            floor,
            centre,
            scale,
            len: points.len(),
            z,
            ln_loss: columns(points.iter().map(|p| p.loss.ln()), 0.0),
            loss: columns(points.iter().map(|p| p.loss), 1.0),
            weight: columns(points.iter().map(|p| p.weight), 0.0),
            factors: terms.iter().map(|term| term.factor).collect(),
            exponents: powers.iter().filter_map(|term| term.exponent).collect(),
        }
    }

    fn gathered(&self, kept: &[(usize, f64)]) -> Self {
        let pick = |column: &[Group], padding| columns(kept.iter().map(|(at, _)| column[at / GROUP][at % GROUP]), padding);
        Self {
            len: kept.len(),
            z: self.z.iter().map(|column| pick(column, 0.0)).collect(),
            ln_loss: pick(&self.ln_loss, 0.0),
            loss: pick(&self.loss, 1.0),
            weight: columns(kept.iter().map(|(_, weight)| *weight), 0.0),
            floor: self.floor,
            centre: self.centre.clone(),
            scale: self.scale.clone(),
            factors: self.factors.clone(),
            exponents: self.exponents.clone(),
        }
    }

    /// Number of terms.
    pub(super) fn terms(&self) -> usize {
        self.factors.len()
    }

    /// Number of terms with an exponent.
    pub(super) fn powers(&self) -> usize {
        self.exponents.len()
    }

    fn terms_at(&self, phi: &Phi, at: usize) -> Vec<f64> {
        let floors = usize::from(self.floor);
        let power = |k: usize| (phi[floors + k] - phi[self.terms() + k] * self.z[k][at / GROUP][at % GROUP]).exp();
        self.floor.then(|| phi[0].exp()).into_iter().chain((0..self.powers()).map(power)).collect()
    }
}

impl Objective for Sum {
    fn dim(&self) -> usize {
        self.terms() + self.powers()
    }

    fn factors(&self) -> usize {
        self.terms()
    }

    fn to_phi(&self, theta: &[f64]) -> Phi {
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

    fn to_theta(&self, phi: &Phi) -> Vec<f64> {
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

    fn observed(&self) -> Vec<(f64, f64)> {
        self.ln_loss.iter().flatten().copied().zip(self.weight.iter().flatten().copied()).take(self.len).collect()
    }

    fn reweighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let kept: Vec<(usize, f64)> = (0..self.len).map(|at| (at, weight(at))).filter(|(_, weight)| *weight != 0.0).collect();
        self.gathered(&kept)
    }

    fn thinned(&self, most: usize) -> Self {
        let stride = self.len.div_ceil(most).max(1);
        let kept: Vec<(usize, f64)> = (0..self.len).step_by(stride).map(|at| (at, self.weight[at / GROUP][at % GROUP])).collect();
        self.gathered(&kept)
    }

    fn with_ln_losses(&self, ln_losses: &[f64]) -> Self {
        let ln_loss = columns(ln_losses.iter().copied(), 0.0);
        Self { ln_loss, loss: columns(ln_losses.iter().map(|ln| ln.exp()), 1.0), ..self.clone() }
    }

    fn evaluate(&self, loss: Loss, phi: &Phi, order: Order) -> Evaluation {
        super::pass::evaluate(self, loss, phi, order)
    }

    fn ln_predictions(&self, phi: &Phi) -> Vec<f64> {
        (0..self.len).map(|at| self.terms_at(phi, at).iter().sum::<f64>().ln()).collect()
    }

    fn jacobian(&self, phi: &Phi) -> Vec<Phi> {
        let floors = usize::from(self.floor);
        let row = |at: usize| {
            let parts = self.terms_at(phi, at);
            let total: f64 = parts.iter().sum();
            let mut row = [0.0; MAX_DIM];
            for (k, part) in parts.iter().enumerate() {
                row[k] = part / total;
            }
            for k in 0..self.powers() {
                row[self.terms() + k] = -row[floors + k] * self.z[k][at / GROUP][at % GROUP];
            }
            row
        };
        (0..self.len).map(row).collect()
    }

    fn axes(&self, grid: Grid) -> Vec<Vec<f64>> {
        let exponents: &[f64] = match grid {
            Grid::Fine => &FINE,
            Grid::Coarse => &COARSE,
        };
        self.scale.iter().map(|scale| exponents.iter().map(|exponent| exponent * scale).collect()).collect()
    }

    fn even_shares(&self) -> Phi {
        let mut phi = Phi::default();
        phi[..self.terms()].fill(self.mean_ln_loss() - (self.terms() as f64).ln());
        phi
    }

    /// All combinations of ln factor 0, 5, …, 25, ln floor −1, …, 1 and exponent 0, 0.5, …, 2 (Hoffmann 2203.15556
    /// app. D.3); with more than two powers every other value, without the largest exponents.
    fn starts(&self) -> Vec<Vec<f64>> {
        let (factors, exponents): (&[f64], &[f64]) = match self.powers() {
            0..=2 => (&[0.0, 5.0, 10.0, 15.0, 20.0, 25.0], &[0.0, 0.5, 1.0, 1.5, 2.0]),
            _ => (&[0.0, 10.0, 20.0], &[0.0, 0.5, 1.0]),
        };
        let floors = usize::from(self.floor);
        let mut grid = vec![vec![0.0; self.dim()]];
        for (k, &factor) in self.factors.iter().enumerate() {
            let exponent = k.checked_sub(floors).map(|power| self.exponents[power]);
            let (ln_factors, powers): (&[f64], &[f64]) =
                if exponent.is_some() { (factors, exponents) } else { (&[-1.0, -0.5, 0.0, 0.5, 1.0], &[0.0]) };
            grid = grid
                .iter()
                .flat_map(|start| ln_factors.iter().flat_map(move |f| powers.iter().map(move |s| (start.clone(), *f, *s))))
                .map(|(mut start, ln_factor, power)| {
                    start[factor] = ln_factor.exp();
                    if let Some(exponent) = exponent {
                        start[exponent] = power;
                    }
                    start
                })
                .collect();
        }
        grid
    }

    /// A term far below the loss at the centre of the data has next to no gradient, and no search by gradients can bring
    /// it back; its distance below 1 % of the loss is replaced by a logarithm of itself, so that starts stay distinct.
    fn lifted(&self, mut phi: Phi) -> Phi {
        let least = self.mean_ln_loss() + 0.01f64.ln();
        for factor in &mut phi[..self.terms()] {
            if *factor < least {
                *factor = least - 0.5 * (1.0 + least - *factor).ln();
            }
        }
        phi
    }

    fn at_bounds(&self, phi: &Phi, names: &[&str]) -> (Vec<f64>, Vec<String>) {
        let mut theta = self.to_theta(phi);
        let mut words = Vec::new();
        let floors = usize::from(self.floor);
        for (k, &factor) in self.factors.iter().enumerate() {
            if phi[k] - self.mean_ln_loss() < ABSENT {
                theta[factor] = 0.0;
                words.push(format!("{} is at its bound 0: the data are fitted as well without this term", names[factor]));
            }
            let exponent = k.checked_sub(floors).map(|power| self.exponents[power]);
            if let Some(exponent) = exponent.filter(|&exponent| !EXPONENTS.contains(&theta[exponent])) {
                let (name, value) = (names[exponent], theta[exponent]);
                words.push(format!("{name} = {value:.3e} is outside {EXPONENTS:?}: the data do not determine it"));
            }
        }
        (theta, words)
    }

    fn total_weight(&self) -> f64 {
        self.weight.iter().flatten().sum()
    }

    fn mean_ln_loss(&self) -> f64 {
        let sum: f64 = self.weight.iter().flatten().zip(self.ln_loss.iter().flatten()).map(|(w, l)| w * l).sum();
        sum / self.total_weight()
    }
}

fn columns(values: impl Iterator<Item = f64>, padding: f64) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut filled = GROUP;
    for value in values {
        if filled == GROUP {
            groups.push([padding; GROUP]);
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
    use crate::fit::Estimator;
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
    fn the_grid_of_starts_is_that_of_hoffmann() {
        let starts = |law: &dyn Fn() -> Sum| law().starts().len();
        assert_eq!(starts(&|| Sum::new(&Chinchilla::default(), &points())), 4500);
        assert_eq!(starts(&|| Sum::new(&PowerLaw::form(Axis::C, true), &points())), 150);
        assert_eq!(starts(&|| Sum::new(&PowerLaw::form(Axis::C, false), &points())), 30);
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
