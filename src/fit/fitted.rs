//! A fit read at one level of confidence: its coefficients and what follows from them with their intervals. This is what
//! `fits/<law>.json` holds (ARCHITECTURE.md, section 6).

use super::{Diagnostics, Estimate, Estimator, Fit, FitError, FitStatus, Method, Named, Quantity};
use crate::law::{ComputeCount, Exclusion, Law};
use crate::spec::{FlopRule, SizeMeasure};
use rayon::prelude::*;
use serde::{Serialize, Serializer};
use std::ops::Deref;

/// Version of the documents that are written, raised when a field changes its meaning. Those of scalelab 0.1 have none.
pub const FORMAT: u32 = 2;

/// A fit at a level of confidence; all else of the fit is read through it.
#[derive(Debug, Clone)]
pub struct FittedLaw {
    fit: Fit,
    /// Level of the intervals, for example 0.95.
    pub level: f64,
    /// Coefficients under their names.
    pub coefficients: Named<Estimate>,
    /// What follows from them: a and b of a law of N and D.
    pub derived: Named<Estimate>,
    /// What a reader must know, in words.
    pub warnings: Vec<String>,
}

impl Deref for FittedLaw {
    type Target = Fit;
    fn deref(&self) -> &Fit {
        &self.fit
    }
}

impl Fit {
    /// The fit read at a level of confidence from 0.5 to 0.9999.
    ///
    /// # Errors
    /// For any other level.
    pub fn at(self, level: f64) -> Result<FittedLaw, FitError> {
        check_level(level)?;
        let names = self.law.coefficients().iter().map(|one| one.name.to_owned());
        let values: Vec<Estimate> = (0..self.law.theta().len()).into_par_iter().map(|j| self.coefficient(j, level)).collect();
        let (coefficients, derived) = (Named(names.zip(values).collect()), self.exponents(level));
        let rests_on_refits =
            coefficients.iter().chain(derived.iter()).any(|(_, one)| one.uncertainty.is_none_or(|known| known.interval.is_of_refits()));
        let few = if rests_on_refits { few_refits(self.diagnostics.refits, level) } else { None };
        let warnings = self.warnings.iter().cloned().chain(few).collect();
        Ok(FittedLaw { level, coefficients, derived, warnings, fit: self })
    }

    /// A coefficient with its interval; one at its bound 0 has that of its refits, in which a failed one is unbounded.
    fn coefficient(&self, j: usize, level: f64) -> Estimate {
        let (quantity, value) = (Quantity::coefficient(&self.law, j), self.law.theta()[j]);
        if self.has_likelihood(value) {
            return self.interval(&quantity, level);
        }
        let draws = self.draws.iter().map(|law| self.objective_at.unbounded(j, law.theta()[j]));
        let draws = draws.chain(std::iter::repeat_n(f64::NAN, self.diagnostics.failed_refits)).collect();
        Estimate::from_draws(value, draws, level, self.drawn).widened_by(self.windows.iter().map(|law| quantity.of(law)).collect())
    }

    /// a and b of a law of N and D, at the compute of the largest run.
    fn exponents(&self, level: f64) -> Named<Estimate> {
        if !self.law.may_advise() {
            return Named(Vec::new());
        }
        let (count, largest) = (ComputeCount::of(&self.evidence.points), self.evidence.largest_compute());
        let quantities = [Quantity::params_exponent(largest, &count), Quantity::tokens_exponent(largest, &count)];
        let estimates = self.intervals(&quantities, level);
        Named(quantities.iter().map(|one| one.name().to_owned()).zip(estimates).collect())
    }
}

/// Refuses a level of confidence outside of 0.5 to 0.9999.
///
/// # Errors
/// For such a level.
pub fn check_level(level: f64) -> Result<(), FitError> {
    if (0.5..=0.9999).contains(&level) {
        return Ok(());
    }
    Err(FitError::Option { option: "level", value: level, allowed: "choose a confidence level from 0.5 to 0.9999, such as 0.95" })
}

/// What is to be said of intervals of so few refits.
fn few_refits(refits: usize, level: f64) -> Option<String> {
    // So many have one refit beyond each end.
    let enough = (2.0 / (1.0 - level) - 1.0).ceil().max(20.0) as usize;
    if refits < 20 {
        Some(format!("{refits} refits give no interval; ask for at least {enough}"))
    } else if refits < enough {
        Some(format!("an interval of {refits} refits holds less than {} %; ask for at least {enough}", 100.0 * level))
    } else {
        None
    }
}

/// The fields of the document, in their order.
#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    law: &'static str,
    formula: &'static str,
    status: FitStatus,
    points: usize,
    estimator: Estimator,
    method: Method,
    objective: f64,
    coefficients: &'a Named<Estimate>,
    derived: &'a Named<Estimate>,
    covariance: Vec<Vec<f64>>,
    size_measure: SizeMeasure,
    flop_rule: FlopRule,
    excluded: &'a [Exclusion],
    diagnostics: &'a Diagnostics,
    warnings: &'a [String],
    seed: u64,
    data_sha256: &'a str,
    version: &'static str,
}

impl Serialize for FittedLaw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Fit { law, evidence, status, estimator, method, objective, diagnostics, seed, data_sha256, .. } = &self.fit;
        let document = Document {
            format: FORMAT,
            law: Law::name(law),
            formula: law.text(),
            status: *status,
            points: evidence.points.len(),
            estimator: *estimator,
            method: *method,
            objective: *objective,
            coefficients: &self.coefficients,
            derived: &self.derived,
            covariance: self.fit.covariance(),
            size_measure: evidence.size_measure,
            flop_rule: evidence.flop_rule,
            excluded: &evidence.excluded,
            diagnostics,
            warnings: &self.warnings,
            seed: *seed,
            data_sha256,
            version: env!("CARGO_PKG_VERSION"),
        };
        document.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, Search, fit};
    use crate::law::{Additive, Chinchilla, Design, Evidence, Noise, simulate};

    fn without_refits(estimator: Estimator) -> FittedLaw {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let evidence = Evidence::as_given(simulate(&Chinchilla::default().into(), &design, Noise { run: 0.003, cluster: 0.0 }, 4));
        let options = FitOptions { estimator, search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        fit(&Additive.into(), evidence, &options).and_then(|fit| fit.at(0.95)).expect("a fit")
    }

    #[test]
    fn a_likelihood_gives_intervals_without_refits() {
        let fitted = without_refits(Estimator::LeastSquaresLog);
        let methods: Vec<&str> = fitted.coefficients.iter().chain(fitted.derived.iter()).map(|(_, one)| one.method()).collect();
        assert_eq!(methods, ["profile"; 7]);
        assert_eq!(fitted.warnings, fitted.fit.warnings, "nothing is said of refits that nothing rests on");
    }

    #[test]
    fn without_likelihood_and_refits_it_is_said_that_there_is_no_interval() {
        let fitted = without_refits(Estimator::default());
        assert!(fitted.coefficients.iter().chain(fitted.derived.iter()).all(|(_, one)| one.method() == "none"));
        assert!(fitted.warnings.iter().any(|one| one.contains("0 refits give no interval")), "{:?}", fitted.warnings);
    }
}
