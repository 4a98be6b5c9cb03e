//! `scalelab worker` (hidden): executes runs that come as lines of JSON on standard input. It keeps the state of
//! its run now and then, and begins where a state allows it to.

use super::failure::{Failure, OrWork, Outcome};
use super::machine::{gpu_driver, host};
use super::memory::{forget_peak, peak_mb};
use super::preparing::open_quietly;
use super::process::{Job, WorkerMessage};
use super::signals::on_request;
use crate::corpus::Corpus;
use crate::results::{StoredCheckpoint, SweepFolder};
use crate::spec::{BaseRun, CorpusSpec, Device, ModelShape, Progress, Start, TrainedRun};
use crate::train::{Action, Checkpoint, TrainError, TrainingObserver, Weights, train_from_base};
use anyhow::{Context, anyhow};
use clap::Args;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

#[derive(Args)]
pub(super) struct WorkerArgs {
    /// Device to train on
    #[arg(long, default_value = "cpu")]
    device: Device,
}

/// Stack of the training thread: gradients of deep graphs are walked recursively.
const STACK_BYTES: usize = 64 << 20;
/// Least time between two messages of progress.
const MESSAGE_EVERY: Duration = Duration::from_millis(100);
/// How long a worker that was asked to end may take to its next step; it then ends without its latest state.
const GRACE: Duration = Duration::from_secs(20);
/// Exit code of who was interrupted and can go on.
const INTERRUPTED: i32 = 75;

/// Set when the driver closed our input or somebody asked us to end.
static STOP: AtomicBool = AtomicBool::new(false);

pub(super) fn run(args: &WorkerArgs) -> Outcome {
    on_request(stop)?;
    let device = args.device;
    let jobs = read_jobs();
    let work = move || execute_all(&jobs, &device);
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(work).or_work()?;
    thread.join().map_err(|_| Failure::Work(anyhow!("the training thread panicked")))?
}

/// Asks the run to keep its state and end.
fn stop() {
    if !STOP.swap(true, Ordering::SeqCst) {
        thread::spawn(|| {
            thread::sleep(GRACE);
            std::process::exit(INTERRUPTED);
        });
    }
}

/// Reads jobs on a thread of its own; when the input closes, the run is to end.
fn read_jobs() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        stop();
    });
    receiver
}

fn execute_all(jobs: &Receiver<String>, device: &Device) -> Outcome {
    let mut opened: Opened = None;
    for line in jobs {
        if STOP.load(Ordering::SeqCst) {
            break;
        }
        let job: Job = serde_json::from_str(&line).or_work()?;
        let message = match execute(&job, &mut opened, device) {
            Ok(run) => WorkerMessage::Ended(Box::new(run)),
            Err(error) if error.downcast_ref().is_some_and(|error| matches!(error, TrainError::Interrupted { .. })) => break,
            Err(error) => WorkerMessage::Refused(format!("{error:#}")),
        };
        say(&message)?;
    }
    std::process::exit(INTERRUPTED)
}

/// The corpus that is open, what it was opened by, and what the base of its pairs was trained on.
type Opened = Option<(CorpusSpec, Option<CorpusSpec>, Corpus)>;

fn execute(job: &Job, opened: &mut Opened, device: &Device) -> anyhow::Result<TrainedRun> {
    let spec = &job.spec;
    let fine_tuning = spec.stage.fine_tuning();
    let base = fine_tuning.map(|it| &it.base.corpus);
    if opened.as_ref().is_none_or(|(of_spec, of_base, _)| *of_spec != spec.corpus || of_base.as_ref() != base) {
        *opened = Some((spec.corpus.clone(), base.cloned(), open_quietly(&spec.corpus, base)?));
    }
    let (_, _, corpus) = opened.as_ref().expect("just opened");
    let tokenizer = corpus.tokenizer().name;
    anyhow::ensure!(
        tokenizer == spec.tokenizer.name,
        "the tokenizer is {tokenizer}, the sweep was planned with {}; plan again or restore it",
        spec.tokenizer.name
    );
    anyhow::ensure!(corpus.sha256() == spec.corpus_sha256, "the corpus changed after the sweep was planned; plan again or restore it");
    let weights = fine_tuning.filter(|it| it.start == Start::Base).map(|it| base_weights(&it.base, &spec.shape)).transpose()?;
    let clock = SystemTime::now();
    forget_peak();
    let mut keeper = Checkpointer::new(job);
    let start = latest_state(job, &keeper.folder, device);
    let (own_from, seconds_before) = start.as_ref().map_or((0, 0.0), |state| (state.own_from, state.seconds));
    let mut run = train_from_base(start, weights.as_ref(), spec, corpus, device, &mut keeper)?;
    let seconds = seconds_before + keeper.seconds();
    let record = &mut run.record;
    record.code_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    record.host = host();
    record.started_at = Some(humantime::format_rfc3339_seconds(clock).to_string());
    record.wall_seconds = Some(seconds);
    record.tokens_per_second = Some(((spec.steps - own_from) * spec.recipe.batch_tokens) as f64 / seconds);
    record.peak_memory_mb = peak_mb();
    if let (Some(name), Some(driver)) = (&mut record.device, driver(*device)) {
        let _ = write!(name, ", driver {driver}");
    }
    Ok(run)
}

/// The weights that a base ended with.
fn base_weights(base: &BaseRun, shape: &ModelShape) -> anyhow::Result<Weights> {
    let BaseRun { results, run_id, .. } = base;
    let bytes = SweepFolder::at(results).read_weights(run_id)?;
    let bytes = bytes
        .ok_or_else(|| anyhow!("the weights of the base {run_id} are gone from {results}/weights; plan again for how they are made"))?;
    Weights::read(&bytes, shape).with_context(|| format!("the weights of the base {run_id} in {results}/weights cannot be used"))
}

/// Version of the driver of the GPU that this worker is shown; asked for once.
fn driver(device: Device) -> Option<&'static str> {
    static DRIVER: OnceLock<Option<String>> = OnceLock::new();
    let shown = || std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_else(|_| "0".into());
    matches!(device, Device::Cuda(_)).then(|| DRIVER.get_or_init(|| gpu_driver(&shown())).as_deref()).flatten()
}

/// The latest state that the run can go on from, its own or of its trunk; what is damaged is named and passed over.
fn latest_state(job: &Job, folder: &SweepFolder, device: &Device) -> Option<Checkpoint> {
    let branch_step = job.spec.branch_step().unwrap_or(0);
    let mut stored: Vec<StoredCheckpoint> = folder.states(&job.spec.id().0);
    if let Some(trunk_id) = &job.trunk_id {
        stored.extend(folder.states(trunk_id).into_iter().filter(|state| state.step <= branch_step));
    }
    stored.sort_by_key(|state| std::cmp::Reverse(state.step));
    for state in stored {
        let path = state.path.display();
        let problem = match folder.read_checkpoint(&state) {
            Ok(None) => continue,
            Ok(Some(bytes)) => match Checkpoint::read(&bytes, &job.spec, device) {
                Ok(checkpoint) => return Some(checkpoint),
                Err(error) => format!("checkpoint {path} is not used: {error}"),
            },
            Err(error) => format!("a checkpoint is not used: {error}"),
        };
        let _ = say(&WorkerMessage::Remark(problem));
    }
    None
}

/// Tells the driver how the run moves on, and keeps its state.
struct Checkpointer<'a> {
    job: &'a Job,
    run_id: String,
    folder: SweepFolder,
    checkpoint_every: Duration,
    started: Instant,
    told: Instant,
    kept: Instant,
    trouble_told: bool,
}

impl<'a> Checkpointer<'a> {
    fn new(job: &'a Job) -> Self {
        let now = Instant::now();
        Self {
            job,
            run_id: job.spec.id().0,
            folder: SweepFolder::at(&job.folder),
            checkpoint_every: Duration::try_from_secs_f64(job.checkpoint_seconds).unwrap_or(Duration::MAX),
            started: now,
            told: now,
            kept: now,
            trouble_told: false,
        }
    }

    /// A state that cannot be kept costs time when the run is interrupted, and no result: it is said once.
    fn tell_trouble(&mut self, problem: &dyn std::fmt::Display) {
        if !self.trouble_told {
            self.trouble_told = true;
            let _ = say(&WorkerMessage::Remark(format!("a checkpoint cannot be written, the run continues without: {problem}")));
        }
    }
}

impl TrainingObserver for Checkpointer<'_> {
    fn wants_weights(&self) -> bool {
        self.job.keep_weights
    }

    fn weights(&mut self, file: Vec<u8>) {
        if let Err(error) = self.folder.keep_weights(&self.run_id, &file) {
            let problem = format!("its weights cannot be kept, its result is: {error}; `scalelab sweep GRID --retry weights` tries again");
            let _ = say(&WorkerMessage::Remark(problem));
        }
    }

    fn after_step(&mut self, progress: &Progress) -> Action {
        if STOP.load(Ordering::SeqCst) {
            return Action::CheckpointAndStop;
        }
        if self.told.elapsed() >= MESSAGE_EVERY {
            self.told = Instant::now();
            // A driver that is gone closes our input, which asks us to end.
            let _ = say(&WorkerMessage::Moved(*progress));
        }
        let due = self.kept.elapsed() >= self.checkpoint_every && progress.step < progress.steps;
        if due || self.job.branch_points.contains(&progress.step) { Action::Checkpoint } else { Action::Continue }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn checkpoint(&mut self, step: u64, state: Vec<u8>) {
        let trunk_id = self.job.trunk_id.as_ref().filter(|_| self.job.branch_points.contains(&step));
        let written = match trunk_id {
            Some(trunk_id) => self.folder.keep_branch_point(trunk_id, step, &state).map(|()| {
                let _ = say(&WorkerMessage::BranchPoint(step));
            }),
            None => self.folder.checkpoint(&self.run_id, step, &state),
        };
        self.kept = Instant::now();
        if let Err(error) = written {
            self.tell_trouble(&error);
        }
    }
}

fn say(message: &WorkerMessage) -> Outcome {
    let line = serde_json::to_string(message).or_work()?;
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).or_work()
}
