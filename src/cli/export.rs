//! `scalelab export`: the curves of runs in the formats of trackers.

use super::failure::{Failure, OrWork, Outcome};
use super::source::SourceArgs;
use super::text::plural;
use crate::results::{Format, exported, write_whole};
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab export results/grid --to tensorboard\n  scalelab export wandb/ --to jsonl --out curves\n  scalelab export results/grid --to parquet\n\nTensorBoard keeps 32 bits of a number, the others all of them."
)]
pub(super) struct ExportArgs {
    /// Format: tensorboard, jsonl, parquet, wandb-csv
    ///
    /// tensorboard: a folder of events a run; jsonl: an object a step of a run; parquet: a row a step of a run; wandb-csv: a chart a metric and a table of runs.
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    to: To,
    /// Folder that is written [default: the name of the runs, with the format]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    Tensorboard,
    Jsonl,
    Parquet,
    WandbCsv,
}

impl To {
    fn format(self) -> Format {
        match self {
            Self::Tensorboard => Format::TensorBoard,
            Self::Jsonl => Format::JsonLines,
            Self::Parquet => Format::Parquet,
            Self::WandbCsv => Format::WandbCsv,
        }
    }
}

pub(super) fn run(args: &ExportArgs) -> Outcome {
    let source = args.source.read_curves()?;
    let curves = source.whole_curves()?;
    let with = curves.iter().filter(|curve| !curve.is_empty()).count();
    if with == 0 {
        return Err(Failure::Input(anyhow!("{}: no run has a curve, so there is nothing to export", source.path.display())));
    }
    let name = args.to.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-{name}", source.name)));
    if folder.exists() && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Input(anyhow!("{} is there already and not empty; name another folder with --out", folder.display())));
    }
    let files = exported(args.to.format(), &source.records, &curves);
    for (path, bytes) in &files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display())).or_work()?;
        write_whole(&path, bytes).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
    }
    let without = source.records.len() - with;
    let without = if without > 0 { format!("; {} without a curve left out", plural(without, "run", "runs")) } else { String::new() };
    println!("{}: {} of {}{without}", folder.display(), plural(files.len(), "file", "files"), plural(with, "run", "runs"));
    Ok(())
}
