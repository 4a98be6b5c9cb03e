//! The pages of a column: found, decompressed, and their values as the cells of a table.

use super::footer::{Chunk, Column};
use super::thrift::{Input, Struct};
use super::values::{Kind, levels, numbers, plain};
use std::io::Read;

/// Why a column cannot be read.
#[derive(Debug)]
pub(super) enum Problem {
    /// The file is not what it says.
    Damaged(&'static str),
    /// It is written in a way that is not known here.
    Unknown(String),
}

const DAMAGED: Problem = Problem::Damaged("its pages are damaged; copy the file anew");
/// Bytes that a page may unpack to.
const MOST_BYTES: usize = 64 << 20;
/// Kinds of pages.
const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_2: i64 = 3;

/// The cells of a column, as many as there are rows; an absent value is blank.
pub(super) fn cells(bytes: &[u8], column: &Column, rows: usize) -> Result<Vec<String>, Problem> {
    if column.is_repeated {
        return Err(Problem::Unknown("it holds lists".to_owned()));
    }
    let kind = Kind::of(column).map_err(Problem::Unknown)?;
    let mut cells = Vec::new();
    for chunk in &column.chunks {
        let pages = chunk.from.checked_add(chunk.length).and_then(|end| bytes.get(chunk.from..end)).ok_or(DAMAGED)?;
        let end = cells.len().checked_add(chunk.values).filter(|end| *end <= rows).ok_or(DAMAGED)?;
        let mut input = Input { rest: pages };
        let mut dictionary = None;
        while cells.len() < end {
            let header = input.structure().ok_or(DAMAGED)?;
            page(&header, &mut input, chunk, column, &kind, &mut dictionary, &mut cells)?;
            if cells.len() > end {
                return Err(DAMAGED);
            }
        }
    }
    if cells.len() == rows { Ok(cells) } else { Err(DAMAGED) }
}

/// Reads one page, behind its header.
fn page(
    header: &Struct<'_>,
    input: &mut Input<'_>,
    chunk: &Chunk,
    column: &Column,
    kind: &Kind,
    dictionary: &mut Option<Vec<String>>,
    cells: &mut Vec<String>,
) -> Result<(), Problem> {
    let int = |number: i16| header.get(&number).and_then(|value| value.int());
    let size = |number: i16| int(number).and_then(|size| usize::try_from(size).ok()).ok_or(DAMAGED);
    let (unpacked, packed) = (size(2)?, size(3)?);
    let body = input.take(packed).ok_or(DAMAGED)?;
    let about = |number: i16| header.get(&number).and_then(|value| value.fields()).ok_or(DAMAGED);
    let of = |fields: &Struct<'_>, number: i16| fields.get(&number).and_then(|value| value.int()).ok_or(DAMAGED);
    let many = |fields: &Struct<'_>| usize::try_from(of(fields, 1)?).ok().filter(|values| *values <= chunk.values).ok_or(DAMAGED);
    match int(1).ok_or(DAMAGED)? {
        DICTIONARY => {
            let fields = about(7)?;
            let bytes = decompressed(body, chunk.codec, unpacked)?;
            *dictionary = Some(plain(&mut Input { rest: &bytes }, kind, many(fields)?).ok_or(DAMAGED)?);
            Ok(())
        }
        DATA => {
            let fields = about(5)?;
            let bytes = decompressed(body, chunk.codec, unpacked)?;
            let mut values = Input { rest: &bytes };
            let there = match column.optional {
                0 => vec![true; many(fields)?],
                optional => {
                    let length = values.take(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes).ok_or(DAMAGED)?;
                    let found = values.take(length as usize).ok_or(DAMAGED)?;
                    present(found, optional, many(fields)?)?
                }
            };
            filled(&mut values, of(fields, 2)?, kind, dictionary.as_deref(), &there, cells)
        }
        DATA_2 => {
            let fields = about(8)?;
            let length = |number: i16| usize::try_from(of(fields, number)?).map_err(|_| DAMAGED);
            let mut input = Input { rest: body };
            input.take(length(6)?).ok_or(DAMAGED)?;
            let levels = input.take(length(5)?).ok_or(DAMAGED)?;
            let there = if column.optional == 0 { vec![true; many(fields)?] } else { present(levels, column.optional, many(fields)?)? };
            let is_packed = !matches!(fields.get(&7), Some(super::thrift::Value::Bool(false)));
            let rest = unpacked.checked_sub(body.len() - input.rest.len()).ok_or(DAMAGED)?;
            let bytes = decompressed(input.rest, if is_packed { chunk.codec } else { 0 }, rest)?;
            filled(&mut Input { rest: &bytes }, of(fields, 4)?, kind, dictionary.as_deref(), &there, cells)
        }
        INDEX => Ok(()),
        _ => Err(DAMAGED),
    }
}

/// Which rows have a value.
fn present(bytes: &[u8], optional: u32, rows: usize) -> Result<Vec<bool>, Problem> {
    let width = u32::BITS - optional.leading_zeros();
    let found = levels(&mut Input { rest: bytes }, width, rows).ok_or(DAMAGED)?;
    Ok(found.into_iter().map(|level| level == optional).collect())
}

/// Encodings of values, by Parquet's numbers.
const PLAIN: i64 = 0;
const OLD_DICTIONARY: i64 = 2;
const RUNS: i64 = 3;
const DELTA: i64 = 5;
const IN_DICTIONARY: i64 = 8;

/// Adds the cells of a page.
fn filled(
    input: &mut Input<'_>,
    encoding: i64,
    kind: &Kind,
    dictionary: Option<&[String]>,
    there: &[bool],
    cells: &mut Vec<String>,
) -> Result<(), Problem> {
    let values = there.iter().filter(|there| **there).count();
    let found: Vec<String> = match encoding {
        _ if values == 0 => Vec::new(),
        PLAIN => plain(input, kind, values).ok_or(DAMAGED)?,
        OLD_DICTIONARY | IN_DICTIONARY => {
            let words = dictionary.ok_or(DAMAGED)?;
            let width = input.take(1).ok_or(DAMAGED)?[0];
            let places = levels(input, u32::from(width), values).ok_or(DAMAGED)?;
            places.into_iter().map(|at| words.get(at as usize).cloned()).collect::<Option<_>>().ok_or(DAMAGED)?
        }
        RUNS if *kind == Kind::Bool => {
            input.take(4).ok_or(DAMAGED)?;
            let found = levels(input, 1, values).ok_or(DAMAGED)?;
            found.into_iter().map(|bit| (bit == 1).to_string()).collect()
        }
        DELTA => numbers(input, kind, values).ok_or(DAMAGED)?,
        other => {
            return Err(Problem::Unknown(format!(
                "its values are written in an encoding that is not known here, number {other} of Parquet; write it with the default ones, or as CSV"
            )));
        }
    };
    let mut found = found.into_iter();
    cells.extend(there.iter().map(|there| if *there { found.next().unwrap_or_default() } else { String::new() }));
    Ok(())
}

/// The bytes of a page.
fn decompressed(bytes: &[u8], codec: i64, length: usize) -> Result<Vec<u8>, Problem> {
    if length > MOST_BYTES {
        return Err(Problem::Damaged("a page of it is said to hold more than 64 MiB"));
    }
    let read = |from: &mut dyn Read| {
        let mut all = Vec::new();
        // One byte more shows that there are too many.
        from.take(length as u64 + 1).read_to_end(&mut all).ok().map(|_| all)
    };
    let found = match codec {
        0 => Some(bytes.to_vec()),
        1 => snap::raw::decompress_len(bytes)
            .ok()
            .filter(|found| *found == length)
            .and_then(|_| snap::raw::Decoder::new().decompress_vec(bytes).ok()),
        2 => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
        6 => zstd::Decoder::with_buffer(bytes).ok().and_then(|mut decoder| read(&mut decoder)),
        other => {
            let name = ["", "", "", "LZO", "Brotli", "LZ4", "", "LZ4"].get(other as usize).copied().unwrap_or("what is not known here");
            return Err(Problem::Unknown(format!("it is compressed by {name}; write it with snappy, gzip or zstd")));
        }
    };
    found.filter(|found| found.len() == length).ok_or(DAMAGED)
}
