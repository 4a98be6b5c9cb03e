//! What the laws say: formulas with named coefficients, evaluated at points (N, D, C, L).
//! Pure arithmetic on `f64`; units are weights, tokens, FLOPs and nats per token throughout.

mod any;
mod called;
mod chinchilla;
mod compute;
mod curves;
mod declared;
mod departure;
mod dual;
mod envelope;
mod evidence;
mod formula;
mod formulas;
mod frontier;
mod isoflop;
mod lanes;
mod number;
mod per_byte;
mod published;
mod recipe;
mod replicates;
mod root;
mod seen;
mod simulate;
mod spelt;
mod steps;
mod trials;
mod tuned;
mod value;
pub(crate) mod vector;
mod written;

pub use any::{AnyFormula, Jet};
pub use called::{Called, Losses, Slopes};
pub use chinchilla::Chinchilla;
pub use compute::ComputeCount;
pub use curves::{
    CURVE_LAWS, CurveFormula, CurveLoss, CurveUnits, Drop, Functional, LEVELS, MOST, MULTI_POWER_PUBLISHED, MultiPower, Piece, Rates,
    Reading, Stretch, Tissue, Track, curve_law,
};
pub use declared::Declared;
pub use departure::{Departure, FarseerMoved};
pub use dual::Dual;
pub use envelope::{LossCurve, Lowest, envelope};
pub use evidence::{Curve, CurveStep, Evidence, Exclusion, Point, points, shape_of};
pub use formula::{Believed, Centre, Coefficient, Formula, Kind, Place, Prior, Source};
pub use formulas::{
    Additive, AdditiveMixture, Axis, Broken, Clark, DataConstrained, Farseer, FarseerScaled, FineTuning, Forgetting, Gamma, JointMixture,
    Kaplan, Mixture, OverTraining, PowerLaw, Precision, Rectified, ThreeTerm, Vocabulary, WidthDepth, families, formula, formulas,
    repeated,
};
pub use isoflop::{Parabola, vertex_bias};
pub use lanes::{Block, Lanes, Scalar};
pub(crate) use lanes::{LANES, laid};
pub use number::Number;
pub use per_byte::{in_bits_per_byte, tokenizers};
pub use published::{PUBLISHED, PublishedLaw, published};
pub use recipe::{FRONTIERS, PowerRule, PublishedFrontier, PublishedRecipe, RECIPES, Scale, published_frontier, published_recipe};
pub use replicates::{blocks_of, replicates};
pub use simulate::{Cell, Design, Noise, Sharing, Tails, simulate, simulate_with};
pub use steps::Step;
pub use trials::{RecipeTrials, Trial, recipe_trials};
pub use tuned::{Tuned, TunedCell, tuned};
pub use value::Law;
pub use written::Written;

use crate::spec::{Covariate, SHARE, covariate};

/// A quantity of a point that a power may be taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// N, parameters.
    N,
    /// D, tokens.
    D,
    /// C, FLOPs.
    C,
    /// Batch, tokens per step.
    Batch,
    /// Optimizer steps.
    Steps,
    /// U, distinct tokens.
    Unique,
    /// A covariate above 0 by its name.
    Named(&'static str),
    /// The share that a part of the data has in training, 0 to 1, by the name of its column.
    Share(&'static str),
    /// A covariate above 0 that a formula knows and takes no power of: it may stand still, or move with others.
    Given(&'static str),
}

impl Variable {
    /// Its value at a point; `None` where the point does not carry it.
    pub fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::N => Some(point.n),
            Self::D => Some(point.d),
            Self::C => Some(point.c),
            Self::Batch => point.batch,
            Self::Steps => point.steps,
            Self::Unique => point.unique_tokens,
            Self::Named(name) | Self::Share(name) | Self::Given(name) => {
                point.covariates.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            }
        }
    }

    /// Where a point stands along it: its logarithm, of a share itself; NaN where the point does not carry it.
    pub fn place(self, point: &Point) -> f64 {
        let value = self.of(point);
        if let Self::Share(_) = self { value.unwrap_or(f64::NAN) } else { value.map_or(f64::NAN, f64::ln) }
    }

    /// What columns hold it, in words.
    pub fn columns(self) -> String {
        match self {
            Self::N => "`params`".to_owned(),
            Self::D => "`tokens`".to_owned(),
            Self::C => "`flops`, else 6 N D".to_owned(),
            Self::Batch => "`batch_tokens`".to_owned(),
            Self::Steps => "`steps`".to_owned(),
            Self::Unique => "`unique_tokens`".to_owned(),
            Self::Named(name) | Self::Given(name) => covariate(name).map_or_else(|| format!("`{name}`"), Covariate::columns),
            Self::Share(name) => match covariate(name) {
                Some(known) => format!("{}, 0 to 1", known.columns()),
                None => format!("`{SHARE}NAME`, one for each part of the data"),
            },
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::N => "N",
            Self::D => "D",
            Self::C => "C",
            Self::Batch => "batch",
            Self::Steps => "steps",
            Self::Unique => "unique tokens",
            Self::Named(name) | Self::Share(name) | Self::Given(name) => name,
        }
    }
}

/// The derivatives of a law against central differences: of the loss by its coefficients, of ln L by the coordinates of a
/// search, once and twice; and coordinates against their inverse.
#[cfg(test)]
pub(crate) fn assert_derivatives(law: &Law, point: &Point) {
    let name = law.name();
    let close = |found: f64, expected: f64, allowed: f64, what: &str| {
        assert!((found - expected).abs() <= allowed, "{name} {what}: {found} {expected}");
    };
    let (theta, gradient) = (law.theta().to_vec(), law.gradient(point));
    for j in 0..theta.len() {
        let step = 3e-4 * theta[j].abs();
        let moved = |by: f64| {
            let mut moved = theta.clone();
            moved[j] += by;
            law.with_theta(&moved).loss(point)
        };
        // Five points: a step long enough that the rounding of a loss far above this term does not drown it.
        let difference = (8.0 * (moved(step) - moved(-step)) - (moved(2.0 * step) - moved(-2.0 * step))) / (12.0 * step);
        // A power rounds its base, and the exponent multiplies that: some tens of units in the last place of the loss.
        close(gradient[j], difference, 1e-6 * gradient[j].abs() + 1e-14 * law.loss(point) / step, &format!("gradient {j}"));
    }
    let form = law.formula();
    let away = Point { weight: 1.0, n: 2.0 * point.n, d: 0.3 * point.d, c: 0.6 * point.c, ..point.clone() };
    let centre = Centre::of(&[point.clone(), away], form.variables());
    let x = form.coordinates_of(&theta, &centre);
    let back = form.coefficients_at(&x, &centre);
    theta.iter().zip(&back).for_each(|(a, b)| close(b / a, 1.0, 1e-9, "coordinates"));
    let free: Vec<usize> = (0..x.len()).collect();
    let jet = |x: &[f64]| {
        let mut found = None;
        form.jets(x, &free, &centre, &Block::of(std::slice::from_ref(point)), true, &mut |_, jet| found = Some(jet.clone()));
        found.expect("one point, one jet")
    };
    let here = jet(&x);
    close(here.value.0[0], law.loss(point).ln(), 1e-12, "ln L");
    for j in 0..x.len() {
        let moved = |by: f64| {
            let mut moved = x.clone();
            moved[j] += by;
            jet(&moved)
        };
        // Four points: in coordinates of a small spread a law bends more than the error of two allows.
        let (up, down, far_up, far_down) = (moved(1e-5), moved(-1e-5), moved(2e-5), moved(-2e-5));
        let along = |of: &dyn Fn(&Jet) -> f64| (8.0 * (of(&up) - of(&down)) - (of(&far_up) - of(&far_down))) / 12e-5;
        let slope = along(&|jet| jet.value.0[0]);
        close(here.gradient[j].0[0], slope, 1e-8 * (1.0 + slope.abs()), &format!("slope {j}"));
        for k in 0..=j {
            let bend = along(&|jet| jet.gradient[k].0[0]);
            close(here.hessian[j * (j + 1) / 2 + k].0[0], bend, 1e-7 * (1.0 + bend.abs()), &format!("curvature {j} {k}"));
        }
    }
}
