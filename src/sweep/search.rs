//! A grid whose learning rate or batch is searched: the plan as far as results tell. A proposer that is handed in says
//! what to try next on a family (one shape on one budget), given what came of it and of the smaller shapes of the same
//! budget. The plan is a function of the recorded results, so a search that was killed resumes where it was, and shards,
//! which own whole chains of families, decide alike without talking to each other.

use super::cells::{Cell, impossible};
use super::expand::{Groundwork, RunList, corner_cells, expand, groundwork, largest, recipe};
use super::grid::{CorpusFacts, Grid, RecipeAxes};
use super::plan::{Plan, PlanError};
use super::planned::Chain;
use super::shard::usual_picoseconds;
use crate::spec::sample::mean;
use crate::spec::{FineTuning, ParamCounts, RunRecord, RunSpec, Schedule, SearchFamily, SearchSpace, Seeds, Tried};
use std::collections::{BTreeMap, HashMap};

/// What to try next of a family: from what may be moved, the settled families before it, and itself, to recipes of
/// (learning rate, batch in tokens). No recipe: the family is settled.
pub type Propose<'a> = &'a dyn Fn(&SearchSpace, &[SearchFamily], &SearchFamily) -> Vec<(f64, f64)>;

/// A plan as far as results tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The runs so far, done ones first in each family.
    pub plan: Plan,
    /// Families whose search is over.
    pub settled: usize,
    /// Families there are; 0 where nothing is searched.
    pub families: usize,
}

/// Expands a grid, following the search as far as `done` tells.
pub fn resolve(
    grid: &Grid,
    facts: &CorpusFacts,
    seconds_per_token: &dyn Fn(&RunSpec) -> f64,
    done: &HashMap<String, RunRecord>,
    propose: Propose<'_>,
) -> Result<Resolved, PlanError> {
    if !grid.recipe.search.any() {
        return Ok(Resolved { plan: expand(grid, facts, seconds_per_token)?, settled: 0, families: 0 });
    }
    let grid = &grid.with_vocabulary(facts.vocabulary);
    // Cells are laid out at one batch where batches are searched.
    let middle = grid.recipe.batch_tokens[grid.recipe.batch_tokens.len() / 2];
    let batches = if grid.recipe.search.batch { vec![middle] } else { grid.recipe.batch_tokens.clone() };
    let laid_out = Grid { recipe: RecipeAxes { batch_tokens: batches, ..grid.recipe.clone() }, ..grid.clone() };
    let Groundwork { kept, left_out, eval_windows, warmup_tokens } = groundwork(&laid_out, facts)?;
    let corners = corner_cells(&kept);
    let mut search = Search {
        grid,
        facts,
        done,
        propose,
        space: space(grid),
        list: RunList::new(grid, facts, seconds_per_token, eval_windows, warmup_tokens),
        settled: 0,
    };
    let chains = chains(grid, &kept);
    let families = chains.iter().map(|chain| chain.families.len()).sum();
    for (number, chain) in chains.iter().enumerate() {
        search.follow(number, chain, &kept, &|at| corners.contains(&at));
    }
    let Search { list, settled, .. } = search;
    Ok(Resolved { plan: Plan { runs: list.runs, left_out, eval_windows }, settled, families })
}

/// The cells of one budget and fixed setting, of fine-tuning those of one task and start, small shapes first.
struct FamilyChain<'a> {
    schedule: &'a Schedule,
    /// Learning rate where it is fixed.
    rate: f64,
    /// Indices of the cells that share a search.
    families: Vec<usize>,
}

fn chains<'a>(grid: &'a Grid, kept: &[Cell]) -> Vec<FamilyChain<'a>> {
    let mut budgets: BTreeMap<Shared, Vec<usize>> = BTreeMap::new();
    for (at, cell) in kept.iter().enumerate() {
        budgets.entry(shared(cell)).or_default().push(at);
    }
    let fixed = if grid.recipe.search.learning_rate { &grid.recipe.learning_rates[..1] } else { &grid.recipe.learning_rates[..] };
    let mut chains = Vec::new();
    for mut families in budgets.into_values() {
        families.sort_by_key(|&at| ParamCounts::of(&kept[at].shape).total());
        for schedule in &grid.recipe.schedules {
            chains.extend(fixed.iter().map(|&rate| FamilyChain { schedule, rate, families: families.clone() }));
        }
    }
    chains
}

/// Budget, batch, distinct tokens, shares of a mixture, the beginning of fine-tuning and the objective.
type Shared = (usize, u64, u64, Vec<u32>, Vec<u64>, String);

/// What cells that share a search have in common.
fn shared(cell: &Cell) -> Shared {
    let shares = cell.mixture.iter().map(|part| part.share).collect();
    (cell.level, cell.batch_tokens, cell.unique_tokens.unwrap_or(0), shares, beginning(cell), cell.objective.to_string())
}

/// What runs of fine-tuning that share a search have in common; nothing of others.
fn beginning(cell: &Cell) -> Vec<u64> {
    let of = |it: &FineTuning| vec![it.start as u64, it.examples, it.replay.into(), it.rank.into(), it.base.tokens.to_bits()];
    cell.stage.fine_tuning().map(of).unwrap_or_default()
}

fn space(grid: &Grid) -> SearchSpace {
    SearchSpace {
        learning_rate: grid.recipe.search.learning_rate.then(|| grid.recipe.learning_rates.clone()),
        batch: grid.recipe.search.batch.then(|| grid.recipe.batch_tokens.iter().map(|&batch| batch as f64).collect()),
        context: grid.shapes[0].context as f64,
    }
}

struct Search<'a> {
    grid: &'a Grid,
    facts: &'a CorpusFacts,
    done: &'a HashMap<String, RunRecord>,
    propose: Propose<'a>,
    space: SearchSpace,
    list: RunList<'a>,
    settled: usize,
}

impl Search<'_> {
    /// The families of a chain in turn, up to the first that waits for results.
    fn follow(&mut self, number: usize, chain: &FamilyChain<'_>, kept: &[Cell], is_corner: &dyn Fn(usize) -> bool) {
        let cost = chain.families.iter().map(|&at| self.usual_cost(chain, &kept[at])).sum();
        let key = Chain { number, picoseconds: cost };
        let mut earlier = Vec::new();
        for &at in &chain.families {
            let cell = &kept[at];
            let mut family = SearchFamily {
                n: ParamCounts::of(&cell.shape).total() as f64,
                d: cell.tokens.0,
                learning_rate: chain.rate,
                batch: cell.batch_tokens as f64,
                tried: Vec::new(),
            };
            loop {
                let next = (self.propose)(&self.space, &earlier, &family);
                if next.is_empty() {
                    break;
                }
                let outcomes: Vec<Option<Tried>> = next.into_iter().map(|recipe| self.attempt(key, chain, cell, recipe)).collect();
                let Some(tried) = outcomes.into_iter().collect::<Option<Vec<Tried>>>() else { return };
                family.tried.extend(tried);
            }
            self.settled += 1;
            if is_corner(at) {
                self.replicate(key, chain, cell, &family);
            }
            earlier.push(family);
        }
    }

    /// Plans a recipe with every seed; what came of it, once all are done. A recipe that cannot be trained counts as diverged.
    fn attempt(&mut self, key: Chain, chain: &FamilyChain<'_>, cell: &Cell, (learning_rate, batch): (f64, f64)) -> Option<Tried> {
        let cell = Cell { batch_tokens: batch as u64, ..cell.clone() };
        if impossible(self.grid, self.facts, &cell).is_some() {
            return Some(Tried { learning_rate, batch, loss: None });
        }
        let seeds: Vec<Seeds> = self
            .grid
            .seeds
            .init
            .iter()
            .flat_map(|&init| self.grid.seeds.data.iter().map(move |&data| (init, data)))
            .map(|(init, data)| Seeds { init, data, eval: self.grid.seeds.eval })
            .collect();
        let mut losses = Vec::new();
        for seeds in seeds {
            let recipe = recipe(self.grid, &cell, chain.schedule, learning_rate, self.list.warmup_tokens);
            let id = self.list.push(&cell, recipe, seeds, Some(key));
            losses.push(self.done.get(&id).map(|record| record.of_its_base().loss_nats.map(|loss| loss.0)));
        }
        let known: Vec<Option<f64>> = losses.into_iter().collect::<Option<_>>()?;
        let finished: Option<Vec<f64>> = known.into_iter().collect();
        Some(Tried { learning_rate, batch, loss: finished.and_then(mean) })
    }

    /// Further seeds of a corner's best recipe, from which the noise of a run is known.
    fn replicate(&mut self, key: Chain, chain: &FamilyChain<'_>, cell: &Cell, family: &SearchFamily) {
        let finished = family.tried.iter().filter_map(|tried| Some((tried, tried.loss?)));
        let Some((best, _)) = finished.min_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        let cell = Cell { batch_tokens: best.batch as u64, ..cell.clone() };
        let (init, data) = (largest(&self.grid.seeds.init), largest(&self.grid.seeds.data));
        for k in 1..self.grid.seeds.corners {
            let recipe = recipe(self.grid, &cell, chain.schedule, best.learning_rate, self.list.warmup_tokens);
            self.list.push(&cell, recipe, Seeds { init: init + k, data: data + k, eval: self.grid.seeds.eval }, Some(key));
        }
    }

    fn usual_cost(&self, chain: &FamilyChain<'_>, cell: &Cell) -> u128 {
        let recipe = recipe(self.grid, cell, chain.schedule, chain.rate, self.list.warmup_tokens);
        let seeds = Seeds { init: 0, data: 0, eval: 0 };
        let mut one = RunList::new(self.grid, self.facts, &|_| 0.0, 0, self.list.warmup_tokens);
        one.push(cell, recipe, seeds, None);
        one.runs.first().map_or(0, |run| usual_picoseconds(&run.spec))
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::facts;
    use super::super::grid::tests::SMALL;
    use super::*;
    use crate::spec::{Nats, RunStatus, Shard};
    use crate::sweep::PlannedRun;

    const SEARCHED: &str = "[recipe]\nlearning_rate = { search = \"adaptive\", start = [4e-3, 1e-3, 2e-3] }";

    /// The start for every family, then one rate more if the highest was best.
    fn one_more(space: &SearchSpace, earlier: &[SearchFamily], family: &SearchFamily) -> Vec<(f64, f64)> {
        let start = space.learning_rate.as_ref().expect("searched");
        match family.tried.len() {
            0 => start.iter().map(|rate| (rate * 0.5f64.powi(earlier.len() as i32), family.batch)).collect(),
            3 => vec![(family.tried[2].learning_rate * 2.0, family.batch)],
            _ => Vec::new(),
        }
    }

    fn resolved(grid: &Grid, done: &HashMap<String, RunRecord>) -> Resolved {
        resolve(grid, &facts(None), &|_| 1e-5, done, &one_more).expect("a plan")
    }

    fn finish(plan: &Plan, done: &mut HashMap<String, RunRecord>) {
        for run in &plan.runs {
            let mut record = RunRecord::planned(&run.spec);
            (record.status, record.loss_nats) = (RunStatus::Finished, Some(Nats(2.0)));
            done.insert(run.id.clone(), record);
        }
    }

    #[test]
    fn a_search_grows_with_its_results_until_every_family_is_settled() {
        let grid = Grid::parse(&format!("{SMALL}\n{SEARCHED}")).expect("valid");
        let mut done = HashMap::new();
        let mut counts = Vec::new();
        loop {
            let now = resolved(&grid, &done);
            counts.push((now.plan.runs.len(), now.settled));
            if now.plan.runs.iter().all(|run| done.contains_key(&run.id)) {
                assert_eq!((now.settled, now.families), (4, 4));
                break;
            }
            finish(&now.plan, &mut done);
        }
        // Two budgets: the smaller shape's three rates and one more, then the larger's.
        assert_eq!(counts, [(6, 0), (8, 0), (14, 2), (16, 2), (16, 4)]);
        let now = resolved(&grid, &done);
        let rates = |shape: &str| -> Vec<f64> {
            now.plan.runs.iter().filter(|run| run.spec.shape.to_string() == shape).map(|run| run.spec.recipe.learning_rate).collect()
        };
        assert_eq!(rates("2x16")[..4], [1e-3, 2e-3, 4e-3, 8e-3]);
        assert_eq!(rates("2x32")[..4], [5e-4, 1e-3, 2e-3, 4e-3]);
    }

    #[test]
    fn a_plan_is_the_same_whenever_it_is_made_from_the_same_results() {
        let grid = Grid::parse(&format!("{SMALL}\n{SEARCHED}")).expect("valid");
        let mut done = HashMap::new();
        finish(&resolved(&grid, &done).plan, &mut done);
        assert_eq!(resolved(&grid, &done), resolved(&grid, &done));
    }

    #[test]
    fn shards_own_whole_chains_and_do_not_move_as_results_come() {
        let grid = Grid::parse(&format!("{SMALL}\n{SEARCHED}")).expect("valid");
        let mut done = HashMap::new();
        let budget_of = |run: &&PlannedRun| run.spec.steps;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let now = resolved(&grid, &done);
            let all: Vec<&PlannedRun> = now.plan.runs.iter().collect();
            let shards: Vec<Vec<&PlannedRun>> = (1..=2).map(|number| Shard { number, count: 2 }.of(&all)).collect();
            assert_eq!(shards[0].len() + shards[1].len(), all.len());
            let steps: Vec<std::collections::BTreeSet<u64>> = shards.iter().map(|shard| shard.iter().map(budget_of).collect()).collect();
            assert!(steps.iter().all(|steps| steps.len() == 1), "one budget a shard: {steps:?}");
            seen.push(steps);
            finish(&now.plan, &mut done);
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn corners_are_replicated_at_their_best_rate_once_it_is_known() {
        let grid = Grid::parse(&format!("{SMALL}\n{SEARCHED}\n[seeds]\ncorners = 3")).expect("valid");
        let mut done = HashMap::new();
        for _ in 0..6 {
            finish(&resolved(&grid, &done).plan, &mut done);
        }
        let now = resolved(&grid, &done);
        assert_eq!(now.plan.runs.iter().filter(|run| run.spec.seeds.data > 0).count(), 4 * 2);
    }

    #[test]
    fn rates_of_single_shapes_and_a_search_exclude_each_other() {
        let text = format!("{SMALL}\n{SEARCHED}\nlearning_rate_by_shape = {{ 2x16 = 1e-3 }}");
        assert!(Grid::parse(&text).expect_err("refused").to_string().contains("is searched"));
    }
}
