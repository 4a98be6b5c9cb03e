//! The 4500 starts of L-BFGS on the 240 published points beside SciPy's, in turn, each on one thread:
//! `cargo bench --bench starts -- --data CSV --python PYTHON --peer scipy_chinchilla.py`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints its table and reads the clock of the processor")]

use clap::Parser;
use scalelab::fit::{Estimator, start_ends};
use scalelab::law::{Additive, Evidence, Point};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Parser)]
struct Options {
    /// Table with params, tokens, loss and used_in_published_fit.
    #[arg(long)]
    data: PathBuf,
    /// Python with NumPy and SciPy.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The peer's script; it is given the folder of the table and prints one line of JSON with its CPU seconds.
    #[arg(long, requires = "python")]
    peer: Option<PathBuf>,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// CPU seconds, and the share of starts that arrive.
struct Cost {
    seconds: f64,
    arrived: f64,
}

fn main() {
    let options = Options::parse();
    let evidence = evidence(&options.data);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(our_starts(&evidence));
        if let (Some(python), Some(peer)) = (&options.python, &options.peer) {
            theirs.push(peer_starts(python, peer, &options.data));
        }
    }
    let ours = render("scalelab", ours);
    if !theirs.is_empty() {
        let theirs = render("scipy", theirs);
        let (all, each) = (theirs.seconds / ours.seconds, theirs.seconds / theirs.arrived * ours.arrived / ours.seconds);
        println!("all starts: {all:.1} times less CPU; each start that arrives: {each:.0} times less");
    }
}

fn evidence(path: &Path) -> Evidence {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|known| known == name).expect("a column of the published table");
    let (params, tokens, loss, used) = (column("params"), column("tokens"), column("loss"), column("used_in_published_fit"));
    let rows = reader.records().map(|row| row.expect("a row"));
    let number = |row: &csv::StringRecord, at: usize| row[at].parse::<f64>().expect("a number");
    let point = |row: csv::StringRecord| Point::new(number(&row, params), number(&row, tokens), number(&row, loss));
    Evidence::as_given(rows.filter(|row| &row[used] == "1").map(point).collect())
}

fn our_starts(evidence: &Evidence) -> Cost {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let search = || {
        let before = cpu_seconds();
        let ends = start_ends(&Additive.into(), evidence, Estimator::default()).expect("ends");
        (cpu_seconds() - before, ends)
    };
    let (seconds, ends) = pool.install(search);
    let lowest = ends.iter().map(|end| end.objective).fold(f64::INFINITY, f64::min);
    let arrived = ends.iter().filter(|end| end.objective <= lowest * (1.0 + 1e-6)).count();
    Cost { seconds, arrived: arrived as f64 / ends.len() as f64 }
}

/// CPU time of this thread, by Linux's scheduler.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).expect("nanoseconds") * 1e-9
}

fn peer_starts(python: &Path, peer: &Path, data: &Path) -> Cost {
    let folder = data.parent().expect("a folder");
    let output = Command::new(python).arg(peer).arg(folder).arg("analytic").env("OMP_NUM_THREADS", "1").output().expect("the peer runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let peer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    let number = |name: &str| peer[name].as_f64().expect("a number");
    Cost { seconds: number("cpu_seconds"), arrived: number("at_optimum") }
}

fn render(name: &str, mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|left, right| left.seconds.total_cmp(&right.seconds));
    let (least, most) = (costs[0].seconds, costs[costs.len() - 1].seconds);
    let median = costs.swap_remove(costs.len() / 2);
    println!("{name}: {:.3} CPU s ({least:.3} to {most:.3}), {:.1} % arrive", median.seconds, 100.0 * median.arrived);
    median
}
