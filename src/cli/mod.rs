//! The front door: the only room that speaks to a person. One file a subcommand; each reads, calls
//! the other rooms, writes and says. No arithmetic of its own.
#![expect(clippy::disallowed_methods, reason = "the front door owns files named by the user, the clock and the environment")]

#[macro_use]
mod voice;

mod analysis;
#[cfg(feature = "train")]
mod bench;
mod certificate;
mod checklist;
mod compare;
mod corpus;
mod devices;
mod display;
mod doctor;
mod estimates;
mod failure;
mod fit;
mod folders;
mod forecast;
mod groups;
mod laws;
mod load;
mod machine;
#[cfg(feature = "train")]
mod memory;
mod next_grid;
mod numbers;
mod pack;
mod plan;
mod plot;
mod preparing;
mod process;
mod profiles;
mod pulse;
mod rates;
mod recipes;
mod recommend;
mod repair;
mod report;
mod retry;
mod scrutiny;
mod selftest;
mod serving;
mod signals;
mod slurm;
mod source;
mod speedup;
mod starts;
mod status;
mod summary;
mod sweep;
mod text;
mod verify;
#[cfg(feature = "train")]
mod worker;

pub use machine::processor;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The laboratory for neural scaling laws.
#[derive(Parser)]
#[command(name = "scalelab", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show what a grid would train and what it would cost; writes nothing
    Plan(plan::PlanArgs),
    /// Train a grid; finished runs are kept, and a second call finishes only what is missing
    Sweep(sweep::SweepArgs),
    /// Show which runs of a sweep are done, missing, diverged or failed
    Status(status::StatusArgs),
    /// Make again what of a sweep's folder can be made from what is whole, and set aside what is damaged
    Repair(repair::RepairArgs),
    /// Put a sweep's folder into few files, to keep or send it
    Pack(pack::PackArgs),
    /// Write, or submit, the scripts that train a grid as a job array of a SLURM cluster
    Slurm(slurm::SlurmArgs),
    /// Fit scaling laws to a sweep or to a CSV of runs, with intervals, plots and a recommendation
    Fit(fit::FitArgs),
    /// Draw the figures of a sweep or a CSV of runs
    Plot(plot::PlotArgs),
    /// Write one HTML file with everything: verdict, figures, tables, a calculator, every run
    Report(report::ReportArgs),
    /// Diagnose the runs from their loss curves, and say what to change
    Doctor(doctor::DoctorArgs),
    /// Recommend size, tokens and recipe for a compute budget
    Recommend(recommend::RecommendArgs),
    /// Write down what the law says of runs that are not trained yet
    Forecast(forecast::ForecastArgs),
    /// Hold a forecast against the runs that came after it
    Verify(verify::VerifyArgs),
    /// Compare the laws of several sweeps, such as one on each of several data sets
    Compare(compare::CompareArgs),
    /// Look into a corpus, print the entropy of a synthetic source, or train a tokenizer
    Corpus(corpus::CorpusArgs),
    /// Simulate a design: bias and coverage of what a fit of it would say
    Selftest(selftest::SelftestArgs),
    /// Measure how fast this machine trains, so that plan can predict time
    #[cfg(feature = "train")]
    Bench(bench::BenchArgs),
    #[cfg(feature = "train")]
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// Parses the command line, runs it, and says what went wrong.
pub fn run() -> ExitCode {
    let called = match Cli::try_parse() {
        Ok(called) => called,
        Err(said) => return voice::usage(&said),
    };
    let outcome = match called.command {
        Command::Plan(args) => plan::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Repair(args) => repair::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::Slurm(args) => slurm::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Recommend(args) => recommend::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Corpus(args) => corpus::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        #[cfg(feature = "train")]
        Command::Bench(args) => bench::run(&args),
        #[cfg(feature = "train")]
        Command::Worker(args) => worker::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
