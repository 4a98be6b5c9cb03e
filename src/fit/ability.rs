//! A metric as a function of something smooth: accuracy = chance + p/(1 + e^(k(x − x0))) (arXiv 2412.04403), and the error that falls as an
//! exponential, 1 − accuracy = ε − a·e^(−γx) (arXiv 2403.08540), over a grid of their shapes weighted by how well each fits.

use crate::spec::sample::mean;

/// Shapes of lesser weight, against the best, are left out.
const LEAST_WEIGHT: f64 = 1e-5;
/// Points that what is expected of the noise is worth.
const NOISE_WORTH: f64 = 4.0;
/// Share of the exponential among shapes before anything is seen.
const EXPONENTIAL: f64 = 0.2;
/// Where most metrics of finished networks end, and how surely.
const CEILING: [f64; 2] = [0.92, 0.15];

/// One shape with its weight.
#[derive(Debug, Clone, Copy)]
struct Shape {
    weight: f64,
    steepness: f64,
    /// Middle of a sigmoid, in spans from the middle of the points; none of an exponential.
    middle: Option<f64>,
    /// What lies between chance and ceiling.
    height: f64,
}

impl Shape {
    fn share(&self, at: f64) -> f64 {
        share(self.steepness, self.middle, at)
    }
}

/// How much of the way from chance to ceiling is gone.
fn share(steepness: f64, middle: Option<f64>, at: f64) -> f64 {
    match middle {
        Some(middle) => 1.0 / (1.0 + (steepness * (at - middle)).exp()),
        None => (-steepness * at).exp(),
    }
}

/// A metric that rises as x falls, as its points allow it to be.
#[derive(Debug, Clone)]
pub struct MetricCurve {
    chance: f64,
    centre: f64,
    span: f64,
    shapes: Vec<Shape>,
    /// Variance of one point about the curve.
    pub noise: f64,
    /// Share of the points' variance that the curve explains.
    pub explained: f64,
}

impl MetricCurve {
    /// The curve through points of (x, metric), whose single values have the variance `expected` by what is known beforehand. `None` where
    /// there are fewer than five points or all have one x.
    pub fn of(points: &[(f64, f64)], chance: f64, expected: f64) -> Option<Self> {
        let ends = points.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], (x, _)| [low.min(*x), high.max(*x)]);
        let (centre, span) = (0.5 * (ends[0] + ends[1]), ends[1] - ends[0]);
        if points.len() < 5 || !(span > 0.0 && span.is_finite()) || points.iter().any(|(_, y)| !y.is_finite()) {
            return None;
        }
        let seen: Vec<(f64, f64)> = points.iter().map(|(x, y)| ((x - centre) / span, y - chance)).collect();
        let total: f64 = seen.iter().map(|(_, y)| y * y).sum();
        let count = seen.len() as f64;
        let average = mean(seen.iter().map(|(_, y)| *y)).unwrap_or(0.0);
        let spread = seen.iter().map(|(_, y)| (y - average).powi(2)).sum::<f64>() / (count - 1.0);
        let expected = expected.max(1e-8);
        let mut shapes: Vec<(f64, f64, Shape)> = Vec::new();
        let mut take = |steepness: f64, middle: Option<f64>, height: f64, sums: [f64; 2], ln_prior: f64| {
            let left = (total - 2.0 * height * sums[1] + height * height * sums[0]).max(0.0);
            let noise = (NOISE_WORTH * expected + left) / (NOISE_WORTH + count);
            let ln_weight = ln_prior - 0.5 * (NOISE_WORTH + count) * noise.ln();
            shapes.push((ln_weight, noise, Shape { weight: 0.0, steepness, middle, height }));
        };
        let sums = |steepness: f64, middle: Option<f64>| {
            seen.iter().fold([0.0, 0.0], |[squares, products], (at, y)| {
                let one = share(steepness, middle, *at);
                [squares + one * one, products + one * y]
            })
        };
        let steepnesses: Vec<f64> = (0..26).map(|step| 0.7 * 1.17f64.powi(step)).collect();
        let middles: Vec<f64> = (0..45).map(|step| -2.5 + 0.075 * f64::from(step)).collect();
        let heights: Vec<f64> = (1..=40).map(|step| (1.0 - chance) * 0.025 * f64::from(step)).collect();
        let all = (steepnesses.len() * middles.len() * heights.len()) as f64;
        for &steepness in &steepnesses {
            for &middle in &middles {
                let sums = sums(steepness, Some(middle));
                for &height in &heights {
                    let off = (chance + height - CEILING[0]) / CEILING[1];
                    take(steepness, Some(middle), height, sums, -0.5 * off * off - (all / (1.0 - EXPONENTIAL)).ln());
                }
            }
            let sums = sums(steepness, None);
            let best = sums[1] / sums[0];
            let left = (total - best * sums[1]).max(0.0);
            let error = ((NOISE_WORTH * expected + left) / (NOISE_WORTH + count) / sums[0]).sqrt();
            for off in [-2.0, -1.0, 0.0, 1.0, 2.0] {
                let ln_prior = (EXPONENTIAL / (all * 5.0) * heights.len() as f64).ln();
                take(steepness, None, (best + off * error).max(0.0), sums, ln_prior);
            }
        }
        let best = shapes.iter().map(|(ln_weight, ..)| *ln_weight).fold(f64::NEG_INFINITY, f64::max);
        let kept = shapes.into_iter().map(|(ln_weight, noise, shape)| ((ln_weight - best).exp(), noise, shape));
        let kept: Vec<(f64, f64, Shape)> = kept.filter(|(weight, ..)| *weight > LEAST_WEIGHT).collect();
        let sum: f64 = kept.iter().map(|(weight, ..)| weight).sum();
        let noise = kept.iter().map(|(weight, noise, _)| weight / sum * noise).sum::<f64>();
        let shapes = kept.into_iter().map(|(weight, _, shape)| Shape { weight: weight / sum, ..shape }).collect();
        let mut curve = Self { chance, centre, span, shapes, noise, explained: 0.0 };
        let left = points.iter().map(|(x, y)| (y - curve.at(*x).0).powi(2)).sum::<f64>() / (count - 1.0);
        curve.explained = if spread > 0.0 { 1.0 - left / spread } else { 0.0 };
        Some(curve)
    }

    /// Mean of the metric at x over the shapes, and its variance between them.
    pub fn at(&self, x: f64) -> (f64, f64) {
        let at = (x - self.centre) / self.span;
        let value = |shape: &Shape| (self.chance + shape.height * shape.share(at)).min(1.0);
        let mean: f64 = self.shapes.iter().map(|shape| shape.weight * value(shape)).sum();
        (mean, self.shapes.iter().map(|shape| shape.weight * (value(shape) - mean).powi(2)).sum())
    }

    /// Mean and variance of the metric where ln x, or x itself, has a normal distribution.
    pub fn over(&self, centre: f64, sd: f64, place: impl Fn(f64) -> f64) -> (f64, f64) {
        let nodes: Vec<(f64, (f64, f64))> = (-6..=6)
            .map(|step| {
                let off = 0.5 * f64::from(step);
                ((-0.5 * off * off).exp(), self.at(place(centre + off * sd)))
            })
            .collect();
        let sum: f64 = nodes.iter().map(|(weight, _)| weight).sum();
        let mean = nodes.iter().map(|(weight, (value, _))| weight / sum * value).sum::<f64>();
        let variance = nodes.iter().map(|(weight, (value, own))| weight / sum * (own + (value - mean).powi(2))).sum();
        (mean, variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(x: f64) -> f64 {
        0.25 + 0.6 / (1.0 + (8.0 * (x - 0.9)).exp())
    }

    #[test]
    fn a_sigmoid_is_found_again_and_foretold_beyond_its_points() {
        let points: Vec<(f64, f64)> = (0..20).map(|step| 0.8 + 0.03 * f64::from(step)).map(|x| (x, sigmoid(x))).collect();
        let curve = MetricCurve::of(&points, 0.25, 1e-6).expect("a curve");
        assert!(curve.explained > 0.999, "{}", curve.explained);
        for x in [0.65, 0.75, 1.0, 1.3] {
            let (value, variance) = curve.at(x);
            assert!((value - sigmoid(x)).abs() < 0.01 + 2.0 * variance.sqrt(), "{x}: {value} {} {variance}", sigmoid(x));
        }
        assert!((curve.at(5.0).0 - 0.25).abs() < 1e-3, "far above, chance");
        let (spread, variance) = curve.over(0.9, 0.05, |x| x);
        assert!((spread - sigmoid(0.9)).abs() < 0.01 && variance.sqrt() > 0.04, "slope 1.2 times 0.05: {variance}");
    }

    #[test]
    fn what_has_no_curve_is_refused_and_noise_is_not_explained() {
        assert!(MetricCurve::of(&[(1.0, 0.3); 9], 0.25, 1e-4).is_none(), "one x");
        assert!(MetricCurve::of(&[(1.0, 0.3), (2.0, 0.4)], 0.25, 1e-4).is_none(), "two points");
        let noise: Vec<(f64, f64)> = (0..20).map(|step| (f64::from(step), if step % 2 == 0 { 0.24 } else { 0.28 })).collect();
        let curve = MetricCurve::of(&noise, 0.25, 1e-4).expect("a curve");
        assert!(curve.explained < 0.3 && (curve.noise.sqrt() - 0.02).abs() < 0.006, "{} {}", curve.explained, curve.noise);
    }
}
