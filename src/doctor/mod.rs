//! What ails a run: its curve and its row in, findings in words out. Most rules compare the loss with itself (its start, its
//! end, its own noise from step to step) and need no other run, unit or size; where a table has runs that differ in learning rate
//! alone, these are compared, too.
//! Thresholds stand in `rules.rs` and `stuck.rs` with their reasons; how often they are right is measured by `tests/it/doctor.rs`.

mod ailment;
mod collapse;
mod features;
mod finding;
mod overfitting;
mod rules;
mod siblings;
mod stuck;

pub use ailment::Ailment;
pub use collapse::Collapse;
pub use features::FEWEST_POINTS;
pub use finding::Finding;
pub use overfitting::{Overfitting, overfitting};

use crate::spec::{CurvePoint, RunRecord, RunStatus};
use features::CurveFeatures;

/// What ails a run, gravest first; nothing for a healthy run, and for one whose curve has fewer than [`FEWEST_POINTS`] losses
/// unless it diverged. The gravest hides what follows from it: a run that diverges or never falls has no other ailment.
pub fn diagnose(curve: &[CurvePoint], record: &RunRecord) -> Vec<Finding> {
    if let Some(lost) = lost(curve, record) {
        return vec![lost];
    }
    let Some(features) = CurveFeatures::of(curve, record) else {
        return Vec::new();
    };
    for rule in rules::ENDING {
        if let Some(finding) = rule(&features) {
            return vec![finding];
        }
    }
    let mut findings: Vec<Finding> = rules::OTHERS.iter().filter_map(|rule| rule(&features)).collect();
    findings.sort_by_key(|finding| finding.ailment);
    findings
}

/// The same for every run of a table, with what its siblings say of its learning rate and of its curve. `curves` stand in the order of
/// `records`.
pub fn diagnose_all(records: &[RunRecord], curves: &[Vec<CurvePoint>]) -> Vec<Vec<Finding>> {
    let mut found: Vec<Vec<Finding>> = records.iter().zip(curves).map(|(record, curve)| diagnose(curve, record)).collect();
    for beside in [siblings::siblings(records), Collapse::of(records, curves).findings(records.len())] {
        for (findings, other) in found.iter_mut().zip(beside) {
            let ended = findings.iter().any(|finding| matches!(finding.ailment, Ailment::Diverges | Ailment::NeverFalls));
            findings.extend(other.filter(|_| !ended));
        }
    }
    found.iter_mut().for_each(|findings| findings.sort_by_key(|finding| finding.ailment));
    found
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
