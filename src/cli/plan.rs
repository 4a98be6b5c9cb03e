//! `scalelab plan`: the resolved plan, before anything is spent.

use super::failure::{OrWork, Outcome};
use super::load::{Loaded, load};
use super::text::{duration, table};
use crate::results::write_whole;
use crate::spec::{FlopRule, ModelShape, ParamCounts, Schedule, SizeMeasure, Tokens, short, training_bytes};
use crate::sweep::PlannedRun;
use crate::view::{ScheduleCurve, schedules};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example:\n  scalelab plan sweeps/grid.toml")]
pub(super) struct PlanArgs {
    /// Grid file
    grid: PathBuf,
    /// Make a missing corpus first, with corpora/get.sh
    #[arg(long)]
    fetch: bool,
    /// Worker processes to reckon with [default: run.workers of the grid, or one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    workers: Option<u64>,
    /// Draw the learning-rate schedules of the grid into this PNG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PlanArgs) -> Outcome {
    let loaded = load(&args.grid, args.fetch, args.workers)?;
    if let Some(path) = &args.plot {
        let picture = schedules(&schedule_curves(&loaded), &loaded.grid.name).or_work()?;
        write_whole(path, &picture).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
        eprintln!("schedules: {}", path.display());
    }
    if args.json {
        println!("{:#}", as_json(&loaded));
    } else {
        print!("{}", as_text(&loaded));
    }
    Ok(())
}

/// Seconds that the runs take on some workers: never less than the longest run alone.
pub(super) fn predicted_wall(runs: &[&PlannedRun], workers: usize) -> f64 {
    let total: f64 = runs.iter().map(|run| run.predicted_seconds).sum();
    let longest = runs.iter().map(|run| run.predicted_seconds).fold(0.0, f64::max);
    (total / workers as f64).max(longest)
}

/// Every schedule of the grid, over the longest run that uses it.
fn schedule_curves(loaded: &Loaded) -> Vec<ScheduleCurve> {
    let longest = |schedule: &Schedule| {
        let using = loaded.plan.runs.iter().map(|run| &run.spec).filter(|spec| spec.recipe.schedule == *schedule);
        using.max_by_key(|spec| spec.steps).map(|spec| ScheduleCurve::of(schedule.to_string(), schedule, spec.steps, spec.warmup_steps()))
    };
    loaded.grid.schedules.iter().filter_map(longest).collect()
}

fn as_text(loaded: &Loaded) -> String {
    let Loaded { grid, facts, plan, workers, speed } = loaded;
    let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
    let unique =
        facts.unique_tokens.map_or("without end".to_owned(), |tokens| format!("{} unique tokens to train on", Tokens(tokens as f64)));
    let mut text = format!("sweep {}: {} runs on {} ({unique})\n\nshapes\n", grid.name, runs.len(), grid.corpus.name());
    text += &table(&["shape", "heads", "kv", "ffn", "N total", "N non-emb.", "N matmul", "M FLOPs/token"], &shape_rows(&grid.shapes));
    text += "\nruns\n";
    let header = ["shape", "D", "D/N", "batch", "steps", "learning rate", "schedule", "seeds", "C 6ND", "C MD", "C exact", "time"];
    text += &table(&header, &runs.iter().map(|run| run_row(run)).collect::<Vec<_>>());
    if !plan.left_out.is_empty() {
        text += "\nleft out\n";
        for cell in &plan.left_out {
            text += &format!("  {} at {}: {}\n", cell.shape, cell.budget, cell.reason);
        }
    }
    let windows = plan.eval_windows;
    let context = grid.shapes[0].context as u64;
    let flops: f64 = runs.iter().filter_map(|run| exact(run)).sum();
    let most = worker_megabytes(loaded);
    text += &format!(
        "\nevaluation: {windows} held-out windows of {context} tokens ({} tokens) at the end of each run\n",
        Tokens((windows * context) as f64)
    );
    text +=
        &format!("total: {flops:.3e} FLOPs (exact), about {} on {workers} workers ({speed})\n", duration(predicted_wall(&runs, *workers)));
    text += &format!(
        "memory: at most {:.0} MB a worker on CPU, {:.0} MB in all, and what of the text stays in the cache\n",
        most,
        most * *workers as f64
    );
    text
}

/// Largest predicted memory of a worker, MB.
fn worker_megabytes(loaded: &Loaded) -> f64 {
    let bytes = loaded.plan.runs.iter().map(|run| training_bytes(&run.spec.shape, run.spec.eval_windows));
    bytes.fold(0.0, f64::max) / 1e6
}

fn exact(run: &PlannedRun) -> Option<f64> {
    FlopRule::Exact.of(&run.spec.shape, run.spec.tokens()).map(|flops| flops.0)
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

fn run_row(run: &PlannedRun) -> Vec<String> {
    let spec = &run.spec;
    let tokens = spec.tokens();
    let mut row = vec![
        spec.shape.to_string(),
        tokens.to_string(),
        short(tokens.0 / ParamCounts::of(&spec.shape).total() as f64),
        spec.recipe.batch_tokens.to_string(),
        spec.steps.to_string(),
        spec.recipe.learning_rate.to_string(),
        spec.recipe.schedule.to_string(),
        format!("{},{}", spec.seeds.init, spec.seeds.data),
    ];
    row.extend(FlopRule::COUNTED.iter().filter_map(|rule| rule.of(&spec.shape, tokens)).map(|flops| flops.to_string()));
    row.push(duration(run.predicted_seconds));
    row
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
    json!({
        "sweep": loaded.grid.name,
        "runs": rows,
        "left_out": left_out,
        "eval_windows": loaded.plan.eval_windows,
        "total_flops_exact": runs.iter().filter_map(|run| exact(run)).sum::<f64>(),
        "workers": loaded.workers,
        "predicted_worker_memory_mb": worker_megabytes(loaded),
        "predicted_wall_seconds": predicted_wall(&runs, loaded.workers),
        "speed": loaded.speed,
    })
}
