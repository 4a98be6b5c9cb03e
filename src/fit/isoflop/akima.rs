//! The minimum of an Akima spline through points (Akima 1970, Journal of the ACM 17:589, with his weights, as Porian
//! 2406.19146 uses it): piecewise cubic, so each minimum is a root of a quadratic.

/// Place and value of the lowest point of the spline; `None` where it is the first or the last knot.
pub(crate) fn akima_minimum(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let slopes = knot_slopes(x, y)?;
    let mut best: Option<(f64, f64)> = None;
    let mut consider = |at: f64, value: f64| {
        if best.is_none_or(|(_, lowest)| value < lowest) {
            best = Some((at, value));
        }
    };
    for i in 0..x.len() - 1 {
        let h = x[i + 1] - x[i];
        let secant = (y[i + 1] - y[i]) / h;
        let c = (3.0 * secant - 2.0 * slopes[i] - slopes[i + 1]) / h;
        let d = (slopes[i] + slopes[i + 1] - 2.0 * secant) / (h * h);
        let value = |u: f64| y[i] + u * (slopes[i] + u * (c + u * d));
        consider(x[i], y[i]);
        for u in quadratic_roots(3.0 * d, 2.0 * c, slopes[i]) {
            if u > 0.0 && u < h {
                consider(x[i] + u, value(u));
            }
        }
    }
    let last = x.len() - 1;
    consider(x[last], y[last]);
    best.filter(|(at, _)| *at > x[0] && *at < x[last])
}

/// Slope of the spline at each knot; `None` for fewer than three knots or knots that do not increase.
fn knot_slopes(x: &[f64], y: &[f64]) -> Option<Vec<f64>> {
    let n = x.len();
    if n < 3 || x.windows(2).any(|pair| pair[1] <= pair[0]) {
        return None;
    }
    // Secants, with two more on either side by quadratic extrapolation.
    let mut m = vec![0.0; n + 3];
    for i in 0..n - 1 {
        m[i + 2] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    }
    m[1] = 2.0 * m[2] - m[3];
    m[0] = 2.0 * m[1] - m[2];
    m[n + 1] = 2.0 * m[n] - m[n - 1];
    m[n + 2] = 2.0 * m[n + 1] - m[n];
    let slope = |i: usize| {
        let left = (m[i + 3] - m[i + 2]).abs();
        let right = (m[i + 1] - m[i]).abs();
        if left + right == 0.0 { 0.5 * (m[i + 1] + m[i + 2]) } else { (left * m[i + 1] + right * m[i + 2]) / (left + right) }
    };
    Some((0..n).map(slope).collect())
}

fn quadratic_roots(a: f64, b: f64, c: f64) -> Vec<f64> {
    if a == 0.0 {
        return if b == 0.0 { Vec::new() } else { vec![-c / b] };
    }
    let discriminant = b * b - 4.0 * a * c;
    if discriminant < 0.0 {
        return Vec::new();
    }
    let q = -0.5 * (b + b.signum() * discriminant.sqrt());
    if q == 0.0 { vec![0.0] } else { vec![q / a, c / q] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_finds_the_minimum_of_a_smooth_profile() {
        let x: Vec<f64> = (0..9).map(|i| f64::from(i) * 0.5).collect();
        let y: Vec<f64> = x.iter().map(|x| (x - 1.9) * (x - 1.9)).collect();
        let (at, value) = akima_minimum(&x, &y).expect("inside");
        // On even knots the secants of a parabola have equal differences, and Akima's slopes are exact.
        assert!((at - 1.9).abs() < 1e-9 && value.abs() < 1e-9, "{at} {value}");
    }

    #[test]
    fn a_monotone_curve_has_no_minimum_inside() {
        assert_eq!(akima_minimum(&[0.0, 1.0, 2.0, 3.0], &[4.0, 3.0, 2.0, 1.0]), None);
        assert_eq!(akima_minimum(&[0.0, 1.0], &[1.0, 0.0]), None);
    }
}
