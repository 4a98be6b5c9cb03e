//! `scalelab worker` (hidden): executes runs that come as lines of JSON on standard input.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::memory::{forget_peak, peak_mb};
use super::process::WorkerMessage;
use crate::corpus::Corpus;
use crate::spec::{CorpusSpec, Progress, RunSpec, TrainedRun};
use crate::train::{TrainDevice, train};
use anyhow::anyhow;
use clap::Args;
use std::fs;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

#[derive(Args)]
pub(super) struct WorkerArgs {
    /// Device to train on
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Stack of the training thread: gradients of deep graphs are walked recursively.
const STACK_BYTES: usize = 64 << 20;
/// Least time between two messages of progress.
const MESSAGE_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(args: &WorkerArgs) -> Outcome {
    // The driver decides when to stop; an interrupt of the terminal reaches its workers too.
    ctrlc::set_handler(|| ()).or_work()?;
    let device: TrainDevice = args.device.parse().or_input()?;
    let runs = read_runs();
    let work = move || execute_all(&runs, &device);
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(work).or_work()?;
    thread.join().map_err(|_| Failure::Work(anyhow!("the training thread panicked")))?
}

/// Reads runs on a thread of its own; when the input closes the process ends at once.
fn read_runs() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        std::process::exit(75);
    });
    receiver
}

fn execute_all(runs: &Receiver<String>, device: &TrainDevice) -> Outcome {
    let mut opened: Option<(CorpusSpec, Corpus)> = None;
    for line in runs {
        let spec: RunSpec = serde_json::from_str(&line).or_work()?;
        let message = match execute(&spec, &mut opened, device) {
            Ok(run) => WorkerMessage::Ended(Box::new(run)),
            Err(error) => WorkerMessage::Refused(format!("{error:#}")),
        };
        say(&message)?;
    }
    Ok(())
}

fn execute(spec: &RunSpec, opened: &mut Option<(CorpusSpec, Corpus)>, device: &TrainDevice) -> anyhow::Result<TrainedRun> {
    if opened.as_ref().is_none_or(|(corpus_spec, _)| *corpus_spec != spec.corpus) {
        *opened = Some((spec.corpus.clone(), Corpus::open(&spec.corpus)?));
    }
    let (_, corpus) = opened.as_ref().expect("just opened");
    anyhow::ensure!(corpus.sha256() == spec.corpus_sha256, "the corpus changed after the sweep was planned; plan again or restore it");
    let (clock, started) = (SystemTime::now(), Instant::now());
    forget_peak();
    let mut last = Instant::now();
    let mut tell = |progress: &Progress| {
        if last.elapsed() >= MESSAGE_EVERY {
            last = Instant::now();
            // A driver that is gone closes our input, which ends this process.
            let _ = say(&WorkerMessage::Moved(*progress));
        }
        ControlFlow::Continue(())
    };
    let mut run = train(spec, corpus, device, &mut tell)?;
    let seconds = started.elapsed().as_secs_f64();
    let record = &mut run.record;
    record.code_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    record.host = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    record.started_at = Some(humantime::format_rfc3339_seconds(clock).to_string());
    record.wall_seconds = Some(seconds);
    record.tokens_per_second = Some(spec.tokens().0 / seconds);
    record.peak_memory_mb = peak_mb();
    Ok(run)
}

fn say(message: &WorkerMessage) -> Outcome {
    let line = serde_json::to_string(message).or_work()?;
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).or_work()
}
