//! A forecast from a study: each law is fitted once and asked at every level.

use super::ahead::{Ends, LawAhead, Parts, RunAhead, Together};
use super::document::{BudgetForecast, Code, Forecast, ForecastLaw, LEVELS, OtherLaw, Predicted, Record, RunForecast};
use crate::fit::{Estimate, FORMAT, Fit, FitOptions, IsoflopFit, RecipeStudy, Search, fit, rolling_origin};
use crate::law::{AnyFormula, ComputeCount, Evidence, Law, Point, families};
use crate::recommend::networks::losses_at;
use crate::recommend::{Allocation, Known, Network, Range, allocate, network_losses, networks, run_noise};
use crate::spec::Flops;
use crate::study::Study;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is asked of a forecast, and what stands in it that no study knows.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Budgets, FLOPs; none means 3 and 10 times the largest run.
    pub budgets: &'a [Flops],
    /// Networks to forecast at each budget, layers and width; none means those nearest to N*/2, N* and 2·N*.
    pub shapes: &'a [(usize, usize)],
    /// Runs to forecast where they stand; with any and without budgets, these alone.
    pub runs: &'a [RunAsked],
    /// What other sweeps say of learning rate and batch, where they are asked.
    pub hyperparameters: Option<&'a RecipeStudy>,
    /// When it is made, as text.
    pub made_at: String,
    /// Where the runs stand.
    pub source: String,
    /// Where those of `hyperparameters` stand.
    pub recipe_sources: Vec<String>,
    /// Version and commit of the program.
    pub code: Code,
}

/// A run that a forecast is asked of.
#[derive(Debug, Clone, PartialEq)]
pub struct RunAsked {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// N, D and C as the runs of the study count them.
    pub place: Point,
    /// Its loss, where it is known and was not looked at, nats per token.
    pub found: Option<f64>,
}

/// The forecast of a study; `None` where its law gives a budget no optimum.
pub fn forecast(study: &Study, request: Request<'_>) -> Option<Forecast> {
    let alone = !request.runs.is_empty() && request.budgets.is_empty();
    let fitted = if alone { study.best_law().filter(|one| one.law.may_advise())? } else { study.law_with_optima()? };
    // The windows that losses are measured on are those of the runs to come, so their noise is no error of the forecast.
    let fitted = Fit::clone(fitted).without_windows();
    let known = Known { study: request.hyperparameters.or(study.hyperparameters.as_ref()), ..Known::of(study) };
    let default = [3.0, 10.0].map(|multiple| Flops(multiple * study.evidence.largest_compute()));
    let budgets = if request.budgets.is_empty() && !alone { &default[..] } else { request.budgets };
    let allocated: Vec<Vec<Allocation>> =
        budgets.iter().map(|&budget| LEVELS.map(|level| allocate(&fitted, level, &known, budget)).into()).collect();
    let of_budget = |levels: &Vec<Allocation>| networks(&fitted, known.records, &levels[0], request.shapes);
    let found: Vec<Vec<Network>> = allocated.iter().map(of_budget).collect();
    let law = |fit: &Fit| coefficients(&fit.law);
    let options = study.options.fit_options();
    let lowest = study.evidence.points.iter().map(|run| run.loss).fold(f64::INFINITY, f64::min);
    let loss = allocated.first().and_then(|levels| levels.first()).map_or(lowest, |one| one.loss.value);
    let runs = runs(&fitted, &known, study, &request, &allocated, &found);
    let (run_noise, noise_source) = match (known.mixture, runs.first()) {
        (Some(mixture), Some(run)) => {
            let place = Point { c: run.compute, ..Point::new(run.params, run.tokens, 1.0) };
            (mixture.one_run(&place).noise.sqrt(), "runs about the laws".to_owned())
        }
        _ => run_noise(&fitted, known.records, loss),
    };
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
            loss_unit: fitted.evidence.loss_unit,
        },
        points: fitted.evidence.points.len(),
        evidence: Range::of(&study.evidence.points),
        run_noise,
        noise_source,
        record: record(&fitted.law, &study.evidence, &options),
        others: if alone {
            Vec::new()
        } else {
            others(known.mixture.is_none().then_some(&fitted.law))
                .par_iter()
                .filter_map(|form| other(form, study, &options, &found))
                .collect()
        },
        budgets: allocated
            .iter()
            .zip(&found)
            .filter_map(|(levels, networks)| of_levels(study, &fitted, &known, levels, networks))
            .collect(),
        mixture: known.mixture.map(|mixture| Together::of(mixture, runs.iter().map(|run| run.extrapolation_factor).fold(0.0, f64::max))),
        runs,
        warnings: study.why_alone().into_iter().collect(),
        sha256: String::new(),
    })
}

/// Every law of N and D that has been found to fit language models, but the one that speaks, where one does.
fn others(speaks: Option<&Law>) -> Vec<Law> {
    let is_other = |form: &Arc<dyn AnyFormula>| speaks.is_none_or(|law| form.name() != law.name());
    families().into_iter().filter(is_other).map(Law::unfitted).collect()
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
        let by_level = losses_by_level(&fitted, &Known { records: &study.records, ..Known::default() }, found);
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
fn losses_by_level(fitted: &Fit, known: &Known<'_>, networks: &[Network]) -> Vec<Vec<[Estimate; 2]>> {
    LEVELS.iter().map(|&level| network_losses(fitted, level, known, networks)).collect()
}

/// Every run that is forecast: those that were asked for, and what stands at each budget.
fn runs(
    fitted: &Fit,
    known: &Known<'_>,
    study: &Study,
    request: &Request<'_>,
    allocated: &[Vec<Allocation>],
    found: &[Vec<Network>],
) -> Vec<RunAhead> {
    let count = ComputeCount::of(&study.evidence.points);
    let place = |n: f64, d: f64| Point { c: count.compute(n, d), ..Point::new(n, d, 1.0) };
    let network = |one: &Network| RunAsked { name: Some(one.shape.to_string()), place: place(one.params, one.tokens), found: None };
    let optimum = |levels: &Vec<Allocation>| {
        let one = levels.first()?;
        Some(RunAsked { name: Some("optimum".into()), place: place(one.params.value, one.tokens.value), found: None })
    };
    let of_budget = |(levels, networks): (&Vec<Allocation>, &Vec<Network>)| {
        if networks.is_empty() { optimum(levels).into_iter().collect() } else { networks.iter().map(network).collect::<Vec<_>>() }
    };
    let asked: Vec<RunAsked> = request.runs.iter().cloned().chain(allocated.iter().zip(found).flat_map(of_budget)).collect();
    ahead(fitted, known, study, &asked, LEVELS[LEVELS.len() - 1])
}

/// What is forecast of runs, each where it stands, with intervals of one level of confidence; `None` where no law was fitted.
pub fn forecast_runs(study: &Study, asked: &[RunAsked], level: f64) -> Option<Vec<RunAhead>> {
    // The windows that losses are measured on are those of the runs to come, so their noise is no error of the forecast.
    let fitted = Fit::clone(study.best_law()?).without_windows();
    let known = if fitted.law.may_advise() { Known::of(study) } else { Known { mixture: None, ..Known::of(study) } };
    Some(ahead(&fitted, &known, study, asked, level))
}

fn ahead(fitted: &Fit, known: &Known<'_>, study: &Study, asked: &[RunAsked], level: f64) -> Vec<RunAhead> {
    let places: Vec<Point> = asked.iter().map(|run| run.place.clone()).collect();
    let losses = losses_at(fitted, level, known, &places);
    let largest = study.evidence.largest_compute();
    let ahead = |(run, [mean, one_run]): (&RunAsked, [Estimate; 2])| RunAhead {
        name: run.name.clone(),
        params: run.place.n,
        tokens: run.place.d,
        compute: run.place.c,
        extrapolation_factor: run.place.c / largest,
        loss: Ends::of(&mean, level),
        one_run: Ends::of(&one_run, level),
        variance_of_ln: known.mixture.map(|mixture| Parts::of(&mixture.one_run(&run.place))),
        by_law: known.mixture.map_or_else(Vec::new, |mixture| LawAhead::all(mixture, &run.place, level)),
        found: run.found,
    };
    asked.iter().zip(losses).map(ahead).collect()
}

/// Coefficients by name.
fn coefficients(law: &Law) -> BTreeMap<String, f64> {
    law.coefficients().iter().zip(law.theta()).map(|(one, value)| (one.name.to_owned(), *value)).collect()
}

/// One budget from its allocations at every level.
fn of_levels(study: &Study, fitted: &Fit, known: &Known<'_>, allocations: &[Allocation], found: &[Network]) -> Option<BudgetForecast> {
    let losses = losses_by_level(fitted, known, found);
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
