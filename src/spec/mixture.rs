//! A mixture of texts: which share of the training windows each part has, and what its held-out loss counts for in that of the run.
//! Shares are whole multiples of 1/100 000, so that what is trained on is what is recorded, and adds up to 1 exactly.

use super::Nats;
use super::covariate::SHARE;
use super::sample::{mean, standard_error};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Units of a whole: a share is so many of them.
pub const WHOLE: u32 = 100_000;

/// A part of the data that a run is trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixedPart {
    /// Name of the part, as in the grid.
    pub name: String,
    /// Its share of the training windows, in 1/100 000.
    pub share: u32,
    /// What its held-out loss counts for in that of the run, in 1/100 000.
    pub weight: u32,
}

/// What a row says of a part.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartRecord {
    /// Name of the part.
    pub name: String,
    /// Its share of the training windows, from 0 to 1.
    pub share: f64,
    /// What its loss counts for in that of the run, from 0 to 1.
    pub weight: Option<f64>,
    /// Distinct training tokens that it has.
    pub unique_tokens: Option<f64>,
    /// Passes over them that the run made.
    pub epochs: Option<f64>,
    /// Mean loss over the held-out windows of this part, nats per token.
    pub loss_nats: Option<Nats>,
}

impl PartRecord {
    /// The name of its share among columns and covariates.
    pub fn share_column(&self) -> String {
        format!("{SHARE}{}", self.name)
    }
}

impl From<&MixedPart> for PartRecord {
    fn from(part: &MixedPart) -> Self {
        let of_one = |units: u32| f64::from(units) / f64::from(WHOLE);
        Self { name: part.name.clone(), share: of_one(part.share), weight: Some(of_one(part.weight)), ..Self::default() }
    }
}

/// Weights as whole units that add up to [`WHOLE`]: the largest remainders are rounded up, the first of equal ones. None where
/// they are not at least 0, finite and together above 0.
pub fn apportioned(weights: &[f64]) -> Option<Vec<u32>> {
    let sum: f64 = weights.iter().sum();
    if !(sum.is_finite() && sum > 0.0 && weights.iter().all(|weight| *weight >= 0.0)) {
        return None;
    }
    let exact: Vec<f64> = weights.iter().map(|weight| weight / sum * f64::from(WHOLE)).collect();
    let mut units: Vec<u32> = exact.iter().map(|exact| exact.floor() as u32).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()).then(a.cmp(&b)));
    let missing = WHOLE.saturating_sub(units.iter().sum());
    order.into_iter().take(missing as usize).for_each(|at| units[at] += 1);
    Some(units)
}

/// Which of the held-out windows are whose: as many of each part, or one more of some.
pub fn windows_of_parts(windows: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let cut = move |part: usize| (part as u128 * windows as u128 / parts as u128) as usize;
    (0..parts).map(move |part| cut(part)..cut(part + 1))
}

/// The mean held-out loss of each part, in their order; not a number where one has no window.
pub fn losses_of_parts(losses: &[f32], parts: usize) -> Vec<f64> {
    let of = |range: Range<usize>| mean(losses[range].iter().map(|loss| f64::from(*loss))).unwrap_or(f64::NAN);
    windows_of_parts(losses.len(), parts).map(of).collect()
}

/// The loss of a run on its held-out windows: their mean, or of a mixture the mean loss of each part by its weight.
pub fn run_loss(parts: &[PartRecord], losses: &[f32]) -> f64 {
    if parts.is_empty() {
        return mean(losses.iter().map(|loss| f64::from(*loss))).unwrap_or(f64::NAN);
    }
    let weighted = |(part, loss): (&PartRecord, f64)| if part.weight == Some(0.0) { 0.0 } else { part.weight.unwrap_or(f64::NAN) * loss };
    parts.iter().zip(losses_of_parts(losses, parts.len())).map(weighted).sum()
}

/// Standard error of [`run_loss`] over windows that are taken to be independent; none of fewer than two.
pub fn run_loss_error(parts: &[PartRecord], losses: &[f32]) -> Option<f64> {
    let error = |losses: &[f32]| standard_error(&losses.iter().map(|loss| f64::from(*loss)).collect::<Vec<_>>());
    if parts.is_empty() {
        return error(losses);
    }
    let of = |(part, range): (&PartRecord, Range<usize>)| Some((part.weight? * error(&losses[range])?).powi(2));
    let counted = parts.iter().zip(windows_of_parts(losses.len(), parts.len())).filter(|(part, _)| part.weight != Some(0.0));
    counted.map(of).sum::<Option<f64>>().map(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(weight: f64) -> PartRecord {
        PartRecord { weight: Some(weight), ..PartRecord::default() }
    }

    #[test]
    fn shares_are_whole_units_that_add_up_and_decimals_are_exact() {
        assert_eq!(apportioned(&[0.5, 0.3, 0.2]), Some(vec![50_000, 30_000, 20_000]));
        assert_eq!(apportioned(&[1.0, 1.0, 1.0]), Some(vec![33_334, 33_333, 33_333]));
        assert_eq!(apportioned(&[0.0, 2.0]), Some(vec![0, WHOLE]));
        for bad in [&[][..], &[0.0, 0.0], &[-0.1, 1.1], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0]] {
            assert_eq!(apportioned(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_share_is_off_by_a_unit(weights in prop::collection::vec(0.0f64..1e9, 1..40)) {
            prop_assume!(weights.iter().sum::<f64>() > 0.0);
            let units = apportioned(&weights).expect("weights");
            let sum: f64 = weights.iter().sum();
            prop_assert_eq!(units.iter().sum::<u32>(), WHOLE);
            for (units, weight) in units.iter().zip(&weights) {
                prop_assert!((f64::from(*units) - weight / sum * f64::from(WHOLE)).abs() < 1.0 + 1e-6);
            }
        }

        #[test]
        fn every_window_is_of_one_part(windows in 0usize..500, parts in 1usize..20) {
            let ranges: Vec<_> = windows_of_parts(windows, parts).collect();
            prop_assert_eq!(ranges.iter().cloned().flatten().collect::<Vec<_>>(), (0..windows).collect::<Vec<_>>());
            let lengths = ranges.iter().map(ExactSizeIterator::len);
            prop_assert!(lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0) <= 1);
        }
    }

    #[test]
    fn the_loss_of_a_mixture_weighs_its_parts() {
        let losses = [1.0, 2.0, 5.0, 7.0];
        assert_eq!(run_loss(&[], &losses), 3.75);
        assert_eq!(losses_of_parts(&losses, 2), [1.5, 6.0]);
        assert_eq!(run_loss(&[part(0.25), part(0.75)], &losses), 0.25 * 1.5 + 0.75 * 6.0);
        assert_eq!(run_loss(&[part(0.0), part(1.0)], &[f32::NAN, 5.0]), 5.0, "what counts for nothing is not looked at");
        // Standard errors of the means: 0.5 and 1.
        let error = run_loss_error(&[part(0.25), part(0.75)], &losses).expect("two windows each");
        assert!((error - (0.125f64.powi(2) + 0.75f64.powi(2)).sqrt()).abs() < 1e-15);
        assert_eq!(run_loss_error(&[part(0.5), part(0.5)], &[1.0, 2.0]), None);
    }
}
