//! Data sets and groups of runs side by side, each prepared as a study of its own would prepare it, in one unit of loss.

use super::prepare::{one_tokenizer, seen_once};
use super::{Curves, Mixture, StudyError, StudyOptions, prepare};
use crate::fit::{BlockRun, Blocks, Comparison, blocks, compare};
use crate::law::{Evidence, blocks_of, in_bits_per_byte, tokenizers};
use crate::spec::{self, RunRecord, RunStatus};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// In what losses of several data sets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossUnit {
    /// Bits per byte of text, D in bytes.
    BitsPerByte,
    /// Losses in nats per token.
    NatsPerToken,
    /// Bits per byte, as tables of others give them, D in tokens.
    #[serde(rename = "bits-per-byte")]
    GivenBitsPerByte,
    /// Bits per token, as tables of others give them.
    BitsPerToken,
    /// Shares of answers that are wrong.
    ErrorRate,
    /// Another metric, as tables of others give it.
    Other,
}

impl LossUnit {
    /// Name of the unit, for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BitsPerByte | Self::GivenBitsPerByte => "bits per byte",
            Self::NatsPerToken => "nats per token",
            Self::BitsPerToken => "bits per token",
            Self::ErrorRate => spec::LossUnit::ErrorRate.name(),
            Self::Other => spec::LossUnit::Other.name(),
        }
    }

    /// That of losses that are compared as they were given; none of nats, which may be converted.
    fn given(unit: spec::LossUnit) -> Option<Self> {
        match unit {
            spec::LossUnit::Nats => None,
            spec::LossUnit::BitsPerByte => Some(Self::GivenBitsPerByte),
            spec::LossUnit::BitsPerToken => Some(Self::BitsPerToken),
            spec::LossUnit::ErrorRate => Some(Self::ErrorRate),
            spec::LossUnit::Other => Some(Self::Other),
        }
    }
}

/// One data set under the common convention.
#[derive(Debug, Clone)]
pub struct Group {
    /// Name of the data set.
    pub name: String,
    /// What its law is fitted to.
    pub evidence: Evidence,
    /// The same with losses as they are: what a forecast may see.
    pub as_seen: Evidence,
    /// The records behind that.
    pub records: Vec<RunRecord>,
}

impl Group {
    /// The laws together, fitted to its runs; `None` where these are no design for laws of N and D.
    pub fn mixture(&self) -> Option<Mixture> {
        Mixture::of(&self.as_seen)
    }
}

/// Named runs to compare.
pub type NamedRuns<'a> = (&'a str, &'a [RunRecord], StudyOptions);

/// Data sets in one unit of loss: bits per byte where all runs say how many bytes their tokens have.
///
/// # Errors
/// Where two have one name, their losses cannot be compared, or they are counted in several ways.
pub fn grouped(all: &[NamedRuns<'_>]) -> Result<(LossUnit, Vec<Group>), StudyError> {
    let names: BTreeSet<&str> = all.iter().map(|(name, ..)| *name).collect();
    if names.len() < all.len() {
        return Err(StudyError::SameName);
    }
    all.iter().try_for_each(|(_, records, _)| one_tokenizer(records))?;
    let given = all.first().and_then(|(_, _, options)| LossUnit::given(options.loss_unit));
    if all.iter().any(|(_, _, options)| LossUnit::given(options.loss_unit) != given) {
        return Err(StudyError::UnlikeUnits(
            all.iter().map(|(name, _, options)| format!("{name} in {}", options.loss_unit.name())).collect(),
        ));
    }
    let nats = || if given.is_none() { Some(()) } else { None };
    let converted: Option<Vec<Vec<RunRecord>>> =
        nats().and_then(|()| all.iter().map(|(_, records, _)| in_bits_per_byte(records)).collect());
    let tokenizers = tokenizers(&all.iter().flat_map(|(_, records, _)| records.iter().cloned()).collect::<Vec<_>>());
    let unit = match (&converted, tokenizers.len()) {
        _ if let Some(given) = given => given,
        (Some(_), _) => LossUnit::BitsPerByte,
        (None, 0 | 1) => LossUnit::NatsPerToken,
        (None, _) => return Err(StudyError::NoCommonUnit(tokenizers)),
    };
    let records = converted.unwrap_or_else(|| all.iter().map(|(_, records, _)| records.to_vec()).collect());
    let group = |((name, _, options), records): (&NamedRuns<'_>, Vec<RunRecord>)| group(name, &records, options);
    let groups: Vec<Group> = all.iter().zip(records).map(group).collect::<Result<_, StudyError>>()?;
    let counted: BTreeSet<String> = groups
        .iter()
        .map(|group| format!("N as {}, C as {}", group.evidence.size_measure.words(), group.evidence.flop_rule.words()))
        .collect();
    if counted.len() > 1 {
        return Err(StudyError::SeveralConventions(counted.into_iter().collect()));
    }
    Ok((unit, groups))
}

fn group(name: &str, records: &[RunRecord], options: &StudyOptions) -> Result<Group, StudyError> {
    if options.checkpoints.is_some() {
        return Err(StudyError::CheckpointsOfGroups);
    }
    let prepared = prepare(records, &Curves::default(), options)?;
    let once = |evidence: Evidence| if options.own { seen_once(evidence) } else { evidence };
    let as_seen = once(prepared.untuned.unwrap_or_else(|| prepared.evidence.clone()));
    Ok(Group { name: name.to_owned(), evidence: once(prepared.evidence), as_seen, records: prepared.records })
}

/// Laws of groups, tests of equal exponents, and the fit with shared ones.
///
/// # Errors
/// Where fewer than two groups can be fitted.
pub fn compare_groups(groups: &[Group], options: &StudyOptions) -> Result<Comparison, StudyError> {
    let evidence: Vec<(String, Evidence)> = groups.iter().map(|group| (group.name.clone(), group.evidence.clone())).collect();
    Ok(compare(&evidence, &options.fit_options(), options.level)?)
}

/// The groups that a column makes of the runs of one source, with the unit of their losses; `names` has the group of each record.
///
/// # Errors
/// Where groups of several tokenizers do not say how many bytes their tokens have.
pub fn groups_of(records: &[RunRecord], names: &[String], options: &StudyOptions) -> Result<(LossUnit, Vec<Group>), StudyError> {
    // Groups of several tokenizers have nothing but bits per byte in common.
    let given = LossUnit::given(options.loss_unit);
    let converted = match tokenizers(records) {
        _ if given.is_some() => None,
        several if several.len() > 1 => Some(in_bits_per_byte(records).ok_or(StudyError::SeveralTokenizers(several))?),
        _ => None,
    };
    let mut groups: BTreeMap<&str, Vec<RunRecord>> = BTreeMap::new();
    for (record, name) in converted.as_deref().unwrap_or(records).iter().zip(names) {
        groups.entry(name).or_default().push(record.clone());
    }
    let unit = given.unwrap_or(if converted.is_some() { LossUnit::BitsPerByte } else { LossUnit::NatsPerToken });
    let groups: Result<Vec<Group>, StudyError> = groups.into_iter().map(|(name, records)| group(name, &records, options)).collect();
    Ok((unit, groups?))
}

/// Groups on common cells and seeds, block by block, where there are any.
pub fn on_common_cells(records: &[RunRecord], names: &[String], level: f64) -> Option<Blocks> {
    let run = |((record, group), block): ((&RunRecord, &String), Option<String>)| {
        let loss = record.loss_nats.filter(|_| record.status == RunStatus::Finished)?.0;
        Some((group.clone(), block?, loss))
    };
    let runs: Vec<BlockRun> = records.iter().zip(names).zip(blocks_of(records)).filter_map(run).collect();
    blocks(&runs, level)
}
