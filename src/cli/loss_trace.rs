//! Losses along a run while it trains, few enough to be told every second: close together at the beginning, where a curve falls, and
//! evenly spread after it.

/// Losses by step, thinned where they lie closest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LossTrace {
    points: Vec<(u64, f64)>,
    most: usize,
}

/// How much a step of the whole trace counts beside a factor e of steps when it is said how far points lie apart.
const EVENNESS: f64 = 6.0;

impl LossTrace {
    /// An empty one that never holds more than `most` points.
    pub(super) fn of_at_most(most: usize) -> Self {
        Self { points: Vec::new(), most: most.max(3) }
    }

    /// Adds the loss at a step. Several at one step are one: the last.
    pub(super) fn add(&mut self, step: u64, loss: f64) {
        match self.points.binary_search_by_key(&step, |point| point.0) {
            Ok(at) => self.points[at].1 = loss,
            Err(at) => self.points.insert(at, (step, loss)),
        }
        if self.points.len() > self.most {
            self.points.remove(self.closest());
        }
    }

    /// Step and loss, by step.
    pub(super) fn points(&self) -> &[(u64, f64)] {
        &self.points
    }

    /// The point between the ends whose neighbours lie closest.
    fn closest(&self) -> usize {
        let last = self.points.last().map_or(1.0, |point| point.0 as f64).max(1.0);
        let gap = |at: usize| {
            let [before, after] = [self.points[at - 1].0, self.points[at + 1].0].map(|step| step as f64);
            ((after + 1.0) / (before + 1.0)).ln() + EVENNESS * (after - before) / last
        };
        (1..self.points.len() - 1).min_by(|a, b| gap(*a).total_cmp(&gap(*b))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_beginning_its_end_and_a_bounded_number_of_points() {
        let mut trace = LossTrace::of_at_most(40);
        (1..=20_000).for_each(|step| trace.add(step, 1.0 / step as f64));
        let points = trace.points();
        assert_eq!((points.len(), points[0].0, points[39].0), (40, 1, 20_000));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let count = |from: u64, to: u64| points.iter().filter(|point| (from..to).contains(&point.0)).count();
        assert!(count(1, 200) >= 8, "the fall at the beginning: {points:?}");
        assert!(count(10_000, 20_001) >= 8, "the second half: {points:?}");
    }

    #[test]
    fn a_step_told_twice_is_one_point() {
        let mut trace = LossTrace::of_at_most(5);
        [(3, 2.0), (1, 4.0), (3, 1.0)].into_iter().for_each(|(step, loss)| trace.add(step, loss));
        assert_eq!(trace.points(), [(1, 4.0), (3, 1.0)]);
    }
}
