//! Groups of runs that differ in one thing (the schedule, say) and were trained on the same cells with the same seeds: their
//! differences in a randomised block design, ln L = group + block + noise. Each seed of a cell is a block, so what groups share
//! through it cancels; the noise is that of all groups together, with (groups − 1)(blocks − 1) degrees of freedom.

use crate::fit::estimate::t_quantile;
use crate::fit::{Estimate, Interval};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One run: its group, its block, its loss.
pub type BlockRun = (String, String, f64);

/// Groups on common blocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blocks {
    /// Groups, lowest loss first; differences are from the first.
    pub groups: Vec<BlockGroup>,
    /// Blocks that every group has.
    pub blocks: usize,
    /// Runs left out, since some group has none in their block.
    pub left_out: usize,
    /// Standard deviation of ln L that group and block do not explain.
    pub sigma: f64,
    /// Its degrees of freedom.
    pub degrees: usize,
}

/// A group of runs and its differences from the others on the same cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockGroup {
    /// Name of the group.
    pub name: String,
    /// Geometric mean of its losses over the blocks, nats per token.
    pub loss: f64,
    /// ln of that over the lowest of the groups, with its interval; absent for the lowest itself.
    pub difference: Option<Estimate>,
}

/// The comparison of groups on the blocks that all of them have; a block with several runs of a group takes their mean. `None`
/// for fewer than two groups or blocks.
pub fn blocks(runs: &[BlockRun], level: f64) -> Option<Blocks> {
    let mut cells: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for (group, block, loss) in runs {
        cells.entry((group, block)).or_default().push(loss.ln());
    }
    let names: BTreeSet<&str> = runs.iter().map(|run| run.0.as_str()).collect();
    let everywhere = |block: &&str| names.iter().all(|name| cells.contains_key(&(*name, *block)));
    let complete: Vec<&str> = runs.iter().map(|run| run.1.as_str()).collect::<BTreeSet<_>>().into_iter().filter(everywhere).collect();
    let (g, b) = (names.len(), complete.len());
    if g < 2 || b < 2 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let table: Vec<Vec<f64>> = names.iter().map(|name| complete.iter().map(|block| mean(&cells[&(*name, *block)])).collect()).collect();
    let of_groups: Vec<f64> = table.iter().map(|row| mean(row)).collect();
    let of_blocks: Vec<f64> = (0..b).map(|at| table.iter().map(|row| row[at]).sum::<f64>() / g as f64).collect();
    let all = mean(&of_groups);
    let residual = |i: usize, j: usize| table[i][j] - of_groups[i] - of_blocks[j] + all;
    let squares: f64 = (0..g).flat_map(|i| (0..b).map(move |j| (i, j))).map(|(i, j)| residual(i, j).powi(2)).sum();
    let degrees = (g - 1) * (b - 1);
    let sigma = (squares / degrees as f64).sqrt();
    let se = sigma * (2.0 / b as f64).sqrt();
    let width = t_quantile(level, degrees as f64) * se;
    let lowest = of_groups.iter().copied().fold(f64::INFINITY, f64::min);
    let group = |(name, ln_loss): (&&str, &f64)| {
        let value = ln_loss - lowest;
        let difference = Estimate::new(value, se, [value - width, value + width], level, Interval::Delta);
        BlockGroup { name: (*name).to_owned(), loss: ln_loss.exp(), difference: (value > 0.0).then_some(difference) }
    };
    let mut groups: Vec<BlockGroup> = names.iter().zip(&of_groups).map(group).collect();
    groups.sort_by(|left, right| left.loss.total_cmp(&right.loss));
    let used = runs.iter().filter(|run| complete.contains(&run.1.as_str())).count();
    Some(Blocks { groups, blocks: b, left_out: runs.len() - used, sigma, degrees })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;

    fn runs(seed: u64, sigma: f64) -> Vec<BlockRun> {
        let mut random = Random::new(seed, "blocks");
        let mut all = Vec::new();
        for block in 0..3 {
            let shared = 0.02 * random.normal();
            for (group, effect) in [("cosine", 0.004), ("wsd", 0.0), ("multi-step", 0.002)] {
                all.push((group.to_owned(), block.to_string(), 2.0 * (shared + effect + sigma * random.normal()).exp()));
            }
        }
        all
    }

    #[test]
    fn without_noise_the_differences_are_those_of_the_groups() {
        let found = blocks(&runs(1, 0.0), 0.95).expect("three groups on three blocks");
        assert_eq!(found.groups.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["wsd", "multi-step", "cosine"]);
        assert_eq!((found.blocks, found.degrees, found.left_out), (3, 4, 0));
        assert!(found.sigma < 1e-12 && found.groups[0].difference.is_none());
        let cosine = found.groups[2].difference.expect("not the lowest").value;
        assert!((cosine - 0.004).abs() < 1e-12, "{cosine}");
    }

    #[test]
    fn the_interval_of_a_difference_of_two_groups_covers() {
        // The lowest group is chosen by its mean, so a pair that was named before is asked for: wsd against cosine.
        let covered = (0..400).filter(|&seed| {
            let pair: Vec<BlockRun> = runs(seed, 0.003).into_iter().filter(|run| run.0 != "multi-step").collect();
            let found = blocks(&pair, 0.95).expect("two groups");
            let estimate = found.groups[1].difference.expect("not the lowest");
            let sign = if found.groups[1].name == "cosine" { 1.0 } else { -1.0 };
            estimate.holds(sign * 0.004)
        });
        // 95 % of 400 is 380, standard deviation 4.4.
        let covered = covered.count();
        assert!((365..=395).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn a_block_that_some_group_lacks_is_left_out() {
        let mut all = runs(2, 0.003);
        all.pop();
        let found = blocks(&all, 0.95).expect("two whole blocks");
        assert_eq!((found.blocks, found.left_out), (2, 2));
        assert_eq!(blocks(&all[..3], 0.95), None, "one block has no noise");
        assert_eq!(blocks(&[], 0.95), None);
    }
}
