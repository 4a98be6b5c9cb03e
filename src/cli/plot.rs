//! `scalelab plot`: the figures of a sweep or a table of runs.

use super::analysis::{Choices, Laws, of_source, study};
use super::failure::{Failure, OrWork, Outcome};
use super::source::{Source, SourceArgs};
use crate::results::write_whole;
use crate::spec::CurvePoint;
use crate::study::{FineTuned, Study, fine_tuned, is_fine_tuned};
use crate::view::{Figure, Picture, Subject, TunedFigure, figure, figures, tuned_figures};
use anyhow::{Context, anyhow};
use clap::Args;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Examples:\n  scalelab plot results/grid\n  scalelab plot runs.csv --out figures")]
pub(super) struct PlotArgs {
    /// Folder for the pictures [default: plots/<sweep>]
    ///
    /// The default is that of a results folder, beside which the pictures are, as --plots says.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    laws: Laws,
    #[command(flatten)]
    choices: Choices,
}

pub(super) fn run(args: &PlotArgs) -> Outcome {
    let source = args.choices.seen_aloud(args.source.read_of_any()?)?;
    let folder = match (&args.out, &source.folder) {
        (Some(out), _) => out.clone(),
        (None, Some(_)) => args.source.plots_of(&source),
        (None, None) => return Err(Failure::Input(anyhow!("nothing is written beside a CSV: say where with --out DIR"))),
    };
    let options = args.choices.options_with(&source, &args.laws);
    if !args.laws.are_named() && is_fine_tuned(&source.records) {
        let found = fine_tuned(&source.records, &options).map_err(|error| of_source(&source, error))?;
        for TunedFigure { file, picture, .. } in tuned_pictures(&source, &found)? {
            if write(&folder, file, picture)? {
                println!("{}", folder.join(file).display());
            }
        }
        return Ok(());
    }
    let study = study(&source, &options)?;
    if let Some(refusal) = study.laws.first().and_then(|report| report.fitted.as_ref().err()) {
        eprintln!("no law is drawn: {refusal}");
    }
    for name in draw_all(&source, &study, &folder)? {
        println!("{}", folder.join(name).display());
    }
    Ok(())
}

/// Draws every figure that the runs allow and returns the names of the files.
pub(super) fn draw_all(source: &Source, study: &Study, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    let mut drawn = Vec::new();
    for (figure, picture) in figures_of(source, study)? {
        if write(folder, figure.file, picture)? {
            drawn.push(figure.file);
        }
    }
    Ok(drawn)
}

/// Writes a picture, or says why there is none; whether it did.
fn write(folder: &Path, file: &str, picture: Picture) -> Result<bool, Failure> {
    match picture {
        Ok(bytes) => {
            let path = folder.join(file);
            write_whole(&path, &bytes).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
            Ok(true)
        }
        Err(error) => {
            eprintln!("{file} is not drawn: {error}");
            Ok(false)
        }
    }
}

/// Every figure of runs of fine-tuning.
pub(super) fn tuned_pictures(source: &Source, found: &FineTuned) -> Result<Vec<TunedFigure>, Failure> {
    let curves = curves(source)?;
    Ok(tuned_figures(found, &source.name, &source.records, curves.as_ref()))
}

/// Every figure that the runs allow.
pub(super) fn figures_of(source: &Source, study: &Study) -> Result<Vec<(Figure, Picture)>, Failure> {
    let curves = curves(source)?;
    Ok(figures(&Subject::new(&source.name, study, &source.records, curves.as_ref())))
}

/// One figure by the name of its file; `None` where the runs have nothing of its kind.
pub(super) fn figure_of(source: &Source, study: &Study, file: &str) -> Result<Option<Picture>, Failure> {
    let curves = curves(source)?;
    Ok(figure(&Subject::new(&source.name, study, &source.records, curves.as_ref()), file))
}

/// The curves of a sweep's own runs.
fn curves(source: &Source) -> Result<Option<HashMap<String, Vec<CurvePoint>>>, Failure> {
    let Some(folder) = &source.folder else { return Ok(None) };
    let (kept, mut curves) = (folder.curves(), HashMap::new());
    for record in &source.records {
        curves.extend(kept.of(record)?.map(|curve| (record.run_id.clone(), curve)));
    }
    Ok(Some(curves))
}
