//! The front door: the only room that speaks to a person. One file a subcommand; each reads, calls
//! the other rooms, writes and says. No arithmetic of its own.
#![expect(clippy::disallowed_methods, reason = "the front door owns files named by the user, the clock and the environment")]

#[macro_use]
mod voice;

mod abilities;
mod analysis;
mod bases;
#[cfg(feature = "train")]
mod bench;
mod cache;
pub mod calls;
mod certificate;
mod checklist;
mod colour;
mod column_map;
mod compare;
mod compared;
mod completions;
mod corpus;
mod devices;
mod display;
mod doctor;
mod doctor_page;
mod estimates;
mod examined;
mod expected;
mod explain;
mod export;
mod failure;
mod fine_tuned;
mod fit;
mod folders;
mod forecast;
mod groups;
mod init;
mod kept;
mod labels;
mod laws;
mod load;
mod loss_trace;
mod machine;
mod man;
#[cfg(feature = "train")]
mod memory;
mod mix;
mod named_source;
mod names;
mod next_grid;
mod numbers;
mod outline;
mod overview;
mod pack;
mod plan;
mod plot;
mod preparing;
mod process;
mod profiles;
mod program;
mod progress;
mod pulse;
mod rates;
mod recipes;
mod recommend;
mod repair;
mod report;
mod report_runs;
mod retry;
mod schedule;
mod schedule_picture;
mod schema;
mod scored;
mod scrutiny;
mod selftest;
mod serving;
mod signals;
mod slurm;
mod source;
mod speeds;
mod speedup;
mod starts;
mod status;
mod status_text;
mod study_times;
mod summary;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod trusted;
mod tuned_report;
mod verify;
mod watch;
#[cfg(feature = "train")]
mod worker;

pub use machine::processor;
pub use program::hosted_by;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Options of every command stand behind its own.
const LAST: usize = 900;

/// The laboratory for neural scaling laws: train small, learn what to train large
#[derive(Parser)]
#[command(name = "scalelab", version, max_term_width = 100, after_help = "Example: scalelab sweep sweeps/quick.toml --fit")]
struct Cli {
    /// Print the answer in one line, and no progress
    ///
    /// Errors and refusals are printed all the same, and --json goes before it.
    #[arg(short, long, global = true, display_order = LAST)]
    quiet: bool,
    /// When to print in colour: auto, always, never
    ///
    /// auto: on a terminal, unless NO_COLOR is set; CLICOLOR_FORCE colours everywhere.
    #[arg(
        long, global = true, value_name = "WHEN", default_value = "auto", hide_short_help = true, hide_possible_values = true,
        display_order = LAST
    )]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Design a sweep for a text and a time
    Init(init::InitArgs),
    /// Show what a grid would train and cost; writes nothing
    Plan(plan::PlanArgs),
    /// Train what is missing of a grid
    ///
    /// Finished runs are kept, and a second call finishes only what is missing.
    Sweep(sweep::SweepArgs),
    /// Show which runs of a sweep are done, missing, diverged or failed
    Status(status::StatusArgs),
    /// Watch a sweep live: progress, curves, what ails runs
    ///
    /// Reads its folder alone, also that of a sweep on another machine, and never touches the sweep.
    Watch(watch::WatchArgs),
    /// Make a sweep's folder whole again
    ///
    /// What can be made from what is whole is made, and what is damaged is set aside.
    Repair(repair::RepairArgs),
    /// Put a sweep's folder into few files, to keep or send it
    Pack(pack::PackArgs),
    /// Show or clear prepared texts and kept weights
    Cache(cache::CacheArgs),
    /// Write curves for TensorBoard, W&B or pandas
    Export(export::ExportArgs),
    /// Train a grid as a job array of a SLURM cluster
    ///
    /// Writes the scripts, or submits them.
    Slurm(slurm::SlurmArgs),
    /// Fit scaling laws to a sweep or a CSV of runs
    ///
    /// With intervals, figures and a recommendation.
    Fit(fit::FitArgs),
    /// Draw the figures of a sweep or a CSV of runs
    Plot(plot::PlotArgs),
    /// Write one HTML file with everything
    ///
    /// Verdict, figures, tables, a calculator, every run.
    Report(report::ReportArgs),
    /// Say what ails the runs, and what to change
    ///
    /// From their loss curves.
    Doctor(doctor::DoctorArgs),
    /// Recommend size, tokens and recipe for a compute budget
    Recommend(recommend::RecommendArgs),
    /// Say which learning-rate schedule ends lowest, from loss curves
    ///
    /// By a law of the loss along a training, fitted to curves of ours or of others.
    Schedule(schedule::ScheduleArgs),
    /// Say which mixture of texts ends lowest, from runs on several
    ///
    /// By a law of mixtures, with every mixture that cannot be told from the best.
    Mix(mix::MixArgs),
    /// Write down what the laws say of runs that are not trained yet
    Forecast(forecast::ForecastArgs),
    /// Hold a forecast against the runs that came after it
    Verify(verify::VerifyArgs),
    /// Compare several sweeps: data sets, recipes, changes
    ///
    /// The laws of several sweeps, such as one on each of several data sets, or what a change is worth in compute.
    Compare(compare::CompareArgs),
    /// Look into a text, or train a tokenizer on it
    ///
    /// Also prints the entropy of a synthetic source.
    Corpus(corpus::CorpusArgs),
    /// Simulate a design: what a fit of it would be worth
    ///
    /// Bias and coverage of what a fit of it would say.
    Selftest(selftest::SelftestArgs),
    /// Measure how fast this machine trains, for plan to predict time
    #[cfg(feature = "train")]
    Bench(bench::BenchArgs),
    /// Say what a word means that is printed here
    Explain(explain::ExplainArgs),
    /// Print the JSON schema of grid files, for editors
    Schema(schema::SchemaArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Write man pages
    Man(man::ManArgs),
    #[cfg(feature = "train")]
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// Parses a command line, whose first word is the name of the program, runs it, says what went wrong, and returns the exit code.
pub fn run(line: Vec<OsString>) -> u8 {
    colour::choose(colour::asked_in(line.iter().cloned()));
    let asked = overview::grouped(Cli::command()).try_get_matches_from(line);
    let asked = match asked.and_then(|asked| Cli::from_arg_matches(&asked)) {
        Ok(asked) => asked,
        Err(said) => return voice::usage(&said),
    };
    colour::choose(asked.color);
    if asked.quiet {
        voice::be_quiet();
    }
    let outcome = match asked.command {
        Command::Init(args) => init::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Repair(args) => repair::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::Cache(args) => cache::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Slurm(args) => slurm::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Recommend(args) => recommend::run(&args),
        Command::Schedule(args) => schedule::run(&args),
        Command::Mix(args) => mix::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Corpus(args) => corpus::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        #[cfg(feature = "train")]
        Command::Bench(args) => bench::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, &Cli::command()),
        Command::Man(args) => man::run(&args, Cli::command()),
        #[cfg(feature = "train")]
        Command::Worker(args) => worker::run(&args),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    }
}
