//! Runs in the files of MLflow: `metrics/NAME` with lines of time, value and step, `params/NAME`, and `meta.yaml`.

use super::config::{insert, of_yaml};
use super::run::{Asked, TrackedRun};
use std::fs;
use std::path::Path;

/// Bytes of a parameter that are read.
const LONGEST: u64 = 10_000;
/// Folders of names with slashes that are gone into.
const DEEPEST: usize = 6;

/// Whether a folder is that of a run.
pub(super) fn is_run(folder: &Path) -> bool {
    folder.join("meta.yaml").is_file() && folder.join("metrics").is_dir()
}

/// Reads the folder of a run.
pub(super) fn read(folder: &Path, asked: Asked<'_>) -> TrackedRun {
    let meta = of_yaml(&fs::read_to_string(folder.join("meta.yaml")).unwrap_or_default());
    let tagged = fs::read_to_string(folder.join("tags/mlflow.runName")).ok();
    let name = tagged.or_else(|| meta.get("run_name").cloned()).or_else(|| meta.get("run_id").cloned()).unwrap_or_default();
    let mut run = TrackedRun::named(name.trim());
    match meta.get("status").map(String::as_str) {
        Some("4") => run.note("failed, as MLflow says"),
        Some("1") => run.note("does not say that it ended: it crashed, or runs"),
        _ => {}
    }
    let mut params = Vec::new();
    files_in(&folder.join("params"), "", DEEPEST, &mut params);
    for (name, path) in params {
        if fs::metadata(&path).is_ok_and(|file| file.len() < LONGEST) {
            insert(&mut run.config, &name, &fs::read_to_string(&path).unwrap_or_default());
        }
    }
    let mut metrics = Vec::new();
    files_in(&folder.join("metrics"), "", DEEPEST, &mut metrics);
    let mut lines = Vec::new();
    for (at, (name, path)) in metrics.iter().enumerate() {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = lines_of(&text, at, &mut lines);
        if !whole {
            run.note(format!("`{name}` ends in the middle of a line"));
        }
    }
    // In the order of time, so that a resumed run is seen as one.
    lines.sort_by_key(|line| line.0);
    lines.into_iter().for_each(|(_, at, step, value)| run.measure(&metrics[at].0, step, value, asked));
    run
}

/// Adds (time, place of the metric, step, value) of each line; whether all could be read.
fn lines_of(text: &str, metric: usize, lines: &mut Vec<(u64, usize, u64, f64)>) -> bool {
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let (time, value) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((time, metric, words.next().map_or(Some(0), |step| step.parse().ok())?, value))
    };
    let ended = text.is_empty() || text.ends_with('\n');
    let mut all = text.lines().peekable();
    let mut whole = true;
    while let Some(line) = all.next() {
        let is_last = all.peek().is_none();
        match read(line).filter(|_| ended || !is_last) {
            Some(line) => lines.push(line),
            None => whole = false,
        }
    }
    whole
}

/// Files of a folder and of those in it, by their paths within.
fn files_in(folder: &Path, path: &str, depth: usize, found: &mut Vec<(String, std::path::PathBuf)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if path.is_empty() { name } else { format!("{path}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_file() => found.push((name, entry.path())),
            Ok(kind) if kind.is_dir() && depth > 0 => files_in(&entry.path(), &name, depth - 1, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_run_are_read_in_the_order_of_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("meta.yaml", "run_id: abc\nrun_name: small\nstatus: 3\n");
        write("params/n_params", "1000000");
        write("metrics/train/loss", "100 3.5 10\n200 3.1 20\n400 3.2 20\n500 2.9 30\n");
        write("metrics/val_loss", "210 3.3 20\n410 3.4 20\n510 3.0 3");
        let run = read(folder.path(), &[]);
        assert!(is_run(folder.path()));
        assert_eq!((run.name.as_str(), run.config["n_params"].as_str()), ("small", "1000000"));
        assert_eq!(run.metric("train/loss").expect("read").points, [(10, 3.5), (20, 3.2), (30, 2.9)]);
        assert_eq!(run.metric("val_loss").expect("read").points, [(20, 3.4)]);
        assert!(run.notes[0].contains("val_loss"), "{:?}", run.notes);
    }
}
