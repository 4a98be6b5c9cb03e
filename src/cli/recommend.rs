//! `scalelab recommend`: what to train for a compute budget.

use super::analysis::{Analysis, Asked, analyse};
use super::failure::{Failure, OrWork, Outcome};
use super::fit::{interval, number};
use super::text::table;
use crate::fit::Estimate;
use crate::law::Chinchilla;
use crate::recommend::{Allocation, allocate};
use crate::spec::{Flops, short};
use anyhow::anyhow;
use clap::Args;

#[derive(Args)]
#[command(after_help = "Examples:\n  scalelab recommend --compute 1e15\n  scalelab recommend runs.csv --compute 1e22,1e24 --json")]
pub(super) struct RecommendArgs {
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn run(args: &RecommendArgs) -> Outcome {
    let Asked { source, choices, compute, json } = &args.asked;
    let source = source.read()?;
    let analysis = analyse(&source, choices, &[])?.with_a_law()?;
    let recommendations = advise(&analysis, compute)?;
    if recommendations.is_empty() {
        let why = analysis.notes.join("; ");
        return Err(Failure::Input(anyhow!("no law of N and D can be fitted, so no allocation can be recommended: {why}")));
    }
    if *json {
        println!("{}", serde_json::to_string_pretty(&recommendations).or_work()?);
    } else {
        print!("{}", recommendation_rows(&recommendations));
    }
    Ok(())
}

/// Multiples of the largest run that are recommended for unless budgets are asked for.
const DEFAULT_MULTIPLES: [f64; 3] = [3.0, 10.0, 100.0];

/// Whether loss falls with both N and D; else no budget has an optimum.
pub(super) fn falls(law: &Chinchilla) -> bool {
    law.a > 0.0 && law.b > 0.0 && law.alpha > 0.0 && law.beta > 0.0
}

/// A recommendation for every budget, where a law of N and D was fitted.
pub(super) fn advise(analysis: &Analysis, compute: &[Flops]) -> Result<Vec<Allocation>, Failure> {
    let Some(fitted) = analysis.chinchilla.as_ref().filter(|fitted| falls(&fitted.law)) else {
        return Ok(Vec::new());
    };
    let largest = analysis.evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    let defaults = DEFAULT_MULTIPLES.map(|multiple| Flops(multiple * largest));
    let budgets = if compute.is_empty() { &defaults[..] } else { compute };
    Ok(budgets.iter().map(|&budget| allocate(fitted, &analysis.evidence, &analysis.records, budget)).collect())
}

/// Recommendations for a person.
pub(super) fn recommendation_rows(recommendations: &[Allocation]) -> String {
    let Some(first) = recommendations.first() else {
        return String::new();
    };
    let level = 100.0 * first.params.level;
    let mut text = format!("\nwhat to train (N counted as {}; {level:.0} % intervals)\n", first.size_measure);
    let header = ["C, FLOPs", "N*", "", "D*", "", "D/N", "loss, nats", "mean", "one run", "x largest run"];
    let row = |r: &Allocation| {
        vec![
            Flops(r.compute).to_string(),
            short(r.params.value),
            counts(&r.params),
            short(r.tokens.value),
            counts(&r.tokens),
            short(r.tokens_per_param.value),
            number(r.loss.value),
            interval(&r.loss),
            interval(&r.loss_of_a_run),
            short(r.extrapolation_factor),
        ]
    };
    text += &table(&header, &recommendations.iter().map(row).collect::<Vec<_>>());
    recommendations.iter().for_each(|r| text += &details(r));
    text += &format!("  noise of one run: {}\n", first.noise_source);
    text += &warnings(recommendations);
    let evidence = &first.evidence;
    let span = |[low, high]: [f64; 2]| format!("{} to {}", short(low), short(high));
    let [low, high] = evidence.compute;
    text + &format!("  evidence: {low:.2e} to {high:.2e} FLOPs, N {}, D {}\n", span(evidence.params), span(evidence.tokens))
}

/// The network that can be built, and its recipe.
fn details(r: &Allocation) -> String {
    let mut text = String::new();
    if let Some(built) = &r.realised {
        let steps = r.steps.map_or(String::new(), |steps| format!(", {steps} steps"));
        text += &format!(
            "  at {}: {} ({} heads, ffn {}; N = {}) on {} tokens{steps}: loss {} ({:+.4} nats for what can be built)\n",
            Flops(r.compute),
            built.shape,
            built.shape.heads,
            built.shape.ffn,
            short(built.params),
            short(built.tokens),
            number(built.loss),
            built.rounding_loss,
        );
    }
    if let (Some(rate), Some(batch), Some(source)) = (&r.learning_rate, &r.batch_tokens, &r.hyperparameter_source) {
        text += &format!(
            "    learning rate {}, batch {} tokens: {source}\n",
            ranged(rate, |rate| rate.to_string()),
            ranged(batch, |tokens| format!("{tokens:.0}"))
        );
    }
    text
}

/// Each warning once, with the budgets that it is about.
fn warnings(recommendations: &[Allocation]) -> String {
    let mut said: Vec<(&String, Vec<String>)> = Vec::new();
    for r in recommendations {
        for warning in &r.warnings {
            let budget = Flops(r.compute).to_string();
            match said.iter_mut().find(|(text, _)| *text == warning) {
                Some((_, budgets)) => budgets.push(budget),
                None => said.push((warning, vec![budget])),
            }
        }
    }
    said.iter().map(|(text, budgets)| format!("  warning at C = {}: {text}\n", budgets.join(", "))).collect()
}

/// A value with the range that was seen.
fn ranged(seen: &Estimate, show: fn(f64) -> String) -> String {
    if seen.low == seen.high { show(seen.value) } else { format!("{} ({} to {})", show(seen.value), show(seen.low), show(seen.high)) }
}

fn counts(estimate: &Estimate) -> String {
    let end = |value: f64| if value.is_finite() { short(value) } else { "unbounded".into() };
    format!("[{}, {}]", end(estimate.low), end(estimate.high))
}
