//! Where the folders of sweeps and of pictures are.

use clap::Args;
use std::path::{Path, PathBuf};

/// Where folders of sweeps and of pictures are.
#[derive(Args, Clone)]
pub(super) struct Folders {
    /// Folder that holds the folders of sweeps
    #[arg(long, value_name = "DIR", default_value = "results", hide_short_help = true)]
    pub(super) results: PathBuf,
    /// Folder that holds the folders of pictures
    ///
    /// [default: beside the results folder `plots`, or `plots-NAME` where that is not called results but NAME, so that sweeps of one
    /// name in two results folders share no picture]
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub(super) plots: Option<PathBuf>,
}

/// The folder of pictures that stands beside a results folder.
pub(super) fn plots_beside(results: &Path) -> PathBuf {
    let name = results.file_name().map_or_else(|| "results".into(), |name| name.to_string_lossy().into_owned());
    results.parent().unwrap_or(Path::new("")).join(if name == "results" { "plots".to_owned() } else { format!("plots-{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_results_folder_has_a_folder_of_pictures_of_its_own() {
        let beside = |results: &str| plots_beside(Path::new(results));
        assert_eq!(["results", "lab/results", "/a/results-b"].map(beside), ["plots", "lab/plots", "/a/plots-results-b"].map(PathBuf::from));
    }
}
