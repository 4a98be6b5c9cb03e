//! Columns of a foreign table that are none of ours and yet tell its runs apart: which data, which optimizer, which variant.

use super::columns::Columns;
use super::table::{RawTable, records_to_csv};
use csv::StringRecord;
use std::collections::HashSet;

/// Rows that share a value of such a column, on average: names of runs, notes and times are another in every row.
const ROWS_A_VALUE: usize = 2;

/// Places of the columns that hold words which come back, but for seeds. A number may be an outcome as well as a choice, and nothing
/// tells which; runs that differ in a choice of that kind show by a seed that comes twice.
pub(super) fn choices(table: &RawTable, columns: &Columns, kept: &[usize]) -> Vec<usize> {
    let header = records_to_csv(&[]);
    let ours: HashSet<&str> = std::str::from_utf8(&header).unwrap_or_default().trim().split(',').collect();
    let is_other = |at: &usize| {
        let is_ours = columns.names.get(*at).is_some_and(|name| ours.contains(name));
        !is_ours && !table.headers[*at].to_ascii_lowercase().contains("seed")
    };
    (0..table.headers.len()).filter(is_other).filter(|&at| tells_apart(table, at, kept)).collect()
}

/// Whether a column holds several words, few enough for the rows.
fn tells_apart(table: &RawTable, at: usize, kept: &[usize]) -> bool {
    let mut words = HashSet::new();
    let mut is_words = false;
    for &row in kept {
        let cell = cell(&table.rows[row].1, at);
        is_words |= !cell.is_empty() && cell.parse::<f64>().is_err();
        words.insert(cell);
        if ROWS_A_VALUE * words.len() > kept.len() {
            return false;
        }
    }
    is_words && words.len() > 1
}

/// What a row says in these columns.
pub(super) fn said(table: &RawTable, choices: &[usize], row: &StringRecord) -> Option<String> {
    let one = |&at: &usize| Some(format!("{} = {}", table.headers[at], Some(cell(row, at)).filter(|cell| !cell.is_empty())?));
    let all: Vec<String> = choices.iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn cell(row: &StringRecord, at: usize) -> &str {
    row.get(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes};
    use std::path::Path;

    fn said(text: &str) -> Vec<Option<String>> {
        let imported = import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).expect("reads");
        imported.records.into_iter().map(|record| record.other_choices).collect()
    }

    #[test]
    fn words_that_come_back_tell_runs_apart_and_names_numbers_and_seeds_do_not() {
        let found = said(
            "params,tokens,loss,optimizer,note,accuracy,data_seed\n\
             1e6,1e8,3.0,adamw,a,0.5,x\n1e6,1e8,2.9,muon,b,0.5,y\n2e6,1e8,2.8,adamw,c,0.6,x\n2e6,1e8,2.7,muon,d,0.6,y\n",
        );
        let adamw = Some("optimizer = adamw".to_owned());
        let muon = Some("optimizer = muon".to_owned());
        assert_eq!(found, [adamw.clone(), muon.clone(), adamw, muon]);
        // One word everywhere tells nothing.
        assert_eq!(said("params,tokens,loss,kind\n1e6,1e8,3.0,lm\n2e6,1e8,2.9,lm\n"), [None, None]);
    }
}
