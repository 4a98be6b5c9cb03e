//! `scalelab plot`: the figures of a sweep or a table of runs.

use super::analysis::{Choices, Laws, study};
use super::failure::{Failure, OrWork, Outcome};
use super::source::{Source, SourceArgs};
use crate::results::write_whole;
use crate::spec::CurvePoint;
use crate::study::Study;
use crate::view::{Figure, Picture, Subject, figure, figures};
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
    let source = args.choices.seen_aloud(args.source.read()?)?;
    let folder = match (&args.out, &source.folder) {
        (Some(out), _) => out.clone(),
        (None, Some(_)) => args.source.plots_of(&source),
        (None, None) => return Err(Failure::Input(anyhow!("nothing is written beside a CSV: say where with --out DIR"))),
    };
    let study = study(&source, &args.choices.options_with(&source, &args.laws))?;
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
        match picture {
            Ok(bytes) => {
                let path = folder.join(figure.file);
                write_whole(&path, &bytes).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
                drawn.push(figure.file);
            }
            Err(error) => eprintln!("{} is not drawn: {error}", figure.file),
        }
    }
    Ok(drawn)
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
