//! One run as a tracker kept it: its configuration, and what was measured along it. Of what is measured only that which a law or a
//! diagnosis reads is kept whole; of the rest the last value.

use super::roles;
use std::collections::{BTreeMap, HashMap};

/// One run as a tracker kept it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::results) struct TrackedRun {
    /// What its files or its tracker call it.
    pub(in crate::results) name: String,
    /// Its configuration by path, `model.layers`.
    pub(in crate::results) config: BTreeMap<String, String>,
    /// What was measured, in the order in which it first came.
    pub(in crate::results) metrics: Vec<Metric>,
    at: HashMap<String, usize>,
    /// Points that a resumed run measured anew.
    pub(in crate::results) overtaken: usize,
    /// What a reader must know of its files, in words.
    pub(in crate::results) notes: Vec<String>,
}

/// Runs of trackers, and what a reader must know of how they were found.
#[derive(Debug, Default)]
pub(in crate::results) struct Tracked {
    pub(in crate::results) runs: Vec<TrackedRun>,
    pub(in crate::results) notes: Vec<String>,
}

/// One thing that was measured along a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::results) struct Metric {
    pub(in crate::results) name: String,
    /// (step, value), steps ascending; empty where only the last is kept.
    pub(in crate::results) points: Vec<(u64, f64)>,
    /// The last value.
    pub(in crate::results) last: (u64, f64),
    is_whole: bool,
}

/// Names of metrics that options ask for.
pub(in crate::results) type Asked<'a> = &'a [(String, String)];

impl Metric {
    /// Takes a value that came after those of later steps.
    fn insert(&mut self, step: u64, value: f64) {
        match self.points.binary_search_by_key(&step, |point| point.0) {
            Ok(at) => self.points[at].1 = value,
            Err(at) => self.points.insert(at, (step, value)),
        }
        self.last = self.points[self.points.len() - 1];
    }
}

impl TrackedRun {
    /// A run of which nothing is known but its name.
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Takes a value that was measured at a step. Where a metric that is measured as often as any falls back the run was resumed: what was
    /// measured from there on counts no more. A rarer one that falls back alone came out of order.
    pub(super) fn measure(&mut self, name: &str, step: u64, value: f64, asked: Asked<'_>) {
        let at = match self.at.get(name) {
            Some(&at) => at,
            None => {
                let is_whole = roles::role(name).is_some() || asked.iter().any(|(_, theirs)| theirs == name);
                self.at.insert(name.to_owned(), self.metrics.len());
                self.metrics.push(Metric { name: name.to_owned(), points: Vec::new(), last: (step, value), is_whole });
                self.metrics.len() - 1
            }
        };
        let metric = &mut self.metrics[at];
        metric.last = (step, value);
        if !metric.is_whole {
            return;
        }
        match metric.points.last_mut() {
            Some((last, kept)) if *last == step => {
                self.overtaken += usize::from(kept.to_bits() != value.to_bits());
                *kept = value;
            }
            Some(&mut (last, _)) if last > step => {
                if !self.is_rare(at) {
                    self.rewind(step);
                }
                self.metrics[at].insert(step, value);
            }
            _ => metric.points.push((step, value)),
        }
    }

    /// Whether another metric is measured more than twice as often.
    fn is_rare(&self, at: usize) -> bool {
        self.metrics.iter().any(|metric| metric.points.len() > 2 * self.metrics[at].points.len())
    }

    /// Forgets what was measured from a step on.
    fn rewind(&mut self, step: u64) {
        for metric in &mut self.metrics {
            let kept = metric.points.partition_point(|point| point.0 < step);
            self.overtaken += metric.points.len() - kept;
            metric.points.truncate(kept);
        }
    }

    /// Takes a metric whole, in any order; of two values at one step the later counts.
    pub(super) fn take(&mut self, name: &str, mut points: Vec<(u64, f64)>, asked: Asked<'_>) {
        points.sort_by_key(|point| point.0);
        points.into_iter().for_each(|(step, value)| self.measure(name, step, value, asked));
    }

    /// Joins files of one run: what a later file measures anew counts from its first step on.
    pub(super) fn resumed_as(&mut self, later: Self) {
        let shares = |metric: &&Metric| self.at.get(&metric.name).is_some_and(|&at| !self.metrics[at].points.is_empty());
        let first = later.metrics.iter().filter(shares).filter_map(|metric| Some(metric.points.first()?.0)).min();
        if let Some(first) = first {
            self.rewind(first);
        }
        for metric in later.metrics {
            match self.at.get(&metric.name) {
                Some(&at) => {
                    let ours = &mut self.metrics[at];
                    ours.last = metric.last;
                    if ours.points.is_empty() {
                        ours.points = metric.points;
                    } else {
                        ours.points.extend(metric.points);
                        // Writers of different things may overlap.
                        ours.points.sort_by_key(|point| point.0);
                        ours.points.dedup_by(|later, kept| {
                            let same = later.0 == kept.0;
                            if same {
                                *kept = *later;
                            }
                            same
                        });
                    }
                }
                None => {
                    self.at.insert(metric.name.clone(), self.metrics.len());
                    self.metrics.push(metric);
                }
            }
        }
        self.config.extend(later.config);
        self.overtaken += later.overtaken;
        self.notes.extend(later.notes);
    }

    /// A metric by its name, where it was kept whole.
    pub(in crate::results) fn metric(&self, name: &str) -> Option<&Metric> {
        self.at.get(name).map(|&at| &self.metrics[at]).filter(|metric| !metric.points.is_empty())
    }

    /// Says something to whoever reads of the run.
    pub(super) fn note(&mut self, said: impl Into<String>) {
        self.notes.push(said.into());
    }

    /// Whether nothing was measured.
    pub(super) fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

impl Metric {
    /// Its value at a step: between two points in proportion, beyond the last as fast as before. For what is counted, such as tokens.
    pub(in crate::results) fn counted_at(&self, step: u64) -> Option<f64> {
        let at = self.points.partition_point(|point| point.0 < step);
        let exact = self.points.get(at).filter(|point| point.0 == step);
        if let Some(point) = exact {
            return Some(point.1);
        }
        let step = step as f64;
        let line = |(x, y): (f64, f64), (to_x, to_y): (f64, f64)| y + (to_y - y) * (step - x) / (to_x - x);
        let float = |&(step, value): &(u64, f64)| (step as f64, value);
        let before = at.checked_sub(1).map_or((0.0, 0.0), |before| float(&self.points[before]));
        match self.points.get(at) {
            Some(after) => Some(line(before, float(after))),
            None if before.0 > 0.0 => Some(before.1 * step / before.0),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(points: &[(u64, f64)]) -> TrackedRun {
        let mut run = TrackedRun::named("a");
        points.iter().for_each(|&(step, value)| run.measure("loss", step, value, &[]));
        run
    }

    fn points(run: &TrackedRun) -> &[(u64, f64)] {
        &run.metric("loss").expect("measured").points
    }

    #[test]
    fn what_a_resumed_run_measures_anew_counts() {
        let mut crashed = run(&[(10, 4.0), (20, 3.5), (30, 3.2)]);
        crashed.measure("val_loss", 30, 3.3, &[]);
        crashed.measure("loss", 20, 3.6, &[]);
        assert_eq!((points(&crashed), crashed.overtaken), (&[(10, 4.0), (20, 3.6)][..], 3));
        assert_eq!(crashed.metric("val_loss"), None, "measured on the road that was left");
        let mut first = run(&[(10, 4.0), (20, 3.5), (30, 3.2)]);
        first.resumed_as(run(&[(20, 3.6), (30, 3.3), (40, 3.1)]));
        assert_eq!(points(&first), [(10, 4.0), (20, 3.6), (30, 3.3), (40, 3.1)]);
        // A rare value that comes late takes nothing away, and stands where it belongs.
        let mut late = run(&[(1, 4.0), (2, 3.9), (3, 3.8), (4, 3.7), (5, 3.6), (6, 3.5)]);
        late.measure("val_loss", 4, 3.8, &[]);
        late.measure("val_loss", 2, 4.0, &[]);
        late.measure("loss", 7, 3.4, &[]);
        assert_eq!(points(&late).len(), 7);
        assert_eq!(late.metric("val_loss").map(|metric| (&metric.points[..], metric.last)), Some((&[(2, 4.0), (4, 3.8)][..], (4, 3.8))));
        // A second file that measures other things takes nothing away.
        let mut other = TrackedRun::named("a");
        other.measure("val_loss", 5, 3.9, &[]);
        first.resumed_as(other);
        assert_eq!(points(&first).len(), 4);
    }

    #[test]
    fn counts_lie_on_lines_between_their_points() {
        let counted = Metric { name: "tokens".into(), points: vec![(10, 100.0), (20, 300.0)], last: (20, 300.0), is_whole: true };
        let at = [5, 10, 15, 20, 40].map(|step| counted.counted_at(step));
        assert_eq!(at, [50.0, 100.0, 200.0, 300.0, 600.0].map(Some));
    }

    #[test]
    fn what_nobody_reads_keeps_its_last_value_alone() {
        let mut run = TrackedRun::named("a");
        (0..100).for_each(|step| run.measure("gpu.0.temperature", step, step as f64, &[]));
        assert_eq!((run.metrics[0].points.len(), run.metrics[0].last), (0, (99, 99.0)));
    }
}
