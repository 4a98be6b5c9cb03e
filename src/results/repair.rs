//! What of a folder can be made again: `runs.csv` from the runs' own files, a run's own file from its row in `runs.csv`. What cannot is
//! set aside in `damaged/`, so that a sweep trains the run again, or is left and named.

use super::atomic::settle;
use super::folder::{FolderError, PACKED_CURVES, SweepFolder};
use super::lock::Claim;
use super::table::{TableError, records_to_csv};
use crate::spec::RunRecord;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder, within that of a sweep, of damaged files that were set aside.
const ASIDE: &str = "damaged";

/// A file that is not as it should be, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// Path of the file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// What comes of it.
    pub end: MendEnd,
}

/// What comes of a file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MendEnd {
    /// It is written again from the file of this name.
    MadeAgain(&'static str),
    /// It is moved into `damaged/`: of the run of this name the sweep has a file less.
    SetAside(String),
    /// It stays, and this is to be done.
    Left(String),
}

impl SweepFolder {
    /// Makes again what can be made from what is whole, and sets aside what is damaged; with `dry` it says so and changes nothing.
    ///
    /// # Errors
    /// Where a sweep runs in the folder, there is none, or a file cannot be read or written.
    pub fn repair(&self, holder: &str, dry: bool) -> Result<Vec<Mend>, FolderError> {
        let is_sweep = ["plan.csv", "runs.csv", "runs"].iter().any(|part| self.path.join(part).exists());
        if !is_sweep {
            return Err(FolderError::NoSweep { path: self.path.clone() });
        }
        let _lock = if dry { None } else { Some(self.lock(Claim::Whole, holder)?) };
        let mut mends = self.mend_runs(dry)?;
        mends.extend(self.mend_table(dry)?);
        mends.extend(self.mend_curves(dry)?);
        mends.extend(self.plan().err().map(left));
        if !dry {
            settle(&self.path).map_err(|source| FolderError::Io { path: self.path.clone(), source })?;
        }
        Ok(mends)
    }

    /// Runs' own files: again from their rows, else aside.
    fn mend_runs(&self, dry: bool) -> Result<Vec<Mend>, FolderError> {
        let (_, damaged) = self.own_runs()?;
        let gathered = self.table().ok().flatten().filter(|table| table.own).map_or_else(Vec::new, |table| table.records);
        let rows: HashMap<&str, &RunRecord> = gathered.iter().map(|row| (row.run_id.as_str(), row)).collect();
        let mend = |(path, error): (PathBuf, TableError)| {
            let run = stem(&path);
            let problem = error.to_string();
            let Some(row) = rows.get(run.as_str()) else { return self.set_aside(&path, run, problem, dry) };
            if !dry {
                self.write(&format!("runs/{run}.csv"), &records_to_csv(std::slice::from_ref(*row)))?;
            }
            Ok(Mend { path, problem, end: MendEnd::MadeAgain("runs.csv") })
        };
        damaged.into_iter().map(mend).collect()
    }

    /// `runs.csv`: again from the runs' own files, but where a packed folder has its rows nowhere else.
    fn mend_table(&self, dry: bool) -> Result<Option<Mend>, FolderError> {
        let table = self.table();
        if self.path.join(PACKED_CURVES).exists() {
            let lost = if table.is_ok() { self.lost_rows()? } else { None };
            return Ok(table.err().or(lost).map(left));
        }
        let (own, _) = self.own_runs()?;
        let problem = match table {
            Ok(Some(table)) if !table.own => return Ok(None),
            Ok(table) => {
                let rows = table.map_or_else(Vec::new, |table| table.records);
                let lacks = own.keys().filter(|run| !rows.iter().any(|row| row.run_id == **run)).count();
                if lacks == 0 {
                    return Ok(None);
                }
                format!("{}: it lacks the rows of {lacks} runs that have files in runs/", self.runs_csv().display())
            }
            Err(error) if own.is_empty() => return Ok(Some(left(error))),
            Err(error) => error.problem(),
        };
        if !dry {
            self.write_runs(&self.in_order(own, self.plan().ok().flatten().unwrap_or_default()))?;
        }
        Ok(Some(Mend { path: self.runs_csv(), problem, end: MendEnd::MadeAgain("runs/") }))
    }

    /// Curves and losses on windows of runs whose row is known: aside. Packed curves have no other copy.
    fn mend_curves(&self, dry: bool) -> Result<Vec<Mend>, FolderError> {
        let (known, _) = self.own_runs()?;
        let gathered = self.table().ok().flatten().filter(|table| table.own).map_or_else(Vec::new, |table| table.records);
        let mut records: HashMap<String, RunRecord> = gathered.into_iter().map(|row| (row.run_id.clone(), row)).collect();
        records.extend(known);
        let mut runs: Vec<&RunRecord> = records.values().collect();
        runs.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        let (curves, mut mends) = (self.curves(), Vec::new());
        for record in runs {
            let run = &record.run_id;
            if let Err(error) = curves.own(record) {
                mends.push(self.set_aside(&self.path.join(format!("curves/{run}.csv")), run.clone(), error.problem(), dry)?);
            }
            if let Err(error) = self.window_losses(record) {
                mends.push(self.set_aside(&self.path.join(format!("eval/{run}.f32")), run.clone(), error.problem(), dry)?);
            }
        }
        mends.extend(curves.check_packed().err().map(left));
        Ok(mends)
    }

    fn set_aside(&self, path: &Path, run: String, problem: String, dry: bool) -> Result<Mend, FolderError> {
        if !dry {
            let below = path.strip_prefix(&self.path).unwrap_or(path);
            let aside = self.path.join(ASIDE).join(below);
            let moved = fs::create_dir_all(aside.parent().unwrap_or(&self.path)).and_then(|()| fs::rename(path, &aside));
            moved.map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        }
        Ok(Mend { path: path.to_owned(), problem, end: MendEnd::SetAside(run) })
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// What is left as it is, with what its error says is to be done.
fn left(error: FolderError) -> Mend {
    match error {
        FolderError::Damaged { path, problem, remedy } => Mend { path, problem, end: MendEnd::Left(remedy) },
        other => Mend { path: PathBuf::new(), problem: other.to_string(), end: MendEnd::Left(String::new()) },
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::tests::trained;
    use super::*;

    fn folder() -> (tempfile::TempDir, SweepFolder) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        ["a", "b"].iter().for_each(|run| folder.keep(&trained(run)).expect("kept"));
        folder.write_runs(&["a", "b"].map(|run| trained(run).record)).expect("written");
        folder.write_plan(&["a", "b"].map(|run| trained(run).record)).expect("written");
        (place, folder)
    }

    fn ends(folder: &SweepFolder, dry: bool) -> Vec<MendEnd> {
        folder.repair("test", dry).expect("repaired").into_iter().map(|mend| mend.end).collect()
    }

    #[test]
    fn a_whole_folder_is_left_as_it_is() {
        let (_place, folder) = folder();
        assert_eq!(ends(&folder, false), []);
    }

    #[test]
    fn rows_and_runs_are_made_again_from_each_other_and_what_is_in_neither_is_set_aside() {
        let (_place, folder) = folder();
        let [own, table] = [folder.path.join("runs/b.csv"), folder.runs_csv()];
        let whole = [&own, &table].map(|path| fs::read(path).expect("reads"));
        for damaged in [&own, &table] {
            fs::write(damaged, b"run_id,lay").expect("written");
            let wanted = MendEnd::MadeAgain(if damaged == &own { "runs.csv" } else { "runs/" });
            assert_eq!(ends(&folder, true), std::slice::from_ref(&wanted));
            assert_eq!(fs::read(damaged).expect("reads"), b"run_id,lay", "a dry run changes nothing");
            assert_eq!(ends(&folder, false), [wanted]);
            assert_eq!([&own, &table].map(|path| fs::read(path).expect("reads")), whole);
        }
        fs::write(&own, b"run_id,lay").expect("written");
        folder.write_runs(&[trained("a").record]).expect("written");
        assert_eq!(ends(&folder, false), [MendEnd::SetAside("b".into())]);
        assert!(!own.exists() && folder.path.join("damaged/runs/b.csv").exists());
    }
}
