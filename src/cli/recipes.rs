//! What a sweep says of learning rate and batch, for a person, for a program, and as `cells.csv`.

use super::text::{number, rate_text, table};
use crate::fit::{Estimate, FittedLaw, PowerFit, Protocol, RecipeLaw, RecipeStudy, Response, Score};
use crate::law::{RECIPES, RecipeTrials};
use crate::spec::{Flops, RunRecord, short};
use crate::study::{BestBatch, StudyOptions, best_batches};

/// Cells that are listed at most, those with a remark first.
const CELLS_SHOWN: usize = 16;

/// The study as text.
pub(super) fn study_text(study: &RecipeStudy) -> String {
    let mut text =
        "\nlearning rate and batch: optimum of each cell's surface (ln L in ln eta and ln B, by the runs near the best)\n".to_owned();
    let header = ["cell", "runs", "best seen", "eta*", "", "B*, tokens", "", "loss*, nats", "selection bias", "band", "near-optimal"];
    let mut searched: Vec<&Response> = study.cells.iter().filter(|cell| cell.tried.iter().any(|tried| *tried > 1)).collect();
    if searched.len() > CELLS_SHOWN {
        searched.sort_by_key(|cell| cell.edges.is_empty());
    }
    let shown = &searched[..searched.len().min(CELLS_SHOWN)];
    text += &table(&header, &shown.iter().map(|cell| cell_row(cell)).collect::<Vec<_>>());
    if shown.len() < study.cells.len() {
        let single = study.cells.len() - searched.len();
        let words = if single > 0 { format!(", {single} have one recipe") } else { String::new() };
        text += &format!("  {} of {} cells are shown{words}; cells.csv and --json have all\n", shown.len(), study.cells.len());
    }
    text += "  selection bias: the lowest loss seen relative to the minimum of the surface (negative: by chance below it); band: losses that count as near-optimal, max(0.25 %, 2 sigma of a run)\n";
    study.notes.iter().for_each(|note| text += &format!("  note: {note}\n"));
    text += &laws_text(study);
    text
}

fn cell_row(cell: &Response) -> Vec<String> {
    let optimum = |estimate: Option<Estimate>, show: fn(f64) -> String| match estimate {
        Some(e) => [show(e.value), bounded(&e, show)],
        None => ["—".into(), String::new()],
    };
    let [rate, rates] = optimum(cell.learning_rate, rate_text);
    let [batch, batches] = optimum(cell.batch, short);
    let diverged = if cell.diverged > 0 { format!("{} + {} diverged", cell.runs, cell.diverged) } else { cell.runs.to_string() };
    vec![
        cell.cell.clone(),
        diverged,
        format!("{} at {}, {}", number(cell.best_loss), rate_text(cell.best_learning_rate), short(cell.best_batch)),
        rate,
        rates,
        batch,
        batches,
        cell.loss.map_or("—".into(), |loss| number(loss.value)),
        cell.selection.map_or("—".into(), |part| format!("{:+.2} %", 100.0 * part)),
        format!("{:.2} %", 100.0 * cell.band),
        cell.near_optimal.len().to_string(),
    ]
}

/// An interval; a side without end is said so.
fn bounded(estimate: &Estimate, show: fn(f64) -> String) -> String {
    let end = |value: f64| if value.is_finite() && value > 0.0 { show(value) } else { "unbounded".into() };
    format!("[{}, {}]", end(estimate.low()), end(estimate.high()))
}

/// The laws with the excess loss that their recipes cost on cells that they did not see.
fn laws_text(study: &RecipeStudy) -> String {
    let mut text = "\nlaws of learning rate and batch (excess: loss of the run nearest to the recipe above the best run, in cells that the law did not see)\n".to_owned();
    let row = |law: &RecipeLaw| {
        let rule = |fit: &Option<PowerFit>| fit.as_ref().map_or("—".into(), |fit| fit.rule.to_string());
        let mut row = vec![law.name.clone(), rule(&law.learning_rate), rule(&law.batch)];
        row.extend(excess(law.held_out.as_ref()));
        row
    };
    let mut rows: Vec<Vec<String>> = study.laws.iter().map(row).collect();
    for score in &study.others {
        let published = RECIPES.iter().find(|recipe| recipe.name == score.name);
        let name = if published.is_some() { format!("{} (published)", score.name) } else { score.name.clone() };
        let unpublished = if score.name == "constant" { "the same everywhere" } else { "each cell's own" };
        let rule = |pick: fn(&crate::law::PublishedRecipe) -> String| published.map_or(unpublished.into(), pick);
        let mut row = vec![name, rule(|recipe| recipe.learning_rate.to_string()), rule(|recipe| recipe.batch_tokens.to_string())];
        row.extend(excess(Some(score)));
        rows.push(row);
    }
    text += &table(&["law", "eta*", "B*, tokens", "mean excess", "worst", "cells"], &rows);
    text += "  own optima: each cell by its own surface, which saw its runs: what noise and the steps between runs leave to any law\n";
    if study.laws.iter().filter_map(|law| law.held_out.as_ref()).chain(&study.others).any(|score| score.outside > 0) {
        text += "  outside: cells whose recipe lies beyond what was tried; the run at the edge stands for it, so that the excess is at least this\n";
    }
    for law in &study.laws {
        text += &format!("  {}: {}{}\n", law.name, law.method, exponents(law));
    }
    text
}

fn excess(score: Option<&Score>) -> Vec<String> {
    let Some(score) = score else { return vec!["—".into(), "—".into(), "0".into()] };
    let render = |excess: f64| if excess.is_finite() { format!("{:.2} %", 100.0 * excess) } else { "diverged".into() };
    let cells = if score.outside > 0 { format!("{}, {} outside", score.cells, score.outside) } else { score.cells.to_string() };
    vec![render(score.mean), render(score.worst), cells]
}

/// Exponents with their intervals.
fn exponents(law: &RecipeLaw) -> String {
    let of = |name: &str, fit: &Option<PowerFit>| -> Vec<String> {
        let Some(fit) = fit else { return Vec::new() };
        fit.coefficients
            .iter()
            .filter(|(variable, _)| *variable != "factor")
            .map(|(variable, e)| format!("{name} ~ {variable}^{e}"))
            .collect()
    };
    let all: Vec<String> = of("eta", &law.learning_rate).into_iter().chain(of("B", &law.batch)).collect();
    if all.is_empty() { String::new() } else { format!("; {}", all.join(", ")) }
}

/// L(N, B, S) through the best learning rate of each batch: the batch that it calls best for the cells' tokens, beside the noise
/// scale that training measured. Nothing where fewer than three batches were tried.
pub(super) fn critical_text(cells: &[RecipeTrials], records: &[RunRecord], found: &RecipeStudy, options: &StudyOptions) -> String {
    let Some(batches) = best_batches(cells, found, options) else { return String::new() };
    let mut text = "\nbest batch by L(N, B, S) = E + A/N^alpha + G/B^beta + H/S^gamma through the best rate of each batch\n".to_owned();
    match batches {
        Ok(batches) => {
            let row = |one: &BestBatch| vec![short(one.tokens), short(one.batch.value), bounded(&one.batch, short)];
            let level = format!("{:.0} % of refits", 100.0 * options.level);
            text += &table(&["D, tokens", "B*, tokens", &level], &batches.at.iter().map(row).collect::<Vec<_>>());
            text += &format!("  B* ~ D^{}; residuals {:.2} % rms\n", batches.exponent, 100.0 * batches.fit.diagnostics.residual_rms);
        }
        Err(error) => text += &format!("  not fitted: {error}\n"),
    }
    let near: Vec<&str> = found.cells.iter().map(|cell| cell.best_run.as_str()).collect();
    let measured: Vec<String> = records
        .iter()
        .filter(|record| near.contains(&record.run_id.as_str()))
        .filter_map(|record| Some(format!("{} at D = {}", short(record.noise_scale_tokens?), record.tokens?)))
        .collect();
    if !measured.is_empty() {
        text += &format!("  gradient noise scale that the best runs measured, tokens (McCandlish 1812.06162): {}\n", measured.join(", "));
    }
    text
}

/// What the correction to the tuned frontier changed.
pub(super) fn correction_text(raw: &FittedLaw, corrected: &FittedLaw) -> String {
    let a = |fitted: &FittedLaw| {
        let found = fitted.derived.get("a");
        found.map_or("—".into(), |a| a.to_string())
    };
    format!(
        "  losses are those of each cell's best recipe on the joint surface: a = {}; of the lowest losses as they are: a = {}, E = {}\n",
        a(corrected),
        a(raw),
        raw.law.floor_index().map_or("—".into(), |at| raw.coefficients.0[at].1.to_string())
    )
}

/// The protocol's laws and forecasts.
pub(super) fn protocol_text(protocol: &Protocol) -> String {
    let mut text = "\nforecast by the DeepSeek protocol (95 % intervals of the mean, if the laws hold that far)\n".to_owned();
    let header = ["C, FLOPs", "x largest", "M*", "", "D*", "", "loss, nats", "", "bits/byte", "", "eta*", "", "B*", ""];
    let pair = |estimate: Option<&Estimate>, show: fn(f64) -> String| match estimate {
        Some(e) => [show(e.value), bounded(e, show)],
        None => ["—".to_owned(), String::new()],
    };
    let rows: Vec<Vec<String>> = protocol
        .forecasts
        .iter()
        .map(|one| {
            let mut row = vec![Flops(one.compute).to_string(), short(one.extrapolation_factor)];
            row.extend(pair(Some(&one.params), short));
            row.extend(pair(Some(&one.tokens), short));
            row.extend(pair(Some(&one.loss), number));
            row.extend(pair(one.bits_per_byte.as_ref(), number));
            row.extend(pair(one.learning_rate.as_ref(), rate_text));
            row.extend(pair(one.batch_tokens.as_ref(), short));
            row
        })
        .collect();
    text += &table(&header, &rows);
    text
}

/// Columns of `cells.csv`.
const CELL_COLUMNS: [&str; 24] = [
    "cell",
    "n",
    "tokens",
    "flops",
    "runs",
    "diverged",
    "best_run",
    "best_learning_rate",
    "best_batch_tokens",
    "best_loss_nats",
    "learning_rate",
    "learning_rate_low",
    "learning_rate_high",
    "batch_tokens",
    "batch_tokens_low",
    "batch_tokens_high",
    "surface_loss_nats",
    "surface_loss_se",
    "tuned_loss_nats",
    "tuned_loss_se",
    "tuning_error",
    "band",
    "near_optimal",
    "remarks",
];

/// `cells.csv`, header first: the surface of each cell and its tuning error.
pub(super) fn cell_rows(study: &RecipeStudy) -> Vec<Vec<String>> {
    let tuned = |cell: &Response| study.joint.as_ref().and_then(|joint| joint.tuned.iter().find(|one| one.best_run == cell.best_run));
    let ends = |estimate: Option<Estimate>| match estimate {
        Some(e) => [e.value, e.low(), e.high()].map(finite),
        None => Default::default(),
    };
    let row = |cell: &Response| {
        let mut row = vec![
            cell.cell.clone(),
            cell.scale.n.to_string(),
            cell.scale.d.to_string(),
            cell.scale.c.to_string(),
            cell.runs.to_string(),
            cell.diverged.to_string(),
            cell.best_run.clone(),
            cell.best_learning_rate.to_string(),
            cell.best_batch.to_string(),
            cell.best_loss.to_string(),
        ];
        row.extend(ends(cell.learning_rate));
        row.extend(ends(cell.batch));
        row.extend(cell.loss.map_or_else(Default::default, |loss| [finite(loss.value), loss.se().map_or(String::new(), finite)]));
        row.extend(
            tuned(cell)
                .map_or_else(Default::default, |one| [one.loss.value, one.loss.se().unwrap_or(f64::NAN), one.tuning_error].map(finite)),
        );
        row.extend([cell.band.to_string(), cell.near_optimal.len().to_string(), cell.edges.join("; ")]);
        row
    };
    std::iter::once(CELL_COLUMNS.map(str::to_owned).to_vec()).chain(study.cells.iter().map(row)).collect()
}

fn finite(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}
