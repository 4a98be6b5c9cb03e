//! How far a sweep has come, in words: on one screen, or with every run that is not finished.

use super::expected::ExpectedEnds;
use super::labels::{Labels, shape};
use super::progress::{Progress, RunState};
use super::text::{WIDTH, duration, entry, indented, table};
use crate::doctor::Overfitting;
use crate::results::{Heartbeat, RunningRun};
use crate::spec::{RunRecord, short};
use std::collections::BTreeMap;

/// How much of everything a screen lists, the most first: runs at work, reasons why runs ended without a loss, lines of the rest.
const LIMITS: [Limits; 3] =
    [Limits { running: 8, reasons: 3, lines: 3 }, Limits { running: 5, reasons: 2, lines: 2 }, Limits { running: 3, reasons: 1, lines: 1 }];
/// Lines of a screen.
const LINES: usize = 30;
/// Columns of a bar.
const BAR: usize = 24;

struct Limits {
    running: usize,
    reasons: usize,
    lines: usize,
}

/// At most 30 lines of 80 columns.
pub(super) fn screen(progress: &Progress, overfitting: &[(String, Overfitting)], expected: &ExpectedEnds) -> String {
    let texts = LIMITS.iter().map(|limits| within(limits, progress, overfitting, expected));
    let mut shortest = String::new();
    for text in texts {
        shortest = text;
        if shortest.lines().count() <= LINES {
            break;
        }
    }
    shortest
}

fn within(limits: &Limits, progress: &Progress, overfitting: &[(String, Overfitting)], expected: &ExpectedEnds) -> String {
    let (runs, labels) = (progress.runs(), Labels::of(progress.plan()));
    let working: Vec<String> = progress.running().map(|(_, told)| line_of(progress, &labels, told)).collect();
    let reasons: Vec<String> =
        reasons(progress, &runs, &labels).iter().map(|reason| clipped(&indented(reason), limits.lines.min(2))).collect();
    let left = runs.iter().filter(|(_, state)| matches!(state, RunState::Interrupted | RunState::Planned));
    let mut rest = by_shape(left.map(|(run, _)| *run));
    rest += &overfits(progress, &labels, overfitting);
    let parts = [
        heading(progress, &runs),
        listed(&working, limits.running, "at work")
            + &expected.said(progress, &labels).map_or(String::new(), |said| clipped(&indented(&said), limits.lines)),
        listed(&reasons, limits.reasons, "reasons"),
        clipped(&rest, 2 * limits.lines),
        what_next(progress, &runs, limits.lines),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The first entries, and how many more there are.
fn listed(entries: &[String], most: usize, what: &str) -> String {
    entries.iter().take(most).cloned().collect::<String>() + &more(entries.len(), most, what)
}

/// How many runs are what, and the time.
fn heading(progress: &Progress, runs: &[(&RunRecord, RunState)]) -> String {
    let count = |wanted: RunState| runs.iter().filter(|(_, state)| *state == wanted).count();
    let done = count(RunState::Finished) + count(RunState::Diverged) + count(RunState::Failed);
    let path = progress.folder.path.display().to_string();
    let room = WIDTH - BAR - 2 - 28;
    let break_line = if path.chars().count() > room { "\n  " } else { "  " };
    let mut text =
        format!("{path}{break_line}[{}]  {done} of {} runs ended\n", bar(done as f64 / runs.len().max(1) as f64, BAR), runs.len());
    let counts: Vec<String> = RunState::ALL
        .into_iter()
        .map(|state| (count(state), state))
        .filter(|(n, _)| *n > 0)
        .map(|(n, state)| format!("{n} {state}"))
        .collect();
    text += &indented(&format!("{}; {} of worker time so far", counts.join(", "), duration(progress.worker_seconds())));
    let elapsed = progress.elapsed().map_or(String::new(), |seconds| format!("{} since it began, ", duration(seconds as f64)));
    if let Some(left) = progress.seconds_left() {
        text += &indented(&format!("{elapsed}about {} left at the speed of the runs so far", duration(left)));
    }
    text
}

/// A bar that is filled from the left.
pub(super) fn bar(part: f64, columns: usize) -> String {
    let filled = (part.clamp(0.0, 1.0) * columns as f64).floor() as usize;
    "█".repeat(filled) + &"░".repeat(columns - filled)
}

/// A run at work.
fn line_of(progress: &Progress, labels: &Labels, told: &RunningRun) -> String {
    let run = progress.plan().iter().find(|run| run.run_id == told.run_id);
    let name = run.map_or_else(|| told.run_id.clone(), |run| labels.of_run(run));
    let words = [at_step(told), train_loss(told), speed(told.tokens_per_second)];
    format!("  {:<30} {:>13}  {:<16}  {:>12}\n", cut(&name, 30), words[0], words[1], words[2]).trim_end().to_owned() + "\n"
}

/// How far a run is: `1208/2000`.
pub(super) fn at_step(told: &RunningRun) -> String {
    let count = |steps: u64| if steps < 100_000 { steps.to_string() } else { short(steps as f64) };
    format!("{}/{}", count(told.step), count(told.steps))
}

pub(super) fn train_loss(told: &RunningRun) -> String {
    told.train_loss_nats.map_or("no train loss".to_owned(), |loss| format!("train loss {loss:.3}"))
}

pub(super) fn speed(tokens_per_second: Option<f64>) -> String {
    tokens_per_second.map_or("starting".to_owned(), |rate| format!("{} tokens/s", short(two_digits(rate))))
}

/// The speed of a worker changes from second to second: two digits say enough.
fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// A text in so many columns; what is cut off shows.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).collect::<String>() + "…"
}

/// Why runs ended without a loss: each reason with its runs.
fn reasons(progress: &Progress, runs: &[(&RunRecord, RunState)], labels: &Labels) -> Vec<String> {
    let mut by_reason: BTreeMap<(RunState, String), Vec<&RunRecord>> = BTreeMap::new();
    for (run, state) in runs.iter().filter(|(_, state)| matches!(state, RunState::Diverged | RunState::Failed)) {
        by_reason.entry((*state, why(progress, run, *state))).or_default().push(run);
    }
    let render = |((state, why), of): ((RunState, String), Vec<&RunRecord>)| {
        let others = if of.len() > 1 { format!(" and {} more", of.len() - 1) } else { String::new() };
        format!("{state}: {}{others}: {why}", labels.of_run(of[0]))
    };
    by_reason.into_iter().map(render).collect()
}

/// Why a run ended without a loss.
fn why(progress: &Progress, run: &RunRecord, state: RunState) -> String {
    let said = progress.contents.done.get(&run.run_id).and_then(|done| done.diagnosis.clone());
    said.unwrap_or_else(|| {
        if state == RunState::Diverged { "its loss or gradient is no number any more" } else { "no reason is known" }.into()
    })
}

/// Counts of runs that did not begin or were interrupted, by shape in the order of the plan: `2x8 12, 2x16 4`.
fn by_shape<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for run in runs {
        let shape = shape(run).unwrap_or_else(|| "no shape".into());
        match counts.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, count)) => *count += 1,
            None => counts.push((shape, 1)),
        }
    }
    let words: Vec<String> = counts.iter().map(|(shape, count)| format!("{count} of {shape}")).collect();
    if words.is_empty() { String::new() } else { clipped(&entry("left", &words.join(", ")), 3) }
}

fn overfits(progress: &Progress, labels: &Labels, overfitting: &[(String, Overfitting)]) -> String {
    let Some((run_id, found)) = overfitting.first() else { return String::new() };
    let run = progress.plan().iter().find(|run| run.run_id == *run_id);
    let name = run.map_or_else(|| run_id.clone(), |run| labels.of_run(run));
    let others = if overfitting.len() > 1 { format!("; {} more runs overfit", overfitting.len() - 1) } else { String::new() };
    clipped(&indented(&format!("overfits: {name} {found}{others}")), 3)
}

/// What to do; before it, in so many lines or none, what is wrong.
fn what_next(progress: &Progress, runs: &[(&RunRecord, RunState)], lines: usize) -> String {
    let path = progress.folder.path.display();
    let count = |wanted: RunState| runs.iter().filter(|(_, state)| *state == wanted).count();
    let open = count(RunState::Interrupted) + count(RunState::Planned) + count(RunState::Running);
    let (failed, diverged, damaged) = (count(RunState::Failed), count(RunState::Diverged), &progress.contents.damaged);
    let silent: Vec<String> = progress.gone.iter().map(|pulse| indented(&gone(progress, pulse))).collect();
    let mut text = if lines > 0 { listed(&silent, lines, "drivers that stopped responding") } else { String::new() };
    if let Some((file, problem)) = damaged.first().filter(|_| lines > 0) {
        // The problem begins with the path of its file, which may be longer than a line.
        let problem =
            if problem.contains(&file.display().to_string()) { problem.clone() } else { format!("{}: {problem}", file.display()) };
        let others = if damaged.len() > 1 { format!(" ({} more files are damaged)", damaged.len() - 1) } else { String::new() };
        text += &clipped(&indented(&format!("damaged, its run counts as not done: {problem}{others}")), lines + 1);
    }
    if !damaged.is_empty() {
        text += &entry("repair", &format!("scalelab repair {path} mends what can be mended; the next sweep trains the rest again"));
    }
    match (progress.alive.is_empty(), open) {
        (false, _) => text += &entry("live", &format!("scalelab watch {path}")),
        (true, 0) => text += &entry("next", &format!("scalelab fit {path}")),
        (true, _) => text += &entry("resume", &progress.sweep_words("")),
    }
    if failed > 0 {
        text += &entry("failed", &format!("{} trains failed runs again", progress.sweep_words(" --retry failed")));
    }
    if diverged > 0 {
        text += &entry("doctor", &format!("scalelab doctor {path} says why runs diverged"));
    }
    if open + failed + diverged > 0 {
        text += &entry("all", &format!("scalelab status {path} --details"));
    }
    text
}

/// What is known of a driver that stopped without signing off.
fn gone(progress: &Progress, pulse: &Heartbeat) -> String {
    let silence = duration(progress.now.saturating_sub(pulse.written_at) as f64);
    let (process, host) = (pulse.process, &pulse.host);
    format!("the driver that was process {process} on {host} stopped responding (last heartbeat {silence} ago)")
}

/// Every run that is not finished, a line each, and everything that is wrong.
pub(super) fn detailed(progress: &Progress, overfitting: &[(String, Overfitting)]) -> String {
    let runs = progress.runs();
    let mut text = heading(progress, &runs);
    let row = |(run, state): &(&RunRecord, RunState)| vec![run.run_id.clone(), state.to_string(), detail(progress, run, *state)];
    let rows: Vec<Vec<String>> = runs.iter().filter(|(_, state)| *state != RunState::Finished).map(row).collect();
    if !rows.is_empty() {
        text += &table(&["run", "status", ""], &rows);
    }
    overfitting.iter().for_each(|(run, found)| text += &format!("{run} {found}\n"));
    progress.gone.iter().for_each(|pulse| text += &format!("{}\n", gone(progress, pulse)));
    for (path, problem) in progress.contents.damaged.iter() {
        text += &format!("damaged, its run counts as not done: {}: {problem}\n", path.display());
    }
    text + &what_next(progress, &runs, 0)
}

/// What is known of a run beside its state.
fn detail(progress: &Progress, run: &RunRecord, state: RunState) -> String {
    match (state, progress.told_of(&run.run_id), progress.states.get(&run.run_id)) {
        (RunState::Running, Some((pulse, told)), _) => {
            let place = format!("worker {} of process {} on {}", told.worker, pulse.process, pulse.host);
            format!("{place}: step {}, {}, {}", at_step(told), train_loss(told), speed(told.tokens_per_second))
        }
        (RunState::Diverged | RunState::Failed, ..) => why(progress, run, state),
        (RunState::Interrupted, _, Some(step)) => format!("will resume from step {step} of {}", run.steps.unwrap_or(0)),
        _ => String::new(),
    }
}

/// The first lines of a text; what is cut off shows.
fn clipped(text: &str, lines: usize) -> String {
    if text.lines().count() <= lines {
        return text.to_owned();
    }
    let kept: Vec<&str> = text.lines().take(lines).collect();
    let last = cut(&format!("{} …", kept[lines - 1]), WIDTH);
    kept[..lines - 1].iter().map(|line| format!("{line}\n")).collect::<String>() + &last + "\n"
}

/// How many are not listed.
fn more(all: usize, listed: usize, what: &str) -> String {
    if all > listed { format!("  … and {} more {what}\n", all - listed) } else { String::new() }
}
