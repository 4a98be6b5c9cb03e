//! What a hostile reviewer asks of a fit: which runs carry it, how it forecasts runs that it did not see, what
//! likelihood and cluster-robust intervals say beside the bootstrap, and what other conventions of counting give.

use super::laws::cuts;
use crate::fit::{
    ByEstimator, Convention, Criteria, Estimate, FitOptions, FittedLaw, Forecast, Influence, Named, Profile, Quantity, Robust, Search,
    by_estimator, conventions, criteria, influence_on, profiles, robust, rolling_origin, without_each,
};
use crate::law::{ComputeCount, Evidence};
use crate::spec::RunRecord;
use serde::Serialize;

/// The answers, each absent where it cannot be given.
#[derive(Debug, Clone, Serialize)]
pub struct Scrutiny {
    /// Leave-one-out influence on a, largest first.
    pub influence_on_a: Vec<Influence>,
    /// The same on N* at ten times the compute of the largest run.
    pub influence_on_params: Vec<Influence>,
    /// The same on E; empty for a law without a floor.
    pub influence_on_floor: Vec<Influence>,
    /// Fits below a compute, scored above it.
    pub rolling_origin: Vec<Forecast>,
    /// What every estimator makes of the same runs.
    pub estimators: Vec<ByEstimator>,
    /// Of each coefficient and decision, the interval that is printed: see `Fit::intervals`.
    pub intervals: Named<Estimate>,
    /// Profile likelihood (least-squares-log only).
    pub profiles: Option<Named<Profile>>,
    /// Cluster-robust intervals (least-squares-log only).
    pub robust: Option<Named<Robust>>,
    /// Information criteria and lack of fit (least-squares-log only).
    pub criteria: Option<Criteria>,
    /// The exponent a under every convention, where asked for.
    pub conventions: Option<Vec<Convention>>,
}

/// Refits for the exponent under one convention, at most.
const CONVENTION_REFITS: usize = 200;

/// Asks all of it of a fitted law of N and D. `as_seen` is the evidence that a forecast may see: where each cell's best recipe
/// comes from a surface through all runs, the lowest losses as they are. `records` are counted anew where given.
pub(super) fn scrutinise(fitted: &FittedLaw, as_seen: &Evidence, records: Option<&[RunRecord]>, options: &FitOptions) -> Scrutiny {
    let level = fitted.level;
    let (count, largest) = (ComputeCount::of(&fitted.evidence.points), fitted.evidence.largest_compute());
    let [params, tokens, loss] = Quantity::optimum(10.0 * largest, &count);
    let exponent = Quantity::params_exponent(largest, &count);
    let without = without_each(fitted).unwrap_or_default();
    let on = |quantity: &Quantity| influence_on(fitted, &without, quantity);
    let quick = FitOptions { search: Search::VarproOnly, ..*options };
    let influence_on_params = on(&params);
    let influence_on_a = on(&exponent);
    let mut quantities = Quantity::coefficients(&fitted.law);
    let taken = quantities.iter().any(|one| one.name() == exponent.name());
    let exponent = if taken { exponent.named("exponent of N*") } else { exponent };
    quantities.extend([exponent, params, tokens, loss]);
    let names: Vec<String> = quantities.iter().map(|one| one.name().to_owned()).collect();
    Scrutiny {
        influence_on_a,
        influence_on_params,
        influence_on_floor: fitted.law.floor_index().map_or_else(Vec::new, |at| on(&Quantity::coefficient(&fitted.law, at))),
        rolling_origin: rolling_origin(&fitted.law, as_seen, &quick, &cuts(as_seen)),
        estimators: by_estimator(&fitted.law, as_seen, options, &cuts(as_seen)),
        intervals: Named(names.into_iter().zip(fitted.intervals(&quantities, level)).collect()),
        profiles: profiles(fitted, level, &quantities).ok(),
        robust: robust(fitted, level, &quantities).ok(),
        criteria: criteria(fitted).ok(),
        conventions: records.map(|records| {
            let options = FitOptions { refits: options.refits.min(CONVENTION_REFITS), ..*options };
            conventions(&fitted.law, records, &options, level)
        }),
    }
}
