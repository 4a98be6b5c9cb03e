//! What is wanted of a table, and the rows that are, as records with their groups.

use super::blanks;
use super::choices::{choices, said};
use super::columns::{Columns, Variables};
use super::constants::{with_constants, with_named};
use super::covariates::Covariates;
use super::filter::Filter;
use super::known::{ACTIVE, ColumnMap, FLOPS, KNOWN, LOSS, PARAMS, STEPS, TOKENS, is_blank};
use super::mixed::mixed;
use super::parts::PartColumns;
use super::runs::Runs;
use super::sheet::Sheet;
use super::table::{RawTable, TableError, columns_found};
use super::trackers::{Role, role};
use crate::spec::{LossUnit, Metric, RunRecord, is_of_fine_tuning, parse_quantity};
use csv::StringRecord;
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
    /// Columns whose values the name of the file holds: pairs (ours, value).
    pub named: &'a [(String, String)],
    /// Column whose text names the group of a row.
    pub by: Option<&'a str>,
    /// How many of params, tokens and FLOPs a table must have.
    pub variables: Variables,
    /// What the column of losses holds in place of losses.
    pub metric: Option<Metric>,
}

impl Wanted<'_> {
    /// Whether whole curves are wanted, whatever the table says of sizes.
    pub(super) fn wants_curves(&self) -> bool {
        self.variables == Variables::None
    }
}

/// The wanted rows of a table, read as they are asked for: a table of curves may have millions.
pub(super) struct WantedRows {
    table: RawTable,
    columns: Columns,
    /// Places in the table.
    kept: Vec<usize>,
    /// Column that names the group of a row.
    by: Option<usize>,
    /// What else laws may be about.
    covariates: Covariates,
    /// Whether rows are of fine-tuning, which have tokens of pre-training where a column says so alone.
    of_fine_tuning: bool,
    /// Parts of mixtures, where the table is one of ours.
    parts: PartColumns,
    /// Columns of none of ours that tell runs apart.
    choices: Vec<usize>,
    /// Column that says how a run ended, in words of others.
    state: Option<usize>,
    /// Whether the table is one of ours.
    pub(super) own: bool,
    /// Whether whole curves are wanted.
    pub(super) wants_curves: bool,
    /// How the table is read, in words.
    reading: Vec<String>,
}

/// What a row says.
pub(super) enum Row {
    /// A run, or a point of its curve, with its group.
    Of(Box<RunRecord>, Option<String>),
    /// Nothing that a law could use, and why.
    LeftOut(Unusable),
}

/// Why a row cannot be used.
pub(super) struct Unusable {
    /// In words that many rows may share.
    pub(super) reason: String,
    /// The column of ours that is to blame.
    pub(super) column: &'static str,
    /// The cell that is; of the first such row, for a table may have millions.
    pub(super) error: Option<TableError>,
}

/// Why the rows of a table cannot be read as they are asked for.
pub(super) enum Misread {
    /// The table is refused.
    Refused(TableError),
    /// A column that nobody needs holds what one of ours cannot: it is to be ignored.
    Column { at: usize, cell: String },
}

impl From<TableError> for Misread {
    fn from(error: TableError) -> Self {
        Self::Refused(error)
    }
}

impl WantedRows {
    /// Without a row that is wanted it is refused.
    pub(super) fn of(path: &Path, bytes: &[u8], wanted: Wanted<'_>) -> Result<Self, TableError> {
        let Sheet { table, reading } = Sheet::of(path, bytes)?;
        Self::of_table(table, reading, wanted)
    }

    /// The wanted rows of a table that is cut already; how it was, `reading` says.
    pub(super) fn of_table(table: RawTable, mut reading: Vec<String>, wanted: Wanted<'_>) -> Result<Self, TableError> {
        let mut map = wanted.columns.to_vec();
        if wanted.wants_curves() {
            map.extend(loss_of_curves(&table, &map));
        }
        let path = table.path.clone();
        let table = with_named(table, &map, wanted.named, &mut reading)?;
        let table = with_constants(table, &map, wanted.constants)?;
        let own = ["run_id", "layers", "status"].iter().all(|name| table.headers.iter().any(|header| header == name));
        let covariates = Covariates::of(&table, &map);
        let one_would_do = matches!(wanted.variables, Variables::OneIfAlone | Variables::One);
        let of_fine_tuning = one_would_do && covariates.are_of_fine_tuning();
        let mut columns = Columns::of(&table, &map, if of_fine_tuning { Variables::OfFineTuning } else { wanted.variables })?;
        if let Some(metric) = wanted.metric {
            columns.measure(metric);
        }
        if !own {
            columns.leave(is_of_fine_tuning);
        }
        let kept = filtered(&table, &columns, wanted.filters, own)?;
        if kept.is_empty() {
            let what = if table.rows.is_empty() { "there is a header and no row" } else { "--where leaves no row" };
            return Err(TableError::Empty { path, what });
        }
        let by = wanted.by.map(|column| column_named(&table, column, "--by")).transpose()?;
        let parts = PartColumns::of(if own { &table.headers[..] } else { &[] });
        let mut choices = if own { Vec::new() } else { choices(&table, &columns, &kept) };
        choices.retain(|&at| !covariates.tell_scratch(at));
        let state = table.headers.iter().position(|header| ["state", "status"].iter().any(|name| header.eq_ignore_ascii_case(name)));
        let wants_curves = wanted.wants_curves();
        Ok(Self { table, columns, kept, by, covariates, of_fine_tuning, parts, choices, state, own, wants_curves, reading })
    }

    /// Path of the table, as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.table.path
    }

    /// The rows with their lines in the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = &(u64, StringRecord)> {
        self.kept.iter().map(|&at| &self.table.rows[at])
    }

    /// Columns with a name that a tracker would give what is measured, and the column of losses; each with its header.
    pub(super) fn measured(&self) -> Vec<(usize, &str)> {
        let loss = self.columns.place(LOSS);
        let headers = self.table.headers.iter().map(String::as_str).enumerate();
        headers.filter(|(at, header)| Some(*at) == loss || role(header).is_some_and(|(of, _)| of != Role::Step)).collect()
    }

    /// Header of the column of losses.
    pub(super) fn loss_header(&self) -> Option<&str> {
        Some(&self.table.headers[self.columns.place(LOSS)?])
    }

    /// Where rows stand in their runs, if a column of steps says so.
    pub(super) fn place_of_steps(&self) -> Option<usize> {
        self.columns.place(STEPS).filter(|_| self.columns.is_along)
    }

    /// A number as its column writes it.
    pub(super) fn number(&self, at: usize, cell: &str) -> Option<f64> {
        let plain = self.columns.clean(at, cell);
        plain.parse().ok().or_else(|| parse_quantity(&plain).ok())
    }

    /// What each row says.
    pub(super) fn read(&self) -> impl Iterator<Item = Result<Row, Misread>> {
        let needed: Vec<(usize, &'static str)> = NEEDED.iter().filter_map(|ours| Some((self.columns.place(ours)?, *ours))).collect();
        let mut is_told = false;
        self.rows().map(move |(line, row)| {
            let cells = self.cleaned(row);
            // The first is looked at more closely than it takes to know that it is none.
            if let Some(unusable) = Some(&needed).filter(|_| is_told && !self.own).and_then(|needed| self.unusable(needed, &cells, row)) {
                return Ok(Row::LeftOut(unusable));
            }
            let said = self.read_row(*line, row, &cells);
            is_told |= matches!(said, Ok(Row::LeftOut(_)));
            said
        })
    }

    /// The cells of a row as they are read; of a network from scratch without tokens and compute of a pre-training.
    fn cleaned(&self, row: &StringRecord) -> StringRecord {
        let cells = self.columns.cleaned(row);
        if self.own || !self.covariates.is_from_scratch(row) {
            return cells;
        }
        let is_of_pre_training = |at: usize| [TOKENS, FLOPS].iter().any(|ours| self.columns.place(ours) == Some(at));
        cells.iter().enumerate().map(|(at, cell)| if is_of_pre_training(at) { "" } else { cell }).collect::<Vec<_>>().into()
    }

    fn read_row(&self, line: u64, row: &StringRecord, cells: &StringRecord) -> Result<Row, Misread> {
        let record: RunRecord = match self.table.typed_or_field(line, cells, &self.columns.names) {
            Ok(record) => record,
            Err((Some(at), error)) if !self.own && self.columns.is_needed(at) => {
                let column = NEEDED.into_iter().find(|ours| self.columns.names[at] == **ours).unwrap_or(LOSS);
                return Ok(Row::LeftOut(Unusable { reason: why(column, &cells[at]), column, error: Some(error) }));
            }
            // What was named by --columns is wanted.
            Err((Some(at), _)) if !self.own && !self.columns.is_asked_for(at) && !self.columns.names[at].is_empty() => {
                return Err(Misread::Column { at, cell: row[at].to_owned() });
            }
            Err((_, error)) => return Err(error.into()),
        };
        let covariates = if self.own { Vec::new() } else { self.covariates.of_row(row) };
        let parts = self.parts.of_row(row).map_err(|at| self.no_number(at, line, row))?;
        let other_choices = said(&self.table, &self.choices, row);
        let mut record = RunRecord { other_choices, covariates, parts, ..self.columns.completed(record, row) };
        if self.of_fine_tuning && self.columns.place(TOKENS).is_none() {
            record.tokens = None;
        }
        let is_from_scratch = self.covariates.is_from_scratch(row);
        match self.lacking(&record).filter(|what| !(self.own || is_from_scratch && *what == TOKENS)) {
            Some(what) => {
                let at = self.columns.place(what).unwrap_or_default();
                let (path, column) = (self.table.path.clone(), self.table.headers[at].clone());
                let error = TableError::Cell { path, line, column, problem: "it is blank".to_owned() };
                Ok(Row::LeftOut(Unusable { error: Some(error), ..self.blank(what, row) }))
            }
            None => Ok(Row::Of(
                Box::new(record),
                self.by.map(|at| blanks::said(self.header_of_ours(at), row.get(at).unwrap_or_default()).to_owned()),
            )),
        }
    }

    /// Header of a column of a table of ours; nothing in one of others.
    fn header_of_ours(&self, at: usize) -> &str {
        if self.own { &self.table.headers[at] } else { "" }
    }

    /// Why a row cannot be used, where a glance at its cells tells.
    fn unusable(&self, needed: &[(usize, &'static str)], cells: &StringRecord, row: &StringRecord) -> Option<Unusable> {
        let is_number = |cell: &str| cell.parse().is_ok_and(|x: f64| x.is_finite() && x > 0.0) || parse_quantity(cell).is_ok();
        let bad = needed.iter().find(|(at, _)| cells.get(*at).is_some_and(|cell| !cell.is_empty() && !is_number(cell)));
        if let Some((at, column)) = bad {
            return Some(Unusable { reason: why(column, &cells[*at]), column, error: None });
        }
        let is_blank = |(at, ours): &&(usize, &'static str)| *ours == LOSS && cells.get(*at).is_some_and(str::is_empty);
        needed.iter().find(is_blank).map(|_| self.blank(LOSS, row))
    }

    /// A column without which a record says nothing, and that is there.
    fn lacking(&self, record: &RunRecord) -> Option<&'static str> {
        let has = |ours: &str| self.columns.place(ours).is_some();
        let steps = self.columns.in_steps && record.tokens.is_none();
        [(LOSS, record.loss_nats.is_none()), (TOKENS, record.tokens.is_none()), (PARAMS, record.params_total.is_none())]
            .into_iter()
            .find(|(ours, is_absent)| *is_absent && has(ours))
            .map(|(ours, _)| ours)
            .or(steps.then_some(STEPS))
    }

    fn no_number(&self, at: usize, line: u64, row: &StringRecord) -> TableError {
        let (path, column) = (self.table.path.clone(), self.table.headers[at].clone());
        TableError::Cell { path, line, column, problem: format!("`{}` is not a number", &row[at]) }
    }

    fn blank(&self, column: &'static str, row: &StringRecord) -> Unusable {
        let ended = || self.state.and_then(|at| row.get(at)).unwrap_or_default().to_ascii_lowercase();
        let reason = match column {
            LOSS if FAILED.contains(&ended().as_str()) => "loss is no number: diverged".to_owned(),
            _ => why(column, ""),
        };
        Unusable { reason, column, error: None }
    }

    /// Reads a column as none of ours from now on.
    pub(super) fn ignore(&mut self, at: usize, cell: &str) {
        self.columns.ignore(at, &self.table.headers[at], cell);
    }

    /// The run of each row, where rows are those of curves.
    pub(super) fn runs(&self) -> Result<Option<Runs>, TableError> {
        if self.own { Ok(None) } else { Runs::of(&self.table, &self.columns, &self.kept, &self.choices) }
    }

    /// The share of its parameters that each token meets; `None` where no column tells active ones.
    pub(super) fn active_share(&self, row: &StringRecord, record: &RunRecord) -> Option<Option<f64>> {
        self.columns.place(ACTIVE).map(|_| self.columns.active_share(row, record.params_total))
    }

    /// What columns of words do to the loss of runs, in words.
    pub(super) fn mixed(&self) -> Vec<String> {
        if self.own { Vec::new() } else { mixed(&self.table, &self.columns, &self.kept, &self.choices) }
    }

    /// What losses are counted in.
    pub(super) fn loss_unit(&self) -> LossUnit {
        self.columns.loss_unit
    }

    /// Whether sizes, tokens and compute all stand in the table.
    pub(super) fn has_compute(&self) -> bool {
        [PARAMS, TOKENS, FLOPS].iter().all(|ours| self.columns.place(ours).is_some())
    }

    /// Rows that a filter leaves out.
    pub(super) fn filtered_out(&self) -> usize {
        self.table.rows.len() - self.kept.len()
    }

    /// What a reader must know of how columns are read.
    pub(super) fn notes(&self) -> &[String] {
        &self.columns.notes
    }

    /// How the table is read, in words.
    pub(super) fn reading(&self) -> Vec<String> {
        [self.reading.as_slice(), &self.columns.reading].concat()
    }
}

/// Columns that a fit cannot do without.
const NEEDED: [&str; 4] = [PARAMS, TOKENS, LOSS, FLOPS];
/// How others say that a run came to nothing.
const FAILED: [&str; 10] = ["crashed", "failed", "diverged", "killed", "error", "nan", "oom", "aborted", "exploded", "fail"];
/// What others write where a number should stand.
const NO_NUMBER: [&str; 22] = [
    "nan",
    "-nan",
    "inf",
    "+inf",
    "-inf",
    "infinity",
    "-infinity",
    "none",
    "null",
    "nil",
    "n/a",
    "na",
    "#n/a",
    "#num!",
    "#div/0!",
    "-",
    "--",
    "–",
    "—",
    "?",
    "x",
    "missing",
];

/// Why a cell of a column of ours cannot be used.
fn why(ours: &str, cell: &str) -> String {
    let name = KNOWN.iter().find(|known| known.ours == ours).map_or(ours, |known| known.aliases[0]);
    let lower = cell.to_ascii_lowercase();
    let is_failure = NO_NUMBER.contains(&lower.as_str()) || FAILED.contains(&lower.as_str());
    match cell {
        "" => format!("{name} is blank"),
        _ if is_failure && ours == LOSS => format!("{name} is no number: diverged"),
        _ if cell.parse().is_ok_and(|value: f64| value == 0.0) => format!("{name} is 0"),
        _ if cell.parse().is_ok_and(|value: f64| value < 0.0) => format!("{name} is below 0"),
        _ => format!("{name} is no number"),
    }
}

/// The column of losses, where curves are looked at and several could be it: that on text that is not trained on, else the likeliest.
fn loss_of_curves(table: &RawTable, map: &ColumnMap) -> Option<(String, String)> {
    let is_loss = |name: &str| KNOWN.iter().any(|known| known.ours == LOSS && known.is(name));
    let of = |wanted: Role| {
        let named = table.headers.iter().enumerate().filter_map(|(at, header)| Some((role(header).filter(|(of, _)| *of == wanted)?.1, at)));
        named.filter(|(_, at)| !is_blank(table, *at)).min().map(|(_, at)| (LOSS.to_owned(), table.headers[at].clone()))
    };
    if map.iter().any(|(name, _)| is_loss(name)) { None } else { of(Role::HeldOutLoss).or_else(|| of(Role::TrainLoss)) }
}

fn column_named(table: &RawTable, column: &str, option: &'static str) -> Result<usize, TableError> {
    table.headers.iter().position(|header| header == column).ok_or_else(|| TableError::UnknownColumn {
        path: table.path.clone(),
        option,
        wanted: column.to_owned(),
        found: columns_found(&table.headers),
    })
}

/// Places of the rows that every filter keeps. A column may be named as the table names it or as we do, which asks for plain numbers.
fn filtered(table: &RawTable, columns: &Columns, filters: &[Filter], own: bool) -> Result<Vec<usize>, TableError> {
    let mut tests = Vec::new();
    for filter in filters {
        let named = table.headers.contains(&filter.column);
        let ours = KNOWN.iter().find(|known| !named && known.is(&filter.column)).and_then(|known| columns.place(known.ours));
        let at = ours.map_or_else(|| column_named(table, &filter.column, "--where"), Ok)?;
        let (numerals, unit) = columns.numerals(table, at);
        tests.push((at, filter.test(numerals, unit, ours.is_some())));
    }
    let header = |at: usize| if own { table.headers[at].as_str() } else { "" };
    let holds = |row: &StringRecord| tests.iter().all(|(at, test)| test.keeps(blanks::said(header(*at), row.get(*at).unwrap_or_default())));
    Ok((0..table.rows.len()).filter(|&at| holds(&table.rows[at].1)).collect())
}
