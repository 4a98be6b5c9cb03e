//! `scalelab doctor`: diagnoses of runs from their curves, of sweeps and of others.

use super::colour::{good, heading, warning};
use super::failure::{Failure, OrWork, Outcome};
use super::names::results_of;
use super::source::{Source, SourceArgs, is_sweep};
use super::text::{entry, filled, names, plural, table};
use super::voice::is_quiet;
use crate::doctor::{Ailment, FEWEST_POINTS, Finding, diagnose_all};
use crate::spec::{CurvePoint, RunRecord};
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab doctor results/grid\n  scalelab doctor results/grid --where learning_rate=0.032\n  scalelab doctor wandb/ --fail-on fault\n  scalelab doctor runs/*.csv trainer_state.json --json\n\n`scalelab explain ailment` lists what can ail a run."
)]
pub(super) struct DoctorArgs {
    /// Print everything behind the answer
    ///
    /// Every run that something ails, by its whole name, at which step, and what was seen.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Exit with 3 where a run has a finding so grave
    ///
    /// remark: anything that was found; fault: what makes a run sick; lost: it diverged or never fell. For continuous integration.
    #[arg(long, value_name = "SEVERITY", value_enum, hide_possible_values = true)]
    fail_on: Option<Severity>,
    #[command(flatten)]
    source: SourceArgs,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Severity {
    Remark,
    Fault,
    Lost,
}

impl Severity {
    fn of(finding: &Finding) -> Self {
        match finding.ailment {
            _ if !finding.fault => Self::Remark,
            Ailment::Diverges | Ailment::NeverFalls => Self::Lost,
            _ => Self::Fault,
        }
    }
}

/// A run with what was found.
#[derive(Serialize)]
struct Diagnosed {
    run: String,
    /// Points of its curve.
    points: usize,
    healthy: Option<bool>,
    findings: Vec<Finding>,
}

pub(super) fn run(args: &DoctorArgs) -> Outcome {
    let sources = sources(args)?;
    let (mut records, mut curves) = (Vec::new(), Vec::new());
    for source in &sources {
        for (record, curve) in source.records.iter().zip(source.whole_curves()?) {
            curves.push(if curve.is_empty() && source.folder.is_none() { of_trajectory(source, &record.run_id) } else { curve });
            records.push(record.clone());
        }
    }
    let found = diagnose_all(&records, &curves);
    let diagnosed: Vec<Diagnosed> =
        records.iter().zip(&curves).zip(found).map(|((record, curve), findings)| Diagnosed::of(record, curve, findings)).collect();
    let place = place(&sources);
    if diagnosed.iter().all(|run| run.healthy.is_none()) {
        return Err(Failure::Input(anyhow!(
            "{place}: no run has a curve of {FEWEST_POINTS} losses or more; a results folder keeps them in curves/ or curves.csv.gz, a table of curves has a column `step` and names its runs, where there are several, in a column `run`"
        )));
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&diagnosed).or_work()?);
    } else if is_quiet() {
        println!("{}", counts(&diagnosed));
    } else if args.details {
        print!("{}{}", render(&diagnosed), reading(&sources, usize::MAX));
    } else {
        print!("{}{}", answer(&place, &diagnosed), reading(&sources, MOST_SAID));
    }
    match args.fail_on {
        Some(severity) => judged(&diagnosed, severity),
        None => Ok(()),
    }
}

/// Every sweep that is named, and all else as one table.
fn sources(args: &DoctorArgs) -> Result<Vec<Source>, Failure> {
    if args.source.paths.len() < 2 {
        return Ok(vec![args.source.read_curves()?]);
    }
    let named = args.source.paths.iter().map(|path| results_of(path, &args.source.folders.results));
    let (sweeps, others): (Vec<PathBuf>, Vec<PathBuf>) = named.partition(|path| is_sweep(path));
    let parts = sweeps.into_iter().map(|path| vec![path]).chain((!others.is_empty()).then_some(others));
    parts.map(|paths| args.source.of_paths(paths).read_curves()).collect()
}

/// Where runs lie, in words.
fn place(sources: &[Source]) -> String {
    match sources {
        [] => String::new(),
        [only] => only.path.display().to_string() + &only.choices,
        [first, others @ ..] => format!("{} and {}", first.path.display(), plural(others.len(), "other", "others")),
    }
}

/// Lines of how files were read that are shown without being asked for.
const MOST_SAID: usize = 3;

/// How files were read, a line each.
fn reading(sources: &[Source], most: usize) -> String {
    let all: Vec<&String> = sources.iter().flat_map(|source| &source.reading).collect();
    let lines: String = all.iter().take(most).map(|said| entry("read", said)).collect();
    let more = all.len().saturating_sub(most);
    let more = if more > 0 { format!("  and {} more: --details\n", plural(more, "line", "lines")) } else { String::new() };
    if lines.is_empty() { lines } else { format!("\n{lines}{more}") }
}

/// Fails where a finding is as grave as that or graver.
fn judged(diagnosed: &[Diagnosed], severity: Severity) -> Outcome {
    let is_grave = |run: &&Diagnosed| run.findings.iter().any(|finding| Severity::of(finding) >= severity);
    let grave = diagnosed.iter().filter(is_grave).count();
    if grave == 0 {
        return Ok(());
    }
    let name = severity.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    Err(Failure::Found(format!("{grave} of {} with a finding as grave as --fail-on {name} asks", plural(diagnosed.len(), "run", "runs"))))
}

impl Diagnosed {
    fn of(record: &RunRecord, curve: &[CurvePoint], findings: Vec<Finding>) -> Self {
        let points = curve.iter().filter(|point| point.train_loss_nats.is_some()).count();
        let sick = findings.iter().any(|finding| finding.fault);
        let healthy = (sick || points >= FEWEST_POINTS).then_some(!sick);
        Self { run: record.run_id.clone(), points, healthy, findings }
    }
}

/// The curve of a run of a foreign table: its losses alone.
fn of_trajectory(source: &Source, run: &str) -> Vec<CurvePoint> {
    let Some(trajectory) = source.trajectories.iter().find(|one| one.run == run) else {
        return Vec::new();
    };
    let tokens = || trajectory.points.iter().map(|point| point.1);
    // Steps as long as the shortest way from one row to the next, so that rows set apart evenly in ln D are not taken for even ones.
    let length = tokens().skip(1).zip(tokens()).map(|(after, before)| after - before).fold(f64::INFINITY, f64::min);
    let point = |&(_, tokens, loss): &(f64, f64, f64)| CurvePoint {
        step: (tokens / length).round() as u64,
        tokens: tokens as u64,
        train_loss_nats: Some(loss),
        ..CurvePoint::default()
    };
    trajectory.points.iter().map(point).collect()
}

/// How many runs are healthy, a line.
fn counts(diagnosed: &[Diagnosed]) -> String {
    let count = |state: Option<bool>| diagnosed.iter().filter(|run| run.healthy == state).count();
    let text = format!("{}: {} healthy, {} sick", plural(diagnosed.len(), "run", "runs"), count(Some(true)), count(Some(false)));
    let unknown = count(None);
    text + &if unknown > 0 { format!(", {unknown} without a curve of {FEWEST_POINTS} losses") } else { String::new() }
}

/// What ails runs, faults before remarks and the gravest first, each with its runs.
type ByAilment<'a> = BTreeMap<(bool, Ailment), Vec<(&'a Diagnosed, &'a Finding)>>;

fn by_ailment(diagnosed: &[Diagnosed]) -> ByAilment<'_> {
    let mut all = ByAilment::new();
    for run in diagnosed {
        for finding in &run.findings {
            all.entry((!finding.fault, finding.ailment)).or_default().push((run, finding));
        }
    }
    all
}

/// Ailments that are shown; the others are counted.
const MOST_AILMENTS: usize = 3;
/// Runs of an ailment that are named.
const MOST_RUNS: usize = 3;

/// Counts, and the gravest ailments with cause, remedy and a few runs.
fn answer(place: &str, diagnosed: &[Diagnosed]) -> String {
    let said = filled("", &format!("{place}: {}", counts(diagnosed)));
    let sick = diagnosed.iter().any(|run| run.healthy == Some(false));
    let mut text = if sick { warning(&said) } else { good(&said) };
    let short = short_names(diagnosed);
    let all = by_ailment(diagnosed);
    for ((remark, ailment), found) in all.iter().take(MOST_AILMENTS) {
        let kind = if *remark { ", which is a remark" } else { "" };
        text += &format!("\n{}", heading(&format!("{ailment}: {} of {}{kind}\n", found.len(), plural(diagnosed.len(), "run", "runs"))));
        text += &entry("cause", found[0].1.cause);
        text += &entry("remedy", found[0].1.change);
        let shown = found.iter().take(MOST_RUNS).filter_map(|(run, _)| short.get(run.run.as_str()).map(String::as_str));
        let more = found.len().saturating_sub(MOST_RUNS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text += &names("runs", &(shown.collect::<Vec<_>>().join(", ") + &more));
    }
    let more = all.len().saturating_sub(MOST_AILMENTS);
    if more > 0 {
        text += &format!("\n  and {}: --details\n", plural(more, "ailment more", "ailments more"));
    }
    text
}

/// Names of runs without the parts that all have in common and without the hash, where that leaves them apart.
fn short_names(diagnosed: &[Diagnosed]) -> BTreeMap<&str, String> {
    let parts: Vec<Vec<&str>> = diagnosed.iter().map(|run| run.run.split('-').collect()).collect();
    let common = |at: usize| parts.len() > 1 && parts.iter().all(|one| one.get(at) == parts[0].get(at));
    let short = |one: &Vec<&str>| {
        let last = if one.len() > 1 { one.len() - 1 } else { 1 };
        let kept: Vec<&str> = one[..last].iter().enumerate().filter(|(at, _)| !common(*at)).map(|(_, part)| *part).collect();
        kept.join("-")
    };
    let shortened: Vec<String> = parts.iter().map(short).collect();
    let is_unique = |name: &String| !name.is_empty() && shortened.iter().filter(|other| *other == name).count() == 1;
    let named = |(run, name): (&'_ Diagnosed, &String)| if is_unique(name) { name.clone() } else { run.run.clone() };
    diagnosed.iter().zip(&shortened).map(|(run, name)| (run.run.as_str(), named((run, name)))).collect()
}

/// Findings by ailment, each with its runs, evidence, cause and change.
fn render(diagnosed: &[Diagnosed]) -> String {
    let mut text = counts(diagnosed) + "\n";
    let by_ailment = by_ailment(diagnosed);
    for ((remark, ailment), found) in by_ailment {
        let (first, kind) = (found[0].1, if remark { " (a remark)" } else { "" });
        text += &format!(
            "\n{ailment}{kind}: {} of {} runs\n  likely cause: {}\n  what to change: {}\n",
            found.len(),
            diagnosed.len(),
            first.cause,
            first.change
        );
        let row = |(run, finding): &(&Diagnosed, &Finding)| {
            vec![run.run.clone(), finding.step.map_or("—".into(), |step| step.to_string()), finding.evidence.clone()]
        };
        text += &left_aligned(&found.iter().map(row).collect::<Vec<_>>());
    }
    text
}

/// Run, step and evidence; evidence reads from the left, so it stands outside the aligned columns.
fn left_aligned(rows: &[Vec<String>]) -> String {
    let heads: Vec<Vec<String>> = rows.iter().map(|row| row[..2].to_vec()).collect();
    let aligned = table(&["run", "step"], &heads);
    let mut lines = aligned.lines();
    let mut text = format!("{}  evidence\n", lines.next().unwrap_or_default());
    lines.zip(rows).for_each(|(line, row)| text += &format!("{line}  {}\n", row[2]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_tells_runs_apart() {
        let of = |names: &[&str]| -> Vec<String> {
            let one = |name: &&str| Diagnosed { run: (*name).to_owned(), points: 0, healthy: None, findings: Vec::new() };
            let all: Vec<Diagnosed> = names.iter().map(one).collect();
            let short = short_names(&all);
            names.iter().map(|name| short[name].clone()).collect()
        };
        assert_eq!(of(&["2x8-d1m-lr0.008-s0.0-aa", "2x16-d1m-lr0.004-s0.0-bb"]), ["2x8-lr0.008", "2x16-lr0.004"]);
        assert_eq!(of(&["2x8-s0-aa", "2x8-s0-bb"]), ["2x8-s0-aa", "2x8-s0-bb"], "the hash alone tells them apart");
        assert_eq!(of(&["sick", "healthy"]), ["sick", "healthy"]);
    }
}
