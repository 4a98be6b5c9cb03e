//! Whether a run stands still: its late fall beside that of a healthy run of its size and length.

use super::features::CurveFeatures;
use super::{Ailment, Finding};
use crate::spec::RunRecord;

/// Least fall from a quarter of the run to its end, as a share of that which the law of Hoffmann et al. gives a run of so many
/// weights and tokens: 4.7 % for a billion parameters on 240 billion tokens, 15 % for 10⁴ on 10⁶. Large runs of others have 0.76 to
/// 1 of it (20 of OLMo, 223 of routed transformers), ours mostly 0.5 and more, seven of twelve planted at rates far too high 0.39 and less.
const LEAST_LATE_FALL: f64 = 0.4;
/// A run of which nobody says how large it is: one of 10¹¹ parameters on 2·10¹² tokens falls least, by 3.2 %.
const UNKNOWN: (f64, f64) = (1e11, 2e12);
/// Tokens per parameter beyond which a flat curve is that of a full network.
const FULL: f64 = 200.0;

/// Fall from a quarter of a run of N parameters on D tokens to its end, as a share, by E + A/N^α + B/D^β of Hoffmann et al.
/// (2203.15556, equation 10).
fn usual_late_fall(n: f64, d: f64) -> f64 {
    let loss = |d: f64| 1.69 + 406.4 / n.powf(0.34) + 410.7 / d.powf(0.28);
    1.0 - loss(d) / loss(0.25 * d)
}

/// After a first fall the loss stands still.
pub(super) fn stuck(features: &CurveFeatures<'_>) -> Option<Finding> {
    // What is left of a task for weights that were trained before, or of gaps that many tokens surround, follows from no size.
    if features.record.stage.is_some() || features.record.objective.is_some() {
        return None;
    }
    let before = features.level(0.2, 0.35)?;
    let fell = (before - features.end) / before;
    let known = features.record.params_total.zip(features.record.tokens).filter(|(_, d)| !is_in_steps(features.record, d.0));
    let (n, d) = known.map_or(UNKNOWN, |(n, d)| (n.0, d.0));
    let least = LEAST_LATE_FALL * usual_late_fall(n, d);
    let flat = fell < least && d / n < FULL && !features.is_at_floor();
    flat.then(|| {
        let evidence = format!(
            "{before:.3} at a quarter of the run and {:.3} at its end: {:.1} % (a run of its size and length loses {:.1} % and more); noise of a loss {:.3}",
            features.end,
            100.0 * fell,
            100.0 * least,
            features.noise
        );
        let found = Finding::new(Ailment::Stuck, Some(0.25 * features.steps), evidence);
        // The curve of a small network that is full looks the same.
        if known.is_some() { found } else { found.into_remark() }
    })
}

/// Whether D is counted in steps, as where nobody says how many tokens a step has.
fn is_in_steps(record: &RunRecord, tokens: f64) -> bool {
    record.steps.is_some_and(|steps| steps as f64 == tokens)
}

#[cfg(test)]
mod tests {
    use super::super::diagnose;
    use super::*;
    use crate::spec::{CurvePoint, Params, Tokens};

    fn of(record: &RunRecord, curve: &[CurvePoint]) -> Vec<Ailment> {
        diagnose(curve, record).iter().map(|finding| finding.ailment).collect()
    }

    #[test]
    fn what_a_run_must_still_lose_follows_from_its_size_and_length() {
        // 0.24747·(4^0.28 − 1) of 2.40879.
        assert!((usual_late_fall(1e9, 10f64.powf(11.5)) - 0.04872).abs() < 1e-5);
        let sized = |params: f64, tokens: f64| RunRecord {
            params_total: Some(Params(params)),
            tokens: Some(Tokens(tokens)),
            ..RunRecord::default()
        };
        // The end of a long run, 2.48 to 2.38 nats over its last three quarters, as one of a billion parameters and as one of ten thousand.
        let late = |share: f64| 2.2 + 0.18 * (share + 1e-3).powf(-0.33);
        let quiet = |loss: &dyn Fn(f64) -> f64| -> Vec<CurvePoint> {
            let point = |step: u64| CurvePoint { step, train_loss_nats: Some(loss(step as f64 / 200.0)), ..CurvePoint::default() };
            (1..=200).map(point).collect()
        };
        assert_eq!(of(&sized(1e9, 1.6e11), &quiet(&late)), []);
        assert_eq!(of(&sized(1e4, 1.6e6), &quiet(&late)), [Ailment::Stuck]);
        let stops = |share: f64| late(share.min(0.2));
        assert_eq!(of(&sized(1e9, 1.6e11), &quiet(&stops)), [Ailment::Stuck]);
        let filling = RunRecord { objective: Some("masked".into()), ..sized(1e9, 1.6e11) };
        let tuned = RunRecord { stage: Some("fine-tuning".into()), ..sized(1e9, 1.6e11) };
        assert_eq!(of(&tuned, &quiet(&stops)), [], "nobody knows what a task leaves to learn");
        assert_eq!(of(&filling, &quiet(&stops)), [], "nor what gaps do");
        // Steps are no tokens: of such a run, as of one without a size, a flat curve is only remarked.
        let in_steps = RunRecord { steps: Some(250_000), ..sized(1e9, 2.5e5) };
        assert_eq!(of(&in_steps, &quiet(&late)), []);
        for unknown in [in_steps, RunRecord::default()] {
            let found = diagnose(&quiet(&stops), &unknown);
            assert!(found.len() == 1 && found[0].ailment == Ailment::Stuck && !found[0].fault, "{found:?}");
        }
    }
}
