//! `scalelab forecast`: what the law says of runs that are not trained yet, written down before they are.

use super::analysis::{Analysis, Asked, analyse, seen};
use super::failure::{Failure, OrWork, Outcome};
use super::recommend::advise;
use super::source::{Source, SourceArgs};
use super::text::{number, rate_text, table};
use crate::fit::{Estimate, FitOptions, Fittable, FittedLaw, IsoflopFit, RecipeStudy, Search, Target, decide, fit, rolling_origin};
use crate::law::{Chinchilla, Gamma, Kaplan, PowerLaw};
use crate::recommend::{
    Allocation, BudgetForecast, Code, Forecast, ForecastLaw, LEVELS, Network, OtherLaw, Predicted, Range, Record, RunForecast,
    network_losses, networks, run_noise,
};
use crate::results::write_whole;
use crate::spec::{Flops, parse_layers_by_width, short};
use anyhow::{Context, anyhow};
use clap::Args;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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
    let levels: Vec<(Analysis, Vec<Allocation>)> = LEVELS.iter().map(|&level| at_level(args, source, level)).collect::<Result<_, _>>()?;
    let [analysis, widest] = [&levels[0].0, &levels[LEVELS.len() - 1].0];
    let fitted = law(analysis, source)?;
    let of_allocation = |allocation: &Allocation| networks(fitted, &analysis.evidence, &analysis.records, allocation, &args.shapes);
    let networks: Vec<Vec<Network>> = levels[0].1.iter().map(of_allocation).collect();
    let budgets = networks.iter().enumerate().filter_map(|(at, found)| of_budget(&levels, at, found)).collect();
    let coefficients = coefficients(fitted);
    let loss = levels[0].1.first().map_or(f64::NAN, |one| one.loss.value);
    let (run_noise, noise_source) = run_noise(fitted, &analysis.records, loss);
    Ok(Forecast {
        made_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        source: source.path.display().to_string(),
        recipe_sources: args.recipe_from.iter().map(|path| path.display().to_string()).collect(),
        code: Code { version: env!("CARGO_PKG_VERSION").to_owned(), program_sha256: program_sha256()? },
        data_sha256: fitted.data_sha256.clone(),
        law: ForecastLaw {
            name: fitted.name.clone(),
            estimator: fitted.estimator.to_string(),
            sha256: ForecastLaw::hash_of(&coefficients),
            coefficients,
            size_measure: fitted.size_measure,
            flop_rule: fitted.flop_rule,
        },
        points: fitted.points,
        evidence: Range::of(&widest.evidence.points),
        run_noise,
        noise_source,
        record: record(&fitted.law, analysis, &args.asked.choices.options(source)?),
        others: vec![
            other(&Gamma::default(), args, source, &levels, &networks)?,
            other(&Kaplan::default(), args, source, &levels, &networks)?,
        ]
        .into_iter()
        .flatten()
        .collect(),
        budgets,
        sha256: String::new(),
    })
}

/// How a law fitted to the runs up to half the largest compute forecasts the others.
fn record<L: Fittable>(form: &L, analysis: &Analysis, options: &FitOptions) -> Option<Record> {
    let largest = analysis.evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    let options = FitOptions { search: Search::VarproOnly, ..*options };
    // Budgets are met to within a step: a little above half is half.
    let found = rolling_origin(form, &analysis.evidence, &options, &[0.51 * largest]);
    let one = found.first()?;
    Some(Record { distance: one.distance, runs: one.runs[1], bias_nats: one.bias_nats, rms_nats: one.rms_nats })
}

/// Another law on the same runs, networks and levels; absent where it cannot be fitted.
fn other<L: Fittable>(
    form: &L,
    args: &ForecastArgs,
    source: &Source,
    levels: &[(Analysis, Vec<Allocation>)],
    networks: &[Vec<Network>],
) -> Result<Option<OtherLaw>, Failure> {
    let mut fits = Vec::new();
    for (level, (analysis, _)) in LEVELS.iter().zip(levels) {
        let options = FitOptions { search: Search::VarproOnly, ..args.asked.choices.at_level(*level).options(source)? };
        let Ok(fitted) = fit(form, &analysis.evidence, &options) else { return Ok(None) };
        fits.push((analysis, fitted));
    }
    let (first, fitted) = &fits[0];
    let of_budget = |found: &Vec<Network>| {
        let by_level: Vec<Vec<[Estimate; 2]>> =
            fits.iter().map(|(analysis, fitted)| network_losses(fitted, &analysis.evidence, &analysis.records, found)).collect();
        (0..found.len()).filter_map(|at| Predicted::of(&by_level.iter().map(|level| level[at][1]).collect::<Vec<_>>())).collect()
    };
    Ok(Some(OtherLaw {
        name: fitted.name.clone(),
        coefficients: coefficients(fitted),
        record: record(form, first, &args.asked.choices.options(source)?),
        losses: networks.iter().map(of_budget).collect(),
    }))
}

/// Coefficients by name.
fn coefficients<L: Fittable>(fitted: &FittedLaw<L>) -> BTreeMap<String, f64> {
    fitted.coefficients.iter().map(|(name, one)| (name.to_owned(), one.value)).collect()
}

/// The analysis and the allocations with intervals of one level. The windows that losses are measured on are those of the runs
/// to come, so their noise is no error of the forecast.
fn at_level(args: &ForecastArgs, source: &Source, level: f64) -> Result<(Analysis, Vec<Allocation>), Failure> {
    let choices = args.asked.choices.at_level(level);
    let mut analysis = analyse(source, &choices, &[])?.with_a_law()?;
    if let Some(fitted) = &mut analysis.chinchilla {
        fitted.windows.clear();
    }
    if !args.recipe_from.is_empty() {
        analysis.study = Some(study_of(args, level)?);
    }
    let largest = analysis.evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    let default = [Flops(3.0 * largest), Flops(10.0 * largest)];
    let budgets = if args.asked.compute.is_empty() { &default[..] } else { &args.asked.compute };
    let allocations = advise(&analysis, budgets)?;
    Ok((analysis, allocations))
}

/// What other sweeps say of learning rate and batch, their runs taken together.
fn study_of(args: &ForecastArgs, level: f64) -> Result<RecipeStudy, Failure> {
    let read = |path: &PathBuf| {
        SourceArgs { path: Some(path.clone()), filters: Vec::new(), columns: Vec::new(), ..args.asked.source.clone() }.read()
    };
    let mut all = args.recipe_from.iter().map(read).collect::<Result<Vec<Source>, Failure>>()?.into_iter();
    let mut first = all.next().expect("asked for where there is one");
    all.for_each(|other| first.records.extend(other.records));
    seen(&first, &args.asked.choices.at_level(level))?.study.ok_or_else(|| {
        Failure::Input(anyhow!("the runs of --recipe-from tell nothing of learning rate and batch: no cell has three of either"))
    })
}

fn law<'a>(analysis: &'a Analysis, source: &Source) -> Result<&'a FittedLaw<Chinchilla>, Failure> {
    let usable = analysis.chinchilla.as_ref().filter(|fitted| fitted.law.has_optimum());
    usable.ok_or_else(|| {
        let why = analysis.notes.join("; ");
        Failure::Input(anyhow!("{}: no law of N and D can be fitted, so nothing can be forecast: {why}", source.path.display()))
    })
}

/// One budget from the analyses at every level.
fn of_budget(levels: &[(Analysis, Vec<Allocation>)], at: usize, found: &[Network]) -> Option<BudgetForecast> {
    let allocations: Vec<Allocation> = levels.iter().map(|(_, allocations)| allocations[at].clone()).collect();
    let losses: Vec<Vec<[Estimate; 2]>> = levels
        .iter()
        .map(|(analysis, _)| Some(network_losses(analysis.chinchilla.as_ref()?, &analysis.evidence, &analysis.records, found)))
        .collect::<Option<_>>()?;
    let run = |(number, network): (usize, &Network)| {
        let of = |which: usize| Predicted::of(&losses.iter().map(|level| level[number][which]).collect::<Vec<_>>());
        Some(RunForecast {
            role: network.role.clone(),
            shape: network.shape.to_string(),
            params: network.params,
            tokens: network.tokens,
            loss: of(0)?,
            loss_of_a_run: of(1)?,
        })
    };
    let runs = found.iter().enumerate().filter_map(run).collect();
    BudgetForecast::of(&allocations, by_isoflop(levels, allocations[0].compute), runs)
}

/// N*, D* and L* by parabolas at every level.
fn by_isoflop(levels: &[(Analysis, Vec<Allocation>)], compute: f64) -> Option<[Predicted; 3]> {
    let fits: Vec<&IsoflopFit> = levels.iter().map(|(analysis, _)| analysis.isoflop.as_ref()).collect::<Option<_>>()?;
    let loss = |fit: &IsoflopFit| {
        let law = fit.loss_of_compute(fit.params.exponent.level).ok()?;
        let target = Target { name: "loss".into(), of: Box::new(move |law: &PowerLaw| law.at(compute)) };
        decide(&law, &fit.bottoms(), &[target]).first().copied()
    };
    let losses: Vec<Estimate> = fits.iter().map(|fit| loss(fit)).collect::<Option<_>>()?;
    let of = |pick: &dyn Fn(&IsoflopFit) -> Estimate| Predicted::of(&fits.iter().map(|fit| pick(fit)).collect::<Vec<_>>());
    Some([of(&|fit| fit.params.at(compute))?, of(&|fit| fit.tokens.at(compute))?, Predicted::of(&losses)?])
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
