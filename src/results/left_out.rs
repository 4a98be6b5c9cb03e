//! Rows of a table that no law can use, by reason, with their lines.

use super::known::{KNOWN, LOSS, STEPS};
use super::sheet::lines;
use super::table::TableError;
use super::wanted::Unusable;
use std::path::Path;

/// Rows that no law can use, by reason.
#[derive(Default)]
pub(super) struct LeftOut {
    by_reason: Vec<(String, Vec<u64>)>,
    /// The column to blame for each reason.
    columns: Vec<&'static str>,
    first: Option<TableError>,
}

impl LeftOut {
    /// Adds the row of a line.
    pub(super) fn add(&mut self, line: u64, unusable: Unusable) {
        match self.by_reason.iter_mut().find(|(reason, _)| *reason == unusable.reason) {
            Some((_, lines)) => lines.push(line),
            None => {
                self.by_reason.push((unusable.reason, vec![line]));
                self.columns.push(unusable.column);
            }
        }
        self.first = self.first.take().or(unusable.error);
    }

    /// Whether so many rows are left out.
    pub(super) fn is_all(&self, rows: usize) -> bool {
        self.by_reason.iter().map(|(_, lines)| lines.len()).sum::<usize>() == rows
    }

    /// Why no row is left: the cell of the only one, or what is wrong with all.
    pub(super) fn refusal(self, path: &Path) -> TableError {
        let (is_alone, advice) = (self.is_all(1), self.advice());
        match (self.first, is_alone) {
            (Some(error), true) => error,
            _ => TableError::NoRow { path: path.to_owned(), reasons: said(&self.by_reason), advice },
        }
    }

    /// What to do about the reason that most rows have.
    fn advice(&self) -> String {
        let most = self.by_reason.iter().zip(&self.columns).max_by_key(|((_, lines), _)| lines.len());
        let Some(((reason, _), ours)) = most else { return String::new() };
        let name = KNOWN.iter().find(|known| known.ours == *ours).map_or(*ours, |known| known.aliases[0]);
        let other = format!("--columns {name}=NAME");
        match *ours {
            LOSS if reason.ends_with("diverged") => format!("these runs came to nothing; if another column holds losses, {other}"),
            STEPS => format!("what stands at step 0 has seen nothing; if another column holds the steps, {other}"),
            LOSS if reason.ends_with("is 0") || reason.ends_with("is below 0") => format!(
                "laws take logarithms of losses, which must be above 0, by any estimator: of an accuracy --metric accuracy takes 1 - accuracy (of per cent with --columns loss=NAME*0.01 beside it), and a loss that is relative to another must be made absolute; if another column holds losses, {other}"
            ),
            LOSS => format!("another column may hold losses: {other}"),
            _ => format!("another column may hold {name}: {other}"),
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

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes};
    use std::path::Path;

    fn refusal(text: &str) -> String {
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).expect_err("refused").to_string()
    }

    #[test]
    fn advice_is_that_for_the_reason_of_most_rows() {
        let blank = refusal("params,tokens,loss\n1e7,1e9,\n2e7,1e9,\n3e7,0,3\n");
        assert!(blank.contains("loss is blank in lines 2 and 3; tokens is 0 in line 4; another column may hold losses"), "{blank}");
        assert!(blank.ends_with("--columns loss=NAME"), "{blank}");
        let lost = refusal("params,tokens,loss\n1e7,1e9,nan\n2e7,1e9,NaN\n");
        assert!(lost.contains("these runs came to nothing; if another column holds losses, --columns loss=NAME"), "{lost}");
        let relative = refusal("params,tokens,loss\n1e7,1e9,-2.1\n2e7,1e9,-2.4\n");
        assert!(relative.contains("loss is below 0 in lines 2 and 3; laws take logarithms of losses"), "{relative}");
        assert!(relative.contains("--metric accuracy") && relative.ends_with("--columns loss=NAME"), "{relative}");
        let size = refusal("params,tokens,loss\ntiny,1e9,3\nsmall,1e9,2.9\n");
        assert!(size.contains("params is no number in lines 2 and 3; another column may hold params: --columns params=NAME"), "{size}");
        assert!(!size.contains("loss="), "{size}");
        let tokens = refusal("params,tokens,loss\n1e7,0,3\n2e7,0,2.9\n");
        assert!(tokens.contains("--columns tokens=NAME"), "{tokens}");
    }
}
