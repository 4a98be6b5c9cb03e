//! The interval of one run among the runs: cells of real sweeps are left out, and each of their runs is forecast by the rest.
#![expect(clippy::print_stderr, reason = "says what it found")]

use rayon::prelude::*;
use scalelab::law::{Evidence, Point};
use scalelab::results::SweepFolder;
use scalelab::spec::{Random, RunRecord};
use scalelab::study::{Curves, Mixture, StudyOptions, prepare, seen_once};

/// Parts that the cells of a sweep are left out in.
const PARTS: usize = 10;

/// What lies beyond all others in one of these is a forecast, and no run among them: N, D, C, D/N.
const RANGES: [fn(&Point) -> f64; 4] = [|run| run.n, |run| run.d, |run| run.c, |run| run.d / run.n];

/// Runs of a sweep as a forecast may see them: losses as they are, data seen once.
fn seen(records: &[RunRecord]) -> Evidence {
    let prepared = prepare(records, &Curves::default(), &StudyOptions::default()).expect("runs of a sweep");
    seen_once(prepared.untuned.unwrap_or(prepared.evidence))
}

/// Of the runs of cells left out in turn, how many lie inside their interval of 95 %, and how many there are.
fn held(name: &str, all: &Evidence) -> [usize; 2] {
    let mut cells: Vec<[u64; 2]> = all.points.iter().map(cell).collect();
    cells.sort_unstable();
    cells.dedup();
    let mut random = Random::new(7, name);
    cells.sort_by_cached_key(|_| random.bits());
    let part = |run: &Point| cells.iter().position(|one| *one == cell(run)).expect("a cell") % PARTS;
    let inside = |out: usize| {
        let (left, kept): (Vec<Point>, Vec<Point>) = all.points.iter().cloned().partition(|run| part(run) == out);
        let within =
            |run: &Point| RANGES.iter().all(|of| kept.iter().any(|one| of(one) <= of(run)) && kept.iter().any(|one| of(one) >= of(run)));
        let among: Vec<&Point> = left.iter().filter(|run| within(run)).collect();
        let mixture = Mixture::of(&all.with_points(kept.clone())).expect("a design");
        let holds = |run: &Point| {
            let [low, high] = mixture.one_run(run).interval(0.95);
            low <= run.loss && run.loss <= high
        };
        [among.iter().filter(|run| holds(run)).count(), among.len()]
    };
    (0..PARTS).into_par_iter().map(inside).reduce(|| [0; 2], |one, other| [one[0] + other[0], one[1] + other[1]])
}

fn cell(run: &Point) -> [u64; 2] {
    [run.n.to_bits(), run.d.to_bits()]
}

fn share([inside, of]: [usize; 2]) -> f64 {
    inside as f64 / of as f64
}

#[test]
fn runs_of_cells_left_out_lie_inside_as_often_as_is_said() {
    let mut all = Vec::new();
    for name in ["study", "english", "code", "chinese"] {
        let folder = SweepFolder::at(format!("{}/results/{name}", env!("CARGO_MANIFEST_DIR")));
        let found = held(name, &seen(&folder.gathered_of_plan().expect("a sweep of ours")));
        eprintln!("{name}: {} of {} inside, {:.1} %", found[0], found[1], 100.0 * share(found));
        all.push(found);
    }
    let total = all.iter().fold([0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    // Asked of each: 90 to 98 %. Of sixteen cells one run more or less is six points, so that a single sweep has a run of room on
    // either side, and all together have none.
    assert!((0.90..=0.98).contains(&share(total)), "{all:?}");
    for found in all {
        let room = 1.0 / found[1] as f64;
        assert!((0.90 - room..=0.98 + room).contains(&share(found)), "{found:?}");
    }
}

#[cfg(feature = "train")]
#[test]
#[expect(clippy::disallowed_methods, reason = "writes the grid that it trains, half of it or the whole")]
fn the_same_holds_of_the_quick_sweep_trained_here() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let quick = std::fs::read_to_string("sweeps/quick.toml").expect("a grid");
    // One seed of data is half of the work; SCALELAB_QUICK=whole (`.ci/long`) trains both.
    let whole = std::env::var("SCALELAB_QUICK").is_ok_and(|asked| asked == "whole");
    let seeds = if whole { "data = [0, 1]" } else { "data = 0" };
    assert!(quick.contains("data = [0, 1]"), "the seeds of quick are other than this test knows");
    let grid = folder.path().join("quick.toml");
    std::fs::write(&grid, quick.replace("data = [0, 1]", seeds)).expect("written");
    crate::support::succeed(&["sweep", crate::support::text(&grid), "--results", crate::support::text(folder.path())]);
    let records = SweepFolder::at(folder.path().join("quick")).gathered().expect("the sweep");
    let found = held("quick", &seen(&records));
    eprintln!("quick: {} of {} inside, {:.1} %", found[0], found[1], 100.0 * share(found));
    let room = 1.0 / found[1] as f64;
    assert!((0.90 - room..=0.98 + room).contains(&share(found)), "{found:?}");
}
