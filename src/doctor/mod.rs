//! What ails a run: its curve and its row in, findings in words out. Most rules compare the loss with itself (its start, its
//! end, its own noise from step to step) and need no other run, unit or size; where a table has runs that differ in learning rate
//! alone, these are compared, too.
//! Thresholds stand in `rules.rs` with their reasons; how often they are right is measured by `tests/doctor.rs`.

mod overfitting;
mod rules;
mod siblings;
mod signs;

use crate::spec::{CurvePoint, RunRecord, RunStatus};
pub use overfitting::{Overfitting, overfitting};
use serde::{Deserialize, Serialize};
use signs::Signs;
use std::fmt;

/// What can ail a run, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// The loss ends far above where it has been, or stops being a number.
    Diverges,
    /// The loss stays where it began.
    NeverFalls,
    /// The gradient all but vanishes while the loss stands still.
    DeadGradients,
    /// The loss on held-out text lies above that on the training text, which was seen more than once.
    Overfits,
    /// The rate rises so fast that the first steps throw the network off.
    WarmupTooShort,
    /// The rate reaches its peak only late in the run.
    WarmupTooLong,
    /// After a first fall the loss stands still.
    Stuck,
    /// The gradient is cut at most steps.
    ClipsMostSteps,
    /// Single losses or gradients stand far out, and the curve comes back.
    SpikesAndRecovers,
    /// The loss wanders up and down by more than its noise.
    Oscillates,
    /// The fall comes late and is not over at the end.
    Underfits,
    /// A run that differs in a lower learning rate alone ends clearly better.
    RateTooHigh,
    /// A run that differs in a higher learning rate alone ends clearly better.
    RateTooLow,
    /// The loss stands still for a while and falls again.
    PlateausThenFalls,
}

impl Ailment {
    /// Every ailment, gravest first.
    pub const ALL: [Self; 14] = [
        Self::Diverges,
        Self::NeverFalls,
        Self::DeadGradients,
        Self::Overfits,
        Self::WarmupTooShort,
        Self::WarmupTooLong,
        Self::Stuck,
        Self::ClipsMostSteps,
        Self::SpikesAndRecovers,
        Self::Oscillates,
        Self::Underfits,
        Self::RateTooHigh,
        Self::RateTooLow,
        Self::PlateausThenFalls,
    ];

    /// Likely cause, and what to change.
    fn advice(self) -> (&'static str, &'static str) {
        match self {
            Self::Diverges => (
                "learning rate too high for this size, batch and warmup, or gradients that nothing limits",
                "lower the learning rate by a factor of 3; warm up longer; set grad_clip = 1",
            ),
            Self::NeverFalls => (
                "steps too small to move the weights (learning rate far too low, eps of AdamW too large), or data without anything to learn",
                "raise the learning rate by a factor of 10; if nothing changes, look at the corpus and its tokens",
            ),
            Self::DeadGradients => (
                "saturated or vanished activations: weights far too large or decayed to nothing",
                "lower learning rate and weight decay; check the first weights",
            ),
            Self::Overfits => (
                "the corpus is too small for the number of tokens: the network learns it by heart",
                "more unique text, or fewer epochs (corpus.max_epochs); such a run says nothing of L(N, D)",
            ),
            Self::WarmupTooShort => (
                "the learning rate is too high before AdamW knows the size of gradients, or too high altogether",
                "warm up over 2 to 5 % of the steps; if the first steps still jump, lower the learning rate",
            ),
            Self::WarmupTooLong => (
                "warmup_tokens is large for the length of the run",
                "warm up over 2 to 5 % of the steps, so that most of them are made at the peak rate",
            ),
            Self::Stuck => (
                "learning rate too high to settle, or an early blow from which the network did not recover",
                "lower the learning rate by a factor of 3 and let it decay at the end; if the level stays, look at the data",
            ),
            Self::ClipsMostSteps => (
                "grad_clip below the usual norm of gradients, or a norm that grows (weights decayed away, rate too low or too high)",
                "set grad_clip to about twice the median norm, and look at weight decay and learning rate if the norm keeps growing",
            ),
            Self::SpikesAndRecovers => (
                "spoilt text in single batches where only the loss jumps; a learning rate or beta2 that is too high where gradients jump",
                "look at the documents of these steps; set grad_clip = 1; lower learning rate or beta2",
            ),
            Self::Oscillates => (
                "learning rate too high for the batch: the weights swing about the minimum",
                "lower the learning rate by a factor of 2 to 3, enlarge the batch, or let the rate decay",
            ),
            Self::Underfits => (
                "learning rate too low, decay of weights too strong, or far too few steps",
                "raise the learning rate by a factor of 3 to 10; if it is right, train longer",
            ),
            Self::RateTooHigh => (
                "learning rate too high, along a curve that shows nothing of it",
                "take the rate of the better run, and try one between the two",
            ),
            Self::RateTooLow => (
                "learning rate too low for the number of steps",
                "take the rate of the better run, and try a higher one if that is the highest",
            ),
            Self::PlateausThenFalls => (
                "something that is learnt late and at once; ends on the plateau and after it are not on one power law",
                "leave runs that end on the plateau out of fits of L(N, D), or train all of them past it",
            ),
        }
    }

    /// Whether it usually makes a run sick; else it is a remark.
    fn is_fault(self) -> bool {
        self != Self::PlateausThenFalls
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Diverges => "diverges",
            Self::NeverFalls => "never falls",
            Self::DeadGradients => "dead gradients",
            Self::Overfits => "overfits",
            Self::WarmupTooShort => "warmup too short",
            Self::WarmupTooLong => "warmup too long",
            Self::Stuck => "stuck",
            Self::ClipsMostSteps => "clips most steps",
            Self::SpikesAndRecovers => "spikes and recovers",
            Self::Oscillates => "oscillates",
            Self::Underfits => "underfits",
            Self::RateTooHigh => "rate too high",
            Self::RateTooLow => "rate too low",
            Self::PlateausThenFalls => "plateaus, then falls",
        })
    }
}

/// One thing that ails a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What.
    pub ailment: Ailment,
    /// Whether the run is sick of it; else a remark.
    pub fault: bool,
    /// Step at which it shows.
    pub step: Option<u64>,
    /// What was seen, with its size beside the noise or the threshold.
    pub evidence: String,
    /// What probably causes it.
    pub cause: &'static str,
    /// What to change.
    pub change: &'static str,
}

impl Finding {
    fn new(ailment: Ailment, step: Option<f64>, evidence: String) -> Self {
        let (cause, change) = ailment.advice();
        Self { ailment, fault: ailment.is_fault(), step: step.map(|step| step as u64), evidence, cause, change }
    }

    /// The same where it does no harm.
    fn into_remark(self) -> Self {
        Self { fault: false, ..self }
    }
}

/// Fewest points of a curve that say anything.
pub const FEWEST_POINTS: usize = 20;

/// What ails a run, gravest first; nothing for a healthy run, and for one whose curve has fewer than [`FEWEST_POINTS`] losses
/// unless it diverged. The gravest hides what follows from it: a run that diverges or never falls has no other ailment.
pub fn diagnose(curve: &[CurvePoint], record: &RunRecord) -> Vec<Finding> {
    if let Some(lost) = lost(curve, record) {
        return vec![lost];
    }
    let Some(signs) = Signs::of(curve, record) else {
        return Vec::new();
    };
    for rule in rules::ENDING {
        if let Some(finding) = rule(&signs) {
            return vec![finding];
        }
    }
    let mut findings: Vec<Finding> = rules::OTHERS.iter().filter_map(|rule| rule(&signs)).collect();
    findings.sort_by_key(|finding| finding.ailment);
    findings
}

/// The same for every run of a table, with what its siblings say of its learning rate. `curves` stand in the order of `records`.
pub fn diagnose_all(records: &[RunRecord], curves: &[Vec<CurvePoint>]) -> Vec<Vec<Finding>> {
    let one = |((record, curve), sibling): ((&RunRecord, &Vec<CurvePoint>), Option<Finding>)| {
        let mut findings = diagnose(curve, record);
        let ended = findings.iter().any(|finding| matches!(finding.ailment, Ailment::Diverges | Ailment::NeverFalls));
        findings.extend(sibling.filter(|_| !ended));
        findings.sort_by_key(|finding| finding.ailment);
        findings
    };
    records.iter().zip(curves).zip(siblings::siblings(records)).map(one).collect()
}

/// A run whose loss or gradient stopped being a number.
fn lost(curve: &[CurvePoint], record: &RunRecord) -> Option<Finding> {
    let broken = curve.iter().find(|point| point.train_loss_nats.is_some_and(|loss| !loss.is_finite()));
    if record.status != RunStatus::Diverged && broken.is_none() {
        return None;
    }
    let last = broken.or(curve.last());
    let rate = last.map_or(String::new(), |point| format!(" at step {} and learning rate {:.1e}", point.step, point.learning_rate));
    Some(Finding::new(Ailment::Diverges, last.map(|point| point.step as f64), format!("loss or gradient is no number any more{rate}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ailments_stand_in_their_order_with_names_of_their_own() {
        assert!(Ailment::ALL.is_sorted());
        let mut names: Vec<String> = Ailment::ALL.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Ailment::ALL.len());
    }

    #[test]
    fn an_empty_or_short_curve_says_nothing_unless_the_run_diverged() {
        assert_eq!(diagnose(&[], &RunRecord::default()), []);
        let diverged = RunRecord { status: RunStatus::Diverged, ..RunRecord::default() };
        assert_eq!(diagnose(&[], &diverged)[0].ailment, Ailment::Diverges);
    }
}
