//! What stands at the end of a Parquet file: its columns and where their pages lie.

use super::thrift::{Input, Struct, Value};

/// How a file begins and ends.
pub(in crate::results) const MAGIC: &[u8] = b"PAR1";

/// A file: how many rows, and its columns that hold values.
pub(super) struct Footer {
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Names on the way to it, with a point between.
    pub(super) name: String,
    /// How its values are written, by Parquet's number.
    pub(super) kind: i64,
    /// What they mean, where it is more: by Parquet's number of converted types.
    pub(super) meaning: Option<i64>,
    /// Digits behind the point of a decimal number.
    pub(super) scale: u32,
    /// How many of the values on the way to it, and itself, may be absent.
    pub(super) optional: u32,
    /// Whether it holds lists.
    pub(super) is_repeated: bool,
    /// Its pages, a chunk for each group of rows.
    pub(super) chunks: Vec<Chunk>,
}

/// Pages of a column, one after the other.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) from: usize,
    pub(super) length: usize,
    /// How pages are compressed, by Parquet's number.
    pub(super) codec: i64,
    pub(super) values: usize,
}

fn int(fields: &Struct<'_>, number: i16) -> Option<i64> {
    fields.get(&number)?.int()
}

fn count(fields: &Struct<'_>, number: i16) -> Option<usize> {
    usize::try_from(int(fields, number)?).ok()
}

/// Reads it, from the end of the file; or what is wrong.
pub(super) fn footer(bytes: &[u8]) -> Result<Footer, String> {
    let Some(inside) = bytes.strip_suffix(MAGIC).filter(|inside| inside.len() >= MAGIC.len() + 4) else {
        return Err("its end is missing, as after a copy that did not end; copy it anew".to_owned());
    };
    let (before, length) = inside.split_at(inside.len() - 4);
    let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
    let start = before.len().checked_sub(length).ok_or("its end is damaged; copy it anew")?;
    let fields = Input { rest: &before[start..] }.structure().ok_or("its end is damaged; copy it anew")?;
    parsed(&fields).ok_or_else(|| "what it says of its columns is damaged; copy it anew".to_owned())
}

fn parsed(fields: &Struct<'_>) -> Option<Footer> {
    let mut schema = fields.get(&2)?.list()?.iter();
    let root = schema.next()?.fields()?;
    let mut columns = Vec::new();
    let children = count(root, 5)?;
    leaves(&mut schema, children, &Column::default(), &mut columns, DEEPEST)?;
    for group in fields.get(&4)?.list()? {
        let chunks = group.fields()?.get(&1)?.list()?;
        if chunks.len() != columns.len() {
            return None;
        }
        for (column, chunk) in columns.iter_mut().zip(chunks) {
            let about = chunk.fields()?.get(&3)?.fields()?;
            let pages = count(about, 9)?;
            let dictionary = count(about, 11).filter(|at| (1..pages).contains(at));
            column.chunks.push(Chunk {
                from: dictionary.unwrap_or(pages),
                length: count(about, 7)?,
                codec: int(about, 4)?,
                values: count(about, 5)?,
            });
        }
    }
    Some(Footer { rows: count(fields, 3)?, columns })
}

/// Groups within each other.
const DEEPEST: usize = 24;

/// The columns below a group, in the order of the file; a schema is a tree in which children follow their parent.
fn leaves(
    schema: &mut std::slice::Iter<'_, Value<'_>>,
    children: usize,
    above: &Column,
    columns: &mut Vec<Column>,
    depth: usize,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    for _ in 0..children {
        let element = schema.next()?.fields()?;
        let name = element.get(&4)?.text()?;
        let repetition = int(element, 3).unwrap_or(0);
        let column = Column {
            name: if above.name.is_empty() { name } else { format!("{}.{name}", above.name) },
            kind: int(element, 1).unwrap_or(-1),
            meaning: int(element, 6),
            scale: int(element, 7).and_then(|scale| u32::try_from(scale).ok()).unwrap_or(0),
            optional: above.optional + u32::from(repetition != 0),
            is_repeated: above.is_repeated || repetition == 2,
            chunks: Vec::new(),
        };
        match count(element, 5).filter(|children| *children > 0) {
            Some(children) => leaves(schema, children, &column, columns, depth)?,
            None => columns.push(column),
        }
    }
    Some(())
}
