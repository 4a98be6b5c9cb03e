//! The best proportions of the parts of the data for a budget: a set of mixtures that cannot be told from the best, beside the natural
//! mixture, with a cap on how often a part is seen.

use super::mixed_runs::{MixedRuns, MixedRunsError};
use crate::fit::{Estimate, Estimator, Fit, FitError, FitOptions, FitStatus, Interval, Search, fit};
use crate::law::{ComputeCount, Evidence, Law, Point, formula};
use crate::spec::{FlopRule, RunRecord, SHARE, SizeMeasure};
use serde::Serialize;
use std::collections::BTreeMap;

/// Laws of mixtures, the one that speaks by default first: the additive one where size and length vary, Ye's at one of each.
pub const MIXTURE_LAWS: [&str; 3] = ["mixture-additive", "mixture-joint", "mixture"];

/// Tokens per parameter between which the size of a budget is looked for.
const RATIOS: [f64; 2] = [0.1, 1e5];

/// What is wanted.
#[derive(Debug, Clone)]
pub struct MixRequest {
    /// Compute, FLOPs; the largest of the runs where nothing is said.
    pub compute: Option<f64>,
    /// What the losses of the parts count for, by name; the natural mixture where nothing is said.
    pub target: Option<BTreeMap<String, f64>>,
    /// How often a token may be seen.
    pub max_epochs: f64,
    /// The law that speaks; the first of [`MIXTURE_LAWS`] that the runs determine where nothing is said.
    pub law: Option<String>,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted.
    pub flop_rule: FlopRule,
    /// What is minimised.
    pub estimator: Estimator,
    /// Refits, for intervals.
    pub refits: usize,
    /// Confidence level.
    pub level: f64,
    /// Seed of the refits.
    pub seed: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum MixError {
    /// The runs say nothing of mixtures.
    #[error(transparent)]
    Runs(#[from] MixedRunsError),
    /// No law can be fitted.
    #[error("{0}")]
    NoLaw(String),
    /// The cap leaves nothing.
    #[error("every mixture sees a part more than {max_epochs} times in {tokens:.3e} tokens; raise --max-epochs or lower --compute")]
    Capped {
        /// The cap.
        max_epochs: f64,
        /// Tokens of the training.
        tokens: f64,
    },
}

/// What is said of a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartAdvice {
    /// Name of the part.
    pub name: String,
    /// Its share in the best mixture.
    pub best: f64,
    /// Its least and largest share among the mixtures that cannot be told from the best.
    pub range: [f64; 2],
    /// Its share in the natural mixture.
    pub natural: f64,
    /// What its loss counts for.
    pub target: Option<f64>,
    /// How often the best mixture sees it, where its size is known.
    pub epochs: Option<f64>,
}

/// The best mixture of another law.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherMix {
    /// Name of the law.
    pub law: String,
    /// Its best shares in the order of the parts, where it has any.
    pub best: Option<Vec<f64>>,
    /// Why it has none.
    pub why: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, Serialize)]
pub struct MixAdvice {
    /// Parts with their shares.
    pub parts: Vec<PartAdvice>,
    /// Compute, FLOPs.
    pub compute: f64,
    /// N, parameters.
    pub params: f64,
    /// D, tokens.
    pub tokens: f64,
    /// Loss of the best mixture on the target, nats per token.
    pub loss: Estimate,
    /// Loss of the natural mixture.
    pub natural_loss: Estimate,
    /// How much lower the best one's is.
    pub gain: Estimate,
    /// Mixtures that cannot be told from the best at the level, in the order of their losses.
    pub set: Vec<Vec<f64>>,
    /// Mixtures that were compared.
    pub candidates: usize,
    /// Step between them; none where they were drawn.
    pub step: Option<f64>,
    /// Mixtures left out, for a part would be seen too often.
    pub capped: usize,
    /// Law that speaks, and how its fit ended.
    pub law: String,
    /// Its formula.
    pub formula: &'static str,
    /// How its fit ended.
    pub status: String,
    /// Runs that it was fitted to.
    pub runs: usize,
    /// Refits behind the intervals.
    pub refits: usize,
    /// Standard deviation of ln L of a run about the law.
    pub spread: f64,
    /// What other laws say.
    pub others: Vec<OtherMix>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// The best mixture by laws fitted to runs.
///
/// # Errors
/// Where runs have no shares, no law can be fitted, or the cap leaves no mixture.
pub fn mix(records: &[RunRecord], request: &MixRequest) -> Result<MixAdvice, MixError> {
    let data = MixedRuns::of(records, request.target.as_ref(), request.size_measure, request.flop_rule)?;
    let mut laws = fitted(&data, request)?;
    let (spoken, others): (Vec<_>, Vec<_>) = laws.drain(..).partition(|(name, _)| request.law.as_ref().is_none_or(|law| law == name));
    let mut failed = Vec::new();
    let mut usable = Vec::new();
    for (name, fitted) in spoken.into_iter().chain(others) {
        match fitted {
            Ok(fit) => usable.push((name, fit)),
            Err(error) => failed.push((name, error.to_string())),
        }
    }
    if request.law.as_ref().is_some_and(|law| failed.iter().any(|(name, _)| name == law)) || usable.is_empty() {
        return Err(MixError::NoLaw(failed.into_iter().map(|(_, error)| error).next().unwrap_or_default()));
    }
    let (_, fit) = usable.remove(0);
    let (compute, place) = place(&data, &fit.law, &fit.evidence.points, request.compute);
    let (candidates, step) = data.candidates();
    let allowed = |shares: &[f64]| data.epochs(shares, place.d).is_none_or(|all| all.iter().all(|epochs| *epochs <= request.max_epochs));
    let compared = candidates.len();
    let kept: Vec<Vec<f64>> = candidates.into_iter().filter(|shares| allowed(shares)).collect();
    let loss = |law: &Law, shares: &[f64]| law.loss(&data.at(&place, shares));
    let by_loss = |law: &Law| {
        let mut losses: Vec<(f64, usize)> = kept.iter().enumerate().map(|(which, shares)| (loss(law, shares), which)).collect();
        losses.retain(|(loss, _)| loss.is_finite());
        losses.sort_by(|a, b| a.0.total_cmp(&b.0));
        losses
    };
    let ranked = by_loss(&fit.law);
    let Some(&(_, first)) = ranked.first() else {
        return Err(MixError::Capped { max_epochs: request.max_epochs, tokens: place.d });
    };
    let best = kept[first].clone();
    let of_best: Vec<f64> = fit.draws.iter().map(|law| loss(law, &best)).collect();
    let set: Vec<Vec<f64>> = ranked
        .iter()
        .map(|(_, which)| &kept[*which])
        .filter(|shares| is_as_good(&fit, &of_best, shares, &loss, request.level))
        .cloned()
        .collect();
    // Without refits the best alone is known.
    let set = if set.is_empty() { vec![best.clone()] } else { set };
    let estimate = |of: &dyn Fn(&Law) -> f64| {
        Estimate::from_draws(of(&fit.law), fit.draws.iter().map(of).collect(), request.level, Interval::Bootstrap)
    };
    let gain = estimate(&|law| loss(law, &data.natural) - loss(law, &best));
    let of_parts = data.epochs(&best, place.d);
    let parts = data.names.iter().enumerate().map(|(part, name)| PartAdvice {
        name: name.clone(),
        best: best[part],
        range: set.iter().fold([best[part]; 2], |[low, high], shares| [low.min(shares[part]), high.max(shares[part])]),
        natural: data.natural[part],
        target: data.target.as_ref().map(|target| target[part]),
        epochs: of_parts.as_ref().map(|epochs| epochs[part]),
    });
    let parts: Vec<PartAdvice> = parts.collect();
    let mut notes = data.notes.clone();
    notes.extend(cautions(&data, &fit, &parts, compute, &allowed));
    let best_of = |fit: &Fit| by_loss(&fit.law).first().map(|(_, which)| kept[*which].clone());
    let others = usable.iter().map(|(name, fit)| OtherMix { law: name.clone(), best: best_of(fit), why: None });
    let others =
        others.chain(failed.iter().map(|(name, why)| OtherMix { law: name.clone(), best: None, why: Some(why.clone()) })).collect();
    Ok(MixAdvice {
        compute,
        params: place.n,
        tokens: place.d,
        loss: estimate(&|law| loss(law, &best)),
        natural_loss: estimate(&|law| loss(law, &data.natural)),
        gain,
        set,
        candidates: compared,
        step,
        capped: compared - kept.len(),
        law: fit.law.name().to_owned(),
        formula: fit.law.text(),
        status: fit.status.to_string(),
        runs: fit.evidence.points.len(),
        refits: fit.draws.len(),
        spread: fit.residual_spread(),
        others,
        notes,
        parts,
    })
}

/// Whether refits do not agree that a mixture is worse than the best.
fn is_as_good(fit: &Fit, of_best: &[f64], shares: &[f64], loss: &dyn Fn(&Law, &[f64]) -> f64, level: f64) -> bool {
    let worse = fit.draws.iter().zip(of_best).filter(|(law, best)| loss(law, shares) > **best).count();
    (worse as f64) < level * fit.draws.len() as f64
}

/// A law by its name, fitted or not.
type NamedFit = (String, Result<Fit, FitError>);

/// Every law of mixtures fitted to the runs that it can be about; Ye's to those of the size and length that most runs have.
fn fitted(data: &MixedRuns, request: &MixRequest) -> Result<Vec<NamedFit>, MixError> {
    // Laws of mixtures have a dozen coefficients and more, of which a grid of starts for L-BFGS is a matter of minutes.
    let options = FitOptions {
        estimator: request.estimator,
        search: Search::VarproOnly,
        refits: request.refits,
        seed: request.seed,
        ..FitOptions::default()
    };
    let one = |name: &str, speaks: bool| {
        let points = if name == "mixture" { of_one_cell(&data.points) } else { data.points.clone() };
        let formula = formula(name)?;
        let formula = formula.over(&points)?;
        // Other laws are for their best mixture alone.
        let refits = if speaks { options.refits } else { 0 };
        Some((name.to_owned(), fit(&Law::unfitted(formula), Evidence::as_given(points), &FitOptions { refits, ..options })))
    };
    let mut all: Vec<NamedFit> = Vec::new();
    for name in MIXTURE_LAWS {
        let speaks = request.law.as_ref().map_or_else(|| all.iter().all(|(_, fit)| fit.is_err()), |law| law == name);
        all.extend(one(name, speaks));
    }
    if all.is_empty() {
        Err(MixError::NoLaw("the shares of the runs do not vary: nothing tells one mixture from another".into()))
    } else {
        Ok(all)
    }
}

/// The runs of one size and length, of which there are most; of as many, those of most compute.
fn of_one_cell(points: &[Point]) -> Vec<Point> {
    let key = |point: &Point| ((50.0 * point.n.ln()).round() as i64, (50.0 * point.d.ln()).round() as i64);
    let mut cells: BTreeMap<(i64, i64), Vec<Point>> = BTreeMap::new();
    points.iter().for_each(|point| cells.entry(key(point)).or_default().push(point.clone()));
    cells.into_values().max_by(|a, b| a.len().cmp(&b.len()).then(a[0].c.total_cmp(&b[0].c))).unwrap_or_default()
}

/// The size and length that the law says is best for a budget under the natural mixture; those of the runs where it is of one size.
fn place(data: &MixedRuns, law: &Law, points: &[Point], compute: Option<f64>) -> (f64, Point) {
    let largest = points.iter().max_by(|a, b| a.c.total_cmp(&b.c)).cloned().unwrap_or_default();
    let compute = compute.unwrap_or(largest.c);
    let count = ComputeCount::of(points);
    let of = |n: f64| Point { n, d: count.tokens(n, compute), c: compute, ..Point::default() };
    if law.get("alpha").is_none() {
        return (compute, of(largest.n));
    }
    let middle = (compute / count.per_param_token(largest.n)).sqrt();
    let [low, high] = RATIOS.map(|ratio| middle.ln() - 0.5 * f64::ln(ratio));
    let sizes = (0..=400).map(|step| (high + (low - high) * f64::from(step) / 400.0).exp());
    let loss = |n: &f64| law.loss(&data.at(&of(*n), &data.natural));
    let n = sizes.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap_or(largest.n);
    (compute, of(n))
}

/// What a reader must know of the answer.
fn cautions(data: &MixedRuns, fit: &Fit, parts: &[PartAdvice], compute: f64, allowed: &dyn Fn(&[f64]) -> bool) -> Vec<String> {
    let mut said = Vec::new();
    let largest = fit.evidence.points.iter().map(|point| point.c).fold(0.0, f64::max);
    if compute > 1.1 * largest {
        said.push(format!("{compute:.2e} FLOPs are {:.1} times the largest run that the law was fitted to", compute / largest));
    }
    if fit.law.get("alpha").is_none() && (compute / largest - 1.0).abs() > 0.1 {
        said.push("this law knows nothing of size and length: the loss is that of the runs, at their budget".into());
    }
    for part in parts {
        let column = format!("{SHARE}{}", part.name);
        let seen =
            data.points.iter().filter_map(|point| point.covariates.iter().find(|(name, _)| *name == column)).map(|(_, share)| *share);
        let (low, high) = seen.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), share| (low.min(share), high.max(share)));
        if part.best < low - 0.02 || part.best > high + 0.02 {
            said.push(format!("no run has a share of {} near {:.2}: theirs lie from {low:.2} to {high:.2}", part.name, part.best));
        }
    }
    if !allowed(&data.natural) {
        said.push("the natural mixture itself sees a part more often than the cap allows".into());
    }
    if fit.status != FitStatus::Converged {
        said.push(format!("the fit: {}", fit.status));
    }
    said.extend(fit.warnings.iter().cloned());
    said
}
