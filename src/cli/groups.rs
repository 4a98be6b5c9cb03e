//! `fit --by COLUMN`: groups of runs side by side, tests of equal exponents, and the fit with shared ones.

use super::analysis::{Choices, one_tokenizer};
use super::failure::{Failure, OrInput};
use super::fit::{interval, number};
use super::source::Source;
use super::text::table;
use crate::fit::{Comparison, Estimate, GroupFit, compare};
use crate::law::{Evidence, in_bits_per_byte, tokenizers, tuned};
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
