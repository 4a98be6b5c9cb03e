//! What a changed grid changes: the values of every field that the old and the new plan differ in.

use crate::spec::RunRecord;
use serde_json::Value;
use std::collections::HashSet;

/// A field of the plan whose values changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Name of the column.
    pub field: String,
    /// Values that only the earlier plan has, in its order.
    pub gone: Vec<String>,
    /// Values that only the new plan has.
    pub new: Vec<String>,
}

/// Fields that follow from others; naming them says nothing new.
const DERIVED: [&str; 7] = ["run_id", "flops_", "params_", "steps", "decay_fraction", "trunk_id", "cluster"];

/// Field by field, what is gone and what is new in a plan. Same values in other combinations are no change of a field.
pub fn changes(earlier: &[RunRecord], now: &[RunRecord]) -> Vec<Change> {
    let (earlier, now) = (fields(earlier), fields(now));
    let names = earlier.iter().chain(&now).flat_map(|row| row.keys());
    let mut seen = HashSet::new();
    let names: Vec<&String> = names.filter(|name| seen.insert(*name) && !DERIVED.iter().any(|derived| name.starts_with(derived))).collect();
    let change = |name: &String| {
        let (before, after) = (values(&earlier, name), values(&now, name));
        let without = |all: &[String], others: &[String]| {
            let others: HashSet<&String> = others.iter().collect();
            all.iter().filter(|value| !others.contains(value)).cloned().collect::<Vec<_>>()
        };
        let change = Change { field: name.clone(), gone: without(&before, &after), new: without(&after, &before) };
        (!(change.gone.is_empty() && change.new.is_empty())).then_some(change)
    };
    names.into_iter().filter_map(change).collect()
}

type Fields = serde_json::Map<String, Value>;

fn fields(records: &[RunRecord]) -> Vec<Fields> {
    let object = |record: &RunRecord| match serde_json::to_value(record) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("parts");
            fields.extend(record.parts.iter().map(|part| (part.share_column(), part.share.into())));
            fields.extend(record.parts.iter().map(|part| (format!("weight_{}", part.name), part.weight.into())));
            fields
        }
        _ => Fields::new(),
    };
    records.iter().map(object).collect()
}

/// The distinct values of a field, in the order of the rows.
fn values(rows: &[Fields], name: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let text = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    rows.iter().filter_map(|row| row.get(name)).map(text).filter(|value| seen.insert(value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::expand::tests::plan;
    use super::super::grid::tests::SMALL;
    use super::*;

    #[test]
    fn a_changed_grid_is_told_field_by_field() {
        let before = plan(SMALL).records();
        assert_eq!(changes(&before, &before), []);
        let after = plan(&format!("{SMALL}\n[recipe]\nlearning_rate = [2e-3, 4e-3]\ngrad_clip = 0.5")).records();
        let found = changes(&before, &after);
        let expected = [("grad_clip", vec!["1.0"], vec!["0.5"]), ("learning_rate", vec![], vec!["0.004"])];
        let expected = expected.map(|(field, gone, new): (&str, Vec<&str>, Vec<&str>)| Change {
            field: field.into(),
            gone: gone.into_iter().map(str::to_owned).collect(),
            new: new.into_iter().map(str::to_owned).collect(),
        });
        assert_eq!(found, expected);
        let wider = plan(&SMALL.replace("\"2x32\"", "\"2x32\", \"2x48\"")).records();
        assert!(changes(&before, &wider).iter().any(|change| change.field == "width" && change.new == ["48"]));
    }
}
