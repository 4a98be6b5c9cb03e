//! Commands as calls: options as on the command line, runs from a path or at hand, answers as values. What the module of Python is made of;
//! nothing here is printed, and no file is written.

mod compare;
mod fit;
mod laws;
mod plan;

pub use compare::{Comparison, Said, compare, fit_by, speedup};
pub use fit::{Studied, figures, fit, recommend_published};
pub use laws::{formulas, losses, losses_of, published_laws};
pub use plan::plan;

use super::failure::Failure;
use super::source::SourceArgs;
use super::voice::heard;
use clap::Args;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs that are handed over.
#[derive(Debug, Clone)]
pub struct Runs {
    /// Path of a results folder or of a table, or what a table at hand is called.
    pub path: PathBuf,
    /// The table, where it is at hand: the bytes of a CSV.
    pub table: Option<Vec<u8>>,
    /// Which columns are which of ours, as `--columns` takes them: `params=N`.
    pub columns: Vec<String>,
}

impl Runs {
    fn put_into(self, source: &mut SourceArgs) {
        source.paths = vec![self.path];
        source.at_hand = self.table.map(Arc::from);
        source.rows.columns.extend(self.columns);
    }
}

/// Why a call was refused or failed, in the words of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure.words())
    }
}

/// What a call returns, with what a command would have said on standard error meanwhile.
#[derive(Debug)]
pub struct Heard<T> {
    /// The answer, or why there is none.
    pub answer: Result<T, Refusal>,
    /// A line each.
    pub said: Vec<String>,
}

impl<T> Heard<T> {
    fn of(work: impl FnOnce() -> Result<T, Refusal>) -> Self {
        let (answer, said) = heard(work);
        Self { answer, said }
    }
}

/// Options of a command from its words.
fn parsed<A: Args>(command: &'static str, words: &[String]) -> Result<A, Refusal> {
    let command = A::augment_args(clap::Command::new(command).no_binary_name(true).disable_help_flag(true));
    let found = command.try_get_matches_from(words).and_then(|found| A::from_arg_matches(&found));
    found.map_err(|error| Refusal(without_usage(&error.to_string())))
}

/// Why a line was refused, without how the command is called.
fn without_usage(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let is_usage = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
    // How to give a path that begins with a dash, which no call does.
    let is_of_shells = |line: &&str| line.contains("as a value, use");
    let kept: Vec<&str> = text.lines().take_while(|line| !is_usage(line)).filter(|line| !is_of_shells(line)).collect();
    let kept = kept.join("\n");
    kept.trim().trim_start_matches("error: ").trim().to_owned()
}

/// A text as it is read where there are no colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Refuses options of a command that say where to print or write, which a call does not.
fn without(words: &[String], options: &[&str]) -> Result<(), Refusal> {
    let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
    match words.iter().map(name).find(|word| options.contains(&word.as_str())) {
        Some(word) => Err(Refusal(format!("{word} is an option of the command alone: call `scalelab` with it, or keep what is returned"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    fn runs(text: &str) -> Runs {
        Runs { path: "data frame".into(), table: Some(text.as_bytes().to_vec()), columns: words(&["params=size"]) }
    }

    const TABLE: &str =
        "size,tokens,loss\n1e8,2e9,3.32\n1e8,2e10,2.9\n3e8,6e9,2.92\n3e8,6e10,2.61\n1e9,2e10,2.59\n1e9,2e11,2.36\n2e9,5e10,2.42\n";

    #[test]
    fn a_table_at_hand_is_studied_under_the_options_of_the_command() {
        let heard = fit(runs(TABLE), &words(&["--refits=0", "--level=0.9"]), None);
        let study = heard.answer.expect("a study");
        assert_eq!((study.study().options.level, study.study().evidence.points.len()), (0.9, 7));
        assert!(study.screen(false).starts_with("data frame: what 7 runs say\n"), "{}", study.screen(false));
        let document = study.as_json().expect("a document");
        assert_eq!(document["source"], "data frame");
        let ahead = study.predict(&[(7e9, 1.4e11)], None).expect("a forecast");
        assert!(ahead[0].loss.value < 2.4 && ahead[0].compute > 5e21, "{ahead:?}");
    }

    #[test]
    fn what_is_refused_is_said_in_the_words_of_the_command() {
        let refused = |given: &[&str]| fit(runs(TABLE), &words(given), None).answer.map(|_| ()).expect_err("refused").0;
        assert_eq!(refused(&["--levl=0.9"]), "unexpected argument '--levl' found\n\n  tip: a similar argument exists: '--level'");
        assert!(refused(&["--level=95"]).contains("did you mean 0.95?"), "{}", refused(&["--level=95"]));
        assert!(refused(&["--law=chinchila"]).contains("there is no law of this name"), "{}", refused(&["--law=chinchila"]));
        assert!(refused(&["--out=here"]).contains("--out is an option of the command alone"));
        let blank = Runs { table: Some(b"size,tokens\n1,2\n".to_vec()), ..runs("") };
        let said = fit(blank, &[], None).answer.map(|_| ()).expect_err("refused").0;
        assert!(said.contains("data frame") && said.contains("no column for loss"), "{said}");
    }
}
