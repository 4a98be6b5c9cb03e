//! Bad usage and bad input: a clear error, exit code 2, nothing written.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::snapshot::Transcript;
use crate::support::{grid, refused, run, scalelab, stderr, succeed, text};

const GRID: &str = r#"
    name = "bad"
    ladder = { kind = "list", shapes = ["1x8"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["64k"] }
    [model]
    context = 64
    [recipe]
    batch_tokens = 1024
"#;

/// The corpus of the grid.
const SOURCE: &str = "{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }";

/// Tells the error of a plan whose grid has one thing changed, which is that of its sweep; nothing may be written.
fn grid_error(said: &mut Transcript, from: &str, to: &str) {
    let changed = GRID.replace(from, to);
    assert_ne!(changed, GRID, "the change is one");
    let (folder, path) = grid(&changed);
    let results = folder.path().join("results");
    said.about(&if to.is_empty() { format!("without {from}") } else { format!("{from} becomes {to}") });
    let error = said.refused(&["plan", text(&path)]);
    if cfg!(feature = "train") {
        assert_eq!(error, refused(&["sweep", text(&path), "--results", text(&results)]));
    }
    assert!(!results.exists(), "nothing is written");
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut said = Transcript::default();
    for command in ["plan", "sweep", "status", "slurm", "fit", "plot", "recommend", "selftest", "compare", "corpus"] {
        said.part("Example", &[command, "--help"]);
    }
    said.check("cli_examples");
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn a_bad_grid_is_refused_with_field_and_remedy() {
    let mut said = Transcript::default();
    for (from, to) in [
        ("batch_tokens", "batch_token"),
        ("\"1x8\"", ""),
        ("\"64k\"", ""),
        ("1x8", "1x9"),
        ("1024", "1048576"),
        ("name = \"bad\"", "name = \"../bad\""),
        ("64k", "1e30"),
        ("1x8", "1000x65536"),
        ("[recipe]", "[recipe]\nwarmup_tokens = 1000000"),
        ("[recipe]", "[eval]\nwindows = 1000000000000\n[recipe]"),
        ("[recipe]", "[seeds]\ncorners = 100000000000\n[recipe]"),
    ] {
        grid_error(&mut said, from, to);
    }
    for path in ["no/such.txt", "src", "LICENSE-MIT"] {
        grid_error(&mut said, SOURCE, &format!("{{ kind = \"text\", path = \"{path}\" }}"));
    }
    said.check("cli_grids");
}

#[test]
fn a_missing_corpus_that_a_recipe_makes_names_its_command() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/sotu.txt");
    let folder = tempfile::tempdir().expect("temporary folder");
    // From a folder without corpora/, the file is missing whether or not it was fetched for other tests.
    let grid = corpus.with_file_name("../sweeps/grid.toml");
    let args = ["plan", text(&grid)];
    let output = scalelab(&args).current_dir(folder.path()).output().expect("starts");
    assert_eq!(output.status.code(), Some(2));
    let mut said = Transcript::default();
    said.answer(&args, &stderr(&output));
    said.check("cli_missing_corpus");
}

#[test]
fn a_corpus_shorter_than_the_budget_is_refused_above_max_epochs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let corpus = folder.path().join("text.txt");
    let line = |n: u32| format!("line {n} of a text, {} and {}\n", n * 7919 % 1000, n * 104_729 % 977);
    std::fs::write(&corpus, (0..40_000).map(line).collect::<String>()).expect("written");
    let with = |epochs: &str| {
        let kind = format!("{{ kind = \"text\", path = \"{}\", max_epochs = {epochs} }}", text(&corpus));
        let grid_text = GRID.replace(SOURCE, &kind).replace("64k", "3M");
        grid(&format!("{grid_text}\n[eval]\nwindows = 64\n"))
    };
    let (_one, once) = with("1.0");
    let mut said = Transcript::default();
    said.about("max_epochs = 1");
    said.refused(&["plan", text(&once)]);
    let (_four, more) = with("4.0");
    succeed(&["plan", text(&more)]);
    let (_none, nan) = with("nan");
    said.about("max_epochs = nan");
    said.refused(&["plan", text(&nan)]);
    let batch = std::fs::read_to_string(&more).expect("read").replace("1024", "2097152").replace("4.0", "100.0");
    std::fs::write(&more, batch).expect("written");
    said.about("max_epochs = 100, batch_tokens = 2097152");
    said.refused(&["plan", text(&more)]);
    said.check("cli_epochs");
}

#[test]
fn a_folder_or_nothing_in_place_of_a_grid_is_refused() {
    let mut said = Transcript::default();
    said.refused(&["plan", "sweeps"]);
    said.refused(&["plan", "sweeps/none.toml"]);
    said.check("cli_no_grid");
}

#[test]
fn a_plan_prints_costs_as_text_and_json() {
    // In a cache of its own, where no speed of this machine was measured.
    let cache = tempfile::tempdir().expect("temporary folder");
    let args = ["plan", "sweeps/smoke.toml", "--workers", "2"];
    let output = scalelab(&args).env("XDG_CACHE_HOME", cache.path()).output().expect("starts");
    let mut said = Transcript::default();
    said.answer(&args, &String::from_utf8_lossy(&output.stdout));
    let details = [&args[..], &["--details"]].concat();
    let output = scalelab(&details).env("XDG_CACHE_HOME", cache.path()).output().expect("starts");
    said.answer(&details, &String::from_utf8_lossy(&output.stdout));
    said.check("cli_plan");
    let json: serde_json::Value = serde_json::from_str(&succeed(&["plan", "sweeps/smoke.toml", "--json"])).expect("JSON");
    assert_eq!(json["runs"].as_array().map(Vec::len), Some(4));
    assert_eq!(json["runs"][0]["run"]["status"], "planned");
    assert!(json["total_flops_exact"].as_f64().is_some_and(|flops| flops > 1e9));
}

#[test]
fn scripts_of_a_job_array_are_written_and_the_shell_reads_them() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let args =
        ["slurm", "sweeps/smoke.toml", "--results", text(folder.path()), "--shards", "3", "--memory", "2G", "--", "--retry", "failed"];
    let mut said = Transcript::default();
    said.succeed(&args);
    for name in ["array.sh", "fit.sh"] {
        let script = folder.path().join("smoke/slurm").join(name);
        assert!(std::fs::read_to_string(&script).expect("reads").contains("--retry failed"));
        assert!(std::process::Command::new("bash").arg("-n").arg(&script).status().expect("bash is there").success());
    }
    let no_cluster = ["slurm", "sweeps/smoke.toml", "--results", text(folder.path()), "--submit"];
    let output = scalelab(&no_cluster).env("PATH", "").output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    said.about("where there is no sbatch");
    said.answer(&no_cluster, &stderr(&output));
    said.check("cli_slurm");
}

/// Tells what a sweep with some arguments is refused with.
fn refused_sweeps(calls: &[&[&str]]) -> Transcript {
    let mut said = Transcript::default();
    for args in calls {
        said.refused(&[&["sweep", "sweeps/smoke.toml"], *args].concat());
    }
    said
}

#[test]
fn shards_that_make_no_sense_are_refused() {
    refused_sweeps(&[&["--shard", "5/4"], &["--shard", "1/4", "--fit"]]).check("cli_shards");
}

#[cfg(feature = "train")]
#[test]
fn devices_that_make_no_sense_are_refused() {
    let calls: [&[&str]; 4] =
        [&["--device", "abacus"], &["--device", "cuda:0,cuda:0"], &["--device", "cuda:0", "--workers", "2"], &["--device", "cpu,auto"]];
    refused_sweeps(&calls).check("cli_devices");
}

#[cfg(all(feature = "train", not(feature = "cuda"), not(feature = "metal")))]
#[test]
fn a_device_that_the_build_lacks_is_refused_and_auto_says_what_it_took() {
    let calls: [&[&str]; 3] = [&["--device", "cuda:0"], &["--device", "metal:0"], &["--device", "auto", "--retry", "nobody"]];
    let mut said = refused_sweeps(&calls);
    for device in ["cuda:0", "metal:0"] {
        said.refused(&["bench", "--device", device]);
    }
    said.check("cli_devices_lacking");
}

#[test]
fn bf16_is_planned_under_another_name_and_refused_where_it_is_not_computed() {
    let (_f32, plain) = grid(GRID);
    let (_bf16, half) = grid(&format!("{GRID}\ndtype = \"bf16\"\n"));
    let names = |path: &std::path::Path| -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&succeed(&["plan", text(path), "--json"])).expect("JSON");
        json["runs"].as_array().expect("runs").iter().map(|run| run["run"]["run_id"].to_string()).collect()
    };
    let (of_f32, of_bf16) = (names(&plain), names(&half));
    assert!(of_f32.len() == of_bf16.len() && of_f32.iter().all(|name| !of_bf16.contains(name)), "{of_f32:?} {of_bf16:?}");
    if cfg!(feature = "train") {
        let mut said = Transcript::default();
        said.refused(&["sweep", text(&half), "--device", "cpu-composed"]);
        said.check("cli_bf16");
    }
}

#[test]
fn a_device_is_measured_and_set_beside_the_processor() {
    if cfg!(feature = "train") {
        let said = succeed(&["bench", "sweeps/smoke.toml", "--device", "cpu-composed", "--seconds", "0.05", "--json"]);
        let rates: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let rates = rates.as_array().expect("a list");
        assert_eq!(rates.len(), 2);
        for rate in rates {
            let number = |field: &str| rate[field].as_f64().expect("a number");
            assert!(number("tokens_per_second") > 0.0 && number("loss_distance") < 1e-3 && number("gradient_distance") < 1e-4, "{rate}");
        }
    }
}
