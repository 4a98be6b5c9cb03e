//! A task and the runs that were scored on it.

use crate::law::Point;

/// One training that was scored.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRun {
    /// Where it stands: N, D and C; its loss is not looked at.
    pub place: Point,
    /// Bits per byte (or another loss) of the right answers at its end.
    pub answer_loss: Option<f64>,
    /// Share of right answers at its end, 0 to 1.
    pub accuracy: Option<f64>,
    /// Standard deviation of the accuracy between neighbouring checkpoints late in the run.
    pub scatter: Option<f64>,
}

/// What networks were asked, and what they scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name, as the columns spell it.
    pub name: String,
    /// Share of right answers by guessing.
    pub chance: f64,
    /// Questions that it has, where that is known.
    pub items: Option<f64>,
    /// The runs.
    pub runs: Vec<TaskRun>,
}

/// Known tasks: name without marks, share right by guessing, questions that are scored.
const KNOWN: [(&str, f64, f64); 16] = [
    ("arcchallenge", 0.25, 1172.0),
    ("arceasy", 0.25, 2376.0),
    ("boolq", 0.5, 3270.0),
    ("commonsenseqa", 0.2, 1221.0),
    ("copa", 0.5, 100.0),
    ("csqa", 0.2, 1221.0),
    ("hellaswag", 0.25, 10042.0),
    ("lambada", 0.0, 5153.0),
    ("mmlu", 0.25, 14042.0),
    ("obqa", 0.25, 500.0),
    ("openbookqa", 0.25, 500.0),
    ("piqa", 0.5, 1838.0),
    ("sciq", 0.25, 1000.0),
    ("siqa", 1.0 / 3.0, 1954.0),
    ("socialiqa", 1.0 / 3.0, 1954.0),
    ("winogrande", 0.5, 1267.0),
];

/// Share right by guessing and number of questions of a task whose name is known.
pub fn chance_of(name: &str) -> Option<(f64, f64)> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    KNOWN.iter().find(|(known, ..)| *known == plain).map(|(_, chance, items)| (*chance, *items))
}

/// Late checkpoints whose neighbours tell the noise of one score.
const LATE: usize = 8;

/// Standard deviation of one score along (N, D, score) in the order of training: half the mean square of the differences of neighbours
/// among the late ones. Absent of fewer than three.
pub fn neighbours_differ(curve: &[(f64, f64, f64)]) -> Option<f64> {
    let late = &curve[curve.len().saturating_sub(LATE)..];
    let halves = late.windows(2).map(|pair| 0.5 * (pair[1].2 - pair[0].2).powi(2));
    crate::spec::sample::mean(halves).map(f64::sqrt).filter(|_| late.len() >= 3)
}

impl Task {
    /// Variance of one accuracy by the number of questions and by the scatter of neighbouring checkpoints, where either is known.
    pub fn noise(&self) -> f64 {
        let middle = crate::spec::sample::mean(self.runs.iter().filter_map(|run| run.accuracy)).unwrap_or(0.5);
        let binomial = self.items.map_or(0.0, |items| middle * (1.0 - middle) / items);
        let scatter = crate::spec::sample::mean(self.runs.iter().filter_map(|run| run.scatter).map(|sd| sd * sd)).unwrap_or(0.0);
        binomial.max(scatter)
    }

    /// The same task with some of its runs.
    pub fn with_runs(&self, keeps: impl Fn(&TaskRun) -> bool) -> Self {
        Self { runs: self.runs.iter().filter(|run| keeps(run)).cloned().collect(), ..self.clone() }
    }

    /// Largest compute of its runs, FLOPs.
    pub fn largest_compute(&self) -> f64 {
        self.runs.iter().map(|run| run.place.c).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tasks_have_a_chance_however_they_are_spelt() {
        assert_eq!(chance_of("ARC-Easy"), Some((0.25, 2376.0)));
        assert_eq!(chance_of("social_iqa"), Some((1.0 / 3.0, 1954.0)));
        assert_eq!(chance_of("copying"), None);
    }

    #[test]
    fn neighbours_of_late_checkpoints_tell_the_noise_of_one_score() {
        let curve: Vec<(f64, f64, f64)> = (0..20).map(|at| (1.0, f64::from(at), if at % 2 == 0 { 0.5 } else { 0.54 })).collect();
        assert!((neighbours_differ(&curve).expect("many") - 0.04 / 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(neighbours_differ(&curve[..2]), None);
    }

    #[test]
    fn noise_is_that_of_the_questions_or_of_neighbouring_checkpoints_whichever_is_more() {
        let run = |scatter| TaskRun { place: Point::new(1.0, 1.0, 1.0), answer_loss: None, accuracy: Some(0.5), scatter };
        let of = |scatter| Task { name: "a".into(), chance: 0.0, items: Some(2500.0), runs: vec![run(scatter)] }.noise();
        assert!((of(None).sqrt() - 0.01).abs() < 1e-12, "0.25/2500");
        assert!((of(Some(0.02)).sqrt() - 0.02).abs() < 1e-12);
    }
}
