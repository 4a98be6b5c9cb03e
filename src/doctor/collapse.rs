//! Loss curves of runs under one schedule, each over its own end. Of runs of equal tokens per parameter they collapse onto one curve,
//! closer than seeds scatter (supercollapse, 2507.02119). Here runs may differ in size, length, learning rate and batch, so what the
//! curve still loses from a place to its end is a line in their logarithms; runs that ended say what one at work will end at, and one
//! that leaves the others shows.

use super::{Ailment, FEWEST_POINTS, Finding};
use crate::fit::{Estimate, Interval, LeastSquares, Uncertainty, least_squares, t_quantile, variance};
use crate::spec::sample::mean;
use crate::spec::{CurvePoint, Nats, RunRecord, RunStatus};

/// Runs that say what another does, beside one for each coefficient.
const FEWEST: usize = 5;
/// Share of a run whose losses are read together.
const WINDOW: f64 = 0.1;
/// Before this share of a run nothing is said of its end.
const EARLIEST: f64 = 0.2;
/// Standard deviation of a logarithm below which runs are alike in it.
const ALIKE: f64 = 0.05;
/// Standard deviations of another run by which a curve leaves the collapse: among the 571 curves of ten sweeps of results/ 5.9 is the most.
const LEAVES: f64 = 7.0;
/// And so much of the loss.
const LEAST: f64 = 0.03;

/// Runs that ended, with what their curves lost.
pub struct Collapse<'a> {
    ended: Vec<Ended<'a>>,
}

struct Ended<'a> {
    at: usize,
    record: &'a RunRecord,
    traits: [f64; 4],
    ln_end: f64,
    /// (share of the run, ln of the training loss).
    losses: Vec<(f64, f64)>,
}

impl<'a> Collapse<'a> {
    /// The runs that ended with a loss, with their curves in the order of the records.
    pub fn of(records: &'a [RunRecord], curves: &[impl AsRef<[CurvePoint]>]) -> Self {
        let each = records.iter().zip(curves).enumerate();
        Self { ended: each.filter_map(|(at, (record, curve))| Ended::of(at, record, curve.as_ref())).collect() }
    }

    /// Held-out loss that a run at work will end at, nats per token, from some of its training losses by step; `None` where fewer than
    /// half a dozen runs under its schedule ended, and in its first fifth.
    pub fn final_loss(&self, record: &RunRecord, losses: &[(u64, f64)], level: f64) -> Option<Estimate> {
        let (steps, (last, _)) = (record.steps? as f64, *losses.last()?);
        let done = last as f64 / steps;
        if !(EARLIEST..=1.0).contains(&done) {
            return None;
        }
        let of_share = losses.iter().map(|(step, loss)| (*step as f64 / steps, loss.ln()));
        let late: Vec<(f64, f64)> = of_share.filter(|(share, ln)| *share > done - WINDOW && ln.is_finite()).collect();
        let shares: Vec<f64> = late.iter().map(|reading| reading.0).collect();
        let family: Vec<&Ended<'_>> = self.ended.iter().filter(|ended| is_comparable(ended.record, record)).collect();
        let line = Line::through(&family, &shares)?;
        let (fall, se) = line.at(&traits(record)?);
        let half = t_quantile(level, line.degrees) * se;
        let ln_end = mean(late.iter().map(|reading| reading.1))? - fall;
        let [value, low, high] = [ln_end, ln_end - half, ln_end + half].map(f64::exp);
        let uncertainty = Uncertainty { se: Some(value * se), low, high, level: Some(level), interval: Interval::Delta };
        (high.is_finite() && low > 0.0).then_some(Estimate { value, uncertainty: Some(uncertainty) })
    }

    /// A remark for each run of so many whose curve leaves those of its siblings.
    pub(super) fn findings(&self, of: usize) -> Vec<Option<Finding>> {
        let mut found = vec![None; of];
        let mut open: Vec<&Ended<'_>> = self.ended.iter().collect();
        while let Some(first) = open.first().copied() {
            let (family, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|ended| is_comparable(ended.record, first.record));
            open = others;
            for (ended, finding) in family.iter().zip(leaving(&family)) {
                found[ended.at] = finding;
            }
        }
        found
    }
}

impl<'a> Ended<'a> {
    fn of(at: usize, record: &'a RunRecord, curve: &[CurvePoint]) -> Option<Self> {
        let ln_end = record.loss_nats.filter(|Nats(loss)| *loss > 0.0 && loss.is_finite())?.0.ln();
        let steps = curve.last()?.step as f64;
        let reading = |point: &CurvePoint| Some((point.step as f64 / steps, point.train_loss_nats.filter(|loss| *loss > 0.0)?.ln()));
        let losses: Vec<(f64, f64)> = curve.iter().filter_map(reading).collect();
        let is_whole = record.status == RunStatus::Finished && losses.len() >= FEWEST_POINTS;
        is_whole.then_some(Self { at, record, traits: traits(record)?, ln_end, losses })
    }

    /// Mean of ln L over ln L at the end, read nearest to some shares of the run.
    fn fall(&self, shares: &[f64]) -> Option<f64> {
        let nearest = |share: &f64| {
            let after = self.losses.partition_point(|reading| reading.0 < *share);
            let near = self.losses[after.saturating_sub(1)..].iter().take(2);
            near.min_by(|a, b| (a.0 - share).abs().total_cmp(&(b.0 - share).abs())).map(|reading| reading.1)
        };
        Some(mean(shares.iter().filter_map(nearest))? - self.ln_end)
    }
}

/// ln N, ln D, ln of learning rate and of batch; what is unknown is alike for all.
fn traits(record: &RunRecord) -> Option<[f64; 4]> {
    let ln = |value: f64| value.ln();
    let known = [ln(record.params_total?.0), ln(record.tokens?.0)];
    let [rate, batch] = [record.learning_rate, record.batch_tokens.map(|batch| batch.0)].map(|value| value.map_or(0.0, f64::ln));
    let all = [known[0], known[1], rate, batch];
    all.iter().all(|value| value.is_finite()).then_some(all)
}

/// Whether two runs read the same data as often under the same schedule.
fn is_comparable(a: &RunRecord, b: &RunRecord) -> bool {
    let repeats = |record: &RunRecord| record.epochs.is_some_and(|epochs| epochs > 1.0);
    let data = |record: &RunRecord| (record.corpus_sha256.clone().or_else(|| record.corpus.clone()), record.covariates.clone());
    a.schedule == b.schedule && repeats(a) == repeats(b) && data(a) == data(b)
}

/// A fall as a line in the traits of runs.
struct Line {
    /// Traits that runs differ in, with their means.
    traits: Vec<(usize, f64)>,
    squares: LeastSquares,
    degrees: f64,
}

impl Line {
    /// Least squares over the runs of a family, in as many of their traits as they tell apart.
    fn through(family: &[&Ended<'_>], shares: &[f64]) -> Option<Self> {
        let falls: Vec<f64> = family.iter().map(|ended| ended.fall(shares)).collect::<Option<_>>()?;
        let weights = vec![1.0; falls.len()];
        let of = |traits: &[(usize, f64)]| {
            let rows: Vec<Vec<f64>> = family.iter().map(|ended| row(&ended.traits, traits)).collect();
            let degrees = falls.len().checked_sub(1 + traits.len()).filter(|degrees| *degrees >= FEWEST)?;
            Some((least_squares(&rows, &falls, &weights)?, degrees as f64))
        };
        let (mut kept, mut best) = (Vec::new(), of(&[])?);
        for at in 0..4 {
            let centre = mean(family.iter().map(|ended| ended.traits[at]))?;
            let spread = mean(family.iter().map(|ended| (ended.traits[at] - centre).powi(2)))?.sqrt();
            let with: Vec<(usize, f64)> = kept.iter().copied().chain([(at, centre)]).collect();
            if let Some(found) = (spread > ALIKE).then(|| of(&with)).flatten() {
                (kept, best) = (with, found);
            }
        }
        Some(Self { traits: kept, squares: best.0, degrees: best.1 })
    }

    fn row(&self, traits: &[f64; 4]) -> Vec<f64> {
        row(traits, &self.traits)
    }

    fn fall(&self, traits: &[f64; 4]) -> f64 {
        self.row(traits).iter().zip(&self.squares.beta).map(|(x, beta)| x * beta).sum()
    }

    /// The fall of another run, and the standard deviation of what one run has.
    fn at(&self, traits: &[f64; 4]) -> (f64, f64) {
        let scatter = self.squares.residual / self.degrees;
        (self.fall(traits), (scatter * (1.0 + self.leverage(traits))).sqrt())
    }

    fn leverage(&self, traits: &[f64; 4]) -> f64 {
        variance(&self.row(traits), &self.squares.inverse)
    }

    /// What a run of the line lies above the line of all others, and that over the standard deviation of another run.
    fn left_out(&self, traits: &[f64; 4], fall: f64) -> (f64, f64) {
        let (residual, rest) = (fall - self.fall(traits), 1.0 - self.leverage(traits));
        let scatter = (self.squares.residual - residual.powi(2) / rest) / (self.degrees - 1.0);
        (residual / rest, residual / (scatter * rest).max(f64::MIN_POSITIVE).sqrt())
    }
}

fn row(all: &[f64; 4], traits: &[(usize, f64)]) -> Vec<f64> {
    std::iter::once(1.0).chain(traits.iter().map(|(at, centre)| all[*at] - centre)).collect()
}

/// For each run of a family whether its curve leaves those of the others, from a fifth of the run on.
fn leaving(family: &[&Ended<'_>]) -> Vec<Option<Finding>> {
    let mut found: Vec<Option<(f64, Finding)>> = family.iter().map(|_| None).collect();
    for window in 2..9 {
        let from = f64::from(window) / 10.0;
        let shares: Vec<f64> = (1..=10).map(|part| from + WINDOW * f64::from(part) / 10.0).collect();
        let Some(line) = Line::through(family, &shares) else { continue };
        for (ended, worst) in family.iter().zip(&mut found) {
            let Some(fall) = ended.fall(&shares) else { continue };
            let (above, deviations) = line.left_out(&ended.traits, fall);
            let leaves = deviations.abs() > LEAVES && above.abs() > LEAST.ln_1p();
            if leaves && worst.as_ref().is_none_or(|(most, _)| deviations.abs() > *most) {
                *worst = Some((deviations.abs(), said(ended, from, above, deviations, family.len() - 1)));
            }
        }
    }
    found.into_iter().map(|worst| worst.map(|(_, finding)| finding)).collect()
}

fn said(ended: &Ended<'_>, from: f64, above: f64, deviations: f64, others: usize) -> Finding {
    let evidence = format!(
        "from {:.0} to {:.0} % of its steps its loss, over that at its end, is {:.1} % {} than {others} runs under its schedule tell: {:.0} times what one scatters by",
        100.0 * from,
        100.0 * (from + WINDOW),
        100.0 * above.abs().exp_m1(),
        if above > 0.0 { "higher" } else { "lower" },
        deviations.abs()
    );
    let step = ended.record.steps.map(|steps| from * steps as f64);
    Finding::new(Ailment::LeavesCollapse, step, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;
    use crate::spec::{Params, Tokens};

    /// A run of a law of its own size and length, with noise of single losses and of its end.
    fn run(seed: u64, bend: impl Fn(f64) -> f64) -> (RunRecord, Vec<CurvePoint>) {
        let mut random = Random::new(seed, "collapse");
        let (n, d) = (1e4 * 2f64.powi((seed % 4) as i32), 1e6 * 2f64.powi((seed / 4 % 4) as i32));
        let loss = |share: f64| 1.0 + 40.0 * n.powf(-0.4) + 30.0 * (share * d).powf(-0.3);
        let steps = 400;
        let mut scatter = |sd: f64| (sd * random.normal()).exp();
        let curve = (1..=200u64).map(|at| {
            let share = at as f64 / 200.0;
            let train = loss(share) * bend(share) * scatter(0.02);
            CurvePoint { step: 2 * at, tokens: (share * d) as u64, train_loss_nats: Some(train), ..CurvePoint::default() }
        });
        let curve: Vec<CurvePoint> = curve.collect();
        let record = RunRecord {
            run_id: format!("run-{seed}"),
            status: RunStatus::Finished,
            params_total: Some(Params(n)),
            tokens: Some(Tokens(d)),
            steps: Some(steps),
            loss_nats: Some(Nats(loss(1.0) * scatter(0.003))),
            ..RunRecord::default()
        };
        (record, curve)
    }

    #[test]
    fn final_losses_of_runs_at_work_lie_in_their_intervals_as_often_as_these_say() {
        let (mut held, mut asked, mut widths) = (0, 0, Vec::new());
        for sweep in 0..40u64 {
            let all: Vec<_> = (0..17).map(|at| run(100 * sweep + at, |_| 1.0)).collect();
            let (records, curves): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            let collapse = Collapse::of(&records[..16], &curves[..16]);
            for share in [0.3, 0.5, 0.7, 0.9] {
                let losses: Vec<(u64, f64)> = curves[16]
                    .iter()
                    .filter(|point| point.step as f64 <= share * 400.0)
                    .step_by(3)
                    .filter_map(|point| Some((point.step, point.train_loss_nats?)))
                    .collect();
                let told = collapse.final_loss(&records[16], &losses, 0.9).expect("sixteen runs");
                let interval = told.uncertainty.expect("known");
                let truth = records[16].loss_nats.expect("ended").0;
                held += usize::from((interval.low..=interval.high).contains(&truth));
                asked += 1;
                widths.push(interval.high / interval.low);
            }
        }
        // 160 questions to 40 sweeps, of which the four of a sweep share its end: three standard errors of 160 are 7 %.
        let share = held as f64 / asked as f64;
        assert!((0.83..=0.97).contains(&share), "{share}");
        assert!(widths.iter().all(|width| (1.01..1.12).contains(width)), "{widths:?}");
    }

    #[test]
    fn nothing_is_said_of_a_young_run_or_by_too_few() {
        let all: Vec<_> = (0..10).map(|at| run(at, |_| 1.0)).collect();
        let (records, curves): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let losses = [(1, 3.0), (40, 2.5)];
        assert_eq!(Collapse::of(&records, &curves).final_loss(&records[0], &losses, 0.95), None, "a tenth of it");
        let late = [(1, 3.0), (300, 2.5)];
        assert!(Collapse::of(&records, &curves).final_loss(&records[0], &late, 0.95).is_some());
        assert_eq!(Collapse::of(&records[..5], &curves[..5]).final_loss(&records[0], &late, 0.95), None);
        let other = RunRecord { corpus: Some("another".into()), ..records[0].clone() };
        assert_eq!(Collapse::of(&records, &curves).final_loss(&other, &late, 0.95), None);
        assert_eq!(Collapse::of(&records, &curves).final_loss(&records[0], &[], 0.95), None);
    }

    #[test]
    fn a_curve_that_leaves_the_others_is_found_and_no_other() {
        let bent = |share: f64| if (0.4..0.7).contains(&share) { 1.08 } else { 1.0 };
        let all: Vec<_> = (0..24).map(|at| if at == 9 { run(at, bent) } else { run(at, |_| 1.0) }).collect();
        let (records, curves): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let found = Collapse::of(&records, &curves).findings(24);
        let which: Vec<usize> = (0..24).filter(|at| found[*at].is_some()).collect();
        assert_eq!(which, [9]);
        let finding = found[9].clone().expect("found");
        assert!(finding.evidence.contains("% higher than 23 runs") && !finding.fault, "{finding:?}");
        assert!((160..=280).contains(&finding.step.expect("a step")), "{finding:?}");
    }
}
