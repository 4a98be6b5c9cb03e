//! What a reader must know of the columns of a table, and what to type: which stand beside the one that is read, which are the same
//! numbers again, which is missing.

use super::known::{ACTIVE, Kind, Known, LOSS, PARAMS, RUN, are_equal, canonical, is_blank, is_loss};
use super::table::{RawTable, as_argument};
use csv::StringRecord;
use std::collections::HashSet;

/// Words of a header that say that a loss is no measurement but a mean of several.
const SMOOTHED: [&str; 11] = ["smooth", "smoothed", "ema", "ewma", "avg", "averaged", "average", "running", "rolling", "moving", "mean"];

/// What stands beside a column that is needed and could have been meant; nothing of one that `--columns` names.
pub(super) fn remarks(table: &RawTable, known: &Known, at: usize, is_asked: bool) -> Vec<String> {
    if known.kind != Kind::Needed || is_asked {
        return Vec::new();
    }
    let header = &table.headers[at];
    let others = || (0..table.headers.len()).filter(|&other| other != at && !is_blank(table, other));
    let is_named_so = |other: usize| known.is(&table.headers[other].to_ascii_lowercase());
    let equal: Vec<usize> =
        others().filter(|&other| known.ours == LOSS || is_named_so(other)).filter(|&other| are_equal(table, at, other)).collect();
    let name = known.aliases[0];
    let mut said = Vec::new();
    if known.ours == LOSS {
        let smoothed = others().find(|&other| !equal.contains(&other) && is_smoothed(&table.headers[other], header));
        let types = |other: usize| format!("--columns loss={}", as_argument(&table.headers[other]));
        match (smoothed.map(|other| (&table.headers[other], types(other))), equal.is_empty()) {
            (Some((smooth, types)), true) => {
                said.push(format!("`{smooth}` stands beside `{header}`, which is read; {types} reads the smoothed one"));
            }
            (Some((smooth, types)), false) => {
                let copies = quoted(table, &equal);
                let beside = format!("`{smooth}` stands beside it, {types} reads that");
                said.push(format!("`{header}` is read as the loss; {copies} equal in every row, and {beside}"));
            }
            (None, false) => {
                let copies = quoted(table, &equal);
                said.push(format!("`{header}` is read as the loss; {copies} equal in every row: if one should hold other losses, --columns loss=NAME names those"));
            }
            (None, true) => {}
        }
        let is_empty_loss = |&other: &usize| other != at && is_named_so(other) && is_blank(table, other);
        if let Some(other) = (0..table.headers.len()).find(is_empty_loss) {
            said.push(format!("`{}` is blank in every row: losses are those of `{header}`", table.headers[other]));
        }
    } else if !equal.is_empty() {
        said.push(format!("`{header}` is read as {name}; {} equal in every row", quoted(table, &equal)));
    }
    said
}

/// Columns by name, as what is equal: "`a` is", "`a` and `b` are".
fn quoted(table: &RawTable, columns: &[usize]) -> String {
    let names: Vec<String> = columns.iter().map(|&at| format!("`{}`", table.headers[at])).collect();
    match names.as_slice() {
        [only] => format!("{only} is"),
        all => format!("{} are", all.join(" and ")),
    }
}

/// Whether a header is that of a loss, or of any loss, made smooth.
fn is_smoothed(header: &str, loss: &str) -> bool {
    let (canonical, own) = (canonical(header), canonical(loss));
    let words: Vec<&str> = canonical.split('_').collect();
    let rest: Vec<&str> = words.iter().copied().filter(|word| !SMOOTHED.contains(word)).collect();
    rest.len() < words.len() && is_loss(loss) && (rest == ["loss"] || rest.join("_") == own)
}

/// Which count of a mixture of experts is whose.
pub(super) fn active(table: &RawTable, names: &StringRecord) -> Option<String> {
    let place = |ours: &str| names.iter().position(|name| name == ours);
    let (active, all) = (place(ACTIVE)?, place(PARAMS)?);
    let (active, all) = (&table.headers[active], &table.headers[all]);
    Some(format!(
        "laws count N as `{all}`, all parameters; C is held against 6·N·D of the active ones, `{active}`; --columns params={} counts N as those",
        as_argument(active)
    ))
}

/// What to type where a column is missing.
pub(super) fn advice(table: &RawTable, known: &Known, names: &[String]) -> String {
    let name = known.aliases[0];
    let alike = table.headers.iter().find(|header| header.to_ascii_lowercase().contains(name)).map_or("NAME", String::as_str);
    let mut advice = if alike.contains([',', '*']) {
        format!("a name with a comma goes through a file: write {name} = {alike:?} into columns.toml and give --columns columns.toml")
    } else {
        format!("say which it is, such as --columns {name}={}", as_argument(alike))
    };
    let run = names.iter().position(|name| name == RUN);
    if known.ours == PARAMS
        && let Some(run) = run
    {
        let mut seen = HashSet::new();
        let runs = table.rows.iter().filter_map(|(_, row)| row.get(run)).filter(|run| seen.insert(*run));
        let sizes: Vec<String> = runs.take(2).zip(["50M", "100M"]).map(|(run, size)| format!("{run}:{size}")).collect();
        let sizes = as_argument(&format!("params={},…", sizes.join(","))).replace("params=", "");
        advice +=
            &format!("; or give the size of each run, --set params={sizes}, or a second table of run and params, --set params=sizes.csv");
    } else if known.kind == Kind::Needed && known.ours != LOSS {
        advice += &format!("; or give one for all rows, --set {name}=…");
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, import_bytes};
    use std::path::Path;

    fn notes(text: &str, map: &[(&str, &str)]) -> Vec<String> {
        let map: Vec<(String, String)> = map.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect();
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted { columns: &map, ..Wanted::default() }).expect("reads").notes
    }

    #[test]
    fn losses_that_are_equal_in_every_row_are_told_and_read_once() {
        let equal = "params,tokens,loss,val_loss\n1e7,1e9,3.5,3.50\n2e7,1e9,3.25,3.25\n";
        let said = notes(equal, &[]);
        assert!(said[0].starts_with("`loss` is read as the loss; `val_loss` is equal in every row: ") && said.len() == 1, "{said:?}");
        assert!(said[0].contains("--columns loss=NAME"), "{said:?}");
        assert_eq!(notes(equal, &[("loss", "val_loss")]), Vec::<String>::new(), "who names one knows it");
        let other = "params,tokens,loss,accuracy\n1e7,1e9,3.5,3.5\n2e7,1e9,3.25,3.26\n";
        assert_eq!(notes(other, &[]), Vec::<String>::new());
        let size = "params,n_params,tokens,loss\n1e7,10000000,1e9,3.5\n2e7,2e7,1e9,3.25\n";
        assert_eq!(notes(size, &[]), ["`params` is read as params; `n_params` is equal in every row"]);
    }

    #[test]
    fn losses_that_differ_in_one_row_still_are_two_that_could_be_meant() {
        let text = "params,tokens,loss,val_loss\n1e7,1e9,3.5,3.5\n2e7,1e9,3.25,3.26\n";
        let error = import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).expect_err("refused").to_string();
        assert!(error.contains("both mean loss"), "{error}");
    }

    #[test]
    fn a_smooth_loss_beside_the_loss_is_told_with_what_to_type() {
        for smooth in ["smooth loss", "loss_ema", "val_loss_smoothed", "running_loss"] {
            let said = notes(&format!("params,tokens,val_loss,{smooth}\n1e7,1e9,3.5,3.6\n2e7,1e9,3.25,3.4\n"), &[]);
            let argument = super::as_argument(smooth);
            let expected = format!("`{smooth}` stands beside `val_loss`, which is read; --columns loss={argument} reads the smoothed one");
            assert_eq!(said, [expected]);
        }
        let train = "params,tokens,val_loss,train_loss_ema\n1e7,1e9,3.5,3.6\n2e7,1e9,3.25,3.4\n";
        assert_eq!(notes(train, &[]), Vec::<String>::new(), "another loss made smooth");
        let both = "params,tokens,loss,val_loss,loss_ema\n1e7,1e9,3.5,3.5,3.6\n2e7,1e9,3.25,3.25,3.4\n";
        let said = notes(both, &[]);
        assert!(said.len() == 1 && said[0].contains("`val_loss` is equal") && said[0].contains("--columns loss=loss_ema"), "{said:?}");
    }

    #[test]
    fn active_parameters_make_tokens_of_compute_and_are_told() {
        let text = "params,active_params,flops,loss\n8e9,1e9,6e19,2.5\n16e9,2e9,2.4e20,2.4\n";
        let found = import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).expect("reads");
        let tokens = found.records.iter().map(|record| record.tokens.map(|tokens| tokens.0));
        assert_eq!(tokens.collect::<Vec<_>>(), [Some(1e10), Some(2e10)]);
        assert_eq!(found.active_shares, [Some(0.125), Some(0.125)]);
        assert!(found.notes.iter().any(|note| note.contains("--columns params=active_params counts N as those")), "{:?}", found.notes);
        let dense = "params,activated,tokens,loss\n8e9,8e9,1e11,2.5\n";
        assert_eq!(notes(dense, &[]), Vec::<String>::new());
        // A flag is no count.
        let flag = "params,activated,tokens,loss\n8e9,1,1e11,2.5\n";
        let found = import_bytes(Path::new("x.csv"), flag.as_bytes(), Wanted::default()).expect("reads");
        assert_eq!((found.active_shares, found.notes), (vec![None], Vec::new()));
    }
}
