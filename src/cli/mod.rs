//! The front door: the only room that speaks to a person. One file a subcommand; each reads, calls
//! the other rooms, writes and says. No arithmetic of its own.
#![expect(clippy::disallowed_methods, reason = "the front door owns files named by the user, the clock and the environment")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the front door speaks to a person")]

mod display;
mod failure;
mod load;
mod plan;
mod process;
mod status;
mod sweep;
mod text;
#[cfg(feature = "train")]
mod worker;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
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
    #[cfg(feature = "train")]
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// Where folders of sweeps and of pictures are.
#[derive(Args, Clone)]
struct Folders {
    /// Folder that holds the folders of sweeps
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Folder that holds the folders of pictures [default: `plots` beside the results folder]
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

/// Parses the command line, runs it, and says what went wrong.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Plan(args) => plan::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Status(args) => status::run(&args),
        #[cfg(feature = "train")]
        Command::Worker(args) => worker::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
