//! How the columns of a table are read: which is which of ours, how its cells become values, and what can be derived where a column is
//! missing.

use super::column_checks::{check_map, one_name};
use super::known::{ACTIVE, BATCH_SEQUENCES, BUDGET, ColumnMap, FLOPS, Found, KNOWN, Kind, Known, LOSS, PARAMS, STEPS, TOKENS, is_along};
use super::numerals::Numerals;
use super::remarks::{active, advice, remarks};
use super::table::{RawTable, TableError, columns_found};
use crate::spec::{Flops, LossUnit, Metric, Params, RunRecord, Tokens, parse_quantity};
use csv::StringRecord;
use std::borrow::Cow;

/// How many of params, tokens and FLOPs a table must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variables {
    /// Two, from which the third follows.
    #[default]
    Two,
    /// One, where no column of numbers that is not known could be the second.
    OneIfAlone,
    /// One.
    One,
    /// None: curves are looked at, and no law is fitted.
    None,
    /// None: rows are of fine-tuning, and say on how many examples.
    OfFineTuning,
}

/// Tokens of a sequence in the runs of Step Law (2503.04715), by headers that only its tables have.
const STEP_LAW: ([&str; 3], f64) = (["ffnh", "numh", "numl"], 2048.0);

/// A smaller share of active parameters is none.
const LEAST_SHARE: f64 = 1e-4;

/// What becomes of the cells of a column.
#[derive(Debug, Clone)]
enum Cells {
    /// They are read as they stand.
    AsTheyStand,
    /// Numbers as a column writes them, in a unit; blank where one cannot be read and need not be.
    Numbers { numerals: Numerals, unit: f64, lenient: bool },
    /// Shares as a column writes them, in a unit: what they lack of 1.
    Lacking { numerals: Numerals, unit: f64 },
    /// Whole numbers; blank where one is none.
    Whole,
}

/// How the columns of a table are read.
pub(super) struct Columns {
    /// For each column the name of ours that it is read as; unknown ones keep theirs and are ignored.
    pub(super) names: StringRecord,
    cells: Vec<Cells>,
    /// Columns that `--columns` names.
    asked_for: Vec<usize>,
    /// Whether the column of FLOPs is that of budgets, too.
    budget_is_flops: bool,
    /// Whether D is counted in steps, because nothing says how many tokens a step has.
    pub(super) in_steps: bool,
    /// Whether steps are places in a run and not its length.
    pub(super) is_along: bool,
    /// Column of sequences a step, and the tokens of one where the table's headers say whose they are.
    sequences: Option<(usize, Option<f64>)>,
    /// What losses are counted in.
    pub(super) loss_unit: LossUnit,
    /// How columns are read, in words.
    pub(super) reading: Vec<String>,
    /// What a reader must know, in words.
    pub(super) notes: Vec<String>,
}

impl Columns {
    /// Finds every known column of a table; how many of params, tokens and FLOPs are enough, `variables` says.
    pub(super) fn of(table: &RawTable, map: &ColumnMap, variables: Variables) -> Result<Self, TableError> {
        check_map(table, map)?;
        let width = table.headers.len();
        let mut names = table.headers.clone();
        let mut columns = Self {
            names: StringRecord::new(),
            cells: vec![Cells::AsTheyStand; width],
            asked_for: Vec::new(),
            budget_is_flops: false,
            in_steps: false,
            is_along: false,
            sequences: None,
            loss_unit: LossUnit::Nats,
            reading: Vec::new(),
            notes: Vec::new(),
        };
        let mut missing = Vec::new();
        for known in &KNOWN {
            let Some(found) = known.find(table, map)? else {
                if known.kind == Kind::Needed {
                    missing.push(known);
                }
                continue;
            };
            columns.read(table, map, known, &found, &mut names)?;
        }
        columns.agree_on_commas(table);
        let has = |ours: &str| names.iter().any(|name| name == ours);
        // Steps and compute of a fine-tuning say nothing of tokens before it.
        let may_derive = variables != Variables::OfFineTuning;
        if may_derive && has(STEPS) && has("batch_tokens") && has(PARAMS) && !has(TOKENS) {
            missing.retain(|known| ![TOKENS, FLOPS].contains(&known.ours));
            columns.notes.push("tokens are derived, D = steps x batch".to_owned());
        } else if may_derive && has(STEPS) && !has(TOKENS) && !has(FLOPS) {
            missing.retain(|known| known.ours != TOKENS);
            columns.in_steps = true;
        }
        columns.measure_sequences(table, &names);
        // Of params, tokens and FLOPs any one follows from the other two.
        let loss = missing.iter().find(|known| known.ours == LOSS);
        let one_is_enough = match variables {
            Variables::Two => false,
            // Points of curves have a size each, whatever else is missing.
            Variables::OneIfAlone => !columns.is_along && !has_other_numbers(table, &names),
            Variables::One | Variables::None | Variables::OfFineTuning => true,
        };
        let enough = match (variables, one_is_enough) {
            (Variables::None, _) => KNOWN.len(),
            (Variables::OfFineTuning, _) => 3,
            (_, true) => 2,
            (_, false) => 1,
        };
        if let Some(known) = loss.or_else(|| missing.iter().find(|_| missing.len() > enough)) {
            let (found, advice) = (columns_found(&table.headers), advice(table, known, &names));
            return Err(TableError::MissingColumn { path: table.path.clone(), wanted: known.aliases[0], found, advice });
        }
        match missing.first().filter(|_| missing.len() == 1).map(|known| known.ours) {
            Some(TOKENS) if !columns.in_steps && may_derive => columns.notes.push("tokens are derived, D = C/(6 N)".to_owned()),
            Some(PARAMS) => columns.notes.push("params are derived, N = C/(6 D)".to_owned()),
            _ => {}
        }
        // What others say cannot be read counts as absent where it follows from the rest.
        if has(PARAMS) && has(TOKENS) {
            columns.make_lenient(table, names.iter().position(|name| name == FLOPS));
        }
        columns.names = StringRecord::from(names);
        if table.rows.iter().any(|(_, row)| columns.is_sparse(row)) {
            columns.notes.extend(active(table, &columns.names));
        }
        Ok(columns)
    }

    /// Takes a column for one of ours.
    fn read(&mut self, table: &RawTable, map: &ColumnMap, known: &Known, found: &Found, names: &mut [String]) -> Result<(), TableError> {
        let at = found.at;
        let header = &table.headers[at];
        if known.kind == Kind::Needed {
            one_name(table, at)?;
        }
        if known.ours == BATCH_SEQUENCES {
            self.sequences = Some((at, None));
            return Ok(());
        }
        if known.ours == ACTIVE {
            let numerals = Numerals::of(table.rows.iter().map(|(_, row)| row.get(at).unwrap_or_default()), false);
            let unit = found.unit.as_ref().map_or(1.0, |(unit, _)| *unit);
            self.cells[at] = Cells::Numbers { numerals, unit, lenient: true };
            ACTIVE.clone_into(&mut names[at]);
            return Ok(());
        }
        if known.ours == BUDGET && names[at] == FLOPS {
            self.budget_is_flops = true;
            return Ok(());
        }
        known.ours.clone_into(&mut names[at]);
        let was_asked_for = map.iter().any(|(ours, _)| known.is(ours));
        self.asked_for.extend(was_asked_for.then_some(at));
        let lenient = known.kind != Kind::Needed && !was_asked_for && header != known.ours;
        let cells = || table.rows.iter().map(|(_, row)| row.get(at).unwrap_or_default());
        self.cells[at] = match known.kind {
            Kind::Needed | Kind::Quantity if header != known.ours || found.unit.is_some() || known.kind == Kind::Needed => {
                let numerals = Numerals::of(cells(), known.ours == LOSS);
                Cells::Numbers { numerals, unit: found.unit.as_ref().map_or(1.0, |(unit, _)| *unit), lenient }
            }
            Kind::Whole if lenient => Cells::Whole,
            _ => Cells::AsTheyStand,
        };
        if let Some((_, unit)) = &found.unit {
            self.reading.push(format!("`{header}` read as {} in units of {unit}", known.aliases[0]));
        } else if known.kind == Kind::Needed && !known.is(&header.to_ascii_lowercase()) && !was_asked_for {
            self.reading.push(format!("`{header}` read as {}", known.aliases[0]));
        }
        if lenient && let Some(bad) = cells().find(|cell| !cell.is_empty() && self.clean(at, cell).is_empty()) {
            self.reading.push(format!("what is no number in `{header}` is ignored, such as `{bad}`"));
        }
        self.is_along |= known.ours == STEPS && is_along(header);
        self.remark(table, known, at);
        Ok(())
    }

    /// A file is written by one hand: where some commas stand before decimals, those that could be of thousands do, too.
    fn agree_on_commas(&mut self, table: &RawTable) {
        let is_sure = self.cells.iter().any(|cells| matches!(cells, Cells::Numbers { numerals, .. } if numerals.decimal_comma));
        for (cells, header) in self.cells.iter_mut().zip(&table.headers) {
            let Cells::Numbers { numerals, .. } = cells else { continue };
            numerals.decimal_comma |= is_sure && numerals.is_doubtful;
            if numerals.decimal_comma {
                self.reading.push(format!("decimal commas in `{header}`"));
            }
        }
    }

    /// Takes what cannot be read in a column for absent, and says so.
    fn make_lenient(&mut self, table: &RawTable, at: Option<usize>) {
        let Some((at, Cells::Numbers { lenient, .. })) = at.and_then(|at| Some((at, self.cells.get_mut(at)?))) else { return };
        if std::mem::replace(lenient, true) {
            return;
        }
        let cells = || table.rows.iter().map(|(_, row)| row.get(at).unwrap_or_default());
        let is_bad = |cell: &&str| !cell.is_empty() && self.clean(at, cell).is_empty();
        if let Some(bad) = cells().find(is_bad) {
            let (count, all, header) = (cells().filter(is_bad).count(), table.rows.len(), &table.headers[at]);
            self.reading.push(format!("`{header}` of {count} of {all} rows is ignored, such as `{bad}`: C is 6 N D there"));
        }
    }

    /// Finds out how long a sequence is.
    fn measure_sequences(&mut self, table: &RawTable, names: &[String]) {
        let has = |ours: &str| names.iter().any(|name| name == ours);
        let Some((at, length)) = &mut self.sequences else { return };
        let (headers, tokens) = STEP_LAW;
        if headers.iter().all(|wanted| table.headers.iter().any(|header| header == wanted)) {
            *length = Some(tokens);
            self.notes.push(format!("`{}` counts sequences of {tokens} tokens, as Step Law's runs have", table.headers[*at]));
        } else if !has("batch_tokens") && !has("context") && !has(STEPS) {
            self.notes.push(format!(
                "`{}` counts sequences of unknown length: it tells recipes apart and is no batch in tokens (a column `context` would make it one)",
                table.headers[*at]
            ));
        }
    }

    /// Says what a reader must know of a column that is needed.
    fn remark(&mut self, table: &RawTable, known: &Known, at: usize) {
        if known.ours == LOSS {
            let header = &table.headers[at];
            self.loss_unit = LossUnit::of_header(header);
            if self.loss_unit != LossUnit::Nats {
                let unit = self.loss_unit;
                self.notes.push(format!("`{header}` is read as it stands: losses, E and A, B are in {unit}"));
            }
        }
        self.notes.extend(remarks(table, known, at, self.is_asked_for(at)));
    }

    /// Takes losses for another metric.
    pub(super) fn measure(&mut self, metric: Metric) {
        let Some(at) = self.place(LOSS) else { return };
        self.loss_unit = metric.unit();
        if let (Metric::Accuracy, Some(Cells::Numbers { numerals, unit, .. })) = (metric, self.cells.get(at)) {
            self.cells[at] = Cells::Lacking { numerals: *numerals, unit: *unit };
            self.reading.push("1 - accuracy, the error rate, is read as the loss".to_owned());
        }
    }

    /// Whether a column is one that a fit cannot do without.
    pub(super) fn is_needed(&self, at: usize) -> bool {
        self.names.get(at).is_some_and(|name| [PARAMS, TOKENS, LOSS, FLOPS].contains(&name))
    }

    /// Whether `--columns` names a column.
    pub(super) fn is_asked_for(&self, at: usize) -> bool {
        self.asked_for.contains(&at)
    }

    /// Where a column of ours stands.
    pub(super) fn place(&self, ours: &str) -> Option<usize> {
        self.names.iter().position(|name| name == ours)
    }

    /// Reads a column as none of ours from now on: it holds what such a column cannot.
    pub(super) fn ignore(&mut self, at: usize, header: &str, cell: &str) {
        self.names = self.names.iter().enumerate().map(|(other, name)| if other == at { "" } else { name }).collect::<Vec<_>>().into();
        self.reading.push(format!("`{header}` is ignored: `{cell}` is none of its values"));
    }

    /// Leaves columns to whoever reads them elsewhere.
    pub(super) fn leave(&mut self, is_left: impl Fn(&str) -> bool) {
        self.names = self.names.iter().map(|name| if is_left(name) { "" } else { name }).collect::<Vec<_>>().into();
    }

    /// A row in which what need not be read and cannot be is blank, and numbers are as a program writes them.
    pub(super) fn cleaned(&self, row: &StringRecord) -> StringRecord {
        let mut cleaned = StringRecord::with_capacity(row.as_slice().len() + 16, row.len());
        row.iter().enumerate().for_each(|(at, cell)| cleaned.push_field(&self.clean(at, cell)));
        cleaned
    }

    /// A cell as it is read.
    pub(super) fn clean<'a>(&self, at: usize, cell: &'a str) -> Cow<'a, str> {
        match self.cells.get(at) {
            Some(Cells::Numbers { numerals, unit, lenient }) => {
                let plain = numerals.plain(cell);
                if !lenient && *unit == 1.0 || plain.is_empty() {
                    return plain;
                }
                match parse_quantity(&plain) {
                    Ok(value) if *unit != 1.0 => Cow::Owned((value * unit).to_string()),
                    Err(_) if *lenient => Cow::Borrowed(""),
                    _ => plain,
                }
            }
            Some(Cells::Lacking { numerals, unit }) => {
                let plain = numerals.plain(cell);
                plain.parse::<f64>().map_or(Cow::Borrowed(cell), |share| Cow::Owned((1.0 - unit * share).to_string()))
            }
            Some(Cells::Whole) => {
                let number = cell.parse::<f64>().ok().or_else(|| parse_quantity(cell).ok());
                let whole = number.filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x));
                whole.map_or(Cow::Borrowed(""), |x| Cow::Owned(format!("{x}")))
            }
            _ => Cow::Borrowed(cell),
        }
    }

    /// The share of its parameters that each token meets, where a column says so; `row` is the record's as it stands in the table.
    pub(super) fn active_share(&self, row: &StringRecord, params: Option<Params>) -> Option<f64> {
        let at = self.place(ACTIVE)?;
        let active = parse_quantity(&self.clean(at, row.get(at)?)).ok()?;
        // A flag is no count.
        Some(active / params?.0).filter(|share| (LEAST_SHARE..=1.0 + 1e-9).contains(share))
    }

    /// Whether a row is of a network of which each token meets a part.
    fn is_sparse(&self, row: &StringRecord) -> bool {
        let params = self.place(PARAMS).and_then(|at| parse_quantity(&self.clean(at, row.get(at)?)).ok().map(Params));
        self.active_share(row, params).is_some_and(|share| share < 1.0 - 1e-9)
    }

    /// How the numbers of a column are written, and in which unit.
    pub(super) fn numerals(&self, table: &RawTable, at: usize) -> (Numerals, f64) {
        match self.cells.get(at) {
            Some(Cells::Numbers { numerals, unit, .. }) => (*numerals, *unit),
            _ => (Numerals::of(table.rows.iter().map(|(_, row)| row.get(at).unwrap_or_default()), false), 1.0),
        }
    }

    /// Derives what is missing; `row` is the record's as it stands in the table.
    pub(super) fn completed(&self, mut record: RunRecord, row: &StringRecord) -> RunRecord {
        if self.budget_is_flops {
            record.budget_flops = record.flops_exact;
        }
        if let (None, Some(steps), Some(Tokens(batch))) = (record.tokens, record.steps, record.batch_tokens) {
            record.tokens = Some(Tokens(steps as f64 * batch)).filter(|tokens| tokens.0 > 0.0);
        }
        if self.in_steps {
            record.tokens = record.steps.filter(|&steps| steps > 0).map(|steps| Tokens(steps as f64));
            return record;
        }
        if let Some(Flops(c)) = record.flops_exact {
            match (record.params_total, record.tokens) {
                (Some(Params(n)), None) => {
                    let share = self.active_share(row, record.params_total).unwrap_or(1.0);
                    record.tokens = Some(Tokens(c / (6.0 * n * share)));
                }
                (None, Some(Tokens(d))) => record.params_total = Some(Params(c / (6.0 * d))),
                _ => {}
            }
        }
        if record.batch_tokens.is_none() {
            self.batch(&mut record, row);
        }
        record
    }

    /// Tokens a step: sequences times their length, else all tokens over all steps.
    fn batch(&self, record: &mut RunRecord, row: &StringRecord) {
        let sequences = self.sequences.and_then(|(at, length)| Some((parse_quantity(row.get(at)?).ok()?, length)));
        let length = |known: Option<f64>| known.or(record.context.map(|context| context as f64));
        record.batch_tokens = match sequences {
            Some((sequences, known)) if length(known).is_some() => length(known).map(|length| Tokens(sequences * length)),
            _ => record.tokens.zip(record.steps.filter(|&steps| steps > 0)).map(|(tokens, steps)| Tokens(tokens.0 / steps as f64)),
        };
        if let (None, Some((sequences, _))) = (record.batch_tokens, sequences) {
            // The recipe in words: what is no number of tokens still tells two of them apart.
            let schedule = record.schedule.take().map_or(String::new(), |schedule| format!("{schedule}, "));
            record.schedule = Some(format!("{schedule}{sequences} sequences a step").into());
        }
    }
}

/// Whether a column of none of ours holds numbers: a size or a length under a name that is not known.
fn has_other_numbers(table: &RawTable, names: &[String]) -> bool {
    let is_unknown = |at: &usize| !KNOWN.iter().any(|known| known.ours == names[*at]);
    let first = |at: usize| table.rows.iter().filter_map(|(_, row)| row.get(at)).find(|cell| !cell.is_empty());
    (0..names.len()).filter(is_unknown).any(|at| first(at).is_some_and(|cell| parse_quantity(cell).is_ok()))
}
