//! What the doctor found as a page of HTML: counts, what ails runs, every run with its curve.

use super::examined::{Diagnosed, Examined, by_ailment, counts};
use super::source::quoted;
use super::text::{plural, rate_text};
use crate::spec::{CurvePoint, Flops, RunRecord, short};
use crate::view::{Block, Report, ReportRun, ReportTable, Section, html};

/// The whole page.
pub(super) fn page(examined: &Examined) -> String {
    let Examined { sources, records, curves, diagnosed } = examined;
    let mut sections = vec![Section::new("Verdict", vec![Block::Verdict(counts(diagnosed))])];
    let found = findings(diagnosed);
    if !found.is_empty() {
        sections.push(Section::new("What ails them", found));
    }
    let rows = records.iter().zip(curves).zip(diagnosed).map(|((record, curve), run)| row(record, curve, run)).collect();
    sections.push(Section::new("Runs", vec![Block::Runs(rows)]));
    let read: Vec<String> = sources.iter().flat_map(|source| source.reading.iter().chain(&source.notes).cloned()).collect();
    if !read.is_empty() {
        sections.push(Section::new("How files were read", vec![Block::Lines(read)]));
    }
    let call: String = sources.iter().map(|source| format!(" {}{}", quoted(&source.path.display().to_string()), source.choices)).collect();
    sections.push(Section::new("To repeat it", vec![Block::Code(format!("scalelab doctor{call} --details"))]));
    let subtitle = format!("{}; scalelab {}", plural(records.len(), "run", "runs"), env!("CARGO_PKG_VERSION"));
    html(&Report { title: format!("Health of {}", examined.place()), subtitle, sections })
}

/// A table for each ailment, the gravest first.
fn findings(diagnosed: &[Diagnosed]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for ((remark, ailment), found) in by_ailment(diagnosed) {
        let kind = if remark { ", which is a remark" } else { "" };
        let (cause, change) = (found[0].1.cause, found[0].1.change);
        blocks.push(Block::Text(format!("{ailment}{kind}. Likely cause: {cause}. What to change: {change}.")));
        let row = |(run, finding): &(&Diagnosed, &crate::doctor::Finding)| {
            vec![run.run.clone(), finding.step.map_or("—".into(), |step| step.to_string()), finding.evidence.clone()]
        };
        let caption = format!("{ailment}: {} of {}", found.len(), plural(diagnosed.len(), "run", "runs"));
        blocks.push(Block::Table(ReportTable::new(caption, &["run", "step", "evidence"], found.iter().map(row).collect())));
    }
    blocks
}

/// A run as a report lists it; no law says how far it lies above one.
fn row(record: &RunRecord, curve: &[CurvePoint], run: &Diagnosed) -> ReportRun {
    let or = |value: Option<f64>, show: &dyn Fn(f64) -> String| value.map_or("—".into(), show);
    let cells = vec![
        record.run_id.clone(),
        record.status.to_string(),
        or(record.params_total.map(|n| n.0), &short),
        or(record.tokens.map(|d| d.0), &short),
        or(record.flops_exact.or(record.flops_6nd).map(|c| c.0), &|c| Flops(c).to_string()),
        or(record.learning_rate, &rate_text),
        or(record.batch_tokens.map(|tokens| tokens.0), &short),
        or(record.loss_nats.map(|loss| loss.0), &|loss| format!("{loss:.4}")),
        "—".to_owned(),
        run.findings.iter().map(|finding| finding.ailment.to_string()).collect::<Vec<_>>().join(", "),
    ];
    // Steps stand for tokens where these are not known.
    let counts_tokens = curve.iter().any(|point| point.tokens > 0);
    let place = |point: &CurvePoint| if counts_tokens { point.tokens as f64 } else { point.step as f64 };
    let points = curve.iter().filter_map(|point| Some((place(point), point.train_loss_nats?))).collect();
    ReportRun { cells, curve: points, sick: run.healthy == Some(false) }
}
