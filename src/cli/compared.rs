//! Data sets side by side on one screen: which has the lower loss for the same compute, their laws, what each makes of a budget.

use super::colour::heading;
use super::groups;
use super::text::{counts, filled, first_doubts, indented, screen_table, table, tokens_per};
use crate::fit::{Comparison, Estimate};
use crate::recommend::Allocation;
use crate::spec::{Flops, short};
use crate::study::{Group, LossUnit};
use std::collections::BTreeSet;

/// What the laws of the groups make of a budget.
pub(super) struct Allocated {
    /// C, FLOPs.
    pub(super) compute: f64,
    /// Groups by name, each with its optimum there.
    pub(super) groups: Vec<(String, Allocation)>,
}

/// A comparison, with all that is said of it.
pub(super) struct Compared<'a> {
    pub(super) unit: LossUnit,
    pub(super) found: &'a Comparison,
    pub(super) groups: &'a [Group],
    /// At the largest compute that all groups reached.
    pub(super) measured: Option<&'a Allocated>,
    /// At the budgets that are shown.
    pub(super) allocated: &'a [Allocated],
}

/// The group of the lowest loss, the next, and by how much it is lower.
struct Lead<'a> {
    best: &'a str,
    next: &'a str,
    by: Estimate,
}

impl<'a> Lead<'a> {
    fn of(at: &'a Allocated) -> Option<Self> {
        let mut order: Vec<&(String, Allocation)> = at.groups.iter().collect();
        order.sort_by(|a, b| a.1.loss.value.total_cmp(&b.1.loss.value));
        let [(best, first), (next, second), ..] = order[..] else { return None };
        Some(Self { best, next, by: second.loss.less(first.loss) })
    }

    fn is_shown(&self) -> bool {
        self.by.uncertainty.is_some() && !self.by.holds(0.0)
    }

    /// By how much the same group is lower at another budget.
    fn at(&self, other: &Allocated) -> Option<Estimate> {
        let loss = |name: &str| Some(other.groups.iter().find(|(known, _)| known == name)?.1.loss);
        Some(loss(self.next)?.less(loss(self.best)?))
    }
}

impl Compared<'_> {
    fn tokens(&self) -> &'static str {
        if self.unit == LossUnit::BitsPerByte { "bytes of text" } else { "tokens" }
    }

    /// Which group has the lower loss at the largest compute that was measured.
    pub(super) fn line(&self) -> String {
        let several = self.groups.len() > 2;
        let Some((at, lead)) = self.measured.and_then(|at| Some((at, Lead::of(at)?))) else {
            let without: Vec<&str> = self.without_optimum().collect();
            return format!("losses for the same compute are not compared: no optimum by the law of {}", without.join(", "));
        };
        let Lead { best, next, by } = &lead;
        let place = format!("at {} FLOPs, the largest that {} reached", Flops(at.compute), if several { "all" } else { "both" });
        let unit = self.unit.name();
        match (lead.is_shown(), several) {
            (true, false) => format!("{best} has the lower loss for the same compute: {by} {unit} less than {next} {place}"),
            (true, true) => format!("{best} has the lowest loss for the same compute: {by} {unit} less than {next}, the next, {place}"),
            (false, false) => {
                format!("no difference in loss is shown for the same compute: {best} has {by} {unit} less than {next} {place}")
            }
            (false, true) => {
                format!("no group is shown to have the lowest loss: {best} has {by} {unit} less than {next}, the next, {place}")
            }
        }
    }

    /// The same for larger budgets, by the same two groups.
    fn beyond(&self) -> String {
        let Some((measured, lead)) = self.measured.and_then(|at| Some((at, Lead::of(at)?))) else { return String::new() };
        let one = |at: &Allocated| {
            let by = lead.at(at).filter(|_| at.compute > 1.001 * measured.compute)?;
            let shown = if by.holds(0.0) { ", no difference shown" } else { "" };
            Some(format!("at {}x that compute {by}{shown}", short(at.compute / measured.compute)))
        };
        let all: Vec<String> = self.allocated.iter().filter_map(one).collect();
        if all.is_empty() { String::new() } else { indented(&format!("beyond: {}", all.join("; "))) }
    }

    /// Groups whose law allocates no budget.
    fn without_optimum(&self) -> impl Iterator<Item = &str> {
        let has = |name: &str| self.measured.is_some_and(|at| at.groups.iter().any(|(known, _)| known == name));
        self.found.groups.iter().map(|one| one.group.as_str()).filter(move |name| !has(name))
    }

    /// All of it on one screen.
    pub(super) fn answer(&self) -> String {
        let mut text = heading(&filled("", &self.line())) + &self.beyond();
        text += &format!("\n{}", groups::laws("data", self.found));
        text += &indented(&groups::exponents(self.found));
        if self.allocated.iter().any(|one| !one.groups.is_empty()) {
            text += &format!("\n{}", self.budgets());
        }
        let room = if self.groups.len() > 2 { 1 } else { 2 };
        text + &first_doubts(self.doubts(), room)
    }

    /// What each group makes of each budget.
    fn budgets(&self) -> String {
        let rows = self.allocated.iter().flat_map(|one| one.groups.iter().map(move |(name, a)| (one.compute, name, a)));
        let row = |(compute, name, a): (f64, &String, &Allocation)| {
            let times = if a.extrapolation_factor > 1.001 { format!(" {}x", short(a.extrapolation_factor)) } else { String::new() };
            let budget = format!("{}{times}", Flops(compute));
            vec![
                format!("{budget:<14}{name}"),
                format!("{} {}", short(a.params.value), counts(&a.params)),
                short(a.tokens.value),
                a.loss.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = rows.map(row).collect();
        let measure = self.groups.first().map_or("N", |group| group.evidence.size_measure.name());
        let size = format!("N, {measure}");
        let tokens = if self.unit == LossUnit::BitsPerByte { "bytes" } else { "tokens" };
        screen_table(&["C, FLOPs", &size, tokens, &format!("loss, {}", self.unit.name())], &rows)
    }

    fn doubts(&self) -> Vec<String> {
        let refused = self.found.refused.iter().map(|(group, why)| format!("{group} is left out: {why}"));
        let mut all: Vec<String> = refused.collect();
        let corpora: BTreeSet<&String> =
            self.groups.iter().flat_map(|group| group.records.iter().filter_map(|r| r.corpus.as_ref())).collect();
        if corpora.len() > 1 {
            all.push("these are several texts, and a loss on one is not that loss on another; to judge a change, score both on one held-out text".into());
        }
        let without: Vec<&str> = self.without_optimum().collect();
        if !without.is_empty() && self.measured.is_some() {
            all.push(format!("no budget has an optimum by the law of {}: add sizes and tokens that lie farther apart", without.join(", ")));
        }
        all.extend(self.alone());
        let warned = self.found.groups.iter().flat_map(|one| one.fitted.warnings.iter().map(move |warning| (one.group.as_str(), warning)));
        let mut warnings: Vec<(&String, Vec<&str>)> = Vec::new();
        for (group, warning) in warned {
            match warnings.iter_mut().find(|(known, _)| *known == warning) {
                Some((_, groups)) => groups.push(group),
                None => warnings.push((warning, vec![group])),
            }
        }
        all.extend(warnings.into_iter().map(|(warning, groups)| format!("{}: {warning}", groups.join(", "))));
        all
    }

    /// Groups whose losses one law says alone.
    fn alone(&self) -> Option<String> {
        let groups = self.allocated.first()?.groups.iter();
        let names: Vec<&str> = groups.filter(|(_, a)| a.loss_source.is_none()).map(|(name, _)| name.as_str()).collect();
        let whose = names.join(", ");
        (!names.is_empty())
            .then(|| format!("{whose}: one law speaks alone, so intervals hold only if it does; add budgets or sizes to check it"))
    }

    /// Everything behind it.
    pub(super) fn details(&self) -> String {
        let Self { unit, found, allocated, .. } = self;
        let (loss, tokens) = (unit.name(), self.tokens());
        let per = self.groups.first().map_or("D/N", |group| tokens_per(group.evidence.size_measure));
        let mut text = format!("loss in {loss}, D in {tokens}\n");
        text += &groups::text("data", found);
        for one in *allocated {
            text += &format!("\nthe same budget for each: C = {} FLOPs\n", Flops(one.compute));
            let row = |(name, a): &(String, Allocation)| {
                vec![
                    name.clone(),
                    short(a.params.value),
                    counts(&a.params),
                    short(a.tokens.value),
                    counts(&a.tokens),
                    short(a.tokens_per_param.value),
                    a.loss.to_string(),
                    short(a.extrapolation_factor),
                ]
            };
            let header = ["data", "N*", "", "D*", "", per, loss, "extrapolation (x)"];
            text += &table(&header, &one.groups.iter().map(row).collect::<Vec<_>>());
        }
        for (name, a) in allocated.first().iter().flat_map(|one| &one.groups) {
            let by = |what: &str, source: &Option<String>| {
                source.as_ref().map_or_else(String::new, |source| format!("\n{name}: {what} by {source}"))
            };
            text += &(by("N*", &a.size_source) + &by("losses", &a.loss_source));
            if a.loss_source.is_none() {
                text +=
                    &format!("\n{name}: N* and losses by the law above alone; intervals are statistical, and hold only if the law does");
            }
        }
        text + "\n" + &first_doubts(self.doubts(), usize::MAX)
    }
}
