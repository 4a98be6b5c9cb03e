//! Gold reward over the distance from a reference policy (Gao 2210.10760): with d = √KL, R(d) = d·(α − β·d) of the best of n samples and
//! R(d) = d·(α − β·ln d) of an optimised policy. Both are linear in α and β, and these in ln N and the logarithm of the pairs, so one
//! weighted least squares says them, and where the reward turns is the ratio of two estimates (Fieller 1954).

use super::hyper::fieller;
use super::linear::{LeastSquares, least_squares, product, variance};
use super::{Estimate, FitError, Interval, Named, check_level, t_quantile};
use serde::Serialize;

/// How the distance came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RewardForm {
    /// The best of n samples by the proxy.
    BestOfN,
    /// A policy that was optimised for the proxy, or on preferences.
    Optimised,
}

/// What one policy earns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rewarded {
    /// Parameters of the policy.
    pub n: f64,
    /// Pairs that it was optimised on; 1 where there are none.
    pub pairs: f64,
    /// √KL to the reference, KL in nats.
    pub distance: f64,
    /// Gold reward above that of the reference, of either sign.
    pub gold: f64,
    /// Standard error of that, where it is known for every policy.
    pub se: Option<f64>,
}

/// The law through such policies.
#[derive(Debug, Clone, Serialize)]
pub struct RewardLaw {
    /// Of which form it is.
    pub form: RewardForm,
    /// α and β in the middle of the policies, and by how much they grow with ln N and the logarithm of the pairs where these vary.
    pub coefficients: Named<Estimate>,
    /// Policies that it goes through.
    pub policies: usize,
    /// The farthest of them from the reference.
    pub farthest: f64,
    /// Standard deviation of gold reward about the law; in standard errors where these are known.
    pub scatter: f64,
    #[serde(skip)]
    found: LeastSquares,
    /// Means of ln N and of the logarithm of the pairs; none where it does not vary.
    #[serde(skip)]
    middle: [Option<f64>; 2],
    #[serde(skip)]
    level: f64,
}

/// Where gold reward is highest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Turn {
    /// The distance there.
    pub distance: Estimate,
    /// Gold reward there.
    pub gold: Estimate,
}

/// Spread of a logarithm from which it varies.
const VARIES: f64 = 1e-6;

/// Fits the law to policies at least some distance from the reference.
///
/// # Errors
/// Where there are too few policies or distances, or a number is none.
pub fn reward_law(form: RewardForm, policies: &[Rewarded], level: f64) -> Result<RewardLaw, FitError> {
    check_level(level)?;
    for (index, one) in policies.iter().enumerate() {
        let bad = [("N", one.n), ("pairs", one.pairs), ("distance", one.distance)]
            .into_iter()
            .find(|(_, value)| !(value.is_finite() && *value > 0.0));
        let bad = bad.or(Some(("gold reward", one.gold)).filter(|(_, gold)| !gold.is_finite()));
        let bad = bad.or(one.se.filter(|se| !(se.is_finite() && *se > 0.0)).map(|se| ("standard error", se)));
        if let Some((what, value)) = bad {
            return Err(FitError::NotUsable { run: format!("policy {}", index + 1), what, value });
        }
    }
    let middle = [middle_of(policies, |one| one.n.ln()), middle_of(policies, |one| one.pairs.ln())];
    let rows: Vec<Vec<f64>> = policies.iter().map(|one| row(form, middle, [one.n, one.pairs], one.distance)).collect();
    let known = policies.iter().all(|one| one.se.is_some());
    let weights: Vec<f64> = policies.iter().map(|one| one.se.filter(|_| known).map_or(1.0, |se| se.powi(-2))).collect();
    let gold: Vec<f64> = policies.iter().map(|one| one.gold).collect();
    let needed = rows.first().map_or(2, Vec::len);
    let too_few =
        || FitError::TooFewPoints { law: "gold reward".to_owned(), found: policies.len(), distinct: policies.len(), needed: needed + 1 };
    let mut found = least_squares(&rows, &gold, &weights).filter(|_| policies.len() > needed).ok_or_else(too_few)?;
    let square = found.residual / (policies.len() - needed) as f64;
    found.inverse.iter_mut().flatten().for_each(|value| *value *= square);
    let quantile = t_quantile(level, (policies.len() - needed) as f64);
    let estimate = |j: usize| of_normal(found.beta[j], found.inverse[j][j].sqrt(), quantile, level);
    let by = [Some(""), middle[0].map(|_| "_by_ln_n"), middle[1].map(|_| "_by_ln_pairs")];
    let names = ["alpha", "beta"].iter().flat_map(|name| by.iter().flatten().map(move |by| format!("{name}{by}")));
    let coefficients = Named(names.enumerate().map(|(j, name)| (name, estimate(j))).collect());
    let farthest = policies.iter().map(|one| one.distance).fold(0.0, f64::max);
    Ok(RewardLaw { form, coefficients, policies: policies.len(), farthest, scatter: square.sqrt(), found, middle, level })
}

/// The mean of a logarithm, where it varies.
fn middle_of(policies: &[Rewarded], of: impl Fn(&Rewarded) -> f64) -> Option<f64> {
    let logs: Vec<f64> = policies.iter().map(of).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    logs.iter().any(|log| (log - mean).abs() > VARIES).then_some(mean)
}

/// What α, and then β, are made of at a size and so many pairs: 1 and the distances of both logarithms from their middle.
fn parts([n, pairs]: [Option<f64>; 2], at: [f64; 2]) -> Vec<f64> {
    let away = [n.map(|middle| at[0].ln() - middle), pairs.map(|middle| at[1].ln() - middle)];
    [Some(1.0)].into_iter().chain(away).flatten().collect()
}

fn row(form: RewardForm, middle: [Option<f64>; 2], at: [f64; 2], distance: f64) -> Vec<f64> {
    let parts = parts(middle, at);
    let turning = match form {
        RewardForm::BestOfN => distance,
        RewardForm::Optimised => distance.ln(),
    };
    parts.iter().map(|part| distance * part).chain(parts.iter().map(|part| -distance * turning * part)).collect()
}

fn of_normal(value: f64, se: f64, quantile: f64, level: f64) -> Estimate {
    Estimate::new(value, se, [value - quantile * se, value + quantile * se], level, Interval::Delta)
}

impl RewardLaw {
    fn quantile(&self) -> f64 {
        t_quantile(self.level, (self.policies - self.found.beta.len()) as f64)
    }

    /// The gradients of α and of β at a size and so many pairs by all coefficients.
    fn gradients(&self, at: [f64; 2]) -> [Vec<f64>; 2] {
        let parts = parts(self.middle, at);
        let none = vec![0.0; parts.len()];
        [[parts.clone(), none.clone()].concat(), [none, parts].concat()]
    }

    fn linear(&self, gradient: &[f64]) -> Estimate {
        let value = gradient.iter().zip(&self.found.beta).map(|(g, b)| g * b).sum();
        of_normal(value, variance(gradient, &self.found.inverse).max(0.0).sqrt(), self.quantile(), self.level)
    }

    /// α of N parameters and so many pairs: gold reward gained over a first unit of distance.
    pub fn alpha(&self, n: f64, pairs: f64) -> Estimate {
        self.linear(&self.gradients([n, pairs])[0])
    }

    /// β there: how fast that wears off. Nothing turns where it may be 0.
    pub fn beta(&self, n: f64, pairs: f64) -> Estimate {
        self.linear(&self.gradients([n, pairs])[1])
    }

    /// Mean gold reward of N parameters and so many pairs at a distance.
    pub fn gold(&self, n: f64, pairs: f64, distance: f64) -> Estimate {
        self.linear(&row(self.form, self.middle, [n, pairs], distance))
    }

    /// Where gold reward is highest: d* = α/(2β) with α²/(4β) there, or exp(α/β − 1) with β·d*. None where α and β are not both above 0:
    /// the reward then does not rise and fall. Ends that the policies do not bound are 0 and infinite.
    pub fn turn(&self, n: f64, pairs: f64) -> Option<Turn> {
        let gradients = self.gradients([n, pairs]);
        let [alpha, beta] = [0, 1].map(|which| self.linear(&gradients[which]).value);
        if !(alpha > 0.0 && beta > 0.0) {
            return None;
        }
        let [aa, ab, bb] = [(0, 0), (0, 1), (1, 1)].map(|(l, r)| product(&gradients[l], &self.found.inverse, &gradients[r]));
        // The zero of α − β·x, x twice the distance or one more than its logarithm.
        let (low, high) = fieller([alpha, -0.5 * beta], [aa, -0.5 * ab, 0.25 * bb], self.quantile());
        let ratio = alpha / beta;
        let se = (aa - 2.0 * ratio * ab + ratio * ratio * bb).max(0.0).sqrt() / beta;
        let (distance, by_ratio, gold, by_alpha, by_beta) = match self.form {
            RewardForm::BestOfN => (0.5 * ratio, 0.5, 0.25 * alpha * ratio, 0.5 * ratio, -0.25 * ratio * ratio),
            RewardForm::Optimised => {
                let distance = (ratio - 1.0).exp();
                (distance, distance, beta * distance, distance, distance * (1.0 - ratio))
            }
        };
        let end = |x: f64| if self.form == RewardForm::BestOfN { 0.5 * x } else { (x - 1.0).exp() };
        let distance = Estimate::new(distance, by_ratio * se, [end(low).max(0.0), end(high)], self.level, Interval::Fieller);
        let along: Vec<f64> = gradients[0].iter().zip(&gradients[1]).map(|(a, b)| by_alpha * a + by_beta * b).collect();
        let of_gold = variance(&along, &self.found.inverse).max(0.0).sqrt();
        Some(Turn { distance, gold: of_normal(gold, of_gold, self.quantile(), self.level) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    const FORMS: [RewardForm; 2] = [RewardForm::BestOfN, RewardForm::Optimised];

    fn reward(form: RewardForm, alpha: f64, beta: f64, d: f64) -> f64 {
        d * (alpha - beta * if form == RewardForm::BestOfN { d } else { d.ln() })
    }

    /// α and β of the simulations, by size and pairs.
    fn truth(n: f64, pairs: f64) -> [f64; 2] {
        [1.2 + 0.1 * (n / 1e5).ln(), 0.4 - 0.05 * (pairs / 1e3).ln()]
    }

    /// Two sizes, three numbers of pairs, eight distances, with noise.
    fn policies(form: RewardForm, noise: f64, seed: u64) -> Vec<Rewarded> {
        let mut random = Random::new(seed, "policies");
        let mut all = Vec::new();
        for n in [5e4, 2e5] {
            for pairs in [250.0, 1e3, 4e3] {
                for k in 1..=8 {
                    let distance = 0.4 * f64::from(k);
                    let [alpha, beta] = truth(n, pairs);
                    let gold = reward(form, alpha, beta, distance) + noise * random.normal();
                    all.push(Rewarded { n, pairs, distance, gold, se: None });
                }
            }
        }
        all
    }

    #[test]
    fn coefficients_and_the_turn_are_found_without_noise() {
        for form in FORMS {
            let law = reward_law(form, &policies(form, 0.0, 1), 0.95).expect("a law");
            assert_eq!(law.coefficients.0.len(), 6);
            let (n, pairs) = (2e5, 4e3);
            let [alpha, beta] = truth(n, pairs);
            assert!((law.alpha(n, pairs).value - alpha).abs() < 1e-9 && (law.beta(n, pairs).value - beta).abs() < 1e-9);
            let turn = law.turn(n, pairs).expect("it turns");
            let (distance, gold) = (turn.distance.value, turn.gold.value);
            assert!((gold - reward(form, alpha, beta, distance)).abs() < 1e-9, "{form:?}");
            assert!(gold > reward(form, alpha, beta, 0.99 * distance) && gold > reward(form, alpha, beta, 1.01 * distance), "{form:?}");
            assert!((law.gold(n, pairs, 0.7).value - reward(form, alpha, beta, 0.7)).abs() < 1e-9);
        }
    }

    #[test]
    fn intervals_of_the_turn_and_of_its_height_cover() {
        const SIMULATIONS: u64 = 600;
        for form in FORMS {
            let (n, pairs) = (1e5, 1e3);
            let [alpha, beta] = truth(n, pairs);
            let ratio = alpha / beta;
            let best = if form == RewardForm::BestOfN { 0.5 * ratio } else { (ratio - 1.0).exp() };
            let mut inside = [0; 2];
            for seed in 0..SIMULATIONS {
                let law = reward_law(form, &policies(form, 0.15, seed), 0.95).expect("a law");
                let turn = law.turn(n, pairs).expect("it turns");
                inside[0] += u64::from(turn.distance.holds(best));
                inside[1] += u64::from(turn.gold.holds(reward(form, alpha, beta, best)));
            }
            // 600 simulations know a coverage to .9 points.
            let coverage = inside.map(|inside| inside as f64 / SIMULATIONS as f64);
            assert!(coverage.iter().all(|coverage| (0.925..=0.975).contains(coverage)), "{form:?} {coverage:?}");
        }
    }

    /// Gaussian gold and proxy of correlation ρ: the gold of a tilted policy is √2·ρ·d in standard deviations, and nothing turns.
    #[test]
    fn a_reward_that_does_not_turn_is_not_said_to() {
        let rho = 0.6f64;
        let mut zero_inside = 0;
        let mut bounded = 0;
        for seed in 0..200 {
            let mut random = Random::new(seed, "gaussian");
            let all: Vec<Rewarded> = (1..=12)
                .map(|k| {
                    let distance = 0.25 * f64::from(k);
                    let gold = std::f64::consts::SQRT_2 * rho * distance + 0.05 * random.normal();
                    Rewarded { n: 1e5, pairs: 1.0, distance, gold, se: Some(0.05) }
                })
                .collect();
            let law = reward_law(RewardForm::BestOfN, &all, 0.95).expect("a law");
            assert_eq!(law.coefficients.0.len(), 2);
            zero_inside += u64::from(law.beta(1e5, 1.0).holds(0.0));
            bounded += u64::from(law.turn(1e5, 1.0).is_some_and(|turn| turn.distance.uncertainty.is_some_and(|one| one.high.is_finite())));
        }
        assert!(zero_inside >= 182, "{zero_inside} of 200");
        assert!(bounded <= 18, "{bounded} of 200 say where it turns");
    }

    #[test]
    fn what_determines_nothing_is_refused() {
        let of = |all: &[Rewarded]| reward_law(RewardForm::Optimised, all, 0.95);
        let all = policies(RewardForm::Optimised, 0.1, 1);
        assert!(of(&all[..4]).is_ok());
        assert!(matches!(of(&all[..2]), Err(FitError::TooFewPoints { needed: 3, .. })));
        assert!(matches!(of(&[all[0]; 9]), Err(FitError::TooFewPoints { .. })), "one distance");
        for bad in [Rewarded { distance: 0.0, ..all[0] }, Rewarded { gold: f64::NAN, ..all[0] }, Rewarded { se: Some(0.0), ..all[0] }] {
            assert!(matches!(of(&[&all[..8], &[bad]].concat()), Err(FitError::NotUsable { .. })));
        }
    }
}
