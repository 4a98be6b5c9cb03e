//! Whatever stands at paths of others: files and folders of trackers, tables, folders of tables; several of them as one.

use super::import::{STANDARD_INPUT, import_bytes, import_table};
use super::imported::Imported;
use super::name_pattern::NamePattern;
use super::named_files::NamedFile;
use super::table::TableError;
use super::tables::{import_folder, import_tables, is_folder_of_tables, stem_of_table, tables_in, unnamed, without_end};
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
                    parts.push(called(import_file(&path, wanted)?, &path));
                }
            } else {
                parts.push(import_tables(flat(tables).into_iter().map(unnamed).collect(), &paths[0], wanted)?);
            }
            joined(parts, paths)
        }
    }
}

fn import_file(path: &Path, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let bytes = fs::read(path).map_err(|source| TableError::Unreadable { path: path.to_owned(), source })?;
    import_bytes(path, &bytes, wanted)
}

/// Reads every file or folder that a pattern finds, with what its name says, as one table.
pub fn import_named(pattern: &NamePattern, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let matched = pattern.files()?;
    let (mut parts, mut tables) = (Vec::new(), Vec::new());
    for file in matched.files {
        let file = NamedFile { run: without_end(&file.run), ..file };
        let wanted = Wanted { named: &file.values, ..wanted };
        if let Some(found) = tracked(&file.path, wanted)? {
            parts.push(named_after(imported(&file.path, &found, wanted)?, &file.run));
        } else if file.path.is_dir() {
            let inside = tables_in(&file.path);
            let is_alone = inside.len() == 1;
            let run = |one: &NamedFile| if is_alone { file.run.clone() } else { format!("{}/{}", file.run, one.run) };
            tables.extend(inside.into_iter().map(unnamed).map(|one| NamedFile { run: run(&one), values: file.values.clone(), ..one }));
        } else {
            tables.push(file);
        }
    }
    let (base, _) = pattern.split();
    if wanted.wants_curves() {
        for file in tables {
            parts.push(named_after(import_file(&file.path, Wanted { named: &file.values, ..wanted })?, &file.run));
        }
    } else if !tables.is_empty() || parts.is_empty() {
        parts.push(import_tables(tables, base, wanted)?);
    }
    let mut all = joined(parts, &[base.to_owned()])?;
    all.reading.extend(matched.passed_over.iter().map(|(path, reason)| format!("{} passed over: {reason}", path.display())));
    Ok(all)
}

/// Runs that are called after their file: the only one as it, each of several with its own name, too.
fn named_after(mut found: Imported, file: &str) -> Imported {
    let is_alone = found.records.len() == 1;
    let name = |own: &mut String| *own = if is_alone { file.to_owned() } else { format!("{file} {own}") };
    found.records.iter_mut().for_each(|record| name(&mut record.run_id));
    found.trajectories.iter_mut().for_each(|curve| name(&mut curve.run));
    found.left_out.iter_mut().for_each(|(run, _)| *run = format!("{file} {run}"));
    found
}

/// Tables, and those in folders.
fn flat(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().flat_map(|path| if path.is_dir() { tables_in(path) } else { vec![path.clone()] }).collect()
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
        all.active_shares.resize(all.records.len(), None);
        all.active_shares.extend(part.active_shares);
        all.records.extend(part.records);
        all.active_shares.resize(all.records.len(), None);
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
