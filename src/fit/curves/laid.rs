//! Curves as a search sees them: each schedule evaluated once, and the noise that runs share told apart from the noise of each.

use super::training::TrainingCurve;
use crate::law::{CurveFormula, CurveUnits, MOST, Track};

/// Curves laid over tracks.
#[derive(Debug)]
pub(super) struct Laid {
    /// One for all runs of the same rates that are read at the same steps.
    pub(super) tracks: Vec<Track>,
    groups: Vec<Group>,
    /// What a deviation within a group counts, over a mean of one.
    pub(super) within: f64,
    /// δ of the Huber loss of ln L.
    pub(super) delta: f64,
}

/// Runs that read the same batches at the same steps, or one run.
#[derive(Debug)]
struct Group {
    cluster: usize,
    /// Track and ln of the losses of each run.
    runs: Vec<(usize, Vec<f64>)>,
}

/// What is left out of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    Nothing,
    /// The runs of a cluster.
    Cluster(usize),
    /// A part of so many of every curve.
    Part(usize, usize),
}

/// ln L at a reading, with its slopes.
type Fitted = (f64, [f64; MOST]);

/// Objective with its slopes by ln θ and the matrix of reweighted squares.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) gradient: [f64; MOST],
    pub(super) matrix: [[f64; MOST]; MOST],
}

impl Laid {
    pub(super) fn new(curves: &[TrainingCurve], units: CurveUnits, delta: f64) -> Self {
        let (mut tracks, mut keys): (Vec<Track>, Vec<&TrainingCurve>) = (Vec::new(), Vec::new());
        let mut groups: Vec<(Group, &TrainingCurve)> = Vec::new();
        let mut clusters: Vec<&str> = Vec::new();
        let same_steps = |a: &TrainingCurve, b: &TrainingCurve| a.readings.iter().map(|at| at.0).eq(b.readings.iter().map(|at| at.0));
        for curve in curves {
            let track = keys.iter().position(|known| known.rates == curve.rates && same_steps(known, curve)).unwrap_or_else(|| {
                let steps: Vec<f64> = curve.readings.iter().map(|reading| reading.0).collect();
                tracks.push(Track::new(&curve.rates, &steps, units));
                keys.push(curve);
                keys.len() - 1
            });
            let cluster = clusters.iter().position(|known| *known == curve.cluster).unwrap_or_else(|| {
                clusters.push(&curve.cluster);
                clusters.len() - 1
            });
            let run = (track, curve.readings.iter().map(|reading| reading.1.ln()).collect());
            let shared = |other: &TrainingCurve| curve.batches.is_some() && curve.batches == other.batches && same_steps(curve, other);
            match groups.iter_mut().find(|(_, first)| shared(first)) {
                Some((group, _)) => group.runs.push(run),
                None => groups.push((Group { cluster, runs: vec![run] }, curve)),
            }
        }
        Self { tracks, groups: groups.into_iter().map(|(group, _)| group).collect(), within: 1.0, delta }
    }

    /// Losses by run, with their tracks.
    pub(super) fn runs(&self) -> impl Iterator<Item = &(usize, Vec<f64>)> {
        self.groups.iter().flat_map(|group| &group.runs)
    }

    /// Numbers of clusters and of readings.
    pub(super) fn counts(&self) -> (usize, usize) {
        let clusters = self.groups.iter().map(|group| group.cluster + 1).max().unwrap_or(0);
        (clusters, self.runs().map(|run| run.1.len()).sum())
    }

    /// Evaluates at the logarithms of the numbers of a law; `None` where a loss is not above 0.
    pub(super) fn sums(&self, law: &dyn CurveFormula, ln_theta: &[f64], without: Without) -> Option<Sums> {
        let mut sums = Sums { value: 0.0, gradient: [0.0; MOST], matrix: [[0.0; MOST]; MOST] };
        let fitted = self.fitted(law, ln_theta)?;
        self.each_row(&fitted, without, |residual, slopes, weight| sums.add(residual, slopes, weight, self.delta));
        Some(sums)
    }

    /// Residuals of means and of deviations within groups.
    pub(super) fn residuals(&self, law: &dyn CurveFormula, ln_theta: &[f64]) -> Option<[Vec<f64>; 2]> {
        let (fitted, mut found) = (self.fitted(law, ln_theta)?, [Vec::new(), Vec::new()]);
        for group in &self.groups {
            for at in 0..group.runs[0].1.len() {
                let all: Vec<f64> = group.runs.iter().map(|(track, losses)| losses[at] - fitted[*track][at].0).collect();
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                found[0].push(mean);
                found[1].extend(all.iter().map(|one| one - mean).filter(|_| all.len() > 1));
            }
        }
        Some(found)
    }

    /// ln L with its slopes, by track and reading.
    fn fitted(&self, law: &dyn CurveFormula, ln_theta: &[f64]) -> Option<Vec<Vec<Fitted>>> {
        let theta: Vec<f64> = ln_theta.iter().map(|x| x.exp()).collect();
        let of_track = |track: &Track| {
            let ln = |one: crate::law::CurveLoss| {
                let is_sound = one.loss > 0.0 && one.loss.is_finite() && one.slopes.iter().all(|slope| slope.is_finite());
                is_sound.then(|| (one.loss.ln(), one.slopes.map(|slope| slope / one.loss)))
            };
            law.losses(&theta, track).into_iter().map(ln).collect::<Option<Vec<_>>>()
        };
        self.tracks.iter().map(of_track).collect()
    }

    fn each_row(&self, fitted: &[Vec<Fitted>], without: Without, mut row: impl FnMut(f64, &[f64; MOST], f64)) {
        for group in self.groups.iter().filter(|group| without != Without::Cluster(group.cluster)) {
            let readings = group.runs[0].1.len();
            for at in 0..readings {
                if matches!(without, Without::Part(part, of) if at * of / readings == part) {
                    continue;
                }
                let share = 1.0 / group.runs.len() as f64;
                let (mut mean, mut mean_slopes) = (0.0, [0.0; MOST]);
                for (track, losses) in &group.runs {
                    let (ln_loss, slopes) = &fitted[*track][at];
                    mean += share * (losses[at] - ln_loss);
                    (0..MOST).for_each(|j| mean_slopes[j] += share * slopes[j]);
                }
                row(mean, &mean_slopes, 1.0);
                if group.runs.len() > 1 {
                    for (track, losses) in &group.runs {
                        let (ln_loss, slopes) = &fitted[*track][at];
                        row(losses[at] - ln_loss - mean, &std::array::from_fn(|j| slopes[j] - mean_slopes[j]), self.within);
                    }
                }
            }
        }
    }
}

impl Sums {
    /// Adds the Huber loss of a residual.
    fn add(&mut self, residual: f64, slopes: &[f64; MOST], weight: f64, delta: f64) {
        let far = residual.abs();
        self.value += weight * if far <= delta { 0.5 * residual * residual } else { delta * (far - 0.5 * delta) };
        let weight = weight * if far <= delta { 1.0 } else { delta / far };
        for j in 0..MOST {
            let weighted = weight * slopes[j];
            self.gradient[j] += weighted * residual;
            (0..=j).for_each(|k| self.matrix[j][k] += weighted * slopes[k]);
        }
    }
}
