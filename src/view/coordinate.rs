//! One axis as plotters sees it: where a value lies between the ends, linear or logarithmic, and what is marked.

use super::canvas::FAR;
use super::ticks::{Scale, Ticks, share};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, KeyPointWeight, Ranged};
use std::ops::Range;

/// The coordinates of a panel.
pub(super) type Plane = Cartesian2d<Coordinate, Coordinate>;

/// The range of an axis with its marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Coordinate {
    pub(super) scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Ticks,
}

impl Ranged for Coordinate {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let length = f64::from(limit.1) - f64::from(limit.0);
        let place = f64::from(limit.0) + length * share(self.scale, self.low, self.high, *value);
        place.round().clamp(-f64::from(FAR), f64::from(FAR)) as i32
    }

    /// What is labelled for bold points, what lies between for the others.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match hint.weight() {
            KeyPointWeight::Bold => self.ticks.major.iter().map(|(value, _)| *value).collect(),
            KeyPointWeight::Any => self.ticks.minor.clone(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::coord::ranged1d::{BoldPoints, LightPoints};

    #[test]
    fn values_lie_where_their_scale_says_and_no_farther_than_far() {
        let ticks = Ticks { major: vec![(1.0, "1".into()), (100.0, "100".into())], minor: vec![10.0] };
        let log = Coordinate { scale: Scale::Log, low: 1.0, high: 100.0, ticks };
        assert_eq!([1.0, 10.0, 100.0].map(|value| log.map(&value, (8000, 0))), [8000, 4000, 0]);
        assert_eq!([0.0, f64::INFINITY].map(|value| log.map(&value, (0, 8000))), [-FAR, FAR]);
        assert_eq!((log.key_points(BoldPoints(9)), log.key_points(LightPoints::new(9, 9))), (vec![1.0, 100.0], vec![10.0]));
    }
}
