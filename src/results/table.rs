//! CSV in and out. Errors name file, line, column and the text that stands there.

use super::dialect::Dialect;
use super::parts::with_parts;
use crate::spec::RunRecord;
use csv::StringRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No header, or a header and no row.
    #[error("{}: {what}", path.display())]
    Empty {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// The column or number that is missing.
        what: &'static str,
    },
    /// Rows, and none that can be used.
    #[error("{}: no row can be used: {reasons}; {advice}", path.display())]
    NoRow {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// What is wrong with which lines.
        reasons: String,
        /// What to type.
        advice: String,
    },
    /// A column that is needed is not there.
    #[error("{}: there is no column for {wanted}; {found}; {advice}", path.display())]
    MissingColumn {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// The columns that would do.
        wanted: &'static str,
        /// What the columns are.
        found: String,
        /// What to type.
        advice: String,
    },
    /// A column that is needed stands there several times.
    #[error("{}: columns {places} have one name, `{name}`; rename all but the one that is meant", path.display())]
    Twice {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// The header that they share.
        name: String,
        /// Their numbers, from 1, in words.
        places: String,
    },
    /// Rows that look like points of curves, of which nothing says which belong together.
    #[error(
        "{}: several rows have the same size and step, as those of loss curves have, and nothing tells their runs apart ({found}); name a column that does with --columns run=NAME, or where every row is a run of its own say --columns steps=none", path.display()
    )]
    NoRuns {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// Two rows that contradict each other, in words.
        found: String,
    },
    /// A column that an option names is not there.
    #[error("{}: {option} names the column `{wanted}`, which is not there; {found}", path.display())]
    UnknownColumn {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// The option that named the column.
        option: &'static str,
        /// What was asked for.
        wanted: String,
        /// What the columns are.
        found: String,
    },
    /// Two columns would both be read as the same thing.
    #[error("{}: the columns `{first}` and `{second}` both mean {meaning}; say which is to be read, such as --columns {meaning}={}", path.display(), as_argument(second))]
    Ambiguous {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// One of the columns.
        first: String,
        /// The other of the columns.
        second: String,
        /// The field that both columns mean.
        meaning: &'static str,
    },
    /// A pattern of names that finds nothing.
    #[error("--params-from {}: {problem}", as_argument(pattern))]
    Names {
        /// The pattern, with the folder that it begins in.
        pattern: String,
        /// What was found in its place, and what to type.
        problem: String,
    },
    /// A file of a tracker from which nothing can be read.
    #[error("{}: {problem}", path.display())]
    Tracker {
        /// Path of the file, as it was given.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// A row is not CSV: a field too many or too few, or bytes that are no text.
    #[error("{}, line {line}: {problem}", path.display())]
    Row {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// What is wrong, in words.
        problem: String,
    },
    /// A cell does not hold what its column should.
    #[error("{}, line {line}, column `{column}`: {problem}", path.display())]
    Cell {
        /// Path of the table, as it was given.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// Header of the column.
        column: String,
        /// What is wrong, with the text found.
        problem: String,
    },
}

/// Rows as CSV with a header. Values that are absent are empty cells; floats read back bit for bit.
pub fn to_csv<T: Serialize>(rows: &[T]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("rows of ours are flat and memory takes them");
    }
    writer.into_inner().expect("memory takes every byte")
}

/// Run records as CSV, with columns for the parts of mixtures where there are any; the header stands there even when there is no row.
pub fn records_to_csv(records: &[RunRecord]) -> Vec<u8> {
    if records.is_empty() {
        let one = to_csv(&[RunRecord::default()]);
        let header_end = one.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        return one[..header_end].to_vec();
    }
    if records.iter().all(|record| record.parts.is_empty()) {
        return to_csv(records);
    }
    let plain: Vec<RunRecord> = records.iter().map(|record| RunRecord { parts: Vec::new(), ..record.clone() }).collect();
    with_parts(to_csv(&plain), records)
}

/// A CSV text cut into fields: header, rows, and the line on which each row starts.
pub(super) struct RawTable {
    pub(super) path: PathBuf,
    pub(super) headers: Vec<String>,
    pub(super) rows: Vec<(u64, StringRecord)>,
}

impl RawTable {
    /// Cuts text into fields by commas. A byte-order mark, CRLF, quoted fields and blank lines are fine.
    pub(super) fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, TableError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self::cut(path, bytes, Dialect::PLAIN, false)
    }

    /// Cuts text into fields as a dialect says; where rows are uneven they may have more or fewer fields than the header.
    pub(super) fn cut(path: PathBuf, bytes: &[u8], dialect: Dialect, uneven: bool) -> Result<Self, TableError> {
        let above = bytes[..dialect.header_at].iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(line) = unclosed_quote(&bytes[dialect.header_at..], dialect.separator) {
            let line = line + above;
            let problem = "a quoted field begins here and never ends; close the quote, or remove it".to_owned();
            return Err(TableError::Row { path, line, problem });
        }
        let mut reader = csv::ReaderBuilder::new();
        reader.trim(csv::Trim::All).delimiter(dialect.separator).flexible(uneven);
        let mut reader = reader.from_reader(&bytes[dialect.header_at..]);
        let row_error = |path: &PathBuf, error: csv::Error| {
            let line = above + error.position().map_or(1, csv::Position::line);
            TableError::Row { path: path.clone(), line, problem: describe(&error) }
        };
        let headers: Vec<String> = reader.headers().map_err(|e| row_error(&path, e))?.iter().map(str::to_owned).collect();
        if headers.iter().all(String::is_empty) {
            return Err(TableError::Empty { path, what: "the file is empty; a header line is expected" });
        }
        let mut rows = Vec::new();
        let mut lines = LineCounter::new(bytes);
        for row in reader.records() {
            let row = row.map_err(|e| row_error(&path, e))?;
            let line = lines.line_at(dialect.header_at + row.position().map_or(0, |position| position.byte() as usize));
            rows.push((line, row));
        }
        Ok(Self { path, headers, rows })
    }

    /// Reads a row as a typed value, columns by the names given (one for each field); every field of it has a default.
    pub(super) fn typed<T: DeserializeOwned + Default>(
        &self,
        line: u64,
        row: &StringRecord,
        names: &StringRecord,
    ) -> Result<T, TableError> {
        self.typed_or_field(line, row, names).map_err(|(_, error)| error)
    }

    /// The same; where a field does not hold what it should, with its place.
    pub(super) fn typed_or_field<T: DeserializeOwned + Default>(
        &self,
        line: u64,
        row: &StringRecord,
        names: &StringRecord,
    ) -> Result<T, (Option<usize>, TableError)> {
        row.deserialize(Some(names)).map_err(|error| {
            let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
                return (None, TableError::Row { path: self.path.clone(), line, problem: describe(&error) });
            };
            // serde's own errors do not say which field they are about: each is tried alone.
            let alone =
                |at: &usize| StringRecord::from(vec![&row[*at]]).deserialize::<T>(Some(&StringRecord::from(vec![&names[*at]]))).is_err();
            let field = (0..row.len().min(names.len())).find(alone);
            let column = field.and_then(|field| self.headers.get(field).cloned()).unwrap_or_default();
            let text = row.get(field.unwrap_or(0)).unwrap_or_default();
            (field, TableError::Cell { path: self.path.clone(), line, column, problem: cell_problem(text, &err.kind().to_string()) })
        })
    }
}

/// The line on which a quoted field begins that the text never ends: the reader would take all that follows for that field.
fn unclosed_quote(bytes: &[u8], separator: u8) -> Option<u64> {
    let (mut line, mut opened, mut at_start) = (1, None, true);
    for &byte in bytes {
        line += u64::from(byte == b'\n');
        match (byte, opened) {
            // A doubled quote closes the field and opens it again.
            (b'"', Some(_)) => (opened, at_start) = (None, true),
            (b'"', None) if at_start => opened = Some(line),
            (_, Some(_)) => {}
            (b'\n' | b'\r', None) => at_start = true,
            (byte, None) if byte == separator => at_start = true,
            (b' ', None) => {}
            (_, None) => at_start = false,
        }
    }
    opened
}

/// Turns ascending byte positions into line numbers. (The reader's own count is one short after
/// CRLF and blank lines, where a row's position is that of the line end before it.)
struct LineCounter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    fn line_at(&mut self, position: usize) -> u64 {
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        while self.at < self.bytes.len() && (self.at < position || ends(&self.bytes[self.at])) {
            self.line += u64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn cell_problem(text: &str, reason: &str) -> String {
    // Our own errors quote the text already.
    if reason.contains(&format!("`{text}`")) { reason.to_owned() } else { format!("`{text}`: {reason}") }
}

fn describe(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "bytes that are no UTF-8 text; save the table as UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// A name as a shell takes it in an option.
pub(super) fn as_argument(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/".contains(c));
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

/// Columns that an error names; the others are counted.
const MOST_NAMED: usize = 60;

/// The columns of a table in words, for an error.
pub(super) fn columns_found(headers: &[String]) -> String {
    let quoted: Vec<String> = headers.iter().take(MOST_NAMED).map(|header| format!("`{header}`")).collect();
    let more = headers.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("the columns are {}{more}", quoted.join(", "))
}
