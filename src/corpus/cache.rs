//! Where prepared text is kept, and how far its preparation is.

use std::path::PathBuf;

/// Where prepared text is kept, and who is told of long work.
pub struct Cache<'a> {
    /// Its folder; made when something is kept.
    pub folder: PathBuf,
    /// Called now and then.
    pub told: &'a dyn Fn(&Preparing),
}

impl Cache<'_> {
    /// A cache that tells nobody.
    pub fn quiet(folder: impl Into<PathBuf>) -> Self {
        Cache { folder: folder.into(), told: &|_| () }
    }
}

/// How far the preparation of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparing {
    /// What is being done, in words.
    pub stage: &'static str,
    /// Bytes of this stage that are done.
    pub done: u64,
    /// Bytes of this stage in all.
    pub total: u64,
}
