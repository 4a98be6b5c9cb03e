//! The lower envelope of training curves (Hoffmann 2203.15556, approach 1): at each compute the curve that is lowest there
//! names the size and tokens to train. Between two points of a curve ln L is taken as linear in ln C.

/// Loss along one training run, or along runs of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct LossCurve {
    /// N, parameters.
    pub n: f64,
    /// (C, D, L): FLOPs spent, tokens seen, loss in nats per token; C ascending.
    pub points: Vec<(f64, f64, f64)>,
}

/// What is lowest at one compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lowest {
    /// C, FLOPs.
    pub compute: f64,
    /// N of the lowest curve.
    pub n: f64,
    /// D that it has seen there.
    pub d: f64,
    /// Its loss there.
    pub loss: f64,
}

impl LossCurve {
    /// D and L at a compute; `None` outside the curve.
    pub fn at(&self, compute: f64) -> Option<(f64, f64)> {
        let after = self.points.partition_point(|point| point.0 < compute);
        let &(c1, d1, l1) = self.points.get(after)?;
        if after == 0 {
            return (c1 == compute).then_some((d1, l1));
        }
        let (c0, d0, l0) = self.points[after - 1];
        let share = (compute / c0).ln() / (c1 / c0).ln();
        let between = |low: f64, high: f64| (low.ln() + share * (high / low).ln()).exp();
        Some((between(d0, d1), between(l0, l1)))
    }
}

/// The lowest curve at `count` computes spaced evenly in ln C. Computes at which the lowest curve is that of the smallest
/// or the largest size there are left out: what lies beyond may be lower still.
pub fn envelope(curves: &[LossCurve], count: usize) -> Vec<Lowest> {
    let ends = |pick: fn(&LossCurve) -> Option<&(f64, f64, f64)>| curves.iter().filter_map(pick).map(|point| point.0);
    let low = ends(|curve| curve.points.first()).fold(f64::INFINITY, f64::min);
    let high = ends(|curve| curve.points.last()).fold(0.0, f64::max);
    let lowest = |i: usize| {
        let compute = low * (high / low).powf((i as f64 + 0.5) / count as f64);
        let there: Vec<Lowest> =
            curves.iter().filter_map(|curve| curve.at(compute).map(|(d, loss)| Lowest { compute, n: curve.n, d, loss })).collect();
        let best = *there.iter().min_by(|left, right| left.loss.total_cmp(&right.loss))?;
        let inside = there.iter().any(|other| other.n < best.n) && there.iter().any(|other| other.n > best.n);
        inside.then_some(best)
    };
    (0..count).filter_map(lowest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_a_power_between_its_points() {
        let curve = LossCurve { n: 1.0, points: vec![(1.0, 1.0, 4.0), (100.0, 100.0, 1.0)] };
        let (d, loss) = curve.at(10.0).expect("inside");
        assert!((d - 10.0).abs() < 1e-9 && (loss - 2.0).abs() < 1e-9);
        assert_eq!((curve.at(0.5), curve.at(200.0), curve.at(1.0)), (None, None, Some((1.0, 4.0))));
    }

    #[test]
    fn the_lowest_curve_is_named_only_between_a_smaller_and_a_larger_one() {
        // Flat curves of three sizes: the middle one is lowest while all three are there.
        let flat = |n: f64, loss: f64, to: f64| LossCurve { n, points: vec![(1.0, 1.0 / n, loss), (to, to / n, loss)] };
        let found = envelope(&[flat(1.0, 3.0, 100.0), flat(2.0, 2.0, 100.0), flat(4.0, 2.5, 10.0)], 8);
        assert_eq!(found.len(), 4, "half of the decades");
        assert!(found.iter().all(|lowest| lowest.n == 2.0 && lowest.loss == 2.0 && lowest.compute < 10.0));
    }
}
