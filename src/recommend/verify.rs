//! A forecast against what came: the error of every run in nats and as compute, how often intervals held, whether the
//! optimum was where it was said to be, and whether learning rate and batch were near the best.

use super::forecast::{BudgetForecast, Forecast, ForecastLaw, OtherLaw, Predicted, RunAhead, RunForecast};
use super::scores::{as_compute, scored_laws};
use super::verification::{SaidByLaw, ScoredBudget, ScoredRecipe, ScoredRun, Verification};
use crate::fit::{FORMAT, profile_minimum};
use crate::law::{Law, Point, RecipeTrials, Trial, formula, points, recipe_trials, shape_of};
use crate::spec::{FlopRule, RunRecord, RunStatus, SAME_BUDGET_COUNTED_ANEW, SAME_TOKENS, SizeMeasure, short};

/// Holds a forecast against runs; without any, against those whose losses were known when it was made.
///
/// # Errors
/// Where its law is not known.
pub fn verify(forecast: &Forecast, records: &[RunRecord]) -> Result<Verification, String> {
    let law = law_of(forecast)?;
    let (mut runs, mut passed_over) = (Vec::new(), Vec::new());
    if records.is_empty() {
        runs = known(forecast, &law);
    }
    for record in records {
        match scored(forecast, &law, record) {
            Ok(run) => runs.push(run),
            Err(reason) => passed_over.push((record.run_id.clone(), reason)),
        }
    }
    let budgets = forecast.budgets.iter().filter_map(|budget| scored_budget(forecast, budget, &runs, records)).collect();
    // A recipe beside the forecast's own is there to judge the recipe, not the forecast of the loss.
    let own: Vec<bool> = runs.iter().map(|run| has_own_recipe(forecast, run, &runs)).collect();
    let mut own = own.into_iter();
    runs.retain(|_| own.next().unwrap_or(true));
    Ok(Verification {
        format: FORMAT,
        loss_unit: forecast.law.loss_unit,
        laws: scored_laws(forecast, &law, &runs),
        runs,
        budgets,
        passed_over,
    })
}

fn scored(forecast: &Forecast, law: &Law, record: &RunRecord) -> Result<ScoredRun, String> {
    if record.status != RunStatus::Finished {
        return Err(record.status.to_string());
    }
    let loss = record.loss_nats.ok_or("it has no loss")?.0;
    let told = of_budget(forecast, law, record, loss).or_else(|reason| {
        let ahead = of_place(forecast, law, record, loss);
        ahead.ok_or(if forecast.budgets.is_empty() { "its N and D are those of no run that was forecast".to_owned() } else { reason })
    })?;
    Ok(ScoredRun {
        run: record.run_id.clone(),
        learning_rate: record.learning_rate,
        batch_tokens: record.batch_tokens.map(|batch| batch.0),
        after_forecast: record.started_at.as_deref().map(|started| started >= forecast.made_at.as_str()),
        ..told
    })
}

/// The score of a run by the networks that were forecast at its budget.
fn of_budget(forecast: &Forecast, law: &Law, record: &RunRecord, loss: f64) -> Result<ScoredRun, String> {
    let shape = shape_of(record).ok_or("it names no shape")?;
    let tokens = record.tokens.ok_or("it names no tokens")?;
    let compute = forecast.law.flop_rule.of(&shape, tokens).ok_or("its compute cannot be counted")?.0;
    let off = |budget: &&BudgetForecast| (compute / budget.compute).ln().abs();
    let nearest = forecast.budgets.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
    let budget = nearest.filter(|one| off(one) < SAME_BUDGET_COUNTED_ANEW).ok_or("its compute is near no budget of the forecast")?;
    let name = shape.to_string();
    let network = budget.runs.iter().position(|run| run.shape == name);
    let network = network.ok_or_else(|| format!("{name} is not forecast at {:.3e} FLOPs", budget.compute))?;
    let said: &RunForecast = &budget.runs[network];
    let shift = law.at(said.params, tokens.0) / law.at(said.params, said.tokens);
    let at = forecast.budgets.iter().position(|one| one.compute == budget.compute);
    let other = |other: &OtherLaw| {
        let said = other.losses.get(at?)?.get(network)?;
        Some(SaidByLaw { name: other.name.clone(), forecast: said.times(shift) })
    };
    let place = Point::new(said.params, tokens.0, loss);
    Ok(ScoredRun {
        role: said.role.clone(),
        shape: name,
        compute: budget.compute,
        extrapolation_factor: budget.extrapolation_factor,
        by_law: forecast.others.iter().filter_map(other).collect(),
        ..scored_at(law, said.loss_of_a_run.times(shift), &place)
    })
}

/// The score of a run by the forecast of a run of its N and D.
fn of_place(forecast: &Forecast, law: &Law, record: &RunRecord, loss: f64) -> Option<ScoredRun> {
    let (points, _) = points(std::slice::from_ref(record), forecast.law.size_measure, forecast.law.flop_rule);
    let point = points.into_iter().next()?;
    let off = |run: &&RunAhead| (run.params / point.n).ln().abs().max((run.tokens / point.d).ln().abs());
    let nearest = forecast.runs.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
    (off(&nearest) <= SAME_TOKENS.ln_1p()).then(|| of_ahead(law, nearest, &Point { loss, ..point }))
}

/// The score of a run that was forecast where it stands, or within a little of there.
fn of_ahead(law: &Law, said: &RunAhead, place: &Point) -> ScoredRun {
    let shift = law.at(place.n, place.d) / law.at(said.params, said.tokens);
    let by_law = said.by_law.iter().map(|one| SaidByLaw { name: one.name.clone(), forecast: Predicted::from(&one.one_run).times(shift) });
    ScoredRun {
        role: said.name.clone().unwrap_or_else(|| "as asked".to_owned()),
        shape: format!("N = {}", short(said.params)),
        compute: said.compute,
        extrapolation_factor: said.extrapolation_factor,
        by_law: by_law.collect(),
        ..scored_at(law, Predicted::from(&said.one_run).times(shift), place)
    }
}

/// The runs whose losses were known when the forecast was made, and which it did not look at.
fn known(forecast: &Forecast, law: &Law) -> Vec<ScoredRun> {
    let one = |said: &RunAhead| {
        let run = of_ahead(law, said, &Point::new(said.params, said.tokens, said.found?));
        Some(ScoredRun { run: run.role.clone(), role: "held back".to_owned(), ..run })
    };
    forecast.runs.iter().filter_map(one).collect()
}

/// Forecast, loss and error at a place whose loss is known; what only its record or its forecast says is blank.
fn scored_at(law: &Law, forecast: Predicted, place: &Point) -> ScoredRun {
    let factor = as_compute(law, &forecast, place);
    ScoredRun {
        run: String::new(),
        role: String::new(),
        shape: String::new(),
        compute: f64::NAN,
        extrapolation_factor: f64::NAN,
        params: place.n,
        tokens: place.d,
        learning_rate: None,
        batch_tokens: None,
        loss_nats: place.loss,
        error_nats: forecast.value - place.loss,
        compute_equivalent: factor.ok().map(f64::exp_m1),
        off_the_law: factor.err(),
        by_law: Vec::new(),
        after_forecast: None,
        forecast,
    }
}

/// The coefficients of a forecast as a law.
fn law_of(forecast: &Forecast) -> Result<Law, String> {
    let ForecastLaw { name, coefficients, .. } = &forecast.law;
    let formula = formula(name).ok_or_else(|| format!("its law `{name}` is not known to this version of scalelab"))?;
    let of = |name: &str| coefficients.get(name).copied().ok_or_else(|| format!("its law lacks the coefficient {name}"));
    let theta = formula.coefficients().iter().map(|one| of(one.name)).collect::<Result<Vec<f64>, String>>()?;
    Ok(Law::new(formula, theta))
}

/// Distance of a recipe from the forecast's own: |ln η| and |ln B| of the ratios, summed.
fn distance(budget: &BudgetForecast, learning_rate: Option<f64>, batch: Option<f64>) -> f64 {
    let off = |said: &Option<Predicted>, found: Option<f64>| match (said, found) {
        (Some(said), Some(found)) => (said.value / found).ln().abs(),
        _ => 0.0,
    };
    off(&budget.learning_rate, learning_rate) + off(&budget.batch_tokens, batch)
}

/// Whether no other run of its network and budget has a recipe nearer to the forecast's.
fn has_own_recipe(forecast: &Forecast, run: &ScoredRun, runs: &[ScoredRun]) -> bool {
    let Some(budget) = forecast.budgets.iter().find(|budget| budget.compute == run.compute) else { return true };
    let off = |one: &ScoredRun| distance(budget, one.learning_rate, one.batch_tokens);
    let same = runs.iter().filter(|other| other.shape == run.shape && other.compute == run.compute);
    same.map(off).fold(f64::INFINITY, f64::min) >= off(run) - 1e-9
}

fn scored_budget(forecast: &Forecast, budget: &BudgetForecast, runs: &[ScoredRun], records: &[RunRecord]) -> Option<ScoredBudget> {
    let here: Vec<&ScoredRun> = runs.iter().filter(|run| run.compute == budget.compute && has_own_recipe(forecast, run, runs)).collect();
    if here.is_empty() {
        return None;
    }
    let size = |shape: &str| budget.runs.iter().find(|run| run.shape == shape).map_or(f64::NAN, |run| run.params);
    let places: Vec<(f64, f64)> = here.iter().map(|run| (size(&run.shape), run.loss_nats)).collect();
    Some(ScoredBudget {
        compute: budget.compute,
        loss: budget.loss.clone(),
        loss_by_isoflop: budget.isoflop.as_ref().map(|[_, _, loss]| loss.clone()),
        loss_found: by_size(&places).into_iter().map(|(_, loss)| loss).fold(f64::INFINITY, f64::min),
        params: budget.params.clone(),
        params_by_isoflop: budget.isoflop.as_ref().map(|[params, ..]| params.clone()),
        params_found: profile_minimum(&places, forecast.run_noise, 0.95),
        regret: regret(&places, budget.params.value),
        recipe: recipe_score(forecast, budget, records),
    })
}

/// Each size with the mean of its losses.
fn by_size(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sizes: Vec<f64> = places.iter().map(|(n, _)| *n).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let mean = |n: f64| {
        let losses: Vec<f64> = places.iter().filter(|(size, _)| *size == n).map(|(_, loss)| *loss).collect();
        (n, losses.iter().sum::<f64>() / losses.len() as f64)
    };
    sizes.into_iter().map(mean).collect()
}

/// Loss of the size nearest to `optimum` over the lowest of the sizes, less one; `None` for one size.
fn regret(places: &[(f64, f64)], optimum: f64) -> Option<f64> {
    let sizes = by_size(places);
    let off = |n: f64| (n / optimum).ln().abs();
    let nearest = sizes.iter().min_by(|a, b| off(a.0).total_cmp(&off(b.0)))?;
    let lowest = sizes.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    (sizes.len() > 1).then(|| nearest.1 / lowest - 1.0)
}

/// The network of the budget on which most recipes were tried: the forecast's own against the best.
fn recipe_score(forecast: &Forecast, budget: &BudgetForecast, records: &[RunRecord]) -> Option<ScoredRecipe> {
    let (measure, rule): (SizeMeasure, FlopRule) = (forecast.law.size_measure, forecast.law.flop_rule);
    let here = |cell: &RecipeTrials| (cell.scale.c / budget.compute).ln().abs() < SAME_BUDGET_COUNTED_ANEW;
    let recipes = |cell: &RecipeTrials| {
        let mut all: Vec<[f64; 2]> = cell.trials.iter().map(setting).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        all.dedup();
        all
    };
    let cells = recipe_trials(records, measure, rule);
    let cell = cells.iter().filter(|cell| here(cell)).max_by_key(|cell| recipes(cell).len())?;
    let tried = recipes(cell);
    let mean = |recipe: &[f64; 2]| {
        let losses: Vec<f64> = cell.trials.iter().filter(|trial| setting(trial) == *recipe).filter_map(|trial| trial.loss).collect();
        if losses.is_empty() { f64::INFINITY } else { losses.iter().sum::<f64>() / losses.len() as f64 }
    };
    let off = |recipe: &&[f64; 2]| distance(budget, Some(recipe[0]), Some(recipe[1]));
    let nearest = *tried.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
    let best = *tried.iter().min_by(|a, b| mean(a).total_cmp(&mean(b)))?;
    (tried.len() > 1).then(|| ScoredRecipe {
        tried: tried.len(),
        nearest,
        best,
        excess: (mean(&nearest) / mean(&best)).ln(),
        noise: 2.0 * std::f64::consts::SQRT_2 * forecast.run_noise,
    })
}

fn setting(trial: &Trial) -> [f64; 2] {
    [trial.learning_rate, trial.batch]
}

#[cfg(test)]
mod tests {
    use super::super::forecast::Record;
    use super::super::forecast::document::tests::{example, predicted};
    use super::*;
    use crate::spec::{Nats, Tokens};

    /// What is forecast of a shape that costs the budget exactly.
    fn said(role: &str, shape: (usize, usize), forecast: &Forecast) -> RunForecast {
        let record = run(shape, 1.0, "");
        let shape = shape_of(&record).expect("a shape");
        let n = SizeMeasure::Matmul.of(&shape).expect("counted").0;
        let tokens = forecast.budgets[0].compute / FlopRule::Exact.per_token(&shape).expect("counted");
        let loss = predicted(law_of(forecast).expect("known").at(n, tokens), 0.02);
        RunForecast { role: role.into(), shape: shape.to_string(), params: n, tokens, loss: loss.clone(), loss_of_a_run: loss }
    }

    fn run((layers, width): (usize, usize), tokens: f64, started: &str) -> RunRecord {
        let shape = crate::spec::ModelShape::derived(layers, width);
        RunRecord {
            run_id: format!("{layers}x{width} {started}"),
            tokens: Some(Tokens(tokens)),
            learning_rate: Some(2e-3),
            batch_tokens: Some(Tokens(512.0)),
            started_at: Some(started.to_owned()),
            ..RunRecord::of_shape(&shape)
        }
    }

    const SHAPES: [(usize, usize); 3] = [(2, 32), (2, 64), (3, 96)];

    fn forecast() -> Forecast {
        let mut forecast = example();
        forecast.budgets[0].runs = SHAPES.iter().map(|&shape| said("as asked", shape, &forecast)).collect();
        let optimum = forecast.budgets[0].runs[1].params;
        forecast.budgets[0].params = predicted(optimum, 0.1 * optimum);
        forecast
    }

    /// A run of each shape whose loss lies `off` below the forecast.
    fn runs(forecast: &Forecast, off: f64) -> Vec<RunRecord> {
        let one = |(shape, said): (&(usize, usize), &RunForecast)| RunRecord {
            loss_nats: Some(Nats(said.loss.value - off)),
            ..run(*shape, said.tokens, "2026-01-03T00:00:00Z")
        };
        SHAPES.iter().zip(&forecast.budgets[0].runs).map(one).collect()
    }

    #[test]
    fn what_comes_as_forecast_has_no_error_and_lies_inside_every_interval() {
        let forecast = forecast();
        let found = verify(&forecast, &runs(&forecast, 0.0)).expect("a law");
        assert!(found.laws[0].rms_nats < 1e-12 && found.runs.len() == 3 && found.passed_over.is_empty(), "{found:?}");
        assert!(found.laws[0].coverage.iter().all(|one| (one.held, one.of) == (3, 3)));
        assert!(found.runs.iter().all(|run| run.after_forecast == Some(true)));
        assert!(found.runs[0].compute_equivalent.expect("a factor").abs() < 1e-9);
    }

    #[test]
    fn an_error_is_told_in_nats_and_as_the_compute_that_would_have_made_it() {
        let forecast = forecast();
        let found = verify(&forecast, &runs(&forecast, 0.015)).expect("a law");
        let own = &found.laws[0];
        assert!((own.bias_nats - 0.015).abs() < 1e-12 && (own.rms_nats - 0.015).abs() < 1e-12);
        // Half-widths are 0.02 of each level: 0.010, 0.016, 0.019.
        assert_eq!(own.coverage.iter().map(|one| one.held).collect::<Vec<_>>(), [0, 3, 3]);
        // Lower losses than forecast are those of more compute: N and D each by the root of the factor.
        let law = law_of(&forecast).expect("a law");
        for (run, said) in found.runs.iter().zip(&forecast.budgets[0].runs) {
            let root = (1.0 + run.compute_equivalent.expect("a factor")).sqrt();
            assert!(root > 1.0 && (law.at(root * said.params, root * said.tokens) - run.loss_nats).abs() < 1e-9, "{run:?}");
        }
    }

    #[test]
    fn the_optimum_and_the_recipe_are_judged_by_what_was_trained_beside_them() {
        let forecast = forecast();
        let mut records = runs(&forecast, 0.0);
        let losses: Vec<f64> = records.iter().map(|record| record.loss_nats.expect("a loss").0).collect();
        let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
        // The middle network again with twice the learning rate, one per cent better.
        let better =
            RunRecord { run_id: "other".into(), learning_rate: Some(4e-3), loss_nats: Some(Nats(0.99 * losses[1])), ..records[1].clone() };
        records.push(better);
        let found = verify(&forecast, &records).expect("a law");
        assert_eq!(found.runs.len(), 3, "the run with another recipe is no error of the forecast");
        let budget = &found.budgets[0];
        assert!((budget.loss_found - lowest).abs() < 1e-12 && budget.loss_by_isoflop.is_none());
        assert!((budget.regret.expect("three sizes") - (losses[1] / lowest - 1.0)).abs() < 1e-12);
        let recipe = budget.recipe.as_ref().expect("two recipes");
        assert_eq!((recipe.tried, recipe.nearest, recipe.best), (2, [2e-3, 512.0], [4e-3, 512.0]));
        assert!((recipe.excess + 0.99f64.ln()).abs() < 1e-12 && recipe.verdict().starts_with("not told"), "{recipe:?}");
        let law = law_of(&forecast).expect("a law");
        let shape = |n: f64| law.at(n, forecast.budgets[0].compute / (6.0 * n));
        let profile = profile_minimum(&[1e4, 2e4, 4e4, 8e4, 1.6e5].map(|n| (n, shape(n))), 0.005, 0.95).expect("a minimum");
        assert!(profile.low() < profile.value && budget.params_found.is_some_and(|found| found.low() < found.high()));
    }

    #[test]
    fn other_laws_are_scored_on_the_same_runs() {
        let mut forecast = forecast();
        let record = Record { distance: 2.0, runs: 9, bias_nats: 0.0, rms_nats: 0.003 };
        let losses = forecast.budgets[0].runs.iter().map(|said| predicted(said.loss.value - 0.015, 0.02)).collect();
        forecast.others =
            vec![OtherLaw { name: "kaplan".into(), coefficients: Default::default(), record: Some(record), losses: vec![losses] }];
        let found = verify(&forecast, &runs(&forecast, 0.015)).expect("a law");
        let other = &found.laws[1];
        assert!(other.name == "kaplan" && other.rms_nats < 1e-12 && other.own_rms_nats == Some(0.003), "{other:?}");
        assert!(other.coverage.iter().all(|one| one.held == 3) && found.laws[0].coverage[0].held == 0);
    }

    #[test]
    fn runs_that_are_not_forecast_are_passed_over_with_the_reason() {
        let forecast = forecast();
        let mut records = runs(&forecast, 0.0);
        records[0].tokens = Some(Tokens(1e3));
        records[1].width = Some(80);
        records[2].started_at = Some("2026-01-01T00:00:00Z".into());
        let found = verify(&forecast, &records).expect("a law");
        assert!(found.passed_over[0].1.contains("near no budget of the forecast"), "{:?}", found.passed_over);
        assert_eq!(found.passed_over.len() + found.runs.len(), 3);
        assert_eq!(found.runs.last().and_then(|run| run.after_forecast), Some(false), "it began before the forecast was made");
    }
}
