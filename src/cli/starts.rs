//! `fit --starts`: every start of L-BFGS, where it ended and why.

use super::failure::{OrInput, OrWork, Outcome};
use crate::fit::{Estimator, StartEnd, start_ends};
use crate::law::{Chinchilla, Evidence, Law};
use crate::results::{to_csv, write_whole};
use anyhow::Context;
use serde::Serialize;
use std::path::Path;

/// A start with its coefficients before and after.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(rename = "start_E")]
    start_e: f64,
    #[serde(rename = "start_A")]
    start_a: f64,
    #[serde(rename = "start_B")]
    start_b: f64,
    start_alpha: f64,
    start_beta: f64,
    #[serde(rename = "E")]
    e: f64,
    #[serde(rename = "A")]
    a: f64,
    #[serde(rename = "B")]
    b: f64,
    alpha: f64,
    beta: f64,
    objective: f64,
    iterations: u64,
    reason: &'a str,
}

impl<'a> From<&'a StartEnd> for Row<'a> {
    fn from(end: &'a StartEnd) -> Self {
        let law = |theta: &[f64]| Chinchilla::default().with_theta(theta);
        let (start, found) = (law(&end.start), law(&end.theta));
        Self {
            start_e: start.e,
            start_a: start.a,
            start_b: start.b,
            start_alpha: start.alpha,
            start_beta: start.beta,
            e: found.e,
            a: found.a,
            b: found.b,
            alpha: found.alpha,
            beta: found.beta,
            objective: end.objective,
            iterations: end.iterations,
            reason: &end.reason,
        }
    }
}

/// Writes a row a start.
pub(super) fn keep(path: &Path, evidence: &Evidence, estimator: Estimator) -> Outcome {
    let ends = start_ends(&Chinchilla::default(), evidence, estimator).or_input()?;
    let rows: Vec<Row<'_>> = ends.iter().map(Row::from).collect();
    write_whole(path, &to_csv(&rows)).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
    println!("\nstarts: {} in {}", ends.len(), path.display());
    Ok(())
}
