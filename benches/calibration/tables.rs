//! The runs that forecasts are scored on: published tables beside this repository, and its own results.

use scalelab::law::Evidence;
use scalelab::results::{Filter, Imported, SweepFolder, Wanted, import_table};
use scalelab::spec::{FlopRule, RunRecord, SizeMeasure};
use scalelab::study::{Curves, StudyOptions, prepare, seen_once};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

/// Runs that stand in one law.
pub(crate) struct Table {
    /// What tells it from the others of its source.
    pub(crate) name: String,
    /// Its runs, each once.
    pub(crate) evidence: Evidence,
}

/// Reads the tables of a source, or says why there are none.
pub(crate) type Read = fn() -> Result<Vec<Table>, String>;

/// Every source.
pub(crate) const SOURCES: [(&str, Read); 6] =
    [("chinchilla", chinchilla), ("porian", porian), ("datablations", datablations), ("farseer", farseer), ("olmo", olmo), ("own", own)];

/// Sweeps of ours that vary N and D by themselves.
const OWN: [&str; 7] = ["grid", "study", "english", "code", "chinese", "hyperparameters", "entropy"];

fn published(file: &str, wanted: Wanted<'_>) -> Result<Imported, String> {
    let path = PathBuf::from(format!("{}/../shared/published/{file}", env!("CARGO_MANIFEST_DIR")));
    import_table(&path, wanted).map_err(|error| error.to_string())
}

fn as_given(records: &[RunRecord]) -> Evidence {
    Evidence::of(records, SizeMeasure::AsGiven, FlopRule::AsGiven)
}

/// Without copies of a run: a row that is another's in N, D and loss to the last digit is no run of its own.
fn table(name: impl Into<String>, mut evidence: Evidence) -> Table {
    let mut known = HashSet::new();
    evidence.points.retain(|p| known.insert([p.n, p.d, p.loss].map(f64::to_bits)));
    Table { name: name.into(), evidence }
}

fn chinchilla() -> Result<Vec<Table>, String> {
    // The five highest losses are outliers by the account of those who recovered the points.
    let used = [Filter::equal("used_in_published_fit", "1")];
    let read = published("chinchilla_epoch.csv", Wanted { filters: &used, ..Wanted::default() })?;
    Ok(vec![table("all", as_given(&read.records))])
}

/// A table for each configuration.
fn porian() -> Result<Vec<Table>, String> {
    let mut names: Vec<String> = Vec::new();
    let mut records = Vec::new();
    for column in ["dataset", "hparams", "warmup", "decay", "param_count", "loss_kind"] {
        let read = published("porian_isoflop.csv", Wanted { by: Some(column), ..Wanted::default() })?;
        names.resize(read.groups.len(), String::new());
        names.iter_mut().zip(read.groups).for_each(|(name, part)| *name += &format!("{}{part}", if name.is_empty() { "" } else { "/" }));
        records = read.records;
    }
    let mut configurations: BTreeMap<String, Vec<RunRecord>> = BTreeMap::new();
    names.into_iter().zip(records).for_each(|(name, record)| configurations.entry(name).or_default().push(record));
    Ok(configurations.into_iter().map(|(name, records)| table(name, as_given(&records))).collect())
}

/// Runs that see their data once.
fn datablations() -> Result<Vec<Table>, String> {
    let read = published("datablations_c4.csv", Wanted::default())?;
    Ok(vec![table("once", seen_once(as_given(&read.records)))])
}

fn farseer() -> Result<Vec<Table>, String> {
    let mut read = published("farseer_train.csv", Wanted::default())?;
    read.records.extend(published("farseer_test.csv", Wanted::default())?.records);
    Ok(vec![table("all", as_given(&read.records))])
}

/// The ends of the runs: before its decay a run is none of the same recipe.
fn olmo() -> Result<Vec<Table>, String> {
    let loss = [("loss".to_owned(), "c4_loss".to_owned())];
    let read = published("olmo_ladder.csv", Wanted { columns: &loss, by: Some("chinchilla_multiple"), ..Wanted::default() })?;
    let tokens = |record: &RunRecord| record.tokens.map_or(0.0, |tokens| tokens.0);
    let mut ends: BTreeMap<(u64, String), RunRecord> = BTreeMap::new();
    for (record, multiple) in read.records.into_iter().zip(read.groups) {
        let run = (record.params_total.map_or(0, |params| params.0 as u64), multiple);
        if ends.get(&run).is_none_or(|known| tokens(known) < tokens(&record)) {
            ends.insert(run, record);
        }
    }
    let ends: Vec<RunRecord> = ends.into_values().collect();
    Ok(vec![table("c4", as_given(&ends))])
}

/// The lowest loss of each cell as it is: a correction to the tuned frontier would have seen the runs that are forecast.
fn own() -> Result<Vec<Table>, String> {
    let read = |name: &&str| {
        let folder = SweepFolder::at(format!("{}/results/{name}", env!("CARGO_MANIFEST_DIR")));
        let records = folder.gathered_of_plan().map_err(|error| error.to_string())?;
        let prepared = prepare(&records, &Curves::default(), &StudyOptions::default()).map_err(|error| error.to_string())?;
        Ok(table(*name, seen_once(prepared.untuned.unwrap_or(prepared.evidence))))
    };
    OWN.iter().map(read).collect()
}
