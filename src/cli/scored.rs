//! A forecast and what came of it on one screen: whether it held, by how much it was off, where it was off most, what to do.

use super::colour::{good, heading, warning};
use super::text::{as_compute, doubts, entry, filled, known_between, plural, rounded, screen_table};
use crate::fit::Estimate;
use crate::recommend::{Forecast, Held, Predicted, ScoredBudget, ScoredLaw, ScoredRun, Verification};
use crate::spec::{Flops, LossUnit, short};

/// Runs that are shown, those that were missed most first.
const MOST_RUNS: usize = 4;
/// Budgets of which something is said.
const MOST_BUDGETS: usize = 2;
/// Chances of so few runs inside: from the first on a forecast held, below the second it did not.
const LIKELY: [f64; 2] = [0.2, 0.05];

/// How the widest interval of who speaks fared.
fn held(found: &Verification) -> Option<Held> {
    found.laws.first()?.coverage.last().copied()
}

/// Whether a forecast held; nothing is known where so few runs tell nothing.
fn has_held(held: &Held) -> Option<bool> {
    match held.chance() {
        chance if chance >= LIKELY[0] => Some(true),
        chance if chance < LIKELY[1] => Some(false),
        _ => None,
    }
}

/// Whether the forecast held, a line.
pub(super) fn verdict(found: &Verification) -> String {
    let Some(one) = held(found) else {
        return format!("{} scored, and the forecast has no intervals to hold", plural(found.runs.len(), "run", "runs"));
    };
    let word = match has_held(&one) {
        Some(true) => "the forecast held",
        Some(false) => "the forecast did not hold",
        None => "too few runs to tell whether the forecast held",
    };
    let runs = plural(one.of, "run is", "runs are");
    format!("{word}: {} of {runs} inside the {:.0} % interval, {:.1} expected", one.held, 100.0 * one.level, one.expected())
}

/// All of it on one screen; `reasons` say why runs were passed over.
pub(super) fn answer(forecast: &Forecast, found: &Verification, reasons: &[String]) -> String {
    let said = filled("", &format!("{}: {}", forecast.source, verdict(found)));
    let outcome = held(found).and_then(|held| has_held(&held));
    let mut text = match outcome {
        Some(true) => good(&said),
        Some(false) => warning(&said),
        None => heading(&said),
    };
    text += &entry("made", &format!("{}; its checksum is right", forecast.made_at));
    text += &found.laws.first().map_or(String::new(), |law| error(law, forecast.law.loss_unit));
    found.budgets.iter().take(MOST_BUDGETS).for_each(|budget| text += &optimum(budget));
    text += &worst(&found.runs, forecast.law.loss_unit);
    if found.laws.len() > 1 {
        text += &format!("\n{}", laws(&found.laws, forecast.law.loss_unit));
    }
    text += &doubts(all_doubts(forecast, found, reasons));
    text + &format!("\n{}", entry("next", next(outcome)))
}

/// By how much forecasts were off, on average and each.
fn error(law: &ScoredLaw, unit: LossUnit) -> String {
    let side = if law.bias_nats > 0.0 { "above" } else { "below" };
    let [bias, rms] = [law.bias_nats.abs(), law.rms_nats].map(|error| rounded(error, law.rms_nats));
    let equivalent = law.compute_equivalent.map_or(String::new(), |part| format!("; equivalent to {}", as_compute(part)));
    entry("error", &format!("forecasts lie {bias} {} {side} what came on average, rms {rms}{equivalent}", unit.short()))
}

/// A number with its widest interval.
fn widest(one: &Predicted) -> Estimate {
    let Some(band) = one.intervals.last() else { return Estimate::exact(one.value) };
    known_between(one.value, [band.low.unwrap_or(f64::NEG_INFINITY), band.high.unwrap_or(f64::INFINITY)], band.level)
}

/// The error of a forecast in half widths of its interval: above 1 the run lies outside.
fn miss(run: &ScoredRun) -> f64 {
    let said = widest(&run.forecast);
    let reach = if run.error_nats > 0.0 { said.value - said.low() } else { said.high() - said.value };
    run.error_nats.abs() / reach
}

/// The runs that were missed most.
fn worst(runs: &[ScoredRun], unit: LossUnit) -> String {
    let mut order: Vec<&ScoredRun> = runs.iter().collect();
    order.sort_by(|a, b| miss(b).total_cmp(&miss(a)));
    let row = |run: &&ScoredRun| {
        let said = widest(&run.forecast);
        let error = said.uncertainty.map_or(0.01 * said.value, |known| 0.25 * (known.high - known.low));
        let sign = if run.error_nats < 0.0 { "" } else { "+" };
        vec![
            run.shape.clone(),
            format!("{} {}x", Flops(run.compute), short(run.extrapolation_factor)),
            said.to_string(),
            rounded(run.loss_nats, error),
            format!("{sign}{}", rounded(run.error_nats, error)),
            if said.holds(run.loss_nats) { "inside" } else { "outside" }.to_owned(),
        ]
    };
    let level = runs.first().and_then(|run| Some(100.0 * run.forecast.intervals.last()?.level));
    let forecast = level.map_or("forecast".to_owned(), |level| format!("forecast of one run [{level:.0} %]"));
    let rows: Vec<Vec<String>> = order.iter().take(MOST_RUNS).map(row).collect();
    let title =
        if runs.len() > MOST_RUNS { format!("  the {MOST_RUNS} of {} runs that were missed most\n", runs.len()) } else { String::new() };
    format!("\n{title}{}", screen_table(&["run", "C, FLOPs", &forecast, unit.heading(), "error", ""], &rows))
}

/// How each law fared.
fn laws(all: &[ScoredLaw], unit: LossUnit) -> String {
    let row = |law: &ScoredLaw| {
        let sign = if law.bias_nats < 0.0 { "" } else { "+" };
        let inside = law.coverage.last().map_or("—".into(), |one| format!("{} of {}", one.held, one.of));
        vec![law.name.clone(), format!("{sign}{}", rounded(law.bias_nats, law.rms_nats)), rounded(law.rms_nats, law.rms_nats), inside]
    };
    screen_table(&["law", &format!("mean error, {}", unit.short()), "rms", "inside"], &all.iter().map(row).collect::<Vec<_>>())
}

/// Where the optimum of a budget was said to be and where it was, and what trusting the forecast cost.
fn optimum(budget: &ScoredBudget) -> String {
    let said = &budget.params;
    let ends = said.intervals.last().map_or(String::new(), |band| {
        let end = |end: Option<f64>| end.map_or("unbounded".to_owned(), short);
        format!(" [{}, {}]", end(band.low), end(band.high))
    });
    let came = budget
        .params_found
        .as_ref()
        .map_or_else(|| "what was trained has no minimum in N".to_owned(), |found| format!("{} came", short(found.value)));
    let cost = budget.regret.map(|regret| format!("; the network nearest to it lost {:.1} % of loss", 100.0 * regret));
    let recipe = budget.recipe.as_ref().map(|recipe| format!("; its learning rate and batch were {}", recipe.verdict()));
    let place = Flops(budget.compute);
    let text = format!(
        "at {place} N* of {}{ends} was forecast, {came}{}{}",
        short(said.value),
        cost.unwrap_or_default(),
        recipe.unwrap_or_default()
    );
    entry("optimum", &text)
}

/// What the scores do not say, each with its remedy.
fn all_doubts(forecast: &Forecast, found: &Verification, reasons: &[String]) -> Vec<String> {
    let early = found.runs.iter().filter(|run| run.after_forecast == Some(false)).count();
    let below = found.laws.first().map_or(0, |law| law.below_floor);
    let early = (early > 0).then(|| {
        let runs = plural(early, "run", "runs");
        format!("{runs} of these began before the forecast was made and prove nothing: train others")
    });
    let below = (below > 0).then(|| {
        let lie = if below == 1 { "1 run lies" } else { &format!("{below} runs lie") };
        format!("{lie} below every loss that {} can say: its floor is too high, so fit it anew with these runs", forecast.law.name)
    });
    let passed_over = (!reasons.is_empty()).then(|| format!("passed over: {}", reasons.join("; ")));
    early.into_iter().chain(below).chain(passed_over).collect()
}

/// What to do after it.
fn next(outcome: Option<bool>) -> &'static str {
    match outcome {
        Some(true) => "fit these runs with the others, and forecast the next budget",
        Some(false) => "trust no larger budget by this fit; fit these runs with the others, and forecast anew before more is spent",
        None => "train more of the runs that were forecast, and verify again",
    }
}
