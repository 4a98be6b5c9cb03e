//! `scalelab explain`: what a word means that this program prints or writes. The one source is the glossary of the documentation.

use super::failure::{Failure, Outcome};
use super::text::{WIDTH, indented};
use crate::sweep::nearest;
use anyhow::anyhow;
use clap::Args;

/// The glossary: a heading a term, its other names after commas, and below it paragraphs, sources and a page.
const GLOSSARY: &str = include_str!("../../docs/src/glossary.md");
/// Where the pages of the documentation stand, seen from the project's folder.
const PAGES: &str = "docs/src";

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab explain\n  scalelab explain sandwich\n  scalelab explain tokens per parameter\n\nThe entries are those of docs/src/glossary.md."
)]
pub(super) struct ExplainArgs {
    /// Word, or words, to explain [default: list them all]
    term: Vec<String>,
}

pub(super) fn run(args: &ExplainArgs) -> Outcome {
    let entries = entries();
    if args.term.is_empty() {
        print!("{}", listed(&entries));
        return Ok(());
    }
    let term = args.term.join(" ");
    let entry = found(&term, &entries).ok_or_else(|| unknown(&term, &entries))?;
    print!("{}", entry.shown());
    Ok(())
}

/// A term of the glossary.
struct Entry {
    /// Its names, the one that it is listed by first.
    names: Vec<&'static str>,
    /// Lines of Markdown below the heading.
    text: &'static str,
}

/// A name as it is compared: letters of either case, and blanks, dashes and underscores, are the same.
fn folded(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', '_'], " ")
}

fn entries() -> Vec<Entry> {
    let parts = GLOSSARY.split("\n## ").skip(1).filter_map(|part| part.split_once('\n'));
    parts.map(|(heading, text)| Entry { names: heading.split(", ").collect(), text: text.trim() }).collect()
}

/// The entry of a name, or the only one of whose names one begins with these words.
fn found<'a>(term: &str, entries: &'a [Entry]) -> Option<&'a Entry> {
    let begins = folded(term) + " ";
    let mut beginning = entries.iter().filter(|entry| entry.names.iter().any(|name| folded(name).starts_with(&begins)));
    let only = beginning.next().filter(|_| beginning.next().is_none());
    entries.iter().find(|entry| entry.is_called(term)).or(only)
}

impl Entry {
    fn is_called(&self, term: &str) -> bool {
        self.names.iter().any(|name| folded(name) == folded(term))
    }

    /// The entry for a terminal: names, then what is said of them, wrapped.
    fn shown(&self) -> String {
        let mut shown = self.names.join(", ") + "\n";
        for line in self.text.lines() {
            shown += &indented(&plain(line));
        }
        shown
    }
}

/// A line without Markdown: no code marks, and of a link to a page the place of that page.
fn plain(line: &str) -> String {
    let line = line.replace('`', "");
    match line.strip_prefix("Page: [").and_then(|link| link.strip_suffix(')')?.split_once("](")) {
        Some((title, file)) => format!("Page: {title}, {PAGES}/{file}"),
        None => line,
    }
}

/// The terms in columns, and how to ask for one.
fn listed(entries: &[Entry]) -> String {
    let mut names: Vec<&str> = entries.iter().flat_map(|entry| entry.names.iter().copied()).collect();
    names.sort_by_key(|name| folded(name));
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let columns = (WIDTH / widest).max(1);
    let rows = names.len().div_ceil(columns);
    let mut text = String::new();
    for row in 0..rows {
        let cells = names.iter().skip(row).step_by(rows);
        let line: String = cells.map(|name| format!("{name:<widest$}")).collect();
        text += &(line.trim_end().to_owned() + "\n");
    }
    text + "\nscalelab explain TERM says what one of them means.\n"
}

/// That there is no such term, and what may have been meant: a name that holds it, else the nearest one.
fn unknown(term: &str, entries: &[Entry]) -> Failure {
    let names: Vec<String> = entries.iter().flat_map(|entry| entry.names.iter().map(|name| folded(name))).collect();
    let asked = folded(term);
    let within = names.iter().find(|name| name.contains(&asked) || asked.contains(name.as_str())).map(String::as_str);
    let near = within.or_else(|| nearest(&asked, names.iter().map(String::as_str)));
    let meant = near.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
    Failure::Input(anyhow!("the glossary has no term {term:?}{meant} `scalelab explain` lists all terms"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_term_is_explained_on_a_few_lines_with_a_page_that_is_there() {
        let entries = entries();
        assert!(entries.len() >= 40, "{} terms", entries.len());
        for entry in &entries {
            let shown = entry.shown();
            let lines: Vec<&str> = shown.lines().collect();
            assert!((3..=9).contains(&lines.len()), "{shown}");
            assert!(lines.iter().all(|line| line.chars().count() <= WIDTH && !line.contains('`') && !line.contains("](")), "{shown}");
            let page = shown.rsplit_once(", docs/src/").expect("names a page").1.trim();
            assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGES).join(page).exists(), "{shown}");
        }
    }

    #[test]
    fn terms_are_listed_once_and_in_order() {
        let names: Vec<String> = entries().iter().map(|entry| folded(entry.names[0])).collect();
        assert!(names.is_sorted(), "{names:?}");
        let all: Vec<String> = entries().iter().flat_map(|entry| entry.names.iter().map(|name| folded(name))).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
        assert!(listed(&entries()).lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_term_is_found_however_it_is_written_and_a_misspelt_one_names_the_nearest() {
        let entries = entries();
        let find = |term: &str| found(term, &entries).map(|entry| entry.names[0]);
        assert_eq!(find("Near Optimal"), Some("near-optimal"));
        assert_eq!(find("cluster-robust"), find("sandwich"));
        assert_eq!((find("wsd"), find("kaplan")), (Some("WSD"), Some("Kaplan law")));
        assert_eq!((find("rolling"), find("roll"), find("")), (Some("rolling origin"), None, None));
        let said = |term: &str| match unknown(term, &entries) {
            Failure::Input(error) => error.to_string(),
            _ => String::new(),
        };
        assert!(said("sandwhich").contains("did you mean \"sandwich\"?"), "{}", said("sandwhich"));
        assert!(said("the floor").contains("did you mean \"floor\"?"), "{}", said("the floor"));
        assert!(!said("xyzzyplugh").contains("did you mean"), "{}", said("xyzzyplugh"));
    }
}
