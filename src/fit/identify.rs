//! Whether data can tell the coefficients of a law apart at all: enough points at distinct places, variables that
//! vary, and no two of them that move together.

use super::FitError;
use crate::law::{Axis, Evidence, Law, Point, Variable};
use crate::spec::short;

/// Below this standard deviation of ln x given ln y, x and y count as one variable. Rounding a batch to whole steps
/// moves tokens by about 1 %; designs that separate N from D leave more than 30 %.
const TOGETHER: f64 = 0.03;
/// Below this standard deviation of ln x a variable counts as constant.
const CONSTANT: f64 = 0.01;
/// Below this standard deviation a share counts as constant: most parts of a mixture are small in all.
const CONSTANT_SHARE: f64 = 1e-6;

/// Refuses data that cannot determine a law.
pub(crate) fn check(law: &Law, points: &[Point]) -> Result<(), FitError> {
    let variables = law.formula().variables();
    for point in points {
        usable(law, point, variables)?;
    }
    let needed = law.coefficients().len();
    let distinct = distinct_places(points, variables, needed);
    if distinct < needed {
        return Err(FitError::TooFewPoints { law: law.name().to_owned(), found: points.len(), distinct, needed });
    }
    if variables.contains(&Variable::Unique) && !points.iter().any(repeats) {
        return Err(FitError::NoRepetition);
    }
    // How often data are repeated is what a law of unique tokens is about; these may stand still themselves.
    let may_stand_still = |variable: &Variable| matches!(variable, Variable::Unique | Variable::Given(_));
    let vary: Vec<Variable> = variables.iter().copied().filter(|variable| !may_stand_still(variable)).collect();
    for one in &vary {
        let least = if matches!(one, Variable::Share(_)) { CONSTANT_SHARE } else { CONSTANT };
        if spread(&logs(points, *one)) < least {
            return Err(FitError::NoVariation { law: law.name().to_owned(), points: points.len(), variable: one.name() });
        }
    }
    for (at, one) in vary.iter().enumerate() {
        // Shares add up to 1, and none of them stands in a power.
        for other in vary[at + 1..].iter().filter(|other| ![one, *other].iter().any(|of| matches!(of, Variable::Share(_)))) {
            separate(points, *one, *other)?;
        }
    }
    Ok(())
}

/// Whether runs can determine a law of N and D.
pub fn determines(law: &Law, points: &[Point]) -> bool {
    check(law, points).is_ok()
}

/// D/N that spans less than this factor tells N from D by the difference of their exponents more than by the runs.
const NARROW: f64 = 10.0;

/// What to run where D/N hardly varies; `None` where it does, or the law is not one of both. Along one D/N = r the loss of the additive
/// law is E + A·N^(−α) + B·r^(−β)·N^(−β), a sum of two powers of N whose directions differ by α − β: the variance of their coefficients
/// grows as 1/(α − β)², and only runs off that line lend them another direction.
pub(super) fn narrow_ratio(law: &Law, points: &[Point]) -> Option<String> {
    let of_both = [Variable::N, Variable::D].iter().all(|one| law.formula().variables().contains(one));
    let ratios = points.iter().map(|p| p.d / p.n);
    let (low, high) = ratios.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), ratio| (low.min(ratio), high.max(ratio)));
    if !of_both || high >= NARROW * low {
        return None;
    }
    let exponents = law.get("alpha").zip(law.get("beta"));
    let apart = exponents.map_or(String::new(), |(alpha, beta)| format!(" (here {:.2})", (alpha - beta).abs()));
    Some(format!(
        "D/N lies between {} and {}, a factor {:.1}: size and tokens hardly move apart, so that their shares rest on the difference of their exponents{apart} as well (at one D/N the variance of the coefficients grows as 1/difference^2); train two or three of these sizes at D/N = {} and {}, or several sizes at one budget",
        short(low),
        short(high),
        high / low,
        short(low / 4.0),
        short(high * 4.0)
    ))
}

/// Whether a run sees some of its data more than once; a hundredth is rounding to whole steps.
pub fn repeats(point: &Point) -> bool {
    point.unique_tokens.is_some_and(|unique| point.d > 1.01 * unique)
}

/// The one variable in which runs differ: N at one D, D at one N, C where the two move together; `None` where both vary by
/// themselves.
pub fn only_variable(points: &[Point]) -> Option<Axis> {
    let still = |variable| spread(&logs(points, variable)) < CONSTANT;
    if still(Variable::N) {
        return Some(Axis::D);
    }
    if still(Variable::D) {
        return Some(Axis::N);
    }
    separate(points, Variable::N, Variable::D).is_err().then_some(Axis::C)
}

fn usable(law: &Law, point: &Point, variables: &[Variable]) -> Result<(), FitError> {
    let positive = |what: &'static str, value: f64| {
        let fine = value.is_finite() && value > 0.0;
        if fine { Ok(()) } else { Err(FitError::NotUsable { run: point.run.clone(), what, value }) }
    };
    positive("loss", point.loss)?;
    positive("weight", point.weight)?;
    for variable in variables {
        let missing = || FitError::MissingVariable {
            law: law.name().to_owned(),
            run: point.run.clone(),
            variable: variable.name(),
            columns: variable.columns(),
        };
        let value = variable.of(point).ok_or_else(missing)?;
        match variable {
            Variable::Share(_) if (0.0..=1.0).contains(&value) => {}
            Variable::Share(what) => return Err(FitError::NotAShare { run: point.run.clone(), what, value }),
            _ => positive(variable.name(), value)?,
        }
    }
    Ok(())
}

fn separate(points: &[Point], one: Variable, other: Variable) -> Result<(), FitError> {
    let (x, y) = (logs(points, one), logs(points, other));
    let slope = regression_slope(&x, &y);
    let residual: Vec<f64> = x.iter().zip(&y).map(|(x, y)| y - slope * x).collect();
    let left = spread(&residual);
    if left >= TOGETHER {
        return Ok(());
    }
    let power = if (slope - 1.0).abs() < 0.02 { String::new() } else { format!("^{slope:.2}") };
    let constant = if slope >= 0.0 {
        format!("{}/{}{power}", other.name(), one.name())
    } else {
        format!("{}·{}^{:.2}", other.name(), one.name(), -slope)
    };
    let (names, points, spread) = ([one.name(), other.name()], points.len(), 100.0 * left);
    if [one, other].iter().all(|of| matches!(of, Variable::N | Variable::D | Variable::C)) {
        return Err(FitError::NotIdentifiable { points, constant, spread });
    }
    Err(FitError::Together { names, points, constant, spread })
}

fn regression_slope(x: &[f64], y: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let xy: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let xx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    xy / xx
}

fn logs(points: &[Point], variable: Variable) -> Vec<f64> {
    points.iter().map(|p| variable.place(p)).collect()
}

fn spread(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// Values of a variable that differ by more than rounding.
pub(super) fn distinct(evidence: &Evidence, variable: Variable) -> usize {
    let mut values = logs(&evidence.points, variable);
    values.sort_by(f64::total_cmp);
    values.chunk_by(|a, b| b - a < CONSTANT).count()
}

/// Distinct places, counted no further than `enough`. A curve that led to a point is a place of its own.
fn distinct_places(points: &[Point], variables: &[Variable], enough: usize) -> usize {
    let mut places = std::collections::BTreeSet::new();
    for p in points {
        let curve = p.curve.iter().map(|curve| std::sync::Arc::as_ptr(curve) as u64);
        places.insert(variables.iter().map(|v| v.of(p).map_or(0, f64::to_bits)).chain(curve).collect::<Vec<u64>>());
        if places.len() >= enough {
            break;
        }
    }
    places.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Additive, Axis, PowerLaw};

    fn along(ratio: impl Fn(f64) -> f64) -> Vec<Point> {
        (0..8).map(|i| 1e6 * 2f64.powi(i)).map(|n| Point::new(n, ratio(n) * n, 3.0)).collect()
    }

    #[test]
    fn a_constant_ratio_of_tokens_to_weights_is_not_identifiable_and_offers_compute_alone() {
        let points = along(|_| 20.0);
        let error = check(&Additive.into(), &points).expect_err("collinear");
        assert!(error.to_string().contains("D/N is constant within 0.0 %"), "{error}");
        assert!(error.to_string().contains("Only L(C) can be fitted"), "{error}");
        assert_eq!(check(&PowerLaw { axis: Axis::C, floor: true }.into(), &points), Ok(()));
        // Whole steps round the tokens by up to a per cent.
        assert!(check(&Additive.into(), &along(|n| 20.0 * (1.0 + 0.01 * (n * 7e-3).sin()))).is_err());
        assert!(check(&Additive.into(), &along(|n| 1e12 / (n * n))).is_err(), "one budget alone");
        assert_eq!(check(&Additive.into(), &along(|n| 20.0 * (1.0 + 0.9 * (n * 7e-3).sin()))), Ok(()));
    }

    #[test]
    fn ratios_that_hardly_vary_are_said_with_what_to_run() {
        let law = Law::from(crate::law::Chinchilla { alpha: 0.34, beta: 0.28, ..crate::law::Chinchilla::default() });
        let three: Vec<Point> = [20.0, 40.0, 80.0].iter().flat_map(|&ratio| along(move |_| ratio)).collect();
        assert_eq!(check(&law, &three), Ok(()));
        let told = narrow_ratio(&law, &three).expect("a factor of four");
        assert!(told.contains("between 20 and 80, a factor 4.0") && told.contains("(here 0.06)"), "{told}");
        assert!(told.contains("at D/N = 5 and 320"), "{told}");
        assert_eq!(narrow_ratio(&PowerLaw { axis: Axis::C, floor: true }.into(), &three), None);
        assert_eq!(narrow_ratio(&law, &[20.0, 320.0].iter().flat_map(|&ratio| along(move |_| ratio)).collect::<Vec<_>>()), None);
    }

    #[test]
    fn a_fit_of_such_runs_warns() {
        use crate::fit::{FitOptions, Search, fit};
        let law = Law::from(crate::law::Chinchilla::default());
        let mut points: Vec<Point> = [20.0, 40.0, 80.0].iter().flat_map(|&ratio| along(move |_| ratio)).collect();
        points.iter_mut().for_each(|p| p.loss = law.loss(p));
        let options = FitOptions { search: Search::VarproOnly, refits: 0, ..FitOptions::default() };
        let found = fit(&Additive.into(), Evidence::as_given(points), &options).expect("a fit");
        assert!(found.warnings.iter().any(|one| one.contains("train two or three of these sizes")), "{:?}", found.warnings);
    }

    #[test]
    fn too_few_places_still_variables_and_bad_numbers_are_refused_in_words() {
        let few = &along(|n| n.sqrt())[..4];
        let repeated: Vec<Point> = few.iter().cycle().take(12).cloned().collect();
        assert!(matches!(check(&Additive.into(), few), Err(FitError::TooFewPoints { found: 4, distinct: 4, needed: 5, .. })));
        assert!(matches!(check(&Additive.into(), &repeated), Err(FitError::TooFewPoints { found: 12, distinct: 4, .. })));
        let same_size: Vec<Point> = (0..8).map(|i| Point::new(1e6, 1e8 * f64::from(i + 1), 3.0)).collect();
        assert!(matches!(check(&Additive.into(), &same_size), Err(FitError::NoVariation { variable: "N", .. })));
        let mut bad = along(|n| n.sqrt());
        bad[3].loss = f64::NAN;
        assert!(matches!(check(&Additive.into(), &bad), Err(FitError::NotUsable { what: "loss", .. })));
    }
}
