//! What of a run a law or a diagnosis reads: which metric is its loss, and the run as a curve.

use super::super::known::{KNOWN, LOSS, TOKENS};
use super::super::trajectories::Trajectory;
use super::roles::{Role, role};
use super::run::{Asked, Metric, TrackedRun};
use crate::spec::sample::mean;
use crate::spec::{CurvePoint, Flops, Params, RunRecord, Tokens};
use std::collections::BTreeMap;

/// Part of a run, at its end, over which a mean of training losses is taken.
const END: f64 = 0.05;
/// The metrics of a run that a law or a diagnosis reads.
pub(super) struct Measured<'a> {
    pub(super) run: &'a TrackedRun,
    pub(super) loss: Option<&'a Metric>,
    /// Step and loss with which a law sees the run.
    pub(super) end: Option<(u64, f64)>,
    pub(super) train: Option<&'a Metric>,
    held_out: Option<&'a Metric>,
    pub(super) rate: Option<&'a Metric>,
    pub(super) norm: Option<&'a Metric>,
    /// What counts tokens, or sequences: tokens a unit.
    seen: Option<(&'a Metric, f64)>,
}

/// Whether options name a column of ours.
pub(super) fn asks(asked: Asked<'_>, ours: &str) -> bool {
    asked_name(asked, ours).is_some()
}

/// What options name as a column of ours, without what it is times.
pub(super) fn asked_name<'a>(asked: Asked<'a>, ours: &str) -> Option<&'a str> {
    let is = |name: &str| KNOWN.iter().any(|known| known.ours == ours && known.is(name));
    asked.iter().find(|(name, _)| is(name)).map(|(_, theirs)| theirs.rsplit_once('*').map_or(theirs.as_str(), |(name, _)| name.trim()))
}

/// Names of the metrics of a role, those first that most runs have, and of these the likelier.
fn names(runs: &[TrackedRun], wanted: Role) -> Vec<&str> {
    let mut found: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for metric in runs.iter().flat_map(|run| &run.metrics).filter(|metric| !metric.points.is_empty()) {
        if let Some((_, rank)) = role(&metric.name).filter(|(of, _)| *of == wanted) {
            found.entry(&metric.name).or_insert((0, rank)).0 += 1;
        }
    }
    let mut names: Vec<(&str, (usize, usize))> = found.into_iter().collect();
    names.sort_by_key(|(_, (runs, rank))| (std::cmp::Reverse(*runs), *rank));
    names.into_iter().map(|(name, _)| name).collect()
}

/// The metric that laws see, and whether it is that of training; with what a reader must know of the choice.
pub(super) fn loss_name(runs: &[TrackedRun], asked: Asked<'_>) -> (Option<(String, bool)>, Vec<String>) {
    if let Some(name) = asked_name(asked, LOSS) {
        let of_training = role(name).is_some_and(|(role, _)| role == Role::TrainLoss);
        return (Some((name.to_owned(), of_training)), Vec::new());
    }
    let (trained, held_out) = (names(runs, Role::TrainLoss), names(runs, Role::HeldOutLoss));
    let with = |names: &[&str]| runs.iter().filter(|run| names.iter().any(|name| run.metric(name).is_some())).count();
    let (of_train, of_held_out) = (with(&trained), with(&held_out));
    let mut notes = Vec::new();
    if of_held_out > 0 && of_held_out >= of_train {
        if let [read, other, ..] = held_out.as_slice() {
            notes.push(format!("losses are those of `{read}`; `{other}` is there too: --columns loss='{other}' reads that"));
        }
        return (held_out.first().map(|name| ((*name).to_owned(), false)), notes);
    }
    if let Some(name) = trained.first() {
        let but = if of_held_out > 0 {
            format!(", because {} of {} runs have no held-out one", runs.len() - of_held_out, runs.len())
        } else {
            String::new()
        };
        notes.push(format!("losses are training losses, `{name}`{but}: the mean over the last 5 % of the steps of each run"));
    }
    (trained.first().map(|name| ((*name).to_owned(), true)), notes)
}

pub(super) fn measured<'a>(runs: &'a [TrackedRun], asked: Asked<'_>, loss: Option<&(String, bool)>) -> Vec<Measured<'a>> {
    let all = [Role::TrainLoss, Role::HeldOutLoss, Role::LearningRate, Role::GradientNorm, Role::Tokens, Role::Sequences]
        .map(|role| names(runs, role));
    let [trained, held_out, rates, norms, tokens, sequences] = all;
    let tokens: Vec<&str> = match asked_name(asked, TOKENS) {
        Some(name) => {
            runs.iter().flat_map(|run| &run.metrics).filter(|metric| metric.name == name).map(|metric| metric.name.as_str()).collect()
        }
        None => tokens,
    };
    let first = |run: &'a TrackedRun, names: &[&str]| names.iter().find_map(|name| run.metric(name));
    let one = |run: &'a TrackedRun| {
        let is_of_training = loss.is_some_and(|(_, of_training)| *of_training);
        let own = if is_of_training { &trained } else { &held_out };
        let named = loss.and_then(|(name, _)| run.metric(name));
        let asked_for = |of_training: bool| (asks(asked, LOSS) && of_training == is_of_training).then_some(named);
        let counts = |metric: &&Metric| metric.last.1 > 0.0 && metric.last.1.is_finite();
        let length = context(run);
        let loss = named.or_else(|| first(run, own).filter(|_| !asks(asked, LOSS)));
        Measured {
            run,
            loss,
            end: loss.and_then(|loss| seen_by_laws(loss, is_of_training)),
            train: asked_for(true).unwrap_or_else(|| first(run, &trained)),
            held_out: asked_for(false).unwrap_or_else(|| first(run, &held_out)),
            rate: first(run, &rates),
            norm: first(run, &norms),
            seen: first(run, &tokens)
                .filter(counts)
                .map(|metric| (metric, 1.0))
                .or_else(|| Some((first(run, &sequences).filter(counts)?, length?))),
        }
    };
    runs.iter().map(one).collect()
}

/// Tokens of a sequence, as the configuration says.
fn context(run: &TrackedRun) -> Option<f64> {
    const NAMES: [&str; 5] = ["seq_length", "sequence_length", "seq_len", "context", "context_length"];
    NAMES.iter().find_map(|name| run.config.get(*name)?.parse().ok())
}

/// Last step of a metric, and the mean of its finite values over the last part of the run.
pub(super) fn end(metric: &Metric) -> Option<(u64, f64)> {
    let &(last, _) = metric.points.iter().rev().find(|point| point.0 > 0 && point.1.is_finite())?;
    let from = (last as f64 * (1.0 - END)) as u64;
    Some((last, mean(metric.points.iter().filter(|point| point.0 >= from && point.1.is_finite()).map(|point| point.1))?))
}

/// Step and loss with which a law sees a run; a loss that is no number at the end is told as it is.
fn seen_by_laws(loss: &Metric, is_of_training: bool) -> Option<(u64, f64)> {
    match loss.last {
        last if !last.1.is_finite() => Some(last),
        _ if is_of_training => end(loss),
        _ => loss.points.iter().rev().find(|point| point.0 > 0).copied(),
    }
}

impl Measured<'_> {
    /// Highest learning rate.
    pub(super) fn peak(&self) -> Option<f64> {
        self.rate?.points.iter().map(|point| point.1).reduce(f64::max)
    }

    /// Tokens seen at a step, as the tracker counts.
    pub(super) fn seen_at(&self, step: u64) -> Option<f64> {
        let (metric, unit) = self.seen?;
        Some(metric.counted_at(step)? * unit)
    }

    /// Tokens at a step, where those at the end are known.
    fn tokens_at(&self, step: u64, record: &RunRecord) -> f64 {
        let (end_step, whole) = (self.end.map_or(1, |end| end.0.max(1)), record.tokens.unwrap_or(Tokens(1.0)).0);
        match (self.seen_at(step), self.seen_at(end_step)) {
            (Some(at), Some(end)) if end > 0.0 => whole * (at / end),
            _ => whole * (step as f64 / end_step as f64),
        }
    }

    pub(super) fn trajectory(&self, record: &RunRecord) -> Trajectory {
        let size = record.params_total.unwrap_or(Params(1.0)).0;
        let whole = record.tokens.map_or(f64::NAN, |tokens| tokens.0);
        let point = |&(step, loss): &(u64, f64)| {
            let tokens = self.tokens_at(step, record);
            let flops = record.flops_exact.map_or(6.0 * size * tokens, |Flops(flops)| flops * (tokens / whole));
            (flops, tokens, loss)
        };
        let usable = |(_, tokens, loss): &(f64, f64, f64)| *tokens > 0.0 && loss.is_finite() && *loss > 0.0;
        let points = self.loss.map_or(&[][..], |loss| &loss.points).iter().map(point).filter(usable).collect();
        Trajectory { run: record.run_id.clone(), points }
    }

    /// Everything that was measured along the run, a row a step.
    pub(super) fn curve(&self, record: &RunRecord) -> Vec<CurvePoint> {
        // A loss of which nobody says what it is of is that of training.
        let train = self.train.or(self.loss.filter(|_| self.held_out.is_none())).or(self.held_out);
        let held_out = self.held_out.filter(|_| self.train.is_some());
        let columns = [train, held_out, self.norm].map(|metric| metric.map_or(&[][..], |metric| metric.points.as_slice()));
        // Tokens that are steps are none.
        let in_steps = record.steps.zip(record.tokens).is_some_and(|(steps, tokens)| steps as f64 == tokens.0);
        let mut at = [0_usize; 3];
        let mut curve = Vec::with_capacity(columns[0].len());
        let rates = self.rate.map_or(&[][..], |rate| &rate.points);
        let mut rate = 0;
        while let Some(step) = (0..3).filter_map(|of| columns[of].get(at[of])).map(|point| point.0).min() {
            let mut take = |of: usize| {
                let value = columns[of].get(at[of]).filter(|point| point.0 == step).map(|point| point.1);
                at[of] += usize::from(value.is_some());
                value
            };
            while rates.get(rate + 1).is_some_and(|next| next.0 <= step) {
                rate += 1;
            }
            curve.push(CurvePoint {
                step,
                tokens: if in_steps { 0 } else { self.tokens_at(step, record) as u64 },
                learning_rate: rates.get(rate).map_or(0.0, |point| point.1),
                train_loss_nats: take(0),
                val_loss_nats: take(1).filter(|loss| loss.is_finite()),
                grad_norm: take(2),
                ..CurvePoint::default()
            });
        }
        curve
    }
}
