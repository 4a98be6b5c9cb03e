//! `fit --by COLUMN`: groups of runs side by side, tests of equal exponents, and the fit with shared ones.

use super::analysis::{Choices, one_tokenizer};
use super::failure::{Failure, OrInput};
use super::source::Source;
use super::text::{interval, number, table};
use crate::fit::{BlockGroup, BlockRun, Blocks, Comparison, Estimate, GroupFit, blocks, compare};
use crate::law::{Evidence, blocks_of, in_bits_per_byte, tokenizers, tuned};
use crate::spec::{RunRecord, RunStatus};
use std::collections::BTreeMap;

/// Compares the groups of a source, one recipe a cell in each.
pub(super) fn compared(source: &Source, choices: &Choices) -> Result<Comparison, Failure> {
    let (measure, rule) = choices.conventions(source)?;
    let mut groups = BTreeMap::new();
    // Groups of several tokenizers have nothing but bits per byte in common.
    let converted = (tokenizers(&source.records).len() > 1).then(|| in_bits_per_byte(&source.records).ok_or_else(|| one_tokenizer(source)));
    let records = match converted {
        None => &source.records,
        Some(Ok(ref records)) => records,
        Some(Err(refused)) => return Err(refused.expect_err("several tokenizers were counted")),
    };
    for (record, group) in records.iter().zip(&source.groups) {
        groups.entry(group.clone()).or_insert_with(Vec::new).push(record.clone());
    }
    let evidence: Vec<(String, Evidence)> =
        groups.into_iter().map(|(group, records)| (group, Evidence::of(&tuned(records).records, measure, rule))).collect();
    compare(&evidence, &choices.options(source)?).or_input()
}

/// Groups on common cells and seeds, block by block, where there are any.
pub(super) fn on_common_cells(source: &Source, level: f64) -> Option<Blocks> {
    let run = |((record, group), block): ((&RunRecord, &String), Option<String>)| {
        let loss = record.loss_nats.filter(|_| record.status == RunStatus::Finished)?.0;
        Some((group.clone(), block?, loss))
    };
    let runs: Vec<BlockRun> = source.records.iter().zip(&source.groups).zip(blocks_of(&source.records)).filter_map(run).collect();
    blocks(&runs, level)
}

/// The same for a person.
pub(super) fn blocks_text(by: &str, found: &Blocks, level: f64) -> String {
    let percent = |x: f64| format!("{:+.2} %", 100.0 * x);
    let row = |group: &BlockGroup| {
        let difference = group.difference.map_or("—".into(), |d| percent(d.value));
        let interval = group.difference.map_or(String::new(), |d| format!("[{}, {}]", percent(d.low), percent(d.high)));
        vec![group.name.clone(), number(group.loss), difference, interval]
    };
    let mut text = format!("\ngroups on the same cells and seeds ({} blocks)\n", found.blocks);
    let header = format!("{:.0} %", 100.0 * level);
    text += &table(&[by, "loss, nats", "above the lowest", &header], &found.groups.iter().map(row).collect::<Vec<_>>());
    text += &format!(
        "  noise that group and block do not explain: {:.2} % of the loss, {} degrees of freedom; each interval by itself\n",
        100.0 * found.sigma,
        found.degrees
    );
    if found.left_out > 0 {
        text += &format!("  {} runs are left out: some group has none on their cell and seed\n", found.left_out);
    }
    text
}

/// For a person.
pub(super) fn text(by: &str, comparison: &Comparison) -> String {
    let cell = |estimate: Option<&Estimate>| estimate.map_or(String::new(), |e| format!("{} {}", number(e.value), interval(e)));
    let own = |one: &GroupFit| {
        let f = &one.fitted;
        let of = |name: &str| cell(f.coefficients.get(name));
        vec![one.group.clone(), f.points.to_string(), f.status.to_string(), of("E"), of("alpha"), of("beta"), cell(f.derived.get("a"))]
    };
    let header = [by, "runs", "", "E", "alpha", "beta", "a"];
    let mut text = String::from("\neach group by itself\n");
    text += &table(&header, &comparison.groups.iter().map(own).collect::<Vec<_>>());
    for (group, why) in &comparison.refused {
        text += &format!("  {group} is left out: {why}\n");
    }
    text += "\nare the exponents equal?\n";
    for test in &comparison.equality {
        let name = if test.method == "f" { "F" } else { "chi-square" };
        let verdict = if test.p_value < 0.05 { "they differ" } else { "no difference is shown" };
        text +=
            &format!("  {}: {name} {:.2} with {} degrees, p = {:.2e}: {verdict}\n", test.of, test.statistic, test.degrees, test.p_value);
    }
    let shared = &comparison.shared;
    text += "\nshared exponents, E, A and B of each group its own\n";
    for (name, estimate) in shared.coefficients.iter() {
        text += &format!("  {name} = {} {}\n", number(estimate.value), interval(estimate));
    }
    let law = |(one, law): (&GroupFit, &crate::law::Chinchilla)| vec![one.group.clone(), number(law.e), number(law.a), number(law.b)];
    text += &table(&[by, "E", "A", "B"], &comparison.groups.iter().zip(&shared.laws).map(law).collect::<Vec<_>>());
    text + &format!("  objective {:.6e} shared, {:.6e} apart\n", shared.objective, shared.separate_objective)
}
