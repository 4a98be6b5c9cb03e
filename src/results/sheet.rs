//! A file of others as a table: decoded, cut into fields or taken from JSON, without lines that are no rows, and with nothing in it
//! that a terminal would obey.

use super::decode::{Decoded, decoded};
use super::dialect::Dialect;
use super::json;
use super::parquet;
use super::table::{RawTable, TableError};
use super::wide;
use csv::StringRecord;
use std::path::Path;

/// A table, how it was read, and the lines that are passed over.
pub(super) struct Sheet {
    pub(super) table: RawTable,
    /// What a reader may want to know of how it was read, in words.
    pub(super) reading: Vec<String>,
}

impl Sheet {
    /// Reads the bytes of a file; `path` is for messages.
    pub(super) fn of(path: &Path, bytes: &[u8]) -> Result<Self, TableError> {
        if is_own(bytes) {
            return Ok(Self { table: RawTable::parse(path.to_owned(), bytes)?, reading: Vec::new() });
        }
        let (mut table, mut reading) = if bytes.starts_with(parquet::MAGIC) {
            let mut reading = Vec::new();
            (parquet::table_of(path, bytes, &mut reading)?, reading)
        } else {
            let Decoded { text, notes: mut reading } = decoded(path, bytes)?;
            let is_json = json::is_json(&text);
            (if is_json { json::table_of(path, &text, &mut reading)? } else { cut(path, &text, &mut reading)? }, reading)
        };
        table.headers.iter_mut().filter(|header| is_unsafe(header)).for_each(|header| *header = shown(header));
        table.rows.iter_mut().filter(|(_, row)| row.iter().any(is_unsafe)).for_each(|(_, row)| *row = row.iter().map(shown).collect());
        if let Some((long, note)) = wide::melted(&table) {
            (table, reading) = (long, [reading, vec![note]].concat());
        }
        Ok(Self { table, reading })
    }
}

/// Whether a text begins with the header of a table of ours.
fn is_own(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |name: &&[u8]| line.split(|byte| *byte == b',').any(|header| header.trim_ascii() == *name);
    [&b"run_id"[..], b"layers", b"status"].iter().all(has)
}

/// Cuts a text that is no JSON, and passes over what is no row.
fn cut(path: &Path, text: &str, reading: &mut Vec<String>) -> Result<RawTable, TableError> {
    let dialect = Dialect::of(text);
    reading.extend(dialect.said().map(str::to_owned));
    if dialect.before > 0 {
        let lines = if dialect.before == 1 { "1 line".to_owned() } else { format!("{} lines", dialect.before) };
        reading.push(format!("{lines} above the header passed over"));
    }
    let mut table = if dialect.separator == b' ' {
        RawTable::cut(path.to_owned(), tabs(text, dialect.header_at).as_bytes(), Dialect { separator: b'\t', ..dialect }, true)?
    } else {
        RawTable::cut(path.to_owned(), text.as_bytes(), dialect, true)?
    };
    name_first(&mut table, reading);
    pass_over(&mut table, reading)?;
    Ok(table)
}

/// Tabs where blanks separate fields; the lines stay where they are.
fn tabs(text: &str, header_at: usize) -> String {
    let (above, body) = text.split_at(header_at);
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join("\t");
    above.to_owned() + &body.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Rows that all have a field more than the header begin with names of rows, as R writes them.
fn name_first(table: &mut RawTable, reading: &mut Vec<String>) {
    let one_more = |(_, row): &(u64, StringRecord)| row.len() == table.headers.len() + 1 && !row[row.len() - 1].is_empty();
    // A number that does not count the rows is a field of its own: somebody's decimal comma.
    let is_name =
        |(at, (_, row)): (usize, &(u64, StringRecord))| row[0].parse::<f64>().map_or(true, |x| [at, at + 1].contains(&(x as usize)));
    if !table.rows.is_empty() && table.rows.iter().all(one_more) && table.rows.iter().enumerate().all(is_name) {
        table.headers.insert(0, "row name".to_owned());
        reading.push("every row has a field more than the header: the first is taken for its name".to_owned());
    }
}

/// Takes away repeated headers, comments, blank rows, and rows with fields too many or too few, which are said by their lines.
fn pass_over(table: &mut RawTable, reading: &mut Vec<String>) -> Result<(), TableError> {
    let width = table.headers.len();
    let (mut headers, mut comments, mut uneven) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = None;
    let RawTable { headers: names, rows, .. } = &mut *table;
    rows.retain_mut(|(line, row)| {
        if row.len() > width && row.iter().skip(width).all(str::is_empty) {
            row.truncate(width);
        }
        let is_blank = || row.iter().all(str::is_empty);
        match row.len() == width {
            true if row.iter().eq(names.iter()) => headers.push(*line),
            true => return !is_blank(),
            false if row.get(0).is_some_and(|cell| cell.starts_with('#')) => comments.push(*line),
            false if is_blank() => {}
            false => {
                first.get_or_insert(row.len());
                uneven.push(*line);
            }
        }
        false
    });
    if let (true, Some(fields), Some(&line)) = (table.rows.is_empty(), first, uneven.first()) {
        let problem = format!("{fields} fields where the header has {width}; put quotes about a field that holds the separator");
        return Err(TableError::Row { path: table.path.clone(), line, problem });
    }
    if !headers.is_empty() {
        reading.push(format!("{} passed over: the header again", lines(&headers)));
    }
    if !comments.is_empty() {
        reading.push(format!("{} passed over: comments", lines(&comments)));
    }
    if let Some(fields) = first {
        let and_others = if uneven.len() > 1 { " or so" } else { "" };
        reading.push(format!("{} left out: {fields} fields{and_others} where the header has {width}", lines(&uneven)));
    }
    Ok(())
}

/// Lines that are named; the others are counted.
const NAMED: usize = 6;

/// Lines in words: `line 4`, `lines 4, 7 and 9`.
pub(super) fn lines(all: &[u64]) -> String {
    let named: Vec<String> = all.iter().take(NAMED).map(u64::to_string).collect();
    match named.as_slice() {
        [only] => format!("line {only}"),
        _ if all.len() > NAMED => format!("lines {} and {} more", named.join(", "), all.len() - NAMED),
        [before @ .., last] => format!("lines {} and {last}", before.join(", ")),
        [] => "no line".to_owned(),
    }
}

/// Whether a text holds what a terminal obeys, or what hides or turns round what stands beside it.
fn is_unsafe(text: &str) -> bool {
    text.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) && text.chars().any(is_unsafe_char)
}

fn is_unsafe_char(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text with such characters as they are written in sources: `\x1b`.
pub(super) fn shown(text: &str) -> String {
    let one = |c: char| match c {
        c if !is_unsafe_char(c) => c.to_string(),
        c if u32::from(c) < 0x100 => format!("\\x{:02x}", u32::from(c)),
        c => format!("\\u{{{:x}}}", u32::from(c)),
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(u64, Vec<String>)>, Vec<String>) {
        let sheet = Sheet::of(Path::new("x.csv"), text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let rows = sheet.table.rows.into_iter().map(|(line, row)| (line, row.iter().map(str::to_owned).collect()));
        (rows.collect(), sheet.reading)
    }

    #[test]
    fn what_is_no_row_is_passed_over_and_said_by_its_line() {
        let (rows, reading) = read("# of march\na;b\n1;2\n;\n# half way\na;b\n3;4;\n5;6;7\n");
        assert_eq!(rows, [(3, vec!["1".into(), "2".into()]), (7, vec!["3".into(), "4".into()])]);
        assert_eq!(
            reading,
            [
                "fields separated by semicolons",
                "1 line above the header passed over",
                "line 6 passed over: the header again",
                "line 5 passed over: comments",
                "line 8 left out: 3 fields where the header has 2",
            ]
        );
        let (rows, reading) = read("a b\n1   2\n");
        assert_eq!((rows, reading), (vec![(2, vec!["1".into(), "2".into()])], vec!["fields separated by blanks".to_owned()]));
        assert_eq!(read("a,b\nx,1,2\ny,3,4\n").0[1].1, ["y", "3", "4"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(read("a,b\n\x1b[31mred\x1b[0m,1\u{202e}2\n").0[0].1, ["\\x1b[31mred\\x1b[0m", "1\\u{202e}2"]);
        assert_eq!(read("a,b\nµ,—\n").0[0].1, ["µ", "—"]);
    }

    #[test]
    fn lines_are_named_up_to_a_few() {
        assert_eq!([lines(&[4]), lines(&[4, 7, 9])], ["line 4", "lines 4, 7 and 9"]);
        assert_eq!(lines(&[1, 2, 3, 4, 5, 6, 7, 8]), "lines 1, 2, 3, 4, 5, 6 and 2 more");
    }
}
