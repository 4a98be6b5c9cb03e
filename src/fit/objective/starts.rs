//! Where a search begins: the coordinates that it scans, and the starts of L-BFGS.

use super::{Data, Objective, Phi, Scan};
use crate::law::Kind;

/// Exponents of a fine scan of a sum of powers, a factor 1.5 apart, and of a coarse one.
const FINE: [f64; 11] = [0.03, 0.05, 0.075, 0.11, 0.17, 0.25, 0.38, 0.57, 0.86, 1.3, 2.0];
const COARSE: [f64; 4] = [0.1, 0.3, 0.6, 1.2];
/// Stride of the values of a fine scan that a coarse one keeps.
const COARSE_STEP: usize = 3;
/// Most starts of a law that is no sum of powers: each costs its own derivatives at every point.
const MOST: usize = 1500;

impl Objective {
    /// Coordinates that a scan tries for each coefficient that is no factor.
    pub(crate) fn scanned(&self, scan: Scan) -> Vec<Vec<f64>> {
        match (&self.data, scan) {
            (Data::Columns(_), Scan::Fine) => self.exponents(&FINE),
            (Data::Columns(_), Scan::Coarse) => self.exponents(&COARSE),
            (Data::Blocks(_), Scan::Fine) => self.form.scanned(&self.centre),
            (Data::Blocks(_), Scan::Coarse) => {
                let every = |values: Vec<f64>| values.into_iter().skip(COARSE_STEP / 2).step_by(COARSE_STEP).collect();
                self.form.scanned(&self.centre).into_iter().map(every).collect()
            }
        }
    }

    fn exponents(&self, values: &[f64]) -> Vec<Vec<f64>> {
        let scale = |j| values.iter().map(|exponent| exponent * self.exponent_scale(j)).collect();
        (self.factors()..self.dim()).map(scale).collect()
    }

    /// Factors that share the loss evenly in the middle of the data, the rest 0.
    pub(crate) fn initial_factors(&self) -> Phi {
        let mut phi = Phi::from_elem(0.0, self.dim());
        let factors = self.factors();
        phi[..factors].fill(self.mean_ln_loss() - (factors as f64).ln());
        phi
    }

    /// Coefficients that L-BFGS starts from.
    pub(crate) fn starts(&self) -> Vec<Vec<f64>> {
        match &self.data {
            Data::Columns(_) => self.starts_of_powers(),
            Data::Blocks(_) => self.starts_of_scan(),
        }
    }

    /// All combinations of ln factor 0, 5, …, 25, ln floor −1, …, 1 and exponent 0, 0.5, …, 2 (Hoffmann 2203.15556
    /// app. D.3); with more than two powers every other value, without the largest exponents.
    fn starts_of_powers(&self) -> Vec<Vec<f64>> {
        let kinds = self.form.coefficients();
        let powers = kinds.iter().filter(|one| matches!(one.kind, Kind::Factor { .. })).count();
        let (factors, exponents): (&[f64], &[f64]) = match powers {
            0..=2 => (&[0.0, 5.0, 10.0, 15.0, 20.0, 25.0], &[0.0, 0.5, 1.0, 1.5, 2.0]),
            _ => (&[0.0, 10.0, 20.0], &[0.0, 0.5, 1.0]),
        };
        let mut grid = vec![vec![0.0; self.dim()]];
        for (factor, coefficient) in kinds.iter().enumerate().filter(|(_, one)| one.is_factor()) {
            let exponent = if let Kind::Factor { exponent, .. } = coefficient.kind { Some(exponent) } else { None };
            let (ln_factors, powers): (&[f64], &[f64]) =
                if exponent.is_some() { (factors, exponents) } else { (&[-1.0, -0.5, 0.0, 0.5, 1.0], &[0.0]) };
            grid = grid
                .iter()
                .flat_map(|start| ln_factors.iter().flat_map(move |f| powers.iter().map(move |s| (start.clone(), *f, *s))))
                .map(|(mut start, ln_factor, power)| {
                    start[factor] = ln_factor.exp();
                    if let Some(exponent) = exponent {
                        start[exponent] = power;
                    }
                    start
                })
                .collect();
        }
        grid
    }

    /// Every second value of the scan, each with factors at even shares and a third and three times as large; of more than
    /// [`MOST`] combinations so many, spread over all.
    fn starts_of_scan(&self) -> Vec<Vec<f64>> {
        let shares = self.initial_factors();
        let factors = (0..self.factors()).map(|j| [-1.1, 0.0, 1.1].map(|by| shares[j] + by).to_vec());
        let others = self.form.scanned(&self.centre).into_iter().map(|values| values.into_iter().step_by(2).collect());
        let axes: Vec<Vec<f64>> = factors.chain(others).collect();
        combinations(&axes, MOST).iter().map(|phi| self.to_theta(phi)).collect()
    }

    /// A start that a search by gradients can leave. A term far below the loss at the centre of the data has next to no
    /// gradient, and no search by gradients can bring it back; its distance below 1 % of the loss is replaced by a logarithm of
    /// itself, so that starts stay distinct.
    pub(crate) fn lift_vanished_terms(&self, mut phi: Phi) -> Phi {
        let least = self.mean_ln_loss() + 0.01f64.ln();
        let factors = self.factors();
        for factor in phi[..factors].iter_mut().filter(|factor| **factor < least) {
            *factor = least - 0.5 * (1.0 + least - *factor).ln();
        }
        phi
    }
}

/// All combinations of one value an axis, the first axis slowest; of more than `most` so many at steps of the golden section
/// of their number, which leaves no axis behind.
pub(crate) fn combinations(axes: &[Vec<f64>], most: usize) -> Vec<Phi> {
    let all = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.len())).unwrap_or(usize::MAX);
    let number = |at: usize| {
        if all <= most {
            return at;
        }
        let golden = 0.618_033_988_749_894_9 * (at as f64 + 0.5);
        ((golden - golden.floor()) * all as f64) as usize
    };
    let combination = |mut rest: usize| {
        let mut phi: Phi = axes
            .iter()
            .rev()
            .map(|axis| {
                let value = axis[rest % axis.len()];
                rest /= axis.len();
                value
            })
            .collect();
        phi.reverse();
        phi
    };
    (0..all.min(most)).map(|at| combination(number(at))).collect()
}
