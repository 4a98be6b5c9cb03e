use super::super::joint::tests::cells;
use super::*;
use crate::law::{PowerRule, Scale, Trial};
use crate::spec::Random;

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
