//! How long studies took on this machine, kept in the user's cache folder: the next one says how long it will take.

use super::kept;
use crate::spec::sample::median;
use crate::study::StudyOptions;
use serde::{Deserialize, Serialize};

const FILE: &str = "studies.json";
/// Studies that are kept, the newest.
const MOST_KEPT: usize = 200;
/// Seconds below which nobody waits.
const LEAST_SECONDS: f64 = 0.5;
/// Studies of so many times more or fewer runs say nothing of one.
const FAR: f64 = 4.0;

/// What one study asked, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StudyTime {
    /// What is asked of the runs, in words: studies that ask the same take alike.
    asked: String,
    runs: usize,
    seconds: f64,
}

impl StudyTime {
    pub(super) fn of(options: &StudyOptions, runs: usize, seconds: f64) -> Self {
        let StudyOptions { laws, estimator, resample, refits, scrutiny, checkpoints, quick, .. } = options;
        let asked = format!("{laws:?} {estimator:?} {resample:?} {refits} {scrutiny:?} {} {quick}", checkpoints.is_some());
        Self { asked, runs, seconds }
    }

    /// Keeps it for the next.
    pub(super) fn keep(self) {
        if self.seconds < LEAST_SECONDS {
            return;
        }
        let mut all: Vec<Self> = kept::read(FILE);
        all.push(self);
        let _ = kept::write(FILE, &all[all.len().saturating_sub(MOST_KEPT)..]);
    }

    /// Seconds that the like took, by the number of runs.
    pub(super) fn expected(&self) -> Option<f64> {
        self.expected_by(&kept::read(FILE))
    }

    fn expected_by(&self, known: &[Self]) -> Option<f64> {
        let distance = |one: &Self| (one.runs as f64 / self.runs.max(1) as f64).ln().abs();
        let like = || known.iter().filter(|one| one.asked == self.asked && one.runs > 0);
        let nearest = like().map(distance).fold(f64::INFINITY, f64::min);
        let of_nearest = like().filter(|one| distance(one) == nearest).map(|one| one.seconds * self.runs as f64 / one.runs as f64);
        median(of_nearest).filter(|_| nearest <= FAR.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_takes_as_long_as_the_nearest_that_asked_the_same() {
        let asked = StudyOptions::default();
        let other = StudyOptions { refits: asked.refits + 1, ..StudyOptions::default() };
        let of = |options, runs, seconds| StudyTime::of(options, runs, seconds);
        let known = [of(&asked, 50, 3.0), of(&asked, 50, 5.0), of(&asked, 50, 4.0), of(&asked, 200, 30.0), of(&other, 60, 99.0)];
        assert_eq!(of(&asked, 100, 0.0).expected_by(&known[..3]), Some(8.0), "the median, by the number of runs");
        assert_eq!(of(&asked, 190, 0.0).expected_by(&known), Some(28.5));
        assert_eq!(of(&asked, 1000, 0.0).expected_by(&known), None, "too far");
        assert_eq!(of(&other, 60, 0.0).expected_by(&known), Some(99.0));
    }
}
