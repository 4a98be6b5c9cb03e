//! Where files lie whose names hold values, as it is written: `runs/{params}/log.csv`.

use super::known::{KNOWN, names_known};
use super::name_values::Piece;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Where files lie whose names hold values: `{params}` and every other known column in braces is a value, `*` any part of a name, `**`
/// any folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// Folder that it begins in, without names.
    pub(super) base: PathBuf,
    pub(super) parts: Vec<Part>,
    text: String,
}

/// What one name on the way to a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    /// Any folders, none too.
    Folders,
    Pieces(Vec<Piece>),
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut base, mut parts) = (PathBuf::new(), Vec::new());
        for component in Path::new(text).components() {
            match component {
                Component::Normal(name) => {
                    let name = name.to_str().ok_or("it is not valid UTF-8")?;
                    parts.push(Part::of(name)?);
                }
                other if parts.is_empty() => base.push(other),
                _ => return Err("`..` behind a name leads out of the folder; leave it out".to_owned()),
            }
        }
        let values = parts.iter().flat_map(Part::values).collect::<Vec<_>>();
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|at| !seen.insert(**at)) {
            return Err(format!("{{{}}} stands in it twice; write * for the other", KNOWN[*twice].aliases[0]));
        }
        if values.is_empty() {
            return Err(format!(
                "it holds no column in braces, such as 'runs/{{params}}/log.csv'; known are {}",
                names_known().split(", ").map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
            ));
        }
        let literal = parts.iter().take_while(|part| matches!(part, Part::Literal(_))).count().min(parts.len() - 1);
        let of = |part: &Part| if let Part::Literal(name) = part { name.clone() } else { String::new() };
        parts.drain(..literal).for_each(|part| base.push(of(&part)));
        Ok(Self { base, parts, text: text.to_owned() })
    }
}

impl Part {
    fn of(name: &str) -> Result<Self, String> {
        if name == "**" {
            return Ok(Self::Folders);
        }
        let (mut pieces, mut rest) = (Vec::new(), name);
        while let Some(at) = rest.find(['{', '}', '*']) {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            let (mark, after) = rest[at..].split_at(1);
            rest = match mark {
                "*" => {
                    pieces.push(Piece::Any);
                    after
                }
                "{" => {
                    let (column, after) = after.split_once('}').ok_or_else(|| format!("a brace in `{name}` is not closed"))?;
                    let known = KNOWN.iter().position(|known| known.is(&column.to_ascii_lowercase()));
                    let known = known.ok_or_else(|| format!("{{{column}}} is not one of {}", names_known()))?;
                    if matches!(pieces.last(), Some(Piece::Value(_) | Piece::Any)) {
                        return Err(format!("in `{name}` nothing parts {{{column}}} from what stands before it"));
                    }
                    pieces.push(Piece::Value(known));
                    after
                }
                _ => return Err(format!("a brace in `{name}` is closed that was not opened")),
            };
            if mark == "*" && matches!(pieces.as_slice(), [.., Piece::Value(_), Piece::Any]) {
                return Err(format!("in `{name}` nothing parts the value from the * behind it"));
            }
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(match pieces.as_slice() {
            [Piece::Text(name)] => Self::Literal(name.clone()),
            _ => Self::Pieces(pieces),
        })
    }

    fn values(&self) -> impl Iterator<Item = usize> {
        let pieces: &[Piece] = if let Self::Pieces(pieces) = self { pieces } else { &[] };
        pieces.iter().filter_map(|piece| if let Piece::Value(at) = piece { Some(*at) } else { None })
    }
}

impl NamePattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that it begins in, and the rest of it, as it would be written from there.
    pub fn split(&self) -> (&Path, String) {
        let written = |part: &Part| match part {
            Part::Literal(name) => name.clone(),
            Part::Folders => "**".to_owned(),
            Part::Pieces(pieces) => pieces.iter().map(Piece::written).collect(),
        };
        (&self.base, self.parts.iter().map(written).collect::<Vec<_>>().join("/"))
    }

    /// The same from a folder; unless it names that folder itself.
    pub fn within(mut self, folder: &Path) -> Self {
        let names_it = self.base.starts_with(folder) && !folder.join(&self.base).exists();
        if !self.base.is_absolute() && !names_it {
            self.base = folder.join(&self.base);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::name_values::fitted;
    use super::*;

    fn values(pattern: &str, name: &str) -> Option<Vec<Result<String, String>>> {
        let pattern: NamePattern = pattern.parse().unwrap_or_else(|problem| panic!("{problem}"));
        let [Part::Pieces(pieces)] = pattern.parts.as_slice() else { panic!("one name") };
        Some(fitted(pieces, name)?.into_iter().map(|one| one.map(|(at, value)| format!("{}={value}", KNOWN[at].aliases[0]))).collect())
    }

    fn read(pattern: &str, name: &str) -> Vec<String> {
        values(pattern, name).expect("it fits").into_iter().map(|one| one.unwrap_or_else(|problem| panic!("{problem}"))).collect()
    }

    #[test]
    fn names_are_values_however_they_are_written() {
        assert_eq!(read("{params}", "125M"), ["params=125000000"]);
        assert_eq!(read("{params}", "gpt2-124M"), ["params=124000000"]);
        assert_eq!(read("{params}.csv", "1.3b.csv"), ["params=1300000000"]);
        assert_eq!(read("{lr}", "lr0.001"), ["learning_rate=0.001"]);
        assert_eq!(read("{lr}", "lr=1e-3"), ["learning_rate=0.001"]);
        assert_eq!(read("{seed}", "seed_0"), ["seed=0"]);
        assert_eq!(read("n{params}-d{tokens}-*", "n7e9-d2e10-final"), ["params=7000000000", "tokens=20000000000"]);
        assert_eq!(read("{lr}-{seed}", "lr1e-3-4"), ["learning_rate=0.001", "seed=4"]);
        assert_eq!(read("{dataset}_{params}", "the_pile_50M"), ["corpus=the_pile", "params=50000000"]);
    }

    #[test]
    fn what_is_no_value_is_said_and_what_does_not_fit_is_not() {
        for name in ["old", "2024-01-05", "exp2024-01-05", "v1.2.3", "0", "1e99"] {
            let found = values("{params}", name).expect("it fits");
            assert_eq!(found, [Err(format!("`{name}` is no number for params"))]);
        }
        assert_eq!(values("{params}.csv", "125M.json"), None);
        assert_eq!(values("a{params}", "a"), None, "a value is something");
    }

    #[test]
    fn patterns_that_cannot_be_read_are_refused() {
        let refused = |text: &str| text.parse::<NamePattern>().expect_err("refused");
        assert!(refused("runs/*.csv").contains("no column in braces"));
        assert!(refused("").contains("no column in braces"));
        assert!(refused("{size}.csv").contains("{size} is not one of params"));
        assert!(refused("{params.csv").contains("not closed"));
        assert!(refused("params}.csv").contains("not opened"));
        assert!(refused("{params}{tokens}").contains("nothing parts {tokens}"));
        assert!(refused("*{params}").contains("nothing parts"));
        assert!(refused("{params}*").contains("nothing parts"));
        assert!(refused("{params}/{n}").contains("twice"));
        assert!(refused("{params}/../x").contains("leads out"));
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let pattern = format!("{}{{params}}x", "*a".repeat(40));
        assert_eq!(values(&pattern, &"a".repeat(250)), None);
    }
}
