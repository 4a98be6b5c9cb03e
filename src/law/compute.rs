//! How compute follows from N and D along a family of networks: C = k(N)·N·D. Exactly bilinear when
//! k is constant (6·N·D, or DeepSeek's M·D with k = 1), else read from the runs themselves.

use super::Point;

/// FLOPs per parameter and token as a function of N.
#[derive(Debug, Clone, PartialEq)]
pub enum ComputeCount {
    /// C = k·N·D.
    Bilinear {
        /// FLOPs per parameter and token.
        k: f64,
    },
    /// C = (k∞ + c·N^−p)·N·D: attention and the output matrix weigh less in larger networks. A smooth
    /// curve through the runs' own counts, so that a ladder whose depth moves in steps does not bend the frontier.
    Declining {
        /// k∞, FLOPs per parameter and token of networks without end.
        limit: f64,
        /// c.
        factor: f64,
        /// p, above 0.
        power: f64,
        /// Least k among the runs; the curve is held above a tenth of it far outside them.
        least: f64,
    },
}

/// k at a size, in logarithms.
pub(super) struct Rate {
    /// ln k.
    pub(super) ln: f64,
    /// d ln k/d ln N.
    pub(super) slope: f64,
    /// d² ln k/d(ln N)².
    pub(super) bend: f64,
}

impl ComputeCount {
    /// Reads k(N) = C/(N·D) from points: bilinear when it is the same for all within 1e-4.
    pub fn of(points: &[Point]) -> Self {
        let mut rates: Vec<(f64, f64)> = points.iter().map(|p| (p.n.ln(), (p.c / (p.n * p.d)).ln())).collect();
        rates.sort_by(|left, right| left.0.total_cmp(&right.0));
        let spread = |pick: fn(f64, f64) -> f64, start| rates.iter().map(|rate| rate.1).fold(start, pick);
        let (low, high) = (spread(f64::min, f64::INFINITY), spread(f64::max, f64::NEG_INFINITY));
        if rates.is_empty() || high - low <= 1e-4 {
            let mean = rates.iter().map(|rate| rate.1).sum::<f64>() / rates.len().max(1) as f64;
            return Self::Bilinear { k: if rates.is_empty() { 6.0 } else { mean.exp() } };
        }
        Self::declining(&rates)
    }

    /// Least squares of the relative error over k∞ ≥ 0 and c for each p of a grid; the best p is kept.
    /// `rates` are (ln N, ln k).
    fn declining(rates: &[(f64, f64)]) -> Self {
        let least = rates.iter().map(|rate| rate.1).fold(f64::INFINITY, f64::min).exp();
        let fit = |power: f64| {
            // Columns 1/k and N^−p/k against a target of 1.
            let row = |rate: &(f64, f64)| [(-rate.1).exp(), (-power * rate.0 - rate.1).exp()];
            let sum = |of: &dyn Fn([f64; 2]) -> f64| rates.iter().map(|rate| of(row(rate))).sum::<f64>();
            let [xx, xy, yy] = [sum(&|r| r[0] * r[0]), sum(&|r| r[0] * r[1]), sum(&|r| r[1] * r[1])];
            let [x, y] = [sum(&|r| r[0]), sum(&|r| r[1])];
            let determinant = xx * yy - xy * xy;
            let free = ((yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant);
            let sound = determinant > 1e-12 * xx * yy && free.0 >= 0.0;
            let (limit, factor) = if sound { free } else { (0.0, y / yy) };
            (sum(&|r| (limit * r[0] + factor * r[1] - 1.0).powi(2)), limit, factor, power)
        };
        let best = (5..=150).map(|hundredths| fit(f64::from(hundredths) / 100.0)).min_by(|a, b| a.0.total_cmp(&b.0));
        let (_, limit, factor, power) = best.expect("a grid of powers");
        Self::Declining { limit, factor, power, least }
    }

    /// FLOPs per parameter and token at a size.
    pub fn per_param_token(&self, n: f64) -> f64 {
        match self {
            Self::Bilinear { k } => *k,
            Self::Declining { limit, factor, power, least } => (limit + factor * n.powf(-power)).max(0.1 * least),
        }
    }

    /// ln k and its first two derivatives by ln N.
    pub(super) fn rate(&self, ln_n: f64) -> Rate {
        match self {
            Self::Bilinear { k } => Rate { ln: k.ln(), slope: 0.0, bend: 0.0 },
            Self::Declining { limit, factor, power, least } => {
                let part = factor * (-power * ln_n).exp();
                let (k, floor) = (limit + part, 0.1 * least);
                if k <= floor {
                    return Rate { ln: floor.ln(), slope: 0.0, bend: 0.0 };
                }
                let share = part / k;
                Rate { ln: k.ln(), slope: -power * share, bend: power * power * share * (1.0 - share) }
            }
        }
    }

    /// C of N weights and D tokens.
    pub fn compute(&self, n: f64, d: f64) -> f64 {
        self.per_param_token(n) * n * d
    }

    /// D that N weights can see for a compute.
    pub fn tokens(&self, n: f64, compute: f64) -> f64 {
        compute / (self.per_param_token(n) * n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{FlopRule, ModelShape, SizeMeasure};

    #[test]
    fn six_n_d_is_recognised_as_bilinear() {
        let points = [Point::new(1e6, 2e8, 3.0), Point::new(3e7, 1e9, 2.5)];
        let ComputeCount::Bilinear { k } = ComputeCount::of(&points) else { panic!("bilinear") };
        assert!((k - 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_count_that_declines_with_size_is_recovered_and_extrapolates_to_its_limit() {
        let k = |n: f64| 6.0 + 700.0 * n.powf(-0.45);
        let points: Vec<Point> = [4e3, 1e4, 3e4, 1e5, 4e5].map(|n| Point { c: k(n) * n * 1e8, ..Point::new(n, 1e8, 3.0) }).into();
        let count = ComputeCount::of(&points);
        assert!(matches!(count, ComputeCount::Declining { .. }), "{count:?}");
        for n in [1e3, 2e4, 1e6, 1e9] {
            assert!((count.per_param_token(n) / k(n) - 1.0).abs() < 1e-6, "{n:e}: {}", count.per_param_token(n));
        }
        assert!((count.compute(1e5, count.tokens(1e5, 1e15)) / 1e15 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_curve_lies_within_some_per_cent_of_the_exact_count_of_a_ladder_with_steps_in_depth() {
        let shapes: Vec<ModelShape> =
            [(2, 16), (2, 32), (2, 64), (3, 64), (3, 96), (4, 128)].map(|(l, d)| ModelShape::derived(l, d)).into();
        let n = |shape: &ModelShape| SizeMeasure::Matmul.of(shape).expect("counted").0;
        let per_token = |shape: &ModelShape| FlopRule::Exact.per_token(shape).expect("counted");
        let points: Vec<Point> = shapes.iter().map(|shape| Point { c: per_token(shape) * 1e6, ..Point::new(n(shape), 1e6, 3.0) }).collect();
        let count = ComputeCount::of(&points);
        for shape in &shapes {
            let ratio = count.per_param_token(n(shape)) * n(shape) / per_token(shape);
            assert!((ratio - 1.0).abs() < 0.08, "{shape}: {ratio}");
        }
    }
}
