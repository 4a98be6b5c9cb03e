//! The profile of loss at one compute budget: ln-parabolas (Hoffmann 2203.15556, approach 2), and the
//! bias of their vertex on a surface that is no parabola (Czech 2603.22339).

/// L = c0 + c1·u + c2·u² with u = ln N − centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parabola {
    /// Mean of ln N, where u is 0.
    pub centre: f64,
    /// Coefficients by power of u.
    pub c: [f64; 3],
}

impl Parabola {
    /// Loss at N weights.
    pub fn at(&self, n: f64) -> f64 {
        let u = n.ln() - self.centre;
        self.c[0] + u * (self.c[1] + u * self.c[2])
    }

    /// ln N of the vertex; a minimum when the curvature c2 is positive.
    pub fn ln_vertex(&self) -> f64 {
        self.centre - self.c[1] / (2.0 * self.c[2])
    }

    /// Loss at the vertex.
    pub fn vertex_loss(&self) -> f64 {
        self.c[0] - self.c[1] * self.c[1] / (4.0 * self.c[2])
    }

    /// Derivatives of ln N at the vertex by c0, c1, c2.
    pub fn vertex_gradient(&self) -> [f64; 3] {
        [0.0, -1.0 / (2.0 * self.c[2]), self.c[1] / (2.0 * self.c[2] * self.c[2])]
    }
}

/// How far the vertex of a least-squares parabola lies from the true optimum on a noise-free surface
/// E + A/N^α + B/D^β with C = k·N·D: ln(N_vertex/N*) for sizes at ln(N/N*) = `offsets`.
/// Along the budget the reducible loss is ∝ (β/α)·e^(−αu) + e^(βu) (Czech 2603.22339 §3).
pub fn vertex_bias(alpha: f64, beta: f64, offsets: &[f64]) -> Option<f64> {
    let loss = |u: f64| beta / alpha * (-alpha * u).exp() + (beta * u).exp();
    let n = offsets.len() as f64;
    let centre = offsets.iter().sum::<f64>() / n;
    // Orthogonal polynomials 1, v, v² − p·v − q on the grid: the fit is three projections.
    let v: Vec<f64> = offsets.iter().map(|u| u - centre).collect();
    let moment = |power: i32| v.iter().map(|v| v.powi(power)).sum::<f64>();
    let (s2, s3) = (moment(2), moment(3));
    let quadratic = |v: f64| v * v - s3 / s2 * v - s2 / n;
    let norm = v.iter().map(|&v| quadratic(v).powi(2)).sum::<f64>();
    let c2 = offsets.iter().zip(&v).map(|(&u, &v)| loss(u) * quadratic(v)).sum::<f64>() / norm;
    let linear = offsets.iter().zip(&v).map(|(&u, &v)| loss(u) * v).sum::<f64>() / s2;
    let c1 = linear - c2 * s3 / s2;
    let bias = centre - c1 / (2.0 * c2);
    (c2 > 0.0 && bias.is_finite()).then_some(bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bias_of_symmetric_grids_is_as_recomputed_from_the_paper() {
        // Czech 2603.22339: α .34 β .28, 15 sizes within ±2, ±4, ±8, ±16 times N*: error of N in per cent.
        let rows: [(f64, f64, f64, f64); 5] = [
            (0.34, 0.28, 2.0, 0.33),
            (0.34, 0.28, 4.0, 1.32),
            (0.34, 0.28, 8.0, 2.99),
            (0.34, 0.28, 16.0, 5.37),
            (0.465, 0.155, 4.0, 6.95),
        ];
        for (alpha, beta, factor, percent) in rows {
            let offsets: Vec<f64> = (0..15).map(|i| factor.ln() * (f64::from(i) / 7.0 - 1.0)).collect();
            let bias = vertex_bias(alpha, beta, &offsets).expect("a minimum");
            // The printed figures have two decimals; the last is 1/(1 − 0.0650) − 1.
            assert!((100.0 * bias.exp_m1() - percent).abs() < 0.01, "{} for ±{factor}", 100.0 * bias.exp_m1());
        }
    }

    #[test]
    fn a_parabola_knows_its_vertex() {
        let parabola = Parabola { centre: 10.0, c: [3.0, -0.4, 0.2] };
        assert!((parabola.ln_vertex() - 11.0).abs() < 1e-12);
        assert!((parabola.at(11f64.exp()) - parabola.vertex_loss()).abs() < 1e-12);
    }
}
