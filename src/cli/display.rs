//! What a person sees while a sweep runs: a line for the sweep and one for each worker, or plain
//! lines where standard error is no terminal.

use super::loss_trace::LossTrace;
use super::text::duration;
use crate::results::RunningRun;
use crate::spec::{Progress, RunRecord, RunSpec, RunStatus};
use crate::sweep::{Advance, LabEvent, PlannedRun, Task, predicted_wall, predicted_work};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Shows the events of a lab.
pub(super) struct Display {
    state: Mutex<State>,
    bars: Option<Bars>,
    workers: usize,
}

struct State {
    started: Instant,
    /// Predicted seconds of the runs that no worker took yet.
    waiting: f64,
    running: Vec<Option<Running>>,
    /// Predicted seconds of the runs that ended.
    predicted_done: f64,
    ended: usize,
    total: usize,
    last_plain_line: Instant,
}

struct Running {
    id: String,
    predicted: f64,
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
    pub(super) fn new(runs: &[&PlannedRun], workers: usize) -> Self {
        let state = State {
            started: Instant::now(),
            waiting: predicted_work(runs),
            running: (0..workers).map(|_| None).collect(),
            predicted_done: 0.0,
            ended: 0,
            total: runs.len(),
            last_plain_line: Instant::now(),
        };
        let bars = std::io::stderr().is_terminal().then(|| Bars::new(runs.len(), workers));
        eprintln!("{} runs on {workers} workers, about {}", runs.len(), duration(predicted_wall(runs, workers)));
        Self { state: Mutex::new(state), bars, workers }
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
        (running.collect(), state.time_left(self.workers))
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
            bars.sweep.set_message(format!("{} left", duration(state.time_left(self.workers))));
        } else if state.last_plain_line.elapsed().as_secs_f64() > PLAIN_EVERY {
            state.last_plain_line = Instant::now();
            eprintln!("[{}/{}] {text}; {} left", state.ended, state.total, duration(state.time_left(self.workers)));
        }
    }

    fn ended(&self, state: &State, worker: usize, run: &PlannedRun, record: &RunRecord) {
        let line =
            format!("[{}/{}] {}; {} left", state.ended, state.total, outcome(&run.spec, record), duration(state.time_left(self.workers)));
        if let Some(bars) = &self.bars {
            bars.workers[worker].set_message("waiting");
            bars.sweep.set_position(state.ended as u64);
        }
        self.say(line);
    }

    fn say(&self, line: String) {
        match &self.bars {
            Some(bars) => bars.sweep.println(line),
            None => eprintln!("{line}"),
        }
    }
}

impl State {
    fn start(&mut self, worker: usize, task: &Task<'_>) {
        let predicted = task.predicted_seconds;
        self.waiting = (self.waiting - predicted).max(0.0);
        let spec = &task.run.spec;
        self.running[worker] = Some(Running {
            id: task.run.id.clone(),
            predicted,
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
        let rate = running.tokens_per_second().map_or("starting".into(), |rate| format!("{:.1}k tokens/s", rate / 1e3));
        let loss = progress.train_loss_nats.map_or("train loss not finite".to_owned(), |loss| format!("train loss {loss:.3}"));
        format!("{} {:>3.0} %  {loss}  {rate}", running.id, 100.0 * running.step as f64 / running.steps as f64)
    }

    fn end(&mut self, worker: usize) {
        self.predicted_done += self.running[worker].take().map_or(0.0, |run| run.predicted);
        self.ended += 1;
    }

    /// Seconds that are left, by how the work done so far compared with its prediction.
    fn time_left(&self, workers: usize) -> f64 {
        let running = self.running.iter().flatten().map(|run| (run.predicted, run.share())).collect();
        let elapsed = self.started.elapsed().as_secs_f64();
        Advance { waiting: self.waiting, running, ended: self.predicted_done, elapsed, workers }.time_left()
    }
}

impl Running {
    /// The part that is done of what this worker took on: of the steps since its first message where it went on from a state.
    fn share(&self) -> f64 {
        let first = self.first.map_or(self.step, |(step, _)| step);
        (self.step - first) as f64 / (self.steps - first).max(1) as f64
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
    fn new(runs: usize, workers: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed} so far, {msg}").expect("a valid template");
        let sweep = all.add(ProgressBar::new(runs as u64)).with_style(style).with_message("…");
        let line = ProgressStyle::with_template("  {spinner} {wide_msg}").expect("a valid template");
        let workers = (0..workers).map(|_| all.add(ProgressBar::new_spinner()).with_style(line.clone()).with_message("starting")).collect();
        Self { sweep, workers, _all: all }
    }
}

/// A line on a terminal that counts up to `total`, with the time left.
pub(super) fn counting(what: &str, total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {elapsed} so far, {eta} left").expect("a valid template");
    ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(5)).with_style(style).with_message(what.to_owned())
}

/// One run's end in words.
fn outcome(spec: &RunSpec, record: &RunRecord) -> String {
    let what = format!("{} D={} lr={}", spec.shape, spec.tokens(), spec.recipe.learning_rate);
    let seconds = record.wall_seconds.map_or(String::new(), |seconds| format!(" in {}", duration(seconds)));
    match record.status {
        RunStatus::Finished => {
            let loss = record.loss_nats.map_or("?".into(), |loss| loss.to_string());
            let rate = record.tokens_per_second.map_or(String::new(), |rate| format!(", {:.1}k tokens/s", rate / 1e3));
            format!("{what}: loss {loss} nats{seconds}{rate}")
        }
        RunStatus::Failed => format!("{what}: FAILED: {}", record.diagnosis.as_deref().unwrap_or("no reason known")),
        status => format!("{what}: {status}{seconds}"),
    }
}
