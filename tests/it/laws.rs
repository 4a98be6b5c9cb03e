//! The page of laws says what the list of them says. `SCALELAB_SNAPSHOTS=write cargo test --test it laws::` writes the page anew.
#![expect(clippy::disallowed_methods, reason = "reads the page, and writes it where asked to")]

use crate::support::snapshot::{differences, writes};
use scalelab::law::formulas;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const HEAD: &str = "# Laws

Every law that `--law` takes, as the program has it: `scalelab fit runs.csv --law NAME`. Losses are in the unit of the table. A name of a column has others, which [Tables of others](tables.md) lists; `--columns experts=NAME` says which it is.
A law of N and D can advise on a budget, the others are fitted, compared and asked for losses. *Unverified* is a form that was written down from memory of its paper.
";

fn page() -> String {
    let mut text = HEAD.to_owned();
    for formula in formulas() {
        let source = formula.source().expect("a listed law says where it is from");
        let names: Vec<&str> = formula.coefficients().iter().map(|one| one.name).collect();
        let needs: Vec<String> = formula.variables().iter().map(|one| one.columns()).collect();
        let checked = source.checked.map_or_else(|| "*unverified*".to_owned(), |checked| format!("checked against {checked}"));
        write!(text, "\n## {}\n\n    {}\n\n", formula.name(), formula.text()).expect("memory");
        writeln!(text, "- Paper: {}; {checked}.", source.paper).expect("memory");
        writeln!(text, "- Columns: loss; {}.", needs.join("; ")).expect("memory");
        writeln!(text, "- Coefficients: {}.", names.join(", ")).expect("memory");
        writeln!(text, "- Known: {}.", source.known).expect("memory");
    }
    text
}

#[test]
fn the_page_of_laws_is_that_of_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/laws.md");
    let now = page();
    if writes() {
        fs::write(&path, now).expect("written");
        return;
    }
    let differ = differences(&fs::read_to_string(&path).expect("a page"), &now);
    assert!(differ.is_empty(), "docs/src/laws.md\n{}\nSCALELAB_SNAPSHOTS=write makes it anew", differ.join("\n"));
}

#[test]
fn what_is_unverified_says_so_where_the_law_is_shown() {
    for formula in formulas() {
        let source = formula.source().expect("a listed law says where it is from");
        assert_eq!(formula.text().contains("unverified"), source.checked.is_none(), "{}", formula.name());
        assert!(source.paper.contains("arXiv ") && !source.known.ends_with('.'), "{}: {source:?}", formula.name());
    }
}
