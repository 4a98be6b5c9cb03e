//! Whether files of ours are whole. They are written whole, so what is cut off or holds zeros was damaged by a disk or a copy; what a
//! run left is also held against its row, since a table cut at the end of a line still reads.

use super::table::TableError;
use crate::spec::{CurvePoint, RunRecord, RunStatus, run_loss};
use std::path::Path;

/// How far the mean of window losses may lie from the loss of their run: rounding.
const ROUNDING: f64 = 1e-9;

/// Refuses a table of ours with zeros in it, or without a line break at its end.
pub(super) fn unbroken(path: &Path, bytes: &[u8]) -> Result<(), TableError> {
    let zero = bytes.iter().position(|byte| *byte == 0);
    let problem = match zero {
        Some(_) => "bytes of zero stand here, as a disk leaves them that lost what was written",
        None if bytes.last().is_some_and(|last| *last != b'\n') => "the file ends within this line: it was cut off",
        None => return Ok(()),
    };
    let before = &bytes[..zero.unwrap_or(bytes.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    Err(TableError::Row { path: path.to_owned(), line, problem: problem.to_owned() })
}

/// What is wrong with a file, after its path, where the words do not begin with it already.
pub(super) fn placed(path: &Path, problem: &str) -> String {
    let path = path.display().to_string();
    if problem.starts_with(&path) { problem.to_owned() } else { format!("{path}: {problem}") }
}

/// Why a curve is not the whole curve of a run that finished.
pub(super) fn curve_problem(record: &RunRecord, curve: &[CurvePoint]) -> Option<String> {
    let steps = record.steps.filter(|_| record.status == RunStatus::Finished)?;
    let Some(last) = curve.last() else { return Some(format!("no point stands in it, and its run finished {steps} steps")) };
    if last.step != steps {
        return Some(format!("its last point is of step {}, and its run finished {steps} steps: it was cut off", last.step));
    }
    let (loss, at_end) = (record.loss_nats?.0, last.val_loss_nats?);
    (loss != at_end).then(|| format!("its held-out loss at the end is {at_end}, and that of its run is {loss}"))
}

/// Why losses on windows are not those of a run that finished.
pub(super) fn windows_problem(record: &RunRecord, losses: &[f32]) -> Option<String> {
    let (loss, tokens, context) = (record.loss_nats?.0, record.eval_tokens?.0, record.context?);
    let windows = (tokens / context as f64).round() as usize;
    if losses.len() != windows {
        return Some(format!("losses of {} windows stand in it, and its run was measured on {windows}", losses.len()));
    }
    let mean = run_loss(&record.parts, losses);
    let agrees = (mean - loss).abs() <= ROUNDING * loss.abs();
    (!agrees).then(|| format!("the mean of its losses is {mean}, and the loss of its run is {loss}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Nats, Tokens};

    fn finished() -> RunRecord {
        RunRecord {
            status: RunStatus::Finished,
            steps: Some(3),
            context: Some(64),
            eval_tokens: Some(Tokens(128.0)),
            loss_nats: Some(Nats(2.5)),
            ..RunRecord::default()
        }
    }

    #[test]
    fn what_is_cut_off_or_zeroed_is_told_with_its_line() {
        let said = |bytes: &[u8]| unbroken(Path::new("x.csv"), bytes).map_err(|error| error.to_string());
        assert_eq!(said(b"a,b\n1,2\n"), Ok(()));
        assert!(said(b"a,b\n1,").expect_err("cut").starts_with("x.csv, line 2: the file ends within this line"));
        assert!(said(b"a,b\n\0\0\0").expect_err("zeroed").starts_with("x.csv, line 2: bytes of zero"));
    }

    #[test]
    fn a_curve_is_held_against_the_row_of_its_run() {
        let point = |step, val_loss_nats| CurvePoint { step, val_loss_nats, ..CurvePoint::default() };
        let problem = |curve: &[CurvePoint]| curve_problem(&finished(), curve).unwrap_or_default();
        assert_eq!(problem(&[point(1, None), point(3, Some(2.5))]), "");
        assert!(problem(&[point(1, None), point(2, None)]).contains("step 2, and its run finished 3"));
        assert!(problem(&[point(3, Some(2.0))]).contains("2, and that of its run is 2.5"));
        assert!(problem(&[]).contains("no point"));
        assert_eq!(curve_problem(&RunRecord { status: RunStatus::Diverged, ..finished() }, &[point(1, None)]), None);
    }

    #[test]
    fn losses_on_windows_are_held_against_the_row_of_their_run() {
        let problem = |losses: &[f32]| windows_problem(&finished(), losses).unwrap_or_default();
        assert_eq!(problem(&[2.0, 3.0]), "");
        assert!(problem(&[2.5]).contains("1 windows stand in it, and its run was measured on 2"));
        assert!(problem(&[0.0, 0.0]).contains("the mean of its losses is 0"));
    }
}
