//! What the tests of the whole program share: calling it, folders of their own, and runs of others.
#![expect(clippy::disallowed_methods, reason = "tests of the whole program own folders")]

pub(crate) mod imports;
pub(crate) mod json_schema;
pub(crate) mod large;
pub(crate) mod mock;
pub(crate) mod snapshot;

#[cfg(feature = "train")]
use scalelab::spec::RunRecord;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs of others, which stand beside the repository and are not part of it. Where a file is absent the test that asks for it is
/// skipped: this is counted and said on the terminal, past what the test runner captures.
pub(crate) fn published(file: &str) -> Option<PathBuf> {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/published").join(file);
    if path.exists() {
        return Some(path);
    }
    let skipped = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "\nskipped {skipped} so far: {test} needs {}, which is absent", path.display()).expect("a terminal");
    None
}

/// The program, run from the project's folder; what it wraps, it wraps at a width of its own, and what it keeps in a cache it
/// keeps beside the build: speeds of tests would spoil the times that are predicted on this machine.
pub(crate) fn scalelab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("COLUMNS", "100")
        .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    scalelab(args).output().expect("the program starts")
}

/// Standard output of a call that must succeed.
pub(crate) fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?} failed: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Standard error of a call that must be refused as bad input, exit code 2.
pub(crate) fn refused(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    stderr(&output)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A temporary folder, and a grid written into it.
pub(crate) fn grid(text: &str) -> (tempfile::TempDir, PathBuf) {
    file("grid.toml", text)
}

/// A temporary folder, and a table of runs written into it.
pub(crate) fn table(text: &str) -> (tempfile::TempDir, PathBuf) {
    file("runs.csv", text)
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// Rows with what may not depend on who ran a run, or when.
#[cfg(feature = "train")]
pub(crate) fn reproducible(rows: Vec<RunRecord>) -> Vec<RunRecord> {
    let timeless = |row: RunRecord| RunRecord {
        host: None,
        started_at: None,
        wall_seconds: None,
        tokens_per_second: None,
        peak_memory_mb: None,
        ..row
    };
    rows.into_iter().map(timeless).collect()
}

/// Rows of a CSV with the columns before `device`: what may not depend on who ran a run, or when.
pub(crate) fn reproducible_part(csv: &Path) -> Vec<Vec<String>> {
    let content = std::fs::read_to_string(csv).unwrap_or_else(|error| panic!("{}: {error}", csv.display()));
    let mut reader = csv::Reader::from_reader(content.as_bytes());
    let end = reader.headers().expect("a header").iter().position(|name| name == "device").expect("a device column");
    reader.records().map(|row| row.expect("a row").iter().take(end).map(str::to_owned).collect()).collect()
}
