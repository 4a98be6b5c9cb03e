//! The answer of a fit on one screen of eighty columns: what the runs say, what to train for which compute, how far that was checked,
//! and what is doubtful. Each number stands once; `--details` prints what is behind it.

use super::colour::{dim, heading, warning};
use super::profiles::lone_minimum;
use super::source::Source;
use super::text::{counts, doubts, entry, filled, number, rate_text};
use crate::fit::{Estimate, FittedLaw};
use crate::recommend::Allocation;
use crate::spec::{Flops, short};
use crate::study::{LawReport, Mixture, Study};

/// What `fit` prints where no details are asked for.
pub(super) fn summary(source: &Source, study: &Study, recommendations: &[Allocation]) -> String {
    let mut text = headline(source, study);
    text += &study.best_law().map_or(String::new(), |fitted| law_lines(study, fitted));
    text += &study.lone_budget.as_ref().map_or(String::new(), |profile| heading(&entry("minimum", &lone_minimum(profile))));
    text += &match recommendations.first() {
        Some(first) => to_train(first, recommendations, study.mixture()),
        None => format!("\n{}", filled("", &format!("nothing is recommended: {}", why_not(study)))),
    };
    text += &record(study);
    text + &doubts(of_study(study))
}

/// What `recommend` prints where no details are asked for; without a study by a published law.
pub(super) fn answer(recommendations: &[Allocation], study: Option<&Study>) -> String {
    let Some(first) = recommendations.first() else { return String::new() };
    let mut text =
        entry("counts", &format!("N as {}, C as {}; losses in {}", first.size_measure.words(), first.flop_rule.words(), first.loss_unit));
    text += &study.map_or(String::new(), reading);
    text += &to_train(first, recommendations, study.and_then(Study::mixture));
    let wasted = recommendations.iter().filter_map(|r| {
        let waste = r.waste.as_ref()?;
        let [median, worst] = [waste.median, waste.at_95].map(|part| format!("{:.1} %", 100.0 * part));
        Some(format!("{} of {}, at most {worst} in 95 of 100", median, Flops(r.compute)))
    });
    let wasted: Vec<String> = wasted.collect();
    if !wasted.is_empty() {
        text += &format!("\n{}", entry("waste", &format!("if the optimum lies elsewhere in its interval, median {}", wasted.join("; "))));
    }
    // How far beyond the runs a budget lies is said in its line, why a law speaks alone beside "tested".
    let said = |r: &Allocation| {
        let caution = study.and_then(Study::mixture).and_then(|mixture| mixture.caution(r.extrapolation_factor));
        r.beyond().into_iter().chain(caution).chain(study.and_then(Study::why_alone)).collect::<Vec<String>>()
    };
    let asked = recommendations.iter().flat_map(|r| {
        let said = said(r);
        r.warnings.iter().filter(move |warning| !said.contains(warning)).cloned()
    });
    text + &study.map_or(String::new(), record) + &doubts(study.map_or_else(Vec::new, of_study).into_iter().chain(asked))
}

/// The law of a fit with its floor, a line.
pub(super) fn law_line(study: &Study) -> String {
    let Some(fitted) = study.best_law() else { return format!("no law of N and D: {}", why_not(study)) };
    let floor = fitted.law.floor_index().map(|at| format!("; E = {}", fitted.coefficients.0[at].1));
    let growth = growth(study, fitted).map(|a| format!("; best size ~ C^{a}"));
    format!("L = {}{}{}", with_numbers(fitted), floor.unwrap_or_default(), growth.unwrap_or_default())
}

/// The exponent of compute with which the best size grows: of the minima of budgets, else of the law.
fn growth<'a>(study: &'a Study, fitted: &'a FittedLaw) -> Option<&'a Estimate> {
    study.isoflop.as_ref().map(|isoflop| &isoflop.params.exponent).or(fitted.derived.get("a"))
}

/// What to train for each budget, a line for all of them.
pub(super) fn advice_line(recommendations: &[Allocation]) -> String {
    let one = |r: &Allocation| {
        let rate = r.learning_rate.as_ref().map(|rate| format!(", learning rate {}", rate_text(rate.value)));
        let batch = r.batch_tokens.as_ref().map(|batch| format!(", batch {} tokens", short(batch.value)));
        let (size, tokens) = (short(r.params.value), short(r.tokens.value));
        format!("{} FLOPs: N {size}, D {tokens}{}{}", Flops(r.compute), rate.unwrap_or_default(), batch.unwrap_or_default())
    };
    recommendations.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Why a study recommends nothing: its law was refused, is no law of N and D, or what its notes say.
pub(super) fn why_not(study: &Study) -> String {
    if let Some(why) = study.distrusted() {
        return format!("the table contradicts itself: {why} (--trust recommends all the same)");
    }
    if study.lone_budget.is_some() {
        return "one budget tells its own minimum and none of another compute; train the sizes at a second one".to_owned();
    }
    match study.laws.first() {
        None => "an analysis of budgets was asked for, and no law of N and D".into(),
        Some(report) => match &report.fitted {
            Err(error) => format!("{} is not fitted: {error}", report.name),
            Ok(fitted) if !fitted.law.may_advise() && !study.options.laws.is_empty() => format!("{} is no law of N and D", report.name),
            Ok(_) => match study.means_nothing() {
                Some(why) => format!(
                    "this fit means nothing: {why}; add sizes and tokens that lie farther apart, or repeat runs (--force recommends all the same)"
                ),
                None => study.no_optimum.clone().unwrap_or_else(|| study.notes.join("; ")),
            },
        },
    }
}

/// What to ask next; commands are not wrapped.
pub(super) fn next(source: &Source, study: &Study, advised: bool) -> String {
    let path = source.path.display();
    let most = study.evidence.largest_compute();
    let recommend =
        if advised && most > 0.0 { format!("scalelab recommend {path} --compute {:.0e}\n          ", 10.0 * most) } else { String::new() };
    format!("  next    {recommend}scalelab fit {path} --details\n")
}

/// Whose runs, how many of them, and how they are counted.
fn headline(source: &Source, study: &Study) -> String {
    let evidence = &study.evidence;
    let excluded = study.exclusions_by_reason().values().sum::<usize>();
    let without = if excluded == 0 { String::new() } else { format!(" ({excluded} left out)") };
    let whose = source.path.display();
    heading(&format!("{whose}: what {} runs say{without}\n", evidence.points.len()))
        + &entry(
            "counts",
            &format!("N as {}, C as {}; losses in {}", evidence.size_measure.words(), evidence.flop_rule.words(), evidence.loss_unit),
        )
        + &reading(study)
}

/// How a table of others was read, where there is something to say of it.
fn reading(study: &Study) -> String {
    let said = &study.options.reading;
    if said.is_empty() { String::new() } else { entry("read", &said.join("; ")) }
}

/// The law with its numbers, its floor, and how the best size grows.
fn law_lines(study: &Study, fitted: &FittedLaw) -> String {
    let spread = format!("rms of runs {:.1} %", 100.0 * fitted.diagnostics.residual_rms);
    let mut text = heading(&entry("loss", &format!("{}; {spread}", with_numbers(fitted))));
    if let Some((_, floor)) = fitted.law.floor_index().map(|at| &fitted.coefficients.0[at]) {
        let known = study.floor_nats.map_or(String::new(), |known| {
            let side = if floor.holds(known) { "inside" } else { "outside" };
            format!("; the true floor of this source is {}, {side}", number(known))
        });
        text += &entry("floor", &format!("{floor}{known}"));
    }
    let by = if study.isoflop.is_some() { ", by the minima of IsoFLOP profiles" } else { "" };
    text += &growth(study, fitted).map_or(String::new(), |a| entry("growth", &format!("best size ~ C^{a}{by}")));
    text + &theory(study, fitted).map_or(String::new(), |said| entry("theory", &said))
}

/// Exponents of an ideal memoriser of the source, each with whether the fitted interval holds it.
pub(super) fn theory(study: &Study, fitted: &FittedLaw) -> Option<String> {
    let memoriser = study.memoriser.filter(|_| fitted.law.additive().is_some())?;
    let held = |name: &str, value: f64, estimate: Option<&Estimate>| {
        let side = if estimate?.holds(value) { "inside" } else { "outside" };
        Some(format!("{name}{} ({side})", short(value)))
    };
    let of = |name: &str| fitted.coefficients.get(name);
    let all = [
        held("α = ", memoriser.alpha, of("alpha")),
        held("β = ", memoriser.beta, of("beta")),
        held("best size ~ C^", memoriser.growth(), growth(study, fitted)),
    ];
    let known: Vec<String> = all.into_iter().flatten().collect();
    (!known.is_empty())
        .then(|| format!("an ideal memoriser of this source (and whether the fitted interval holds it): {}", known.join(", ")))
}

/// The right side of a law with coefficients in place of their names.
pub(super) fn with_numbers(fitted: &FittedLaw) -> String {
    let formula = fitted.law.text();
    let right = formula.split_once(" = ").map_or(formula, |(_, right)| right);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::new();
    let mut rest = right;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_name(c) != is_name(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = fitted.coefficients.get(word).map(|value| value.render()[0].clone());
        text += value.as_deref().unwrap_or(word);
        rest = after;
    }
    text
}

/// A budget, its size, tokens and loss, with intervals below and what can be built.
fn to_train(first: &Allocation, recommendations: &[Allocation], mixture: Option<&Mixture>) -> String {
    let level = first.params.level().map_or(String::new(), |level| format!(" [{:.0} %]", 100.0 * level));
    let head = format!("  {:<18}{:<19}{:<19}loss of one run{level}\n", "compute", "parameters", "tokens");
    let mut text = format!("\n{}", dim(&head));
    let mut marked = false;
    for r in recommendations {
        let beyond = mixture.map_or(r.extrapolation_factor > 1.0, |mixture| mixture.caution(r.extrapolation_factor).is_some());
        let beyond = beyond || r.compute < r.evidence.compute[0];
        marked |= beyond;
        let times = if r.extrapolation_factor.is_finite() { format!("{}x", short(r.extrapolation_factor)) } else { String::new() };
        let mark = if beyond { "⚠" } else { " " };
        let loss = r.loss_of_a_run.to_string();
        let line =
            format!("  {:<10}{times:>5}{mark}  {:<19}{:<19}{loss}\n", Flops(r.compute), short(r.params.value), short(r.tokens.value));
        text += &heading(&line);
        let ends = format!("  {:<18}{:<19}{}", "", counts(&r.params), counts(&r.tokens));
        text += &if r.params.uncertainty.is_some() { ends.trim_end().to_owned() + "\n" } else { String::new() };
        text += &built(r).map_or(String::new(), |line| format!("  {:<18}{line}\n", ""));
    }
    text + &if marked { warning("  ⚠ farther than these runs could check\n") } else { String::new() }
}

/// The network that can be built, with its learning rate and batch.
fn built(r: &Allocation) -> Option<String> {
    let shape = r.realised.as_ref().map(|built| format!("build {}", built.shape));
    let rate = r.learning_rate.as_ref().map(|rate| format!("learning rate {}", rate_text(rate.value)));
    let batch = r.batch_tokens.as_ref().map(|batch| format!("batch {} tokens", short(batch.value)));
    let parts: Vec<String> = [shape, rate, batch].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How forecasts from a part of the runs fared on the others.
fn record(study: &Study) -> String {
    let text = match (study.mixture(), study.why_alone()) {
        (Some(mixture), _) => mixture.record(),
        (None, Some(why)) => why,
        (None, None) => return String::new(),
    };
    format!("\n{}", entry("tested", &text))
}

/// What speaks against a study's law. How far beyond the runs a budget lies is said in its line.
fn of_study(study: &Study) -> Vec<String> {
    let mut all: Vec<String> = study.exponents_apart().map(apart).into_iter().collect();
    if study.laws.first().is_some_and(LawReport::is_refused) {
        all.push(REFUSED.to_owned());
    }
    // Why nothing is recommended is said there.
    let is_said = |note: &&String| study.distrusted() == Some(note) || study.no_optimum.as_ref() == Some(note);
    all.extend(study.notes.iter().filter(|note| !is_said(note)).cloned());
    all.extend(of_fits(study));
    all
}

/// What the law that speaks and the profiles of budgets say of themselves.
pub(super) fn of_fits(study: &Study) -> impl Iterator<Item = String> {
    let of_law = study.best_law().into_iter().flat_map(|fitted| &fitted.warnings);
    of_law.chain(study.isoflop.iter().flat_map(|isoflop| &isoflop.warnings)).cloned()
}

/// That the surface and the minima of budgets let the best size grow at rates that exclude each other.
fn apart([by_law, by_budgets]: [&Estimate; 2]) -> String {
    format!("the law lets the best size grow as C^{by_law}, the minima as C^{by_budgets}: add budgets, and sizes about each minimum")
}

/// That repeated runs refuse the law.
const REFUSED: &str =
    "the runs lie farther from the law than repeated runs from each other: it is a summary here, and no truth; look at --law all";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, fit};
    use crate::law::{Chinchilla, Evidence, Law, Point};

    #[test]
    fn a_law_is_shown_with_its_numbers() {
        let law = Law::from(Chinchilla { e: 1.7, a: 400.0, b: 410.0, alpha: 0.34, beta: 0.28 });
        let sizes = [1e7, 3e7, 1e8, 3e8];
        let points = sizes.iter().flat_map(|n| [1e9, 3e9, 1e10, 3e10].map(|d| Point::new(*n, d, 0.0)));
        let points = points.map(|p| Point { loss: law.loss(&p), ..p }).collect();
        let fitted = fit(&law, Evidence::as_given(points), &FitOptions { refits: 0, ..FitOptions::default() }).expect("fits");
        let text = with_numbers(&fitted.at(0.95).expect("a level"));
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!((words.len(), words[1], words[3]), (5, "+", "+"), "{text}");
        assert!(words[0].starts_with("1.7") && words[2].contains("/N^0.34") && words[4].contains("/D^0.28"), "{text}");
    }
}
