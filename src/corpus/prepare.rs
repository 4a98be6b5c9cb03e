//! From files to what is read in training: documents without duplicates, split by the hash of each document (of blocks of
//! 4 KiB where there are few documents), as bytes or through a tokenizer. Done once; the result stands in a cache, under a
//! name that hashes the files, the tokenizer and the settings.

use super::bpe::Bpe;
use super::documents::{Contents, for_each_document};
use super::source::{files, is_json_lines, is_packed, map, sha256};
use super::statistics::Statistics;
use super::streams::{Streams, StreamsMeta, StreamsWriter};
use super::text::{BLOCK, LEAST_BYTES, Text, is_held_out};
use super::{Cache, CorpusError, Preparing};
use crate::spec::{TextSpec, Tokenizer};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Fewer documents are split by block: a tenth of a handful of documents is a matter of luck.
const LEAST_DOCUMENTS: usize = 64;
/// Text that is tokenized at once.
const AT_ONCE: usize = 1 << 22;
/// Pieces of text that a tokenizer must give back before it is used.
const PROVEN: usize = 200;
/// Changes when prepared text would come out otherwise.
const FORMAT: &str = "scalelab corpus 1";
/// Ids around a document where text is read as bytes.
const BYTE_DOCUMENT: [u32; 2] = [256, 257];

/// What is divided between the sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SplitUnit {
    /// Blocks of 4 KiB.
    #[default]
    Blocks,
    /// Whole documents go to one side of the split.
    Documents,
}

/// A text corpus that can be read.
pub(super) struct Prepared {
    pub(super) form: Form,
    pub(super) meta: Meta,
}

impl Prepared {
    /// SHA-256 of what is read.
    pub(super) fn sha256(&self) -> String {
        match (&self.form, &self.meta.streams) {
            (Form::Blocks(text), _) => text.sha256(),
            (Form::Streams(_), Some(streams)) => sha256(format!("{} {}", self.meta.tokenizer.name, streams.sha256).as_bytes()),
            (Form::Streams(_), None) => unreachable!("streams are opened from what is kept of them"),
        }
    }
}

/// How it is read.
pub(super) enum Form {
    /// As one run of bytes, in blocks.
    Blocks(Text),
    /// As two files of tokens.
    Streams(Streams),
}

/// What is kept beside the files of the cache.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Meta {
    /// None where nothing was prepared: one plain file, read as it is.
    pub(super) contents: Option<Contents>,
    pub(super) unit: SplitUnit,
    /// Number of distinct token ids, V.
    pub(super) vocabulary: usize,
    pub(super) tokenizer: Tokenizer,
    /// Of the text without duplicates, where it is read in blocks; empty where it is the file itself.
    text_sha256: String,
    streams: Option<StreamsMeta>,
}

/// Opens a text corpus, preparing it where the cache does not hold it yet.
pub(super) fn prepare(spec: &TextSpec, cache: &Cache<'_>) -> Result<Prepared, CorpusError> {
    let files = files(&spec.path)?;
    let plain = plain_file(spec, &files)?;
    if let (Some(path), false) = (plain, spec.deduplicate) {
        let meta = Meta { vocabulary: 256, ..Meta::default() };
        return Ok(Prepared { form: Form::Blocks(Text::open(path)?), meta });
    }
    let bpe = spec.tokenizer.as_ref().map(|path| Bpe::open(path.as_ref())).transpose()?;
    let key = key(spec, &files, bpe.as_ref(), cache)?;
    let folder = cache.folder.join(&key);
    if let Some(found) = open(&folder, plain) {
        return found;
    }
    let work = Workplace::new(cache, &key)?;
    let made = Making { spec, files: &files, plain, bpe, cache, folder: &work.0 }.make()?;
    let kept = |source| CorpusError::Cache { path: folder.clone(), source };
    fs::write(work.0.join(META), serde_json::to_vec_pretty(&made).map_err(|error| kept(error.into()))?).map_err(kept)?;
    // What lies there is damaged, or was made by another worker just now: both are as good as what we made, or worse.
    let _ = fs::remove_dir_all(&folder);
    if let Err(error) = fs::rename(&work.0, &folder) {
        return open(&folder, plain).unwrap_or(Err(kept(error)));
    }
    open(&folder, plain).unwrap_or_else(|| Err(kept(std::io::Error::other("what was written reads otherwise"))))
}

const META: &str = "corpus.json";

/// The one plain file that can be read in place, where nothing but duplicates speaks against it.
fn plain_file<'a>(spec: &TextSpec, files: &'a [PathBuf]) -> Result<Option<&'a Path>, CorpusError> {
    let [path] = files else { return Ok(None) };
    let as_it_is = spec.tokenizer.is_none() && spec.document_tokens != Some(true) && spec.separator.is_none();
    let plain = as_it_is && !is_json_lines(path) && !is_packed(&map(path)?);
    Ok(plain.then_some(path.as_path()))
}

/// A name for what comes of these files and settings.
fn key(spec: &TextSpec, files: &[PathBuf], bpe: Option<&Bpe>, cache: &Cache<'_>) -> Result<String, CorpusError> {
    let TextSpec { path: _, field, separator, deduplicate, tokenizer: _, document_tokens, max_epochs: _ } = spec;
    let name = bpe.map_or("bytes", |bpe| &bpe.name);
    let mut text = format!("{FORMAT}\n{field:?} {separator:?} {deduplicate} {document_tokens:?} {name}\n");
    let total = files.iter().filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum();
    let mut done = 0;
    for path in files {
        let bytes = map(path)?;
        done += bytes.len() as u64;
        text += &format!("{} {}\n", if is_json_lines(path) { "lines" } else { "text" }, sha256(&bytes));
        (cache.told)(&Preparing { stage: "hashing", done, total });
    }
    Ok(sha256(text.as_bytes())[..32].to_owned())
}

/// What the cache holds under a name; none where it holds nothing whole.
fn open(folder: &Path, plain: Option<&Path>) -> Option<Result<Prepared, CorpusError>> {
    let meta: Meta = serde_json::from_slice(&fs::read(folder.join(META)).ok()?).ok()?;
    if let Some(streams) = &meta.streams {
        let form = Form::Streams(Streams::open(folder, streams)?);
        return Some(Ok(Prepared { form, meta }));
    }
    let text = match (plain, meta.text_sha256.as_str()) {
        (Some(path), "") => Text::open(path),
        (_, sum) => Text::open(&folder.join(TEXT)).ok().filter(|text| text.sha256() == sum).map(Ok)?,
    };
    Some(text.map(|text| Prepared { form: Form::Blocks(text), meta }))
}

const TEXT: &str = "text";

/// A folder of our own in the cache, gone when dropped.
struct Workplace(PathBuf);

impl Workplace {
    fn new(cache: &Cache<'_>, key: &str) -> Result<Self, CorpusError> {
        let path = cache.folder.join(format!(".{key}.{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|source| CorpusError::Cache { path: cache.folder.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A corpus in the making.
struct Making<'a> {
    spec: &'a TextSpec,
    files: &'a [PathBuf],
    plain: Option<&'a Path>,
    bpe: Option<Bpe>,
    cache: &'a Cache<'a>,
    folder: &'a Path,
}

/// A part of the text that falls to one side as a whole.
struct Piece {
    start: usize,
    end: usize,
    /// Whether a document begins with it.
    first: bool,
    /// Whether a document ends with it.
    last: bool,
}

impl Making<'_> {
    fn make(self) -> Result<Meta, CorpusError> {
        let Gathered { contents, documents, bytes } = gather(self.spec, self.files, self.cache, &self.folder.join(TEXT))?;
        if bytes < LEAST_BYTES {
            let path = self.spec.path.join(", ").into();
            return Err(CorpusError::TooShort { path, bytes, least: LEAST_BYTES });
        }
        let unit = if documents.len() < LEAST_DOCUMENTS { SplitUnit::Blocks } else { SplitUnit::Documents };
        let marked = self.spec.document_tokens.unwrap_or(self.bpe.is_some());
        let mut meta = Meta { contents: Some(contents), unit, vocabulary: 256, ..Meta::default() };
        let text = self.folder.join(TEXT);
        if unit == SplitUnit::Blocks && self.bpe.is_none() && !marked {
            let untouched = self.plain.and_then(|path| path.metadata().ok()).is_some_and(|data| data.len() == bytes);
            if untouched {
                let _ = fs::remove_file(&text);
            } else {
                meta.text_sha256 = sha256(&map(&text)?);
            }
            return Ok(meta);
        }
        meta.vocabulary = self.bpe.as_ref().map_or(if marked { 258 } else { 256 }, |bpe| bpe.vocabulary);
        let streams = self.tokenize(&documents, unit, marked, meta.vocabulary)?;
        let _ = fs::remove_file(&text);
        meta.tokenizer = Tokenizer {
            name: self.bpe.map_or(if marked { "bytes+documents" } else { "bytes" }.to_owned(), |bpe| bpe.name),
            bytes_per_token: streams.held_out_bytes as f64 / streams.held_out_tokens.max(1) as f64,
        };
        meta.streams = Some(streams);
        Ok(meta)
    }

    /// Writes the tokens of the training and the held-out side.
    fn tokenize(&self, documents: &[[usize; 2]], unit: SplitUnit, marked: bool, vocabulary: usize) -> Result<StreamsMeta, CorpusError> {
        let kept = |source| CorpusError::Cache { path: self.folder.to_owned(), source };
        let text = map(&self.folder.join(TEXT))?;
        let mut writer = StreamsWriter::new(self.folder, vocabulary).map_err(kept)?;
        let (begin, end) = match (&self.bpe, marked) {
            (_, false) => (None, None),
            (Some(bpe), true) => (bpe.begin, bpe.end),
            (None, true) => (Some(BYTE_DOCUMENT[0]), Some(BYTE_DOCUMENT[1])),
        };
        // Where no token ends a document, what divided the text does.
        let close = if end.is_none() { terminator(self.spec) } else { "" };
        let mut proven = 0;
        let pieces = pieces(&text, documents, unit);
        for batch in batches(&pieces) {
            let parts = batch.iter().map(|piece| {
                let own = &text[piece.start..piece.end];
                if piece.last && !own.ends_with(close.as_bytes()) { [own, close.as_bytes()].concat() } else { own.to_vec() }
            });
            let parts: Vec<Vec<u8>> = parts.collect();
            let ids = self.ids(batch, &parts, &mut proven)?;
            for ((piece, part), ids) in batch.iter().zip(&parts).zip(ids) {
                let held_out = is_held_out(&text[piece.start..piece.end]);
                let whole: Vec<u32> = begin.filter(|_| piece.first).into_iter().chain(ids).chain(end.filter(|_| piece.last)).collect();
                writer.write(held_out, &whole, part.len(), unit == SplitUnit::Blocks).map_err(kept)?;
            }
            let done = batch.last().map_or(0, |piece| piece.end) as u64;
            (self.cache.told)(&Preparing { stage: "tokenizing", done, total: text.len() as u64 });
        }
        writer.finish()
    }

    fn ids(&self, batch: &[Piece], parts: &[Vec<u8>], proven: &mut usize) -> Result<Vec<Vec<u32>>, CorpusError> {
        let Some(bpe) = &self.bpe else {
            return Ok(parts.iter().map(|part| part.iter().map(|byte| u32::from(*byte)).collect()).collect());
        };
        let text = |(piece, part): (&Piece, &'_ Vec<u8>)| match std::str::from_utf8(part) {
            Ok(_) => Ok(()),
            Err(error) => Err(CorpusError::NotUtf8 { path: self.spec.path.join(", "), at: (piece.start + error.valid_up_to()) as u64 }),
        };
        batch.iter().zip(parts).try_for_each(text)?;
        let texts: Vec<&str> = parts.iter().map(|part| std::str::from_utf8(part).expect("just checked")).collect();
        let ids = bpe.encode(texts.clone())?;
        for (text, ids) in texts.iter().zip(&ids).take(PROVEN.saturating_sub(*proven)) {
            bpe.check(text, ids)?;
        }
        *proven += ids.len();
        Ok(ids)
    }
}

/// The text of a corpus without duplicates in a file, and where its documents are.
pub(super) struct Gathered {
    pub(super) contents: Contents,
    pub(super) documents: Vec<[usize; 2]>,
    pub(super) bytes: u64,
}

/// Writes the documents to a file, one after the other, divided as they were.
pub(super) fn gather(spec: &TextSpec, files: &[PathBuf], cache: &Cache<'_>, path: &Path) -> Result<Gathered, CorpusError> {
    let kept = |source| CorpusError::Cache { path: path.to_owned(), source };
    let mut out = BufWriter::new(fs::File::create(path).map_err(kept)?);
    let mut documents: Vec<[usize; 2]> = Vec::new();
    let mut bytes = 0;
    let mut divider: &str = "";
    let contents = for_each_document(spec, files, cache.told, &mut |document| {
        out.write_all(divider.as_bytes()).and_then(|()| out.write_all(document)).map_err(kept)?;
        let start = bytes + divider.len();
        bytes = start + document.len();
        documents.push([start, bytes]);
        let close = terminator(spec);
        divider = if document.ends_with(close.as_bytes()) { "" } else { close };
        Ok(())
    })?;
    out.flush().map_err(kept)?;
    Ok(Gathered { contents, documents, bytes: bytes as u64 })
}

/// What stands after a document.
fn terminator(spec: &TextSpec) -> &str {
    spec.separator.as_deref().filter(|separator| !separator.is_empty()).unwrap_or("\n")
}

fn pieces(text: &[u8], documents: &[[usize; 2]], unit: SplitUnit) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for &[start, end] in documents {
        let mut at = start;
        while at < end {
            let next = match unit {
                SplitUnit::Documents => end,
                SplitUnit::Blocks => block_end(text, at, end),
            };
            pieces.push(Piece { start: at, end: next, first: at == start, last: next == end });
            at = next;
        }
    }
    pieces
}

/// The end of the block that starts at `at`, moved on where it would cut a character in two.
fn block_end(text: &[u8], at: usize, end: usize) -> usize {
    let continues = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let wanted = at + BLOCK;
    (wanted..wanted + 3).find(|&cut| cut >= end || !continues(text[cut])).unwrap_or(wanted).min(end)
}

/// Pieces in groups of about [`AT_ONCE`] bytes.
fn batches(pieces: &[Piece]) -> impl Iterator<Item = &[Piece]> {
    let mut rest = pieces;
    std::iter::from_fn(move || {
        let start = rest.first()?.start;
        let count = rest.iter().take_while(|piece| piece.start - start < AT_ONCE).count();
        let (batch, later) = rest.split_at(count);
        rest = later;
        Some(batch)
    })
}

/// What the files hold, and the text without duplicates in numbers.
pub(super) fn inspect(spec: &TextSpec, cache: &Cache<'_>) -> Result<(Contents, Statistics), CorpusError> {
    let files = files(&spec.path)?;
    let work = Workplace::new(cache, "inspect")?;
    let path = work.0.join(TEXT);
    let Gathered { contents, bytes, .. } = gather(spec, &files, cache, &path)?;
    (cache.told)(&Preparing { stage: "counting and packing", done: 0, total: bytes });
    Ok((contents, Statistics::of(&map(&path)?)))
}

/// Trains a byte-level tokenizer on the training side of a text, read as it would be with that tokenizer.
pub(super) fn train_tokenizer(spec: &TextSpec, vocabulary: usize, cache: &Cache<'_>) -> Result<Vec<u8>, CorpusError> {
    let files = files(&spec.path)?;
    let work = Workplace::new(cache, "tokenizer")?;
    let path = work.0.join(TEXT);
    let Gathered { documents, bytes, .. } = gather(spec, &files, cache, &path)?;
    if bytes < LEAST_BYTES {
        return Err(CorpusError::TooShort { path: spec.path.join(", ").into(), bytes, least: LEAST_BYTES });
    }
    let text = map(&path)?;
    let unit = if documents.len() < LEAST_DOCUMENTS { SplitUnit::Blocks } else { SplitUnit::Documents };
    let mut training = Vec::new();
    for Piece { start, end, .. } in pieces(&text, &documents, unit) {
        let piece = &text[start..end];
        let at = |error: std::str::Utf8Error| CorpusError::NotUtf8 { path: spec.path.join(", "), at: (start + error.valid_up_to()) as u64 };
        if !is_held_out(piece) {
            training.push(std::str::from_utf8(piece).map_err(at)?);
        }
    }
    (cache.told)(&Preparing { stage: "training the tokenizer", done: 0, total: bytes });
    super::bpe::train(training.into_iter(), vocabulary)
}
