//! `fit` and `recommend` as calls.

use super::{Heard, Refusal, Runs, parsed, plain, without};
use crate::cli::analysis::study_unseen;
use crate::cli::failure::{Failure, OrInput, OrWork};
use crate::cli::fit::{FitArgs, as_json, details};
use crate::cli::plot::figure_of;
use crate::cli::recommend::{self, RecommendArgs};
use crate::cli::source::Source;
use crate::cli::summary::{of_fits, summary, why_not};
use crate::fit::Protocol;
use crate::law::{ComputeCount, Law, Point};
use crate::recommend::{Allocation, RunAhead, RunAsked, Together, advise, forecast_runs};
use crate::spec::Flops;
use crate::study::{LawName, Study};
use crate::view::FIGURES;
use anyhow::anyhow;
use serde_json::Value;

/// Options of `fit` that say where to print or write.
const OF_FILES: [&str; 8] = ["--out", "--json", "--details", "--starts", "--certificate", "--noise", "--results", "--plots"];
/// Those of `recommend`.
const OF_SCREENS: [&str; 5] = ["--json", "--details", "--markdown", "--results", "--plots"];

/// Runs with what they say.
pub struct Studied {
    source: Source,
    study: Study,
    protocol: Option<Protocol>,
    /// Budgets that were asked for.
    budgets: Vec<Flops>,
}

/// `fit`, with the words of its options; `laws` in place of `--law`, where they are at hand.
pub fn fit(runs: Runs, words: &[String], laws: Option<Vec<LawName>>) -> Heard<Studied> {
    Heard::of(|| {
        without(words, &OF_FILES)?;
        let mut args: FitArgs = parsed("fit", words)?;
        if args.by.is_some() {
            return Err(Refusal("--by compares groups, and a study is of one".into()));
        }
        runs.put_into(&mut args.asked.source);
        if let Some(laws) = laws {
            args.asked.laws = laws.into();
        }
        Ok(Studied::of(&args)?)
    })
}

/// `recommend --published`, with the words of its options, as the JSON that it prints.
pub fn recommend_published(law: &str, words: &[String]) -> Heard<Value> {
    Heard::of(|| {
        without(words, &OF_SCREENS)?;
        let words: Vec<String> = [format!("--published={law}")].into_iter().chain(words.iter().cloned()).collect();
        let args: RecommendArgs = parsed("recommend", &words)?;
        let advice = recommend::by_published(&args, law)?;
        Ok(serde_json::to_value(advice).or_work()?)
    })
}

impl Studied {
    fn of(args: &FitArgs) -> Result<Self, Failure> {
        let (source, _) = args.asked.choices.seen(args.asked.source.read_of_any()?)?;
        let study = study_unseen(&source, &args.options(&source))?.with_a_law().or_input()?;
        let protocol = args.followed(&source, &study)?;
        Ok(Self { source, study, protocol, budgets: args.asked.compute.clone() })
    }

    /// What the runs say, as a value.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The screen of `fit`, with everything behind it or without; no colours.
    pub fn screen(&self, all: bool) -> String {
        let recommendations = self.recommendations();
        plain(&if all {
            details(&self.source, &self.study, self.protocol.as_ref(), &recommendations)
        } else {
            summary(&self.source, &self.study, &recommendations)
        })
    }

    /// What `fit --json` prints.
    ///
    /// # Errors
    /// Where a number cannot be written, which no number of ours can.
    pub fn as_json(&self) -> Result<Value, Refusal> {
        Ok(as_json(&self.source, &self.study, self.protocol.as_ref(), &self.recommendations())?)
    }

    fn recommendations(&self) -> Vec<Allocation> {
        advise(&self.study, &self.budgets)
    }

    /// What `recommend --json` prints, with the words of its options.
    ///
    /// # Errors
    /// Where an option is refused or the study recommends nothing.
    pub fn recommend(&self, words: &[String]) -> Result<Value, Refusal> {
        without(words, &OF_SCREENS)?;
        let args: RecommendArgs = parsed("recommend", words)?;
        Ok(serde_json::to_value(recommend::of_study(&args, &self.study)?).or_work()?)
    }

    /// What is forecast of runs of N parameters on D tokens, as `forecast --at` forecasts them; at the level of the study where none is said.
    ///
    /// # Errors
    /// Where a size is not above 0, a level is out of range, or no law was fitted.
    pub fn predict(&self, places: &[(f64, f64)], level: Option<f64>) -> Result<Vec<RunAhead>, Refusal> {
        let level = level.unwrap_or(self.study.options.level);
        crate::fit::check_level(level).or_input()?;
        let count = ComputeCount::of(&self.study.evidence.points);
        let mut asked = Vec::new();
        for &(n, d) in places {
            if let Some((what, value)) = [("params", n), ("tokens", d)].into_iter().find(|(_, x)| !(*x > 0.0 && x.is_finite())) {
                return Err(Refusal(format!("{what} is {value}; it must be a finite number above 0, such as 7e9")));
            }
            let place = Point { c: count.compute(n, d), ..Point::new(n, d, 1.0) };
            asked.push(RunAsked { name: None, place, found: None });
        }
        let nothing = || Failure::Input(anyhow!("{}: nothing can be forecast: {}", self.source.path.display(), why_not(&self.study)));
        Ok(forecast_runs(&self.study, &asked, level).ok_or_else(nothing)?)
    }

    /// How the laws together forecast the larger runs from the smaller; `None` where one law speaks alone.
    pub fn together(&self) -> Option<Together> {
        self.study.mixture().map(|mixture| Together::of(mixture, 1.0))
    }

    /// The laws that were fitted, the one that speaks first.
    pub fn laws(&self) -> impl Iterator<Item = &Law> {
        self.study.laws.iter().filter_map(|report| report.fitted.as_ref().ok()).map(|fitted| &fitted.law)
    }

    /// What a reader must know, each thing once.
    pub fn warnings(&self) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for warning in self.study.notes.iter().cloned().chain(of_fits(&self.study)) {
            if !kept.contains(&warning) {
                kept.push(warning);
            }
        }
        kept
    }

    /// A figure as PNG, by the name of its file without `.png`.
    ///
    /// # Errors
    /// Where there is no such figure, or the runs have nothing of its kind.
    pub fn figure(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        let stems = || FIGURES.iter().map(|figure| figure.file.trim_end_matches(".png")).collect::<Vec<_>>();
        if !stems().contains(&name) {
            return Err(Refusal(format!("there is no figure {name}; choose from {}", stems().join(", "))));
        }
        let picture = figure_of(&self.source, &self.study, &format!("{name}.png"))?;
        let nothing = || Failure::Input(anyhow!("{}: the runs have nothing that {name} shows", self.source.path.display()));
        Ok(picture.ok_or_else(nothing)?.or_input()?)
    }
}

/// Names of figures, each with what it shows.
pub fn figures() -> Vec<(String, &'static str)> {
    FIGURES.iter().map(|figure| (figure.file.trim_end_matches(".png").to_owned(), figure.caption)).collect()
}
