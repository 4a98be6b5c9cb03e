//! A scrutiny for a person.

use super::text::{as_compute, number, table};
use crate::fit::{ByEstimator, Convention, Estimate, Forecast, Influence, Named, Profile, Robust};
use crate::spec::{Flops, RunRecord, short};
use crate::study::Scrutiny;

/// Runs beyond which a report waits for no second search and for no fit without each run; `scalelab fit` does both.
pub(super) const LARGE: usize = 300;

/// Most influential runs that are named.
const NAMED: usize = 3;

/// What was found. `records` give the sizes and tokens of runs.
pub(super) fn scrutiny_text(found: &Scrutiny, records: &[RunRecord]) -> String {
    let mut text = String::from("\nscrutiny\n");
    for run in found.influence_on_a.iter().take(NAMED) {
        text += &format!("  without {}: a = {} ({:+.4})\n", described(&run.run, records), number(run.without), run.change);
    }
    let mut tell = |name: &str, runs: &[Influence], shown: &dyn Fn(f64) -> String| {
        if let Some(run) = runs.first() {
            let change = 100.0 * run.change / (run.without - run.change);
            text += &format!("  without {}: {name} = {} ({change:+.1} %)\n", described(&run.run, records), shown(run.without));
        }
    };
    tell("N* at ten times the compute", &found.influence_on_params, &short);
    tell("E", &found.influence_on_floor, &number);
    for forecast in &found.rolling_origin {
        let [below, above] = forecast.runs;
        text += &format!(
            "  fitted to the {below} runs up to {}, it forecasts the {above} above ({}x) with an error of {:+.4} nats on average, {:.4} rms{}\n",
            Flops(forecast.cut),
            short(forecast.distance),
            forecast.bias_nats,
            forecast.rms_nats,
            came_as_compute(forecast)
        );
    }
    text += &table(&BY_ESTIMATOR, &estimator_rows(&found.estimators));
    if let (Some(profiles), Some(robust)) = (&found.profiles, &found.robust) {
        text += &intervals(profiles, robust);
    } else {
        text += "  profile-likelihood and cluster-robust intervals belong to --estimator least-squares-log\n";
    }
    if let Some(criteria) = &found.criteria {
        text += &criteria.lack_of_fit.as_ref().map_or("  no run was repeated, so lack of fit cannot be tested\n".into(), |test| {
            let [between, within] = test.degrees;
            format!(
                "  lack of fit F({between}, {within}) = {:.2}, p = {:.3}; replicates scatter by {:.2} %\n",
                test.f,
                test.p_value,
                100.0 * test.replicate_sd
            )
        });
    }
    if let Some(conventions) = &found.conventions {
        text += &matrix(conventions);
    }
    text
}

/// What the error of a forecast is as compute.
fn came_as_compute(forecast: &Forecast) -> String {
    match (forecast.compute_equivalent, forecast.below_floor) {
        (Some(part), _) => format!("; they came as if with {}", as_compute(part)),
        (None, 0) => String::new(),
        (None, below) => format!("; {below} of them came below all that it can predict, at whatever compute"),
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
            one.floor.map_or("—".into(), number),
            one.status.to_string(),
            of_forecast(|forecast| format!("{:.4}", forecast.rms_nats)),
            of_forecast(|forecast| format!("{}x", short(forecast.distance))),
        ]
    };
    all.iter().map(row).collect()
}

fn intervals(profiles: &Named<Profile>, robust: &Named<Robust>) -> String {
    let interval = |estimate: &Estimate| {
        let [_, _, interval] = estimate.told();
        interval
    };
    let row = |(name, profile): (&str, &Profile)| {
        let sandwich = robust.get(name).map_or(String::new(), |robust| interval(&robust.sandwich));
        let [value, _, by_profile] = profile.profile.told();
        vec![rounded(name), value, by_profile, interval(&profile.delta), sandwich]
    };
    table(&["", "value", "profile likelihood", "delta method", "sandwich"], &profiles.iter().map(row).collect::<Vec<_>>())
}

/// The name of a quantity with the compute that it is asked at as a person says it.
fn rounded(name: &str) -> String {
    let at = name.rsplit_once(" at ").and_then(|(what, compute)| Some((what, compute.parse().ok()?)));
    at.map_or_else(|| name.to_owned(), |(what, compute)| format!("{what} at {}", Flops(compute)))
}

/// One row a size measure: how C is counted does not change the fit of L(N, D).
fn matrix(conventions: &[Convention]) -> String {
    let row = |group: &[Convention]| {
        let (value, range) = match &group[0].exponent {
            Ok(exponent) => {
                let [value, _, interval] = exponent.told();
                (value, interval)
            }
            Err(reason) => (reason.clone(), String::new()),
        };
        let rules: Vec<&str> = group.iter().map(|one| one.flop_rule.name()).collect();
        vec![group[0].size_measure.to_string(), rules.join(", "), value, range]
    };
    let rows: Vec<Vec<String>> =
        conventions.chunk_by(|a, b| a.size_measure == b.size_measure && a.exponent == b.exponent).map(row).collect();
    String::from("\nthe exponent a under every convention of counting, from the same runs\n") + &table(&["N", "C", "a", "interval"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compute_in_a_label_has_three_digits() {
        assert_eq!(rounded("params at 3.200595787776e13"), "params at 3.20e13");
        assert_eq!(["alpha", "loss at sea"].map(rounded), ["alpha", "loss at sea"]);
    }
}
