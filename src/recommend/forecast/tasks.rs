//! What networks to come will score on tasks, as a sealed document, and what came of it.

use super::document::{Code, ForecastError, is_sealed, sealed};
use crate::fit::FORMAT;
use crate::law::Point;
use crate::study::{Signal, Task, TaskAhead, TaskLaw, TaskRecord};
use serde::{Deserialize, Serialize};

/// What is forecast of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSaid {
    /// Name of the task.
    pub name: String,
    /// Share of right answers by guessing.
    pub chance: f64,
    /// Runs that it rests on.
    pub runs: usize,
    /// Why no law is said, where signal is below noise.
    pub no_law: Option<String>,
    /// Signal and noise; absent where no curve could be fitted.
    pub signal: Option<Signal>,
    /// Weights of the forecast in two steps and of that in one.
    pub weights: [f64; 2],
    /// How smaller runs forecast larger ones, nearest cut first.
    pub record: Vec<TaskRecord>,
    /// What each run that was asked for will score. Where no law is said, what it would be.
    pub ahead: Vec<TaskAhead>,
}

impl TaskSaid {
    /// What the runs of a task say of places, with intervals of a level.
    pub fn of(task: &Task, places: &[Point], level: f64) -> Self {
        let runs = task.runs.iter().filter(|run| run.accuracy.is_some()).count();
        let Some(law) = TaskLaw::of(task) else {
            let no_law = Some(format!("{runs} runs have an accuracy and a place, and 5 of different compute are needed"));
            let (name, chance) = (task.name.clone(), task.chance);
            return Self { name, chance, runs, no_law, signal: None, weights: [0.0; 2], record: Vec::new(), ahead: Vec::new() };
        };
        Self {
            name: task.name.clone(),
            chance: task.chance,
            runs,
            no_law: law.signal.refusal(),
            signal: Some(law.signal),
            weights: law.weights,
            ahead: places.iter().map(|place| law.at(place, level)).collect(),
            record: law.record,
        }
    }
}

/// A sealed forecast of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskForecast {
    /// When it was made, UTC.
    pub made_at: String,
    /// Format of the document.
    pub format: u32,
    /// Where the runs stand.
    pub source: String,
    /// Version and hash of the program.
    pub code: Code,
    /// An entry a task.
    pub tasks: Vec<TaskSaid>,
    /// SHA-256 of the document with this field empty.
    pub sha256: String,
}

impl TaskForecast {
    /// A forecast that is not sealed yet.
    pub fn new(made_at: String, source: String, code: Code, tasks: Vec<TaskSaid>) -> Self {
        Self { made_at, format: FORMAT, source, code, tasks, sha256: String::new() }
    }

    /// The document, sealed.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(sealed(&(serde_json::to_string_pretty(&Self { sha256: String::new(), ..self.clone() })? + "\n")))
    }

    /// Reads a document and checks its seal.
    pub fn from_text(text: &str) -> Result<Self, ForecastError> {
        let read: Self = serde_json::from_str(text)?;
        is_sealed(text, &read.sha256).map(|()| read)
    }

    /// What came of it: each accuracy of a run whose N and D are within 1 % of one that was forecast.
    pub fn scores(&self, tasks: &[Task]) -> Vec<TaskScore> {
        let near = |one: f64, other: f64| (one / other).ln().abs() < 0.01;
        let mut found = Vec::new();
        for said in &self.tasks {
            let runs = tasks.iter().filter(|task| task.name.eq_ignore_ascii_case(&said.name)).flat_map(|task| &task.runs);
            for run in runs {
                let ahead = said.ahead.iter().find(|ahead| near(ahead.params, run.place.n) && near(ahead.tokens, run.place.d));
                if let (Some(ahead), Some(came)) = (ahead, run.accuracy) {
                    let inside = ahead.low <= came && came <= ahead.high;
                    found.push(TaskScore { task: said.name.clone(), no_law: said.no_law.is_some(), said: *ahead, came, inside });
                }
            }
        }
        found
    }
}

/// One forecast beside what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskScore {
    /// Name of the task.
    pub task: String,
    /// Whether no law was said.
    pub no_law: bool,
    /// The forecast.
    pub said: TaskAhead,
    /// The accuracy that came.
    pub came: f64,
    /// Whether it lies in the interval.
    pub inside: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::TaskRun;

    fn task() -> Task {
        let run = |(at, n): (usize, f64)| {
            let d = [10.0, 20.0, 40.0, 80.0][at % 4] * n;
            let loss = 0.5 + 60.0 * n.powf(-0.3) + 90.0 * d.powf(-0.3);
            let accuracy = 0.25 + 0.65 / (1.0 + (9.0 * (loss - 0.85)).exp());
            TaskRun { place: Point::new(n, d, 1.0), answer_loss: Some(loss), accuracy: Some(accuracy), scatter: None }
        };
        let sizes = [2e8, 4e8, 8e8, 1.6e9].into_iter().flat_map(|n| [n; 4]).enumerate();
        Task { name: "asked".into(), chance: 0.25, items: Some(1e5), runs: sizes.map(run).collect() }
    }

    fn forecast() -> TaskForecast {
        let all = task();
        let small = all.with_runs(|run| run.place.n < 1e9);
        let places: Vec<Point> = all.runs.iter().filter(|run| run.place.n > 1e9).map(|run| run.place.clone()).collect();
        let code = Code { version: "0".into(), program_sha256: "0".into() };
        TaskForecast::new("2026-01-01".into(), "x.csv".into(), code, vec![TaskSaid::of(&small, &places, 0.9)])
    }

    #[test]
    fn a_smooth_task_is_forecast_sealed_and_scored_and_a_changed_document_is_refused() {
        let made = forecast();
        assert_eq!(made.tasks[0].no_law, None);
        let text = made.to_text().expect("text");
        let read = TaskForecast::from_text(&text).expect("whole");
        assert_eq!(read.to_text().expect("text"), text, "sealed again it is the same");
        let scores = read.scores(&[task()]);
        assert_eq!(scores.len(), 4);
        assert!(scores.iter().all(|one| one.inside && (one.said.accuracy - one.came).abs() < 0.02), "{scores:#?}");
        let changed = text.replacen("\"chance\": 0.25", "\"chance\": 0.26", 1);
        assert!(changed != text && matches!(TaskForecast::from_text(&changed), Err(ForecastError::Broken { .. })));
    }

    #[test]
    fn noise_alone_has_no_law() {
        let mut noisy = task();
        noisy.items = Some(500.0);
        noisy.runs.iter_mut().enumerate().for_each(|(at, run)| run.accuracy = Some(0.25 + 0.02 * ((at * 7 % 5) as f64 - 2.0)));
        let said = TaskSaid::of(&noisy, &[], 0.9);
        assert!(said.no_law.as_ref().is_some_and(|why| why.contains("would help")), "{said:?}");
        noisy.runs.truncate(4);
        assert!(TaskSaid::of(&noisy, &[], 0.9).no_law.is_some_and(|why| why.contains("5 of different compute")));
    }
}
