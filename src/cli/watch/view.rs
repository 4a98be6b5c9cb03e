//! What the screen shows, as a value: all that was read, nothing of how it is drawn.

use super::super::expected::ExpectedEnds;
use super::super::labels::Labels;
use super::super::loss_trace::LossTrace;
use super::super::progress::Progress;
use crate::doctor::Finding;
use std::collections::HashMap;

/// What one reading of the folder found.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The folder, or where one is looked for.
    pub(super) place: String,
    /// How far the sweep is; none where there is none yet.
    pub(super) progress: Option<Progress>,
    /// Why there is none.
    pub(super) problem: Option<String>,
    pub(super) labels: Labels,
    /// Losses of the runs at work, as far as they are known, by run.
    pub(super) losses: HashMap<String, LossTrace>,
    pub(super) diagnosis: Diagnosis,
    /// What the runs at work will end at.
    pub(super) expected: ExpectedEnds,
}

/// What ails the runs that ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Diagnosis {
    /// Runs whose curves were looked at: the last that ended.
    pub(super) examined: usize,
    /// How many of them are sick.
    pub(super) sick: usize,
    /// Findings by ailment, gravest first.
    pub(super) found: Vec<Ailing>,
}

/// One ailment with the runs that have it.
#[derive(Debug, Clone)]
pub(super) struct Ailing {
    /// The finding of the first.
    pub(super) first: Finding,
    /// Names of all.
    pub(super) runs: Vec<String>,
}
