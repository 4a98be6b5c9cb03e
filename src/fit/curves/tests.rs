use super::*;
use crate::fit::estimate::Estimate;
use crate::law::{CURVE_LAWS, CurveFormula, CurveUnits, Functional, MULTI_POWER_PUBLISHED, MultiPower, Rates, Tissue, Track};
use crate::spec::{DecayShape, Random, Schedule};
use rayon::prelude::*;

/// Schedules, and steps, of a set of curves.
const STEPS: u64 = 600;

fn schedules() -> [Schedule; 4] {
    [
        Schedule::Constant {},
        Schedule::Cosine { final_fraction: 0.1 },
        Schedule::Wsd { decay_fraction: 0.3, shape: DecayShape::Linear },
        Schedule::deepseek(),
    ]
}

fn rates(schedule: &Schedule) -> Rates {
    Rates::of_schedule(schedule, 3e-4, STEPS, 20, 16.0)
}

/// `copies` curves of each schedule that a law with published coefficients says, times e to the noise of each run.
fn curves(law: &dyn CurveFormula, published: &[f64], copies: usize, mut noise: impl FnMut(&str) -> Vec<f64>) -> Vec<TrainingCurve> {
    let theta = law.theta(published, CurveUnits::PLAIN);
    let steps: Vec<f64> = (3..=30).map(|at| f64::from(at) * 20.0).collect();
    let mut all = Vec::new();
    for schedule in schedules() {
        let rates = rates(&schedule);
        let losses = law.losses(&theta, &Track::new(&rates, &steps, CurveUnits::PLAIN));
        for copy in 0..copies {
            let run = format!("{schedule}-{copy}");
            let readings =
                steps.iter().zip(&losses).zip(noise(&run)).map(|((step, loss), noise)| (*step, loss.loss * noise.exp())).collect();
            all.push(TrainingCurve {
                cluster: run.clone(),
                run,
                schedule: schedule.to_string(),
                batches: None,
                rates: rates.clone(),
                readings,
            });
        }
    }
    all
}

/// A law, and published or plausible coefficients of it at a peak of 3e-4 over 600 steps.
fn known() -> [(&'static dyn CurveFormula, Vec<f64>); 3] {
    [
        (&MultiPower, MULTI_POWER_PUBLISHED[0].1.to_vec()),
        (&Tissue, vec![2.6, 0.4, 0.5, 30.0, 0.98]),
        (&Functional, vec![2.5, 3.0, 0.6, 900.0, 2000.0, 1.5, 0.2]),
    ]
}

#[test]
fn a_law_is_recovered_from_its_own_curves() {
    for (law, published) in known() {
        let data = curves(law, &published, 1, |_| vec![0.0; 28]);
        let fit = fit_curves(law, &data, 1e-3).expect("fits");
        // The functional law's noise and its time are nearly one number here.
        let allowed = if law.name() == "functional" { 1e-4 } else { 1e-6 };
        for ((name, found), expected) in fit.coefficients(0.95).iter().zip(&published) {
            assert!((found.value / expected - 1.0).abs() < allowed, "{} {name}: {} for {expected}", law.name(), found.value);
        }
        let unseen = rates(&Schedule::Exponential { final_fraction: 0.03 });
        let truth = law.losses(&law.theta(&published, CurveUnits::PLAIN), &Track::new(&unseen, &[600.0], CurveUnits::PLAIN))[0].loss;
        assert!((fit.final_loss(&unseen, 0.95).value / truth - 1.0).abs() < 1e-6, "{}", law.name());
    }
}

/// Residuals along a curve that hang together, and one of the whole run.
fn noise(random: &mut Random) -> Vec<f64> {
    let (mut now, of_run) = (random.normal(), 0.5 * random.normal());
    let mut next = || {
        now = 0.7 * now + (1.0f64 - 0.49).sqrt() * random.normal();
        2e-3 * (now + of_run)
    };
    (0..28).map(|_| next()).collect()
}

/// Simulated sets of curves; SCALELAB_SIMULATIONS asks for another number.
#[test]
#[expect(clippy::print_stdout, reason = "figures for the log")]
fn intervals_of_a_schedule_that_was_not_run_cover() {
    #[expect(clippy::disallowed_methods, reason = "a test that is asked for longer")]
    let simulations: u64 = std::env::var("SCALELAB_SIMULATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    for (law, published) in known().into_iter().take(2) {
        let (unseen, beside) = (rates(&Schedule::Exponential { final_fraction: 0.03 }), rates(&Schedule::Linear { final_fraction: 0.0 }));
        let end =
            |rates: &Rates| law.losses(&law.theta(&published, CurveUnits::PLAIN), &Track::new(rates, &[600.0], CurveUnits::PLAIN))[0].loss;
        let (truth, apart) = (end(&unseen), end(&unseen) - end(&beside));
        let one = |simulation: u64| {
            let mut random = Random::new(simulation, "curves");
            let data = curves(law, &published, 6, |_| noise(&mut random));
            let fit = fit_curves(law, &data, 1e-3).expect("fits");
            let holds = |estimate: Estimate, truth: f64| estimate.uncertainty.is_some_and(|one| one.low <= truth && truth <= one.high);
            [holds(fit.final_loss(&unseen, 0.95), truth), holds(fit.difference(&unseen, &beside, 0.95), apart)]
        };
        let held: Vec<[bool; 2]> = (0..simulations).into_par_iter().map(one).collect();
        for (at, what) in ["final loss", "difference"].iter().enumerate() {
            let share = held.iter().filter(|one| one[at]).count() as f64 / simulations as f64;
            println!("{}: {what} covered {:.1} % of {simulations}", law.name(), 100.0 * share);
            // 93 to 97 %, and three standard errors of so many simulations.
            let error = 3.0 * (0.95 * 0.05 / simulations as f64).sqrt();
            assert!(share > 0.93 - error && share < 0.97 + error, "{}: {what} covered {share}", law.name());
        }
    }
}

#[test]
fn noise_that_runs_share_is_no_noise_of_their_difference() {
    let published = MULTI_POWER_PUBLISHED[0].1.to_vec();
    let mut random = Random::new(7, "batches");
    let batches: Vec<Vec<f64>> = (0..5).map(|_| (0..28).map(|_| 0.05 * random.normal()).collect()).collect();
    let copy = |run: &str| run.rsplit('-').next().and_then(|copy| copy.parse::<usize>().ok()).expect("a copy");
    let mut data = curves(&MultiPower, &published, 5, |run| batches[copy(run)].iter().map(|one| one + 1e-3 * random.normal()).collect());
    let error = |data: &[TrainingCurve]| {
        let fit = fit_curves(&MultiPower, data, 1e-3).expect("fits");
        let (cosine, multi) = (rates(&schedules()[1]), rates(&schedules()[3]));
        fit.difference(&cosine, &multi, 0.95).se().expect("known")
    };
    let apart = error(&data);
    for curve in &mut data {
        let seed = format!("seed {}", copy(&curve.run));
        (curve.cluster, curve.batches) = (seed.clone(), Some(seed));
    }
    let together = error(&data);
    assert!(together < 0.2 * apart, "{together} {apart}");
}

#[test]
fn what_cannot_be_fitted_is_refused_with_its_reason() {
    let flat: Vec<TrainingCurve> = curves(&Tissue, &known()[1].1, 1, |_| vec![0.0; 28]).into_iter().take(1).collect();
    for law in CURVE_LAWS {
        let refused = fit_curves(law, &flat, 1e-3).expect_err("constant").to_string();
        assert!(refused.contains("no rate falls after warmup"), "{refused}");
    }
    let mut few = curves(&Tissue, &known()[1].1, 1, |_| vec![0.0; 28]).remove(1);
    few.readings.truncate(5);
    assert_eq!(fit_curves(&Tissue, &[few], 1e-3).expect_err("few"), CurveFitError::TooFew { readings: 5, numbers: 5 });
}
