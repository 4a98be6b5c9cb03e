//! Why runs cannot be studied.

use crate::fit::{CertificateError, FitError};

/// Why runs cannot be studied: what was found, what is needed, what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StudyError {
    /// A law cannot be fitted, or an option is out of range.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// No certificate could be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A certificate over several variables.
    #[error(
        "the runs differ in N and in D by themselves, and a certificate is about one variable{}: keep the runs of one size or of one length (--where params=…), or name budgets that have an IsoFLOP minimum (--budgets 1e18,1e19)", .0.as_ref().map_or(String::new(), |why| format!(" (no minima of budgets: {why})"))
    )]
    SeveralVariables(Option<FitError>),
    /// A comparison of one group with nothing.
    #[error("there is one group of runs ({}), and what a change is worth needs a baseline and a change: name two sweeps, or a column with two values (--by)", .0.join(", "))]
    OneGroup(Vec<String>),
    /// A baseline that is none of the groups.
    #[error("--baseline {wanted}: there is no such group; choose from {}", .found.join(", "))]
    NoBaseline {
        /// Name of the baseline that was asked for.
        wanted: String,
        /// The groups there are.
        found: Vec<String>,
    },
    /// Groups without minima and without a law.
    #[error(
        "what a change is worth is read along a frontier of loss over compute, and there is none: no IsoFLOP minima ({why}), and no law ({law}); train several sizes at several budgets, or set two losses against each other (--losses)"
    )]
    NoFrontier {
        /// Why there are no minima.
        why: String,
        /// Why there is no law.
        law: FitError,
    },
    /// A floor of frontiers that are laws of N and D.
    #[error(
        "a floor can be shared or pinned where frontiers go through IsoFLOP minima, and there are none ({0}): leave --floor out, or name budgets that have one (--budgets 1e18,1e19)"
    )]
    FloorOfLaws(String),
    /// Losses in nats per token of several tokenizers.
    #[error(
        "there are runs of several tokenizers ({}): their losses in nats per token cannot stand in one law; choose one with --where tokenizer={}, or compare sweeps of one tokenizer each in bits per byte with `scalelab compare`", .0.join(", "), .0[0]
    )]
    SeveralTokenizers(Vec<String>),
    /// The same, and no bytes per token.
    #[error(
        "the runs have several tokenizers ({}) and do not say how many bytes their tokens have, so their losses cannot be compared: fill the column bytes_per_token", .0.join(", ")
    )]
    NoCommonUnit(Vec<String>),
    /// Losses of data sets in several units.
    #[error("losses are in several units ({}), which cannot be compared: bring the columns to one", .0.join(", "))]
    UnlikeUnits(Vec<String>),
    /// A table of others counted anew.
    #[error("the runs name no shapes, so N and C cannot be counted anew; leave --size-measure and --flop-rule out")]
    NoShapes,
    /// Conventions of a table of others.
    #[error("the runs name no shapes, so --conventions has nothing to count anew; it is for sweeps of scalelab")]
    NothingToCount,
    /// A share of a run that is none.
    #[error("--checkpoints={0} is no share of a run; say 0.1 to leave out its first tenth")]
    BurnIn(f64),
    /// No curves of others.
    #[error(
        "there are no loss curves of others, so --checkpoints has nothing to add; a table of curves names its runs in a column `run`, and losses before the decay of a sweep of scalelab are none that its law is about"
    )]
    NoTrajectories,
    /// Points of curves in a comparison.
    #[error("groups are compared by the last loss of each run; leave --checkpoints out")]
    CheckpointsOfGroups,
    /// Data sets of one name.
    #[error("two of the paths have the same name; each data set needs one of its own")]
    SameName,
    /// Data sets counted in several ways.
    #[error("the sources count in several ways ({}); compare sweeps with sweeps and tables with tables", .0.join("; "))]
    SeveralConventions(Vec<String>),
    /// No law that was named can be fitted.
    #[error("{}", .0.join("; "))]
    NoLaw(Vec<String>),
    /// A protocol without its profiles.
    #[error(
        "the protocol rests on IsoFLOP profiles, and the runs have no compute budgets; train budgets = {{ kind = \"iso-flop\", … }}, or name them with --budgets{}", .0.as_ref().map_or(String::new(), |why| format!(" (no IsoFLOP fit: {why})"))
    )]
    NoProfiles(Option<FitError>),
}
