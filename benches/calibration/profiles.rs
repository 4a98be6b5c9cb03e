//! Optima: of tables with budgets, the minima of later profiles against what was said of them from earlier ones, by scalelab and by
//! powers through the minima of parabolas alone, both by parabolas through runs no more than a fifth above their lowest.

use crate::origins::{DISTANCES, nearest};
use crate::tables::Table;
use rayon::prelude::*;
use scalelab::fit::{Estimate, IsoflopFit, IsoflopOptions, IsoflopProfile, isoflop};
use scalelab::law::{ComputeCount, Evidence, Law, Point};
use scalelab::recommend::waste_of_spread;
use scalelab::spec::Flops;
use scalelab::spec::sample::{mean, median};
use scalelab::study::{Mixture, Record, Settings};

/// Level of the intervals.
const LEVEL: f64 = 0.95;
/// Budgets of 2203.15556, whose table does not name them.
const CHINCHILLA: [f64; 9] = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21];
/// Minima below a cut that a line and its spread need.
const LEAST: usize = 3;

/// How one quantity of one later budget was told.
#[derive(Clone, Copy)]
struct Score {
    /// Forecast − found, in logarithms.
    error: f64,
    /// Whether the interval holds what was found, its own error allowed for.
    held: bool,
    /// Full width of the interval in logarithms.
    width: f64,
}

/// One later budget by one rule.
struct Scored {
    rule: &'static str,
    source: &'static str,
    distance: usize,
    params: Option<Score>,
    loss: Option<Score>,
    /// Whether the compute that was wasted exceeds the 95th percentile that was told.
    exceeded: Option<bool>,
}

/// The table of scores; nothing where no table has budgets.
pub(crate) fn render(tables: &[(&'static str, Table)]) -> String {
    let later = Later::of_tables(tables);
    let scored: Vec<Scored> =
        later.par_iter().flat_map_iter(|later| later.by_mixture(&Settings::default()).into_iter().chain(later.by_parabolas())).collect();
    let mut text = format!(
        "optima of later budgets ({:.0} % intervals; each budget's own error is allowed for)\n{:<12}{:>6}{:>6} |{:>9}{:>8}{:>8}{:>8} |{:>9}{:>8}{:>8}{:>8} |{:>10}\n",
        100.0 * LEVEL,
        "rule",
        "x",
        "n",
        "ln N*",
        "bias",
        "held %",
        "width",
        "ln L* %",
        "bias",
        "held %",
        "width",
        "exceeded %"
    );
    for rule in RULES {
        for number in 0..DISTANCES.len() {
            text += &at_distance(&scored, rule, number);
        }
    }
    let mut sources: Vec<&str> = scored.iter().map(|one| one.source).collect();
    sources.dedup();
    for source in sources {
        for rule in RULES {
            text += &of_source(&scored, rule, source);
        }
    }
    text
}

const RULES: [&str; 2] = ["mixture", "parabolas"];

/// The line of a rule at a distance.
fn at_distance(scored: &[Scored], rule: &str, number: usize) -> String {
    let these: Vec<&Scored> = scored.iter().filter(|one| one.rule == rule && one.distance == number).collect();
    let [params, loss] =
        [|one: &&&Scored| one.params, |one: &&&Scored| one.loss].map(|of| summary(these.iter().filter_map(|one| of(&one))));
    let waste = mean(these.iter().filter_map(|one| one.exceeded).map(share)).map_or("—".into(), |part| format!("{:.0}", 100.0 * part));
    let in_percent = loss.map(|v| [100.0 * v[0], 100.0 * v[1], v[2], 100.0 * v[3]]);
    let row = |v: Option<[f64; 4]>| v.map_or("        —".into(), |v| format!("{:>9.3}{:>8.3}{:>8.0}{:>8.2}", v[0], v[1], v[2], v[3]));
    format!("{rule:<12}{:>6}{:>6} |{} |{} |{waste:>10}\n", DISTANCES[number], these.len(), row(params), row(in_percent))
}

/// The line of a rule on the tables of a source.
fn of_source(scored: &[Scored], rule: &str, source: &str) -> String {
    let these: Vec<&Scored> = scored.iter().filter(|one| one.rule == rule && one.source == source).collect();
    let held = |of: fn(&Scored) -> Option<Score>| {
        mean(these.iter().filter_map(|one| of(one)).map(|one| share(one.held))).map_or("—".into(), |part| format!("{:.0}", 100.0 * part))
    };
    format!("{source}, {rule}: {} forecasts, N* held {} %, L* held {} %\n", these.len(), held(|one| one.params), held(|one| one.loss))
}

fn share(held: bool) -> f64 {
    f64::from(u8::from(held))
}

/// Mean absolute error, bias, percent held, median width.
fn summary(scores: impl Iterator<Item = Score>) -> Option<[f64; 4]> {
    let all: Vec<Score> = scores.collect();
    Some([
        mean(all.iter().map(|one| one.error.abs()))?,
        mean(all.iter().map(|one| one.error))?,
        100.0 * mean(all.iter().map(|one| share(one.held)))?,
        median(all.iter().map(|one| one.width))?,
    ])
}

/// Later budgets of a cut of a table.
pub(crate) struct Later {
    source: &'static str,
    cut: f64,
    count: ComputeCount,
    record: Option<Record>,
    line: Option<IsoflopFit>,
    /// L*(C) through all minima.
    frontier: Option<Law>,
    ahead: Vec<IsoflopProfile>,
}

impl Later {
    pub(crate) fn of_tables(tables: &[(&'static str, Table)]) -> Vec<Self> {
        tables.par_iter().flat_map_iter(|(source, table)| Self::of_table(source, &table.evidence)).collect()
    }

    fn of_table(source: &'static str, evidence: &Evidence) -> Vec<Self> {
        let named = if source == "chinchilla" { evidence.at_budgets(&CHINCHILLA.map(Flops)) } else { evidence.clone() };
        let options = IsoflopOptions { tolerance: 0.03, walls: Some(0.2), ..IsoflopOptions::default() };
        let Ok(whole) = isoflop(&named, &options) else { return Vec::new() };
        // A grid has runs of like compute by chance.
        if whole.profiles.len() < LEAST + 2 || 2 * whole.points < named.points.len() || source == "farseer" {
            return Vec::new();
        }
        let cuts = &whole.profiles[LEAST - 1..whole.profiles.len() - 1];
        cuts.iter().map(|cut| Self::of_cut(source, &named, &whole, cut.compute, &options)).collect()
    }

    fn of_cut(source: &'static str, named: &Evidence, whole: &IsoflopFit, cut: f64, options: &IsoflopOptions) -> Self {
        let seen = named.with_points(named.points.iter().filter(|p| p.budget.unwrap_or(p.c) <= 1.05 * cut).cloned().collect());
        Self {
            source,
            cut,
            count: ComputeCount::of(&seen.points),
            record: Record::of(&seen),
            line: isoflop(&seen, options).ok(),
            frontier: whole.loss_of_compute(LEVEL).ok().map(|frontier| frontier.law.clone()),
            ahead: whole.profiles.iter().filter(|profile| (1.2..=70.0).contains(&(profile.compute / cut))).cloned().collect(),
        }
    }

    /// What the mixture by some settings says of them.
    fn by_mixture(&self, settings: &Settings) -> Vec<Scored> {
        let Some(mixture) = self.record.clone().map(|record| Mixture::weighted(record, settings)) else { return Vec::new() };
        let one = |profile: &IsoflopProfile| {
            let (compute, spread) = (profile.compute, mixture.optimal_params(profile.compute, &self.count)?);
            let n = spread.value;
            let loss = mixture.mean_loss(&Point { c: compute, ..Point::new(n, self.count.tokens(n, compute), 1.0) }).estimate(LEVEL);
            let frontier = |c: f64| self.frontier.as_ref().map_or(f64::NAN, |law| law.loss(&Point { c, ..Point::new(1.0, 1.0, 1.0) }));
            let found = wasted(profile, n, frontier).filter(|found| found.is_finite());
            Some(Scored {
                params: Some(of(&spread.estimate(LEVEL), &profile.params)),
                loss: Some(of(&loss, &loss_of(profile))),
                exceeded: found.map(|found| found > waste_of_spread(&mixture, &spread, &self.count, compute).at_95),
                ..self.scored("mixture", profile)
            })
        };
        self.ahead.iter().filter_map(one).collect()
    }

    /// What powers through the minima below say.
    fn by_parabolas(&self) -> Vec<Scored> {
        let Some(line) = &self.line else { return Vec::new() };
        let one = |profile: &IsoflopProfile| {
            let loss = line.loss_of_compute(LEVEL).ok().map(|fit| fit.interval(&scalelab::fit::loss_at_compute(profile.compute), LEVEL));
            Scored {
                params: Some(of(&line.params.at(profile.compute), &profile.params)),
                loss: loss.map(|loss| of(&loss, &loss_of(profile))),
                ..self.scored("parabolas", profile)
            }
        };
        self.ahead.iter().map(one).collect()
    }

    fn scored(&self, rule: &'static str, profile: &IsoflopProfile) -> Scored {
        Scored {
            rule,
            source: self.source,
            distance: nearest(&DISTANCES, profile.compute / self.cut),
            params: None,
            loss: None,
            exceeded: None,
        }
    }
}

/// Errors and coverage of the mixture by some settings, in one line.
pub(crate) fn in_one_line(later: &[Later], settings: &Settings) -> String {
    let scored: Vec<Scored> = later.iter().flat_map(|later| later.by_mixture(settings)).collect();
    let at = |number: usize| {
        let these = || scored.iter().filter(move |one| one.distance == number);
        let [params, loss] = [summary(these().filter_map(|one| one.params)), summary(these().filter_map(|one| one.loss))];
        let [params, loss] = [params, loss].map(|one| one.unwrap_or([f64::NAN; 4]));
        let waste = mean(these().filter_map(|one| one.exceeded).map(share)).unwrap_or(f64::NAN);
        format!(
            "| {:.0} x N* {:.3} held {:.0} L* {:.2} held {:.0} wasted {:.0} ",
            DISTANCES[number],
            params[0],
            params[2],
            100.0 * loss[0],
            loss[2],
            100.0 * waste
        )
    };
    (0..DISTANCES.len()).map(at).collect::<String>() + &chinchilla(&scored)
}

fn chinchilla(scored: &[Scored]) -> String {
    let held: Vec<f64> =
        scored.iter().filter(|one| one.source == "chinchilla").filter_map(|one| one.params).map(|one| share(one.held)).collect();
    format!("chinchilla N* held {:.0}", 100.0 * mean(held).unwrap_or(f64::NAN))
}

/// The loss of a minimum with its standard error.
fn loss_of(profile: &IsoflopProfile) -> Estimate {
    let se = profile.loss_se.unwrap_or(0.0);
    Estimate::new(profile.loss, se, [profile.loss - 2.0 * se, profile.loss + 2.0 * se], LEVEL, scalelab::fit::Interval::Delta)
}

fn of(said: &Estimate, found: &Estimate) -> Score {
    let error = (said.value / found.value).ln();
    // Half widths of both, in squares, on the side where the forecast missed.
    let own = found.se().unwrap_or(0.0) / found.value * 2.0;
    let side = if error > 0.0 { (said.value / said.low()).ln() } else { (said.high() / said.value).ln() };
    Score { error, held: error.abs() <= side.hypot(own), width: (said.high() / said.low()).ln() }
}

/// Share of the compute of a budget that a size of `n` wasted: where on the frontier the loss of the profile's parabola at `n`, over
/// that of its minimum, would have been reached.
fn wasted(profile: &IsoflopProfile, n: f64, frontier: impl Fn(f64) -> f64) -> Option<f64> {
    let parabola = profile.parabola?;
    let u = n.ln() - parabola.centre;
    let ratio = (parabola.c[0] + parabola.c[1] * u + parabola.c[2] * u * u) / profile.loss;
    let slope = (frontier(profile.compute) / frontier(1.1 * profile.compute)).ln() / 1.1f64.ln();
    Some(1.0 - (-ratio.ln() / slope).exp())
}
