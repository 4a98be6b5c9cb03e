//! Loss curves of others with the learning rate of each step: a table of run, step, learning rate and loss.

use super::known::{ColumnMap, KNOWN, Known, LOSS, PARAMS, RUN, STEPS, TOKENS, canonical};
use super::sheet::{Sheet, lines};
use super::table::{RawTable, TableError, columns_found};
use crate::spec::{CurvePoint, parse_quantity};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Loss and learning rate along a run of others.
#[derive(Debug, Clone, PartialEq)]
pub struct RateCurve {
    /// Name of the run.
    pub run: String,
    /// Parameters, where a column says so.
    pub params: Option<f64>,
    /// Tokens a step, where a column of tokens says so.
    pub batch_tokens: Option<f64>,
    /// Its points, steps ascending.
    pub points: Vec<CurvePoint>,
}

/// Curves, and what was done to read them.
#[derive(Debug, Clone, PartialEq)]
pub struct RateCurves {
    /// One a run, in the order in which they first appear.
    pub curves: Vec<RateCurve>,
    /// How the table was read, in words.
    pub reading: Vec<String>,
}

/// Names of the training loss; every other loss is taken for one that was held out.
const TRAINING: [&str; 6] = ["train_loss_nats", "train_loss", "training_loss", "train_lm_loss", "loss_train", "lm_loss"];
const HELD_OUT: &str = "val_loss_nats";

/// Columns of a table of curves.
struct Places {
    run: Option<usize>,
    step: usize,
    rate: usize,
    held_out: Option<usize>,
    training: Option<usize>,
    params: Option<usize>,
    tokens: Option<usize>,
}

/// Reads a table of curves, by the name `-` from standard input. Refused without columns of step, learning rate and loss, or without a row.
pub fn import_curves(path: &Path, columns: &ColumnMap) -> Result<RateCurves, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(unreadable(io::Error::other("it is a folder, not a file; name the table in it")));
    }
    let bytes = if path == Path::new(super::STANDARD_INPUT) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    curves_of(path, &bytes.map_err(unreadable)?, columns)
}

/// The same of bytes; `path` is for messages.
pub fn curves_of(path: &Path, bytes: &[u8], columns: &ColumnMap) -> Result<RateCurves, TableError> {
    let Sheet { table, mut reading } = Sheet::of(path, bytes)?;
    let places = places(&table, columns)?;
    let (mut at, mut curves): (HashMap<String, usize>, Vec<RateCurve>) = (HashMap::new(), Vec::new());
    let (mut unread, mut tokens): (Vec<u64>, Vec<Vec<(f64, f64)>>) = (Vec::new(), Vec::new());
    for (line, row) in &table.rows {
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        // A rate may be 0, which no quantity is.
        let number = |text: &str| text.parse::<f64>().ok().or_else(|| parse_quantity(text).ok());
        let value = |at: usize| number(cell(at)).filter(|value| value.is_finite());
        let (step, rate) = (value(places.step), value(places.rate));
        let (Some(step), Some(rate)) = (step.filter(|step| (0.0..1e15).contains(step)), rate.filter(|rate| *rate >= 0.0)) else {
            unread.push(*line);
            continue;
        };
        let loss = |at: Option<usize>| at.and_then(value).filter(|loss| *loss > 0.0);
        let name = places.run.map_or("the run", cell).to_owned();
        let curve = *at.entry(name.clone()).or_insert_with(|| {
            curves.push(RateCurve { run: name, params: places.params.and_then(value), batch_tokens: None, points: Vec::new() });
            tokens.push(Vec::new());
            curves.len() - 1
        });
        tokens[curve].extend(places.tokens.and_then(value).filter(|_| step > 0.0).map(|tokens| (step, tokens)));
        curves[curve].points.push(CurvePoint {
            step: step as u64,
            learning_rate: rate,
            train_loss_nats: loss(places.training),
            val_loss_nats: loss(places.held_out),
            ..CurvePoint::default()
        });
    }
    if !unread.is_empty() {
        reading.push(format!("{} left out: no step and learning rate of at least 0", lines(&unread)));
    }
    if curves.is_empty() {
        return Err(TableError::Empty { path: path.to_owned(), what: "no row has a step and a learning rate" });
    }
    let mut repeated = 0;
    for (curve, tokens) in curves.iter_mut().zip(&tokens) {
        curve.points.sort_by_key(|point| point.step);
        let before = curve.points.len();
        // Of two rows at one step the later counts: a run that was resumed.
        curve.points.reverse();
        curve.points.dedup_by_key(|point| point.step);
        curve.points.reverse();
        repeated += before - curve.points.len();
        curve.batch_tokens = tokens.last().map(|(step, tokens)| tokens / step).filter(|batch| *batch > 0.0);
    }
    if 2 * repeated > table.rows.len() {
        let found = format!("{repeated} of {} rows stand at a step where another does", table.rows.len());
        return Err(TableError::NoRuns { path: path.to_owned(), found });
    }
    if repeated > 0 {
        reading.push(format!("{repeated} rows stand at the step of a later row of their run and are left out"));
    }
    Ok(RateCurves { curves, reading })
}

fn places(table: &RawTable, columns: &ColumnMap) -> Result<Places, TableError> {
    let known = |ours: &str| -> Result<Option<usize>, TableError> {
        let known: &Known = KNOWN.iter().find(|known| known.ours == ours).expect("one of ours");
        Ok(known.find(table, columns)?.map(|found| found.at))
    };
    let named = |names: &[&str]| table.headers.iter().position(|header| names.contains(&canonical(header).as_str()));
    let missing = |wanted: &'static str, option: &str| TableError::MissingColumn {
        path: table.path.clone(),
        wanted,
        found: columns_found(&table.headers),
        advice: format!("say which it is with --columns {option}=NAME"),
    };
    let training = named(&TRAINING);
    let held_out = match named(&[HELD_OUT]) {
        Some(at) => Some(at),
        None => known(LOSS)?.filter(|at| Some(*at) != training),
    };
    if training.is_none() && held_out.is_none() {
        return Err(missing("the loss", "loss"));
    }
    Ok(Places {
        run: known(RUN)?,
        step: known(STEPS)?.ok_or_else(|| missing("the step", "steps"))?,
        rate: known("learning_rate")?.or_else(|| named(&["rate"])).ok_or_else(|| missing("the learning rate", "learning_rate"))?,
        held_out,
        training,
        params: known(PARAMS)?,
        tokens: known(TOKENS)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<RateCurves, TableError> {
        curves_of(Path::new("x.csv"), text.as_bytes(), &Vec::new())
    }

    #[test]
    fn a_table_of_run_step_rate_and_loss_is_read() {
        let found =
            read("run,step,lr,loss,tokens\na,2,1e-3,3.5,200\na,1,1e-3,4,100\nb,1,2e-3,3.9,\nb,2,1e-3,,200\nb,x,1,1,1\n").expect("reads");
        assert_eq!(found.reading, ["line 6 left out: no step and learning rate of at least 0"]);
        let [a, b] = &found.curves[..] else { panic!("{found:?}") };
        assert_eq!(
            (a.batch_tokens, a.points.iter().map(|point| (point.step, point.val_loss_nats)).collect::<Vec<_>>()),
            (Some(100.0), vec![(1, Some(4.0)), (2, Some(3.5))])
        );
        assert_eq!(b.points[1], CurvePoint { step: 2, learning_rate: 1e-3, ..CurvePoint::default() });
        let both = read("step,learning_rate,train/loss,eval/loss\n1,1,5,6\n1,1,4,5\n2,1,3,4\n").expect("reads");
        assert_eq!(
            (both.curves[0].points[0].train_loss_nats, both.curves[0].points[0].val_loss_nats),
            (Some(4.0), Some(5.0)),
            "the later row"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let refusal = |text: &str| read(text).expect_err("refused").to_string();
        let no_rate = refusal("run,step,loss\na,1,2\n");
        assert!(no_rate.contains("no column for the learning rate") && no_rate.contains("--columns learning_rate=NAME"), "{no_rate}");
        assert!(refusal("step,lr\n1,2\n").contains("no column for the loss"));
        assert!(refusal("step,lr,loss\nx,y,z\n").contains("no row has a step and a learning rate"));
        assert!(refusal("step,lr,loss\n1,1,4\n2,1,3\n1,1,5\n2,1,4\n1,2,3\n2,2,3\n").contains("nothing tells their runs apart"));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(run,)?step,lr,loss\n([a-c0-9e.,+-]{0,12}\n){0,20}") {
            if let Ok(found) = read(&text) {
                prop_assert!(found.curves.iter().all(|curve| curve.points.windows(2).all(|pair| pair[0].step < pair[1].step)));
            }
        }
    }
}
