//! Tables in Parquet: files that pandas and pyarrow wrote (tests/data/parquet/make.py) hold what the CSV beside them holds, and what is
//! written is read again.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{refused, succeed, text};
use scalelab::results::{Imported, Wanted, import_bytes};
use scalelab::spec::Random;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parquet").join(name)
}

fn read(name: &str, columns: &[(&str, &str)]) -> Imported {
    let bytes = std::fs::read(data(name)).expect("is there");
    let columns: Vec<(String, String)> = columns.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect();
    import_bytes(Path::new(name), &bytes, Wanted { columns: &columns, ..Wanted::default() }).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_pandas_and_pyarrow_write_is_what_their_csv_holds() {
    let truth = read("runs.csv", &[]);
    assert_eq!((truth.records.len(), truth.left_out.len()), (38, 2));
    for name in ["pandas.parquet", "pages.parquet", "groups.parquet"] {
        let found = read(name, &[]);
        assert_eq!(found.records, truth.records, "{name}");
        assert_eq!((&found.lines, &found.left_out), (&truth.lines, &truth.left_out), "{name}: rows are counted as in the CSV");
    }
}

#[test]
fn columns_that_no_table_can_hold_are_left_out_and_said() {
    let truth = read("runs.csv", &[]);
    let found = read("odd.parquet", &[]);
    let pairs =
        |one: &Imported| one.records.iter().map(|run| (run.params_total.map(|n| n.0), run.loss_nats.map(|l| l.0))).collect::<Vec<_>>();
    assert_eq!(pairs(&found), pairs(&truth), "unsigned numbers, and a loss within a struct");
    let tokens = |one: &Imported| one.records.iter().map(|run| run.tokens.expect("D").0).collect::<Vec<_>>();
    assert!(tokens(&found).iter().zip(tokens(&truth)).all(|(found, truth)| 4.0 * found == truth), "decimal numbers");
    let said = found.reading.join("; ");
    assert!(
        said.contains("is not read: it holds lists") && said.contains("`split` is not read: its values are written in an encoding"),
        "{said}"
    );
}

#[test]
fn commands_read_parquet_and_write_it() {
    let fit =
        |name: &str| -> Value { serde_json::from_str(&succeed(&["fit", text(&data(name)), "--refits", "20", "--json"])).expect("JSON") };
    assert_eq!(fit("pandas.parquet")["laws"]["chinchilla"]["A"], fit("runs.csv")["laws"]["chinchilla"]["A"]);
    let folder = tempfile::tempdir().expect("temporary folder");
    let curves = folder.path().join("curves.csv");
    let row = |run: usize, i: usize| format!("{run}, {},{i}0,{}\n", if run > 0 { "2e7" } else { "1e7" }, 4.0 - 0.01 * (i + run) as f64);
    let rows: String = (0..2).flat_map(|run| (1..=30).map(move |i| row(run, i))).collect();
    std::fs::write(&curves, format!("run,params,step,train_loss\n{rows}")).expect("written");
    let out = folder.path().join("out");
    succeed(&["export", text(&curves), "--to", "parquet", "--out", text(&out)]);
    let lines = |to: &str, out: &Path| {
        succeed(&["export", text(&out.join("curves.parquet")), "--to", to, "--out", text(&folder.path().join(to))]);
        std::fs::read_to_string(folder.path().join(to).join("curves.jsonl")).expect("written")
    };
    let again = lines("jsonl", &out);
    assert_eq!(again.lines().count(), 60);
    assert!(again.contains("\"params\":20000000.0,\"step\":300,") && again.contains("\"train/loss\":3.69"), "{again}");
}

#[test]
fn files_that_are_cut_or_spoilt_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let cut = folder.path().join("cut.parquet");
    let whole = std::fs::read(data("pandas.parquet")).expect("is there");
    std::fs::write(&cut, &whole[..whole.len() - 40]).expect("written");
    let error = refused(&["fit", text(&cut)]);
    assert!(error.contains("its end is missing") && error.contains("copy it anew"), "{error}");
    let cases = std::env::var("SCALELAB_FUZZ_PARQUET").map_or(400, |cases| cases.parse().expect("a number"));
    let mut random = Random::new(7, "spoilt parquet");
    for name in ["pandas.parquet", "pages.parquet", "groups.parquet", "odd.parquet"] {
        let whole = std::fs::read(data(name)).expect("is there");
        for case in 0..cases {
            let mut bytes = whole.clone();
            for _ in 0..1 + case % 4 {
                // The end says most; its last eight bytes are a length and a mark.
                let span = if case % 2 == 0 { bytes.len() } else { bytes.len().min(3000) };
                let at = bytes.len() - 1 - random.below(span as u64) as usize;
                match random.below(3) {
                    0 => bytes[at] = random.below(256) as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    _ => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
                }
            }
            if let Ok(found) = import_bytes(Path::new(name), &bytes, Wanted::default()) {
                assert!(found.records.len() <= 40 * 100, "{name}: {} rows of {} bytes", found.records.len(), bytes.len());
            }
        }
    }
}
