//! Tables as people have them: every make of file, cell, column and contradiction that was brought to tools like ours, made here from
//! one known law. What can be read gives the runs that stand in it; what cannot be is refused or doubted in words.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{refused, run, stderr, succeed, text};
use scalelab::results::{Imported, Wanted, import_bytes};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The law of every table here but those that say otherwise, to five decimals of the loss: a = .28/.62.
fn law(n: f64, d: f64) -> f64 {
    ((1.69 + 406.4 * n.powf(-0.34) + 410.7 * d.powf(-0.28)) * 1e5).round() / 1e5
}

const SIZES: [f64; 5] = [50e6, 100e6, 200e6, 400e6, 800e6];
const TOKENS: [f64; 6] = [1e9, 2e9, 4e9, 8e9, 16e9, 32e9];

/// Thirty runs: size, tokens, loss.
fn runs() -> Vec<(f64, f64, f64)> {
    SIZES.iter().flat_map(|&n| TOKENS.map(|d| (n, d, law(n, d)))).collect()
}

/// A table of them, a row by a function of its number and its run.
fn made(header: &str, row: impl Fn(usize, f64, f64, f64) -> String) -> String {
    runs().into_iter().enumerate().fold(format!("{header}\n"), |text, (i, (n, d, l))| text + &row(i, n, d, l) + "\n")
}

fn plain() -> String {
    made("params,tokens,loss", |_, n, d, l| format!("{n},{d},{l}"))
}

fn import(name: &str, bytes: &[u8]) -> Imported {
    import_bytes(Path::new(name), bytes, Wanted::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn found(imported: &Imported) -> Vec<(f64, f64, f64)> {
    let of = |run: &scalelab::spec::RunRecord| (run.params_total.expect("N").0, run.tokens.expect("D").0, run.loss_nats.expect("L").0);
    imported.records.iter().map(of).collect()
}

/// Whether a table gives the thirty runs, up to rounding of units, and which of its words say how it was read.
fn same_runs(name: &str, bytes: &[u8]) -> Vec<String> {
    let imported = import(name, bytes);
    let (found, expected) = (found(&imported), runs());
    assert_eq!(found.len(), expected.len(), "{name}: {:?} {:?}", imported.left_out, imported.reading);
    for (found, expected) in found.iter().zip(&expected) {
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-5;
        assert!(close(found.0, expected.0) && close(found.1, expected.1) && found.2 == expected.2, "{name}: {found:?} for {expected:?}");
    }
    [imported.reading, imported.notes].concat()
}

fn says(said: &[String], words: &str) {
    assert!(said.iter().any(|one| one.contains(words)), "`{words}` in {said:?}");
}

/// A file in a folder of its own.
fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("written");
    (folder, path)
}

fn fit(name: &str, content: &str, more: &[&str]) -> Value {
    let (_folder, path) = file(name, content);
    serde_json::from_str(&succeed(&[&["fit", text(&path), "--refits", "20", "--json"], more].concat())).expect("JSON")
}

/// What `fit` prints, by default and with all details.
fn printed(name: &str, content: &str, more: &[&str]) -> String {
    let (_folder, path) = file(name, content);
    let said = [vec![], vec!["--details"]].map(|details| succeed(&[&["fit", text(&path), "--refits", "20"], more, &details[..]].concat()));
    said.concat()
}

fn notes(document: &Value) -> Vec<String> {
    document["notes"].as_array().expect("a list").iter().map(|note| note.as_str().expect("text").to_owned()).collect()
}

fn recommended(document: &Value) -> usize {
    document["recommendations"].as_array().expect("a list").len()
}

#[test]
fn a_plain_table_gives_its_law() {
    let document = fit("runs.csv", &plain(), &[]);
    let a = document["laws"]["chinchilla"]["derived"]["a"]["value"].as_f64().expect("a number");
    assert!((a - 0.28 / 0.62).abs() < 1e-3, "{a}");
    assert!(recommended(&document) > 0 && notes(&document).is_empty(), "{document}");
}

#[test]
fn files_of_every_shape_hold_the_same_runs() {
    let rows = |separator: &str, end: &str, loss: &dyn Fn(f64) -> String| {
        let header = ["params", "tokens", "loss"].join(separator) + end;
        runs().into_iter().fold(header, |all, (n, d, l)| all + &[n.to_string(), d.to_string(), loss(l)].join(separator) + end)
    };
    let comma = |l: f64| l.to_string().replace('.', ",");
    let point = |l: f64| l.to_string();
    assert_eq!(same_runs("plain.csv", plain().as_bytes()), Vec::<String>::new());
    let said = same_runs("semicolons.csv", rows(";", "\n", &comma).as_bytes());
    says(&said, "semicolons");
    says(&said, "decimal commas in `loss`");
    says(&same_runs("tabs.tsv", rows("\t", "\n", &point).as_bytes()), "tabs");
    says(&same_runs("blanks.txt", rows("  ", "\n", &point).as_bytes()), "blanks");
    says(&same_runs("quoted.csv", rows(",", "\n", &|l| format!("\"{}\"", comma(l))).as_bytes()), "decimal commas");
    assert_eq!(same_runs("bom.csv", format!("\u{feff}{}", rows(",", "\r\n", &point)).as_bytes()), Vec::<String>::new());
    assert_eq!(
        same_runs("trailing.csv", made("params,tokens,loss", |_, n, d, l| format!("{n},{d},{l},")).as_bytes()),
        Vec::<String>::new()
    );
    says(&same_runs("comment.csv", format!("# sweep of march, seed 0\n{}", plain()).as_bytes()), "1 line above the header");
    says(&same_runs("title.csv", format!("Sweep of March\n\n{}", plain()).as_bytes()), "1 line above the header");
    let lines: Vec<String> = plain().lines().map(str::to_owned).collect();
    let again = [&lines[..18], &lines[..1], &lines[18..]].concat().join("\n");
    says(&same_runs("again.csv", again.as_bytes()), "line 19 passed over: the header again");
}

#[test]
fn json_and_compressed_and_wide_text_hold_the_same_runs() {
    let object =
        |i: usize, n: f64, d: f64, l: f64| format!("{{\"run_id\": \"r{i}\", \"params\": {n:?}, \"tokens\": {d:?}, \"loss\": {l}}}");
    let each: Vec<String> = runs().into_iter().enumerate().map(|(i, (n, d, l))| object(i, n, d, l)).collect();
    same_runs("runs.jsonl", each.join("\n").as_bytes());
    let nested = |(n, d, l)| format!(" {{\n  \"params\": {n},\n  \"tokens\": {d},\n  \"metrics\": {{\"val_loss\": {l}}}\n }}");
    let nested: Vec<String> = runs().into_iter().map(nested).collect();
    says(&same_runs("runs.json", format!("[\n{}\n]", nested.join(",\n")).as_bytes()), "`metrics.val_loss` read as loss");
    let list = |pick: fn(&(f64, f64, f64)) -> f64| format!("{:?}", runs().iter().map(pick).collect::<Vec<_>>());
    let columns = format!("{{\"params\": {}, \"tokens\": {}, \"loss\": {}}}", list(|r| r.0), list(|r| r.1), list(|r| r.2));
    same_runs("columns.json", columns.as_bytes());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain().as_bytes()).expect("memory");
    says(&same_runs("runs.csv.gz", &gzip.finish().expect("memory")), "gzip");
    says(&same_runs("runs.csv.zst", &zstd::encode_all(plain().as_bytes(), 1).expect("memory")), "zstd");
    let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    says(&same_runs("utf16.csv", &wide(&format!("\u{feff}{}", plain()), u16::to_le_bytes)), "UTF-16");
    says(&same_runs("utf16.csv", &wide(&plain(), u16::to_be_bytes)), "UTF-16");
}

#[test]
fn standard_input_is_a_table_too() {
    let mut command = crate::support::scalelab(&["fit", "-", "--refits", "20", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(plain().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["points"].as_u64(), Some(30));
}

#[test]
fn names_that_are_shared_or_not_known_are_refused_with_what_to_type() {
    let mut said = Transcript::default();
    let (_folder, path) = file("two.csv", &made("params,tokens,loss,loss", |_, n, d, l| format!("{n},{d},{},{l}", 1.3 * l)));
    said.refused(&["fit", text(&path)]);
    let (folder, path) = file("comma.csv", &made("N_params,tokens,\"val/loss, lr=1e-3\"", |_, n, d, l| format!("{n},{d},{l}")));
    said.refused(&["fit", text(&path)]);
    let map = folder.path().join("columns.toml");
    std::fs::write(&map, "params = \"N_params\"\nloss = \"val/loss, lr=1e-3\"\n").expect("written");
    succeed(&["fit", text(&path), "--columns", text(&map), "--refits", "20"]);
    let (_folder, path) = file("blank.csv", &made("params,tokens,loss", |_, n, d, _| format!("{n},{d},")));
    said.refused(&["fit", text(&path)]);
    let (_folder, path) = file("two_losses.csv", &made("params,tokens,loss,val_loss", |_, n, d, l| format!("{n},{d},{},{l}", 1.3 * l)));
    said.refused(&["fit", text(&path)]);
    said.check("people_names");
}

#[test]
fn a_cell_without_a_number_leaves_its_row_out_and_says_which() {
    for word in ["NaN", "inf", "None", "N/A", "—", "", "nan", "-inf", "null", "#DIV/0!"] {
        let is_bad = |i: usize| [4, 11, 23].contains(&i);
        let row = |i: usize, n: f64, d: f64, l: f64| {
            let (loss, state) = if is_bad(i) { (word.to_owned(), "crashed") } else { (l.to_string(), "finished") };
            format!("r{i},{n},{d},{loss},{state}")
        };
        let imported = import("diverged.csv", made("run,params,tokens,loss,state", row).as_bytes());
        let expected: Vec<_> = runs().into_iter().enumerate().filter(|(i, _)| !is_bad(*i)).map(|(_, run)| run).collect();
        assert_eq!(found(&imported), expected, "{word}");
        assert_eq!(imported.reading, ["lines 6, 13 and 25 left out: loss is no number: diverged"], "{word}");
        assert!(imported.left_out.iter().all(|(_, reason)| reason == "loss is no number: diverged") && imported.left_out.len() == 3);
    }
    let mut lines: Vec<String> = plain().lines().map(str::to_owned).collect();
    lines.insert(21, "200000000,0,0".into());
    says(&same_runs("zero.csv", lines.join("\n").as_bytes()), "line 22 left out: tokens is 0");
    let blank = made("Name,State,params,tokens,loss,val_loss", |i, n, d, l| format!("r{i},finished,{n},{d},,{l}"));
    says(&same_runs("val.csv", blank.as_bytes()), "`loss` is blank in every row: losses are those of `val_loss`");
    let small = made("params,tokens,loss", |_, n, d, l| format!("{}m,{}b,{l}", n / 1e6, d / 1e9));
    same_runs("small.csv", small.as_bytes());
    let said = printed("zero.csv", &lines.join("\n"), &[]);
    assert!(said.contains("left out: 1 (tokens is 0)"), "{said}");
}

#[test]
fn a_column_that_nobody_needs_never_refuses_a_table() {
    for (column, word) in [
        ("width", "d512"),
        ("layers", "12.0"),
        ("status", "done"),
        ("seed", "run-a"),
        ("device", "H100"),
        ("qk_norm", "True"),
        ("schedule", "cosine"),
        ("vocabulary", "32k"),
        ("kv_heads", "nan"),
        ("init", "xavier"),
        ("beta1", "0,9"),
        ("wall_seconds", "3h"),
    ] {
        let said =
            same_runs(column, made(&format!("params,tokens,loss,{column}"), |_, n, d, l| format!("{n},{d},{l},\"{word}\"")).as_bytes());
        if !["device", "schedule", "init"].contains(&column) {
            says(&said, &format!("`{column}`"));
        }
    }
}

#[test]
fn units_are_read_from_headers_and_from_what_follows_from_them() {
    let said = same_runs("units.csv", made("params_M,tokens_B,loss", |_, n, d, l| format!("{},{},{l}", n / 1e6, d / 1e9)).as_bytes());
    says(&said, "`params_M` read as params in units of 1e6");
    says(&said, "`tokens_B` read as tokens in units of 1e9");
    for header in ["Params (M),Tokens (billions),loss", "params_in_millions,tokens_in_billions,loss", "N [1e6],D [1e9],loss"] {
        same_runs(header, made(header, |_, n, d, l| format!("{},{},{l}", n / 1e6, d / 1e9)).as_bytes());
    }
    for (header, unit) in [("total_gflops", 1e9), ("pf-days", 8.64e19), ("flops", 8.64e19), ("flops", 1e9), ("train_exaflops", 1e18)] {
        let content = made(&format!("params,tokens,{header},loss"), |_, n, d, l| format!("{n},{d},{:.6e},{l}", 6.0 * n * d / unit));
        let imported = import(header, content.as_bytes());
        let off = |run: &scalelab::spec::RunRecord| {
            run.flops_exact.expect("C").0 / (6.0 * run.params_total.expect("N").0 * run.tokens.expect("D").0)
        };
        assert!(imported.records.iter().all(|run| (off(run) - 1.0).abs() < 1e-5), "{header} {unit}");
        says(&imported.reading, "flops");
    }
    let counts = made("params,tokens,flops,loss", |_, n, d, l| format!("{},{},{:e},{l}", n / 1e6, d / 1e9, 6.0 * n * d));
    says(&same_runs("counts.csv", counts.as_bytes()), "`params` in millions and `tokens` in billions");
    // A factor that the user gives.
    let columns = [("params".to_owned(), "size*1e6".to_owned())];
    let content = made("size,tokens,loss", |_, n, d, l| format!("{},{d},{l}", n / 1e6));
    let imported = import_bytes(Path::new("x.csv"), content.as_bytes(), Wanted { columns: &columns, ..Wanted::default() }).expect("reads");
    assert_eq!(found(&imported), runs());
}

#[test]
fn what_contradicts_itself_is_doubted_and_recommends_nothing_until_it_is_trusted() {
    let doubted = |content: &str, words: &str| {
        let document = fit("runs.csv", content, &[]);
        says(&notes(&document), words);
        assert_eq!(recommended(&document), 0, "{words}");
        assert!(recommended(&fit("runs.csv", content, &["--trust"])) > 0, "{words}");
    };
    doubted(
        &made("params,tokens,loss", |_, n, d, l| format!("{},{},{l}", n / 1e6, d / 1e9)),
        "--columns 'params=NAME*1e6,tokens=NAME*1e9'",
    );
    doubted(&made("params,tokens,flops,loss", |_, n, d, l| format!("{n},{d},{},{l}", 6.0 * n * 524_288.0)), "C/(6·N·D)");
    doubted(&made("params,tokens,flops,loss", |_, n, d, l| format!("{n},{d},{},{l}", 2.0 * n * d)), "C/(6·N·D) is 0.333");
    // What is only told.
    let document = fit("runs.csv", &made("params,tokens,flops,loss", |_, n, d, l| format!("{n},{d},{},{l}", 10.0 * n * d)), &[]);
    says(&notes(&document), "C/(6·N·D) is 1.667");
    assert!(recommended(&document) > 0);
    let typo = made("params,tokens,loss", |i, n, d, l| format!("{},{d},{l}", if i == 12 { n * 10.0 } else { n }));
    says(&notes(&fit("runs.csv", &typo, &[])), "line 14 stands off");
    // Without it beside: the law of the other 29, which a table without the row gives, too.
    let robust = fit("runs.csv", &typo, &["--robust"]);
    says(&notes(&robust), "refitted without line 14, as --robust asks");
    assert_eq!(robust["robust"]["left_out"], serde_json::json!(["line 14"]));
    let without: String = typo.lines().enumerate().filter(|(at, _)| *at != 13).map(|(_, line)| format!("{line}\n")).collect();
    let value = |fitted: &Value, name: &str| fitted["coefficients"][name]["value"].as_f64().expect("fitted");
    let clean = fit("runs.csv", &without, &["--robust"]);
    says(&notes(&clean), "no run stands off the law, so --robust leaves none out");
    for name in ["E", "alpha", "beta"] {
        let (found, expected) = (value(&robust["robust"]["law"], name), value(&clean["laws"]["chinchilla"], name));
        assert!((found / expected - 1.0).abs() < 1e-6, "{name}: {found}, {expected}");
    }
    let slip = made("params,tokens,flops,loss", |i, n, d, l| format!("{n},{d},{},{l}", if i == 7 { 60.0 } else { 6.0 } * n * d));
    says(&notes(&fit("runs.csv", &slip, &[])), "line 9: its C/(6·N·D) is 10.000 times that of the others");
    let mut said = Transcript::default();
    let (_folder, path) = file("runs.csv", &made("params,tokens,flops,loss", |_, n, d, l| format!("{n},{d},{},{l}", 2.0 * n * d)));
    said.succeed(&["fit", text(&path), "--refits", "20"]);
    said.refused(&["recommend", text(&path), "--refits", "20", "--compute", "1e21"]);
    said.check("people_doubt");
}

/// Six runs of twenty points each: run, size, step, tokens, loss.
fn points() -> Vec<(String, f64, u32, f64, f64)> {
    let of = |(i, n): (usize, f64)| (1..=20).map(move |k| (format!("m{i}"), n, 1600 * k, 8e8 * f64::from(k), law(n, 8e8 * f64::from(k))));
    [50e6, 100e6, 200e6, 400e6, 800e6, 1.6e9].into_iter().enumerate().flat_map(of).collect()
}

const POINT: &str = "run,params,step,tokens,loss";

fn point((run, n, step, d, l): &(String, f64, u32, f64, f64)) -> String {
    format!("{run},{n},{step},{d},{l}")
}

fn curves(rows: impl IntoIterator<Item = String>) -> Imported {
    let content = std::iter::once(POINT.to_owned()).chain(rows).collect::<Vec<_>>().join("\n");
    let imported = import("curves.csv", content.as_bytes());
    assert_eq!((imported.records.len(), imported.trajectories.len()), (6, 6), "{:?}", imported.notes);
    imported
}

#[test]
fn curves_stay_curves_whatever_befalls_a_row() {
    let rows: Vec<String> = points().iter().map(point).collect();
    let ends: Vec<_> = points().iter().skip(19).step_by(20).map(|(_, n, _, d, l)| (*n, *d, *l)).collect();
    let whole = curves(rows.clone());
    assert_eq!(found(&whole), ends);
    assert!(whole.trajectories.iter().all(|curve| curve.points.len() == 20));

    let zero = rows.chunks(20).flat_map(|run| {
        let (name, size) = run[0].split_once(',').and_then(|(name, rest)| Some((name, rest.split(',').next()?))).expect("a row");
        std::iter::once(format!("{name},{size},0,0,10.83")).chain(run.iter().cloned())
    });
    let with_zero = curves(zero);
    assert_eq!(found(&with_zero), ends);
    says(&with_zero.reading, "lines 2, 23, 44, 65, 86 and 107 passed over: tokens is 0");

    let blank = rows.iter().enumerate().map(|(k, row)| {
        let cells: Vec<&str> = row.split(',').collect();
        if k == 33 { [cells[0], cells[1], cells[2], "", cells[4]].join(",") } else { row.clone() }
    });
    let with_blank = curves(blank);
    assert_eq!(found(&with_blank), ends);
    says(&with_blank.reading, "line 35 passed over: tokens is blank");

    // Runs 1 and 4 go on from their eighth point once more, with other losses.
    let mut resumed = Vec::new();
    for (i, run) in points().chunks(20).enumerate() {
        let again = run[7..].iter().map(|(name, n, step, d, l)| (name.clone(), *n, *step, *d, l + 0.0004));
        let all: Vec<_> = if [1, 4].contains(&i) { run[..12].iter().cloned().chain(again).collect() } else { run.to_vec() };
        resumed.extend(all.iter().map(point));
    }
    let with_resumed = curves(resumed);
    let later = |at: usize| with_resumed.records[at].loss_nats.expect("a loss").0 - ends[at].2;
    assert!((later(1) - 0.0004).abs() < 1e-9 && (later(4) - 0.0004).abs() < 1e-9 && later(0) == 0.0);
    says(&with_resumed.reading, "10 rows stand at a step of their run that comes again");

    let twice = [&rows[..25], &rows[24..]].concat();
    let with_twice = curves(twice);
    assert_eq!(found(&with_twice), ends);
    says(&with_twice.reading, "1 rows stand at a step");
    // Every row twice, and in any order.
    let mut shuffled = [rows.clone(), rows.clone()].concat();
    shuffled.sort_by_key(|row| row.bytes().rev().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte))));
    let mut found_ends = found(&curves(shuffled));
    found_ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert_eq!(found_ends, ends);
    // Nothing names the runs: sizes do.
    let nameless = std::iter::once("params,step,tokens,loss".to_owned())
        .chain(rows.iter().map(|row| row.split_once(',').expect("a row").1.to_owned()));
    let imported = import("nameless.csv", nameless.collect::<Vec<_>>().join("\n").as_bytes());
    assert_eq!((imported.records.len(), imported.trajectories.len()), (6, 6));
    says(&imported.notes, "no column names the runs");
}

#[test]
fn curves_are_fitted_by_their_ends_or_by_all_of_their_points() {
    let content = std::iter::once(POINT.to_owned()).chain(points().iter().map(point)).collect::<Vec<_>>().join("\n");
    let document = fit("curves.csv", &content, &[]);
    assert_eq!(document["points"].as_u64(), Some(6), "{document}");
    let whole = fit("curves.csv", &content, &["--checkpoints=0"]);
    assert_eq!(whole["points"].as_u64(), Some(120));
    assert_eq!(whole["laws"]["chinchilla"]["diagnostics"]["clusters"].as_u64(), Some(6));
}

#[test]
fn a_wide_chart_is_curves_whose_sizes_are_asked_for() {
    let mut content = String::from("Step") + &(0..6).fold(String::new(), |all, i| all + &format!(",m{i} - eval/loss")) + "\n";
    for k in 0..20 {
        let losses: Vec<String> = points().iter().skip(k).step_by(20).map(|one| one.4.to_string()).collect();
        writeln!(content, "{},{}", 1600 * (k + 1), losses.join(",")).expect("memory");
    }
    let (folder, path) = file("wide.csv", &content);
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path)]);
    let sizes = "params=m0:50M,m1:100M,m2:200M,m3:400M,m4:800M,m5:1.6B";
    let given = ["fit", text(&path), "--set", sizes, "--set", "batch_tokens=500000", "--refits", "20", "--json"];
    let by_option: Value = serde_json::from_str(&succeed(&given)).expect("JSON");
    assert_eq!(by_option["points"].as_u64(), Some(6));
    let table = folder.path().join("sizes.csv");
    std::fs::write(&table, "run,params\nm0,50M\nm1,100M\nm2,200M\nm3,400M\nm4,800M\nm5,1.6B\n").expect("written");
    let second = format!("params={}", text(&table));
    let by_table: Value =
        serde_json::from_str(&succeed(&["fit", text(&path), "--set", &second, "--set", "batch_tokens=500000", "--refits", "20", "--json"]))
            .expect("JSON");
    assert_eq!(by_option["laws"], by_table["laws"]);
    let in_steps =
        serde_json::from_str::<Value>(&succeed(&["fit", text(&path), "--set", sizes, "--refits", "20", "--json"])).expect("JSON");
    says(&notes(&in_steps), "D is counted in steps");
    assert_eq!(recommended(&in_steps), 0);
    said.refused(&["fit", text(&path), "--set", "params=m0:50M"]);
    said.check("people_wide");
}

#[test]
fn runs_that_differ_in_one_variable_have_a_law_of_it() {
    let long = [TOKENS.to_vec(), vec![64e9, 128e9]].concat();
    let of = |header: &str, rows: Vec<String>| header.to_owned() + "\n" + &rows.join("\n") + "\n";
    let one_size = of("params,tokens,loss", long.iter().map(|d| format!("2e8,{d},{}", law(2e8, *d))).collect());
    let alone = of("tokens,loss", long.iter().map(|d| format!("{d},{}", 1.69 + 410.7 * d.powf(-0.28))).collect());
    for content in [&one_size, &alone] {
        let document = fit("runs.csv", content, &[]);
        let alpha = document["laws"]["power-d"]["coefficients"]["alpha"]["value"].as_f64().expect("a law of D");
        assert!((alpha - 0.28).abs() < 0.01, "{alpha}");
        says(&notes(&document), "L(D)");
    }
    let sizes = [SIZES.to_vec(), vec![1.6e9]].concat();
    let one_length = of("params,tokens,loss", sizes.iter().map(|n| format!("{n},4e9,{}", law(*n, 4e9))).collect());
    let document = fit("runs.csv", &one_length, &[]);
    assert!(document["laws"]["power-n"].is_object(), "{document}");
    says(&notes(&document), "L(N)");
    let budget = [1e8, 2e8, 3e8, 5e8, 8e8, 1.2e9, 2e9];
    let one_budget =
        of("params,tokens,flops,loss", budget.iter().map(|n| format!("{n},{},1e19,{}", 1e19 / 6.0 / n, law(*n, 1e19 / 6.0 / n))).collect());
    let document = fit("runs.csv", &one_budget, &[]);
    let best = document["lone_budget"]["params"]["value"].as_f64().expect("a minimum");
    // N* = (αA/βB)^(1/(α+β))·(C/6)^(β/(α+β)); a parabola errs by some per cent on so wide a valley.
    let exact = f64::powf(0.34 * 406.4 / (0.28 * 410.7), 1.0 / 0.62) * f64::powf(1e19 / 6.0, 0.28 / 0.62);
    assert!((best / exact - 1.0).abs() < 0.2, "{best} {exact}");
    let said = printed("runs.csv", &one_budget, &[]);
    assert!(said.contains("1.00e19 FLOPs: N* = "), "{said}");
}

#[test]
fn losses_that_follow_no_law_are_said_to_and_nothing_is_printed_that_is_no_number() {
    let rising = made("params,tokens,loss", |_, n, d, _| format!("{n},{d},{:.5}", 1.69 + 406.4 * n.powf(-0.34) + 0.05 * (d / 1e9).ln()));
    let wild = made("params,tokens,loss", |i, n, d, _| format!("{n},{d},{:.4}", 2.5 + (i as f64 * 2.1).sin()));
    let below = made("params,tokens,loss", |_, n, d, _| format!("{n},{d},{:.5}", -0.4 + 30.0 * n.powf(-0.12) + 30.0 * d.powf(-0.12)));
    for (content, words, advises) in [
        (&rising, "the losses do not fall with both N and D", false),
        (&wild, "this fit means nothing: the runs lie", false),
        (&below, "E is at its bound 0", true),
    ] {
        let said = printed("runs.csv", content, &[]);
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {said}");
        assert!(!["NaN", "inf ", "inf%", "+inf", "-inf"].iter().any(|word| said.contains(word)), "{said}");
        assert_eq!(recommended(&fit("runs.csv", content, &[])) > 0, advises, "{words}");
    }
}

#[test]
fn bits_per_byte_stay_bits_per_byte() {
    let content = made("params,tokens,val_bpb", |_, n, d, l| format!("{n},{d},{:.6}", l / std::f64::consts::LN_2 / 4.2));
    let (folder, path) = file("runs.csv", &content);
    let path = text(&path);
    let page = folder.path().join("page.html");
    let report = ["report", path, "--refits", "20", "--out", text(&page)];
    let forecast = folder.path().join("forecast.json");
    let commands: [&[&str]; 5] = [
        &["fit", path, "--refits", "20"],
        &["fit", path, "--refits", "20", "--details"],
        &["recommend", path, "--refits", "20", "--compute", "1e21", "--details"],
        &["forecast", path, "--refits", "20", "--compute", "1e21", "--out", text(&forecast)],
        &report,
    ];
    for command in commands {
        let mut said = succeed(command);
        if command[0] == "report" {
            said = std::fs::read_to_string(&page).expect("written");
        }
        assert!(said.contains("bits per byte"), "{command:?}: {said}");
        let nats: Vec<&str> = said.lines().filter(|line| line.contains(" nats") && line.len() < 500).collect();
        assert!(nats.is_empty(), "{command:?}: {nats:?}");
    }
    assert_eq!(fit("runs.csv", &content, &[])["loss_unit"].as_str(), Some("bits-per-byte"));
}

#[test]
fn control_characters_are_shown_and_never_sent() {
    let content = made("run,params,tokens,loss,kin\x1b[2Jd", |i, n, d, l| format!("\x1b[31mred\x1b[0mr{i},{n},{d},{l},\x07w{}", i % 2));
    let said = printed("runs.csv", &content, &[]);
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    assert!(said.contains("\\x1b[31mred"), "{said}");
    let (_folder, path) = file("runs.csv", &content);
    let by = run(&["fit", text(&path), "--by", "nosuch"]);
    assert!(!stderr(&by).chars().any(|c| c.is_control() && c != '\n'), "{:?}", stderr(&by));
    let (_folder, path) = file("runs.csv", "params,tokens,loss\n1e8,\x1b[2J,3\n");
    assert!(!refused(&["fit", text(&path)]).contains('\x1b'));
}

/// Six curves of ten points under a header of one's own for the step.
fn along(header: &str, step: impl Fn(u32) -> String) -> String {
    let row = |(_, n, at, d, l): &(String, f64, u32, f64, f64)| format!("{n},{d},{},{l}\n", step(*at));
    points().iter().map(row).fold(format!("params,tokens,{header},loss\n"), |text, row| text + &row)
}

#[test]
fn steps_are_steps_however_they_are_spelt_and_written() {
    let curves = |text: &str| import("runs.csv", text.as_bytes()).trajectories.len();
    for header in ["Global Step", "train/step", "train_step", "iters", "trainer/global_step"] {
        assert_eq!(curves(&along(header, |step| step.to_string())), 6, "{header}");
    }
    // The length of a run beside the place in it.
    assert_eq!(curves(&along("num_steps,step", |step| format!("32000,{step}"))), 6);
    // Of runs that ended the last step is their length.
    same_runs(
        "ends.csv",
        made("params,tokens,loss,_step,num_steps", |_, n, d, l| format!("{n},{d},{l},{},{}", d / 5e5 - 1.0, d / 5e5)).as_bytes(),
    );
    assert_eq!(curves(&along("step", |step| format!("{}k", f64::from(step) / 1000.0))), 6);
    assert_eq!(curves(&along("step", |step| format!("\"{},{:03}\"", step / 1000, step % 1000))), 6);
}

#[test]
fn commas_mean_the_same_in_a_whole_file_and_thousands_of_millions_are_billions() {
    let comma = |x: f64| format!("{x:.3}").replace('.', ",");
    let rows = made("params_B;tokens_B;loss", |_, n, d, l| [comma(n / 1e9), comma(d / 1e9), l.to_string().replace('.', ",")].join(";"));
    says(&same_runs("eu.csv", rows.as_bytes()), "decimal commas in `params_B`");
    let thousands =
        |n: f64| if n < 1e8 { format!("{}M", n / 1e6) } else { format!("\"{},{:03}k\"", n as u64 / 1_000_000, n as u64 / 1000 % 1000) };
    same_runs("k.csv", made("params,tokens,loss", |_, n, d, l| format!("{},{d},{l}", thousands(n))).as_bytes());
}

#[test]
fn what_is_a_speed_or_a_ratio_is_no_compute_and_no_size() {
    let flops = |n: f64, d: f64| 6.0 * n * d;
    let rows = made("tokens,flops,loss,tokens/params", |_, n, d, l| format!("{d},{},{l},{}", flops(n, d), d / n));
    same_runs("ratio.csv", rows.as_bytes());
    let rows = made("params,tokens,loss,TFLOP/s", |_, n, d, l| format!("{n},{d},{l},45"));
    let imported = import("speed.csv", rows.as_bytes());
    assert!(imported.records.iter().all(|run| run.flops_exact.is_none()), "{:?}", imported.reading);
}

#[test]
fn a_folder_of_tables_keeps_its_unit_and_its_good_files() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, content: String| std::fs::write(folder.path().join(name), content).expect("written");
    for (i, &n) in SIZES.iter().enumerate() {
        write(
            &format!("m{i}.csv"),
            TOKENS.iter().fold("params,tokens,val_bpb\n".to_owned(), |text, &d| text + &format!("{n},{d},{}\n", law(n, d))),
        );
    }
    write("lost.csv", "params,tokens,val_bpb\n1e8,1e9,nan\n1e8,2e9,nan\n".to_owned());
    write("config.json", "{\"lr\": 0.001}".to_owned());
    let said = succeed(&["fit", text(folder.path()), "--refits", "20"]);
    assert!(said.contains("losses in bits per byte"), "{said}");
    assert!(said.contains("lost.csv"), "{said}");
}

#[test]
fn losses_in_several_units_are_not_compared_and_those_of_one_are_not_converted_again() {
    let bits = made("params,tokens,val_bpb,bytes_per_token", |_, n, d, l| format!("{n},{d},{l},4"));
    let (_a, one) = file("a.csv", &bits);
    let (_b, other) = file("b.csv", &bits);
    let (_c, nats) = file("c.csv", &plain());
    let said = refused(&["compare", text(&one), text(&nats)]);
    assert!(said.contains("several units") && said.contains("bits per byte"), "{said}");
    let document: Value = serde_json::from_str(&succeed(&["compare", text(&one), text(&other), "--json"])).expect("JSON");
    let document = document.to_string();
    assert!(document.contains("\"loss_unit\":\"bits-per-byte\"") && document.contains("\"tokens_unit\":\"tokens\""), "{document}");
}

#[test]
fn lines_that_a_killed_run_left_are_passed_over_and_said() {
    let rows = runs().iter().fold(String::new(), |text, (n, d, l)| text + &format!("{{\"params\":{n},\"tokens\":{d},\"loss\":{l}}}\n"));
    says(&same_runs("log.jsonl", (rows + "{\"params\":1e8,\"tok").as_bytes()), "line 31 passed over");
}
