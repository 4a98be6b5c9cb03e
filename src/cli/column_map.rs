//! Which columns are which, as a command line says it: pairs, and files of pairs.

use super::failure::{Failure, OrInput};
use crate::results::ColumnMap;
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The pairs given, and those of TOML files.
pub(super) fn column_map(given: &[String]) -> Result<ColumnMap, Failure> {
    let mut map = ColumnMap::new();
    for text in given {
        if text.ends_with(".toml") && !text.contains('=') {
            map.extend(column_file(Path::new(text))?);
        } else {
            map.push(parse_pair(text).map_err(|problem| Failure::Input(anyhow!("--columns: {problem}")))?);
        }
    }
    Ok(map)
}

/// A TOML file of pairs, each `ours = "theirs"`.
fn column_file(path: &Path) -> Result<ColumnMap, Failure> {
    let text = fs::read_to_string(path).with_context(|| format!("the column map {} cannot be read", path.display())).or_input()?;
    let pairs: BTreeMap<String, String> =
        toml::from_str(&text).with_context(|| format!("in {}: expected lines such as params = \"N\"", path.display())).or_input()?;
    Ok(pairs.into_iter().collect())
}

/// A pair of an option.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form column=value"))?;
    Ok((left.trim().to_owned(), right.trim().to_owned()))
}
