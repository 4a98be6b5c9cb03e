//! How long a sweep still takes: predicted times, corrected by what runs of like size took in it, laid onto its workers.

use std::collections::HashMap;

/// What a run has to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Seconds that were predicted for it on one worker.
    pub predicted: f64,
    /// FLOPs of one training token: predictions for runs of like cost err alike.
    pub flops: f64,
}

/// A run that a worker began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Begun {
    /// All of its work.
    pub work: Work,
    /// The part of it that was done while somebody looked, from 0 to 1.
    pub done: f64,
    /// Seconds by the clock for that part.
    pub seconds: f64,
    /// The part that is left, from 0 to 1; what was done before anybody looked is in neither.
    pub rest: f64,
    /// Seconds since it ended; 0 of one that a worker is at.
    pub age: f64,
}

/// How far a sweep has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    /// Runs that no worker took yet, in the order in which they are taken.
    pub waiting: Vec<Work>,
    /// Runs that a search will still ask for, when those are done.
    pub later: Vec<Work>,
    /// Runs that workers are at.
    pub running: Vec<Begun>,
    /// Runs that ended.
    pub ended: Vec<Begun>,
    /// Runs trained at once.
    pub workers: usize,
}

/// Seconds by the clock that a prediction counts as evidence of its own: the first seconds say little.
const PRIOR_SECONDS: f64 = 5.0;
/// Seconds after which what a run took says half as much of what the machine does now, at least; of long waits half of the wait.
const HALF_LIFE: f64 = 20.0;
/// Runs whose costs a token differ by this factor say half as much of each other as runs of one cost.
const LIKE: f64 = 3.0;

impl Advance {
    /// Seconds until the last run has ended: by what runs of like size took in all of the sweep, and by how much faster or slower than
    /// that the latest went, because the load of a machine changes.
    pub fn time_left(&self) -> f64 {
        let ratios = self.ratios();
        let steady = self.steady_time_left(&ratios);
        steady * self.lately(steady, &ratios)
    }

    /// Seconds of the latest runs for each second that they take in this sweep.
    fn lately(&self, steady: f64, ratios: &Ratios) -> f64 {
        let half_life = HALF_LIFE.max(0.5 * steady);
        let add = |(taken, expected): (f64, f64), run: &Begun| {
            let weight = 0.5f64.powf((run.age + 0.5 * run.seconds) / half_life);
            (taken + weight * run.seconds, expected + weight * run.done * ratios.seconds(run.work))
        };
        let (taken, expected) = self.begun().fold((PRIOR_SECONDS, PRIOR_SECONDS), add);
        taken / expected
    }

    /// The same as [`Self::time_left`] on a machine whose load never changes.
    fn steady_time_left(&self, ratios: &Ratios) -> f64 {
        let mut free: Vec<f64> = self.running.iter().map(|run| run.rest * ratios.seconds(run.work)).collect();
        free.resize(self.workers.max(free.len()).max(1), 0.0);
        self.waiting.iter().for_each(|work| take(&mut free, ratios.seconds(*work)));
        // A search asks when all that it asked for has come.
        let first = free.iter().copied().fold(0.0, f64::max);
        let mut free = vec![0.0; free.len()];
        self.later.iter().for_each(|work| take(&mut free, ratios.seconds(*work)));
        first + free.iter().copied().fold(0.0, f64::max)
    }

    /// What runs of each cost took, for each second that was predicted.
    fn ratios(&self) -> Ratios {
        let overall = ratio(self.begun().map(|run| (1.0, run)), 1.0);
        let at = |flops: f64| {
            let like = |run: &Begun| 0.5f64.powf(((run.work.flops / flops).ln() / LIKE.ln()).powi(2));
            ratio(self.begun().map(|run| (like(run), run)), overall)
        };
        let mut known = HashMap::new();
        for Work { flops, .. } in self.begun().map(|run| run.work).chain(self.waiting.iter().chain(&self.later).copied()) {
            known.entry(flops.to_bits()).or_insert_with(|| at(flops));
        }
        Ratios(known)
    }

    fn begun(&self) -> impl Iterator<Item = &Begun> {
        self.ended.iter().chain(&self.running)
    }
}

/// Seconds by the clock for each predicted second, by the bits of the FLOPs of a token: a sweep has few shapes and many runs.
struct Ratios(HashMap<u64, f64>);

impl Ratios {
    /// Seconds that some work will take, by what like work took.
    fn seconds(&self, work: Work) -> f64 {
        work.predicted * self.0[&work.flops.to_bits()]
    }
}

/// Seconds by the clock for each predicted second: of weighted runs, and some seconds of what was believed before.
fn ratio<'a>(runs: impl Iterator<Item = (f64, &'a Begun)>, prior: f64) -> f64 {
    let add = |(taken, predicted): (f64, f64), (weight, run): (f64, &Begun)| {
        (taken + weight * run.seconds, predicted + weight * run.done * run.work.predicted)
    };
    let (taken, predicted) = runs.fold((PRIOR_SECONDS, PRIOR_SECONDS / prior), add);
    taken / predicted
}

/// Gives work to the worker that is free first.
fn take(free: &mut [f64], seconds: f64) {
    if let Some(first) = free.iter_mut().min_by(|a, b| a.total_cmp(b)) {
        *first += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(predicted: f64, flops: f64) -> Work {
        Work { predicted, flops }
    }

    fn ended(predicted: f64, flops: f64, seconds: f64) -> Begun {
        Begun { work: work(predicted, flops), done: 1.0, seconds, rest: 0.0, age: 0.0 }
    }

    impl Advance {
        fn steady(&self) -> f64 {
            self.steady_time_left(&self.ratios())
        }
    }

    fn idle(workers: usize) -> Advance {
        Advance { waiting: Vec::new(), later: Vec::new(), running: Vec::new(), ended: Vec::new(), workers }
    }

    #[test]
    fn without_evidence_predictions_are_believed_and_laid_onto_workers() {
        let advance = Advance { waiting: [60.0, 50.0, 30.0].map(|seconds| work(seconds, 1e6)).to_vec(), ..idle(2) };
        assert_eq!(advance.time_left(), 80.0, "60 and, after 50, 30");
        let one = Advance { waiting: vec![work(100.0, 1e6)], ..idle(2) };
        assert_eq!(one.time_left(), 100.0, "one run is no shorter for a second worker");
        assert_eq!(idle(2).time_left(), 0.0);
    }

    #[test]
    fn what_a_search_asks_for_comes_after_the_runs_that_it_waits_for() {
        let advance = Advance { waiting: vec![work(10.0, 1e6)], later: vec![work(7.0, 1e6), work(3.0, 1e6)], ..idle(2) };
        assert_eq!(advance.time_left(), 17.0);
    }

    #[test]
    fn a_size_that_was_predicted_wrongly_corrects_its_like_and_little_else() {
        // Small runs take five times as long as predicted, large ones a hundredth of their size as predicted.
        let learnt = Advance { ended: vec![ended(100.0, 1e5, 500.0), ended(100.0, 1e8, 100.0)], ..idle(1) };
        let of = |flops| Advance { waiting: vec![work(100.0, flops)], ..learnt.clone() }.steady();
        assert!((of(1e5) - 500.0).abs() < 10.0, "{}", of(1e5));
        assert!((of(1e8) - 100.0).abs() < 10.0, "{}", of(1e8));
        assert!((of(10f64.powf(6.5)) - 300.0).abs() < 60.0, "between: {}", of(10f64.powf(6.5)));
        assert!(of(2e5) > of(1e6), "nearer to the small ones");
    }

    #[test]
    fn a_machine_that_became_twice_as_fast_is_foretold_by_what_it_does_now() {
        // Two hundred seconds at half the speed; then, for a minute, all of it.
        let slow = (0..10).map(|i| Begun { age: 60.0 + 20.0 * f64::from(i), ..ended(10.0, 1e6, 20.0) });
        let fast = (0..6).map(|i| Begun { age: 10.0 * f64::from(i), ..ended(10.0, 1e6, 10.0) });
        let advance = Advance { waiting: vec![work(10.0, 1e6); 3], ended: slow.chain(fast).collect(), ..idle(1) };
        assert!(advance.steady() > 45.0, "{}", advance.steady());
        assert!((advance.time_left() - 30.0).abs() < 5.0, "{}", advance.time_left());
        // Of a wait of hours the last minute says little.
        let long = Advance { waiting: vec![work(10_000.0, 1e6)], ..advance };
        assert!((long.time_left() / long.steady() - 1.0).abs() < 0.1, "{} {}", long.time_left(), long.steady());
    }

    #[test]
    fn a_run_at_work_counts_by_what_it_did_and_what_is_left_of_it() {
        // A quarter was done before anybody looked; a quarter took 50 seconds instead of 25, a half is left.
        let running = Begun { work: work(100.0, 1e6), done: 0.25, seconds: 50.0, rest: 0.5, age: 0.0 };
        let advance = Advance { running: vec![running], ..idle(1) };
        let overall = (5.0 + 50.0) / (5.0 + 25.0);
        let expected = 50.0 * (5.0 + 50.0) / (5.0 / overall + 25.0);
        assert!((advance.steady() - expected).abs() < 1e-9, "{} {expected}", advance.time_left());
    }
}
