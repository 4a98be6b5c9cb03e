use super::*;
use crate::law::{PowerRule, Trial};
use crate::spec::Random;

const RATE: PowerRule = PowerRule::of_size_and_tokens(0.5, -0.5, 0.1);
const BATCH: PowerRule = PowerRule::of_size_and_tokens(0.3, 0.0, 0.6);

/// ln of the tuned loss of a cell.
fn floor(scale: &Scale) -> f64 {
    (1.0 + 30.0 * scale.n.powf(-0.35) + 60.0 * scale.d.powf(-0.35)).ln()
}

/// 3 sizes × 2 lengths, each with 4 × 3 recipes about a centre that is off by a step, of a known surface with noise.
pub(in crate::fit) fn cells(sigma: f64, seed: u64) -> Vec<RecipeTrials> {
    let mut random = Random::new(seed, "joint");
    let mut all = Vec::new();
    for n in [1e4, 4e4, 1.6e5] {
        for d in [1e6, 8e6] {
            let scale = Scale { n, d, c: 6.0 * n * d };
            let mut trials = Vec::new();
            for i in 0..4 {
                for j in 0..3 {
                    let (x, y) = (2f64.ln() * (f64::from(i) - 1.2), 3f64.ln() * (f64::from(j) - 0.8));
                    let ln_loss = floor(&scale) + 0.012 * x * x - 0.008 * x * y + 0.006 * y * y + sigma * random.normal();
                    trials.push(Trial {
                        run: format!("{n} {d} {i} {j}"),
                        learning_rate: RATE.at(&scale) * x.exp(),
                        batch: BATCH.at(&scale) * y.exp(),
                        loss: Some(ln_loss.exp()),
                        steps: None,
                    });
                }
            }
            all.push(RecipeTrials { label: format!("{n} {d}"), shape: None, scale, budget: None, trials });
        }
    }
    all
}

#[test]
fn a_surface_without_noise_is_found_to_rounding() {
    let found = joint_surface(&cells(0.0, 0), Basis::SizeAndTokens, None, 0.95).expect("a surface");
    let rate = found.learning_rate.as_ref().expect("bends");
    let batch = found.batch.as_ref().expect("bends");
    let near = |value: f64, known: f64| assert!((value / known - 1.0).abs() < 1e-6, "{value} {known}");
    near(rate.rule.factor, 0.5);
    near(rate.rule.n, -0.5);
    near(rate.rule.d, 0.1);
    near(batch.rule.d, 0.6);
    assert!(batch.rule.n.abs() < 1e-7);
    for tuned in &found.tuned {
        near(tuned.loss.value.ln(), floor(&tuned.scale));
        assert!(tuned.tuning_error > 0.0);
    }
    let scale = Scale { n: 1e6, d: 1e8, c: f64::NAN };
    near(found.excess(2.0 * RATE.at(&scale), BATCH.at(&scale), &scale), 0.012 * 2f64.ln().powi(2));
}

#[test]
fn a_cell_with_one_recipe_is_corrected_by_what_the_others_tell() {
    let mut all = cells(0.0, 0);
    all[5].trials.truncate(1);
    let found = joint_surface(&all, Basis::SizeAndTokens, None, 0.95).expect("a surface");
    let tuned = &found.tuned[5];
    assert!((tuned.loss.value.ln() - floor(&tuned.scale)).abs() < 1e-6 && tuned.tuning_error > 0.005, "{tuned:?}");
}

#[test]
fn points_move_to_the_losses_of_the_best_recipes_one_a_cell() {
    let all = cells(0.0, 0);
    let joint = joint_surface(&all, Basis::SizeAndTokens, None, 0.95).expect("a surface");
    // Two runs of each cell, far from the best recipe of all but the smallest cells.
    let worst = |cell: &RecipeTrials| [&cell.trials[11], &cell.trials[0]].map(|trial| trial.clone());
    let point = |cell: &RecipeTrials, trial: &Trial| Point {
        run: trial.run.clone(),
        ..Point::new(cell.scale.n, cell.scale.d, trial.loss.expect("finished"))
    };
    let mut raw: Vec<Point> = all.iter().flat_map(|cell| worst(cell).map(|trial| point(cell, &trial))).collect();
    raw.push(Point { run: "a stranger".into(), ..Point::new(1e9, 1e9, 3.0) });
    let tuned = tuned_evidence(&Evidence::as_given(raw.clone()), &joint, &|_| 0.004);
    assert_eq!(tuned.points.len(), 7);
    for (point, cell) in tuned.points.iter().zip(&all) {
        assert!((point.loss.ln() - floor(&cell.scale)).abs() < 1e-6);
    }
    assert!(raw.iter().zip(all.iter().flat_map(|cell| [cell, cell])).all(|(point, cell)| point.loss.ln() > floor(&cell.scale) + 0.005));
    assert_eq!(tuned.points[6].loss, 3.0, "a run of no cell stays as it is");
    assert!((tuned.points.iter().map(|point| point.weight).sum::<f64>() - 7.0).abs() < 1e-9);
}

#[test]
fn one_recipe_everywhere_tells_nothing() {
    let mut all = cells(0.0, 0);
    all.iter_mut().for_each(|cell| cell.trials.truncate(1));
    assert!(joint_surface(&all, Basis::SizeAndTokens, None, 0.95).is_none());
}

/// 300 simulations know a coverage of 95 % to 1.3 points; both bounds are three of them away.
#[test]
fn intervals_of_exponents_optima_and_tuned_losses_cover_at_their_level() {
    let there = Scale { n: 1e6, d: 1e8, c: f64::NAN };
    let covers = |estimate: &Estimate, truth: f64| usize::from(estimate.low() <= truth && truth <= estimate.high());
    let mut covered = [0; 5];
    for seed in 0..300 {
        let found = joint_surface(&cells(0.004, seed), Basis::SizeAndTokens, None, 0.95).expect("a surface");
        let (rate, batch) = (found.learning_rate.expect("bends"), found.batch.expect("bends"));
        covered[0] += covers(rate.coefficients.get("N").expect("named"), -0.5);
        covered[1] += covers(batch.coefficients.get("D").expect("named"), 0.6);
        covered[2] += covers(&rate.at(&there), RATE.at(&there));
        covered[3] += covers(&batch.at(&there), BATCH.at(&there));
        covered[4] += covers(&found.tuned[0].loss, floor(&found.tuned[0].scale).exp());
    }
    assert!(covered.iter().all(|one| (273..=297).contains(one)), "{covered:?} of 300");
}
