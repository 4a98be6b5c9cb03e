//! Which settings of the mixture score best: every record is made once, and each combination of settings weighs it anew. Each source is
//! also scored with what is best on the others.

use crate::origins::{DISTANCES, Origin};
use crate::profiles::{self, Later};
use crate::score::{Score, by_distance};
use crate::tables::{SOURCES, Table};
use clap::Args;
use rayon::prelude::*;
use scalelab::spec::sample::mean;
use scalelab::study::{Mixture, Record, Settings};
use std::fmt::Write as _;

/// Settings to try, every combination of them.
#[derive(Args)]
pub(crate) struct Tried {
    /// Scores every combination of the settings below, and chooses one for each source on the others.
    #[arg(long)]
    pub(crate) choose: bool,
    /// Weights of the additive law, the outer exponent and Kaplan's before their record, as 0.2/0.4/0.4.
    #[arg(long, value_delimiter = ',')]
    priors: Vec<String>,
    /// Weight of the frontier at the lowest loss of a budget.
    #[arg(long, value_delimiter = ',')]
    frontier: Vec<f64>,
    /// Rise of ln L at which it has fallen by e.
    #[arg(long, value_delimiter = ',')]
    fade: Vec<f64>,
    /// Error of compute that is expected for each factor e.
    #[arg(long, value_delimiter = ',')]
    expected: Vec<f64>,
    /// Weight of the frontier in the optimum of a budget.
    #[arg(long, value_delimiter = ',')]
    optimum_frontier: Vec<f64>,
    /// Error of ln N* that is expected for each factor e.
    #[arg(long, value_delimiter = ',')]
    optimum_expected: Vec<f64>,
    /// How many origins an expectation is worth.
    #[arg(long, value_delimiter = ',')]
    worth: Vec<f64>,
}

impl Tried {
    /// Every combination; where nothing is named, what scalelab takes.
    fn settings(&self) -> Result<Vec<Settings>, String> {
        let mut all = vec![Settings::default()];
        let priors: Vec<Vec<f64>> = self.priors.iter().map(|text| priors(text)).collect::<Result<_, _>>()?;
        all = each(all, &priors, |one, priors| one.priors.clone_from(priors));
        all = each(all, &self.frontier, |one, value| one.frontier = *value);
        all = each(all, &self.fade, |one, value| one.fade = *value);
        all = each(all, &self.expected, |one, value| one.expected = *value);
        all = each(all, &self.optimum_frontier, |one, value| one.optimum.0 = *value);
        all = each(all, &self.optimum_expected, |one, value| one.optimum.1 = *value);
        Ok(each(all, &self.worth, |one, value| one.worth = *value))
    }
}

fn priors(text: &str) -> Result<Vec<f64>, String> {
    text.split('/').map(|one| one.parse().map_err(|_| format!("`{text}` is no list of weights, as 0.2/0.4/0.4"))).collect()
}

fn each<T>(all: Vec<Settings>, values: &[T], set: impl Fn(&mut Settings, &T)) -> Vec<Settings> {
    if values.is_empty() {
        return all;
    }
    let with = |one: &Settings| {
        values
            .iter()
            .map(|value| {
                let mut one = one.clone();
                set(&mut one, value);
                one
            })
            .collect::<Vec<_>>()
    };
    all.iter().flat_map(with).collect()
}

/// Scores of some settings.
struct Scored {
    settings: Settings,
    /// By source and distance, at 95 and at 80 %.
    runs: Vec<[Vec<Option<Score>>; 2]>,
    optima: String,
}

impl Scored {
    /// Mean of ln of the interval score over the distances of a source; `None` where it was not scored.
    fn of_source(&self, source: usize) -> Option<f64> {
        mean(self.runs[source][0].iter().flatten().map(|score| score.interval.ln()))
    }

    /// The mean of that over sources but one.
    fn without(&self, source: Option<usize>) -> f64 {
        let others = (0..self.runs.len()).filter(|at| Some(*at) != source);
        mean(others.filter_map(|at| self.of_source(at))).unwrap_or(f64::NAN)
    }
}

/// The table of all combinations.
pub(crate) fn render(tried: &Tried, origins: &[Origin], tables: &[(&'static str, Table)]) -> Result<String, String> {
    let settings = tried.settings()?;
    let records: Vec<Option<Record>> = origins.par_iter().with_max_len(1).map(|origin| Record::of(&origin.seen)).collect();
    let later = Later::of_tables(tables);
    let score = |settings: &Settings| {
        let mixtures: Vec<Option<Mixture>> = records.iter().map(|record| Some(Mixture::weighted(record.clone()?, settings))).collect();
        let forecasts: Vec<_> = origins
            .iter()
            .zip(&mixtures)
            .flat_map(|(origin, mixture)| {
                origin.said_by("mixture", mixture.as_ref().map(|mixture| |run: &_, level| mixture.one_run(run).interval(level)))
            })
            .collect();
        let of = |(source, _): &(&str, _)| [0.95, 0.8].map(|level| by_distance(&forecasts, source, level));
        Scored { settings: settings.clone(), runs: SOURCES.iter().map(of).collect(), optima: profiles::in_one_line(&later, settings) }
    };
    let scored: Vec<Scored> = settings.par_iter().with_max_len(1).map(score).collect();
    let mut text = String::new();
    for one in &scored {
        let _ = writeln!(text, "{:?}\n  {:.4} {}\n  {}", one.settings, one.without(None), rows(&one.runs), one.optima);
    }
    let best = |source: Option<usize>| scored.iter().min_by(|a, b| a.without(source).total_cmp(&b.without(source))).expect("settings");
    let chosen: Vec<_> = (0..SOURCES.len()).map(|source| best(Some(source))).collect();
    for ((source, _), one) in SOURCES.iter().zip(&chosen) {
        let _ = writeln!(text, "without {source}: {:?}", one.settings);
    }
    let left_out: Vec<_> = chosen.iter().enumerate().map(|(source, one)| one.runs[source].clone()).collect();
    let _ = writeln!(text, "each source by what is best on the others: {}\nbest of all: {:?}", rows(&left_out), best(None).settings);
    Ok(text)
}

/// Mean over sources at each distance: coverage at 95 %, score, coverage at 80 %; then the least coverage of a source.
fn rows(runs: &[[Vec<Option<Score>>; 2]]) -> String {
    let mut text = String::new();
    for at in 0..DISTANCES.len() {
        let of = |level: usize| -> Vec<Score> { runs.iter().filter_map(|one| one[level][at]).collect() };
        let (high, low) = (Score::mean(&of(0)), Score::mean(&of(1)));
        let least = of(0).iter().map(|one| one.coverage).fold(100.0, f64::min);
        if let (Some(high), Some(low)) = (high, low) {
            let _ = write!(
                text,
                "| {:.0} x {:.0} ({least:.0}) score {:.2}, 80: {:.0} ",
                DISTANCES[at], high.coverage, high.interval, low.coverage
            );
        }
    }
    text
}
