//! A folder that is kept, committed or sent: one table of all runs and one compressed table of all curves, where a folder that is
//! trained in has a file a run. A run's own files, where it has them, stand before the packed ones.

use super::folder::{FolderError, SweepFolder};
use super::import::import_table;
use super::lock::Claim;
use super::table::{RawTable, TableError, to_csv};
use super::wanted::Wanted;
use crate::spec::{CurvePoint, RunRecord};
use csv::StringRecord;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// All curves: a column `run_id`, then those of a curve.
const CURVES: &str = "curves.csv.gz";
/// The column that says whose curve a row belongs to.
const RUN: &str = "run_id";

/// Curves of a sweep's runs.
#[derive(Debug, Clone)]
pub struct RunCurves {
    folder: PathBuf,
    packed: HashMap<String, Vec<CurvePoint>>,
}

impl RunCurves {
    /// The curve of a run, where it left one.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub fn of(&self, run_id: &str) -> Result<Option<Vec<CurvePoint>>, FolderError> {
        let path = self.folder.join(format!("curves/{run_id}.csv"));
        let Some(bytes) = bytes_of(&path)? else { return Ok(self.packed.get(run_id).cloned()) };
        let table = RawTable::parse(path, &bytes)?;
        let names = StringRecord::from(table.headers.clone());
        let rows: Result<Vec<CurvePoint>, TableError> = table.rows.iter().map(|(line, row)| table.typed(*line, row, &names)).collect();
        Ok(Some(rows?))
    }
}

/// What was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Runs that the folder has now, and how many of them have curves.
    pub runs: usize,
    /// How many of them have curves.
    pub curves: usize,
    /// Files that are gone.
    pub files: usize,
}

impl SweepFolder {
    /// The curves of its runs.
    ///
    /// # Errors
    /// Where the packed ones cannot be read.
    pub fn curves(&self) -> Result<RunCurves, FolderError> {
        let path = self.path.join(CURVES);
        let packed = bytes_of(&path)?.map_or_else(|| Ok(HashMap::new()), |bytes| unpacked(path, &bytes))?;
        Ok(RunCurves { folder: self.path.clone(), packed })
    }

    /// Rows of `runs.csv` of a folder that was packed; none of another, where only a run's own file says that it is done.
    pub(super) fn packed_runs(&self) -> Result<Vec<RunRecord>, FolderError> {
        let is_packed = self.path.join(CURVES).exists() && self.runs_csv().exists();
        Ok(if is_packed { import_table(&self.runs_csv(), Wanted::default())?.records } else { Vec::new() })
    }

    /// Gathers all runs into `runs.csv` and all curves into `curves.csv.gz`, reads both again, and only then removes the files that
    /// are in them. What cannot be read, and curves of runs without a row, stay as they are.
    ///
    /// # Errors
    /// Where a sweep runs in the folder, it holds no run, or a file cannot be read or written; nothing is removed then.
    pub fn pack(&self, holder: &str) -> Result<Packed, FolderError> {
        if self.gathered()?.is_empty() {
            return Err(FolderError::NoSweep { path: self.path.clone() });
        }
        let _lock = self.lock(Claim::Whole, holder)?;
        let (rows, kept) = (self.gathered()?, self.curves()?);
        let mut curves: BTreeMap<String, Vec<CurvePoint>> = kept.packed.clone().into_iter().collect();
        for row in &rows {
            curves.extend(kept.of(&row.run_id)?.map(|curve| (row.run_id.clone(), curve)));
        }
        self.write(CURVES, &packed(&curves).map_err(|source| self.unpackable(source))?)?;
        self.write_runs(&rows)?;
        let whole = self.curves()?.packed == curves.clone().into_iter().collect() && self.packed_runs()? == rows;
        if !whole {
            return Err(self.unpackable(io::Error::other("what was written does not read back as it was; the files of the runs stay")));
        }
        let known: HashSet<&str> = rows.iter().map(|row| row.run_id.as_str()).collect();
        let files = ["runs", "curves"].map(|part| self.remove_of(part, &known)).into_iter().sum::<Result<usize, FolderError>>()?;
        Ok(Packed { runs: rows.len(), curves: curves.len(), files })
    }

    fn unpackable(&self, source: io::Error) -> FolderError {
        FolderError::Io { path: self.path.join(CURVES), source }
    }

    /// Removes the files of runs from a folder below, and that if nothing else is in it; how many they were.
    fn remove_of(&self, part: &str, runs: &HashSet<&str>) -> Result<usize, FolderError> {
        let folder = self.path.join(part);
        let mut removed = 0;
        for id in runs {
            let path = folder.join(format!("{id}.csv"));
            if path.exists() {
                fs::remove_file(&path).map_err(|source| FolderError::Io { path, source })?;
                removed += 1;
            }
        }
        // With anything left in it the system refuses.
        let _ = fs::remove_dir(&folder);
        Ok(removed)
    }
}

/// The bytes of a file, where it is there.
fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FolderError::Io { path: path.to_owned(), source }),
    }
}

/// Curves as one compressed table, the same bytes for the same curves.
fn packed(curves: &BTreeMap<String, Vec<CurvePoint>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(GzEncoder::new(Vec::new(), Compression::best()));
    let header = to_csv(&[CurvePoint::default()]);
    let columns = csv::Reader::from_reader(&header[..]).headers()?.clone();
    writer.write_record(std::iter::once(RUN).chain(&columns))?;
    for (run, curve) in curves.iter().filter(|(_, curve)| !curve.is_empty()) {
        for row in csv::Reader::from_reader(&to_csv(curve)[..]).records() {
            writer.write_record(std::iter::once(run.as_str()).chain(&row?))?;
        }
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?.finish()
}

/// Curves by run.
fn unpacked(path: PathBuf, bytes: &[u8]) -> Result<HashMap<String, Vec<CurvePoint>>, FolderError> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).map_err(|source| FolderError::Io { path: path.clone(), source })?;
    let table = RawTable::parse(path, &text)?;
    if table.headers.first().is_none_or(|first| first != RUN) {
        let found = format!("the columns are {}", table.headers.join(", "));
        return Err(TableError::MissingColumn { path: table.path, wanted: RUN, found }.into());
    }
    let names = StringRecord::from(table.headers.clone());
    let mut curves: HashMap<String, Vec<CurvePoint>> = HashMap::new();
    for (line, row) in &table.rows {
        curves.entry(row[0].to_owned()).or_default().push(table.typed(*line, row, &names)?);
    }
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::folder::tests::trained;
    use crate::spec::TrainedRun;

    /// A folder of three runs, one of them without a curve.
    fn sweep(place: &Path) -> SweepFolder {
        let folder = SweepFolder::at(place);
        folder.keep(&trained("a")).expect("kept");
        folder.keep(&trained("b")).expect("kept");
        folder.keep(&TrainedRun { curve: Vec::new(), ..trained("c") }).expect("kept");
        folder
    }

    fn names(folder: &SweepFolder) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&folder.path)
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_packed_folder_says_what_it_said_before() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = sweep(place.path());
        let (done, gathered) = (folder.done().expect("reads").0, folder.gathered().expect("reads"));
        assert_eq!(folder.pack("a test").expect("packed"), Packed { runs: 3, curves: 2, files: 5 });
        assert_eq!(names(&folder), ["curves.csv.gz", "eval", "runs.csv"]);
        assert_eq!((folder.done().expect("reads").0, folder.gathered().expect("reads")), (done, gathered));
        let curves = folder.curves().expect("reads");
        assert_eq!(curves.of("a").expect("reads"), Some(trained("a").curve));
        assert_eq!(curves.of("c").expect("reads"), None);
        // Packed again it is the same to the byte.
        let before = fs::read(place.path().join(CURVES)).expect("reads");
        assert_eq!(folder.pack("a test").expect("packed"), Packed { runs: 3, curves: 2, files: 0 });
        assert_eq!(fs::read(place.path().join(CURVES)).expect("reads"), before);
    }

    #[test]
    fn runs_that_are_trained_later_stand_beside_the_packed_ones_and_are_packed_with_them() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = sweep(place.path());
        folder.pack("a test").expect("packed");
        folder.keep(&trained("d")).expect("kept");
        assert_eq!(folder.done().expect("reads").0.len(), 4);
        assert_eq!(folder.curves().and_then(|curves| curves.of("d")).expect("reads"), Some(trained("d").curve));
        assert_eq!(folder.pack("a test").expect("packed"), Packed { runs: 4, curves: 3, files: 2 });
        assert_eq!(folder.curves().and_then(|curves| curves.of("d")).expect("reads"), Some(trained("d").curve));
    }

    #[test]
    fn only_a_packed_table_says_that_runs_are_done() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        folder.write_runs(&[trained("a").record]).expect("written");
        assert!(folder.done().expect("reads").0.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_named_and_stays() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = sweep(place.path());
        let spoilt = place.path().join("curves/b.csv");
        fs::write(&spoilt, "step,tokens\n1,x\n").expect("written");
        let told = folder.pack("a test").expect_err("damaged").to_string();
        assert!(told.contains("b.csv, line 2, column `tokens`") && spoilt.exists() && place.path().join("runs/a.csv").exists(), "{told}");
        fs::remove_file(&spoilt).expect("removed");
        // The row of a run that cannot be read is no row, and its file stays.
        fs::write(place.path().join("runs/b.csv"), "run_id\n").expect("written");
        assert_eq!(folder.pack("a test").expect("packed"), Packed { runs: 2, curves: 1, files: 3 });
        assert!(place.path().join("runs/b.csv").exists());
        fs::write(place.path().join(CURVES), b"no archive").expect("written");
        assert!(folder.curves().expect_err("damaged").to_string().contains(CURVES));
        let empty = SweepFolder::at(place.path().join("none"));
        assert!(matches!(empty.pack("a test"), Err(FolderError::NoSweep { .. })) && !empty.path.exists());
    }

    #[test]
    fn a_folder_that_is_trained_in_is_not_packed() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = sweep(place.path());
        let _lock = folder.lock(Claim::Whole, "a sweep").expect("free");
        assert!(matches!(folder.pack("a test"), Err(FolderError::Locked { .. })));
        assert!(place.path().join("runs/a.csv").exists());
    }
}
