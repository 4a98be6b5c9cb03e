//! Words, completions and pages of the manual, as the program prints them.
#![expect(clippy::disallowed_methods, reason = "reads sources and pages")]

use crate::support::snapshot::Transcript;
use crate::support::{succeed, text};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_term_of_the_list_is_explained() {
    let list = succeed(&["explain"]);
    let (terms, _) = list.split_once("\n\n").expect("a list and a remark");
    let terms: Vec<&str> = terms.lines().flat_map(|line| line.split("  ")).map(str::trim).filter(|term| !term.is_empty()).collect();
    assert!(terms.len() >= 40, "{terms:?}");
    for term in terms {
        let said = succeed(&["explain", term]);
        assert!(said.lines().next().expect("a line").contains(term) && said.contains("Page: "), "{term}:\n{said}");
    }
}

/// Sources and pages that may send a reader to the glossary.
fn texts() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    let mut folders = vec![root().join("src"), root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_term_that_a_text_refers_to_is_in_the_glossary() {
    let mut referred = 0;
    for path in texts().iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs" || ending == "md")) {
        let source = fs::read_to_string(path).expect("is text");
        for (at, call) in source.match_indices("scalelab explain ") {
            let term = source[at + call.len()..].split(['`', '"', '\\', '\n']).next().unwrap_or_default().trim();
            if !term.is_empty() && !term.starts_with("TERM") && !term.contains('{') {
                let words: Vec<&str> = std::iter::once("explain").chain(term.split(' ')).collect();
                succeed(&words);
                referred += 1;
            }
        }
    }
    assert!(referred >= 4, "{referred} references");
}

#[test]
fn words_are_explained_and_unknown_ones_refused() {
    let mut said = Transcript::default();
    for term in ["sandwich", "matmul", "near-optimal", "isoflop"] {
        said.succeed(&["explain", term]);
    }
    said.refused(&["explain", "sandwhich"]);
    said.refused(&["explain", "xyzzyplugh"]);
    said.check("help_explain");
}

#[test]
fn every_shell_is_told_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeed(&["completions", shell]);
        for word in ["recommend", "train-tokenizer", "size-measure"] {
            assert!(script.contains(word), "{shell} is not told of {word}");
        }
    }
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let there = folder.path().join("man1");
    succeed(&["man", text(&there)]);
    let mut names: Vec<String> =
        fs::read_dir(&there).expect("written").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    assert!(names.contains(&"scalelab.1".to_owned()) && names.contains(&"scalelab-corpus-inspect.1".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("worker") || name.contains("help")), "{names:?}");
    let fit = fs::read_to_string(there.join("scalelab-fit.1")).expect("a page");
    assert!(fit.contains(".SH EXAMPLES") && fit.contains("scalelab fit results/grid") && fit.contains("certificate"), "{fit}");
    assert_eq!(succeed(&["man"]), fs::read_to_string(there.join("scalelab.1")).expect("a page"));
}
