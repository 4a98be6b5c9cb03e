//! Rows of a table of others as curves, with everything that was measured along them.

use super::super::known::LOSS;
use super::super::runs::Runs;
use super::super::wanted::WantedRows;
use super::ends::complete;
use super::measured::measured;
use super::roles::{Role, role};
use super::run::TrackedRun;
use crate::spec::{CurvePoint, RunRecord};
use std::collections::HashMap;

/// The whole curve of each record, in their order, where a column of steps says how long runs are; records are told what their curves
/// say. Runs of which no row has a loss become records of their own.
pub(in crate::results) fn curves_of(rows: &WantedRows, runs: &Runs, records: &mut Vec<RunRecord>) -> Vec<Vec<CurvePoint>> {
    let (Some(along), Some(loss)) = (rows.place_of_steps(), rows.loss_header()) else { return Vec::new() };
    let columns = rows.measured();
    let asked = [(LOSS.to_owned(), loss.to_owned())];
    let mut tracked: Vec<TrackedRun> = runs.names.iter().map(TrackedRun::named).collect();
    for ((_, row), run) in rows.rows().zip(&runs.of) {
        let step = row.get(along).and_then(|cell| rows.number(along, cell)).filter(|step| (0.0..1e15).contains(step));
        let (Some(run), Some(step)) = (run, step) else { continue };
        for &(at, header) in &columns {
            if let Some(value) = row.get(at).filter(|cell| !cell.is_empty()).and_then(|cell| rows.number(at, cell)) {
                tracked[*run].measure(header, step as u64, value, &asked);
            }
        }
    }
    let known: HashMap<String, usize> = records.iter().enumerate().map(|(at, record)| (record.run_id.clone(), at)).collect();
    let lost = tracked.iter().filter(|run| !run.is_empty() && !known.contains_key(&run.name));
    records.extend(lost.map(|run| RunRecord { run_id: run.name.clone(), ..RunRecord::default() }));
    let named: HashMap<&str, usize> = tracked.iter().enumerate().map(|(at, run)| (run.name.as_str(), at)).collect();
    let of_training = role(loss).is_some_and(|(role, _)| role == Role::TrainLoss);
    let read = measured(&tracked, &asked, Some(&(loss.to_owned(), of_training)));
    let one = |record: &mut RunRecord| {
        let Some(run) = named.get(record.run_id.as_str()).map(|&at| &read[at]) else { return Vec::new() };
        complete(record, run);
        run.curve(record)
    };
    records.iter_mut().map(one).collect()
}
