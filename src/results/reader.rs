//! A sweep's folder that is looked at again and again while others write into it: only what changed since the last look is read.
//! Every file is renamed into place, so a folder whose time did not change holds the files that it held.

use super::folder::{FolderError, PACKED_CURVES, SweepFolder, one_record};
use crate::spec::RunRecord;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the files of a sweep say at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FolderContents {
    /// Rows of `plan.csv`; none where there is no plan.
    pub plan: Option<Arc<Vec<RunRecord>>>,
    /// Every run that is done, by run id.
    pub done: Arc<HashMap<String, RunRecord>>,
    /// When the own file of a run was written, by run id, seconds since 1970.
    pub written_at: Arc<HashMap<String, u64>>,
    /// Files of runs that cannot be read, and why: these runs count as not done.
    pub damaged: Arc<Vec<(PathBuf, String)>>,
}

/// Reads a folder again and again.
#[derive(Debug)]
pub struct FolderReader {
    folder: SweepFolder,
    plan: Option<Stamp>,
    /// Time of `runs/` when it was listed.
    listed: Option<SystemTime>,
    own: BTreeMap<PathBuf, (Stamp, Result<RunRecord, String>)>,
    packed: [Option<Stamp>; 2],
    packed_rows: Vec<RunRecord>,
    contents: FolderContents,
}

/// Time and length of a file.
type Stamp = (SystemTime, u64);

/// Within this time after a change there may be another at the same time of the file system.
const TICK: Duration = Duration::from_secs(3);

impl FolderReader {
    /// One that has read nothing yet.
    pub fn of(folder: SweepFolder) -> Self {
        let contents = FolderContents::default();
        Self { folder, plan: None, listed: None, own: BTreeMap::new(), packed: [None; 2], packed_rows: Vec::new(), contents }
    }

    /// The folder that is read.
    pub fn folder(&self) -> &SweepFolder {
        &self.folder
    }

    /// What the files say now.
    ///
    /// # Errors
    /// Where a table of the folder, or the folder, cannot be read.
    pub fn look(&mut self) -> Result<FolderContents, FolderError> {
        self.read_plan()?;
        let own = self.read_own()?;
        if self.read_packed()? || own {
            self.gather();
        }
        Ok(self.contents.clone())
    }

    fn read_plan(&mut self) -> Result<(), FolderError> {
        let now = stamp(&self.folder.path.join("plan.csv"));
        if now.is_none() || now != self.plan {
            self.contents.plan = self.folder.plan()?.map(Arc::new);
            self.plan = now;
        }
        Ok(())
    }

    /// Whether the files of runs say something new.
    fn read_own(&mut self) -> Result<bool, FolderError> {
        let time = stamp(&self.folder.path.join("runs")).map(|stamp| stamp.0);
        let settled = time.is_none_or(|time| time.elapsed().is_ok_and(|age| age > TICK));
        if time == self.listed && settled {
            return Ok(false);
        }
        let paths = self.folder.tables_of("runs")?;
        let before = self.own.len();
        self.own.retain(|path, _| paths.binary_search(path).is_ok());
        let mut new = before != self.own.len();
        for path in paths {
            let Some(stamp) = stamp(&path) else { continue };
            if self.own.get(&path).is_none_or(|known| known.0 != stamp) {
                let row = one_record(&path).map(|(record, _)| record).map_err(|error| error.to_string());
                self.own.insert(path, (stamp, row));
                new = true;
            }
        }
        self.listed = time;
        Ok(new)
    }

    /// Whether the rows of a packed folder are others than before.
    fn read_packed(&mut self) -> Result<bool, FolderError> {
        let now = ["runs.csv", PACKED_CURVES].map(|name| stamp(&self.folder.path.join(name)));
        if now == self.packed {
            return Ok(false);
        }
        // In a folder that was not packed runs.csv is no source of its own.
        let rows = self.folder.packed_runs()?;
        self.packed = now;
        let new = rows != self.packed_rows;
        self.packed_rows = rows;
        Ok(new)
    }

    fn gather(&mut self) {
        let (mut done, mut written_at, mut damaged) = (HashMap::new(), HashMap::new(), Vec::new());
        for (path, ((time, _), row)) in &self.own {
            match row {
                Ok(record) => {
                    written_at.insert(record.run_id.clone(), time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()));
                    done.insert(record.run_id.clone(), record.clone());
                }
                Err(problem) => damaged.push((path.clone(), problem.clone())),
            }
        }
        let broken = |run: &str| damaged.iter().any(|(path, _)| path.file_stem().is_some_and(|stem| *stem == *run));
        for row in self.packed_rows.iter().filter(|row| !broken(&row.run_id)) {
            done.entry(row.run_id.clone()).or_insert_with(|| row.clone());
        }
        (self.contents.done, self.contents.written_at) = (Arc::new(done), Arc::new(written_at));
        self.contents.damaged = Arc::new(damaged);
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

/// The sweep under `results` in which something happened last: a heartbeat, a plan or a table.
pub fn liveliest_sweep(results: &Path) -> Result<SweepFolder, FolderError> {
    let none = || FolderError::NoSweep { path: results.to_owned() };
    let entries = fs::read_dir(results).map_err(|_| none())?;
    let changed = |path: &Path| ["running", "plan.csv", "runs.csv"].iter().filter_map(|name| stamp(&path.join(name))).max();
    let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
    let liveliest = folders.filter_map(|path| changed(&path).map(|time| (time.0, path))).max();
    liveliest.map(|(_, path)| SweepFolder::at(path)).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::super::folder::tests::{named, trained};
    use super::*;

    #[test]
    fn a_folder_says_at_every_look_what_a_fresh_reading_says() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path().join("sweep"));
        let mut reader = FolderReader::of(folder.clone());
        let mut agree = |runs: usize, damaged: usize| {
            let seen = reader.look().expect("reads");
            let (done, broken) = folder.done().expect("reads");
            assert_eq!((&*seen.done, seen.damaged.len(), done.len(), broken.len()), (&done, damaged, runs, damaged));
            assert_eq!(seen.plan.map(|plan| plan.to_vec()), folder.plan().expect("reads"));
        };
        agree(0, 0);
        folder.write_plan(&[named("a"), named("b")]).expect("written");
        folder.keep(&trained("a")).expect("kept");
        agree(1, 0);
        folder.keep(&trained("b")).expect("kept");
        agree(2, 0);
        fs::write(folder.path.join("runs/b.csv"), b"run").expect("written");
        folder.write_plan(&[named("a"), named("b"), named("c")]).expect("written");
        agree(1, 1);
        fs::remove_file(folder.path.join("runs/b.csv")).expect("removed");
        agree(1, 0);
        folder.pack("a test").expect("packed");
        agree(1, 0);
        folder.keep(&trained("c")).expect("kept");
        agree(2, 0);
    }

    #[test]
    fn the_liveliest_sweep_is_the_one_that_something_happened_in_last() {
        let place = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(liveliest_sweep(place.path()), Err(FolderError::NoSweep { .. })));
        for name in ["done", "begun"] {
            SweepFolder::at(place.path().join(name)).write_plan(&[named("a")]).expect("written");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(liveliest_sweep(place.path()).expect("found").path, place.path().join("begun"), "without a table");
        SweepFolder::at(place.path().join("done")).write_runs(&[]).expect("written");
        assert_eq!(liveliest_sweep(place.path()).expect("found").path, place.path().join("done"));
    }
}
