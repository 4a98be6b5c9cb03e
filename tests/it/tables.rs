//! Tables of others as the whole program reads them: which rows are replicates, which are seen, what a column may be.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::{Transcript, lines};
use crate::support::{run, stderr, succeed, table, text};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

fn json_of(command: &str, path: &Path, more: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[&[command, text(path), "--refits", "20", "--json"], more].concat())).expect("JSON")
}

fn loss(n: f64, d: f64) -> f64 {
    1.7 + 400.0 / n.powf(0.34) + 400.0 / d.powf(0.28)
}

/// Sixteen cells, each with two seeds 0.1 % apart, under two words of a column that differ by 5 %.
fn crossed(column: &str, words: [&str; 2]) -> String {
    let mut csv = format!("params,tokens,loss,seed,{column}\n");
    for n in [1e7, 4e7, 1.6e8, 6.4e8] {
        for d in [3e8, 1e9, 3e9, 1e10] {
            for (word, factor) in words.iter().zip([1.0, 1.05]) {
                for (seed, noise) in [(0, 1.0), (1, 1.001)] {
                    writeln!(csv, "{n},{d},{},{seed},{word}", loss(n, d) * factor * noise).expect("memory");
                }
            }
        }
    }
    csv
}

#[test]
fn rows_that_differ_in_more_than_their_seeds_are_no_replicates() {
    // ln 1.001 over √2: 0.07 %. With both words as one cell it would be 2.8 %.
    let mut said = Transcript::default();
    for (column, words) in
        [("corpus", ["c4", "pile"]), ("dataset", ["c4", "pile"]), ("lr_schedule", ["cosine", "linear"]), ("variant", ["a", "b"])]
    {
        let (_folder, path) = table(&crossed(column, words));
        said.about(&format!("{column}: {}", words.join(", ")));
        said.part("", &["fit", text(&path), "--details", "--refits", "20"]);
    }
    // Numbers may be outcomes: where a seed comes twice with another loss, nothing is said of its noise.
    let (_folder, path) = table(&crossed("beta_2", ["0.95", "0.99"]));
    said.about("beta_2: 0.95, 0.99");
    let output = said.part("", &["fit", text(&path), "--details", "--refits", "20"]);
    assert_eq!(lines(&output, &["seed noise"]), "");
    said.check("tables_replicates");
}

/// A table of five sizes and four lengths, with a column of compute.
fn runs() -> String {
    let mut csv = String::from("params,tokens,flops,loss\n");
    for n in [1e7, 3e7, 1e8, 3e8, 1e9] {
        for d in [3e8, 1e9, 3e9, 1e10] {
            writeln!(csv, "{n},{d},{},{}", 6.0 * n * d, loss(n, d)).expect("memory");
        }
    }
    csv
}

#[test]
fn rows_are_kept_by_what_their_columns_compare_with() {
    let (_folder, path) = table(&runs());
    let points = |filters: &[&str]| {
        let filters: Vec<&str> = filters.iter().flat_map(|filter| ["--where", filter]).collect();
        json_of("fit", &path, &filters)["laws"]["chinchilla"]["points"].as_u64()
    };
    assert_eq!(
        [points(&["params<1e9"]), points(&["params<=300M", "tokens>3e8"]), points(&["tokens!=3e8"])],
        [Some(16), Some(12), Some(15)]
    );
    let mut said = Transcript::default();
    said.refused(&["fit", text(&path), "--where", "params<many"]);
    said.check("tables_where_refused");
}

#[test]
fn larger_runs_are_hidden_from_every_command_that_is_asked_to() {
    let (folder, path) = table(&runs());
    let whole = json_of("fit", &path, &[]);
    let part = json_of("fit", &path, &["--max-compute", "1e19"]);
    let points = |document: &Value| document["laws"]["chinchilla"]["points"].as_u64();
    // Of twenty runs these have more: 3e8 on 1e10, 1e9 on 3e9 and 1e10.
    assert_eq!((points(&whole), points(&part)), (Some(20), Some(17)));
    let mut said = Transcript::default();
    said.part("", &["fit", text(&path), "--details", "--refits", "20", "--max-compute", "1e19"]);
    // What is hidden is said beside the answer, on the error stream.
    let mut beside = |args: &[&str]| {
        let output = run(args);
        assert!(output.status.success(), "{}", stderr(&output));
        said.answer(args, &stderr(&output));
    };
    beside(&["recommend", text(&path), "--refits", "20", "--max-compute", "1e19"]);
    let page = folder.path().join("report.html");
    succeed(&["report", text(&path), "--refits", "20", "--max-compute", "1e19", "--out", text(&page)]);
    let page = std::fs::read_to_string(page).expect("written");
    assert!(page.contains("--max-compute 1e19"), "as it is to be called again");
    let captions: Vec<&str> = page.split("<caption>").skip(1).filter_map(|rest| rest.split("</caption>").next()).collect();
    assert!(captions.iter().any(|caption| caption.starts_with("3 runs ")), "{captions:?}");
    let twin = folder.path().join("twin.csv");
    std::fs::write(&twin, runs()).expect("written");
    beside(&["compare", text(&path), text(&twin), "--refits", "20", "--max-compute", "1e19", "--json"]);
    said.refused(&["fit", text(&path), "--max-compute", "1e9"]);
    said.check("tables_hidden");
}

#[test]
fn a_constant_column_and_one_that_is_both_compute_and_budget_are_read() {
    let sizes: String =
        runs().lines().filter(|line| line.starts_with("1000000000,")).map(|line| line.replacen("1000000000,", "", 1) + "\n").collect();
    let (_folder, path) = table(&format!("tokens,flops,loss\n{sizes}"));
    let mut said = Transcript::default();
    said.part("", &["fit", text(&path), "--details", "--set", "params=1e9", "--law", "power-d", "--refits", "20"]);
    said.refused(&["fit", text(&path), "--set", "tokens=1e9"]);
    let mut csv = String::from("params,C,loss\n");
    for c in [1e18, 4e18, 1.6e19, 6.4e19] {
        for shift in [-2.0, -1.0, 0.0, 1.0, 2.0] {
            let n = f64::sqrt(c / 120.0) * f64::exp2(shift);
            writeln!(csv, "{n},{c},{}", loss(n, c / (6.0 * n))).expect("memory");
        }
    }
    let (_folder, path) = table(&csv);
    let found = json_of("fit", &path, &["--columns", "flops=C,budget=C", "--law", "isoflop"]);
    assert_eq!(found["laws"]["isoflop"]["valleys"].as_array().map(Vec::len), Some(4), "{found}");
    said.part("IsoFLOP", &["fit", text(&path), "--details", "--columns", "flops=C,budget=C", "--refits", "20"]);
    said.check("tables_columns");
}

/// Folders of logs, a run each, with sizes and rates in their names; ten rows of a curve in each.
fn folders(root: &Path) {
    for (folder, n) in [("10M", 1e7), ("40M", 4e7), ("160M", 1.6e8), ("640M", 6.4e8)] {
        for (rate, factor) in [("lr0.001", 1.0), ("lr3e-3", 1.02)] {
            let path = root.join(format!("runs/{folder}/{rate}_v2"));
            std::fs::create_dir_all(&path).expect("a folder");
            let row = |i: u32| format!("{},{}\n", 2e8 * f64::from(i), loss(n, 2e8 * f64::from(i)) * factor);
            std::fs::write(path.join("log.csv"), "tokens,loss\n".to_owned() + &(1..=10).map(row).collect::<String>()).expect("written");
        }
    }
    std::fs::create_dir_all(root.join("runs/old/lr0.001_v2")).expect("a folder");
    std::fs::write(root.join("runs/old/lr0.001_v2/log.csv"), "tokens,loss\n1e9,3\n").expect("written");
}

#[test]
fn values_in_the_names_of_files_are_columns() {
    let folder = tempfile::tempdir().expect("temporary folder");
    folders(folder.path());
    let of = |pattern: &str, more: &[&str]| -> Value {
        let pattern = folder.path().join(pattern);
        let asked = ["fit", "--params-from", text(&pattern), "--refits", "20", "--json"];
        serde_json::from_str(&succeed(&[&asked, more].concat())).expect("JSON")
    };
    let points = |document: &Value| document["laws"]["chinchilla"]["points"].as_u64();
    let whole = of("runs/{params}/{lr}_*/log.csv", &["--checkpoints=0"]);
    assert_eq!(points(&whole), Some(40), "ten points of each size at its better rate, and none of what has no size");
    let said = whole["reading"].to_string();
    assert!(said.contains("log.csv passed over: `old` is no number for params"), "{said}");
    // Names hold numbers, which compare as such; a folder may be named beside the pattern.
    assert_eq!(points(&of("runs/{params}/lr{lr}_*/log.csv", &["--checkpoints=0", "--where", "params<100M"])), Some(20));
    assert_eq!(points(&of("runs/{params}/*/log.csv", &["--checkpoints=0", "--where", "params>=1.6e8"])), Some(40));
    assert_eq!(points(&of("runs/**/{lr}_v*/log.csv", &["--checkpoints=0", "--set", "params=1e7", "--law", "power-d"])), None);
    let runs = folder.path().join("runs");
    let beside = ["fit", text(&runs), "--params-from", "{params}/{lr}_*/log.csv", "--checkpoints=0", "--refits", "20", "--json"];
    let beside: Value = serde_json::from_str(&succeed(&beside)).expect("JSON");
    assert_eq!(beside["laws"]["chinchilla"]["A"], whole["laws"]["chinchilla"]["A"]);
}

#[test]
fn a_file_named_by_its_values_is_a_run_or_rows() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (n, d, l) in (0..12).map(|i| (1e7 * f64::from(1 << (i % 4)), 1e9 * f64::from(1 + i / 4), i)).map(|(n, d, _)| (n, d, loss(n, d))) {
        let path = folder.path().join(format!("n{}_d{}B_seed0.json", n, d / 1e9));
        std::fs::write(path, format!("{{\"val_loss\": {l}, \"seconds\": 12}}")).expect("written");
    }
    let pattern = folder.path().join("n{params}_d{tokens}_seed{seed}.json");
    let found: Value = serde_json::from_str(&succeed(&["fit", "--params-from", text(&pattern), "--refits", "20", "--json"])).expect("JSON");
    assert_eq!(found["laws"]["chinchilla"]["points"].as_u64(), Some(12), "{found}");
    // What the file says of a column that its name holds, too, is not read.
    let path = folder.path().join("n80M_d1B_seed1.json");
    std::fs::write(path, format!("{{\"val_loss\": {}, \"params\": 3}}", loss(8e7, 1e9))).expect("written");
    let found: Value = serde_json::from_str(&succeed(&["fit", "--params-from", text(&pattern), "--refits", "20", "--json"])).expect("JSON");
    assert_eq!(found["laws"]["chinchilla"]["points"].as_u64(), Some(13));
    assert!(found["reading"].to_string().contains("`params` is not read: the name of the file says it"), "{}", found["reading"]);
    // Runs of one name in files that say other sizes are several.
    for size in ["10M", "40M"] {
        let rows: String =
            (1..=20).map(|i| format!("base,{}e8,{}\nwide,{i}e8,{}\n", i, 4.0 - 0.1 * f64::from(i), 3.9 - 0.1 * f64::from(i))).collect();
        std::fs::write(folder.path().join(format!("{size}.csv")), format!("run,tokens,loss\n{rows}")).expect("written");
    }
    let pattern = folder.path().join("{params}.csv");
    let found = succeed(&["doctor", "--params-from", text(&pattern), "--json"]);
    assert!(["10M base", "10M wide", "40M base", "40M wide"].iter().all(|name| found.contains(name)), "{found}");
    // Twenty rows of each of four runs are four curves, named so or in a folder of tables that hold their sizes.
    let four = |found: &str| found.contains("80 rows are points of 4 loss curves");
    let found = succeed(&["fit", "--params-from", text(&pattern), "--law", "power-d", "--refits", "0", "--details", "--checkpoints=0"]);
    assert!(four(&found), "{found}");
    let tables = folder.path().join("tables");
    std::fs::create_dir(&tables).expect("a folder");
    for (size, file) in [("1e7", "a.csv"), ("4e7", "b.csv")] {
        let rows: String = (1..=20)
            .map(|i| format!("x,{size},{i}e8,{}\ny,{size},{i}e8,{}\n", 4.0 - 0.1 * f64::from(i), 3.9 - 0.1 * f64::from(i)))
            .collect();
        std::fs::write(tables.join(file), format!("run,params,tokens,loss\n{rows}")).expect("written");
    }
    let found = succeed(&["fit", text(&tables), "--law", "power-d", "--refits", "0", "--details", "--checkpoints=0"]);
    assert!(four(&found), "{found}");
}

#[test]
fn a_pattern_that_finds_nothing_is_refused_with_one_that_does() {
    let folder = tempfile::tempdir().expect("temporary folder");
    folders(folder.path());
    let refusal = |pattern: &str| {
        let output = run(&["fit", "--params-from", text(&folder.path().join(pattern))]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let missing = refusal("runs/{params}/lr{lr}_v2/metrics.csv");
    assert!(missing.contains("holds `log.csv`; say --params-from '"), "{missing}");
    // What it says is what works.
    let line = missing.split("say --params-from '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a line to type");
    let line = line.split_whitespace().collect::<String>();
    succeed(&["fit", "--params-from", &line, "--checkpoints=0", "--refits", "20"]);
    let folder_gone = refusal("runs/{params}/last/log.csv");
    assert!(folder_gone.contains("{params}/*/log.csv"), "{folder_gone}");
    assert!(refusal("rums/{params}/log.csv").contains("is no folder"));
    assert!(refusal("runs/10M/lr0.001_v2/{params}.csv").contains("no name holds a value"));
    let unknown = run(&["fit", "--params-from", "runs/{size}/log.csv"]);
    assert!(stderr(&unknown).contains("{size} is not one of params, tokens, loss"), "{}", stderr(&unknown));
    let several = run(&["fit", "a.csv", "b.csv", "--params-from", "{params}.csv"]);
    assert!(stderr(&several).contains("begins in one folder"), "{}", stderr(&several));
}

#[test]
fn compute_that_cannot_be_read_is_counted_and_said() {
    let mut csv = "params,tokens,loss,flops\n".to_owned();
    let cells = ["", "?", "-3e18", "nan"];
    for (at, (n, d)) in [1e7, 4e7, 1.6e8].into_iter().flat_map(|n| [3e8, 1e9, 3e9, 1e10].map(|d| (n, d))).enumerate() {
        let flops = cells.get(at).map_or((6.0 * n * d).to_string(), |cell| (*cell).to_owned());
        writeln!(csv, "{n},{d},{},{flops}", loss(n, d)).expect("memory");
    }
    let (_folder, path) = table(&csv);
    let answer = run(&["fit", text(&path), "--refits", "20", "--details"]);
    let said = format!("{}{}", String::from_utf8_lossy(&answer.stdout), stderr(&answer));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("`flops` of 3 of 12 rows is ignored, such as `?`: C is 6 N D there"), "{said}");
}
