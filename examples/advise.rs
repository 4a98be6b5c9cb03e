//! What a sweep says should be trained with a compute budget.
//!
//! `cargo run --release --example advise -- results/grid 1e15`
#![expect(clippy::print_stdout, reason = "an example prints")]

use scalelab::recommend::advise;
use scalelab::results::SweepFolder;
use scalelab::spec::{Flops, short};
use scalelab::study::{Curves, Scrutinised, Study, StudyOptions};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a results folder")?;
    let budget = Flops(arguments.next().ok_or("name a budget in FLOPs")?.parse()?);
    let runs = SweepFolder::at(&folder).gathered()?;
    let options = StudyOptions { scrutiny: Scrutinised::No, ..StudyOptions::default() };
    let study = Study::of(&runs, &Curves::default(), &options)?.with_a_law()?;
    for one in advise(&study, &[budget]) {
        println!("{} FLOPs, {} times the largest run:", budget, short(one.extrapolation_factor));
        for (what, estimate) in [("weights", one.params), ("tokens", one.tokens)] {
            println!("  {what:<8} {}  [{}, {}]", short(estimate.value), short(estimate.low()), short(estimate.high()));
        }
        println!("  loss     {:.4} nats per token  [{:.4}, {:.4}]", one.loss.value, one.loss.low(), one.loss.high());
        one.warnings.iter().for_each(|warning| println!("  {warning}"));
    }
    Ok(())
}
