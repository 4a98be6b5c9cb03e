//! Units of counts and of compute: those that a header names, and those that the numbers themselves betray.

use super::trajectories::Trajectory;
use crate::spec::sample::median;
use crate::spec::{Flops, Params, RunRecord, Tokens};

/// Words for a number of things.
const COUNTS: [(&[&str], f64); 5] = [
    (&["k", "thousand", "thousands"], 1e3),
    (&["m", "mio", "mn", "million", "millions"], 1e6),
    (&["b", "bn", "bil", "billion", "billions"], 1e9),
    (&["t", "tn", "trillion", "trillions"], 1e12),
    (&["q", "quadrillion", "quadrillions"], 1e15),
];
/// What stands before `flop` in the name of a multiple of it.
const PREFIXES: [(&[&str], f64); 8] = [
    (&["k", "kilo"], 1e3),
    (&["m", "mega"], 1e6),
    (&["g", "giga"], 1e9),
    (&["t", "tera"], 1e12),
    (&["p", "peta"], 1e15),
    (&["e", "exa"], 1e18),
    (&["z", "zetta"], 1e21),
    (&["y", "yotta"], 1e24),
];
/// Times over which a rate adds up to compute, seconds.
const TIMES: [(&[&str], f64); 2] = [(&["day", "days"], 86_400.0), (&["hour", "hours", "h"], 3600.0)];

fn value(table: &[(&[&str], f64)], word: &str) -> Option<f64> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, value)| *value)
}

/// A header without its unit, words joined by _, with the factor to plain numbers and the unit in words; `None` of one without.
pub(super) fn in_units(header: &str, of_flops: bool) -> Option<(String, f64, String)> {
    let lower = header.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if let Some(found) = of_flops.then(|| flops_in(&words)).flatten() {
        return Some(found);
    }
    // `params_in_millions`, `params (m)`, `params [1e6]`, `millions of params`
    let (base, unit) = match words.as_slice() {
        [unit, "of", base @ ..] => (base, *unit),
        [base @ .., "in", unit] | [base @ .., unit] => (base, *unit),
        [] => return None,
    };
    let power = |digits: &str| digits.parse::<u32>().ok().filter(|power| (1..=27).contains(power)).map(|power| 10_f64.powi(power as i32));
    let factor = value(&COUNTS, unit).or_else(|| unit.trim_start_matches(['x', '1']).strip_prefix('e').and_then(power))?;
    // `N (M)` has a unit, `d_m` is a name.
    let is_name = base.concat().len() + unit.len() == 2 && !lower.contains(['(', '[']);
    (!base.is_empty() && !is_name).then(|| (base.join("_"), factor, format!("{factor:e}")))
}

/// The same of compute: `total_gflops`, `pf-days`, `flops (PFLOP/s-days)`.
fn flops_in(words: &[&str]) -> Option<(String, f64, String)> {
    let mut factor = None;
    let mut base: Vec<String> = Vec::new();
    let (mut seconds, mut is_rate) = (None, false);
    for &word in words {
        let (rate, over) = TIMES
            .iter()
            .flat_map(|(names, _)| names.iter())
            .filter(|name| name.len() > 1)
            .find_map(|name| word.strip_suffix(name).filter(|rate| !rate.is_empty()).map(|rate| (rate, *name)))
            .map_or((word, None), |(rate, name)| (rate, Some(name)));
        let stem = ["flops", "flop", "f"].iter().find_map(|end| rate.strip_suffix(end));
        match (stem.and_then(|prefix| value(&PREFIXES, prefix)), value(&TIMES, over.unwrap_or(word))) {
            (Some(prefix), time) => {
                factor = Some(prefix);
                seconds = time.or(seconds);
            }
            (None, Some(time)) if factor.is_some() => seconds = Some(time),
            _ if factor.is_some() && ["s", "sec", "second", "per"].contains(&word) => is_rate = true,
            _ if factor.is_some() && word == "in" => {}
            _ => base.push(word.to_owned()),
        }
    }
    // Compute a second is a speed; over days it adds up.
    let over = if is_rate { seconds? } else { seconds.unwrap_or(1.0) };
    let whole = factor? * over;
    base.retain(|word| word != "in");
    // `total_gflops` is a total of FLOPs, `flops_pf_days` and `pf_days` are FLOPs.
    if !base.iter().any(|word| ["flops", "flop", "compute", "c", "budget"].contains(&word.as_str())) {
        base.push("flops".to_owned());
    }
    Some((base.join("_"), whole, format!("{whole:e} FLOPs")))
}

/// Units in which compute is written, FLOPs.
const OF_COMPUTE: [(f64, &str); 7] = [
    (1e9, "GFLOP"),
    (1e12, "TFLOP"),
    (1e15, "PFLOP"),
    (1e18, "EFLOP"),
    (1e21, "ZFLOP"),
    (8.64e19, "petaflop/s-days"),
    (8.64e22, "exaflop/s-days"),
];
/// Units in which sizes and tokens are written.
const OF_COUNTS: [(f64, &str); 4] = [(1.0, "ones"), (1e6, "millions"), (1e9, "billions"), (1e12, "trillions")];
/// How far a unit may be off, as a factor: attention and embeddings are counted in many ways.
const LOOSE: f64 = 1.5;
/// Sizes and tokens that a language model may have; a count outside in the table and inside in another unit is in that.
const SIZES: [f64; 2] = [1e5, 1e13];
const LENGTHS: [f64; 2] = [1e6, 1e15];
/// Tokens per parameter that somebody would train on.
const RATIOS: [f64; 2] = [1e-2, 1e6];

/// Brings compute, sizes and tokens to plain numbers where one unit makes C = 6·N·D and none does as they stand; what was done, in words.
/// All three must be given.
pub(super) fn by_magnitude(records: &mut [RunRecord], trajectories: &mut [Trajectory]) -> Option<String> {
    let of = |record: &RunRecord| Some((record.params_total?.0, record.tokens?.0, record.flops_exact?.0));
    let all: Vec<(f64, f64, f64)> = records.iter().filter_map(of).collect();
    let middle = |pick: fn(&(f64, f64, f64)) -> f64| median(all.iter().map(pick));
    let (n, d, ratio) = (middle(|one| one.0)?, middle(|one| one.1)?, middle(|(n, d, c)| c / (6.0 * n * d))?);
    let is_one = |ratio: f64| (1.0 / LOOSE..=LOOSE).contains(&ratio);
    let spread = all.iter().filter(|(n, d, c)| is_one(c / (6.0 * n * d) / ratio)).count();
    if is_one(ratio) || 10 * spread < 9 * all.len() {
        return None;
    }
    let inside = |value: f64, [low, high]: [f64; 2]| (low..=high).contains(&value);
    let (n_is_count, d_is_count) = (inside(n, SIZES), inside(d, LENGTHS));
    let mut units = Vec::new();
    if n_is_count && d_is_count {
        units.extend(
            OF_COMPUTE.iter().filter(|(unit, _)| is_one(ratio * unit)).map(|&(unit, name)| (1.0, 1.0, unit, format!("`flops` in {name}"))),
        );
    } else {
        for (of_n, n_name) in OF_COUNTS {
            for (of_d, d_name) in OF_COUNTS {
                let needed = (of_n != 1.0) != n_is_count && (of_d != 1.0) != d_is_count;
                let is_model = inside(n * of_n, SIZES) && inside(d * of_d, LENGTHS) && inside(d * of_d / (n * of_n), RATIOS);
                if needed && is_model && is_one(ratio / (of_n * of_d)) {
                    let parts = [("`params`", of_n, n_name), ("`tokens`", of_d, d_name)];
                    let said = parts.iter().filter(|(_, unit, _)| *unit != 1.0).map(|(what, _, name)| format!("{what} in {name}"));
                    units.push((of_n, of_d, 1.0, said.collect::<Vec<_>>().join(" and ")));
                }
            }
        }
    }
    let [(of_n, of_d, of_c, said)] = units.as_slice() else { return None };
    for record in records {
        // A budget is in the unit of the compute that meets it.
        let budget =
            |Flops(budget): Flops| record.flops_exact.filter(|c| is_one(budget / c.0)).map_or(Flops(budget), |_| Flops(budget * of_c));
        record.budget_flops = record.budget_flops.map(budget);
        record.params_total = record.params_total.map(|Params(n)| Params(n * of_n));
        record.tokens = record.tokens.map(|Tokens(d)| Tokens(d * of_d));
        record.flops_exact = record.flops_exact.map(|Flops(c)| Flops(c * of_c));
    }
    let points = trajectories.iter_mut().flat_map(|curve| &mut curve.points);
    points.for_each(|point| (point.0, point.1) = (point.0 * of_c, point.1 * of_d));
    Some(format!("{said}, by their size: so C is 6·N·D"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: f64, d: f64, c: f64) -> RunRecord {
        RunRecord { params_total: Some(Params(n)), tokens: Some(Tokens(d)), flops_exact: Some(Flops(c)), ..RunRecord::default() }
    }

    fn found(unit: [f64; 3]) -> (Option<String>, [f64; 3]) {
        let sizes = [(1e8, 1e9), (2e8, 4e9), (4e8, 2e9)];
        let mut runs = sizes.map(|(n, d)| run(n / unit[0], d / unit[1], 6.3 * n * d / unit[2]));
        let said = by_magnitude(&mut runs, &mut []);
        let first = &runs[0];
        (said, [first.params_total.map(|n| n.0), first.tokens.map(|d| d.0), first.flops_exact.map(|c| c.0)].map(Option::unwrap_or_default))
    }

    #[test]
    fn numbers_betray_their_units_and_are_left_alone_where_none_fits() {
        let is_plain = |numbers: [f64; 3]| numbers.iter().zip([1e8, 1e9, 6.3e17]).all(|(found, plain)| (found / plain - 1.0).abs() < 1e-12);
        for unit in [[1.0, 1.0, 1e9], [1.0, 1.0, 8.64e19], [1e6, 1e9, 1.0], [1e6, 1.0, 1.0], [1.0, 1e9, 1.0]] {
            let (said, numbers) = found(unit);
            assert!(said.is_some() && is_plain(numbers), "{unit:?} {said:?} {numbers:?}");
        }
        assert_eq!(found([1.0; 3]).0, None);
        assert_eq!(found([1.0, 1.0, 3.0]).0, None);
        // Compute of one step: no unit makes it that of the runs.
        let mut runs = [(1e8, 1e9), (2e8, 4e9), (4e8, 2e9)].map(|(n, d)| run(n, d, 6.0 * n * 524_288.0));
        assert_eq!(by_magnitude(&mut runs, &mut []), None);
    }
}
