//! Files of text: paths and patterns into a sorted list, plain, gzip or zstd into bytes. How a file is packed is seen from
//! its first bytes, not from its name.

use super::CorpusError;
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The files that paths and patterns name, each once, patterns in the order of their names.
pub(super) fn files(patterns: &[String]) -> Result<Vec<PathBuf>, CorpusError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        // A file whose own name holds a bracket is meant as it is.
        if !pattern.contains(['*', '?', '[']) || Path::new(pattern).is_file() {
            found.push(pattern.into());
            continue;
        }
        let wrong = |problem: String| CorpusError::Pattern { pattern: pattern.clone(), problem };
        let paths = glob::glob(pattern).map_err(|error| wrong(error.to_string()))?;
        let before = found.len();
        for path in paths {
            let path = path.map_err(|error| CorpusError::Unreadable { path: error.path().to_owned(), source: error.into() })?;
            found.extend(path.is_file().then_some(path));
        }
        if found.len() == before {
            return Err(CorpusError::NoMatch { pattern: pattern.clone() });
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

/// The bytes of a file as it lies on the disk.
pub(super) enum Bytes {
    /// The file, mapped into memory.
    Mapped(Mmap),
    /// Its decompressed bytes; of an empty file, none.
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Maps a file into memory.
pub(super) fn map(path: &Path) -> Result<Bytes, CorpusError> {
    let unreadable = |source| CorpusError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(CorpusError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() == 0 {
        return Ok(Bytes::Owned(Vec::new()));
    }
    // SAFETY: the map is only read. A file cut short by someone else while it is mapped ends the
    // worker with a bus error, which the sweep records as a failed run.
    unsafe { Mmap::map(&file) }.map(Bytes::Mapped).map_err(unreadable)
}

/// How a file is packed.
fn packing(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some("gzip"),
        // A frame, or one of the frames that decoders skip.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some("zstd"),
        _ => None,
    }
}

/// Whether a file is gzip or zstd.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    packing(bytes).is_some()
}

/// The text of a file, unpacked where it is packed.
pub(super) fn unpacked(path: &Path, bytes: Bytes) -> Result<Bytes, CorpusError> {
    let mut text = Vec::new();
    let (format, read) = match packing(&bytes) {
        None => return Ok(bytes),
        Some("gzip") => ("gzip", flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text)),
        Some(other) => (other, zstd::Decoder::new(&bytes[..]).and_then(|mut decoder| decoder.read_to_end(&mut text))),
    };
    read.map_err(|source| CorpusError::Compressed { path: path.to_owned(), format, source })?;
    Ok(Bytes::Owned(text))
}

/// Whether each line of a file is a JSON object, by its name.
pub(super) fn is_json_lines(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = [".gz", ".zst", ".zstd"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    [".jsonl", ".ndjson", ".jsonlines"].iter().any(|ending| name.ends_with(ending))
}

/// SHA-256, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"the same text, packed in three ways";

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("packs");
        encoder.finish().expect("packs")
    }

    #[test]
    fn gzip_and_zstd_are_unpacked_whatever_their_name_and_in_several_parts() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let zstd = zstd::encode_all(TEXT, 3).expect("packs");
        let twice = |one: &[u8]| [one, one].concat();
        for (bytes, text) in [
            (TEXT.to_vec(), TEXT.to_vec()),
            (gzip(TEXT), TEXT.to_vec()),
            (twice(&gzip(TEXT)), twice(TEXT)),
            (zstd.clone(), TEXT.to_vec()),
            (twice(&zstd), twice(TEXT)),
        ] {
            let path = write(folder.path(), "a.txt", &bytes);
            assert_eq!(&unpacked(&path, map(&path).expect("maps")).expect("unpacks")[..], &text[..]);
        }
        for whole in [gzip(TEXT), zstd] {
            let path = write(folder.path(), "cut.gz", &whole[..whole.len() - 6]);
            let error = unpacked(&path, map(&path).expect("maps")).err().expect("cut short").to_string();
            assert!(error.contains("cut.gz") && error.contains("is it whole?"), "{error}");
        }
    }

    #[test]
    fn patterns_name_sorted_files_once() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["b.txt", "a.txt", "c.md", "odd[1].txt"] {
            write(folder.path(), name, TEXT);
        }
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let names = |patterns: &[String]| {
            let found = files(patterns).expect("found");
            found.iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[at("c.md"), at("[ab].txt"), at("a.txt")]), ["c.md", "a.txt", "b.txt"]);
        assert_eq!(names(&[at("odd[1].txt")]), ["odd[1].txt"]);
        assert!(matches!(files(&[at("*.rs")]), Err(CorpusError::NoMatch { .. })));
        assert!(matches!(files(&[at("***")]), Err(CorpusError::Pattern { .. })));
    }

    #[test]
    fn json_lines_are_known_by_their_name() {
        for (name, is) in [("a.jsonl", true), ("a.JSONL.gz", true), ("a.ndjson.zst", true), ("a.json", false), ("jsonl.txt", false)] {
            assert_eq!(is_json_lines(Path::new(name)), is, "{name}");
        }
    }
}
