//! Rows of a table that no law can use, by reason, with their lines.

use super::sheet::lines;
use super::table::TableError;
use super::wanted::Unusable;
use std::path::Path;

/// Rows that no law can use, by reason.
#[derive(Default)]
pub(super) struct LeftOut {
    by_reason: Vec<(String, Vec<u64>)>,
    first: Option<TableError>,
}

impl LeftOut {
    /// Adds the row of a line.
    pub(super) fn add(&mut self, line: u64, unusable: Unusable) {
        match self.by_reason.iter_mut().find(|(reason, _)| *reason == unusable.reason) {
            Some((_, lines)) => lines.push(line),
            None => self.by_reason.push((unusable.reason, vec![line])),
        }
        self.first.get_or_insert(unusable.error);
    }

    /// Whether so many rows are left out.
    pub(super) fn is_all(&self, rows: usize) -> bool {
        self.by_reason.iter().map(|(_, lines)| lines.len()).sum::<usize>() == rows
    }

    /// Why no row is left: the cell of the only one, or what is wrong with all.
    pub(super) fn refusal(self, path: &Path) -> TableError {
        let is_alone = self.is_all(1);
        match (self.first, is_alone) {
            (Some(error), true) => error,
            _ => TableError::NoRow { path: path.to_owned(), reasons: said(&self.by_reason) },
        }
    }

    /// Reasons with the lines that they leave out; `what` becomes of them.
    pub(super) fn said(&self, what: &str) -> Vec<String> {
        self.by_reason.iter().map(|(reason, all)| format!("{}{what}: {reason}", lines(all))).collect()
    }

    /// Each row by its line, with its reason.
    pub(super) fn rows(self) -> Vec<(String, String)> {
        let of = |(reason, lines): (String, Vec<u64>)| lines.into_iter().map(move |line| (format!("line {line}"), reason.clone()));
        self.by_reason.into_iter().flat_map(of).collect()
    }
}

fn said(by_reason: &[(String, Vec<u64>)]) -> String {
    by_reason.iter().map(|(reason, all)| format!("{reason} in {}", lines(all))).collect::<Vec<_>>().join("; ")
}
