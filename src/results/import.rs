//! Tables of runs, ours or foreign, into records by a map of columns. Foreign names of the field
//! (`params`, `N`, `tokens`, `D`, `loss`, …) are recognised.

use super::table::{RawTable, TableError, columns_found, records_to_csv};
use crate::spec::RunRecord;
use csv::StringRecord;
use std::fs;
use std::io;
use std::path::Path;

/// Which foreign column is read as which of ours: pairs (ours, theirs).
pub type ColumnMap = Vec<(String, String)>;

/// Keeps the rows whose cell equals a value, as text or as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Header of the column.
    pub column: String,
    /// What its cell must hold.
    pub value: String,
}

/// What a table held.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// One record a row, in the order of the file.
    pub records: Vec<RunRecord>,
    /// Rows that a filter left out.
    pub filtered_out: usize,
    /// Whether the table is one of ours: it names shapes and a status, so every convention can be counted.
    pub own: bool,
}

/// Names under which the field writes the columns that a fit needs.
const ALIASES: [(&str, &[&str]); 4] = [
    ("params_total", &["params", "parameters", "n_params", "num_params", "parameter_count", "model size", "n"]),
    ("tokens", &["tokens", "d", "n_tokens", "num_tokens", "train_tokens", "tokens_trained", "throughput/total_tokens"]),
    ("loss_nats", &["loss", "val_loss", "validation_loss", "eval_loss", "final_loss", "test_loss"]),
    ("flops_exact", &["flops", "flop", "c", "compute", "train_flops", "training flop", "budget", "flops_budget"]),
];

/// Reads a table of runs. Without rows, params, tokens or loss it is refused.
pub fn import_table(path: &Path, filters: &[Filter], columns: &ColumnMap) -> Result<Imported, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(unreadable(io::Error::other("it is a folder, not a file; name the CSV file in it")));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    import_bytes(path, &bytes, filters, columns)
}

/// Records of ours, filtered as a table of them would be.
pub fn filtered_records(path: &Path, records: &[RunRecord], filters: &[Filter]) -> Result<Imported, TableError> {
    import_bytes(path, &records_to_csv(records), filters, &ColumnMap::new())
}

fn import_bytes(path: &Path, bytes: &[u8], filters: &[Filter], columns: &ColumnMap) -> Result<Imported, TableError> {
    let table = RawTable::parse(path.to_owned(), bytes)?;
    let names = our_names(&table, columns)?;
    let own = ["run_id", "layers", "status"].iter().all(|name| table.headers.iter().any(|header| header == name));
    let kept = filtered(&table, filters)?;
    if kept.is_empty() {
        let what = if table.rows.is_empty() { "there is a header and no row" } else { "--where leaves no row" };
        return Err(TableError::Empty { path: path.to_owned(), what });
    }
    let mut records = Vec::with_capacity(kept.len());
    for (line, row) in &kept {
        let mut record: RunRecord = table.typed(*line, row, &names)?;
        if record.run_id.is_empty() {
            record.run_id = format!("line {line}");
        }
        records.push(record);
    }
    Ok(Imported { filtered_out: table.rows.len() - records.len(), records, own })
}

/// For each column of the file the name of ours that it is read as; unknown ones keep theirs and are ignored.
fn our_names(table: &RawTable, columns: &ColumnMap) -> Result<StringRecord, TableError> {
    check_columns(table, columns)?;
    let mut names: Vec<String> = table.headers.clone();
    for (ours, aliases) in ALIASES {
        let position = |wanted: &str| table.headers.iter().position(|header| header.eq_ignore_ascii_case(wanted));
        let mapped = columns.iter().find(|(name, _)| name == ours || aliases.contains(&name.as_str()));
        let found: Vec<usize> = match mapped {
            Some((_, theirs)) => table.headers.iter().position(|header| header == theirs).into_iter().collect(),
            None => position(ours).map_or_else(|| aliases.iter().filter_map(|alias| position(alias)).collect(), |at| vec![at]),
        };
        match found.as_slice() {
            [] if ours == "flops_exact" => {}
            [] => {
                let found = columns_found(&table.headers);
                return Err(TableError::MissingColumn { path: table.path.clone(), wanted: aliases[0], found });
            }
            [one] => ours.clone_into(&mut names[*one]),
            [first, second, ..] => {
                return Err(TableError::Ambiguous {
                    path: table.path.clone(),
                    first: table.headers[*first].clone(),
                    second: table.headers[*second].clone(),
                    meaning: aliases[0],
                });
            }
        }
    }
    Ok(StringRecord::from(names))
}

/// A map of columns names what exists, on both sides, and no column twice.
fn check_columns(table: &RawTable, columns: &ColumnMap) -> Result<(), TableError> {
    let error = |problem: String| Err(TableError::Row { path: table.path.clone(), line: 1, problem });
    for (at, (ours, theirs)) in columns.iter().enumerate() {
        if !ALIASES.iter().any(|(name, aliases)| name == ours || aliases.contains(&ours.as_str())) {
            return error(format!("--columns {ours}={theirs}: `{ours}` is not one of params, tokens, loss, flops"));
        }
        if !table.headers.contains(theirs) {
            return error(format!("--columns {ours}={theirs}: there is no column `{theirs}`; {}", columns_found(&table.headers)));
        }
        if columns[..at].iter().any(|(_, before)| before == theirs) {
            return error(format!("--columns names the column `{theirs}` twice"));
        }
    }
    Ok(())
}

fn filtered<'a>(table: &'a RawTable, filters: &[Filter]) -> Result<Vec<&'a (u64, StringRecord)>, TableError> {
    let mut tests = Vec::new();
    for Filter { column, value } in filters {
        let at = table.headers.iter().position(|header| header == column).ok_or_else(|| TableError::UnknownColumn {
            path: table.path.clone(),
            wanted: column.clone(),
            found: columns_found(&table.headers),
        })?;
        tests.push((at, value));
    }
    let holds = |row: &StringRecord| tests.iter().all(|(at, value)| same(row.get(*at).unwrap_or_default(), value));
    Ok(table.rows.iter().filter(|(_, row)| holds(row)).collect())
}

/// Equal as text, or as numbers (`1` and `1.0`).
fn same(cell: &str, value: &str) -> bool {
    cell == value || cell.parse::<f64>().is_ok_and(|cell| value.parse::<f64>().is_ok_and(|value| cell == value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Flops, Nats, Params, RunStatus, Tokens};

    fn import(text: &str) -> Result<Imported, TableError> {
        import_bytes(Path::new("x.csv"), text.as_bytes(), &[], &Vec::new())
    }

    fn error(text: &str) -> String {
        import(text).expect_err("refused").to_string()
    }

    #[test]
    fn a_foreign_table_of_four_columns_is_enough() {
        let text = "\u{feff}params,tokens,flops,loss\r\n1.2B,\"3,000,000,000\",2.16e19,2.5\r\n\r\n4e8,8e9,99999999999999999999999,3\r\n";
        let imported = import(text).expect("reads");
        assert!(!imported.own);
        let [first, second] = imported.records.as_slice() else { panic!("two rows") };
        assert_eq!((first.params_total, first.tokens), (Some(Params(1.2e9)), Some(Tokens(3e9))));
        assert_eq!((first.loss_nats, first.status), (Some(Nats(2.5)), RunStatus::Finished));
        assert_eq!(second.flops_exact, Some(Flops(1e23)), "more than 64 bits");
        assert_eq!(second.run_id, "line 4");
    }

    #[test]
    fn names_of_the_field_are_recognised_and_others_can_be_mapped() {
        assert_eq!(import("N,D,C,val_loss\n1e6,2e7,1.2e14,3\n").expect("reads").records[0].tokens, Some(Tokens(2e7)));
        let map = vec![("params".to_owned(), "size".to_owned()), ("loss".to_owned(), "bits".to_owned())];
        let imported = import_bytes(Path::new("x.csv"), b"size,tokens,bits,loss\n1e6,2e7,4,3\n", &[], &map).expect("reads");
        assert_eq!(imported.records[0].loss_nats, Some(Nats(4.0)));
    }

    #[test]
    fn filters_compare_text_and_numbers() {
        let filter = |column: &str, value: &str| Filter { column: column.into(), value: value.into() };
        let read = |filters: &[Filter]| {
            import_bytes(Path::new("x.csv"), b"params,tokens,loss,kept,set\n1,2,3,1,a\n4,5,6,0,b\n", filters, &Vec::new())
        };
        let imported = read(&[filter("kept", "1.0"), filter("set", "a")]).expect("reads");
        assert_eq!((imported.records.len(), imported.filtered_out), (1, 1));
        assert!(read(&[filter("set", "c")]).expect_err("none").to_string().contains("--where leaves no row"));
        assert!(read(&[filter("sett", "c")]).expect_err("none").to_string().contains("`sett`"));
    }

    #[test]
    fn bad_tables_are_refused_by_file_line_column_and_text() {
        assert!(error("").contains("the file is empty"));
        assert!(error("params,tokens,loss\n").contains("a header and no row"));
        assert!(error("params,tokens\n1,2\n").contains("no column for loss; the columns are `params`, `tokens`"));
        assert_eq!(
            error("params,tokens,loss\n1,2,3\n1,2,three\n"),
            "x.csv, line 3, column `loss`: `three` is not a number; write for example 2500000, 2.5M, 1.2e18 or 3,000,000"
        );
        assert_eq!(error("params,tokens,loss\n1,2,NaN\n"), "x.csv, line 2, column `loss`: `NaN` must be a finite number above zero");
        assert!(error("params,tokens,loss\n0,2,3\n").contains("line 2, column `params`: `0` must be a finite number above zero"));
        assert!(error("params,tokens,loss\n1,-2,3\n").contains("column `tokens`: `-2` must be a finite number above zero"));
        assert!(error("params,tokens,loss\n1,2\n").contains("line 2: 2 fields where the header has 3"));
        assert!(error("params,n_params,tokens,loss\n1,1,2,3\n").contains("`params` and `n_params` both mean params"));
        assert!(import_table(Path::new("/"), &[], &Vec::new()).expect_err("a folder").to_string().contains("it is a folder"));
    }

    #[test]
    fn a_blank_loss_is_absent_not_zero() {
        assert_eq!(import("params,tokens,loss\n1,2,\n").expect("reads").records[0].loss_nats, None);
    }

    #[test]
    fn records_of_ours_come_back_bit_for_bit() {
        let record = RunRecord {
            run_id: "2x8-odd, \"name\"".into(),
            status: RunStatus::Diverged,
            params_total: Some(Params(12345.0)),
            tokens: Some(Tokens(1e6)),
            layers: Some(2),
            qk_norm: Some(true),
            learning_rate: Some(0.1 + 0.2),
            flops_exact: Some(Flops(1.0 / 3.0 * 1e13)),
            schedule: Some("wsd(0.2, 1-sqrt)".into()),
            ..RunRecord::default()
        };
        let bytes = super::super::records_to_csv(std::slice::from_ref(&record));
        let imported = import_bytes(Path::new("runs.csv"), &bytes, &[], &Vec::new()).expect("reads");
        assert!(imported.own);
        assert_eq!(imported.records, vec![record]);
    }
}
