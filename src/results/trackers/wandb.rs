//! Offline runs of W&B: `run-*.wandb`, records of protobuf (wandb/proto/wandb_internal.proto), of which those of run, configuration,
//! history and exit are read.

use super::blocks::Records;
use super::config::flatten;
use super::roles::{Role, role};
use super::run::{Asked, TrackedRun};
use prost::Message;
use serde_json::Value;
use std::collections::HashMap;
use std::io::Read;

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, optional, tag = "2")]
    history: Option<History>,
    #[prost(message, optional, tag = "5")]
    config: Option<Config>,
    #[prost(message, optional, tag = "17")]
    run: Option<Run>,
    #[prost(message, optional, tag = "18")]
    exit: Option<Exit>,
}

#[derive(Clone, PartialEq, Message)]
struct History {
    #[prost(message, repeated, tag = "1")]
    item: Vec<Item>,
    #[prost(message, optional, tag = "2")]
    step: Option<Step>,
}

#[derive(Clone, PartialEq, Message)]
struct Step {
    #[prost(int64, tag = "1")]
    num: i64,
}

/// A value by its name, or by the parts of its path; as JSON, or as what it is.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, repeated, tag = "2")]
    nested_key: Vec<String>,
    #[prost(sint64, optional, tag = "5")]
    integer: Option<i64>,
    #[prost(double, optional, tag = "6")]
    number: Option<f64>,
    #[prost(string, tag = "16")]
    value_json: String,
}

#[derive(Clone, PartialEq, Message)]
struct Config {
    #[prost(message, repeated, tag = "1")]
    update: Vec<ConfigItem>,
    #[prost(message, repeated, tag = "2")]
    remove: Vec<ConfigItem>,
}

#[derive(Clone, PartialEq, Message)]
struct ConfigItem {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, repeated, tag = "2")]
    nested_key: Vec<String>,
    #[prost(string, tag = "16")]
    value_json: String,
}

#[derive(Clone, PartialEq, Message)]
struct Run {
    #[prost(string, tag = "1")]
    run_id: String,
    #[prost(message, optional, tag = "4")]
    config: Option<Config>,
    #[prost(string, tag = "8")]
    display_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Exit {
    #[prost(int32, tag = "1")]
    exit_code: i32,
}

/// A run, with the identifier by which its files belong together.
pub(super) struct OfWandb {
    pub(super) run: TrackedRun,
    pub(super) id: String,
}

/// Reads an offline run; `None` of what is none.
pub(super) fn read(from: impl Read, asked: Asked<'_>) -> Option<OfWandb> {
    let mut records = Records::of(from)?;
    let mut found = OfWandb { run: TrackedRun::default(), id: String::new() };
    let (mut place, mut exit) = (Place::default(), None);
    while let Some(record) = records.next() {
        let record = match record.map(Record::decode) {
            Ok(Ok(record)) => record,
            // A record of another kind than is known.
            Ok(Err(_)) => continue,
            Err(cut) => {
                found.run.note(cut.to_string());
                break;
            }
        };
        if let Some(run) = record.run {
            (found.id, found.run.name) = (run.run_id.clone(), if run.display_name.is_empty() { run.run_id } else { run.display_name });
            run.config.into_iter().for_each(|config| configure(&mut found.run, config));
        }
        record.config.into_iter().for_each(|config| configure(&mut found.run, config));
        record.history.into_iter().for_each(|history| place.measure(&mut found.run, &history, asked));
        exit = record.exit.map(|exit| exit.exit_code).or(exit);
    }
    match exit {
        None if found.run.notes.is_empty() => found.run.note("does not say that it ended: it crashed, or runs"),
        Some(code) if code != 0 => found.run.note(format!("ended with exit code {code}")),
        _ => {}
    }
    Some(found)
}

fn configure(run: &mut TrackedRun, config: Config) {
    let path = |item: &ConfigItem| if item.nested_key.is_empty() { item.key.clone() } else { item.nested_key.join(".") };
    for item in &config.update {
        let path = path(item);
        // What W&B says of itself.
        if path.starts_with("_wandb") {
            continue;
        }
        if let Ok(value) = serde_json::from_str::<Value>(&item.value_json) {
            flatten(&mut run.config, &path, &value);
        }
    }
    config.remove.iter().for_each(|item| drop(run.config.remove(&path(item))));
}

/// Names of which it is remembered whether they are those of steps.
const MOST_NAMES: usize = 10_000;

/// Where a run stands: W&B counts calls, many trainers log their own steps beside them.
#[derive(Default)]
struct Place {
    own: Option<u64>,
    /// Likelihood of each name that was seen as that of a step; few names come in millions of records.
    names: HashMap<String, Option<usize>>,
}

impl Place {
    /// How likely a name is that of a step, 0 the likeliest.
    fn rank(&mut self, name: &str) -> Option<usize> {
        if let Some(rank) = self.names.get(name) {
            return *rank;
        }
        let rank = role(name).filter(|(of, _)| *of == Role::Step).map(|(_, rank)| rank);
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.to_owned(), rank);
        }
        rank
    }

    fn measure(&mut self, run: &mut TrackedRun, history: &History, asked: Asked<'_>) {
        let counted = history.step.as_ref().map_or(0, |step| step.num).max(0) as u64;
        let mut logged = None;
        for item in &history.item {
            if let (Some(rank), Some(value)) = (self.rank(item.name()), item.value())
                && item.nested_key.len() <= 1
                && logged.is_none_or(|(best, _)| rank < best)
                && (0.0..1e15).contains(&value)
                && value.fract() == 0.0
            {
                logged = Some((rank, value as u64));
            }
        }
        self.own = logged.map(|(_, step)| step).or(self.own);
        let step = self.own.unwrap_or(counted);
        for item in &history.item {
            let Some(value) = item.value() else { continue };
            match item.nested_key.as_slice() {
                [] | [_] if item.name().starts_with('_') => {}
                [] | [_] => run.measure(item.name(), step, value, asked),
                parts => run.measure(&parts.join("."), step, value, asked),
            }
        }
    }
}

impl Item {
    fn name(&self) -> &str {
        self.nested_key.first().unwrap_or(&self.key)
    }

    fn value(&self) -> Option<f64> {
        if let Some(number) = self.number.or(self.integer.map(|integer| integer as f64)) {
            return Some(number);
        }
        match self.value_json.trim_matches('"') {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.parse().ok(),
            _ => None,
        }
    }
}
