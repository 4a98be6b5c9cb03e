//! `scalelab init`: a sweep designed for a text and a time, as a grid file with comments.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::load::{Loaded, corpus_facts, expanded};
use super::selftest::of_plan;
use super::text::{duration, entry};
use crate::fit::{ForecastCoverage, SelftestOptions, forecast_coverage};
use crate::law::{Chinchilla, Noise};
use crate::results::write_whole;
use crate::spec::{CorpusSpec, TextSpec};
use crate::sweep::{Draft, Grid, PlannedRun, predicted_wall};
use anyhow::{Context, anyhow};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab init mine --text 'notes/*.md' --time 20m\n  scalelab init --time 5m\n\nWithout --text and --time it asks, where there is a terminal. No --text: a synthetic source whose lowest loss is known."
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
    /// Worker processes to reckon with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    workers: Option<u64>,
    /// The grid file to write [default: sweeps/NAME.toml, or NAME.toml where there is no folder sweeps]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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
    let (corpus, time) = asked(args)?;
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
    let (draft, loaded, ended_by_text) = fitting(&name, &corpus, time, args.workers)?;
    write_whole(&out, draft.text().as_bytes()).with_context(|| format!("{} cannot be written", out.display())).or_work()?;
    print!("{}", said(&out, &draft, &loaded, ended_by_text.then_some(time)));
    print!("{}", simulated(&draft, &loaded)?);
    println!("{}", entry("next", &format!("scalelab sweep {} --fit", out.display())).trim_end());
    Ok(())
}

/// The text and the time, asked for where they are not given and somebody is there to answer.
fn asked(args: &InitArgs) -> Result<(CorpusSpec, Duration), Failure> {
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
    let corpus = if text.is_empty() { SOURCE } else { CorpusSpec::Text(TextSpec { path: text, ..TextSpec::of("") }) };
    Ok((corpus, time))
}

/// The largest sweep that fits the time, with its plan, and whether the text allows no larger one.
fn fitting(name: &str, corpus: &CorpusSpec, time: Duration, workers: Option<u64>) -> Result<(Draft, Loaded, bool), Failure> {
    let drafts = Draft::candidates().into_iter().map(|most| Draft { name: name.to_owned(), corpus: corpus.clone(), most });
    let parsed = |draft: &Draft| Grid::parse(&draft.text()).context("in the grid of the new sweep").or_input();
    let (mut facts, mut found) = (None, None);
    for draft in drafts {
        let grid = parsed(&draft)?;
        if facts.is_none() {
            facts = Some(corpus_facts(&grid, false)?);
        }
        // Too large for the text, or too small for the ladder.
        let plan = expanded(grid, facts.clone().expect("was asked for"), workers).ok().filter(|loaded| draft.is_whole(&loaded.plan.runs));
        let Some(loaded) = plan else { continue };
        let seconds = wall(&loaded);
        if seconds > time.as_secs_f64() {
            let shortest = || {
                Failure::Input(anyhow!(
                    "the smallest sweep that tells a law takes about {}; give it --time {:.0}m",
                    duration(seconds),
                    (seconds / 60.0).ceil()
                ))
            };
            return found.ok_or_else(shortest).map(|(draft, loaded)| (draft, loaded, false));
        }
        found = Some((draft, loaded));
    }
    let short = || {
        let tokens = facts.as_ref().and_then(|facts| facts.unique_tokens).unwrap_or(0);
        Failure::Input(anyhow!(
            "the text has {tokens} tokens to train on, too few for five budgets of which the least is as small as the smallest networks allow; add text"
        ))
    };
    found.ok_or_else(short).map(|(draft, loaded)| (draft, loaded, true))
}

/// Seconds that a plan takes.
fn wall(loaded: &Loaded) -> f64 {
    predicted_wall(&loaded.plan.runs.iter().collect::<Vec<&PlannedRun>>(), loaded.workers)
}

fn said(out: &Path, draft: &Draft, loaded: &Loaded, ended_by_text: Option<Duration>) -> String {
    let (runs, workers) = (loaded.plan.runs.len(), loaded.workers);
    let mut text = format!("{}: {runs} runs of five budgets up to {} FLOPs\n", out.display(), draft.most);
    text += &entry("time", &format!("about {} on {workers} workers ({})", duration(wall(loaded)), loaded.speed));
    if let Some(time) = ended_by_text {
        text += &entry(
            "text",
            &format!("every token at most once, so no larger budget than these, though {} were allowed", duration(time.as_secs_f64())),
        );
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
        let of = |minutes: u64| fitting("mine", &SOURCE, Duration::from_secs(60 * minutes), Some(2)).expect("fits");
        let [(short, quick, _), (long, slow, by_text)] = [of(20), of(200)];
        assert!(long.most.0 > 3.0 * short.most.0, "{short:?} {long:?}");
        assert!(wall(&quick) <= 1200.0 && wall(&slow) <= 12_000.0 && !by_text);
        let refused = fitting("mine", &SOURCE, Duration::from_secs(1), Some(2)).err().map(|failure| format!("{failure:?}"));
        assert!(refused.is_some_and(|text| text.contains("--time")));
    }
}
