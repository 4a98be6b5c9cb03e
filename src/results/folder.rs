//! One sweep's folder: `plan.csv`, `runs/`, `curves/`, `eval/`, `runs.csv`, `fits/`. In one that was packed (packed.rs) `runs.csv` is
//! the only copy of the rows in it; in any other it is made again from `runs/`.

use super::atomic::write_whole;
use super::import::{Imported, import_bytes};
use super::table::{RawTable, TableError, records_to_csv, to_csv};
use super::wanted::Wanted;
use crate::spec::{RunRecord, RunStatus, TrainedRun};
use csv::StringRecord;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All curves of a folder that was packed: a column `run_id`, then those of a curve. Where it stands, `runs.csv` is whole: it is
/// written last.
pub(super) const PACKED_CURVES: &str = "curves.csv.gz";

/// Why a results folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file in it cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A table in it is damaged.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Another sweep runs in it.
    #[error("another scalelab ({holder}) is running in {}; wait for it or stop it", path.display())]
    Locked {
        /// Path of the folder.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// It is not to be packed as it is.
    #[error("{} is not packed: {why}", path.display())]
    Unpackable {
        /// Path of the folder.
        path: PathBuf,
        /// What speaks against it, and what to do.
        why: String,
    },
    /// There is no sweep to read.
    #[error("{} holds no sweep; run `scalelab sweep sweeps/quick.toml` first, or name a results folder or a CSV file", path.display())]
    NoSweep {
        /// The folder looked in.
        path: PathBuf,
    },
}

/// The folder of one sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepFolder {
    /// Path of the folder.
    pub path: PathBuf,
}

/// Two results of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// What the run's own file tells.
    pub own: RunRecord,
    /// What `runs.csv` tells.
    pub gathered: RunRecord,
}

/// A run's own file that could not be read.
pub type DamagedRun = (PathBuf, TableError);

impl SweepFolder {
    /// The folder at `path`, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Writes `plan.csv`.
    pub fn write_plan(&self, planned: &[RunRecord]) -> Result<(), FolderError> {
        self.write("plan.csv", &records_to_csv(planned))
    }

    /// Keeps what came of a run: curve and window losses first, the row that says it is done last.
    pub fn keep(&self, run: &TrainedRun) -> Result<(), FolderError> {
        let id = &run.record.run_id;
        if !run.curve.is_empty() {
            self.write(&format!("curves/{id}.csv"), &to_csv(&run.curve))?;
        }
        if !run.window_losses.is_empty() {
            let bytes: Vec<u8> = run.window_losses.iter().flat_map(|loss| loss.to_le_bytes()).collect();
            self.write(&format!("eval/{id}.f32"), &bytes)?;
        }
        self.write(&format!("runs/{id}.csv"), &records_to_csv(std::slice::from_ref(&run.record)))
    }

    /// Held-out loss of a run on every window, nats per token; `None` where it was not kept (`eval/` is not committed).
    pub fn window_losses(&self, run_id: &str) -> Option<Vec<f32>> {
        let bytes = fs::read(self.path.join(format!("eval/{run_id}.f32"))).ok()?;
        let whole = bytes.len() % 4 == 0;
        whole.then(|| bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
    }

    /// Every run that is done, by run id: those with a file of their own and, in a folder that was packed, the rows of `runs.csv`.
    /// With them the files that cannot be read: their runs count as not done, whatever `runs.csv` says.
    pub fn done(&self) -> Result<(HashMap<String, RunRecord>, Vec<DamagedRun>), FolderError> {
        let (mut done, damaged) = self.own_runs()?;
        let mut packed = self.packed_runs()?;
        packed.retain(|row| !damaged.iter().any(|(path, _)| path.file_stem().is_some_and(|stem| *stem == *row.run_id)));
        packed.into_iter().for_each(|row| _ = done.entry(row.run_id.clone()).or_insert(row));
        Ok((done, damaged))
    }

    /// Rows that `runs.csv` must go on holding, by run id: of the runs that are done and, in a folder that was packed, of those whose
    /// own file cannot be read, since there is no other copy.
    pub fn held(&self, done: &HashMap<String, RunRecord>) -> Result<HashMap<String, RunRecord>, FolderError> {
        let mut held = done.clone();
        self.packed_runs()?.into_iter().for_each(|row| _ = held.entry(row.run_id.clone()).or_insert(row));
        Ok(held)
    }

    /// Every run with a file of its own, by run id, and the files that cannot be read.
    fn own_runs(&self) -> Result<(HashMap<String, RunRecord>, Vec<DamagedRun>), FolderError> {
        let (mut own, mut damaged) = (HashMap::new(), Vec::new());
        for path in self.tables_of("runs")? {
            match one_record(&path) {
                Ok((record, _)) => _ = own.insert(record.run_id.clone(), record),
                Err(error) => damaged.push((path, error)),
            }
        }
        Ok((own, damaged))
    }

    /// The tables in a folder below this one, by name; none where there is no such folder.
    pub(super) fn tables_of(&self, part: &str) -> Result<Vec<PathBuf>, FolderError> {
        let folder = self.path.join(part);
        let io = |source| FolderError::Io { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io(source)),
        };
        let paths: Result<Vec<PathBuf>, io::Error> = entries.map(|entry| Ok(entry?.path())).collect();
        let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let mut tables = paths.map_err(io)?;
        tables.retain(|path| !hidden(path) && path.extension().is_some_and(|extension| extension == "csv"));
        tables.sort();
        Ok(tables)
    }

    /// `runs.csv`; none where it is not there, or has no row, as a sweep without any finished run leaves it.
    pub(super) fn table(&self) -> Result<Option<Imported>, FolderError> {
        let path = self.runs_csv();
        let Some(bytes) = bytes_of(&path)? else { return Ok(None) };
        match import_bytes(&path, &bytes, Wanted::default()) {
            // With no byte in it, not even a header, the only copy is lost; that is no sweep without a run.
            Err(TableError::Empty { .. }) if !(bytes.is_empty() && self.path.join(PACKED_CURVES).exists()) => Ok(None),
            table => Ok(Some(table?)),
        }
    }

    /// Rows of which `runs.csv` is the only copy: those of a folder that was packed, none of any other, whose `runs.csv` may be stale,
    /// or somebody else's.
    pub(super) fn packed_runs(&self) -> Result<Vec<RunRecord>, FolderError> {
        if !self.path.join(PACKED_CURVES).exists() {
            return Ok(Vec::new());
        }
        Ok(self.table()?.filter(|table| table.own).map_or_else(Vec::new, |table| table.records))
    }

    /// Whether `runs.csv` is the only copy of rows in it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn is_packed(&self) -> Result<bool, FolderError> {
        Ok(!self.packed_runs()?.is_empty())
    }

    /// Every row there is, whether gathered or not: files of `runs/` first, rows of `runs.csv` without a file that can be read after
    /// them; in the order of the plan, orphaned runs last by name.
    pub fn gathered(&self) -> Result<Vec<RunRecord>, FolderError> {
        let (mut done, _) = self.own_runs()?;
        let rows = self.table()?.map_or_else(Vec::new, |table| table.records);
        rows.into_iter().for_each(|row| _ = done.entry(row.run_id.clone()).or_insert(row));
        let order: HashMap<String, usize> =
            self.plan()?.unwrap_or_default().into_iter().enumerate().map(|(at, row)| (row.run_id, at)).collect();
        let mut records: Vec<RunRecord> = done.into_values().collect();
        let place = |record: &RunRecord| (order.get(&record.run_id).copied().unwrap_or(usize::MAX), record.run_id.clone());
        records.sort_by_cached_key(place);
        Ok(records)
    }

    /// Rows of the plan as it is now, where there is one; else all. Runs of a plan that was changed since are another family.
    pub fn gathered_of_plan(&self) -> Result<Vec<RunRecord>, FolderError> {
        let planned: Option<HashSet<String>> = self.plan()?.map(|plan| plan.into_iter().map(|record| record.run_id).collect());
        let mut rows = self.gathered()?;
        rows.retain(|record| planned.as_ref().is_none_or(|planned| planned.contains(&record.run_id)));
        Ok(rows)
    }

    /// Finished runs of which `runs.csv`, gathered before, tells another loss than their own file: copied together from
    /// machines that did not compute the same.
    /// A table that cannot be read tells nothing: it is made again from the files. (That of a packed folder was read for `done`.)
    pub fn conflicts(&self, done: &HashMap<String, RunRecord>) -> Vec<Conflict> {
        let gathered = self.table().ok().flatten().map_or_else(Vec::new, |table| table.records);
        let finished = |record: &RunRecord| record.status == RunStatus::Finished;
        let differ = |row: RunRecord| {
            let own = done.get(&row.run_id).filter(|own| finished(own) && finished(&row) && own.loss_nats != row.loss_nats)?;
            Some(Conflict { own: own.clone(), gathered: row })
        };
        gathered.into_iter().filter_map(differ).collect()
    }

    /// Writes `runs.csv` in the order given.
    pub fn write_runs(&self, records: &[RunRecord]) -> Result<(), FolderError> {
        self.write("runs.csv", &records_to_csv(records))
    }

    /// Path of `runs.csv`.
    pub fn runs_csv(&self) -> PathBuf {
        self.path.join("runs.csv")
    }

    /// Records of `plan.csv`, where there is one.
    pub fn plan(&self) -> Result<Option<Vec<RunRecord>>, FolderError> {
        let path = self.path.join("plan.csv");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        let table = RawTable::parse(path, &bytes)?;
        let names = StringRecord::from(table.headers.clone());
        let rows: Result<Vec<RunRecord>, TableError> = table.rows.iter().map(|(line, row)| table.typed(*line, row, &names)).collect();
        Ok(Some(rows?))
    }

    /// Writes a file of the folder, whole.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        write_whole(&path, bytes).map_err(|source| FolderError::Io { path, source })
    }
}

/// The sweep under `results` whose `runs.csv` was written last.
pub fn newest_sweep(results: &Path) -> Result<SweepFolder, FolderError> {
    let none = || FolderError::NoSweep { path: results.to_owned() };
    let entries = fs::read_dir(results).map_err(|_| none())?;
    let written = |path: &Path| fs::metadata(path.join("runs.csv")).and_then(|file| file.modified()).ok();
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    let newest = folders.filter_map(|path| written(&path).map(|time| (time, path))).max();
    newest.map(|(_, path)| SweepFolder::at(path)).ok_or_else(none)
}

/// The bytes of a file, where it is there.
pub(super) fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FolderError::Io { path: path.to_owned(), source }),
    }
}

/// The one row of a run's own file, and the bytes of it.
pub(super) fn one_record(path: &Path) -> Result<(RunRecord, Vec<u8>), TableError> {
    let bytes = fs::read(path).map_err(|source| TableError::Unreadable { path: path.to_owned(), source })?;
    let imported = import_bytes(path, &bytes, Wanted::default())?;
    let named_like_its_file = |record: &RunRecord| path.file_stem().is_some_and(|stem| stem.to_string_lossy() == record.run_id);
    match imported.records.as_slice() {
        [record] if imported.own && named_like_its_file(record) => Ok((record.clone(), bytes)),
        _ => Err(TableError::Row {
            path: path.to_owned(),
            line: 2,
            problem: "expected the one row of the run that the file is named after".into(),
        }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::{CurvePoint, Nats, Params, Tokens};

    pub(in crate::results) fn trained(id: &str) -> TrainedRun {
        let record = RunRecord {
            run_id: id.into(),
            layers: Some(2),
            params_total: Some(Params(1e4)),
            tokens: Some(Tokens(1e6)),
            loss_nats: Some(Nats(2.5)),
            ..RunRecord::default()
        };
        let point = |step: u64| CurvePoint { step, tokens: 10 * step, train_loss_nats: Some(3.0), ..CurvePoint::default() };
        TrainedRun { record, curve: vec![point(1), point(2)], window_losses: vec![2.0, 3.0] }
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path().join("sweep"));
        assert!(folder.done().expect("reads").0.is_empty());
        let mut diverged = trained("b");
        diverged.record.status = RunStatus::Diverged;
        diverged.record.loss_nats = None;
        folder.keep(&trained("a")).expect("kept");
        folder.keep(&diverged).expect("kept");
        let (done, damaged) = folder.done().expect("reads");
        assert!(damaged.is_empty());
        assert_eq!(done["a"], trained("a").record);
        assert_eq!(done["b"], diverged.record);
        let curves = folder.curves();
        assert_eq!(curves.of("a").expect("reads"), Some(trained("a").curve));
        assert_eq!(curves.of("none").expect("reads"), None);
    }

    #[test]
    fn a_damaged_run_file_is_named_and_does_not_count() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        folder.keep(&trained("a")).expect("kept");
        folder.keep(&trained("b")).expect("kept");
        let whole = fs::read(place.path().join("runs/b.csv")).expect("reads");
        let cases: [&[u8]; 4] = [b"", &whole[..whole.len() / 2], &[0; 300], b"run_id,layers,status\nb,2,finished\n"];
        for bytes in cases {
            fs::write(place.path().join("runs/b.csv"), bytes).expect("written");
            let (done, damaged) = folder.done().expect("reads");
            assert_eq!((done.len(), damaged.len()), (1, 1));
            assert!(damaged[0].0.ends_with("runs/b.csv"));
        }
    }

    #[test]
    fn two_results_of_one_run_are_a_conflict_and_a_run_tried_again_is_none() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let failed = RunRecord { status: RunStatus::Failed, loss_nats: None, ..trained("b").record };
        let elsewhere = RunRecord { loss_nats: Some(Nats(2.6)), host: Some("elsewhere".into()), ..trained("a").record };
        let conflicts = || folder.conflicts(&folder.done().expect("reads").0);
        folder.keep(&trained("a")).expect("kept");
        folder.keep(&trained("b")).expect("kept");
        assert_eq!(conflicts(), []);
        folder.write_runs(&[trained("a").record, failed]).expect("written");
        assert_eq!(conflicts(), []);
        folder.keep(&TrainedRun { record: elsewhere.clone(), ..trained("a") }).expect("copied over");
        assert_eq!(conflicts(), [Conflict { own: elsewhere, gathered: trained("a").record }]);
    }

    #[test]
    fn the_newest_sweep_is_the_one_gathered_last() {
        let place = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(newest_sweep(place.path()), Err(FolderError::NoSweep { .. })));
        for name in ["old", "new"] {
            SweepFolder::at(place.path().join(name)).write_runs(&[]).expect("written");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(newest_sweep(place.path()).expect("found").path, place.path().join("new"));
    }
}
