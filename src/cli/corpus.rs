//! `scalelab corpus`: what a text is like, what a synthetic source allows at best, and a tokenizer for a text.

use super::devices::Found;
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::load::{load, open_corpus, read_grid};
use super::preparing::with_cache;
use super::text::table;
use crate::corpus::{Contents, CorpusError, Statistics, inspect, train_tokenizer};
use crate::results::write_whole;
use crate::spec::{CorpusSpec, TextSpec};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use std::f64::consts::LN_2;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab corpus inspect corpora/sotu.txt\n  scalelab corpus inspect 'web/*.jsonl.zst' --field content\n  scalelab corpus entropy sweeps/entropy.toml\n  scalelab corpus train-tokenizer sotu.txt --vocabulary 1024 --out bpe.json"
)]
pub(super) struct CorpusArgs {
    #[command(subcommand)]
    command: CorpusCommand,
}

#[derive(Subcommand)]
enum CorpusCommand {
    /// Bytes, documents, duplicates, entropies and compression of a text
    #[command(after_help = "Examples:\n  scalelab corpus inspect corpora/sotu.txt\n  scalelab corpus inspect sweeps/chinese.toml --json")]
    Inspect(InspectArgs),
    /// The exact entropy of the source of a grid
    ///
    /// And the lowest loss that is possible on its held-out windows.
    #[command(after_help = "Example:\n  scalelab corpus entropy sweeps/entropy.toml")]
    Entropy(EntropyArgs),
    /// Train a byte-level byte-pair tokenizer on the training side of a text
    #[command(
        override_usage = "scalelab corpus train-tokenizer --vocabulary <N> --out <FILE> <PATH>...",
        after_help = "Example:\n  scalelab corpus train-tokenizer sotu.txt --vocabulary 1024 --out bpe.json\n\nA grid reads through it with\n  corpus = { kind = \"bpe\", path = \"sotu.txt\", tokenizer = \"bpe.json\" }"
    )]
    TrainTokenizer(TokenizerArgs),
}

/// A text as the command line names it.
#[derive(Args)]
struct TextArgs {
    /// Files or patterns, plain, gzip or zstd
    #[arg(required = true)]
    path: Vec<String>,
    /// The member of a JSON line that holds the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    field: String,
    /// What stands between two documents of a file; \n is a new line
    #[arg(long, value_name = "TEXT")]
    separator: Option<String>,
}

#[derive(Args)]
struct InspectArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct EntropyArgs {
    /// Grid file, or the name of a sweep
    grid: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct TokenizerArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Number of tokens
    ///
    /// Every byte, begin and end of a document, and as many pairs as are left.
    #[arg(long, value_name = "N")]
    vocabulary: usize,
    /// The tokenizer.json to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &CorpusArgs) -> Outcome {
    match &args.command {
        CorpusCommand::Inspect(args) => run_inspect(args),
        CorpusCommand::Entropy(args) => run_entropy(args),
        CorpusCommand::TrainTokenizer(args) => run_train(args),
    }
}

impl TextArgs {
    /// The text that is named, by itself or by a grid.
    fn spec(&self) -> Result<TextSpec, Failure> {
        if let [grid] = &self.path[..]
            && grid.ends_with(".toml")
        {
            let grid = read_grid(grid.as_ref())?;
            return grid.corpus.text().cloned().ok_or_else(|| {
                let name = grid.corpus.name();
                let what = if grid.corpus.pairs().is_some() {
                    "pairs, not text; `scalelab plan` counts them"
                } else {
                    "a synthetic source, not text; see `scalelab corpus entropy`"
                };
                Failure::Input(anyhow!("{name} is {what}"))
            });
        }
        let separator = self.separator.as_ref().map(|text| text.replace("\\n", "\n").replace("\\t", "\t"));
        Ok(TextSpec { path: self.path.clone(), field: self.field.clone(), separator, ..TextSpec::of("") })
    }
}

fn refused(error: CorpusError) -> Failure {
    match error {
        CorpusError::Cache { .. } => Failure::Work(error.into()),
        error => Failure::Input(error.into()),
    }
}

fn run_inspect(args: &InspectArgs) -> Outcome {
    let spec = args.text.spec()?;
    let (contents, statistics) = with_cache(|cache| inspect(&spec, cache)).map_err(refused)?;
    if statistics.bytes == 0 {
        return Err(Failure::Input(anyhow!("the corpus {} is empty", spec.path.join(", "))));
    }
    let name = CorpusSpec::Text(spec).name();
    if args.json {
        println!("{:#}", json!({ "corpus": name, "contents": contents, "text": statistics }));
    } else {
        print!("{}", inspected(&name, &contents, &statistics));
    }
    Ok(())
}

fn inspected(name: &str, contents: &Contents, text: &Statistics) -> String {
    let part = |bytes: u64| format!("{bytes} bytes ({:.2} %)", 100.0 * bytes as f64 / contents.bytes.max(1) as f64);
    let verb = if contents.removed { "removed" } else { "kept, as the grid says" };
    let mut out = format!("{name}: {} files, {} bytes, {} documents\n", contents.files, contents.bytes, contents.documents);
    out += &format!(
        "  equal documents: {}, {}; equal lines of 100 bytes or more: {}, {}; {verb}\n",
        contents.duplicate_documents,
        part(contents.duplicate_document_bytes),
        contents.duplicate_lines,
        part(contents.duplicate_line_bytes)
    );
    let characters = match text.characters {
        Some(count) => format!("{count} characters, {:.2} bytes each", text.bytes as f64 / count.max(1) as f64),
        None => "no UTF-8: a tokenizer cannot read it".into(),
    };
    out += &format!("  left: {} bytes of {} values; {characters}\n", text.bytes, text.distinct_bytes);
    let row = |name: &str, nats: f64| vec![name.to_owned(), format!("{nats:.4}"), format!("{:.4}", nats / LN_2)];
    let rows = [
        row("single bytes (order 0)", text.order_0_nats),
        row("given the byte before (order 1)", text.order_1_nats),
        row("compressed by zstd, level 9", 8.0 * LN_2 * text.compression),
    ];
    out + &table(&["", "nats per byte", "bits per byte"], &rows) + &format!("  compression rate {:.4}\n", text.compression)
}

fn run_entropy(args: &EntropyArgs) -> Outcome {
    let loaded = load(&args.grid, false, &Found::processor(None))?;
    let corpus = open_corpus(&loaded.grid)?;
    let entropy = corpus.entropy_nats().ok_or_else(|| {
        let name = loaded.grid.corpus.name();
        Failure::Input(anyhow!("the entropy of {name} is not known: it is text; `scalelab corpus inspect` bounds it from above"))
    })?;
    let context = loaded.grid.shapes[0].context;
    let windows = loaded.plan.eval_windows;
    let held_out = corpus.held_out(loaded.grid.seeds.eval, windows as usize, context).or_input()?;
    let (mean, se) = held_out.floor().expect("a source of known entropy has a floor");
    if args.json {
        println!(
            "{:#}",
            json!({
                "corpus": loaded.grid.corpus.name(), "entropy_nats": entropy, "entropy_bits": entropy / LN_2,
                "floor_nats": mean, "floor_se_nats": se, "windows": windows, "context": context, "seed_eval": loaded.grid.seeds.eval,
            })
        );
        return Ok(());
    }
    println!("{}", loaded.grid.corpus.name());
    println!("  entropy rate, exact: {entropy:.6} nats per byte, {:.6} bits", entropy / LN_2);
    println!("  paired floor: {mean:.6} nats per byte, the lowest mean loss possible on the {windows} held-out windows of {context}");
    println!("  ({:+.6} from the rate; windows drawn anew would scatter by {se:.6})", mean - entropy);
    println!("  no loss of this sweep can lie below the paired floor; it is what a fitted E estimates");
    Ok(())
}

fn run_train(args: &TokenizerArgs) -> Outcome {
    let spec = args.text.spec()?;
    if args.out.is_dir() {
        return Err(Failure::Input(anyhow!("--out {} is a folder; name the file to write", args.out.display())));
    }
    let json = with_cache(|cache| train_tokenizer(&spec, args.vocabulary, cache)).map_err(refused)?;
    write_whole(&args.out, &json).with_context(|| format!("{} cannot be written", args.out.display())).or_work()?;
    let read = CorpusSpec::Bpe(TextSpec { tokenizer: Some(args.out.to_string_lossy().into_owned()), ..spec });
    let corpus = with_cache(|cache| crate::corpus::Corpus::open(&read, cache)).map_err(refused)?;
    let tokenizer = corpus.tokenizer();
    println!("{}: {} tokens", args.out.display(), corpus.vocabulary());
    println!("  {}: {:.4} bytes per token on the held-out text", tokenizer.name, tokenizer.bytes_per_token);
    if corpus.vocabulary() < args.vocabulary {
        println!("  fewer tokens than asked for: no further pair occurs twice in the training side");
    }
    Ok(())
}
