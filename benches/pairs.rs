//! The training step beside its floor and its peers, alternately in one run, so that a busy machine slows all alike.
//! The floor is the time of the matrix products of one step alone, attention in full. "flushed" is how many times as fast a step
//! is while the processor reads and writes denormals as 0: 1 where training makes none.
//!
//! `cargo bench --bench pairs` for the floor; `cargo bench --bench pairs -- --python PATH` for PyTorch too (a Python with
//! torch; it takes a minute to compile); `--workloads SMX` (X is 8x512), `--rounds 7`, `--seconds 1` to choose. Where the processor
//! multiplies in bf16, a second line is of that format: master weights and sums in f32, PyTorch by autocast.
//! Times are processor times of one thread where the system tells them (Linux), else by the clock.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use scalelab::cli::processor;
use scalelab::corpus::{Cache, Corpus};
use scalelab::spec::{
    AdamW, CorpusSpec, Device, Dtype, InitRule, ModelShape, Objective, OptimizerGroups, Recipe, RunSpec, Schedule, Seeds, Stage, Tokenizer,
};
use scalelab::train::{FlushProbe, StepProbe, start_metering, stop_metering};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const FACTS: CorpusSpec = CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 };
const SEQUENCES: usize = 16;
const CONTEXT: usize = 128;
const TOKENS: usize = SEQUENCES * CONTEXT;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned();
    let number = |name: &str, default: f64| option(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seconds) = (number("--rounds", 7.0) as usize, number("--seconds", 1.0));
    let python = option("--python");
    println!("{}", processor().unwrap_or_else(|| "a processor that the system does not name".into()));
    println!("tokens/s, median of {rounds} rounds; shares are medians of the rounds' own ratios");
    let corpus = Corpus::open(&FACTS, &Cache::quiet("")).expect("synthetic corpora open");
    for workload in option("--workloads").unwrap_or_else(|| "SML".into()).chars() {
        let (rows, floor) = measure(workload, &corpus, rounds, seconds, python.as_deref());
        println!("{workload}  floor {:.0}  attention's part of it {:.2}", median(floor.steps.clone()), floor.attention);
        rows.iter().for_each(|row| println!("  {}", row.as_text(&floor, &rows[0])));
    }
}

/// What the products of a step alone allow.
struct Floor {
    /// Tokens per second, a round each.
    steps: Vec<f64>,
    /// Seconds of attention's products in those of all, from 0 to 1.
    attention: f64,
}

/// Our step in one number format, beside PyTorch's in that format.
struct Row {
    dtype: Dtype,
    /// Tokens per second, a round each.
    steps: Vec<f64>,
    /// Seconds of attention in those of a step, from 0 to 1.
    attention: f64,
    /// How many times as fast a step is with denormals flushed.
    flushed: Vec<f64>,
    /// Modes of PyTorch with their tokens per second, a round each.
    peers: Vec<(&'static str, Vec<f64>)>,
}

impl Row {
    fn as_text(&self, floor: &Floor, exact: &Self) -> String {
        let ratio = |others: &[f64]| median(self.steps.iter().zip(others).map(|(a, b)| a / b).collect());
        let mut text = format!("{:<4}  step {:.0}  share {:.3}", self.dtype.to_string(), median(self.steps.clone()), ratio(&floor.steps));
        let of_floor = self.attention / median(self.steps.clone()) / (floor.attention / median(floor.steps.clone()));
        text += &format!("  attention {of_floor:.2} of its floor");
        if self.dtype != exact.dtype {
            text += &format!("  of f32 {:.2}", ratio(&exact.steps));
        }
        if !self.flushed.is_empty() {
            text += &format!("  flushed {:.3}", median(self.flushed.clone()));
        }
        for (mode, rates) in &self.peers {
            text += &format!("  {mode} {:.0}  ratio {:.2}", median(rates.clone()), ratio(rates));
        }
        text
    }
}

/// One workload: floor, our steps in every format that this processor multiplies in, and PyTorch's, in turn.
fn measure(workload: char, corpus: &Corpus, rounds: usize, seconds: f64, python: Option<&str>) -> (Vec<Row>, Floor) {
    let shape = shape(workload);
    let products = products(&shape);
    let formats: Vec<Dtype> = [Dtype::F32, Dtype::Bf16].into_iter().filter(|dtype| Device::Cpu.check(*dtype).is_ok()).collect();
    let specs: Vec<RunSpec> = formats.iter().map(|dtype| spec(&shape, *dtype)).collect();
    let peers = |dtype: Dtype| python.iter().flat_map(|python| Peer::all(python, workload, dtype)).collect::<Vec<Peer>>();
    let probe = |spec| StepProbe::new(spec, corpus).expect("a workload can be trained");
    let mut probes: Vec<(StepProbe<'_>, Vec<Peer>)> =
        specs.iter().zip(&formats).map(|(spec, dtype)| (probe(spec), peers(*dtype))).collect();
    let mut flushing = FlushProbe::new(&specs[0], corpus).expect("a workload can be trained");
    let row = |(dtype, (_, peers)): (&Dtype, &(StepProbe<'_>, Vec<Peer>))| Row {
        dtype: *dtype,
        steps: Vec::new(),
        attention: 0.0,
        flushed: Vec::new(),
        peers: peers.iter().map(|peer| (peer.mode, Vec::new())).collect(),
    };
    let mut rows: Vec<Row> = formats.iter().zip(&probes).map(row).collect();
    let mut floor = Floor { steps: Vec::new(), attention: 0.0 };
    for _ in 0..rounds {
        let (all, attention) = floor_seconds(&products, seconds);
        floor.steps.push(TOKENS as f64 / all);
        floor.attention = attention / all;
        for (row, (probe, peers)) in rows.iter_mut().zip(&mut probes) {
            row.steps.push(step_rate(probe, seconds));
            row.peers.iter_mut().zip(peers).for_each(|((_, rates), peer)| rates.push(peer.rate()));
        }
        rows[0].flushed.extend(flush_gain(&mut flushing, seconds));
    }
    rows.iter_mut().zip(&mut probes).for_each(|(row, (probe, _))| row.attention = attention_share(probe, seconds));
    (rows, floor)
}

/// Seconds of attention in those of a step, from 0 to 1.
fn attention_share(probe: &mut StepProbe<'_>, seconds: f64) -> f64 {
    let mut step = || _ = probe.step().expect("computes");
    let mut whole = 0.0;
    start_metering();
    while whole < seconds {
        whole += timed_by_clock(&mut step);
    }
    stop_metering().attention / whole
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of processor time of this thread.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn now() -> f64 {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    const THREAD_PROCESSOR_TIME: i32 = 3;
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: the C library's function of this name on 64-bit Linux has this signature and fills the struct.
    let failed = unsafe { clock_gettime(THREAD_PROCESSOR_TIME, &raw mut time) };
    assert_eq!(failed, 0, "every thread has a processor clock");
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

/// Seconds by the clock.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[expect(clippy::disallowed_methods, reason = "a benchmark is made of clocks")]
fn now() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

/// Seconds by the clock, as parts of a step are metered.
#[expect(clippy::disallowed_methods, reason = "a benchmark is made of clocks")]
fn timed_by_clock(work: &mut dyn FnMut()) -> f64 {
    let start = std::time::Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn shape(workload: char) -> ModelShape {
    let (layers, width, heads, ffn) = match workload {
        'S' => (2, 64, 2, 176),
        'M' => (4, 128, 4, 344),
        'L' => (6, 256, 4, 688),
        'X' => (8, 512, 8, 1376),
        other => panic!("{other} is not one of S, M, L, X"),
    };
    ModelShape { layers, width, heads, kv_heads: heads, ffn, vocabulary: 256, context: CONTEXT, qk_norm: false, tied_head: false }
}

/// The run whose steps are timed.
fn spec(shape: &ModelShape, dtype: Dtype) -> RunSpec {
    let recipe = Recipe {
        learning_rate: 1e-3,
        batch_tokens: TOKENS as u64,
        schedule: Schedule::Constant {},
        warmup_tokens: 0,
        adamw: AdamW::default(),
        groups: OptimizerGroups::default(),
        grad_clip: 1.0,
        dtype,
    };
    RunSpec {
        sweep: "bench".into(),
        shape: shape.clone(),
        init: InitRule::Standard,
        corpus: FACTS,
        corpus_sha256: String::new(),
        tokenizer: Tokenizer::default(),
        unique_tokens: None,
        mixture: Vec::new(),
        stage: Stage::PreTraining,
        objective: Objective::Causal,
        recipe,
        steps: 1_000_000,
        seeds: Seeds { init: 0, data: 0, eval: 0 },
        eval_windows: 1,
        noise_scale_every: 0,
        eval_every: 0,
        budget_flops: None,
        budget_rule: None,
    }
}

/// Seconds that some work takes.
fn timed(work: &mut dyn FnMut()) -> f64 {
    let start = now();
    work();
    now() - start
}

/// Tokens per second of whole steps: median over steps, the first few left out.
fn step_rate(probe: &mut StepProbe<'_>, seconds: f64) -> f64 {
    let mut step = || _ = probe.step().expect("computes");
    (0..2).for_each(|_| step());
    let (mut times, end) = (Vec::new(), now() + seconds);
    while times.len() < 3 || now() < end {
        times.push(timed(&mut step));
    }
    TOKENS as f64 / median(times)
}

/// How many times as fast a step is while the processor flushes denormals: median over rounds of steps in turn. `None` where the
/// processor cannot be told to.
fn flush_gain(probe: &mut FlushProbe<'_>, seconds: f64) -> Option<f64> {
    let (mut gains, end) = (Vec::new(), now() + seconds);
    while gains.len() < 3 || now() < end {
        let [plain, flushed] = probe.times(timed)?.expect("computes");
        gains.push(plain / flushed);
    }
    Some(median(gains))
}

/// A product [m, k]·[k, n] of a step and how often it happens. Strides (row, column) are those that training has.
struct Product {
    count: usize,
    m: usize,
    n: usize,
    k: usize,
    dst: usize,
    a: [isize; 2],
    b: [isize; 2],
    of_attention: bool,
}

/// Every matrix product of one step, forward and backward.
fn products(shape: &ModelShape) -> Vec<Product> {
    let ModelShape { layers, width, heads, ffn, vocabulary, .. } = *shape;
    let mut list = Vec::new();
    let linears =
        [(layers, width, 3 * width), (layers, width, width), (layers, width, 2 * ffn), (layers, ffn, width), (1, width, vocabulary)];
    for (count, input, output) in linears {
        let (i, o) = (input as isize, output as isize);
        list.push(Product { count, m: TOKENS, n: output, k: input, dst: output, a: [i, 1], b: [1, i], of_attention: false });
        list.push(Product { count, m: TOKENS, n: input, k: output, dst: input, a: [o, 1], b: [i, 1], of_attention: false });
        list.push(Product { count, m: output, n: input, k: TOKENS, dst: input, a: [1, o], b: [i, 1], of_attention: false });
    }
    let (count, h, stride, t) = (layers * heads * SEQUENCES, width / heads, 3 * width as isize, CONTEXT as isize);
    for _ in 0..2 {
        // Scores and gradient of weights; then the four products of weights with rows of a head.
        list.push(Product { count, m: CONTEXT, n: CONTEXT, k: h, dst: CONTEXT, a: [stride, 1], b: [1, stride], of_attention: true });
        list.push(Product { count, m: CONTEXT, n: h, k: CONTEXT, dst: 3 * width, a: [t, 1], b: [stride, 1], of_attention: true });
        list.push(Product { count, m: CONTEXT, n: h, k: CONTEXT, dst: 3 * width, a: [1, t], b: [stride, 1], of_attention: true });
    }
    list
}

/// Seconds of a step if it were its products alone, and of those of attention.
fn floor_seconds(products: &[Product], seconds: f64) -> (f64, f64) {
    let buffer = || (0..TOKENS * 2800).map(|i| (i * 7919 % 1000) as f32 * 1e-3 - 0.5).collect::<Vec<f32>>();
    let (mut dst, a, b) = (buffer(), buffer(), buffer());
    let run = |product: &Product, dst: &mut [f32]| {
        let Product { m, n, k, dst: stride, a: [a_row, a_column], b: [b_row, b_column], .. } = *product;
        assert!((m - 1) * stride + n <= dst.len());
        // SAFETY: all three matrices have at most TOKENS rows or columns of at most 2752 numbers, in buffers of TOKENS·2800.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                dst.as_mut_ptr(),
                1,
                stride as isize,
                false,
                a.as_ptr(),
                a_column,
                a_row,
                b.as_ptr(),
                b_column,
                b_row,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    };
    let (mut step, mut attention) = (0.0, 0.0);
    for product in products {
        let flops = 2.0 * (product.m * product.n * product.k) as f64;
        let repeats = (2e11 * seconds / 60.0 / flops).ceil() as usize;
        let times = (0..3).map(|_| {
            let start = now();
            (0..repeats).for_each(|_| run(product, &mut dst));
            (now() - start) / repeats as f64
        });
        let time = median(times.collect()) * product.count as f64;
        step += time;
        attention += if product.of_attention { time } else { 0.0 };
    }
    (step, attention)
}

/// PyTorch in a process of its own, which measures whenever it is asked.
struct Peer {
    mode: &'static str,
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Eager and compiled.
    fn all(python: &str, workload: char, dtype: Dtype) -> Vec<Self> {
        ["eager", "compile"].map(|mode| Self::start(python, mode, workload, dtype)).into()
    }

    fn start(python: &str, mode: &'static str, workload: char, dtype: Dtype) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/torch_step.py");
        let dtype = dtype.to_string();
        let arguments = [script, mode, &workload.to_string(), "--on-request", "--dtype", &dtype];
        let mut process =
            Command::new(python).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the Python given starts");
        let (ask, answers) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        Self { mode, process, ask, answers: BufReader::new(answers) }
    }

    /// Tokens per second.
    fn rate(&mut self) -> f64 {
        writeln!(self.ask).expect("the peer lives");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer answers");
        line.trim().parse().expect("the peer answers with a rate")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
