//! The training step beside its floor and its peers, alternately in one run, so that a busy machine slows all alike.
//! The floor is the time of the matrix products of one step alone, attention in full. "flushed" is how many times as fast a step
//! is while the processor reads and writes denormals as 0: 1 where training makes none.
//!
//! `cargo bench --bench pairs` for the floor; `cargo bench --bench pairs -- --python PATH` for PyTorch too (a Python with
//! torch; it takes a minute to compile); `--workloads SM`, `--rounds 7`, `--seconds 1` to choose.
//! Times are processor times of one thread where the system tells them (Linux), else by the clock.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use scalelab::cli::processor;
use scalelab::corpus::{Cache, Corpus};
use scalelab::spec::{AdamW, CorpusSpec, Dtype, InitRule, ModelShape, OptimizerGroups, Recipe, RunSpec, Schedule, Seeds, Tokenizer};
use scalelab::train::{FlushProbe, StepProbe};
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
        let shape = shape(workload);
        let products = products(&shape);
        let mut peers: Vec<Peer> =
            python.iter().flat_map(|python| ["eager", "compile"].map(|mode| Peer::start(python, mode, workload))).collect();
        let spec = spec(&shape);
        let mut probe = StepProbe::new(&spec, &corpus).expect("a workload can be trained");
        let mut flushing = FlushProbe::new(&spec, &corpus).expect("a workload can be trained");
        let (mut floor, mut steps, mut of_peers) = (Vec::new(), Vec::new(), vec![Vec::new(); peers.len()]);
        let mut gains = Vec::new();
        for _ in 0..rounds {
            floor.push(floor_rate(&products, seconds));
            steps.push(step_rate(&mut probe, seconds));
            gains.extend(flush_gain(&mut flushing, seconds));
            peers.iter_mut().zip(&mut of_peers).for_each(|(peer, rates)| rates.push(peer.rate()));
        }
        let ratio = |others: &[f64]| median(steps.iter().zip(others).map(|(a, b)| a / b).collect());
        print!("{workload}  step {:.0}  floor {:.0}  share {:.3}", median(steps.clone()), median(floor.clone()), ratio(&floor));
        if !gains.is_empty() {
            print!("  flushed {:.3}", median(gains));
        }
        for (mode, rates) in ["eager", "compile"].iter().zip(&of_peers) {
            print!("  {mode} {:.0}  ratio {:.2}", median(rates.clone()), ratio(rates));
        }
        println!();
    }
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

fn shape(workload: char) -> ModelShape {
    let (layers, width, heads, ffn) = match workload {
        'S' => (2, 64, 2, 176),
        'M' => (4, 128, 4, 344),
        'L' => (6, 256, 4, 688),
        other => panic!("{other} is not one of S, M, L"),
    };
    ModelShape { layers, width, heads, kv_heads: heads, ffn, vocabulary: 256, context: CONTEXT, qk_norm: false, tied_head: false }
}

/// The run whose steps are timed.
fn spec(shape: &ModelShape) -> RunSpec {
    let recipe = Recipe {
        learning_rate: 1e-3,
        batch_tokens: TOKENS as u64,
        schedule: Schedule::Constant {},
        warmup_tokens: 0,
        adamw: AdamW::default(),
        groups: OptimizerGroups::default(),
        grad_clip: 1.0,
        dtype: Dtype::F32,
    };
    RunSpec {
        sweep: "bench".into(),
        shape: shape.clone(),
        init: InitRule::Standard,
        corpus: FACTS,
        corpus_sha256: String::new(),
        tokenizer: Tokenizer::default(),
        unique_tokens: None,
        recipe,
        steps: 1_000_000,
        seeds: Seeds { init: 0, data: 0, eval: 0 },
        eval_windows: 1,
        noise_scale_every: 0,
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
}

/// Every matrix product of one step, forward and backward.
fn products(shape: &ModelShape) -> Vec<Product> {
    let ModelShape { layers, width, heads, ffn, vocabulary, .. } = *shape;
    let mut list = Vec::new();
    let linears =
        [(layers, width, 3 * width), (layers, width, width), (layers, width, 2 * ffn), (layers, ffn, width), (1, width, vocabulary)];
    for (count, input, output) in linears {
        let (i, o) = (input as isize, output as isize);
        list.push(Product { count, m: TOKENS, n: output, k: input, dst: output, a: [i, 1], b: [1, i] });
        list.push(Product { count, m: TOKENS, n: input, k: output, dst: input, a: [o, 1], b: [i, 1] });
        list.push(Product { count, m: output, n: input, k: TOKENS, dst: input, a: [1, o], b: [i, 1] });
    }
    let (count, h, stride, t) = (layers * heads * SEQUENCES, width / heads, 3 * width as isize, CONTEXT as isize);
    for _ in 0..2 {
        // Scores and gradient of weights; then the four products of weights with rows of a head.
        list.push(Product { count, m: CONTEXT, n: CONTEXT, k: h, dst: CONTEXT, a: [stride, 1], b: [1, stride] });
        list.push(Product { count, m: CONTEXT, n: h, k: CONTEXT, dst: 3 * width, a: [t, 1], b: [stride, 1] });
        list.push(Product { count, m: CONTEXT, n: h, k: CONTEXT, dst: 3 * width, a: [1, t], b: [stride, 1] });
    }
    list
}

/// Tokens per second if a step were its products alone.
fn floor_rate(products: &[Product], seconds: f64) -> f64 {
    let buffer = || (0..TOKENS * 1400).map(|i| (i * 7919 % 1000) as f32 * 1e-3 - 0.5).collect::<Vec<f32>>();
    let (mut dst, a, b) = (buffer(), buffer(), buffer());
    let run = |product: &Product, dst: &mut [f32]| {
        let Product { m, n, k, dst: stride, a: [a_row, a_column], b: [b_row, b_column], .. } = *product;
        assert!((m - 1) * stride + n <= dst.len());
        // SAFETY: all three matrices have fewer than TOKENS rows or columns of at most 1376 numbers, in buffers of TOKENS·1400.
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
    let mut step = 0.0;
    for product in products {
        let flops = 2.0 * (product.m * product.n * product.k) as f64;
        let repeats = (2e11 * seconds / 60.0 / flops).ceil() as usize;
        let times = (0..3).map(|_| {
            let start = now();
            (0..repeats).for_each(|_| run(product, &mut dst));
            (now() - start) / repeats as f64
        });
        step += median(times.collect()) * product.count as f64;
    }
    TOKENS as f64 / step
}

/// PyTorch in a process of its own, which measures whenever it is asked.
struct Peer {
    process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &str, mode: &str, workload: char) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/torch_step.py");
        let arguments = [script, mode, &workload.to_string(), "--on-request"];
        let mut process =
            Command::new(python).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the Python given starts");
        let (ask, answers) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        Self { process, ask, answers: BufReader::new(answers) }
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
