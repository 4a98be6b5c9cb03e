//! A scrutiny for a person.

use super::text::{as_compute, number, p_value, table};
use crate::fit::{ByEstimator, Convention, Estimate, Forecast, Influence, Interval, Named};
use crate::spec::{Flops, LossUnit, RunRecord, short};
use crate::study::Scrutiny;

/// Most influential runs that are named.
const NAMED: usize = 3;

/// A change by more per cent of a number is that of one which was next to nothing.
const MOST_CHANGE: f64 = 1e6;

/// What was found. `records` give the sizes and tokens of runs.
pub(super) fn scrutiny_text(found: &Scrutiny, records: &[RunRecord], unit: LossUnit) -> String {
    let mut text = String::from("\nscrutiny\n");
    for run in found.influence_on_a.iter().filter(|run| run.without.is_finite()).take(NAMED) {
        text += &format!("  without {}: a = {} ({:+.4})\n", described(&run.run, records), number(run.without), run.change);
    }
    let mut tell = |name: &str, runs: &[Influence], shown: &dyn Fn(f64) -> String| {
        if let Some(run) = runs.iter().find(|run| run.without.is_finite()) {
            // A floor at its bound 0 changes by no share of itself.
            let share =
                Some(100.0 * run.change / (run.without - run.change)).filter(|share| share.is_finite() && share.abs() < MOST_CHANGE);
            let change = share.map_or(String::new(), |share| format!(" ({share:+.1} %)"));
            text += &format!("  without {}: {name} = {}{change}\n", described(&run.run, records), shown(run.without));
        }
    };
    tell("N* at ten times the compute", &found.influence_on_params, &short);
    tell("E", &found.influence_on_floor, &number);
    for forecast in &found.rolling_origin {
        let [below, above] = forecast.runs;
        text += &format!(
            "  fitted to the {below} runs up to {}: the {above} larger (up to {}x) are predicted with mean error {:+.4} {}, rms {:.4}{}\n",
            Flops(forecast.cut),
            short(forecast.distance),
            forecast.bias_nats,
            unit.short(),
            forecast.rms_nats,
            came_as_compute(forecast)
        );
    }
    text += &table(&by_estimator(unit).each_ref().map(String::as_str), &estimator_rows(&found.estimators));
    text += &intervals(&found.intervals);
    if let Some(criteria) = &found.criteria {
        text += &criteria.lack_of_fit.as_ref().map_or("  no run was repeated, so lack of fit cannot be tested\n".into(), |test| {
            let [between, within] = test.degrees;
            format!(
                "  lack of fit F({between:.0}, {within:.0}) = {:.2}, {}; replicates scatter by {:.2} %\n",
                test.f,
                p_value(test.p_value),
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
        (Some(part), _) => format!("; compute-equivalent error: {}", as_compute(part)),
        (None, 0) => String::new(),
        (None, below) => format!("; {below} of them lie below the lowest loss that the law predicts at any compute"),
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
pub(super) fn by_estimator(unit: LossUnit) -> [String; 6] {
    ["by estimator", "a", "E", "", &format!("forecast rms, {}", unit.short()), "up to"].map(str::to_owned)
}

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

/// Each number with one interval, and why it is this one.
fn intervals(all: &Named<Estimate>) -> String {
    let row = |(name, estimate): (&str, &Estimate)| {
        let [value, error, interval] = estimate.render();
        vec![rounded(name), value, error, interval, estimate.method().to_owned()]
    };
    let level = all.iter().find_map(|(_, estimate)| estimate.level()).map_or(String::new(), |level| format!("{:.0} %", 100.0 * level));
    let mut reasons: Vec<&str> = all.iter().filter_map(|(_, estimate)| Some(reason(estimate.uncertainty?.interval))).collect();
    let mut seen = std::collections::BTreeSet::new();
    reasons.retain(|one| seen.insert(*one));
    let said: String = reasons.iter().map(|one| format!("  {one}\n")).collect();
    table(&["", "value", "s.e.", &level, "by"], &all.iter().map(row).collect::<Vec<_>>()) + &said
}

/// Why an interval of this kind is the one that is printed.
fn reason(kind: Interval) -> &'static str {
    match kind {
        Interval::Profile => "profile: the likelihood of runs that are independent; it bends where the law does, as s.e. cannot",
        Interval::Sandwich => {
            "sandwich: runs that share a trunk share its noise, which no likelihood of single runs knows; clusters are the independent ones"
        }
        Interval::ResidualBootstrap => "residual-bootstrap: the estimator has no likelihood, and runs are too few to be drawn themselves",
        Interval::ClusterBootstrap => "cluster-bootstrap: refits to trunks drawn anew, since runs of one share its noise",
        Interval::Bootstrap => "bootstrap: refits to runs drawn anew; no likelihood has this estimator, or a term that vanished",
        _ => "see LOG.md for what covers at its level",
    }
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
                let [value, _, interval] = exponent.render();
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
    fn each_number_has_one_interval_with_its_reason() {
        let of = |interval| Named(vec![("E".to_owned(), Estimate::new(0.79, 0.01, [0.768, 0.802], 0.95, interval))]);
        let told = intervals(&of(Interval::Sandwich));
        assert!(told.contains("share a trunk") && told.matches('[').count() == 1 && told.contains("95 %"), "{told}");
        assert!(intervals(&of(Interval::Profile)).contains("independent") && !intervals(&of(Interval::Profile)).contains("trunk"));
    }

    #[test]
    fn a_compute_in_a_label_has_three_digits() {
        assert_eq!(rounded("params at 3.200595787776e13"), "params at 3.20e13");
        assert_eq!(["alpha", "loss at sea"].map(rounded), ["alpha", "loss at sea"]);
    }
}
