//! One sweep's folder: `plan.csv`, `runs/`, `curves/`, `eval/`, `runs.csv`, `fits/`. In one that was packed (packed.rs) `runs.csv` is
//! the only copy of the rows in it; in any other it is made again from `runs/`.

use super::atomic::write_whole;
use super::damage::{placed, unbroken, windows_problem};
use super::import::import_bytes;
use super::imported::Imported;
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

/// What is done about a damaged file of a packed folder.
pub(super) const ONLY_COPY: &str = "a packed folder has no other copy of what stood there: put back the file as it was committed or sent";

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
    /// A table in it is not to be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file in it that we wrote is not whole.
    #[error("{problem}; {remedy}")]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// The file, and what is wrong with it.
        problem: String,
        /// How it is made again.
        remedy: String,
    },
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

impl FolderError {
    /// What is wrong, without what is to be done.
    pub(super) fn problem(self) -> String {
        match self {
            Self::Damaged { problem, .. } => problem,
            other => other.to_string(),
        }
    }
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
    ///
    /// # Errors
    /// Where what was kept is not what its row says.
    pub fn window_losses(&self, record: &RunRecord) -> Result<Option<Vec<f32>>, FolderError> {
        let path = self.path.join(format!("eval/{}.f32", record.run_id));
        let Some(bytes) = bytes_of(&path)? else { return Ok(None) };
        let (fours, rest) = bytes.as_chunks::<4>();
        let losses: Vec<f32> = fours.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let cut = (!rest.is_empty()).then(|| "it ends within a number: it was cut off".to_owned());
        match cut.or_else(|| windows_problem(record, &losses)) {
            Some(problem) => Err(self.of_run(&path, &problem, &record.run_id)),
            None => Ok(Some(losses)),
        }
    }

    /// A damaged file that a run left beside its row.
    pub(super) fn of_run(&self, path: &Path, problem: &str, run: &str) -> FolderError {
        let remedy = format!(
            "`scalelab repair {}` sets it aside, and `scalelab sweep GRID --retry {run}` trains its run again",
            self.path.display()
        );
        FolderError::Damaged { path: path.to_owned(), problem: placed(path, problem), remedy }
    }

    fn damaged(&self, name: &str, error: &TableError, remedy: String) -> FolderError {
        FolderError::Damaged { path: self.path.join(name), problem: error.to_string(), remedy }
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
    pub(super) fn own_runs(&self) -> Result<(HashMap<String, RunRecord>, Vec<DamagedRun>), FolderError> {
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
        let packed = self.path.join(PACKED_CURVES).exists();
        let own = !self.tables_of("runs")?.is_empty();
        let broken = |error: TableError| match (packed, own) {
            (true, _) => self.damaged("runs.csv", &error, ONLY_COPY.to_owned()),
            (false, true) => {
                let remedy = format!("`scalelab repair {}` makes it again from runs/", self.path.display());
                self.damaged("runs.csv", &error, remedy)
            }
            (false, false) => error.into(),
        };
        if bytes.contains(&0) {
            unbroken(&path, &bytes).map_err(broken)?;
        }
        match import_bytes(&path, &bytes, Wanted::default()) {
            // With no byte in it, not even a header, the only copy is lost; that is no sweep without a run.
            Err(TableError::Empty { .. }) if !(bytes.is_empty() && packed) => Ok(None),
            Ok(table) if table.own => unbroken(&path, &bytes).map(|()| Some(table)).map_err(broken),
            table => table.map(Some).map_err(broken),
        }
    }

    /// Why runs of a packed folder have no row: their curves are there, and `runs.csv`, the only copy of the rows, was cut.
    ///
    /// # Errors
    /// Where a file of the folder cannot be read.
    pub fn lost_rows(&self) -> Result<Option<FolderError>, FolderError> {
        if !self.path.join(PACKED_CURVES).exists() {
            return Ok(None);
        }
        let (done, damaged) = self.done()?;
        let known =
            |run: &str| done.contains_key(run) || damaged.iter().any(|(path, _)| path.file_stem().is_some_and(|stem| *stem == *run));
        // Curves are unpacked only where a planned run has no row.
        if self.plan()?.is_some_and(|plan| plan.iter().all(|planned| known(&planned.run_id))) {
            return Ok(None);
        }
        let mut lost: Vec<String> = self.curves().packed_runs()?.into_iter().filter(|run| !known(run)).collect();
        lost.sort();
        let Some(first) = lost.first() else { return Ok(None) };
        let path = self.runs_csv();
        let problem =
            format!("{}: {} runs, such as {first}, have curves in {PACKED_CURVES} and no row: it was cut off", path.display(), lost.len());
        Ok(Some(FolderError::Damaged { path, problem, remedy: ONLY_COPY.to_owned() }))
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
        Ok(self.gathered_and_damaged()?.0)
    }

    /// The same with the files of `runs/` that cannot be read.
    ///
    /// # Errors
    /// Where `runs.csv`, `plan.csv` or the folder cannot be read.
    pub fn gathered_and_damaged(&self) -> Result<(Vec<RunRecord>, Vec<DamagedRun>), FolderError> {
        let (mut done, damaged) = self.own_runs()?;
        let rows = self.table()?.map_or_else(Vec::new, |table| table.records);
        rows.into_iter().for_each(|row| _ = done.entry(row.run_id.clone()).or_insert(row));
        Ok((self.in_order(done, self.plan()?.unwrap_or_default()), damaged))
    }

    /// Rows in the order of a plan, others last by name.
    pub(super) fn in_order(&self, rows: HashMap<String, RunRecord>, plan: Vec<RunRecord>) -> Vec<RunRecord> {
        let order: HashMap<String, usize> = plan.into_iter().enumerate().map(|(at, row)| (row.run_id, at)).collect();
        let mut records: Vec<RunRecord> = rows.into_values().collect();
        let place = |record: &RunRecord| (order.get(&record.run_id).copied().unwrap_or(usize::MAX), record.run_id.clone());
        records.sort_by_cached_key(place);
        records
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
        let remedy = "`scalelab sweep GRID` writes it anew from its grid file".to_owned();
        planned_rows(path, &bytes).map(Some).map_err(|error| self.damaged("plan.csv", &error, remedy))
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

/// Rows of a `plan.csv`.
fn planned_rows(path: PathBuf, bytes: &[u8]) -> Result<Vec<RunRecord>, TableError> {
    unbroken(&path, bytes)?;
    let table = RawTable::parse(path, bytes)?;
    if !table.headers.iter().any(|name| name == "run_id") {
        let found = format!("the columns are {}", table.headers.join(", "));
        return Err(TableError::MissingColumn { path: table.path, wanted: "run_id", found, advice: "it is no plan of ours".to_owned() });
    }
    let names = StringRecord::from(table.headers.clone());
    table.rows.iter().map(|(line, row)| table.typed(*line, row, &names)).collect()
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
    unbroken(path, &bytes)?;
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

    /// The row of a run of which nothing but the name is known.
    pub(in crate::results) fn named(id: &str) -> RunRecord {
        RunRecord { run_id: id.into(), ..RunRecord::default() }
    }

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
        assert_eq!(curves.of(&named("a")).expect("reads"), Some(trained("a").curve));
        assert_eq!(curves.of(&named("none")).expect("reads"), None);
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
