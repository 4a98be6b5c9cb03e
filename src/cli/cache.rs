//! `scalelab cache`: what is kept that can be made again, prepared texts of the user's cache and weights of finished runs, and what it takes.

use super::failure::{Failure, OrWork, Outcome};
use super::kept::cache_folder;
use super::machine::holder;
use super::names::results_of;
use super::text::{plural, table};
use crate::results::{Claim, KeptWeights, SweepFolder};
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab cache\n  scalelab cache --clear texts\n  scalelab cache quick --clear weights\n\nPrepared texts are made again when they are read; weights by `scalelab sweep GRID --retry weights`, which trains."
)]
pub(super) struct CacheArgs {
    /// Sweeps whose weights are meant, or their folders [default: all]
    sweeps: Vec<PathBuf>,
    /// Remove what is listed: texts, or weights
    #[arg(long, value_name = "WHAT")]
    clear: Option<Kind>,
    /// Folder that holds the folders of sweeps
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Texts as they are read, in the user's cache.
    Texts,
    /// Weights of finished runs, in the folders of sweeps.
    Weights,
}

/// Something that is kept, and what it takes.
struct Entry {
    path: PathBuf,
    files: usize,
    bytes: u64,
}

pub(super) fn run(args: &CacheArgs) -> Outcome {
    if args.clear == Some(Kind::Texts) && !args.sweeps.is_empty() {
        return Err(Failure::Input(anyhow!("--clear texts removes those of all sweeps, which share them: name no sweep")));
    }
    let folders = folders(args)?;
    let texts = if args.sweeps.is_empty() { texts() } else { Vec::new() };
    let weights: Vec<Entry> = folders.iter().filter_map(|folder| of_sweep(&folder.kept_weights())).collect();
    match args.clear {
        None if args.json => println!("{:#}", json!({ "texts": listed(&texts), "weights": listed(&weights) })),
        None => print!("{}", as_text(&texts, &weights)),
        Some(Kind::Texts) => {
            texts
                .iter()
                .try_for_each(|text| fs::remove_dir_all(&text.path).with_context(|| format!("{}", text.path.display())))
                .or_work()?;
            println!("{}", removed(&texts, "prepared text", "prepared texts"));
        }
        Some(Kind::Weights) => {
            for folder in folders.iter().filter(|folder| !folder.kept_weights().is_empty()) {
                let _lock = folder.lock(Claim::Whole, &holder())?;
                folder.drop_weights()?;
            }
            println!("{}", removed(&weights, "folder of weights", "folders of weights"));
        }
    }
    Ok(())
}

/// The folders of sweeps that are meant.
fn folders(args: &CacheArgs) -> Result<Vec<SweepFolder>, Failure> {
    if args.sweeps.is_empty() {
        let entries = fs::read_dir(&args.results).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        paths.sort();
        return Ok(paths.into_iter().map(SweepFolder::at).collect());
    }
    let one = |named: &PathBuf| {
        let path = results_of(named, &args.results);
        if path.is_dir() {
            Ok(SweepFolder::at(path))
        } else {
            Err(Failure::Input(anyhow!("{} is no results folder of a sweep", named.display())))
        }
    };
    args.sweeps.iter().map(one).collect()
}

/// The prepared texts of the user's cache.
fn texts() -> Vec<Entry> {
    let Some(folder) = cache_folder().map(|folder| folder.join("corpora")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths.into_iter().map(|path| in_folder(&path)).collect()
}

/// A folder with the files right in it.
fn in_folder(path: &Path) -> Entry {
    let sizes = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).filter_map(|entry| entry.metadata().ok());
    let sizes: Vec<u64> = sizes.filter(fs::Metadata::is_file).map(|file| file.len()).collect();
    Entry { path: path.to_owned(), files: sizes.len(), bytes: sizes.iter().sum() }
}

fn of_sweep(weights: &[KeptWeights]) -> Option<Entry> {
    let path = weights.first()?.path.parent()?.to_owned();
    Some(Entry { path, files: weights.len(), bytes: weights.iter().map(|kept| kept.bytes).sum() })
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn total(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.bytes).sum()
}

fn listed(entries: &[Entry]) -> Vec<serde_json::Value> {
    entries.iter().map(|entry| json!({ "path": entry.path, "files": entry.files, "bytes": entry.bytes })).collect()
}

fn as_text(texts: &[Entry], weights: &[Entry]) -> String {
    if texts.is_empty() && weights.is_empty() {
        return "nothing is kept: no prepared text, no weights of runs\n".into();
    }
    let mut text = format!(
        "{} in prepared texts, {} in weights of {}\n",
        megabytes(total(texts)),
        megabytes(total(weights)),
        plural(weights.iter().map(|entry| entry.files).sum(), "run", "runs")
    );
    for (title, entries) in [("prepared texts", texts), ("weights of runs", weights)] {
        if !entries.is_empty() {
            let row = |entry: &Entry| vec![entry.path.display().to_string(), entry.files.to_string(), megabytes(entry.bytes)];
            text += &format!("\n{title}\n{}", table(&["folder", "files", "size"], &entries.iter().map(row).collect::<Vec<_>>()));
        }
    }
    text
}

fn removed(entries: &[Entry], one: &str, many: &str) -> String {
    format!("removed {}, {}", plural(entries.len(), one, many), megabytes(total(entries)))
}
