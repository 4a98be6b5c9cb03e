//! What a change is worth in compute: each group against a baseline, through the minima of budgets where both have them, else
//! along L*(C) of their laws.

use super::budgets::parabolas;
use super::certified::minima;
use super::{Group, StudyError, StudyOptions};
use crate::fit::{
    Asked, Fit, FitError, FitOptions, Floor, Places, Quantity, Search, Speedup, SpeedupAt, check_level, fit, speedup as of_frontiers,
};
use crate::law::{Additive, ComputeCount, Law};
use crate::spec::sample::extent;
use serde::Serialize;
use std::collections::BTreeSet;

/// What is asked of a comparison in compute.
#[derive(Debug, Clone, Default)]
pub struct WorthOptions {
    /// The floor; where nothing is said shared by groups of one corpus, and each group's own otherwise.
    pub floor: Option<Floor>,
    /// Name of the baseline; the first group where nothing is said.
    pub baseline: Option<String>,
    /// Budgets, FLOPs, and losses at which it is asked for; of none the budgets that both reached.
    pub asked: Vec<Asked>,
}

/// Every group against the baseline.
#[derive(Debug, Clone, Serialize)]
pub struct Worth {
    /// Name of the baseline.
    pub baseline: String,
    /// The other groups, each beside the baseline.
    pub groups: Vec<GroupWorth>,
    /// Level of the intervals.
    pub level: f64,
    /// What a reader must know, in words.
    pub notes: Vec<String>,
}

/// One group against the baseline.
#[derive(Debug, Clone, Serialize)]
pub struct GroupWorth {
    /// Name of the group.
    pub group: String,
    /// What it is worth.
    pub worth: OverBaseline,
}

/// How many times its compute the baseline needs for the same loss.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "frontier", rename_all = "kebab-case")]
pub enum OverBaseline {
    /// Through the minima of budgets.
    Minima {
        /// Budgets with a minimum, of the baseline and of the group.
        budgets: [usize; 2],
        /// The speedup.
        #[serde(flatten)]
        speedup: Box<Speedup>,
    },
    /// Along L*(C) of fitted laws, each group with its own floor.
    Laws {
        /// Why not through minima.
        why: String,
        /// At each place that was asked for.
        at: Vec<SpeedupAt>,
    },
}

/// Each group's compute for the loss of the baseline.
///
/// # Errors
/// Where there is no such baseline, a frontier cannot be fitted, or a floor is asked of groups without budgets.
pub fn worth(groups: &[Group], asked: &WorthOptions, options: &StudyOptions) -> Result<Worth, StudyError> {
    check_level(options.level)?;
    let names = || groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    let named = |name: &String| groups.iter().find(|group| group.name == *name);
    let base = match &asked.baseline {
        Some(name) => named(name).ok_or_else(|| StudyError::NoBaseline { wanted: name.clone(), found: names() })?,
        None => groups.first().ok_or(StudyError::OneGroup(names()))?,
    };
    if groups.len() < 2 {
        return Err(StudyError::OneGroup(names()));
    }
    let corpora: BTreeSet<&String> =
        groups.iter().flat_map(|group| group.records.iter().filter_map(|record| record.corpus.as_ref())).collect();
    let floor = asked.floor.unwrap_or(if corpora.len() > 1 { Floor::Own } else { Floor::Shared });
    let others = groups.iter().filter(|group| group.name != base.name);
    let one = |group: &Group| Ok(GroupWorth { group: group.name.clone(), worth: over(base, group, floor, asked, options)? });
    Ok(Worth {
        baseline: base.name.clone(),
        groups: others.map(one).collect::<Result<_, StudyError>>()?,
        level: options.level,
        notes: another_text(&corpora).into_iter().collect(),
    })
}

/// What is to be said of groups that were trained on several corpora.
fn another_text(corpora: &BTreeSet<&String>) -> Option<String> {
    let all: Vec<&str> = corpora.iter().map(|corpus| corpus.as_str()).collect();
    (all.len() > 1).then(|| {
        format!(
            "the groups are of several corpora ({}): a loss on one text is not that loss on another, so this compares texts and not changes; to compare changes, measure both on one held-out text",
            all.join(", ")
        )
    })
}

fn over(base: &Group, group: &Group, floor: Floor, asked: &WorthOptions, options: &StudyOptions) -> Result<OverBaseline, StudyError> {
    let places = |asked: &[Asked], ends: Option<(f64, f64)>| match ends {
        Some((low, high)) if asked.is_empty() => vec![Asked::Compute(low), Asked::Compute((low * high).sqrt()), Asked::Compute(high)],
        _ => asked.to_vec(),
    };
    match (frontier(base, options), frontier(group, options)) {
        (Ok(one), Ok(other)) => {
            let reached = |places: &Places| extent(places.places.iter().map(|place| place.x));
            let asked = places(&asked.asked, common(reached(&one), reached(&other)));
            let speedup = of_frontiers(&one, &other, floor, options.level, &asked)?;
            Ok(OverBaseline::Minima { budgets: [one.places.len(), other.places.len()], speedup: Box::new(speedup) })
        }
        (Err(why), _) | (_, Err(why)) if asked.floor.is_none_or(|floor| floor == Floor::Own) => {
            let reached = |group: &Group| extent(group.evidence.points.iter().map(|point| point.c));
            let asked = places(&asked.asked, common(reached(base), reached(group)));
            let at = along_laws(base, group, &asked, options).map_err(|law| StudyError::NoFrontier { why: why.clone(), law })?;
            Ok(OverBaseline::Laws { why, at })
        }
        (Err(why), _) | (_, Err(why)) => Err(StudyError::FloorOfLaws(why)),
    }
}

/// What two ranges have in common.
fn common(one: Option<(f64, f64)>, other: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let ((a, b), (c, d)) = (one?, other?);
    Some((a.max(c), b.min(d))).filter(|(low, high)| low <= high)
}

/// The minima of a group's budgets, or why there are none.
fn frontier(group: &Group, options: &StudyOptions) -> Result<Places, String> {
    match parabolas(&group.evidence, options) {
        Some(Ok(found)) => Ok(minima(&found.profiles, None)),
        Some(Err(error)) => Err(format!("{}: {error}", group.name)),
        None => Err(format!("{} has no budgets", group.name)),
    }
}

/// Along L*(C) of the additive law of each group.
fn along_laws(base: &Group, group: &Group, asked: &[Asked], options: &StudyOptions) -> Result<Vec<SpeedupAt>, FitError> {
    let fit_options = FitOptions { search: Search::VarproOnly, ..options.fit_options() };
    let fitted = |group: &Group| fit(&Law::from(Additive), group.evidence.clone(), &fit_options);
    let (one, other) = (fitted(base)?, fitted(group)?);
    Ok(asked.iter().map(|asked| law_place(&one, &other, *asked, options.level)).collect())
}

/// Two frontiers by laws, and the place at which one is measured against the other.
#[derive(Clone)]
struct Laws {
    base: (Law, ComputeCount),
    changed: (Law, ComputeCount),
    asked: Asked,
}

impl Laws {
    /// Compute of the changed group there.
    fn compute(&self) -> f64 {
        match self.asked {
            Asked::Compute(compute) => compute,
            Asked::Loss(loss) => compute_for(&self.changed, loss),
        }
    }

    /// The loss that it has there.
    fn loss(&self) -> f64 {
        self.changed.0.optimal_loss(self.compute(), &self.changed.1)
    }

    /// How many times that compute the baseline needs for it.
    fn speedup(&self) -> f64 {
        compute_for(&self.base, self.loss()) / self.compute()
    }
}

/// The interval has the error of either law with the other held, which are independent of each other.
fn law_place(base: &Fit, changed: &Fit, asked: Asked, level: f64) -> SpeedupAt {
    let frontier = |fit: &Fit| (fit.law.clone(), ComputeCount::of(&fit.evidence.points));
    let laws = Laws { base: frontier(base), changed: frontier(changed), asked };
    let (of_base, of_changed) = (laws.clone(), laws.clone());
    let by_base = move |law: &Law| Laws { base: (law.clone(), of_base.base.1.clone()), ..of_base.clone() }.speedup();
    let by_changed = move |law: &Law| Laws { changed: (law.clone(), of_changed.changed.1.clone()), ..of_changed.clone() }.speedup();
    let at = laws.compute();
    let reached = |fit: &Fit| extent(fit.evidence.points.iter().map(|point| point.c)).is_some_and(|(low, high)| low <= at && at <= high);
    SpeedupAt {
        compute: at,
        loss: laws.loss(),
        speedup: base
            .interval(&Quantity::new("speedup", by_base), level)
            .with_error_of(changed.interval(&Quantity::new("speedup", by_changed), level)),
        within: reached(base) && reached(changed),
    }
}

/// Compute at whose optimum a loss is reached, by halving; NaN of a loss that none from one FLOP to 1e40 reaches.
fn compute_for((law, count): &(Law, ComputeCount), loss: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0 * std::f64::consts::LN_10);
    let above = |ln_c: f64| law.optimal_loss(f64::exp(ln_c), count) > loss;
    if !above(low) || above(high) {
        return f64::NAN;
    }
    for _ in 0..60 {
        let half = 0.5 * (low + high);
        if above(half) { low = half } else { high = half }
    }
    (0.5 * (low + high)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Estimator;
    use crate::law::{Chinchilla, Design, Evidence, Noise, simulate};
    use crate::spec::RunRecord;
    use rayon::prelude::*;

    const TIMES: f64 = 1.4;

    /// Runs of a law whose losses are those of the base at `times` the compute, √times more of N and of D.
    fn group(name: &str, times: f64, corpus: &str, seed: u64) -> Group {
        let (root, base) = (times.sqrt(), Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.34, beta: 0.28 });
        let law = Chinchilla { a: base.a * root.powf(-base.alpha), b: base.b * root.powf(-base.beta), ..base };
        let design = Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, 8.0);
        let points = simulate(&law.into(), &design, Noise { run: 0.004, cluster: 0.0 }, seed);
        let records = vec![RunRecord { corpus: Some(corpus.into()), ..RunRecord::default() }];
        Group { name: name.into(), evidence: Evidence::as_given(points.clone()), as_seen: Evidence::as_given(points), records }
    }

    fn asked(floor: Option<Floor>) -> WorthOptions {
        WorthOptions { floor, asked: vec![Asked::Compute(1e18)], ..WorthOptions::default() }
    }

    fn options() -> StudyOptions {
        StudyOptions { own: false, estimator: Some(Estimator::LeastSquaresLog), refits: 0, ..StudyOptions::default() }
    }

    fn pair(seed: u64) -> [Group; 2] {
        [group("before", 1.0, "text", 2 * seed), group("after", TIMES, "text", 2 * seed + 1)]
    }

    fn without_budgets(mut group: Group) -> Group {
        group.evidence.points.iter_mut().for_each(|point| point.budget = None);
        group
    }

    fn of(groups: &[Group], floor: Option<Floor>) -> OverBaseline {
        worth(groups, &asked(floor), &options()).expect("a worth").groups.swap_remove(0).worth
    }

    #[test]
    fn intervals_hold_what_a_change_is_worth_through_minima_and_along_laws() {
        let minima = |seed: u64| match of(&pair(seed), None) {
            OverBaseline::Minima { speedup, .. } => speedup.constant.expect("shared").holds(TIMES),
            laws @ OverBaseline::Laws { .. } => panic!("{laws:?}"),
        };
        let laws = |seed: u64| match of(&pair(seed).map(without_budgets), None) {
            OverBaseline::Laws { at, .. } => at[0].within && at[0].speedup.holds(TIMES),
            minima @ OverBaseline::Minima { .. } => panic!("{minima:?}"),
        };
        let held = |of: &(dyn Fn(u64) -> bool + Sync)| (0..40).into_par_iter().filter(|&seed| of(seed)).count();
        let (minima, laws) = (held(&minima), held(&laws));
        // 38 of 40 expected of each, standard deviation 1.4.
        assert!(minima >= 34 && laws >= 34, "minima {minima}, laws {laws}");
    }

    #[test]
    fn groups_of_several_corpora_have_floors_of_their_own_and_that_is_said() {
        let groups = [group("before", 1.0, "one", 0), group("after", TIMES, "another", 1)];
        let found = worth(&groups, &asked(None), &options()).expect("a worth");
        assert!(matches!(&found.groups[0].worth, OverBaseline::Minima { speedup, .. } if speedup.floor == Floor::Own));
        assert!(found.notes[0].contains("several corpora (another, one)"), "{:?}", found.notes);
        let told = worth(&pair(0), &asked(None), &options()).expect("a worth");
        assert!(told.notes.is_empty() && told.baseline == "before");
    }

    #[test]
    fn a_floor_without_minima_and_a_baseline_that_is_not_there_are_refused() {
        let groups = pair(0);
        let none = WorthOptions { baseline: Some("none".into()), ..asked(None) };
        assert!(matches!(worth(&groups, &none, &options()), Err(StudyError::NoBaseline { .. })));
        assert!(matches!(worth(&groups[..1], &asked(None), &options()), Err(StudyError::OneGroup(_))));
        let without = groups.map(without_budgets);
        assert!(matches!(worth(&without, &asked(Some(Floor::Pinned(1.7))), &options()), Err(StudyError::FloorOfLaws(_))));
    }
}
