//! `scalelab mix`: which mixture of the parts of the data ends lowest, by a law fitted to runs on several mixtures.

use super::failure::{Failure, OrInput, Outcome};
use super::numbers;
use super::source::SourceArgs;
use super::text::{filled, plural, table};
use super::voice::is_quiet;
use crate::fit::{Estimate, Estimator, FORMAT};
use crate::recommend::{MIXTURE_LAWS, MixAdvice, MixRequest, mix};
use crate::spec::{FlopRule, Flops, LossUnit, SizeMeasure, short};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab mix results/mixtures --compute 4e13\n  scalelab mix results/mixtures --target code=1 --max-epochs 8\n  scalelab mix mixtures.csv --law mixture"
)]
pub(super) struct MixArgs {
    /// Compute of the training, FLOPs [default: the largest of the runs]
    #[arg(long, value_name = "C")]
    compute: Option<Flops>,
    /// What the losses of parts count for [default: unique tokens]
    ///
    /// Such as english=1, or english=.5,code=.5; weights are divided by their sum. By default the natural mixture, in proportion to
    /// unique tokens. A table of others has one loss, which is the target.
    #[arg(long, value_name = "PART=W,…", value_delimiter = ',', value_parser = weight)]
    target: Vec<(String, f64)>,
    /// How often a token may be seen
    #[arg(long, value_name = "TIMES", default_value_t = 4.0, value_parser = numbers::positive)]
    max_epochs: f64,
    /// mixture-additive, mixture-joint, mixture [default: the first that the runs determine]
    #[arg(long, value_name = "NAME", value_parser = MIXTURE_LAWS, hide_possible_values = true)]
    law: Option<String>,
    /// Refits, for intervals
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = numbers::refits, hide_short_help = true)]
    refits: usize,
    /// Seed of the refits
    #[arg(long, default_value_t = 0, hide_short_help = true)]
    seed: u64,
    /// Confidence level of intervals
    #[arg(long, default_value_t = 0.95, value_parser = numbers::level)]
    level: f64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

fn weight(text: &str) -> Result<(String, f64), String> {
    let pair = text.split_once('=').and_then(|(name, weight)| Some((name.trim().to_owned(), weight.trim().parse::<f64>().ok()?)));
    let fine = pair.filter(|(name, weight)| !name.is_empty() && weight.is_finite() && *weight >= 0.0);
    fine.ok_or_else(|| format!("`{text}` is not PART=WEIGHT, such as english=0.5"))
}

pub(super) fn run(args: &MixArgs) -> Outcome {
    let source = args.source.read()?;
    let (size_measure, flop_rule) =
        if source.own { (SizeMeasure::Matmul, FlopRule::Exact) } else { (SizeMeasure::AsGiven, FlopRule::AsGiven) };
    let target: BTreeMap<String, f64> = args.target.iter().cloned().collect();
    if !target.is_empty() && target.values().sum::<f64>() <= 0.0 {
        return Err(Failure::Input(anyhow::anyhow!("--target: every weight is 0; give one above 0, such as {}=1", args.target[0].0)));
    }
    let request = MixRequest {
        compute: args.compute.map(|compute| compute.0),
        target: (!target.is_empty()).then_some(target),
        max_epochs: args.max_epochs,
        law: args.law.clone(),
        size_measure,
        flop_rule,
        estimator: if source.own { Estimator::LeastSquaresLog } else { Estimator::default() },
        refits: args.refits,
        level: args.level,
        seed: args.seed,
    };
    let advice = mix(&source.records, &request).map_err(|error| anyhow::anyhow!("{}: {error}", source.path.display())).or_input()?;
    if args.json {
        println!(
            "{:#}",
            json!({ "format": FORMAT, "source": source.name, "level": args.level, "max_epochs": args.max_epochs, "mix": advice })
        );
        return Ok(());
    }
    let line = answer(&advice, source.loss_unit);
    if is_quiet() {
        println!("{line}");
    } else {
        print!("{}", said(args, &advice, size_measure, &line));
    }
    Ok(())
}

/// Shares by name, the largest first.
fn shares(advice: &MixAdvice, shares: &[f64]) -> String {
    let mut named: Vec<(&str, f64)> = advice.parts.iter().map(|part| part.name.as_str()).zip(shares.iter().copied()).collect();
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = 6;
    let mut text: Vec<String> =
        named.iter().take(most).filter(|(_, share)| *share > 0.0).map(|(name, share)| format!("{name} {share:.2}")).collect();
    if named.len() > most {
        text.push("…".into());
    }
    text.join(", ")
}

fn answer(advice: &MixAdvice, unit: LossUnit) -> String {
    let best: Vec<f64> = advice.parts.iter().map(|part| part.best).collect();
    format!("{} ends lowest at {:.2e} FLOPs: {} {}", shares(advice, &best), advice.compute, advice.loss, unit.name())
}

/// Rows of parts that are shown.
const SHOWN: usize = 12;

fn said(args: &MixArgs, advice: &MixAdvice, size_measure: SizeMeasure, line: &str) -> String {
    let mut text = filled("", line);
    let natural: Vec<f64> = advice.parts.iter().map(|part| part.natural).collect();
    text += &filled(
        "  ",
        &format!(
            "natural mixture ({}): {}; the best is lower by {}",
            shares(advice, &natural),
            advice.natural_loss,
            lower_by(&advice.gain)
        ),
    );
    let row = |part: &crate::recommend::PartAdvice| {
        let number = |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{value:.2}"));
        vec![
            part.name.clone(),
            format!("{:.2}", part.best),
            format!("{:.2} to {:.2}", part.range[0], part.range[1]),
            format!("{:.2}", part.natural),
            number(part.target),
            part.loss.as_ref().map_or("—".to_owned(), |loss| format!("{:.3}", loss.value)),
            number(part.epochs),
        ]
    };
    let mut parts: Vec<_> = advice.parts.iter().collect();
    parts.sort_by(|a, b| b.best.total_cmp(&a.best));
    text += &table(
        &["part", "best", "as good", "natural", "target", "loss", "epochs"],
        &parts.iter().take(SHOWN).map(|part| row(part)).collect::<Vec<_>>(),
    );
    if parts.len() > SHOWN {
        text += &format!("  and {} more parts of less: --json\n", parts.len() - SHOWN);
    }
    let steps = advice.step.map_or_else(|| "drawn".to_owned(), |step| format!("in steps of {step}"));
    let set = format!(
        "as good: {} of {} mixtures {steps} that {} refits do not agree are worse ({:.0} %)",
        advice.set.len(),
        advice.candidates,
        advice.refits,
        100.0 * args.level
    );
    text += &filled("  ", &set);
    if advice.capped > 0 {
        let capped = plural(advice.capped, "mixture sees", "mixtures see");
        text += &filled(
            "  ",
            &format!("left out: {capped} a part more than {} times in {} tokens (--max-epochs)", args.max_epochs, short(advice.tokens)),
        );
    }
    text += &filled(
        "  ",
        &format!(
            "law {}, {}: {}, which lie {:.2} % about it at most; N {} as {}, D {}",
            advice.law,
            advice.status,
            plural(advice.runs, "run", "runs"),
            100.0 * advice.spread,
            short(advice.params),
            size_measure.words(),
            short(advice.tokens)
        ),
    );
    for other in &advice.others {
        let what = match (&other.best, &other.why) {
            (Some(best), _) => format!("{} ends lowest", shares(advice, best)),
            (None, Some(why)) => why.clone(),
            (None, None) => "it says nothing".to_owned(),
        };
        text += &filled("  ", &format!("{}: {what}", other.law));
    }
    for note in advice.notes.iter().take(4) {
        text += &filled("  ! ", note);
    }
    text
}

/// A difference of which the words say the sign, with its interval.
fn lower_by(difference: &Estimate) -> String {
    let interval = difference.uncertainty.map_or(String::new(), |one| format!(" [{:.4}, {:.4}]", one.low, one.high));
    format!("{:.4}{interval}", difference.value)
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn targets_are_pairs_of_a_part_and_a_weight() {
        assert_eq!(weight("english = .5"), Ok(("english".into(), 0.5)));
        for bad in ["english", "=1", "english=-1", "english=inf", "english=x"] {
            assert!(weight(bad).expect_err("refused").contains("PART=WEIGHT"), "{bad}");
        }
    }
}
