//! What a person sees while a sweep runs: a line for the sweep and one for each worker, or plain
//! lines where standard error is no terminal.

use super::labels::rate;
use super::loss_trace::LossTrace;
use super::status_text::speed;
use super::text::{duration, plural};
use super::voice::is_quiet;
use crate::results::RunningRun;
use crate::spec::{Progress, RunRecord, RunSpec, RunStatus, Seeds, short};
use crate::sweep::{Advance, Begun, LabEvent, PlannedRun, Task, Tree, Work, flops_per_token, trees};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shows the events of a lab.
pub(super) struct Display {
    state: Mutex<State>,
    bars: Option<Bars>,
    /// Whether nothing is said but of runs that failed.
    quiet: bool,
}

struct State {
    /// Runs that no worker took yet, the longest first.
    waiting: Vec<(String, Work)>,
    /// Runs that a search will still ask for.
    later: Vec<Work>,
    running: Vec<Option<Running>>,
    /// What ended, and when.
    ended: Vec<(Begun, Instant)>,
    total: usize,
    last_plain_line: Instant,
}

struct Running {
    id: String,
    shape: String,
    seed: String,
    work: Work,
    /// The first step that falls to a worker: runs that branch off a trunk begin there.
    own: u64,
    started: Instant,
    /// Step and time of the first message: rates leave out the start of a worker, and steps made before.
    first: Option<(u64, Instant)>,
    step: u64,
    steps: u64,
    batch_tokens: u64,
    /// Loss of the latest batch, where it is finite.
    train_loss_nats: Option<f64>,
    losses: LossTrace,
}

struct Bars {
    sweep: ProgressBar,
    workers: Vec<ProgressBar>,
    _all: MultiProgress,
}

/// Losses along a run that a heartbeat tells at most.
const LOSSES_TOLD: usize = 48;
/// Seconds between plain lines when no run ends.
const PLAIN_EVERY: f64 = 30.0;

impl Display {
    /// Of the runs of a sweep that are missing, and of those that its search is expected to ask for when they are done.
    pub(super) fn new(name: &str, runs: &[&PlannedRun], later: &[PlannedRun], workers: usize) -> Self {
        let foreseen = in_turn(&later.iter().collect::<Vec<_>>());
        let (waiting, total) = (in_turn(runs), runs.len() + later.len());
        let state = State {
            waiting,
            later: foreseen.into_iter().map(|(_, work)| work).collect(),
            running: (0..workers).map(|_| None).collect(),
            ended: Vec::new(),
            total,
            last_plain_line: Instant::now(),
        };
        let searched = if later.is_empty() { String::new() } else { format!(", then about {} that the search will ask for", later.len()) };
        let (quiet, workers_said) = (is_quiet(), plural(workers, "worker", "workers"));
        if !quiet {
            eprintln!("{} on {workers_said}{searched}: about {}", plural(runs.len(), "run", "runs"), duration(state.time_left()));
        }
        let bars = (std::io::stderr().is_terminal() && !quiet).then(|| Bars::new(name, state.total, workers));
        Self { state: Mutex::new(state), bars, quiet }
    }

    /// Takes one event in and shows what it changes.
    pub(super) fn show(&self, event: &LabEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            LabEvent::Started { worker, task } => state.start(*worker, task),
            LabEvent::Moved { worker, progress, .. } => {
                let text = state.moved(*worker, progress);
                self.progress(&mut state, *worker, &text);
            }
            LabEvent::Remark { run, text } => self.say(format!("{}: {text}", run.id)),
            LabEvent::Ended { worker, run, record } => {
                state.end(*worker);
                self.ended(&state, *worker, run, record);
            }
        }
    }

    /// What the workers are at, and the seconds that are left.
    pub(super) fn now(&self) -> (Vec<RunningRun>, f64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let running = state.running.iter().enumerate().filter_map(|(worker, running)| Some(running.as_ref()?.render(worker)));
        (running.collect(), state.time_left())
    }

    /// Clears the live lines.
    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            bars.workers.iter().for_each(ProgressBar::finish_and_clear);
            bars.sweep.finish_and_clear();
        }
    }

    fn progress(&self, state: &mut State, worker: usize, text: &str) {
        if let Some(bars) = &self.bars {
            bars.workers[worker].set_message(text.to_owned());
            bars.sweep.set_message(state.left());
        } else if !self.quiet && state.last_plain_line.elapsed().as_secs_f64() > PLAIN_EVERY {
            state.last_plain_line = Instant::now();
            eprintln!("[{}/{}] {text}; {}", state.ended.len(), state.total, state.left());
        }
    }

    fn ended(&self, state: &State, worker: usize, run: &PlannedRun, record: &RunRecord) {
        let line = outcome(&run.spec, record);
        let Some(bars) = &self.bars else {
            if !self.quiet || record.status != RunStatus::Finished {
                eprintln!("[{}/{}] {line}; {}", state.ended.len(), state.total, state.left());
            }
            return;
        };
        bars.workers[worker].set_message("waiting");
        bars.sweep.set_position(state.ended.len() as u64);
        bars.sweep.set_message(state.left());
        self.say(line);
    }

    fn say(&self, line: String) {
        match &self.bars {
            Some(bars) => bars.sweep.println(line),
            None => eprintln!("{line}"),
        }
    }
}

fn work(run: &PlannedRun, predicted: f64) -> Work {
    Work { predicted, flops: flops_per_token(&run.spec.shape) }
}

/// What runs have to do, steps that they share made once, the longest first.
fn in_turn(runs: &[&PlannedRun]) -> Vec<(String, Work)> {
    let of_tree = |tree: Tree<'_>| {
        let own = |run: &PlannedRun, seconds: f64| (run.id.clone(), work(run, seconds));
        let branches = tree.branches.iter().map(|run| own(run, run.branch_seconds()));
        std::iter::once(own(tree.leader, tree.leader.predicted_seconds)).chain(branches).collect::<Vec<_>>()
    };
    let mut all: Vec<(String, Work)> = trees(runs).into_iter().flat_map(of_tree).collect();
    all.sort_by(|a, b| b.1.predicted.total_cmp(&a.1.predicted));
    all
}

impl State {
    fn start(&mut self, worker: usize, task: &Task<'_>) {
        let (run, spec) = (task.run, &task.run.spec);
        self.waiting.retain(|(id, _)| *id != run.id);
        let branches = task.predicted_seconds < run.predicted_seconds;
        self.running[worker] = Some(Running {
            id: run.id.clone(),
            shape: spec.shape.to_string(),
            seed: seed(spec.seeds),
            work: work(run, task.predicted_seconds),
            own: run.branch.as_ref().filter(|_| branches).map_or(0, |branch| branch.step),
            started: Instant::now(),
            first: None,
            step: 0,
            steps: spec.steps,
            batch_tokens: spec.recipe.batch_tokens,
            train_loss_nats: None,
            losses: LossTrace::of_at_most(LOSSES_TOLD),
        });
    }

    fn moved(&mut self, worker: usize, progress: &Progress) -> String {
        let Some(running) = self.running[worker].as_mut() else {
            return String::new();
        };
        running.step = progress.step;
        running.train_loss_nats = progress.train_loss_nats.filter(|loss| loss.is_finite());
        running.train_loss_nats.iter().for_each(|loss| running.losses.add(progress.step, *loss));
        running.first.get_or_insert((progress.step, Instant::now()));
        let rate = speed(running.tokens_per_second());
        let loss = progress.train_loss_nats.map_or("train loss not finite".to_owned(), |loss| format!("train loss {loss:.3}"));
        let percent = 100.0 * running.step as f64 / running.steps as f64;
        format!("{:<6} seed {:<4} {percent:>3.0} %   {loss}   {rate}", running.shape, running.seed)
    }

    fn end(&mut self, worker: usize) {
        let whole = |run: Running| Begun { seconds: run.started.elapsed().as_secs_f64(), ..run.begun(run.steps) };
        self.ended.extend(self.running[worker].take().map(|run| (whole(run), Instant::now())));
    }

    /// Seconds that are left, by what runs of like size took.
    fn time_left(&self) -> f64 {
        let running = self.running.iter().flatten().map(|run| run.begun(run.step)).collect();
        let waiting = self.waiting.iter().map(|(_, work)| *work).collect();
        let ended = self.ended.iter().map(|(run, at)| Begun { age: at.elapsed().as_secs_f64(), ..*run }).collect();
        Advance { waiting, later: self.later.clone(), running, ended, workers: self.running.len() }.time_left()
    }

    fn left(&self) -> String {
        format!("about {} left", duration(self.time_left()))
    }
}

impl Running {
    /// What of it is done and left when it has made so many steps.
    fn begun(&self, step: u64) -> Begun {
        let (first, since) = self.first.unwrap_or((self.step.max(self.own), self.started));
        let part = |from: u64, to: u64| to.saturating_sub(from) as f64 / self.steps.saturating_sub(self.own).max(1) as f64;
        Begun {
            work: self.work,
            done: part(first, step),
            seconds: since.elapsed().as_secs_f64(),
            rest: part(step.max(first), self.steps),
            age: 0.0,
        }
    }

    fn tokens_per_second(&self) -> Option<f64> {
        let (first, since) = self.first.filter(|(first, _)| self.step > *first)?;
        Some(((self.step - first) * self.batch_tokens) as f64 / since.elapsed().as_secs_f64())
    }

    fn render(&self, worker: usize) -> RunningRun {
        let (run_id, tokens_per_second) = (self.id.clone(), self.tokens_per_second());
        let train_losses = self.losses.points().to_vec();
        let (step, steps, train_loss_nats) = (self.step, self.steps, self.train_loss_nats);
        RunningRun { worker, run_id, step, steps, tokens_per_second, train_loss_nats, train_losses }
    }
}

impl Bars {
    fn new(name: &str, runs: usize, workers: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{prefix}  {bar:24}  {pos}/{len}   {elapsed} · {msg}").expect("a valid template");
        let sweep = all.add(ProgressBar::new(runs as u64)).with_style(style).with_prefix(name.to_owned()).with_message("…");
        let line = ProgressStyle::with_template("  {wide_msg}").expect("a valid template");
        let workers = (0..workers).map(|_| all.add(ProgressBar::new_spinner()).with_style(line.clone()).with_message("starting")).collect();
        Self { sweep, workers, _all: all }
    }
}

/// A line on a terminal that counts up to `total`, with the time left.
pub(super) fn counting(what: &str, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {elapsed} so far, {eta} left").expect("a valid template");
    ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(5)).with_style(style).with_message(what.to_owned())
}

/// Does what may take a while; on a terminal a line says for how long it did so far, and how long it will where that is expected.
/// Returns the seconds that it took beside what came of it.
pub(super) fn patiently<T>(what: &str, expected: Option<f64>, work: impl FnOnce() -> T) -> (T, f64) {
    const TICK: Duration = Duration::from_millis(250);
    let start = Instant::now();
    let line = (!is_quiet()).then(|| {
        let left = move |state: &ProgressState, text: &mut dyn fmt::Write| {
            let left = expected.map(|seconds| seconds - state.elapsed().as_secs_f64());
            let _ = text.write_str(&left.map_or(String::new(), time_left));
        };
        let style =
            ProgressStyle::with_template("{spinner} {msg}, {elapsed} so far{left}").expect("a valid template").with_key("left", left);
        let line =
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4)).with_style(style).with_message(what.to_owned());
        line.enable_steady_tick(TICK);
        line
    });
    let done = work();
    line.iter().for_each(ProgressBar::finish_and_clear);
    (done, start.elapsed().as_secs_f64())
}

/// Seconds that are left of what was expected.
fn time_left(seconds: f64) -> String {
    if seconds < 0.5 { ", soon done".into() } else { format!(", about {} left", duration(seconds.round())) }
}

/// One run's end in words.
fn outcome(spec: &RunSpec, record: &RunRecord) -> String {
    let (shape, tokens) = (spec.shape.to_string(), short(spec.tokens().0));
    let what = format!("{shape:<6} {tokens} tokens  lr {:<7}  seed {:<4}", rate(spec.recipe.learning_rate), seed(spec.seeds));
    let seconds = record.wall_seconds.map_or(String::new(), |seconds| format!("  {}", duration(seconds)));
    match record.status {
        RunStatus::Finished => {
            let loss = record.loss_nats.map_or("?".into(), |loss| format!("{:.4}", loss.0));
            format!("✓ {what}  held-out {loss} nats{seconds}")
        }
        RunStatus::Failed => format!("✗ {what}  failed: {}", record.diagnosis.as_deref().unwrap_or("no reason known")),
        status => format!("✗ {what}  {status}{seconds}"),
    }
}

/// Seeds of initialisation and of data, once where they are the same.
fn seed(seeds: Seeds) -> String {
    if seeds.init == seeds.data { seeds.init.to_string() } else { format!("{}.{}", seeds.init, seeds.data) }
}
