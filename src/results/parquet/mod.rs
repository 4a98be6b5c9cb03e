//! Tables in Parquet, as pandas, Polars and DuckDB write them: columns of numbers and words in pages that are compressed. What cannot be
//! read of a column (lists, encodings that are rare) leaves that column out, and is said; a file that is not whole is refused.

mod footer;
mod pages;
mod thrift;
mod values;
mod written;

pub(super) use footer::MAGIC;
pub(super) use written::{Cells, written};

use super::table::{RawTable, TableError};
use csv::StringRecord;
use footer::{Column, footer};
use std::path::Path;

/// How columns are called that pandas makes of its index.
const INDEX: &str = "__index_level_";
/// Cells that a file may hold without its bytes saying so much, and for each byte of it: runs of one value take no room.
const CELLS: [usize; 2] = [4_000_000, 256];

/// The table in a file, and how it was read.
pub(super) fn table_of(path: &Path, bytes: &[u8], reading: &mut Vec<String>) -> Result<RawTable, TableError> {
    let refused =
        |problem: &str| TableError::Tracker { path: path.to_owned(), problem: format!("as a Parquet file it cannot be read: {problem}") };
    let footer = footer(bytes).map_err(|problem| refused(&problem))?;
    let columns: Vec<&Column> = footer.columns.iter().filter(|column| !column.name.starts_with(INDEX)).collect();
    let most = CELLS[0].saturating_add(CELLS[1].saturating_mul(bytes.len()));
    if footer.rows.checked_mul(columns.len().max(1)).is_none_or(|cells| cells > most) {
        return Err(refused(&format!("it says that it has {} rows, which so few bytes do not hold", footer.rows)));
    }
    let mut headers = Vec::new();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for column in columns {
        match pages::cells(bytes, column, footer.rows) {
            Ok(found) => {
                headers.push(column.name.clone());
                cells.push(found);
            }
            Err(pages::Problem::Damaged(what)) => return Err(refused(&format!("column `{}`: {what}", column.name.escape_debug()))),
            Err(pages::Problem::Unknown(what)) => reading.push(format!("`{}` is not read: {what}", column.name.escape_debug())),
        }
    }
    if headers.is_empty() {
        return Err(TableError::Empty { path: path.to_owned(), what: "no column of it can be read; write it as CSV" });
    }
    let row = |at: usize| (at as u64 + 2, cells.iter().map(|column| column[at].as_str()).collect::<StringRecord>());
    let rows: Vec<(u64, StringRecord)> = (0..footer.rows).map(row).filter(|(_, row)| !row.iter().all(str::is_empty)).collect();
    reading.push("Parquet, where the first row is called line 2, as in a CSV of it".to_owned());
    Ok(RawTable { path: path.to_owned(), headers, rows })
}
