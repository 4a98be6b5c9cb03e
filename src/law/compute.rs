//! How compute follows from N and D along a family of networks: C = k(N)·N·D. Exactly bilinear when
//! k is constant (6·N·D, or DeepSeek's M·D with k = 1), else read from the runs themselves.

use super::Point;

/// FLOPs per weight and token as a function of N.
#[derive(Debug, Clone, PartialEq)]
pub enum ComputeCount {
    /// C = k·N·D.
    Bilinear {
        /// FLOPs per weight and token.
        k: f64,
    },
    /// ln k at increasing ln N, linear in between, constant outside.
    Tabulated {
        /// ln N, increasing.
        ln_n: Vec<f64>,
        /// ln k at each.
        ln_k: Vec<f64>,
    },
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
        let (ln_n, ln_k) = rates.chunk_by(|left, right| right.0 - left.0 < 1e-9).map(mean_rate).unzip();
        Self::Tabulated { ln_n, ln_k }
    }

    /// FLOPs per weight and token at a size.
    pub fn per_param_token(&self, n: f64) -> f64 {
        match self {
            Self::Bilinear { k } => *k,
            Self::Tabulated { ln_n, ln_k } => interpolate(ln_n, ln_k, n.ln()).exp(),
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

    /// k in the middle of the sizes.
    pub fn typical(&self) -> f64 {
        match self {
            Self::Bilinear { k } => *k,
            Self::Tabulated { ln_k, .. } => ln_k[ln_k.len() / 2].exp(),
        }
    }

    /// Whether C = k·N·D exactly.
    pub fn is_bilinear(&self) -> bool {
        matches!(self, Self::Bilinear { .. })
    }
}

fn mean_rate(group: &[(f64, f64)]) -> (f64, f64) {
    (group[0].0, group.iter().map(|rate| rate.1).sum::<f64>() / group.len() as f64)
}

fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let right = x.partition_point(|&knot| knot <= at);
    if right == 0 {
        return y[0];
    }
    if right == x.len() {
        return y[x.len() - 1];
    }
    let share = (at - x[right - 1]) / (x[right] - x[right - 1]);
    y[right - 1] + share * (y[right] - y[right - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_n_d_is_recognised_as_bilinear() {
        let points = [Point::new(1e6, 2e8, 3.0), Point::new(3e7, 1e9, 2.5)];
        let ComputeCount::Bilinear { k } = ComputeCount::of(&points) else { panic!("bilinear") };
        assert!((k - 6.0).abs() < 1e-12);
    }

    #[test]
    fn an_exact_count_is_interpolated_between_sizes() {
        let point = |n: f64, k: f64| Point { c: k * n * 1e8, ..Point::new(n, 1e8, 3.0) };
        let count = ComputeCount::of(&[point(1e4, 9.0), point(1e6, 6.0), point(1e4, 9.0)]);
        assert!(!count.is_bilinear());
        assert!((count.per_param_token(1e5) - 54f64.sqrt()).abs() < 1e-9);
        assert!((count.per_param_token(1e3) - 9.0).abs() < 1e-9, "constant outside");
        assert!((count.compute(1e5, count.tokens(1e5, 1e15)) / 1e15 - 1.0).abs() < 1e-12);
    }
}
