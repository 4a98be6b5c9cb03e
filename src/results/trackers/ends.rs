//! Runs of trackers as what every table becomes: a record a run, read as the row of a table is, its loss along the way, and its whole curve.

use super::super::imported::{Imported, as_runs, reread};
use super::super::known::{KNOWN, LOSS, RUN, STEPS, TOKENS};
use super::super::sheet::shown;
use super::super::table::{RawTable, TableError};
use super::super::units::by_magnitude;
use super::super::wanted::{Wanted, WantedRows};
use super::config::tokens_of_step;
use super::measured::{Measured, asked_name, asks, end, loss_name, measured};
use super::roles::{Role, role};
use super::run::{Tracked, TrackedRun};
use crate::spec::{Nats, RunRecord, RunStatus};
use csv::StringRecord;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs of which notes are said; the others are counted.
const MOST_NOTES: usize = 6;

/// Reads runs as a table with a row a run is read.
pub(in crate::results) fn imported(path: &Path, tracked: &Tracked, wanted: Wanted<'_>) -> Result<Imported, TableError> {
    let (loss, mut notes) = loss_name(&tracked.runs, wanted.columns);
    let runs: Vec<Measured<'_>> = measured(&tracked.runs, wanted.columns, loss.as_ref());
    let header = loss.as_ref().map(|(name, _)| shown(name));
    let mut map = wanted.columns.to_vec();
    if let Some(header) = &header
        && !asks(wanted.columns, LOSS)
    {
        map.push((LOSS.to_owned(), header.clone()));
    }
    let (table, mut reading) = table(path, &runs, header.as_deref(), wanted);
    let mut rows = WantedRows::of_table(table, reading.clone(), Wanted { columns: &map, ..wanted })?;
    let mut found = match reread(&mut rows, as_runs) {
        Err(TableError::NoRow { .. }) if wanted.wants_curves() => Imported { loss_unit: rows.loss_unit(), ..Imported::default() },
        other => other?,
    };
    found.lines.iter_mut().for_each(|line| *line -= 1);
    reading = found.reading.into_iter().filter(|said| !said.contains(" left out: ")).collect();
    let name = |row: &str| {
        row.strip_prefix("line ")
            .and_then(|line| line.parse::<usize>().ok())
            .and_then(|line| Some(shown(&runs.get(line.checked_sub(1)?)?.run.name)))
    };
    found.left_out.iter_mut().for_each(|(row, _)| *row = name(row).unwrap_or_else(|| std::mem::take(row)));
    reading.extend(found.left_out.iter().map(|(run, reason)| format!("{run} left out: {reason}")));
    reading.extend(said(&tracked.runs));
    notes.extend(tracked.notes.iter().cloned());
    notes.extend(found.notes);
    if wanted.wants_curves() {
        // Runs that are added have none.
        found.active_shares.clear();
        add_lost(&mut found.records, &mut found.lines, &mut found.left_out, &runs);
    }
    for (record, &line) in found.records.iter_mut().zip(&found.lines) {
        if let Some(run) = runs.get(line as usize) {
            complete(record, run);
            found.trajectories.push(run.trajectory(record));
            if wanted.wants_curves() {
                found.curves.push(run.curve(record));
            }
        }
    }
    if rows.has_compute() {
        reading.extend(by_magnitude(&mut found.records, &mut found.trajectories));
    }
    found.lines.clear();
    Ok(Imported { loss_unit: rows.loss_unit(), reading, notes, ..found })
}

/// What is known of files of runs, in words.
fn said(runs: &[TrackedRun]) -> Vec<String> {
    let notes = runs.iter().flat_map(|run| run.notes.iter().map(|note| format!("{}: {note}", shown(&run.name))));
    let resumed = runs.iter().filter(|run| run.overtaken > 0);
    let resumed = resumed
        .map(|run| format!("{}: {} values were measured again, as after a resumption: the later count", shown(&run.name), run.overtaken));
    let all: Vec<String> = notes.chain(resumed).map(|said| shown(&said)).collect();
    let more = all.len().saturating_sub(MOST_NOTES);
    let more = (more > 0).then(|| format!("and {more} more notes of that kind"));
    all.into_iter().take(MOST_NOTES).chain(more).collect()
}

/// Runs without a loss that a law could use, for whoever looks at curves alone.
fn add_lost(records: &mut Vec<RunRecord>, lines: &mut Vec<u64>, left_out: &mut Vec<(String, String)>, runs: &[Measured<'_>]) {
    for (at, run) in runs.iter().enumerate() {
        let is_left_out = left_out.iter().any(|(name, _)| *name == shown(&run.run.name));
        if lines.contains(&(at as u64)) || !is_left_out && !records.is_empty() {
            continue;
        }
        records.push(RunRecord { run_id: shown(&run.run.name), learning_rate: run.peak(), ..RunRecord::default() });
        lines.push(at as u64);
    }
    left_out.clear();
}

/// What a record can say beyond the row of a table.
pub(super) fn complete(record: &mut RunRecord, run: &Measured<'_>) {
    record.train_loss_nats = run.train.and_then(end).map(|(_, loss)| Nats(loss));
    if run.train.or(run.loss).is_some_and(|loss| !loss.last.1.is_finite()) {
        record.status = RunStatus::Diverged;
    }
    let number = |names: &[&str]| names.iter().find_map(|name| run.run.config.get(*name)?.parse::<f64>().ok());
    if number(&["num_train_epochs"]).is_some() {
        record.epochs =
            run.run.metrics.iter().find(|metric| metric.name == "epoch" || metric.name == "train/epoch").map(|metric| metric.last.1);
    }
    if let (Some(limit), Some(norm)) =
        (number(&["max_grad_norm", "grad_clip", "gradient_clip_val", "clip_grad"]).filter(|limit| *limit > 0.0), run.norm)
    {
        record.grad_clip = Some(limit);
        let clipped = norm.points.iter().filter(|point| point.1 > limit).count();
        record.clip_fraction = Some(clipped as f64 / norm.points.len() as f64);
    }
    let left = run.rate.and_then(|rate| Some((rate.points.last()?.1, run.peak()?))).filter(|(_, peak)| *peak > 0.0);
    let ends = left.map(|(last, peak)| format!("rate ends at {:.1} of its peak", last / peak));
    let told: Vec<String> = record.other_choices.take().into_iter().chain(ends).collect();
    record.other_choices = (!told.is_empty()).then(|| told.join(", "));
}

/// Columns of a configuration that the curve itself tells better.
const TOLD: [&str; 3] = [RUN, STEPS, LOSS];

/// The table with a row a run, and how it is made, in words.
fn table(path: &Path, runs: &[Measured<'_>], loss: Option<&str>, wanted: Wanted<'_>) -> (RawTable, Vec<String>) {
    let mut reading = Vec::new();
    let is_free = |ours: &str| {
        !wanted.constants.iter().chain(wanted.columns).any(|(name, _)| KNOWN.iter().any(|known| known.ours == ours && known.is(name)))
    };
    let text = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
    let ends: Vec<Option<(u64, f64)>> = runs.iter().map(|run| run.end).collect();
    let mut columns: Vec<(String, Vec<String>)> = vec![
        ("run".to_owned(), runs.iter().map(|run| shown(&run.run.name)).collect()),
        ("steps".to_owned(), ends.iter().map(|end| end.map_or(String::new(), |end| end.0.to_string())).collect()),
    ];
    let of_loss = |header: &str| (header.to_owned(), ends.iter().map(|end| text(end.map(|end| end.1))).collect());
    columns.extend(loss.map(of_loss));
    let seen: Vec<Option<f64>> = runs.iter().zip(&ends).map(|(run, end)| run.seen_at(end.as_ref()?.0)).collect();
    if seen.iter().any(Option::is_some) && !wanted.constants.iter().any(|(name, _)| name == TOKENS) {
        let header = asked_name(wanted.columns, TOKENS).unwrap_or(TOKENS);
        columns.push((header.to_owned(), seen.iter().map(|seen| text(*seen)).collect()));
    } else if is_free("batch_tokens") && !runs.iter().any(|run| run.run.config.contains_key("batch_tokens")) {
        let of: Vec<Option<(f64, String)>> = runs.iter().map(|run| tokens_of_step(&run.run.config)).collect();
        if let Some((tokens, how)) = of.iter().flatten().next() {
            reading.push(format!("tokens of a step are {how} = {tokens}, as the configuration says; --set batch_tokens=… says otherwise"));
            columns.push(("batch_tokens".to_owned(), of.iter().map(|of| text(of.as_ref().map(|of| of.0))).collect()));
        }
    }
    if runs.iter().any(|run| run.rate.is_some()) && is_free("learning_rate") {
        let configured = |run: &Measured<'_>| ["learning_rate", "lr"].iter().find_map(|name| run.run.config.get(*name)).cloned();
        let rate = |run: &Measured<'_>| run.peak().map(|peak| peak.to_string()).or_else(|| configured(run)).unwrap_or_default();
        columns.push(("learning_rate".to_owned(), runs.iter().map(rate).collect()));
    }
    let taken: BTreeSet<String> = columns.iter().map(|(header, _)| header.to_ascii_lowercase()).collect();
    let is_told = |name: &str| {
        let is = |ours: &&str| KNOWN.iter().any(|known| known.ours == *ours && known.is(&name.to_ascii_lowercase()));
        taken.contains(&name.to_ascii_lowercase()) || name == "status" || TOLD.iter().any(is) || is(&TOKENS) && taken.contains(TOKENS)
    };
    let configured: BTreeSet<&String> = runs.iter().flat_map(|run| run.run.config.keys()).filter(|name| !is_told(name)).collect();
    for names in one_meaning(&configured, runs) {
        let cell = |run: &Measured<'_>| names.iter().find_map(|name| run.run.config.get(*name)).map_or(String::new(), |value| shown(value));
        columns.push((shown(names[0]), runs.iter().map(cell).collect()));
    }
    let is_role = |name: &str| role(name).is_some_and(|(of, _)| of != Role::Tokens || taken.contains(TOKENS));
    let is_asked = |name: &str| wanted.columns.iter().any(|(_, theirs)| theirs == name);
    let measured: BTreeSet<&str> = runs.iter().flat_map(|run| &run.run.metrics).map(|metric| metric.name.as_str()).collect();
    for name in measured
        .into_iter()
        .filter(|name| (!is_role(name) || is_asked(name)) && !is_told(name) && !configured.iter().any(|own| own == name))
    {
        let last = |run: &Measured<'_>| text(run.run.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.last.1));
        columns.push((shown(name), runs.iter().map(last).collect()));
    }
    let row = |at: usize| (at as u64 + 1, columns.iter().map(|(_, cells)| cells[at].as_str()).collect::<StringRecord>());
    let rows = (0..runs.len()).map(row).collect();
    (RawTable { path: path.to_owned(), headers: columns.into_iter().map(|(header, _)| header).collect(), rows }, reading)
}

/// Names of configurations; those that mean one column of ours together, where no run has two of them that differ.
fn one_meaning<'a>(names: &BTreeSet<&'a String>, runs: &[Measured<'_>]) -> Vec<Vec<&'a str>> {
    let mut all: Vec<Vec<&str>> = Vec::new();
    let means = |name: &str| KNOWN.iter().position(|known| known.is(&name.to_ascii_lowercase()));
    let agree = |one: &str, other: &str| {
        let both = |run: &Measured<'_>| Some((run.run.config.get(one)?.clone(), run.run.config.get(other)?.clone()));
        runs.iter().filter_map(both).all(|(one, other)| one == other)
    };
    for name in names {
        let same = |group: &&mut Vec<&str>| {
            means(name).is_some_and(|of| means(group[0]) == Some(of)) && group.iter().all(|other| agree(name, other))
        };
        match all.iter_mut().find(same) {
            Some(group) => group.push(name),
            None => all.push(vec![name]),
        }
    }
    all
}
