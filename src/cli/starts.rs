//! `fit --starts`: every start of L-BFGS of the law that speaks, where it ended and why.

use super::failure::{OrInput, OrWork, Outcome};
use crate::fit::{FittedLaw, StartEnd, start_ends};
use crate::results::{to_csv, write_whole};
use anyhow::Context;
use std::path::Path;

/// Writes a row a start: coefficients before and after, the objective there, iterations and the reason.
pub(super) fn keep(path: &Path, fitted: &FittedLaw) -> Outcome {
    let ends = start_ends(&fitted.law, &fitted.evidence, fitted.estimator).or_input()?;
    let names = || fitted.law.coefficients().iter().map(|one| one.name);
    let mut rows = vec![names().map(|name| format!("start_{name}")).chain(names().map(str::to_owned)).collect::<Vec<String>>()];
    rows[0].extend(["objective", "iterations", "reason"].map(str::to_owned));
    let row = |end: &StartEnd| {
        let numbers = end.start.iter().chain(&end.theta).chain([&end.objective]).map(f64::to_string);
        numbers.chain([end.iterations.to_string(), end.reason.clone()]).collect()
    };
    rows.extend(ends.iter().map(row));
    write_whole(path, &to_csv(&rows)).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
    println!("\nstarts: {} in {}", ends.len(), path.display());
    Ok(())
}
