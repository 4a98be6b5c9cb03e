//! What a reader needs to judge and to repeat a study, filled from the rows of the runs: conventions, methods, the questions that
//! the survey of Li et al. ((Mis)Fitting, 2502.18969) found unanswered in most papers, and the commands.

use super::estimates::described;
use super::source::{Source, quoted};
use crate::fit::{Estimate, Estimator};
use crate::spec::{RunRecord, RunStatus, SizeMeasure, short};
use crate::study::{LawName, Study};
use crate::view::ReportTable;

/// The different values of a column, shortest form; "not recorded" where no row has one.
fn values<T: ToString>(records: &[RunRecord], of: impl Fn(&RunRecord) -> Option<T>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for value in records.iter().filter_map(of).map(|value| value.to_string()) {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    let numbers: Option<Vec<f64>> = seen.iter().map(|text| text.parse().ok()).collect();
    if let Some(mut numbers) = numbers {
        numbers.sort_by(f64::total_cmp);
        let shown = |x: &f64| if *x != 0.0 && x.abs() < 1e-4 { format!("{x:e}") } else { x.to_string() };
        seen = numbers.iter().map(shown).collect();
    }
    match seen.len() {
        0 => "not recorded".into(),
        1..=8 => seen.join(", "),
        more => format!("{}, … ({more} values)", seen[..3].join(", ")),
    }
}

/// The range of a column of numbers.
fn range(records: &[RunRecord], of: impl Fn(&RunRecord) -> Option<f64>) -> String {
    let all: Vec<f64> = records.iter().filter_map(of).collect();
    let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    match all.is_empty() {
        true => "not recorded".into(),
        false if low == high => short(low),
        false => format!("{} to {}", short(low), short(high)),
    }
}

/// What a size measure counts.
fn meaning(measure: SizeMeasure) -> &'static str {
    match measure {
        SizeMeasure::Total => "every trained number",
        SizeMeasure::NonEmbedding => "blocks and norms, neither embedding nor output matrix",
        SizeMeasure::Matmul => "matrices that multiply with tokens: those of the blocks and the output matrix",
        SizeMeasure::FlopsPerToken => "non-embedding FLOPs per token with attention (DeepSeek's M)",
        SizeMeasure::AsGiven => "as the table gives it",
    }
}

/// How things were counted.
pub(super) fn conventions_of(source: &Source, study: &Study) -> ReportTable {
    let evidence = &study.evidence;
    let records = &source.records;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = vec![
        row("N, size", format!("{}: {}", evidence.size_measure, meaning(evidence.size_measure))),
        row("C, compute", evidence.flop_rule.to_string()),
        row("D, tokens", format!("tokens trained on, repeats counted; unique tokens {}", range(records, |r| r.unique_tokens.map(|t| t.0)))),
        row(
            "L, loss",
            format!("held-out, {}, after the last step; {} tokens", evidence.loss_unit, range(records, |r| r.eval_tokens.map(|t| t.0))),
        ),
        row(
            "tokenizer",
            format!("{}; bytes per token {}", values(records, |r| r.tokenizer.clone()), values(records, |r| r.bytes_per_token)),
        ),
        row(
            "one recipe a cell",
            "of runs that differ only in the recipe the best is used, or the tuned frontier where a surface was fitted".into(),
        ),
        row("intervals", study.best_law().and_then(|fitted| fitted.coefficients.0.first()).map_or("none".into(), |(_, e)| described(e))),
    ];
    ReportTable::new("what the numbers of this report mean", &["quantity", "convention"], rows)
}

/// A paragraph for a paper.
pub(super) fn methods(source: &Source, study: &Study) -> String {
    let records = &source.records;
    let count = |status| records.iter().filter(|record| record.status == status).count();
    let mut text = format!(
        "We trained {} networks ({} finished, {} diverged, {} failed) of {} parameters on {} tokens of {}.",
        records.len(),
        count(RunStatus::Finished),
        count(RunStatus::Diverged),
        count(RunStatus::Failed),
        range(records, |r| r.params_total.map(|n| n.0)),
        range(records, |r| r.tokens.map(|d| d.0)),
        values(records, |r| r.corpus.clone())
    );
    if source.own {
        text += &format!(
            " They are decoder-only transformers (rotary positions, RMSNorm, SwiGLU) with a context of {} and a vocabulary of {}, optimised by AdamW (beta1 {}, beta2 {}, weight decay {}, gradients clipped at {}) in batches of {} tokens, at peak rates of {}, schedule {}.",
            values(records, |r| r.context),
            values(records, |r| r.vocabulary),
            values(records, |r| r.beta1),
            values(records, |r| r.beta2),
            values(records, |r| r.weight_decay),
            values(records, |r| r.grad_clip),
            values(records, |r| r.batch_tokens.map(|b| short(b.0))),
            values(records, |r| r.learning_rate),
            values(records, |r| r.schedule.clone())
        );
    }
    if let Some(fitted) = study.best_law() {
        let d = &fitted.diagnostics;
        text += &format!(
            " {} was fitted to {} runs by {} ({}), by variable projection and by L-BFGS from {} starts, {} of which ended at the minimum; {} refits were made ({} failed; seed {}). {} runs were left out, with reasons listed in this report. N was counted as {}, C as {}.",
            fitted.law.text(),
            fitted.evidence.points.len(),
            fitted.estimator,
            fitted.status,
            d.starts,
            d.starts_at_minimum,
            d.refits,
            d.failed_refits,
            fitted.seed,
            fitted.evidence.excluded.len(),
            fitted.evidence.size_measure.words(),
            fitted.evidence.flop_rule.words()
        );
    }
    text
}

/// The survey's four groups of questions.
pub(super) fn checklist(source: &Source, study: &Study) -> ReportTable {
    let records = &source.records;
    let mut rows = Vec::new();
    let mut add = |group: &str, question: &str, answer: String| rows.push(vec![group.to_owned(), question.to_owned(), answer]);
    let fitted = study.best_law();
    add(
        "hypothesis",
        "form of the law",
        fitted.map_or("no law is fitted".into(), |fitted| format!("{}, {} free parameters", fitted.law.text(), fitted.law.theta().len())),
    );
    add("hypothesis", "variables and units", format!("N {}; D tokens; L {}", study.evidence.size_measure, study.evidence.loss_unit));
    add("training", "shapes", values(records, |r| Some(format!("{}x{}", r.layers?, r.width?))));
    add("training", "N and C with embeddings?", format!("N {}, C {}", study.evidence.size_measure, study.evidence.flop_rule));
    add("training", "data", values(records, |r| r.corpus.clone()));
    add("training", "passes over the data", range(records, |r| r.epochs));
    add("training", "learning rate", values(records, |r| r.learning_rate));
    add("training", "schedule matched to the length of each run", values(records, |r| r.schedule.clone()));
    add("training", "warmup, tokens", values(records, |r| r.warmup_tokens));
    add("training", "batch, tokens", values(records, |r| r.batch_tokens.map(|b| short(b.0))));
    add(
        "training",
        "optimizer",
        format!(
            "AdamW, beta1 {}, beta2 {}, eps {}, decay {}",
            values(records, |r| r.beta1),
            values(records, |r| r.beta2),
            values(records, |r| r.eps),
            values(records, |r| r.weight_decay)
        ),
    );
    add("training", "how recipes were tuned", tuning(study));
    add("training", "initialisation", values(records, |r| r.init.clone()));
    add("training", "seeds (weights; data)", format!("{}; {}", values(records, |r| r.seed_init), values(records, |r| r.seed_data)));
    add(
        "training",
        "precision and device",
        format!("{}, {}", values(records, |r| r.precision.clone()), values(records, |r| r.device.clone())),
    );
    add("data collection", "runs", format!("{} trained, {} in the fit", records.len(), study.evidence.points.len()));
    add("data collection", "final losses or checkpoints", "the loss after the last step of each run".into());
    add("data collection", "left out", exclusions(study));
    add("data collection", "budgets", values(records, |r| r.budget_flops));
    add(
        "data collection",
        "noise between seeds",
        study
            .noise
            .as_ref()
            .map_or("no cell was repeated".into(), |noise| format!("{:.2} % of the loss ({} runs)", 100.0 * noise.sigma.value, noise.runs)),
    );
    if let Some(fitted) = fitted {
        let d = &fitted.diagnostics;
        let weights = if study.evidence.points.iter().all(|point| point.weight == 1.0) { "all runs alike" } else { "by the noise of runs" };
        add("fitting", "objective and weights", format!("{}{}; {weights}", fitted.estimator, delta(fitted.estimator)));
        add(
            "fitting",
            "optimizer",
            format!("{:?}; {} starts, {} at the minimum, {} distinct ends", fitted.method, d.starts, d.starts_at_minimum, d.basins.len()),
        );
        add("fitting", "agreement of two methods", d.agreement.map_or("one method".into(), |agreement| format!("{agreement:.1e}")));
        add("fitting", "intervals", fitted.coefficients.0.first().map_or("none".into(), |(_, e)| interval_text(e, d.refits)));
        add(
            "fitting",
            "validation on unseen runs",
            "forecasts of the larger runs from the smaller ones: see the verdict, and the whole fit under Laws".into(),
        );
        add("fitting", "data, SHA-256 of the fitted numbers", fitted.data_sha256.clone());
    }
    let caption = "the reporting checklist of (Mis)Fitting (Li et al. 2025, arXiv 2502.18969), filled from the rows of the runs";
    ReportTable::new(caption, &["about", "question", "answer"], rows)
}

/// How an interval was made; of refits it is said how many.
fn interval_text(estimate: &Estimate, refits: usize) -> String {
    let of_refits = estimate.uncertainty.is_some_and(|known| known.interval.is_of_refits());
    if of_refits { format!("{} from {refits} refits", estimate.method()) } else { estimate.method().to_owned() }
}

fn delta(estimator: Estimator) -> &'static str {
    if matches!(estimator, Estimator::LeastSquaresLog) { " (residuals of ln L)" } else { "" }
}

fn tuning(study: &Study) -> String {
    match &study.hyperparameters {
        Some(study) => format!("surfaces of loss over learning rate and batch in {} cells", study.cells.len()),
        None => "one recipe a cell, or the best of those tried".into(),
    }
}

fn exclusions(study: &Study) -> String {
    let reasons: Vec<String> = study.exclusions_by_reason().into_iter().map(|(reason, count)| format!("{count} ({reason})")).collect();
    if reasons.is_empty() { "none".into() } else { reasons.join("; ") }
}

/// What repeats the study, a command a line.
pub(super) fn commands(source: &Source, study: &Study) -> String {
    let path = quoted(&source.path.display().to_string()) + &source.choices;
    let names: Vec<&str> = study.options.laws.iter().map(LawName::name).collect();
    let law = if names.is_empty() { String::new() } else { format!(" --law {}", names.join(",")) };
    let base = study.options.base.as_ref().map_or(String::new(), |name| format!(" --base {name}"));
    let asked = study.best_law().map_or(String::new(), |fitted| {
        format!(
            "{law}{base} --size-measure {} --flop-rule {} --estimator {} --refits {} --level {} --seed {}",
            fitted.evidence.size_measure.name(),
            fitted.evidence.flop_rule.name(),
            fitted.estimator.name(),
            study.options.refits,
            fitted.level,
            fitted.seed
        )
    });
    let hidden = source.max_compute.map_or(String::new(), |most| format!(" --max-compute {:e}", most.0));
    let mut lines = Vec::new();
    if source.folder.is_some() {
        lines.push(format!("scalelab sweep sweeps/{}.toml", source.name));
    }
    lines.push(format!("scalelab fit {path}{hidden}{asked}"));
    lines.push(format!("scalelab report {path}{hidden}{asked}{}", if source.folder.is_some() { "" } else { " --out report.html" }));
    lines.push(format!("scalelab doctor {path}"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Interval;

    #[test]
    fn refits_are_counted_for_intervals_of_refits_alone() {
        let render = |interval| interval_text(&Estimate::new(1.0, 0.1, [0.8, 1.2], 0.95, interval), 40);
        assert_eq!([render(Interval::Bootstrap), render(Interval::Profile)], ["bootstrap from 40 refits", "profile"]);
        assert_eq!(interval_text(&Estimate::exact(1.0), 0), "none");
    }
}
