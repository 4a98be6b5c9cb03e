//! In place of bpe.rs where the laboratory is built without training: a tokenizer is refused.

use super::CorpusError;
use std::convert::Infallible;
use std::path::Path;

/// A tokenizer; there is none in this build.
pub(super) struct Bpe {
    pub(super) name: String,
    pub(super) vocabulary: usize,
    pub(super) begin: Option<u32>,
    pub(super) end: Option<u32>,
    never: Infallible,
}

impl Bpe {
    pub(super) fn open(path: &Path) -> Result<Self, CorpusError> {
        Err(refused(path))
    }

    pub(super) fn encode(&self, _: Vec<&str>) -> Result<Vec<Vec<u32>>, CorpusError> {
        match self.never {}
    }

    pub(super) fn check(&self, _: &str, _: &[u32]) -> Result<(), CorpusError> {
        match self.never {}
    }
}

pub(super) fn train<'a>(_: impl Iterator<Item = &'a str> + Send, _: usize) -> Result<Vec<u8>, CorpusError> {
    Err(refused(Path::new("(new)")))
}

fn refused(path: &Path) -> CorpusError {
    let problem = "this scalelab was built without training (--no-default-features), and so without tokenizers".into();
    CorpusError::Tokenizer { path: path.to_owned(), problem }
}
