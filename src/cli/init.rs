//! `scalelab init`: a sweep designed for a text and a time, as a grid file with comments.

use super::devices::{Devices, Found};
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::load::{Loaded, corpus_facts, expanded};
use super::outline::format_line;
use super::selftest::of_plan;
use super::text::{duration, entry, plural};
use crate::fit::{ForecastCoverage, SelftestOptions, forecast_coverage};
use crate::law::{Chinchilla, Noise};
use crate::results::write_whole;
use crate::spec::{CorpusSpec, TextSpec};
use crate::sweep::{Draft, Fitting, Grid, PlannedRun, predicted_wall};
use anyhow::{Context, anyhow};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab init mine --text 'notes/*.md' --time 20m\n  scalelab init --time 5m\n  scalelab init mine --text 'notes/*.md' --time 1h --device cuda:0\n\nWithout --text and --time it asks, where there is a terminal. No --text: a synthetic source whose lowest loss is known."
)]
pub(super) struct InitArgs {
    /// Name of the sweep [default: that of the text]
    name: Option<String>,
    /// Text to train on: files or patterns, plain, gzip or zstd; may be given several times
    #[arg(long, value_name = "FILE")]
    text: Vec<String>,
    /// How long the sweep may take, such as 10m or 2h [default: 10m]
    #[arg(long, value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// The grid file to write [default: sweeps/NAME.toml, or NAME.toml where there is no folder sweeps]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    devices: Devices,
}

/// Time that a sweep may take unless another is asked for.
const TIME: Duration = Duration::from_secs(600);
/// The source of a sweep without a text.
const SOURCE: CorpusSpec = CorpusSpec::ZipfFacts { a: 0.5, keys: 262_144, seed: 0 };
/// A law near that of `results/grid`, from which simulated runs are drawn.
const TRUTH: Chinchilla = Chinchilla { e: 0.9, a: 18.0, b: 3800.0, alpha: 0.36, beta: 0.66 };
/// Standard deviation of ln L between simulated runs: that of seeds on `results/grid`.
const NOISE: f64 = 0.005;
const SIMULATIONS: usize = 60;
/// How far beyond the largest budget the simulated forecasts look.
const BEYOND: f64 = 10.0;

pub(super) fn run(args: &InitArgs) -> Outcome {
    let Asked { corpus, time, devices } = asked(args)?;
    let name = args.name.clone().unwrap_or_else(|| if corpus.text().is_some() { corpus.name() } else { "facts".into() });
    let out = args.out.clone().unwrap_or_else(|| {
        let file = PathBuf::from(&name).with_extension("toml");
        if Path::new("sweeps").is_dir() { Path::new("sweeps").join(file) } else { file }
    });
    if out.exists() {
        return Err(Failure::Input(anyhow!(
            "{} is there already; write another with --out FILE, or name the sweep otherwise",
            out.display()
        )));
    }
    let devices = measured(devices)?;
    let found = fitting(&name, &corpus, time, &devices)?;
    write_whole(&out, found.draft.text().as_bytes()).with_context(|| format!("{} cannot be written", out.display())).or_work()?;
    print!("{}", said(&out, &found, time));
    print!("{}", simulated(&found.draft, &found.plan)?);
    println!("{}", entry("next", &format!("scalelab sweep {} --fit{}", out.display(), devices.flag())).trim_end());
    Ok(())
}

/// Devices whose speed is known: where nothing is, it is measured.
fn measured(devices: Found) -> Result<Found, Failure> {
    if !devices.speeds.known.is_empty() {
        return Ok(devices);
    }
    // The reference of the processor is nobody's to wait for, and its speed is not kept.
    #[cfg(feature = "train")]
    if devices.first() != crate::spec::Device::CpuComposed {
        super::bench::of_new_sweep(devices.first(), &devices.slots(None).or_input()?)?;
    }
    devices.anew().or_input()
}

/// What a sweep is to be about.
struct Asked {
    corpus: CorpusSpec,
    time: Duration,
    devices: Found,
}

/// The text, the time and, where the build knows of GPUs, the devices, asked for where they are not given and somebody is there to answer.
fn asked(args: &InitArgs) -> Result<Asked, Failure> {
    let somebody = args.text.is_empty() && args.time.is_none() && std::io::stdin().is_terminal();
    let answer = |question: &str| -> std::io::Result<String> {
        print!("{question} ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim().to_owned())
    };
    let mut text = args.text.clone();
    let mut time = args.time.unwrap_or(TIME);
    if somebody {
        let files = answer("text to train on (files or patterns; empty: a synthetic source whose lowest loss is known):").or_work()?;
        text.extend(files.split_whitespace().map(ToOwned::to_owned));
        let given = answer("how long may the sweep take, such as 10m or 2h (empty: 10m):").or_work()?;
        if !given.is_empty() {
            time = humantime::parse_duration(&given).with_context(|| format!("`{given}` is no time such as 10m or 2h")).or_input()?;
        }
    }
    let gpus = cfg!(any(feature = "cuda", feature = "metal"));
    let named = if somebody && gpus { answer("devices, such as cuda:0 or auto (empty: the processor):").or_work()? } else { String::new() };
    let devices = if named.is_empty() { args.devices.found() } else { args.devices.named(&named).or_input()?.found() }?;
    let corpus = if text.is_empty() { SOURCE } else { CorpusSpec::Text(TextSpec { path: text, ..TextSpec::of("") }) };
    Ok(Asked { corpus, time, devices })
}

/// A sweep that fits, with its plan.
struct Fit {
    draft: Draft,
    plan: Loaded,
    /// The text allows no larger one, though the time would.
    ended_by_text: bool,
}

/// The largest sweep that fits the time.
fn fitting(name: &str, corpus: &CorpusSpec, time: Duration, devices: &Found) -> Result<Fit, Failure> {
    let mut facts = None;
    let found = Draft::largest(name, corpus, time.as_secs_f64(), |draft| {
        let grid = Grid::parse(&draft.text()).context("in the grid of the new sweep").or_input()?;
        let known = if let Some(known) = &facts { known } else { facts.insert(corpus_facts(&grid, false)?) };
        // Too large for the text, or too small for the ladder.
        let plan = expanded(grid, known.clone(), devices).ok().filter(|loaded| draft.is_whole(&loaded.plan.runs));
        Ok::<_, Failure>(plan.map(|loaded| (wall(&loaded), loaded)).map(|(seconds, loaded)| (loaded, seconds)))
    })?;
    match found {
        Fitting::Found { draft, plan, ended_by_text } => Ok(Fit { draft, plan, ended_by_text }),
        Fitting::TooLong(seconds) => Err(Failure::Input(anyhow!(
            "the smallest sweep that tells a law takes about {}; give it --time {:.0}m",
            duration(seconds),
            (seconds / 60.0).ceil()
        ))),
        Fitting::TextTooShort => Err(Failure::Input(anyhow!(
            "the text has {} tokens to train on, too few for five budgets of which the least is as small as the smallest networks allow; add text",
            facts.and_then(|facts| facts.unique_tokens).unwrap_or(0)
        ))),
    }
}

/// Seconds that a plan takes.
fn wall(loaded: &Loaded) -> f64 {
    predicted_wall(&loaded.plan.runs.iter().collect::<Vec<&PlannedRun>>(), loaded.workers)
}

fn said(out: &Path, found: &Fit, time: Duration) -> String {
    let Fit { draft, plan, ended_by_text } = found;
    let (runs, workers) = (plan.plan.runs.len(), plural(plan.workers, "worker", "workers"));
    let mut text = format!("{}: {runs} runs of five budgets up to {} FLOPs\n", out.display(), draft.most);
    text += &entry("time", &format!("about {} on {workers} ({})", duration(wall(plan)), plan.speed));
    text += &format_line(plan);
    if *ended_by_text {
        let why = match draft.corpus.text() {
            Some(_) => "with more, the text would be read more than once or the best size would lie beyond 4x128",
            None => "with more, the best size would lie beyond 4x128",
        };
        text += &entry("budget", &format!("{} were allowed: {why}", duration(time.as_secs_f64())));
    }
    text
}

/// What such a sweep would tell, by simulation.
fn simulated(draft: &Draft, loaded: &Loaded) -> Result<String, Failure> {
    let design = of_plan(loaded).or_input()?;
    let options =
        SelftestOptions { truth: TRUTH, noise: Noise { run: NOISE, cluster: 0.0 }, simulations: SIMULATIONS, ..SelftestOptions::default() };
    let bar = super::display::counting("simulations", SIMULATIONS);
    let rows = forecast_coverage(&design, &options, &[BEYOND * draft.most.0], &|| bar.inc(1));
    bar.finish_and_clear();
    let of = |quantity: &str| rows.iter().find(|row| row.quantity == quantity);
    let half = |row: &ForecastCoverage| 100.0 * row.width / 2.0;
    Ok(match (of("params"), of("loss")) {
        (Some(size), Some(loss)) => entry(
            "tells",
            &format!(
                "in {SIMULATIONS} simulations of a law like that of English speeches, with runs that scatter by {} %, the 95 % intervals at {BEYOND} times its compute were a factor {:.1} to each side for the best size and {:.1} % for the best loss, and held {:.0} and {:.0} times in 100",
                100.0 * NOISE,
                (1.0 + size.width).sqrt(),
                half(loss),
                100.0 * size.coverage,
                100.0 * loss.coverage
            ),
        ),
        _ => entry("tells", "no simulation of this design could be fitted: it tells no law"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_time_gives_larger_budgets_and_the_plan_fits_it() {
        let devices = Found::processor(Some(2));
        let of = |minutes: u64| fitting("mine", &SOURCE, Duration::from_secs(60 * minutes), &devices).expect("fits");
        let [short, long] = [of(20), of(200)];
        assert!(long.draft.most.0 > 3.0 * short.draft.most.0, "{:?} {:?}", short.draft, long.draft);
        assert!(wall(&short.plan) <= 1200.0 && wall(&long.plan) <= 12_000.0 && !long.ended_by_text);
        let refused = fitting("mine", &SOURCE, Duration::from_secs(1), &devices).err().map(|failure| format!("{failure:?}"));
        assert!(refused.is_some_and(|text| text.contains("--time")));
    }
}
