//! Pairs of a prompt and its response, from the lines of JSON files to tokens that are predicted and tokens that are read alone. Text
//! becomes tokens as that of the base does. A pair is held out by a hash of its own content, as a document is.

use super::bpe::Bpe;
use super::counted::{is_predicted, read_alone};
use super::source::{files, map, unpacked};
use super::text::is_held_out;
use super::{Cache, CorpusError, Preparing};
use crate::spec::{PairsSpec, Tokenizer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Text that is tokenized at once.
const AT_ONCE: usize = 1 << 14;

/// Pairs as they are read.
pub(super) struct Pairs {
    pub(super) train: Vec<Pair>,
    pub(super) held_out: Vec<Pair>,
    /// Lines without a response, and the first of them.
    without_response: Passed,
    pub(super) packed: bool,
    pub(super) tokenizer: Tokenizer,
    pub(super) sha256: String,
}

/// One pair: its tokens, of which those that no loss counts are marked.
pub(super) struct Pair {
    pub(super) tokens: Vec<u32>,
    /// Bytes of the text that losses count.
    bytes: usize,
    /// Where it stands: a file and a line from 1.
    place: Place,
}

type Place = (usize, usize);

/// Lines that are passed over: how many, and the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// How many.
    pub count: u64,
    /// File and line of the first, where there is one.
    pub first: String,
}

impl Passed {
    fn add(&mut self, place: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = place();
        }
        self.count += 1;
    }
}

/// What files of pairs hold, in windows of a context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PairCounts {
    /// Pairs that can be trained on.
    pub train: u64,
    /// Pairs that no run trains on.
    pub held_out: u64,
    /// Lines without a response, which are left out.
    pub without_response: Passed,
    /// Pairs that are longer than a window, which are left out.
    pub too_long: Passed,
}

/// A line, apart.
struct Line {
    prompt: String,
    response: String,
    place: Place,
    held_out: bool,
}

impl Pairs {
    /// Opens them as the text of a base is read: through the tokenizer of a name, whose file is named where text is not read as bytes.
    pub(super) fn open(spec: &PairsSpec, name: &str, tokenizer: Option<&str>, cache: &Cache<'_>) -> Result<Self, CorpusError> {
        let bpe = tokenizer.map(|path| Bpe::open(Path::new(path))).transpose()?;
        let template = spec.template.as_deref().map(Template::parse).transpose()?;
        let mut without_response = Passed::default();
        let mut lines = Vec::new();
        let apart = !spec.held_out.is_empty();
        for (paths, held_out) in [(&spec.path, false), (&spec.held_out, true)] {
            if held_out && !apart {
                continue;
            }
            let divide = |line: &str| if apart { held_out } else { is_held_out(line.as_bytes()) };
            read_lines(spec, template.as_ref(), paths, &divide, cache, &mut lines, &mut without_response)?;
        }
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for lines in lines.chunks(AT_ONCE) {
            for (line, pair) in lines.iter().zip(tokenized(spec, bpe.as_ref(), lines)?) {
                if line.held_out { held_out.push(pair) } else { train.push(pair) }
            }
        }
        let path = || spec.path.join(", ").into();
        if train.is_empty() {
            let Passed { count, first } = &without_response;
            let problem = match (*count, held_out.len()) {
                (0, 0) => "no pair to train on: the file is empty".into(),
                (_, 0) => format!("no pair to train on: {count} lines have no response, the first is {first}"),
                (_, held_out) => format!("no pair to train on: the few that there are, {held_out}, are held out; add pairs"),
            };
            return Err(CorpusError::Pairs { path: path(), problem });
        }
        if held_out.is_empty() {
            let problem = format!(
                "of {} pairs none is held out to measure the loss on (a tenth is, by a hash of each): add pairs, or name a file of others with corpus.held_out",
                train.len()
            );
            return Err(CorpusError::Pairs { path: path(), problem });
        }
        let counted: usize = held_out.iter().map(Pair::counted).sum();
        let bytes: usize = held_out.iter().map(|pair| pair.bytes).sum();
        let sha256 = hash(name, spec.packed, &train, &held_out);
        let tokenizer = Tokenizer { name: name.to_owned(), bytes_per_token: bytes as f64 / counted.max(1) as f64 };
        Ok(Self { train, held_out, without_response, packed: spec.packed, tokenizer, sha256 })
    }

    /// What there is for windows of a context.
    pub(super) fn counts(&self, context: usize) -> PairCounts {
        let mut too_long = Passed::default();
        let mut fit = |pairs: &[Pair]| {
            let mut count = 0;
            for pair in pairs {
                if pair.fits(context) {
                    count += 1;
                } else {
                    too_long.add(|| format!("line {} of {} tokens", pair.place.1, pair.tokens.len()));
                }
            }
            count
        };
        let (train, held_out) = (fit(&self.train), fit(&self.held_out));
        PairCounts { train, held_out, without_response: self.without_response.clone(), too_long }
    }
}

impl Pair {
    /// Whether it is no longer than a window, which has a token more than the context.
    pub(super) fn fits(&self, context: usize) -> bool {
        self.tokens.len() <= context + 1
    }

    /// Tokens that losses count; the first of a window has nothing before it.
    fn counted(&self) -> usize {
        self.tokens.iter().filter(|token| is_predicted(**token)).count()
    }
}

/// A text with members of a line in braces.
struct Template(Vec<Piece>);

enum Piece {
    Text(String),
    Member(String),
}

impl Template {
    fn parse(text: &str) -> Result<Self, CorpusError> {
        let wrong = |allowed| CorpusError::Setting { field: "template", found: format!("{text:?}"), allowed };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (member, later) = after.split_once('}').ok_or_else(|| wrong("a text in which every { has its }"))?;
            if member.is_empty() || member.contains('{') {
                return Err(wrong("a text with names of members in braces, such as \"Translate: {en}\""));
            }
            pieces.extend([Piece::Text(before.to_owned()), Piece::Member(member.to_owned())]);
            rest = later;
        }
        if pieces.is_empty() {
            return Err(wrong("a text with at least one member in braces, such as \"Translate: {en}\""));
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn filled(&self, object: &Map<String, Value>) -> Result<String, String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Ok(text.clone()),
            Piece::Member(member) => text_of(object, member, "corpus.template"),
        };
        self.0.iter().map(piece).collect()
    }
}

/// The text of a member; `key` is what of the grid names it.
fn text_of(object: &Map<String, Value>, member: &str, key: &str) -> Result<String, String> {
    match object.get(member) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{member}` is {}, not text; {key} names the member that holds it", shortened(&other.to_string()))),
        None => {
            let members = object.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(format!("there is no `{member}` in it, only {}; {key} names the member that holds it", shortened(&members)))
        }
    }
}

/// The beginning of a text of others, for a message.
fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}

fn read_lines(
    spec: &PairsSpec,
    template: Option<&Template>,
    paths: &[String],
    held_out: &dyn Fn(&str) -> bool,
    cache: &Cache<'_>,
    lines: &mut Vec<Line>,
    without_response: &mut Passed,
) -> Result<(), CorpusError> {
    let files = files(paths)?;
    for (file, path) in files.iter().enumerate() {
        let text = unpacked(path, map(path)?)?;
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
            let wrong = |problem| CorpusError::JsonLine { path: path.clone(), line: at + 1, problem };
            let value: Value = serde_json::from_slice(line).map_err(|error| wrong(format!("no JSON: {error}")))?;
            let example = || "a JSON object was expected, such as { \"prompt\": \"…\", \"response\": \"…\" }".to_owned();
            let object = value.as_object().ok_or_else(|| wrong(example()))?;
            let prompt = match template {
                Some(template) => template.filled(object),
                None => text_of(object, &spec.prompt, "corpus.prompt"),
            };
            let (prompt, response) = (prompt.map_err(wrong)?, text_of(object, &spec.response, "corpus.response").map_err(wrong)?);
            if response.is_empty() {
                without_response.add(|| format!("{}, line {}", path.display(), at + 1));
                continue;
            }
            let held_out = held_out(&format!("{prompt}\0{response}"));
            lines.push(Line { prompt, response, place: (file, at + 1), held_out });
        }
        (cache.told)(&Preparing { stage: "reading pairs", done: file as u64 + 1, total: files.len() as u64 });
    }
    Ok(())
}

/// The pairs of some lines, in their order. Prompt and response become tokens each by itself, so that no token is of both.
fn tokenized(spec: &PairsSpec, bpe: Option<&Bpe>, lines: &[Line]) -> Result<Vec<Pair>, CorpusError> {
    let parts: Vec<[String; 2]> =
        lines.iter().map(|line| [format!("{}{}", line.prompt, spec.separator), format!("{}{}", line.response, spec.end)]).collect();
    let texts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    let ids = match bpe {
        None => texts.iter().map(|text| text.bytes().map(u32::from).collect()).collect(),
        Some(bpe) => {
            let ids = bpe.encode(texts.clone())?;
            texts.iter().zip(&ids).try_for_each(|(text, ids)| bpe.check(text, ids))?;
            ids
        }
    };
    let pair = |((line, [prompt, response]), ids): ((&Line, &[String; 2]), &[Vec<u32>])| {
        let mark = |id: &u32| if spec.count_prompts { *id } else { read_alone(*id) };
        let tokens = ids[0].iter().map(mark).chain(ids[1].iter().copied()).collect();
        let bytes = response.len() + if spec.count_prompts { prompt.len() } else { 0 };
        Pair { tokens, bytes, place: line.place }
    };
    Ok(lines.iter().zip(&parts).zip(ids.chunks_exact(2)).map(pair).collect())
}

/// SHA-256 of what is read, hexadecimal: every pair as tokens with their marks, on its side, and whether windows hold several.
fn hash(tokenizer: &str, packed: bool, train: &[Pair], held_out: &[Pair]) -> String {
    let mut digest = Sha256::new_with_prefix(format!("scalelab pairs 1\n{tokenizer}\npacked {packed}\n"));
    for (name, side) in [("train", train), ("held out", held_out)] {
        digest.update(format!("{name}: {} pairs\n", side.len()));
        for pair in side {
            digest.update((pair.tokens.len() as u64).to_le_bytes());
            pair.tokens.iter().for_each(|token| digest.update(token.to_le_bytes()));
        }
    }
    format!("{:x}", digest.finalize())
}
