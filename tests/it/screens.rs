//! Answers on one screen: thirty lines of eighty columns at most, one line with `--quiet`, and the same words in colour.

use crate::support::{run, scalelab, stderr, succeed, text};

/// Lines and columns of a screen.
const SCREEN: [usize; 2] = [30, 80];
/// What begins an escape sequence.
const ESCAPE: char = '\u{1b}';

/// Calls that write nothing, on sweeps that are committed or need no text; `folder` takes what one must write.
fn calls(folder: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["plan", "sweeps/quick.toml", "--workers", "2"],
        vec!["plan", "sweeps/smoke.toml"],
        vec!["compare", "results/english", "results/code", "results/chinese", "--refits", "20", "--out", folder],
        vec!["compare", "results/english", "results/code", "--refits", "20", "--compute", "1e13", "--out", folder],
        vec!["verify", "results/study/forecast.json", "results/study-3x"],
        vec!["verify", "results/study/forecast-laws.json", "results/study-3x", "results/study-10x"],
        vec!["doctor", "results/grid"],
        vec!["doctor", "results/study-pilot"],
        vec!["recommend", "results/english", "--compute", "1e13", "--refits", "20"],
        vec!["fit", "results/english", "--refits", "20", "--out", folder],
    ]
}

/// Eight runs, of which simulations take little time.
pub(crate) fn small_design() -> (tempfile::TempDir, String) {
    let cells = [(3.0, 1.0), (3.0, 4.0), (6.0, 1.0), (6.0, 4.0), (12.0, 2.0), (12.0, 8.0), (24.0, 2.0), (24.0, 8.0)];
    let row = |(n, d): &(f64, f64)| format!("{n}e7,{d}e9,{}\n", 1.7 + 400.0 / (n * 1e7).powf(0.34) + 410.0 / (d * 1e9).powf(0.28));
    let (folder, path) = crate::support::table(&("params,tokens,loss\n".to_owned() + &cells.iter().map(row).collect::<String>()));
    let path = text(&path).to_owned();
    (folder, path)
}

fn assert_a_screen(args: &[&str], said: &str) {
    let (lines, widest) = (said.lines().count(), said.lines().map(|line| line.chars().count()).max());
    assert!(lines <= SCREEN[0] && widest <= Some(SCREEN[1]), "{args:?}: {lines} lines of up to {widest:?} columns:\n{said}");
    assert!(!said.contains(ESCAPE), "{args:?}: colour in a pipe:\n{said}");
}

fn without_colour(said: &str) -> String {
    let mut parts = said.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = |part: &str| part.split_once('m').map(|(_, rest)| rest.to_owned()).expect("a sequence that ends");
    first + &parts.map(rest).collect::<String>()
}

#[test]
fn answers_are_a_screen_and_one_line_when_asked_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for args in calls(text(folder.path())) {
        let said = succeed(&args);
        assert_a_screen(&args, &said);
        let output = run(&[&args[..], &["-q"]].concat());
        let line = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && line.lines().count() == 1 && line.trim().len() > 10, "{args:?}: {line:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?} says no progress");
    }
}

#[test]
fn what_a_design_can_tell_is_a_screen_and_a_line() {
    let (_folder, path) = small_design();
    let args = ["selftest", &path, "--simulations", "10", "--compute", "1e19,3e19"];
    let said = succeed(&args);
    assert_a_screen(&args, &said);
    let line = succeed(&[&args[..], &["--quiet"]].concat());
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(line.lines().count() == 1 && words.starts_with(line.trim()), "the line is how the screen begins: {line}\n{said}");
}

#[test]
fn colour_changes_no_word_and_is_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for args in calls(text(folder.path())).iter().filter(|args| !args.contains(&"fit")) {
        let painted = succeed(&[&args[..], &["--color=always"]].concat());
        assert_eq!(without_colour(&painted), succeed(args), "{args:?}");
        assert!(painted.contains(ESCAPE), "{args:?}: no colour in\n{painted}");
    }
    for args in [&["doctor", "results/grid", "--json"][..], &["doctor", "results/grid", "-q"], &["explain", "matmul"]] {
        assert_eq!(succeed(&[args, &["--color", "always"]].concat()), succeed(args), "{args:?}: never in JSON, nor where no role is");
    }
    assert!(succeed(&["--color", "always", "fit", "-h"]).contains(ESCAPE), "help has colours, too");
}

#[test]
fn the_environment_is_heeded_and_errors_are_red() {
    let refused = |line: &[&str], environment: &[(&str, &str)]| {
        let mut command = scalelab(line);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(environment.iter().copied());
        stderr(&command.output().expect("starts"))
    };
    let missing = ["fit", "no/such.csv"];
    let plain = refused(&missing, &[]);
    assert!(plain.starts_with("error: ") && !plain.contains(ESCAPE), "{plain:?}");
    let forced = refused(&missing, &[("CLICOLOR_FORCE", "1")]);
    assert!(forced.contains("\u{1b}[31m") && without_colour(&forced) == plain, "{forced:?}");
    assert_eq!(refused(&missing, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
    assert_eq!(refused(&["fit", "no/such.csv", "--color", "never"], &[("CLICOLOR_FORCE", "1")]), plain);
    // Of an option that does not exist clap speaks, in the same colours.
    let unknown = refused(&["fit", "--no-such-option", "--color", "always"], &[]);
    assert!(unknown.contains("\u{1b}[31m"), "{unknown:?}");
    assert!(refused(&["fit", "--color", "blue"], &[]).contains("blue"));
}

#[test]
fn tokens_per_parameter_say_which_parameters() {
    let plan = succeed(&["plan", "sweeps/smoke.toml"]);
    assert!(plan.contains("tokens per parameter of all"), "{plan}");
    let details = succeed(&["recommend", "results/english", "--compute", "1e13", "--refits", "20", "--details"]);
    assert!(details.contains("tokens per matmul weight") && !details.contains("D/N"), "{details}");
}
