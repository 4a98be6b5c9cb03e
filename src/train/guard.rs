//! The self-test of a run's first step. Operations exist whose gradient is silently missing, and a wrong
//! first loss has hidden many a mistake; both are caught here, once a run, for the price of one pass over a gradient.

use super::TrainError;
use super::init::Layout;

/// Largest distance of the first loss from ln V, nats.
const FIRST_LOSS_TOLERANCE: f64 = 0.05;
const NOT_FINITE: &str = "a gradient that is not finite";

/// Refuses a run whose first gradient is not finite, as of weights that were trained on something else.
pub(crate) fn first_step_of_trained(layout: &Layout, gradient: &[f32]) -> Result<(), TrainError> {
    let broken = layout.parameters.iter().find(|parameter| gradient[parameter.range()].iter().any(|g| !g.is_finite()));
    let named = |name: &str| TrainError::FirstGradient { parameter: name.to_owned(), problem: NOT_FINITE };
    broken.map_or(Ok(()), |parameter| Err(named(&parameter.name)))
}

/// Refuses a run whose first loss is not near ln V or one of whose parameters has no finite non-zero gradient.
pub(crate) fn first_step(layout: &Layout, loss: f64, gradient: &[f32], vocabulary: usize) -> Result<(), TrainError> {
    let expected = (vocabulary as f64).ln();
    let distance = (loss - expected).abs();
    if distance.is_nan() || distance > FIRST_LOSS_TOLERANCE {
        return Err(TrainError::FirstLoss { found: loss, expected });
    }
    for parameter in &layout.parameters {
        let of_parameter = &gradient[parameter.range()];
        let problem = if of_parameter.iter().any(|g| !g.is_finite()) {
            NOT_FINITE
        } else if of_parameter.iter().all(|g| *g == 0.0) {
            "no gradient"
        } else {
            continue;
        };
        return Err(TrainError::FirstGradient { parameter: parameter.name.clone(), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ModelShape;

    #[test]
    fn a_parameter_without_a_gradient_is_named() {
        let layout = Layout::of(&ModelShape::derived(2, 16));
        let mut gradient = vec![1e-9f32; layout.total];
        let ln_v = 256f64.ln();
        assert!(first_step(&layout, ln_v, &gradient, 256).is_ok());
        let key = layout.parameters.iter().find(|p| p.name == "blocks.1.key").expect("named");
        gradient[key.range()].fill(0.0);
        let error = first_step(&layout, ln_v, &gradient, 256).expect_err("no gradient");
        assert!(error.to_string().starts_with("parameter blocks.1.key has no gradient"), "{error}");
        assert!(first_step_of_trained(&layout, &gradient).is_ok(), "nothing to learn is no fault of trained weights");
        gradient[0] = f32::NAN;
        assert!(first_step_of_trained(&layout, &gradient).is_err());
        let error = first_step(&layout, ln_v, &gradient, 256).expect_err("not finite");
        assert!(error.to_string().starts_with("parameter embedding has a gradient that is not finite"), "{error}");
        let error = first_step(&layout, ln_v + 0.06, &[], 256).expect_err("too high");
        assert!(matches!(error, TrainError::FirstLoss { .. }));
        assert!(first_step(&layout, f64::NAN, &[], 256).is_err());
    }
}
