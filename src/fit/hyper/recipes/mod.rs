//! Laws of the best learning rate and batch from a sweep over them, by the method of each who published one, and how well
//! each would have served a cell that it did not see: DeepSeek's powers of C through all near-optimal runs (2401.02954
//! §3.1), Step Law's η(N, D) and B(D) through the optima of cells (2503.04715), Porian's η(N) and B(N) (2406.19146), the
//! joint surface, and one constant recipe.

mod ahead;
mod score;

use super::joint::{JointSurface, joint_surface};
use super::power_fit::{Basis, Optimum, PowerFit, power_fit};
use super::response::{Response, response};
use super::robust::KnownNoise;
use crate::fit::{Estimate, SeedNoise};
use crate::law::{PublishedRecipe, RECIPES, RecipeTrials, Scale, Trial};
use score::{score, served};
use serde::Serialize;

pub use ahead::Ahead;
pub use score::Score;

/// A law of learning rate and batch fitted to a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeLaw {
    /// Short name, as in tables.
    pub name: String,
    /// How it was fitted, in words.
    pub method: &'static str,
    /// Peak learning rate.
    pub learning_rate: Option<PowerFit>,
    /// Batch, tokens.
    pub batch: Option<PowerFit>,
    /// How it serves cells that it did not see.
    pub held_out: Option<Score>,
    /// What its learning rate and its batch were held against beyond the cells that they were fitted to.
    pub ahead: [Ahead; 2],
}

impl RecipeLaw {
    /// The best learning rate somewhere, and how far it may be off, by more the farther that lies beyond the cells.
    pub fn learning_rate_at(&self, scale: &Scale, level: f64) -> Option<Estimate> {
        Some(self.ahead[0].widened(self.learning_rate.as_ref()?.at_level(scale, level), scale.c))
    }

    /// The same of the batch, tokens.
    pub fn batch_at(&self, scale: &Scale, level: f64) -> Option<Estimate> {
        Some(self.ahead[1].widened(self.batch.as_ref()?.at_level(scale, level), scale.c))
    }
}

/// Everything that a sweep says of learning rate and batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeStudy {
    /// The response surface of each cell.
    pub cells: Vec<Response>,
    /// The laws that were fitted to these runs.
    pub laws: Vec<RecipeLaw>,
    /// One surface for all cells.
    pub joint: Option<JointSurface>,
    /// On the same cells: the optimum of each cell's own surface, which saw its runs; the constant recipe; published laws.
    pub others: Vec<Score>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// How a fitted law is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    NearOptimal,
    StepLaw,
    Porian,
    Joint,
    Constant,
}

impl Maker {
    const LAWS: [Self; 4] = [Self::NearOptimal, Self::StepLaw, Self::Porian, Self::Joint];

    fn name(self) -> &'static str {
        match self {
            Self::NearOptimal => "near-optimal",
            Self::StepLaw => "optima-nd",
            Self::Porian => "optima-n",
            Self::Joint => "joint",
            Self::Constant => "constant",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::NearOptimal => "powers of C through all near-optimal runs (DeepSeek)",
            Self::StepLaw => "eta(N, D) and B(D) through the optima of cells (Step Law)",
            Self::Porian => "eta(N) and B(N) through the optima of cells (Porian)",
            Self::Joint => "one surface for all runs, its optimum moving with N and D",
            Self::Constant => "the geometric mean of the cells' optima",
        }
    }

    fn fit(self, study: &Cells<'_>) -> (Option<PowerFit>, Option<PowerFit>) {
        match self {
            Self::NearOptimal => (study.near_optimal(0), study.near_optimal(1)),
            Self::StepLaw => (study.optima(Basis::SizeAndTokens, 0), study.optima(Basis::Tokens, 1)),
            Self::Porian => (study.optima(Basis::Size, 0), study.optima(Basis::Size, 1)),
            Self::Constant => (study.optima(Basis::Constant, 0), study.optima(Basis::Constant, 1)),
            Self::Joint => study.joint().map_or((None, None), |joint| (joint.learning_rate, joint.batch)),
        }
    }
}

/// Cells that are held out at most, evenly among all: each costs a fit of the others.
const MOST_HELD_OUT: usize = 60;

/// Cells with their surfaces, as the makers see them.
struct Cells<'a> {
    trials: Vec<&'a RecipeTrials>,
    responses: Vec<&'a Response>,
    noise: Option<KnownNoise>,
    level: f64,
}

/// What a sweep says of learning rate and batch; `None` where no cell tried three values of either.
pub fn recipe_study(trials: &[RecipeTrials], noise: Option<&SeedNoise>, level: f64) -> Option<RecipeStudy> {
    let known = |cell: &RecipeTrials| noise.zip(cell.best()).map(|(noise, (_, loss))| KnownNoise::of(noise, loss));
    let with: Vec<(&RecipeTrials, Response)> = trials.iter().filter_map(|cell| Some((cell, response(cell, known(cell), level)?))).collect();
    if !with.iter().any(|(_, response)| response.tried.iter().any(|tried| *tried >= 3)) {
        return None;
    }
    let middle = noise.map(|noise| KnownNoise { sigma: noise.sigma.value, degrees: noise.degrees as f64 });
    let all = Cells {
        trials: with.iter().map(|(trials, _)| *trials).collect(),
        responses: with.iter().map(|(_, response)| response).collect(),
        noise: middle,
        level,
    };
    let joint = all.joint();
    let fitted = |maker: Maker| match (maker, &joint) {
        (Maker::Joint, Some(joint)) => (joint.learning_rate.clone(), joint.batch.clone()),
        (Maker::Joint, None) => (None, None),
        _ => maker.fit(&all),
    };
    let laws = Maker::LAWS.iter().filter_map(|maker| all.law(*maker, fitted(*maker))).collect();
    let mut others: Vec<Score> = all.own_optima().into_iter().chain(all.held_out(Maker::Constant)).collect();
    others.extend(RECIPES.iter().filter_map(|recipe| all.published(recipe)));
    let notes = all.notes(joint.as_ref());
    let cells = all.responses.iter().map(|one| (*one).clone()).collect();
    Some(RecipeStudy { cells, laws, joint, others, notes })
}

impl RecipeStudy {
    /// The law of a name.
    pub fn law(&self, name: &str) -> Option<&RecipeLaw> {
        self.laws.iter().find(|law| law.name == name)
    }

    /// The law whose recipes cost least on cells that it did not see, among those that give a learning rate.
    pub fn best_law(&self) -> Option<&RecipeLaw> {
        let scored = self.laws.iter().filter(|law| law.learning_rate.is_some());
        scored.filter(|law| law.held_out.is_some()).min_by(|a, b| {
            let mean = |law: &RecipeLaw| law.held_out.as_ref().map_or(f64::INFINITY, |score| score.mean);
            mean(a).total_cmp(&mean(b))
        })
    }
}

impl<'a> Cells<'a> {
    fn law(&self, maker: Maker, (learning_rate, batch): (Option<PowerFit>, Option<PowerFit>)) -> Option<RecipeLaw> {
        (learning_rate.is_some() || batch.is_some()).then(|| RecipeLaw {
            name: maker.name().into(),
            method: maker.method(),
            learning_rate,
            batch,
            held_out: self.held_out(maker),
            ahead: [0, 1].map(|axis| self.ahead(maker, axis)),
        })
    }

    fn joint(&self) -> Option<JointSurface> {
        let owned: Vec<RecipeTrials> = self.trials.iter().map(|cell| (*cell).clone()).collect();
        [Basis::SizeAndTokens, Basis::Compute, Basis::Constant]
            .into_iter()
            .find_map(|basis| joint_surface(&owned, basis, self.noise, self.level))
    }

    /// Powers of C through every near-optimal run; the runs of a cell are one observation with their number as weight.
    fn near_optimal(&self, axis: usize) -> Option<PowerFit> {
        let optima: Vec<Optimum> = self
            .trials
            .iter()
            .zip(&self.responses)
            .filter_map(|(cell, response)| {
                let near: Vec<f64> = response.near_optimal.iter().map(|&at| setting(axis, &cell.trials[at]).ln()).collect();
                let weight = near.len() as f64;
                (response.tried[axis] >= 3 && weight > 0.0).then(|| Optimum {
                    scale: cell.scale,
                    ln_value: near.iter().sum::<f64>() / weight,
                    weight,
                })
            })
            .collect();
        power_fit(Basis::Compute, &optima, 0.0, self.level)
    }

    /// Powers through the optima of cells whose optimum lies inside what was tried, each by 1/se² of its logarithm.
    fn optima(&self, basis: Basis, axis: usize) -> Option<PowerFit> {
        let pick = |response: &Response| if axis == 0 { response.learning_rate } else { response.batch };
        let optimum = |response: &&&'a Response| -> Option<Optimum> {
            let found: Estimate = pick(response).filter(|_| response.is_inside())?;
            let ln_se = found.se()? / found.value;
            (ln_se.is_finite() && ln_se < 2.0).then(|| Optimum {
                scale: response.scale,
                ln_value: found.value.ln(),
                // No optimum is known to better than a per cent: its cell differs from its neighbours by more.
                weight: 1.0 / (ln_se * ln_se + 1e-4),
            })
        };
        let optima: Vec<Optimum> = self.responses.iter().filter_map(|response| optimum(&response)).collect();
        power_fit(basis, &optima, 1.0, self.level)
    }

    /// The cells but one.
    fn without(&self, out: usize) -> Self {
        self.chosen(|at| at != out)
    }

    /// The cells of some computes, FLOPs.
    fn kept(&self, keep: impl Fn(f64) -> bool) -> Self {
        self.chosen(|at| keep(self.responses[at].scale.c))
    }

    fn chosen(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.trials.len()).filter(|at| keep(*at)).collect();
        let trials = kept.iter().map(|&at| self.trials[at]).collect();
        Self { trials, responses: kept.iter().map(|&at| self.responses[at]).collect(), ..*self }
    }

    /// Each cell whose optimum is inside what was tried, by the law that the others give.
    fn held_out(&self, maker: Maker) -> Option<Score> {
        let stride = self.responses.len().div_ceil(MOST_HELD_OUT);
        let served = (0..self.responses.len()).step_by(stride.max(1)).filter_map(|out| {
            let response = self.responses[out];
            if !response.is_inside() {
                return None;
            }
            let (rate, batch) = maker.fit(&self.without(out));
            let at = |fit: Option<PowerFit>, tried: usize, own: f64| match fit {
                Some(fit) => Some(fit.at(&response.scale).value),
                // A setting that was not varied is what it was.
                None => (tried < 3).then_some(own),
            };
            let rate = at(rate, response.tried[0], response.best_learning_rate)?;
            let batch = at(batch, response.tried[1], response.best_batch)?;
            served(self.trials[out], [rate, batch])
        });
        score(maker.name(), &served.collect::<Vec<_>>())
    }

    /// Each cell by the optimum of its own surface: what noise and the steps between runs leave to any law.
    fn own_optima(&self) -> Option<Score> {
        let inside = self.trials.iter().zip(&self.responses).filter(|(_, response)| response.is_inside());
        let served = inside.filter_map(|(cell, response)| {
            let value = |found: Option<Estimate>, own: f64| found.map_or(own, |found| found.value);
            served(cell, [value(response.learning_rate, response.best_learning_rate), value(response.batch, response.best_batch)])
        });
        score("own optima", &served.collect::<Vec<_>>())
    }

    /// Each cell by a published law, N and C counted as its source does.
    fn published(&self, recipe: &PublishedRecipe) -> Option<Score> {
        let inside = self.trials.iter().zip(&self.responses).filter(|(_, response)| response.is_inside());
        let served = inside.filter_map(|(cell, response)| {
            let scale = cell.scale_under(recipe.size_measure, recipe.flop_rule);
            let batch = if response.tried[1] >= 3 { recipe.batch_tokens.at(&scale) } else { response.best_batch };
            served(cell, [recipe.learning_rate.at(&scale), batch])
        });
        score(recipe.name, &served.collect::<Vec<_>>())
    }

    fn notes(&self, joint: Option<&JointSurface>) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for response in &self.responses {
            notes.extend(response.edges.iter().map(|edge| format!("{}: {edge}", response.cell)));
        }
        if joint.is_none() {
            notes.push("no surface of all cells together can be fitted, so losses are not corrected to the tuned frontier".into());
        }
        notes
    }
}

fn setting(axis: usize, trial: &Trial) -> f64 {
    if axis == 0 { trial.learning_rate } else { trial.batch }
}

#[cfg(test)]
mod tests;
