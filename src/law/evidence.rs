//! From recorded runs to points: N, D, C and L under a stated convention, with every run that is
//! left out named with its reason. The convention travels with the points into every fit.

use crate::spec::{FlopRule, Flops, LossUnit, ModelShape, RunRecord, RunStatus, SizeMeasure, same_budget};
use serde::Serialize;
use std::sync::Arc;

/// What a law sees of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// Name of the run.
    pub run: String,
    /// N, parameters under the evidence's [`SizeMeasure`].
    pub n: f64,
    /// D, tokens seen in training.
    pub d: f64,
    /// C, training FLOPs under the evidence's [`FlopRule`].
    pub c: f64,
    /// L, held-out loss in the unit of the evidence.
    pub loss: f64,
    /// Statistical weight relative to the other points (1 unless a noise model says otherwise).
    pub weight: f64,
    /// Runs that share this name are not independent (a common trunk).
    pub cluster: Option<String>,
    /// The nominal compute budget the run was planned for, FLOPs.
    pub budget: Option<f64>,
    /// Distinct tokens available, where known.
    pub unique_tokens: Option<f64>,
    /// Tokens per optimizer step, where known.
    pub batch: Option<f64>,
    /// Optimizer steps, where known.
    pub steps: Option<f64>,
    /// What else is known of it, by name.
    pub covariates: Vec<(String, f64)>,
    /// The training that led to it, where a law is about that.
    pub curve: Option<Arc<Curve>>,
}

/// How a run was trained, up to the point that carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Its steps in order.
    pub steps: Vec<CurveStep>,
}

/// One step of a [`Curve`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CurveStep {
    /// Tokens seen after it.
    pub tokens: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

impl Point {
    /// A point of weight 1 with 6·N·D FLOPs.
    pub fn new(n: f64, d: f64, loss: f64) -> Self {
        Self { n, d, c: 6.0 * n * d, loss, weight: 1.0, ..Self::default() }
    }
}

/// A run that is left out of a fit, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// Name of the run.
    pub run: String,
    /// Reason in words.
    pub reason: String,
}

/// Points with the conventions under which they were counted and the runs left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What laws are fitted to.
    pub points: Vec<Point>,
    /// What was left out.
    pub excluded: Vec<Exclusion>,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted.
    pub flop_rule: FlopRule,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
}

impl Evidence {
    /// Reads runs under a convention.
    pub fn of(records: &[RunRecord], size_measure: SizeMeasure, flop_rule: FlopRule) -> Self {
        let (points, excluded) = points(records, size_measure, flop_rule);
        Self { points, excluded, size_measure, flop_rule, loss_unit: LossUnit::Nats }
    }

    /// Points of one's own making, counted as given.
    pub fn as_given(points: Vec<Point>) -> Self {
        Self { points, excluded: Vec::new(), size_measure: SizeMeasure::AsGiven, flop_rule: FlopRule::AsGiven, loss_unit: LossUnit::Nats }
    }

    /// The same with points that have a budget: their own, or the nearest of those named, where it is the [same](same_budget). Points far
    /// from every named budget are left out.
    pub fn at_budgets(&self, named: &[Flops]) -> Self {
        if named.is_empty() {
            return self.clone();
        }
        let off = |point: &Point, budget: &Flops| (point.c / budget.0).ln().abs();
        let nearest = |point: &Point| named.iter().min_by(|a, b| off(point, a).total_cmp(&off(point, b))).copied();
        let mut kept = self.with_points(Vec::new());
        for point in &self.points {
            match nearest(point).filter(|budget| same_budget(point.c, budget.0)) {
                Some(budget) => kept.points.push(Point { budget: Some(budget.0), ..point.clone() }),
                None => kept.excluded.push(Exclusion { run: point.run.clone(), reason: "its compute is near none of the budgets".into() }),
            }
        }
        kept
    }

    /// Compute of the largest run, FLOPs; 0 without any.
    pub fn largest_compute(&self) -> f64 {
        self.points.iter().map(|point| point.c).fold(0.0, f64::max)
    }

    /// The same conventions with other points.
    pub fn with_points(&self, points: Vec<Point>) -> Self {
        Self { points, ..self.clone() }
    }
}

impl From<&Evidence> for Arc<Evidence> {
    fn from(evidence: &Evidence) -> Self {
        Self::new(evidence.clone())
    }
}

/// Splits records into usable points and exclusions. A convention that a record does not carry is
/// counted from its shape; `AsGiven` takes `params_total` and the FLOP column that is filled
/// (exact, then M·D, then 6·N·D), else 6·N·D.
pub fn points(records: &[RunRecord], measure: SizeMeasure, rule: FlopRule) -> (Vec<Point>, Vec<Exclusion>) {
    let mut kept = Vec::with_capacity(records.len());
    let mut excluded = Vec::new();
    for record in records {
        match point(record, measure, rule) {
            Ok(point) => kept.push(point),
            Err(reason) => excluded.push(Exclusion { run: record.run_id.clone(), reason }),
        }
    }
    (kept, excluded)
}

fn point(record: &RunRecord, measure: SizeMeasure, rule: FlopRule) -> Result<Point, String> {
    if record.status != RunStatus::Finished {
        return Err(record.status.to_string());
    }
    let loss = positive("loss_nats", record.loss_nats.map(|loss| loss.0))?;
    let d = positive("tokens", record.tokens.map(|tokens| tokens.0))?;
    let n = positive(&format!("size under `{measure}`"), size(record, measure))?;
    let c = positive(&format!("FLOPs under `{rule}`"), flops(record, rule, n, d))?;
    Ok(Point {
        run: record.run_id.clone(),
        n,
        d,
        c,
        loss,
        weight: 1.0,
        cluster: record.cluster.clone().or_else(|| record.trunk_id.clone()),
        budget: record.budget_flops.map(|budget| budget.0),
        unique_tokens: record.unique_tokens.map(|tokens| tokens.0),
        batch: record.batch_tokens.map(|tokens| tokens.0),
        steps: record.steps.map(|steps| steps as f64),
        covariates: record.covariates(),
        curve: None,
    })
}

fn positive(what: &str, value: Option<f64>) -> Result<f64, String> {
    match value {
        Some(value) if value.is_finite() && value > 0.0 => Ok(value),
        Some(value) => Err(format!("{what} is {value}, not a finite number above zero")),
        None => Err(format!("{what} is missing")),
    }
}

fn size(record: &RunRecord, measure: SizeMeasure) -> Option<f64> {
    let counted = || shape_of(record).and_then(|shape| measure.of(&shape)).map(|n| n.0);
    match measure {
        SizeMeasure::Total | SizeMeasure::AsGiven => record.params_total.map(|n| n.0).or_else(counted),
        _ => counted(),
    }
}

fn flops(record: &RunRecord, rule: FlopRule, n: f64, d: f64) -> Option<f64> {
    let recorded = match rule {
        FlopRule::SixNd => record.flops_6nd,
        FlopRule::Md => record.flops_md,
        FlopRule::Exact => record.flops_exact,
        FlopRule::AsGiven => record.flops_exact.or(record.flops_md).or(record.flops_6nd),
    };
    let six_nd = || match rule {
        FlopRule::AsGiven => Some(6.0 * n * d),
        FlopRule::SixNd => record.params_total.map(|total| 6.0 * total.0 * d),
        _ => None,
    };
    let counted = || shape_of(record).and_then(|shape| rule.per_token(&shape)).map(|per_token| per_token * d);
    recorded.map(|c| c.0).or_else(counted).or_else(six_nd)
}

/// The network of a record, where all its dimensions are known.
pub fn shape_of(record: &RunRecord) -> Option<ModelShape> {
    let shape = ModelShape {
        layers: record.layers?,
        width: record.width?,
        heads: record.heads?,
        kv_heads: record.kv_heads?,
        ffn: record.ffn?,
        vocabulary: record.vocabulary?,
        context: record.context?,
        qk_norm: record.qk_norm?,
        tied_head: record.tied_head?,
    };
    shape.check().is_ok().then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, ParamCounts, Params, Tokens};

    fn foreign() -> RunRecord {
        RunRecord {
            run_id: "row 2".into(),
            params_total: Some(Params(1e9)),
            tokens: Some(Tokens(2e10)),
            loss_nats: Some(Nats(2.5)),
            ..RunRecord::default()
        }
    }

    #[test]
    fn a_foreign_row_needs_only_params_tokens_and_loss() {
        let (kept, excluded) = points(&[foreign()], SizeMeasure::AsGiven, FlopRule::AsGiven);
        assert!(excluded.is_empty());
        assert_eq!((kept[0].n, kept[0].d, kept[0].c, kept[0].loss), (1e9, 2e10, 1.2e20, 2.5));
        let given = RunRecord { flops_exact: Some(Flops(1.5e20)), ..foreign() };
        assert_eq!(points(&[given], SizeMeasure::AsGiven, FlopRule::AsGiven).0[0].c, 1.5e20);
    }

    #[test]
    fn runs_belong_to_the_named_budget_within_a_tenth() {
        let at = |c: f64| Point { c, ..Point::new(1e9, 1e10, 2.5) };
        let evidence = Evidence::as_given(vec![at(1.05e20), at(9.3e19), at(2e20)]);
        let budgeted = evidence.at_budgets(&[Flops(1e20), Flops(1e21)]);
        assert_eq!(budgeted.points.iter().map(|p| p.budget).collect::<Vec<_>>(), [Some(1e20), Some(1e20)]);
        assert_eq!(budgeted.excluded.len(), 1);
        assert_eq!(evidence.at_budgets(&[]), evidence);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_reason() {
        let diverged = RunRecord { status: RunStatus::Diverged, ..foreign() };
        let infinite = RunRecord { loss_nats: Some(Nats(f64::INFINITY)), ..foreign() };
        let no_tokens = RunRecord { tokens: None, ..foreign() };
        let (kept, excluded) = points(&[diverged, infinite, no_tokens, foreign()], SizeMeasure::NonEmbedding, FlopRule::AsGiven);
        assert!(kept.is_empty());
        let reasons: Vec<&str> = excluded.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["diverged", "loss_nats is inf, not a finite number above zero", "tokens is missing", "size under `non-embedding` is missing"]
        );
    }

    #[test]
    fn conventions_are_counted_from_the_shape() {
        let shape = ModelShape::derived(2, 64);
        let record = RunRecord {
            run_id: "row 2".into(),
            params_total: Some(Params(ParamCounts::of(&shape).total() as f64)),
            tokens: Some(Tokens(2e10)),
            loss_nats: Some(Nats(2.5)),
            ..RunRecord::of_shape(&shape)
        };
        for measure in SizeMeasure::COUNTED {
            for rule in FlopRule::COUNTED {
                let (kept, _) = points(std::slice::from_ref(&record), measure, rule);
                assert_eq!(Some(Params(kept[0].n)), measure.of(&shape));
                assert_eq!(Some(Flops(kept[0].c)), rule.of(&shape, Tokens(2e10)));
            }
        }
    }
}
