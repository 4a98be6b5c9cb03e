//! Columns of words that move the loss at one size and length by far more than runs scatter: several data sets, sources or kinds of
//! loss in one table, which one law cannot be of.

use super::columns::Columns;
use super::known::{LOSS, PARAMS, RUN, TOKENS, canonical};
use super::table::{RawTable, as_argument};
use crate::spec::parse_quantity;
use crate::spec::sample::{extent, mean, median};
use std::collections::BTreeMap;

/// How many times the noise of a run a column must move the loss.
const FAR: f64 = 10.0;
/// What runs scatter by where none was repeated, and the least that they do, shares of the loss.
const NOISE: [f64; 2] = [3e-3, 1e-3];
/// Cells that must agree on it.
const CELLS: usize = 3;
/// Rows that are looked at; a table of more is one of curves.
const MOST: usize = 20_000;
/// Words that are named.
const NAMED: usize = 3;

/// What is said of such columns.
pub(super) fn mixed(table: &RawTable, columns: &Columns, kept: &[usize], choices: &[usize]) -> Vec<String> {
    let places = [PARAMS, TOKENS, LOSS].map(|ours| columns.place(ours));
    let ([Some(n), Some(d), Some(loss)], true) = (places, kept.len() <= MOST) else { return Vec::new() };
    let text = ["corpus", "schedule", "tokenizer"].into_iter().filter_map(|ours| columns.place(ours));
    let number = |row: usize, at: usize| parse_quantity(&columns.clean(at, table.rows[row].1.get(at)?)).ok();
    let usable = |&row: &usize| Some((row, [number(row, n)?.to_bits(), number(row, d)?.to_bits()], number(row, loss)?.ln()));
    let rows: Vec<(usize, [u64; 2], f64)> = kept.iter().filter_map(usable).collect();
    let is_seed = |at: &usize| canonical(&table.headers[*at]).contains("seed") || Some(*at) == columns.place(RUN);
    let all = choices.iter().copied().chain(text).filter(|at| !is_seed(at));
    all.filter_map(|at| moved(table, &rows, at)).collect()
}

fn moved(table: &RawTable, rows: &[(usize, [u64; 2], f64)], at: usize) -> Option<String> {
    let mut cells: BTreeMap<[u64; 2], BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
    for (row, place, ln_loss) in rows {
        let word = table.rows[*row].1.get(at).unwrap_or_default();
        cells.entry(*place).or_default().entry(word).or_default().push(*ln_loss);
    }
    let several: Vec<&BTreeMap<&str, Vec<f64>>> = cells.values().filter(|cell| cell.len() > 1).collect();
    if several.len() < CELLS {
        return None;
    }
    let means = |cell: &BTreeMap<&str, Vec<f64>>| extent(cell.values().filter_map(|losses| mean(losses.iter().copied())));
    let between = median(several.iter().filter_map(|cell| means(cell)).map(|(low, high)| high - low))?;
    let repeated = several.iter().flat_map(|cell| cell.values()).filter(|losses| losses.len() > 1);
    let within = median(repeated.filter_map(|losses| extent(losses.iter().copied())).map(|(low, high)| high - low));
    let noise = within.map_or(NOISE[0], |within| within.max(NOISE[1]));
    if between < FAR * noise {
        return None;
    }
    let mut words: Vec<&str> = several.iter().flat_map(|cell| cell.keys().copied()).collect();
    words.sort_unstable();
    words.dedup();
    let header = &table.headers[at];
    let named: Vec<String> = words.iter().take(NAMED).map(|word| format!("`{word}`")).collect();
    let more = if words.len() > NAMED { ", …" } else { "" };
    Some(format!(
        "`{header}` ({}{more}) moves the loss by {:.1} % at one N and D: that is no noise, and one law is fitted to all; fit --by {} compares them, --where {} keeps one",
        named.join(", "),
        100.0 * between.exp_m1(),
        as_argument(header),
        as_argument(&format!("{header}={}", words[0]))
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes};
    use std::fmt::Write;
    use std::path::Path;

    fn notes(factor: f64) -> Vec<String> {
        let mut text = String::from("params,tokens,loss,source\n");
        for n in [1e7, 2e7, 4e7] {
            for (source, factor) in [("web", 1.0), ("books", factor)] {
                writeln!(text, "{n},1e9,{},{source}", factor * (1.7 + 400.0 / f64::powf(n, 0.34))).expect("memory");
            }
        }
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).expect("reads").notes
    }

    #[test]
    fn words_that_move_the_loss_are_named_with_what_to_type() {
        let notes = notes(1.05);
        assert!(notes.iter().any(|note| note.contains("`source` (`books`, `web`) moves the loss by 5.0 %")), "{notes:?}");
        assert!(notes.iter().any(|note| note.contains("--by source") && note.contains("--where 'source=books'")), "{notes:?}");
    }

    #[test]
    fn words_that_hardly_move_it_are_not() {
        assert_eq!(notes(1.002), Vec::<String>::new());
    }
}
