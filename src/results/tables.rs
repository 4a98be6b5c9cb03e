//! A folder of tables that are read as one, a run or a curve a file.

use super::import::of_curves;
use super::imported::{Imported, POINTS, as_points, names_curves, reread};
use super::named_files::NamedFile;
use super::table::TableError;
use super::trajectories::Rows;
use super::units::by_magnitude;
use super::wanted::{Wanted, WantedRows};
use crate::spec::RunRecord;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether a folder holds tables of its own.
pub(super) fn is_folder_of_tables(path: &Path) -> bool {
    !tables_in(path).is_empty()
}

/// How the names of tables end in a folder of them.
const TABLES: [&str; 5] = [".csv", ".tsv", ".jsonl", ".json", ".parquet"];
/// What may stand behind that.
const PACKED: [&str; 3] = ["", ".gz", ".zst"];

pub(super) fn tables_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut tables: Vec<PathBuf> = entries.filter(|path| path.is_file() && stem_of_table(path).is_some()).collect();
    // JSON beside tables tells of them: a configuration, a summary.
    let is_json = |path: &PathBuf| path.to_string_lossy().to_ascii_lowercase().contains(".json");
    if !tables.iter().all(is_json) {
        tables.retain(|path| !is_json(path));
    }
    tables.sort();
    tables
}

/// The name of a table without its ends.
pub(super) fn stem_of_table(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    end_of(&name).map(|length| name[..name.len() - length].to_owned())
}

/// The length of the end that the name of a table has.
fn end_of(name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let mut ends = TABLES.iter().flat_map(|end| PACKED.map(|packed| format!("{end}{packed}")));
    ends.find(|end| lower.ends_with(end)).map(|end| end.len())
}

/// A name without the end of a table.
pub(super) fn without_end(name: &str) -> String {
    name[..name.len() - end_of(name).unwrap_or(0)].to_owned()
}

/// A table whose name says nothing but what its run is called.
pub(super) fn unnamed(path: PathBuf) -> NamedFile {
    NamedFile { run: stem_of_table(&path).unwrap_or_default(), path, values: Vec::new() }
}

/// Reads a folder of tables. A file that names no run, or only one, is a run of its own, named as the file; its rows are
/// those of its curve.
pub(super) fn import_folder(folder: &Path, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    import_tables(tables_in(folder).into_iter().map(unnamed).collect(), folder, wanted)
}

/// The same of tables that are named, or lie in a folder.
pub(super) fn import_tables(tables: Vec<NamedFile>, folder: &Path, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let mut whole: Vec<(Imported, NamedFile)> = Vec::new();
    let mut all = Imported::default();
    let several = tables.len() > 1;
    for file in tables {
        let path = &file.path;
        let bytes = fs::read(path).map_err(|source| TableError::Unreadable { path: path.clone(), source })?;
        let wanted = Wanted { named: &file.values, ..wanted };
        let mut imported = match WantedRows::of(path, &bytes, wanted).and_then(|mut rows| reread(&mut rows, as_points)) {
            // A file of which no row is wanted is passed over.
            Err(TableError::Empty { .. }) => continue,
            // Nor is one that diverged the end of the others.
            Err(error @ TableError::NoRow { .. }) if several => {
                all.reading.push(format!("passed over: {error}"));
                continue;
            }
            other => other?,
        };
        if whole.is_empty() {
            all.loss_unit = imported.loss_unit;
        } else if imported.loss_unit != all.loss_unit {
            let problem =
                format!("its losses are in {}, those of the tables before in {}", imported.loss_unit.name(), all.loss_unit.name());
            return Err(TableError::Row { path: path.clone(), line: 1, problem });
        }
        let stem = &file.run;
        let is_line = |record: &RunRecord| record.run_id.starts_with("line ");
        imported.records.iter_mut().filter(|record| is_line(record)).for_each(|record| record.run_id.clone_from(stem));
        all.filtered_out += imported.filtered_out;
        all.left_out.extend(imported.left_out.iter().map(|(row, reason)| (format!("{stem} {row}"), reason.clone())));
        all.reading.extend(imported.reading.iter().map(|said| format!("{}: {said}", path.display())));
        all.notes.extend(imported.notes.iter().filter(|note| !all.notes.contains(note)).cloned().collect::<Vec<_>>());
        whole.push((imported, file));
    }
    tell_apart(&mut whole);
    let mut rows = Rows::default();
    for (imported, _) in &whole {
        let groups = imported.groups.iter().cloned().map(Some).chain(std::iter::repeat(None));
        for ((record, line), group) in imported.records.iter().cloned().zip(&imported.lines).zip(groups) {
            rows.take(record, group, *line);
        }
    }
    if whole.is_empty() {
        return Err(TableError::Empty { path: folder.to_owned(), what: "no table in it has a row that is wanted" });
    }
    all.notes.insert(0, format!("{} tables are read as one", whole.len()));
    // Files that hold the same tokens again and again are no curves: seeds, or recipes.
    if let Some(curves) = rows.curves(POINTS).filter(|found| 4 * found.overtaken <= found.rows) {
        let shares = |(one, _): &(Imported, NamedFile)| {
            let names = one.records.iter().map(|record| record.run_id.clone());
            names.zip(one.active_shares.iter().copied()).collect::<Vec<_>>()
        };
        let of: HashMap<String, Option<f64>> = whole.iter().flat_map(shares).collect();
        let found = of_curves(curves, all.notes);
        let shares = found.records.iter().map(|record| of.get(&record.run_id).copied().flatten());
        return Ok(in_plain_numbers(Imported {
            active_shares: if of.is_empty() { Vec::new() } else { shares.collect() },
            loss_unit: all.loss_unit,
            filtered_out: all.filtered_out,
            left_out: all.left_out,
            reading: [all.reading, found.reading.clone()].concat(),
            ..found
        }));
    }
    for (one, _) in whole {
        let stem = |record: &RunRecord| record.run_id.clone();
        let named = |(at, record): (usize, RunRecord)| RunRecord { run_id: format!("{} row {}", stem(&record), at + 1), ..record };
        let several = one.records.len() > 1;
        let rows = one.records.into_iter().enumerate();
        all.active_shares.resize(all.records.len(), None);
        all.active_shares.extend(one.active_shares);
        all.records.extend(rows.map(|row| if several { named(row) } else { row.1 }));
        all.lines.extend(one.lines);
        all.groups.extend(one.groups);
    }
    all.active_shares.resize(all.records.len(), None);
    Ok(in_plain_numbers(all))
}

/// Runs of one name are several where the names of their files say other things of them, or each file has curves under names of its
/// own: each is called after its file, too.
fn tell_apart(whole: &mut [(Imported, NamedFile)]) {
    let is_twice = {
        let mut said: HashMap<&str, &NamedFile> = HashMap::new();
        let of_curves = whole.iter().any(|(imported, _)| names_curves(&imported.records));
        let mut records = whole.iter().flat_map(|(imported, file)| imported.records.iter().map(move |record| (record, file)));
        records.any(|(record, file)| {
            let first = *said.entry(&record.run_id).or_insert(file);
            first.values != file.values || of_curves && first.path != file.path
        })
    };
    let all = whole.iter_mut().filter(|_| is_twice);
    for (imported, NamedFile { run, .. }) in all {
        let others = imported.records.iter_mut().filter(|record| record.run_id != *run);
        others.for_each(|record| record.run_id = format!("{run} {}", record.run_id));
    }
}

/// With the units that the numbers of all tables together betray.
fn in_plain_numbers(mut all: Imported) -> Imported {
    let said = by_magnitude(&mut all.records, &mut all.trajectories);
    all.reading.extend(said);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Tokens;

    #[test]
    fn a_folder_of_tables_is_read_as_one_run_a_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (run, n) in [("small", 1e6), ("large", 4e6)] {
            let rows: String = (1..=3).map(|i| format!("{n},{}e8,{}\n", i, 4.0 - 0.1 * f64::from(i))).collect();
            fs::write(folder.path().join(format!("{run}.csv")), format!("params,tokens,loss\n{rows}")).expect("written");
        }
        fs::write(folder.path().join("notes.txt"), "not a table").expect("written");
        let imported = import_folder(folder.path(), Wanted::default()).expect("reads");
        assert_eq!(imported.records.iter().map(|r| r.run_id.as_str()).collect::<Vec<_>>(), ["large", "small"]);
        assert_eq!((imported.trajectories.len(), imported.records[0].tokens), (2, Some(Tokens(3e8))));
        fs::write(folder.path().join("broken.csv"), "params,tokens,loss\n1,2,x\n").expect("written");
        let error = import_folder(folder.path(), Wanted::default()).expect_err("a bad cell").to_string();
        assert!(error.contains("broken.csv, line 2, column `loss`"), "{error}");
    }
}
