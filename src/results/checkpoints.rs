//! States of runs that did not end and of trunks that others branch from: `checkpoints/<run or trunk>/<step>.safetensors`.
//! Whole files as all others; what is in them is checked by whoever reads them.

use super::folder::{FolderError, SweepFolder};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;

/// States of one run that are kept, so that a damaged last one costs an interval and not the run.
const KEPT: usize = 2;
const EXTENSION: &str = "safetensors";

/// A state on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Steps made.
    pub step: u64,
    /// Path of the checkpoint.
    pub path: PathBuf,
}

impl SweepFolder {
    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Keeps the checkpoint of a run that continues, and the one before it; older ones go.
    pub fn checkpoint(&self, run_id: &str, step: u64, state: &[u8]) -> Result<(), FolderError> {
        self.write_state(run_id, step, state)?;
        self.states(run_id).into_iter().skip(KEPT).for_each(|old| remove(&old.path));
        Ok(())
    }

    /// Keeps the state of a trunk where a run branches off.
    pub fn keep_branch_point(&self, trunk_id: &str, step: u64, state: &[u8]) -> Result<(), FolderError> {
        self.write_state(trunk_id, step, state)
    }

    fn write_state(&self, owner: &str, step: u64, state: &[u8]) -> Result<(), FolderError> {
        self.write(&format!("checkpoints/{owner}/{step:010}.{EXTENSION}"), state)
    }

    /// States of a run or trunk, the latest first.
    pub fn states(&self, owner: &str) -> Vec<StoredCheckpoint> {
        let entries = fs::read_dir(self.checkpoints().join(owner)).into_iter().flatten().filter_map(Result::ok);
        let stored = |path: PathBuf| {
            let step = path.file_stem()?.to_str()?.parse().ok()?;
            path.extension().is_some_and(|extension| extension == EXTENSION).then_some(StoredCheckpoint { step, path })
        };
        let mut states: Vec<StoredCheckpoint> = entries.filter_map(|entry| stored(entry.path())).collect();
        states.sort_by_key(|state| std::cmp::Reverse(state.step));
        states
    }

    /// The step of the latest state of every run and trunk that has one.
    pub fn latest_states(&self) -> HashMap<String, u64> {
        let entries = fs::read_dir(self.checkpoints()).into_iter().flatten().filter_map(Result::ok);
        let owners = entries.filter_map(|entry| entry.file_name().into_string().ok());
        owners.filter_map(|owner| self.states(&owner).first().map(|state| state.step).map(|step| (owner, step))).collect()
    }

    /// The bytes of a state; none where it has gone meanwhile.
    pub fn read_checkpoint(&self, state: &StoredCheckpoint) -> Result<Option<Vec<u8>>, FolderError> {
        match fs::read(&state.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io { path: state.path.clone(), source }),
        }
    }

    /// Removes the states of a run that ended, or of a trunk that no run needs.
    pub fn drop_states(&self, owner: &str) {
        let _ = fs::remove_dir_all(self.checkpoints().join(owner));
        // Goes when the last state has.
        let _ = fs::remove_dir(self.checkpoints());
    }

    /// Removes one branch point.
    pub fn drop_branch_point(&self, trunk_id: &str, step: u64) {
        self.states(trunk_id).iter().filter(|state| state.step == step).for_each(|state| remove(&state.path));
        // Goes when the last branch point has.
        let _ = fs::remove_dir(self.checkpoints().join(trunk_id));
        let _ = fs::remove_dir(self.checkpoints());
    }

    /// Removes the states of all runs and trunks but those that are still needed.
    pub fn drop_states_except(&self, needed: &HashSet<&str>) {
        for entry in fs::read_dir(self.checkpoints()).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            if name.to_str().is_none_or(|name| !needed.contains(name)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let _ = fs::remove_dir(self.checkpoints());
    }
}

/// A state that stays costs room and nothing else.
fn remove(path: &PathBuf) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_states_of_a_run_are_kept_and_all_branch_points() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        for step in [5, 10, 1_000_000] {
            folder.checkpoint("run", step, &[step as u8]).expect("written");
            folder.keep_branch_point("trunk", step, b"state").expect("written");
        }
        let steps = |owner: &str| folder.states(owner).iter().map(|state| state.step).collect::<Vec<_>>();
        assert_eq!((steps("run"), steps("trunk"), steps("none")), (vec![1_000_000, 10], vec![1_000_000, 10, 5], vec![]));
        assert_eq!(folder.latest_states(), HashMap::from(["run", "trunk"].map(|owner| (owner.to_owned(), 1_000_000))));
        assert_eq!(folder.read_checkpoint(&folder.states("run")[1]).expect("reads"), Some(vec![10]));
        folder.drop_branch_point("trunk", 10);
        assert_eq!(steps("trunk"), [1_000_000, 5]);
        folder.drop_states_except(&HashSet::from(["trunk"]));
        assert_eq!((steps("run").len(), steps("trunk").len()), (0, 2));
        folder.drop_states("trunk");
        assert!(!place.path().join("checkpoints").exists());
    }
}
