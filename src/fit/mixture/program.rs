//! The linear programs of a certificate, over a grid of exponents. Every column is 1 at the first place and every row is told
//! in standard errors, so that no number of a program is large for another reason than the runs.

use super::places::{CertificateError, Place};
use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, Variable};

/// Exponents of the grid, in even steps of ln a. With four times as many an end moved by 0.003 % of the width of its range in
/// the median of 80 random cases, by 0.2 % in the worst.
const EXPONENTS: usize = 400;
/// A power that has fallen below this share of what it was at the first place is none: it would be 1e-9 of the loss.
const GONE: f64 = 1e-9;

/// All laws E + Σ w·(x/x₁)^(−a) with E and every w at least 0.
pub(super) struct Program<'a> {
    places: &'a [Place],
    exponents: Vec<f64>,
}

impl<'a> Program<'a> {
    pub(super) fn new(places: &'a [Place], [least, most]: [f64; 2]) -> Self {
        let step = (most / least).ln() / (EXPONENTS - 1) as f64;
        Self { places, exponents: (0..EXPONENTS).map(|at| least * (step * at as f64).exp()).collect() }
    }

    /// What each column is worth at a place: 1 of E, then the powers.
    fn columns(&self, x: f64) -> Vec<f64> {
        let ln = (x / self.places[0].x).ln();
        let power = |a: &f64| Some((-a * ln).exp()).filter(|share| *share >= GONE).unwrap_or(0.0);
        std::iter::once(1.0).chain(self.exponents.iter().map(power)).collect()
    }

    /// The loss at a place in its standard errors, as terms of a constraint.
    fn terms(&self, variables: &[Variable], place: &Place) -> Vec<(Variable, f64)> {
        variables.iter().zip(self.columns(place.x)).map(|(&variable, share)| (variable, share / place.se)).collect()
    }

    /// Standard errors by which the law misses whose largest miss is least.
    pub(super) fn closest(&self) -> Result<f64, CertificateError> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let laws = variables(&mut problem, &vec![0.0; self.exponents.len() + 1]);
        let miss = problem.add_var(1.0, (0.0, f64::INFINITY));
        for place in self.places {
            let (loss, at) = (place.loss / place.se, self.terms(&laws, place));
            problem.add_constraint([at.as_slice(), &[(miss, -1.0)]].concat(), ComparisonOp::Le, loss);
            problem.add_constraint([at.as_slice(), &[(miss, 1.0)]].concat(), ComparisonOp::Ge, loss);
        }
        let least = solved(&problem)?;
        least.ok_or_else(|| CertificateError::Solver("a distance without a least value".into()))
    }

    /// Lowest and highest loss at `x` of the laws that pass within `z` standard errors of every loss; `None` for a side without
    /// an end.
    pub(super) fn range(&self, x: f64, z: f64) -> Result<[Option<f64>; 2], CertificateError> {
        let end = |direction| -> Result<Option<f64>, CertificateError> {
            let mut problem = Problem::new(direction);
            let laws = variables(&mut problem, &self.columns(x));
            for place in self.places {
                let (loss, at) = (place.loss / place.se, self.terms(&laws, place));
                problem.add_constraint(at.as_slice(), ComparisonOp::Le, loss + z);
                problem.add_constraint(at.as_slice(), ComparisonOp::Ge, loss - z);
            }
            solved(&problem)
        };
        Ok([end(OptimizationDirection::Minimize)?, end(OptimizationDirection::Maximize)?])
    }
}

/// E and the weights of the powers, each at least 0, in a program whose objective has these coefficients.
fn variables(problem: &mut Problem, costs: &[f64]) -> Vec<Variable> {
    costs.iter().map(|&cost| problem.add_var(cost, (0.0, f64::INFINITY))).collect()
}

/// The least or largest value of the objective, or none where it has no end.
fn solved(problem: &Problem) -> Result<Option<f64>, CertificateError> {
    let interrupted = |_| CertificateError::Solver("it ended early".into());
    match problem.solve() {
        Ok(outcome) => outcome.into_solution().map(|solution| Some(solution.objective())).map_err(interrupted),
        Err(Error::Unbounded) => Ok(None),
        Err(error) => Err(CertificateError::Solver(error.to_string())),
    }
}
