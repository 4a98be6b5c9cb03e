//! What `forecast --task` says: what networks to come will score on tasks whose scores stand in a table of others; and `verify` of it.

use super::analysis::Asked;
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::source::{RowArgs, Source, SourceArgs};
use super::text::{first_doubts, number, table};
use super::voice::is_quiet;
use crate::law::{ComputeCount, Point, points};
use crate::recommend::{Code, TaskForecast, TaskSaid, TaskScore};
use crate::results::{TaskColumns, task_columns, write_whole};
use crate::spec::{FlopRule, Metric, SizeMeasure, short};
use crate::study::{Task, TaskRun, chance_of, neighbours_differ};
use anyhow::{Context, anyhow};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which tasks are forecast, where.
pub(super) struct AskedTasks<'a> {
    pub(super) names: &'a [String],
    pub(super) chance: Option<f64>,
    pub(super) places: &'a [(f64, f64)],
    pub(super) out: Option<&'a Path>,
    pub(super) code: Code,
}

pub(super) fn run(asked: &AskedTasks<'_>, args: &Asked) -> Outcome {
    if let Some(chance) = asked.chance.filter(|chance| !(0.0..1.0).contains(chance)) {
        return Err(Failure::Input(anyhow!("--chance is {chance}; it is a share from 0 to below 1, such as 0.25 for four choices")));
    }
    if let Some(out) = asked.out.filter(|out| out.exists()) {
        let path = out.display();
        return Err(Failure::Input(anyhow!("{path} is there already, and a forecast is not changed after it was made; write another")));
    }
    let tasks = tasks(&args.source, asked.names, asked.chance, |source| args.choices.options(source).conventions())?;
    let all: Vec<Point> = tasks.iter().flat_map(|task| task.runs.iter().map(|run| run.place.clone())).collect();
    let count = ComputeCount::of(&all);
    let places: Vec<Point> = asked.places.iter().map(|&(n, d)| Point { c: count.compute(n, d), ..Point::new(n, d, 1.0) }).collect();
    let said: Vec<TaskSaid> = tasks.iter().map(|task| TaskSaid::of(task, &places, args.choices.level())).collect();
    let path = args.source.paths.first().map_or_else(String::new, |path| path.display().to_string());
    let made_at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let forecast = TaskForecast::new(made_at, path, asked.code.clone(), said);
    let text = forecast.to_text().or_work()?;
    if let Some(out) = asked.out {
        write_whole(out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display())).or_work()?;
    }
    if args.json {
        print!("{text}");
    } else if is_quiet() {
        println!("{}", line(&forecast));
    } else {
        print!("{}", render(&forecast));
        if let Some(out) = asked.out {
            println!("\nforecast: {}\nhold it against what comes: scalelab verify FORECAST LATER.csv", out.display());
        }
    }
    Ok(())
}

/// Reads tasks of a table: those that are named, or all.
pub(super) fn tasks(
    source: &SourceArgs,
    names: &[String],
    chance: Option<f64>,
    conventions: impl Fn(&Source) -> (SizeMeasure, FlopRule),
) -> Result<Vec<Task>, Failure> {
    let path = match source.paths.as_slice() {
        [path] if path.is_file() => path,
        _ => return Err(Failure::Input(anyhow!("--task reads the scores of one table of others; name its file"))),
    };
    let known = task_columns(path).or_input()?;
    if known.is_empty() {
        let path = path.display();
        return Err(Failure::Input(anyhow!(
            "{path}: no column is of a task; name them for example hellaswag_bpb (bits per byte of the right answers) and hellaswag_accuracy"
        )));
    }
    let is_asked = |task: &&TaskColumns| names.iter().any(|name| name == "all" || name.eq_ignore_ascii_case(&task.name));
    if let Some(unknown) = names.iter().find(|name| *name != "all" && !known.iter().any(|task| name.eq_ignore_ascii_case(&task.name))) {
        let all: Vec<&str> = known.iter().map(|task| task.name.as_str()).collect();
        let path = path.display();
        return Err(Failure::Input(anyhow!("{path}: no column is of the task `{unknown}`; its tasks are {}; or all", all.join(", "))));
    }
    known.iter().filter(is_asked).map(|columns| one_task(source, columns, chance, &conventions)).collect()
}

fn one_task(
    source: &SourceArgs,
    columns: &TaskColumns,
    chance: Option<f64>,
    conventions: &impl Fn(&Source) -> (SizeMeasure, FlopRule),
) -> Result<Task, Failure> {
    let read = |header: &String, metric, factor: &str| {
        let mut args = source.clone();
        args.rows.columns.retain(|pair| !pair.starts_with("loss="));
        args.rows.columns.push(format!("loss={header}{factor}"));
        args.rows.metric = metric;
        args.read()
    };
    let losses = columns.answer_loss.as_ref().map(|header| read(header, None, "")).transpose()?;
    let scores = columns
        .accuracy
        .as_ref()
        .map(|header| read(header, Some(Metric::Accuracy), if columns.in_percent { "*0.01" } else { "" }))
        .transpose()?;
    let mut runs: Vec<(String, TaskRun)> = Vec::new();
    if let Some(source) = &scores {
        let scatters: HashMap<&str, f64> =
            source.trajectories.iter().filter_map(|curve| Some((curve.run.as_str(), neighbours_differ(&curve.points)?))).collect();
        runs.extend(placed(source, conventions).into_iter().map(|place| {
            let scatter = scatters.get(place.run.as_str()).copied();
            (place.run.clone(), TaskRun { accuracy: Some(1.0 - place.loss), answer_loss: None, scatter, place })
        }));
    }
    if let Some(source) = &losses {
        let at: HashMap<String, usize> = runs.iter().enumerate().map(|(at, (run, _))| (run.clone(), at)).collect();
        for place in placed(source, conventions) {
            match at.get(&place.run) {
                Some(&at) => runs[at].1.answer_loss = Some(place.loss),
                None => {
                    runs.push((place.run.clone(), TaskRun { accuracy: None, answer_loss: Some(place.loss), scatter: None, place }));
                }
            }
        }
    }
    let known = chance_of(&columns.name);
    let runs: Vec<TaskRun> = runs.into_iter().map(|(_, run)| run).collect();
    let Some(chance) = chance.or(known.map(|(chance, _)| chance)) else {
        let name = &columns.name;
        return Err(Failure::Input(anyhow!(
            "the share of right answers by guessing is not known for the task `{name}`; give --chance 0.25"
        )));
    };
    Ok(Task { name: columns.name.clone(), chance, items: known.map(|(_, items)| items), runs })
}

/// The runs of a source as points.
fn placed(source: &Source, conventions: &impl Fn(&Source) -> (SizeMeasure, FlopRule)) -> Vec<Point> {
    let (measure, rule) = conventions(source);
    points(&source.records, measure, rule).0
}

/// Points of a hundred.
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// The answer in one line.
fn line(forecast: &TaskForecast) -> String {
    let one = |task: &TaskSaid| match (&task.no_law, task.ahead.first()) {
        (None, Some(ahead)) => format!("{} {} % [{}, {}]", task.name, percent(ahead.accuracy), percent(ahead.low), percent(ahead.high)),
        _ => format!("{}: no law", task.name),
    };
    forecast.tasks.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A forecast for a person.
fn render(forecast: &TaskForecast) -> String {
    let mut text = String::new();
    let places = forecast.tasks.iter().map(|task| task.ahead.len()).max().unwrap_or(0);
    let level = forecast.tasks.iter().flat_map(|task| &task.ahead).map(|ahead| 100.0 * ahead.level).next().unwrap_or(95.0);
    for at in 0..places {
        let Some(first) = forecast.tasks.iter().find_map(|task| task.ahead.get(at)) else { continue };
        text +=
            &format!("N = {}, D = {}, {}x the largest run\n", short(first.params), short(first.tokens), short(first.extrapolation_factor));
        let rows: Vec<Vec<String>> = forecast.tasks.iter().filter_map(|task| row(task, at)).collect();
        text += &table(&["task", "% right", &format!("{level:.0} % of one run"), "answers, bpb", "two steps", "by C", "SNR"], &rows);
        text += "\n";
    }
    let why = |task: &TaskSaid| Some(format!("{}: no law: {}", task.name, task.no_law.as_ref()?));
    text += &first_doubts(forecast.tasks.iter().filter_map(why), usize::MAX);
    let error = |error: &Option<f64>| error.map_or("-".to_owned(), |error| format!("{:+.1}", 100.0 * error));
    let record = |task: &TaskSaid| Some([vec![task.name.clone()], task.record.first()?.errors.iter().map(error).collect()].concat());
    let rows: Vec<Vec<String>> = forecast.tasks.iter().filter_map(record).collect();
    if !rows.is_empty() {
        text += "\nruns below half the compute forecast those above it: mean error in points\n";
        text += &table(&["task", "two steps", "by C"], &rows);
    }
    text
}

fn row(task: &TaskSaid, at: usize) -> Option<Vec<String>> {
    let ahead = task.ahead.get(at)?;
    let said = if task.no_law.is_some() {
        ["no law".to_owned(), String::new()]
    } else {
        [percent(ahead.accuracy), format!("[{}, {}]", percent(ahead.low), percent(ahead.high))]
    };
    let way = |value: Option<f64>| value.map_or("-".to_owned(), percent);
    let loss = ahead.answer_loss.map_or("-".to_owned(), |[value, ..]| number(value));
    let ratio = task.signal.and_then(|signal| signal.ratio).map_or("-".to_owned(), |ratio| format!("{ratio:.1}"));
    let [value, interval] = said;
    Some(vec![task.name.clone(), value, interval, loss, way(ahead.in_two_steps), way(ahead.in_one_step), ratio])
}

/// A sealed forecast of tasks, and the runs that came after it.
pub(super) struct Scored<'a> {
    pub(super) forecast: &'a Path,
    pub(super) text: &'a str,
    pub(super) results: &'a [PathBuf],
    pub(super) rows: &'a RowArgs,
    pub(super) out: Option<&'a Path>,
    pub(super) json: bool,
}

/// Whether a document is a forecast of tasks.
pub(super) fn is_of_tasks(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|document| document["tasks"].is_array())
}

/// Holds a forecast of tasks against the scores that came.
pub(super) fn verify(asked: &Scored<'_>) -> Outcome {
    let path = asked.forecast.display();
    let forecast = TaskForecast::from_text(asked.text).map_err(|error| {
        Failure::Input(anyhow!("{path} {error}; one that was damaged cannot be made again: put back a copy, or forecast anew"))
    })?;
    let mut found = Vec::new();
    for results in asked.results {
        let folders = Folders { results: PathBuf::from("results"), plots: None };
        let source = SourceArgs::of_path(results, asked.rows.clone(), &folders);
        for said in &forecast.tasks {
            let as_given = |_: &Source| (SizeMeasure::AsGiven, FlopRule::AsGiven);
            let names = [said.name.clone()];
            found.extend(forecast.scores(&tasks(&source, &names, Some(said.chance), as_given)?));
        }
    }
    if found.is_empty() {
        return Err(Failure::Input(anyhow!(
            "no score of a run at a place that {path} speaks of; name a table with the runs that came after it"
        )));
    }
    let document = serde_json::to_string_pretty(&found).or_work()? + "\n";
    if let Some(out) = asked.out {
        write_whole(out, document.as_bytes()).with_context(|| format!("cannot write {}", out.display())).or_work()?;
    }
    if asked.json {
        print!("{document}");
    } else {
        print!("{}", scores(&forecast, &found));
    }
    Ok(())
}

/// What came, for a person.
fn scores(forecast: &TaskForecast, found: &[TaskScore]) -> String {
    let lawful: Vec<&TaskScore> = found.iter().filter(|one| !one.no_law).collect();
    let inside = lawful.iter().filter(|one| one.inside).count();
    let level = found.first().map_or(95.0, |one| 100.0 * one.said.level);
    let mut text = format!("{inside} of {} accuracies came inside their {level:.0} % intervals", lawful.len());
    if lawful.len() < found.len() {
        text += &format!("; of {} more no law was said", found.len() - lawful.len());
    }
    text += &format!("\nforecast of {} made {}; checksum verified\n", forecast.source, forecast.made_at);
    let row = |one: &&TaskScore| {
        let said = &one.said;
        let held = if one.inside { "inside" } else { "OUTSIDE" };
        let interval = format!("[{}, {}]", percent(said.low), percent(said.high));
        vec![one.task.clone(), short(said.params), short(said.tokens), percent(said.accuracy), interval, percent(one.came), held.to_owned()]
    };
    text + &table(
        &["task", "N", "D", "% right", &format!("{level:.0} % of one run"), "came", ""],
        &lawful.iter().map(row).collect::<Vec<_>>(),
    )
}
