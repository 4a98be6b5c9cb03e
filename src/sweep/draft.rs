//! A sweep designed for somebody who has a text and some time: five compute budgets in factors of two, five shapes about the expected
//! optimum of each, as a grid file with comments.

use super::planned::PlannedRun;
use crate::spec::{CorpusSpec, Flops, ParamCounts};
use std::collections::BTreeMap;

/// What the grid file of a new sweep says.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Name of the sweep, and of its results folder.
    pub name: String,
    /// Where tokens come from: files, or the synthetic source.
    pub corpus: CorpusSpec,
    /// The largest compute budget, FLOPs (exact count).
    pub most: Flops,
}

/// What became of the search for the largest sweep that fits some time.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitting<T> {
    /// The draft with its plan, and whether it is the text that allows no larger one, not the time.
    Found {
        /// The largest that fits.
        draft: Draft,
        /// What was planned of it.
        plan: T,
        /// No larger one is whole.
        ended_by_text: bool,
    },
    /// Even the smallest takes longer: so many seconds.
    TooLong(f64),
    /// The text allows none.
    TextTooShort,
}

/// Compute budgets; each is twice the one before.
const BUDGETS: i32 = 5;
/// The largest budgets that are tried: steps of about a fifth, with two digits.
const STEPS: [f64; 12] = [1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0, 4.7, 5.6, 6.8, 8.2];
/// Powers of ten of the least and the largest of them.
const DECADES: [i32; 2] = [11, 17];
/// Shapes of each budget.
const SIZES: usize = 5;
/// Factor by which tokens per parameter must reach above and below the expected optimum of each budget.
const BRACKET: f64 = 1.5;

impl Draft {
    /// Largest budgets from which one is chosen, FLOPs, ascending.
    fn candidates() -> Vec<Flops> {
        let of_decade = |power| STEPS.map(|step| Flops(step * 10f64.powi(power)));
        (DECADES[0]..DECADES[1]).flat_map(of_decade).collect()
    }

    /// The largest sweep that takes at most so many seconds. `planned` says what a draft comes to and how many seconds that takes;
    /// nothing of one that is not whole.
    ///
    /// # Errors
    /// Those of `planned`.
    pub fn largest<T, E>(
        name: &str,
        corpus: &CorpusSpec,
        most_seconds: f64,
        mut planned: impl FnMut(&Self) -> Result<Option<(T, f64)>, E>,
    ) -> Result<Fitting<T>, E> {
        let mut found = None;
        for most in Self::candidates() {
            let draft = Self { name: name.to_owned(), corpus: corpus.clone(), most };
            let Some((plan, seconds)) = planned(&draft)? else { continue };
            if seconds > most_seconds {
                let fitting = |(draft, plan)| Fitting::Found { draft, plan, ended_by_text: false };
                return Ok(found.map_or(Fitting::TooLong(seconds), fitting));
            }
            found = Some((draft, plan));
        }
        Ok(found.map_or(Fitting::TextTooShort, |(draft, plan)| Fitting::Found { draft, plan, ended_by_text: true }))
    }

    /// The budgets, FLOPs, ascending.
    fn budgets(&self) -> Vec<f64> {
        (0..BUDGETS).rev().map(|halvings| self.most.0 / 2f64.powi(halvings)).collect()
    }

    /// Tokens per parameter of the expected optimum (all parameters): of pilots on English text, at 4e11 FLOPs, and on the source, at
    /// 3e11 (LOG.md). On the source the optimum rises about as the root of compute.
    fn center(&self) -> f64 {
        if self.corpus.text().is_some() { 55.0 } else { 145.0 }
    }

    /// Whether in its plan every budget has all its shapes, and shapes on both sides of the expected optimum: where the smallest
    /// network is too large for the least budget, or the text too short for the largest, it has not.
    pub fn is_whole(&self, runs: &[PlannedRun]) -> bool {
        let mut ratios: BTreeMap<u64, BTreeMap<String, f64>> = BTreeMap::new();
        for spec in runs.iter().map(|run| &run.spec) {
            let budget = spec.budget_flops.map_or(0, |flops| flops.0.to_bits());
            let ratio = spec.tokens().0 / ParamCounts::of(&spec.shape).total() as f64;
            ratios.entry(budget).or_default().insert(spec.shape.to_string(), ratio);
        }
        let reaches = |shapes: &BTreeMap<String, f64>| {
            let beyond = |factor: f64| shapes.values().any(|ratio| (ratio / self.center()).powf(factor.signum()) >= BRACKET);
            shapes.len() >= SIZES && beyond(1.0) && beyond(-1.0)
        };
        ratios.len() == BUDGETS as usize && ratios.values().all(reaches)
    }

    /// The grid file.
    pub fn text(&self) -> String {
        let budgets: Vec<String> = self.budgets().iter().map(|flops| format!("\"{flops:.3e}\"")).collect();
        let (corpus, context) = match &self.corpus {
            CorpusSpec::ZipfFacts { a, keys, .. } => (format!("{{ kind = \"zipf-facts\", a = {a:?}, keys = {keys} }}"), 64),
            text => {
                let paths: Vec<String> = text.text().into_iter().flat_map(|text| &text.path).map(|path| toml_string(path)).collect();
                (format!("{{ kind = \"text\", path = [{}], max_epochs = 1 }}", paths.join(", ")), 128)
            }
        };
        format!(
            r#"# {name}: five compute budgets, five shapes about the expected optimum of each. `scalelab plan` on this file shows every run.
name   = "{name}"
# Layers x width, from 4k to 800k weights in matrix products; each budget takes the five nearest to its optimum.
ladder = {{ kind = "list", shapes = ["2x8", "2x12", "2x16", "2x24", "2x32", "2x48", "2x64", "3x64", "3x96", "4x96", "4x128"] }}
corpus = {corpus}
# FLOPs a run; more or larger budgets tell more and take longer.
budget = {{ kind = "iso-flop", rule = "exact", flops = [{budgets}], around = "nearest", center = {center}, sizes = {SIZES}, min_steps = 100 }}

[model]
context = {context}            # tokens that a network sees at once

[recipe]
# Small networks bear more. To 3x96 the best rates of results/grid (English text, up to four tried); above, that of 3x96, untried.
learning_rate = 8e-3
learning_rate_by_shape = {{ 2x8 = 1.6e-2, 2x48 = 4e-3, 2x64 = 4e-3, 3x64 = 4e-3, 3x96 = 2e-3, 4x96 = 2e-3, 4x128 = 2e-3 }}
batch_tokens  = 1024

[seeds]
corners = 2              # runs at the corners are repeated, so that the noise of one run is known

[eval]
windows = 1024           # held-out windows, the same for every run
"#,
            name = self.name,
            budgets = budgets.join(", "),
            center = self.center(),
        )
    }
}

/// A word as TOML quotes it.
fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::TextSpec;
    use crate::sweep::{Budget, Grid};

    #[test]
    fn the_largest_that_fits_is_found_or_why_there_is_none() {
        let source = CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 };
        // A second for each 1e11 FLOPs; whole from 5e11 to 5e12.
        let planned = |draft: &Draft| {
            let whole = (5e11..=5e12).contains(&draft.most.0);
            Ok::<_, ()>(whole.then_some((draft.most.0, draft.most.0 / 1e11)))
        };
        let of = |seconds| Draft::largest("mine", &source, seconds, planned).expect("no errors");
        let Fitting::Found { draft, plan, ended_by_text: false } = of(20.0) else { panic!("{:?}", of(20.0)) };
        assert!(draft.most.0 == plan && (1.7e12..=2e12).contains(&plan), "{plan}");
        assert!(matches!(of(1e6), Fitting::Found { ended_by_text: true, plan, .. } if plan > 4e12));
        assert!(matches!(of(1.0), Fitting::TooLong(seconds) if seconds > 1.0));
        let none = Draft::largest("mine", &source, 1e6, |_| Ok::<Option<((), f64)>, ()>(None));
        assert_eq!(none, Ok(Fitting::TextTooShort));
        assert_eq!(Draft::largest("mine", &source, 1.0, |_| Err::<Option<((), f64)>, _>("unreadable")), Err("unreadable"));
    }

    #[test]
    fn every_draft_is_a_grid_of_its_name_and_budgets() {
        let text = CorpusSpec::Text(TextSpec::of(r#"odd "name".txt"#));
        for corpus in [text, CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 }] {
            for most in Draft::candidates() {
                let draft = Draft { name: "mine".into(), corpus: corpus.clone(), most };
                let grid = Grid::parse(&draft.text()).expect("a grid file");
                assert_eq!((grid.name.as_str(), grid.corpus.name()), ("mine", corpus.name()));
                let Budget::IsoFlop { flops, .. } = grid.budget.amounts else { panic!("budgets of compute") };
                assert_eq!(flops.len(), 5);
                assert!((flops[4].0 / flops[0].0 - 16.0).abs() < 0.02 && (flops[4].0 / most.0 - 1.0).abs() < 1e-3, "{flops:?}");
            }
        }
    }
}
