//! Reads a folder again and again, and remembers between two readings what files do not tell: losses of runs at work, curves that
//! were read.

use super::super::expected::ExpectedEnds;
use super::super::labels::Labels;
use super::super::loss_trace::LossTrace;
use super::super::names::results_of;
use super::super::progress::Progress;
use super::view::{Ailing, Diagnosis, View};
use crate::doctor::diagnose_all;
use crate::results::{FolderReader, RunningRun, SweepFolder, liveliest_sweep};
use crate::spec::{CurvePoint, RunRecord};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The sweep that is to be watched.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A sweep's folder, which need not be there yet.
    Folder(PathBuf),
    /// The newest sweep below a folder.
    NewestBelow(PathBuf),
}

/// Losses that are kept of a run at work.
const LOSSES_KEPT: usize = 400;
/// Runs that ended last and are looked at by the doctor.
const MOST_EXAMINED: usize = 400;

/// Reads again and again.
pub(super) struct Gatherer {
    target: Target,
    reader: Option<FolderReader>,
    /// Whether a driver was at work at the last look.
    busy: bool,
    losses: HashMap<String, LossTrace>,
    curves: HashMap<String, Vec<CurvePoint>>,
    /// The runs that ended last, in the order of their names, and all that the diagnosis is of.
    examined: Vec<RunRecord>,
    diagnosed: Option<Arc<HashMap<String, RunRecord>>>,
    diagnosis: Diagnosis,
    /// The plan that the labels are of.
    labelled: Option<Arc<Vec<RunRecord>>>,
    labels: Labels,
}

impl Target {
    /// A folder by its path or by its sweep's name; the newest where none is named.
    pub(super) fn of(named: Option<&Path>, results: &Path) -> Self {
        let Some(path) = named else { return Self::NewestBelow(results.to_owned()) };
        let found = results_of(path, results);
        let a_name = path.components().count() == 1 && path.extension().is_none() && !path.exists();
        // A name whose folder is made when its sweep begins.
        Self::Folder(if found == path && a_name { results.join(path) } else { found })
    }
}

impl Gatherer {
    pub(super) fn of(target: Target) -> Self {
        Self {
            target,
            reader: None,
            busy: false,
            losses: HashMap::new(),
            curves: HashMap::new(),
            examined: Vec::new(),
            diagnosed: None,
            diagnosis: Diagnosis::default(),
            labelled: None,
            labels: Labels::default(),
        }
    }

    /// What the files say at this moment.
    pub(super) fn look(&mut self, now: u64) -> View {
        let place = match self.place() {
            Ok(place) => place,
            Err(results) => return without_sweep(&results, "holds no sweep yet; the first that begins is shown".into()),
        };
        if self.reader.as_ref().is_none_or(|reader| reader.folder().path != place) {
            (self.reader, self.diagnosed) = (Some(FolderReader::of(SweepFolder::at(&place))), None);
        }
        let reader = self.reader.as_mut().expect("just made");
        let contents = match reader.look() {
            Ok(contents) if contents.plan.is_some() => contents,
            Ok(_) => return without_sweep(&place, "has no plan.csv, so no sweep began there yet; one that begins is shown".into()),
            Err(error) => return without_sweep(&place, format!("cannot be read now: {error}")),
        };
        let progress = Progress::of(reader.folder(), contents, now);
        self.busy = !progress.alive.is_empty();
        self.name(&progress);
        self.remember(&progress);
        self.diagnose(&progress);
        let expected = self.expected(&progress);
        View {
            place: place.display().to_string(),
            progress: Some(progress),
            problem: None,
            labels: self.labels.clone(),
            losses: self.losses.clone(),
            diagnosis: self.diagnosis.clone(),
            expected,
        }
    }

    /// The folder to read, or the folder below which there is none. The newest sweep stays the one while it runs.
    fn place(&self) -> Result<PathBuf, PathBuf> {
        match (&self.target, &self.reader) {
            (Target::Folder(path), _) => Ok(path.clone()),
            (_, Some(reader)) if self.busy => Ok(reader.folder().path.clone()),
            (Target::NewestBelow(results), _) => liveliest_sweep(results).map(|folder| folder.path).map_err(|_| results.clone()),
        }
    }

    fn name(&mut self, progress: &Progress) {
        let plan = progress.contents.plan.as_ref();
        if !self.labelled.as_ref().zip(plan).is_some_and(|(known, new)| Arc::ptr_eq(known, new)) {
            (self.labels, self.labelled) = (Labels::of(progress.plan()), plan.cloned());
        }
    }

    /// Keeps what heartbeats tell of losses, and forgets those of runs that no worker is at.
    fn remember(&mut self, progress: &Progress) {
        self.losses.retain(|run_id, _| progress.told_of(run_id).is_some());
        for (_, run) in progress.running() {
            let trace = self.losses.entry(run.run_id.clone()).or_insert_with(|| LossTrace::of_at_most(LOSSES_KEPT));
            // A run that was lost and began again.
            if trace.points().last().is_some_and(|last| last.0 > run.step) {
                *trace = LossTrace::of_at_most(LOSSES_KEPT);
            }
            run.train_losses.iter().for_each(|(step, loss)| trace.add(*step, *loss));
            run.train_loss_nats.iter().for_each(|loss| trace.add(run.step, *loss));
        }
    }

    /// Looks at the curves of the runs that ended last, where others ended since.
    fn diagnose(&mut self, progress: &Progress) {
        let done = &progress.contents.done;
        if self.diagnosed.as_ref().is_some_and(|known| Arc::ptr_eq(known, done)) {
            return;
        }
        let mut records: Vec<RunRecord> = progress.ended().into_iter().take(MOST_EXAMINED).cloned().collect();
        records.sort_by(|a, b| a.run_id.cmp(&b.run_id));
        self.curves.retain(|run_id, _| records.binary_search_by(|record| record.run_id.cmp(run_id)).is_ok());
        let kept = progress.folder.curves();
        // A curve that cannot be read says nothing here; `scalelab doctor` names it.
        let read = |record: &RunRecord| kept.of(record).ok().flatten().unwrap_or_default();
        let curves: Vec<Vec<CurvePoint>> =
            records.iter().map(|record| self.curves.entry(record.run_id.clone()).or_insert_with(|| read(record)).clone()).collect();
        self.diagnosis = diagnosis(&records, &curves, &self.labels);
        self.diagnosed = Some(Arc::clone(done));
        self.examined = records;
    }

    /// What the runs at work will end at.
    fn expected(&self, progress: &Progress) -> ExpectedEnds {
        let curves: Vec<&[CurvePoint]> =
            self.examined.iter().map(|record| self.curves.get(&record.run_id).map_or(&[][..], Vec::as_slice)).collect();
        let losses = |told: &RunningRun| self.losses.get(&told.run_id).map_or(Vec::new(), |trace| trace.points().to_vec());
        ExpectedEnds::of(progress, &self.examined, &curves, losses)
    }
}

fn diagnosis(records: &[RunRecord], curves: &[Vec<CurvePoint>], labels: &Labels) -> Diagnosis {
    let found = diagnose_all(records, curves);
    let sick = found.iter().filter(|findings| findings.iter().any(|finding| finding.fault)).count();
    let mut by_ailment: BTreeMap<_, Ailing> = BTreeMap::new();
    for (record, findings) in records.iter().zip(found) {
        for finding in findings {
            let key = (!finding.fault, finding.ailment);
            let ailing = by_ailment.entry(key).or_insert_with(|| Ailing { first: finding, runs: Vec::new() });
            ailing.runs.push(labels.of_run(record));
        }
    }
    Diagnosis { examined: records.len(), sick, found: by_ailment.into_values().collect() }
}

fn without_sweep(place: &Path, problem: String) -> View {
    View { place: place.display().to_string(), problem: Some(problem), ..View::default() }
}
