//! Names in place of paths: sweeps that the program knows, and the results folder of a sweep by its name.

use super::failure::{Failure, OrInput};
use anyhow::{Context, anyhow};
use std::fs;
use std::path::{Path, PathBuf};

/// Grid files that are part of the program: the name of each, and its text.
const SWEEPS: [(&str, &str); 7] = [
    ("quick", include_str!("../../sweeps/quick.toml")),
    ("smoke", include_str!("../../sweeps/smoke.toml")),
    ("entropy", include_str!("../../sweeps/entropy.toml")),
    ("grid", include_str!("../../sweeps/grid.toml")),
    ("english", include_str!("../../sweeps/english.toml")),
    ("code", include_str!("../../sweeps/code.toml")),
    ("chinese", include_str!("../../sweeps/chinese.toml")),
];

/// The text of a grid file, or of the sweep of that name: of `sweeps/NAME.toml` where there is one, else of the program's own.
pub(super) fn grid_text(named: &Path) -> Result<String, Failure> {
    if named.is_dir() {
        return Err(Failure::Input(anyhow!("{} is a folder; name a grid file such as sweeps/quick.toml", named.display())));
    }
    let unreadable = || format!("the grid file {} cannot be read", named.display());
    match bare(named) {
        Some(name) if !named.exists() => {
            let file = Path::new("sweeps").join(name).with_extension("toml");
            let own = SWEEPS.iter().find(|(own, _)| *own == name);
            match (fs::read_to_string(&file), own) {
                (Ok(text), _) => Ok(text),
                (Err(_), Some((_, text))) => Ok((*text).to_owned()),
                (Err(_), None) => Err(Failure::Input(unknown(name))),
            }
        }
        _ => fs::read_to_string(named).with_context(unreadable).or_input(),
    }
}

fn unknown(name: &str) -> anyhow::Error {
    let known: Vec<&str> = SWEEPS.iter().map(|(name, _)| *name).collect();
    let nearest = crate::sweep::nearest(name, known.iter().copied()).map_or(String::new(), |name| format!("; did you mean {name}?"));
    anyhow!("there is no file {name}, no sweeps/{name}.toml, and no sweep of that name in the program ({}){nearest}", known.join(", "))
}

/// The results folder of a sweep that is named instead of its path; any other path as it is.
pub(super) fn results_of(named: &Path, results: &Path) -> PathBuf {
    match bare(named) {
        Some(name) if !named.exists() && results.join(name).is_dir() => results.join(name),
        _ => named.to_owned(),
    }
}

/// A word that may be the name of a sweep: no folder, no ending.
fn bare(path: &Path) -> Option<&str> {
    path.to_str().filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Grid;

    #[test]
    fn every_sweep_of_the_program_is_a_grid_of_its_name() {
        for (name, text) in SWEEPS {
            assert_eq!(Grid::parse(text).map(|grid| grid.name).as_deref().ok(), Some(name));
        }
    }

    #[test]
    fn a_name_is_a_word_and_a_path_is_none() {
        assert_eq!(
            ["quick", "study-3x", "sweeps/quick", "quick.toml", "", "."].map(|path| bare(Path::new(path)).is_some()),
            [true, true, false, false, false, false]
        );
        let missing = format!("{:?}", grid_text(Path::new("quik")).expect_err("no sweep"));
        assert!(missing.contains("did you mean quick?"), "{missing}");
    }
}
