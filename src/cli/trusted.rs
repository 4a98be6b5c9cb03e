//! What a design can tell and what not, on one screen: how far beyond its runs the intervals that are printed would hold.

use super::colour::{good, heading, warning};
use super::text::{doubts, entry, filled, indented, rounded, screen_table};
use crate::fit::{Coverage, ForecastCoverage, SelftestOptions};
use crate::law::Design;
use crate::spec::{Flops, short};
use crate::study::{FACTORS, Held, HeldByRule, Trust};

/// What was simulated of a design.
pub(super) struct Simulated<'a> {
    pub(super) design: &'a Design,
    pub(super) options: &'a SelftestOptions,
    /// Intervals of the exponent a.
    pub(super) exponent: &'a [Coverage],
    /// Forecasts of budgets that were asked for.
    pub(super) forecasts: &'a [ForecastCoverage],
    /// A row for each truth and factor of compute.
    pub(super) trusted: &'a [Trust],
}

/// One quantity that is forecast.
type OfRow = fn(&Trust) -> HeldByRule;
const LOSS: OfRow = |row| row.one_run;
const SIZE: OfRow = |row| row.optimum;

/// What is printed: by several laws together, or by one where the design is none for several.
fn printed(held: HeldByRule) -> Option<Held> {
    held.together.or(held.alone)
}

impl Simulated<'_> {
    fn falls_short(&self, row: &Trust, of: OfRow) -> bool {
        printed(of(row)).is_none_or(|held| held.falls_short_of(self.options.level))
    }

    /// The largest factor of compute up to which intervals hold under every truth that the runs can show.
    fn reach(&self, of: OfRow) -> Option<f64> {
        let fails = |factor: f64| self.trusted.iter().any(|row| row.shows && row.factor == factor && self.falls_short(row, of));
        FACTORS.into_iter().take_while(|&factor| !fails(factor)).last()
    }

    /// How far intervals hold, a line.
    pub(super) fn line(&self) -> String {
        let far = |reach: Option<f64>| reach.map_or("not even at 2x".to_owned(), |factor| format!("up to {}x", short(factor)));
        let (loss, size) = (far(self.reach(LOSS)), far(self.reach(SIZE)));
        let runs = self.design.cells.len();
        format!("{}: intervals of {runs} such runs hold {loss} the largest compute for a loss, {size} for N*", self.design.name)
    }

    /// All of it on one screen; `simulations` are those of each truth.
    pub(super) fn answer(&self, simulations: usize) -> String {
        let said = filled("", &self.line());
        let farthest = FACTORS.last().copied();
        let mut text = match [self.reach(LOSS), self.reach(SIZE)] {
            both if both.iter().all(|reach| *reach == farthest) => good(&said),
            [None, _] | [_, None] => warning(&said),
            _ => heading(&said),
        };
        text += &self.widths();
        text += &self.exponent();
        let level = 100.0 * self.options.level;
        let held = format!("of 100 intervals at {level:.0} % so many hold, by what the runs follow ({simulations} simulations each)");
        text += &format!("\n{}", indented(&held));
        text += &self.table();
        text += &self.forecasts();
        text + &doubts(self.doubts())
    }

    /// How wide intervals are at the farthest place, where the runs follow the law that was asked for.
    fn widths(&self) -> String {
        let Some(row) = self.trusted.iter().take_while(|row| row.truth == self.trusted[0].truth).last() else { return String::new() };
        let width = |of: OfRow| printed(of(row)).map(|held| held.width).filter(|width| width.is_finite());
        let loss = width(LOSS).map_or("unbounded".into(), |width| format!("{} % wide", rounded(100.0 * width, 100.0 * width)));
        let size =
            width(SIZE).map_or("unbounded".into(), |width| format!("from one end to {} times that", rounded(1.0 + width, 1.0 + width)));
        entry("width", &format!("at {}x the interval of a loss is {loss}, that of N* goes {size}", short(row.factor)))
    }

    /// How well the exponent comes back.
    fn exponent(&self) -> String {
        let Some(first) = self.exponent.first() else { return String::new() };
        let truth = self.options.truth.params_exponent();
        let [truth, bias, twice] = [truth, first.bias.abs(), 2.0 * first.spread].map(|value| rounded(value, first.spread));
        let side = if first.bias < 0.0 { "low" } else { "high" };
        entry("a", &format!("an exponent of {truth} comes back within {twice} in 95 of 100 studies, on average {bias} too {side}"))
    }

    /// A line for each truth, nearest and farthest.
    fn table(&self) -> String {
        let coverage = |held: Option<Held>| held.map_or("—".into(), |held| format!("{:.0}", 100.0 * held.coverage));
        let row = |of_truth: &[Trust]| {
            let (first, last) = (&of_truth[0], &of_truth[of_truth.len() - 1]);
            let name = format!("{}{}", first.truth, if first.shows { "" } else { " *" });
            let cells = [LOSS, SIZE].into_iter().flat_map(|of| [first, last].map(|row| coverage(printed(of(row)))));
            std::iter::once(name).chain(cells).collect::<Vec<String>>()
        };
        let rows: Vec<Vec<String>> = self.trusted.chunks(FACTORS.len()).map(row).collect();
        let [near, far] = [FACTORS[0], FACTORS[FACTORS.len() - 1]].map(short);
        let header = [format!("loss at {near}x"), format!("at {far}x"), format!("N* at {near}x"), format!("at {far}x")];
        let header: Vec<&str> = std::iter::once("runs follow").chain(header.iter().map(String::as_str)).collect();
        screen_table(&header, &rows) + "  * nothing in the runs shows it\n"
    }

    /// How well budgets that were asked for are forecast by the additive law.
    fn forecasts(&self) -> String {
        let budget = |of_budget: &[ForecastCoverage]| {
            let off = |one: &ForecastCoverage| {
                let twice = 200.0 * one.spread;
                format!("+-{} %, {:.0} hold", rounded(twice, twice), 100.0 * one.coverage)
            };
            let name = Flops(of_budget[0].compute).to_string();
            std::iter::once(name).chain(of_budget.iter().map(off)).collect::<Vec<String>>()
        };
        let rows: Vec<Vec<String>> = self.forecasts.chunk_by(|a, b| a.compute == b.compute).map(budget).collect();
        if rows.is_empty() {
            return String::new();
        }
        let names: Vec<&str> = self.forecasts.iter().take(rows[0].len() - 1).map(|one| one.quantity).collect();
        let header: Vec<&str> = std::iter::once("C, FLOPs").chain(names).collect();
        format!("\n  by the additive law, where the runs follow it\n{}", screen_table(&header, &rows))
    }

    /// Where intervals do not hold, and what to do.
    fn doubts(&self) -> Vec<String> {
        let failing = |shows: bool| {
            let fails = |of: OfRow| {
                let mut names: Vec<&str> = Vec::new();
                for row in self.trusted.iter().filter(|row| row.shows == shows && self.falls_short(row, of)) {
                    if !names.contains(&row.truth.as_str()) {
                        names.push(&row.truth);
                    }
                }
                names
            };
            let of = |what: &str, of: OfRow| {
                Some(fails(of)).filter(|names| !names.is_empty()).map(|names| format!("{what}: {}", names.join(", ")))
            };
            let all: Vec<String> = of("loss", LOSS).into_iter().chain(of("N*", SIZE)).collect();
            (!all.is_empty()).then(|| all.join("; "))
        };
        let alone = self.trusted.iter().all(|row| row.one_run.together.is_none());
        let alone =
            alone.then(|| "too few runs, sizes or ratios D/N to be forecast by several laws together: add sizes and budgets".to_owned());
        let shown = failing(true).map(|what| format!("intervals are too narrow by these ({what}): add budgets nearer to what is forecast"));
        let hidden = failing(false)
            .map(|what| format!("they fail where no run can warn ({what}): check with one larger run before the largest is trained"));
        alone.into_iter().chain(shown).chain(hidden).collect()
    }
}
