//! A recommendation from a published law alone, for who has no runs yet. Its numbers carry no interval: none of ours was
//! fitted, and the intervals of a paper are about its own data.

use super::networks::nearest_shape;
use super::recipe::{published as published_recipe_of, with_steps};
use super::{Allocation, Range, Realised};
use crate::fit::{Estimate, FORMAT};
use crate::law::{ComputeCount, PublishedFrontier, PublishedLaw, PublishedRecipe, Scale};
use crate::spec::{FlopRule, LossUnit, ModelShape, SizeMeasure};

/// A published law that allocates compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Preset {
    /// L(N, D), with C = 6·N·D.
    Loss(&'static PublishedLaw),
    /// N*(C) and D*(C) alone.
    Frontier(&'static PublishedFrontier),
}

impl Preset {
    /// Paper and table of the rule.
    pub fn source(self) -> &'static str {
        match self {
            Self::Loss(law) => law.source,
            Self::Frontier(frontier) => frontier.source,
        }
    }
}

/// What of a network a published law does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Template {
    /// Tokens of one sequence.
    pub context: usize,
    /// Distinct tokens V.
    pub vocabulary: usize,
}

/// Width over layers of networks from a hundred million to tens of billions of weights: LLaMA's are 128.
const ASPECT: f64 = 128.0;
/// Warmup in steps (DeepSeek LLM §2.3).
const WARMUP_STEPS: f64 = 2000.0;

/// The allocation of a budget by a published law, with learning rate and batch by a published recipe.
pub fn from_published(preset: Preset, recipe: &PublishedRecipe, compute: f64, template: Template) -> Allocation {
    let scale = Scale { n: f64::NAN, d: f64::NAN, c: compute };
    let (params, tokens, loss, measure, rule) = match preset {
        Preset::Loss(PublishedLaw { law, .. }) => {
            let count = ComputeCount::Bilinear { k: 6.0 };
            let params = law.optimal_params(compute, &count);
            (params, count.tokens(params, compute), law.at(params, count.tokens(params, compute)), SizeMeasure::Total, FlopRule::SixNd)
        }
        Preset::Frontier(one) => (one.params.at(&scale), one.tokens.at(&scale), f64::NAN, one.size_measure, one.flop_rule),
    };
    let dimensions =
        ModelShape { vocabulary: template.vocabulary, context: template.context, qk_norm: false, ..ModelShape::derived(2, 64) };
    let shape = nearest_shape(&dimensions, ASPECT, measure, params, 512);
    let context = template.context as f64;
    let described = shape.as_ref().map(|(shape, n)| {
        let per_token = rule.per_token(shape).unwrap_or(f64::NAN);
        let at = Scale::of(shape, compute / per_token, recipe.size_measure, recipe.flop_rule).unwrap_or(scale);
        (published_recipe_of(recipe, &at, context), shape.clone(), *n, compute / per_token)
    });
    let realised = described.as_ref().map(|(recipe, shape, n, affordable)| {
        let batch = recipe.batch_tokens.value;
        let tokens = (affordable / batch).floor().max(1.0) * batch;
        let predicted = match preset {
            Preset::Loss(law) => law.law.at(*n, tokens),
            Preset::Frontier(_) => f64::NAN,
        };
        Realised { shape: shape.clone(), params: *n, tokens, loss: predicted, rounding_loss: predicted - loss }
    });
    let training = described.zip(realised.as_ref()).map(|((recipe, ..), built)| {
        let warmup = WARMUP_STEPS * recipe.batch_tokens.value;
        // A short run has no room for two thousand steps.
        with_steps(recipe, built.tokens, warmup.min(0.1 * built.tokens))
    });
    let unknown = [f64::NAN; 2];
    Allocation {
        format: FORMAT,
        compute,
        params: Estimate::exact(params),
        tokens: Estimate::exact(tokens),
        tokens_per_param: Estimate::exact(tokens / params),
        model_scale: realised.as_ref().and_then(|one| SizeMeasure::FlopsPerToken.of(&one.shape)).map(|m| m.0),
        loss: Estimate::exact(loss),
        loss_of_a_run: Estimate::exact(f64::NAN),
        bits_per_byte: None,
        bits_per_byte_of_a_run: None,
        noise_source: "none: a published law says nothing of the noise of your runs".into(),
        loss_source: None,
        size_source: None,
        learning_rate: training.as_ref().map(|one| one.learning_rate),
        batch_tokens: training.as_ref().map(|one| one.batch_tokens),
        shape: realised.as_ref().map(|one| one.shape.to_string()),
        steps: training.as_ref().and_then(|one| one.steps),
        realised,
        recipe: training,
        waste: None,
        extrapolation_factor: f64::NAN,
        evidence: Range { params: unknown, tokens: unknown, compute: unknown },
        size_measure: measure,
        flop_rule: rule,
        loss_unit: LossUnit::Nats,
        warnings: vec![format!(
            "from a published law ({}): another tokenizer, other data and another architecture have other constants; no interval is known for yours",
            preset.source()
        )],
        hyperparameter_source: Some(recipe.source.to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::law::{published, published_frontier, published_recipe};

    const TEMPLATE: Template = Template { context: 4096, vocabulary: 102_400 };

    pub(in crate::recommend) fn hoffmann(compute: f64) -> Allocation {
        let recipe = published_recipe("step-law").expect("listed");
        from_published(Preset::Loss(published("hoffmann").expect("listed")), recipe, compute, TEMPLATE)
    }

    #[test]
    fn chinchilla_at_its_own_budget() {
        // 5.76e23 FLOPs: the closed form of the published coefficients gives 33.2 billion weights (2203.15556 table A3 lists 40).
        let one = hoffmann(5.76e23);
        let law = crate::law::Chinchilla::default();
        let count = ComputeCount::Bilinear { k: 6.0 };
        assert!((one.params.value / law.optimal_params(5.76e23, &count) - 1.0).abs() < 1e-6);
        assert!((6.0 * one.params.value * one.tokens.value / 5.76e23 - 1.0).abs() < 1e-9);
        let built = one.realised.expect("a shape");
        assert!((built.params / one.params.value).ln().abs() < 0.1, "{built:?}");
        assert!((6.0 * built.params * built.tokens / 5.76e23 - 1.0).abs() < 1e-2);
    }

    #[test]
    fn deepseeks_frontier_builds_a_network_of_its_flops_per_token() {
        let frontier = published_frontier("deepseek").expect("listed");
        let one = from_published(Preset::Frontier(frontier), published_recipe("deepseek").expect("listed"), 1e20, TEMPLATE);
        assert!((one.params.value / 5.25e9 - 1.0).abs() < 2e-3 && one.loss.value.is_nan());
        let scale = one.model_scale.expect("a shape");
        assert!((scale / one.params.value).ln().abs() < 0.1, "{scale:e}");
        assert!((one.learning_rate.expect("a recipe").value / 9.86e-4 - 1.0).abs() < 3e-3, "C of the network is the budget");
        assert!(serde_json::to_string(&one).expect("serializes").contains("\"loss\":{\"value\":null"));
    }
}
