//! `scalelab pack`: a finished sweep's folder in few files, to be committed or sent.

use super::failure::{Failure, Outcome};
use super::machine::holder;
use super::names::results_of;
use crate::results::SweepFolder;
use anyhow::anyhow;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Example:\n  scalelab pack results/grid\n\nEvery command reads a packed folder as it was, and `scalelab sweep` trains nothing of it again. Runs that a changed grid adds have files of their own beside the packed ones until the folder is packed anew. runs.csv is then the only copy of the rows."
)]
pub(super) struct PackArgs {
    /// Results folders of sweeps, or their names
    #[arg(required = true)]
    folders: Vec<PathBuf>,
}

pub(super) fn run(args: &PackArgs) -> Outcome {
    for named in &args.folders {
        let path = &results_of(named, Path::new("results"));
        if !path.is_dir() {
            return Err(Failure::Input(anyhow!("{} is no results folder; name one, such as results/grid", path.display())));
        }
        let packed = SweepFolder::at(path).pack(&holder())?;
        for file in &packed.damaged {
            eprintln!("damaged, stays as it is, and its run counts as not done: {}", file.display());
        }
        println!(
            "{}: {} runs in runs.csv, {} curves in curves.csv.gz; {} files are gone",
            path.display(),
            packed.runs,
            packed.curves,
            packed.files
        );
    }
    Ok(())
}
