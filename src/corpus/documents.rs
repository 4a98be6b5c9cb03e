//! Documents: the files of a corpus one text after the other, without the documents and the long lines that occurred
//! before. Removal comes before the split, so that no text stands on both of its sides.

use super::source::{Bytes, is_json_lines, map, unpacked};
use super::{CorpusError, Preparing};
use crate::spec::TextSpec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Bytes from which a line that occurred before is removed: long enough that it is no idiom of the language.
const LONG_LINE: usize = 100;

/// What the files of a corpus hold, and what was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Files read.
    pub files: u64,
    /// Bytes of text, unpacked.
    pub bytes: u64,
    /// Documents that are not empty; 1 where nothing divides the text.
    pub documents: u64,
    /// Documents that are equal to an earlier one.
    pub duplicate_documents: u64,
    /// Bytes of these documents.
    pub duplicate_document_bytes: u64,
    /// Lines of 100 bytes or more, in the other documents, that are equal to an earlier one.
    pub duplicate_lines: u64,
    /// Bytes of these lines.
    pub duplicate_line_bytes: u64,
    /// Whether duplicates were removed, or only counted.
    pub removed: bool,
}

/// Takes in documents in order and says which are new, and what of them is.
struct Seen {
    documents: HashSet<u128>,
    lines: HashSet<u128>,
    contents: Contents,
}

/// Walks over the documents of the files, without duplicates where `spec` says so.
pub(super) fn for_each_document(
    spec: &TextSpec,
    files: &[PathBuf],
    told: &dyn Fn(&Preparing),
    each: &mut dyn FnMut(&[u8]) -> Result<(), CorpusError>,
) -> Result<Contents, CorpusError> {
    let contents = Contents { files: files.len() as u64, removed: spec.deduplicate, ..Contents::default() };
    let mut seen = Seen { documents: HashSet::new(), lines: HashSet::new(), contents };
    let total = files.iter().filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum();
    let mut done = 0;
    for path in files {
        let packed = map(path)?;
        done += packed.len() as u64;
        let text = unpacked(path, packed)?;
        seen.contents.bytes += text.len() as u64;
        split(spec, path, &text, &mut |document| match seen.take(document) {
            Some(new) if spec.deduplicate => each(&new),
            _ if !spec.deduplicate && !document.is_empty() => each(document),
            _ => Ok(()),
        })?;
        told(&Preparing { stage: "reading text", done, total });
    }
    Ok(seen.contents)
}

/// The documents of one file.
fn split(spec: &TextSpec, path: &Path, text: &Bytes, each: &mut dyn FnMut(&[u8]) -> Result<(), CorpusError>) -> Result<(), CorpusError> {
    if is_json_lines(path) {
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
            let wrong = |problem| CorpusError::JsonLine { path: path.to_owned(), line: at + 1, problem };
            each(text_of(line, &spec.field).map_err(wrong)?.as_bytes())?;
        }
        return Ok(());
    }
    match spec.separator.as_deref().filter(|separator| !separator.is_empty()) {
        None => each(text),
        Some(separator) => parts(text, separator.as_bytes()).try_for_each(each),
    }
}

/// The text of a JSON line.
fn text_of(line: &[u8], field: &str) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let object = value.as_object().ok_or("a JSON object was expected, such as { \"text\": \"…\" }")?;
    match object.get(field) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{field}` is {other}, not text; name the member that holds the text with corpus.field")),
        None => {
            let members = object.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(format!("there is no `{field}` in it, only {members}; name the member that holds the text with corpus.field"))
        }
    }
}

/// What stands between separators.
fn parts<'a>(text: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let now = rest?;
        let found = now.windows(separator.len()).position(|window| window == separator);
        rest = found.map(|at| &now[at + separator.len()..]);
        Some(found.map_or(now, |at| &now[..at]))
    })
}

impl Seen {
    /// What is new of a document; none where nothing is.
    fn take(&mut self, document: &[u8]) -> Option<Vec<u8>> {
        if document.is_empty() {
            return None;
        }
        self.contents.documents += 1;
        if !self.documents.insert(fingerprint(document)) {
            return self.duplicate(document.len());
        }
        let mut new = Vec::with_capacity(document.len());
        for line in document.split_inclusive(|&byte| byte == b'\n') {
            let text = line.trim_ascii();
            if text.len() >= LONG_LINE && !self.lines.insert(fingerprint(text)) {
                self.contents.duplicate_lines += 1;
                self.contents.duplicate_line_bytes += line.len() as u64;
            } else {
                new.extend_from_slice(line);
            }
        }
        // What is left of a document may be equal to an earlier one, too.
        let shorter = new.len() < document.len();
        if new.is_empty() || shorter && !self.documents.insert(fingerprint(&new)) {
            return self.duplicate(new.len());
        }
        Some(new)
    }

    fn duplicate(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.contents.duplicate_documents += 1;
        self.contents.duplicate_document_bytes += bytes as u64;
        None
    }
}

/// The first 128 bits of the SHA-256.
fn fingerprint(text: &[u8]) -> u128 {
    u128::from_le_bytes(Sha256::digest(text)[..16].try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(spec: &TextSpec, files: &[(&str, &str)]) -> Result<(Vec<String>, Contents), CorpusError> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        paths.iter().zip(files).for_each(|(path, (_, text))| std::fs::write(path, text).expect("written"));
        let mut found = Vec::new();
        let contents = for_each_document(spec, &paths, &|_| (), &mut |document| {
            found.push(String::from_utf8_lossy(document).into_owned());
            Ok(())
        })?;
        Ok((found, contents))
    }

    #[test]
    fn files_lines_of_json_and_separated_parts_are_documents() {
        let spec = TextSpec { separator: Some("\n\n".into()), ..TextSpec::of("") };
        let files = [("a.txt", "one\n\ntwo\n\n"), ("b.jsonl", "{\"text\": \"three\\n\"}\n\n{\"text\": \"four\"}\n")];
        let (found, contents) = documents(&spec, &files).expect("reads");
        assert_eq!(found, ["one", "two", "three\n", "four"]);
        assert_eq!((contents.files, contents.documents, contents.duplicate_documents), (2, 4, 0));
    }

    #[test]
    fn documents_and_long_lines_are_kept_once() {
        let long = "x".repeat(LONG_LINE);
        let short = "y".repeat(LONG_LINE - 1);
        let first = format!("{long}\n{short}\n{short}\n");
        let files = [
            ("a.txt", first.as_str()),
            ("b.txt", &first),
            ("c.txt", &format!("new\n  {long}\r\nold\n")),
            ("d.txt", &format!("new\nold\n{long}\n")),
        ];
        let (found, contents) = documents(&TextSpec::of(""), &files).expect("reads");
        assert_eq!(found, [first.clone(), "new\nold\n".into()], "the rest of d.txt is equal to that of c.txt");
        assert_eq!((contents.documents, contents.duplicate_documents, contents.duplicate_lines), (4, 2, 2));
        assert_eq!(contents.duplicate_line_bytes, (2 + long.len() + 2 + long.len() + 1) as u64);
        let (all, counted) = documents(&TextSpec { deduplicate: false, ..TextSpec::of("") }, &files).expect("reads");
        assert_eq!((all.len(), counted.duplicate_documents, counted.removed), (4, 2, false));
    }

    #[test]
    fn a_line_that_is_no_json_object_with_text_is_named() {
        let error = |line: &str| {
            documents(&TextSpec::of(""), &[("a.jsonl", &format!("{{\"text\": \"fine\"}}\n{line}\n"))]).expect_err("refused").to_string()
        };
        assert!(error("{\"text\": 3}").contains("a.jsonl, line 2: `text` is 3, not text"), "{}", error("{\"text\": 3}"));
        assert!(error("{\"body\": \"x\", \"id\": 1}").contains("only body, id"));
        assert!(error("[1]").contains("a JSON object was expected"));
        assert!(error("{\"text\": \"cut").contains("no JSON"));
    }
}
