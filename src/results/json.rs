//! Runs written as JSON: a list of objects, an object a line, or columns by name. An object within one becomes columns named by
//! their path, `metrics.val_loss`.

use super::table::{RawTable, TableError};
use csv::StringRecord;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Whether a text begins as JSON does.
pub(super) fn is_json(text: &str) -> bool {
    let mut first = text.trim_start().chars();
    match first.next() {
        Some('{') => true,
        Some('[') => first.find(|c| !c.is_whitespace()).is_some_and(|c| c == '{' || c == ']'),
        _ => false,
    }
}

/// The objects of a text as rows of a table.
pub(super) fn table_of(path: &Path, text: &str, reading: &mut Vec<String>) -> Result<RawTable, TableError> {
    let text = &finite(text);
    let mut rows = Rows::default();
    let pieces = pieces(text);
    let is_alone = pieces.len() == 1 && !text.trim_start().starts_with('[');
    let (last, is_lines) = (pieces.len().saturating_sub(1), !text.trim_start().starts_with('['));
    for (nth, (line, piece)) in pieces.into_iter().enumerate() {
        // Of lines the last may be half written; a list that does not end is damaged.
        let is_cut = || serde_json::from_str::<Value>(piece).is_err_and(|error| error.is_eof());
        if is_lines && nth == last && nth > 0 && is_cut() {
            reading.push(format!("line {line} passed over: it ends in the middle of an object"));
            break;
        }
        let refused = |problem: String| TableError::Row { path: path.to_owned(), line, problem };
        let value: Value = serde_json::from_str(piece).map_err(|error| refused(format!("not valid JSON: {error}")))?;
        match value {
            Value::Object(object) if is_alone => rows.add(line, object),
            Value::Object(object) => rows.add_row(line, Value::Object(object)),
            other => return Err(refused(format!("an object is expected, such as {{\"params\": 1e8, …}}, not `{}`", shortened(&other)))),
        }
    }
    rows.table(path)
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// The objects at the top of a text, or of the list that it is, each with its line.
fn pieces(text: &str) -> Vec<(u64, &str)> {
    let (mut found, mut depth, mut start, mut line) = (Vec::new(), 0_usize, None, 1_u64);
    let (mut quoted, mut escaped) = (false, false);
    let outer = usize::from(text.trim_start().starts_with('['));
    for (at, byte) in text.bytes().enumerate() {
        line += u64::from(byte == b'\n');
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                if depth == outer && start.is_none() {
                    start = Some((line, at));
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if let (true, Some((line, from))) = (depth == outer, start) {
                    found.push((line, &text[from..=at]));
                    start = None;
                }
            }
            _ => {}
        }
    }
    // What is not closed is left to the parser to name.
    found.extend(start.map(|(line, from)| (line, &text[from..])));
    found
}

/// The text with `NaN` and `Infinity`, which are no JSON though many write them, as words.
fn finite(text: &str) -> String {
    if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('"').enumerate() {
        let inside = at % 2 == 1;
        out += if at > 0 { "\"" } else { "" };
        out += &if inside {
            part.to_owned()
        } else {
            part.replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\"").replace("NaN", "\"NaN\"")
        };
    }
    out
}

/// Rows whose columns are found as they come.
#[derive(Default)]
struct Rows {
    headers: Vec<String>,
    at: HashMap<String, usize>,
    rows: Vec<(u64, Vec<String>)>,
}

impl Rows {
    /// Adds the one object of a text: a run, columns by name, or what holds one list of runs, `{"runs": […]}`.
    fn add(&mut self, line: u64, object: Map<String, Value>) {
        let lists: Vec<&String> = object.iter().filter(|(_, value)| is_runs(value)).map(|(name, _)| name).collect();
        if let [only] = lists.as_slice() {
            let name = (*only).clone();
            if let Some(Value::Array(runs)) = object.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value) {
                runs.into_iter().for_each(|run| self.add_row(line, run));
            }
            return;
        }
        if let Some(rows) = split_rows(&object) {
            rows.into_iter().for_each(|row| self.add_row(line, row));
            return;
        }
        if let Some(length) = columns_of(&object) {
            for at in 0..length {
                let row = object.iter().map(|(name, column)| (name.clone(), nth(column, at))).collect();
                self.add_row(line, Value::Object(row));
            }
            return;
        }
        self.add_row(line, Value::Object(object));
    }

    fn add_row(&mut self, line: u64, row: Value) {
        let mut cells = vec![String::new(); self.headers.len()];
        self.fill(&mut cells, "", row);
        self.rows.push((line, cells));
    }

    fn fill(&mut self, cells: &mut Vec<String>, path: &str, value: Value) {
        let text = match value {
            Value::Object(inner) => {
                for (name, value) in inner {
                    let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                    self.fill(cells, &path, value);
                }
                return;
            }
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let at = *self.at.entry(path.to_owned()).or_insert_with(|| {
            self.headers.push(path.to_owned());
            self.headers.len() - 1
        });
        if cells.len() <= at {
            cells.resize(at + 1, String::new());
        }
        cells[at] = text;
    }

    fn table(self, path: &Path) -> Result<RawTable, TableError> {
        if self.rows.is_empty() {
            return Err(TableError::Empty { path: path.to_owned(), what: "there is no object in it; a list of objects is expected" });
        }
        let width = self.headers.len();
        let row = |(line, mut cells): (u64, Vec<String>)| {
            cells.resize(width, String::new());
            (line, StringRecord::from(cells))
        };
        Ok(RawTable { path: path.to_owned(), headers: self.headers, rows: self.rows.into_iter().map(row).collect() })
    }
}

fn is_runs(value: &Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_object))
}

/// Rows whose columns are named apart, `{"columns": ["params", …], "data": [[1e8, …], …]}` as pandas splits them.
fn split_rows(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let names: Vec<String> = object.get("columns")?.as_array()?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let row = |cells: &Value| Some(Value::Object(names.iter().cloned().zip(cells.as_array()?.iter().cloned()).collect()));
    object.get("data")?.as_array()?.iter().map(row).collect()
}

/// How many rows columns by name hold, `{"params": [1, 2], "loss": [3, 4]}` or the same by index as pandas writes it.
fn columns_of(object: &Map<String, Value>) -> Option<usize> {
    let length = |value: &Value| match value {
        Value::Array(list) => Some(list.len()),
        Value::Object(by_index) if by_index.contains_key("0") => Some(by_index.len()),
        _ => None,
    };
    let mut lengths = object.values().map(length);
    let first = lengths.next()??;
    (object.len() > 1 && lengths.all(|other| other == Some(first))).then_some(first)
}

fn nth(column: &Value, at: usize) -> Value {
    match column {
        Value::Array(list) => list[at].clone(),
        Value::Object(by_index) => by_index.get(&at.to_string()).cloned().unwrap_or_default(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<(u64, Vec<String>)>) {
        let table = table_of(Path::new("x.json"), text, &mut Vec::new()).unwrap_or_else(|error| panic!("{error}"));
        (table.headers, table.rows.into_iter().map(|(line, row)| (line, row.iter().map(str::to_owned).collect())).collect())
    }

    #[test]
    fn lists_lines_and_columns_are_the_same_rows() {
        let lines = read("{\"a\": 1, \"m\": {\"b\": \"x\"}}\n{\"m\": {\"b\": null}, \"a\": 2.5}\n");
        assert_eq!(lines.0, ["a", "m.b"]);
        assert_eq!(lines.1, [(1, vec!["1".into(), "x".into()]), (2, vec!["2.5".into(), String::new()])]);
        let list = read("[\n {\"a\": 1, \"m\": {\"b\": \"x\"}},\n {\"a\": 2.5, \"m\": {\"b\": null}}\n]");
        assert_eq!((list.0, list.1[1].0), (lines.0, 3));
        let split = "{\"columns\": [\"a\", \"b\"], \"index\": [0, 1], \"data\": [[1, 3], [2, NaN]]}";
        for columns in [split, "{\"a\": [1, 2], \"b\": [3, NaN]}", "{\"a\": {\"0\": 1, \"1\": 2}, \"b\": {\"0\": 3, \"1\": \"NaN\"}}"] {
            let cells: Vec<Vec<String>> = read(columns).1.into_iter().map(|(_, row)| row).collect();
            assert_eq!(cells, [["1", "3"], ["2", "NaN"]]);
        }
        assert_eq!(read("{\"made\": \"today\", \"runs\": [{\"a\": 1}, {\"a\": \"a } in {quotes\"}]}").1.len(), 2);
    }

    #[test]
    fn what_is_no_json_is_named_with_its_line() {
        let error = |text: &str| table_of(Path::new("x.json"), text, &mut Vec::new()).map(|_| ()).expect_err("refused").to_string();
        assert!(error("{\"a\": 1}\n{\"a\": }\n").starts_with("x.json, line 2: not valid JSON"));
        assert!(error("[{\"a\": 1}, {\"a\": 2").contains("not valid JSON"));
        assert!(error("[]").contains("no object"));
        assert!(is_json(" [\n{") && is_json("{\"a\"") && !is_json("[x],b\n") && !is_json("a,b"));
    }
}
