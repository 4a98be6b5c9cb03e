//! Worker processes: one run each, one thread each. The driver writes a run as one line of JSON to a
//! worker's standard input and reads progress and result, a line each, from its standard output. A worker
//! whose input closes keeps its state and ends itself, so none outlives its driver.

use super::program;
use crate::results::SweepFolder;
use crate::spec::{Progress, RunSpec, TrainedRun};
use crate::sweep::{News, RunFailure, RunSettings, Slot, Task, Trainer};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a worker is told to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Everything that determines the result of the run.
    pub(super) spec: RunSpec,
    /// The trunk whose states it may begin from, and leaves some for.
    pub(super) trunk_id: Option<String>,
    /// Steps after which its state is wanted for others.
    pub(super) branch_points: Vec<u64>,
    /// Folder of the sweep.
    pub(super) folder: PathBuf,
    /// Seconds between two states of its own.
    pub(super) checkpoint_seconds: f64,
    /// Whether its final weights are kept.
    pub(super) keep_weights: bool,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WorkerMessage {
    /// A step was made.
    Moved(Progress),
    /// The state after this step is on disk for others.
    BranchPoint(u64),
    /// Something that a person should know.
    Remark(String),
    /// The run ended.
    Ended(Box<TrainedRun>),
    /// The run cannot be executed.
    Refused(String),
}

/// Executes runs in worker processes of this program, one a slot, started when first needed.
pub(super) struct ProcessTrainer {
    folder: PathBuf,
    checkpoint_seconds: f64,
    keep_weights: bool,
    slots: Vec<(Slot, Mutex<Option<Worker>>)>,
}

struct Worker {
    child: Child,
    /// Closed to ask it to keep its state and end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    stderr_reader: JoinHandle<()>,
    heard: Arc<Mutex<VecDeque<String>>>,
}

impl ProcessTrainer {
    pub(super) fn new(slots: Vec<Slot>, folder: &SweepFolder, settings: &RunSettings) -> Self {
        let RunSettings { checkpoint_seconds, keep_weights, .. } = *settings;
        let slots = slots.into_iter().map(|slot| (slot, Mutex::new(None))).collect();
        Self { folder: folder.path.clone(), checkpoint_seconds, keep_weights, slots }
    }

    fn job(&self, task: &Task<'_>) -> Job {
        Job {
            spec: task.run.spec.clone(),
            trunk_id: task.run.branch.as_ref().map(|branch| branch.trunk_id.clone()),
            branch_points: task.branch_points.clone(),
            folder: self.folder.clone(),
            checkpoint_seconds: self.checkpoint_seconds,
            keep_weights: self.keep_weights,
        }
    }
}

impl Trainer for ProcessTrainer {
    fn train(&self, worker: usize, task: &Task<'_>, observer: &mut dyn FnMut(News) -> ControlFlow<()>) -> Result<TrainedRun, RunFailure> {
        let (slot, process) = &self.slots[worker];
        let mut place = process.lock().unwrap_or_else(PoisonError::into_inner);
        let mut process = match place.take() {
            Some(process) => process,
            None => Worker::start(slot).map_err(|error| RunFailure::Failed(format!("no worker could be started: {error}")))?,
        };
        let line = serde_json::to_string(&self.job(task)).map_err(|error| RunFailure::Failed(error.to_string()))?;
        process.send(&line);
        let mut text = String::new();
        loop {
            text.clear();
            match process.output.read_line(&mut text) {
                Ok(0) | Err(_) if process.input.is_none() => {
                    process.end();
                    return Err(RunFailure::Interrupted);
                }
                Ok(0) | Err(_) => return Err(process.exit_reason()),
                Ok(_) => {}
            }
            let news = match serde_json::from_str(&text) {
                Ok(WorkerMessage::Moved(progress)) => News::Moved(progress),
                Ok(WorkerMessage::BranchPoint(step)) => News::BranchPoint(step),
                Ok(WorkerMessage::Remark(text)) => News::Remark(text),
                Ok(WorkerMessage::Ended(run)) => {
                    *place = Some(process);
                    return Ok(*run);
                }
                Ok(WorkerMessage::Refused(reason)) => {
                    *place = Some(process);
                    return Err(RunFailure::Failed(reason));
                }
                Err(error) => {
                    process.end();
                    return Err(RunFailure::Failed(format!("the worker sent an invalid message: {error}")));
                }
            };
            if observer(news).is_break() {
                process.input = None;
            }
        }
    }
}

impl Worker {
    fn start(slot: &Slot) -> io::Result<Self> {
        let mut child = program::command()?
            .args(["worker", "--device", &slot.device.to_string()])
            .envs(slot.visible.iter().map(|number| ("CUDA_VISIBLE_DEVICES", number)))
            // One run is one thread: parallelism is packing runs onto cores.
            .envs([("RAYON_NUM_THREADS", "1"), ("CANDLE_NUM_THREADS", "1"), ("RUST_BACKTRACE", "0")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("a pipe of the worker is missing");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let errors = child.stderr.take().ok_or_else(missing)?;
        let heard = Arc::new(Mutex::new(VecDeque::new()));
        let stderr_reader = listen(errors, Arc::clone(&heard));
        Ok(Self { child, input: Some(input), output, stderr_reader, heard })
    }

    /// Tells it something. One that is gone cannot be told; its end is then read from its output.
    fn send(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }

    /// Kills the process and waits for it.
    fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How a worker that closed its output ended, with its last words. One that was killed or asked to end by somebody
    /// else is lost; one that gave up by itself would do so again.
    fn exit_reason(mut self) -> RunFailure {
        // It ends by itself now; a moment later it is made to.
        thread::sleep(Duration::from_millis(50));
        let _ = self.child.kill();
        let status = self.child.wait();
        let ended = status.as_ref().map_or_else(ToString::to_string, describe);
        let _ = self.stderr_reader.join();
        let words: Vec<String> = self.heard.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let text = if words.is_empty() { format!("its worker {ended}") } else { format!("its worker {ended}: {}", words.join(" / ")) };
        let lost = status.is_ok_and(|status| matches!(status.code(), None | Some(75)));
        if lost { RunFailure::Lost(text) } else { RunFailure::Failed(text) }
    }
}

/// Keeps the last lines that a worker writes to standard error.
fn listen(errors: ChildStderr, heard: Arc<Mutex<VecDeque<String>>>) -> JoinHandle<()> {
    const KEPT: usize = 5;
    thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push_back(line);
            if heard.len() > KEPT {
                heard.pop_front();
            }
        }
    })
}

fn describe(status: &ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("was killed by signal {signal}");
        }
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with exit code {code}"))
}
