//! What a figure is: the file it goes to, what it shows, and how it is drawn of a study.

use super::ViewError;
use super::optimal::Frontier;
use super::page::Conventions;
use crate::fit::FittedLaw;
use crate::law::{Evidence, Law, RecipeTrials, recipe_trials};
use crate::spec::{CurvePoint, RunRecord, RunStatus};
use crate::study::Study;
use std::collections::HashMap;
use std::sync::OnceLock;

/// PNG bytes, or why there are none.
pub type Picture = Result<Vec<u8>, ViewError>;

/// A figure of a study.
#[derive(Debug)]
pub struct Figure {
    /// Name of its file.
    pub file: &'static str,
    /// What it shows, in one line.
    pub caption: &'static str,
    /// `None` where the runs have nothing of its kind.
    pub(super) of: fn(&Subject<'_>) -> Option<Picture>,
}

/// Runs beyond which a report and its figures make no second search, and no fit without each run or under every way of counting;
/// `scalelab fit` does.
pub const LARGE: usize = 300;

/// What figures are drawn of.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Name of the sweep or the table.
    pub(super) name: &'a str,
    /// What its runs say.
    pub(super) study: &'a Study,
    /// Every run, those too that the evidence leaves out.
    pub(super) records: &'a [RunRecord],
    /// The curve of each run while it was trained, by its name; `None` where the runs are those of others.
    pub(super) curves: Option<&'a HashMap<String, Vec<CurvePoint>>>,
    frontier: OnceLock<Option<Frontier>>,
}

impl<'a> Subject<'a> {
    /// A study with its name, all of its runs, and their curves where they are known.
    pub fn new(name: &'a str, study: &'a Study, records: &'a [RunRecord], curves: Option<&'a HashMap<String, Vec<CurvePoint>>>) -> Self {
        Self { name, study, records, curves, frontier: OnceLock::new() }
    }

    /// The conventions of a figure that shows the evidence and no law.
    pub(super) fn evidence(&self) -> Conventions {
        Conventions::of(self.name, &self.study.evidence)
    }

    /// Those of one that shows every run, not one recipe a cell.
    pub(super) fn all_runs(&self) -> Conventions {
        let points = self.records.iter().filter(|record| record.status == RunStatus::Finished).count();
        Conventions { points, excluded: self.records.len() - points, ..self.evidence() }
    }

    /// Those of one that shows the law.
    pub(super) fn fitted(&self) -> Conventions {
        match self.advising() {
            Some(fit) => self.evidence().fitted_by(fit.estimator),
            None => self.evidence(),
        }
    }

    /// The law that is shown.
    pub(super) fn law(&self) -> Option<&Law> {
        self.advising().map(|fit| &fit.law)
    }

    fn advising(&self) -> Option<&FittedLaw> {
        self.study.best_law().filter(|fit| fit.law.may_advise())
    }

    /// The frontier that is recommended, of which several figures are drawn.
    pub(super) fn frontier(&self) -> Option<&Frontier> {
        self.frontier.get_or_init(|| Some(Frontier::of(self.study, self.study.law_with_optima()?))).as_ref()
    }

    /// The cells as they were tried.
    pub(super) fn trials(&self) -> Vec<RecipeTrials> {
        let Evidence { size_measure, flop_rule, .. } = *self.study.evidence;
        recipe_trials(self.records, size_measure, flop_rule)
    }

    /// Those of them that have a best run, in the order of the study.
    pub(super) fn scored_trials(&self) -> Vec<RecipeTrials> {
        self.trials().into_iter().filter(|cell| cell.best().is_some()).collect()
    }
}
