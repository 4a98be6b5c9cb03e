//! What is said of a fitted law: its estimates with their intervals, and what speaks for its minimum.

use super::text::table;
use crate::fit::{Estimate, FitStatus, FittedLaw};
use crate::spec::LossUnit;

/// Coefficients and what follows from them, a row each: name, value, standard error, interval.
pub(super) fn estimates_rows(fitted: &FittedLaw) -> Vec<Vec<String>> {
    let row = |(name, estimate): (&str, &Estimate)| std::iter::once(name.to_owned()).chain(estimate.render()).collect();
    fitted.coefficients.iter().chain(fitted.derived.iter()).map(row).collect()
}

/// The same as a table.
pub(super) fn estimates(fitted: &FittedLaw) -> String {
    // A coefficient at its bound has no likelihood, so that one table may hold intervals of two kinds.
    let mut kinds: Vec<String> = fitted.coefficients.iter().chain(fitted.derived.iter()).map(|(_, estimate)| described(estimate)).collect();
    let mut seen = std::collections::BTreeSet::new();
    kinds.retain(|kind| seen.insert(kind.clone()));
    table(&["", "value", "s.e.", &kinds.join(" or ")], &estimates_rows(fitted))
}

/// Level of an interval and how it was made.
pub(super) fn described(estimate: &Estimate) -> String {
    estimate.level().map_or_else(|| estimate.method().to_owned(), |level| format!("{:.0} % ({})", 100.0 * level, estimate.method()))
}

/// Minima that are told of: so many, found more than once, of objectives within this factor of the least.
const RIVALS: usize = 3;
const RIVAL: f64 = 2.0;

/// What speaks for the minimum.
pub(super) fn certificate(fitted: &FittedLaw) -> String {
    let d = &fitted.diagnostics;
    let mut text = format!(
        "  objective {:.6e} over {} points; residuals {:.2} % rms, {:.2} % max\n",
        fitted.objective,
        fitted.evidence.points.len(),
        100.0 * d.residual_rms,
        100.0 * d.residual_max
    );
    if let (Some(varpro), Some(lbfgs), Some(agreement)) = (d.varpro_objective, d.lbfgs_objective, d.agreement) {
        let how = if fitted.status == FitStatus::StartsDisagree { "differ by" } else { "agree to" };
        text += &format!("  variable projection {varpro:.9e}, multi-start L-BFGS and Newton {lbfgs:.9e}: they {how} {agreement:.1e}\n");
    }
    if let (Some(alone), Some(varpro)) = (d.lbfgs_alone_objective, d.varpro_objective) {
        text += &format!("  L-BFGS without polish (30 starts): {alone:.9e} (relative difference {:+.1e})\n", alone / varpro - 1.0);
    }
    if let Some(gradient) = d.relative_gradient {
        let condition = Some(d.condition_number).filter(|condition| condition.is_finite());
        let condition = condition.map_or("not finite".to_owned(), |condition| format!("{condition:.1e}"));
        text += &format!("  relative gradient at the minimum {gradient:.1e}, condition number {condition}\n");
    }
    for basin in d.basins.iter().skip(1).filter(|basin| basin.starts > 1 && basin.objective <= RIVAL * fitted.objective).take(RIVALS) {
        text += &format!(
            "  another minimum: {:.6e} ({:+.2} %), {} starts; at ten times the compute it forecasts {:.4}, the best {:.4}\n",
            basin.objective,
            100.0 * (basin.objective / fitted.objective - 1.0),
            basin.starts,
            basin.forecast,
            d.basins[0].forecast
        );
    }
    if d.starts + d.refits > 0 {
        text +=
            &format!("  {} of {} starts at the minimum; {} refits, {} failed\n", d.starts_at_minimum, d.starts, d.refits, d.failed_refits);
    }
    fitted.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}

/// What the verdict says of the floor, a coefficient by its name. A law without one may fall to nothing, or to a loss that depends on
/// size or data.
pub(super) fn floor_text(floor: Option<&(String, Estimate)>, unit: LossUnit) -> String {
    match floor {
        Some((name, value)) => format!(" and the loss that no size or data removes is {name} = {value} {}", unit.short()),
        None => "; the law has no constant floor".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Law, formula};

    #[test]
    fn a_verdict_names_the_floor_that_a_law_has_and_claims_none_of_a_law_whose_floor_changes() {
        let render = |name: &str| {
            let formula = formula(name).expect("a law");
            let law = Law::new(formula.clone(), vec![1.5; formula.coefficients().len()]);
            let floor = law.floor_index().map(|at| (law.coefficients()[at].name.to_owned(), Estimate::exact(law.theta()[at])));
            floor_text(floor.as_ref(), LossUnit::Nats)
        };
        for name in ["chinchilla", "gamma"] {
            assert_eq!(render(name), " and the loss that no size or data removes is E = 1.500 nats");
        }
        for name in ["kaplan", "farseer"] {
            assert_eq!(render(name), "; the law has no constant floor", "the E of Farseer is no floor");
        }
    }
}
