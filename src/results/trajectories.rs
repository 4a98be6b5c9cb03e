//! Loss curves in foreign tables: many rows of one run, each its loss after some tokens. Rows of a run are not independent,
//! so a law sees the last of each; the others are kept for the envelope.

use crate::spec::{Flops, Params, RunRecord};
use std::collections::HashMap;

/// Loss along one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Name of the run.
    pub run: String,
    /// (C, D, L): FLOPs as given or 6·N·D, tokens, loss in nats per token; D ascending.
    pub points: Vec<(f64, f64, f64)>,
}

/// Rows by run, as they are read; of each run only the row furthest on is kept whole.
#[derive(Default)]
pub(super) struct Rows {
    at: HashMap<String, usize>,
    runs: Vec<Run>,
    rows: usize,
    broken: bool,
}

struct Run {
    last: RunRecord,
    line: u64,
    /// The highest learning rate of its rows: what a recipe calls its rate, where rows tell that of their step.
    peak: Option<f64>,
    group: Option<String>,
    points: Vec<(f64, f64, f64)>,
}

/// What tables of curves hold.
pub(super) struct Curves {
    /// The last row with a loss of each run, in the order in which runs first appear.
    pub(super) records: Vec<RunRecord>,
    /// The lines of those rows.
    pub(super) lines: Vec<u64>,
    /// Their groups, where groups were asked for.
    pub(super) groups: Vec<String>,
    pub(super) trajectories: Vec<Trajectory>,
    pub(super) rows: usize,
    /// Rows that stand where a later one of their run does.
    pub(super) overtaken: usize,
    /// Whether the learning rate of a run changes along its rows.
    pub(super) rates_change: bool,
}

impl Rows {
    /// Takes the next row, with its line; rows that are of one run have one name.
    pub(super) fn take(&mut self, record: RunRecord, group: Option<String>, line: u64) {
        let Some(tokens) = record.tokens else {
            self.broken = true;
            return;
        };
        self.rows += 1;
        // Where nothing says how large networks are, they differ in tokens alone.
        let size = record.params_total.unwrap_or(Params(1.0)).0;
        let flops = record.flops_exact.or(Some(Flops(6.0 * size * tokens.0)));
        let point = flops.zip(record.loss_nats).map(|(c, loss)| (c.0, tokens.0, loss.0));
        match self.at.get(&record.run_id) {
            None => {
                self.at.insert(record.run_id.clone(), self.runs.len());
                self.runs.push(Run { peak: record.learning_rate, last: record, line, group, points: point.into_iter().collect() });
            }
            Some(&at) => self.broken |= !self.runs[at].append(record, point, line),
        }
    }

    /// The curves; `None` where the rows are not those of curves: names that come back with other sizes, or fewer than so many
    /// rows a run.
    pub(super) fn curves(mut self, fewest: usize) -> Option<Curves> {
        let overtaken: usize = self.runs.iter_mut().map(Run::settle).sum();
        if self.broken || self.rows < fewest * self.runs.len() {
            return None;
        }
        let groups = self.runs.iter().filter_map(|run| run.group.clone()).collect();
        let rates_change = self.runs.iter().any(|run| run.peak != run.last.learning_rate);
        let (mut records, mut trajectories) = (Vec::new(), Vec::new());
        let lines = self.runs.iter().map(|run| run.line).collect();
        for run in self.runs {
            records.push(run.record());
            trajectories.push(Trajectory { run: run.last.run_id, points: run.points });
        }
        Some(Curves { records, lines, groups, trajectories, rows: self.rows, overtaken, rates_change })
    }
}

impl Run {
    /// Adds a row of the same run; `false` where it cannot be one. Of two rows at one place the later counts.
    fn append(&mut self, record: RunRecord, point: Option<(f64, f64, f64)>, line: u64) -> bool {
        let same = record.params_total == self.last.params_total;
        self.points.extend(point);
        self.peak = self.peak.into_iter().chain(record.learning_rate).reduce(f64::max);
        let further = (record.loss_nats.is_some(), record.tokens.map(|tokens| tokens.0))
            >= (self.last.loss_nats.is_some(), self.last.tokens.map(|tokens| tokens.0));
        if further {
            (self.last, self.line) = (record, line);
        }
        same
    }

    /// The run at its end: its learning rate is the peak of its schedule, and what is left of it at the end tells schedules apart.
    fn record(&self) -> RunRecord {
        let end = self
            .last
            .learning_rate
            .zip(self.peak.filter(|peak| *peak > 0.0))
            .map(|(last, peak)| format!("rate ends at {:.1} of its peak", last / peak));
        let told: Vec<String> = self.last.other_choices.clone().into_iter().chain(end).collect();
        let other_choices = (!told.is_empty()).then(|| told.join(", "));
        RunRecord { learning_rate: self.peak, other_choices, ..self.last.clone() }
    }

    /// Sorts by tokens and drops points that stand where a later one does; how many those were.
    fn settle(&mut self) -> usize {
        let all = self.points.len();
        self.points.sort_by(|left, right| left.1.total_cmp(&right.1));
        // Rows of one place stay in their order: the last of them is the later.
        self.points.dedup_by(|later, kept| {
            let same = later.1 == kept.1;
            if same {
                *kept = *later;
            }
            same
        });
        all - self.points.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Ignoring, Nats, Tokens};

    fn row(run: &str, n: f64, d: f64, loss: Option<f64>) -> RunRecord {
        RunRecord {
            run_id: run.into(),
            params_total: Some(Params(n)),
            tokens: Some(Tokens(d)),
            loss_nats: loss.map(Nats),
            ..RunRecord::default()
        }
    }

    fn curves(rows: &[RunRecord]) -> Option<Curves> {
        let mut all = Rows::default();
        rows.iter().enumerate().for_each(|(at, row)| all.take(row.clone(), None, at as u64 + 2));
        all.curves(3)
    }

    #[test]
    fn the_last_loss_of_each_run_is_its_record_and_blank_losses_are_passed_over() {
        let found = curves(&[
            row("a", 1e6, 1e8, Some(4.0)),
            row("b", 2e6, 1e8, Some(3.9)),
            row("a", 1e6, 4e8, None),
            row("a", 1e6, 3e8, Some(3.0)),
            row("a", 1e6, 2e8, Some(3.5)),
            row("b", 2e6, 5e8, Some(2.9)),
        ])
        .expect("curves");
        let ends: Vec<_> = found.records.iter().map(|r| (r.run_id.as_str(), r.tokens, r.loss_nats)).collect();
        assert_eq!(ends, [("a", Some(Tokens(3e8)), Some(Nats(3.0))), ("b", Some(Tokens(5e8)), Some(Nats(2.9)))]);
        assert_eq!((found.rows, found.lines), (6, vec![5, 7]));
        assert_eq!(found.trajectories[0].points.iter().map(|p| p.2).collect::<Vec<_>>(), [4.0, 3.5, 3.0]);
        assert_eq!(found.trajectories[0].points[0].0, 6e14, "6·N·D where no FLOPs are given");
    }

    #[test]
    fn the_rate_of_a_run_is_the_peak_of_its_curve_and_its_end_tells_schedules_apart() {
        let along = |run: &str, rates: [f64; 3]| {
            let at = |(step, rate): (usize, f64)| RunRecord {
                learning_rate: Some(rate),
                ..row(run, 1e6, 1e8 * (step + 1) as f64, Some(3.0 - 0.1 * step as f64))
            };
            rates.into_iter().enumerate().map(at).collect::<Vec<_>>()
        };
        let rows =
            [along("cosine", [1e-3, 4e-3, 4e-4]), along("constant", [1e-3, 4e-3, 4e-3]), along("again", [2e-3, 4e-3, 4e-4])].concat();
        let found = curves(&rows).expect("curves");
        assert!(found.rates_change);
        assert!(found.records.iter().all(|record| record.learning_rate == Some(4e-3)), "{:?}", found.records);
        let key = |at: usize| found.records[at].key(Ignoring::SEEDS);
        assert!(key(0) == key(2) && key(0) != key(1));
        let same = along("a", [4e-3; 3]);
        assert!(!curves(&same).expect("a curve").rates_change);
    }

    #[test]
    fn rows_that_share_a_name_but_not_a_run_are_no_curves() {
        let thrice = |n: [f64; 3], d: [f64; 3]| curves(&[0, 1, 2].map(|i| row("baseline", n[i], d[i], Some(3.0))));
        assert!(thrice([1e6; 3], [1e8, 2e8, 3e8]).is_some());
        assert!(thrice([1e6, 1e6, 2e6], [1e8, 2e8, 3e8]).is_none(), "other sizes");
        assert_eq!(thrice([1e6; 3], [1e8, 1e8, 3e8]).map(|found| found.overtaken), Some(1), "of two at one place the later counts");
        assert!(curves(&[row("a", 1e6, 1e8, Some(3.0)), row("a", 1e6, 2e8, Some(3.0)), row("b", 1e6, 1e8, Some(3.0))]).is_none());
    }

    #[test]
    fn of_two_rows_at_one_place_the_later_counts() {
        let rows = [(1e8, 4.0), (2e8, 3.5), (3e8, 3.2), (2e8, 3.6), (3e8, 3.3), (4e8, 3.1)];
        let found = curves(&rows.map(|(d, loss)| row("a", 1e6, d, Some(loss)))).expect("a curve");
        assert_eq!(found.trajectories[0].points.iter().map(|p| p.2).collect::<Vec<_>>(), [4.0, 3.6, 3.3, 3.1]);
        assert_eq!(found.overtaken, 2);
    }
}
