//! Files whose names hold values, as a pattern finds them.

use super::known::KNOWN;
use super::name_pattern::{NamePattern, Part};
use super::name_values::fitted;
use super::sheet::shown;
use super::table::{TableError, as_argument};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of several that are read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    /// What its run is called where it names none.
    pub(super) run: String,
    /// What its name says: pairs (column of ours, value).
    pub(super) values: Vec<(String, String)>,
}

/// Files that a pattern finds.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) files: Vec<NamedFile>,
    /// Files whose names fit and hold no value, with the reason.
    pub(super) passed_over: Vec<(PathBuf, String)>,
}

impl NamePattern {
    /// Every file whose path fits, in the order of names. Without one it is refused, with what lies where it ends.
    pub(super) fn files(&self) -> Result<Matched, TableError> {
        let mut walk = Walk { found: Matched::default(), ended: (self.base.clone(), 0) };
        walk.look(&self.base, &self.parts, 0, &Vec::new(), &Vec::new());
        let error = |problem: String| TableError::Names { pattern: self.base.join(self.split().1).display().to_string(), problem };
        match (walk.found.files.as_slice(), walk.found.passed_over.first()) {
            ([], Some((path, reason))) => {
                let advice = "write * for what does not matter, and a column in braces for its value alone, such as n{params}_{lr}.csv";
                Err(error(format!("no name holds a value: {}: {reason}; {advice}", path.display())))
            }
            ([], None) => Err(error(self.unmatched(&walk.ended.0, walk.ended.1))),
            _ => Ok(walk.found),
        }
    }

    /// Why nothing was found: `folder` is the last that fits, `at` the part for which nothing lies in it.
    fn unmatched(&self, folder: &Path, at: usize) -> String {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if !here.is_dir() {
            return format!("{} is no folder; name the one that holds the runs", here.display());
        }
        let entries = entries(here);
        let named: Vec<String> = entries.iter().take(MOST_NAMED).map(|(name, is_folder)| entry(name, *is_folder)).collect();
        let more = if entries.len() > MOST_NAMED { format!(" and {} more", entries.len() - MOST_NAMED) } else { String::new() };
        let holds = if named.is_empty() { "nothing".to_owned() } else { named.join(", ") + &more };
        let is_last = at + 1 >= self.parts.len();
        // A file where a file is asked for, else any folder.
        let other =
            if is_last { entries.iter().find(|(_, is_folder)| !is_folder).map(|(name, _)| name.clone()) } else { Some("*".to_owned()) };
        let mut parts: Vec<String> = self.split().1.split('/').map(str::to_owned).collect();
        let advice = match (other, parts.get_mut(at)) {
            (Some(other), Some(part)) if !part.contains('{') => {
                *part = other;
                format!("say --params-from {}", as_argument(&self.base.join(parts.join("/")).display().to_string()))
            }
            _ => "a column in braces stands for a value, * for what does not matter, such as --params-from 'runs/*/{params}/log.csv'"
                .to_owned(),
        };
        format!("no file fits: {} holds {holds}; {advice}", here.display())
    }
}

/// Entries of a folder that a refusal names.
const MOST_NAMED: usize = 6;

fn entry(name: &str, is_folder: bool) -> String {
    format!("`{}{}`", shown(name), if is_folder { "/" } else { "" })
}

/// Names in a folder, with whether they are folders, in order; hidden ones and those that are not UTF-8 are passed over.
fn entries(folder: &Path) -> Vec<(String, bool)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())));
    let mut all: Vec<(String, bool)> = named.filter(|(name, _)| !name.starts_with('.')).collect();
    all.sort();
    all
}

struct Walk {
    found: Matched,
    /// The folder furthest on, and the part for which nothing lay in it.
    ended: (PathBuf, usize),
}

impl Walk {
    /// Looks for the parts from the one `at` on; `names` are those that differ, `values` what they say, or why one says nothing.
    fn look(&mut self, folder: &Path, parts: &[Part], at: usize, names: &[String], values: &[Result<(usize, String), String>]) {
        let Some(part) = parts.get(at) else { return };
        if at > self.ended.1 {
            self.ended = (folder.to_owned(), at);
        }
        let is_last = at + 1 == parts.len();
        if let Part::Literal(name) = part {
            let path = folder.join(name);
            return if is_last {
                self.take(path, names, values)
            } else if path.is_dir() {
                self.look(&path, parts, at + 1, names, values)
            };
        }
        if *part == Part::Folders {
            self.look(folder, parts, at + 1, names, values);
        }
        for (name, is_folder) in entries(folder) {
            let path = folder.join(&name);
            let named = || [names, std::slice::from_ref(&name)].concat();
            match part {
                // A link may lead back up.
                Part::Folders if is_folder && !path.is_symlink() => self.look(&path, parts, at, &named(), values),
                Part::Pieces(pieces) if is_last || is_folder => {
                    let Some(found) = fitted(pieces, &name) else { continue };
                    let values = [values, &found].concat();
                    if is_last { self.take(path, &named(), &values) } else { self.look(&path, parts, at + 1, &named(), &values) }
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, path: PathBuf, names: &[String], values: &[Result<(usize, String), String>]) {
        if !path.exists() {
            return;
        }
        match values.iter().cloned().collect::<Result<Vec<_>, _>>() {
            Err(reason) => self.found.passed_over.push((path, reason)),
            Ok(values) => {
                let values = values.into_iter().map(|(at, value)| (KNOWN[at].ours.to_owned(), value)).collect();
                self.found.files.push(NamedFile { path, run: shown(&names.join("/")), values });
            }
        }
    }
}
