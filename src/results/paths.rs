//! Whatever stands at paths of others: files and folders of trackers, tables, folders of tables; several of them as one.

use super::import::{STANDARD_INPUT, import_bytes, import_table};
use super::imported::Imported;
use super::table::TableError;
use super::tables::{import_folder, import_tables, is_folder_of_tables, stem_of_table};
use super::trackers::{Tracked, apart, holds_files, holds_runs, imported, of_bytes, of_file, of_folder};
use super::wanted::Wanted;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether a folder holds tables, or files of trackers in it or in its folders.
pub fn is_of_others(folder: &Path) -> bool {
    is_folder_of_tables(folder) || holds_runs(folder)
}

/// What a tracker left at a path; `None` where none did.
fn tracked(path: &Path, wanted: Wanted<'_>) -> Result<Option<Tracked>, TableError> {
    if path == Path::new(STANDARD_INPUT) {
        return Ok(None);
    }
    if !path.is_dir() {
        return of_file(path, wanted.columns);
    }
    // Tables that lie in the folder itself are meant, whatever lies below.
    if holds_tables(path) && !holds_files(path) {
        return Ok(None);
    }
    of_folder(path, wanted.columns)
}

/// Whether tables other than JSON, which tells of much, stand in a folder itself.
fn holds_tables(folder: &Path) -> bool {
    let is_table = |path: &Path| stem_of_table(path).is_some() && !path.to_string_lossy().to_ascii_lowercase().contains(".json");
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| entry.path().is_file() && is_table(&entry.path()))
}

/// Reads what stands at one path or several: runs of trackers as one table, tables as one.
pub fn import_paths(paths: &[PathBuf], wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let (mut runs, mut tables) = (Tracked::default(), Vec::new());
    for path in paths {
        match tracked(path, wanted)? {
            Some(found) => {
                runs.runs.extend(found.runs);
                runs.notes.extend(found.notes);
            }
            None => tables.push(path.clone()),
        }
    }
    apart(&mut runs.runs);
    let of_trackers = (!runs.runs.is_empty() || tables.is_empty())
        .then(|| imported(paths.first().map_or(Path::new("."), PathBuf::as_path), &runs, wanted));
    match (of_trackers.transpose()?, tables.as_slice()) {
        (Some(found), []) => Ok(found),
        (None, [one]) if one.is_dir() && !wanted.wants_curves() => import_folder(one, wanted),
        (None, [one]) if !one.is_dir() => {
            import_table(one, wanted).map(|found| if wanted.wants_curves() { called(found, one) } else { found })
        }
        (found, tables) => {
            let mut parts: Vec<Imported> = found.into_iter().collect();
            if wanted.wants_curves() {
                for path in flat(tables) {
                    let bytes = fs::read(&path).map_err(|source| TableError::Unreadable { path: path.clone(), source })?;
                    parts.push(called(import_bytes(&path, &bytes, wanted)?, &path));
                }
            } else {
                parts.push(import_tables(&flat(tables), &paths[0], wanted)?);
            }
            joined(parts, paths)
        }
    }
}

/// Tables, and those in folders.
fn flat(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().flat_map(|path| if path.is_dir() { super::tables::tables_in(path) } else { vec![path.clone()] }).collect()
}

/// The only run of a table that names none is called after the file.
fn called(mut found: Imported, path: &Path) -> Imported {
    if let ([record], [curve], Some(stem)) = (found.records.as_mut_slice(), found.trajectories.as_mut_slice(), stem_of_table(path))
        && record.run_id == "the run"
    {
        record.run_id.clone_from(&stem);
        curve.run = stem;
    }
    found
}

fn joined(parts: Vec<Imported>, paths: &[PathBuf]) -> Result<Imported, TableError> {
    let mut parts = parts.into_iter();
    let Some(mut all) = parts.next() else {
        return Err(TableError::Empty { path: paths.first().cloned().unwrap_or_default(), what: "there is no table in it" });
    };
    let has_curves = |one: &Imported| one.curves.len() == one.records.len();
    for part in parts {
        if part.loss_unit != all.loss_unit {
            let problem = format!("its losses are in {}, those before in {}", part.loss_unit.name(), all.loss_unit.name());
            return Err(TableError::Tracker { path: paths.last().cloned().unwrap_or_default(), problem });
        }
        // Without a curve of its own a run has an empty one, and keeps its place.
        let missing = if has_curves(&all) { 0 } else { all.records.len() - all.curves.len() };
        all.curves.extend(std::iter::repeat_n(Vec::new(), missing));
        all.curves.extend(part.curves.iter().cloned());
        all.curves.extend(std::iter::repeat_n(Vec::new(), part.records.len() - part.curves.len()));
        all.records.extend(part.records);
        all.lines.clear();
        all.groups.extend(part.groups);
        all.filtered_out += part.filtered_out;
        all.left_out.extend(part.left_out);
        all.trajectories.extend(part.trajectories);
        all.reading.extend(part.reading);
        all.notes.extend(part.notes);
        all.own &= part.own;
    }
    Ok(all)
}

/// Reads the bytes of a file of a tracker; `path` says by its name what it may be, and is for messages. `None` of what is none.
pub fn tracker_bytes(path: &Path, bytes: &[u8], wanted: Wanted<'_>) -> Result<Option<Imported>, TableError> {
    of_bytes(path, bytes, wanted.columns)?.map(|tracked| imported(path, &tracked, wanted)).transpose()
}
