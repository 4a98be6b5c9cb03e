//! Fits laws to a table of runs with columns params, tokens and loss, the law with an outer exponent beside the additive one.
//!
//! `cargo run --release --example fit_csv -- runs.csv`
#![expect(clippy::print_stdout, reason = "an example prints")]

use scalelab::results::{Wanted, import_table};
use scalelab::study::{Curves, Study, StudyOptions};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a CSV of runs")?;
    let table = import_table(Path::new(&path), Wanted::default())?;
    let laws = vec!["chinchilla".parse()?, "gamma".parse()?];
    let study = Study::of(&table.records, &Curves::default(), &StudyOptions { own: table.own, laws, ..StudyOptions::default() })?;
    for report in &study.laws {
        match &report.fitted {
            Ok(fitted) => {
                println!("{} ({} runs, {})", fitted.law.text(), fitted.evidence.points.len(), fitted.status);
                for (name, estimate) in fitted.coefficients.iter().chain(fitted.derived.iter()) {
                    println!("  {name:<6} {:>12.5}  [{:.5}, {:.5}]", estimate.value, estimate.low(), estimate.high());
                }
            }
            Err(reason) => println!("{} is not fitted: {reason}", report.name),
        }
    }
    Ok(())
}
