//! Bad usage and bad input: a clear error, exit code 2, nothing written.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders")]

use crate::support::{grid, refused, run, succeed, text};

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

/// The error of a sweep whose grid has one thing changed; nothing may be written.
fn grid_error(from: &str, to: &str) -> String {
    let changed = GRID.replace(from, to);
    assert_ne!(changed, GRID, "the change is one");
    let (folder, path) = grid(&changed);
    let results = folder.path().join("results");
    let error = refused(&["plan", text(&path)]);
    if cfg!(feature = "train") {
        assert_eq!(error, refused(&["sweep", text(&path), "--results", text(&results)]));
    }
    assert!(!results.exists(), "nothing is written");
    error
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["plan", "sweep", "status", "slurm", "fit", "plot", "recommend", "selftest", "compare", "corpus"] {
        let help = succeed(&[command, "--help"]);
        assert!(help.contains("Example") && help.contains(&format!("scalelab {command}")), "{help}");
    }
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn a_bad_grid_is_refused_with_field_and_remedy() {
    assert!(grid_error("batch_tokens", "batch_token").contains("did you mean `batch_tokens`?"));
    assert!(grid_error("\"1x8\"", "").contains("ladder is an empty list"));
    assert!(grid_error("\"64k\"", "").contains("budget.tokens is an empty list"));
    assert!(grid_error("1x8", "1x9").contains("odd"));
    assert!(grid_error("1024", "1048576").contains("lower recipe.batch_tokens"));
    assert!(grid_error("name = \"bad\"", "name = \"../bad\"").contains("it names a folder"));
    assert!(grid_error("64k", "1e30").contains("more than any run can count"));
    assert!(grid_error("1x8", "1000x65536").contains("choose a smaller shape"));
    assert!(grid_error("[recipe]", "[recipe]\n warmup_tokens = 1000000").contains("not less than the shortest run"));
    assert!(grid_error("[recipe]", "[eval]\n windows = 1000000000000\n [recipe]").contains("at most 1000000"));
    assert!(grid_error("[recipe]", "[seeds]\n corners = 100000000000\n [recipe]").contains("at most 1000"));
    let text_corpus =
        |path: &str| grid_error("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", &format!("{{ kind = \"text\", path = \"{path}\" }}"));
    assert!(text_corpus("no/such.txt").contains("no/such.txt cannot be read"));
    assert!(text_corpus("src").contains("not a file"));
    assert!(text_corpus("Cargo.toml").contains("bytes; at least"));
}

#[test]
fn a_missing_corpus_that_a_recipe_makes_names_its_command() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora/sotu.txt");
    let folder = tempfile::tempdir().expect("temporary folder");
    // From a folder without corpora/, the file is missing whether or not it was fetched for other tests.
    let mut command = crate::support::scalelab(&["plan", text(&corpus.with_file_name("../sweeps/grid.toml"))]);
    let output = command.current_dir(folder.path()).output().expect("starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(crate::support::stderr(&output).contains("corpora/get.sh sotu"), "{}", crate::support::stderr(&output));
}

#[test]
fn a_corpus_shorter_than_the_budget_is_refused_above_max_epochs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let corpus = folder.path().join("text.txt");
    let line = |n: u32| format!("line {n} of a text, {} and {}\n", n * 7919 % 1000, n * 104_729 % 977);
    std::fs::write(&corpus, (0..40_000).map(line).collect::<String>()).expect("written");
    let with = |epochs: &str| {
        let kind = format!("{{ kind = \"text\", path = \"{}\", max_epochs = {epochs} }}", text(&corpus));
        let grid_text = GRID.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", &kind).replace("64k", "3M");
        grid(&format!("{grid_text}\n[eval]\nwindows = 64\n"))
    };
    let (_one, once) = with("1.0");
    let error = refused(&["plan", text(&once)]);
    assert!(error.contains("epochs") && error.contains("corpus.max_epochs"), "{error}");
    let (_four, more) = with("4.0");
    succeed(&["plan", text(&more)]);
    let (_none, nan) = with("nan");
    assert!(refused(&["plan", text(&nan)]).contains("corpus.max_epochs"));
    let batch = std::fs::read_to_string(&more).expect("read").replace("1024", "2097152").replace("4.0", "100.0");
    std::fs::write(&more, batch).expect("written");
    assert!(refused(&["plan", text(&more)]).contains("larger than the corpus"));
}

#[test]
fn a_folder_or_nothing_in_place_of_a_grid_is_refused() {
    assert!(refused(&["plan", "sweeps"]).contains("is a folder"));
    assert!(refused(&["plan", "sweeps/none.toml"]).contains("cannot be read"));
}

#[test]
fn a_plan_prints_costs_as_text_and_json() {
    let text = succeed(&["plan", "sweeps/smoke.toml"]);
    assert!(text.contains("4 runs") && text.contains("total:"), "{text}");
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
    let said = succeed(&args);
    assert!(said.contains("sbatch --dependency=afterany:$job"), "{said}");
    for name in ["array.sh", "fit.sh"] {
        let script = folder.path().join("smoke/slurm").join(name);
        assert!(std::fs::read_to_string(&script).expect("reads").contains("--retry failed"));
        assert!(std::process::Command::new("bash").arg("-n").arg(&script).status().expect("bash is there").success());
    }
    let no_cluster = ["slurm", "sweeps/smoke.toml", "--results", text(folder.path()), "--submit"];
    let output = crate::support::scalelab(&no_cluster).env("PATH", "").output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::support::stderr(&output).contains("sbatch cannot be run"), "{}", crate::support::stderr(&output));
}

#[test]
fn devices_and_shards_that_make_no_sense_are_refused() {
    let refused_sweep = |args: &[&str]| refused(&[&["sweep", "sweeps/smoke.toml"], args].concat());
    assert!(refused_sweep(&["--shard", "5/4"]).contains("k from 1 to n"));
    assert!(refused_sweep(&["--shard", "1/4", "--fit"]).contains("cannot be used with"));
    if cfg!(feature = "train") {
        assert!(refused_sweep(&["--device", "abacus"]).contains("is not a device"));
        assert!(refused_sweep(&["--device", "cuda:0,cuda:0"]).contains("cuda:0 twice"));
        assert!(refused_sweep(&["--device", "cuda:0", "--workers", "2"]).contains("--slots-per-device"));
        assert!(refused_sweep(&["--device", "cpu,auto"]).contains("auto alone"));
    }
}

#[test]
fn a_device_that_the_build_lacks_is_refused_and_auto_says_what_it_took() {
    if !cfg!(feature = "train") || cfg!(feature = "cuda") || cfg!(feature = "metal") {
        return;
    }
    for feature in ["cuda", "metal"] {
        let device = format!("{feature}:0");
        let error = refused(&["sweep", "sweeps/smoke.toml", "--device", &device]);
        assert!(error.contains(&format!("{device}: this build has no {feature}")) && error.contains("--features"), "{error}");
        assert!(refused(&["bench", "--device", &device]).contains(&format!("this build has no {feature}")));
    }
    let said = refused(&["sweep", "sweeps/smoke.toml", "--device", "auto", "--retry", "nobody"]);
    assert!(said.contains("--device auto: cpu (this build has neither CUDA nor Metal"), "{said}");
}

#[test]
fn bf16_is_planned_under_another_name_and_refused_on_the_processor() {
    let (_f32, plain) = grid(GRID);
    let (_bf16, half) = grid(&format!("{GRID}\ndtype = \"bf16\"\n"));
    let names = |path: &std::path::Path| -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&succeed(&["plan", text(path), "--json"])).expect("JSON");
        json["runs"].as_array().expect("runs").iter().map(|run| run["run"]["run_id"].to_string()).collect()
    };
    let (of_f32, of_bf16) = (names(&plain), names(&half));
    assert!(of_f32.len() == of_bf16.len() && of_f32.iter().all(|name| !of_bf16.contains(name)), "{of_f32:?} {of_bf16:?}");
    if cfg!(feature = "train") {
        let error = refused(&["sweep", text(&half)]);
        assert!(error.contains("recipe.dtype = \"bf16\": cpu computes in f32 alone"), "{error}");
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
