//! What the page recommends from: rows that were computed here, between which it interpolates along powers of compute. It has no
//! law of its own to disagree with.

use super::super::optimal::evenly;
use crate::fit::Estimate;
use crate::recommend::{Allocation, advise};
use crate::spec::sample::extent;
use crate::spec::{Flops, LossUnit};
use crate::study::Study;
use serde::Serialize;
use serde_json::json;

/// Rows of recommendations at increasing compute.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calculator {
    /// Context, tokens: a batch is a multiple of it.
    pub context: Option<usize>,
    /// Least and largest compute of the runs, FLOPs.
    pub evidence: [f64; 2],
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// What was computed, at increasing compute.
    pub rows: Vec<CalculatorRow>,
    /// What a reader must know.
    pub note: String,
}

/// N*, D*, L*, learning rate and batch at a compute, each with the ends of its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalculatorRow {
    /// Compute C, FLOPs.
    pub compute: f64,
    /// N*, parameters.
    pub params: [f64; 3],
    /// D*, tokens.
    pub tokens: [f64; 3],
    /// L*, in that unit.
    pub loss: [f64; 3],
    /// Peak learning rate.
    pub learning_rate: Option<[f64; 3]>,
    /// Tokens of a batch.
    pub batch_tokens: Option<[f64; 3]>,
}

impl Calculator {
    /// From a third of the least to a thousand times the largest compute of the runs, at `count` even ratios and at the largest;
    /// nothing where no law has optima.
    pub fn of(study: &Study, count: usize) -> Option<Self> {
        study.law_with_optima()?;
        let (low, high) = extent(study.evidence.points.iter().map(|point| point.c))?;
        let mut asked: Vec<Flops> = evenly((low / 3.0, 1000.0 * high), count).into_iter().chain([high]).map(Flops).collect();
        asked.sort_by(|left, right| left.0.total_cmp(&right.0));
        let computed = advise(study, &asked);
        Some(Self {
            context: study.records.iter().find_map(|record| record.context),
            evidence: [low, high],
            loss_unit: study.evidence.loss_unit,
            note: note(study, computed.first()?, asked.len()),
            rows: computed.iter().map(CalculatorRow::of).collect(),
        })
    }

    /// The data of the page's script. `<` is written as an escape, so that no text closes the script.
    pub(super) fn json(&self) -> String {
        let data = json!({ "context": self.context, "evidence": self.evidence, "loss_unit": self.loss_unit.name(), "rows": self.rows });
        data.to_string().replace('<', "\\u003c")
    }
}

impl CalculatorRow {
    fn of(one: &Allocation) -> Self {
        let three = |e: &Estimate| [e.value, e.low(), e.high()];
        Self {
            compute: one.compute,
            params: three(&one.params),
            tokens: three(&one.tokens),
            loss: three(&one.loss),
            learning_rate: one.learning_rate.as_ref().map(three),
            batch_tokens: one.batch_tokens.as_ref().map(three),
        }
    }
}

/// What the page computes with, and how far it can be trusted.
fn note(study: &Study, one: &Allocation, count: usize) -> String {
    let level = one.params.level().map_or("no".into(), |level| format!("{:.0} %", 100.0 * level));
    let recipe = one.hyperparameter_source.clone().unwrap_or_default();
    let trust = match study.mixture() {
        Some(mixture) => format!("Losses: {}.", mixture.describe()),
        None => "Intervals assume that the law holds outside the runs.".into(),
    };
    format!("Interpolated between {count} computed recommendations with {level} intervals. {trust} {recipe}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Design, Noise, simulate};
    use crate::spec::{Nats, Params, RunRecord, RunStatus, Tokens};
    use crate::study::{Curves, Scrutinised, StudyOptions};

    fn study() -> Study {
        let design = Design::isoflop(&[1e17, 1e18, 1e19], 7, 8.0);
        let points = simulate(&Chinchilla::default().into(), &design, Noise { run: 0.002, cluster: 0.0 }, 2);
        let record = |(at, point): (usize, &crate::law::Point)| RunRecord {
            run_id: at.to_string(),
            status: RunStatus::Finished,
            params_total: Some(Params(point.n)),
            tokens: Some(Tokens(point.d)),
            loss_nats: Some(Nats(point.loss)),
            ..RunRecord::default()
        };
        let options = StudyOptions { own: false, quick: true, refits: 50, scrutiny: Scrutinised::No, ..StudyOptions::default() };
        let records: Vec<RunRecord> = points.iter().enumerate().map(record).collect();
        Study::of(&records, &Curves::default(), &options).expect("a study")
    }

    /// What page.js does between two rows.
    fn between(rows: &[CalculatorRow], compute: f64, of: fn(&CalculatorRow) -> f64) -> f64 {
        let after = rows.iter().position(|row| row.compute >= compute).expect("inside").max(1);
        let (p, q) = (&rows[after - 1], &rows[after]);
        let t = (compute / p.compute).ln() / (q.compute / p.compute).ln();
        (of(p).ln() + t * (of(q).ln() - of(p).ln())).exp()
    }

    #[test]
    fn between_its_rows_the_page_says_what_is_recommended_there() {
        let study = study();
        let found = Calculator::of(&study, 17).expect("a law with optima");
        assert!(found.rows.iter().any(|row| row.compute == found.evidence[1]), "the largest compute is a row");
        for pair in found.rows.windows(2).filter(|pair| pair[1].compute > 1.01 * pair[0].compute) {
            let compute = (pair[0].compute * pair[1].compute).sqrt();
            let there = CalculatorRow::of(&advise(&study, &[Flops(compute)])[0]);
            for (of, within) in [(|row: &CalculatorRow| row.params[0]) as fn(&CalculatorRow) -> f64, |row| row.tokens[0], |row| row.loss[0]]
                .into_iter()
                .zip([0.01, 0.01, 0.003])
            {
                let off = (between(&found.rows, compute, of) / of(&there) - 1.0).abs();
                assert!(off < within, "{compute:e}: {off}");
            }
        }
    }
}
