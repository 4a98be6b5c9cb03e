//! One file of a tracker or trainer: whose it is, by its name and its first bytes.

use super::super::table::TableError;
use super::cut::BUFFER;
use super::run::{Asked, Tracked, TrackedRun};
use super::{columns, folders, hugging_face, tensorboard, text_log, wandb};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes at the beginning of a text by which a log for people is known; Megatron prints all its options first.
const HEAD: usize = 256 * 1024;

/// The runs of a file; `None` of one that no tracker wrote.
pub(in crate::results) fn of_file(path: &Path, asked: Asked<'_>) -> Result<Option<Tracked>, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let found = if tensorboard::is_events(&name) {
        Some(vec![tensorboard::read(BufReader::with_capacity(BUFFER, file), size, asked)])
    } else if name.ends_with(".wandb") {
        wandb::read(BufReader::with_capacity(BUFFER, file), asked).map(|found| vec![found.run])
    } else {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(of_bytes(path, &bytes, asked)?.map(|tracked| folders::beside(path, tracked)));
    };
    found.map(|runs| named(path, runs)).map(|tracked| tracked.map(|tracked| folders::beside(path, tracked))).transpose()
}

/// The runs of the bytes of a file; `None` of one that no tracker wrote.
pub(in crate::results) fn of_bytes(path: &Path, bytes: &[u8], asked: Asked<'_>) -> Result<Option<Tracked>, TableError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let runs = if tensorboard::is_events(&name) {
        vec![tensorboard::read(bytes, bytes.len() as u64, asked)]
    } else if let Some(found) = wandb::read(bytes, asked) {
        vec![found.run]
    } else if columns::is_long(bytes) {
        columns::long(path, bytes, asked)?
    } else if name == folders::LIGHTNING && folders::is_of_lightning(path) {
        vec![columns::sparse(path, bytes, asked)?]
    } else if let Some(runs) = of_text(path, bytes, asked)? {
        runs
    } else {
        return Ok(None);
    };
    named(path, runs).map(Some)
}

fn of_text(path: &Path, bytes: &[u8], asked: Asked<'_>) -> Result<Option<Vec<TrackedRun>>, TableError> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    if head.trim_start().starts_with('{') {
        let text = String::from_utf8_lossy(bytes);
        if !hugging_face::is_state(&text) {
            return Ok(None);
        }
        let problem = |problem| TableError::Tracker { path: path.to_owned(), problem };
        return hugging_face::read(&text, asked).map(|(run, _)| Some(vec![run])).map_err(problem);
    }
    if head.contains('\0') || text_log::read(&head, asked).is_none() {
        return Ok(None);
    }
    Ok(text_log::read(&String::from_utf8_lossy(bytes), asked).map(|run| vec![run]))
}

/// Runs with names: those that have none are called after their file or its folder. A file without a number is refused.
fn named(path: &Path, mut runs: Vec<TrackedRun>) -> Result<Tracked, TableError> {
    if runs.iter().all(TrackedRun::is_empty) {
        let said: Vec<String> = runs.iter().flat_map(|run| run.notes.iter().cloned()).collect();
        let said =
            if said.is_empty() { "nothing was measured in it".to_owned() } else { format!("nothing can be read: {}", said.join("; ")) };
        return Err(TableError::Tracker { path: path.to_owned(), problem: said });
    }
    for run in runs.iter_mut().filter(|run| run.name.is_empty()) {
        run.name = folders::name_of(path);
    }
    Ok(Tracked { runs, notes: Vec::new() })
}
