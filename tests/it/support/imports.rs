//! Which file of a room takes something from which other, as `use` lines and paths in the text say, and the circles of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A path that a file names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Import {
    /// Line of the file, from 1.
    pub(crate) line: usize,
    /// As it is written, without braces: `super::a::B`.
    pub(crate) path: Vec<String>,
    /// What it is called here.
    pub(crate) name: String,
    /// Whether it is passed on by `pub use` or `pub(super) use`.
    pub(crate) passed_on: bool,
}

/// A source file.
pub(crate) struct Source {
    /// As messages name it.
    pub(crate) file: String,
    /// Its module, from the room on: `["view", "report"]`.
    pub(crate) module: Vec<String>,
    /// Its text.
    pub(crate) text: String,
}

/// An arrow between two files: from, to, and the line in the first.
pub(crate) type Arrow = (String, String, usize);

/// Whether a character may stand in a name.
fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The lines of the program: comments emptied, and what is compiled for tests alone emptied too, so that numbers of lines stay.
fn program(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut until: Option<String> = None;
    let mut test_next = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let indent = &code[..code.len() - code.trim_start().len()];
        let mut kept = code;
        if let Some(end) = &until {
            kept = "";
            if code == end {
                until = None;
            }
        } else if test_next && !code.trim().starts_with("#[") && !code.trim().is_empty() {
            kept = "";
            test_next = false;
            if !code.trim_end().ends_with(';') && !code.trim_end().ends_with('}') {
                until = Some(format!("{indent}}}"));
            }
        } else if code.trim().starts_with("#[cfg(test)]") {
            test_next = true;
        }
        lines.push(kept.to_owned());
    }
    lines
}

/// Modules that a file declares for tests alone.
fn modules_of_tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let after = lines.windows(2).filter(|pair| pair[0].starts_with("#[cfg(test)]"));
    after.filter_map(|pair| Some(pair[1].split_once("mod ")?.1.strip_suffix(';')?.to_owned())).collect()
}

/// The paths of a tree of imports such as `super::a::{B, c::D as E}`, each with the name that it has here.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((head, rest)) = tree.split_once('{') {
        let head: Vec<String> = head.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let inside = rest.trim_end().strip_suffix('}').unwrap_or(rest);
        let below = parts(inside).into_iter().flat_map(|part| leaves(&part));
        return below.map(|(path, name)| (head.iter().cloned().chain(path).filter(|part| part != "self").collect(), name)).collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
    let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
    if path.iter().all(String::is_empty) { Vec::new() } else { vec![(path, name)] }
}

/// The parts of a list between braces, at its commas outside of inner braces.
fn parts(list: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 { found.push(String::new()) } else { found.last_mut().expect("has one").push(c) }
    }
    found.retain(|part| !part.trim().is_empty());
    found
}

/// Every path that the program of a file names by `use`, or in its code.
pub(crate) fn imports(text: &str) -> Vec<Import> {
    let lines = program(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim();
        let (before, tree) = match line.split_once("use ") {
            Some((before, tree)) if before.is_empty() || (before.starts_with("pub") && before.ends_with(' ')) => (before, tree),
            _ => {
                found.extend(paths_in_code(line).into_iter().map(|path| Import {
                    line: at + 1,
                    name: path.last().cloned().unwrap_or_default(),
                    path,
                    passed_on: false,
                }));
                at += 1;
                continue;
            }
        };
        let (first, mut tree) = (at, tree.to_owned());
        while !tree.contains(';') && at + 1 < lines.len() {
            at += 1;
            tree.push(' ');
            tree.push_str(lines[at].trim());
        }
        let tree = tree.split(';').next().unwrap_or_default();
        let passed_on = !before.is_empty();
        found.extend(leaves(tree).into_iter().map(|(path, name)| Import { line: first + 1, path, name, passed_on }));
        at += 1;
    }
    found
}

/// Paths of more than one part within a line of code, such as `super::a::b` or `a::b`; whether the first names a module of ours
/// is for others to say.
fn paths_in_code(line: &str) -> Vec<Vec<String>> {
    let words = line.split(|c: char| !(in_name(c) || c == ':'));
    let paths = words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"));
    paths.map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()).collect()
}

/// The modules of a tree of sources, and what each names.
struct Modules<'a> {
    places: HashMap<&'a [String], usize>,
    imports: Vec<Vec<Import>>,
    sources: &'a [Source],
}

impl<'a> Modules<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let places = sources.iter().enumerate().map(|(at, source)| (source.module.as_slice(), at)).collect();
        Self { places, imports: sources.iter().map(|source| imports(&source.text)).collect(), sources }
    }

    /// The path from the root of the crate; `None` for what is of another crate.
    fn absolute(&self, from: usize, path: &[String]) -> Option<Vec<String>> {
        let own = &self.sources[from].module;
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "super" => Some(own[..own.len().checked_sub(ups)?].iter().chain(&path[ups..]).cloned().collect()),
            "self" => Some(own.iter().chain(&path[1..]).cloned().collect()),
            first => {
                let child: Vec<String> = own.iter().cloned().chain([first.to_owned()]).collect();
                self.places.contains_key(child.as_slice()).then(|| own.iter().chain(path).cloned().collect())
            }
        }
    }

    /// The file in which what a path names stands, through what other files pass on.
    fn file_of(&self, path: &[String], depth: usize) -> Option<usize> {
        let (length, place) = (1..=path.len()).rev().find_map(|length| Some((length, *self.places.get(&path[..length])?)))?;
        let Some(item) = path.get(length) else { return Some(place) };
        let handed = self.imports[place].iter().find(|import| import.passed_on && import.name == *item);
        let through = handed.filter(|_| depth > 0).and_then(|import| {
            let further = self.absolute(place, &import.path)?;
            self.file_of(&further.into_iter().chain(path[length + 1..].iter().cloned()).collect::<Vec<_>>(), depth - 1)
        });
        Some(through.unwrap_or(place))
    }
}

/// The arrows between files of one room. What a `mod.rs` passes on is no arrow from it: that is its office.
pub(crate) fn arrows(sources: &[Source]) -> Vec<Arrow> {
    let gone: BTreeSet<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            modules_of_tests(&source.text).into_iter().map(|name| source.module.iter().cloned().chain([name]).collect::<Vec<_>>())
        })
        .collect();
    let modules = Modules::of(sources);
    let mut found = Vec::new();
    for (from, source) in sources.iter().enumerate().filter(|(_, source)| !gone.contains(&source.module)) {
        for import in modules.imports[from].iter().filter(|import| !(import.passed_on && source.file.ends_with("mod.rs"))) {
            let Some(to) = modules.absolute(from, &import.path).and_then(|path| modules.file_of(&path, 8)) else { continue };
            if to != from && sources[to].module[0] == source.module[0] {
                found.push((source.file.clone(), sources[to].file.clone(), import.line));
            }
        }
    }
    found
}

/// The circles among arrows: each a group of files from each of which every other can be reached.
pub(crate) fn circles(arrows: &[Arrow]) -> Vec<BTreeSet<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to, _) in arrows {
        next.entry(from).or_default().insert(to);
    }
    let reached = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(next.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let from: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|file| (*file, reached(file))).collect();
    let mutual = |file: &str, other: &str| from[file].contains(other) && from.get(other).is_some_and(|back| back.contains(file));
    let in_circles = from.keys().filter(|file| from[**file].contains(**file));
    let groups: BTreeSet<BTreeSet<String>> =
        in_circles.map(|file| from[*file].iter().filter(|other| mutual(file, other)).map(|other| (*other).to_owned()).collect()).collect();
    groups.into_iter().collect()
}

/// A circle as a message: its files, and the lines that close it.
pub(crate) fn render(circle: &BTreeSet<String>, arrows: &[Arrow]) -> String {
    let inside = arrows.iter().filter(|(from, to, _)| circle.contains(from) && circle.contains(to));
    let lines: BTreeSet<String> = inside.map(|(from, to, line)| format!("  {from}:{line} takes from {to}")).collect();
    format!("{}\n{}", circle.iter().cloned().collect::<Vec<_>>().join(", "), lines.into_iter().collect::<Vec<_>>().join("\n"))
}
