//! Powers through optima: ln x* = c + Σ pⱼ·(ln zⱼ − mean), weighted least squares over (N, D) cells. The scatter of the
//! cells about the law, not only their standard errors, sets its uncertainty (Birge 1932), with Student's t of the cells
//! that are left over: runs of one cell are one observation of where its optimum lies.

use crate::fit::estimate::t_quantile;
use crate::fit::linear::{least_squares, variance};
use crate::fit::{Estimate, Interval, Named};
use crate::law::{PowerRule, Scale};
use serde::Serialize;

/// What a power law of the best recipe depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Nothing: the same everywhere.
    Constant,
    /// Compute, FLOPs.
    Compute,
    /// Number of parameters N.
    Size,
    /// Number of training tokens D.
    Tokens,
    /// Size N and tokens D.
    SizeAndTokens,
}

impl Basis {
    /// Logarithms of what it depends on.
    pub fn columns(self, scale: &Scale) -> Vec<f64> {
        match self {
            Self::Constant => Vec::new(),
            Self::Compute => vec![scale.c.ln()],
            Self::Size => vec![scale.n.ln()],
            Self::Tokens => vec![scale.d.ln()],
            Self::SizeAndTokens => vec![scale.n.ln(), scale.d.ln()],
        }
    }

    /// Names of the exponents.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Constant => &[],
            Self::Compute => &["C"],
            Self::Size => &["N"],
            Self::Tokens => &["D"],
            Self::SizeAndTokens => &["N", "D"],
        }
    }

    /// The rule with these exponents.
    pub fn rule(self, factor: f64, exponents: &[f64]) -> PowerRule {
        let mut rule = PowerRule::constant(factor);
        for (name, &exponent) in self.names().iter().zip(exponents) {
            *(match *name {
                "N" => &mut rule.n,
                "D" => &mut rule.d,
                _ => &mut rule.c,
            }) = exponent;
        }
        rule
    }
}

/// A fitted power law of the best learning rate or batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerFit {
    /// What it depends on.
    pub basis: Basis,
    /// `factor` and the exponents by the names of their variables.
    pub coefficients: Named<Estimate>,
    /// The law with the estimated coefficients.
    pub rule: PowerRule,
    /// Cells it rests on.
    pub cells: usize,
    #[serde(skip)]
    centre: Vec<f64>,
    /// Value at the centre and exponents.
    #[serde(skip)]
    beta: Vec<f64>,
    #[serde(skip)]
    covariance: Vec<Vec<f64>>,
    /// Degrees of freedom of the scatter.
    #[serde(skip)]
    degrees: f64,
    #[serde(skip)]
    level: f64,
}

/// An optimum and what it weighs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimum {
    /// N, D and C of the cell.
    pub scale: Scale,
    /// ln of the best value.
    pub ln_value: f64,
    /// Weight relative to the others: 1/se², or a number of runs.
    pub weight: f64,
}

/// The law through optima; `None` where they cannot tell the exponents apart. Where weights are 1/se², `least` is 1: the
/// law is never better known than its optima; else 0.
pub fn power_fit(basis: Basis, optima: &[Optimum], least: f64, level: f64) -> Option<PowerFit> {
    let total: f64 = optima.iter().map(|one| one.weight).sum();
    let columns: Vec<Vec<f64>> = optima.iter().map(|one| basis.columns(&one.scale)).collect();
    let width = basis.names().len();
    let centre: Vec<f64> =
        (0..width).map(|j| columns.iter().zip(optima).map(|(row, one)| one.weight * row[j]).sum::<f64>() / total).collect();
    let rows: Vec<Vec<f64>> =
        columns.iter().map(|row| std::iter::once(1.0).chain(row.iter().zip(&centre).map(|(z, mean)| z - mean)).collect()).collect();
    let y: Vec<f64> = optima.iter().map(|one| one.ln_value).collect();
    let weight: Vec<f64> = optima.iter().map(|one| one.weight).collect();
    if !distinct(&rows) {
        return None;
    }
    let fit = least_squares(&rows, &y, &weight)?;
    let degrees = optima.len() as f64 - rows[0].len() as f64;
    let scatter = if degrees > 0.0 { fit.residual / degrees } else { 0.0 };
    let s2 = scatter.max(least);
    let covariance: Vec<Vec<f64>> = fit.inverse.iter().map(|row| row.iter().map(|v| s2 * v).collect()).collect();
    Some(PowerFit::new(basis, centre, fit.beta, covariance, degrees, level, optima.len()))
}

/// Whether every column takes values that differ by more than a tenth: sizes of one ladder step are no evidence.
fn distinct(rows: &[Vec<f64>]) -> bool {
    let width = rows.first().map_or(0, Vec::len);
    let spread = |j: usize| {
        let values = rows.iter().map(|row| row[j]);
        values.clone().fold(f64::NEG_INFINITY, f64::max) - values.fold(f64::INFINITY, f64::min)
    };
    (1..width).all(|j| spread(j) > 0.1)
}

impl PowerFit {
    /// From coefficients about a centre and their covariance.
    pub(super) fn new(
        basis: Basis,
        centre: Vec<f64>,
        beta: Vec<f64>,
        covariance: Vec<Vec<f64>>,
        degrees: f64,
        level: f64,
        cells: usize,
    ) -> Self {
        let unset = Named(Vec::new());
        let rule = PowerRule::default();
        let mut fit = Self { basis, coefficients: unset, rule, cells, centre, beta, covariance, degrees, level };
        let origin: Vec<f64> = fit.centre.iter().map(|mean| -mean).collect();
        let mut named = vec![("factor".to_owned(), fit.exp(&origin, level))];
        for (j, name) in basis.names().iter().enumerate() {
            let (value, se) = (fit.beta[j + 1], fit.covariance[j + 1][j + 1].sqrt());
            let width = fit.width(se, level);
            let estimate = Estimate::new(value, se, [value - width, value + width], level, Interval::Delta);
            named.push(((*name).to_owned(), estimate));
        }
        fit.rule = basis.rule(named[0].1.value, &fit.beta[1..]);
        fit.coefficients = Named(named);
        fit
    }

    /// The best value at a place, with the interval of the law.
    pub fn at(&self, scale: &Scale) -> Estimate {
        self.at_level(scale, self.level)
    }

    /// The same with an interval of another level of confidence.
    pub fn at_level(&self, scale: &Scale, level: f64) -> Estimate {
        let offset: Vec<f64> = self.basis.columns(scale).iter().zip(&self.centre).map(|(z, mean)| z - mean).collect();
        self.exp(&offset, level)
    }

    fn exp(&self, offset: &[f64], level: f64) -> Estimate {
        let row: Vec<f64> = std::iter::once(1.0).chain(offset.iter().copied()).collect();
        let ln_value: f64 = row.iter().zip(&self.beta).map(|(x, b)| x * b).sum();
        let se = variance(&row, &self.covariance).max(0.0).sqrt();
        let width = self.width(se, level);
        let value = ln_value.exp();
        Estimate::new(value, value * se, [-width, width].map(|by| (ln_value + by).exp()), level, Interval::Delta)
    }

    /// Half the width of an interval; without end where no degree of freedom is left.
    fn width(&self, se: f64, level: f64) -> f64 {
        let quantile = t_quantile(level, self.degrees);
        if quantile.is_finite() { quantile * se } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    fn optima(noise: f64, seed: u64) -> Vec<Optimum> {
        let mut random = Random::new(seed, "optima");
        let mut all = Vec::new();
        for n in [1e5, 4e5, 1.6e6] {
            for d in [1e7, 1e8] {
                let scale = Scale { n, d, c: 6.0 * n * d };
                let ln_value = PowerRule::of_size_and_tokens(1.79, -0.713, 0.307).at(&scale).ln() + noise * random.normal();
                all.push(Optimum { scale, ln_value, weight: 1.0 });
            }
        }
        all
    }

    #[test]
    fn a_law_without_scatter_is_found_to_rounding() {
        let fit = power_fit(Basis::SizeAndTokens, &optima(0.0, 0), 0.0, 0.95).expect("identified");
        let value = |name: &str| fit.coefficients.get(name).expect("named").value;
        assert!((value("factor") / 1.79 - 1.0).abs() < 1e-9 && (value("N") + 0.713).abs() < 1e-10 && (value("D") - 0.307).abs() < 1e-10);
        let there = Scale { n: 1e9, d: 1e11, c: f64::NAN };
        assert!((fit.at(&there).value / 1.632e-3 - 1.0).abs() < 1e-3 && (fit.rule.at(&there) / fit.at(&there).value - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_vary_has_no_exponent() {
        let one_size: Vec<Optimum> = optima(0.0, 0).into_iter().filter(|one| one.scale.n == 1e5).collect();
        assert!(power_fit(Basis::SizeAndTokens, &one_size, 0.0, 0.95).is_none());
        let fit = power_fit(Basis::Tokens, &one_size, 0.0, 0.95).expect("two lengths");
        assert_eq!(fit.coefficients.get("D").expect("named").high(), f64::INFINITY, "two cells leave no degree of freedom");
    }

    /// 400 simulations know a coverage of 95 % to 1.1 points.
    #[test]
    fn intervals_cover_at_their_level() {
        let truth = PowerRule::of_size_and_tokens(1.79, -0.713, 0.307);
        let there = Scale { n: 1e7, d: 1e9, c: f64::NAN };
        let covers = |estimate: &Estimate, truth: f64| usize::from(estimate.low() <= truth && truth <= estimate.high());
        let (mut exponent, mut value) = (0, 0);
        for seed in 0..400 {
            let fit = power_fit(Basis::SizeAndTokens, &optima(0.2, seed), 0.0, 0.95).expect("identified");
            exponent += covers(fit.coefficients.get("N").expect("named"), -0.713);
            value += covers(&fit.at(&there), truth.at(&there));
        }
        assert!((366..=394).contains(&exponent) && (366..=394).contains(&value), "{exponent} {value} of 400");
    }
}
