//! What intervals are worth: how often they hold, how wide they are, and both in one (the interval score of Gneiting & Raftery
//! 2007 §6.2, in percent of the loss that came).

use crate::origins::{DISTANCES, Forecast, LEVELS, Origin};
use crate::tables::SOURCES;
use scalelab::spec::sample::{mean, median};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Scores at one level over some forecasts, in percent.
#[derive(Clone, Copy)]
pub(crate) struct Score {
    /// Share of intervals that hold what came.
    pub(crate) coverage: f64,
    /// Median full width over the loss.
    width: f64,
    /// Mean over the forecasts of (width + 2/α × miss) over the loss.
    pub(crate) interval: f64,
}

impl Score {
    fn of(forecasts: &[&Forecast], level: f64) -> Option<Self> {
        let percent = |one: &&Forecast| Some(one.given.as_ref()?.at(level).map(|end| 100.0 * end / one.loss));
        let intervals: Vec<[f64; 2]> = forecasts.iter().filter_map(percent).collect();
        let miss = |[low, high]: [f64; 2]| (low - 100.0).max(100.0 - high).max(0.0);
        let width = |[low, high]: [f64; 2]| high - low;
        let held = |ends: &[f64; 2]| f64::from(u8::from(miss(*ends) == 0.0));
        Some(Self {
            coverage: 100.0 * mean(intervals.iter().map(held))?,
            width: median(intervals.iter().copied().map(width))?,
            interval: mean(intervals.iter().map(|ends| width(*ends) + 2.0 / (1.0 - level) * miss(*ends)))?,
        })
    }

    /// The mean of each.
    pub(crate) fn mean(all: &[Self]) -> Option<Self> {
        let of = |part: fn(&Self) -> f64| mean(all.iter().map(part));
        Some(Self { coverage: of(|one| one.coverage)?, width: of(|one| one.width)?, interval: of(|one| one.interval)? })
    }
}

/// The scores of a source at each distance.
pub(crate) fn by_distance(forecasts: &[Forecast], source: &str, level: f64) -> Vec<Option<Score>> {
    let at =
        |number: usize| -> Vec<&Forecast> { forecasts.iter().filter(|one| one.source == source && one.distance() == number).collect() };
    (0..DISTANCES.len()).map(|number| Score::of(&at(number), level)).collect()
}

/// The table of a rule: a row for each source and one for their mean, at each level.
pub(crate) fn render(rule: &str, origins: &[Origin], forecasts: &[Forecast]) -> String {
    let of_rule: Vec<&Forecast> = forecasts.iter().filter(|one| one.rule == rule).collect();
    let silent = of_rule.iter().filter(|one| one.given.is_none()).count();
    let mut text = format!("{rule}: coverage, median full width and mean interval score in % of the loss, forecasts (origins)\n");
    if silent > 0 {
        let _ = writeln!(text, "of {silent} of {} runs it says that it cannot tell; they are not scored", of_rule.len());
    }
    for level in LEVELS {
        let heads: String = DISTANCES.iter().map(|distance| format!("{:>32}", format!("{distance} x"))).collect();
        let _ = writeln!(text, "{:<14}{heads}", format!("{:.0} %", 100.0 * level));
        let mut by_source: [Vec<Score>; DISTANCES.len()] = Default::default();
        let mut rows = String::new();
        for (source, _) in SOURCES {
            if origins.iter().all(|origin| origin.source != source) {
                continue;
            }
            let _ = write!(rows, "{source:<14}");
            for (at, scores) in by_source.iter_mut().enumerate() {
                let here: Vec<&Forecast> = of_rule.iter().filter(|one| one.source == source && one.distance() == at).copied().collect();
                let cuts: BTreeSet<(&str, u64)> = here.iter().map(|one| (one.table.as_str(), one.cut.to_bits())).collect();
                let score = Score::of(&here, level);
                rows += &cell(score, &format!("{} ({})", here.len(), cuts.len()));
                scores.extend(score);
            }
            rows.push('\n');
        }
        let mean: String = by_source.iter().map(|scores| cell(Score::mean(scores), &format!("{} sources", scores.len()))).collect();
        let _ = write!(text, "{rows}{:<14}{mean}\n\n", "MEAN");
    }
    text.trim_end().to_owned()
}

fn cell(score: Option<Score>, count: &str) -> String {
    let number = |value: f64| if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    let cell =
        score.map_or("—".into(), |score| format!("{:.0} {:>5} {:>5}", score.coverage, number(score.width), number(score.interval)));
    format!("{cell:>19}{count:>13}")
}
