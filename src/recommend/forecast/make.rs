//! A forecast from a study: each law is fitted once and asked at every level.

use super::document::{BudgetForecast, Code, Forecast, ForecastLaw, LEVELS, OtherLaw, Predicted, Record, RunForecast};
use crate::fit::{Estimate, FORMAT, Fit, FitOptions, IsoflopFit, RecipeStudy, Search, fit, rolling_origin};
use crate::law::{AnyFormula, Evidence, Law, formulas};
use crate::recommend::{Allocation, Known, Network, Range, allocate, network_losses, networks, run_noise};
use crate::spec::Flops;
use crate::study::Study;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is asked of a forecast, and what stands in it that no study knows.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Budgets, FLOPs; none means 3 and 10 times the largest run.
    pub budgets: &'a [Flops],
    /// Networks to forecast at each budget, layers and width; none means those nearest to N*/2, N* and 2·N*.
    pub shapes: &'a [(usize, usize)],
    /// What other sweeps say of learning rate and batch, where they are asked.
    pub hyperparameters: Option<&'a RecipeStudy>,
    /// When it is made, as text.
    pub made_at: String,
    /// Where the runs stand.
    pub source: String,
    /// Where those of `hyperparameters` stand.
    pub recipe_sources: Vec<String>,
    /// The program.
    pub code: Code,
}

/// The forecast of a study; `None` where its law gives a budget no optimum.
pub fn forecast(study: &Study, request: Request<'_>) -> Option<Forecast> {
    let fitted = study.law_with_optima()?;
    // The windows that losses are measured on are those of the runs to come, so their noise is no error of the forecast.
    let fitted = Fit::clone(fitted).without_windows();
    let known = Known { study: request.hyperparameters.or(study.hyperparameters.as_ref()), ..Known::of(study) };
    let default = [3.0, 10.0].map(|multiple| Flops(multiple * study.evidence.largest_compute()));
    let budgets = if request.budgets.is_empty() { &default[..] } else { request.budgets };
    let allocated: Vec<Vec<Allocation>> =
        budgets.iter().map(|&budget| LEVELS.map(|level| allocate(&fitted, level, &known, budget)).into()).collect();
    let of_budget = |levels: &Vec<Allocation>| networks(&fitted, known.records, &levels[0], request.shapes);
    let found: Vec<Vec<Network>> = allocated.iter().map(of_budget).collect();
    let law = |fit: &Fit| coefficients(&fit.law);
    let options = study.options.fit_options();
    let loss = allocated.first().and_then(|levels| levels.first()).map_or(f64::NAN, |one| one.loss.value);
    let (run_noise, noise_source) = run_noise(&fitted, known.records, loss);
    Some(Forecast {
        made_at: request.made_at,
        format: FORMAT,
        source: request.source,
        recipe_sources: request.recipe_sources,
        code: request.code,
        data_sha256: fitted.data_sha256.clone(),
        law: ForecastLaw {
            name: fitted.law.name().to_owned(),
            estimator: fitted.estimator.to_string(),
            sha256: ForecastLaw::hash_of(&law(&fitted)),
            coefficients: law(&fitted),
            size_measure: fitted.evidence.size_measure,
            flop_rule: fitted.evidence.flop_rule,
        },
        points: fitted.evidence.points.len(),
        evidence: Range::of(&study.evidence.points),
        run_noise,
        noise_source,
        record: record(&fitted.law, &study.evidence, &options),
        others: others(&fitted.law).into_iter().filter_map(|form| other(&form, study, &options, &found)).collect(),
        budgets: allocated.iter().zip(&found).filter_map(|(levels, networks)| of_levels(study, &fitted, levels, networks)).collect(),
        sha256: String::new(),
    })
}

/// Every other law of N and D that has been found to fit language models.
fn others(speaks: &Law) -> Vec<Law> {
    let is_other = |form: &Arc<dyn AnyFormula>| form.name() != speaks.name();
    let laws = formulas().into_iter().filter(is_other).map(|form| {
        let count = form.coefficients().len();
        Law::new(form, vec![1.0; count])
    });
    laws.filter(Law::may_advise).collect()
}

/// How a law fitted to the runs up to half the largest compute forecasts the others.
fn record(form: &Law, evidence: &Evidence, options: &FitOptions) -> Option<Record> {
    let options = FitOptions { search: Search::VarproOnly, ..*options };
    // Budgets are met to within a step: a little above half is half.
    let found = rolling_origin(form, evidence, &options, &[0.51 * evidence.largest_compute()]);
    let one = found.first()?;
    Some(Record { distance: one.distance, runs: one.runs[1], bias_nats: one.bias_nats, rms_nats: one.rms_nats })
}

/// Another law on the same runs, networks and levels; absent where it cannot be fitted.
fn other(form: &Law, study: &Study, options: &FitOptions, networks: &[Vec<Network>]) -> Option<OtherLaw> {
    let fitted = fit(form, study.evidence.clone(), &FitOptions { search: Search::VarproOnly, ..*options }).ok()?;
    let of_budget = |found: &Vec<Network>| {
        let by_level = losses_by_level(&fitted, study, found);
        (0..found.len()).filter_map(|at| Predicted::of(&by_level.iter().map(|level| level[at][1]).collect::<Vec<_>>())).collect()
    };
    Some(OtherLaw {
        name: fitted.law.name().to_owned(),
        coefficients: coefficients(&fitted.law),
        record: record(form, &study.evidence, options),
        losses: networks.iter().map(of_budget).collect(),
    })
}

/// Mean losses and losses of one run of networks, level by level.
fn losses_by_level(fitted: &Fit, study: &Study, networks: &[Network]) -> Vec<Vec<[Estimate; 2]>> {
    LEVELS.iter().map(|&level| network_losses(fitted, level, &study.records, networks)).collect()
}

/// Coefficients by name.
fn coefficients(law: &Law) -> BTreeMap<String, f64> {
    law.coefficients().iter().zip(law.theta()).map(|(one, value)| (one.name.to_owned(), *value)).collect()
}

/// One budget from its allocations at every level.
fn of_levels(study: &Study, fitted: &Fit, allocations: &[Allocation], found: &[Network]) -> Option<BudgetForecast> {
    let losses = losses_by_level(fitted, study, found);
    let run = |(number, network): (usize, &Network)| {
        let of = |which: usize| Predicted::of(&losses.iter().map(|level| level[number][which]).collect::<Vec<_>>());
        Some(RunForecast {
            role: network.role.clone(),
            shape: network.shape.to_string(),
            params: network.params,
            tokens: network.tokens,
            loss: of(0)?,
            loss_of_a_run: of(1)?,
        })
    };
    let runs = found.iter().enumerate().filter_map(run).collect();
    BudgetForecast::of(allocations, by_isoflop(study, allocations.first()?.compute), runs)
}

/// N*, D* and L* by parabolas at every level.
fn by_isoflop(study: &Study, compute: f64) -> Option<[Predicted; 3]> {
    let fits: Vec<IsoflopFit> = LEVELS.iter().map(|&level| study.isoflop_at(level)).collect::<Option<_>>()?;
    let loss =
        |(fit, &level): (&IsoflopFit, &f64)| Some(fit.loss_of_compute(level).ok()?.interval(&crate::fit::loss_at_compute(compute), level));
    let losses: Vec<Estimate> = fits.iter().zip(&LEVELS).map(loss).collect::<Option<_>>()?;
    let of = |pick: &dyn Fn(&IsoflopFit) -> Estimate| Predicted::of(&fits.iter().map(pick).collect::<Vec<_>>());
    Some([of(&|fit| fit.params.at(compute))?, of(&|fit| fit.tokens.at(compute))?, Predicted::of(&losses)?])
}
