//! A folder that is kept, committed or sent: `runs.csv` and one compressed table of all curves, where a folder that is trained in has
//! a file a run. A run's own files, where it has them, stand before the packed ones. What is packed is first read again from the bytes
//! that are to be written; the curves are written last, so that at any moment the folder says the same; and only then the files that
//! were packed go.

use super::atomic::settle;
use super::damage::{curve_problem, placed, unbroken};
use super::folder::{FolderError, ONLY_COPY, PACKED_CURVES, SweepFolder, bytes_of, one_record};
use super::import::import_bytes;
use super::lock::Claim;
use super::parts::PartColumns;
use super::table::{RawTable, TableError, records_to_csv, to_csv};
use super::wanted::Wanted;
use crate::spec::{CurvePoint, RunRecord};
use csv::StringRecord;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The column that says whose curve a row belongs to.
const RUN: &str = "run_id";
/// Names that are spelt out in a refusal.
const NAMES_SHOWN: usize = 3;

/// Curves by the name of their run.
type Curves = HashMap<String, Vec<CurvePoint>>;

/// Curves of a sweep's runs, each read when it is asked for; the packed ones together, at the first that has no file of its own.
#[derive(Debug, Clone)]
pub struct RunCurves {
    folder: PathBuf,
    packed: OnceCell<Curves>,
}

impl RunCurves {
    /// The curve of a run, where it left one.
    ///
    /// # Errors
    /// Where its file cannot be read, or is not the whole curve of the run.
    pub fn of(&self, record: &RunRecord) -> Result<Option<Vec<CurvePoint>>, FolderError> {
        if let Some(curve) = self.own(record)? {
            return Ok(Some(curve));
        }
        let Some(curve) = self.packed()?.get(&record.run_id) else { return Ok(None) };
        match curve_problem(record, curve) {
            Some(problem) => Err(self.spoilt(&format!("run {}: {problem}", record.run_id))),
            None => Ok(Some(curve.clone())),
        }
    }

    /// The curve of a run that has a file of its own.
    pub(super) fn own(&self, record: &RunRecord) -> Result<Option<Vec<CurvePoint>>, FolderError> {
        let run = &record.run_id;
        let path = self.folder.join(format!("curves/{run}.csv"));
        let Some(bytes) = bytes_of(&path)? else { return Ok(None) };
        let of_run = |problem: &str| SweepFolder::at(&self.folder).of_run(&path, problem, run);
        let curve = unbroken(&path, &bytes).and_then(|()| curve_of(path.clone(), &bytes)).map_err(|error| of_run(&error.to_string()))?;
        match curve_problem(record, &curve) {
            Some(problem) => Err(of_run(&problem)),
            None => Ok(Some(curve)),
        }
    }

    /// Names of the runs whose curves are packed.
    pub(super) fn packed_runs(&self) -> Result<Vec<String>, FolderError> {
        Ok(self.packed()?.keys().cloned().collect())
    }

    /// Whether the packed curves can be read, where there are any.
    pub(super) fn check_packed(&self) -> Result<(), FolderError> {
        self.packed().map(|_| ())
    }

    fn spoilt(&self, problem: &str) -> FolderError {
        let path = self.folder.join(PACKED_CURVES);
        FolderError::Damaged { problem: placed(&path, problem), path, remedy: ONLY_COPY.to_owned() }
    }

    fn packed(&self) -> Result<&Curves, FolderError> {
        if self.packed.get().is_none() {
            let path = self.folder.join(PACKED_CURVES);
            let read = |bytes: Vec<u8>| {
                let text = unpacked(&bytes).map_err(|error| self.spoilt(&format!("it cannot be unpacked: {error}")))?;
                curves_of(&path, &text).map_err(|error| self.spoilt(&error.to_string()))
            };
            let curves = bytes_of(&path)?.map_or_else(|| Ok(Curves::new()), read)?;
            return Ok(self.packed.get_or_init(|| curves));
        }
        Ok(self.packed.get_or_init(Curves::new))
    }
}

/// What packing did to a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    /// Runs that `runs.csv` has now.
    pub runs: usize,
    /// How many of them have a curve.
    pub curves: usize,
    /// Files that are gone.
    pub files: usize,
    /// Files of runs that cannot be read, and stay.
    pub damaged: Vec<PathBuf>,
}

/// All that a folder says of its runs, and the files that say it.
struct Contents {
    rows: Vec<RunRecord>,
    /// In the order of the rows; those of runs without a row last, by name.
    curves: Vec<(String, Vec<CurvePoint>)>,
    /// Files whose whole content stands above.
    files: Vec<(PathBuf, Vec<u8>)>,
    damaged: Vec<PathBuf>,
}

impl SweepFolder {
    /// The curves of its runs.
    pub fn curves(&self) -> RunCurves {
        RunCurves { folder: self.path.clone(), packed: OnceCell::new() }
    }

    /// Gathers all runs into `runs.csv` and all curves into `curves.csv.gz`, and removes the files that are in them. Files of runs
    /// that cannot be read, curves of runs without a row and curves without a point stay as they are.
    ///
    /// # Errors
    /// Where a sweep runs in the folder or is not over, it holds no run, `runs.csv` is not ours or disagrees with the files of runs,
    /// or a file cannot be read or written; nothing is removed then.
    pub fn pack(&self, holder: &str) -> Result<Packed, FolderError> {
        self.own_table()?;
        if self.gathered()?.is_empty() {
            return Err(FolderError::NoSweep { path: self.path.clone() });
        }
        if let Some(lost) = self.lost_rows()? {
            return Err(lost);
        }
        let _lock = self.lock(Claim::Whole, holder)?;
        self.refuse_open_runs()?;
        self.refuse_two_results()?;
        let Contents { rows, curves, files, damaged } = self.contents()?;
        let (table, text) = (records_to_csv(&rows), text_of(&curves).map_err(|source| self.trouble(source))?);
        let archive = compressed(&text).map_err(|source| self.trouble(source))?;
        self.check(&rows, &curves, &table, &archive)?;
        self.put(&table, &text, &archive)?;
        let removed = self.remove(&files)?;
        Ok(Packed { runs: rows.len(), curves: curves.len(), files: removed, damaged })
    }

    /// Rows of `runs.csv`; refused where another program made it, it names a run twice, or has columns that we would not write again.
    fn own_table(&self) -> Result<Vec<RunRecord>, FolderError> {
        let Some(table) = self.table()? else { return Ok(Vec::new()) };
        if !table.own {
            return Err(self.unpackable("its runs.csv was not made by scalelab"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = table.records.iter().find(|row| !seen.insert(row.run_id.as_str())) {
            return Err(self.unpackable(&format!("runs.csv has two rows of {}; remove one", twice.run_id)));
        }
        let path = self.runs_csv();
        let bytes = bytes_of(&path)?.unwrap_or_default();
        self.refuse_foreign_columns(&path, &bytes, &records_to_csv(&[]))?;
        Ok(table.records)
    }

    /// A column that is none of ours would be lost.
    fn refuse_foreign_columns(&self, path: &Path, bytes: &[u8], ours: &[u8]) -> Result<(), FolderError> {
        let columns = |bytes: &[u8]| Ok::<_, TableError>(RawTable::parse(path.to_owned(), bytes)?.headers);
        let known = columns(ours)?;
        let found = columns(bytes)?;
        let of_parts = PartColumns::of(&found);
        match found.iter().find(|column| !known.contains(*column) && !of_parts.has(column)) {
            Some(column) => {
                Err(self.unpackable(&format!("the column `{column}` of {} is none of scalelab's and would be lost", path.display())))
            }
            None => Ok(()),
        }
    }

    /// A state of a run that did not end is of no use beside a table that says what ended.
    fn refuse_open_runs(&self) -> Result<(), FolderError> {
        let entries = fs::read_dir(self.path.join("checkpoints")).into_iter().flatten().filter_map(Result::ok);
        let mut open: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        open.sort();
        if open.is_empty() {
            return Ok(());
        }
        let why = format!(
            "checkpoints/ has states of runs that did not end ({}); let `scalelab sweep` end them, or remove that folder to give them up",
            some_of(&open)
        );
        Err(self.unpackable(&why))
    }

    /// Runs of which `runs.csv` says another loss than their own file, or of which only a stale table tells.
    fn refuse_two_results(&self) -> Result<(), FolderError> {
        let (done, damaged) = self.done()?;
        let disagree: Vec<String> = self.conflicts(&done).into_iter().map(|conflict| conflict.own.run_id).collect();
        if !disagree.is_empty() {
            return Err(self.unpackable(&format!(
                "runs.csv and the runs' own files tell two losses of {}; `scalelab sweep` says which, and how to settle it",
                some_of(&disagree)
            )));
        }
        let spoilt = |run: &str| damaged.iter().any(|(path, _)| path.file_stem().is_some_and(|stem| *stem == *run));
        let gathered = self.own_table()?.into_iter().map(|row| row.run_id);
        let gone: Vec<String> = gathered.filter(|run| !done.contains_key(run) && !spoilt(run)).collect();
        if !gone.is_empty() {
            return Err(self.unpackable(&format!(
                "runs.csv has rows of runs without a file in runs/ ({}), which count as not done; train them again with `scalelab sweep`, or remove the rows",
                some_of(&gone)
            )));
        }
        Ok(())
    }

    fn contents(&self) -> Result<Contents, FolderError> {
        let (mut files, mut damaged) = (Vec::new(), Vec::new());
        for path in self.tables_of("runs")? {
            match one_record(&path) {
                Ok((_, bytes)) => {
                    self.refuse_foreign_columns(&path, &bytes, &records_to_csv(&[]))?;
                    files.push((path, bytes));
                }
                Err(_) => damaged.push(path),
            }
        }
        let rows = self.gathered()?;
        let known: HashMap<&str, &RunRecord> = rows.iter().map(|row| (row.run_id.as_str(), row)).collect();
        let kept = self.curves();
        let mut all = kept.packed()?.clone();
        for path in self.tables_of("curves")? {
            let run = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            let Some(row) = known.get(run.as_str()) else { continue };
            let (Some(bytes), Some(curve)) = (bytes_of(&path)?, kept.own(row)?) else { continue };
            self.refuse_foreign_columns(&path, &bytes, &to_csv(&[CurvePoint::default()]))?;
            if !curve.is_empty() {
                all.insert(run, curve);
                files.push((path, bytes));
            }
        }
        let mut curves: Vec<(String, Vec<CurvePoint>)> = rows.iter().filter_map(|row| all.remove_entry(&row.run_id)).collect();
        let mut others: Vec<(String, Vec<CurvePoint>)> = all.into_iter().collect();
        others.sort_by(|a, b| a.0.cmp(&b.0));
        curves.append(&mut others);
        Ok(Contents { rows, curves, files, damaged })
    }

    /// Reads again what is about to be written: the same rows in the same order, and every curve bit for bit.
    fn check(&self, rows: &[RunRecord], curves: &[(String, Vec<CurvePoint>)], table: &[u8], archive: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(PACKED_CURVES);
        let again = import_bytes(&self.runs_csv(), table, Wanted::default())?;
        let read = curves_of(&path, &unpacked(archive).map_err(|source| self.trouble(source))?)?;
        let same = |(run, curve): &(String, Vec<CurvePoint>)| read.get(run).is_some_and(|read| same_curve(read, curve));
        if again.own && again.records == rows && read.len() == curves.len() && curves.iter().all(same) {
            return Ok(());
        }
        Err(self
            .unpackable("what would be written does not read back as what is there; this is a fault of scalelab, and nothing was changed"))
    }

    /// Writes what is not there yet, the curves last, and reads both again.
    fn put(&self, table: &[u8], text: &[u8], archive: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(PACKED_CURVES);
        if bytes_of(&self.runs_csv())?.as_deref() != Some(table) {
            self.write("runs.csv", table)?;
        }
        // Another build may compress the same text to other bytes.
        let there = |bytes: Option<Vec<u8>>| bytes.is_some_and(|bytes| unpacked(&bytes).is_ok_and(|found| found == text));
        if !there(bytes_of(&path)?) {
            self.write(PACKED_CURVES, archive)?;
        }
        settle(&self.path).map_err(|source| self.trouble(source))?;
        if bytes_of(&self.runs_csv())?.as_deref() == Some(table) && there(bytes_of(&path)?) {
            return Ok(());
        }
        Err(self.trouble(io::Error::other("what was written does not read back; the files of the runs stay")))
    }

    /// Removes the files that are packed, unless one was changed meanwhile, and the folders that are empty then.
    fn remove(&self, files: &[(PathBuf, Vec<u8>)]) -> Result<usize, FolderError> {
        let mut removed = 0;
        for (path, packed) in files {
            if bytes_of(path)?.as_ref() == Some(packed) {
                fs::remove_file(path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
                removed += 1;
            }
        }
        for part in ["runs", "curves"] {
            // With anything left in it the system refuses.
            let _ = fs::remove_dir(self.path.join(part));
        }
        Ok(removed)
    }

    fn unpackable(&self, why: &str) -> FolderError {
        FolderError::Unpackable { path: self.path.clone(), why: why.to_owned() }
    }

    fn trouble(&self, source: io::Error) -> FolderError {
        FolderError::Io { path: self.path.join(PACKED_CURVES), source }
    }
}

/// The first names of a list.
fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMES_SHOWN);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Whether two curves are the same to the bit; the sign of a zero counts, and what is no number equals itself.
fn same_curve(a: &[CurvePoint], b: &[CurvePoint]) -> bool {
    let bits = |point: &CurvePoint| {
        let CurvePoint { step, tokens, learning_rate, train_loss_nats, val_loss_nats, grad_norm, clipped, noise_scale } = point;
        let numbers =
            [&Some(*learning_rate), train_loss_nats, val_loss_nats, grad_norm, noise_scale].map(|number| number.map(f64::to_bits));
        (*step, *tokens, numbers, *clipped)
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| bits(a) == bits(b))
}

/// A table of one curve.
fn curve_of(path: PathBuf, bytes: &[u8]) -> Result<Vec<CurvePoint>, TableError> {
    let table = RawTable::parse(path, bytes)?;
    let names = StringRecord::from(table.headers.clone());
    table.rows.iter().map(|(line, row)| table.typed(*line, row, &names)).collect()
}

/// Curves as one table.
fn text_of(curves: &[(String, Vec<CurvePoint>)]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = to_csv(&[CurvePoint::default()]);
    let columns = csv::Reader::from_reader(&header[..]).headers()?.clone();
    writer.write_record(std::iter::once(RUN).chain(&columns))?;
    for (run, curve) in curves {
        for row in csv::Reader::from_reader(&to_csv(curve)[..]).records() {
            writer.write_record(std::iter::once(run.as_str()).chain(&row?))?;
        }
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// Compressed text; neither time nor name stands in it.
fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(text)
}

/// Curves of a table of many.
fn curves_of(path: &Path, text: &[u8]) -> Result<Curves, FolderError> {
    let table = RawTable::parse(path.to_owned(), text)?;
    if table.headers.first().is_none_or(|first| first != RUN) {
        let found = format!("the columns are {}", table.headers.join(", "));
        return Err(TableError::MissingColumn {
            path: table.path,
            wanted: RUN,
            found,
            advice: "it is no file of curves of ours".to_owned(),
        }
        .into());
    }
    let names = StringRecord::from(table.headers.clone());
    let mut curves = Curves::new();
    for (line, row) in &table.rows {
        let run = row.get(0).unwrap_or_default();
        let point = table.typed(*line, row, &names)?;
        match curves.get_mut(run) {
            Some(curve) => curve.push(point),
            None => _ = curves.insert(run.to_owned(), vec![point]),
        }
    }
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::folder::tests::{named, trained};
    use crate::spec::{Nats, RunStatus, TrainedRun};
    use std::collections::BTreeMap;

    /// A folder of three runs, one of them without a curve, in the order of a plan that is none of the alphabet.
    fn sweep(place: &Path) -> SweepFolder {
        let folder = SweepFolder::at(place.join("sweep"));
        let runs = [trained("c"), trained("a"), TrainedRun { curve: Vec::new(), ..trained("b") }];
        folder.write_plan(&runs.clone().map(|run| run.record)).expect("written");
        runs.iter().for_each(|run| folder.keep(run).expect("kept"));
        folder
    }

    fn temporary() -> (tempfile::TempDir, SweepFolder) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = sweep(place.path());
        (place, folder)
    }

    /// Every file below a folder with its bytes, but locks.
    fn files(folder: &SweepFolder) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![folder.path.clone()];
        while let Some(below) = open.pop() {
            for path in fs::read_dir(&below).expect("listed").map(|entry| entry.expect("an entry").path()) {
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(&folder.path).expect("below").to_string_lossy().into_owned();
                    found.insert(name, fs::read(&path).expect("reads"));
                }
            }
        }
        found.retain(|name, _| !name.starts_with(".lock"));
        found
    }

    type Read = (BTreeMap<String, RunRecord>, Vec<RunRecord>, Vec<Option<Vec<CurvePoint>>>);

    /// All that a reader learns of a folder: which runs are done, every row in its order, every curve.
    fn told(folder: &SweepFolder) -> Read {
        let (rows, curves) = (folder.gathered().expect("reads"), folder.curves());
        let done: BTreeMap<String, RunRecord> = folder.done().expect("reads").0.into_iter().collect();
        let all: Vec<Option<Vec<CurvePoint>>> = rows.iter().map(|row| curves.of(row).expect("reads")).collect();
        (done, rows, all)
    }

    fn pack(folder: &SweepFolder) -> [usize; 3] {
        let Packed { runs, curves, files, .. } = folder.pack("a test").expect("packed");
        [runs, curves, files]
    }

    /// Why a folder is not packed, of which nothing may have changed.
    fn refused(folder: &SweepFolder) -> String {
        let before = files(folder);
        let why = folder.pack("a test").expect_err("refused").to_string();
        assert_eq!(files(folder), before, "{why}");
        why
    }

    #[test]
    fn a_packed_folder_says_what_it_said_before_and_has_few_files() {
        let (_place, folder) = temporary();
        let before = told(&folder);
        assert!(!folder.is_packed().expect("reads"));
        assert_eq!(pack(&folder), [3, 2, 5]);
        assert_eq!(
            files(&folder).keys().collect::<Vec<_>>(),
            ["curves.csv.gz", "eval/a.f32", "eval/b.f32", "eval/c.f32", "plan.csv", "runs.csv"]
        );
        assert!(folder.is_packed().expect("reads") && !folder.path.join("runs").exists() && !folder.path.join("curves").exists());
        assert_eq!(told(&folder), before);
        assert_eq!(folder.curves().of(&named("none")).expect("reads"), None);
    }

    #[test]
    fn the_same_runs_are_the_same_bytes_in_the_order_of_the_plan() {
        let [(_one, first), (_two, second)] = [temporary(), temporary()];
        assert_eq!([pack(&first), pack(&second)], [[3, 2, 5]; 2]);
        assert_eq!(files(&first), files(&second));
        let before = files(&first);
        assert_eq!(pack(&first), [3, 2, 0]);
        assert_eq!(files(&first), before);
        let bytes = &before[PACKED_CURVES];
        assert_eq!(&bytes[3..8], [0; 5], "neither a name nor a time");
        let text = String::from_utf8(unpacked(bytes).expect("reads")).expect("text");
        let first_cells: Vec<&str> = text.lines().filter_map(|line| line.split(',').next()).collect();
        assert_eq!(first_cells, ["run_id", "c", "c", "a", "a"]);
    }

    #[test]
    fn every_number_of_a_curve_reads_back_to_the_bit() {
        let (_place, folder) = temporary();
        let numbers = [0.1 + 0.2, 5e-324, f64::MAX, -0.0, 1.0 / 3.0, 1e21, f64::MIN_POSITIVE, 123_456_789.123_456_79];
        let point = |(at, number): (usize, &f64)| CurvePoint {
            step: at as u64 + 1,
            tokens: u64::MAX - at as u64,
            learning_rate: *number,
            train_loss_nats: Some(*number).filter(|_| at % 2 == 0),
            grad_norm: Some(*number),
            clipped: Some(at % 3 == 0).filter(|_| at > 0),
            ..CurvePoint::default()
        };
        let curve: Vec<CurvePoint> = numbers.iter().enumerate().map(point).collect();
        folder.keep(&TrainedRun { curve: curve.clone(), ..trained("a") }).expect("kept");
        folder.pack("a test").expect("packed");
        assert!(same_curve(&folder.curves().of(&named("a")).expect("reads").expect("there"), &curve));
        let zero = |learning_rate| [CurvePoint { learning_rate, ..CurvePoint::default() }];
        assert!(!same_curve(&zero(0.0), &zero(-0.0)) && same_curve(&zero(f64::NAN), &zero(f64::NAN)) && !same_curve(&zero(0.0), &[]));
    }

    #[test]
    fn what_would_not_read_back_is_never_written() {
        let (_place, folder) = temporary();
        let rows = folder.gathered().expect("reads");
        let curves = [("c", trained("c").curve), ("a", trained("a").curve)].map(|(run, curve)| (run.to_owned(), curve));
        let (table, archive) = (records_to_csv(&rows), compressed(&text_of(&curves).expect("a table")).expect("compressed"));
        assert!(folder.check(&rows, &curves, &table, &archive).is_ok());
        let fewer = compressed(&text_of(&curves[..1]).expect("a table")).expect("compressed");
        let shorter = [curves[0].clone(), ("a".to_owned(), trained("a").curve[..1].to_vec())];
        let shorter = compressed(&text_of(&shorter).expect("a table")).expect("compressed");
        for (table, archive) in [
            (&table, &fewer),
            (&table, &shorter),
            (&records_to_csv(&rows[1..]), &archive),
            (&table, &archive[..archive.len() / 2].to_vec()),
        ] {
            assert!(folder.check(&rows, &curves, table, archive).is_err());
        }
        // A name that a table does not give back as it was.
        folder.keep(&trained(" a")).expect("kept");
        assert_eq!(folder.pack("a test").expect("packed").damaged, [folder.path.join("runs/ a.csv")]);
    }

    #[test]
    fn a_crash_at_any_moment_leaves_a_folder_that_says_the_same_and_can_be_packed() {
        let (_place, whole) = temporary();
        let before = told(&whole);
        let loose: Vec<String> =
            files(&whole).into_keys().filter(|name| name.starts_with("runs/") || name.starts_with("curves/")).collect();
        pack(&whole);
        let packed = files(&whole);
        // Moments: runs.csv written, then the curves, then each of the files removed.
        for moment in 0..=loose.len() + 1 {
            let (_place, folder) = temporary();
            folder.write("runs.csv", &packed["runs.csv"]).expect("written");
            if moment > 0 {
                folder.write(PACKED_CURVES, &packed[PACKED_CURVES]).expect("written");
            }
            fs::write(folder.path.join(".curves.csv.gz.7.partial"), b"ha").expect("written");
            loose.iter().take(moment.saturating_sub(1)).for_each(|name| fs::remove_file(folder.path.join(name)).expect("removed"));
            assert_eq!(folder.is_packed().expect("reads"), moment > 0);
            assert_eq!(told(&folder), before, "moment {moment}");
            let left = loose.len() - moment.saturating_sub(1);
            assert_eq!(pack(&folder), [3, 2, left], "moment {moment}");
            assert_eq!(told(&folder), before, "moment {moment}");
        }
    }

    #[test]
    fn runs_that_are_trained_later_stand_beside_the_packed_ones_and_are_packed_with_them() {
        let (_place, folder) = temporary();
        pack(&folder);
        let old = folder.curves().of(&named("a")).expect("reads");
        folder.keep(&trained("d")).expect("kept");
        // Trained again, with another end: its own file stands before the packed one.
        let again = TrainedRun { curve: trained("c").curve[..1].to_vec(), ..trained("c") };
        folder.keep(&again).expect("kept");
        let before = told(&folder);
        assert_eq!(folder.done().expect("reads").0.len(), 4);
        assert_eq!(folder.curves().of(&named("c")).expect("reads"), Some(again.curve));
        assert_eq!(pack(&folder), [4, 3, 4]);
        assert_eq!(told(&folder), before);
        assert_eq!(folder.curves().of(&named("a")).expect("reads"), old);
        assert_eq!(folder.curves().of(&named("d")).expect("reads"), Some(trained("d").curve));
    }

    #[test]
    fn only_a_packed_table_with_rows_says_that_runs_are_done() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let done = || folder.done().expect("reads").0.len();
        folder.write_runs(&[trained("a").record]).expect("written");
        assert_eq!((done(), folder.is_packed().expect("reads")), (0, false), "a stale table is not believed");
        folder.write(PACKED_CURVES, &compressed(&text_of(&[]).expect("a table")).expect("compressed")).expect("written");
        assert_eq!((done(), folder.is_packed().expect("reads")), (1, true));
        folder.write_runs(&[]).expect("written");
        assert_eq!((done(), folder.is_packed().expect("reads")), (0, false), "a header alone is empty, not packed");
        assert!(matches!(folder.pack("a test"), Err(FolderError::NoSweep { .. })));
        folder.write("runs.csv", b"params,tokens,loss\n1e6,2e7,3\n").expect("written");
        assert_eq!((done(), folder.is_packed().expect("reads")), (0, false), "nor is a table of others");
        folder.write("runs.csv", b"").expect("written");
        assert!(folder.done().is_err(), "the only copy is lost");
    }

    #[test]
    fn a_run_file_that_cannot_be_read_stays_and_its_run_counts_as_not_done() {
        let (_place, folder) = temporary();
        folder.write_runs(&folder.gathered().expect("reads")).expect("written");
        let spoilt = folder.path.join("runs/a.csv");
        fs::write(&spoilt, "run_id\n").expect("written");
        let packed = folder.pack("a test").expect("packed");
        assert_eq!(packed, Packed { runs: 3, curves: 2, files: 4, damaged: vec![spoilt.clone()] });
        assert_eq!(fs::read(&spoilt).expect("reads"), b"run_id\n");
        let (done, damaged) = folder.done().expect("reads");
        assert!(!done.contains_key("a") && done.len() == 2 && damaged.len() == 1);
        assert_eq!(folder.gathered().expect("reads").len(), 3, "the row that was gathered before is not lost");
        assert!(folder.held(&done).expect("reads").contains_key("a"), "nor by a sweep that ends before the run is trained again");
        assert_eq!(folder.pack("a test").expect("packed"), Packed { runs: 3, curves: 2, files: 0, damaged: vec![spoilt] });
        // Without a row of it anywhere its curve stays with it.
        let (_place, folder) = temporary();
        fs::write(folder.path.join("runs/a.csv"), "run_id\n").expect("written");
        assert_eq!(pack(&folder), [2, 1, 3]);
        assert!(folder.path.join("runs/a.csv").exists() && folder.path.join("curves/a.csv").exists());
    }

    #[test]
    fn nothing_else_is_removed() {
        let (_place, folder) = temporary();
        let strange =
            ["runs/notes.txt", "curves/stranger.csv", "curves/.c.csv.7.partial", "curves/deep/er.csv", "runs/.hidden.csv", "design.json"];
        strange.iter().for_each(|name| folder.write(name, b"step,tokens\n1,2\n").expect("written"));
        let empty = "step,tokens,learning_rate\n";
        folder.write("curves/b.csv", empty.as_bytes()).expect("written");
        let before = told(&folder);
        assert_eq!(pack(&folder), [3, 2, 5]);
        assert!(strange.iter().all(|name| folder.path.join(name).exists()));
        assert_eq!(told(&folder), before);
        assert_eq!(folder.curves().of(&named("b")).expect("reads"), Some(Vec::new()), "a curve without a point is one, and stays");
        // A file that changed while it was packed is no longer what was packed.
        let (_place, folder) = temporary();
        let contents = folder.contents().expect("reads");
        folder.write("curves/a.csv", b"step,tokens\n1,2\n").expect("written");
        assert_eq!(folder.remove(&contents.files).expect("removed"), 4);
        assert!(folder.path.join("curves/a.csv").exists() && !folder.path.join("runs").exists());
    }

    #[test]
    fn what_would_be_lost_or_is_not_ours_is_refused_and_stays() {
        let (_place, folder) = temporary();
        folder.write("runs.csv", b"params,tokens,loss\n1e6,2e7,3\n").expect("written");
        assert!(refused(&folder).contains("not made by scalelab"));
        folder.write("runs.csv", b"run_id,layers,status,tok\xff\n").expect("written");
        assert!(refused(&folder).contains("runs.csv"));
        let rows = folder.write_runs(&[]).and_then(|()| folder.gathered()).expect("reads");
        let twice = [rows.clone(), vec![rows[1].clone()]].concat();
        folder.write_runs(&twice).expect("written");
        assert!(refused(&folder).contains("two rows of a"));
        let gone = RunRecord { run_id: "gone".into(), ..rows[0].clone() };
        folder.write_runs(&[rows.clone(), vec![gone]].concat()).expect("written");
        assert!(refused(&folder).contains("without a file in runs/ (gone)"));
        folder
            .write("runs.csv", b"run_id,layers,params_total,tokens,loss_nats,status,note\na,2,1e4,1e6,2.5,finished,mine\n")
            .expect("written");
        assert!(refused(&folder).contains("the column `note` of"));
        folder.write_runs(&rows).expect("written");
        let curve = fs::read(folder.path.join("curves/a.csv")).expect("reads");
        folder.write("curves/a.csv", b"step,tokens,learning_rate,mine\n1,2,3,4\n").expect("written");
        assert!(refused(&folder).contains("the column `mine` of"));
        folder.write("curves/a.csv", b"step,tokens\n1,x\n").expect("written");
        assert!(refused(&folder).contains("a.csv, line 2, column `tokens`"));
        folder.write("curves/a.csv", &curve).expect("written");
        assert_eq!(pack(&folder), [3, 2, 5]);
        folder.write(PACKED_CURVES, b"no archive").expect("written");
        assert!(refused(&folder).contains(PACKED_CURVES));
        let none = SweepFolder::at(folder.path.join("none"));
        assert!(matches!(none.pack("a test"), Err(FolderError::NoSweep { .. })) && !none.path.exists());
    }

    #[test]
    fn two_results_of_one_run_are_refused_before_and_after_packing() {
        let (_place, folder) = temporary();
        let rows = folder.gathered().expect("reads");
        let other = RunRecord { loss_nats: Some(Nats(2.6)), ..trained("a").record };
        folder.write_runs(&[rows[0].clone(), other.clone(), rows[2].clone()]).expect("written");
        assert!(refused(&folder).contains("two losses of a;"));
        folder.write_runs(&rows).expect("written");
        pack(&folder);
        folder.keep(&TrainedRun { record: other, ..trained("a") }).expect("copied here");
        assert!(refused(&folder).contains("two losses of a;"));
        // One that failed and was tried again has one result.
        let (_place, folder) = temporary();
        let failed = RunRecord { status: RunStatus::Failed, loss_nats: None, ..trained("a").record };
        folder.write_runs(&[failed]).expect("written");
        assert_eq!(pack(&folder), [3, 2, 5]);
    }

    #[test]
    fn a_folder_that_is_trained_in_or_has_open_runs_is_not_packed() {
        let (_place, folder) = temporary();
        let lock = folder.lock(Claim::Whole, "a sweep").expect("free");
        assert!(refused(&folder).contains("a sweep"));
        drop(lock);
        let shard = folder.lock(Claim::Shard(crate::spec::Shard { number: 1, count: 2 }), "a shard").expect("free");
        assert!(refused(&folder).contains("a shard"));
        drop(shard);
        folder.checkpoint("d", 5, b"state").expect("written");
        assert!(refused(&folder).contains("did not end (d)"));
        folder.drop_states("d");
        assert_eq!(pack(&folder), [3, 2, 5]);
    }

    #[test]
    fn packed_curves_are_read_when_one_is_asked_for_that_has_no_file() {
        let (_place, folder) = temporary();
        pack(&folder);
        folder.keep(&trained("d")).expect("kept");
        folder.write(PACKED_CURVES, b"no archive").expect("written");
        // Neither rows nor curves with files of their own need it.
        assert_eq!(folder.gathered().expect("reads").len(), 4);
        let curves = folder.curves();
        assert_eq!(curves.of(&named("d")).expect("reads"), Some(trained("d").curve));
        assert!(curves.packed.get().is_none());
        assert!(curves.of(&named("a")).expect_err("damaged").to_string().contains(PACKED_CURVES));
    }
}
