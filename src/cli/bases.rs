//! The runs that a grid fine-tunes: found in the folder that it names, each with its weights; what lacks is said with the call that makes it.

use super::failure::{Failure, OrInput};
use super::names::results_of;
use super::text::plural;
use crate::results::SweepFolder;
use crate::spec::{BaseRun, RunRecord, RunSpec, RunStatus};
use crate::sweep::{Base, BaseChoice, FineTuneAxes, Grid, frontier};
use anyhow::{Context, anyhow};
use std::path::Path;

/// A grid with the runs that it begins from; as it is, where it begins from none.
pub(super) fn on_bases(grid: Grid) -> Result<Grid, Failure> {
    let Some(axes) = &grid.fine_tuning else { return Ok(grid) };
    let path = results_of(Path::new(&axes.results), Path::new("results"));
    let folder = SweepFolder::at(path);
    let records = folder.gathered_of_plan()?;
    let chosen = chosen(axes, &records, &folder)?;
    let lack: Vec<&&RunRecord> = chosen.iter().filter(|record| !folder.has_weights(&record.run_id)).collect();
    if let Some(first) = lack.first() {
        let sweep = first.sweep.clone().unwrap_or_else(|| "GRID".into());
        return Err(Failure::Input(anyhow!(
            "base.results: {} of {} {} no weights in {}, such as {}: write keep_weights = true below [run] of their grid, and `scalelab sweep {sweep} --retry weights` makes them",
            lack.len(),
            plural(chosen.len(), "run", "runs"),
            if lack.len() == 1 { "has" } else { "have" },
            folder.path.display(),
            first.run_id
        )));
    }
    let bases = chosen.into_iter().map(|record| base(&folder, record)).collect::<Result<Vec<_>, Failure>>()?;
    grid.on_bases(bases).or_input()
}

/// The runs that the grid names, each of which finished.
fn chosen<'a>(axes: &FineTuneAxes, records: &'a [RunRecord], folder: &SweepFolder) -> Result<Vec<&'a RunRecord>, Failure> {
    let path = folder.path.display();
    let finished = || records.iter().filter(|record| record.status == RunStatus::Finished);
    if finished().next().is_none() {
        return Err(Failure::Input(anyhow!(
            "base.results = {:?}: no run in {path} finished; train the base first, with keep_weights = true below [run] of its grid",
            axes.results
        )));
    }
    match &axes.runs {
        BaseChoice::All => Ok(finished().collect()),
        BaseChoice::Frontier => Ok(frontier(records)),
        BaseChoice::Named(names) => {
            let named = |name: &String| {
                finished().find(|record| record.run_id == *name).ok_or_else(|| {
                    let near = crate::sweep::nearest(name, finished().map(|record| record.run_id.as_str()));
                    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                    Failure::Input(anyhow!("base.runs: no run {name} finished in {path}; `scalelab status {path}` lists them{near}"))
                })
            };
            names.iter().map(named).collect()
        }
    }
}

/// A run as its weights tell of it.
fn base(folder: &SweepFolder, record: &RunRecord) -> Result<Base, Failure> {
    let run_id = &record.run_id;
    let header = folder.weights_header(run_id)?.context("weights that were there are gone")?;
    let place = || format!("in the weights of {run_id} in {}", folder.path.display());
    let spec: RunSpec = serde_json::from_str(&header.spec).with_context(place).or_input()?;
    let refused = |problem: &str| Err(Failure::Input(anyhow!("base.runs: {run_id} {problem}")));
    if spec.id().0 != *run_id {
        return refused("has weights of another run in its file; remove it and train it again with --retry weights");
    }
    if spec.stage.fine_tuning().is_some() {
        return refused("was fine-tuned itself: name runs of pre-training");
    }
    if spec.objective.hides() {
        return refused("fills gaps, and what is fine-tuned predicts the next token: name causal runs");
    }
    if !spec.mixture.is_empty() {
        return refused("was trained on a mixture of texts: name runs on one text");
    }
    let run = BaseRun {
        results: folder.path.to_string_lossy().into_owned(),
        run_id: run_id.clone(),
        weights_sha256: header.sha256,
        tokens: spec.tokens().0,
        corpus: spec.corpus,
        corpus_sha256: spec.corpus_sha256,
        eval_windows: spec.eval_windows,
        seed_eval: spec.seeds.eval,
    };
    Ok(Base { run, shape: spec.shape })
}
