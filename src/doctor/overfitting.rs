//! Overfitting by the numbers of a curve alone: the held-out loss rises while the training loss falls.

use crate::spec::CurvePoint;
use crate::spec::sample::mean;
use serde::Serialize;

/// A run that memorises its data: its training loss falls while its held-out loss rises.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overfitting {
    /// Tokens seen where the held-out loss was lowest.
    pub best_tokens: u64,
    /// Held-out loss there, nats per token.
    pub best_val_loss_nats: f64,
    /// Held-out loss at the end, nats per token.
    pub last_val_loss_nats: f64,
    /// By how much the training loss fell meanwhile, nats per token.
    pub train_fall_nats: f64,
}

/// Part of the held-out loss that it must rise by: what two seeds of a small network differ by.
const LEAST_RISE: f64 = 0.01;

/// Whether a run overfits: the held-out loss at the end of its curve is above the lowest of its measurements by more than
/// one per cent, and the training loss fell from there on.
pub fn overfitting(curve: &[CurvePoint]) -> Option<Overfitting> {
    let measured = || curve.iter().filter_map(|point| Some((point.tokens, point.val_loss_nats?)));
    let (last_tokens, last) = measured().next_back()?;
    let (best_tokens, best) = measured().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let train_fall_nats = train_loss(curve, best_tokens)? - train_loss(curve, last_tokens)?;
    let overfits = last > best * (1.0 + LEAST_RISE) && train_fall_nats > 0.0;
    overfits.then_some(Overfitting { best_tokens, best_val_loss_nats: best, last_val_loss_nats: last, train_fall_nats })
}

/// Mean training loss of the curve's points over the tenth of the run that ends at `tokens`.
fn train_loss(curve: &[CurvePoint], tokens: u64) -> Option<f64> {
    let span = curve.last()?.tokens / 10;
    let around = |point: &&CurvePoint| point.tokens <= tokens && point.tokens + span >= tokens;
    mean(curve.iter().filter(around).filter_map(|point| point.train_loss_nats))
}

impl std::fmt::Display for Overfitting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { best_tokens, best_val_loss_nats, last_val_loss_nats, train_fall_nats } = self;
        let at = crate::spec::Tokens(*best_tokens as f64);
        write!(
            f,
            "overfits: its held-out loss rose from {best_val_loss_nats:.4} at {at} tokens to {last_val_loss_nats:.4} while its training loss fell by {train_fall_nats:.4}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred points; the training loss falls by `fall`, the held-out loss, measured at every tenth, is `val` of the share done.
    fn curve(fall: f64, val: impl Fn(f64) -> f64) -> Vec<CurvePoint> {
        let point = |i: u64| CurvePoint {
            step: i,
            tokens: 1000 * i,
            train_loss_nats: Some(2.0 - fall * i as f64 / 100.0),
            val_loss_nats: i.is_multiple_of(10).then(|| val(i as f64 / 100.0)),
            ..CurvePoint::default()
        };
        (1..=100).map(point).collect()
    }

    #[test]
    fn a_held_out_loss_that_rises_while_the_training_loss_falls_is_overfitting() {
        let found = overfitting(&curve(1.0, |share| 2.0 + (share - 0.4).powi(2))).expect("overfits");
        assert_eq!((found.best_tokens, found.best_val_loss_nats), (40_000, 2.0));
        assert!((found.last_val_loss_nats - 2.36).abs() < 1e-12 && (found.train_fall_nats - 0.6).abs() < 1e-9, "{found:?}");
        assert!(found.to_string().contains("2.0000 at 40k tokens to 2.3600"), "{found}");
    }

    #[test]
    fn learning_noise_and_instability_are_no_overfitting() {
        assert_eq!(overfitting(&curve(1.0, |share| 2.0 - share)), None, "both fall");
        assert_eq!(overfitting(&curve(1.0, |share| if share > 0.9 { 2.01 } else { 2.0 })), None, "half a per cent");
        assert_eq!(overfitting(&curve(-1.0, |share| 2.0 + share)), None, "both rise: no memorisation");
        assert_eq!(overfitting(&[]), None);
        let once: Vec<CurvePoint> = curve(1.0, |_| 2.0).into_iter().map(|p| CurvePoint { val_loss_nats: None, ..p }).collect();
        assert_eq!(overfitting(&once), None, "never measured");
    }
}
