//! Nothing breaks for want of a listener or a disk, and numbers that no run can have are refused at once.
#![expect(clippy::disallowed_methods, reason = "a test of the whole program owns folders and clocks")]

use crate::support::snapshot::Transcript;
use crate::support::{grid, run, scalelab, stderr, text};
use std::fs;
use std::process::Stdio;

/// Two runs of a tenth of a second.
const GRID: &str = r#"
    name = "tiny"
    ladder = { kind = "list", shapes = ["1x8"] }
    corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
    budget = { tokens = ["30k"] }
    [model]
    context = 64
    [recipe]
    learning_rate = [4e-3, 8e-3]
    batch_tokens = 1024
    [eval]
    windows = 16
"#;

/// A device that has no room.
fn full() -> Stdio {
    fs::OpenOptions::new().write(true).open("/dev/full").expect("there").into()
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_command_whose_product_is_its_output_says_that_it_cannot_be_written() {
    for args in [&["plan", "sweeps/smoke.toml"][..], &["--help"]] {
        let output = scalelab(args).stdout(full()).output().expect("starts");
        let said = stderr(&output);
        assert!(said.starts_with("error: standard output cannot be written: ") && !said.contains("panicked"), "{said}");
        assert_eq!(output.status.code(), Some(1));
        let output = scalelab(args).stdout(unread()).output().expect("starts");
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(141), ""), "{args:?}: as of `| head`");
    }
    let status = scalelab(&["plan", "sweeps/none.toml"]).stderr(full()).status().expect("starts");
    assert_eq!(status.code(), Some(2), "an error that nobody hears is one");
}

#[cfg(feature = "train")]
#[test]
fn a_sweep_goes_on_whoever_hears_it() {
    let (folder, grid) = grid(GRID);
    for (at, [output, errors]) in
        [[full(), Stdio::null()], [Stdio::null(), full()], [full(), full()], [unread(), unread()]].into_iter().enumerate()
    {
        let results = folder.path().join(at.to_string());
        let args = ["sweep", text(&grid), "--results", text(&results)];
        let status = scalelab(&args).stdout(output).stderr(errors).status().expect("starts");
        assert!(status.success(), "{at}: {status}");
        assert_eq!(fs::read_to_string(results.join("tiny/runs.csv")).expect("a table").lines().count(), 3);
    }
    let again = folder.path().join("0");
    let args = ["sweep", text(&grid), "--results", text(&again)];
    let said = stderr(&scalelab(&args).stdout(full()).output().expect("starts"));
    assert_eq!(said.matches("standard output cannot be written").count(), 1, "{said}");
}

/// Runs a sweep with SIGHUP ignored or not, sends it to driver and workers, and gives the exit code.
#[cfg(feature = "train")]
fn hung_up(grid: &std::path::Path, results: &std::path::Path, ignored: bool) -> Option<i32> {
    use std::process::Command;
    use std::thread::sleep;
    use std::time::{Duration, Instant};
    let trap = if ignored { "trap '' HUP; " } else { "" };
    let script = format!("{trap}exec \"$0\" sweep \"$1\" --results \"$2\" --workers 1");
    let shell = ["-c", &script, env!("CARGO_BIN_EXE_scalelab"), text(grid), text(results)];
    let mut driver = Command::new("sh").args(shell).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let children = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", driver.id())).into_iter().flatten().filter_map(Result::ok);
        let listed: String = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok()).collect();
        listed.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let begun = Instant::now();
    // A state on disk: the worker trains, and both are past the beginning at which they say what they ignore.
    while !results.join("tiny/checkpoints").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no run began");
        sleep(Duration::from_millis(5));
    }
    let all = [children(), vec![driver.id().to_string()]].concat();
    Command::new("kill").arg("-HUP").args(&all).status().expect("kill is there");
    driver.wait().expect("ended").code()
}

#[cfg(all(feature = "train", target_os = "linux"))]
#[test]
fn a_closed_terminal_ends_a_sweep_in_order_and_one_under_nohup_not_at_all() {
    let text_of_grid = GRID.replace("30k", "1M") + "[run]\n    checkpoint_every = \"0.02s\"\n";
    let (folder, grid) = grid(&text_of_grid);
    let [deaf, hearing] = ["deaf", "hearing"].map(|name| folder.path().join(name));
    assert_eq!(hung_up(&grid, &hearing, false), Some(75));
    assert_eq!(hung_up(&grid, &deaf, true), Some(0));
    assert_eq!(fs::read_to_string(deaf.join("tiny/runs.csv")).expect("a table").lines().count(), 3);
}

/// A grid of text, whose preparation is kept in a cache.
#[cfg(feature = "train")]
fn text_grid() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let corpus = folder.path().join("text.txt");
    let line = |n: u32| format!("line {n} of a text, {} and {}\n", n * 7919 % 1000, n * 104_729 % 977);
    fs::write(&corpus, (0..20_000).map(line).collect::<String>()).expect("written");
    let kind = format!("{{ kind = \"text\", path = \"{}\" }}", text(&corpus));
    let path = folder.path().join("grid.toml");
    fs::write(&path, GRID.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", &kind)).expect("written");
    (folder, path)
}

#[cfg(feature = "train")]
#[test]
fn a_cache_that_is_not_there_or_cannot_be_written_is_replaced_and_said() {
    let (folder, grid) = text_grid();
    let temporary = folder.path().join("temporary");
    fs::create_dir_all(&temporary).expect("made");
    let blocked = folder.path().join("a file");
    fs::write(&blocked, "").expect("written");
    for (cache, words) in [(Some(&blocked), "this time"), (None, "neither XDG_CACHE_HOME nor HOME is set")] {
        let results = folder.path().join(words);
        let args = ["sweep", text(&grid), "--results", text(&results), "--workers", "1"];
        let mut command = scalelab(&args);
        command.env("TMPDIR", &temporary).env_remove("HOME").env_remove("XDG_CACHE_HOME");
        cache.iter().for_each(|cache| _ = command.env("XDG_CACHE_HOME", cache));
        let output = command.output().expect("starts");
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches(words).count(), 1, "{said}");
        assert!(said.contains(text(&temporary)), "{said}");
        assert_eq!(fs::read_to_string(results.join("tiny/runs.csv")).expect("a table").lines().count(), 3);
    }
    let args = ["bench", "sweeps/smoke.toml", "--seconds", "0.01"];
    let output = scalelab(&args).env("XDG_CACHE_HOME", &blocked).output().expect("starts");
    assert!(output.status.success() && stderr(&output).contains("the rates are not kept"), "{}", stderr(&output));
}

#[test]
fn numbers_that_no_answer_can_have_are_refused_at_once() {
    let mut said = Transcript::default();
    let table = "tests/fixtures/v0.1/sweep/runs.csv";
    for level in ["95", "nan", "0", "1"] {
        said.refused(&["fit", table, &format!("--level={level}")]);
    }
    said.refused(&["fit", table, "--refits=18446744073709551615"]);
    said.refused(&["selftest", table, "--refits=1000001"]);
    let recommend = ["recommend", "--published", "hoffmann", "--compute", "1e21"];
    for flag in [
        "--price=nan",
        "--price=-1",
        "--price=inf",
        "--mfu=nan",
        "--mfu=0",
        "--tokens-per-param=-1",
        "--tokens-per-param=0",
        "--tokens-per-param=nan",
        "--params=0",
        "--params=1e300",
        "--tokens=nan",
        "--target-loss=nan",
        "--target-loss=-2",
        "--target-loss=1.5",
        "--serve-tokens=-1",
        "--unique-tokens=inf",
        "--context=0",
        "--vocabulary=18446744073709551615",
    ] {
        said.refused(&[&recommend[..], &[flag]].concat());
    }
    said.refused(&["recommend", "--published", "hoffmann", "--compute", "1e300"]);
    said.refused(&["compare", "--speedup", "--losses=nan,2.9", "--floor=1.6", "--alpha=0.05"]);
    said.refused(&["selftest", table, "--sigma=nan"]);
    said.check("robust_numbers");
}

#[test]
fn numbers_that_no_grid_can_have_are_refused_at_once() {
    let mut said = Transcript::default();
    for (from, to) in [
        ("[4e-3, 8e-3]", "1e-300"),
        ("[4e-3, 8e-3]", "1e300"),
        ("[4e-3, 8e-3]", "nan"),
        ("\"30k\"", "nan"),
        ("\"30k\"", "-1"),
        ("{ tokens = [\"30k\"] }", "{ tokens-per-param = 1e300 }"),
        ("{ tokens = [\"30k\"] }", "{ flops = 1e12, center = nan }"),
        ("batch_tokens = 1024", "batch_tokens = 1e40"),
        ("batch_tokens = 1024", "warmup_tokens = nan"),
        ("batch_tokens = 1024", "grad_clip = inf"),
        ("batch_tokens = 1024", "adamw = { weight_decay = 1e300 }"),
        ("batch_tokens = 1024", "adamw = { eps = 1e300 }"),
        ("batch_tokens = 1024", "adamw = { beta2 = { half_life_tokens = 1e-30 } }"),
        ("batch_tokens = 1024", "groups = { head = { rate = 1e300 } }"),
        ("windows = 16", "windows = 16\n[run]\nworkers = 9223372036854775807"),
        ("windows = 16", "windows = 16\n[run]\ncheckpoint_every = \"1ns\""),
        ("\"1x8\"", "\"9223372036854775807x2\""),
    ] {
        said.about(&format!("{from} becomes {to}"));
        let (_folder, path) = grid(&GRID.replace(from, to));
        said.refused(&["plan", text(&path)]);
    }
    let list = |count: u32| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    said.about("a hundred million runs");
    let (_folder, path) = grid(&format!("{GRID}\n[seeds]\ninit = [{}]\ndata = [{}]\n", list(10_000), list(5000)));
    let begun = std::time::Instant::now();
    said.refused(&["plan", text(&path)]);
    assert!(begun.elapsed().as_secs() < 20, "refused before the runs are listed");
    said.check("robust_grids");
}

#[test]
fn what_slurm_would_refuse_is_refused_before() {
    let mut said = Transcript::default();
    let folder = tempfile::tempdir().expect("temporary folder");
    let with = |rest: &'static [&'static str]| [&["slurm", "sweeps/smoke.toml", "--results", text(folder.path())], rest].concat();
    for rest in [
        &["--time", "1h"][..],
        &["--time", "2"],
        &["--time", "1:2:3:4"],
        &["--memory", "4GB"],
        &["--partition", "a b"],
        &["--", "--device", "cuda:0"],
        &["--", "--shard", "1/2"],
        &["--", "--fit"],
        &["--", "--results=elsewhere"],
    ] {
        said.refused(&with(rest));
    }
    said.check("robust_slurm");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0, "no script is written");
    for time in ["90", "90:00", "1:30:00", "1-12", "1-12:30", "1-12:30:00"] {
        let output = run(&["slurm", "sweeps/smoke.toml", "--results", text(folder.path()), "--time", time]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[cfg(feature = "train")]
#[test]
fn the_scripts_of_a_job_array_train_and_fit() {
    let several = GRID.replace("[\"1x8\"]", "[\"1x8\", \"1x16\", \"2x16\"]").replace("[\"30k\"]", "[\"30k\", \"60k\", \"120k\"]");
    let (folder, grid) = grid(&several.replace("[4e-3, 8e-3]", "8e-3"));
    let results = folder.path().join("results");
    let args = ["slurm", text(&grid), "--results", text(&results), "--shards", "2", "--cpus", "1", "--", "--workers", "2"];
    assert!(run(&args).status.success());
    let script = |name: &str, task: &str| {
        let path = results.join("tiny/slurm").join(name);
        let output = std::process::Command::new("bash").arg(&path).env("SLURM_ARRAY_TASK_ID", task).output().expect("bash is there");
        assert!(output.status.success(), "{name}: {}", stderr(&output));
    };
    script("array.sh", "1");
    script("array.sh", "2");
    assert_eq!(fs::read_dir(results.join("tiny/runs")).expect("listed").count(), 9);
    script("fit.sh", "");
    assert!(results.join("tiny/fits/chinchilla.json").exists());
}
