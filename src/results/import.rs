//! Tables of runs, ours or foreign, into records by a map of columns. Foreign names of the field
//! (`params`, `N`, `tokens`, `D`, `loss`, …) are recognised.

use super::imported::{Imported, as_runs, reread};
use super::left_out::LeftOut;
use super::runs::Runs;
use super::sheet::lines;
use super::table::{TableError, records_to_csv};
use super::trackers::curves_of;
use super::trajectories::{Curves, Rows};
use super::units::by_magnitude;
use super::wanted::{Misread, Row, Wanted, WantedRows};
use crate::spec::RunRecord;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// The file that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// Reads a table of runs, by the name `-` from standard input. Without rows, loss, or two of params, tokens and FLOPs it is refused.
pub fn import_table(path: &Path, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(unreadable(io::Error::other("it is a folder, not a file; name the CSV file in it")));
    }
    let bytes = if path == Path::new(STANDARD_INPUT) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    import_bytes(path, &bytes.map_err(unreadable)?, wanted)
}

/// Records of ours, filtered and grouped as a table of them would be.
pub fn filtered_records(path: &Path, records: &[RunRecord], wanted: Wanted<'_>) -> Result<Imported, TableError> {
    import_bytes(path, &records_to_csv(records), wanted)
}

/// Reads the bytes of a table; `path` is for messages.
pub fn import_bytes(path: &Path, bytes: &[u8], wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let mut rows = WantedRows::of(path, bytes, wanted)?;
    reread(&mut rows, |rows| {
        let runs = rows.runs()?;
        let mut imported = match runs {
            Some(runs) => along_runs(rows, runs)?,
            None => {
                let mut imported = as_runs(rows)?;
                // Where groups are asked for they are told apart already.
                imported.notes.extend(if wanted.by.is_none() { rows.mixed() } else { Vec::new() });
                imported
            }
        };
        imported.loss_unit = rows.loss_unit();
        if rows.has_compute() && !rows.own {
            imported.reading.extend(by_magnitude(&mut imported.records, &mut imported.trajectories));
        }
        Ok(imported)
    })
}

/// Wanted rows as points of runs.
fn along_runs(rows: &WantedRows, runs: Runs) -> Result<Imported, Misread> {
    let (mut points, mut left_out) = (Rows::default(), LeftOut::default());
    let mut nameless = Vec::new();
    let mut active_shares: Vec<Option<f64>> = Vec::new();
    for (((line, cells), row), run) in rows.rows().zip(rows.read()).zip(&runs.of) {
        match (row?, run) {
            (Row::LeftOut(unusable), _) => left_out.add(*line, unusable),
            (Row::Of(..), None) => nameless.push(*line),
            (Row::Of(record, group), Some(run)) => {
                if let Some(share) = rows.active_share(cells, &record) {
                    active_shares.resize(runs.names.len(), None);
                    active_shares[*run] = share.or(active_shares[*run]);
                }
                points.take(RunRecord { run_id: runs.names[*run].clone(), ..*record }, group, *line);
            }
        }
    }
    // Whoever looks at curves sees those, too, that never had a loss.
    if left_out.is_all(runs.of.len()) && !rows.wants_curves {
        return Err(left_out.refusal(rows.path()).into());
    }
    let several = || TableError::NoRuns { path: rows.path().to_owned(), found: "a run has several sizes".to_owned() };
    let curves = points.curves(0).ok_or_else(several)?;
    let mut imported = of_curves(curves, rows.notes().to_vec());
    if !active_shares.is_empty() {
        let of: HashMap<&str, Option<f64>> = runs.names.iter().map(String::as_str).zip(active_shares).collect();
        imported.active_shares = imported.records.iter().map(|record| of.get(record.run_id.as_str()).copied().flatten()).collect();
    }
    if rows.wants_curves {
        imported.curves = curves_of(rows, &runs, &mut imported.records);
    }
    if runs.unnamed {
        let all = runs.names.len();
        let how =
            format!("no column names the runs: {all} are told apart by their other columns; if every row is a run, --columns steps=none");
        imported.notes.push(how);
    }
    imported.filtered_out = rows.filtered_out();
    imported.reading = [rows.reading(), left_out.said(" passed over"), imported.reading].concat();
    if !nameless.is_empty() {
        imported.reading.push(format!("{} passed over: no run is named", lines(&nameless)));
    }
    Ok(imported)
}

/// The ends of curves as records, and words for a reader.
pub(super) fn of_curves(curves: Curves, mut notes: Vec<String>) -> Imported {
    let (rows, runs) = (curves.rows, curves.records.len());
    notes.push(format!(
        "{rows} rows are points of {runs} loss curves: laws see the last loss of each run, so n is {runs}; --law envelope sees all of them, as does any law with --checkpoints"
    ));
    if curves.rates_change {
        notes.push("the learning rate changes along the curves: a run's is the highest of its rows".to_owned());
    }
    let twice = |count: usize| format!("{count} rows stand at a step of their run that comes again: the later row counts");
    let reading = (curves.overtaken > 0).then(|| twice(curves.overtaken)).into_iter().collect();
    let Curves { records, lines, groups, trajectories, .. } = curves;
    Imported { records, lines, groups, trajectories, reading, notes, ..Imported::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Filter;
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
        let filter = Filter::equal;
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
            error("params,tokens,loss\n1,2,three\n"),
            "x.csv, line 2, column `loss`: `three` is not a number; write for example 2500000, 2.5M, 1.2e18 or 3,000,000"
        );
        assert_eq!(error("params,tokens,loss\n1,2,NaN\n"), "x.csv, line 2, column `loss`: `NaN` must be a finite number above zero");
        assert!(error("params,tokens,loss\n0,2,3\n").contains("line 2, column `params`: `0` must be a finite number above zero"));
        assert!(error("params,tokens,loss\n1,-2,3\n").contains("column `tokens`: `-2` must be a finite number above zero"));
        assert!(error("params,tokens,loss\n1,2\n").contains("line 2: 2 fields where the header has 3"));
        assert!(error("params,tokens,loss,loss\n1,2,3,4\n").contains("columns 3 and 4 have one name, `loss`"));
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
    fn a_constant_stands_for_a_column_that_the_table_lacks() {
        let read = |text: &str, constants: &[(&str, &str)], map: &[(&str, &str)]| {
            let owned = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
            let (constants, columns) = (owned(constants), owned(map));
            import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted { constants: &constants, columns: &columns, ..Wanted::default() })
        };
        let table = "tokens,loss\n1e9,3\n2e9,2.9\n";
        let imported = read(table, &[("params", "7B"), ("seed", "0"), ("corpus", "c4")], &[]).expect("reads");
        assert!(imported.records.iter().all(|record| record.params_total == Some(Params(7e9)) && record.seed_init == Some(0)));
        assert_eq!(imported.records[1].corpus.as_deref(), Some("c4"));
        let refused = |constants: &[(&str, &str)], map: &[(&str, &str)]| read(table, constants, map).expect_err("refused").to_string();
        assert!(refused(&[("tokens", "1e9")], &[]).contains("--set tokens=1e9: the file has the column `tokens` for tokens"));
        assert!(refused(&[("params", "1e9")], &[("params", "tokens")]).contains("the file has the column `tokens` for params"));
        assert!(refused(&[("sizes", "1e9")], &[]).contains("--set sizes=1e9: `sizes` is not one of params, tokens, loss"));
        assert!(refused(&[("params", "many")], &[]).contains("--set params=many: `many` is not a number"));
    }

    #[test]
    fn one_column_may_be_both_flops_and_budget_and_no_other_two() {
        let map = |pairs: [(&str, &str); 2]| pairs.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()));
        let read = |columns: &[(String, String)]| {
            import_bytes(Path::new("x.csv"), b"params,C,loss\n1e6,6e14,3\n", Wanted { columns, ..Wanted::default() })
        };
        for both in [map([("flops", "C"), ("budget", "C")]), map([("budget", "C"), ("flops", "C")])] {
            let record = read(&both).expect("reads").records[0].clone();
            assert_eq!((record.flops_exact, record.budget_flops), (Some(Flops(6e14)), Some(Flops(6e14))));
            assert_eq!(record.tokens, Some(Tokens(1e8)));
        }
        assert!(read(&map([("flops", "C"), ("tokens", "C")])).expect_err("refused").to_string().contains("the column `C` twice"));
    }

    #[test]
    fn what_helps_but_cannot_be_read_is_absent_unless_it_was_asked_for() {
        assert_eq!(import("params,tokens,loss,lr\n1,2,3,auto\n").expect("reads").records[0].learning_rate, None);
        let map = [("learning_rate".to_owned(), "lr".to_owned())];
        let asked = import_bytes(Path::new("x.csv"), b"params,tokens,loss,lr\n1,2,3,auto\n", Wanted { columns: &map, ..Wanted::default() });
        assert!(asked.expect_err("refused").to_string().contains("column `lr`"));
    }

    #[test]
    fn loss_curves_are_recognised_and_their_ends_are_the_runs() {
        let mut text = String::from("run,params,step,batch_size_tokens,loss\n");
        for (run, n) in [("small", 1e6), ("large", 4e6)] {
            (1..=4).for_each(|step| text += &format!("{run},{n},{},1000,{}\n", 100 * step, 4.0 - 0.1 * f64::from(step)));
        }
        let imported = import(&text).expect("reads");
        let ends: Vec<_> = imported.records.iter().map(|r| (r.run_id.as_str(), r.tokens, r.loss_nats)).collect();
        assert_eq!(ends, [("small", Some(Tokens(4e5)), Some(Nats(3.6))), ("large", Some(Tokens(4e5)), Some(Nats(3.6)))]);
        assert_eq!(imported.trajectories[1].points.len(), 4);
        assert!(imported.notes.iter().any(|note| note.contains("8 rows are points of 2 loss curves")), "{:?}", imported.notes);
        // The same names over other sizes are no curves.
        let sweep = import("name,params,tokens,loss\na,1e6,1e8,3\na,2e6,1e8,2.9\na,4e6,1e8,2.8\n").expect("reads");
        assert_eq!((sweep.records.len(), sweep.trajectories.len()), (3, 0));
    }

    #[test]
    fn batches_in_sequences_become_tokens_where_their_length_is_known() {
        let batch = |text: &str| import(text).unwrap_or_else(|error| panic!("{error}")).records[0].batch_tokens;
        assert_eq!(batch("params,tokens,loss,bs,context\n1e6,1e8,3,64,512\n"), Some(Tokens(32768.0)));
        assert_eq!(batch("params,tokens,loss,steps\n1e6,1e8,3,1000\n"), Some(Tokens(1e5)), "tokens a step");
        let steplaw =
            "h,ffnh,numh,numl,lr,bs,ti,loss,smooth loss,exp_name,D,N,D/N\n960,9368,15,7,0.001,64,15258,2.8,2.81,x,2e9,2.15e8,9.3\n";
        assert_eq!(batch(steplaw), Some(Tokens(64.0 * 2048.0)));
        let unknown = import("params,tokens,loss,lr,bs\n1e6,1e8,3,1e-3,64\n1e6,1e8,2.9,1e-3,128\n").expect("reads");
        assert!(unknown.notes.iter().any(|note| note.contains("sequences of unknown length")), "{:?}", unknown.notes);
        // Recipes are told apart all the same.
        assert_ne!(unknown.records[0].schedule, unknown.records[1].schedule);
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
        let imported = import("run,params,tokens,loss\na,1e6,2e8,\nb,1e6,4e8,3\n").expect("reads");
        assert_eq!((imported.records.len(), imported.records[0].loss_nats), (1, Some(Nats(3.0))));
        assert_eq!(imported.left_out, [("line 2".to_owned(), "loss is blank".to_owned())]);
        assert_eq!(imported.reading, ["line 2 left out: loss is blank"]);
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
