//! `scalelab plot`: the figures of a sweep or a table of runs.

use super::analysis::{Choices, Laws, study};
use super::failure::{Failure, OrWork, Outcome};
use super::scrutiny::LARGE;
use super::source::{Source, SourceArgs};
use crate::fit::{
    Convention, Estimate, FitOptions, FittedLaw, Influence, IsoflopFit, Quantity, RecipeStudy, Response, Search,
    conventions as exponents_counted, influence, profiles,
};
use crate::law::{ComputeCount, Evidence, PUBLISHED, PowerRule, RECIPES, RecipeTrials, Scale, Trial, recipe_trials, shape_of};
use crate::results::write_whole;
use crate::spec::{RunStatus, SizeMeasure, same_budget};
use crate::study::Study;
use crate::view::{
    Conventions, CountedExponent, ExponentCloud, Frontier, FrontierPoint, IsoflopBudget, LeftOut, Range, RateCurve, RecipeCell,
    RecipeFigure, RecipeLine, RecipeMap, RecipePoint, Residual, RunCurve, ViewError, conventions_matrix, exponent_cloud, floor_profile,
    frontier, frontier_of, frontier_together, isoflop_valleys, leave_one_out, loss_by_compute, loss_by_tokens, loss_curves, loss_surface,
    observed_and_predicted, rate_curves, recipe_laws, recipe_maps, reference_frontier, residual_map,
};
use anyhow::{Context, anyhow};
use clap::Args;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Examples:\n  scalelab plot results/grid\n  scalelab plot runs.csv --out figures")]
pub(super) struct PlotArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    laws: Laws,
    #[command(flatten)]
    choices: Choices,
    /// Folder for the pictures [default for a results folder: plots/<sweep> beside it]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &PlotArgs) -> Outcome {
    let source = args.choices.seen_aloud(args.source.read()?)?;
    let folder = match (&args.out, &source.folder) {
        (Some(out), _) => out.clone(),
        (None, Some(_)) => args.source.plots_of(&source),
        (None, None) => return Err(Failure::Input(anyhow!("nothing is written beside a CSV: say where with --out DIR"))),
    };
    let study = study(&source, &args.choices.options_with(&source, &args.laws))?;
    if let Some(refusal) = study.laws.first().and_then(|report| report.fitted.as_ref().err()) {
        eprintln!("no law is drawn: {refusal}");
    }
    for name in draw_all(&source, &study, &folder)? {
        println!("{}", folder.join(name).display());
    }
    Ok(())
}

/// Draws every figure that the runs allow and returns the names of the files.
pub(super) fn draw_all(source: &Source, study: &Study, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    let mut drawn = Vec::new();
    for (name, picture) in figures(source, study)? {
        match picture {
            Ok(bytes) => {
                let path = folder.join(name);
                write_whole(&path, &bytes).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
                drawn.push(name);
            }
            Err(error @ ViewError::Empty { .. }) => eprintln!("{name} is not drawn: {error}"),
        }
    }
    Ok(drawn)
}

/// A figure under the name of its file.
pub(super) type Drawn = (&'static str, Result<Vec<u8>, ViewError>);

/// Every figure that the runs allow.
pub(super) fn figures(source: &Source, study: &Study) -> Result<Vec<Drawn>, Failure> {
    let data = Conventions::of(&source.name, &study.evidence);
    let advising = study.best_law().filter(|fitted| fitted.law.may_advise());
    let fitted = match advising {
        Some(law) => data.clone().fitted_by(law.estimator),
        None => data.clone(),
    };
    let law = advising.map(|fitted| &fitted.law);
    let mut figures = vec![("loss-by-tokens.png", loss_by_tokens(&study.evidence.points, law, &fitted))];
    if source.folder.is_some() {
        figures.push(("loss-curves.png", loss_curves(&curves(source, study.evidence.size_measure)?, &all_runs(source, &data))));
    }
    if study.evidence.points.iter().any(|point| point.budget.is_some()) {
        figures.push(("isoflop.png", isoflop_valleys(&valleys(study), &data)));
    }
    let rates = rates_of_cells(source, study);
    if !rates.is_empty() {
        figures.push(("learning-rates.png", rate_curves(&rates, &all_runs(source, &data))));
    }
    if let Some(recipes) = study.hyperparameters.as_ref() {
        if recipes.cells.iter().any(|cell| cell.tried[1] > 1) {
            figures.push(("recipe-maps.png", recipe_maps(&maps(source, study, recipes), &all_runs(source, &data))));
        }
        figures.push(("recipe-laws.png", recipe_laws(&laws_of_recipes(source, study, recipes), &all_runs(source, &data))));
    }
    if let Some(fit) = study.law_with_optima() {
        let law = &fit.law;
        let points = &study.evidence.points;
        let optimal = frontier_figure(study, fit);
        figures.push(("frontier.png", frontier(&optimal, &fitted)));
        // The floor of one law is none of several.
        let floor = law.floor().filter(|_| !optimal.together);
        figures.push(("loss-by-compute.png", loss_by_compute(points, &optimal, floor, &fitted)));
        figures.push(("loss-surface.png", loss_surface(points, law, &ComputeCount::of(points), &fitted)));
        figures.extend(ExponentCloud::of(fit).map(|cloud| ("exponents.png", exponent_cloud(&cloud, &fitted))));
        let residuals = Residual::of(points, law);
        figures.push(("observed-predicted.png", observed_and_predicted(&residuals, &fitted)));
        figures.push(("residual-map.png", residual_map(&residuals, &fitted)));
        figures.extend(influence_on_a(fit).map(|(runs, a)| ("influence.png", leave_one_out(&runs, a, &fitted))));
        figures.extend(profile_of_floor(study, fit).map(|drawn| ("floor-profile.png", drawn(&fitted))));
        figures.extend(counted(study, fit).map(|rows| ("conventions.png", conventions_matrix(&rows, &fitted))));
    }
    Ok(figures)
}

/// The exponent a without each run in turn.
fn influence_on_a(fit: &FittedLaw) -> Option<(Vec<LeftOut>, Range)> {
    let points = &fit.evidence.points;
    // A run of hundreds carries little, and a fit without each of them is a wait.
    if points.len() > LARGE {
        return None;
    }
    let compute: HashMap<&str, f64> = points.iter().map(|point| (point.run.as_str(), point.c)).collect();
    let exponent = Quantity::params_exponent(fit.evidence.largest_compute(), &ComputeCount::of(points));
    let found = influence(fit, &exponent).ok()?;
    let one = |one: Influence| Some(LeftOut { compute: *compute.get(one.run.as_str())?, run: one.run, exponent: one.without });
    Some((found.into_iter().filter_map(one).collect(), Range::from(fit.derived.get("a")?)))
}

/// The profile likelihood of E, with the floor of the source where it is known; least squares of log loss alone has one.
fn profile_of_floor(study: &Study, fit: &FittedLaw) -> Option<impl FnOnce(&Conventions) -> Result<Vec<u8>, ViewError>> {
    let floor = Quantity::coefficient(&fit.law, fit.law.floor_index()?);
    let found = profiles(fit, fit.level, &[floor]).ok()?;
    let profile = found.0.first()?.1.clone();
    let references: Vec<(String, f64)> = study.floor_nats.map(|floor| ("truth".to_owned(), floor)).into_iter().collect();
    Some(move |conventions: &Conventions| floor_profile(&profile.curve, Range::from(&profile.profile), &references, conventions))
}

/// Refits for the exponent under one way of counting, at most.
const CONVENTION_REFITS: usize = 200;

/// The exponent under every way of counting, where the shapes of the runs allow to count anew.
fn counted(study: &Study, fit: &FittedLaw) -> Option<Vec<CountedExponent>> {
    if !study.options.own || study.evidence.points.len() > LARGE {
        return None;
    }
    let options = study.options.fit_options();
    let options = FitOptions { search: Search::VarproOnly, refits: options.refits.min(CONVENTION_REFITS), ..options };
    let found = exponents_counted(&fit.law, &study.records, &options, fit.level);
    let row = |same: &[Convention]| CountedExponent {
        size_measure: same[0].size_measure,
        flop_rules: same.iter().map(|one| one.flop_rule.name()).collect::<Vec<_>>().join(", "),
        exponent: same[0].exponent.as_ref().map(Range::from).map_err(Clone::clone),
    };
    Some(found.chunk_by(|a, b| a.size_measure == b.size_measure && a.exponent == b.exponent).map(row).collect())
}

/// The conventions of a figure that shows every run, not one recipe a cell.
fn all_runs(source: &Source, data: &Conventions) -> Conventions {
    let points = source.records.iter().filter(|record| record.status == RunStatus::Finished).count();
    Conventions { points, excluded: source.records.len() - points, ..data.clone() }
}

fn curves(source: &Source, measure: SizeMeasure) -> Result<Vec<RunCurve>, Failure> {
    let Some(folder) = &source.folder else {
        return Ok(Vec::new());
    };
    let (kept, mut curves) = (folder.curves(), Vec::new());
    for record in &source.records {
        let size = shape_of(record).and_then(|shape| measure.of(&shape)).or(record.params_total);
        let (Some(size), Some(curve)) = (size, kept.of(&record.run_id)?) else {
            continue;
        };
        let held_out = record.tokens.zip(record.loss_nats).map(|(tokens, loss)| (tokens.0, loss.0));
        curves.push(RunCurve::of(size.0, &curve, held_out));
    }
    Ok(curves)
}

/// Loss against learning rate of each cell in which more than one rate was tried: the mean over seeds, at the best batch of
/// each rate. The optimum is that of the cell's surface.
fn rates_of_cells(source: &Source, study: &Study) -> Vec<RateCurve> {
    let Evidence { size_measure, flop_rule, .. } = *study.evidence;
    let curve = |cell: &RecipeTrials| {
        let rates = cell.tried(|trial| trial.learning_rate);
        let lowest = |rate: f64| {
            let of_batch = |batch: f64| {
                let same = cell.trials.iter().filter(|trial| trial.learning_rate == rate && trial.batch == batch);
                let losses: Vec<f64> = same.filter_map(|trial| trial.loss).collect();
                (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
            };
            cell.tried(|trial| trial.batch).into_iter().filter_map(of_batch).min_by(f64::total_cmp)
        };
        let runs: Vec<(f64, f64)> = rates.iter().filter_map(|&rate| Some((rate, lowest(rate)?))).collect();
        let diverged = rates.iter().copied().filter(|&rate| lowest(rate).is_none()).collect();
        let best = cell.best().map(|(trial, _)| trial.run.as_str());
        let response = study.hyperparameters.as_ref().and_then(|found| found.cells.iter().find(|one| Some(one.best_run.as_str()) == best));
        let optimum = response.filter(|one| one.is_inside()).and_then(|one| Some((Range::from(&one.learning_rate?), one.loss?.value)));
        RateCurve { n: cell.scale.n, d: cell.scale.d, runs, diverged, parabola: None, optimum }
    };
    let cells = recipe_trials(&source.records, size_measure, flop_rule);
    cells.iter().filter(|cell| cell.tried(|trial| trial.learning_rate).len() > 1).map(curve).collect()
}

/// The cells as they were tried, in the order of the study.
fn trials_of(source: &Source, study: &Study) -> Vec<RecipeTrials> {
    let Evidence { size_measure, flop_rule, .. } = *study.evidence;
    recipe_trials(&source.records, size_measure, flop_rule).into_iter().filter(|cell| cell.best().is_some()).collect()
}

fn maps(source: &Source, study: &Study, recipes: &RecipeStudy) -> Vec<RecipeMap> {
    let map = |(cell, trials): (&Response, RecipeTrials)| {
        let one = |trial: &Trial| RecipeCell { learning_rate: trial.learning_rate, batch: trial.batch, loss: trial.loss };
        let optimum = cell.learning_rate.zip(cell.batch).zip(cell.loss).filter(|_| cell.is_inside());
        RecipeMap {
            title: cell.cell.clone(),
            cells: trials.trials.iter().map(one).collect(),
            optimum: optimum.map(|((rate, batch), loss)| (rate.value, batch.value, loss.value)),
            band: cell.band,
        }
    };
    recipes.cells.iter().zip(trials_of(source, study)).filter(|(cell, _)| cell.tried[1] > 1).map(map).collect()
}

/// Points along which laws are drawn.
const LAW_POINTS: usize = 60;

/// Optima and near-optimal runs of the cells, the law that served unseen cells best, and the published ones, along the line
/// on which N and D of the cells grow with C.
fn laws_of_recipes(source: &Source, study: &Study, recipes: &RecipeStudy) -> RecipeFigure {
    let trials = trials_of(source, study);
    let range = |estimate: &Estimate| Range::from(estimate);
    let exact = |value: f64| Range { value, low: value, high: value };
    let optima = recipes.cells.iter().filter(|cell| cell.is_inside()).map(|cell| RecipePoint {
        compute: cell.scale.c,
        learning_rate: cell.learning_rate.as_ref().map(range),
        batch: cell.batch.as_ref().map(range),
    });
    let near = recipes.cells.iter().zip(&trials).flat_map(|(cell, trials)| {
        cell.near_optimal.iter().map(move |&at| RecipePoint {
            compute: cell.scale.c,
            learning_rate: (cell.tried[0] > 1).then(|| exact(trials.trials[at].learning_rate)),
            batch: (cell.tried[1] > 1).then(|| exact(trials.trials[at].batch)),
        })
    });
    let law = recipes.best_law().map_or_else(Vec::new, |law| {
        let at = |(compute, scale): (f64, Scale)| RecipePoint {
            compute,
            learning_rate: law.learning_rate.as_ref().map(|fit| range(&fit.at(&scale))),
            batch: law.batch.as_ref().map(|fit| range(&fit.at(&scale))),
        };
        path_of(&trials, &|cell| cell.scale).into_iter().map(at).collect()
    });
    let published = RECIPES.iter().filter(|_| trials.iter().all(|cell| cell.shape.is_some())).map(|recipe| {
        let path = path_of(&trials, &|cell| cell.scale_under(recipe.size_measure, recipe.flop_rule));
        let at = |(compute, scale): (f64, Scale)| {
            let value = |rule: &PowerRule| Some(exact(rule.at(&scale)));
            RecipePoint { compute, learning_rate: value(&recipe.learning_rate), batch: value(&recipe.batch_tokens) }
        };
        RecipeLine { name: recipe.name.into(), points: path.into_iter().map(at).collect() }
    });
    RecipeFigure { optima: optima.collect(), near: near.collect(), law, published: published.collect() }
}

/// Places over the compute of the cells and a hundred times more, each with its compute as the cells count it: N and D grow
/// alike from the geometric means of the cells, counted as `scale` does.
fn path_of(trials: &[RecipeTrials], scale: &dyn Fn(&RecipeTrials) -> Scale) -> Vec<(f64, Scale)> {
    let mean = |pick: &dyn Fn(&RecipeTrials) -> f64| (trials.iter().map(|cell| pick(cell).ln()).sum::<f64>() / trials.len() as f64).exp();
    let [n, d, c] = [mean(&|cell| scale(cell).n), mean(&|cell| scale(cell).d), mean(&|cell| scale(cell).c)];
    let centre = mean(&|cell| cell.scale.c);
    let low = trials.iter().map(|cell| cell.scale.c).fold(f64::INFINITY, f64::min);
    let high = 100.0 * trials.iter().map(|cell| cell.scale.c).fold(0.0, f64::max);
    let place = |at: usize| {
        let compute = low * (high / low).powf(at as f64 / (LAW_POINTS - 1) as f64);
        let grown = compute / centre;
        (compute, Scale { n: n * grown.sqrt(), d: d * grown.sqrt(), c: c * grown })
    };
    (0..LAW_POINTS).map(place).collect()
}

/// Every budget with its runs, its parabola and, where it is used, its vertex.
fn valleys(study: &Study) -> Vec<IsoflopBudget> {
    let points = &study.evidence.points;
    let mut budgets: Vec<f64> = points.iter().filter_map(|point| point.budget).collect();
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let valley = |budget: f64| {
        let runs = points.iter().filter(|point| point.budget == Some(budget)).map(|point| (point.n, point.loss)).collect();
        let used = study.isoflop.as_ref().and_then(|fit| fit.valleys.iter().find(|valley| same_budget(valley.compute, budget)));
        IsoflopBudget {
            budget,
            runs,
            parabola: used.and_then(|valley| valley.parabola),
            vertex: used.map(|valley| (Range::from(&valley.params), valley.loss)),
        }
    };
    budgets.into_iter().map(valley).collect()
}

/// Points of the frontier: a smooth curve in logarithms, of which each point costs three intervals.
const FRONTIER_POINTS: usize = 25;

/// The frontier that is recommended over the evidence and well beyond, with the optima of the parabolas.
fn frontier_figure(study: &Study, fit: &FittedLaw) -> Frontier {
    let points = &study.evidence.points;
    let low = points.iter().map(|point| point.c).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.c).fold(0.0, f64::max);
    let shown = (low / 3.0, high * 1000.0);
    let comparable = study.evidence.size_measure == SizeMeasure::AsGiven;
    let published = PUBLISHED.iter().filter(|_| comparable).map(|law| reference_frontier(law.name, &law.law, 6.0, shown)).collect();
    let together = study.mixture().map(|mixture| frontier_together(mixture, fit.level, points, shown, FRONTIER_POINTS));
    let together = together.filter(|points| !points.is_empty());
    Frontier {
        optima: study.isoflop.as_ref().map(optima).unwrap_or_default(),
        together: together.is_some(),
        law: together.unwrap_or_else(|| frontier_of(fit, fit.level, shown, FRONTIER_POINTS)),
        evidence: Some((low, high)),
        published,
        asked: Vec::new(),
    }
}

fn optima(fit: &IsoflopFit) -> Vec<FrontierPoint> {
    let range = |estimate: &Estimate| Range::from(estimate);
    fit.valleys
        .iter()
        .map(|valley| FrontierPoint { compute: valley.compute, n: range(&valley.params), d: range(&valley.tokens), loss: None })
        .collect()
}
