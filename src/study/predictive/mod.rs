//! One predictive distribution of losses: several laws, weighted by how each forecast the larger of the user's own runs from the
//! smaller, with the variance between laws and a discrepancy that grows with distance and is learnt from the same record.

mod alone;
mod frontier;
mod mixture;
mod optimum;
mod origins;
mod settings;
mod share;
mod variance;
mod walls;

#[cfg(test)]
mod tests;

pub use alone::Beside;
pub use frontier::Frontier;
pub use mixture::{Member, Mixture, Record};
pub use optimum::Optima;
pub use origins::{Errors, Origin};
pub use settings::Settings;
pub use share::Share;
pub use variance::Predictive;
pub use walls::Walls;

/// Numbers over their sum.
fn normalised(raw: impl Iterator<Item = f64>) -> Vec<f64> {
    let raw: Vec<f64> = raw.collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|weight| weight / total).collect()
}

/// A number of cuts, in words.
fn cuts_in_words(count: usize) -> String {
    if count == 1 { "1 cut".into() } else { format!("{count} cuts") }
}

/// The mean; 0 of nothing.
fn average(values: impl IntoIterator<Item = f64>) -> f64 {
    crate::spec::sample::mean(values).unwrap_or(0.0)
}
