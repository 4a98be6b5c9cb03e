//! How far laws of learning rate and batch go wrong on cells of more compute than those that they were fitted to.

use super::{Cells, Maker, PowerFit};
use crate::fit::{Drift, Estimate};
use crate::spec::sample::mean;
use serde::Serialize;

/// Errors of ln η* and of ln B* that are expected for each factor e of compute: by so much do the exponents of compute of published
/// laws differ, along N and D that grow alike ([`crate::law::RECIPES`]).
pub(super) const EXPECTED: [f64; 2] = [0.08, 0.05];
/// Fewest cells below a cut: two determine any power, and say nothing of how well.
const LEAST_CELLS: usize = 3;

/// What a law of one setting was held against beyond the cells that it was fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ahead {
    /// How far it goes wrong.
    pub drift: Drift,
    /// Larger cells that it was held against, over all cuts.
    pub checked: usize,
    /// Compute of the largest cell, FLOPs: forecasts are as far as they lie beyond it.
    pub largest: f64,
}

impl Ahead {
    /// An optimum at a compute, with its error by how far that lies beyond the cells.
    pub(super) fn widened(&self, optimum: Estimate, compute: f64) -> Estimate {
        optimum.widened_in_logarithms(self.drift.per_e * (compute / self.largest).ln().max(0.0), self.drift.degrees)
    }
}

/// What was forecast of a cell and found there: ln f, the difference of logarithms, and its variances by the law and by the cell.
struct Found {
    ln_factor: f64,
    error: f64,
    by_law: f64,
    by_cell: f64,
}

impl Cells<'_> {
    /// The record of a law of learning rate (0) or batch (1) on cells larger than those below each cut.
    pub(super) fn ahead(&self, maker: Maker, axis: usize) -> Ahead {
        let largest = self.largest();
        let mut seen = Vec::new();
        let mut moved = Vec::new();
        let mut checked = 0;
        for part in Drift::CUTS {
            let below = self.kept(|compute| compute <= 1.02 * largest / part);
            let inside = below.responses.iter().filter(|one| one.is_inside()).count();
            if inside < LEAST_CELLS || seen.contains(&below.responses.len()) {
                continue;
            }
            seen.push(below.responses.len());
            let (rate, batch) = maker.fit(&below);
            let found = [rate, batch][axis].as_ref().map_or_else(Vec::new, |law| self.found(law, axis, below.largest()));
            checked += found.len();
            moved.extend(square_per_e(&found));
        }
        Ahead { drift: Drift::learnt(EXPECTED[axis], Drift::WORTH, &moved), checked, largest }
    }

    /// Compute of the largest cell, FLOPs.
    fn largest(&self) -> f64 {
        self.responses.iter().map(|one| one.scale.c).fold(0.0, f64::max)
    }

    /// Cells beyond a compute whose optimum is known, beside what a law says of them.
    fn found(&self, law: &PowerFit, axis: usize, largest: f64) -> Vec<Found> {
        let of = |response: &&super::Response| {
            let optimum = [response.learning_rate, response.batch][axis].filter(|_| response.is_inside())?;
            let said = law.at(&response.scale);
            let relative = |one: &Estimate| Some((one.se()? / one.value).powi(2)).filter(|square| square.is_finite());
            let error = (said.value / optimum.value).ln();
            Some(Found { ln_factor: (response.scale.c / largest).ln(), error, by_law: relative(&said)?, by_cell: relative(&optimum)? })
        };
        self.responses.iter().copied().filter(|one| one.scale.c > 1.02 * largest).filter_map(|one| of(&one)).collect()
    }
}

/// The square of the mean error beyond what law and cells explain, for each factor e; `None` where there is no cell.
fn square_per_e(found: &[Found]) -> Option<f64> {
    let of = |part: fn(&Found) -> f64| mean(found.iter().map(part));
    // The law moves all of them together, cells each by themselves.
    let sampling = of(|one| one.by_law)? + of(|one| one.by_cell)? / found.len() as f64;
    Some(Drift::square_per_e(of(|one| one.error)?, sampling, of(|one| one.ln_factor)?))
}
