//! Runs on mixtures as laws of mixtures see them: parts, their sizes, and losses on a target.

use crate::law::{Evidence, Point};
use crate::spec::{
    FlopRule, Random, RunRecord, RunStatus, SHARE, SizeMeasure, WHOLE, dirichlet_draw, is_share, simplex_grid, simplex_points,
};
use std::collections::{BTreeMap, BTreeSet};

/// Candidates at most: mixtures on an even grid, its step as fine as that allows.
const MOST: f64 = 6000.0;
/// Steps of such a grid, the finest first.
const STEPS: [u32; 9] = [100, 50, 40, 25, 20, 10, 8, 5, 4];
/// Draws in its place where there are too many parts for any of them.
const DRAWS: usize = 4000;

/// Why runs say nothing of mixtures.
#[derive(Debug, thiserror::Error)]
pub enum MixedRunsError {
    /// No run says what it was mixed of.
    #[error(
        "no finished run has shares of parts; train a grid with corpus = {{ kind = \"mix\", … }}, or give a table with columns share_NAME"
    )]
    NoShares,
    /// The target names what is no part.
    #[error("--target {found}: the parts are {parts}")]
    Target {
        /// What was named.
        found: String,
        /// The parts.
        parts: String,
    },
    /// The table has one loss a run.
    #[error("--target: these runs have one loss each and none by part; leave it out, the loss that they have is the target")]
    OneLoss,
}

/// What the runs say of the parts.
pub(super) struct MixedRuns {
    /// Names of the parts, in the order of all shares here.
    pub(super) names: Vec<String>,
    /// Distinct tokens of each part, where they are known.
    unique: Option<Vec<f64>>,
    /// The mixture in proportion to them.
    pub(super) natural: Vec<f64>,
    /// What the losses of the parts count for, where each is known.
    pub(super) target: Option<Vec<f64>>,
    /// What a law is fitted to, of which the loss on the target is the weighted sum.
    pub(super) losses: Vec<LossOf>,
    /// What a reader must know of them.
    pub(super) notes: Vec<String>,
}

/// Runs with the loss of one part, or where there is only one loss with that.
pub(super) struct LossOf {
    /// The part, by its place; none where the loss is that of all.
    pub(super) part: Option<usize>,
    /// What it counts for in the target.
    pub(super) weight: f64,
    /// The runs; of a part those that saw it.
    pub(super) points: Vec<Point>,
}

impl MixedRuns {
    /// Shares, losses and sizes of the parts.
    pub(super) fn of(
        records: &[RunRecord],
        target: Option<&BTreeMap<String, f64>>,
        size_measure: SizeMeasure,
        flop_rule: FlopRule,
    ) -> Result<Self, MixedRunsError> {
        let finished: Vec<&RunRecord> = records.iter().filter(|run| run.status == RunStatus::Finished && run.loss_nats.is_some()).collect();
        let share = |run: &RunRecord| run.covariates().into_iter().filter(|(name, _)| is_share(name)).collect::<BTreeMap<String, f64>>();
        let shares: Vec<BTreeMap<String, f64>> = finished.iter().map(|run| share(run)).collect();
        let columns: BTreeSet<&String> = shares.iter().flat_map(BTreeMap::keys).collect();
        if columns.len() < 2 {
            return Err(MixedRunsError::NoShares);
        }
        let columns: Vec<String> = columns.into_iter().cloned().collect();
        let names: Vec<String> = columns.iter().map(|column| column[SHARE.len()..].to_owned()).collect();
        let mut notes = Vec::new();
        let unique: Option<Vec<f64>> = names.iter().map(|name| unique_of(&finished, name)).collect();
        let natural: Vec<f64> = match &unique {
            Some(unique) => unique.clone(),
            None => {
                notes.push(
                    "the sizes of the parts are not known: no mixture is left out for repetition, and natural is the mean mixture of the runs"
                        .into(),
                );
                columns.iter().map(|column| shares.iter().filter_map(|of| of.get(column)).sum()).collect()
            }
        };
        let natural = normalised(&natural);
        let has_losses = finished.iter().all(|run| !run.parts.is_empty() && run.parts.iter().all(|part| part.loss_nats.is_some()));
        let target = match target {
            Some(_) if !has_losses => return Err(MixedRunsError::OneLoss),
            Some(wanted) => {
                if let Some(found) = wanted.keys().find(|name| !names.contains(name)) {
                    return Err(MixedRunsError::Target { found: found.clone(), parts: names.join(", ") });
                }
                Some(normalised(&names.iter().map(|name| wanted.get(name).copied().unwrap_or(0.0)).collect::<Vec<_>>()))
            }
            None => has_losses.then(|| natural.clone()),
        };
        let points = |runs: Vec<RunRecord>| Evidence::of(&runs, size_measure, flop_rule).points;
        let losses = match &target {
            None => vec![LossOf { part: None, weight: 1.0, points: points(finished.iter().map(|&run| run.clone()).collect()) }],
            Some(target) => {
                let counted = target.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
                let of = |(part, weight): (usize, &f64)| {
                    let points = points(finished.iter().filter_map(|run| with_loss_of(run, &names[part])).collect());
                    LossOf { part: Some(part), weight: *weight, points }
                };
                counted.map(of).collect()
            }
        };
        notes.extend(losses.iter().filter_map(|of| unseen(&names[of.part?], finished.len() - of.points.len(), finished.len())));
        Ok(Self { names, unique, natural, target, losses, notes })
    }

    /// A point of a size and length with shares.
    pub(super) fn at(&self, place: &Point, shares: &[f64]) -> Point {
        let covariates = self.names.iter().zip(shares).map(|(name, share)| (format!("{SHARE}{name}"), *share)).collect();
        Point { covariates, ..place.clone() }
    }

    /// How often each part is seen.
    pub(super) fn epochs(&self, shares: &[f64], tokens: f64) -> Option<Vec<f64>> {
        self.unique.as_ref().map(|unique| shares.iter().zip(unique).map(|(share, unique)| share * tokens / unique).collect())
    }

    /// Mixtures that are compared, and the step between them.
    pub(super) fn candidates(&self) -> (Vec<Vec<f64>>, Option<f64>) {
        let parts = self.names.len();
        if let Some(steps) = STEPS.into_iter().find(|steps| *steps >= 10 && simplex_points(parts, *steps) <= MOST) {
            let of = |shares: Vec<u32>| shares.into_iter().map(|share| f64::from(share) / f64::from(steps)).collect();
            return (simplex_grid(parts, steps).into_iter().map(of).collect(), Some(1.0 / f64::from(steps)));
        }
        let mut random = Random::new(0, "mixtures that are compared");
        let drawn = |_| dirichlet_draw(&mut random, parts, 1.0).into_iter().map(|share| f64::from(share) / f64::from(WHOLE)).collect();
        let mut all: Vec<Vec<f64>> = (0..DRAWS).map(drawn).collect();
        all.push(self.natural.clone());
        (all, None)
    }
}

fn unique_of(runs: &[&RunRecord], name: &str) -> Option<f64> {
    runs.iter().flat_map(|run| &run.parts).find(|part| part.name == name).and_then(|part| part.unique_tokens)
}

fn normalised(weights: &[f64]) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// A run with the loss of a part; none where it never saw it.
fn with_loss_of(run: &RunRecord, name: &str) -> Option<RunRecord> {
    let part = run.parts.iter().find(|part| part.name == *name && part.share > 0.0)?;
    Some(RunRecord { loss_nats: part.loss_nats, ..run.clone() })
}

/// What is said of runs that never saw a part.
fn unseen(name: &str, without: usize, runs: usize) -> Option<String> {
    (without > 0).then(|| format!("{without} of {runs} runs never saw {name}: their loss on it is left out, for no law here describes it"))
}
