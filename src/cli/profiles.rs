//! Profiles and envelopes of budgets for a person.

use super::text::{counts, number, table};
use crate::fit::{
    Corrected, EnvelopeFit, Estimate, FitError, FittedLaw, Interpolator, IsoflopFit, IsoflopProfile, Named, PowerOfCompute, Vertices,
};
use crate::law::Chinchilla;
use crate::spec::{Flops, short};
use crate::study::{OfBudgets, in_bits_per_byte};

/// An analysis of budgets that was named, or why it was not made.
pub(super) fn of_budgets_text(name: &str, found: &Result<OfBudgets, FitError>, bytes_per_token: Option<f64>) -> String {
    match found {
        Ok(OfBudgets::Profiles(fitted)) => isoflop_text(fitted, None, bytes_per_token),
        Ok(OfBudgets::Envelope(fitted)) => envelope_text(fitted),
        Err(error) => format!("\n{name} is not fitted: {error}\n"),
    }
}

/// The minimum of the only budget.
pub(super) fn lone_budget_text(profile: &IsoflopProfile) -> String {
    format!("\nthe minimum of the only budget, by a parabola in ln N\n  {}\n", lone_minimum(profile))
}

/// The same in a line.
pub(super) fn lone_minimum(profile: &IsoflopProfile) -> String {
    let (params, tokens) = (&profile.params, &profile.tokens);
    format!(
        "{} FLOPs: N* = {} {}, D* = {} {}, loss {}, from {} runs",
        Flops(profile.compute),
        short(params.value),
        counts(params),
        short(tokens.value),
        counts(tokens),
        number(profile.loss),
        profile.points
    )
}

/// The optimum of each budget, raw and corrected for the bias of a parabola on the fitted surface, what was dropped and
/// why, and the powers through the optima.
pub(super) fn isoflop_text(fitted: &IsoflopFit, law: Option<&Chinchilla>, bytes_per_token: Option<f64>) -> String {
    let parabola = fitted.interpolator == Interpolator::Parabola;
    let name = if parabola { "parabolas" } else { "Akima splines" };
    let mut text = format!("\nIsoFLOP {name} in ln N; {}\n", fitted.status);
    let corrected = law.filter(|_| parabola).map(|law| fitted.corrected(law));
    let row = |(at, profile): (usize, &IsoflopProfile)| {
        let mut row = vec![
            Flops(profile.compute).to_string(),
            profile.points.to_string(),
            short(profile.params.value),
            counts(&profile.params),
            short(profile.tokens.value),
            number(profile.loss),
        ];
        let params = |corrected: &Corrected| corrected.params.get(at).copied().flatten();
        row.extend(corrected.as_ref().map(|corrected| params(corrected).map_or("—".into(), short)));
        row
    };
    let level = format!("{:.0} %", 100.0 * fitted.params.level);
    let mut header = vec!["C, FLOPs", "runs", "N*", &level, "D*", fitted.loss_unit.heading()];
    header.extend(corrected.as_ref().map(|_| "N* corrected"));
    text += &table(&header, &fitted.profiles.iter().enumerate().map(row).collect::<Vec<_>>());
    for dropped in &fitted.dropped {
        text += &format!("  dropped: C = {} ({} runs): {}\n", Flops(dropped.compute), dropped.points, dropped.reason);
    }
    let exponent = |name: &str, power: &PowerOfCompute| format!("  {name} = {} C^{}\n", number(power.factor.value), power.exponent);
    text += &exponent("N*", &fitted.params);
    text += &exponent("D*", &fitted.tokens);
    text += &fitted.weights_matter().map_or(String::new(), |other| weights_text(fitted.vertices, &other));
    if let Some(exponent) = corrected.and_then(|corrected| corrected.exponent) {
        text += &format!("  corrected for what a parabola errs by on the fitted surface, with these sizes: a = {exponent}\n");
    }
    if fitted.profiles.len() >= LEAST_MINIMA {
        text += &fitted.loss_of_compute(fitted.params.level).map_or(String::new(), |law| loss_text(&law, bytes_per_token));
    }
    text += &format!("  the centre of the sizes moves from the optimum as C^{:+.3}\n", fitted.centre_drift);
    fitted.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}

/// That the weights of the optima decide, where they do.
fn weights_text(vertices: Vertices, other: &Estimate) -> String {
    let render = |vertices| if vertices == Vertices::Even { "weighed alike" } else { "weighed by 1/se^2" };
    format!(
        "  the optima are {}; {} (--vertices {}) they give a = {other}, another by more than a standard error: look at the budgets that lie off the line\n",
        render(vertices),
        render(vertices.other()),
        vertices.other().name()
    )
}

/// Minima from which a law of three coefficients says more than it was told.
const LEAST_MINIMA: usize = 5;

/// L*(C) in a line, and in bits per byte where the bytes of a token are known.
fn loss_text(fitted: &FittedLaw, bytes_per_token: Option<f64>) -> String {
    let line = |head: &str, of: &Named<Estimate>| {
        let cell = |name: &str| of.get(name).map_or(String::new(), |e| e.to_string());
        format!("  {head}E {}, A {}, alpha {}\n", cell("E"), cell("A"), cell("alpha"))
    };
    let bits = bytes_per_token.map(|bytes| line("in bits per byte: ", &in_bits_per_byte(fitted, bytes)));
    line("L* = E + A/C^alpha: ", &fitted.coefficients) + &bits.unwrap_or_default()
}

fn envelope_text(fitted: &EnvelopeFit) -> String {
    let [low, high] = fitted.compute.map(Flops);
    let mut text = format!("\nenvelope of {} curves, {} places from {low} to {high} FLOPs\n", fitted.curves, fitted.places);
    for (name, exponent, factor) in [("N*", "a", "N_factor"), ("D*", "b", "D_factor")] {
        if let (Some(exponent), Some(factor)) = (fitted.coefficients.get(exponent), fitted.coefficients.get(factor)) {
            text += &format!("  {name} = {} C^{exponent}\n", number(factor.value));
        }
    }
    fitted.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}
