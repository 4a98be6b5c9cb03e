//! The record of one law beside that of several together.

use super::cuts_in_words;
use super::mixture::Mixture;
use super::origins::{Errors, without_copies};
use crate::fit::Posterior;
use crate::law::{Evidence, Law, Point};
use crate::spec::sample::mean;
use rayon::prelude::*;

/// How far laws put the larger runs off, fitted below each cut: the root of the mean square, over cuts, of the mean error of ln L for
/// each factor e of compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    /// Root mean square error of the law alone.
    pub alone: f64,
    /// Root mean square error of several laws together.
    pub together: f64,
    /// Rolling origins that both were scored on.
    pub cuts: usize,
}

impl Mixture {
    /// The record of a law beside that of these together, below the same cuts of the runs that they were fitted to; `None` where there
    /// is no cut, or it cannot be fitted below one.
    pub fn beside(&self, form: &Law, evidence: &Evidence) -> Option<Beside> {
        let runs = without_copies(&evidence.points);
        let runs = self.walls.as_ref().map_or_else(|| runs.clone(), |walls| walls.weighted(&runs));
        let error = |origin: &super::Origin| {
            let (below, above): (Vec<Point>, Vec<Point>) = runs.iter().cloned().partition(|run| run.c <= origin.largest);
            Some(Errors::of(&Posterior::of(form, &below).ok()?, &above).mean / origin.ln_factor)
        };
        let alone: Vec<f64> = self.origins.par_iter().map(error).collect::<Option<_>>()?;
        let together: Vec<f64> = self.origins.iter().map(|origin| self.error_at(origin).0 / origin.ln_factor).collect();
        let root = |errors: &[f64]| mean(errors.iter().map(|error| error * error)).map(f64::sqrt);
        Some(Beside { alone: root(&alone)?, together: root(&together)?, cuts: alone.len() })
    }
}

impl Beside {
    /// That the one law did worse, in words; nothing where it did not.
    pub fn describe(&self, law: &str) -> Option<String> {
        (self.alone > self.together).then(|| {
            format!(
                "{law} is used alone: rolling-origin check at {}: it misses larger runs by {:.2} % of the loss for each factor e of compute, several laws together by {:.2} %; leave --law out to use those",
                cuts_in_words(self.cuts),
                100.0 * self.alone.exp_m1(),
                100.0 * self.together.exp_m1()
            )
        })
    }
}
