//! The choices of a study, with the defaults that its runs call for.

use crate::fit::{Estimator, FitOptions, Resample, Search, Vertices};
use crate::law::{Additive, AnyFormula, Exclusion, Formula, formula, formulas};
use crate::spec::{FlopRule, Flops, LossUnit, SizeMeasure};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

/// What is asked of a study.
#[derive(Debug, Clone)]
pub struct StudyOptions {
    /// Whether the runs name shapes, so that N and C can be counted anew; a table of others is taken as it counts.
    pub own: bool,
    /// Laws to fit: the first speaks, the others stand beside it. None means [`LawName::Auto`].
    pub laws: Vec<LawName>,
    /// The law of unrepeated data that a law of repeated data rests on, by the name under which it was published; without one
    /// it is fitted to the runs that see their data once.
    pub base: Option<String>,
    /// How N is counted [matmul of own runs, as given else].
    pub size_measure: Option<SizeMeasure>,
    /// How C is counted [exact of own runs, as given else].
    pub flop_rule: Option<FlopRule>,
    /// What is minimised [least squares of log loss of own runs, Huber's function of it else].
    pub estimator: Option<Estimator>,
    /// What is resampled.
    pub resample: Resample,
    /// Refits, for intervals.
    pub refits: usize,
    /// Confidence level of intervals.
    pub level: f64,
    /// Seed of the resampling.
    pub seed: u64,
    /// Nominal budgets, FLOPs, of runs that name none.
    pub budgets: Vec<Flops>,
    /// What the optimum of each budget weighs.
    pub vertices: Vertices,
    /// Every point of the loss curves of a table after this share of each run, not the last of each alone.
    pub checkpoints: Option<f64>,
    /// How closely the law is looked at.
    pub scrutiny: Scrutinised,
    /// Runs that were left out before, with the reason.
    pub excluded: Vec<Exclusion>,
    /// What a reader must know of the table itself, in words.
    pub notes: Vec<String>,
    /// Whether a law that means nothing is recommended by all the same.
    pub force: bool,
    /// Whether runs that contradict themselves are recommended by all the same.
    pub trust: bool,
    /// Whether the law is refitted without the runs that stand off it.
    pub robust: bool,
    /// How the table was read, in words.
    pub reading: Vec<String>,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// Lines of runs in their table, where runs have names of their own.
    pub lines: HashMap<String, u64>,
    /// The share of its parameters that each token meets, of runs of mixtures of experts, by name: their C is about 6·share·N·D.
    pub active_shares: HashMap<String, f64>,
    /// Variable projection alone, for tables so large that a second search is a wait.
    pub quick: bool,
}

/// How closely a law is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scrutinised {
    /// Not beyond its own intervals.
    No,
    /// Influence, forecasts, estimators, criteria.
    #[default]
    Closely,
    /// The same, and every convention of counting.
    WithConventions,
}

impl Default for StudyOptions {
    fn default() -> Self {
        let FitOptions { resample, refits, seed, .. } = FitOptions::default();
        Self {
            own: true,
            laws: Vec::new(),
            base: None,
            size_measure: None,
            flop_rule: None,
            estimator: None,
            resample,
            refits,
            level: 0.95,
            seed,
            budgets: Vec::new(),
            vertices: Vertices::default(),
            checkpoints: None,
            scrutiny: Scrutinised::default(),
            excluded: Vec::new(),
            notes: Vec::new(),
            force: false,
            trust: false,
            robust: false,
            reading: Vec::new(),
            loss_unit: LossUnit::Nats,
            lines: HashMap::new(),
            active_shares: HashMap::new(),
            quick: false,
        }
    }
}

impl StudyOptions {
    /// Whether losses are forecast by the laws together.
    pub(super) fn together(&self) -> bool {
        self.laws.is_empty() || self.laws.iter().any(|law| matches!(law, LawName::Auto))
    }

    /// The laws that are fitted by name; none means the additive law, which also has the coefficients of several together.
    pub(super) fn named(&self) -> Vec<LawName> {
        let mut named: Vec<LawName> = self.laws.iter().filter(|law| !matches!(law, LawName::Auto)).cloned().collect();
        if self.together() && !named.is_empty() {
            named.retain(|law| law.name() != Formula::name(&Additive));
            named.insert(0, LawName::Formula(Arc::new(Additive)));
        }
        named
    }

    /// How N and C are counted.
    pub fn conventions(&self) -> (SizeMeasure, FlopRule) {
        let defaults = if self.own { (SizeMeasure::Matmul, FlopRule::Exact) } else { (SizeMeasure::AsGiven, FlopRule::AsGiven) };
        (self.size_measure.unwrap_or(defaults.0), self.flop_rule.unwrap_or(defaults.1))
    }

    /// The choices as a fit takes them.
    pub fn fit_options(&self) -> FitOptions {
        let default = if self.own { Estimator::LeastSquaresLog } else { Estimator::default() };
        FitOptions {
            estimator: self.estimator.unwrap_or(default),
            search: if self.quick { Search::VarproOnly } else { Search::default() },
            refits: self.refits,
            resample: self.resample,
            seed: self.seed,
        }
    }
}

/// What may be named as a law: a formula, or an analysis of budgets, which is no formula of the loss at a point.
#[derive(Debug, Clone)]
pub enum LawName {
    /// The laws of N and D together, weighted by their record; coefficients are those of the additive law.
    Auto,
    /// One formula, used alone.
    Formula(Arc<dyn AnyFormula>),
    /// IsoFLOP profiles by parabolas.
    Isoflop,
    /// IsoFLOP profiles by Akima splines.
    IsoflopAkima,
    /// The envelope of loss curves.
    Envelope,
}

impl LawName {
    /// Name of the law, as `--law` takes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Auto => Self::AUTO,
            Self::Formula(formula) => formula.name(),
            Self::Isoflop => Self::OF_BUDGETS[0],
            Self::IsoflopAkima => Self::OF_BUDGETS[1],
            Self::Envelope => Self::OF_BUDGETS[2],
        }
    }

    /// The name of the laws together.
    const AUTO: &str = "auto";

    /// Names of analyses of budgets.
    pub const OF_BUDGETS: [&str; 3] = ["isoflop", "isoflop-akima", "envelope"];

    /// Every name: the laws together, formulas, analyses of budgets.
    pub fn all() -> Vec<&'static str> {
        let formulas = formulas();
        std::iter::once(Self::AUTO).chain(formulas.iter().map(|formula| formula.name())).chain(Self::OF_BUDGETS).collect()
    }
}

impl FromStr for LawName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let of_budgets = [Self::Auto, Self::Isoflop, Self::IsoflopAkima, Self::Envelope].into_iter().find(|one| one.name() == text);
        of_budgets
            .or_else(|| formula(text).map(Self::Formula))
            .ok_or_else(|| format!("there is no law of this name; choose from {}", Self::all().join(", ")))
    }
}
