//! What a study recommends.

use super::{Allocation, Known, allocate};
use crate::fit::Fit;
use crate::spec::Flops;
use crate::study::Study;
use rayon::prelude::*;

/// Multiples of the largest run that are recommended for unless budgets are asked for.
const DEFAULT_MULTIPLES: [f64; 3] = [3.0, 10.0, 100.0];

/// A recommendation for every budget, by the law that speaks; none where no law gives a budget an optimum, where it means nothing
/// and nobody forces it, or where the table contradicts itself and nobody trusts it. Without budgets for 3, 10 and 100 times the largest run.
pub fn advise(study: &Study, budgets: &[Flops]) -> Vec<Allocation> {
    let Some(fitted) = study.law_with_optima() else { return Vec::new() };
    if !study.options.force && study.means_nothing().is_some() || study.distrusted().is_some() {
        return Vec::new();
    }
    let defaults = DEFAULT_MULTIPLES.map(|multiple| Flops(multiple * study.evidence.largest_compute()));
    let budgets = if budgets.is_empty() { &defaults[..] } else { budgets };
    let fit: &Fit = fitted;
    let why_alone = study.why_alone();
    let one = |&budget: &Flops| {
        let mut allocation = allocate(fitted, fitted.level, &Known::of(study), budget);
        // What is wrong at this level alone, such as too few refits for it.
        let missing = fitted.warnings.iter().filter(|warning| !fit.warnings.contains(warning));
        allocation.warnings.extend(missing.cloned());
        allocation.warnings.extend(why_alone.clone());
        allocation
    };
    budgets.par_iter().map(one).collect()
}
