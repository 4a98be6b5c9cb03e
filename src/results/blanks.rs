//! What a blank cell of a table of ours says, where it is not that a value is unknown.

/// Columns of which a blank is a word, as rows of a time before the column have it, too.
const BLANKS: [(&str, &str); 1] = [("objective", "causal")];

/// A cell of a column of ours as it is compared, grouped and named.
pub(super) fn said<'a>(header: &str, cell: &'a str) -> &'a str {
    let blank = BLANKS.iter().find(|(column, _)| cell.is_empty() && *column == header);
    blank.map_or(cell, |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::super::table::records_to_csv;
    use super::super::{Wanted, import_bytes};
    use super::*;
    use crate::spec::{Nats, Params, RunRecord, Tokens};
    use std::path::Path;

    #[test]
    fn a_blank_objective_is_that_of_the_next_token_and_any_other_blank_is_blank() {
        assert_eq!((said("objective", ""), said("objective", "span"), said("corpus", "")), ("causal", "span", ""));
    }

    #[test]
    fn runs_are_grouped_and_kept_by_what_their_blanks_say() {
        let of = |objective: Option<&str>, loss| RunRecord {
            run_id: format!("run {loss}"),
            params_total: Some(Params(1e6)),
            tokens: Some(Tokens(1e8)),
            loss_nats: Some(Nats(loss)),
            objective: objective.map(str::to_owned),
            ..RunRecord::default()
        };
        let table = records_to_csv(&[of(None, 3.0), of(Some("masked"), 3.5)]);
        let kept = |filter: &str| {
            let filters = [filter.parse().expect("a filter")];
            let wanted = Wanted { filters: &filters, ..Wanted::default() };
            let records = import_bytes(Path::new("runs.csv"), &table, wanted).expect("reads").records;
            records.into_iter().map(|record| record.loss_nats.expect("given").0).collect::<Vec<_>>()
        };
        assert_eq!((kept("objective=causal"), kept("objective=masked"), kept("objective!=causal")), (vec![3.0], vec![3.5], vec![3.5]));
    }
}
