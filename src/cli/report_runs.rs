//! The runs of a report: what ails each, and a row of each.

use super::failure::Failure;
use super::source::Source;
use super::text::rate_text;
use crate::doctor::{Finding, diagnose_all};
use crate::law::{Law, shape_of};
use crate::results::SweepFolder;
use crate::spec::{CurvePoint, FlopRule, Flops, RunRecord, SizeMeasure, short};
use crate::view::{Block, ReportRun};
use std::collections::BTreeMap;

/// A run with its curve and what ails it.
pub(super) struct Diagnosed<'a> {
    record: &'a RunRecord,
    curve: Vec<CurvePoint>,
    findings: Vec<Finding>,
}

/// Every run with its curve, where those are kept.
pub(super) fn diagnosed(source: &Source) -> Result<Vec<Diagnosed<'_>>, Failure> {
    let kept = source.folder.as_ref().map(SweepFolder::curves);
    let mut curves = Vec::new();
    for record in &source.records {
        curves.push(match &kept {
            Some(kept) => kept.of(record)?.unwrap_or_default(),
            None => Vec::new(),
        });
    }
    let found = diagnose_all(&source.records, &curves);
    let run = |((record, curve), findings)| Diagnosed { record, curve, findings };
    Ok(source.records.iter().zip(curves).zip(found).map(run).collect())
}

/// Whether the runs are well, in a sentence.
pub(super) fn health(diagnosed: &[Diagnosed<'_>]) -> String {
    let with_curve = diagnosed.iter().filter(|run| !run.curve.is_empty()).count();
    if with_curve == 0 {
        return "No loss curves are kept, so the health of the runs is not known.".into();
    }
    let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
    let faults = diagnosed.iter().filter_map(|run| run.findings.iter().find(|finding| finding.fault));
    faults.for_each(|finding| *kinds.entry(finding.ailment).or_default() += 1);
    let sick: usize = kinds.values().sum();
    let kinds: Vec<String> = kinds.iter().map(|(ailment, count)| format!("{count} {ailment}")).collect();
    if sick == 0 {
        format!("All {with_curve} loss curves look healthy.")
    } else {
        format!("Of {with_curve} loss curves {sick} look sick: {}.", kinds.join(", "))
    }
}

/// Every run, beside a law of N and D where there is one.
pub(super) fn runs(diagnosed: &[Diagnosed<'_>], counted: (SizeMeasure, FlopRule), law: Option<&Law>) -> Vec<Block> {
    vec![Block::Runs(diagnosed.iter().map(|run| run_row(run, counted, law)).collect())]
}

fn run_row(run: &Diagnosed<'_>, (measure, rule): (SizeMeasure, FlopRule), law: Option<&Law>) -> ReportRun {
    let record = run.record;
    let shape = shape_of(record);
    let n = shape.as_ref().and_then(|shape| measure.of(shape)).or(record.params_total).map(|n| n.0);
    let d = record.tokens.map(|d| d.0);
    let counted = shape.as_ref().zip(record.tokens).and_then(|(shape, tokens)| rule.of(shape, tokens));
    let loss = record.loss_nats.map(|loss| loss.0);
    let above = law.and_then(|law| Some(100.0 * (loss? / law.at(n?, d?)).ln()));
    let or = |value: Option<f64>, show: &dyn Fn(f64) -> String| value.map_or("—".into(), show);
    let cells = vec![
        record.run_id.clone(),
        record.status.to_string(),
        or(n, &short),
        or(d, &short),
        or(counted.or(record.flops_6nd).map(|c| c.0), &|c| Flops(c).to_string()),
        or(record.learning_rate, &rate_text),
        or(record.batch_tokens.map(|tokens| tokens.0), &short),
        or(loss, &|loss| format!("{loss:.4}")),
        or(above, &|percent| format!("{percent:+.2} %")),
        run.findings.iter().map(|finding| finding.ailment.to_string()).collect::<Vec<_>>().join(", "),
    ];
    let curve = run.curve.iter().filter_map(|point| Some((point.tokens as f64, point.train_loss_nats?))).collect();
    ReportRun { cells, curve, sick: run.findings.iter().any(|finding| finding.fault) }
}
