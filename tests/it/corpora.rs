//! Corpora: no text stands on both sides of the split, batches are a function of the step, and bad input is refused with its name.
#![expect(clippy::disallowed_methods, reason = "a test of corpora writes them")]

use crate::support::snapshot::Transcript;
use crate::support::{grid, succeed, text};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use scalelab::corpus::{Cache, Corpus, Order, inspect};
use scalelab::spec::{CorpusSpec, Random, TextSpec};
use std::collections::HashSet;
use std::path::Path;

/// Letters drawn from a seed; sixteen of them in a row do not meet by chance.
fn letters(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}

/// Documents of a few lines each, some of them repeated whole, some with a long line of an earlier one.
fn documents(seed: u64, count: usize) -> Vec<String> {
    let mut random = Random::new(seed, "documents");
    let mut all: Vec<String> = Vec::new();
    for _ in 0..count {
        let lines = 1 + random.below(8) as usize;
        let mut document: Vec<String> = (0..lines)
            .map(|_| {
                let n = 40 + random.below(200) as usize;
                letters(&mut random, n)
            })
            .collect();
        let earlier = (!all.is_empty()).then(|| all[random.below(all.len() as u64) as usize].clone());
        match (random.below(4), earlier) {
            (0, Some(earlier)) => document = earlier.lines().map(str::to_owned).collect(),
            (1, Some(earlier)) => document.extend(earlier.lines().filter(|line| line.len() >= 100).map(str::to_owned)),
            _ => {}
        }
        all.push(document.join("\n") + "\n");
    }
    all
}

fn json_lines(documents: &[String]) -> String {
    documents.iter().map(|document| serde_json::json!({ "text": document }).to_string() + "\n").collect()
}

fn open(folder: &Path, spec: TextSpec) -> Result<Corpus, scalelab::corpus::CorpusError> {
    let spec = if spec.tokenizer.is_some() { CorpusSpec::Bpe(spec) } else { CorpusSpec::Text(spec) };
    Corpus::open(&spec, &Cache::quiet(folder.join("cache")))
}

/// The order of a run that may see the whole corpus.
fn whole(seed: u64) -> Order<'static> {
    Order { seed, ..Order::default() }
}

/// Long lines that were removed, as `corpus inspect` tells them.
fn duplicate_lines(folder: &Path, spec: &TextSpec) -> u64 {
    inspect(spec, &Cache::quiet(folder.join("cache"))).expect("inspected").0.duplicate_lines
}

/// Every window of both sides, as bytes.
fn sides(corpus: &Corpus, context: usize) -> [Vec<Vec<u8>>; 2] {
    let bytes = |ids: &[u32]| ids.iter().map(|id| *id as u8).collect::<Vec<u8>>();
    let windows = corpus.unique_tokens(context).expect("text") / context as u64;
    let (mut inputs, mut targets) = (vec![0; context], vec![0; context]);
    let train = (0..windows).map(|step| {
        corpus.fill_batch(whole(3), step, 1, context, &mut inputs, &mut targets);
        bytes(&inputs).into_iter().chain(bytes(&targets[context - 1..])).collect()
    });
    let train = train.collect();
    let all = corpus.held_out_windows(context).expect("text") as usize;
    let held_out = corpus.held_out(0, all, context).expect("as many as there are");
    [train, held_out.tokens.chunks_exact(context + 1).map(bytes).collect()]
}

fn shingles(windows: &[Vec<u8>]) -> HashSet<&[u8]> {
    let plain = |part: &&[u8]| !part.contains(&b'\n');
    windows.iter().flat_map(|window| window.windows(16)).filter(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_split_never_leaks_a_document_or_a_duplicate(seed: u64, few in any::<bool>()) {
        let folder = tempfile::tempdir().expect("temporary folder");
        // A few large documents are split by block, many by document.
        let mut all = documents(seed, 900);
        if few {
            all = all.chunks(30).map(<[String]>::concat).collect();
        }
        let path = folder.path().join("all.jsonl");
        std::fs::write(&path, json_lines(&all)).expect("written");
        let spec = TextSpec::of(text(&path));
        prop_assert!(duplicate_lines(folder.path(), &spec) > 50);
        let corpus = open(folder.path(), spec).expect("opens");
        let [train, held_out] = sides(&corpus, 64);
        prop_assert!(held_out.len() > 100, "{}", held_out.len());
        // Short lines may repeat by chance of the generator's copies; where whole documents are divided nothing else can.
        let (train, held_out) = (shingles(&train), shingles(&held_out));
        let held = |document: &String| {
            let parts = || document.as_bytes().windows(16).filter(|part| !part.contains(&b'\n'));
            parts().filter(|part| held_out.contains(part)).count() as f64 / parts().count() as f64
        };
        // Parts that lie over the edge of two windows are in neither.
        let most = all.iter().map(held).fold(0.0, f64::max);
        prop_assert_eq!(most > 0.7, !few, "whole documents are held out, or blocks of them: {}", most);
        let leaks = held_out.iter().filter(|part| train.contains(*part)).count();
        let shared = if few { leaks / 16 } else { leaks };
        let short_copies = all.iter().flat_map(|document| document.lines()).filter(|line| line.len() < 100).count();
        prop_assert!(shared == 0 || few && shared < short_copies, "{} shared of {}", shared, train.len());
    }
}

#[test]
fn a_batch_is_the_same_whoever_asks_for_it_and_whenever() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("all.jsonl");
    std::fs::write(&path, json_lines(&documents(7, 900))).expect("written");
    let batch = |corpus: &Corpus, order: Order, step: u64| {
        let (mut inputs, mut targets) = (vec![0; 4 * 32], vec![0; 4 * 32]);
        corpus.fill_batch(order, step, 4, 32, &mut inputs, &mut targets);
        assert_eq!(inputs[1..32], targets[..31]);
        inputs
    };
    let first = open(folder.path(), TextSpec::of(text(&path))).expect("opens");
    // Opened again from the cache, and asked out of order, as a resumed run does.
    let again = open(folder.path(), TextSpec::of(text(&path))).expect("opens");
    assert_eq!(first.sha256(), again.sha256());
    for order in [whole(0), Order { unique_tokens: Some(1024), ..Order::default() }] {
        let forwards: Vec<_> = (0..40).map(|step| batch(&first, order, step)).collect();
        let backwards: Vec<_> = (0..40).rev().map(|step| batch(&again, order, step)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
    }
    let limited: HashSet<Vec<u32>> = (0..40)
        .flat_map(|step| {
            batch(&first, Order { unique_tokens: Some(1024), ..Order::default() }, step).chunks(32).map(<[u32]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(limited.len(), 32, "1024 tokens are 32 windows, however often they come");
    assert_eq!(batch(&first, whole(0), 5), batch(&first, Order { unique_tokens: Some(1024), ..Order::default() }, 5), "the same prefix");
    assert_ne!(batch(&first, whole(0), 5), batch(&first, whole(1), 5));
}

#[test]
fn a_plain_file_without_duplicates_is_read_as_it_lies_there() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("plain.txt");
    let mut random = Random::new(2, "plain");
    let content: String = (0..6000).map(|_| letters(&mut random, 50) + "\n").collect();
    std::fs::write(&path, &content).expect("written");
    let spec = TextSpec::of(text(&path));
    let as_it_is = open(folder.path(), TextSpec { deduplicate: false, ..spec.clone() }).expect("opens");
    let checked = open(folder.path(), spec.clone()).expect("opens");
    assert_eq!(as_it_is.sha256(), checked.sha256());
    assert_eq!(sides(&as_it_is, 100), sides(&checked, 100));
    let long = "X".repeat(200);
    std::fs::write(&path, format!("{long}\n{content}{long}\n")).expect("written");
    let shorter = open(folder.path(), spec.clone()).expect("opens");
    assert_eq!(duplicate_lines(folder.path(), &spec), 1);
    let [train, held_out] = sides(&shorter, 100);
    let with_x = |windows: &[Vec<u8>]| windows.iter().filter(|window| window.starts_with(b"XX")).count();
    assert!(with_x(&train) + with_x(&held_out) <= 3);
    // The same text packed is the same corpus.
    let packed = folder.path().join("packed.txt");
    std::fs::write(&packed, zstd::encode_all(format!("{long}\n{content}{long}\n").as_bytes(), 3).expect("packs")).expect("written");
    assert_eq!(open(folder.path(), TextSpec::of(text(&packed))).expect("opens").sha256(), shorter.sha256());
}

#[test]
fn bad_text_is_refused_with_file_and_place() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        TextSpec::of(text(&path))
    };
    let mut said = Transcript::default();
    let inside = text(folder.path());
    for spec in [at("empty.txt", b""), at("empty.jsonl", b"\n\n"), TextSpec::of(format!("{inside}/*.md")), TextSpec::of(inside)] {
        said.text(&open(folder.path(), spec).err().expect("refused").to_string());
    }
    let open = |spec| open(folder.path(), spec).expect("opens");
    let corpus = open(at("good.jsonl", json_lines(&documents(1, 900)).as_bytes()));
    let available = corpus.held_out_windows(64).expect("text") as usize;
    let few = corpus.held_out(0, available + 1, 64).expect_err("too many").to_string();
    said.text(&few);
    said.check("corpora_refused");
}

#[cfg(feature = "train")]
mod tokenizers {
    use super::*;
    use crate::support::{scalelab, stderr};

    /// A text with a tokenizer trained on it by the program.
    fn prepared() -> (tempfile::TempDir, TextSpec) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (path, out) = (folder.path().join("all.jsonl"), folder.path().join("tokenizer.json"));
        std::fs::write(&path, json_lines(&documents(5, 900))).expect("written");
        run_in(folder.path(), &["corpus", "train-tokenizer", text(&path), "--vocabulary", "400", "--out", text(&out)]);
        let spec = TextSpec { tokenizer: Some(text(&out).into()), ..TextSpec::of(text(&path)) };
        (folder, spec)
    }

    /// Runs the program with its cache in a folder of ours.
    fn run_in(folder: &Path, args: &[&str]) -> String {
        let output = scalelab(args).env("XDG_CACHE_HOME", folder.join("xdg")).output().expect("starts");
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn a_tokenized_corpus_marks_documents_and_counts_its_bytes() {
        let (folder, spec) = prepared();
        let corpus = open(folder.path(), spec.clone()).expect("opens");
        assert_eq!(corpus.vocabulary(), 400);
        let windows = corpus.held_out_windows(32).expect("text") as usize;
        let ids = corpus.held_out(0, windows, 32).expect("all").tokens;
        let [begins, ends] = [0, 1].map(|id| ids.iter().filter(|found| **found == id).count());
        assert!(begins > 20 && begins.abs_diff(ends) < 5, "{begins} begins, {ends} ends");
        let of_bytes = open(folder.path(), TextSpec { tokenizer: None, ..spec.clone() }).expect("opens");
        let bytes = of_bytes.held_out_windows(32).expect("text") as f64 * 32.0;
        let ratio = corpus.tokenizer().bytes_per_token;
        // The same documents are held out, so bytes over tokens can be counted from outside; a window more or less at the end.
        assert!((ratio / (bytes / (windows as f64 * 32.0)) - 1.0).abs() < 0.02 && ratio > 1.2, "{ratio}");
        let unmarked = open(folder.path(), TextSpec { document_tokens: Some(false), ..spec }).expect("opens");
        let ids = unmarked.held_out(0, 100, 32).expect("enough").tokens;
        assert!(ids.iter().all(|id| *id > 1));
        assert_ne!(unmarked.sha256(), corpus.sha256());
    }

    #[test]
    fn text_that_is_no_utf8_is_refused_with_the_byte() {
        let (folder, spec) = prepared();
        let path = folder.path().join("broken.txt");
        let mut content = documents(3, 500).concat().into_bytes();
        content[200_000] = 0xff;
        std::fs::write(&path, &content).expect("written");
        let broken = TextSpec { path: vec![text(&path).into()], deduplicate: false, ..spec };
        let mut said = Transcript::default();
        said.text(&open(folder.path(), broken).err().expect("refused").to_string());
        said.check("corpora_not_utf8");
    }

    #[test]
    fn a_sweep_through_a_tokenizer_counts_bits_per_byte_and_refuses_other_data() {
        let (folder, spec) = prepared();
        let (corpus, tokenizer) = (&spec.path[0], spec.tokenizer.as_deref().expect("has one"));
        let grid = folder.path().join("grid.toml");
        let write = |tokenizer: &str| {
            let text = format!(
                "name = \"bpe\"\nladder = {{ kind = \"list\", shapes = [\"1x8\"] }}\ncorpus = {{ kind = \"bpe\", path = {corpus:?}, tokenizer = {tokenizer:?} }}\nbudget = {{ tokens = [\"16k\"], epochs = [1, 4] }}\n[model]\ncontext = 32\n[recipe]\nbatch_tokens = 256\n[eval]\nwindows = 64\n"
            );
            std::fs::write(&grid, text).expect("written");
        };
        write(tokenizer);
        let results = folder.path().join("results");
        let args = ["sweep", text(&grid), "--results", text(&results), "--workers", "1"];
        run_in(folder.path(), &args);
        let csv = std::fs::read_to_string(results.join("bpe/runs.csv")).expect("there");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        let of = |row: &csv::StringRecord, name: &str| row[header.iter().position(|column| column == name).expect("a column")].to_owned();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            let number = |name: &str| of(row, name).parse::<f64>().expect("a number");
            assert_eq!((of(row, "vocabulary"), of(row, "status")), ("400".into(), "finished".into()));
            assert!(of(row, "tokenizer").starts_with("bpe-400-"));
            let bits = number("loss_nats") / number("bytes_per_token") / std::f64::consts::LN_2;
            assert!((number("bits_per_byte") / bits - 1.0).abs() < 1e-12);
        }
        assert_eq!(of(&rows[1], "epochs"), "4.0");
        // Another tokenizer, then another text, in the same folder.
        let other = folder.path().join("other.json");
        run_in(folder.path(), &["corpus", "train-tokenizer", corpus, "--vocabulary", "300", "--out", text(&other)]);
        let mut said = Transcript::default();
        let mut refused = |what: &str| {
            let output = scalelab(&args).env("XDG_CACHE_HOME", folder.path().join("xdg")).output().expect("starts");
            assert_eq!(output.status.code(), Some(2));
            said.about(what);
            said.answer(&args, &stderr(&output));
        };
        write(text(&other));
        refused("another tokenizer");
        write(tokenizer);
        std::fs::write(corpus, json_lines(&documents(6, 900))).expect("written");
        refused("another text");
        said.check("corpora_other_data");
    }
}

#[test]
fn a_text_is_described_and_a_source_tells_its_entropy() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("all.jsonl");
    std::fs::write(&path, json_lines(&documents(9, 900))).expect("written");
    let found: serde_json::Value = serde_json::from_str(&succeed(&["corpus", "inspect", text(&path), "--json"])).expect("JSON");
    assert_eq!(found["contents"]["documents"], 900);
    assert!(found["contents"]["duplicate_documents"].as_u64().expect("a count") > 30);
    // 26 letters, as often each, and a line end in 140: a little above ln 26 = 3.26.
    let entropy = found["text"]["order_0_nats"].as_f64().expect("a number");
    assert!((3.2..3.4).contains(&entropy), "{entropy}");
    let mut said = Transcript::default();
    said.succeed(&["corpus", "inspect", text(&path)]);
    let output: serde_json::Value = serde_json::from_str(&succeed(&["corpus", "entropy", "sweeps/quick.toml", "--json"])).expect("JSON");
    assert!((output["entropy_nats"].as_f64().expect("a number") - 0.747_873).abs() < 5e-7, "{output}");
    let (floor, se) = (output["floor_nats"].as_f64().expect("a number"), output["floor_se_nats"].as_f64().expect("a number"));
    assert!((floor - 0.747_873).abs() < 5.0 * se && se < 0.01, "{output}");
    let (_grid, of_text) = grid(&std::fs::read_to_string("sweeps/smoke.toml").expect("there").replace(
        "{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }",
        &format!("{{ kind = \"text\", path = {:?}, deduplicate = false }}", text(&path)),
    ));
    said.refused(&["corpus", "entropy", text(&of_text)]);
    said.refused(&["corpus", "inspect", "no/such.txt"]);
    said.refused(&["corpus", "inspect", "sweeps/smoke.toml"]);
    said.check("corpora_inspected");
}
