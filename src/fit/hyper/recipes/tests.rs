use super::super::joint::tests::cells;
use super::*;
use crate::law::{PowerRule, Scale, Trial};
use crate::spec::Random;
use rayon::prelude::*;

#[test]
fn every_method_finds_the_law_behind_surfaces_without_noise() {
    let study = recipe_study(&cells(0.0, 0), None, 0.95).expect("surfaces");
    for name in ["optima-nd", "joint"] {
        let law = study.law(name).expect("fitted");
        let rate = law.learning_rate.as_ref().expect("bends").rule;
        assert!((rate.n + 0.5).abs() < 1e-4 && (rate.d - 0.1).abs() < 1e-4, "{name}: {rate}");
        // The laws are exact, so that they cost what the grid costs: the run nearest to the optimum is the best of its cell.
        assert!(law.held_out.as_ref().expect("scored").worst < 1e-6, "{name}");
    }
    let constant = study.others.iter().find(|score| score.name == "constant").expect("scored");
    assert!(constant.mean > 5e-3, "a constant recipe misses optima that move: {constant:?}");
    assert_eq!(study.best_law().expect("scored").held_out.as_ref().expect("scored").cells, 6);
    assert!(study.others.iter().any(|score| score.name == "deepseek"), "published laws are scored on the same cells");
}

#[test]
fn near_optimal_runs_give_powers_of_compute() {
    let study = recipe_study(&cells(0.001, 3), None, 0.95).expect("surfaces");
    let law = study.law("near-optimal").expect("fitted");
    assert_eq!(law.batch.as_ref().expect("bends").basis, Basis::Compute);
    assert!(law.batch.as_ref().expect("bends").rule.c > 0.0 && law.learning_rate.as_ref().expect("bends").rule.c < 0.0);
}

#[test]
fn a_sweep_of_one_recipe_has_nothing_to_study() {
    let mut all = cells(0.0, 0);
    all.iter_mut().for_each(|cell| cell.trials.truncate(1));
    assert!(recipe_study(&all, None, 0.95).is_none());
}

/// Step Law's published law (2503.04715), here the truth.
const RATE: PowerRule = PowerRule::of_size_and_tokens(1.79, -0.713, 0.307);
const BATCH: PowerRule = PowerRule::of_size_and_tokens(0.58, 0.0, 0.571);

/// Excess of ln L at a distance (ln η/η*, ln B/B*) from the optimum.
type Excess = fn(f64, f64) -> f64;

/// Surfaces that are steeper towards high learning rates, and one that is not.
const SURFACES: [(&str, Excess); 5] = [
    ("even", |x, y| 0.006 * x * x - 0.004 * x * y + 0.004 * y * y),
    ("cubic", |x, y| 0.006 * x * x + 0.0025 * x.max(-0.75).powi(3) - 0.004 * x * y + 0.004 * y * y),
    ("exponential", |x, y| 0.012 * (x.exp_m1() - x) - 0.004 * x * y + 0.004 * y * y),
    ("exponential along a ridge", |x, y| 0.012 * ((x - 0.4 * y).exp_m1() - (x - 0.4 * y)) + 0.004 * y * y),
    ("blow-up", |x, y| {
        let beyond = (x - 0.3).max(0.0);
        0.004 * x * x - 0.003 * x * y + 0.004 * y * y + 0.01 * ((1.5 * beyond).exp_m1() - 1.5 * beyond)
    }),
];

/// 4 sizes × 4 lengths, 12 learning rates × 10 batches, each a factor √2 from the next, as Step Law tried them.
fn step_law(surface: Excess, sigma: f64, seed: u64) -> Vec<RecipeTrials> {
    let mut random = Random::new(seed, "step law");
    let halves = |nearest: f64, count: i32| -> Vec<f64> {
        let first = (2.0 * nearest.log2()).round() as i32 - count / 2;
        (first..first + count).map(|half| 2f64.powf(0.5 * f64::from(half))).collect()
    };
    let mut all = Vec::new();
    for n in [6e7, 1.2e8, 2.7e8, 5.4e8] {
        for d in [4e9, 1.2e10, 3e10, 1e11] {
            let scale = Scale { n, d, c: 6.0 * n * d };
            let (rate, batch) = (RATE.at(&scale), BATCH.at(&scale));
            let floor = (1.6 + 400.0 * n.powf(-0.34) + 400.0 * d.powf(-0.28)).ln();
            let mut trials = Vec::new();
            for &learning_rate in &halves(rate, 12) {
                for &batch_tokens in &halves(batch, 10) {
                    let excess = surface((learning_rate / rate).ln(), (batch_tokens / batch).ln());
                    let loss = Some((floor + excess + sigma * random.normal()).exp());
                    trials.push(Trial {
                        run: format!("{n} {d} {learning_rate} {batch_tokens}"),
                        learning_rate,
                        batch: batch_tokens,
                        loss,
                        steps: None,
                    });
                }
            }
            all.push(RecipeTrials { label: format!("{n} {d}"), shape: None, scale, budget: None, trials });
        }
    }
    all
}

/// Mean excess of the runs nearest to recipes, on these cells.
fn cost(cells: &[RecipeTrials], recipe: impl Fn(usize) -> [f64; 2]) -> f64 {
    let total: f64 = cells.iter().enumerate().map(|(at, cell)| served(cell, recipe(at)).expect("runs").excess).sum();
    total / cells.len() as f64
}

/// Noise of 0.1 %: the two laws of N and D, each cell by the other fifteen. The held-out excess may be a fifth more than that of the runs
/// nearest to the true optima, a law is off by less than a sixth of a factor of two, and cells' intervals hold their optima.
#[test]
fn laws_through_uneven_surfaces_cost_hardly_more_than_the_true_optimum() {
    for (name, surface) in SURFACES {
        let cells = step_law(surface, 0.001, 1);
        let study = recipe_study(&cells, None, 0.95).expect("surfaces");
        let best = cost(&cells, |at| [RATE.at(&cells[at].scale), BATCH.at(&cells[at].scale)]);
        for law in ["optima-nd", "joint"] {
            let law = study.law(law).expect("fitted");
            let off = |fit: &PowerFit, truth: &PowerRule| {
                cells.iter().map(|cell| (fit.at(&cell.scale).value / truth.at(&cell.scale)).ln()).sum::<f64>() / 16.0
            };
            let (rate, batch) = (law.learning_rate.as_ref().expect("bends"), law.batch.as_ref().expect("bends"));
            let (seen, off) = (law.held_out.as_ref().expect("scored").mean, [off(rate, &RATE), off(batch, &BATCH)]);
            assert!(seen <= 1.2 * best, "{name}, {}: {seen} of {best}", law.name);
            assert!(off.iter().all(|off| off.abs() < 0.12), "{name}, {}: {off:?}", law.name);
        }
        let holds = |found: Option<Estimate>, truth: f64| usize::from(found.expect("bends").holds(truth));
        let held: usize = study.cells.iter().map(|cell| holds(cell.learning_rate, RATE.at(&cell.scale))).sum();
        assert!(held >= 13, "{name}: intervals of {held} of 16 cells hold their optimum");
        let joint = study.joint.expect("a surface");
        let [down, up] = joint.room(0.0025)[0].expect("bends");
        assert!(name == "even" || up * down < 0.98, "{name}: there is less room above, {down} {up}");
    }
}

#[test]
fn a_recipe_is_scored_by_the_run_nearest_to_it() {
    let mut cell = step_law(SURFACES[0].1, 0.0, 1).remove(0);
    let best = cell.best().expect("runs").0.clone();
    assert_eq!(served(&cell, [1.1 * best.learning_rate, 0.9 * best.batch]).expect("runs").excess, 0.0);
    let step = served(&cell, [2f64.sqrt() * best.learning_rate, best.batch]).expect("runs");
    assert!(step.excess > 0.0 && !step.outside, "{step:?}");
    let beyond = served(&cell, [1e3 * best.learning_rate, best.batch]).expect("runs");
    assert!(beyond.outside && beyond.excess > step.excess && beyond.excess.is_finite());
    // Seeds of one recipe count at their mean, and one that diverged with any of them is none to recommend.
    cell.trials.push(Trial { loss: None, ..best.clone() });
    assert_eq!(served(&cell, [best.learning_rate, best.batch]).expect("runs").excess, f64::INFINITY);
}

#[test]
fn what_is_expected_beyond_the_cells_is_how_far_published_exponents_differ() {
    let along = |rule: &PowerRule| 0.5 * (rule.n + rule.d) + rule.c;
    let rates: Vec<f64> = RECIPES.iter().map(|one| along(&one.learning_rate)).collect();
    // One of them has a batch that was not varied.
    let batches: Vec<f64> = RECIPES.iter().map(|one| along(&one.batch_tokens)).filter(|exponent| *exponent != 0.0).collect();
    for (exponents, expected) in [rates, batches].iter().zip(ahead::EXPECTED) {
        let spread = crate::spec::sample::standard_deviation(exponents).expect("several");
        assert!((spread / expected - 1.0).abs() < 0.1, "{spread} {expected}");
    }
}

/// Cells whose best learning rate turns beyond a compute: below it as Step Law has it, above it with another exponent of compute.
fn turned(by: f64) -> Vec<RecipeTrials> {
    let mut all = step_law(SURFACES[0].1, 1e-4, 5);
    let largest = all.iter().map(|cell| cell.scale.c).fold(0.0, f64::max);
    for cell in &mut all {
        let beyond = (cell.scale.c / (largest / 16.0)).ln().max(0.0);
        cell.trials.iter_mut().for_each(|trial| trial.learning_rate *= (by * beyond).exp());
    }
    all
}

#[test]
fn a_law_that_went_wrong_on_larger_cells_widens_and_one_that_held_narrows() {
    let law = |by: f64| recipe_study(&turned(by), None, 0.95).expect("surfaces").law("optima-nd").expect("fitted").clone();
    let (held, wrong) = (law(0.0), law(0.3));
    assert!(held.ahead[0].checked > 8, "{:?}", held.ahead);
    // Without a turn nothing is found beside what was expected; eight cuts of that and two and a half of a record.
    assert!(held.ahead[0].drift.per_e < ahead::EXPECTED[0] && wrong.ahead[0].drift.per_e > 1.2 * ahead::EXPECTED[0], "{wrong:?}");
    let scale = |factor: f64| {
        let [n, d] = [5.4e8, 1e11].map(|value: f64| value * factor.sqrt());
        Scale { n, d, c: 6.0 * n * d }
    };
    let width = |law: &RecipeLaw, factor: f64| {
        let rate = law.learning_rate_at(&scale(factor), 0.95).expect("a rate");
        (rate.high() / rate.low()).ln()
    };
    // Among the cells the interval is that of the law; beyond them the two add in squares.
    let alone = |factor: f64| {
        let rate = held.learning_rate.as_ref().expect("a rate").at_level(&scale(factor), 0.95);
        (rate.high() / rate.low()).ln()
    };
    assert!((width(&held, 0.5) - alone(0.5)).abs() < 1e-12);
    let Ahead { drift, .. } = held.ahead[0];
    let reach = 2.0 * crate::fit::estimate::t_quantile(0.95, drift.degrees) * drift.per_e * 10f64.ln();
    assert!((width(&held, 10.0) - alone(10.0).hypot(reach)).abs() < 1e-9);
}

#[test]
fn intervals_beyond_the_cells_hold_where_exponents_turn_as_published_ones_differ() {
    // Of thirty sweeps, each with a turn of its own of the usual size, ten times beyond.
    let sweep = |seed: u64| {
        let mut random = Random::new(seed, "turns");
        let turn = ahead::EXPECTED[0] * random.normal();
        let mut all = step_law(SURFACES[0].1, 1e-3, seed);
        let first = all.iter().map(|cell| cell.scale.c).fold(f64::INFINITY, f64::min);
        let turned = |scale: &Scale| RATE.at(scale) * (turn * (scale.c / first).ln()).exp();
        for cell in &mut all {
            let factor = turned(&cell.scale) / RATE.at(&cell.scale);
            cell.trials.iter_mut().for_each(|trial| trial.learning_rate *= factor);
        }
        let study = recipe_study(&all, None, 0.95).expect("surfaces");
        let law = study.law("optima-nd").expect("fitted");
        // Beyond the cells it turns again, by as much and of its own.
        let again = ahead::EXPECTED[0] * random.normal();
        let scale = Scale { n: 1.7e9, d: 3.2e11, c: 6.0 * 1.7e9 * 3.2e11 };
        let truth = turned(&scale) * (again * 10f64.ln()).exp();
        let inside = |one: Estimate| usize::from(one.low() <= truth && truth <= one.high());
        let own = law.learning_rate.as_ref().expect("a rate").at_level(&scale, 0.95);
        [inside(law.learning_rate_at(&scale, 0.95).expect("a rate")), inside(own)]
    };
    let [held, alone] = (0..30u64).into_par_iter().map(sweep).reduce(|| [0, 0], |one, other| [one[0] + other[0], one[1] + other[1]]);
    // 95 % of 30 are 28.5; 24 or fewer come once in three hundred times. The law's own interval knows nothing of turns.
    assert!(held >= 25 && alone < held, "{held} of 30, the law's own {alone}");
}
