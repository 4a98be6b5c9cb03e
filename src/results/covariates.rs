//! Columns of others for what some laws are about beside N, D and C: experts, bits, width and depth, vocabulary, fine-tuning, shares of
//! the data.

use super::known::{ColumnMap, is_nothing, mapped};
use super::table::RawTable;
use crate::spec::{BITS, COVARIATES, EXAMPLES, SCRATCH, SHARE, is_share, parse_quantity};
use csv::StringRecord;

/// Where covariates stand in a table.
pub(super) struct Covariates {
    /// Place of a column, its factor, the name of what it holds.
    columns: Vec<(usize, f64, String)>,
}

impl Covariates {
    /// Those that `--columns` names, else the first column of each whose name is known, and all shares.
    pub(super) fn of(table: &RawTable, map: &ColumnMap) -> Self {
        let mut columns = Vec::new();
        for known in &COVARIATES {
            let found = match map.iter().find(|(ours, _)| known.is(ours)) {
                Some((_, theirs)) if is_nothing(theirs) => None,
                Some((_, theirs)) => mapped(table, theirs).map(|found| (found.at, found.unit.map_or(1.0, |(factor, _)| factor))),
                None => table.headers.iter().position(|header| known.is(header)).map(|at| (at, 1.0)),
            };
            columns.extend(found.map(|(at, factor)| (at, factor, known.name.to_owned())));
        }
        // In one spelling, for the names of coefficients follow from them.
        let share = |(at, header): (usize, &String)| is_share(header).then(|| (at, 1.0, format!("{SHARE}{}", &header[SHARE.len()..])));
        columns.extend(table.headers.iter().enumerate().filter_map(share));
        Self { columns }
    }

    /// Whether rows are of fine-tuning: they say on how many examples.
    pub(super) fn are_of_fine_tuning(&self) -> bool {
        self.columns.iter().any(|(.., name)| name == EXAMPLES)
    }

    /// Whether a row is of a network that nothing was read before: it has no tokens of pre-training.
    pub(super) fn is_from_scratch(&self, row: &StringRecord) -> bool {
        let column = self.columns.iter().find(|(.., name)| name == SCRATCH);
        column.is_some_and(|(at, ..)| row.get(*at).and_then(|cell| number(SCRATCH, cell)) == Some(1.0))
    }

    /// Whether a column says which networks are from scratch: it is no choice of a recipe.
    pub(super) fn tell_scratch(&self, at: usize) -> bool {
        self.columns.iter().any(|(place, _, name)| *place == at && name == SCRATCH)
    }

    /// What a row says of them; what is no finite number is absent.
    pub(super) fn of_row(&self, row: &StringRecord) -> Vec<(String, f64)> {
        let one = |(at, factor, name): &(usize, f64, String)| Some((name.clone(), factor * number(name, row.get(*at)?)?));
        self.columns.iter().filter_map(one).collect()
    }
}

/// How the names of number formats begin.
const FORMATS: [&str; 6] = ["bf", "fp", "float", "int", "uint", "nf"];

/// Words for yes and for no.
const YES: [&str; 4] = ["true", "yes", "t", "scratch"];
const NO: [&str; 4] = ["false", "no", "f", "pretrained"];

/// A number; of a column that says yes or no 1 or 0; of bits also those of a number format such as bf16, fp8 or int4.
fn number(name: &str, cell: &str) -> Option<f64> {
    let lower = cell.to_ascii_lowercase();
    let of_format = FORMATS.iter().filter(|_| name == BITS).find_map(|format| lower.strip_prefix(format)?.parse::<u8>().ok());
    if name == SCRATCH {
        let said = if YES.contains(&lower.trim()) { Some(1.0) } else { NO.contains(&lower.trim()).then_some(0.0) };
        return said.or_else(|| cell.trim().parse().ok().filter(|value| [0.0, 1.0].contains(value)));
    }
    // A quantity is above 0, a share may be 0.
    let plain = || cell.trim().parse().ok();
    of_format.map(f64::from).or_else(plain).or_else(|| parse_quantity(cell).ok()).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::{Imported, Wanted, import_bytes};
    use std::path::Path;

    fn read(text: &str, columns: &[(&str, &str)]) -> Imported {
        let columns: Vec<(String, String)> = columns.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect();
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted { columns: &columns, ..Wanted::default() }).expect("reads")
    }

    fn of(imported: &Imported, row: usize) -> Vec<(&str, f64)> {
        imported.records[row].covariates.iter().map(|(name, value)| (name.as_str(), *value)).collect()
    }

    #[test]
    fn columns_of_experts_bits_shape_and_shares_are_read_beside_ours() {
        let text = "params,tokens,loss,num_experts,precision,d_model,Share_web,share_code\n\
                    1e6,1e8,3,8,bf16,64,0.25,0.75\n1e6,1e8,2.9,x9,FP8,NaN,-,1\n1e6,1e8,2.8,1,16,64,0,1\n";
        let imported = read(text, &[]);
        assert_eq!(of(&imported, 0), [("experts", 8.0), ("bits", 16.0), ("width", 64.0), ("share_web", 0.25), ("share_code", 0.75)]);
        assert_eq!(of(&imported, 1), [("bits", 8.0), ("share_code", 1.0)], "what is no number is absent");
        assert_eq!(of(&imported, 2)[3..], [("share_web", 0.0), ("share_code", 1.0)], "nothing of a part is a share");
    }

    #[test]
    fn a_table_of_fine_tuning_needs_neither_sizes_nor_tokens_and_runs_from_scratch_have_none() {
        let wanted = Wanted { variables: super::super::Variables::OneIfAlone, ..Wanted::default() };
        let read = |text: &str| import_bytes(Path::new("x.csv"), text.as_bytes(), wanted);
        let imported = read("examples,loss\n0,4\n200,3.5\n1.6M,2\n").expect("reads");
        let examples: Vec<f64> = (0..3).map(|row| of(&imported, row)[0].1).collect();
        assert_eq!(examples, [0.0, 200.0, 1.6e6]);
        let text = "params,tokens,examples,from_scratch,loss\n1e6,1e8,500,no,3\n1e6,0,500,yes,4\n1e6,,500,True,4\n1e6,0,500,maybe,4\n";
        let imported = read(text).expect("reads");
        assert_eq!(imported.records.len(), 3, "{:?}", imported.left_out);
        assert_eq!(imported.left_out.len(), 1, "a network that was pre-trained saw some tokens");
        assert_eq!((imported.records[1].tokens, of(&imported, 2)), (None, vec![("examples", 500.0), ("scratch", 1.0)]));
        assert!(read("steps_done,loss\n1,2\n3,1\n").is_err(), "without examples a size or a length is needed");
    }

    #[test]
    fn another_column_is_named_by_an_option_or_none_is() {
        let text = "params,tokens,loss,experts,routed\n1e6,1e8,3,8,7\n2e6,1e8,2.9,16,15\n";
        assert_eq!(of(&read(text, &[]), 0), [("experts", 8.0)]);
        assert_eq!(of(&read(text, &[("experts", "routed")]), 1), [("experts", 15.0)]);
        assert_eq!(of(&read(text, &[("experts", "none")]), 1), []);
    }

    #[test]
    fn runs_that_differ_in_them_alone_are_other_runs() {
        use crate::spec::Ignoring;
        let imported = read("params,tokens,loss,share_a\n1e6,1e8,3,0.1\n1e6,1e8,2.9,0.2\n", &[]);
        let key = |row: usize| imported.records[row].key(Ignoring::RECIPE | Ignoring::SEEDS | Ignoring::OTHER_CHOICES);
        assert_ne!(key(0), key(1));
    }
}
