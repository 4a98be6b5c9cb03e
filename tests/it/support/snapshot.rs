//! What is printed, kept beside the tests in `tests/it/snapshots/`: calls and answers of one test in one file, as on a terminal.
//! A change of words is seen as a change of such a file; `SCALELAB_SNAPSHOTS=write cargo test --test it` makes them anew.

use super::{refused, succeed};
use std::path::Path;

/// Numbers below are rounding, and another processor may round otherwise.
const ROUNDING: f64 = 1e-6;
/// Lines that differ are shown up to here.
const MOST_SHOWN: usize = 8;
/// Hexadecimal digits from which a word that has letters and digits is a checksum.
const CHECKSUM: usize = 8;

fn is_rounding(word: &str) -> bool {
    word.trim_matches([',', ';', '(', ')']).parse::<f64>().is_ok_and(|number| number.abs() < ROUNDING)
}

fn same_line(one: &str, other: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.split_whitespace().collect(), other.split_whitespace().collect());
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| one == other || is_rounding(one) && is_rounding(other))
}

/// The lines in which two texts differ by more than blanks and rounding, each with its number.
pub(crate) fn differences(shown: &str, now: &str) -> Vec<String> {
    let (shown, now): (Vec<&str>, Vec<&str>) = (shown.lines().collect(), now.lines().collect());
    let at = |at: usize| match (shown.get(at), now.get(at)) {
        (Some(shown), Some(now)) if same_line(shown, now) => None,
        (shown, now) => {
            let [shown, now] = [shown, now].map(|line| line.map_or("(no line)", |line| *line));
            Some(format!("line {}\n  shown  {shown}\n  now    {now}", at + 1))
        }
    };
    (0..shown.len().max(now.len())).filter_map(at).collect()
}

/// Whether snapshots are to be written instead of compared with.
pub(crate) fn writes() -> bool {
    std::env::var("SCALELAB_SNAPSHOTS").is_ok_and(|value| value == "write")
}

/// Compares a text with `tests/it/snapshots/NAME.txt`, line by line.
pub(crate) fn snapshot(name: &str, text: &str) {
    let file = format!("tests/it/snapshots/{name}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if writes() {
        std::fs::create_dir_all(path.parent().expect("has one")).and_then(|()| std::fs::write(&path, text)).expect("written");
        return;
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{file} is missing; SCALELAB_SNAPSHOTS=write makes it"));
    let differ = differences(&shown, text);
    let first = differ.iter().take(MOST_SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(differ.is_empty(), "{file} differs in {} lines\n{first}\nSCALELAB_SNAPSHOTS=write makes it anew", differ.len());
}

/// A text without what no two calls have alike: temporary folders, the place of the repository, times and checksums.
fn steady(text: &str) -> String {
    let temporary = format!("{}/.tmp", std::env::temp_dir().display().to_string().trim_end_matches('/'));
    let mut parts = text.split(&temporary);
    let first = parts.next().unwrap_or_default().to_owned();
    let placed = parts.fold(first, |text, part| text + "<folder>" + part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
    placed.replace(env!("CARGO_MANIFEST_DIR"), "<repository>").split_inclusive(char::is_whitespace).map(steady_word).collect()
}

fn steady_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_time = bare.len() > 10 && bare.as_bytes()[10] == b'T' && bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains(':');
    let hexadecimal = bare.len() >= CHECKSUM && bare.chars().all(|c| c.is_ascii_hexdigit());
    let is_checksum = hexadecimal && bare.contains(|c: char| c.is_ascii_digit()) && bare.contains(|c: char| c.is_ascii_alphabetic());
    match (is_time, is_checksum) {
        (true, _) => word.replace(bare, "<time>"),
        (_, true) => word.replace(bare, "<checksum>"),
        _ => word.to_owned(),
    }
}

/// The lines from the first that begins with a heading to the next blank one.
pub(crate) fn part(text: &str, heading: &str) -> String {
    let from = text.lines().skip_while(|line| !line.trim_start().starts_with(heading));
    let found: Vec<&str> = from.take_while(|line| !line.trim().is_empty()).collect();
    assert!(!found.is_empty(), "no line begins with {heading:?} in\n{text}");
    found.join("\n") + "\n"
}

/// The lines that begin with one of some words, indented or not.
pub(crate) fn lines(text: &str, words: &[&str]) -> String {
    let wanted = |line: &&str| words.iter().any(|word| line.trim_start().starts_with(word));
    text.lines().filter(wanted).map(|line| line.to_owned() + "\n").collect()
}

/// Calls of the program and what it answered, in order.
#[derive(Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    /// Says in a line of its own what the calls below are about, where the calls themselves do not show it.
    pub(crate) fn about(&mut self, what: &str) {
        self.0 += &format!("# {}\n", what.trim_end().replace('\n', "\\n"));
    }

    /// A call and an answer to it, from wherever that was taken.
    pub(crate) fn answer(&mut self, args: &[&str], answer: &str) {
        let quoted = |arg: &&str| if arg.is_empty() || arg.contains([' ', '<', '>']) { format!("'{arg}'") } else { (*arg).to_owned() };
        self.0 += &format!("$ scalelab {}\n", args.iter().map(quoted).collect::<Vec<_>>().join(" "));
        self.text(answer);
    }

    /// A text that no call of the program printed, such as an error of the library.
    pub(crate) fn text(&mut self, text: &str) {
        self.0 += &format!("{}\n\n", text.trim_end());
    }

    /// A call that must succeed, with all that it prints.
    pub(crate) fn succeed(&mut self, args: &[&str]) -> String {
        self.cut(args, str::to_owned)
    }

    /// A call that must succeed, with one paragraph of what it prints: from a heading to the next blank line.
    pub(crate) fn part(&mut self, heading: &str, args: &[&str]) -> String {
        self.cut(args, |text| part(text, heading))
    }

    /// A call that must succeed, with those of its lines that begin with some words.
    pub(crate) fn lines(&mut self, words: &[&str], args: &[&str]) -> String {
        self.cut(args, |text| {
            let found = lines(text, words);
            assert!(!found.is_empty(), "no line begins with one of {words:?} in\n{text}");
            found
        })
    }

    fn cut(&mut self, args: &[&str], shown: impl Fn(&str) -> String) -> String {
        let said = succeed(args);
        self.answer(args, &shown(&said));
        said
    }

    /// A call that must be refused as bad input, with its error.
    pub(crate) fn refused(&mut self, args: &[&str]) -> String {
        let error = refused(args);
        self.answer(args, &error);
        error
    }

    /// Compares all of it with `tests/it/snapshots/NAME.txt`.
    pub(crate) fn check(&self, name: &str) {
        snapshot(name, &(steady(&self.0).trim_end().to_owned() + "\n"));
    }
}

#[test]
fn a_number_that_is_rounding_may_differ_and_no_other() {
    assert!(same_line("they agree to 1.1e-14, all", "they  agree to 3e-16, all"));
    assert!(same_line("(difference -4.7e-14)", "(difference 1e-15)"));
    assert!(!same_line("a 0.653", "a 0.654") && !same_line("a 0.653", "a") && !same_line("to 1e-14", "to 1e-3"));
}

#[test]
fn a_line_that_is_changed_gone_or_added_is_a_difference() {
    assert_eq!(differences("a\nb 1e-9\n", "a\nb  2e-9\n"), Vec::<String>::new());
    assert_eq!(differences("a\nb\n", "a\nc\n"), ["line 2\n  shown  b\n  now    c"]);
    assert_eq!(differences("a\nb\n", "a\n"), ["line 2\n  shown  b\n  now    (no line)"]);
    assert_eq!(differences("a\n", "a\nb\n"), ["line 2\n  shown  (no line)\n  now    b"]);
}

#[test]
fn every_snapshot_is_that_of_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let listed = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("listed").path());
    let sources: String = listed(&tests).filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    for path in listed(&tests.join("snapshots")) {
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(sources.contains(&format!("\"{name}\"")), "no test compares with {}", path.display());
    }
}

#[test]
fn what_no_two_calls_have_alike_is_left_out() {
    let folder = std::env::temp_dir().join(".tmpAb12Cd");
    let text = format!("{}/runs.csv: made 2026-11-29T18:08:05Z; (SHA-256 1644de82a2cff3d1) 1.5e-3\n", folder.display());
    assert_eq!(steady(&text), "<folder>/runs.csv: made <time>; (SHA-256 <checksum>) 1.5e-3\n");
}

#[test]
fn a_part_ends_at_a_blank_line_and_lines_are_found_by_how_they_begin() {
    let text = "one\n  note: a\n\n  two\n  note: b\n\nthree\n";
    assert_eq!((part(text, ""), part(text, "two")), ("one\n  note: a\n".into(), "  two\n  note: b\n".into()));
    assert_eq!(lines(text, &["note", "three"]), "  note: a\n  note: b\nthree\n");
}
