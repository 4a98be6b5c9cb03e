//! Curves of runs in the formats of trackers, for whoever wants to look at them there.

use super::parquet::{Cells, written};
use super::trackers::events;
use crate::spec::{CurvePoint, Flops, Params, RunRecord, Tokens};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What others read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder of event files, one a run.
    TensorBoard,
    /// An object a line, one a step of a run.
    JsonLines,
    /// A table with a row for each step of a run.
    Parquet,
    /// Charts as W&B gives them out, one a metric, and a table of the runs.
    WandbCsv,
}

/// Metrics that are written: the name of each, and where it stands in a curve.
type Pick = fn(&CurvePoint) -> Option<f64>;
const METRICS: [(&str, Pick); 5] = [
    ("train/loss", |point| point.train_loss_nats),
    ("val/loss", |point| point.val_loss_nats),
    ("learning_rate", |point| Some(point.learning_rate)),
    ("grad_norm", |point| point.grad_norm),
    ("tokens", |point| Some(point.tokens as f64)),
];

/// Metrics of a curve: a column of zeros was not measured.
fn measured(curve: &[CurvePoint]) -> impl Iterator<Item = (&'static str, Pick)> {
    METRICS.into_iter().filter(|(_, pick)| curve.iter().filter_map(pick).any(|value| value != 0.0))
}

/// One step of a run, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<f64>,
    step: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", flatten)]
    values: BTreeMap<&'static str, f64>,
}

/// One run, as W&B lists them.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    params: Option<f64>,
    tokens: Option<f64>,
    flops: Option<f64>,
    batch_tokens: Option<f64>,
    learning_rate: Option<f64>,
    loss: Option<f64>,
}

impl<'a> Listed<'a> {
    fn of(record: &'a RunRecord) -> Self {
        Self {
            name: &record.run_id,
            params: record.params_total.map(|Params(n)| n),
            tokens: record.tokens.map(|Tokens(d)| d),
            flops: record.flops_exact.map(|Flops(c)| c),
            batch_tokens: record.batch_tokens.map(|Tokens(batch)| batch),
            learning_rate: record.learning_rate,
            loss: record.loss_nats.map(|loss| loss.0),
        }
    }
}

/// Files, by their paths in a folder, of runs with their curves in the order of the records. Runs without a curve are left out of all but
/// the table of runs.
pub fn exported(format: Format, records: &[RunRecord], curves: &[Vec<CurvePoint>]) -> Vec<(PathBuf, Vec<u8>)> {
    let runs: Vec<(&RunRecord, &Vec<CurvePoint>)> = records.iter().zip(curves).filter(|(_, curve)| !curve.is_empty()).collect();
    match format {
        Format::TensorBoard => {
            let names = folders(&runs);
            let path = |name: &String| PathBuf::from(name).join("events.out.tfevents.0.scalelab");
            runs.iter().zip(&names).map(|((record, curve), name)| (path(name), of_events(record, curve))).collect()
        }
        Format::JsonLines => vec![(PathBuf::from("curves.jsonl"), lines(&runs))],
        Format::Parquet => vec![(PathBuf::from("curves.parquet"), parquet(&runs))],
        Format::WandbCsv => {
            let charts = METRICS
                .iter()
                .filter_map(|&(name, pick)| Some((PathBuf::from(name.replace('/', "_") + ".csv"), chart(&runs, name, pick)?)));
            let listed: Vec<Listed<'_>> = records.iter().map(Listed::of).collect();
            charts.chain([(PathBuf::from("runs.csv"), super::table::to_csv(&listed))]).collect()
        }
    }
}

fn of_events(record: &RunRecord, curve: &[CurvePoint]) -> Vec<u8> {
    let Listed { params, tokens, flops, batch_tokens, learning_rate, .. } = Listed::of(record);
    let told = [("params", params), ("tokens", tokens), ("flops", flops), ("batch_tokens", batch_tokens), ("learning_rate", learning_rate)];
    let config: Vec<(String, f64)> = told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let metrics: Vec<(&str, Pick)> = measured(curve).collect();
    let of_point =
        |point: &CurvePoint| metrics.iter().filter_map(|(name, pick)| Some((point.step, *name, pick(point)?))).collect::<Vec<_>>();
    events(&config, &curve.iter().flat_map(of_point).collect::<Vec<_>>())
}

fn lines(runs: &[(&RunRecord, &Vec<CurvePoint>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (record, curve) in runs {
        let metrics: Vec<(&str, Pick)> = measured(curve).collect();
        for point in *curve {
            let finite = |(name, pick): &(&'static str, Pick)| Some((*name, pick(point).filter(|value| value.is_finite())?));
            let values = metrics.iter().filter_map(finite).collect();
            let line = Line { run: &record.run_id, params: record.params_total.map(|Params(n)| n), step: point.step, values };
            serde_json::to_writer(&mut out, &line).expect("numbers and names are JSON");
            out.push(b'\n');
        }
    }
    out
}

/// Every step of every run: its run, size and step, and what was measured; a column that no run has is left out.
fn parquet(runs: &[(&RunRecord, &Vec<CurvePoint>)]) -> Vec<u8> {
    let points = || runs.iter().flat_map(|(record, curve)| curve.iter().map(move |point| (record, point)));
    let mut columns = vec![("run", Cells::Text(points().map(|(record, _)| record.run_id.clone()).collect()))];
    if runs.iter().any(|(record, _)| record.params_total.is_some()) {
        columns.push(("params", Cells::Numbers(points().map(|(record, _)| record.params_total.map(|Params(n)| n)).collect())));
    }
    columns.push(("step", Cells::Whole(points().map(|(_, point)| point.step).collect())));
    for (name, pick) in METRICS {
        let is_measured = runs.iter().any(|(_, curve)| measured(curve).any(|(other, _)| other == name));
        columns.extend(is_measured.then(|| (name, Cells::Numbers(points().map(|(_, point)| pick(point)).collect()))));
    }
    written(&columns)
}

/// A chart of one metric: steps, and three columns a run; `None` where nobody measured it.
fn chart(runs: &[(&RunRecord, &Vec<CurvePoint>)], name: &str, pick: Pick) -> Option<Vec<u8>> {
    let of_run = |(_, curve): &(&RunRecord, &Vec<CurvePoint>)| -> BTreeMap<u64, f64> {
        let is_measured = measured(curve).any(|(other, _)| other == name);
        curve.iter().filter(|_| is_measured).filter_map(|point| Some((point.step, pick(point)?))).collect()
    };
    let columns: Vec<BTreeMap<u64, f64>> = runs.iter().map(of_run).collect();
    let steps: BTreeSet<u64> = columns.iter().flat_map(|column| column.keys().copied()).collect();
    if steps.is_empty() {
        return None;
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headers = runs.iter().flat_map(|(record, _)| ["", "__MIN", "__MAX"].map(|end| format!("{} - {name}{end}", record.run_id)));
    writer.write_record(std::iter::once("Step".to_owned()).chain(headers)).expect("memory takes every row");
    for step in steps {
        let cells = columns.iter().flat_map(|column| {
            let cell = column.get(&step).map_or(String::new(), f64::to_string);
            [cell.clone(), cell.clone(), cell]
        });
        writer.write_record(std::iter::once(step.to_string()).chain(cells)).expect("memory takes every row");
    }
    writer.into_inner().ok()
}

/// A folder a run: its name without what a file system or a shell would misread, and numbered where that leaves two alike.
fn folders(runs: &[(&RunRecord, &Vec<CurvePoint>)]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let one = |(record, _): &(&RunRecord, &Vec<CurvePoint>)| {
        let plain: String =
            record.run_id.chars().map(|c| if c.is_alphanumeric() || "-_.=+".contains(c) { c } else { '_' }).take(200).collect();
        let plain = if plain.trim_matches('.').is_empty() { "run".to_owned() } else { plain };
        let times = seen.entry(plain.clone()).or_default();
        *times += 1;
        if *times > 1 { format!("{plain}-{times}") } else { plain }
    };
    runs.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Variables, Wanted, import_bytes, tracker_bytes};
    use super::*;
    use std::path::Path;

    fn runs() -> (Vec<RunRecord>, Vec<Vec<CurvePoint>>) {
        let record = |run: &str, n: f64| RunRecord {
            run_id: run.into(),
            params_total: Some(Params(n)),
            batch_tokens: Some(Tokens(1e3)),
            tokens: Some(Tokens(3e4)),
            ..RunRecord::default()
        };
        let point = |step: u64| CurvePoint {
            step,
            tokens: 1000 * step,
            learning_rate: 1e-3,
            train_loss_nats: Some(4.0 - 0.01 * step as f64),
            val_loss_nats: step.is_multiple_of(10).then_some(4.1 - 0.01 * step as f64),
            grad_norm: Some(0.1 * step as f64),
            ..CurvePoint::default()
        };
        (
            vec![record("a/1", 1e6), record("../b", 2e6), record("none", 1e6)],
            vec![(1..=30).map(point).collect(), (1..=30).map(point).collect(), Vec::new()],
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (records, curves) = runs();
        let wanted = Wanted { variables: Variables::None, ..Wanted::default() };
        let written = exported(Format::TensorBoard, &records, &curves);
        assert_eq!(
            written.iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            ["a_1/events.out.tfevents.0.scalelab", ".._b/events.out.tfevents.0.scalelab"]
        );
        let found = tracker_bytes(&written[0].0, &written[0].1, wanted).expect("reads").expect("events");
        let single = |curve: &[CurvePoint]| -> Vec<CurvePoint> {
            let float = |x: f64| f64::from(x as f32);
            let one = |point: &CurvePoint| CurvePoint {
                learning_rate: float(point.learning_rate),
                train_loss_nats: point.train_loss_nats.map(float),
                val_loss_nats: point.val_loss_nats.map(float),
                grad_norm: point.grad_norm.map(float),
                ..point.clone()
            };
            curve.iter().map(one).collect()
        };
        assert_eq!((&found.curves[0], found.records[0].params_total), (&single(&curves[0]), Some(Params(1e6))));
        let written = exported(Format::JsonLines, &records, &curves);
        let found = import_bytes(Path::new("curves.jsonl"), &written[0].1, wanted).expect("reads");
        assert_eq!(found.records.iter().map(|record| record.run_id.as_str()).collect::<Vec<_>>(), ["a/1", "../b"]);
        assert_eq!(found.curves, curves[..2], "bit for bit");
        let written = exported(Format::WandbCsv, &records, &curves);
        assert_eq!(
            written.iter().map(|(path, _)| path.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            ["train_loss.csv", "val_loss.csv", "learning_rate.csv", "grad_norm.csv", "tokens.csv", "runs.csv"]
        );
        let found = import_bytes(Path::new("train_loss.csv"), &written[0].1, wanted).expect("reads");
        let losses = |curve: &[CurvePoint]| curve.iter().map(|point| (point.step, point.train_loss_nats)).collect::<Vec<_>>();
        assert_eq!(losses(&found.curves[1]), losses(&curves[1]));
    }
}
