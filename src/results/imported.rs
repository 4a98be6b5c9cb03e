//! What a table of others held, and its rows as runs.

use super::left_out::LeftOut;
use super::table::TableError;
use super::trajectories::Trajectory;
use super::wanted::{Misread, Row, WantedRows};
use crate::spec::{CurvePoint, LossUnit, RunRecord};
use std::collections::HashSet;

/// Rows of a run on average from which they are points of a curve.
pub(super) const POINTS: usize = 3;

/// What a table held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// One record a row, in the order of the file.
    pub records: Vec<RunRecord>,
    /// The line of each record in the file; of a curve that of its end.
    pub lines: Vec<u64>,
    /// The group of each record, where groups were asked for.
    pub groups: Vec<String>,
    /// Rows that a filter left out.
    pub filtered_out: usize,
    /// Rows that no law could use: (run or line, reason).
    pub left_out: Vec<(String, String)>,
    /// Whether the table is one of ours: it names shapes and a status, so every convention can be counted.
    pub own: bool,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// Loss along each run, where the rows are those of curves; the records are then their ends.
    pub trajectories: Vec<Trajectory>,
    /// All that was measured along each run, in the order of the records, where whole curves are wanted; a loss that is no number is kept.
    pub curves: Vec<Vec<CurvePoint>>,
    /// The share of its parameters that each token meets, of each record, where a column tells active ones.
    pub active_shares: Vec<Option<f64>>,
    /// How it was read, in words: what was passed over, what units were applied.
    pub reading: Vec<String>,
    /// What a reader must know of what was read, in words.
    pub notes: Vec<String>,
}

/// Reads rows, again where a column turns out to be none of ours.
pub(super) fn reread<T>(rows: &mut WantedRows, read: impl Fn(&WantedRows) -> Result<T, Misread>) -> Result<T, TableError> {
    loop {
        match read(rows) {
            Err(Misread::Column { at, cell }) => rows.ignore(at, &cell),
            Err(Misread::Refused(error)) => return Err(error),
            Ok(found) => return Ok(found),
        }
    }
}

/// Every wanted row as a run of its own.
pub(super) fn as_runs(rows: &WantedRows) -> Result<Imported, Misread> {
    let mut imported = as_they_are(rows)?;
    name_runs(&mut imported);
    Ok(imported)
}

/// Every wanted row, under the names that stand there where these are of several curves.
pub(super) fn as_points(rows: &WantedRows) -> Result<Imported, Misread> {
    let mut imported = as_they_are(rows)?;
    if !names_curves(&imported.records) {
        name_runs(&mut imported);
    }
    Ok(imported)
}

/// Whether rows name several runs, of each on average as many as make a curve.
pub(super) fn names_curves(records: &[RunRecord]) -> bool {
    let distinct: HashSet<&str> = records.iter().map(|record| record.run_id.as_str()).collect();
    distinct.len() > 1 && !distinct.contains("") && records.len() >= POINTS * distinct.len()
}

fn as_they_are(rows: &WantedRows) -> Result<Imported, Misread> {
    let (loss_unit, notes) = (rows.loss_unit(), rows.notes().to_vec());
    let mut imported = Imported { filtered_out: rows.filtered_out(), own: rows.own, loss_unit, notes, ..Imported::default() };
    let mut left_out = LeftOut::default();
    for ((line, cells), row) in rows.rows().zip(rows.read()) {
        match row? {
            Row::Of(record, group) => {
                imported.active_shares.extend(rows.active_share(cells, &record));
                imported.records.push(*record);
                imported.lines.push(*line);
                imported.groups.extend(group);
            }
            Row::LeftOut(unusable) => left_out.add(*line, unusable),
        }
    }
    if imported.records.is_empty() {
        return Err(left_out.refusal(rows.path()).into());
    }
    imported.reading = [rows.reading(), left_out.said(" left out")].concat();
    imported.left_out = left_out.rows();
    Ok(imported)
}

/// Foreign runs keep their names where these are all there and all different; else the line is the name.
fn name_runs(imported: &mut Imported) {
    let records = &mut imported.records;
    let distinct: HashSet<&str> = records.iter().map(|record| record.run_id.as_str()).collect();
    let named = distinct.len() == records.len() && !distinct.contains("");
    for (record, line) in records.iter_mut().zip(&imported.lines) {
        if record.run_id.is_empty() || !(imported.own || named) {
            record.run_id = format!("line {line}");
        }
    }
}
