//! What trackers leave is read as it is: files written by the real writers (tests/data/trackers/make.py) hold the losses, steps and
//! configurations that went in, bit for bit (SCALELAB_TRACKERS names files that were made anew, as `.ci/long` does); resumed, crashed and several runs; and every command of analysis takes them.
#![expect(clippy::disallowed_methods, reason = "writes files that the program is to read")]

use crate::support::{run, scalelab, stderr, text};
use scalelab::results::{Imported, Variables, Wanted, import_paths};
use scalelab::spec::{CurvePoint, Params, Tokens};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

fn data(name: &str) -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trackers");
    std::env::var_os("SCALELAB_TRACKERS").map_or_else(own, PathBuf::from).join(name)
}

fn read(path: &Path) -> Imported {
    let wanted = Wanted { variables: Variables::None, ..Wanted::default() };
    import_paths(&[path.to_owned()], wanted).unwrap_or_else(|error| panic!("{error}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What went into a run: (step, training loss, rate, norm, held-out loss).
type Row = (u64, Option<f64>, f64, Option<f64>, Option<f64>);

fn truth(name: &str) -> Vec<Row> {
    let all: Value = serde_json::from_slice(&fs::read(data("truth.json")).expect("is there")).expect("JSON");
    let number = |point: &Value, key: &str| point[key].as_f64();
    let row = |point: &Value| {
        (
            point["step"].as_u64().expect("a step"),
            number(point, "train"),
            number(point, "rate").expect("a rate"),
            number(point, "norm"),
            number(point, "val"),
        )
    };
    all[name]["points"].as_array().unwrap_or_else(|| panic!("no {name}")).iter().map(row).collect()
}

fn row(point: &CurvePoint) -> Row {
    (point.step, point.train_loss_nats, point.learning_rate, point.grad_norm, point.val_loss_nats)
}

/// The same as TensorBoard keeps it, in 32 bits.
fn single((step, train, rate, norm, val): Row) -> Row {
    let float = |x: f64| f64::from(x as f32);
    (step, train.map(float), float(rate), norm.map(float), val.map(float))
}

fn curve<'a>(found: &'a Imported, run: &str) -> &'a [CurvePoint] {
    let at = found.records.iter().position(|record| record.run_id == run);
    &found.curves[at.unwrap_or_else(|| panic!("no run {run}: {:?}", found.records.iter().map(|one| &one.run_id).collect::<Vec<_>>()))]
}

fn rows(found: &Imported, run: &str) -> Vec<Row> {
    curve(found, run).iter().map(row).collect()
}

#[test]
fn real_files_hold_what_went_in_bit_for_bit() {
    let found = read(&data("tensorboard"));
    assert_eq!(found.records.len(), 3, "{:?}", found.notes);
    for run in ["small", "resumed", "crashed"] {
        let wanted: Vec<Row> = truth(&format!("tensorboard/{run}")).into_iter().map(single).collect();
        assert_eq!(rows(&found, run), wanted, "{run}");
    }
    assert!(found.reading.iter().any(|said| said.starts_with("crashed: ") && said.contains("cut off")), "{:?}", found.reading);
    let sizes =
        |run: &str| found.records.iter().find(|record| record.run_id == run).map(|record| (record.params_total, record.batch_tokens));
    assert_eq!(sizes("small"), Some((Some(Params(1e5)), Some(Tokens(4096.0)))));
    assert_eq!(sizes("resumed"), Some((Some(Params(4e5)), Some(Tokens(4096.0)))));
    // Another file of one run than the first alone.
    let second = read(&data("tensorboard/resumed/events.out.tfevents.1700000001.host"));
    assert_eq!((second.records[0].run_id.as_str(), second.curves[0][0].step), ("resumed", 31));

    let found = read(&data("wandb"));
    assert_eq!(found.records.len(), 2);
    for run in ["small", "large"] {
        assert_eq!(rows(&found, run), truth(&format!("wandb/{run}")), "{run}");
    }
    assert_eq!(found.records.iter().map(|record| record.params_total).collect::<Vec<_>>(), [Some(Params(4e5)), Some(Params(1e5))]);
    let crashed = read(&data("wandb-crashed"));
    let (whole, part) = (truth("wandb/small"), rows(&crashed, "small"));
    assert!(part.len() > 30 && part.len() < 60 && part[..part.len() - 1] == whole[..part.len() - 1], "{}", part.len());
    assert!(crashed.reading.iter().any(|said| said.contains("cut off")), "{:?}", crashed.reading);

    let found = read(&data("hugging_face"));
    assert_eq!((rows(&found, "small"), found.records.len()), (truth("hugging_face/small"), 1));
    assert_eq!((found.records[0].params_total, found.records[0].tokens), (Some(Params(1057.0)), Some(Tokens(60.0 * 4096.0))));
    assert_eq!(curve(&found, "small")[9].tokens, 40_960);
    let checkpoint = read(&data("hugging_face/small/checkpoint-20/trainer_state.json"));
    assert_eq!((checkpoint.records[0].run_id.as_str(), checkpoint.curves[0].len()), ("small", 20));

    let found = read(&data("mlruns"));
    assert_eq!((rows(&found, "small"), found.records[0].params_total), (truth("mlruns/small"), Some(Params(1e5))));
}

#[test]
fn tables_of_lightning_and_logs_are_read_with_what_stands_beside_them() {
    let found = read(&data("lightning"));
    assert_eq!((rows(&found, "version_0"), found.records[0].params_total), (truth("lightning/version_0"), Some(Params(1e5))));
    let folder = tempfile::tempdir().expect("temporary folder");
    let version = folder.path().join("lightning_logs/version_0");
    fs::create_dir_all(&version).expect("made");
    let mut table = String::from("epoch,grad_norm,lr-AdamW,step,train_loss,val_loss\n");
    for (step, train, rate, norm, val) in truth("mlruns/small") {
        table += &format!("0,{},{rate},{step},{},\n", norm.expect("a norm"), train.expect("a loss"));
        table += &val.map_or(String::new(), |val| format!("0,,,{step},,{val}\n"));
    }
    fs::write(version.join("metrics.csv"), &table).expect("written");
    fs::write(version.join("hparams.yaml"), "n_params: 100000\nbatch_tokens: 4096\nlr: 0.001\n").expect("written");
    let found = read(&folder.path().join("lightning_logs"));
    assert_eq!((rows(&found, "version_0"), found.records[0].params_total), (truth("mlruns/small"), Some(Params(1e5))));
    assert_eq!(read(&version.join("metrics.csv")).curves, found.curves);

    let log: String = truth("mlruns/small")
        .into_iter()
        .map(|(step, train, rate, norm, val)| {
            let held_out = val.map_or(String::new(), |val| format!("step {step}: val loss {val}\n"));
            format!("iter {step}: loss {}, lr {rate}, grad_norm {}, time 12.3ms\n{held_out}", train.expect("a loss"), norm.expect("a norm"))
        })
        .collect();
    let path = folder.path().join("train.log");
    fs::write(&path, format!("number of parameters: 0.10M\ntokens per iteration will be: 4,096\n{log}")).expect("written");
    let found = read(&path);
    assert_eq!((rows(&found, "train"), found.records[0].params_total), (truth("mlruns/small"), Some(Params(1e5))));
}

#[test]
fn what_a_configuration_does_not_say_is_asked_for_with_what_to_type() {
    let output = scalelab(&["fit", data("hugging_face/small/checkpoint-20").to_str().expect("a path")]).output().expect("starts");
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains("no column for params") && said.contains("--set params="), "{said}");
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("events.out.tfevents.1.host");
    fs::write(&path, b"not a record at all").expect("written");
    let output = scalelab(&["doctor", path.to_str().expect("a path")]).output().expect("starts");
    assert!(stderr(&output).contains("nothing can be read: record 1 has a length with another checksum"), "{}", stderr(&output));
}

#[test]
fn a_law_is_fitted_to_the_folder_of_a_tracker() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, n) in [("a", 1e6), ("b", 2e6), ("c", 4e6), ("d", 8e6), ("e", 1.6e7)] {
        let batch = 1e4;
        let loss = |step: f64| 1.69 + 406.4 / f64::powf(n, 0.34) + 410.7 / f64::powf(step * batch, 0.28);
        let lines: String = (1..=30).map(|at| format!("step {}: val loss {}\n", 100 * at, loss(100.0 * f64::from(at)))).collect();
        let log = folder.path().join(format!("{name}.log"));
        fs::write(log, format!("number of parameters: {n}\ntokens per iteration will be: 10,000\n{lines}")).expect("written");
    }
    let path = folder.path().to_str().expect("a path");
    let output = scalelab(&["fit", path, "--law", "envelope", "--json"]).output().expect("starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let output = scalelab(&["fit", path, "--checkpoints", "--json"]).output().expect("starts");
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let law = &found["laws"]["chinchilla"]["coefficients"];
    for (name, wanted) in [("E", 1.69), ("A", 406.4), ("B", 410.7), ("alpha", 0.34), ("beta", 0.28)] {
        let value = law[name]["value"].as_f64().unwrap_or_else(|| panic!("no {name}: {}", stderr(&output)));
        assert!((value / wanted - 1.0).abs() < 1e-6, "{name} {value}");
    }
}

#[test]
fn the_doctor_takes_everything_at_once_and_fails_where_it_is_asked_to() {
    let [wandb, board, state] = ["wandb", "tensorboard", "hugging_face"].map(|name| data(name).to_str().expect("a path").to_owned());
    let output = scalelab(&["doctor", &wandb, &board, &state, "--json"]).output().expect("starts");
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(found.as_array().map(Vec::len), Some(6));
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("sick.csv");
    let rises: String =
        (1..=100).map(|step| format!("{step},{},0.001,0.5\n", if step < 60 { 5.0 - 0.05 * f64::from(step) } else { 4.5 })).collect();
    fs::write(&path, format!("step,train_loss,lr,grad_norm\n{rises}")).expect("written");
    let code = |severity: &str, path: &str| scalelab(&["doctor", path, "--fail-on", severity]).output().expect("starts").status.code();
    let sick = path.to_str().expect("a path");
    assert_eq!(["remark", "fault", "lost"].map(|severity| code(severity, sick)), [Some(3); 3]);
    let healthy = folder.path().join("healthy.csv");
    let falls: String = (1..=100).map(|step| format!("{step},{},0.001,0.5\n", 1.5 + 3.0 * f64::from(step).powf(-0.3))).collect();
    fs::write(&healthy, format!("step,train_loss,lr,grad_norm\n{falls}")).expect("written");
    assert_eq!(code("remark", healthy.to_str().expect("a path")), Some(0));
}

#[test]
fn every_column_of_a_foreign_curve_is_looked_at() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let found = |name: &str, row: &dyn Fn(f64) -> String| {
        let path = folder.path().join(name);
        let rows: String = (1..=200).map(|step| format!("{step},{}\n", row(f64::from(step) / 200.0))).collect();
        fs::write(&path, format!("step,loss,eval_loss,learning_rate,grad_norm\n{rows}")).expect("written");
        let output = scalelab(&["doctor", path.to_str().expect("a path"), "--json"]).output().expect("starts");
        let found: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let findings = found[0]["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().map(|finding| finding["ailment"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let healthy = |share: f64| 1.0 + 4.5 * (1.0 + 300.0 * share).powf(-0.26);
    assert_eq!(found("healthy.csv", &|t| format!("{},{},0.001,0.5", healthy(t), healthy(t) + 0.02)), Vec::<String>::new());
    assert_eq!(found("late.csv", &|t| format!("{},{},{},0.5", healthy(t), healthy(t), t)), ["warmup-too-long"]);
    assert_eq!(found("learnt.csv", &|t| format!("{},{},0.001,0.5", healthy(t), 2.5 + (t - 0.5).powi(2))), ["overfits"]);
    let jump = |t: f64| if (t - 0.6).abs() < 1e-9 { 50.0 } else { 0.5 };
    assert_eq!(found("spike.csv", &|t| format!("{},{},0.001,{}", healthy(t), healthy(t), jump(t))), ["spikes-and-recovers"]);
    assert_eq!(
        found("lost.csv", &|t| format!("{},{},0.001,0.5", if t > 0.5 { "NaN".into() } else { healthy(t).to_string() }, healthy(t))),
        ["diverges"]
    );
}

#[test]
fn control_characters_of_trackers_never_reach_a_terminal() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("x\x1b[31mred.log");
    let lines: String = (1..=40).map(|step| format!("step {step}: loss {}\n", 5.0 - 0.05 * f64::from(step))).collect();
    fs::write(&path, format!("seq_length \x1b]0;evil\x07.... 2048\n{lines}")).expect("written");
    let output = scalelab(&["doctor", folder.path().to_str().expect("a path"), "--details"]).output().expect("starts");
    let said = stdout(&output) + &stderr(&output);
    assert!(output.status.success() && !said.contains('\x1b') && said.contains("\\x1b"), "{said}");
}

#[test]
fn exported_curves_are_read_again() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let source = data("wandb");
    for (format, same) in [("tensorboard", false), ("jsonl", true), ("parquet", true)] {
        let out = folder.path().join(format);
        let output = scalelab(&["export", source.to_str().expect("a path"), "--to", format, "--out", out.to_str().expect("a path")])
            .output()
            .expect("starts");
        assert!(output.status.success(), "{}", stderr(&output));
        let (before, after) = (read(&source), read(&out));
        for run in ["small", "large"] {
            let wanted: Vec<Row> = rows(&before, run).into_iter().map(|row| if same { row } else { single(row) }).collect();
            assert_eq!(rows(&after, run), wanted, "{format}, {run}");
        }
        let again = scalelab(&["export", source.to_str().expect("a path"), "--to", format, "--out", out.to_str().expect("a path")])
            .output()
            .expect("starts");
        assert!(!again.status.success() && stderr(&again).contains("not empty"), "{}", stderr(&again));
    }
}

#[test]
fn the_doctor_writes_a_page_that_loads_nothing_and_escapes_what_is_foreign() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let table = folder.path().join("curves.csv");
    let rows: String = (1..=60)
        .map(|i| {
            let rising = if i > 30 { 0.1 * f64::from(i - 30) } else { 0.0 };
            format!(
                "<script>alert(1)</script>,{i},{:.4}\nwell & good,{i},{:.4}\n",
                4.0 - 0.03 * f64::from(i) + rising,
                5.0 / f64::from(i).powf(0.2)
            )
        })
        .collect();
    std::fs::write(&table, format!("run,step,train_loss\n{rows}")).expect("written");
    let page = folder.path().join("page.html");
    let said = run(&["doctor", text(&table), "--html", text(&page)]);
    assert!(said.status.success() && stdout(&said).contains("page.html"), "{}", stderr(&said));
    let page = std::fs::read_to_string(page).expect("written");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;") && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("well &amp; good") && page.contains("2 runs: ") && page.contains("<svg"), "{page}");
    assert_eq!(page.matches("https://").count(), 0);
    // Never over what is read.
    let before = std::fs::read(&table).expect("is there");
    let over = run(&["doctor", text(&table), "--html", text(&table)]);
    assert_eq!((over.status.code(), std::fs::read(&table).expect("is there")), (Some(2), before));
    let watched = run(&["doctor", text(&table), "--watch"]);
    assert_eq!(watched.status.code(), Some(2));
    let said = stderr(&watched);
    assert!(said.contains("needs a terminal") && said.contains("`scalelab doctor ") && said.contains("says it once"), "{said}");
    assert_eq!(run(&["doctor", text(&table), "--watch", "--json"]).status.code(), Some(2));
}
