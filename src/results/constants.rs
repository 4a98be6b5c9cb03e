//! Values that a table lacks, by `--set`: one for every row, one for each run, or those of a second table.

use super::known::{ColumnMap, Found, KNOWN, Kind, Known, RUN, names_known};
use super::sheet::Sheet;
use super::table::{RawTable, TableError, columns_found};
use crate::spec::parse_quantity;
use csv::StringRecord;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How the names of second tables end.
const TABLES: [&str; 6] = [".csv", ".tsv", ".json", ".jsonl", ".txt", ".parquet"];

/// Values of a column that a table lacks.
enum Values {
    One(String),
    /// By the name of the run.
    OfRuns(BTreeMap<String, String>),
}

/// The table with a column more for each constant.
pub(super) fn with_constants(mut table: RawTable, map: &ColumnMap, constants: &[(String, String)]) -> Result<RawTable, TableError> {
    for (name, value) in constants {
        let path = table.path.clone();
        let error = |problem: String| TableError::Row { path: path.clone(), line: 1, problem: format!("--set {name}={value}: {problem}") };
        let Some(known) = KNOWN.iter().find(|known| known.is(name)) else {
            return Err(error(format!("`{name}` is not one of {}", names_known())));
        };
        if let Some(found) = known.find(&table, map)? {
            return Err(error(format!(
                "the file has the column `{}` for {}; --set is for a column that it lacks",
                table.headers[found.at], known.aliases[0]
            )));
        }
        match values(known, value)? {
            Values::One(value) => {
                check(known, &value).map_err(error)?;
                table.rows.iter_mut().for_each(|(_, row)| row.push_field(&value));
            }
            Values::OfRuns(of) => {
                of.values().try_for_each(|value| check(known, value)).map_err(error)?;
                let runs = KNOWN.iter().find(|known| known.ours == RUN).map_or(Ok(None), |known| known.find(&table, map))?;
                let at = runs.ok_or_else(|| error("no column names the runs; say which does with --columns run=NAME".to_owned()))?.at;
                let names: Vec<&str> = table.rows.iter().map(|(_, row)| row.get(at).unwrap_or_default()).collect();
                let lacks = names.iter().find(|run| !of.contains_key(**run));
                if let Some(run) = lacks {
                    let known: Vec<String> = of.keys().map(|run| format!("`{run}`")).collect();
                    return Err(error(format!("the run `{run}` has no value; those of {} are given", known.join(", "))));
                }
                table.rows.iter_mut().for_each(|(_, row)| {
                    let value = of[row.get(at).unwrap_or_default()].clone();
                    row.push_field(&value);
                });
            }
        }
        table.headers.push(known.ours.to_owned());
    }
    Ok(table)
}

/// The table with a column more for each value that its name holds, pairs (ours, value); what it says itself of these is not read. What
/// was done goes into `reading`.
pub(super) fn with_named(
    mut table: RawTable,
    map: &ColumnMap,
    named: &[(String, String)],
    reading: &mut Vec<String>,
) -> Result<RawTable, TableError> {
    for (ours, value) in named {
        let known = KNOWN.iter().find(|known| known.ours == ours).filter(|_| !map.iter().any(|(name, _)| name == ours));
        if let Some(found) = known.map_or(Ok(None), |known| known.find(&table, map))? {
            let header = &table.headers[found.at];
            if table.rows.iter().any(|(_, row)| row.get(found.at).is_some_and(|cell| !cell.is_empty())) {
                reading.push(format!("`{header}` is not read: the name of the file says it"));
            }
            table.headers[found.at] = format!("{header} of the file");
        }
        table.rows.iter_mut().for_each(|(_, row)| row.push_field(value));
        table.headers.push(ours.clone());
    }
    Ok(table)
}

/// `7e9`, `m0:50M,m1:100M`, or a file with a column of runs and one of values.
fn values(known: &Known, value: &str) -> Result<Values, TableError> {
    if known.kind != Kind::Text && TABLES.iter().any(|end| value.ends_with(end)) {
        return of_table(known, Path::new(value));
    }
    let pairs: Option<BTreeMap<String, String>> =
        value.split(',').map(|pair| pair.rsplit_once(':').map(|(run, value)| (run.trim().to_owned(), value.trim().to_owned()))).collect();
    Ok(pairs.filter(|_| known.kind != Kind::Text).map_or_else(|| Values::One(value.to_owned()), Values::OfRuns))
}

fn of_table(known: &Known, path: &Path) -> Result<Values, TableError> {
    let bytes = fs::read(path).map_err(|source| TableError::Unreadable { path: path.to_owned(), source })?;
    let table = Sheet::of(path, &bytes)?.table;
    let place = |wanted: &str| -> Result<Found, TableError> {
        let found = KNOWN.iter().find(|one| one.ours == wanted).map_or(Ok(None), |one| one.find(&table, &Vec::new()))?;
        found.ok_or_else(|| TableError::Row {
            path: path.to_owned(),
            line: 1,
            problem: format!("a column `run` and a column `{}` are expected; {}", known.aliases[0], columns_found(&table.headers)),
        })
    };
    let (run, value) = (place(RUN)?.at, place(known.ours)?);
    let pair = |row: &StringRecord| {
        let cell = row.get(value.at).unwrap_or_default();
        let counted = value.unit.as_ref().and_then(|(unit, _)| Some(parse_quantity(cell).ok()? * unit));
        (row.get(run).unwrap_or_default().to_owned(), counted.map_or_else(|| cell.to_owned(), |counted| counted.to_string()))
    };
    Ok(Values::OfRuns(table.rows.iter().map(|(_, row)| pair(row)).collect()))
}

fn check(known: &Known, value: &str) -> Result<(), String> {
    match known.kind {
        Kind::Text => Ok(()),
        Kind::Whole => value.parse::<u64>().map(|_| ()).map_err(|_| format!("`{value}` is no whole number")),
        _ => parse_quantity(value).map(|_| ()).map_err(|problem| problem.to_string()),
    }
}
