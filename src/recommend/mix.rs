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
    /// Its loss under the best mixture, where it counts and has one of its own.
    pub loss: Option<Estimate>,
    /// Standard deviation of the ln of that loss of a run about its law.
    pub spread: Option<f64>,
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
    /// Runs that it was fitted to, the fewest of the parts.
    pub runs: usize,
    /// Refits behind the intervals.
    pub refits: usize,
    /// Standard deviation of ln L of a run about the law, the largest of the parts.
    pub spread: f64,
    /// What other laws say.
    pub others: Vec<OtherMix>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// A law fitted to each loss of which the target is the weighted sum.
struct Spoken {
    name: String,
    fits: Vec<(f64, Fit)>,
}

impl Spoken {
    /// Loss on the target by the fits, or by their refits.
    fn loss(&self, draw: Option<usize>, point: &Point) -> f64 {
        let law = |fit: &Fit| draw.map_or_else(|| fit.law.loss(point), |draw| fit.draws[draw].loss(point));
        self.fits.iter().map(|(weight, fit)| weight * law(fit)).sum()
    }

    /// Refits that every fit has. Fits to the same runs draw the same of them, so that a refit is of all parts together.
    fn draws(&self) -> usize {
        self.fits.iter().map(|(_, fit)| fit.draws.len()).min().unwrap_or(0)
    }

    /// A number of the law with the interval of its refits.
    fn estimate(&self, level: f64, of: impl Fn(Option<usize>) -> f64) -> Estimate {
        Estimate::from_draws(of(None), (0..self.draws()).map(|draw| of(Some(draw))).collect(), level, Interval::Bootstrap)
    }

    fn first(&self) -> &Fit {
        &self.fits[0].1
    }

    /// The worst way in which one of its fits ended.
    fn status(&self) -> FitStatus {
        let unsound = self.fits.iter().map(|(_, fit)| fit.status).find(|status| *status != FitStatus::Converged);
        unsound.unwrap_or(FitStatus::Converged)
    }

    /// Whether it knows of size and length.
    fn is_of_scale(&self) -> bool {
        self.first().law.get("alpha").is_some()
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.fits.iter().flat_map(|(_, fit)| &fit.evidence.points)
    }
}

/// The best mixture by laws fitted to runs: one for the loss of each part that counts, where each is known.
///
/// # Errors
/// Where runs have no shares, no law can be fitted, or the cap leaves no mixture.
pub fn mix(records: &[RunRecord], request: &MixRequest) -> Result<MixAdvice, MixError> {
    let data = MixedRuns::of(records, request.target.as_ref(), request.size_measure, request.flop_rule)?;
    let (law, mut others, failed) = fitted(&data, request)?;
    let (compute, place) = place(&data, &law, request.compute);
    let (candidates, step) = data.candidates();
    let allowed = |shares: &[f64]| data.epochs(shares, place.d).is_none_or(|all| all.iter().all(|epochs| *epochs <= request.max_epochs));
    // Of a part that counts and is never seen no law here speaks.
    let is_known = |shares: &[f64]| data.losses.iter().all(|of| of.part.is_none_or(|part| shares[part] > 0.0));
    let known: Vec<Vec<f64>> = candidates.into_iter().filter(|shares| is_known(shares)).collect();
    let compared = known.len();
    let kept: Vec<Vec<f64>> = known.into_iter().filter(|shares| allowed(shares)).collect();
    let at: Vec<Point> = kept.iter().map(|shares| data.at(&place, shares)).collect();
    let by_loss = |law: &Spoken| {
        let mut losses: Vec<(f64, usize)> = at.iter().enumerate().map(|(which, point)| (law.loss(None, point), which)).collect();
        losses.retain(|(loss, _)| loss.is_finite());
        losses.sort_by(|a, b| a.0.total_cmp(&b.0));
        losses
    };
    let ranked = by_loss(&law);
    let Some(&(_, first)) = ranked.first() else {
        return Err(MixError::Capped { max_epochs: request.max_epochs, tokens: place.d });
    };
    let (best, at_best, at_natural) = (&kept[first], &at[first], data.at(&place, &data.natural));
    let of_best: Vec<f64> = (0..law.draws()).map(|draw| law.loss(Some(draw), at_best)).collect();
    let as_good = ranked.iter().filter(|(_, which)| is_as_good(&law, &of_best, &at[*which], request.level));
    let set: Vec<Vec<f64>> = as_good.map(|(_, which)| kept[*which].clone()).collect();
    // Without refits the best alone is known.
    let set = if set.is_empty() { vec![best.clone()] } else { set };
    let parts = parts(&data, &law, best, &set, at_best, request.level);
    let mut notes = data.notes.clone();
    notes.extend(cautions(&data, &law, &parts, compute));
    if !allowed(&data.natural) {
        notes.push("the natural mixture itself sees a part more often than the cap allows".into());
    }
    let best_of = |law: &Spoken| by_loss(law).first().map(|(_, which)| kept[*which].clone());
    let others = others.drain(..).map(|law| OtherMix { best: best_of(&law), law: law.name, why: None });
    let others = others.chain(failed.into_iter().map(|(law, why)| OtherMix { law, best: None, why: Some(why) })).collect();
    Ok(MixAdvice {
        compute,
        params: place.n,
        tokens: place.d,
        loss: law.estimate(request.level, |draw| law.loss(draw, at_best)),
        natural_loss: law.estimate(request.level, |draw| law.loss(draw, &at_natural)),
        gain: law.estimate(request.level, |draw| law.loss(draw, &at_natural) - law.loss(draw, at_best)),
        set,
        candidates: compared,
        step,
        capped: compared - kept.len(),
        formula: law.first().law.text(),
        status: law.status().to_string(),
        runs: law.fits.iter().map(|(_, fit)| fit.evidence.points.len()).min().unwrap_or(0),
        refits: law.draws(),
        spread: law.fits.iter().map(|(_, fit)| fit.residual_spread()).fold(0.0, f64::max),
        law: law.name,
        others,
        notes,
        parts,
    })
}

/// What is said of each part.
fn parts(data: &MixedRuns, law: &Spoken, best: &[f64], set: &[Vec<f64>], at_best: &Point, level: f64) -> Vec<PartAdvice> {
    let epochs = data.epochs(best, at_best.d);
    let of = |(part, name): (usize, &String)| {
        let fit = data.losses.iter().zip(&law.fits).find(|(of, _)| of.part == Some(part)).map(|(_, (_, fit))| fit);
        PartAdvice {
            name: name.clone(),
            best: best[part],
            range: set.iter().fold([best[part]; 2], |[low, high], shares| [low.min(shares[part]), high.max(shares[part])]),
            natural: data.natural[part],
            target: data.target.as_ref().map(|target| target[part]),
            epochs: epochs.as_ref().map(|epochs| epochs[part]),
            loss: fit.map(|fit| {
                let draws = fit.draws.iter().map(|law| law.loss(at_best)).collect();
                Estimate::from_draws(fit.law.loss(at_best), draws, level, Interval::Bootstrap)
            }),
            spread: fit.map(Fit::residual_spread),
        }
    };
    data.names.iter().enumerate().map(of).collect()
}

/// Whether refits do not agree that a mixture is worse than the best.
fn is_as_good(law: &Spoken, of_best: &[f64], at: &Point, level: f64) -> bool {
    let worse = of_best.iter().enumerate().filter(|(draw, best)| law.loss(Some(*draw), at) > **best).count();
    (worse as f64) < level * of_best.len() as f64
}

/// The law that speaks, the others, and those that cannot be fitted, with why.
type Fitted = (Spoken, Vec<Spoken>, Vec<(String, String)>);

/// Every law of mixtures fitted to the runs that it can be about: the one that is asked for speaks, or the first that the runs determine.
fn fitted(data: &MixedRuns, request: &MixRequest) -> Result<Fitted, MixError> {
    let (mut spoken, mut others, mut failed) = (None, Vec::new(), Vec::new());
    for name in MIXTURE_LAWS {
        let speaks = request.law.as_ref().map_or(spoken.is_none(), |law| law == name);
        // Other laws are for their best mixture alone.
        match one(data, name, request, if speaks { request.refits } else { 0 }) {
            Some(Ok(law)) if speaks => spoken = Some(law),
            Some(Ok(law)) => others.push(law),
            Some(Err(error)) if request.law.as_deref() == Some(name) => return Err(MixError::NoLaw(error.to_string())),
            Some(Err(error)) => failed.push((name.to_owned(), error.to_string())),
            None => {}
        }
    }
    let why =
        || failed.first().map_or("the shares of the runs do not vary: nothing tells one mixture from another", |(_, why)| why.as_str());
    match spoken {
        Some(law) => Ok((law, others, failed)),
        None => Err(MixError::NoLaw(why().to_owned())),
    }
}

/// A law fitted to each loss; Ye's to the runs of the size and length that most have. None where shares do not vary.
fn one(data: &MixedRuns, name: &str, request: &MixRequest, refits: usize) -> Option<Result<Spoken, FitError>> {
    // Laws of mixtures have a dozen coefficients and more, of which a grid of starts for L-BFGS is a matter of minutes.
    let options =
        FitOptions { estimator: request.estimator, search: Search::VarproOnly, refits, seed: request.seed, ..FitOptions::default() };
    let mut fits = Vec::new();
    for of in &data.losses {
        let points = if name == "mixture" { of_one_cell(&of.points) } else { of.points.clone() };
        let formula = formula(name)?.over(&points)?;
        match fit(&Law::unfitted(formula), Evidence::as_given(points), &options) {
            Ok(fit) => fits.push((of.weight, fit)),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(Spoken { name: name.to_owned(), fits }))
}

/// The runs of one size and length, of which there are most; of as many, those of most compute.
fn of_one_cell(points: &[Point]) -> Vec<Point> {
    let key = |point: &Point| ((50.0 * point.n.ln()).round() as i64, (50.0 * point.d.ln()).round() as i64);
    let mut cells: BTreeMap<(i64, i64), Vec<Point>> = BTreeMap::new();
    points.iter().for_each(|point| cells.entry(key(point)).or_default().push(point.clone()));
    cells.into_values().max_by(|a, b| a.len().cmp(&b.len()).then(a[0].c.total_cmp(&b[0].c))).unwrap_or_default()
}

/// The size and length that the law says is best for a budget under the natural mixture; those of the runs where it is of one size.
fn place(data: &MixedRuns, law: &Spoken, compute: Option<f64>) -> (f64, Point) {
    let points: Vec<Point> = law.points().cloned().collect();
    let largest = points.iter().max_by(|a, b| a.c.total_cmp(&b.c)).cloned().unwrap_or_default();
    let compute = compute.unwrap_or(largest.c);
    let count = ComputeCount::of(&points);
    let of = |n: f64| Point { n, d: count.tokens(n, compute), c: compute, ..Point::default() };
    if !law.is_of_scale() {
        return (compute, of(largest.n));
    }
    let middle = (compute / count.per_param_token(largest.n)).sqrt();
    let [low, high] = RATIOS.map(|ratio| middle.ln() - 0.5 * f64::ln(ratio));
    let sizes = (0..=400).map(|step| (high + (low - high) * f64::from(step) / 400.0).exp());
    let loss = |n: &f64| law.loss(None, &data.at(&of(*n), &data.natural));
    let n = sizes.min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap_or(largest.n);
    (compute, of(n))
}

/// What a reader must know of the answer.
fn cautions(data: &MixedRuns, law: &Spoken, parts: &[PartAdvice], compute: f64) -> Vec<String> {
    let mut said = Vec::new();
    let largest = law.points().map(|point| point.c).fold(0.0, f64::max);
    if compute > 1.1 * largest {
        said.push(format!("{compute:.2e} FLOPs are {:.1} times the largest run that the law was fitted to", compute / largest));
    }
    if !law.is_of_scale() && (compute / largest - 1.0).abs() > 0.1 {
        said.push("this law knows nothing of size and length: the loss is that of the runs, at their budget".into());
    }
    for part in parts {
        let column = format!("{SHARE}{}", part.name);
        let seen = law.points().filter_map(|point| point.covariates.iter().find(|(name, _)| *name == column)).map(|(_, share)| *share);
        let (low, high) = seen.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), share| (low.min(share), high.max(share)));
        if part.best < low - 0.02 || part.best > high + 0.02 {
            said.push(format!("no run has a share of {} near {:.2}: theirs lie from {low:.2} to {high:.2}", part.name, part.best));
        }
    }
    for (of, (_, fit)) in data.losses.iter().zip(&law.fits) {
        let whose = of.part.map_or(String::new(), |part| format!(" of {}", data.names[part]));
        if fit.status != FitStatus::Converged {
            said.push(format!("the fit{whose}: {}", fit.status));
        }
        said.extend(fit.warnings.iter().map(|warning| format!("the fit{whose}: {warning}")));
    }
    said
}
