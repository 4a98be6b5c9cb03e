//! The house as drawn in ARCHITECTURE.md: which room may import which, who owns which crate, and
//! whether the drawing is still true.
#![expect(clippy::disallowed_methods, reason = "reads the source tree")]

use crate::support::imports::{Arrow, Source, arrows, circles, imports, render};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, the rooms it may import.
const DOORS: [(&str, &[&str]); 12] = [
    ("spec", &[]),
    ("corpus", &["spec"]),
    ("train", &["spec", "corpus"]),
    ("results", &["spec"]),
    ("sweep", &["spec", "results"]),
    ("law", &["spec"]),
    ("fit", &["spec", "law"]),
    ("doctor", &["spec", "fit"]),
    ("study", &["spec", "law", "fit", "doctor"]),
    ("recommend", &["spec", "law", "fit", "study"]),
    ("view", &["spec", "law", "fit", "study", "recommend", "doctor"]),
    ("cli", &["spec", "corpus", "train", "results", "sweep", "law", "fit", "doctor", "study", "recommend", "view"]),
];

/// Crates that one room alone imports, so that each can be replaced in one place; flate2 and zstd have two, for corpora and for tables.
const OWNED: [(&str, &str); 38] = [
    ("candle_core", "train"),
    ("candle_metal_kernels", "train"),
    ("candle_nn", "train"),
    ("gemm", "train"),
    ("safetensors", "train"),
    ("tokenizers", "corpus"),
    ("memmap2", "corpus"),
    ("flate2", "corpus"),
    ("flate2", "results"),
    ("zstd", "corpus"),
    ("zstd", "results"),
    ("glob", "corpus"),
    ("csv", "results"),
    ("crc32c", "results"),
    ("crc32fast", "results"),
    ("prost", "results"),
    ("snap", "results"),
    ("argmin", "fit"),
    ("microlp", "fit"),
    ("ndarray", "fit"),
    ("nalgebra", "fit"),
    ("smallvec", "fit"),
    ("plotters", "view"),
    ("plotters_backend", "view"),
    ("tiny_skia", "view"),
    ("ab_glyph", "view"),
    ("png", "view"),
    ("dejavu", "view"),
    ("base64", "view"),
    ("minijinja", "view"),
    ("strsim", "sweep"),
    ("schemars", "spec"),
    ("schemars", "sweep"),
    ("anstream", "cli"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("ratatui", "cli"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Source files with the room each belongs to; `lib.rs` and `main.rs` belong to none.
fn sources() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is there") {
            let path = entry.expect("is listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root().join("src")).expect("inside src");
                let first = inside.iter().next().expect("has a part").to_string_lossy();
                let room = first.trim_end_matches(".rs").to_owned();
                if room != "lib" && room != "main" {
                    found.push((room, path));
                }
            }
        }
    }
    found
}

/// (line number, line) without comments.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("is text");
    text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default().to_owned())).collect()
}

/// Words that follow `crate::` in a line, those of `crate::{a, b}` too.
fn rooms_named(line: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for rest in line.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => named.extend(list.split('}').next().unwrap_or_default().split(',').map(word)),
            None => named.push(word(rest)),
        }
    }
    named
}

#[test]
fn rooms_import_only_through_their_doors() {
    let mut broken = Vec::new();
    for (room, path) in sources() {
        let allowed = DOORS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{room} is no room of the house")).1;
        for (line, text) in code(&path) {
            for named in rooms_named(&text) {
                let known = DOORS.iter().any(|(name, _)| *name == named);
                if known && named != room && !allowed.contains(&named.as_str()) {
                    broken.push(format!("{}:{line}: {room} may not import {named}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Words of our own for what the field has words for, and what it says instead.
const RETIRED: [(&str, &str); 33] = [
    ("Attendant", "TrainingObserver"),
    ("Wish", "Action"),
    ("Keeper", "Checkpointer"),
    ("keep_state", "checkpoint"),
    ("StoredState", "StoredCheckpoint"),
    ("piece_tokens", "microbatch_tokens"),
    ("Foresight", "ForecastCoverage"),
    ("share_noise", "pool_variance"),
    ("Scatter", "ResidualVariance"),
    ("Bends", "CurvedAxes"),
    ("Signs", "CurveFeatures"),
    ("Patient", "Diagnosed"),
    ("Pulse", "Heartbeat"),
    ("sign of life", "heartbeat"),
    ("epitaph", "exit reason"),
    ("last_words", "stderr"),
    ("strangers", "orphaned"),
    ("Told", "a noun"),
    ("by heart", "memorises"),
    ("first weights", "initialisation"),
    ("goes on", "resumes or continues"),
    ("without a word", "stopped responding"),
    ("is no text", "is not valid UTF-8"),
    ("the begin", "the beginning"),
    ("manyth", "stride"),
    ("largest gradient norm", "gradient clipping"),
    ("as if with", "compute-equivalent"),
    ("Ink", "Colour"),
    ("Lettering", "LabelStyle"),
    ("Wedge", "TriangleDown"),
    ("lettering", "style"),
    ("tokens a weight", "tokens per parameter"),
    ("N, weights", "N, parameters"),
];

/// Comments that say nothing.
const EMPTY: [&str; 12] = [
    "Its name.",
    "Its value.",
    "Which.",
    "What.",
    "As given.",
    "Path as given.",
    "In words.",
    "Where it stands.",
    "What it holds.",
    "The run.",
    "The other.",
    "The same.",
];

/// Whether a text holds a word, no part of a longer one.
fn holds(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn nobody_speaks_a_dialect() {
    let mut found = Vec::new();
    let pages = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "STUDY.md"].map(|name| root().join(name));
    let book = fs::read_dir(root().join("docs/src")).expect("a book").map(|entry| entry.expect("an entry").path());
    let pages = pages.into_iter().chain(book);
    for path in sources().into_iter().map(|(_, path)| path).chain(pages) {
        let text = fs::read_to_string(&path).expect("is text");
        for (at, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", path.strip_prefix(root()).expect("inside").display(), at + 1);
            let retired = RETIRED.iter().filter(|(word, _)| holds(line, word));
            found.extend(retired.map(|(word, instead)| format!("{}: `{word}`; the field says {instead}", place())));
            if line.trim().strip_prefix("/// ").is_some_and(|comment| EMPTY.contains(&comment)) {
                found.push(format!("{}: `{}` says nothing", place(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    assert!(holds("a Wish, or none", "Wish") && !holds("Wishes", "Wish"));
}

/// The sources as modules of the crate.
fn modules() -> Vec<Source> {
    let one = |(_, path): (String, PathBuf)| {
        let inside = path.strip_prefix(root().join("src")).expect("inside src").with_extension("");
        let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        module.pop_if(|last| last == "mod");
        let file = path.strip_prefix(root()).expect("inside").display().to_string();
        Source { file, module, text: fs::read_to_string(&path).expect("is text") }
    };
    sources().into_iter().map(one).collect()
}

#[test]
fn no_imports_run_in_a_circle_inside_a_room() {
    let arrows = arrows(&modules());
    assert!(arrows.len() > 300, "only {} imports are seen: has the way they are written changed?", arrows.len());
    let found: Vec<String> = circles(&arrows).iter().map(|circle| render(circle, &arrows)).collect();
    assert!(found.is_empty(), "files of one room import each other in a circle:\n{}", found.join("\n"));
}

/// A made-up source of a made-up room.
fn source(file: &str, text: &str) -> Source {
    let inside = file.trim_end_matches(".rs").trim_end_matches("/mod");
    Source { file: file.into(), module: inside.split('/').map(str::to_owned).collect(), text: text.into() }
}

#[test]
fn imports_are_seen_in_every_way_that_they_are_written() {
    let paths = |text: &str| imports(text).into_iter().map(|import| import.path.join("::")).collect::<Vec<_>>();
    assert_eq!(paths("use super::a::{B, c::{D, E as F}};"), ["super::a::B", "super::a::c::D", "super::a::c::E"]);
    assert_eq!(paths("use crate::room::{\n    a, // the first\n    b::C,\n};"), ["crate::room::a", "crate::room::b::C"]);
    assert_eq!(paths("use super::a::{self, B};"), ["super::a", "super::a::B"]);
    assert_eq!(paths("    let x = a::made(super::b::C::new());"), ["a::made", "super::b::C::new"]);
    assert_eq!(paths("// use super::a;\n#[cfg(test)]\nmod tests {\n    use super::b::C;\n}\nuse super::d::E;"), ["super::d::E"]);
    assert_eq!(paths("#[cfg(test)]\nuse super::a::B;\npub(super) use super::c::D;"), ["super::c::D"]);
    let passed_on: Vec<bool> = imports("use a::B;\npub use a::C;\npub(super) use a::D;").iter().map(|import| import.passed_on).collect();
    assert_eq!(passed_on, [false, true, true]);
    assert_eq!(imports("\n\nuse super::a::B;")[0].line, 3);
}

#[test]
fn a_planted_circle_is_found_with_its_files_and_lines() {
    let roof = |text: &str| source("room/mod.rs", text);
    let found = |sources: &[Source]| {
        let arrows = arrows(sources);
        circles(&arrows).iter().map(|circle| render(circle, &arrows)).collect::<Vec<_>>()
    };
    let straight = [roof("mod a;\nmod b;\npub use a::A;\npub use b::B;"), source("room/a.rs", ""), source("room/b.rs", "use super::A;")];
    assert_eq!(found(&straight), Vec::<String>::new(), "what the roof passes on is no arrow from it");

    let round = [roof("pub use a::A;\npub use b::B;"), source("room/a.rs", "\nuse crate::room::B;"), source("room/b.rs", "use super::A;")];
    let message = "room/a.rs, room/b.rs\n  room/a.rs:2 takes from room/b.rs\n  room/b.rs:1 takes from room/a.rs";
    assert_eq!(found(&round), [message], "through what the roof passes on");

    let of_roof = [roof("mod a;\npub struct Here;\nfn f() { a::g() }"), source("room/a.rs", "use super::Here;")];
    assert_eq!(found(&of_roof).len(), 1, "what stands in the roof itself is taken from it");

    let in_tests =
        [roof("#[cfg(test)]\nmod b;\npub use a::A;"), source("room/a.rs", "use super::b::B;"), source("room/b.rs", "use super::A;")];
    assert_eq!(found(&in_tests), Vec::<String>::new(), "files for tests alone may look wherever they like");

    let deep = [
        roof("pub use inner::C;"),
        source("room/inner/mod.rs", "pub(super) use c::C;"),
        source("room/inner/c.rs", "use super::super::a::A;"),
        source("room/a.rs", "fn f() -> super::C { C }"),
    ];
    assert_eq!(found(&deep).len(), 1, "through two roofs");
    let other_room = [source("one/a.rs", "use crate::two::b::B;"), source("two/b.rs", "use crate::one::a::A;")];
    assert_eq!(found(&other_room), Vec::<String>::new(), "between rooms it is a matter of doors");
}

#[test]
fn circles_of_an_import_table_are_its_groups_of_mutual_reach() {
    let table = |rows: &[(&str, &str)]| rows.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned(), 1)).collect::<Vec<Arrow>>();
    let found = circles(&table(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("f", "a")]));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found, [names(&["a", "b", "c"]), names(&["d", "e"])]);
    assert!(circles(&table(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])).is_empty(), "two ways to one file are no circle");
}

#[test]
fn crates_are_imported_by_their_owners_alone() {
    let mut broken = Vec::new();
    for (room, path) in sources() {
        for (line, text) in code(&path) {
            for (krate, owner) in OWNED {
                let owned = OWNED.contains(&(krate, room.as_str()));
                let used = text.contains(&format!("use {krate}::"))
                    || text.contains(&format!(" {krate}::"))
                    || text.contains(&format!("({krate}::"));
                if used && !owned {
                    broken.push(format!("{}:{line}: {krate} belongs to {owner}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn training_calls_nothing_that_drops_gradients() {
    // candle 0.11.1: these compute on contiguous input without a backward, and say nothing.
    const SILENT: [&str; 8] =
        ["ops::rms_norm(", "ops::layer_norm(", "softmax_last_dim", "rotary_emb::rope(", "rope_i(", "rope_thd(", "ops::sdpa", "nn::RmsNorm"];
    for (_, path) in sources() {
        for (line, text) in code(&path) {
            let found = SILENT.iter().find(|call| text.contains(*call));
            assert!(found.is_none(), "{}:{line}: {} has no gradient", path.display(), found.unwrap_or(&""));
        }
    }
}

#[test]
fn the_path_of_devices_waits_for_them_in_one_place() {
    const WAITS: [&str; 4] = ["to_vec", "to_scalar", "synchronize(", "to_device("];
    let mut found = Vec::new();
    for name in ["composed.rs", "transformer.rs", "lookup.rs"] {
        let path = root().join("src/train").join(name);
        let code = code(&path);
        let program = code.iter().take_while(|(_, text)| !text.contains("#[cfg(test)]"));
        let waits = program.filter(|(_, text)| WAITS.iter().any(|call| text.contains(call)));
        found.extend(waits.map(|(line, text)| format!("{name}:{line}: {}", text.trim())));
    }
    assert!(found.len() == 1 && found[0].starts_with("composed.rs"), "{found:#?}");
}

#[test]
fn operations_of_our_own_run_on_every_device() {
    let mut operations = 0;
    for (_, path) in sources() {
        let code = code(&path);
        let has = |what: &str| code.iter().any(|(_, text)| text.contains(what));
        if has("impl CustomOp") || has("impl candle_core::CustomOp") {
            operations += 1;
            assert!(has("fn cuda_fwd(") && has("fn metal_fwd("), "{}: no operation for a GPU", path.display());
        }
    }
    assert!(operations > 0, "look-ups are one");
}

#[test]
fn the_drawing_names_every_room_and_no_file_that_is_gone() {
    let drawing = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    for (room, path) in sources() {
        assert!(
            drawing.contains(&format!("{room}/")) || drawing.contains(&format!("{room}.rs")),
            "ARCHITECTURE.md does not name {}",
            path.display()
        );
    }
    let words = drawing.split(|c: char| !(c.is_alphanumeric() || "._/-".contains(c)));
    let known: Vec<String> = sources().iter().map(|(_, path)| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    let tests: Vec<String> = ["tests/it", "benches"]
        .iter()
        .filter_map(|folder| fs::read_dir(root().join(folder)).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    for word in words.filter(|word| word.ends_with(".rs")) {
        let file = word.rsplit('/').next().unwrap_or(word).to_owned();
        let there = known.contains(&file) || tests.contains(&file) || ["lib.rs", "main.rs", "mod.rs"].contains(&file.as_str());
        assert!(there, "ARCHITECTURE.md names {word}, which is gone");
    }
}

#[test]
fn the_checks_of_this_file_see_what_they_look_for() {
    assert_eq!(rooms_named("use crate::fit::{a, b};"), ["fit"]);
    assert_eq!(rooms_named("use crate::{spec::X, law};"), ["spec", "law"]);
    assert_eq!(rooms_named("let x = crate::view::draw(crate::law::y());"), ["view", "law"]);
}
