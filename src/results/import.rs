//! Tables of runs, ours or foreign, into records by a map of columns. Foreign names of the field
//! (`params`, `N`, `tokens`, `D`, `loss`, …) are recognised.

use super::columns::Columns;
use super::table::{RawTable, TableError, columns_found, records_to_csv};
use crate::spec::RunRecord;
use csv::StringRecord;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

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
    /// The group of each record, where groups were asked for.
    pub groups: Vec<String>,
    /// Rows that a filter left out.
    pub filtered_out: usize,
    /// Whether the table is one of ours: it names shapes and a status, so every convention can be counted.
    pub own: bool,
    /// What a reader must know of how it was read, in words.
    pub notes: Vec<String>,
}

/// What is wanted of a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Rows that are kept; all without a filter.
    pub filters: &'a [Filter],
    /// Which columns are which of ours, where their names are not known.
    pub columns: &'a [(String, String)],
    /// Column whose text names the group of a row.
    pub by: Option<&'a str>,
}

/// Reads a table of runs. Without rows, loss, or two of params, tokens and FLOPs it is refused.
pub fn import_table(path: &Path, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(unreadable(io::Error::other("it is a folder, not a file; name the CSV file in it")));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    import_bytes(path, &bytes, wanted)
}

/// Records of ours, filtered and grouped as a table of them would be.
pub fn filtered_records(path: &Path, records: &[RunRecord], wanted: Wanted<'_>) -> Result<Imported, TableError> {
    import_bytes(path, &records_to_csv(records), wanted)
}

/// Reads the bytes of a table; `path` is for messages.
pub fn import_bytes(path: &Path, bytes: &[u8], wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let table = RawTable::parse(path.to_owned(), bytes)?;
    let columns = Columns::of(&table, &wanted.columns.to_vec())?;
    let own = ["run_id", "layers", "status"].iter().all(|name| table.headers.iter().any(|header| header == name));
    let kept = filtered(&table, wanted.filters)?;
    if kept.is_empty() {
        let what = if table.rows.is_empty() { "there is a header and no row" } else { "--where leaves no row" };
        return Err(TableError::Empty { path: path.to_owned(), what });
    }
    let by = wanted.by.map(|column| column_named(&table, column, "--by")).transpose()?;
    let (mut records, mut groups) = (Vec::with_capacity(kept.len()), Vec::new());
    for (line, row) in &kept {
        let record: RunRecord = table.typed(*line, &columns.cleaned(row), &columns.names)?;
        records.push(columns.completed(record));
        groups.extend(by.map(|at| row.get(at).unwrap_or_default().to_owned()));
    }
    name_runs(&mut records, &kept, own);
    Ok(Imported { filtered_out: table.rows.len() - records.len(), records, groups, own, notes: columns.notes })
}

/// Foreign runs keep their names where these are all there and all different; else the line is the name.
fn name_runs(records: &mut [RunRecord], kept: &[&(u64, StringRecord)], own: bool) {
    let distinct: HashSet<&str> = records.iter().map(|record| record.run_id.as_str()).collect();
    let named = distinct.len() == records.len() && !distinct.contains("");
    for (record, (line, _)) in records.iter_mut().zip(kept) {
        if record.run_id.is_empty() || !(own || named) {
            record.run_id = format!("line {line}");
        }
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

fn filtered<'a>(table: &'a RawTable, filters: &[Filter]) -> Result<Vec<&'a (u64, StringRecord)>, TableError> {
    let mut tests = Vec::new();
    for Filter { column, value } in filters {
        let at = column_named(table, column, "--where")?;
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
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default())
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
        let imported =
            import_bytes(Path::new("x.csv"), b"size,tokens,bits,loss\n1e6,2e7,4,3\n", Wanted { columns: &map, ..Wanted::default() })
                .expect("reads");
        assert_eq!(imported.records[0].loss_nats, Some(Nats(4.0)));
    }

    #[test]
    fn filters_compare_text_and_numbers() {
        let filter = |column: &str, value: &str| Filter { column: column.into(), value: value.into() };
        let read = |filters: &[Filter]| {
            import_bytes(
                Path::new("x.csv"),
                b"params,tokens,loss,kept,set\n1,2,3,1,a\n4,5,6,0,b\n",
                Wanted { filters, ..Wanted::default() },
            )
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
        assert!(import_table(Path::new("/"), Wanted::default()).expect_err("a folder").to_string().contains("it is a folder"));
    }

    #[test]
    fn headers_of_public_data_sets_are_recognised() {
        let first = |text: &str| import(text).unwrap_or_else(|error| panic!("{error}")).records[0].clone();
        // Epoch's points of a figure: no tokens, D = C/(6N).
        let epoch = first("x,y,color,Model Size,Training FLOP,hex_color,loss\n1,2,red,1e9,1.2e20,#ff0000,2.5\n");
        assert_eq!((epoch.params_total, epoch.tokens), (Some(Params(1e9)), Some(Tokens(2e10))));
        let athena = first(
            "source,dataset,model,condition,experiment,tokens,params,budget,loss,outlier,reason\na,b,c,d,e,2e10,1e9,1e20,2.5,False,\n",
        );
        assert_eq!((athena.budget_flops, athena.flops_exact), (Some(Flops(1e20)), None));
        let marin = first(
            "Name,parameter_count,throughput/total_tokens,eval/paloma/macro_loss,throughput/total_gflops,trainer.train_batch_size,optimizer.learning_rate,trainer.num_train_steps,model.num_layers,model.hidden_dim\n\
             \"isoflop-1e18\",\"100000000\",\"2000000000\",\"3.1\",\"1200000000\",\"64\",\"0.002\",\"5000.0\",\"8\",\"512\"\n",
        );
        assert_eq!((marin.run_id.as_str(), marin.flops_exact), ("isoflop-1e18", Some(Flops(1.2e18))));
        assert_eq!((marin.steps, marin.learning_rate), (Some(5000), Some(0.002)));
        let steplaw =
            first("h,ffnh,numh,numl,lr,bs,ti,loss,smooth loss,exp_name,D,N,D/N\n960,9368,15,7,0.001,64,1,2.8,2.81,x,2e9,2.15e8,9.3\n");
        assert_eq!((steplaw.params_total, steplaw.tokens, steplaw.loss_nats), (Some(Params(2.15e8)), Some(Tokens(2e9)), Some(Nats(2.8))));
        let nano =
            import("flops_budget,depth,params_total,num_iterations,tokens_trained,val_bpb\n1e18,8,4e7,1000,4e9,0.95\n").expect("reads");
        assert!(nano.notes[0].contains("bits per byte"), "{:?}", nano.notes);
        assert_eq!(first("C,N,D,loss\n1.2e14,1e6,2e7,3\n").flops_exact, Some(Flops(1.2e14)));
    }

    #[test]
    fn what_helps_but_cannot_be_read_is_absent_unless_it_was_asked_for() {
        assert_eq!(import("params,tokens,loss,lr\n1,2,3,auto\n").expect("reads").records[0].learning_rate, None);
        let map = [("learning_rate".to_owned(), "lr".to_owned())];
        let asked = import_bytes(Path::new("x.csv"), b"params,tokens,loss,lr\n1,2,3,auto\n", Wanted { columns: &map, ..Wanted::default() });
        assert!(asked.expect_err("refused").to_string().contains("column `lr`"));
    }

    #[test]
    fn rows_are_grouped_by_a_column() {
        let read = |by| {
            import_bytes(Path::new("x.csv"), b"params,tokens,loss,set\n1,2,3,a\n4,5,6,b\n", Wanted { by: Some(by), ..Wanted::default() })
        };
        assert_eq!(read("set").expect("reads").groups, ["a", "b"]);
        assert!(read("sett").expect_err("none").to_string().contains("--by names the column `sett`"));
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
        let imported = import_bytes(Path::new("runs.csv"), &bytes, Wanted::default()).expect("reads");
        assert!(imported.own);
        assert_eq!(imported.records, vec![record]);
    }
}
