//! Worker processes: one run each, one thread each. The driver writes a run as one line of JSON to a
//! worker's standard input and reads progress and result, a line each, from its standard output. A
//! worker whose input closes ends itself, so none outlives its driver.

use crate::spec::{Progress, RunSpec, TrainedRun};
use crate::sweep::{RunFailure, Trainer};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WorkerMessage {
    /// A step was made.
    Moved(Progress),
    /// The run ended.
    Ended(Box<TrainedRun>),
    /// The run cannot be executed.
    Refused(String),
}

/// Executes runs in worker processes of this program, one a slot, started when first needed.
pub(super) struct ProcessTrainer {
    device: String,
    slots: Vec<Mutex<Option<Worker>>>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last_words: JoinHandle<()>,
    heard: Arc<Mutex<VecDeque<String>>>,
}

impl ProcessTrainer {
    pub(super) fn new(device: &str, workers: usize) -> Self {
        Self { device: device.to_owned(), slots: (0..workers).map(|_| Mutex::new(None)).collect() }
    }
}

impl Trainer for ProcessTrainer {
    fn train(
        &self,
        worker: usize,
        spec: &RunSpec,
        observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<TrainedRun, RunFailure> {
        let mut slot = self.slots[worker].lock().unwrap_or_else(PoisonError::into_inner);
        let mut process = match slot.take() {
            Some(process) => process,
            None => Worker::start(&self.device).map_err(|error| RunFailure::Failed(format!("no worker could be started: {error}")))?,
        };
        let line = serde_json::to_string(spec).map_err(|error| RunFailure::Failed(error.to_string()))?;
        // A worker that is gone cannot be written to; its end is then read below.
        let _ = writeln!(process.input, "{line}").and_then(|()| process.input.flush());
        let mut text = String::new();
        loop {
            text.clear();
            match process.output.read_line(&mut text) {
                Ok(0) | Err(_) => return Err(RunFailure::Failed(process.epitaph())),
                Ok(_) => {}
            }
            match serde_json::from_str(&text) {
                Ok(WorkerMessage::Moved(progress)) => {
                    if observer(&progress).is_break() {
                        process.end();
                        return Err(RunFailure::Interrupted);
                    }
                }
                Ok(WorkerMessage::Ended(run)) => {
                    *slot = Some(process);
                    return Ok(*run);
                }
                Ok(WorkerMessage::Refused(reason)) => {
                    *slot = Some(process);
                    return Err(RunFailure::Failed(reason));
                }
                Err(error) => {
                    process.end();
                    return Err(RunFailure::Failed(format!("the worker said what is no message: {error}")));
                }
            }
        }
    }
}

impl Worker {
    fn start(device: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["worker", "--device", device])
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
        let last_words = listen(errors, Arc::clone(&heard));
        Ok(Self { child, input, output, last_words, heard })
    }

    /// Kills the process and waits for it.
    fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How a worker that closed its output ended, with its last words.
    fn epitaph(mut self) -> String {
        let _ = self.child.kill();
        let ended = self.child.wait().map_or_else(|error| error.to_string(), |status| describe(&status));
        let _ = self.last_words.join();
        let words: Vec<String> = self.heard.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if words.is_empty() { format!("its worker {ended}") } else { format!("its worker {ended}: {}", words.join(" / ")) }
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
