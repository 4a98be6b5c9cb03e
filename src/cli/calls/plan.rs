//! `plan` as a call.

use super::{Heard, Said, parsed, plain, without};
use crate::cli::plan::{PlanArgs, told};

/// Options that say where to print or write.
const OF_FILES: [&str; 4] = ["--plot", "--json", "--details", "--all"];

/// What a grid would train and cost, by the words of the command.
pub fn plan(words: &[String]) -> Heard<Said> {
    Heard::of(|| {
        without(words, &OF_FILES)?;
        let args: PlanArgs = parsed("plan", words)?;
        let (text, document) = told(&args)?;
        Ok(Said { text: plain(&text), document })
    })
}
