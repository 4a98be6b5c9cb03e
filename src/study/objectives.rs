//! What a reader must know of the losses of runs that fill gaps.

use crate::spec::RunRecord;

/// What runs predict, in words that name a choice; blanks are the next token.
fn choice(record: &RunRecord) -> String {
    let parts = [record.objective.clone(), record.mask_ratio.clone(), record.span_length.map(|length| format!("spans of {length}"))];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    if said.is_empty() { "causal".to_owned() } else { said.join(" ") }
}

/// That losses are bounds where runs fill gaps, and that runs of several objectives follow several laws.
pub(super) fn notes(records: &[RunRecord]) -> Vec<String> {
    if records.iter().all(|record| record.objective.is_none()) {
        return Vec::new();
    }
    let mut choices: Vec<String> = Vec::new();
    for choice in records.iter().map(choice) {
        if !choices.contains(&choice) {
            choices.push(choice);
        }
    }
    let bounds = "losses of runs that fill gaps are bounds (ELBO): at most that, and as much less as nobody knows, is −ln p of a token";
    let mut notes = vec![bounds.to_owned()];
    if choices.len() > 1 {
        let by = if records.iter().any(|record| record.objective.is_none()) { "objective" } else { "mask_ratio" };
        notes.push(format!(
            "runs of {} objectives ({}) are fitted together, and a law is about one: fit --by {by} compares them, --where {by}=… keeps one",
            choices.len(),
            choices.join(", ")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_several_objectives_are_told_and_causal_runs_need_no_word() {
        let of = |objective: Option<&str>, ratio: Option<&str>| RunRecord {
            objective: objective.map(str::to_owned),
            mask_ratio: ratio.map(str::to_owned),
            ..RunRecord::default()
        };
        assert!(notes(&[of(None, None), of(None, None)]).is_empty());
        let masked = of(Some("masked"), Some("uniform"));
        let alone = notes(&[masked.clone(), masked.clone()]);
        assert!(alone.len() == 1 && alone[0].contains("bounds (ELBO)"), "{alone:?}");
        let both = notes(&[of(None, None), masked.clone()]);
        assert!(both[1].contains("2 objectives (causal, masked uniform)") && both[1].contains("--by objective"), "{both:?}");
        let ratios = notes(&[of(Some("masked"), Some("0.15")), masked]);
        assert!(ratios[1].contains("--by mask_ratio"), "{ratios:?}");
    }
}
