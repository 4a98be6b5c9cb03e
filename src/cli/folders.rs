//! Where the folders of sweeps and of pictures are.

use clap::Args;
use std::path::PathBuf;

/// Where folders of sweeps and of pictures are.
#[derive(Args, Clone)]
pub(super) struct Folders {
    /// Folder that holds the folders of sweeps
    #[arg(long, value_name = "DIR", default_value = "results", hide_short_help = true)]
    pub(super) results: PathBuf,
    /// Folder that holds the folders of pictures [default: `plots` beside the results folder]
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(super) plots: Option<PathBuf>,
}
