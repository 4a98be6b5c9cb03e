//! Coefficients as the author of a law declares them while the program runs.

use super::formula::{Kind, UNDETERMINED};
use std::cmp::Ordering;
use std::ops::Range;

/// A coefficient of a law as its author declares it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Declared {
    /// What it is called in the formula, in documents and on the screen.
    pub name: String,
    /// Where it means something; a fit that ends outside says so.
    pub range: Option<[f64; 2]>,
    /// A value to start from.
    pub start: Option<f64>,
}

/// A text for as long as the program lives.
pub(super) fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// What a coefficient is: as declared, else as it is seen in the formula.
pub(super) fn kind(law: &str, declared: &Declared, seen: Option<Kind>) -> Result<Kind, String> {
    let name = &declared.name;
    match (declared.range, seen, declared.start) {
        (Some([low, high]), ..) if low.partial_cmp(&high) != Some(Ordering::Less) => {
            Err(format!("{law}: bounds of {name} are ({low}, {high}); the first must be the lower"))
        }
        (Some([low, high]), _, Some(start)) if !(low..=high).contains(&start) => {
            Err(format!("{law}: {name} starts at {start}, outside its bounds ({low}, {high})"))
        }
        (Some([low, high]), _, start) => {
            let (low_is_positive, ends_are_finite) = (low >= 0.0, low != 0.0 && low.is_finite() && high.is_finite());
            let inside = |share: f64| if low > 0.0 { low * (high / low).powf(share) } else { low + (high - low) * share };
            let tried: Vec<f64> = match start {
                Some(start) if low_is_positive && start > 0.0 => [start / 3.0, start, 3.0 * start].map(|x| x.clamp(low, high)).into(),
                Some(start) => vec![start],
                None if ends_are_finite => [1.0 / 6.0, 0.5, 5.0 / 6.0].map(inside).into(),
                None => {
                    return Err(format!(
                        "{law}: {name} lies in ({low}, {high}), which says not where to begin: give it a value to start from"
                    ));
                }
            };
            let (range, tried): (Range<f64>, &'static [f64]) = (low..high, tried.leak());
            Ok(if low_is_positive { Kind::Positive { range, tried, outside: UNDETERMINED } } else { Kind::Free { tried, range } })
        }
        (None, Some(seen), _) => Ok(seen),
        (None, None, _) => Err(format!(
            "{law}: {name} is seen to be neither a floor nor A or s of a term A/x^s: say where it lies, bounds={{\"{name}\": (0.1, 10)}}"
        )),
    }
}
