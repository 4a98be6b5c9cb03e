//! Points of a sum of powers, column by column.
//!
//! A law Σ wₖ·xₖ^(−sₖ) is Σ exp(tₖ) with tₖ = cₖ − sₖ·zₖ, where zₖ is ln xₖ centred and scaled to unit
//! spread over the points: so the search does not depend on units and the Hessian is well conditioned.

use super::Phi;
use crate::law::{Centre, Coefficient, Kind, Point};

/// Most terms with an exponent; a sum of more is summed point by point.
pub(super) const MAX_POWERS: usize = 3;
/// Points laid out together: as many as four registers of eight hold, so that no loop over them has a remainder.
pub(super) const GROUP: usize = 32;
/// One number for each point of a group.
pub(super) type Group = [f64; GROUP];

/// Points laid out by column in groups; padding has weight zero. Coordinates are those of the floor, where there is one, of
/// the factors and of their exponents, in this order.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Whether the first term is a constant.
    pub(super) floor: bool,
    /// Number of points, padding not counted.
    len: usize,
    pub(super) z: Vec<Vec<Group>>,
    pub(super) ln_loss: Vec<Group>,
    pub(super) loss: Vec<Group>,
    pub(super) weight: Vec<Group>,
}

impl Columns {
    /// Lays out points, every one of which carries the variables.
    pub(super) fn new(coefficients: &[Coefficient], centre: &Centre, points: &[Point]) -> Self {
        let floor = coefficients[0].kind == Kind::Floor;
        let powers =
            || coefficients.iter().filter_map(|one| if let Kind::Factor { of, exponent } = one.kind { Some((of, exponent)) } else { None });
        let first = usize::from(floor) + powers().count();
        assert!(powers().enumerate().all(|(k, (_, exponent))| exponent == first + k), "exponents stand in the order of their factors");
        let scaled = |(of, _)| {
            let (mean, spread) = (centre.mean(of), centre.spread(of));
            columns(points.iter().map(|p| (of.of(p).map_or(f64::NAN, f64::ln) - mean) / spread), 0.0)
        };
        Self {
            floor,
            len: points.len(),
            z: powers().map(scaled).collect(),
            ln_loss: columns(points.iter().map(|p| p.loss.ln()), 0.0),
            loss: columns(points.iter().map(|p| p.loss), 1.0),
            weight: columns(points.iter().map(|p| p.weight), 0.0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The points of some indices with other weights.
    pub(super) fn gathered(&self, kept: &[(usize, f64)]) -> Self {
        let pick = |column: &[Group], padding| columns(kept.iter().map(|(at, _)| column[at / GROUP][at % GROUP]), padding);
        Self {
            floor: self.floor,
            len: kept.len(),
            z: self.z.iter().map(|column| pick(column, 0.0)).collect(),
            ln_loss: pick(&self.ln_loss, 0.0),
            loss: pick(&self.loss, 1.0),
            weight: columns(kept.iter().map(|(_, weight)| *weight), 0.0),
        }
    }

    pub(super) fn with_ln_losses(&self, ln_losses: &[f64]) -> Self {
        let ln_loss = columns(ln_losses.iter().copied(), 0.0);
        Self { ln_loss, loss: columns(ln_losses.iter().map(|ln| ln.exp()), 1.0), ..self.clone() }
    }

    pub(super) fn observed(&self) -> Vec<(f64, f64)> {
        self.ln_loss.iter().flatten().copied().zip(self.weight.iter().flatten().copied()).take(self.len).collect()
    }

    /// Number of terms.
    fn terms(&self) -> usize {
        usize::from(self.floor) + self.powers()
    }

    /// Number of terms with an exponent.
    pub(super) fn powers(&self) -> usize {
        self.z.len()
    }

    /// Number of coordinates.
    pub(super) fn dim(&self) -> usize {
        self.terms() + self.powers()
    }

    fn terms_at(&self, phi: &[f64], at: usize) -> Vec<f64> {
        let floors = usize::from(self.floor);
        let power = |k: usize| (phi[floors + k] - phi[self.terms() + k] * self.z[k][at / GROUP][at % GROUP]).exp();
        self.floor.then(|| phi[0].exp()).into_iter().chain((0..self.powers()).map(power)).collect()
    }

    pub(super) fn ln_predictions(&self, phi: &[f64]) -> Vec<f64> {
        (0..self.len).map(|at| self.terms_at(phi, at).iter().sum::<f64>().ln()).collect()
    }

    pub(super) fn jacobian(&self, phi: &[f64]) -> Vec<Phi> {
        let floors = usize::from(self.floor);
        let row = |at: usize| {
            let parts = self.terms_at(phi, at);
            let total: f64 = parts.iter().sum();
            let mut row: Phi = parts.iter().map(|part| part / total).collect();
            row.extend((0..self.powers()).map(|k| -(parts[floors + k] / total) * self.z[k][at / GROUP][at % GROUP]));
            row
        };
        (0..self.len).map(row).collect()
    }
}

fn columns(values: impl Iterator<Item = f64>, padding: f64) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut filled = GROUP;
    for value in values {
        if filled == GROUP {
            groups.push([padding; GROUP]);
            filled = 0;
        }
        if let Some(last) = groups.last_mut() {
            last[filled] = value;
        }
        filled += 1;
    }
    groups
}
