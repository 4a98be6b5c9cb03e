//! Tables of one run or of several in which a row tells what was measured at a step: wide and sparse as Lightning writes its
//! `metrics.csv`, or long, a row a value, as Aim, MLflow and readers of TensorBoard give them out.

use super::super::known::{canonical, is_along};
use super::super::sheet::Sheet;
use super::super::table::{RawTable, TableError};
use super::run::{Asked, TrackedRun};
use std::collections::HashMap;
use std::path::Path;

/// Headers under which long tables name what a value is of.
const METRIC: [&str; 6] = ["metric", "metric_name", "tag", "tags", "key", "name"];
/// And its run.
const RUN: [&str; 9] = ["run", "run_name", "run_hash", "run_id", "run_uuid", "dir_name", "experiment", "hash", "folder"];

/// Places of the columns of a long table.
struct Long {
    metric: usize,
    value: usize,
    step: usize,
    run: Option<usize>,
}

impl Long {
    fn of(headers: &[String]) -> Option<Self> {
        let spelt: Vec<String> = headers.iter().map(|header| canonical(header)).collect();
        let find = |names: &[&str]| names.iter().find_map(|name| spelt.iter().position(|header| header == name));
        let step = headers.iter().position(|header| is_along(header))?;
        Some(Self { metric: find(&METRIC)?, value: find(&["value", "metric_value"])?, step, run: find(&RUN) })
    }
}

/// Whether a table begins as a long one does.
pub(super) fn is_long(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let headers: Vec<String> = line.trim().split([',', ';', '\t']).map(|header| header.trim_matches('"').to_owned()).collect();
    headers.len() > 2 && headers.len() < 100 && Long::of(&headers).is_some()
}

/// Reads a long table.
pub(super) fn long(path: &Path, bytes: &[u8], asked: Asked<'_>) -> Result<Vec<TrackedRun>, TableError> {
    let Sheet { table, reading } = Sheet::of(path, bytes)?;
    let Some(long) = Long::of(&table.headers) else { return Ok(Vec::new()) };
    // Runs, and metrics in each, in the order in which they first appear.
    let mut runs: Vec<(String, Vec<Column>)> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut places: HashMap<(usize, String), usize> = HashMap::new();
    for (_, row) in &table.rows {
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let (Some(step), Ok(value)) = (whole(cell(long.step)), cell(long.value).parse::<f64>()) else { continue };
        let name = long.run.map_or("", cell);
        let run = *at.entry(name.to_owned()).or_insert_with(|| {
            runs.push((name.to_owned(), Vec::new()));
            runs.len() - 1
        });
        let columns = &mut runs[run].1;
        let column = *places.entry((run, cell(long.metric).to_owned())).or_insert_with(|| {
            columns.push((cell(long.metric).to_owned(), Vec::new()));
            columns.len() - 1
        });
        columns[column].1.push((step, value));
    }
    let made = |(name, columns): (String, Vec<Column>)| {
        let mut run = TrackedRun::named(name);
        columns.into_iter().for_each(|(metric, points)| run.take(&metric, points, asked));
        run
    };
    let mut runs: Vec<TrackedRun> = runs.into_iter().map(made).collect();
    runs.first_mut().into_iter().for_each(|run| run.notes.extend(reading.iter().cloned()));
    Ok(runs)
}

/// A metric with its points.
type Column = (String, Vec<(u64, f64)>);

/// Reads a table of one run whose rows are of steps; cells may be blank.
pub(super) fn sparse(path: &Path, bytes: &[u8], asked: Asked<'_>) -> Result<TrackedRun, TableError> {
    let Sheet { table, reading } = Sheet::of(path, bytes)?;
    let mut run = of_rows(&table, asked);
    run.notes.extend(reading);
    Ok(run)
}

fn of_rows(table: &RawTable, asked: Asked<'_>) -> TrackedRun {
    let mut run = TrackedRun::default();
    let Some(along) = table.headers.iter().position(|header| is_along(header)) else { return run };
    for (_, row) in &table.rows {
        let Some(step) = row.get(along).and_then(whole) else { continue };
        for (at, cell) in row.iter().enumerate().filter(|(at, cell)| *at != along && !cell.is_empty()) {
            if let (Some(header), Ok(value)) = (table.headers.get(at), cell.parse::<f64>()) {
                run.measure(header, step, value, asked);
            }
        }
    }
    run
}

fn whole(cell: &str) -> Option<u64> {
    cell.parse().ok().or_else(|| cell.parse::<f64>().ok().filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x)).map(|x| x as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_rows_are_gathered_by_column() {
        let text = b"epoch,lr-AdamW,step,train_loss,val_loss\n0,0.001,,,\n0,,49,3.5,\n0,,99,3.1,\n0,,99,,3.3\n1,,149,2.9,\n";
        let run = sparse(Path::new("metrics.csv"), text, &[]).expect("reads");
        assert_eq!(run.metric("train_loss").expect("read").points, [(49, 3.5), (99, 3.1), (149, 2.9)]);
        assert_eq!(run.metric("val_loss").expect("read").points, [(99, 3.3)]);
    }

    #[test]
    fn long_rows_are_gathered_by_run_and_metric() {
        let text = b"run.hash,metric.name,step,value\na,loss,2,3.1\na,loss,1,3.5\nb,loss,1,3.4\na,lr,1,0.001\n";
        assert!(is_long(text) && !is_long(b"run,step,loss\n"));
        let runs = long(Path::new("x.csv"), text, &[]).expect("reads");
        assert_eq!((runs.len(), runs[0].name.as_str(), runs[1].name.as_str()), (2, "a", "b"));
        assert_eq!(runs[0].metric("loss").expect("read").points, [(1, 3.5), (2, 3.1)]);
        assert_eq!(runs[0].metric("lr").expect("read").points, [(1, 0.001)]);
    }
}
