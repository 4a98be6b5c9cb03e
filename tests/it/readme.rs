//! What README.md and the book show is what the program prints: every block that begins with `$ scalelab …` is made again, in a folder
//! that has the results of which it speaks. `SCALELAB_SNAPSHOTS=write cargo test --test it readme::` writes the blocks anew.
#![expect(clippy::disallowed_methods, reason = "reads the page, and writes it where asked to")]

use crate::support::scalelab;
use crate::support::snapshot::{differences, writes};
use std::fs;
use std::path::{Path, PathBuf};

const FENCE: &str = "```";
const PROMPT: &str = "$ scalelab ";

/// A block of a page: the call, what is shown of it, and where that stands.
struct Shown {
    call: String,
    output: String,
    place: std::ops::Range<usize>,
}

fn blocks(page: &str) -> Vec<Shown> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(begin) = page[at..].find(&format!("\n{FENCE}console\n{PROMPT}")).map(|found| at + found) {
        let call = begin + FENCE.len() + "\nconsole\n".len() + PROMPT.len();
        let output = call + page[call..].find('\n').expect("a line") + 1;
        let end = output + page[output..].find(FENCE).expect("an end");
        all.push(Shown { call: page[call..output - 1].to_owned(), output: page[output..end].to_owned(), place: output..end });
        at = end;
    }
    all
}

/// What a sweep leaves behind that is not committed.
const NOT_COMMITTED: [&str; 4] = ["eval", "checkpoints", "running", "slurm"];

/// A folder with the sweeps that a call names.
fn with_results(call: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for sweep in call.split_whitespace().filter(|word| word.starts_with("results/")) {
        copy(&root.join(sweep), &folder.path().join(sweep));
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a sweep").map(|entry| entry.expect("an entry").path()) {
        let there: PathBuf = to.join(entry.file_name().expect("a name"));
        if NOT_COMMITTED.iter().any(|name| there.ends_with(name)) {
            continue;
        }
        if entry.is_dir() {
            copy(&entry, &there);
        } else {
            fs::copy(&entry, there).expect("copied");
        }
    }
}

fn printed(call: &str) -> String {
    let folder = with_results(call);
    let output = scalelab(&call.split_whitespace().collect::<Vec<_>>()).current_dir(folder.path()).output().expect("starts");
    assert!(output.status.success(), "scalelab {call} failed: {}", crate::support::stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Pages that speak to users: the front page and the book.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = fs::read_dir(root.join("docs/src")).expect("a book").map(|entry| entry.expect("an entry").path());
    let book = book.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    std::iter::once(root.join("README.md")).chain(book).collect()
}

#[test]
fn pages_show_what_is_printed() {
    let (mut shown, mut differ) = (0, Vec::new());
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        let mut anew = page.clone();
        for block in blocks(&page).iter().rev() {
            let now = printed(&block.call);
            let lines = differences(&block.output, &now);
            differ.extend(lines.into_iter().map(|line| format!("{}, the block of scalelab {}, {line}", path.display(), block.call)));
            anew.replace_range(block.place.clone(), &now);
            shown += 1;
        }
        if writes() {
            fs::write(&path, anew).expect("written");
        }
    }
    assert!(shown >= 2, "the pages show {shown} calls of scalelab");
    assert!(writes() || differ.is_empty(), "{}\nSCALELAB_SNAPSHOTS=write makes the pages anew", differ.join("\n"));
}

#[test]
fn the_front_page_is_short_and_its_answer_a_screen() {
    let page = fs::read_to_string(&pages()[0]).expect("README.md");
    assert!(page.len() <= 8000, "README.md has {} bytes", page.len());
    for Shown { call, output, .. } in blocks(&page) {
        let widest = output.lines().map(|line| line.chars().count()).max();
        assert!(output.lines().count() <= 30 && widest <= Some(80), "scalelab {call} prints more than a screen:\n{output}");
    }
}

#[test]
fn links_of_pages_lead_somewhere() {
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for (at, _) in page.match_indices("](") {
            let link = page[at + 2..].split([')', '#']).next().expect("a link");
            let exists = link.is_empty() || link.starts_with("http") || path.parent().expect("a folder").join(link).exists();
            assert!(exists, "{}: {link} leads nowhere", path.display());
        }
    }
}
