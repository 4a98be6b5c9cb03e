//! The law that speaks, refitted without the runs that stand off it: asked for with `--robust`, said beside the law of all runs, and never
//! in its place.

use super::doubt::NAMED;
use crate::fit::{FitError, FitOptions, FittedLaw, Search, fit};
use serde::Serialize;
use std::sync::Arc;

/// The law of the runs that do not stand off it.
#[derive(Debug, Clone, Serialize)]
pub struct Robust {
    /// Runs that were left out.
    pub left_out: Vec<String>,
    /// The law of the others.
    pub law: FittedLaw,
}

impl Robust {
    /// Refits a law without the points of some indices; intervals have the level of `level`.
    ///
    /// # Errors
    /// Where the others are too few, or no design for the law.
    pub(super) fn of(whole: &FittedLaw, left_out: &[usize], options: &FitOptions, level: f64) -> Result<Self, FitError> {
        let kept = whole.evidence.points.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        let evidence = whole.evidence.with_points(kept.map(|(_, point)| point.clone()).collect());
        let options = FitOptions { search: Search::VarproOnly, ..*options };
        let law = fit(&whole.law, Arc::new(evidence), &options)?.at(level)?;
        Ok(Self { left_out: left_out.iter().map(|&at| whole.evidence.points[at].run.clone()).collect(), law })
    }

    /// What leaving the runs out changes, in words.
    pub(super) fn said(&self, whole: &FittedLaw) -> String {
        let coefficients =
            whole.coefficients.0.iter().zip(&self.law.coefficients.0).map(|((name, before), (_, after))| (name, before, after));
        let derived = whole.derived.get("a").zip(self.law.derived.get("a")).map(|(before, after)| ("a".to_owned(), before, after));
        let one =
            |name: &str, before: f64, after: &crate::fit::Estimate| format!("{name} {after}, with them {}", crate::spec::short(before));
        let mut parts: Vec<String> = coefficients.map(|(name, before, after)| one(name, before.value, after)).collect();
        parts.extend(derived.map(|(name, before, after)| one(&name, before.value, after)));
        let (named, more) = self.left_out.split_at(NAMED.min(self.left_out.len()));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        let runs = named.join(", ") + &more;
        format!("refitted without {runs}, as --robust asks: {}; what is recommended rests on all runs", parts.join("; "))
    }
}
