//! Byte-level byte-pair tokenizers through the `tokenizers` crate: trained (Sennrich 1508.07909, on bytes as in GPT-2), and
//! loaded from any `tokenizer.json` that gives its text back.

use super::CorpusError;
use super::source::sha256;
use std::path::{Path, PathBuf};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, NormalizerWrapper, PaddingParams, Tokenizer, TokenizerBuilder, TruncationParams};

/// Tokens that our own tokenizers put around a document.
const OWN: [&str; 2] = ["<|begin|>", "<|end|>"];
/// What others call the beginning of a document.
const BEGINS: [&str; 7] = [OWN[0], "<|begin_of_text|>", "<|startoftext|>", "<|begin▁of▁sentence|>", "<s>", "<bos>", "[BOS]"];
/// What others call its end.
const ENDS: [&str; 7] = [OWN[1], "<|end_of_text|>", "<|endoftext|>", "<|end▁of▁sentence|>", "</s>", "<eos>", "[EOS]"];
/// Every byte, begin and end.
const LEAST_VOCABULARY: usize = 256 + OWN.len();
/// Beyond it a small network is all embedding.
const MOST_VOCABULARY: usize = 1 << 20;

/// A tokenizer that was loaded.
pub(super) struct Bpe {
    tokenizer: Tokenizer,
    path: PathBuf,
    /// `bpe-1024-` and the first eight digits of the hash of its file.
    pub(super) name: String,
    /// Distinct ids.
    pub(super) vocabulary: usize,
    /// Ids around a document, where it knows them.
    pub(super) begin: Option<u32>,
    pub(super) end: Option<u32>,
}

impl Bpe {
    pub(super) fn open(path: &Path) -> Result<Self, CorpusError> {
        let wrong = |problem: String| CorpusError::Tokenizer { path: path.to_owned(), problem };
        let make = "make one with `scalelab corpus train-tokenizer`";
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}; {make}")))?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| wrong(format!("is no tokenizer.json: {error}; {make}")))?;
        // A document is one text, however long; text that looks like a special token is text.
        tokenizer.with_truncation(None::<TruncationParams>).map_err(|error| wrong(error.to_string()))?;
        tokenizer.with_padding(None::<PaddingParams>).set_encode_special_tokens(true);
        let vocabulary = tokenizer.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1);
        let known = |names: &[&str]| names.iter().find_map(|name| tokenizer.token_to_id(name));
        let (begin, end) = (known(&BEGINS), known(&ENDS));
        let name = format!("bpe-{vocabulary}-{}", &sha256(&bytes)[..8]);
        Ok(Self { tokenizer, path: path.to_owned(), name, vocabulary, begin, end })
    }

    /// The ids of each text, without special tokens.
    pub(super) fn encode(&self, texts: Vec<&str>) -> Result<Vec<Vec<u32>>, CorpusError> {
        let encodings = self.tokenizer.encode_batch_fast(texts, false).map_err(|error| self.wrong(error.to_string()))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// Refuses a tokenizer that loses text: bits per byte would be those of another text.
    pub(super) fn check(&self, text: &str, ids: &[u32]) -> Result<(), CorpusError> {
        let back = self.tokenizer.decode(ids, false).map_err(|error| self.wrong(error.to_string()))?;
        let kept = |text: &str| text.trim().to_owned();
        if kept(&back) == kept(text) {
            return Ok(());
        }
        let same = back.chars().zip(text.chars()).take_while(|(a, b)| a == b).count();
        let around: String = text.chars().skip(same.saturating_sub(10)).take(30).collect();
        Err(self
            .wrong(format!("does not give the text back near {around:?}, so bits per byte would be of another text; use a byte-level one")))
    }

    fn wrong(&self, problem: String) -> CorpusError {
        CorpusError::Tokenizer { path: self.path.clone(), problem }
    }
}

/// Trains a byte-level tokenizer of so many tokens; its `tokenizer.json`.
pub(super) fn train<'a>(texts: impl Iterator<Item = &'a str> + Send, vocabulary: usize) -> Result<Vec<u8>, CorpusError> {
    if !(LEAST_VOCABULARY..=MOST_VOCABULARY).contains(&vocabulary) {
        return Err(CorpusError::VocabularySize { found: vocabulary, least: LEAST_VOCABULARY, most: MOST_VOCABULARY });
    }
    let wrong = |error: tokenizers::Error| CorpusError::Tokenizer { path: "(new)".into(), problem: format!("cannot be trained: {error}") };
    let bytes = || ByteLevel::new(false, true, true);
    let mut tokenizer = TokenizerBuilder::<BPE, NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(bytes()))
        .with_post_processor(Some(bytes()))
        .with_decoder(Some(bytes()))
        .build()
        .map_err(wrong)?;
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocabulary)
        .show_progress(false)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(OWN.map(|token| AddedToken::from(token, true)).to_vec())
        .build();
    tokenizer.train(&mut trainer, texts).and_then(|trained| trained.to_string(true)).map(String::into_bytes).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "the cat sat on the mat, the dog on the log; 猫坐在垫子上 <|end|>\n\tand so on and so on";

    fn trained(vocabulary: usize) -> (tempfile::TempDir, Bpe) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, train([TEXT; 4].into_iter(), vocabulary).expect("trains")).expect("written");
        let bpe = Bpe::open(&path).expect("loads");
        (folder, bpe)
    }

    #[test]
    fn a_trained_tokenizer_gives_every_text_back_in_fewer_tokens() {
        let (_folder, bpe) = trained(300);
        assert_eq!((bpe.vocabulary, bpe.begin, bpe.end), (300, Some(0), Some(1)));
        for text in [TEXT, "unseen Straße 🦀\u{0}\r\n", " "] {
            let ids = bpe.encode(vec![text]).expect("encodes").remove(0);
            bpe.check(text, &ids).expect("gives it back");
            assert!(ids.iter().all(|id| (2..300).contains(id)), "text that looks like a special token is text");
        }
        let ids = bpe.encode(vec![TEXT]).expect("encodes").remove(0);
        assert!(ids.len() < TEXT.len() * 2 / 3, "{} tokens of {} bytes", ids.len(), TEXT.len());
        assert!(bpe.check(TEXT, &ids[1..]).is_err());
    }

    #[test]
    fn training_is_the_same_every_time() {
        let train = || train([TEXT; 4].into_iter(), 290).expect("trains");
        assert_eq!(train(), train());
    }

    #[test]
    fn what_is_no_tokenizer_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("t.json");
        let error = || Bpe::open(&path).err().expect("refused").to_string();
        assert!(error().contains("cannot be read") && error().contains("train-tokenizer"));
        std::fs::write(&path, "{}").expect("written");
        assert!(error().contains("is no tokenizer.json"), "{}", error());
        assert!(matches!(train([TEXT].into_iter(), 100), Err(CorpusError::VocabularySize { found: 100, least: 258, .. })));
    }
}
