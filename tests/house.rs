//! The house as drawn in ARCHITECTURE.md: which room may import which, who owns which crate, and
//! whether the drawing is still true.
#![expect(clippy::disallowed_methods, reason = "reads the source tree")]

use std::fs;
use std::path::{Path, PathBuf};

/// Room, the rooms it may import.
const DOORS: [(&str, &[&str]); 11] = [
    ("spec", &[]),
    ("corpus", &["spec"]),
    ("train", &["spec", "corpus"]),
    ("results", &["spec"]),
    ("sweep", &["spec", "results"]),
    ("law", &["spec"]),
    ("fit", &["spec", "law"]),
    ("doctor", &["spec"]),
    ("recommend", &["spec", "law", "fit"]),
    ("view", &["spec", "law", "fit", "recommend", "doctor"]),
    ("cli", &["spec", "corpus", "train", "results", "sweep", "law", "fit", "doctor", "recommend", "view"]),
];

/// Crates that one room alone imports, so that each can be replaced in one place.
const OWNED: [(&str, &str); 17] = [
    ("candle_core", "train"),
    ("candle_metal_kernels", "train"),
    ("candle_nn", "train"),
    ("gemm", "train"),
    ("safetensors", "train"),
    ("tokenizers", "corpus"),
    ("memmap2", "corpus"),
    ("flate2", "corpus"),
    ("zstd", "corpus"),
    ("glob", "corpus"),
    ("csv", "results"),
    ("argmin", "fit"),
    ("ndarray", "fit"),
    ("plotters", "view"),
    ("png", "view"),
    ("dejavu", "view"),
    ("clap", "cli"),
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

#[test]
fn crates_are_imported_by_their_owners_alone() {
    let mut broken = Vec::new();
    for (room, path) in sources() {
        for (line, text) in code(&path) {
            for (krate, owner) in OWNED {
                let used = text.contains(&format!("use {krate}::"))
                    || text.contains(&format!(" {krate}::"))
                    || text.contains(&format!("({krate}::"));
                if used && room != owner {
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
    let tests: Vec<String> = ["tests", "benches"]
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
