//! What is asked of a fit: a coefficient, a decision that follows from the coefficients, a loss somewhere. Quantities are
//! asked by name and carry how they follow from a law.

use crate::law::{ComputeCount, Law, Point};
use std::fmt;
use std::sync::Arc;

/// A number that follows from a law.
#[derive(Clone)]
pub struct Quantity {
    name: String,
    of: Arc<dyn Fn(&Law) -> f64 + Send + Sync>,
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Quantity").field(&self.name).finish()
    }
}

impl Quantity {
    /// Any number that follows from a law.
    pub fn new(name: impl Into<String>, of: impl Fn(&Law) -> f64 + Send + Sync + 'static) -> Self {
        Self { name: name.into(), of: Arc::new(of) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value under a law.
    pub fn of(&self, law: &Law) -> f64 {
        (self.of)(law)
    }

    /// A coefficient by its index.
    pub fn coefficient(law: &Law, index: usize) -> Self {
        Self::new(law.coefficients()[index].name, move |law| law.theta()[index])
    }

    /// Every coefficient in its order.
    pub fn coefficients(law: &Law) -> Vec<Self> {
        (0..law.coefficients().len()).map(|index| Self::coefficient(law, index)).collect()
    }

    /// N*, parameters, of a budget in FLOPs.
    pub fn params(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new(format!("params at {compute:e}"), move |law| law.optimal_params(compute, &count))
    }

    /// D*, tokens, of a budget in FLOPs.
    pub fn tokens(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new(format!("tokens at {compute:e}"), move |law| law.optimal_tokens(compute, &count))
    }

    /// D*/N* of a budget in FLOPs.
    pub fn tokens_per_param(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new(format!("tokens per param at {compute:e}"), move |law| {
            let n = law.optimal_params(compute, &count);
            count.tokens(n, compute) / n
        })
    }

    /// L*, nats per token, of a budget in FLOPs.
    pub fn loss(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new(format!("loss at {compute:e}"), move |law| law.optimal_loss(compute, &count))
    }

    /// N*, D* and L* of a budget.
    pub fn optimum(compute: f64, count: &ComputeCount) -> [Self; 3] {
        [Self::params(compute, count), Self::tokens(compute, count), Self::loss(compute, count)]
    }

    /// The same by another name, where a law has a coefficient of that name already.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// a, the exponent of N*(C); see [`Law::params_exponent`].
    pub fn params_exponent(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new("a", move |law| law.params_exponent(compute, &count))
    }

    /// b, the exponent of D*(C); see [`Law::tokens_exponent`].
    pub fn tokens_exponent(compute: f64, count: &ComputeCount) -> Self {
        let count = count.clone();
        Self::new("b", move |law| law.tokens_exponent(compute, &count))
    }

    /// The loss at a place, nats per token.
    pub fn loss_at(name: impl Into<String>, place: Point) -> Self {
        Self::new(name, move |law| law.loss(&place))
    }
}
