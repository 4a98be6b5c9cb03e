//! What to minimise, how, and how to judge the result: the choices of a fit, their names and defaults,
//! and the ways in which a fit can end or be refused.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What a fit minimises, a sum over runs of a function of the residual r.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Estimator {
    /// Huber's function of r = ln prediction − ln L: r²/2 for |r| ≤ δ, δ·(|r| − δ/2) beyond
    /// (Hoffmann 2203.15556, δ = 1e-3: nearly least absolute deviation at realistic noise).
    HuberLog {
        /// δ.
        delta: f64,
    },
    /// r² of r = ln prediction − ln L.
    LeastSquaresLog,
    /// r² of r = prediction − L.
    LeastSquares,
    /// |r| of r = ln prediction − ln L.
    AbsoluteLog,
}

impl Default for Estimator {
    fn default() -> Self {
        Self::HuberLog { delta: 1e-3 }
    }
}

impl Estimator {
    /// Every estimator, Huber's with its default δ.
    pub const ALL: [Self; 4] = [Self::HuberLog { delta: 1e-3 }, Self::LeastSquaresLog, Self::LeastSquares, Self::AbsoluteLog];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::HuberLog { .. } => "huber-log",
            Self::LeastSquaresLog => "least-squares-log",
            Self::LeastSquares => "least-squares",
            Self::AbsoluteLog => "absolute-log",
        }
    }

    /// The same estimator with another δ, where it has one.
    pub fn with_delta(self, delta: f64) -> Self {
        match self {
            Self::HuberLog { .. } => Self::HuberLog { delta },
            other => other,
        }
    }
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HuberLog { delta } => write!(f, "huber-log (δ = {delta:e})"),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for Estimator {
    type Err = FitError;
    fn from_str(text: &str) -> Result<Self, FitError> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| FitError::UnknownEstimator(text.to_owned()))
    }
}

/// How the minimum was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Search over exponents, the factors solved for each (Golub & Pereyra 1973).
    Varpro,
    /// L-BFGS from a grid of starts, each end polished by Newton's method.
    Lbfgs,
    /// A straight line in logarithms, weighted.
    Linear,
}

/// How a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitStatus {
    /// Every search that was done ended at the same minimum.
    Converged,
    /// The search stopped before the minimum.
    MaxIterations,
    /// A coefficient stands at the edge of what it may be.
    AtBound,
    /// The two methods, or too many starts, ended elsewhere.
    StartsDisagree,
    /// There are no more points than coefficients.
    TooFewPoints,
    /// The data do not tell the coefficients apart.
    NotIdentifiable,
}

impl fmt::Display for FitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max iterations",
            Self::AtBound => "at bound",
            Self::StartsDisagree => "starts disagree",
            Self::TooFewPoints => "too few points",
            Self::NotIdentifiable => "not identifiable",
        })
    }
}

/// What is resampled for intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resample {
    /// What covers: residuals where the estimator has no likelihood and there are fewer than 20 clusters or 100 runs;
    /// else clusters where the points carry them, else runs.
    #[default]
    Auto,
    /// Runs, as if independent.
    Runs,
    /// Whole clusters (runs of one trunk) are drawn.
    Clusters,
    /// Residuals about the law; runs of a cluster share one more.
    Residuals,
}

impl FromStr for Resample {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "runs" => Ok(Self::Runs),
            "clusters" => Ok(Self::Clusters),
            "residuals" => Ok(Self::Residuals),
            _ => Err("choose auto, runs, clusters or residuals".into()),
        }
    }
}

/// Which searches are done. The better end is reported, with their agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// Variable projection and multi-start L-BFGS.
    #[default]
    Both,
    /// Variable projection alone (large data, refits of a study).
    VarproOnly,
    /// Multi-start L-BFGS alone.
    LbfgsOnly,
}

/// The choices of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// What is minimised.
    pub estimator: Estimator,
    /// Which searches are done.
    pub search: Search,
    /// Refits to resampled runs; 0 for none (then there are no intervals).
    pub refits: usize,
    /// What is resampled.
    pub resample: Resample,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { estimator: Estimator::default(), search: Search::Both, refits: 1000, resample: Resample::Auto, seed: 0 }
    }
}

/// Why a law cannot be fitted: what was found, what is needed, what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Fewer points than coefficients.
    #[error(
        "{law} has {needed} coefficients and there are {found} points at {distinct} different places (N, D); add runs, or fit a law with fewer coefficients"
    )]
    TooFewPoints {
        /// Name of the law.
        law: String,
        /// Points there are.
        found: usize,
        /// Distinct places among them.
        distinct: usize,
        /// Fewest points that suffice.
        needed: usize,
    },
    /// N and D move together.
    #[error(
        "N and D move together in these {points} runs ({constant} is constant within {spread:.1} %), so their effects cannot be told apart: not identifiable. \
         Only L(C) can be fitted; to separate them, train two or three of the sizes on a quarter and on four times these tokens, or several sizes at one budget"
    )]
    NotIdentifiable {
        /// Points there are.
        points: usize,
        /// Which combination does not vary.
        constant: String,
        /// How far it varies, per cent.
        spread: f64,
    },
    /// A variable of the law does not vary.
    #[error(
        "all {points} runs have the same {variable}, so {law} is not identifiable; vary {variable}, or fit a law without it (--law power-n, --law power-d or --law power-c)"
    )]
    NoVariation {
        /// Name of the law.
        law: String,
        /// Points there are.
        points: usize,
        /// The variable that stands still.
        variable: &'static str,
    },
    /// A point lacks a variable of the law.
    #[error("run `{run}` has no {variable}, which {law} needs; the column for it is {columns}")]
    MissingVariable {
        /// Name of the law.
        law: String,
        /// Name of the run.
        run: String,
        /// The variable that the points lack.
        variable: &'static str,
        /// The columns that hold it, in words.
        columns: String,
    },
    /// A share that is none.
    #[error("run `{run}` has {what} = {value}; a share of the data lies between 0 and 1")]
    NotAShare {
        /// Name of the run.
        run: String,
        /// The column of the share.
        what: &'static str,
        /// Value that is out of range.
        value: f64,
    },
    /// Two variables of a law that move together.
    #[error(
        "{} and {} move together in these {points} runs ({constant} is constant within {spread:.1} %), so their effects cannot be told apart: not identifiable; train runs that differ in one of them alone", .names[0], .names[1]
    )]
    Together {
        /// The two variables.
        names: [&'static str; 2],
        /// Points there are.
        points: usize,
        /// Which combination does not vary.
        constant: String,
        /// How far it varies, per cent.
        spread: f64,
    },
    /// A point is not usable.
    #[error("run `{run}` has {what} = {value}; it must be a finite number above zero")]
    NotUsable {
        /// Name of the run.
        run: String,
        /// The name of the number.
        what: &'static str,
        /// Value that is out of range.
        value: f64,
    },
    /// Fewer than two groups to compare.
    #[error("{fitted} of {groups} groups can be fitted, and a comparison needs two: {reasons}")]
    TooFewGroups {
        /// Groups there are.
        groups: usize,
        /// Groups with a fit.
        fitted: usize,
        /// Why the others have none.
        reasons: String,
    },
    /// No run repeats its data.
    #[error(
        "no run sees its data more than once, so the worth of repeated data is not identifiable; train runs with tokens above unique_tokens"
    )]
    NoRepetition,
    /// No budget has a minimum inside its sizes.
    #[error("{budgets} compute budgets have a minimum inside their range of sizes and at least {needed} are needed: {reasons}")]
    TooFewProfiles {
        /// Budgets that have one.
        budgets: usize,
        /// Fewest budgets that suffice.
        needed: usize,
        /// Why the others were dropped.
        reasons: String,
    },
    /// Too few budgets for two frontiers.
    #[error(
        "the baseline has {} budgets with an IsoFLOP minimum and the other {}; these frontiers need {each} of each and {together} together: train more budgets, or pin the floor (--floor 1.6)", .budgets[0], .budgets[1]
    )]
    TooFewBudgets {
        /// Budgets of the one and of the other.
        budgets: [usize; 2],
        /// Fewest budgets of either.
        each: usize,
        /// Needed of both together.
        together: usize,
    },
    /// A floor above losses, or losses that rise.
    #[error(
        "no frontier E + A/C^alpha falls through these losses: they rise with compute, or the floor that was given lies above one of them; look at the IsoFLOP minima with `scalelab fit`, or give a lower floor"
    )]
    NoFall,
    /// An option is out of range.
    #[error("{option} = {value:?} is not allowed; {allowed}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Value that is out of range.
        value: f64,
        /// The values that are allowed, in words.
        allowed: &'static str,
    },
    /// A profile was asked of an estimator without a likelihood.
    #[error("{0} has no likelihood to profile; its intervals come from the bootstrap, or fit by least-squares-log")]
    NoLikelihood(&'static str),
    /// Unknown name of an estimator.
    #[error("`{0}` is not an estimator; choose huber-log, least-squares-log, least-squares or absolute-log")]
    UnknownEstimator(String),
    /// The search found no finite minimum.
    #[error("no search for {law} ended at a finite objective; look for losses or sizes that are off by orders of magnitude")]
    NoMinimum {
        /// Name of the law.
        law: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimators_are_read_back_from_their_names() {
        for name in ["huber-log", "least-squares-log", "least-squares", "absolute-log"] {
            assert_eq!(name.parse::<Estimator>().expect("known").name(), name);
        }
        assert!("mse".parse::<Estimator>().expect_err("unknown").to_string().contains("choose huber-log"));
        assert_eq!(serde_json::to_string(&Estimator::default()).expect("serializes"), r#"{"name":"huber-log","delta":0.001}"#);
    }
}
