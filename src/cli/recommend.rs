//! `scalelab recommend`: what to train for a compute budget.

use super::analysis::{Asked, asked_study};
use super::failure::{Failure, OrWork, Outcome};
use super::numbers;
use super::serving::serving_pieces;
use super::summary::{advice_line, answer, why_not};
use super::text::{Piece, counts, duration, markdown, number, plain, rate_text, tokens_per};
use super::voice::is_quiet;
use crate::fit::{Estimate, Fit};
use crate::law::{ComputeCount, FRONTIERS, Law, PUBLISHED, RECIPES, published, published_frontier, published_recipe};
use crate::recommend::{
    Allocation, Alternative, Cost, Fixed, Hardware, Preset, Service, Serving, Template, TrainingRecipe, advise, alternatives, cost,
    from_published, lowest_short_of, serving, unanswerable,
};
use crate::spec::{Flops, Params, Tokens, short};
use crate::study::Study;
use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab recommend --compute 1e15\n  scalelab recommend runs.csv --compute 1e22,1e24 --json\n  scalelab recommend --published deepseek --compute 1e21 --hardware h100x8",
    after_long_help = "Examples:\n  scalelab recommend --compute 1e15\n  scalelab recommend runs.csv --compute 1e22,1e24 --json\n  scalelab recommend --published deepseek --compute 1e21 --hardware h100x8 --price 2.5\n  scalelab recommend results/grid --compute 1e13 --tokens-per-param 20 --markdown\n  scalelab recommend results/grid --compute 1e13 --target-loss 1.4\n  scalelab recommend results/grid --compute 1e13 --serve-tokens 1e12"
)]
pub(super) struct RecommendArgs {
    #[arg(
        long, value_name = "LAW", value_parser = preset_names(), conflicts_with = "paths", requires = "compute",
        hide_possible_values = true, help = "Recommend by a published law, not by runs", long_help = format!("Recommend by a published law, not by runs: {}", preset_names().join(", "))
    )]
    pub(super) published: Option<String>,
    /// Published law of learning rate and batch that goes with --published [default: its own, else deepseek]
    #[arg(long, hide_short_help = true, value_name = "LAW", value_parser = RECIPES.map(|recipe| recipe.name), requires = "published")]
    recipe: Option<String>,
    /// Context in tokens of the network that --published describes
    #[arg(long, default_value_t = 4096, requires = "published", value_parser = numbers::size::<1>, hide_short_help = true)]
    context: usize,
    /// Vocabulary of the network that --published describes
    #[arg(long, default_value_t = 32_000, requires = "published", value_parser = numbers::size::<2>, hide_short_help = true)]
    vocabulary: usize,
    /// What it would run on, such as h100x8
    ///
    /// For time and cost: a device and how many, or its peak FLOP/s.
    #[arg(long, value_name = "DEVICExN")]
    hardware: Option<Hardware>,
    /// Share of the peak that training reaches
    #[arg(long, default_value_t = 0.4, value_parser = numbers::share, hide_short_help = true)]
    mfu: f64,
    /// Price of one device for an hour
    #[arg(long, value_parser = numbers::price)]
    price: Option<f64>,
    /// Compare with so many parameters
    ///
    /// At the same budget.
    #[arg(long, value_name = "N")]
    params: Option<Params>,
    /// Compare with so many tokens
    ///
    /// At the same budget.
    #[arg(long, value_name = "D")]
    tokens: Option<Tokens>,
    /// Compare with so many tokens per parameter
    ///
    /// At the same budget.
    #[arg(long, value_name = "D/N", value_parser = numbers::ratio)]
    tokens_per_param: Option<f64>,
    /// Least compute that reaches this loss
    ///
    /// In nats per token.
    #[arg(long, value_name = "L", value_parser = numbers::loss)]
    target_loss: Option<f64>,
    /// Tokens that will be served later
    ///
    /// Tokens that will be read and written: N and D of least cost for training and serving together, at --target-loss or the loss of
    /// each budget.
    #[arg(long, value_name = "T")]
    serve_tokens: Option<Tokens>,
    /// Price of a FLOP of serving over that of a FLOP of training
    #[arg(long, hide_short_help = true, value_name = "RATIO", default_value_t = 1.0, value_parser = numbers::positive, requires = "serve_tokens")]
    serve_price: f64,
    /// The best with so many distinct tokens
    ///
    /// Where there are no more they repeat, as in 2305.16264.
    #[arg(long, value_name = "U")]
    unique_tokens: Option<Tokens>,
    /// Print Markdown tables
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print everything behind the answer
    ///
    /// Bits per byte, schedule and optimizer, where each comes from, what the runs span.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    #[command(flatten)]
    asked: Asked,
}

/// Every published law that allocates compute.
fn preset_names() -> Vec<&'static str> {
    PUBLISHED.iter().map(|law| law.name).chain(FRONTIERS.iter().map(|frontier| frontier.name)).collect()
}

/// A recommendation with what was asked beside it.
#[derive(Serialize)]
pub(super) struct Advice {
    #[serde(flatten)]
    allocation: Allocation,
    cost: Option<Cost>,
    alternatives: Vec<Alternative>,
    serving: Option<Serving>,
}

pub(super) fn run(args: &RecommendArgs) -> Outcome {
    let (advice, study) = match &args.published {
        Some(name) => (by_published(args, name)?, None),
        None => {
            let source = args.asked.choices.seen_aloud(args.asked.source.read()?)?;
            let study = asked_study(&source, &args.asked, |_| ())?;
            (of_study(args, &study)?, Some(study))
        }
    };
    if args.asked.json {
        println!("{}", serde_json::to_string_pretty(&advice).or_work()?);
        return Ok(());
    }
    let allocations: Vec<Allocation> = advice.iter().map(|one| one.allocation.clone()).collect();
    if is_quiet() {
        println!("{}", advice_line(&allocations));
        return Ok(());
    }
    let asked_for = asked_for(args, &advice);
    if args.details || args.markdown {
        let pieces: Vec<Piece> = recommendation_pieces(&allocations).into_iter().chain(asked_for).collect();
        print!("{}", if args.markdown { markdown(&pieces) } else { plain(&pieces) });
    } else {
        print!("{}{}", answer(&allocations, study.as_ref()), plain(&asked_for));
    }
    Ok(())
}

/// What a study recommends for the budgets that are asked for.
pub(super) fn of_study(args: &RecommendArgs, study: &Study) -> Result<Vec<Advice>, Failure> {
    let recommendations = advise(study, &args.asked.compute);
    let (Some(fitted), false) = (study.best_law(), recommendations.is_empty()) else {
        return Err(Failure::Input(anyhow!("no allocation can be recommended: {}", why_not(study))));
    };
    let count = ComputeCount::of(&study.evidence.points);
    let beside = |one| args.beside(one, Some((&fitted.law, &count)), Some(fitted));
    recommendations.into_iter().map(beside).collect()
}

/// What a published law recommends for them.
pub(super) fn by_published(args: &RecommendArgs, name: &str) -> Result<Vec<Advice>, Failure> {
    let own = args.recipe.as_deref().or(published_recipe(name).map(|recipe| recipe.name)).unwrap_or("deepseek");
    let recipe = published_recipe(own).ok_or_else(|| Failure::Input(anyhow!("there is no published recipe `{own}`")))?;
    let template = Template { context: args.context, vocabulary: args.vocabulary };
    let law = published(name);
    let preset = match (law, published_frontier(name)) {
        (Some(law), _) => Preset::Loss(law),
        (None, Some(frontier)) => Preset::Frontier(frontier),
        (None, None) => return Err(Failure::Input(anyhow!("there is no published law `{name}`"))),
    };
    let count = ComputeCount::Bilinear { k: 6.0 };
    let loss_law = law.map(|law| Law::from(law.law));
    let one =
        |budget: &Flops| args.beside(from_published(preset, recipe, budget.0, template), loss_law.as_ref().map(|law| (law, &count)), None);
    args.asked.compute.iter().map(one).collect()
}

impl RecommendArgs {
    /// Time, cost and alternatives beside a recommendation.
    fn beside(&self, mut allocation: Allocation, law: Option<(&Law, &ComputeCount)>, fit: Option<&Fit>) -> Result<Advice, Failure> {
        if let (Some((law, count)), Some(target)) = (law, self.target_loss)
            && let Some(lowest) = lowest_short_of(law, count, &allocation, target)
        {
            return Err(Failure::Input(anyhow!(
                "--target-loss {target}: no compute reaches it; the floor of {}, beside what is recommended for {}, is {}: ask for a loss above it",
                law.name(),
                Flops(allocation.compute),
                number(lowest)
            )));
        }
        let fixed = Fixed {
            params: self.params.map(|n| n.0),
            tokens: self.tokens.map(|d| d.0),
            tokens_per_param: self.tokens_per_param,
            target_loss: self.target_loss,
            unique_tokens: self.unique_tokens.map(|u| u.0),
        };
        let cost = self.hardware.as_ref().map(|hardware| cost(allocation.compute, hardware, self.mfu, self.price));
        allocation.warnings.extend(unanswerable(law.map(|(law, _)| law), &fixed));
        let alternatives = law.map_or_else(Vec::new, |(law, count)| alternatives(law, count, &allocation, &fixed));
        let serving = self.serve_tokens.and_then(|tokens| {
            let service = Service { tokens: tokens.0, price: self.serve_price };
            let found = law.and_then(|(law, count)| serving(law, fit, count, &allocation, self.target_loss, &service));
            allocation.warnings.extend(match &found {
                Some(found) => found.caution.clone(),
                None => Some("no size reaches that loss, so nothing can be served at it".to_owned()),
            });
            found
        });
        Ok(Advice { allocation, cost, alternatives, serving })
    }
}

/// Time, cost and alternatives of each budget.
fn asked_for(args: &RecommendArgs, advice: &[Advice]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let Some(hardware) = &args.hardware {
        pieces.push(Piece::Title(format!("time and cost on {hardware} at {:.0} % of the peak", 100.0 * args.mfu)));
        let row = |one: &Advice| {
            let cost = one.cost.as_ref()?;
            let money = cost.money.map_or("—".into(), |money| format!("{money:.0}"));
            Some(vec![Flops(one.allocation.compute).to_string(), duration(cost.seconds), short(cost.device_hours), money])
        };
        let rows = advice.iter().filter_map(row).collect();
        pieces.push(Piece::Table(vec!["C, FLOPs", "time", "device hours", "price"], rows));
    }
    for one in advice.iter().filter(|one| !one.alternatives.is_empty()) {
        let budget = Flops(one.allocation.compute);
        pieces.push(Piece::Title(format!("beside the recommendation for {budget} (N counted as {})", one.allocation.size_measure.words())));
        let row = |other: &Alternative| {
            vec![
                other.name.clone(),
                short(other.params),
                short(other.tokens),
                Flops(other.compute).to_string(),
                number(other.loss),
                format!("{:+.4}", other.loss - one.allocation.loss.value),
                other.wasted.map_or("—".into(), |part| format!("{:.1} %", 100.0 * part)),
            ]
        };
        let header = vec!["", "N", "D", "C, FLOPs", one.allocation.loss_unit.heading(), "difference", "compute wasted"];
        pieces.push(Piece::Table(header, one.alternatives.iter().map(row).collect()));
    }
    let served = advice.iter().filter_map(|one| Some((one.serving.as_ref()?, one.allocation.size_measure)));
    pieces.extend(served.flat_map(|(serving, measure)| serving_pieces(serving, measure)));
    pieces
}

/// Recommendations for a person.
pub(super) fn recommendation_rows(recommendations: &[Allocation]) -> String {
    plain(&recommendation_pieces(recommendations))
}

pub(super) fn recommendation_pieces(recommendations: &[Allocation]) -> Vec<Piece> {
    let Some(first) = recommendations.first() else {
        return Vec::new();
    };
    let level = first.params.level();
    let without = if first.evidence.compute[0].is_finite() { "no intervals" } else { "published numbers, without intervals" };
    let intervals = level.map_or(without.into(), |level| format!("{:.0} % intervals", 100.0 * level));
    let title = format!("what to train (N counted as {}, C as {}; {intervals})", first.size_measure.words(), first.flop_rule.words());
    let header = vec![
        "C, FLOPs",
        "N*",
        "",
        "D*",
        "",
        tokens_per(first.size_measure),
        first.loss_unit.heading(),
        "mean",
        "one run",
        "extrapolation (x)",
    ];
    let mut pieces = vec![Piece::Title(title), Piece::Table(header, recommendations.iter().map(allocation_row).collect())];
    recommendations.iter().for_each(|r| pieces.extend(details(r)));
    let mut sources: Vec<&String> = recommendations.iter().filter_map(|r| r.recipe.as_ref()).flat_map(|recipe| &recipe.sources).collect();
    let mut seen = HashSet::new();
    sources.retain(|source| seen.insert(*source));
    pieces.extend(sources.into_iter().map(|source| Piece::Line(1, format!("source of {source}"))));
    pieces.extend(first.size_source.as_ref().map(|source| Piece::Line(1, format!("N* by {source}"))));
    pieces.extend(first.loss_source.as_ref().map(|source| Piece::Line(1, format!("losses by {source}"))));
    pieces.push(Piece::Line(1, format!("noise of one run: {}", first.noise_source)));
    pieces.extend(warnings(recommendations));
    let evidence = &first.evidence;
    let span = |[low, high]: [f64; 2]| format!("{} to {}", short(low), short(high));
    let [low, high] = evidence.compute;
    if low.is_finite() {
        let (params, tokens) = (span(evidence.params), span(evidence.tokens));
        pieces.push(Piece::Line(1, format!("evidence: {low:.2e} to {high:.2e} FLOPs, N {params}, D {tokens}")));
    }
    pieces
}

fn allocation_row(r: &Allocation) -> Vec<String> {
    let ([loss, _, mean], [_, _, one_run]) = (r.loss.render(), r.loss_of_a_run.render());
    vec![
        Flops(r.compute).to_string(),
        short(r.params.value),
        counts(&r.params),
        short(r.tokens.value),
        counts(&r.tokens),
        short(r.tokens_per_param.value),
        loss,
        mean,
        one_run,
        if r.extrapolation_factor.is_nan() { "—".into() } else { short(r.extrapolation_factor) },
    ]
}

/// The network that can be built, its recipe, and what it costs if the law is off.
fn details(r: &Allocation) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if let (Some(mean), Some(run)) = (&r.bits_per_byte, &r.bits_per_byte_of_a_run) {
        let ([value, _, mean], [_, _, run]) = (mean.render(), run.render());
        pieces.push(Piece::Line(1, format!("at {}: {value} bits per byte, mean {mean}, one run {run}", Flops(r.compute))));
    }
    if let Some(built) = &r.realised {
        let steps = r.steps.map_or(String::new(), |steps| format!(", {steps} steps"));
        let loss = if built.loss.is_nan() {
            String::new()
        } else {
            format!(": loss {} ({:+.4} {} for what can be built)", number(built.loss), built.rounding_loss, r.loss_unit.short())
        };
        let line = format!(
            "at {}: {} ({} heads, ffn {}; N = {}, M = {} FLOPs/token) on {} tokens{steps}{loss}",
            Flops(r.compute),
            built.shape,
            built.shape.heads,
            built.shape.ffn,
            short(built.params),
            r.model_scale.map_or("—".into(), short),
            short(built.tokens),
        );
        pieces.push(Piece::Line(1, line));
    }
    pieces.extend(r.recipe.as_ref().map_or_else(Vec::new, recipe_pieces));
    if let Some(waste) = &r.waste {
        let [median, at_80, at_95] = [waste.median, waste.at_80, waste.at_95].map(|part| format!("{:.1} %", 100.0 * part));
        let over = match waste.refits {
            None => "the optimum anywhere in its interval".to_owned(),
            Some(refits) => format!("{refits} bootstrap refits"),
        };
        let line = format!("wasted compute ({over}): median {median}, 80th percentile {at_80}, 95th {at_95}");
        pieces.push(match pieces.is_empty() {
            true => Piece::Line(1, format!("at {}: {line}", Flops(r.compute))),
            false => Piece::Line(2, line),
        });
    }
    pieces
}

/// Learning rate, batch, schedule and optimizer; their sources stand below, once for all budgets.
fn recipe_pieces(recipe: &TrainingRecipe) -> Vec<Piece> {
    let near = |range: &Option<[f64; 2]>, show: fn(f64) -> String| {
        range.map_or(String::new(), |[low, high]| format!(", near-optimal {} to {}", show(low), show(high)))
    };
    let count = |tokens: f64| format!("{tokens:.0}");
    let mut lines = vec![format!(
        "peak learning rate {}{}; batch {} tokens{}",
        ranged(&recipe.learning_rate, rate_text),
        near(&recipe.learning_rate_range, rate_text),
        ranged(&recipe.batch_tokens, count),
        near(&recipe.batch_range, short)
    )];
    let milestones: Vec<String> =
        recipe.milestones.iter().map(|one| format!("{} at step {} ({})", one.what, one.step, rate_text(one.learning_rate))).collect();
    lines.extend(recipe.schedule.as_ref().map(|schedule| format!("schedule {}: {}", schedule.label(), milestones.join(", "))));
    let setting = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value}"));
    let settings = [
        setting("weight decay", recipe.weight_decay),
        setting("beta1", recipe.beta1),
        setting("beta2", recipe.beta2),
        setting("gradient clipping", recipe.grad_clip),
    ];
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    if !settings.is_empty() {
        lines.push(format!("AdamW: {}", settings.join(", ")));
    }
    lines.into_iter().map(|line| Piece::Line(2, line)).collect()
}

/// Each warning once, with the budgets that it is about.
fn warnings(recommendations: &[Allocation]) -> Vec<Piece> {
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
    said.iter().map(|(text, budgets)| Piece::Line(1, format!("warning at C = {}: {text}", budgets.join(", ")))).collect()
}

/// A value with the range that was seen.
fn ranged(seen: &Estimate, show: fn(f64) -> String) -> String {
    match seen.uncertainty {
        Some(range) if range.low != range.high => format!("{} ({} to {})", show(seen.value), show(range.low), show(range.high)),
        _ => show(seen.value),
    }
}
