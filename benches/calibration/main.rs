//! Whether forecasts hold: tables of others and our own results are cut in compute, a rule sees the runs at or below the cut,
//! and every run above it is forecast and scored.
//!
//! `cargo bench --bench calibration`, of which `-- --rule additive,gamma`, `-- --source porian`, `-- --csv forecasts.csv` is a part.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark prints its table and reads the clock"
)]

mod choose;
mod origins;
mod profiles;
mod rules;
mod score;
mod tables;

use clap::Parser;
use origins::{Forecast, Origin};
use rayon::prelude::*;
use rules::{RULES, Rule};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tables::SOURCES;

#[derive(Parser)]
struct Options {
    /// Rules to score [all].
    #[arg(long, value_delimiter = ',')]
    rule: Vec<String>,
    /// Sources to score them on [all].
    #[arg(long, value_delimiter = ',')]
    source: Vec<String>,
    /// Writes one row a forecast.
    #[arg(long)]
    csv: Option<PathBuf>,
    #[command(flatten)]
    tried: choose::Tried,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let rules = named("rule", &options.rule, RULES)?;
    let sources = named("source", &options.source, SOURCES)?;
    let mut absent = 0;
    let mut tables = Vec::new();
    for (name, read) in &sources {
        match read() {
            Ok(found) => tables.extend(found.into_iter().map(|table| (*name, table))),
            Err(reason) => {
                absent += 1;
                eprintln!("NOT SCORED: {name}: {reason}");
            }
        }
    }
    let origins: Vec<Origin> = tables.iter().flat_map(|(name, table)| origins::of(name, table)).collect();
    if options.tried.choose {
        println!("{}", choose::render(&options.tried, &origins, &tables)?);
        return Ok(());
    }
    let started = Instant::now();
    let forecasts = forecast(&origins, &rules);
    options.csv.as_deref().map_or(Ok(()), |path| write(path, &forecasts))?;
    println!("{} origins, {} forecasts a rule, {:.0} s", origins.len(), runs_ahead(&origins), started.elapsed().as_secs_f64());
    if absent > 0 {
        println!("{absent} of {} sources NOT SCORED: they are absent", sources.len());
    }
    for (name, _) in &rules {
        println!("\n{}", score::render(name, &origins, &forecasts));
    }
    if rules.iter().any(|(name, _)| *name == "mixture") {
        println!("\n{}", profiles::render(&tables));
    }
    Ok(())
}

/// Those of a list that were asked for by name; all where none was.
fn named<T: Copy, const N: usize>(what: &str, asked: &[String], known: [(&'static str, T); N]) -> Result<Vec<(&'static str, T)>, String> {
    let names = known.map(|(name, _)| name).join(", ");
    if let Some(unknown) = asked.iter().find(|asked| !known.iter().any(|(name, _)| name == asked)) {
        return Err(format!("there is no {what} `{unknown}`; choose from {names}"));
    }
    Ok(known.into_iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|asked| asked == name)).collect())
}

fn runs_ahead(origins: &[Origin]) -> usize {
    origins.iter().map(|origin| origin.ahead.len()).sum()
}

/// Every rule at every origin, in order; a part of the work is a rule at an origin, and takes about as long as there are runs.
fn forecast(origins: &[Origin], rules: &[(&'static str, Rule)]) -> Vec<Forecast> {
    let parts: Vec<(&Origin, &(&'static str, Rule))> =
        origins.iter().flat_map(|origin| rules.iter().map(move |rule| (origin, rule))).collect();
    let work = |origin: &Origin| origin.seen.points.len();
    let (all, started) = (parts.iter().map(|(origin, _)| work(origin)).sum::<usize>(), Instant::now());
    let (done, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = |(origin, (name, rule)): &(&Origin, &(&'static str, Rule))| {
        let forecasts = origin.forecasts(name, *rule);
        let so_far = done.fetch_add(work(origin), Ordering::Relaxed) + work(origin);
        let (part, seconds) = (ended.fetch_add(1, Ordering::Relaxed) + 1, started.elapsed().as_secs_f64());
        let left = seconds * (all - so_far) as f64 / so_far as f64;
        eprintln!("{part} of {}: {name} on {} {}, {seconds:.0} s, about {left:.0} s left", parts.len(), origin.source, origin.table);
        forecasts
    };
    parts.par_iter().with_max_len(1).flat_map_iter(one).collect()
}

/// One row a forecast.
fn write(path: &Path, forecasts: &[Forecast]) -> Result<(), Box<dyn Error>> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["source", "table", "cut", "f", "N", "D", "loss", "rule", "centre", "low95", "high95"])?;
    for one in forecasts {
        let known = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let given = one.given.as_ref();
        let [low, high] = [0, 1].map(|end| known(given.map(|given| given.at(0.95)[end])));
        let numbers = [one.cut, one.factor, one.n, one.d, one.loss].map(|value| value.to_string());
        let words = [one.source.to_owned(), one.table.clone()].into_iter().chain(numbers);
        writer.write_record(words.chain([one.rule.to_owned(), known(given.map(|given| given.centre)), low, high]))?;
    }
    Ok(writer.flush()?)
}
