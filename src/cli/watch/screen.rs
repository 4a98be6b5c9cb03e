//! Draws what was read: heading, runs at work, their curves, what ails runs, runs that ended. Every symbol has a word beside it.

use super::super::progress::{Progress, RunState};
use super::super::status_text::{at_step, bar, cut, speed, train_loss};
use super::super::text::duration;
use super::chart;
use super::look::Look;
use super::view::{Ailing, View};
use crate::results::RunningRun;
use crate::spec::{RunRecord, RunStatus};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};
use std::time::Duration;

/// Rows of the chart with its title, at least.
const LEAST_CHART: u16 = 7;
/// Age of what is shown from which on it is told.
const STALE: Duration = Duration::from_secs(5);
/// Columns of the bar in the heading, and of one beside a run.
const BARS: [usize; 2] = [24, 6];

/// Lines of one part of the screen, with its title.
struct Part {
    title: String,
    lines: Vec<Line<'static>>,
}

/// Draws the screen, read some time ago, into an area.
pub(super) fn draw(view: &View, age: Duration, look: Look, area: Rect, buffer: &mut Buffer) {
    let head = heading(view, age, look, area.width as usize);
    let rest = usize::from(area.height).saturating_sub(head.len() + 1);
    let parts = view.progress.as_ref().map_or_else(Vec::new, |progress| parts(view, progress, look, rest, area.width as usize));
    let [head_area, body, foot] =
        Layout::vertical([Constraint::Length(head.len() as u16), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    Paragraph::new(head).render(head_area, buffer);
    draw_parts(view, &parts, look, body, buffer);
    Paragraph::new(Line::styled(cut(&keys(look), area.width as usize), look.faint())).render(foot, buffer);
    look.made_plain(buffer);
}

fn keys(look: Look) -> String {
    let other = if look.log_steps { "linear" } else { "logarithmic" };
    format!("q leaves, the sweep is not touched · l draws {other} steps")
}

/// The chart stands behind the first part, and takes what the others leave.
fn draw_parts(view: &View, parts: &[Part], look: Look, area: Rect, buffer: &mut Buffer) {
    let charted = chart::has_curves(view);
    let mut top = area.top();
    for (at, part) in parts.iter().enumerate() {
        top = draw_part(part, look, Rect { y: top, height: area.bottom().saturating_sub(top), ..area }, buffer);
        if at == 0 && charted {
            let below: usize = parts[1..].iter().map(|part| part.lines.len() + 1).sum();
            let height = area.bottom().saturating_sub(top).saturating_sub(below as u16);
            if height >= LEAST_CHART {
                let title = Part { title: chart::title(view, look), lines: Vec::new() };
                let under = draw_part(&title, look, Rect { y: top, height, ..area }, buffer);
                chart::draw(view, look, Rect { y: under, height: height - 1, ..area }, buffer);
                top += height;
            }
        }
    }
}

/// Draws title and lines; the row below them.
fn draw_part(part: &Part, look: Look, area: Rect, buffer: &mut Buffer) -> u16 {
    let width = area.width as usize;
    let title = cut(&format!("── {} ", part.title), width);
    let line = "─".repeat(width.saturating_sub(title.chars().count()));
    let mut lines = vec![Line::styled(title + &line, look.faint())];
    lines.extend(part.lines.iter().cloned());
    let height = (lines.len() as u16).min(area.height);
    Paragraph::new(lines).render(Rect { height, ..area }, buffer);
    area.top() + height
}

/// Where, how far, how long.
fn heading(view: &View, age: Duration, look: Look, width: usize) -> Vec<Line<'static>> {
    let Some(progress) = &view.progress else {
        let text = view.problem.clone().unwrap_or_else(|| "is read …".into());
        return textwrap::wrap(&format!("{} {text}", view.place), width.max(20))
            .into_iter()
            .map(|line| Line::raw(line.into_owned()))
            .collect();
    };
    let (state, colour) = match progress.alive.as_slice() {
        [] => ("no sweep runs here".to_owned(), Color::Yellow),
        [_] => (format!("runs: {} at work", progress.running().count()), Color::Green),
        drivers => (format!("runs: {} at work, {} drivers", progress.running().count(), drivers.len()), Color::Green),
    };
    let place = cut(&view.place, width.saturating_sub(state.chars().count() + 2));
    let gap = " ".repeat(width.saturating_sub(place.chars().count() + state.chars().count()));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = vec![Line::from(vec![Span::styled(place, bold), Span::raw(gap), Span::styled(state, look.coloured(colour))])];
    let told = [counts(progress), if progress.alive.is_empty() { idle(progress) } else { times(progress) }];
    lines.extend(told.map(|text| Line::raw(cut(&text, width))));
    lines.extend(warnings(progress, age).iter().map(|text| Line::styled(cut(text, width), look.coloured(Color::Red))));
    lines
}

fn counts(progress: &Progress) -> String {
    let runs = progress.runs();
    let count = |wanted: RunState| runs.iter().filter(|(_, state)| *state == wanted).count();
    let ends = [RunState::Finished, RunState::Diverged, RunState::Failed].map(|state| (count(state), state));
    let done: usize = ends.iter().map(|end| end.0).sum();
    let words: Vec<String> = ends.iter().filter(|end| end.0 > 0).map(|(n, state)| format!("{n} {state}")).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    format!("[{}] {done} of {} runs ended{words}", bar(done as f64 / runs.len().max(1) as f64, BARS[0]), runs.len())
}

/// The time that went by and that is left, with what the latter rests on.
fn times(progress: &Progress) -> String {
    let elapsed = progress.elapsed().map_or(String::new(), |seconds| format!("{} since it began, ", duration(seconds as f64)));
    let left = duration(progress.seconds_left().unwrap_or(0.0));
    let heard = progress.alive.iter().map(|pulse| progress.now.saturating_sub(pulse.written_at)).max().unwrap_or(0);
    let heard = if heard > STALE.as_secs() { format!(" (told {} ago)", duration(heard as f64)) } else { String::new() };
    format!("{elapsed}about {left} left at the speed of the runs so far{heard}")
}

/// What to do where nobody works.
fn idle(progress: &Progress) -> String {
    let open = progress.plan().iter().filter(|run| !progress.contents.done.contains_key(&run.run_id)).count();
    match open {
        0 => format!("all runs ended; next: scalelab fit {}", progress.folder.path.display()),
        _ => format!("{open} runs are left; resume with {}", progress.sweep_words("")),
    }
}

fn warnings(progress: &Progress, age: Duration) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(pulse) = progress.gone.first() {
        let silence = duration(progress.now.saturating_sub(pulse.written_at) as f64);
        warnings.push(format!("! a driver stopped responding: process {} on {}, last heartbeat {silence} ago", pulse.process, pulse.host));
    }
    if !progress.contents.damaged.is_empty() {
        let (many, path) = (progress.contents.damaged.len(), progress.folder.path.display());
        warnings.push(format!("! {many} files of runs are damaged; scalelab repair {path}"));
    }
    if age > STALE {
        warnings.push(format!("! the folder did not answer for {}", duration(age.as_secs_f64())));
    }
    warnings
}

/// The parts from top to bottom, with as many lines as a screen of so many rows has for each.
fn parts(view: &View, progress: &Progress, look: Look, rows: usize, width: usize) -> Vec<Part> {
    let running: Vec<&RunningRun> = progress.running().map(|(_, run)| run).collect();
    let (ended, ailing) = (progress.ended(), &view.diagnosis.found);
    let small = rows < 12;
    let mut parts = Vec::new();
    if !running.is_empty() {
        let lines = running.iter().enumerate().map(|(at, run)| at_work(view, progress, look, at, run, width)).collect();
        let told =
            if chart::has_curves(view) || running.iter().all(|run| run.step == 0) { "" } else { ", whose driver tells no train losses" };
        let expected = view.expected.said(progress, &view.labels).map(|said| Line::raw(cut(&format!("  {said}"), width.saturating_sub(1))));
        let lines = first(lines, (rows / 5).max(2), "at work").into_iter().chain(expected.filter(|_| !small)).collect();
        parts.push(Part { title: format!("runs at work{told}"), lines });
    }
    if !ended.is_empty() && !small {
        let lines = ailing.iter().map(|ailing| ailment(ailing, look, width)).collect();
        parts.push(Part { title: health(view, progress), lines: first(lines, (rows / 10).max(1), "ailments") });
    }
    if !ended.is_empty() {
        let most = if running.is_empty() { rows.saturating_sub(4 + ailing.len().min(rows / 10)) } else { rows * 3 / 20 };
        let lines = ended.iter().take(most.max(1)).map(|run| one_ended(view, look, run, width)).collect();
        parts.push(Part { title: "ended last".into(), lines });
    }
    parts
}

/// The first lines, the last of which says how many more there are.
fn first(mut lines: Vec<Line<'static>>, most: usize, what: &str) -> Vec<Line<'static>> {
    if lines.len() > most {
        let hidden = lines.len() + 1 - most;
        lines.truncate(most - 1);
        lines.push(Line::raw(format!("  … and {hidden} more {what}")));
    }
    lines
}

/// A run at work: mark, name, how far, train loss, speed.
fn at_work(view: &View, progress: &Progress, look: Look, at: usize, run: &RunningRun, width: usize) -> Line<'static> {
    let planned = progress.plan().iter().find(|planned| planned.run_id == run.run_id);
    let name = planned.map_or_else(|| run.run_id.clone(), |planned| view.labels.of_run(planned));
    let columns = width.saturating_sub(BARS[1] + 2 + 48).clamp(12, 40);
    let part = run.step as f64 / run.steps.max(1) as f64;
    let (bar, step, loss, speed) = (bar(part, BARS[1]), at_step(run), train_loss(run), speed(run.tokens_per_second));
    let text = format!(" {:<columns$} [{bar}] {step:>10}  {loss:<16}  {speed}", cut(&name, columns));
    Line::from(vec![Span::styled(chart::mark(at).to_string(), look.curve(at)), Span::raw(cut(&text, width.saturating_sub(1)))])
}

/// How many of the runs that ended are healthy.
fn health(view: &View, progress: &Progress) -> String {
    let (examined, sick) = (view.diagnosis.examined, view.diagnosis.sick);
    let which = if examined < progress.ended().len() { format!("of the last {examined} runs") } else { format!("of {examined} runs") };
    format!("doctor: {sick} {which} sick; scalelab doctor {} says more", progress.folder.path.display())
}

fn ailment(ailing: &Ailing, look: Look, width: usize) -> Line<'static> {
    let first = &ailing.first;
    let (symbol, colour) = if first.fault { ("!", Color::Red) } else { ("·", Color::Yellow) };
    let others = if ailing.runs.len() > 1 { format!(" and {} more", ailing.runs.len() - 1) } else { String::new() };
    let text = format!(" {}: {}{others}: {}", first.ailment, ailing.runs[0], first.evidence);
    Line::from(vec![Span::styled(symbol, look.coloured(colour)), Span::raw(cut(&text, width.saturating_sub(1)))])
}

/// A run that ended, with its held-out loss or with why it has none.
fn one_ended(view: &View, look: Look, run: &RunRecord, width: usize) -> Line<'static> {
    let (symbol, colour) = match run.status {
        RunStatus::Finished => ("✓", Color::Green),
        _ => ("✗", Color::Red),
    };
    let outcome = match (run.status, run.loss_nats) {
        (RunStatus::Finished, Some(loss)) => format!("held-out loss {:.3}", loss.0),
        (RunStatus::Failed, _) => format!("failed: {}", one_line(run.diagnosis.as_deref().unwrap_or("no reason is known"))),
        (status, _) => status.to_string(),
    };
    let seconds = run.wall_seconds.map_or(String::new(), |seconds| format!("  {}", duration(seconds)));
    let columns = width.saturating_sub(40).clamp(12, 40);
    let text = format!(" {:<columns$} {outcome}{seconds}", cut(&view.labels.of_run(run), columns));
    Line::from(vec![Span::styled(symbol, look.coloured(colour)), Span::raw(cut(&text, width.saturating_sub(1)))])
}

/// A text without breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
