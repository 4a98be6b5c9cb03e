//! What a grid says of its data: the corpus, checked before it is opened, and how often data are repeated.

use super::super::axis::Axis;
use super::error::{GridError, field, in_range};
use crate::spec::{CorpusSpec, Examples, PairsSpec, Tokenizer};

/// What a plan must know of a corpus; whoever opened it says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CorpusFacts {
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
    /// Distinct tokens.
    pub vocabulary: usize,
    /// How its text became tokens.
    pub tokenizer: Tokenizer,
    /// Tokens that can be trained on without seeing one twice; `None` when there is no end of them.
    pub unique_tokens: Option<u64>,
    /// Held-out windows of one context; `None` when there is no end of them.
    pub held_out_windows: Option<u64>,
    /// The parts of a mixture, in the order of their names.
    pub parts: Vec<PartFacts>,
    /// The pairs, where it is such.
    pub pairs: Option<PairFacts>,
}

/// What a plan must know of pairs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairFacts {
    /// Pairs that can be trained on.
    pub train: u64,
    /// Pairs that no run trains on.
    pub held_out: u64,
    /// The numbers of pairs that are asked for, as the grid lists them.
    pub subsets: Vec<Subset>,
    /// Lines that were left out, in words.
    pub left_out: Vec<String>,
}

/// Some of the pairs, in windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subset {
    /// Pairs that were asked for.
    pub asked: u64,
    /// Pairs that there are of them.
    pub examples: u64,
    /// Windows that they fill.
    pub windows: u64,
}

/// What a plan must know of a part of a mixture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartFacts {
    /// Name of the part, as in the grid.
    pub name: String,
    /// Tokens that can be trained on without seeing one twice.
    pub unique_tokens: u64,
    /// Bytes of text per token, on the held-out text.
    pub bytes_per_token: f64,
}

/// Epochs beyond which a number is a slip of the pen.
const MOST_EPOCHS: f64 = 10_000.0;

/// Refuses what no corpus can be, with the key that is meant.
pub(super) fn checked(corpus: CorpusSpec) -> Result<CorpusSpec, GridError> {
    if let Some(text) = corpus.text() {
        let max_epochs = text.max_epochs;
        in_range("corpus.max_epochs", max_epochs, max_epochs > 0.0 && max_epochs.is_finite(), "above 0")?;
        if text.path.is_empty() || text.path.iter().any(String::is_empty) {
            return Err(field("corpus.path", format!("{:?}", text.path), "a path, a pattern such as docs/*.md, or a list of them"));
        }
    }
    match &corpus {
        CorpusSpec::Mix(mix) => super::mix::check(mix).map(|()| corpus),
        CorpusSpec::Pairs(pairs) => checked_pairs(pairs).map(|()| corpus),
        CorpusSpec::Bpe(text) if text.tokenizer.is_none() => Err(field(
            "corpus.tokenizer",
            "(nothing)",
            "the path of a tokenizer.json where kind = \"bpe\"; `scalelab corpus train-tokenizer` makes one",
        )),
        CorpusSpec::Text(text) => match &text.tokenizer {
            Some(path) => Err(field("corpus.tokenizer", path, "left out where kind = \"text\", which reads bytes; write kind = \"bpe\"")),
            None => Ok(corpus),
        },
        _ => Ok(corpus),
    }
}

fn checked_pairs(pairs: &PairsSpec) -> Result<(), GridError> {
    for (name, paths) in [("corpus.path", &pairs.path), ("corpus.held_out", &pairs.held_out)] {
        if paths.iter().any(String::is_empty) || name == "corpus.path" && paths.is_empty() {
            return Err(field(name, format!("{paths:?}"), "a path, a pattern such as pairs/*.jsonl, or a list of them"));
        }
    }
    match pairs.examples.iter().find(|examples| **examples == Examples::Number(0)) {
        Some(_) => Err(field("corpus.examples", 0, "a number of pairs from 1, or \"all\"")),
        None => Ok(()),
    }
}

/// How often each run sees its data: an axis. Nothing: as seldom as the corpus allows.
pub(super) fn checked_epochs(epochs: Option<Axis<f64>>) -> Result<Vec<f64>, GridError> {
    let Some(Axis(epochs)) = epochs else { return Ok(Vec::new()) };
    for &one in &epochs {
        in_range("budget.epochs", one, (1.0..=MOST_EPOCHS).contains(&one), "from 1 to 10000: D = epochs · unique tokens")?;
    }
    if epochs.is_empty() { Err(GridError::EmptyAxis("budget.epochs")) } else { Ok(epochs) }
}

#[cfg(test)]
mod tests {
    use super::super::Grid;
    use super::super::tests::SMALL;

    fn error(from: &str, to: &str) -> String {
        let text = SMALL.replace(from, to);
        assert_ne!(text, SMALL);
        Grid::parse(&text).expect_err("refused").to_string()
    }

    #[test]
    fn a_corpus_that_cannot_be_is_refused_with_the_key_that_is_meant() {
        let corpus = |line: &str| error("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", line);
        assert!(corpus("{ kind = \"bpe\", path = \"a.txt\" }").contains("train-tokenizer"));
        assert!(corpus("{ kind = \"text\", path = \"a.txt\", tokenizer = \"t.json\" }").contains("write kind = \"bpe\""));
        assert!(corpus("{ kind = \"text\", path = [] }").contains("corpus.path"));
        assert!(corpus("{ kind = \"text\", path = \"a.txt\", max_epochs = 0 }").contains("corpus.max_epochs = 0"));
        let message = corpus("{ kind = \"text\", path = \"a.txt\", seperator = \"x\" }");
        assert!(message.ends_with("did you mean `separator`?"), "{message}");
        assert!(error("tokens = [", "epochs = [0.5], tokens = [").contains("budget.epochs = 0.5"));
        assert!(error("tokens = [", "epochs = [], tokens = [").contains("budget.epochs is an empty list"));
    }
}
