//! `scalelab plan`: the resolved plan, before anything is spent.

use super::devices::{Devices, Found};
use super::failure::{Failure, OrWork, Outcome};
use super::load::{Loaded, load};
use super::outline::{self, distinct, mixed, searched, worker_megabytes};
use super::text::{duration, table, trunk_line};
use super::voice::is_quiet;
use crate::results::write_whole;
use crate::spec::{
    AdamW, FlopRule, Ignoring, ModelShape, OptimizerGroups, ParamCounts, RunRecord, RunSpec, Schedule, SizeMeasure, Tokens, WHOLE, short,
};
use crate::sweep::{PlannedRun, exact_flops, predicted_wall};
use crate::view::{ScheduleCurve, schedules};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Examples:\n  scalelab plan sweeps/grid.toml\n  scalelab plan sweeps/grid.toml --plot schedules.png")]
pub(super) struct PlanArgs {
    /// Grid file, or the name of a sweep
    ///
    /// TOML. The program knows quick, smoke, entropy, grid, english, code and chinese; another NAME is sweeps/NAME.toml.
    grid: PathBuf,
    /// Make a missing corpus first, from a package of it
    #[arg(long)]
    fetch: bool,
    /// Print everything behind the answer
    ///
    /// Every shape under every count of parameters, every cell with its compute under every rule, the whole recipe, what is left out.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    /// List every run instead of one line a cell, with all details
    #[arg(long)]
    all: bool,
    /// Draw the learning-rate schedules of the grid into this PNG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    devices: Devices,
}

/// What a grid would train and cost, for a person and for a program.
pub(super) fn told(args: &PlanArgs) -> Result<(String, serde_json::Value), Failure> {
    let loaded = load(&args.grid, args.fetch, &args.devices.found()?)?;
    Ok((outline::outline(&loaded), as_json(&loaded)))
}

pub(super) fn run(args: &PlanArgs) -> Outcome {
    let devices = args.devices.found()?;
    let loaded = load(&args.grid, args.fetch, &devices)?;
    if let Some(path) = &args.plot {
        let picture = schedules(&schedule_curves(&loaded), &loaded.grid.name).or_work()?;
        write_whole(path, &picture).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
        eprintln!("schedules: {}", path.display());
    }
    if args.json {
        println!("{:#}", as_json(&loaded));
    } else if is_quiet() {
        println!("{}", outline::line(&loaded));
    } else if args.details || args.all {
        print!("{}", as_text(&loaded, args.all));
    } else {
        print!("{}", outline::outline(&loaded));
        print!("\n{}", next(args, &devices));
    }
    Ok(())
}

/// What to do next; commands are not wrapped.
fn next(args: &PlanArgs, devices: &Found) -> String {
    let (grid, on) = (args.grid.display(), devices.flag());
    format!("  next    scalelab sweep {grid}{on}\n          scalelab plan {grid} --details\n")
}

/// Every schedule of the grid, over the longest run that uses it.
fn schedule_curves(loaded: &Loaded) -> Vec<ScheduleCurve> {
    let longest = |schedule: &Schedule| {
        let using = loaded.plan.runs.iter().map(|run| &run.spec).filter(|spec| spec.recipe.schedule == *schedule);
        using.max_by_key(|spec| spec.steps).map(|spec| ScheduleCurve::of(schedule.label(), schedule, spec.steps, spec.warmup_steps()))
    };
    loaded.grid.recipe.schedules.iter().filter_map(longest).collect()
}

fn as_text(loaded: &Loaded, every_run: bool) -> String {
    let Loaded { grid, facts, plan, workers, speed, .. } = loaded;
    let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
    let unique =
        facts.unique_tokens.map_or("without end".to_owned(), |tokens| format!("{} unique tokens to train on", Tokens(tokens as f64)));
    let unique = match (&facts.pairs, facts.parts.is_empty()) {
        (Some(_), _) => outline::unique(loaded),
        (None, true) => unique,
        (None, false) => mixed(loaded),
    };
    let mut text = format!("sweep {}: {} runs on {} ({unique})\n\nshapes\n", grid.name, runs.len(), grid.corpus.name());
    text += &table(&["shape", "heads", "kv", "ffn", "N total", "N non-emb.", "N matmul", "M FLOPs/token"], &shape_rows(&grid.networks()));
    text += "\nruns\n";
    let mut header = vec!["shape", "D", "D/N total", "batch", "steps", "learning rate", "runs", "C 6ND", "C MD", "C exact", "time"];
    let names: Vec<&str> = facts.parts.iter().map(|part| part.name.as_str()).collect();
    let of_parts = format!("% of {}", names.join("/"));
    if !names.is_empty() {
        header.push(&of_parts);
    }
    if runs.iter().any(|run| run.spec.objective.hides()) {
        header.push("objective");
    }
    let mut rows = if every_run { runs.chunks(1).map(cell_row).collect() } else { cells(&runs).map(cell_row).collect::<Vec<_>>() };
    if header.last() == Some(&"objective") {
        let firsts: Vec<&PlannedRun> = if every_run { runs.clone() } else { cells(&runs).map(|cell| cell[0]).collect() };
        rows.iter_mut().zip(firsts).for_each(|(row, run)| row.push(run.spec.objective.to_string()));
    }
    text += &table(&header, &rows);
    text += &recipe(&runs);
    if !plan.left_out.is_empty() {
        text += "\nleft out\n";
        for cell in &plan.left_out {
            text += &format!("  {} at {}: {}\n", cell.shape, cell.budget, cell.reason);
        }
    }
    let windows = plan.eval_windows;
    let context = grid.shapes[0].context as u64;
    let cost = exact_flops(&runs);
    let most = worker_megabytes(loaded);
    text += &format!(
        "\nevaluation: {windows} held-out windows of {context} tokens ({} tokens) at the end of each run\n",
        Tokens((windows * context) as f64)
    );
    text += &trunk_line(&cost);
    text += &search_line(loaded, runs.len());
    let time = duration(predicted_wall(&runs, *workers));
    text += &format!("total: {:.3e} FLOPs (exact), about {time} on {workers} workers ({speed})\n", cost.shared);
    text += &format!(
        "memory: at most {:.0} MB a worker on CPU, {:.0} MB in all, and what of the text stays in the cache\n",
        most,
        most * *workers as f64
    );
    text
}

/// What a search adds to the first round.
fn search_line(loaded: &Loaded, first: usize) -> String {
    let families = loaded.search.1;
    if families == 0 { String::new() } else { format!("adaptive search: {}\n", searched(families, first, loaded.later.len())) }
}

fn shape_rows(shapes: &[ModelShape]) -> Vec<Vec<String>> {
    let row = |shape: &ModelShape| {
        let mut row =
            vec![shape.to_string(), format!("{}x{}", shape.heads, shape.head_width()), shape.kv_heads.to_string(), shape.ffn.to_string()];
        row.extend(SizeMeasure::COUNTED.iter().filter_map(|measure| measure.of(shape)).map(|size| size.to_string()));
        row
    };
    shapes.iter().map(row).collect()
}

/// Runs that follow one another and are of one cell and one batch.
fn cells<'a, 'b>(runs: &'b [&'a PlannedRun]) -> impl Iterator<Item = &'b [&'a PlannedRun]> {
    let any = Ignoring::SEEDS | Ignoring::LEARNING_RATE | Ignoring::SCHEDULE | Ignoring::OPTIMIZER;
    let key = move |run: &PlannedRun| (RunRecord::planned(&run.spec).key(any), run.spec.steps);
    runs.chunk_by(move |a, b| key(a) == key(b))
}

/// One line for the runs of a cell: what they share, their learning rates, how many they are, their time together.
fn cell_row(runs: &[&PlannedRun]) -> Vec<String> {
    let spec = &runs[0].spec;
    let tokens = spec.tokens();
    let mut row = vec![
        spec.shape.to_string(),
        tokens.to_string(),
        short(tokens.0 / ParamCounts::of(&spec.shape).total() as f64),
        spec.recipe.batch_tokens.to_string(),
        spec.steps.to_string(),
        distinct(runs, |spec| spec.recipe.learning_rate.to_string()),
        runs.len().to_string(),
    ];
    row.extend(FlopRule::COUNTED.iter().filter_map(|rule| rule.of(&spec.shape, tokens)).map(|flops| flops.to_string()));
    row.push(duration(runs.iter().map(|run| run.predicted_seconds).sum()));
    if !spec.mixture.is_empty() {
        row.push(distinct(runs, shares));
    }
    row
}

/// Shares of the parts of a mixture in per cent, in the order of their names.
fn shares(spec: &RunSpec) -> String {
    let all: Vec<String> = spec.mixture.iter().map(|part| format!("{:.0}", 100.0 * f64::from(part.share) / f64::from(WHOLE))).collect();
    all.join("/")
}

/// What the runs have in common, or the values that they have.
fn recipe(runs: &[&PlannedRun]) -> String {
    let of = |name: &str, value: &dyn Fn(&RunSpec) -> String| format!("  {name}: {}\n", distinct(runs, value));
    let mut text = "\nrecipe\n".to_owned();
    if runs.iter().any(|run| run.spec.objective.hides()) {
        text += &of("objective", &|spec| spec.objective.to_string());
    }
    text += &of("schedule", &|spec| spec.recipe.schedule.label());
    text += &of("warmup", &|spec| format!("{} tokens", Tokens((spec.warmup_steps() * spec.recipe.batch_tokens) as f64)));
    text += &of("AdamW beta1, beta2, eps", &|spec| {
        let AdamW { beta1, beta2, eps, .. } = spec.recipe.adamw;
        format!("({beta1}, {beta2}, {eps:e})")
    });
    text += &of("weight decay per unit of learning rate", &|spec| spec.recipe.adamw.weight_decay.to_string());
    text += &of("gradient clipping", &|spec| spec.recipe.grad_clip.to_string());
    if runs.iter().any(|run| run.spec.recipe.groups != OptimizerGroups::default()) {
        text += &of("groups of parameters (rate, decay)", &|spec| spec.recipe.groups.to_string());
    }
    text += &of("seeds (initialisation, data)", &|spec| format!("({}, {})", spec.seeds.init, spec.seeds.data));
    if runs.iter().any(|run| run.spec.unique_tokens.is_some()) {
        text += &of("times that the data are seen", &|spec| {
            spec.unique_tokens.map_or("1".into(), |unique| short(spec.tokens().0 / unique as f64))
        });
    }
    if let Some(tokenizer) = runs.first().map(|run| &run.spec.tokenizer).filter(|tokenizer| tokenizer.name != "bytes") {
        text += &format!("  tokenizer: {}, {} bytes per token on the held-out text\n", tokenizer.name, short(tokenizer.bytes_per_token));
    }
    if runs.iter().any(|run| run.spec.noise_scale_every > 0) {
        text += &of("gradient noise scale every", &|spec| format!("{} steps", spec.noise_scale_every));
    }
    if runs.iter().any(|run| run.spec.eval_every > 0) {
        text += &of("held-out loss on the way", &|spec| format!("{} windows every {} steps", spec.windows_on_the_way(), spec.eval_every));
    }
    text
}

fn as_json(loaded: &Loaded) -> serde_json::Value {
    let runs: Vec<&PlannedRun> = loaded.plan.runs.iter().collect();
    let rows: Vec<serde_json::Value> = runs
        .iter()
        .zip(loaded.plan.records())
        .map(|(run, record)| json!({ "run": record, "predicted_seconds": run.predicted_seconds }))
        .collect();
    let left_out: Vec<serde_json::Value> = loaded
        .plan
        .left_out
        .iter()
        .map(|cell| json!({ "shape": cell.shape.to_string(), "budget": cell.budget, "reason": cell.reason }))
        .collect();
    let cost = exact_flops(&runs);
    json!({
        "sweep": loaded.grid.name,
        "runs": rows,
        "left_out": left_out,
        "eval_windows": loaded.plan.eval_windows,
        "total_flops_exact": cost.shared,
        "alone_flops_exact": cost.alone,
        "saved_fraction": cost.fraction(),
        "trunks": cost.trunks,
        "runs_on_trunks": cost.sharing,
        "workers": loaded.workers,
        "predicted_worker_memory_mb": worker_megabytes(loaded),
        "predicted_wall_seconds": predicted_wall(&runs, loaded.workers),
        "speed": loaded.speed,
    })
}
