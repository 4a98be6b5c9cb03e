//! `scalelab doctor`: diagnoses of runs from their curves, of sweeps and of others.

use super::colour::{good, heading, warning};
use super::doctor_page::page;
use super::examined::{Diagnosed, Examined, by_ailment, counts};
use super::failure::{Failure, OrWork, Outcome};
use super::names::results_of;
use super::source::{Source, SourceArgs};
use super::text::{entry, filled, names, plural, table};
use super::voice::is_quiet;
use super::watch::show_text;
use crate::doctor::{Ailment, Finding};
use crate::results::write_whole;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Args, Clone)]
#[command(
    after_help = "Examples:\n  scalelab doctor results/grid\n  scalelab doctor results/grid --where learning_rate=0.032\n  scalelab doctor wandb/ --fail-on fault\n  scalelab doctor runs/*.csv trainer_state.json --json\n  scalelab doctor runs/ --html page.html\n  scalelab doctor wandb/ --watch\n\n`scalelab explain ailment` lists what can ail a run."
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
    /// Write a page of HTML too: every run, its curve, what ails it
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// Show the answer on a screen, anew when files change
    ///
    /// q, Esc or Ctrl-C leave; arrows, Page Up and Page Down move through a long answer. A page of --html is written anew, too.
    #[arg(long, conflicts_with_all = ["json", "fail_on"])]
    watch: bool,
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

pub(super) fn run(args: &DoctorArgs) -> Outcome {
    if args.watch {
        return watched(args);
    }
    let examined = Examined::of(&args.source)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&examined.diagnosed).or_work()?);
    } else if is_quiet() {
        println!("{}", counts(&examined.diagnosed));
    } else {
        print!("{}", text(args, &examined));
    }
    if let Some(path) = &args.html {
        written(path, &examined)?;
        if !is_quiet() {
            print!("\n{}", entry("page", &path.display().to_string()));
        }
    }
    match args.fail_on {
        Some(severity) => judged(&examined.diagnosed, severity),
        None => Ok(()),
    }
}

/// The answer as a person reads it.
fn text(args: &DoctorArgs, examined: &Examined) -> String {
    let Examined { sources, diagnosed, .. } = examined;
    if args.details {
        render(diagnosed) + &reading(sources, usize::MAX)
    } else {
        answer(&examined.place(), diagnosed) + &reading(sources, MOST_SAID)
    }
}

/// Writes the page, unless over what was read.
fn written(path: &Path, examined: &Examined) -> Outcome {
    examined.sources.iter().try_for_each(|source| source.spared_by(Some(path)))?;
    write_whole(path, page(examined).as_bytes()).with_context(|| format!("{} cannot be written", path.display())).or_work()
}

/// The answer again and again, until somebody has seen enough.
fn watched(args: &DoctorArgs) -> Outcome {
    let folders = &args.source.folders;
    let named: Vec<PathBuf> = args.source.paths.iter().map(|path| results_of(path, &folders.results)).collect();
    let newest = || args.source.params_from.as_ref().map_or(folders.results.clone(), |pattern| pattern.split().0.to_owned());
    let looked_at = if named.is_empty() { vec![newest()] } else { named };
    let call = format!("scalelab doctor{}", args.source.paths.iter().map(|path| format!(" {}", path.display())).collect::<String>());
    let (args, page) = (args.clone(), args.html.clone());
    let made = move || match Examined::of(&args.source).and_then(|found| match &args.html {
        Some(page) => written(page, &found).map(|()| found),
        None => Ok(found),
    }) {
        Ok(found) => text(&args, &found),
        Err(failure) => failure.words() + "\n",
    };
    show_text(looked_at, page, made, &call)
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
