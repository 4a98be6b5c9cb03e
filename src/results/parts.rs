//! Columns of the parts of mixtures in tables of ours, after all others: `share_NAME`, `weight_NAME`, `unique_NAME`, `epochs_NAME`,
//! `loss_NAME`. Which parts there are the rows say.

use crate::spec::{Nats, PartRecord, RunRecord, SHARE};
use csv::StringRecord;
use std::collections::HashSet;

/// How the names of the columns of a part begin.
const COLUMNS: [&str; 5] = [SHARE, "weight_", "unique_", "epochs_", "loss_"];

/// Names of the parts of some rows, in the order in which they come.
fn names(records: &[RunRecord]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let all = records.iter().flat_map(|record| &record.parts).map(|part| part.name.as_str());
    all.filter(|name| seen.insert(*name)).collect()
}

/// Rows of ours that were written without their parts, with the columns of those.
pub(super) fn with_parts(table: Vec<u8>, records: &[RunRecord]) -> Vec<u8> {
    let names = names(records);
    if names.is_empty() {
        return table;
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&table[..]);
    for (line, row) in reader.records().enumerate() {
        let mut row = row.expect("what was just written reads");
        for name in &names {
            let cells = match line.checked_sub(1) {
                None => COLUMNS.map(|column| format!("{column}{name}")),
                Some(at) => cells(records[at].parts.iter().find(|part| part.name == *name)),
            };
            cells.iter().for_each(|cell| row.push_field(cell));
        }
        writer.write_record(&row).expect("memory takes every row");
    }
    writer.into_inner().expect("memory takes every byte")
}

/// A part in the order of [`COLUMNS`]; absent values are empty.
fn cells(part: Option<&PartRecord>) -> [String; 5] {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let of = |value: fn(&PartRecord) -> Option<f64>| number(part.and_then(value));
    [
        of(|part| Some(part.share)),
        of(|part| part.weight),
        of(|part| part.unique_tokens),
        of(|part| part.epochs),
        of(|part| part.loss_nats.map(|loss| loss.0)),
    ]
}

/// Where the parts of mixtures stand in a table of ours.
pub(super) struct PartColumns(Vec<(String, [Option<usize>; 5])>);

impl PartColumns {
    pub(super) fn of(headers: &[String]) -> Self {
        let place = |name: &str, column: &str| headers.iter().position(|header| header.strip_prefix(column) == Some(name));
        let shares = headers.iter().filter_map(|header| header.strip_prefix(SHARE)).filter(|name| !name.is_empty());
        Self(shares.map(|name| (name.to_owned(), COLUMNS.map(|column| place(name, column)))).collect())
    }

    /// Whether a column is one of a part's.
    pub(super) fn has(&self, header: &str) -> bool {
        self.0.iter().any(|(name, _)| COLUMNS.iter().any(|column| header.strip_prefix(column) == Some(name.as_str())))
    }

    /// The parts of a row: those with a share in it.
    ///
    /// # Errors
    /// The place of a cell that should hold a number and does not.
    pub(super) fn of_row(&self, row: &StringRecord) -> Result<Vec<PartRecord>, usize> {
        let number = |at: Option<usize>| -> Result<Option<f64>, usize> {
            let Some((at, cell)) = at.and_then(|at| Some((at, row.get(at)?))).filter(|(_, cell)| !cell.is_empty()) else { return Ok(None) };
            cell.parse().ok().filter(|value: &f64| value.is_finite()).map(Some).ok_or(at)
        };
        let one = |(name, [share, weight, unique, epochs, loss]): &(String, [Option<usize>; 5])| {
            let Some(share) = number(*share)? else { return Ok(None) };
            let loss_nats = number(*loss)?.map(Nats);
            let (weight, unique_tokens, epochs) = (number(*weight)?, number(*unique)?, number(*epochs)?);
            Ok(Some(PartRecord { name: name.clone(), share, weight, unique_tokens, epochs, loss_nats }))
        };
        self.0.iter().filter_map(|columns| one(columns).transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes, records_to_csv};
    use crate::spec::{Nats, PartRecord, RunRecord, RunStatus, Tokens};
    use std::path::Path;

    fn part(name: &str, share: f64) -> PartRecord {
        let loss_nats = Some(Nats(2.0 + 0.1 * share));
        PartRecord { name: name.into(), share, weight: Some(1.0 / 3.0), unique_tokens: Some(1e6), epochs: Some(0.1 + 0.2), loss_nats }
    }

    fn row(run_id: &str, parts: Vec<PartRecord>) -> RunRecord {
        let tokens = Some(Tokens(1e6));
        RunRecord {
            run_id: run_id.into(),
            layers: Some(2),
            status: RunStatus::Finished,
            loss_nats: Some(Nats(2.5)),
            tokens,
            parts,
            ..RunRecord::default()
        }
    }

    #[test]
    fn parts_come_back_bit_for_bit_and_rows_without_them_stay() {
        let planned = PartRecord { weight: None, unique_tokens: None, epochs: None, loss_nats: None, ..part("code, \"C\"", 0.7) };
        let rows = [row("a", vec![part("code, \"C\"", 0.25), part("web", 0.75)]), row("b", vec![planned]), row("c", Vec::new())];
        let table = records_to_csv(&rows);
        let read = import_bytes(Path::new("runs.csv"), &table, Wanted::default()).expect("reads");
        let parts = |rows: &[RunRecord]| rows.iter().map(|row| row.parts.clone()).collect::<Vec<_>>();
        assert_eq!(parts(&read.records), parts(&rows));
        assert_eq!(read.records[0].loss_nats, Some(Nats(2.5)), "the loss of a part is not that of the run");
        assert_eq!(records_to_csv(&read.records), table, "and is written again as it was");
        let header = String::from_utf8(records_to_csv(&rows[2..])).expect("text");
        assert!(!header.contains("share_") && header.lines().next().expect("a header").ends_with("peak_memory_mb"));
    }

    #[test]
    fn a_cell_that_is_no_number_is_named() {
        let text = String::from_utf8(records_to_csv(&[row("a", vec![part("web", 1.0)])])).expect("text");
        let spoilt = text.replace(",1000000,0.30000000000000004,", ",1000000,often,");
        assert_ne!(spoilt, text);
        let error = import_bytes(Path::new("runs.csv"), spoilt.as_bytes(), Wanted::default()).expect_err("refused").to_string();
        assert!(error.contains("line 2, column `epochs_web`") && error.contains("`often`"), "{error}");
    }
}
