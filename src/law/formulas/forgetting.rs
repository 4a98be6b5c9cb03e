//! L_pt = L_pt0 + A·D_ft^β/((1 + B·p)·N)^α (Bethune 2502.06042): what the loss on text of pre-training rises by when N parameters
//! are fine-tuned on D_ft examples or tokens with a share p of that text mixed in. L_pt0, before fine-tuning, is known of each run.

use crate::law::Variable;
use crate::law::formula::{Centre, Coefficient, Formula, Place, Source};
use crate::law::number::Number;
use crate::spec::{BASE_LOSS_BEFORE, EXAMPLES, REPLAY};

/// The law of forgetting.
#[derive(Debug, Clone, Copy)]
pub struct Forgetting;

/// Examples as a variable.
const OF_EXAMPLES: Variable = Variable::Named(EXAMPLES);
/// The share of pre-training text as a variable.
const OF_REPLAY: Variable = Variable::Share(REPLAY);
/// The loss before fine-tuning.
const BEFORE: Variable = Variable::Given(BASE_LOSS_BEFORE);

impl Formula for Forgetting {
    const COUNT: usize = 4;
    const IS_WIDE: bool = false;

    fn name(&self) -> &'static str {
        "forgetting"
    }

    fn text(&self) -> &'static str {
        "L_pt = L_pt0 + A D_ft^beta/((1 + B p) N)^alpha, p the share of pre-training text in fine-tuning"
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            paper: "Bethune et al. 2025, arXiv 2502.06042",
            checked: Some("a transcription of the paper, for the form; no coefficients are checked"),
            known: "the loss is that on text of pre-training after fine-tuning (--columns loss=base_loss_after), L_pt0 that before it. Larger networks forget less, and 1 % of replay halts it in the paper. Runs with and without replay tell B from A. Recovered from simulated runs",
        })
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const {
            &[
                Coefficient::factor("A", Variable::N, 1),
                Coefficient::exponent("alpha", Variable::N),
                Coefficient::exponent("beta", OF_EXAMPLES),
                Coefficient::positive("B", 1e-3..1e6, &[1.0, 10.0, 100.0, 1000.0]),
            ]
        }
    }

    fn variables(&self) -> &'static [Variable] {
        const { &[Variable::N, OF_EXAMPLES, OF_REPLAY, BEFORE] }
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        let read = |variable: Variable| at.read(|point| variable.of(point).unwrap_or(f64::NAN));
        let ln_kept = (c[3] * read(OF_REPLAY) + 1.0).ln() + at.ln_n;
        read(BEFORE) + c[0] * (c[2] * at.ln(OF_EXAMPLES) - c[1] * ln_kept).exp()
    }

    /// ln of the rise in the middle of the data without replay, exponents times the spreads of their variables, ln B.
    fn coefficients_at<T: Number>(&self, x: &[T], centre: &Centre) -> Vec<T> {
        let (alpha, beta) = (x[1] * (1.0 / centre.spread(Variable::N)), x[2] * (1.0 / centre.spread(OF_EXAMPLES)));
        let factor = (x[0] + alpha * centre.mean(Variable::N) - beta * centre.mean(OF_EXAMPLES)).exp();
        vec![factor, alpha, beta, x[3].exp()]
    }

    fn coordinates_of(&self, c: &[f64], centre: &Centre) -> Vec<f64> {
        let middle = c[2] * centre.mean(OF_EXAMPLES) - c[1] * centre.mean(Variable::N);
        vec![c[0].ln() + middle, c[1] * centre.spread(Variable::N), c[2] * centre.spread(OF_EXAMPLES), c[3].ln()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, Point, assert_derivatives};
    use proptest::prelude::*;

    fn of(n: f64, examples: f64, replay: f64, before: f64) -> Point {
        let covariates = [(EXAMPLES, examples), (REPLAY, replay), (BASE_LOSS_BEFORE, before)];
        Point { covariates: covariates.map(|(name, value)| (name.to_owned(), value)).to_vec(), ..Point::new(n, 1e10, 1.0) }
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_finite_differences(
            ln_a in 2.0..4.0, alpha in 0.2..0.6, beta in 0.1..0.4, ln_b in 0.0..7.0, ln_n in 16.0..20.0, ln_d in 9.0..14.0,
            replay in 0.0..0.5,
        ) {
            let law = Law::of(Forgetting, [f64::exp(ln_a), alpha, beta, f64::exp(ln_b)]);
            assert_derivatives(&law, &of(f64::exp(ln_n), f64::exp(ln_d), replay, 3.0));
        }
    }

    #[test]
    fn losses_worked_by_hand_and_replay_that_counts_as_size() {
        // 2 + 6·√9/√((1 + 3·1)·4): replay of everything makes the network four times as large.
        let law = Law::of(Forgetting, [6.0, 0.5, 0.5, 3.0]);
        assert!((law.loss(&of(4.0, 9.0, 1.0, 2.0)) - 6.5).abs() < 1e-14);
        assert!((law.loss(&of(16.0, 9.0, 0.0, 2.0)) - 6.5).abs() < 1e-14);
    }
}
