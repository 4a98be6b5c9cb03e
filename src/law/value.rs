//! A law as a value: a formula with numbers for its coefficients. What a fit returns, what is drawn, forecast and asked for
//! the best use of a budget.

use super::any::AnyFormula;
use super::formula::{Coefficient, Formula, Kind};
use super::formulas::Additive;
use super::{Chinchilla, ComputeCount, Point, Variable, frontier};
use std::sync::Arc;

/// A formula with values of its coefficients. Losses are in nats per token.
#[derive(Debug, Clone)]
pub struct Law {
    formula: Arc<dyn AnyFormula>,
    theta: Vec<f64>,
}

impl PartialEq for Law {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.theta == other.theta
    }
}

impl Law {
    /// A formula with its coefficients in their order.
    ///
    /// # Panics
    /// Where there are fewer or more numbers than coefficients.
    pub fn new(formula: Arc<dyn AnyFormula>, theta: Vec<f64>) -> Self {
        assert_eq!(formula.coefficients().len(), theta.len(), "{} has its own number of coefficients", formula.name());
        Self { formula, theta }
    }

    /// A form to be fitted: every coefficient is 1.
    pub fn unfitted(formula: Arc<dyn AnyFormula>) -> Self {
        let count = formula.coefficients().len();
        Self::new(formula, vec![1.0; count])
    }

    /// A formula by itself with its coefficients.
    pub fn of(formula: impl Formula, theta: impl Into<Vec<f64>>) -> Self {
        Self::new(Arc::new(formula), theta.into())
    }

    /// The same formula with other coefficients.
    pub fn with_theta(&self, theta: &[f64]) -> Self {
        Self::new(self.formula.clone(), theta.to_vec())
    }

    /// The formula whose coefficients these are.
    pub fn formula(&self) -> &Arc<dyn AnyFormula> {
        &self.formula
    }

    /// Name used in files and on the command line.
    pub fn name(&self) -> &'static str {
        self.formula.name()
    }

    /// The formula, for a person.
    pub fn text(&self) -> &'static str {
        self.formula.text()
    }

    /// What its coefficients are.
    pub fn coefficients(&self) -> &'static [Coefficient] {
        self.formula.coefficients()
    }

    /// Values of the coefficients, in their order.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// The value of a coefficient; `None` where the formula has none of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.coefficients().iter().position(|coefficient| coefficient.name == name).map(|at| self.theta[at])
    }

    /// Index of E, the loss that no size and no data remove, where the formula has one.
    pub fn floor_index(&self) -> Option<usize> {
        self.coefficients().iter().position(|one| one.kind == Kind::Floor)
    }

    /// The floor E of the law, where it has a constant one.
    pub fn floor(&self) -> Option<f64> {
        self.floor_index().map(|at| self.theta[at])
    }

    /// Predicted loss at a point.
    pub fn loss(&self, point: &Point) -> f64 {
        self.formula.loss(&self.theta, point)
    }

    /// Predicted loss of N weights after D tokens, where nothing else matters.
    pub fn at(&self, n: f64, d: f64) -> f64 {
        self.loss(&Point::new(n, d, 1.0))
    }

    /// Derivatives of the predicted loss by each coefficient.
    pub fn gradient(&self, point: &Point) -> Vec<f64> {
        self.formula.gradient(&self.theta, point)
    }

    /// Whether it is a law of N and D and of nothing else, which a budget can be allocated by.
    pub fn may_advise(&self) -> bool {
        may_advise(&*self.formula)
    }

    /// The additive law with the same optima, where there is one.
    pub fn same_optima(&self) -> Option<Chinchilla> {
        self.formula.same_optima(&self.theta)
    }

    /// The law itself where it is E + A/N^α + B/D^β.
    pub fn additive(&self) -> Option<Chinchilla> {
        self.same_optima().filter(|_| self.formula.is_power_sum())
    }

    /// N*(C), weights, in closed form where there is one, else the least of the losses along the budget; NaN where loss has no
    /// minimum inside it.
    pub fn optimal_params(&self, compute: f64, count: &ComputeCount) -> f64 {
        frontier::optimal_params(&*self.formula, &self.theta, compute, count)
    }

    /// D*(C), tokens.
    pub fn optimal_tokens(&self, compute: f64, count: &ComputeCount) -> f64 {
        count.tokens(self.optimal_params(compute, count), compute)
    }

    /// L*(C), nats per token.
    pub fn optimal_loss(&self, compute: f64, count: &ComputeCount) -> f64 {
        let n = self.optimal_params(compute, count);
        self.at(n, count.tokens(n, compute))
    }

    /// Whether a budget has an optimum at all.
    pub fn has_optimum(&self, compute: f64, count: &ComputeCount) -> bool {
        self.may_advise() && self.optimal_params(compute, count).is_finite()
    }

    /// a, N* ∝ C^a: of a law whose optima are those of a sum of two powers the exponent for C = k·N·D, of any other the slope
    /// of ln N* by ln C at a compute.
    pub fn params_exponent(&self, compute: f64, count: &ComputeCount) -> f64 {
        match self.same_optima() {
            Some(same) => same.params_exponent(),
            None => frontier::slope(&*self.formula, &self.theta, compute, count),
        }
    }

    /// b, D* ∝ C^b: 1 − a where a is the exponent for C = k·N·D, else the slope of ln D* by ln C at a compute.
    pub fn tokens_exponent(&self, compute: f64, count: &ComputeCount) -> f64 {
        match self.same_optima() {
            Some(same) => same.tokens_exponent(),
            None => {
                let n = self.optimal_params(compute, count);
                // ln D = ln C − ln k(N) − ln N.
                1.0 - frontier::slope(&*self.formula, &self.theta, compute, count) * (1.0 + count.rate(n.ln()).slope)
            }
        }
    }

    /// Least compute that reaches a loss, looked for from a compute `near` on; `None` for a loss that no compute reaches.
    pub fn compute_for_loss(&self, loss: f64, count: &ComputeCount, near: f64) -> Option<f64> {
        match (self.additive(), count) {
            (Some(law), ComputeCount::Bilinear { k }) => law.compute_for_loss(loss, *k),
            _ => frontier::compute_for_loss(&*self.formula, &self.theta, loss, count, near),
        }
    }

    /// D after which N weights reach a loss; `None` where no tokens do.
    pub fn tokens_for_loss(&self, params: f64, loss: f64) -> Option<f64> {
        frontier::tokens_for_loss(&*self.formula, &self.theta, params, loss)
    }
}

/// Whether a formula is one of N and D and of nothing else.
pub(super) fn may_advise(formula: &dyn AnyFormula) -> bool {
    let variables = formula.variables();
    variables.len() == 2 && [Variable::N, Variable::D].iter().all(|one| variables.contains(one))
}

impl<F: Formula> From<F> for Law {
    /// A form to be fitted: every coefficient is 1.
    fn from(formula: F) -> Self {
        Self::unfitted(Arc::new(formula))
    }
}

impl From<Chinchilla> for Law {
    fn from(law: Chinchilla) -> Self {
        Self::of(Additive, [law.e, law.a, law.b, law.alpha, law.beta])
    }
}
