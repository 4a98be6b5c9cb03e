//! Approach 2 of Hoffmann 2203.15556: at each compute budget the profile of loss over ln N and its minimum, then
//! N*(C) and D*(C) as powers of compute, each optimum weighted by its own standard error, or all alike.
//!
//! a + b is 1 by construction where D = C/(k·N), so the two are one result told twice. The vertex of a parabola
//! is biased on a surface that is none (Czech 2603.22339); the correction from a fitted surface is given beside it.

use super::optima::{PowerOfCompute, power_of_compute};
use super::profile::{Interpolator, IsoflopOptions, IsoflopProfile, ResidualVariance, pool_variance, profile};
use super::vertices::Vertices;
use crate::fit::linear::least_squares;
use crate::fit::{Estimate, Estimator, FitError, FitOptions, FitStatus, FittedLaw, Named, fit};
use crate::law::{Axis, Chinchilla, Evidence, Exclusion, Point, PowerLaw, vertex_bias};
use crate::spec::{FlopRule, LossUnit, SizeMeasure};
use serde::Serialize;

/// A budget without a usable minimum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DroppedBudget {
    /// Compute, FLOPs.
    pub compute: f64,
    /// Runs in it.
    pub points: usize,
    /// Why, and what to do.
    pub reason: String,
}

/// The result of approach 2.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IsoflopFit {
    /// `isoflop`.
    pub law: String,
    /// Whether the fit converged.
    pub status: FitStatus,
    /// Runs in the profiles used.
    pub points: usize,
    /// How the minima were found.
    pub interpolator: Interpolator,
    /// What each weighs in the powers.
    pub vertices: Vertices,
    /// `a`, `b` (exponents) and `N_factor`, `D_factor` (at 1 FLOP).
    pub coefficients: Named<Estimate>,
    /// N*(C).
    #[serde(skip)]
    pub params: PowerOfCompute,
    /// D*(C).
    #[serde(skip)]
    pub tokens: PowerOfCompute,
    /// a if the optima weighed as they do not here.
    pub exponent_otherwise: Estimate,
    /// Budgets with a minimum, by compute; `valleys` in documents, as it was when they were first kept.
    #[serde(rename = "valleys")]
    pub profiles: Vec<IsoflopProfile>,
    /// Budgets without an IsoFLOP minimum, with the reason.
    pub dropped: Vec<DroppedBudget>,
    /// Slope of the grid's centre, ln(mean N/N*), by ln C: a drift biases the exponent.
    pub centre_drift: f64,
    /// How N was counted.
    pub size_measure: SizeMeasure,
    /// How C was counted.
    pub flop_rule: FlopRule,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// Runs left out.
    pub excluded: Vec<Exclusion>,
    /// What a reader must know, in words.
    pub warnings: Vec<String>,
    /// Seed of the draws.
    pub seed: u64,
    /// Version of scalelab.
    pub version: String,
}

impl IsoflopFit {
    /// a by the other weights, where it differs by more than a standard error of either.
    pub fn weights_matter(&self) -> Option<Estimate> {
        let (here, there) = (self.params.exponent, self.exponent_otherwise);
        let least = here.se()?.min(there.se()?);
        ((here.value - there.value).abs() > least).then_some(there)
    }

    /// The optima with the bias of the parabola taken away, were the surface `law`.
    pub fn corrected(&self, law: &Chinchilla) -> Corrected {
        let biases = self.vertex_biases(law);
        let shifted = |(profile, bias): (&IsoflopProfile, &Option<f64>)| {
            let factor = (-(*bias)?).exp();
            Some(IsoflopProfile { params: profile.params.times(factor), ..profile.clone() })
        };
        let profiles: Vec<Option<IsoflopProfile>> = self.profiles.iter().zip(&biases).map(shifted).collect();
        let usable: Vec<IsoflopProfile> = profiles.iter().flatten().cloned().collect();
        Corrected {
            ln_bias: biases,
            params: profiles.iter().map(|profile| profile.as_ref().map(|profile| profile.params.value)).collect(),
            exponent: (usable.len() > 1)
                .then(|| power_of_compute(&usable, |profile| profile.params, self.vertices, self.params.level).exponent),
        }
    }

    /// The minima of the profiles as points (N*, D*, C, L*).
    pub fn minima(&self) -> Evidence {
        let minimum =
            |profile: &IsoflopProfile| Point { c: profile.compute, ..Point::new(profile.params.value, profile.tokens.value, profile.loss) };
        Evidence {
            points: self.profiles.iter().map(minimum).collect(),
            excluded: Vec::new(),
            size_measure: self.size_measure,
            flop_rule: self.flop_rule,
            loss_unit: self.loss_unit,
        }
    }

    /// L*(C) = E + A/C^α through the minima of the profiles, by least squares of log loss (DeepSeek 2401.02954 fig. 5).
    pub fn loss_of_compute(&self, level: f64) -> Result<FittedLaw, FitError> {
        let evidence = self.minima();
        let options = FitOptions { estimator: Estimator::LeastSquaresLog, refits: 200, ..FitOptions::default() };
        fit(&PowerLaw { axis: Axis::C, floor: true }.into(), evidence, &options)?.at(level)
    }

    /// ln(vertex/N*) of each profile if the true surface were `law`: subtract it from ln N to correct the parabola.
    pub fn vertex_biases(&self, law: &Chinchilla) -> Vec<Option<f64>> {
        let offsets = |profile: &IsoflopProfile| -> Vec<f64> {
            // The optimum of the law along this budget, N*·(k/C) being shared by its runs.
            let k = profile.compute / (profile.params.value * profile.tokens.value);
            let ln_best = (law.scale().ln() + law.params_exponent() * (profile.compute / k).ln()).min(f64::MAX);
            profile.sizes.iter().map(|n| n.ln() - ln_best).collect()
        };
        self.profiles.iter().map(|profile| vertex_bias(law.alpha, law.beta, &offsets(profile))).collect()
    }
}

/// What parabolas err by on a surface, and what is left without it. The uncertainty of the surface is not in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Corrected {
    /// ln(vertex/N*) of each profile; absent where the surface has no vertex among the sizes.
    pub ln_bias: Vec<Option<f64>>,
    /// N* of each profile, corrected.
    pub params: Vec<Option<f64>>,
    /// a through the corrected optima.
    pub exponent: Option<Estimate>,
}

/// The profile of runs of one budget, which no power of compute goes through; `None` where it has no minimum.
pub fn lone_profile(evidence: &Evidence, options: &IsoflopOptions) -> Option<IsoflopProfile> {
    let points: Vec<&Point> = evidence.points.iter().collect();
    let ln_c = points.iter().map(|point| point.c.ln()).sum::<f64>() / points.len() as f64;
    let (found, own) = profile(ln_c.exp(), &points, options).ok()?;
    let mut profiles = vec![IsoflopProfile { members: (0..points.len()).collect(), ..found }];
    pool_variance(&mut profiles, &[own], options.level);
    profiles.pop()
}

/// Finds the profiles and fits powers of compute through their minima.
pub fn isoflop(evidence: &Evidence, options: &IsoflopOptions) -> Result<IsoflopFit, FitError> {
    let (mut profiles, mut scatter): (Vec<IsoflopProfile>, Vec<ResidualVariance>) = (Vec::new(), Vec::new());
    let mut dropped = Vec::new();
    for (compute, members) in budgets(&evidence.points, options.tolerance) {
        let points: Vec<&Point> = members.iter().map(|&at| &evidence.points[at]).collect();
        match profile(compute, &points, options) {
            Ok((profile, own)) => {
                profiles.push(IsoflopProfile { members, ..profile });
                scatter.push(own);
            }
            Err(reason) => dropped.push(DroppedBudget { compute, points: points.len(), reason }),
        }
    }
    if profiles.len() < 2 {
        let reasons: Vec<String> = dropped.iter().map(|one| format!("{:.2e}: {}", one.compute, one.reason)).collect();
        let reasons = if reasons.is_empty() { "no two sizes share a budget".to_owned() } else { reasons.join("; ") };
        return Err(FitError::TooFewProfiles { budgets: profiles.len(), needed: 2, reasons });
    }
    pool_variance(&mut profiles, &scatter, options.level);
    let line = |pick: fn(&IsoflopProfile) -> Estimate, vertices| power_of_compute(&profiles, pick, vertices, options.level);
    let (params, tokens) = (line(|profile| profile.params, options.vertices), line(|profile| profile.tokens, options.vertices));
    let otherwise = line(|profile| profile.params, options.vertices.other());
    let drift = centre_drift(&profiles);
    Ok(IsoflopFit {
        law: "isoflop".into(),
        status: if profiles.len() < 3 { FitStatus::TooFewPoints } else { FitStatus::Converged },
        points: profiles.iter().map(|profile| profile.points).sum(),
        interpolator: options.interpolator,
        vertices: options.vertices,
        exponent_otherwise: otherwise.exponent,
        coefficients: Named(vec![
            ("a".into(), params.exponent),
            ("b".into(), tokens.exponent),
            ("N_factor".into(), params.factor),
            ("D_factor".into(), tokens.factor),
        ]),
        warnings: warnings(&profiles, &dropped, drift, &params.exponent),
        params,
        tokens,
        profiles,
        dropped,
        centre_drift: drift,
        size_measure: evidence.size_measure,
        flop_rule: evidence.flop_rule,
        loss_unit: evidence.loss_unit,
        excluded: evidence.excluded.clone(),
        seed: options.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Sizes whose mean of ln(N/N*) is beyond this are not about their optimum: a factor of two.
const OFF_CENTRE: f64 = std::f64::consts::LN_2;

fn warnings(profiles: &[IsoflopProfile], dropped: &[DroppedBudget], drift: f64, exponent: &Estimate) -> Vec<String> {
    let mut words = Vec::new();
    if profiles.len() < 3 {
        words.push("two budgets determine a line and nothing checks it: the interval is that of the noise of runs alone".to_owned());
    }
    if !dropped.is_empty() {
        words.push(format!("{} of {} budgets were dropped", dropped.len(), dropped.len() + profiles.len()));
    }
    let off = profiles.iter().map(|profile| profile.centre_offset).sum::<f64>() / profiles.len() as f64;
    if off.abs() > OFF_CENTRE {
        words.push(format!(
            "the sizes are centred {:.1} times {} their optimum: a parabola errs there, and no interval holds what it errs by",
            off.abs().exp(),
            if off > 0.0 { "above" } else { "below" }
        ));
    }
    // A parabola is biased by a part of the drift.
    let half = 0.5 * (exponent.high() - exponent.low());
    if drift.abs() > 0.05 && (half.is_nan() || drift.abs() > half) {
        words.push(format!(
            "the centre of the sizes drifts from the optimum by C^{drift:.2}: the exponent of a parabola is biased; let the sizes of each budget follow its optimum"
        ));
    }
    words
}

/// Runs by budget: by the nominal budget where all runs have one, else by compute within a tolerance.
fn budgets(points: &[Point], tolerance: f64) -> Vec<(f64, Vec<usize>)> {
    let nominal = points.iter().all(|p| p.budget.is_some());
    let compute = |at: usize| if nominal { points[at].budget.unwrap_or(points[at].c) } else { points[at].c };
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&left, &right| compute(left).total_cmp(&compute(right)));
    let near = if nominal { 1e-9 } else { tolerance };
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for at in order {
        match groups.last_mut() {
            // Against the first of the group, so that a dense run of computes does not chain into one budget.
            Some((_, members)) if compute(at) <= compute(members[0]) * (1.0 + near) => members.push(at),
            _ => groups.push((0.0, vec![at])),
        }
    }
    for (centre, members) in &mut groups {
        *centre = (members.iter().map(|&at| compute(at).ln()).sum::<f64>() / members.len() as f64).exp();
    }
    groups.retain(|(_, members)| members.len() > 1);
    groups
}

fn centre_drift(profiles: &[IsoflopProfile]) -> f64 {
    let rows: Vec<Vec<f64>> = profiles.iter().map(|profile| vec![1.0, profile.compute.ln()]).collect();
    let offsets: Vec<f64> = profiles.iter().map(|profile| profile.centre_offset).collect();
    least_squares(&rows, &offsets, &vec![1.0; offsets.len()]).map_or(0.0, |fit| fit.beta[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::LossNoise;
    use crate::law::{Design, Noise, simulate};

    fn evidence(noise: f64, span: f64) -> Evidence {
        let law = Chinchilla { e: 1.7, a: 400.0, b: 400.0, alpha: 0.31, beta: 0.31 };
        Evidence::as_given(simulate(
            &law.into(),
            &Design::isoflop(&[1e17, 1e18, 1e19, 1e20], 7, span),
            Noise { run: noise, cluster: 0.0 },
            2,
        ))
    }

    #[test]
    fn a_symmetric_surface_gives_its_exponents_by_both_interpolators() {
        for interpolator in [Interpolator::Parabola, Interpolator::Akima] {
            let fit = isoflop(
                &evidence(0.0, 8.0),
                &IsoflopOptions { interpolator, noise: LossNoise::constant(1e-6), ..IsoflopOptions::default() },
            )
            .expect("profiles");
            // α = β: the parabola is exact, and N* = (C/6)^½ lies off the spline's knots by less than its error of 1 %.
            assert!((fit.params.exponent.value - 0.5).abs() < 2e-3, "{interpolator:?} {:?}", fit.params);
            assert!((fit.params.exponent.value + fit.tokens.exponent.value - 1.0).abs() < 1e-6);
            assert_eq!((fit.profiles.len(), fit.dropped.len(), fit.points), (4, 0, 28));
        }
    }

    #[test]
    fn the_loss_at_the_optima_is_a_power_of_compute() {
        let fit = isoflop(&evidence(0.0, 8.0), &IsoflopOptions::default()).expect("profiles");
        let found = fit.loss_of_compute(0.95).expect("four minima");
        let law = &found.law;
        // αβ/(α+β) = 0.155 for α = β = 0.31. The reducible loss at a parabola's minimum is off by the same part at every
        // budget, so the exponent and the floor are those of the surface.
        assert!((law.theta()[2] - 0.155).abs() < 1e-3 && (law.floor().expect("a floor") - 1.7).abs() < 1e-2, "{law:?}");
    }

    #[test]
    fn a_minimum_at_the_edge_is_dropped_with_the_reason() {
        let mut evidence = evidence(0.0, 8.0);
        // The largest budget has sizes far below its optimum only.
        for p in evidence.points.iter_mut().filter(|p| p.c > 5e19) {
            (p.n, p.d) = (p.n / 30.0, p.d * 30.0);
            p.loss = 1.7 + 400.0 * (p.n.powf(-0.31) + p.d.powf(-0.31));
        }
        let fit = isoflop(&evidence, &IsoflopOptions::default()).expect("profiles");
        assert_eq!(fit.profiles.len(), 3);
        assert!(
            fit.dropped[0].reason.contains("train larger networks") || fit.dropped[0].reason.contains("downwards"),
            "{:?}",
            fit.dropped
        );
    }

    #[test]
    fn unnamed_budgets_are_found_by_their_compute() {
        let mut evidence = evidence(0.003, 8.0);
        evidence.points.iter_mut().for_each(|p| p.budget = None);
        let fit = isoflop(&evidence, &IsoflopOptions::default()).expect("profiles");
        assert_eq!(fit.profiles.len(), 4);
        let a = fit.params.exponent;
        assert!(a.low() < 0.5 && 0.5 < a.high(), "{a:?}");
        // The grid is centred on D = 20·N, the optimum of this law is D = N.
        assert!(fit.warnings.iter().any(|one| one.contains("times below their optimum")), "{:?}", fit.warnings);
        let there = fit.params.at(1e19);
        assert!(there.low() < there.value && there.value < there.high());
    }

    /// Seven sizes a budget, centred on their optimum, D = 20·N: off it what a parabola errs by counts as noise. 400 simulations know a
    /// coverage of 95 % to 1.1 points.
    #[test]
    fn intervals_of_the_exponent_cover_at_their_level_with_few_budgets() {
        let law = Chinchilla { e: 1.7, a: 400.0 * 20f64.powf(-0.31), b: 400.0, alpha: 0.31, beta: 0.31 };
        for vertices in [Vertices::Weighted, Vertices::Even] {
            for budgets in [&[1e18, 1e19, 1e20][..], &[1e17, 1e18, 1e19, 1e20], &[1e17, 3e17, 1e18, 3e18, 1e19, 3e19]] {
                let found: Vec<Estimate> = (0..400)
                    .map(|seed| {
                        let runs = simulate(&law.into(), &Design::isoflop(budgets, 7, 8.0), Noise { run: 0.002, cluster: 0.0 }, seed);
                        let options = IsoflopOptions { vertices, ..IsoflopOptions::default() };
                        isoflop(&Evidence::as_given(runs), &options).expect("profiles").params.exponent
                    })
                    .collect();
                let covered = found.iter().filter(|one| one.low() <= 0.5 && 0.5 <= one.high()).count() as f64 / 400.0;
                // Birge's factor widens by chance and never narrows: 97 % where optima scatter as their errors say.
                assert!((0.92..=0.985).contains(&covered), "{vertices:?}, {} budgets: {covered}", budgets.len());
                let mut halves: Vec<f64> = found.iter().map(|one| 0.5 * (one.high() - one.low())).collect();
                halves.sort_by(f64::total_cmp);
                let sd = (found.iter().map(|one| (one.value - 0.5).powi(2)).sum::<f64>() / 400.0).sqrt();
                assert!(halves[200] < 1.35 * 1.96 * sd, "{} budgets: half width {}, 1.96 sd {}", budgets.len(), halves[200], 1.96 * sd);
            }
        }
    }

    #[test]
    fn optima_that_scatter_widen_the_line_by_what_their_budgets_know() {
        let quiet = isoflop(&evidence(0.001, 8.0), &IsoflopOptions::default()).expect("profiles");
        let mut moved = evidence(0.001, 8.0);
        // Two of four budgets have their profile elsewhere, by far more than the runs scatter about their curves.
        moved.points.iter_mut().filter(|p| p.c > 5e17 && p.c < 5e19).for_each(|p| {
            let by: f64 = if p.c < 5e18 { 1.5 } else { 0.67 };
            (p.n, p.d) = (p.n * by, p.d / by);
        });
        let loud = isoflop(&moved, &IsoflopOptions::default()).expect("profiles");
        let half = |fit: &IsoflopFit| 0.5 * (fit.params.exponent.high() - fit.params.exponent.low());
        let se = |fit: &IsoflopFit| fit.params.exponent.se().expect("known");
        // Student's t of 16 degrees of freedom, and of two.
        assert!((half(&quiet) / se(&quiet) - 2.120).abs() < 1e-3, "{:?}", quiet.params.exponent);
        assert!((half(&loud) / se(&loud) - 4.303).abs() < 1e-3 && se(&loud) > 5.0 * se(&quiet), "{:?}", loud.params.exponent);
    }

    #[test]
    fn weights_that_change_the_exponent_are_said() {
        let same = isoflop(&evidence(0.0005, 8.0), &IsoflopOptions::default()).expect("profiles");
        // One budget has few runs about its optimum and lies off the line of the others.
        let mut uneven = evidence(0.0005, 8.0);
        uneven.points.iter_mut().filter(|p| p.c > 5e19).enumerate().for_each(|(at, p)| {
            (p.n, p.d) = (1.3 * p.n, p.d / 1.3);
            p.loss *= 1.0 + 0.004 * if at % 2 == 0 { 1.0 } else { -1.0 };
        });
        uneven.points.iter_mut().filter(|p| p.c > 5e19).for_each(|p| p.weight = 1e-2);
        let by = |vertices| isoflop(&uneven, &IsoflopOptions { vertices, ..IsoflopOptions::default() }).expect("profiles");
        let (weighted, even) = (by(Vertices::Weighted), by(Vertices::Even));
        assert_eq!((weighted.exponent_otherwise, even.exponent_otherwise), (even.params.exponent, weighted.params.exponent));
        assert!(weighted.weights_matter().is_some(), "{:?} {:?}", weighted.params.exponent, even.params.exponent);
        assert_eq!(same.weights_matter(), None);
    }

    #[test]
    fn splines_take_the_noise_that_seeds_show() {
        use crate::fit::SeedNoise;
        // Pairs that differ by σ·√2 with σ = 0.4 %, twice what Porian's scale says of losses up to 3.
        let seeds = SeedNoise::of(&vec![vec![0.6, 0.6 + 0.004 * 2f64.sqrt()]; 6], 0.95).expect("replicates");
        let noise = LossNoise::of(&seeds);
        assert!((noise.at(2.5) - 0.004).abs() < 1e-9 && noise.degrees == 6.0);
        let by = |noise| {
            let options = IsoflopOptions { interpolator: Interpolator::Akima, noise, ..IsoflopOptions::default() };
            isoflop(&evidence(0.0, 8.0), &options).expect("profiles")
        };
        let (known, assumed) = (by(noise), by(LossNoise::default()));
        let last = |fit: &IsoflopFit| fit.profiles.last().expect("four").params.se().expect("drawn");
        assert!(last(&known) > 1.5 * last(&assumed), "{} {}", last(&known), last(&assumed));
        assert_eq!(known.profiles[0].degrees, 6.0);
    }

    #[test]
    fn runs_without_shared_budgets_have_no_profiles() {
        let points = (1..9).map(|i| Point::new(1e6 * f64::from(i), 1e8 * f64::from(i * i), 3.0)).collect();
        let error = isoflop(&Evidence::as_given(points), &IsoflopOptions::default()).expect_err("none");
        assert!(error.to_string().contains("0 compute budgets"), "{error}");
    }
}
