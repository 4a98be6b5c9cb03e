//! Who works in a sweep's folder: one driver on the whole plan, or several on a shard each. The system releases a
//! lock when its process ends, however it ends.

use super::folder::{FolderError, SweepFolder};
use crate::spec::Shard;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

/// What of a plan a driver works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// All of it, alone.
    Whole,
    /// A part of it, beside the others.
    Shard(Shard),
}

/// Held while a sweep runs.
#[derive(Debug)]
pub struct SweepLock {
    _files: Vec<File>,
}

const WHOLE: &str = ".lock";

impl Claim {
    /// The start of the names of files that a driver with this claim writes about itself.
    pub(super) fn name(self) -> String {
        match self {
            Self::Whole => "driver".into(),
            Self::Shard(Shard { number, count }) => format!("shard-{number}-of-{count}"),
        }
    }

    fn lock_name(self) -> String {
        match self {
            Self::Whole => WHOLE.into(),
            Self::Shard(_) => format!("{WHOLE}-{}", self.name()),
        }
    }
}

impl SweepFolder {
    /// Takes the folder, or a shard of it, for this process, which calls itself `holder`; refused while another
    /// holds it, or holds a shard of another division.
    pub fn lock(&self, claim: Claim, holder: &str) -> Result<SweepLock, FolderError> {
        fs::create_dir_all(&self.path).map_err(|source| self.io(WHOLE, source))?;
        let Claim::Shard(Shard { count, .. }) = claim else {
            return Ok(SweepLock { _files: vec![self.take(WHOLE, File::try_lock, holder)?] });
        };
        let beside_others = self.take(WHOLE, File::try_lock_shared, "")?;
        for name in self.lock_names() {
            let other_division = name.rsplit_once("-of-").is_some_and(|(_, of)| of != count.to_string());
            if other_division {
                self.take(&name, File::try_lock, "")?;
            }
        }
        Ok(SweepLock { _files: vec![beside_others, self.take(&claim.lock_name(), File::try_lock, holder)?] })
    }

    fn take(&self, name: &str, try_lock: fn(&File) -> Result<(), TryLockError>, holder: &str) -> Result<File, FolderError> {
        let io = |source| self.io(name, source);
        let path = self.path.join(name);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match try_lock(&file) {
            Ok(()) => {
                file.set_len(0).map_err(io)?;
                file.write_all(holder.as_bytes()).map_err(io)?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked { path: self.path.clone(), holder: self.holders(name) }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Who holds the lock of this name or, where several hold it together, their own locks.
    fn holders(&self, name: &str) -> String {
        let told = |name: &str| fs::read_to_string(self.path.join(name)).ok().filter(|text| !text.is_empty());
        let of_shards = || {
            let held = |name: &String| File::open(self.path.join(name)).is_ok_and(|file| file.try_lock_shared().is_err());
            let told: Vec<String> = self.lock_names().iter().filter(|name| held(name)).filter_map(|name| told(name)).collect();
            Some(told.join(", ")).filter(|text| !text.is_empty())
        };
        told(name).or_else(of_shards).unwrap_or_else(|| "an unknown process".into())
    }

    /// Names of the locks of shards.
    fn lock_names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.starts_with(WHOLE) && name != WHOLE).collect()
    }

    fn io(&self, name: &str, source: io::Error) -> FolderError {
        FolderError::Io { path: self.path.join(name), source }
    }

    /// Removes temporary files that killed processes left; for the holder of the whole folder.
    pub fn clear_partials(&self) {
        let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for path in below(&folder) {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if path.is_dir() {
                    folders.push(path);
                } else if name.starts_with('.') && name.ends_with(".partial") {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, SweepFolder) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        (place, folder)
    }

    fn refused(result: Result<SweepLock, FolderError>) -> String {
        result.expect_err("held").to_string()
    }

    #[test]
    fn a_second_sweep_in_the_same_folder_is_refused_and_told_who_holds_it() {
        let (_place, folder) = folder();
        let lock = folder.lock(Claim::Whole, "process 7 on here").expect("free");
        assert!(refused(folder.lock(Claim::Whole, "another")).contains("process 7 on here"));
        assert!(refused(folder.lock(Claim::Shard(Shard { number: 1, count: 2 }), "a shard")).contains("process 7 on here"));
        drop(lock);
        folder.lock(Claim::Whole, "another").expect("free again");
    }

    #[test]
    fn shards_of_one_division_work_side_by_side_and_nobody_else_beside_them() {
        let (_place, folder) = folder();
        let shard = |number, count| folder.lock(Claim::Shard(Shard { number, count }), &format!("shard {number} of {count}"));
        let _first = shard(1, 2).expect("free");
        let _second = shard(2, 2).expect("free");
        assert!(refused(shard(1, 2)).contains("shard 1 of 2"));
        assert!(refused(shard(1, 3)).contains("of 2"), "another division would train some runs twice");
        let whole = refused(folder.lock(Claim::Whole, "all"));
        assert!(whole.contains("shard 1 of 2") && whole.contains("shard 2 of 2"), "{whole}");
    }

    #[test]
    fn what_killed_processes_left_half_written_is_removed() {
        let (place, folder) = folder();
        folder.write("runs/a.csv", b"whole").expect("written");
        for partial in ["runs/.b.csv.17.partial", "checkpoints/x/.5.safetensors.3.partial"] {
            fs::create_dir_all(place.path().join(partial).parent().expect("has one")).expect("made");
            fs::write(place.path().join(partial), b"ha").expect("written");
        }
        folder.clear_partials();
        assert!(place.path().join("runs/a.csv").exists());
        assert!(!place.path().join("runs/.b.csv.17.partial").exists());
        assert_eq!(fs::read_dir(place.path().join("checkpoints/x")).expect("listed").count(), 0);
    }
}
