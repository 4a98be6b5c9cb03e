//! What a hostile reviewer asks of a fit: which runs carry it, how it forecasts runs that it did not see, what
//! likelihood and cluster-robust intervals say beside the bootstrap, and what other conventions of counting give.

use super::analysis::Analysis;
use super::laws::cuts;
use super::text::{interval, number, table};
use crate::fit::{
    ByEstimator, Convention, Criteria, FitOptions, Forecast, Influence, Named, Profile, Robust, Search, by_estimator, chinchilla_targets,
    conventions, criteria, influence_on, profiles, robust, rolling_origin, without_each,
};
use crate::law::Chinchilla;
use crate::spec::{Flops, RunRecord, short};
use serde::Serialize;

/// Runs beyond which a report waits for no second search and for no fit without each run; `scalelab fit` does both.
pub(super) const LARGE: usize = 300;

/// The answers, each absent where it cannot be given.
#[derive(Serialize)]
pub(super) struct Scrutiny {
    /// Leave-one-out influence on a, largest first.
    pub(super) influence_on_a: Vec<Influence>,
    /// The same on N* at ten times the compute of the largest run, and on E.
    pub(super) influence_on_params: Vec<Influence>,
    pub(super) influence_on_floor: Vec<Influence>,
    /// Fits below a compute, scored above it.
    pub(super) rolling_origin: Vec<Forecast>,
    /// What every estimator makes of the same runs.
    pub(super) estimators: Vec<ByEstimator>,
    /// Profile likelihood (least-squares-log only).
    pub(super) profiles: Option<Named<Profile>>,
    /// Cluster-robust intervals (least-squares-log only).
    robust: Option<Named<Robust>>,
    /// Information criteria and lack of fit (least-squares-log only).
    criteria: Option<Criteria>,
    /// The exponent a under every convention, where asked for.
    pub(super) conventions: Option<Vec<Convention>>,
}

/// Most influential runs that are named.
const NAMED: usize = 3;

/// Asks all of it of a fitted law of N and D.
pub(super) fn scrutinise(analysis: &Analysis, options: &FitOptions, with_conventions: bool) -> Option<Scrutiny> {
    let fitted = analysis.chinchilla.as_ref()?;
    let evidence = &analysis.evidence;
    let largest = evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    let targets = chinchilla_targets(evidence, &[10.0 * largest]);
    let without = without_each(fitted, evidence).unwrap_or_default();
    let on = |what: &dyn Fn(&Chinchilla) -> f64| influence_on(&fitted.law, &without, evidence, what);
    let params = targets.iter().find(|target| target.name.starts_with("params"));
    // Each cell's best recipe comes from a surface through all runs; a forecast must not have seen those above its cut.
    let as_seen = analysis.raw.as_ref().unwrap_or(evidence);
    Some(Scrutiny {
        influence_on_a: on(&Chinchilla::params_exponent),
        influence_on_params: params.map_or_else(Vec::new, |target| on(&target.of)),
        influence_on_floor: on(&|law| law.e),
        rolling_origin: rolling_origin(
            &Chinchilla::default(),
            as_seen,
            &FitOptions { search: Search::VarproOnly, ..*options },
            &cuts(as_seen),
        ),
        estimators: by_estimator(as_seen, options, &cuts(as_seen)),
        profiles: profiles(fitted, evidence, options.resample, options.level, &targets).ok(),
        robust: robust(fitted, evidence, options.resample, options.level, &targets).ok(),
        criteria: criteria(fitted, evidence).ok(),
        conventions: with_conventions.then(|| conventions(&analysis.records, &FitOptions { refits: options.refits.min(200), ..*options })),
    })
}

impl Scrutiny {
    /// For a person. `records` give the names of shapes.
    pub(super) fn text(&self, records: &[RunRecord]) -> String {
        let mut text = String::from("\nscrutiny\n");
        for run in self.influence_on_a.iter().take(NAMED) {
            text += &format!("  without {}: a = {} ({:+.4})\n", described(&run.run, records), number(run.without), run.change);
        }
        let mut tell = |name: &str, runs: &[Influence], shown: &dyn Fn(f64) -> String| {
            if let Some(run) = runs.first() {
                let change = 100.0 * run.change / (run.without - run.change);
                text += &format!("  without {}: {name} = {} ({change:+.1} %)\n", described(&run.run, records), shown(run.without));
            }
        };
        tell("N* at ten times the compute", &self.influence_on_params, &short);
        tell("E", &self.influence_on_floor, &number);
        for forecast in &self.rolling_origin {
            let [below, above] = forecast.runs;
            text += &format!(
                "  fitted to the {below} runs up to {}, it forecasts the {above} above ({}x) with an error of {:+.4} nats on average, {:.4} rms{}\n",
                Flops(forecast.cut),
                short(forecast.distance),
                forecast.bias_nats,
                forecast.rms_nats,
                forecast.compute_equivalent.map_or(String::new(), |part| format!("; as compute {:+.0} %", 100.0 * part))
            );
        }
        text += &table(&BY_ESTIMATOR, &estimator_rows(&self.estimators));
        if let (Some(profiles), Some(robust)) = (&self.profiles, &self.robust) {
            text += &intervals(profiles, robust);
        } else {
            text += "  profile-likelihood and cluster-robust intervals belong to --estimator least-squares-log\n";
        }
        if let Some(criteria) = &self.criteria {
            text += &format!("  AICc {:.2}, BIC {:.2}", criteria.aicc, criteria.bic);
            text += &criteria.lack_of_fit.as_ref().map_or("; no replicates, so lack of fit cannot be tested\n".into(), |test| {
                let [between, within] = test.degrees;
                format!(
                    "; lack of fit F({between}, {within}) = {:.2}, p = {:.3}; replicates scatter by {:.2} %\n",
                    test.f,
                    test.p_value,
                    100.0 * test.replicate_sd
                )
            });
        }
        if let Some(conventions) = &self.conventions {
            text += &matrix(conventions);
        }
        text
    }
}

fn described(run: &str, records: &[RunRecord]) -> String {
    let record = records.iter().find(|record| record.run_id == run);
    match record.and_then(|record| Some((record.params_total?, record.tokens?))) {
        Some((params, tokens)) => format!("{run} (N = {params}, D = {tokens})"),
        None => run.to_owned(),
    }
}

/// Header of what estimators make of the same runs.
pub(super) const BY_ESTIMATOR: [&str; 6] = ["by estimator", "a", "E", "", "forecast rms, nats", "up to"];

/// One row an estimator; forecasts are those from the earliest cut.
pub(super) fn estimator_rows(all: &[ByEstimator]) -> Vec<Vec<String>> {
    let row = |one: &ByEstimator| {
        let of_forecast = |told: fn(&Forecast) -> String| one.forecast.as_ref().map_or("—".into(), told);
        vec![
            one.estimator.to_string(),
            number(one.exponent),
            number(one.floor),
            one.status.to_string(),
            of_forecast(|forecast| format!("{:.4}", forecast.rms_nats)),
            of_forecast(|forecast| format!("{}x", short(forecast.distance))),
        ]
    };
    all.iter().map(row).collect()
}

fn intervals(profiles: &Named<Profile>, robust: &Named<Robust>) -> String {
    let row = |(name, profile): (&str, &Profile)| {
        let sandwich = robust.get(name).map_or(String::new(), |robust| interval(&robust.sandwich));
        vec![name.to_owned(), number(profile.profile.value), interval(&profile.profile), interval(&profile.delta), sandwich]
    };
    table(&["", "value", "profile likelihood", "delta method", "sandwich"], &profiles.iter().map(row).collect::<Vec<_>>())
}

/// One row a size measure: how C is counted does not change the fit of L(N, D).
fn matrix(conventions: &[Convention]) -> String {
    let row = |group: &[Convention]| {
        let (value, range) = match &group[0].exponent {
            Ok(exponent) => (number(exponent.value), interval(exponent)),
            Err(reason) => (reason.clone(), String::new()),
        };
        let rules: Vec<&str> = group.iter().map(|one| one.flop_rule.name()).collect();
        vec![group[0].size_measure.to_string(), rules.join(", "), value, range]
    };
    let rows: Vec<Vec<String>> =
        conventions.chunk_by(|a, b| a.size_measure == b.size_measure && a.exponent == b.exponent).map(row).collect();
    String::from("\nthe exponent a under every convention of counting, from the same runs\n") + &table(&["N", "C", "a", "interval"], &rows)
}
