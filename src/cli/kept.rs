//! What is kept in the user's cache folder from one command to the next: lists of measurements, as JSON. Only predictions of time
//! would miss them, so a file that cannot be read is an empty one.

use crate::results::write_whole;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::PathBuf;

/// Our folder among the user's caches: `$XDG_CACHE_HOME/scalelab`, or below `~/.cache`.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var("XDG_CACHE_HOME").ok().filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || std::env::var("HOME").ok().map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("scalelab"))
}

/// The list in a file of that folder.
pub(super) fn read<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let read = || serde_json::from_slice(&fs::read(cache_folder()?.join(file)).ok()?).ok();
    read().unwrap_or_default()
}

/// Writes the list anew; its path, or `None` where there is no such folder.
///
/// # Errors
/// Where the folder cannot be written.
pub(super) fn write<T: Serialize>(file: &str, list: &[T]) -> io::Result<Option<PathBuf>> {
    let Some(path) = cache_folder().map(|folder| folder.join(file)) else { return Ok(None) };
    write_whole(&path, &serde_json::to_vec_pretty(list)?)?;
    Ok(Some(path))
}
