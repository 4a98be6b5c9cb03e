//! A good table as people hand it on: rows shuffled, doubled, with cells gone; other separators, other ways to write a number, more
//! columns, packed. What is read is what stood in it, every row that is not is said by its line, and curves stay curves.
//! SCALELAB_MANGLED sets the number of cases (default 400; `.ci/long` 100 000).
#![expect(clippy::disallowed_methods, reason = "a study whose size is set from outside")]

use flate2::Compression;
use flate2::write::GzEncoder;
use scalelab::results::{Imported, Wanted, import_bytes};
use scalelab::spec::Random;
use scalelab::study::{Curves, Study, StudyOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

/// The cell of a column in a row.
type Cells = Box<dyn Fn(usize, &Row) -> String>;

/// A row: run, size, step, tokens, loss.
#[derive(Clone)]
struct Row {
    run: String,
    cells: [f64; 4],
    /// Which of its cells are gone: run, size, step, tokens, loss.
    gone: [bool; 5],
}

fn law(n: f64, d: f64) -> f64 {
    ((1.69 + 406.4 * n.powf(-0.34) + 410.7 * d.powf(-0.28)) * 1e5).round() / 1e5
}

/// Thirty runs, or six curves of twelve points.
fn good(are_curves: bool) -> Vec<Row> {
    let row = |at: usize, n: f64, step: f64, d: f64| Row { run: format!("r{at}"), cells: [n, step, d, law(n, d)], gone: [false; 5] };
    let sizes = [50e6, 100e6, 200e6, 400e6, 800e6, 1.3e9];
    if are_curves {
        return sizes
            .iter()
            .enumerate()
            .flat_map(|(at, n)| (1..=12).map(move |i| row(at, *n, 100.0 * f64::from(i), 1e8 * f64::from(i))))
            .collect();
    }
    let lengths = [1e9, 2e9, 4e9, 8e9, 1.6e10];
    (0..30).map(|at| row(at, sizes[at % 6], 1000.0 + at as f64, lengths[at / 6])).collect()
}

/// A number of a count in one of the ways in which people write one.
fn written(value: f64, how: u64) -> String {
    let grouped = |mark: char| {
        let digits = format!("{value:.0}");
        let first = digits.len() % 3;
        let mut text = digits[..first].to_owned();
        for at in (first..digits.len()).step_by(3) {
            text.extend((!text.is_empty()).then_some(mark));
            text += &digits[at..at + 3];
        }
        text
    };
    match how {
        0 => value.to_string(),
        1 => format!("{value:e}"),
        2 if value >= 1e9 => format!("{}B", value / 1e9),
        2 => format!("{}M", value / 1e6),
        3 => grouped(','),
        4 => grouped(' '),
        _ => format!("{} million", value / 1e6),
    }
}

/// A table that was mangled, with what must be read of it.
struct Mangled {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    are_curves: bool,
    /// What was done, for messages.
    done: String,
    /// Whether cells are gone, or rows stand twice.
    lost: bool,
    doubled: bool,
}

fn shuffled<T>(all: &mut [T], random: &mut Random) {
    for at in (1..all.len()).rev() {
        all.swap(at, random.below(at as u64 + 1) as usize);
    }
}

fn mangled(random: &mut Random) -> Mangled {
    let are_curves = random.below(2) == 0;
    let mut rows = good(are_curves);
    let mut done = vec![if are_curves { "curves" } else { "runs" }.to_owned()];
    let (lost, doubled) = (random.below(3) == 0, random.below(3) == 0);
    if lost {
        for _ in 0..=random.below(4) {
            let (row, cell) = (random.below(rows.len() as u64) as usize, random.below(5) as usize);
            // Steps of runs are no place, and say nothing that a law needs.
            if are_curves || cell != 0 {
                rows[row].gone[cell] = true;
                done.push(format!("cell {cell} of row {row} gone"));
            }
        }
    }
    if doubled {
        for _ in 0..=random.below(3) {
            let row = random.below(rows.len() as u64) as usize;
            rows.push(rows[row].clone());
            done.push(format!("row {row} doubled"));
        }
    }
    if random.below(2) == 0 {
        shuffled(&mut rows, random);
        done.push("shuffled".to_owned());
    }
    let separator = [',', ';', '\t', '|'][random.below(4) as usize];
    let (how, comma) = (random.below(6), separator != ',' && random.below(2) == 0);
    done.push(format!("separator {separator:?}, numbers in way {how}, decimal commas {comma}"));
    let names =
        [["params", "N", "n_params"], ["step", "step", "global_step"], ["tokens", "D", "num_tokens"], ["loss", "val_loss", "eval/loss"]];
    let mut columns: Vec<(String, Cells)> = Vec::new();
    let decimal = move |text: String| if comma { text.replace('.', ",") } else { text };
    for (at, names) in names.iter().enumerate() {
        let name = if at == 1 && !are_curves { "steps" } else { names[random.below(3) as usize] };
        let way = if at == 0 || at == 2 { how } else { 0 };
        // Way 1 and sizes in words have decimals; grouped numbers have none.
        let cell = move |_: usize, row: &Row| {
            let text = written(row.cells[at], way);
            if row.gone[at + 1] {
                String::new()
            } else if way == 3 {
                text
            } else {
                decimal(text)
            }
        };
        columns.push((name.to_owned(), Box::new(cell)));
    }
    if are_curves {
        columns.push(("run".to_owned(), Box::new(|_, row| if row.gone[0] { String::new() } else { row.run.clone() })));
    }
    for more in 0..random.below(4) {
        let column: (&str, Cells) = match more {
            0 => ("accuracy", Box::new(move |_, row| decimal(format!("{:.4}", row.cells[3] / 9.0)))),
            1 => ("note", Box::new(|at, _| format!("seen {at}"))),
            _ => ("gpu", Box::new(|_, _| "H100".to_owned())),
        };
        columns.push((column.0.to_owned(), column.1));
    }
    shuffled(&mut columns, random);
    done.push(columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "));
    let quoted = |cell: String| if cell.contains(separator) { format!("\"{cell}\"") } else { cell };
    let line = |cells: Vec<String>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(&separator.to_string()) + "\n";
    let mut text = line(columns.iter().map(|(name, _)| name.clone()).collect());
    rows.iter().enumerate().for_each(|(at, row)| text += &line(columns.iter().map(|(_, cell)| cell(at, row)).collect()));
    let mut bytes = text.into_bytes();
    if random.below(4) == 0 {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).expect("memory");
        bytes = gzip.finish().expect("memory");
        done.push("gzip".to_owned());
    }
    Mangled { bytes, rows, are_curves, done: done.join("; "), lost, doubled }
}

/// Numbers that may differ in their last digits, which units take.
fn key(value: f64) -> i64 {
    (value.ln() * 1e8).round() as i64
}

/// What must be read, by (N, D, L).
fn expected(table: &Mangled) -> BTreeSet<[i64; 3]> {
    let whole = |row: &&Row| ![row.gone[1], row.gone[3], row.gone[4], row.gone[0] && table.are_curves].contains(&true);
    table.rows.iter().filter(whole).map(|row| [0, 2, 3].map(|at| key(row.cells[at]))).collect()
}

fn points(found: &Imported) -> BTreeSet<[i64; 3]> {
    let n =
        |run: &str| found.records.iter().find(|record| record.run_id == run).and_then(|record| record.params_total).map_or(1.0, |n| n.0);
    if found.trajectories.is_empty() {
        let of = |run: &scalelab::spec::RunRecord| Some([run.params_total?.0, run.tokens?.0, run.loss_nats?.0].map(key));
        return found.records.iter().filter_map(of).collect();
    }
    found.trajectories.iter().flat_map(|one| one.points.iter().map(|point| [n(&one.run), point.1, point.2].map(key))).collect()
}

#[test]
fn a_mangled_table_is_read_as_it_was_or_says_what_was_done() {
    let cases: usize = std::env::var("SCALELAB_MANGLED").map_or(400, |cases| cases.parse().expect("a number"));
    let mut random = Random::new(24, "mangled tables");
    let (mut read, mut refused) = (0, BTreeMap::<String, usize>::new());
    for case in 0..cases {
        let table = mangled(&mut random);
        let about = || format!("case {case}: {}\n{}", table.done, String::from_utf8_lossy(&table.bytes));
        let found = match import_bytes(Path::new("x.csv"), &table.bytes, Wanted::default()) {
            Ok(found) => found,
            Err(error) => {
                let error = error.to_string();
                assert!(table.lost || table.doubled, "{error}\n{}", about());
                assert!(error.contains("--columns") || error.contains("line "), "{error}\n{}", about());
                *refused.entry(error.chars().filter(|c| !c.is_ascii_digit()).collect()).or_default() += 1;
                continue;
            }
        };
        read += 1;
        assert_eq!(points(&found), expected(&table), "{}", about());
        let said = [found.reading.join("; "), found.notes.join("; ")].join("; ");
        // Never independent rows where sizes and steps say otherwise.
        assert_eq!(found.trajectories.len(), if table.are_curves { 6 } else { 0 }, "{said}\n{}", about());
        // What is not read is said by its line.
        let numbers: BTreeSet<&str> = said.split(|c: char| !c.is_ascii_digit()).collect();
        for (at, row) in table.rows.iter().enumerate() {
            let is_whole = ![row.gone[1], row.gone[3], row.gone[4], row.gone[0] && table.are_curves].contains(&true);
            let (line, more) = (format!("{}", at + 2), " more");
            assert!(is_whole || numbers.contains(line.as_str()) || said.contains(more), "line {line} is not said: {said}\n{}", about());
        }
        let twice = table.rows.len() > expected(&table).len() && !table.lost;
        assert!(!twice || said.contains("again") || found.records.len() == table.rows.len(), "{said}\n{}", about());
        if !table.lost && !table.doubled && !table.are_curves && case % 20 < 2 {
            same_law(&found);
        }
    }
    assert!(10 * read >= 9 * cases, "{read} of {cases} are read; refused are {refused:#?}");
}

/// The law of what was read is that of the good table.
fn same_law(found: &Imported) {
    let options = StudyOptions { own: false, refits: 0, ..StudyOptions::default() };
    let study = Study::of(&found.records, &Curves::default(), &options).expect("a study");
    let fitted = study.laws[0].fitted.as_ref().expect("a law");
    let loss = fitted.law.at(2e8, 4e9);
    assert!((loss / law(2e8, 4e9) - 1.0).abs() < 1e-3, "{loss} where {} is true", law(2e8, 4e9));
}
