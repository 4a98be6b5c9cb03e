//! `scalelab repair`: what of a damaged results folder can be made again from what is whole.

use super::failure::{Failure, Outcome};
use super::machine::holder;
use super::names::results_of;
use crate::results::{Mend, MendEnd, SweepFolder};
use anyhow::anyhow;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab repair results/grid --dry-run\n  scalelab repair results/grid\n\nruns.csv is made again from runs/, and a run's file in runs/ from its row in runs.csv. Of a run whose file, curve or window losses\nare damaged and stand nowhere else, the file is moved into damaged/ within the folder. plan.csv needs the grid: `scalelab sweep`\nwrites it anew. What a packed folder lost is nowhere else. Where nothing is wrong, nothing is changed."
)]
pub(super) struct RepairArgs {
    /// Results folders of sweeps, or their names
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Say what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: &RepairArgs) -> Outcome {
    let mut left = 0;
    for named in &args.folders {
        let path = &results_of(named, Path::new("results"));
        let mends = SweepFolder::at(path).repair(&holder(), args.dry_run)?;
        if mends.is_empty() {
            println!("{}: nothing is damaged", path.display());
        }
        for mend in &mends {
            println!("{}", said(mend, args.dry_run));
        }
        left += mends.iter().filter(|mend| matches!(mend.end, MendEnd::Left(_))).count();
    }
    if left > 0 { Err(Failure::Work(anyhow!("damaged files that cannot be made again from the folder: {left}"))) } else { Ok(()) }
}

/// A file, what is wrong with it, and what comes of it.
fn said(mend: &Mend, dry: bool) -> String {
    let is = if dry { "would be" } else { "is" };
    let end = match &mend.end {
        MendEnd::MadeAgain(from) => format!("{is} made again from {from}"),
        MendEnd::SetAside(run) => {
            format!("{is} moved into damaged/; `scalelab sweep GRID --retry {run}` trains its run again")
        }
        MendEnd::Left(remedy) => format!("stays as it is: {remedy}"),
    };
    format!("{}: {end}", mend.problem)
}
