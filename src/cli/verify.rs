//! `scalelab verify`: a forecast against the runs that came after it.

use super::abilities;
use super::failure::{Failure, OrWork, Outcome};
use super::folders::Folders;
use super::scored;
use super::source::{RowArgs, SourceArgs};
use super::text::{as_compute, counts, number, rate_text, table};
use super::voice::is_quiet;
use crate::fit::OffTheLaw;
use crate::recommend::{Forecast, Held, Predicted, ScoredBudget, ScoredLaw, ScoredRun, Verification, verify};
use crate::results::write_whole;
use crate::spec::{Flops, RunRecord, short};
use anyhow::{Context, anyhow};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab verify results/study/forecast.json results/study-3x\n  scalelab verify forecast.json results/study-3x --out verification.json\n  scalelab verify forecast.json held.csv --columns params=N,tokens=D\n\nA forecast of single runs (forecast --at, --runs, --max-compute) is held against the rows of a table whose N and D are those of its runs; without results, against the losses that were known when it was made."
)]
pub(super) struct VerifyArgs {
    /// File of `scalelab forecast`
    forecast: PathBuf,
    /// Results folders, or CSVs, of the runs that came after it
    ///
    /// [default: the losses that were known when it was made and that it did not look at]
    results: Vec<PathBuf>,
    /// Write the scores into this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print everything behind the answer
    ///
    /// Every run, every law with how often its intervals of each level held, every budget.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rows: RowArgs,
}

/// What is done about a forecast that is not whole.
const SEALED: &str = "one that was damaged cannot be made again: put back a copy, or forecast what is not trained yet anew";

pub(super) fn run(args: &VerifyArgs) -> Outcome {
    let path = args.forecast.display();
    let text = std::fs::read_to_string(&args.forecast).with_context(|| format!("cannot read {path}")).map_err(Failure::Input)?;
    if abilities::is_of_tasks(&text) {
        let asked = abilities::Scored {
            forecast: &args.forecast,
            text: &text,
            results: &args.results,
            rows: &args.rows,
            out: args.out.as_deref(),
            json: args.json,
        };
        return abilities::verify(&asked);
    }
    let forecast = Forecast::from_text(&text).map_err(|error| Failure::Input(anyhow!("{path} {error}; {SEALED}")))?;
    let records = records(args, &forecast)?;
    if args.results.is_empty() && forecast.runs.iter().all(|run| run.found.is_none()) {
        return Err(Failure::Input(anyhow!("{path} holds no loss that was known when it was made; name the runs that came after it")));
    }
    let verification = verify(&forecast, &records).map_err(|problem| Failure::Input(anyhow!("{path}: {problem}")))?;
    if verification.runs.is_empty() {
        return Err(Failure::Input(anyhow!("none of the runs is one that {path} speaks of: {}", reasons(&verification).join("; "))));
    }
    let document = serde_json::to_string_pretty(&verification).or_work()? + "\n";
    if let Some(out) = &args.out {
        write_whole(out, document.as_bytes()).with_context(|| format!("cannot write {}", out.display())).or_work()?;
    }
    print!("{}", said(args, &forecast, &verification, document));
    Ok(())
}

/// The scores in the form that was asked for.
fn said(args: &VerifyArgs, forecast: &Forecast, found: &Verification, document: String) -> String {
    match (args.json, is_quiet(), args.details) {
        (true, ..) => document,
        (_, true, _) => scored::verdict(found) + "\n",
        (.., true) => render(forecast, found),
        _ => scored::answer(forecast, found, &reasons(found)),
    }
}

/// The runs that came; their losses are counted as those that were forecast.
fn records(args: &VerifyArgs, forecast: &Forecast) -> Result<Vec<RunRecord>, Failure> {
    let mut all = Vec::new();
    for path in &args.results {
        let folders = Folders { results: PathBuf::from("results"), plots: None };
        let source = SourceArgs::of_path(path, args.rows.clone(), &folders).read()?;
        let unit = forecast.law.loss_unit;
        if source.loss_unit != unit {
            return Err(Failure::Input(anyhow!(
                "{}: its losses are in {}, those of {} in {unit}; name a column of losses in {unit} with --columns loss=NAME",
                path.display(),
                source.loss_unit,
                args.forecast.display()
            )));
        }
        all.extend(source.records);
    }
    Ok(all)
}

/// How many runs each reason passed over.
fn reasons(verification: &Verification) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::new();
    for (_, reason) in &verification.passed_over {
        *counts.entry(reason.as_str()).or_insert(0usize) += 1;
    }
    counts.iter().map(|(reason, count)| format!("{count} runs: {reason}")).collect()
}

fn render(forecast: &Forecast, found: &Verification) -> String {
    let mut text = format!("forecast of {} made {}; checksum verified\n", forecast.source, forecast.made_at);
    let unit = forecast.law.loss_unit;
    let error = format!("error, {}", unit.short());
    let header = ["run", "C, FLOPs", "D", "rate", "batch", "forecast", "95 % of one run", unit.heading(), &error, "compute-equivalent"];
    text += &table(&header, &found.runs.iter().map(run_row).collect::<Vec<_>>());
    let early = found.runs.iter().filter(|run| run.after_forecast == Some(false)).count();
    if early > 0 {
        text += &format!("  warning: {early} of these runs began before the forecast was made: they prove nothing\n");
    }
    if found.laws[0].below_floor > 0 {
        text += &format!(
            "  {} of these runs lie below the lowest loss that {} predicts at any compute: no compute-equivalent error\n",
            found.laws[0].below_floor, forecast.law.name
        );
    }
    let levels: Vec<String> = found.laws[0].coverage.iter().map(|one| format!("inside {:.0} %", 100.0 * one.level)).collect();
    let header = [
        &["law", &format!("mean {error}"), "rms", "compute-equivalent", "interval score, %", "rms on its own larger runs"],
        &levels.iter().map(String::as_str).collect::<Vec<_>>()[..],
    ];
    text += "\n";
    text += &table(&header.concat(), &found.laws.iter().map(law_row).collect::<Vec<_>>());
    found.budgets.iter().for_each(|budget| text += &budget_text(budget));
    reasons(found).iter().for_each(|reason| text += &format!("  passed over: {reason}\n"));
    text
}

fn law_row(law: &ScoredLaw) -> Vec<String> {
    let own = law.own_rms_nats.map_or("—".into(), |rms| format!("{rms:.4}"));
    let with = match (law.compute_equivalent, law.below_floor) {
        (Some(part), _) => as_compute(part),
        (None, 0) => "—".into(),
        (None, below) => format!("{below} below all"),
    };
    let score = law.interval_score_percent.map_or("—".into(), |score| format!("{score:.2}"));
    let mut row = vec![law.name.clone(), format!("{:+.4}", law.bias_nats), format!("{:.4}", law.rms_nats), with, score, own];
    row.extend(law.coverage.iter().map(|one: &Held| format!("{} of {}", one.held, one.of)));
    row
}

fn run_row(run: &ScoredRun) -> Vec<String> {
    let widest = run.forecast.intervals.last();
    let end = |value: Option<f64>| value.map_or("unbounded".into(), number);
    vec![
        format!("{} ({})", run.shape, run.role),
        format!("{} ({}x)", Flops(run.compute), short(run.extrapolation_factor)),
        short(run.tokens),
        run.learning_rate.map_or("—".into(), rate_text),
        run.batch_tokens.map_or("—".into(), short),
        number(run.forecast.value),
        widest.map_or(String::new(), |band| format!("[{}, {}]", end(band.low), end(band.high))),
        number(run.loss_nats),
        format!("{:+.4}", run.error_nats),
        match (run.compute_equivalent, run.off_the_law) {
            (Some(part), _) => as_compute(part),
            (None, Some(OffTheLaw::BelowFloor)) => "below all".into(),
            (None, Some(OffTheLaw::AboveAll)) => "above all".into(),
            (None, None) => "—".into(),
        },
    ]
}

/// What was forecast of the optimum, by law and by parabolas, beside what came.
fn budget_rows(budget: &ScoredBudget) -> String {
    let widest = |one: &Predicted, show: fn(f64) -> String| {
        let end = |value: Option<f64>| value.map_or("unbounded".into(), show);
        one.intervals.last().map_or(String::new(), |band| format!("[{}, {}]", end(band.low), end(band.high)))
    };
    let row = |name: &str, one: &Predicted, show: fn(f64) -> String, found: Option<f64>| {
        vec![name.to_owned(), show(one.value), widest(one, show), found.map_or("—".into(), show)]
    };
    let found = budget.params_found.as_ref().map(|found| found.value);
    let mut rows = vec![row("loss by the law", &budget.loss, number, Some(budget.loss_found))];
    rows.extend(budget.loss_by_isoflop.as_ref().map(|loss| row("loss by parabolas", loss, number, Some(budget.loss_found))));
    rows.push(row("N* by the law", &budget.params, short, found));
    rows.extend(budget.params_by_isoflop.as_ref().map(|params| row("N* by parabolas", params, short, found)));
    table(&["optimum", "forecast", "95 %", "found"], &rows)
}

fn budget_text(budget: &ScoredBudget) -> String {
    let mut text = format!("\nC = {}\n", Flops(budget.compute));
    text += &budget_rows(budget);
    text += &match &budget.params_found {
        Some(found) => format!("  a parabola through what was trained has its minimum at N = {} {}\n", short(found.value), counts(found)),
        None => "  what was trained has no minimum in N\n".to_owned(),
    };
    if let Some(regret) = budget.regret {
        text += &format!("  the network nearest to the forecast lost {:.2} % of loss against the best that was trained\n", 100.0 * regret);
    }
    if let Some(recipe) = &budget.recipe {
        let at = |[rate, batch]: [f64; 2]| format!("{} and {}", rate_text(rate), short(batch));
        text += &format!(
            "  learning rate and batch nearest to the forecast ({}): {:.2} % above the best of {} ({}); noise {:.2} %: {}\n",
            at(recipe.nearest),
            100.0 * recipe.excess,
            recipe.tried,
            at(recipe.best),
            100.0 * recipe.noise,
            recipe.verdict()
        );
    }
    text
}
