//! Final weights of runs, `weights/<run-id>.safetensors`: whole files, of which this room reads the header alone. Numbers and checksums are
//! read by whoever begins from them.

use super::folder::{FolderError, SweepFolder, bytes_of};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const FOLDER: &str = "weights";
const EXTENSION: &str = "safetensors";
/// Bytes of a header beyond which a file is none of ours: a name and a shape for each parameter.
const MOST_HEADER: u64 = 64 << 20;

/// Weights on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptWeights {
    /// Name of the run.
    pub run_id: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Size of the file.
    pub bytes: u64,
}

/// What a file of weights says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsHeader {
    /// The run that ended with them, as JSON.
    pub spec: String,
    /// SHA-256 of the numbers, hexadecimal.
    pub sha256: String,
}

impl SweepFolder {
    fn weights_path(&self, run_id: &str) -> PathBuf {
        self.path.join(FOLDER).join(format!("{run_id}.{EXTENSION}"))
    }

    /// Keeps the weights that a run ended with.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn keep_weights(&self, run_id: &str, file: &[u8]) -> Result<(), FolderError> {
        self.write(&format!("{FOLDER}/{run_id}.{EXTENSION}"), file)
    }

    /// Whether the weights of a run are there.
    pub fn has_weights(&self, run_id: &str) -> bool {
        self.weights_path(run_id).is_file()
    }

    /// The bytes of the weights of a run; none where they are not there.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read_weights(&self, run_id: &str) -> Result<Option<Vec<u8>>, FolderError> {
        bytes_of(&self.weights_path(run_id))
    }

    /// What the weights of a run say of themselves; none where they are not there.
    ///
    /// # Errors
    /// Where the file cannot be read, or is none of ours.
    pub fn weights_header(&self, run_id: &str) -> Result<Option<WeightsHeader>, FolderError> {
        let path = self.weights_path(run_id);
        match read_header(&path) {
            Ok(Ok(header)) => Ok(Some(header)),
            Ok(Err(problem)) => {
                let problem = format!("{}: {problem}", path.display());
                let remedy = format!("remove it, and `scalelab sweep GRID --retry {run_id}` trains its run again");
                Err(FolderError::Damaged { path, problem, remedy })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { path, source }),
        }
    }

    /// All weights of the folder, by name.
    pub fn kept_weights(&self) -> Vec<KeptWeights> {
        let entries = fs::read_dir(self.path.join(FOLDER)).into_iter().flatten().filter_map(Result::ok);
        let kept = |path: PathBuf| {
            let run_id = path.file_stem()?.to_str().filter(|name| !name.starts_with('.'))?.to_owned();
            let bytes = path.metadata().ok().filter(fs::Metadata::is_file)?.len();
            path.extension().is_some_and(|extension| extension == EXTENSION).then_some(KeptWeights { run_id, path, bytes })
        };
        let mut all: Vec<KeptWeights> = entries.filter_map(|entry| kept(entry.path())).collect();
        all.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        all
    }

    /// Removes all weights of the folder.
    ///
    /// # Errors
    /// Where a file cannot be removed.
    pub fn drop_weights(&self) -> Result<(), FolderError> {
        let folder = self.path.join(FOLDER);
        match fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FolderError::Io { path: folder, source }),
            _ => Ok(()),
        }
    }
}

/// The header of a safetensors file: its length in eight bytes, then as much JSON. What is wrong with it, where it is none of ours.
fn read_header(path: &Path) -> io::Result<Result<WeightsHeader, String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut length = [0; 8];
    if size < 8 {
        return Ok(Err("it ends within its header: it was cut off".into()));
    }
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER || length > size - 8 {
        return Ok(Err(format!("its header is said to be {length} bytes of {size}: it was cut off, or is no safetensors file")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)?;
    Ok(said(&header))
}

fn said(header: &[u8]) -> Result<WeightsHeader, String> {
    let value: Value = serde_json::from_slice(header).map_err(|error| format!("its header is no JSON: {error}"))?;
    let mut metadata: BTreeMap<String, String> =
        serde_json::from_value(value["__metadata__"].clone()).map_err(|_| "its header names no metadata".to_owned())?;
    let mut text = |key: &str| metadata.remove(key).ok_or_else(|| format!("its header lacks `{key}`: it holds no weights of ours"));
    Ok(WeightsHeader { spec: text("spec")?, sha256: text("weights_sha256")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, rest: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; rest]].concat()
    }

    #[test]
    fn weights_are_kept_listed_read_and_dropped() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        assert!(!folder.has_weights("a") && folder.kept_weights().is_empty());
        assert_eq!(folder.weights_header("a").expect("none"), None);
        let bytes = file(r#"{"__metadata__":{"spec":"{}","weights_sha256":"ab"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4);
        for run in ["b", "a"] {
            folder.keep_weights(run, &bytes).expect("kept");
        }
        assert_eq!(folder.kept_weights().iter().map(|kept| kept.run_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(folder.kept_weights()[0].bytes, bytes.len() as u64);
        let header = folder.weights_header("a").expect("reads").expect("there");
        assert_eq!((header.spec.as_str(), header.sha256.as_str()), ("{}", "ab"));
        assert_eq!(folder.read_weights("a").expect("reads"), Some(bytes));
        folder.drop_weights().expect("dropped");
        assert!(!folder.has_weights("a"));
        folder.drop_weights().expect("nothing to drop");
    }

    #[test]
    fn a_file_that_holds_no_weights_is_named_with_what_to_do() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let whole = file(r#"{"__metadata__":{"spec":"{}","weights_sha256":"ab"}}"#, 0);
        let cases: [(&[u8], &str); 6] = [
            (b"", "cut off"),
            (&whole[..30], "bytes of 30: it was cut off"),
            (&[0xff; 40], "no safetensors"),
            (&file("{}", 0), "no metadata"),
            (&file("nonsense", 0), "no JSON"),
            (&file(r#"{"__metadata__":{"format":"pt"}}"#, 0), "lacks `spec`"),
        ];
        for (bytes, expected) in cases {
            folder.keep_weights("a", bytes).expect("written");
            let error = folder.weights_header("a").expect_err("refused").to_string();
            assert!(error.contains("weights/a.safetensors") && error.contains(expected) && error.contains("--retry a"), "{error}");
        }
    }
}
