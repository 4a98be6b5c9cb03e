//! Charts of trackers: a column for each run, named `run - metric`, over a column of steps. Each becomes rows of its run.

use super::known::{is_along, is_loss};
use super::table::RawTable;
use csv::StringRecord;

/// What columns beside those of a metric end with: its extremes, and the steps of each run.
const BESIDE: [&str; 3] = ["__MIN", "__MAX", "_step"];

/// The rows of such a chart, a row a run and step, with what a reader may want to know; `None` of every other table.
pub(super) fn melted(table: &RawTable) -> Option<(RawTable, String)> {
    let along = table.headers.iter().position(|header| is_along(header))?;
    let columns: Vec<(usize, &str, &str)> = table
        .headers
        .iter()
        .enumerate()
        .filter(|(at, header)| *at != along && !BESIDE.iter().any(|end| header.ends_with(end)))
        .filter_map(|(at, header)| header.rsplit_once(" - ").map(|(run, metric)| (at, run.trim(), metric.trim())))
        .collect();
    // One metric; where there are several that of held-out losses, whose names are longer.
    let metric = columns.iter().map(|(_, _, metric)| *metric).filter(|metric| is_loss(metric)).max_by_key(|metric| metric.len())?;
    let of_metric: Vec<_> = columns.iter().filter(|(_, _, other)| *other == metric).collect();
    let mut rows = Vec::new();
    for (at, run, _) in &of_metric {
        let filled =
            table.rows.iter().filter_map(|(line, row)| Some((line, row.get(along)?, row.get(*at).filter(|cell| !cell.is_empty())?)));
        rows.extend(filled.map(|(line, along, loss)| (*line, StringRecord::from(vec![*run, along, loss]))));
    }
    let headers = ["run", &table.headers[along], metric].map(str::to_owned).to_vec();
    let note = format!("{} columns `… - {metric}` read as so many runs", of_metric.len());
    Some((RawTable { path: table.path.clone(), headers, rows }, note))
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes};
    use std::path::Path;

    #[test]
    fn columns_of_runs_are_their_rows() {
        let text = b"Step,a - eval/loss,a - eval/loss__MIN,b - x - eval/loss,a - _step\n\
            10,4,3.9,,1\n20,3.5,3.4,3,2\n30,3.2,3.2,2.8,3\n40,3.1,3.1,,3\n";
        let sizes = [("params".to_owned(), "a:1M, b - x:4M".to_owned()), ("batch_tokens".to_owned(), "1e5".to_owned())];
        let found = import_bytes(Path::new("x.csv"), text, Wanted { constants: &sizes, ..Wanted::default() }).expect("reads");
        let ends = found.records.iter().map(|one| (one.run_id.as_str(), one.params_total.map(|n| n.0), one.tokens.map(|d| d.0)));
        assert_eq!(ends.collect::<Vec<_>>(), [("a", Some(1e6), Some(4e6)), ("b - x", Some(4e6), Some(3e6))]);
    }
}
