//! The cells of a grid that fine-tunes: which base on how many pairs, how often or how long, from which weights, with how much replay. And
//! which runs of a folder are worth to begin from.

use super::cells::{Cell, LeftOut};
use super::grid::{Budget, CorpusFacts, FineTuneAxes, Grid, Subset};
use crate::spec::{FineTuning, Objective, RunRecord, RunStatus, Stage, Start, Tokens};

/// All cells that can be trained, amount by amount, and the others.
pub(super) fn cells(grid: &Grid, axes: &FineTuneAxes, facts: &CorpusFacts) -> (Vec<Cell>, Vec<LeftOut>) {
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    let pairs = facts.pairs.as_ref();
    let subsets = pairs.map_or(&[][..], |pairs| &pairs.subsets);
    for &batch_tokens in &grid.recipe.batch_tokens {
        for (level, amount) in amounts(&grid.budget.amounts).into_iter().enumerate() {
            for (base, subset) in axes.bases.iter().flat_map(|base| subsets.iter().map(move |subset| (base, subset))) {
                for (start, replay, rank) in ways(axes) {
                    let Subset { examples, windows, .. } = *subset;
                    let fine_tuning = FineTuning { base: base.run.clone(), start, examples, windows, replay, rank };
                    let epoch = fine_tuning.epoch_tokens(base.shape.context);
                    let tokens = match amount {
                        Amount::Tokens(tokens) => tokens,
                        Amount::Epochs(epochs) => Tokens(epochs * epoch as f64),
                    };
                    let cell = Cell {
                        level,
                        shape: base.shape.clone(),
                        tokens,
                        batch_tokens,
                        unique_tokens: None,
                        mixture: Vec::new(),
                        budget: None,
                        stage: Stage::FineTuning(Box::new(fine_tuning)),
                        objective: Objective::Causal,
                    };
                    match impossible(grid, pairs.map_or(0, |pairs| pairs.train), subset, &cell, epoch) {
                        None => kept.push(cell),
                        Some((reason, asked_for)) => {
                            let budget = format!("{examples} pairs, {amount}");
                            left_out.push(LeftOut { shape: cell.shape, budget, reason, asked_for, by_design: false });
                        }
                    }
                }
            }
        }
    }
    (kept, left_out)
}

/// What weights begin as, the replay and the rank of every run of one base on one set of pairs. From scratch all weights are trained.
fn ways(axes: &FineTuneAxes) -> Vec<(Start, u32, u32)> {
    let ranks = |start: Start| if start == Start::Scratch { &[0][..] } else { &axes.ranks[..] };
    let of_start = |&start: &Start| {
        let all = axes.replay.iter().flat_map(move |&replay| ranks(start).iter().map(move |&rank| (start, replay, rank)));
        all.collect::<Vec<_>>()
    };
    axes.starts.iter().flat_map(of_start).collect()
}

/// How long a run is.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Tokens(Tokens),
    Epochs(f64),
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens(tokens) => write!(f, "D = {tokens}"),
            Self::Epochs(epochs) => write!(f, "epochs = {epochs}"),
        }
    }
}

fn amounts(budget: &Budget) -> Vec<Amount> {
    match budget {
        Budget::Tokens(all) => all.iter().map(|tokens| Amount::Tokens(*tokens)).collect(),
        Budget::Epochs(all) => all.iter().map(|epochs| Amount::Epochs(*epochs)).collect(),
        Budget::TokensPerParam(_) | Budget::IsoFlop { .. } => Vec::new(),
    }
}

/// Why a cell cannot be trained, and whether leaving it out silently would be wrong.
fn impossible(grid: &Grid, there_are: u64, subset: &Subset, cell: &Cell, epoch: u64) -> Option<(String, bool)> {
    if subset.asked > subset.examples {
        let reason = format!(
            "corpus.examples = {}: {there_are} pairs can be trained on, others are held out or left out: lower it, or say \"all\"",
            subset.asked
        );
        return Some((reason, true));
    }
    let (rank, width) = (cell.stage.fine_tuning().map_or(0, |it| it.rank as usize), cell.shape.width);
    if rank > width {
        return Some((format!("base.rank = {rank}: a matrix of width {width} has at most rank {width}"), true));
    }
    if cell.batch_tokens > epoch {
        let reason = format!(
            "a batch of {} tokens is more than an epoch of {} pairs, {epoch} tokens: lower recipe.batch_tokens or raise corpus.examples",
            cell.batch_tokens, subset.examples
        );
        return Some((reason, false));
    }
    let (steps, least) = (cell.steps(), grid.budget.min_steps);
    (steps < least).then(|| {
        let reason = format!(
            "{} tokens are {steps} steps of {} tokens, at least {least} are wanted: lower recipe.batch_tokens or raise the budget",
            cell.tokens, cell.batch_tokens
        );
        (reason, true)
    })
}

/// The finished runs that no run of as little compute is as good as, in the order given.
pub fn frontier(records: &[RunRecord]) -> Vec<&RunRecord> {
    let at = |record: &RunRecord| {
        let finished = record.status == RunStatus::Finished;
        Some((record.flops_exact?.0, record.loss_nats?.0)).filter(|_| finished)
    };
    let dominated = |own: (f64, f64)| {
        let better = |(compute, loss): (f64, f64)| compute <= own.0 && loss <= own.1 && (compute, loss) != own;
        records.iter().filter_map(at).any(better)
    };
    records.iter().filter(|record| at(record).is_some_and(|own| !dominated(own))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::expand::expand;
    use super::super::grid::{Base, PairFacts};
    use super::super::plan::{Plan, PlanError};
    use super::*;
    use crate::spec::{BaseRun, CorpusSpec, Flops, ModelShape, Nats, Start};
    use std::collections::HashSet;

    const GRID: &str = r#"
        name = "tune"
        stage = "fine-tune"
        base = { results = "results/base", start = ["base", "scratch"], replay = [0, 0.2] }
        corpus = { kind = "pairs", path = "pairs.jsonl", examples = [50, "all"] }
        budget = { epochs = [1, 3] }
        [recipe]
        batch_tokens = 512
        warmup_tokens = 0
    "#;

    fn base(name: &str, width: usize, tokens: f64) -> Base {
        let run = BaseRun {
            results: "results/base".into(),
            run_id: name.into(),
            weights_sha256: name.repeat(3),
            tokens,
            corpus: CorpusSpec::ZipfFacts { a: 0.5, keys: 64, seed: 0 },
            corpus_sha256: "ab".repeat(32),
            eval_windows: 64,
            seed_eval: 0,
        };
        Base { run, shape: ModelShape { context: 128, ..ModelShape::derived(2, width) } }
    }

    /// 50 of 200 pairs fill 10 windows, all of them 40.
    fn facts() -> CorpusFacts {
        let subset = |asked, examples, windows| Subset { asked, examples, windows };
        let pairs = PairFacts { train: 200, held_out: 22, subsets: vec![subset(50, 50, 10), subset(200, 200, 40)], left_out: Vec::new() };
        CorpusFacts { sha256: "cd".repeat(32), vocabulary: 256, held_out_windows: Some(5), pairs: Some(pairs), ..CorpusFacts::default() }
    }

    fn planned(text: &str, bases: Vec<Base>, facts: &CorpusFacts) -> Result<Plan, PlanError> {
        expand(&Grid::parse(text).and_then(|grid| grid.on_bases(bases)).expect("valid"), facts, &|_| 1e-5)
    }

    #[test]
    fn every_base_is_tuned_on_every_number_of_pairs_and_a_shape_from_scratch_once() {
        let bases = vec![base("a", 16, 1e5), base("b", 16, 4e5), base("c", 32, 1e5)];
        let plan = planned(GRID, bases, &facts()).expect("a plan");
        // 2 numbers of pairs, 2 of epochs, 2 replays: from 3 bases, and from scratch of 2 shapes.
        assert_eq!((plan.runs.len(), plan.eval_windows), (8 * (3 + 2), 5));
        let tuned = |run: &super::super::planned::PlannedRun| run.spec.stage.fine_tuning().expect("fine-tuned").clone();
        assert_eq!(plan.runs.iter().filter(|run| tuned(run).start == Start::Scratch).count(), 16);
        let of = |examples, replay| {
            plan.runs.iter().find(|run| (tuned(run).examples, tuned(run).replay) == (examples, replay)).expect("planned")
        };
        // An epoch of 40 windows of 128 tokens is 10 steps of 512; with a fifth of other text 12.5.
        assert_eq!((of(200, 0).spec.steps, of(200, 20_000).spec.steps), (10, 13));
        assert_eq!((of(50, 0).spec.steps, of(50, 20_000).spec.steps), (3, 3), "2.5 and 3.125 steps");
        let record = plan.records().into_iter().find(|record| record.examples == Some(200) && record.replay == Some(0.0)).expect("planned");
        assert_eq!(
            (record.epochs, record.base_run.as_deref(), record.base_tokens.map(|tokens| tokens.0)),
            (Some(1.0), Some("a"), Some(1e5))
        );
        let names: HashSet<&String> = plan.runs.iter().map(|run| &run.id).collect();
        assert_eq!(names.len(), plan.runs.len());
    }

    #[test]
    fn ranks_are_an_axis_of_what_begins_from_a_base_and_none_is_wider_than_its_matrices() {
        let text = GRID.replace("replay = [0, 0.2]", "rank = [0, 2, 16]").replace("[1, 3]", "3");
        let plan = planned(&text, vec![base("a", 16, 1e5)], &facts()).expect("a plan");
        let mut found: Vec<(&str, u32)> =
            plan.runs.iter().filter_map(|run| run.spec.stage.fine_tuning()).map(|it| (it.start.name(), it.rank)).collect();
        found.sort_unstable();
        assert_eq!(found, [("base", 0), ("base", 0), ("base", 2), ("base", 2), ("base", 16), ("base", 16), ("scratch", 0), ("scratch", 0)]);
        let names: HashSet<&String> = plan.runs.iter().map(|run| &run.id).collect();
        assert_eq!(names.len(), plan.runs.len());
        let message = planned(&text.replace("16]", "17]"), vec![base("a", 16, 1e5)], &facts()).expect_err("refused").to_string();
        assert!(message.contains("base.rank = 17: a matrix of width 16 has at most rank 16"), "{message}");
    }

    #[test]
    fn tokens_may_be_asked_in_place_of_epochs() {
        let text = GRID.replace("epochs = [1, 3]", "tokens = [5120, \"10k\"]").replace("replay = [0, 0.2]", "replay = 0");
        let plan = planned(&text, vec![base("a", 16, 1e5)], &facts()).expect("a plan");
        let epochs: Vec<f64> = plan.records().iter().map(|record| record.epochs.expect("follow")).collect();
        assert_eq!(&epochs[..4], &[4.0, 4.0, 1.0, 1.0]);
    }

    #[test]
    fn what_a_task_cannot_give_is_refused_or_left_out() {
        let bases = || vec![base("a", 16, 1e5)];
        let mut few = facts();
        few.pairs.as_mut().expect("pairs").subsets[1] = Subset { asked: 5000, examples: 200, windows: 40 };
        let message = planned(GRID, bases(), &few).expect_err("refused").to_string();
        assert!(message.contains("corpus.examples = 5000: 200 pairs can be trained on"), "{message}");
        let plan = planned(&GRID.replace("512", "2048"), bases(), &facts()).expect("a plan");
        assert!(plan.runs.iter().all(|run| run.spec.stage.fine_tuning().is_some_and(|it| it.examples == 200)));
        assert!(plan.left_out[0].reason.contains("more than an epoch of 50 pairs, 1280 tokens"), "{}", plan.left_out[0].reason);
    }

    #[test]
    fn bases_of_one_grid_share_context_tokenizer_and_text() {
        let on = |bases: Vec<Base>| {
            Grid::parse(GRID).and_then(|grid| grid.on_bases(bases)).map(|grid| grid.shapes.len()).map_err(|error| error.to_string())
        };
        assert_eq!(on(vec![base("a", 16, 1e5), base("b", 16, 1e5), base("c", 32, 1e5)]), Ok(2));
        let mut other = base("b", 16, 1e5);
        other.shape.context = 64;
        assert!(on(vec![base("a", 16, 1e5), other]).expect_err("another context").contains("a and b have another context"));
        let mut other = base("b", 16, 1e5);
        other.run.corpus_sha256 = "other".into();
        assert!(on(vec![base("a", 16, 1e5), other]).expect_err("another text").contains("name some of them"));
        assert!(on(Vec::new()).expect_err("none").contains("base.runs"));
    }

    #[test]
    fn the_frontier_has_no_run_that_a_cheaper_one_is_as_good_as() {
        let run = |name: &str, compute: f64, loss: f64| RunRecord {
            run_id: name.into(),
            status: RunStatus::Finished,
            flops_exact: Some(Flops(compute)),
            loss_nats: Some(Nats(loss)),
            ..RunRecord::default()
        };
        let diverged = RunRecord { status: RunStatus::Diverged, ..run("diverged", 0.5, 0.1) };
        let all = [run("a", 1.0, 3.0), run("b", 2.0, 3.5), run("c", 2.0, 2.0), run("d", 4.0, 2.0), run("e", 3.0, 1.5), diverged];
        assert_eq!(frontier(&all).iter().map(|record| record.run_id.as_str()).collect::<Vec<_>>(), ["a", "c", "e"]);
        assert!(frontier(&[]).is_empty());
    }
}
