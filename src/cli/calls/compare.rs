//! `compare`, `compare --speedup` and `fit --by` as calls.

use super::{Heard, Refusal, Runs, parsed, plain, without};
use crate::cli::compare::{CompareArgs, Given, SideBySide};
use crate::cli::fit::{ByColumn, FitArgs};
use crate::cli::speedup;
use serde_json::Value;
use std::sync::Arc;

/// Options that say where to print or write.
const OF_FILES: [&str; 6] = ["--out", "--json", "--details", "--results", "--plots", "--losses"];

/// An answer for a person and for a program.
#[derive(Debug, Clone)]
pub struct Said {
    /// A screen.
    pub text: String,
    /// What the command prints with `--json`.
    pub document: Value,
}

/// Groups side by side.
pub struct Comparison(Compared);

enum Compared {
    Sources(Box<SideBySide>),
    Column(Box<ByColumn>),
}

impl Comparison {
    /// The screen of the command, with everything behind it or without; no colours.
    pub fn screen(&self, all: bool) -> String {
        plain(&match &self.0 {
            Compared::Sources(found) => found.text(all),
            Compared::Column(found) => found.text(all),
        })
    }

    /// What the command prints with `--json`.
    ///
    /// # Errors
    /// Where a number cannot be written, which no number of ours can.
    pub fn as_json(&self) -> Result<Value, Refusal> {
        Ok(match &self.0 {
            Compared::Sources(found) => found.as_json(),
            Compared::Column(found) => found.as_json(),
        }?)
    }

    /// The frontiers of all groups as PNG.
    ///
    /// # Errors
    /// Where they cannot be drawn; of groups by a column there is no figure.
    pub fn figure(&self) -> Result<Vec<u8>, Refusal> {
        match &self.0 {
            Compared::Sources(found) => Ok(found.figure()?),
            Compared::Column(_) => Err(Refusal("groups by a column have no figure; compare them as data frames of their own".into())),
        }
    }
}

fn asked(all: Vec<(String, Runs)>, words: &[String]) -> Result<CompareArgs, Refusal> {
    without(words, &OF_FILES)?;
    // A path that begins with a dash is no option.
    let paths = all.iter().map(|(_, runs)| runs.path.to_string_lossy().into_owned());
    let words: Vec<String> = words.iter().cloned().chain(["--".to_owned()]).chain(paths).collect();
    let mut args: CompareArgs = parsed("compare", &words)?;
    let given = |(name, runs): (String, Runs)| Given { name, table: runs.table.map(Arc::from), columns: runs.columns };
    args.given = all.into_iter().map(given).collect();
    Ok(args)
}

/// `compare` of named runs, with the words of its options.
pub fn compare(all: Vec<(String, Runs)>, words: &[String]) -> Heard<Comparison> {
    Heard::of(|| {
        let args = asked(all, words)?;
        Ok(Comparison(Compared::Sources(Box::new(SideBySide::of(&args)?.1))))
    })
}

/// `fit --by`, with the words of its options.
pub fn fit_by(runs: Runs, words: &[String]) -> Heard<Comparison> {
    Heard::of(|| {
        without(words, &OF_FILES)?;
        let mut args: FitArgs = parsed("fit", words)?;
        let Some(by) = args.by.clone() else { return Err(Refusal("a comparison of groups needs the column that names them: by".into())) };
        runs.put_into(&mut args.asked.source);
        Ok(Comparison(Compared::Column(Box::new(ByColumn::of(&args, &by)?))))
    })
}

/// `compare --speedup` of named runs, with the words of its options.
pub fn speedup(all: Vec<(String, Runs)>, words: &[String]) -> Heard<Said> {
    Heard::of(|| {
        let words: Vec<String> = ["--speedup".to_owned()].into_iter().chain(words.iter().cloned()).collect();
        let args = asked(all, &words)?;
        let found = speedup::said(&args.speedup, &args.compute, || args.runs())?;
        Ok(Said { text: plain(&found.text), document: found.document })
    })
}
