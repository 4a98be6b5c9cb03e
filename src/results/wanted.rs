//! What is wanted of a table, and the rows that are, as records with their groups.

use super::choices::{choices, said};
use super::columns::{Columns, with_constants};
use super::filter::Filter;
use super::table::{RawTable, TableError, columns_found};
use super::trajectories::{Curves, Rows};
use crate::spec::RunRecord;
use csv::StringRecord;
use std::collections::HashSet;
use std::path::Path;

/// What is wanted of a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Rows that are kept; all without a filter.
    pub filters: &'a [Filter],
    /// Which columns are which of ours, where their names are not known.
    pub columns: &'a [(String, String)],
    /// Columns that the table lacks, each with the value of every row: pairs (ours, value).
    pub constants: &'a [(String, String)],
    /// Column whose text names the group of a row.
    pub by: Option<&'a str>,
    /// Whether losses over one of params, tokens and FLOPs will do.
    pub one_variable: bool,
}

/// The wanted rows of a table, read as they are asked for: a table of curves may have millions.
pub(super) struct WantedRows {
    table: RawTable,
    columns: Columns,
    /// Places in the table.
    kept: Vec<usize>,
    /// Column that names the group of a row.
    by: Option<usize>,
    /// Columns of none of ours that tell runs apart.
    choices: Vec<usize>,
    /// Whether the table is one of ours.
    pub(super) own: bool,
}

impl WantedRows {
    /// Without a row that is wanted it is refused.
    pub(super) fn of(path: &Path, bytes: &[u8], wanted: Wanted<'_>) -> Result<Self, TableError> {
        let map = wanted.columns.to_vec();
        let table = with_constants(RawTable::parse(path.to_owned(), bytes)?, &map, wanted.constants)?;
        let columns = Columns::of(&table, &map, wanted.one_variable)?;
        let own = ["run_id", "layers", "status"].iter().all(|name| table.headers.iter().any(|header| header == name));
        let kept = filtered(&table, wanted.filters)?;
        if kept.is_empty() {
            let what = if table.rows.is_empty() { "there is a header and no row" } else { "--where leaves no row" };
            return Err(TableError::Empty { path: path.to_owned(), what });
        }
        let by = wanted.by.map(|column| column_named(&table, column, "--by")).transpose()?;
        let choices = if own { Vec::new() } else { choices(&table, &columns, &kept) };
        Ok(Self { table, columns, kept, by, choices, own })
    }

    /// The rows with their lines in the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = &(u64, StringRecord)> {
        self.kept.iter().map(|&at| &self.table.rows[at])
    }

    /// Each row as a record, with its group.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<(RunRecord, Option<String>), TableError>> {
        self.rows().map(|(line, row)| {
            let record: RunRecord = self.table.typed(*line, &self.columns.cleaned(row), &self.columns.names)?;
            let record = RunRecord { other_choices: said(&self.table, &self.choices, row), ..self.columns.completed(record, row) };
            Ok((record, self.by.map(|at| row.get(at).unwrap_or_default().to_owned())))
        })
    }

    /// The curves of a table in which names of runs come back, where its rows are those of curves.
    pub(super) fn curves(&self) -> Result<Option<Curves>, TableError> {
        let Some(at) = self.columns.names.iter().position(|name| name == "run_id") else { return Ok(None) };
        let names: HashSet<&str> = self.rows().map(|(_, row)| row.get(at).unwrap_or_default()).collect();
        if 3 * names.len() > self.kept.len() || names.contains("") {
            return Ok(None);
        }
        let mut rows = Rows::default();
        for row in self.records() {
            let (record, group) = row?;
            if !rows.take(record, group) {
                return Ok(None);
            }
        }
        Ok(rows.curves())
    }

    /// Rows that a filter leaves out.
    pub(super) fn filtered_out(&self) -> usize {
        self.table.rows.len() - self.kept.len()
    }

    /// What a reader must know of how columns are read.
    pub(super) fn notes(&self) -> &[String] {
        &self.columns.notes
    }
}

fn column_named(table: &RawTable, column: &str, option: &'static str) -> Result<usize, TableError> {
    table.headers.iter().position(|header| header == column).ok_or_else(|| TableError::UnknownColumn {
        path: table.path.clone(),
        option,
        wanted: column.to_owned(),
        found: columns_found(&table.headers),
    })
}

/// Places of the rows that every filter keeps.
fn filtered(table: &RawTable, filters: &[Filter]) -> Result<Vec<usize>, TableError> {
    let mut tests = Vec::new();
    for filter in filters {
        tests.push((column_named(table, &filter.column, "--where")?, filter));
    }
    let holds = |row: &StringRecord| tests.iter().all(|(at, filter)| filter.keeps(row.get(*at).unwrap_or_default()));
    Ok((0..table.rows.len()).filter(|&at| holds(&table.rows[at].1)).collect())
}
