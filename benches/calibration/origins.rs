//! Where a table is cut, and what a rule that saw the runs below says of those above.

use crate::rules::Rule;
use crate::tables::Table;
use scalelab::law::{Evidence, Point};

/// Cuts of one table; of more that many are taken, evenly in ln C.
const MOST: usize = 8;
/// What a fit needs below a cut: runs, sizes, ratios D/N, a factor of compute.
const LEAST: (usize, usize, usize, f64) = (9, 3, 3, 3.5);
/// Factors nearer than this are one size, one ratio or one level of compute.
const SAME: f64 = 1.01;
/// Forecasts nearer or farther are of no distance that is scored.
const NEAREST: f64 = 1.2;
const FARTHEST: f64 = 70.0;

/// Distances of forecasts, in compute over the largest that was seen.
pub(crate) const DISTANCES: [f64; 4] = [2.0, 4.0, 10.0, 30.0];
/// Levels of confidence that are asked for.
pub(crate) const LEVELS: [f64; 3] = [0.95, 0.8, 0.5];

/// A cut of a table.
pub(crate) struct Origin {
    pub(crate) source: &'static str,
    pub(crate) table: String,
    /// Runs at or below it.
    pub(crate) seen: Evidence,
    /// Runs above it at distances that are scored.
    pub(crate) ahead: Vec<Point>,
    /// Largest compute that was seen, FLOPs.
    pub(crate) cut: f64,
}

/// A forecast of one run.
pub(crate) struct Forecast {
    pub(crate) source: &'static str,
    pub(crate) table: String,
    pub(crate) rule: &'static str,
    pub(crate) cut: f64,
    /// Compute of the run over the cut.
    pub(crate) factor: f64,
    pub(crate) n: f64,
    pub(crate) d: f64,
    /// What came.
    pub(crate) loss: f64,
    /// What was said; `None` where the rule could not tell.
    pub(crate) given: Option<Given>,
}

/// What a rule says of one run.
pub(crate) struct Given {
    /// The middle, in logarithms, of the interval of least level.
    pub(crate) centre: f64,
    /// Intervals of [`LEVELS`].
    intervals: [[f64; 2]; LEVELS.len()],
}

impl Given {
    /// The interval of one of [`LEVELS`].
    pub(crate) fn at(&self, level: f64) -> [f64; 2] {
        self.intervals[LEVELS.iter().position(|known| *known == level).expect("a level that is asked for")]
    }
}

impl Forecast {
    /// Index of the nearest of [`DISTANCES`].
    pub(crate) fn distance(&self) -> usize {
        nearest(&DISTANCES, self.factor)
    }
}

/// Index of the nearest by factors.
pub(crate) fn nearest(among: &[f64], value: f64) -> usize {
    let off = |other: &f64| (other / value).ln().abs();
    (0..among.len()).min_by(|a, b| off(&among[*a]).total_cmp(&off(&among[*b]))).expect("some to choose from")
}

/// The cuts of a table.
pub(crate) fn of(source: &'static str, table: &Table) -> Vec<Origin> {
    let levels = distinct(table.evidence.points.iter().map(|run| run.c));
    let all = levels.iter().filter_map(|&cut| origin(source, table, cut)).collect();
    spread(all)
}

fn origin(source: &'static str, table: &Table, cut: f64) -> Option<Origin> {
    let below = |run: &&Point| run.c <= cut * (1.0 + 1e-9);
    let seen: Vec<Point> = table.evidence.points.iter().filter(below).cloned().collect();
    let compute: Vec<f64> = seen.iter().map(|run| run.c).collect();
    let (low, high) = scalelab::spec::sample::extent(compute)?;
    let sizes = distinct(seen.iter().map(|run| run.n)).len();
    let ratios = distinct(seen.iter().map(|run| run.d / run.n)).len();
    if seen.len() < LEAST.0 || sizes < LEAST.1 || ratios < LEAST.2 || high < LEAST.3 * low {
        return None;
    }
    let scored = |run: &&Point| (NEAREST..=FARTHEST).contains(&(run.c / high));
    let ahead: Vec<Point> = table.evidence.points.iter().filter(scored).cloned().collect();
    let seen = table.evidence.with_points(seen);
    (!ahead.is_empty()).then(|| Origin { source, table: table.name.clone(), seen, ahead, cut: high })
}

/// The largest of each group of values that are the same, in order.
fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let mut kept: Vec<f64> = Vec::new();
    let mut first = 0.0;
    for value in values {
        if value <= SAME * first {
            kept.pop();
        } else {
            first = value;
        }
        kept.push(value);
    }
    kept
}

/// No more than [`MOST`], evenly in ln C, the outermost among them.
fn spread(mut all: Vec<Origin>) -> Vec<Origin> {
    if all.len() <= MOST {
        return all;
    }
    let (low, high) = (all[0].cut.ln(), all[all.len() - 1].cut.ln());
    let wanted = |at: usize| (low + (high - low) * at as f64 / (MOST - 1) as f64).exp();
    let mut taken: Vec<Origin> = (0..MOST)
        .map(|at| {
            let cuts: Vec<f64> = all.iter().map(|origin| origin.cut).collect();
            all.remove(nearest(&cuts, wanted(at)))
        })
        .collect();
    taken.sort_by(|a, b| a.cut.total_cmp(&b.cut));
    taken
}

impl Origin {
    /// What a rule says of every run ahead.
    pub(crate) fn forecasts(&self, name: &'static str, rule: Rule) -> Vec<Forecast> {
        self.said_by(name, rule(&self.seen))
    }

    /// What an interval says of every run ahead.
    pub(crate) fn said_by(&self, name: &'static str, interval: Option<impl Fn(&Point, f64) -> [f64; 2]>) -> Vec<Forecast> {
        let given = |run: &Point| {
            let intervals = LEVELS.map(|level| interval.as_ref().map_or([f64::NAN; 2], |interval| interval(run, level)));
            let centre = intervals[LEVELS.len() - 1].map(f64::ln).iter().sum::<f64>() / 2.0;
            let is_told = intervals.iter().all(|ends| ends.iter().all(|end| end.is_finite() && *end > 0.0));
            is_told.then(|| Given { centre: centre.exp(), intervals })
        };
        let forecast = |run: &Point| Forecast {
            source: self.source,
            table: self.table.clone(),
            rule: name,
            cut: self.cut,
            factor: run.c / self.cut,
            n: run.n,
            d: run.d,
            loss: run.loss,
            given: given(run),
        };
        self.ahead.iter().map(forecast).collect()
    }
}
