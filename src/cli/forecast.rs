//! `scalelab forecast`: what the law says of runs that are not trained yet, written down before they are.

use super::abilities;
use super::analysis::{Asked, asked_study, of_source};
use super::failure::{Failure, OrWork, Outcome};
use super::next_grid::write_grids;
use super::program;
use super::source::{RowArgs, Source, SourceArgs};
use super::summary::why_not;
use super::text::{known_between, number, rate_text, table};
use super::voice::is_quiet;
use crate::fit::{RecipeStudy, repeats};
use crate::law::{ComputeCount, Point, points, tuned};
use crate::recommend::{
    self, BudgetForecast, Code, Ends, Forecast, LEVELS, OtherLaw, Predicted, Record, Request, RunAhead, RunAsked, RunForecast,
};
use crate::results::write_whole;
use crate::spec::{Flops, LossUnit, RunRecord, parse_layers_by_width, parse_quantity, short};
use crate::study::{Curves, Study, StudyOptions, prepare};
use anyhow::{Context, anyhow};
use clap::Args;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::SystemTime;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab forecast results/grid\n  scalelab forecast results/study --compute 4.8e13 --shapes 3x96,4x128,5x160\n  scalelab forecast runs.csv --at 7e9,1.4e11 --at 1.3e10,2.6e11\n  scalelab forecast runs.csv --task hellaswag --at 7e9,4e12\n  scalelab forecast runs.csv --max-compute 1e21",
    after_long_help = "Examples:\n  scalelab forecast results/grid\n  scalelab forecast results/study --recipe-from results/study-pilot\n  scalelab forecast results/study --compute 4.8e13 --shapes 3x96,4x128,5x160\n  scalelab forecast runs.csv --at 7e9,1.4e11 --at 1.3e10,2.6e11\n  scalelab forecast runs.csv --runs held-out.csv\n  scalelab forecast runs.csv --max-compute 1e21\n  scalelab forecast results/grid --compute 3.2e13 --grid sweeps/grid-10x.toml\n\nThe loss is that of the held-out windows of the runs: train what is forecast with the same corpus and windows, then\n  scalelab verify results/study/forecast.json results/study-3x"
)]
pub(super) struct ForecastArgs {
    /// Networks to forecast at each budget, layers x width
    ///
    /// [default: the nearest to N*/2, N* and 2 N*]
    #[arg(long, value_name = "LxD,…", value_delimiter = ',', value_parser = parse_layers_by_width)]
    shapes: Vec<(usize, usize)>,
    /// Forecast a run of N parameters on D tokens
    ///
    /// May be given several times.
    #[arg(long, value_name = "N,D", value_parser = parse_place)]
    at: Vec<(f64, f64)>,
    /// Forecast scores on a task, or on all
    ///
    /// Of a table with columns such as hellaswag_bpb (bits per byte of the right answers) and hellaswag_accuracy: the accuracy by both and
    /// by compute. May be given several times.
    #[arg(long, value_name = "NAME|all", requires = "at", conflicts_with_all = ["runs", "grid", "recipe_from", "shapes", "compute", "max_compute"])]
    task: Vec<String>,
    /// Share of right answers by guessing [default: known of known tasks]
    #[arg(long, value_name = "SHARE", requires = "task", hide_short_help = true)]
    chance: Option<f64>,
    /// Forecast every run of this table or folder
    ///
    /// And say what came of it.
    #[arg(long, value_name = "FILE", conflicts_with = "max_compute")]
    runs: Option<PathBuf>,
    /// Take learning rate and batch from these sweeps
    ///
    /// From the runs of all of them together.
    #[arg(long, value_name = "DIR,…", value_delimiter = ',')]
    recipe_from: Vec<PathBuf>,
    /// Write the sweep that would test it as a grid, too
    ///
    /// Of several budgets FILE-1, FILE-2 and so on.
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
    /// Grid of the runs, whose corpus, context and recipe that takes over [default: sweeps/<sweep>.toml]
    #[arg(long, hide_short_help = true, value_name = "FILE", requires = "grid")]
    like: Option<PathBuf>,
    /// File to write [default: forecast.json]
    ///
    /// In the results folder; of a table of others none is written.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn run(args: &ForecastArgs) -> Outcome {
    if !args.task.is_empty() {
        let code = Code { version: env!("CARGO_PKG_VERSION").to_owned(), program_sha256: program_sha256()? };
        let asked = abilities::AskedTasks { names: &args.task, chance: args.chance, places: &args.at, out: args.out.as_deref(), code };
        return abilities::run(&asked, &args.asked);
    }
    if !LEVELS.contains(&args.asked.choices.level()) {
        return Err(Failure::Input(anyhow!("a forecast has intervals of 50, 80 and 95 %; leave --level out")));
    }
    let source = args.asked.source.read()?;
    // A forecast of single runs takes the place of none of the sweep's next budgets.
    let whole = args.at.is_empty() && args.runs.is_none() && args.asked.choices.max_compute().is_none();
    let folder = source.folder.as_ref().filter(|_| whole);
    let file = args.out.clone().or(folder.map(|folder| folder.path.join("forecast.json")));
    if let Some(file) = file.as_ref().filter(|file| file.exists() && !args.asked.json) {
        return Err(Failure::Input(anyhow!(
            "{} is there already, and a forecast is not changed after it was made; write another with --out FILE",
            file.display()
        )));
    }
    if !args.shapes.is_empty() && !whole && args.asked.compute.is_empty() {
        return Err(Failure::Input(anyhow!(
            "--shapes are the networks of a budget, and none is asked for beside --at, --runs or --max-compute: add --compute C, or leave --shapes out"
        )));
    }
    let forecast = forecast(args, &source)?;
    let text = forecast.to_text().or_work()?;
    if args.asked.json {
        print!("{text}");
        return Ok(());
    }
    let say = |text: String| {
        if !is_quiet() {
            print!("{text}")
        }
    };
    if is_quiet() {
        println!("{}", line(&forecast));
    }
    say(render(&forecast));
    if let Some(out) = &args.grid {
        let like = args.like.clone().unwrap_or_else(|| PathBuf::from(format!("sweeps/{}.toml", source.name)));
        let files = write_grids(&forecast, out, &like)?;
        files.iter().for_each(|file| say(format!("\ngrid: {}; train it with scalelab sweep {}\n", file.display(), file.display())));
    }
    if let Some(file) = &file {
        let seal = Forecast::from_text(&text).or_work()?.sha256;
        write_whole(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display())).or_work()?;
        say(format!("\nforecast: {} (SHA-256 {})\n", file.display(), &seal[..16]));
    }
    Ok(())
}

fn forecast(args: &ForecastArgs, source: &Source) -> Result<Forecast, Failure> {
    let (seen, hidden) = args.asked.choices.seen(source.clone())?;
    let study = asked_study(&seen, &args.asked, |_| ())?;
    let runs = asked_runs(args, &study, hidden)?;
    let hyperparameters = if args.recipe_from.is_empty() { None } else { Some(hyperparameters_of(args)?) };
    let request = Request {
        budgets: &args.asked.compute,
        shapes: &args.shapes,
        runs: &runs,
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

/// The runs that were asked for by place, by table, or by being hidden.
fn asked_runs(args: &ForecastArgs, study: &Study, hidden: Vec<RunRecord>) -> Result<Vec<RunAsked>, Failure> {
    let (measure, rule) = study.options.conventions();
    let count = ComputeCount::of(&study.evidence.points);
    let mut asked: Vec<RunAsked> = Vec::new();
    for &(n, d) in &args.at {
        asked.push(RunAsked { name: None, place: Point { c: count.compute(n, d), ..Point::new(n, d, 1.0) }, found: None });
    }
    let held = match &args.runs {
        Some(path) => {
            let rows = RowArgs { filters: Vec::new(), ..args.asked.source.rows.clone() };
            SourceArgs::of_path(path, rows, &args.asked.source.folders).read()?.records
        }
        None => hidden,
    };
    // As the runs of the study are taken: each cell's best recipe, and data seen once.
    let (held, refused) = points(&tuned(held).records, measure, rule);
    let known: HashSet<[u64; 3]> = study.evidence.points.iter().map(identity).collect();
    let is_known = |point: &Point| known.contains(&identity(point)) || (study.options.own && repeats(point));
    let (seen, held): (Vec<Point>, Vec<Point>) = held.into_iter().partition(is_known);
    if let (Some(path), true, Some(first)) = (&args.runs, held.is_empty(), refused.first()) {
        return Err(Failure::Input(anyhow!("{}: none of its runs can be forecast: {}", path.display(), first.reason)));
    }
    if let (Some(path), true, false) = (&args.runs, held.is_empty(), seen.is_empty()) {
        let path = path.display();
        return Err(Failure::Input(anyhow!("{path}: its runs are those that the laws are fitted to, or repeat their data; name others")));
    }
    if let (Some(most), true) = (args.asked.choices.max_compute(), held.is_empty()) {
        return Err(Failure::Input(anyhow!(
            "no run has more compute than --max-compute {most}; the largest has {}",
            Flops(study.evidence.largest_compute())
        )));
    }
    asked.extend(held.into_iter().map(|place| RunAsked { name: Some(place.run.clone()), found: Some(place.loss), place }));
    Ok(asked)
}

/// What tells a run from others in any table.
fn identity(point: &Point) -> [u64; 3] {
    [point.n, point.d, point.loss].map(f64::to_bits)
}

/// `N,D` as two quantities.
fn parse_place(text: &str) -> Result<(f64, f64), String> {
    let (n, d) = text.split_once(',').ok_or("give parameters and tokens as N,D, such as 7e9,1.4e11")?;
    let one = |text: &str, what: &str| match parse_quantity(text.trim()) {
        Ok(value) if value > 0.0 => Ok(value),
        Ok(value) => Err(format!("{what} are {value}; they must be above 0")),
        Err(error) => Err(format!("{what}: {error}")),
    };
    Ok((one(n, "parameters")?, one(d, "tokens")?))
}

/// What other sweeps say of learning rate and batch, their runs taken together.
fn hyperparameters_of(args: &ForecastArgs) -> Result<RecipeStudy, Failure> {
    let read = |path: &PathBuf| SourceArgs::of_path(path, RowArgs::default(), &args.asked.source.folders).read();
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
    let path = program::file().or_work()?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display())).or_work()?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

/// What is forecast of each budget, or of each run where none was asked for, a line for all of them.
fn line(forecast: &Forecast) -> String {
    let ends = |low: Option<f64>, high: Option<f64>| [low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)];
    let of_budget = |budget: &BudgetForecast| {
        let said = &budget.loss_of_a_run;
        let loss = said.intervals.last().map(|band| known_between(said.value, ends(band.low, band.high), band.level).to_string());
        let loss = loss.unwrap_or_else(|| number(said.value));
        let [size, tokens] = [&budget.params, &budget.tokens].map(|one| short(one.value));
        format!("{} FLOPs: N {size}, D {tokens}, loss of one run {loss}", Flops(budget.compute))
    };
    let of_run = |run: &RunAhead| {
        let said = &run.one_run;
        let loss = known_between(said.value, ends(said.low, said.high), said.level);
        format!("N {}, D {}: loss of one run {loss}", short(run.params), short(run.tokens))
    };
    let all: Vec<String> = match forecast.budgets.as_slice() {
        [] => forecast.runs.iter().map(of_run).collect(),
        budgets => budgets.iter().map(of_budget).collect(),
    };
    all.join("; ")
}

/// A forecast for a person.
fn render(forecast: &Forecast) -> String {
    let law = &forecast.law;
    let by = if forecast.mixture.is_some() { "several laws together" } else { &law.name };
    let mut text = format!(
        "forecast of {} by {} of {} runs (N counted as {}, C as {})\n",
        forecast.source,
        by,
        forecast.points,
        law.size_measure.words(),
        law.flop_rule.words()
    );
    for budget in &forecast.budgets {
        text += &format!("\nC = {}, {}x the largest run\n", Flops(budget.compute), short(budget.extrapolation_factor));
        text += &table(&["", "forecast", "50 %", "80 %", "95 %"], &budget_rows(budget, law.loss_unit));
        if !budget.runs.is_empty() {
            text += &table(&["network", "N", "D", law.loss_unit.heading(), "one run, 50 %", "80 %", "95 %"], &run_rows(budget));
        }
    }
    text += &asked_text(forecast);
    if let Some(mixture) = &forecast.mixture {
        let optima = mixture.optima_told.as_ref().filter(|_| !forecast.budgets.is_empty());
        text += &optima.map_or_else(String::new, |optima| format!("\nN* by {optima}"));
        text += &format!("\nlosses by {}\n", mixture.told);
        mixture.cautions.iter().for_each(|caution| text += &format!("  {caution}\n"));
    }
    forecast.warnings.iter().for_each(|warning| text += &format!("\n  {warning}\n"));
    if !forecast.others.is_empty() {
        text += &laws_text(forecast);
    }
    if !forecast.budgets.is_empty() && forecast.budgets.iter().all(|budget| budget.runs.is_empty()) {
        text += "  the runs name no shapes, so no network is forecast and `scalelab verify` has nothing to score\n";
    }
    text += &format!("  noise of one run: {:.2} % of the loss ({})\n", 100.0 * forecast.run_noise, forecast.noise_source);
    if !forecast.recipe_sources.is_empty() {
        text += &format!("  learning rate and batch: by {}\n", forecast.recipe_sources.join(", "));
    }
    text
}

/// The runs that were asked for, and how many of those that are known came as was said.
fn asked_text(forecast: &Forecast) -> String {
    let of_budgets: usize = forecast.budgets.iter().map(|budget| budget.runs.len().max(1)).sum();
    let asked = &forecast.runs[..forecast.runs.len().saturating_sub(of_budgets)];
    if asked.is_empty() {
        return String::new();
    }
    let end = |value: Option<f64>| value.map_or("unbounded".into(), number);
    let interval = |one: &Ends| format!("[{}, {}]", end(one.low), end(one.high));
    let row = |run: &RunAhead| {
        let came = run
            .found
            .map_or_else(Vec::new, |found| vec![number(found), if run.one_run.holds(found) { "inside" } else { "OUTSIDE" }.to_owned()]);
        let said = vec![short(run.params), short(run.tokens), short(run.extrapolation_factor), number(run.loss.value)];
        [said, vec![interval(&run.loss), interval(&run.one_run)], came].concat()
    };
    let known = asked.iter().any(|run| run.found.is_some());
    let header = ["N", "D", "x largest", forecast.law.loss_unit.heading(), "95 % of the mean", "95 % of one run", "came", ""];
    let header = if known { &header[..] } else { &header[..6] };
    let mut text = format!("\n{}", table(header, &asked.iter().map(row).collect::<Vec<_>>()));
    let found: Vec<bool> = asked.iter().filter_map(|run| Some(run.one_run.holds(run.found?))).collect();
    if !found.is_empty() {
        let held = found.iter().filter(|held| **held).count();
        text += &format!("  {held} of {} runs lie inside their 95 % interval\n", found.len());
    }
    text
}

/// What each law says of the networks, and how it forecast the larger of its own runs from the smaller.
fn laws_text(forecast: &Forecast) -> String {
    let networks = || forecast.budgets.iter().flat_map(|budget| budget.runs.iter().map(move |run| (budget, run)));
    let mut header = vec!["law".to_owned(), "its own larger runs".to_owned()];
    header.extend(networks().map(|(budget, run)| format!("{} at {}", run.shape, Flops(budget.compute))));
    let row = |name: &str, record: Option<&Record>, losses: Vec<f64>| {
        let render = |one: &Record| format!("{:+.4} at {:.2}x", one.bias_nats, one.distance);
        let mut row = vec![name.to_owned(), record.map_or("—".into(), render)];
        row.extend(losses.into_iter().map(number));
        row
    };
    let own = networks().map(|(_, run)| run.loss.value).collect();
    let mut rows = vec![row(forecast.speaks(), forecast.own_record(), own)];
    let other = |law: &OtherLaw| row(&law.name, law.record.as_ref(), law.losses.iter().flatten().map(|one| one.value).collect());
    rows.extend(forecast.others.iter().map(other));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let unit = forecast.law.loss_unit.short();
    format!("\nforecast losses by law, {unit}, and its mean error when fitted to the smaller runs alone\n{}", table(&header, &rows))
}

fn budget_rows(budget: &BudgetForecast, unit: LossUnit) -> Vec<Vec<String>> {
    let row = |name: &str, one: &Predicted, show: fn(f64) -> String| {
        let mut row = vec![name.to_owned(), show(one.value)];
        row.extend(bands(one, show));
        row
    };
    let mut rows = vec![row("N*", &budget.params, short), row("D*", &budget.tokens, short), row(unit.heading(), &budget.loss, number)];
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
