//! What a grid file says of the optimizer: numbers, rules in their place, and factors of groups of parameters.

use super::error::{GridError, field, in_range};
use super::schema::Positive;
use crate::spec::{AdamW, AdamWRule, Beta2, GroupFactors, OptimizerGroups, Tokens, WeightDecay};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `adamw = { beta1 = 0.9, beta2 = 0.99, eps = 1e-8, weight_decay = 0.1 }`, with
/// `beta2 = { half_life_tokens = "1M" }` and `weight_decay = { timescale = 0.5 }` for rules.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdamWFile {
    /// Memory of gradients.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1))]
    beta1: f64,
    /// Memory of squared gradients: a number from 0 to below 1, or its half-life in tokens, whatever the batch.
    #[schemars(schema_with = "beta2_schema")]
    beta2: toml::Value,
    /// Added to the root of squared gradients.
    #[schemars(with = "Positive")]
    eps: f64,
    /// Decoupled decay of weights: a number from 0 up, or the fraction of the run over which weights are a running mean.
    #[schemars(schema_with = "weight_decay_schema")]
    weight_decay: toml::Value,
}

fn beta2_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "number", "minimum": 0, "exclusiveMaximum": 1 }, HalfLife::json_schema(generator)] })
}

fn weight_decay_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, Timescale::json_schema(generator)] })
}

impl Default for AdamWFile {
    fn default() -> Self {
        let AdamW { beta1, beta2, eps, weight_decay } = AdamW::default();
        Self { beta1, beta2: beta2.into(), eps, weight_decay: weight_decay.into() }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HalfLife {
    /// Tokens after which a squared gradient counts half.
    #[schemars(extend("examples" = ["1M"]))]
    half_life_tokens: Tokens,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Timescale {
    /// Fraction of the run: decay = 1 / (timescale · learning rate · steps).
    #[schemars(with = "Positive", extend("examples" = [0.5]))]
    timescale: f64,
}

impl AdamWFile {
    pub(super) fn check(self) -> Result<AdamWRule, GridError> {
        in_range("recipe.adamw.beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "from 0 to below 1")?;
        in_range("recipe.adamw.eps", self.eps, (1e-30..=1.0).contains(&self.eps), "above 0, from 1e-30 to 1, such as 1e-8")?;
        Ok(AdamWRule { beta1: self.beta1, beta2: beta2(&self.beta2)?, eps: self.eps, weight_decay: weight_decay(&self.weight_decay)? })
    }
}

fn beta2(value: &toml::Value) -> Result<Beta2, GridError> {
    const ALLOWED: &str = "a number from 0 to below 1, or { half_life_tokens = \"1M\" }";
    if let Some(beta2) = number(value) {
        in_range("recipe.adamw.beta2", beta2, (0.0..1.0).contains(&beta2), ALLOWED)?;
        return Ok(Beta2::Fixed(beta2));
    }
    let HalfLife { half_life_tokens } = rule("recipe.adamw.beta2", value, ALLOWED)?;
    let half_life = half_life_tokens.0;
    in_range("recipe.adamw.beta2.half_life_tokens", half_life, (1.0..=1e15).contains(&half_life), "from 1 to 1e15 tokens")?;
    Ok(Beta2::HalfLife(half_life_tokens))
}

fn weight_decay(value: &toml::Value) -> Result<WeightDecay, GridError> {
    const NAME: &str = "recipe.adamw.weight_decay";
    const ALLOWED: &str = "a number from 0 to 1000, or { timescale = 0.5 }, a fraction of the run above 0, from 1e-6 to 1e6";
    if let Some(decay) = number(value) {
        in_range(NAME, decay, (0.0..=1e3).contains(&decay), ALLOWED)?;
        return Ok(WeightDecay::Fixed(decay));
    }
    let Timescale { timescale } = rule(NAME, value, ALLOWED)?;
    in_range(NAME, timescale, (1e-6..=1e6).contains(&timescale), ALLOWED)?;
    Ok(WeightDecay::Timescale(timescale))
}

fn number(value: &toml::Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

fn rule<T: DeserializeOwned>(name: &'static str, value: &toml::Value, allowed: &str) -> Result<T, GridError> {
    T::deserialize(value.clone()).map_err(|_| field(name, value, allowed))
}

/// `groups = { base_width = 64, embedding = { rate = 2.0, decay = 0.0 }, … }`; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GroupsFile {
    /// Width at which the learning rate of matrices and head is the one written; at others it is times base_width/width.
    #[schemars(range(min = 1), extend("examples" = [64]))]
    base_width: Option<u64>,
    /// Factors of the token embedding; by default rate 1, decay 0.
    embedding: FactorsFile,
    /// Factors of the matrices of the blocks; by default 1 and 1.
    matrix: FactorsFile,
    /// Factors of the output matrix; by default 1 and 1.
    head: FactorsFile,
    /// Factors of the gains of norms; by default rate 1, decay 0.
    norm: FactorsFile,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct FactorsFile {
    /// What the learning rate is multiplied by.
    #[schemars(range(min = 0.0), extend("examples" = [2.0]))]
    rate: Option<f64>,
    /// What the weight decay is multiplied by.
    #[schemars(range(min = 0.0), extend("examples" = [0.5]))]
    decay: Option<f64>,
}

impl GroupsFile {
    pub(super) fn check(self) -> Result<OptimizerGroups, GridError> {
        let usual = OptimizerGroups::default();
        if self.base_width == Some(0) {
            return Err(field("recipe.groups.base_width", 0, "a width, at least 1"));
        }
        Ok(OptimizerGroups {
            base_width: self.base_width,
            embedding: self.embedding.over("recipe.groups.embedding", usual.embedding)?,
            matrix: self.matrix.over("recipe.groups.matrix", usual.matrix)?,
            head: self.head.over("recipe.groups.head", usual.head)?,
            norm: self.norm.over("recipe.groups.norm", usual.norm)?,
        })
    }
}

impl FactorsFile {
    fn over(self, name: &'static str, usual: GroupFactors) -> Result<GroupFactors, GridError> {
        let factors = GroupFactors { rate: self.rate.unwrap_or(usual.rate), decay: self.decay.unwrap_or(usual.decay) };
        for factor in [factors.rate, factors.decay] {
            in_range(name, factor, (0.0..=1e6).contains(&factor), "factors from 0 to 1e6")?;
        }
        Ok(factors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grid;
    use super::super::tests::SMALL;
    use super::*;

    fn with(recipe: &str) -> Result<Grid, GridError> {
        Grid::parse(&format!("{SMALL}\n[recipe]\n{recipe}\n"))
    }

    #[test]
    fn numbers_and_rules_are_read() {
        let adamw = |line: &str| with(line).expect("valid").recipe.adamw;
        assert_eq!(adamw(""), AdamWRule::default());
        assert_eq!(adamw("adamw = { beta2 = 0.95, weight_decay = 0 }").weight_decay, WeightDecay::Fixed(0.0));
        assert_eq!(adamw("adamw = { beta2 = { half_life_tokens = \"1M\" } }").beta2, Beta2::HalfLife(Tokens(1e6)));
        let timescale = adamw("trunk = \"off\"\nadamw = { weight_decay = { timescale = 0.5 } }");
        assert_eq!(timescale.weight_decay, WeightDecay::Timescale(0.5));
    }

    #[test]
    fn groups_change_only_what_they_name() {
        assert_eq!(with("").expect("valid").recipe.groups, OptimizerGroups::default());
        let groups = with("groups = { base_width = 64, embedding = { rate = 2 }, norm = { decay = 1.0 } }").expect("valid").recipe.groups;
        let usual = OptimizerGroups::default();
        assert_eq!((groups.base_width, groups.matrix, groups.head), (Some(64), usual.matrix, usual.head));
        assert_eq!((groups.embedding, groups.norm), (GroupFactors { rate: 2.0, decay: 0.0 }, GroupFactors { rate: 1.0, decay: 1.0 }));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let error = |line: &str| with(line).expect_err("refused").to_string();
        assert!(error("adamw = { beta2 = { half_life = 3 } }").contains("half_life_tokens = \"1M\""));
        assert!(error("adamw = { beta2 = \"fast\" }").contains("recipe.adamw.beta2 = \"fast\""));
        assert!(error("adamw = { weight_decay = { timescale = 0 } }").contains("above 0"));
        assert!(error("groups = { base_width = 0 }").contains("recipe.groups.base_width = 0"));
        assert!(error("groups = { matrix = { rate = -1.0 } }").contains("recipe.groups.matrix = -1"));
        assert!(error("groups = { matrixes = { rate = 1.0 } }").contains("did you mean `matrix`"));
    }
}
