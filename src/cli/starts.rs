//! `fit --starts`: every start of L-BFGS, where it ended and why.

use super::failure::{OrInput, OrWork, Outcome};
use crate::fit::{Estimator, start_ends};
use crate::law::{Chinchilla, Evidence, Law};
use crate::results::write_whole;
use anyhow::{Context, anyhow};
use std::path::Path;

/// Writes a row a start, with its coefficients before and after.
pub(super) fn keep(path: &Path, evidence: &Evidence, estimator: Estimator) -> Outcome {
    let form = Chinchilla::default();
    let ends = start_ends(&form, evidence, estimator).or_input()?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = form.coefficients().iter().map(|name| format!("start_{name}")).chain(form.coefficients().iter().map(ToString::to_string));
    writer.write_record(header.chain(["objective", "iterations", "reason"].map(str::to_owned))).or_work()?;
    for end in &ends {
        let numbers = end.start.iter().chain(&end.theta).chain([&end.objective]).map(ToString::to_string);
        writer.write_record(numbers.chain([end.iterations.to_string(), end.reason.clone()])).or_work()?;
    }
    let text = writer.into_inner().map_err(|error| anyhow!("{error}")).or_work()?;
    write_whole(path, &text).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
    println!("\nstarts: {} in {}", ends.len(), path.display());
    Ok(())
}
