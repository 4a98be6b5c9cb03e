//! `scalelab forecast`: what the law says of runs that are not trained yet, written down before they are.

use super::analysis::{Asked, asked_study, of_source};
use super::failure::{Failure, OrWork, Outcome};
use super::recommend::why_not;
use super::source::{Source, SourceArgs};
use super::text::{number, rate_text, table};
use crate::fit::RecipeStudy;
use crate::recommend::{self, BudgetForecast, Code, Forecast, LEVELS, OtherLaw, Predicted, Record, Request, RunForecast};
use crate::results::write_whole;
use crate::spec::{Flops, parse_layers_by_width, short};
use crate::study::{Curves, StudyOptions, prepare};
use anyhow::{Context, anyhow};
use clap::Args;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::SystemTime;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab forecast results/grid\n  scalelab forecast results/study --compute 4.8e13,1.6e14 --recipe-from results/study-pilot\n  scalelab forecast results/study --compute 4.8e13 --shapes 3x96,4x128,5x160\n\nThe loss is that of the held-out windows of the runs: train what is forecast with the same corpus and windows, then\nscalelab verify results/study/forecast.json results/study-forecast"
)]
pub(super) struct ForecastArgs {
    #[command(flatten)]
    asked: Asked,
    /// Networks to forecast at each budget, layers x width [default: the nearest to N*/2, N* and 2 N*]
    #[arg(long, value_name = "LxD,…", value_delimiter = ',', value_parser = parse_layers_by_width)]
    shapes: Vec<(usize, usize)>,
    /// Take learning rate and batch from the runs of these sweeps together
    #[arg(long, value_name = "DIR,…", value_delimiter = ',')]
    recipe_from: Vec<PathBuf>,
    /// File to write [default: forecast.json in the results folder; a table of others writes none]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ForecastArgs) -> Outcome {
    if !LEVELS.contains(&args.asked.choices.level()) {
        return Err(Failure::Input(anyhow!("a forecast has intervals of 50, 80 and 95 %; leave --level out")));
    }
    let source = args.asked.source.read()?;
    let file = args.out.clone().or(source.folder.as_ref().map(|folder| folder.path.join("forecast.json")));
    if let Some(file) = file.as_ref().filter(|file| file.exists() && !args.asked.json) {
        return Err(Failure::Input(anyhow!(
            "{} is there already, and a forecast is not changed after it was made; write another with --out FILE",
            file.display()
        )));
    }
    let forecast = forecast(args, &source)?;
    let text = forecast.to_text().or_work()?;
    if args.asked.json {
        print!("{text}");
        return Ok(());
    }
    print!("{}", told(&forecast));
    if let Some(file) = &file {
        let seal = Forecast::from_text(&text).or_work()?.sha256;
        write_whole(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display())).or_work()?;
        println!("\nforecast: {} (SHA-256 {})", file.display(), &seal[..16]);
    }
    Ok(())
}

fn forecast(args: &ForecastArgs, source: &Source) -> Result<Forecast, Failure> {
    let study = asked_study(source, &args.asked, |_| ())?;
    let hyperparameters = if args.recipe_from.is_empty() { None } else { Some(hyperparameters_of(args)?) };
    let request = Request {
        budgets: &args.asked.compute,
        shapes: &args.shapes,
        hyperparameters: hyperparameters.as_ref(),
        made_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        source: source.path.display().to_string(),
        recipe_sources: args.recipe_from.iter().map(|path| path.display().to_string()).collect(),
        code: Code { version: env!("CARGO_PKG_VERSION").to_owned(), program_sha256: program_sha256()? },
    };
    recommend::forecast(&study, request).ok_or_else(|| {
        let path = source.path.display();
        Failure::Input(anyhow!("{path}: nothing can be forecast: {}", why_not(&study)))
    })
}

/// What other sweeps say of learning rate and batch, their runs taken together.
fn hyperparameters_of(args: &ForecastArgs) -> Result<RecipeStudy, Failure> {
    let read = |path: &PathBuf| {
        SourceArgs { path: Some(path.clone()), filters: Vec::new(), columns: Vec::new(), ..args.asked.source.clone() }.read()
    };
    let mut all = args.recipe_from.iter().map(read).collect::<Result<Vec<Source>, Failure>>()?.into_iter();
    let mut first = all.next().expect("asked for where there is one");
    all.for_each(|other| first.records.extend(other.records));
    let options = StudyOptions { checkpoints: None, ..args.asked.choices.options(&first) };
    let prepared = prepare(&first.records, &Curves::default(), &options);
    prepared.map_err(|error| of_source(&first, error))?.hyperparameters.ok_or_else(|| {
        Failure::Input(anyhow!("the runs of --recipe-from tell nothing of learning rate and batch: no cell has three of either"))
    })
}

/// SHA-256 of the program that runs.
fn program_sha256() -> Result<String, Failure> {
    let path = std::env::current_exe().or_work()?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display())).or_work()?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

/// A forecast for a person.
fn told(forecast: &Forecast) -> String {
    let law = &forecast.law;
    let mut text = format!(
        "forecast of {} by {} of {} runs (N counted as {}, C as {})\n",
        forecast.source, law.name, forecast.points, law.size_measure, law.flop_rule
    );
    for budget in &forecast.budgets {
        text += &format!("\nC = {}, {:.3}x the largest run\n", Flops(budget.compute), budget.extrapolation_factor);
        text += &table(&["", "forecast", "50 %", "80 %", "95 %"], &budget_rows(budget));
        if !budget.runs.is_empty() {
            text += &table(&["network", "N", "D", "loss, nats", "one run, 50 %", "80 %", "95 %"], &run_rows(budget));
        }
    }
    text += &laws_text(forecast);
    if forecast.budgets.iter().all(|budget| budget.runs.is_empty()) {
        text += "  the runs name no shapes, so no network is forecast and `scalelab verify` has nothing to score\n";
    }
    text += &format!("  noise of one run: {:.2} % of the loss ({})\n", 100.0 * forecast.run_noise, forecast.noise_source);
    if !forecast.recipe_sources.is_empty() {
        text += &format!("  learning rate and batch: by {}\n", forecast.recipe_sources.join(", "));
    }
    text
}

/// What each law says of the networks, and how it forecast the larger of its own runs from the smaller.
fn laws_text(forecast: &Forecast) -> String {
    let networks = || forecast.budgets.iter().flat_map(|budget| budget.runs.iter().map(move |run| (budget, run)));
    let mut header = vec!["law".to_owned(), "its own larger runs".to_owned()];
    header.extend(networks().map(|(budget, run)| format!("{} at {}", run.shape, Flops(budget.compute))));
    let row = |name: &str, record: Option<&Record>, losses: Vec<f64>| {
        let told = |one: &Record| format!("{:+.4} at {:.2}x", one.bias_nats, one.distance);
        let mut row = vec![name.to_owned(), record.map_or("—".into(), told)];
        row.extend(losses.into_iter().map(number));
        row
    };
    let own = networks().map(|(_, run)| run.loss.value).collect();
    let mut rows = vec![row(&forecast.law.name, forecast.record.as_ref(), own)];
    let other = |law: &OtherLaw| row(&law.name, law.record.as_ref(), law.losses.iter().flatten().map(|one| one.value).collect());
    rows.extend(forecast.others.iter().map(other));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    format!("\nforecast losses by law, nats, and its mean error when fitted to the smaller runs alone\n{}", table(&header, &rows))
}

fn budget_rows(budget: &BudgetForecast) -> Vec<Vec<String>> {
    let row = |name: &str, one: &Predicted, show: fn(f64) -> String| {
        let mut row = vec![name.to_owned(), show(one.value)];
        row.extend(bands(one, show));
        row
    };
    let mut rows = vec![row("N*", &budget.params, short), row("D*", &budget.tokens, short), row("loss, nats", &budget.loss, number)];
    rows.push(row("loss of one run", &budget.loss_of_a_run, number));
    rows.extend(budget.learning_rate.as_ref().map(|rate| row("learning rate", rate, rate_text)));
    rows.extend(budget.batch_tokens.as_ref().map(|batch| row("batch, tokens", batch, short)));
    if let Some([params, tokens, loss]) = &budget.isoflop {
        rows.extend([row("N* by parabolas", params, short), row("D* by parabolas", tokens, short)]);
        rows.push(row("loss by parabolas", loss, number));
    }
    rows
}

fn run_rows(budget: &BudgetForecast) -> Vec<Vec<String>> {
    let row = |run: &RunForecast| {
        let mut row = vec![format!("{} ({})", run.shape, run.role), short(run.params), short(run.tokens), number(run.loss.value)];
        row.extend(bands(&run.loss_of_a_run, number));
        row
    };
    budget.runs.iter().map(row).collect()
}

/// Intervals of every level.
fn bands(one: &Predicted, show: fn(f64) -> String) -> Vec<String> {
    let end = |value: Option<f64>| value.map_or("unbounded".into(), show);
    let mut bands: Vec<String> = one.intervals.iter().map(|band| format!("[{}, {}]", end(band.low), end(band.high))).collect();
    bands.resize(LEVELS.len(), "—".to_owned());
    bands
}
