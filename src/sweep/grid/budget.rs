//! What a grid says of the length of its runs: how D is set, how often data are seen, how short a run may be.

use super::super::axis::Axis;
use super::corpus::checked_epochs;
use super::error::{GridError, field, in_range, non_empty};
use super::schema::{Choosing, Positive};
use crate::spec::{FlopRule, Flops, Tokens};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// How D is set.
#[derive(Debug, Clone, PartialEq)]
pub enum Budget {
    /// The same numbers of tokens for every shape.
    Tokens(Vec<Tokens>),
    /// Tokens per parameter, all counted.
    TokensPerParam(Vec<f64>),
    /// Compute budgets; D = C / (FLOPs per token of the shape).
    IsoFlop {
        /// How the budget counts FLOPs.
        rule: FlopRule,
        /// Compute budgets, FLOPs.
        flops: Vec<Flops>,
        /// Which shapes are trained at a budget.
        around: Around,
    },
    /// Epochs of the pairs that a run is fine-tuned on.
    Epochs(Vec<f64>),
}

/// Which shapes of the ladder are trained at a compute budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Around {
    /// Every shape at every budget.
    All,
    /// The `sizes` shapes whose tokens per parameter (all counted) at this budget are nearest to `center`.
    Nearest {
        /// Expected tokens per parameter (all counted) at the optimum.
        center: f64,
        /// Shapes per budget.
        sizes: usize,
    },
}

/// How long runs are.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetAxes {
    /// How D is set.
    pub amounts: Budget,
    /// How often a run sees its data, an axis; empty: once, or as often as the corpus makes it.
    pub epochs: Vec<f64>,
    /// Fewest optimizer steps of a run; shorter cells are left out.
    pub min_steps: u64,
}

/// `budget = { kind = "tokens", tokens = ["1M"] }` and its like. `kind` may be left out, since the list says it; so this is no
/// tagged enum, which would also lose the place of an error in the file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = one_of_four_kinds)]
pub(super) struct BudgetFile {
    /// Kind of the budget; its list says it, too.
    kind: Option<String>,
    /// How a compute budget counts FLOPs.
    #[schemars(extend("default" = "exact"))]
    rule: Option<FlopRule>,
    /// Compute budgets, FLOPs; D = C / (FLOPs per token of the shape).
    #[schemars(extend("examples" = [["1e11", "2e11"]]))]
    flops: Option<Axis<Flops>>,
    /// Which shapes are trained at a compute budget: those nearest to `center`, or all.
    #[schemars(with = "Option<Choosing>", extend("default" = "nearest"))]
    around: Option<String>,
    /// Tokens per parameter, all counted, that are expected at the optimum, where `around` is "nearest".
    #[schemars(with = "Option<Positive>", extend("default" = EXPECTED_TOKENS_PER_PARAM))]
    center: Option<f64>,
    /// How many shapes are nearest.
    #[schemars(range(min = 1), extend("default" = SIZES_PER_BUDGET))]
    sizes: Option<usize>,
    /// The same numbers of tokens for every shape.
    #[schemars(extend("examples" = [["1M", "2M"]]))]
    tokens: Option<Axis<Tokens>>,
    /// Tokens of a run for each of its parameters, all counted.
    #[serde(rename = "tokens-per-param", alias = "tokens_per_param")]
    #[schemars(with = "Option<Axis<Positive>>", extend("examples" = [[20, 40]]))]
    tokens_per_param: Option<Axis<f64>>,
    /// Fewest optimizer steps of a run; cells of fewer are left out. By default 300 of a compute budget, else 1.
    #[schemars(extend("examples" = [100]))]
    min_steps: Option<u64>,
    /// How often a run sees its data, an axis, each from 1 to 10000: D = epochs · unique tokens. By default as seldom as may be.
    #[schemars(extend("examples" = [[1, 4]]))]
    epochs: Option<Axis<f64>>,
}

/// In the schema: one list, with what belongs to it.
fn one_of_four_kinds(schema: &mut Schema) {
    let of_all = ["kind", "min_steps", "epochs"];
    let own: [(&str, &str, &str, &[&str]); 4] = [
        ("iso-flop", "flops", "Amounts of compute, each for several shapes.", &["flops", "rule", "around", "center", "sizes"]),
        ("tokens", "tokens", "The same lengths for every shape.", &["tokens"]),
        ("tokens-per-param", "tokens-per-param", "Lengths in proportion to size.", &["tokens-per-param"]),
        ("epochs", "epochs", "Passes over the pairs of fine-tuning.", &[]),
    ];
    let Some(fields) = schema.remove("properties") else { return };
    let kinds = own.map(|(kind, list, meaning, own)| {
        let mut named: serde_json::Map<String, Value> =
            of_all.iter().chain(own).map(|name| ((*name).to_owned(), fields[*name].clone())).collect();
        named["kind"] = json!({ "const": kind, "description": fields["kind"]["description"] });
        json!({
            "type": "object", "description": meaning, "properties": named, "required": [list], "additionalProperties": false,
        })
    });
    for key in ["type", "additionalProperties"] {
        schema.remove(key);
    }
    schema.insert("oneOf".into(), Value::from(kinds.to_vec()));
}

/// What the budget of a grid that fine-tunes may say.
const FOR_PAIRS: &str = "epochs = [...] or tokens = [...], one of them, where stage = \"fine-tune\"";
/// Tokens per parameter that a run may have.
const RATIOS: RangeInclusive<f64> = 1e-6..=1e9;
/// Fewest steps of a run of a compute budget unless the grid says: its longest shapes would be trained for a handful.
const LEAST_STEPS_OF_COMPUTE: u64 = 300;

impl BudgetFile {
    pub(super) fn check(mut self) -> Result<BudgetAxes, GridError> {
        let epochs = checked_epochs(self.epochs.take())?;
        let least = if self.flops.is_some() { LEAST_STEPS_OF_COMPUTE } else { 1 };
        let min_steps = self.min_steps.unwrap_or(least).max(1);
        Ok(BudgetAxes { amounts: self.amounts()?, epochs, min_steps })
    }

    /// The same of a grid that fine-tunes: tokens, or epochs of its pairs.
    pub(super) fn check_for_pairs(mut self) -> Result<BudgetAxes, GridError> {
        let epochs = checked_epochs(self.epochs.take())?;
        let min_steps = self.min_steps.unwrap_or(1).max(1);
        let kind = if self.tokens.is_some() { "tokens" } else { "epochs" };
        let of_others = [self.flops.is_some(), self.tokens_per_param.is_some(), self.rule.is_some(), self.around.is_some()];
        let of_others = of_others.into_iter().chain([self.center.is_some(), self.sizes.is_some()]).any(|given| given);
        if of_others || self.kind.as_deref().is_some_and(|given| given != kind) || self.tokens.is_some() && !epochs.is_empty() {
            return Err(field("budget", self.kind.as_deref().unwrap_or("as it is"), FOR_PAIRS));
        }
        let amounts = match self.tokens {
            Some(tokens) => Budget::Tokens(non_empty("budget.tokens", tokens.0)?),
            None if epochs.is_empty() => return Err(field("budget", "(no list)", FOR_PAIRS)),
            None => Budget::Epochs(epochs),
        };
        Ok(BudgetAxes { amounts, epochs: Vec::new(), min_steps })
    }

    /// Refuses several lists, none, and whatever does not belong to the one.
    fn is_of_one_kind(&self) -> Result<(), GridError> {
        let given = [self.flops.is_some(), self.tokens.is_some(), self.tokens_per_param.is_some()];
        let kinds = ["iso-flop", "tokens", "tokens-per-param"];
        let allowed = "one of flops = [...] (kind \"iso-flop\"), tokens = [...] or tokens-per-param = [...]";
        let (1, Some(at)) = (given.iter().filter(|g| **g).count(), given.iter().position(|g| *g)) else {
            return Err(field("budget", self.kind.as_deref().unwrap_or("(no list)"), allowed));
        };
        if let Some(kind) = self.kind.as_deref().filter(|kind| *kind != kinds[at]) {
            return Err(field("budget.kind", kind, &format!("its list is that of \"{}\"; write {allowed}", kinds[at])));
        }
        if at != 0 && (self.rule.is_some() || self.around.is_some() || self.center.is_some() || self.sizes.is_some()) {
            return Err(field("budget", kinds[at], "rule, around, center and sizes belong to an iso-flop budget"));
        }
        Ok(())
    }

    fn amounts(self) -> Result<Budget, GridError> {
        self.is_of_one_kind()?;
        if let Some(tokens) = self.tokens {
            return Ok(Budget::Tokens(non_empty("budget.tokens", tokens.0)?));
        }
        if let Some(ratios) = self.tokens_per_param {
            let ratios = non_empty("budget.tokens-per-param", ratios.0)?;
            for &ratio in &ratios {
                in_range("budget.tokens-per-param", ratio, RATIOS.contains(&ratio), "above 0, from 1e-6 to 1e9, such as 20")?;
            }
            return Ok(Budget::TokensPerParam(ratios));
        }
        let around = checked_around(self.around.as_deref(), self.center, self.sizes)?;
        let rule = self.rule.unwrap_or(FlopRule::Exact);
        if rule == FlopRule::AsGiven {
            return Err(field("budget.rule", rule, "one of exact, md, 6nd"));
        }
        Ok(Budget::IsoFlop { rule, flops: non_empty("budget.flops", self.flops.map(|f| f.0).unwrap_or_default())?, around })
    }
}

impl Budget {
    /// How many lengths, ratios or amounts of compute it lists.
    pub(super) fn levels(&self) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len(),
            Self::TokensPerParam(ratios) => ratios.len(),
            Self::IsoFlop { flops, .. } => flops.len(),
            Self::Epochs(epochs) => epochs.len(),
        }
    }
}

/// Tokens per parameter that byte-level networks of 10k to 400k parameters want at the optimum (see LOG.md).
const EXPECTED_TOKENS_PER_PARAM: f64 = 60.0;
/// Shapes per budget around the expected optimum.
const SIZES_PER_BUDGET: usize = 5;

fn checked_around(around: Option<&str>, center: Option<f64>, sizes: Option<usize>) -> Result<Around, GridError> {
    let center = center.unwrap_or(EXPECTED_TOKENS_PER_PARAM);
    let sizes = sizes.unwrap_or(SIZES_PER_BUDGET);
    in_range("budget.center", center, RATIOS.contains(&center), "tokens per parameter, above 0, from 1e-6 to 1e9, such as 60")?;
    match around.unwrap_or("nearest") {
        "all" => Ok(Around::All),
        "nearest" if sizes > 0 => Ok(Around::Nearest { center, sizes }),
        "nearest" => Err(field("budget.sizes", sizes, "at least 1")),
        other => Err(field("budget.around", other, "\"nearest\" or \"all\"")),
    }
}
