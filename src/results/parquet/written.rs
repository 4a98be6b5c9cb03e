//! Tables written as Parquet: plain values, uncompressed, a page for each column and group of rows, which every reader reads.

use super::footer::MAGIC;

/// The values of a column.
pub(in crate::results) enum Cells {
    Text(Vec<String>),
    Whole(Vec<u64>),
    Numbers(Vec<Option<f64>>),
}

/// Rows of a group: pages stay below the two gigabytes that their headers can say.
const GROUP: usize = 1 << 20;

/// Kinds of fields of Thrift's compact protocol.
const INT_32: u8 = 5;
const INT_64: u8 = 6;
const BYTES: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Writes structs of Thrift's compact protocol.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    /// The last field of each struct that is open.
    last: Vec<i64>,
}

impl Output {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn zigzag(&mut self, value: usize) {
        self.varint((value as u64) << 1);
    }

    fn open(&mut self) {
        self.last.push(0);
    }

    fn close(&mut self) {
        self.last.pop();
        self.bytes.push(0);
    }

    fn field(&mut self, number: i64, kind: u8) {
        let last = self.last.last_mut().expect("a struct is open");
        self.bytes.push((number - *last) as u8 * 16 + kind);
        *last = number;
    }

    fn int(&mut self, number: i64, kind: u8, value: usize) {
        self.field(number, kind);
        self.zigzag(value);
    }

    fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    fn texts(&mut self, number: i64, text: &str) {
        self.field(number, BYTES);
        self.text(text);
    }

    fn list(&mut self, number: i64, kind: u8, length: usize) {
        self.field(number, LIST);
        match length {
            0..15 => self.bytes.push(length as u8 * 16 + kind),
            _ => {
                self.bytes.push(0xf0 + kind);
                self.varint(length as u64);
            }
        }
    }

    fn structure(&mut self, number: i64) {
        self.field(number, STRUCT);
        self.open();
    }
}

impl Cells {
    fn rows(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Whole(cells) => cells.len(),
            Self::Numbers(cells) => cells.len(),
        }
    }

    /// Parquet's number of the kind.
    const fn kind(&self) -> usize {
        match self {
            Self::Text(_) => 6,
            Self::Whole(_) => 2,
            Self::Numbers(_) => 5,
        }
    }

    /// The rows of a group as the body of a page.
    fn page(&self, from: usize, to: usize) -> Vec<u8> {
        match self {
            Self::Text(cells) => {
                cells[from..to].iter().flat_map(|cell| [&(cell.len() as u32).to_le_bytes(), cell.as_bytes()].concat()).collect()
            }
            Self::Whole(cells) => cells[from..to].iter().flat_map(|cell| cell.to_le_bytes()).collect(),
            Self::Numbers(cells) => {
                let cells = &cells[from..to];
                let mut levels = Output::default();
                for run in cells.chunk_by(|one, next| one.is_some() == next.is_some()) {
                    levels.varint((run.len() as u64) << 1);
                    levels.bytes.push(u8::from(run[0].is_some()));
                }
                let values = cells.iter().flatten().flat_map(|value| value.to_le_bytes());
                (levels.bytes.len() as u32).to_le_bytes().into_iter().chain(levels.bytes).chain(values).collect()
            }
        }
    }
}

/// A file of columns, all of so many rows.
pub(in crate::results) fn written(columns: &[(&str, Cells)]) -> Vec<u8> {
    let rows = columns.first().map_or(0, |(_, cells)| cells.rows());
    let mut file = MAGIC.to_vec();
    let mut groups = Vec::new();
    for from in (0..rows).step_by(GROUP) {
        let to = rows.min(from + GROUP);
        let mut chunks = Vec::new();
        for (_, cells) in columns {
            let body = cells.page(from, to);
            let start = file.len();
            let mut header = Output::default();
            header.open();
            header.int(1, INT_32, 0);
            header.int(2, INT_32, body.len());
            header.int(3, INT_32, body.len());
            header.structure(5);
            header.int(1, INT_32, to - from);
            for (number, encoding) in [(2, 0), (3, 3), (4, 3)] {
                header.int(number, INT_32, encoding);
            }
            header.close();
            header.close();
            file.extend(header.bytes);
            file.extend(body);
            chunks.push((start, file.len() - start));
        }
        groups.push((to - from, chunks));
    }
    let footer = footer(columns, rows, &groups);
    file.extend(&footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(MAGIC);
    file
}

/// Rows of a group, and where the pages of its columns stand: (start, length).
type Group = (usize, Vec<(usize, usize)>);

fn footer(columns: &[(&str, Cells)], rows: usize, groups: &[Group]) -> Vec<u8> {
    let mut out = Output::default();
    out.open();
    out.int(1, INT_32, 1);
    out.list(2, STRUCT, columns.len() + 1);
    out.open();
    out.texts(4, "schema");
    out.int(5, INT_32, columns.len());
    out.close();
    for (name, cells) in columns {
        out.open();
        out.int(1, INT_32, cells.kind());
        out.int(3, INT_32, usize::from(matches!(cells, Cells::Numbers(_))));
        out.texts(4, name);
        if matches!(cells, Cells::Text(_)) {
            out.int(6, INT_32, 0);
        }
        out.close();
    }
    out.int(3, INT_64, rows);
    out.list(4, STRUCT, groups.len());
    for (rows, chunks) in groups {
        out.open();
        out.list(1, STRUCT, chunks.len());
        for ((name, cells), (start, length)) in columns.iter().zip(chunks) {
            out.open();
            out.int(2, INT_64, *start);
            out.structure(3);
            out.int(1, INT_32, cells.kind());
            out.list(2, INT_32, 2);
            out.zigzag(0);
            out.zigzag(3);
            out.list(3, BYTES, 1);
            out.text(name);
            out.int(4, INT_32, 0);
            for (number, value) in [(5, *rows), (6, *length), (7, *length), (9, *start)] {
                out.int(number, INT_64, value);
            }
            out.close();
            out.close();
        }
        out.int(2, INT_64, chunks.iter().map(|(_, length)| length).sum());
        out.int(3, INT_64, *rows);
        out.close();
    }
    out.texts(6, concat!("scalelab ", env!("CARGO_PKG_VERSION")));
    out.close();
    out.bytes
}

#[cfg(test)]
mod tests {
    use super::super::table_of;
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_written_is_read_again() {
        let columns = [
            ("run", Cells::Text(vec!["a".into(), "µ, \"b\"".into(), "a".into()])),
            ("step", Cells::Whole(vec![1, 2, 3_000_000_000])),
            ("loss", Cells::Numbers(vec![Some(3.25), None, Some(0.1)])),
        ];
        let file = written(&columns);
        let table = table_of(Path::new("x.parquet"), &file, &mut Vec::new()).expect("reads");
        let rows: Vec<Vec<&str>> = table.rows.iter().map(|(_, row)| row.iter().collect()).collect();
        assert_eq!(table.headers, ["run", "step", "loss"]);
        assert_eq!(rows, [["a", "1", "3.25"], ["µ, \"b\"", "2", ""], ["a", "3000000000", "0.1"]]);
    }

    #[test]
    fn a_file_that_is_cut_or_changed_is_read_or_refused() {
        let file = written(&[("loss", Cells::Numbers((0..40).map(|i| (i % 3 > 0).then_some(f64::from(i))).collect()))]);
        for end in 0..file.len() {
            assert!(table_of(Path::new("x.parquet"), &file[..end], &mut Vec::new()).is_err(), "{end}");
        }
        for at in 0..file.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] ^= change;
                // Reads or refuses; what it reads has as many cells as it has rows.
                if let Ok(table) = table_of(Path::new("x.parquet"), &changed, &mut Vec::new()) {
                    assert!(table.rows.len() <= 40 && table.rows.iter().all(|(_, row)| row.len() == table.headers.len()), "{at}");
                }
            }
        }
    }
}
