//! What the headers of a table and a map of its columns must be before they are read.

use super::known::{BUDGET, ColumnMap, FLOPS, KNOWN, is_nothing, is_there, names_known};
use super::table::{RawTable, TableError, columns_found};
use crate::spec::COVARIATES;

/// A column that is needed has a name of its own.
pub(super) fn one_name(table: &RawTable, at: usize) -> Result<(), TableError> {
    let name = &table.headers[at];
    let all: Vec<String> =
        table.headers.iter().enumerate().filter(|(_, header)| *header == name).map(|(at, _)| (at + 1).to_string()).collect();
    match all.as_slice() {
        [before @ .., last] if !before.is_empty() => {
            let places = format!("{} and {last}", before.join(", "));
            Err(TableError::Twice { path: table.path.clone(), name: name.clone(), places })
        }
        _ => Ok(()),
    }
}

/// A map of columns names what exists, on both sides, and no column twice but for FLOPs that are budgets.
pub(super) fn check_map(table: &RawTable, map: &ColumnMap) -> Result<(), TableError> {
    let error = |problem: String| Err(TableError::Row { path: table.path.clone(), line: 1, problem });
    for (at, (ours, theirs)) in map.iter().enumerate() {
        if !KNOWN.iter().any(|known| known.is(ours)) && !COVARIATES.iter().any(|known| known.is(ours)) {
            return error(format!("--columns {ours}={theirs}: `{ours}` is not one of {}", names_known()));
        }
        if !is_nothing(theirs) && !is_there(table, theirs) {
            return error(format!("--columns {ours}={theirs}: there is no column `{theirs}`; {}", columns_found(&table.headers)));
        }
        let is = |name: &str, wanted: &str| KNOWN.iter().any(|known| known.ours == wanted && known.is(name));
        let both = |a: &str, b: &str| is(a, FLOPS) && is(b, BUDGET);
        let twice =
            |(other, before): &(String, String)| before == theirs && !is_nothing(theirs) && !both(other, ours) && !both(ours, other);
        if map[..at].iter().any(twice) {
            return error(format!("--columns names the column `{theirs}` twice"));
        }
    }
    Ok(())
}
