//! What a search did, kept with the fit.

use super::Named;

/// The evidence that a minimum is the minimum.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Diagnostics {
    /// Objective reached by variable projection.
    pub varpro_objective: Option<f64>,
    /// Objective reached by multi-start L-BFGS.
    pub lbfgs_objective: Option<f64>,
    /// |difference| of the two over the smaller.
    pub agreement: Option<f64>,
    /// Objective reached by L-BFGS alone, without the polish, from a few of the starts; absent where the objective is not
    /// smooth.
    pub lbfgs_alone_objective: Option<f64>,
    /// Largest slope of the objective at the minimum over the objective, in centred, scaled coordinates; absent where it is
    /// not smooth.
    pub relative_gradient: Option<f64>,
    /// Newton decrement ½·gᵀH⁻¹g over the objective at the minimum: what a further step could still gain.
    pub relative_decrement: f64,
    /// Condition number of the Hessian in centred, scaled coordinates.
    pub condition_number: f64,
    /// Starts of L-BFGS.
    pub starts: usize,
    /// Starts that ended within 1e-6 of the minimum.
    pub starts_at_minimum: usize,
    /// Distinct ends, best first.
    pub basins: Vec<Basin>,
    /// Why starts ended, with their number.
    pub ends: Named<usize>,
    /// Refits asked for.
    pub refits: usize,
    /// Refits without a usable end.
    pub failed_refits: usize,
    /// Independent groups of runs (clusters, or runs).
    pub clusters: usize,
    /// Root mean square of ln L − ln prediction.
    pub residual_rms: f64,
    /// Largest |ln L − ln prediction|.
    pub residual_max: f64,
}

/// One distinct end of a search.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Basin {
    /// Objective at that minimum.
    pub objective: f64,
    /// Coefficients there, in the order of the law.
    pub theta: Vec<f64>,
    /// How many starts ended there.
    pub starts: usize,
    /// Loss that it forecasts at ten times the compute of the largest run, N and D each √10 times as large; nats per token.
    pub forecast: f64,
}

/// How one start of a multi-start search ended.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StartEnd {
    /// Coefficients it started from.
    pub start: Vec<f64>,
    /// Coefficients it ended at.
    pub theta: Vec<f64>,
    /// Objective at that minimum.
    pub objective: f64,
    /// Why it stopped.
    pub reason: String,
    /// Iterations of L-BFGS.
    pub iterations: u64,
}
