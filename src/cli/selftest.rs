//! `scalelab selftest`: what a design can identify, and how often what is printed of larger runs would hold whatever they follow, by
//! simulation, before or after it is trained.

use super::analysis::{Choices, of_source};
use super::devices::Found;
use super::failure::{Failure, OrInput, Outcome};
use super::load::{Loaded, load};
use super::numbers;
use super::source::SourceArgs;
use super::text::{number, table};
use super::trusted::Simulated;
use super::voice::is_quiet;
use crate::fit::{Coverage, ForecastCoverage, SelftestOptions, forecast_coverage, selftest};
use crate::law::{Chinchilla, Design, Noise, PUBLISHED, Point, Tails, published};
use crate::spec::{FlopRule, Flops, SizeMeasure, short};
use crate::study::{Curves, FACTORS, Held, HeldByRule, Trust, prepare, seen_once, trust, truths};
use anyhow::anyhow;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab selftest sweeps/grid.toml --law chinchilla --sigma 0.005\n  scalelab selftest runs.csv --tails outliers --refits 200\n  scalelab selftest runs.csv --truth 1.5,90,300,0.25,0.27 --simulations 1000\n  scalelab selftest results/grid --compute 1e13,3e13"
)]
pub(super) struct SelftestArgs {
    #[arg(
        long, value_name = "NAME", default_value = CHINCHILLA, value_parser = named_laws(), hide_possible_values = true,
        help = "The published law that runs are drawn from", long_help = law_help()
    )]
    law: String,
    /// The law that runs are drawn from, by its coefficients
    #[arg(long, value_name = "E,A,B,α,β", value_delimiter = ',', conflicts_with = "law")]
    truth: Vec<f64>,
    /// Standard deviation of ln L between runs
    #[arg(long, value_name = "S", default_value_t = 0.005)]
    sigma: f64,
    /// Standard deviation of ln L that runs of a cluster share
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    cluster_sigma: f64,
    /// Simulations of the exponent
    ///
    /// And a tenth as many of each truth that runs may follow (fewer of designs of more than 50 runs; ten at least).
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    simulations: u64,
    /// Noise of runs: normal, t3, outliers
    ///
    /// t3 is Student's with 3 degrees of freedom; of outliers one in ten is five times as far off.
    #[arg(long, value_name = "NAME", default_value = "normal")]
    tails: Tails,
    /// Refits of each simulation
    ///
    /// Such as 100, to judge also the intervals of a that resample: minutes.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = numbers::refits)]
    refits: usize,
    /// What the design can forecast of these budgets, FLOPs
    ///
    /// N*, D* and loss, bias and interval.
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    compute: Vec<Flops>,
    /// Seed of the simulations
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print everything behind the answer
    ///
    /// Bias and coverage of every interval of a, widths, 4 times the largest compute, and one law alone beside several together.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(args: &SelftestArgs) -> Outcome {
    let options = SelftestOptions {
        truth: truth(&args.law, &args.truth)?,
        noise: Noise { run: args.sigma, cluster: args.cluster_sigma },
        simulations: args.simulations as usize,
        tails: args.tails,
        refits: args.refits,
        seed: args.seed,
        ..SelftestOptions::default()
    };
    if !(args.sigma > 0.0 && args.sigma < 1.0 && (0.0..1.0).contains(&args.cluster_sigma)) {
        return Err(Failure::Input(anyhow!("--sigma and --cluster-sigma are standard deviations of ln L: say 0.005 for half a per cent")));
    }
    let design = design(args)?;
    if design.cells.len() < 6 {
        return Err(Failure::Input(anyhow!("the design has {} runs; a law of five coefficients needs at least 6", design.cells.len())));
    }
    let bar = counting("simulations", options.simulations);
    let rows = selftest(&design, &options, &|| bar.inc(1));
    bar.finish_and_clear();
    if rows.is_empty() {
        return Err(Failure::Input(anyhow!("no simulation of this design could be fitted: its runs do not tell N and D apart")));
    }
    let computes: Vec<f64> = args.compute.iter().map(|budget| budget.0).collect();
    let bar = counting("forecasts", if computes.is_empty() { 0 } else { options.simulations });
    let coverages = if computes.is_empty() { Vec::new() } else { forecast_coverage(&design, &options, &computes, &|| bar.inc(1)) };
    bar.finish_and_clear();
    let trusted = trusted(&design, &options);
    let (exponent, forecasts) = (rows.as_slice(), coverages.as_slice());
    let simulated = Simulated { design: &design, options: &options, exponent, forecasts, trusted: &trusted };
    if args.json {
        println!("{:#}", json!({ "exponent": rows, "forecasts": coverages, "truths": trusted }));
    } else if is_quiet() {
        println!("{}", simulated.line());
    } else if !args.details {
        print!("{}", simulated.answer(of_each_truth(&design, options.simulations)));
    } else {
        print!("{}{}{}", as_text(&design, &options, &rows), forecast_coverage_text(&coverages), trusted_text(&design, &options, &trusted));
    }
    Ok(())
}

/// A line that counts up to `total`, for those who want to see progress.
fn counting(what: &str, total: usize) -> ProgressBar {
    if is_quiet() { ProgressBar::hidden() } else { super::display::counting(what, total) }
}

/// Fewest simulations of a truth.
const FEWEST: usize = 10;
/// Runs of a design up to which a tenth of the simulations are of each truth: 20 by default, under a minute on two cores.
const QUICK: usize = 50;

/// Simulations of each truth, fewer where each takes longer.
fn of_each_truth(design: &Design, simulations: usize) -> usize {
    (simulations * QUICK / (10 * design.cells.len().max(QUICK))).max(FEWEST)
}

fn trusted(design: &Design, options: &SelftestOptions) -> Vec<Trust> {
    let truths = truths(options.truth, design);
    let options = SelftestOptions { simulations: of_each_truth(design, options.simulations), ..options.clone() };
    let bar = counting("simulations of what runs may follow", truths.len() * options.simulations);
    let rows = trust(design, &truths, &options, &|| bar.inc(1));
    bar.finish_and_clear();
    rows
}

/// The name of the law whose coefficients are the defaults.
const CHINCHILLA: &str = "chinchilla";

fn law_help() -> String {
    format!(
        "The published law that runs are drawn from, and that the other truths lie near: {}; chinchilla is that of Hoffmann et al.",
        named_laws().join(", ")
    )
}

fn named_laws() -> Vec<&'static str> {
    [CHINCHILLA].into_iter().chain(PUBLISHED.map(|law| law.name)).collect()
}

fn truth(name: &str, numbers: &[f64]) -> Result<Chinchilla, Failure> {
    match numbers {
        [] => Ok(published(name).map_or_else(Chinchilla::default, |known| known.law)),
        [e, a, b, alpha, beta] if numbers.iter().all(|x| x.is_finite() && *x > 0.0) => {
            Ok(Chinchilla { e: *e, a: *a, b: *b, alpha: *alpha, beta: *beta })
        }
        _ => Err(Failure::Input(anyhow!("--truth takes five numbers above zero, E,A,B,alpha,beta; found {numbers:?}"))),
    }
}

/// The places of the runs: of a plan for a grid file, else of the runs that are there.
fn design(args: &SelftestArgs) -> Result<Design, Failure> {
    let grid = args.source.paths.first().filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    match grid {
        Some(path) => of_plan(&load(path, false, &Found::processor(None))?).or_input(),
        None => {
            let source = args.source.read()?;
            let prepared = prepare(&source.records, &Curves::default(), &Choices::default().options(&source));
            let evidence = prepared.map_err(|error| of_source(&source, error))?.evidence;
            let evidence = if source.own { seen_once(evidence) } else { evidence };
            Ok(Design::of(&source.name, &evidence.points))
        }
    }
}

/// The places of the runs of a plan, each cell once: the law sees the tuned cell.
pub(super) fn of_plan(loaded: &Loaded) -> anyhow::Result<Design> {
    let point = |spec: &crate::spec::RunSpec| {
        let n = SizeMeasure::Matmul.of(&spec.shape).ok_or_else(|| anyhow!("{} cannot be counted", spec.shape))?;
        let c = FlopRule::Exact.of(&spec.shape, spec.tokens()).ok_or_else(|| anyhow!("{} cannot be counted", spec.shape))?;
        Ok(Point { c: c.0, ..Point::new(n.0, spec.tokens().0, 1.0) })
    };
    let mut points: Vec<Point> = loaded.plan.runs.iter().map(|run| point(&run.spec)).collect::<anyhow::Result<_>>()?;
    points.dedup_by(|a, b| (a.n, a.d) == (b.n, b.d));
    Ok(Design::of(&loaded.grid.name, &points))
}

fn as_text(design: &Design, options: &SelftestOptions, rows: &[Coverage]) -> String {
    let law = &options.truth;
    let mut text = format!(
        "{}: {} runs drawn {} times from E {} A {} B {} alpha {} beta {}, so a = {}\n  ln L scatters by {} between runs, {} between clusters; {:.0} % intervals\n",
        design.name,
        design.cells.len(),
        options.simulations,
        number(law.e),
        number(law.a),
        number(law.b),
        number(law.alpha),
        number(law.beta),
        number(law.params_exponent()),
        options.noise.run,
        options.noise.cluster,
        100.0 * options.level,
    );
    let row = |one: &Coverage| {
        vec![
            format!("{}, {}", one.estimator, one.interval),
            format!("{:+.4}", one.bias),
            number(one.spread),
            format!("{:.1} %", 100.0 * one.coverage),
            number(one.width),
            format!("{:.1} %", 100.0 * one.unbounded),
        ]
    };
    text += &table(
        &["estimator, interval of a", "bias", "spread", "coverage", "median width", "unbounded"],
        &rows.iter().map(row).collect::<Vec<_>>(),
    );
    text
}

/// What the design can forecast.
fn forecast_coverage_text(rows: &[ForecastCoverage]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |one: &ForecastCoverage| {
        vec![
            format!("{} at {}", one.quantity, Flops(one.compute)),
            if one.quantity == "loss" { number(one.truth) } else { short(one.truth) },
            format!("{:+.2} %", 100.0 * one.bias),
            format!("{:.2} %", 100.0 * one.spread),
            format!("{:.1} %", 100.0 * one.coverage),
            format!("{:.1} %", 100.0 * one.width),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    format!("\n{}", table(&["forecast", "truth", "bias", "spread", "coverage", "median width"], &rows))
}

/// How often intervals hold, whatever the runs follow: a table of the loss of one run, and one of N*.
fn trusted_text(design: &Design, options: &SelftestOptions, rows: &[Trust]) -> String {
    let simulations = of_each_truth(design, options.simulations);
    let error = 100.0 * (options.level * (1.0 - options.level) / simulations as f64).sqrt();
    let none = rows.iter().all(|row| row.one_run.together.is_none());
    format!(
        "\nof 100 intervals so many hold at {} times the largest compute; {simulations} simulations each (+-{error:.0}):\n  \
         together: by several laws, as fit, recommend and forecast print; width: of the intervals at 10x\n  \
         alone: as --law {CHINCHILLA} --estimator least-squares-log prints\n{}{}{}  \
         * nothing in the runs shows it\n",
        FACTORS.map(|factor| factor.to_string()).join(", "),
        if none { "  too few runs, sizes or ratios D/N to be forecast by several laws together: one law is all there is\n" } else { "" },
        held_text("loss of one run", rows, |row| row.one_run),
        held_text("N*", rows, |row| row.optimum),
    )
}

/// A line for each truth.
fn held_text(what: &str, rows: &[Trust], of: fn(&Trust) -> HeldByRule) -> String {
    let coverage = |held: Option<Held>| held.map_or("—".into(), |held| format!("{:.0}", 100.0 * held.coverage));
    let width = |held: Option<Held>| held.filter(|held| held.width.is_finite()).map_or("—".into(), |held| percent(held.width));
    let by = |of_truth: &[Trust], which: fn(&HeldByRule) -> Option<Held>| {
        let said: Vec<Option<Held>> = of_truth.iter().map(|one| which(&of(one))).collect();
        said.iter().map(|held| coverage(*held)).chain(said.last().map(|held| width(*held))).collect::<Vec<_>>()
    };
    let line = |of_truth: &[Trust]| {
        let name = format!("{}{}", of_truth[0].truth, if of_truth[0].shows { "" } else { " *" });
        [vec![name], by(of_truth, |told| told.together), by(of_truth, |told| told.alone)].concat()
    };
    let lines: Vec<Vec<String>> = rows.chunks(FACTORS.len()).map(line).collect();
    let at = FACTORS.map(|factor| format!("{factor}x"));
    let [together, alone] = ["together", "alone"].map(|by| format!("{by} {}", at[0]));
    table(&[what, &together, &at[1], &at[2], "width", &alone, &at[1], &at[2], "width"], &lines)
}

/// A part in two digits.
fn percent(part: f64) -> String {
    let digits = usize::from(part < 0.0995);
    format!("{:.digits$} %", 100.0 * part)
}
