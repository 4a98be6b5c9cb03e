//! `fit --by COLUMN`: groups of runs side by side, tests of equal exponents, and the fit with shared ones.

use super::colour::dim;
use super::text::{indented, number, p_value, table};
use crate::fit::{BlockGroup, Blocks, Comparison, EqualityTest, Estimate, GroupFit};
use crate::law::Chinchilla;
use crate::spec::LossUnit;

/// Groups on common cells and seeds for a person.
pub(super) fn blocks_text(by: &str, found: &Blocks, level: f64, unit: LossUnit) -> String {
    let percent = |x: f64| format!("{:+.2} %", 100.0 * x);
    let row = |group: &BlockGroup| {
        let difference = group.difference.map_or("—".into(), |d| percent(d.value));
        let interval = group.difference.map_or(String::new(), |d| format!("[{}, {}]", percent(d.low()), percent(d.high())));
        vec![group.name.clone(), number(group.loss), difference, interval]
    };
    let mut text = format!("\ngroups on the same cells and seeds ({} blocks)\n", found.blocks);
    let header = format!("{:.0} %", 100.0 * level);
    text += &table(&[by, unit.heading(), "above the lowest", &header], &found.groups.iter().map(row).collect::<Vec<_>>());
    text += &indented(&format!(
        "noise that group and block do not explain: {:.2} % of the loss, {} degrees of freedom; each interval by itself",
        100.0 * found.sigma,
        found.degrees
    ));
    if found.left_out > 0 {
        text += &indented(&format!("{} runs are left out: some group has none on their cell and seed", found.left_out));
    }
    text
}

/// The law of each group: coefficients, with their intervals in the line below.
pub(super) fn laws(by: &str, comparison: &Comparison) -> String {
    let named = |one: &GroupFit| one.group.chars().count();
    let first = comparison.groups.iter().map(named).chain([by.chars().count()]).max().unwrap_or(0) + 2;
    let cells = |of: [String; 4]| of.iter().map(|cell| format!("{cell:<17}")).collect::<String>();
    let line = |name: &str, of: [String; 4]| format!("  {name:<first$}{}", cells(of)).trim_end().to_owned() + "\n";
    let level = comparison.groups.first().map_or(String::new(), |one| format!(" [{:.0} %]", 100.0 * one.fitted.level));
    let mut text = dim(&line(by, ["E", "alpha", "beta", &format!("a{level}")].map(str::to_owned)));
    for one in &comparison.groups {
        let f = &one.fitted;
        let all = [f.coefficients.get("E"), f.coefficients.get("alpha"), f.coefficients.get("beta"), f.derived.get("a")];
        let part = |at: usize| all.map(|estimate| estimate.map_or("—".into(), |estimate| estimate.render()[at].clone()));
        text += &(line(&one.group, part(0)) + &line("", part(2)));
    }
    text
}

/// Whether the exponents differ, in a sentence.
pub(super) fn exponents(comparison: &Comparison) -> String {
    let differs = |test: &&EqualityTest| test.p_value < DIFFER;
    let together = |test: &&EqualityTest| test.of == "alpha and beta";
    let single: Vec<&str> = comparison.equality.iter().filter(differs).filter(|test| !together(test)).map(|test| test.of).collect();
    // The last of them is the F test where there is one, which holds with few runs too.
    let joint = comparison.equality.iter().rfind(together);
    match (single.as_slice(), joint) {
        ([], Some(test)) if differs(&test) => format!("alpha and beta differ together ({}), and none of them alone", p_value(test.p_value)),
        ([], Some(test)) => format!("no difference of exponents is shown ({} for alpha and beta together)", p_value(test.p_value)),
        ([], None) => "no difference of exponents is shown".into(),
        (named, _) => format!("exponents differ between groups: {}", named.join(", ")),
    }
}

/// A p-value below this is called a difference.
const DIFFER: f64 = 0.05;

/// The comparison of the groups as text.
pub(super) fn text(by: &str, comparison: &Comparison) -> String {
    let cell = |estimate: Option<&Estimate>| estimate.map_or(String::new(), |e| e.to_string());
    let own = |one: &GroupFit| {
        let f = &one.fitted;
        let of = |name: &str| cell(f.coefficients.get(name));
        vec![
            one.group.clone(),
            f.evidence.points.len().to_string(),
            f.status.to_string(),
            of("E"),
            of("alpha"),
            of("beta"),
            cell(f.derived.get("a")),
        ]
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
        let verdict = if test.p_value < DIFFER { "they differ" } else { "no difference is shown" };
        text +=
            &format!("  {}: {name} {:.2} with {} degrees, {}: {verdict}\n", test.of, test.statistic, test.degrees, p_value(test.p_value));
    }
    let shared = &comparison.shared;
    text += "\nshared exponents, E, A and B of each group its own\n";
    for (name, estimate) in shared.coefficients.iter() {
        text += &format!("  {name} = {estimate}\n");
    }
    let law = |(one, law): (&GroupFit, &Chinchilla)| vec![one.group.clone(), number(law.e), number(law.a), number(law.b)];
    text += &table(&[by, "E", "A", "B"], &comparison.groups.iter().zip(&shared.laws).map(law).collect::<Vec<_>>());
    text + &format!("  objective {:.6e} shared, {:.6e} apart\n", shared.objective, shared.separate_objective)
}
