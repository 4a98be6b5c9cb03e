//! How the commands of the analysis wing ask for a study: the choices that they share, and the runs as a study takes them.

use super::display::patiently;
use super::failure::{Failure, OrInput};
use super::numbers;
use super::source::{Source, SourceArgs};
use super::study_times::StudyTime;
use super::text::plural;
use crate::fit::{Estimator, FitOptions, Resample};
use crate::law::{Exclusion, PUBLISHED, formulas, points};
use crate::spec::{FlopRule, Flops, RunRecord, SizeMeasure};
use crate::study::{Curves, LawName, Scrutinised, Study, StudyError, StudyOptions};
use anyhow::anyhow;
use clap::Args;

/// What `fit`, `recommend`, `forecast` and `report` are asked.
#[derive(Args)]
pub(super) struct Asked {
    /// Budgets to recommend for, FLOPs
    ///
    /// [default: 3, 10 and 100 times the largest of the runs]
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    pub(super) compute: Vec<Flops>,
    /// Print one JSON document and write no file
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    #[command(flatten)]
    pub(super) laws: Laws,
    #[command(flatten)]
    pub(super) choices: Choices,
}

/// Heading of the options that say how laws are fitted.
const FIT: &str = "How laws are fitted";

/// Which laws are fitted, and whether one is used alone.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = FIT)]
pub(super) struct Laws {
    #[arg(
        long, value_name = "NAME,…", value_delimiter = ',', value_parser = law_name,
        help = "Laws that are fitted, or all [default: auto]", long_help = law_help()
    )]
    law: Vec<Named>,
    /// The published law that data-constrained rests on
    ///
    /// [default: fitted to the runs that see their data once]
    #[arg(long, value_name = "NAME", requires = "law", value_parser = PUBLISHED.map(|law| law.name), hide_short_help = true)]
    base: Option<String>,
}

impl From<Vec<LawName>> for Laws {
    fn from(laws: Vec<LawName>) -> Self {
        Self { law: laws.into_iter().map(Named::One).collect(), base: None }
    }
}

/// A law by name, or all of them.
#[derive(Clone)]
pub(super) enum Named {
    One(LawName),
    All,
}

fn law_name(text: &str) -> Result<Named, String> {
    if text == "all" { Ok(Named::All) } else { text.parse().map(Named::One) }
}

fn law_help() -> String {
    format!(
        "The law that speaks, and others to stand beside it: {}; or all. auto forecasts losses by several laws together, weighted by their record, and has its coefficients from chinchilla [default: auto]",
        LawName::all().join(", ")
    )
}

impl Laws {
    /// Whether a law was named.
    pub(super) fn are_named(&self) -> bool {
        !self.law.is_empty()
    }

    /// The laws that were named, each once.
    fn named(&self) -> Vec<LawName> {
        let all = || formulas().into_iter().map(LawName::Formula).collect::<Vec<_>>();
        let mut named: Vec<LawName> = Vec::new();
        for law in self.law.iter().flat_map(|law| match law {
            Named::One(law) => vec![law.clone()],
            Named::All => all(),
        }) {
            if !named.iter().any(|known| known.name() == law.name()) {
                named.push(law);
            }
        }
        named
    }
}

/// How laws are fitted.
#[derive(Args, Clone)]
#[command(next_help_heading = FIT)]
pub(super) struct Choices {
    /// How N is counted: matmul, total, …
    ///
    /// One of total, non-embedding, matmul, flops-per-token, as-given; `scalelab explain matmul` and the like say what they count.
    /// [default: matmul for sweeps of scalelab, as-given for other tables]
    #[arg(long, value_name = "MEASURE")]
    size_measure: Option<SizeMeasure>,
    /// How C is counted: exact, md, 6nd, as-given
    ///
    /// [default: exact for sweeps of scalelab, as-given for other tables]
    #[arg(long, value_name = "RULE")]
    flop_rule: Option<FlopRule>,
    /// What is minimised: huber-log, …
    ///
    /// One of huber-log, least-squares-log, least-squares, absolute-log.
    /// [default: least-squares-log for sweeps of scalelab, huber-log for other tables]
    #[arg(long, value_name = "NAME")]
    estimator: Option<Estimator>,
    /// δ of huber-log
    #[arg(long, default_value_t = 1e-3, hide_short_help = true)]
    delta: f64,
    /// What intervals of refits draw anew: runs, clusters, residuals
    ///
    /// Runs, clusters (of runs that share steps) or residuals [default: residuals where a fit other than least-squares-log has
    /// fewer than 100 runs or 20 clusters, else clusters or runs]
    #[arg(long, value_name = "WHAT", hide_short_help = true)]
    resample: Option<Resample>,
    /// Refits, for intervals; at most 1,000,000
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = numbers::refits, hide_short_help = true)]
    refits: usize,
    /// Fit every point of loss curves, not the last alone
    ///
    /// Of the loss curves of a table, each a cluster; the first BURN_IN of a run, a tenth where nothing is said, is left out.
    #[arg(
        long, value_name = "BURN_IN", num_args = 0..=1, require_equals = true, default_missing_value = "0.1", hide_short_help = true
    )]
    checkpoints: Option<f64>,
    /// Confidence level of intervals
    #[arg(long, default_value_t = 0.95, value_parser = numbers::level)]
    level: f64,
    /// Seed of the resampling
    #[arg(long, default_value_t = 0, hide_short_help = true)]
    seed: u64,
    /// Recommend by a law that means nothing, too
    #[arg(long, hide_short_help = true)]
    force: bool,
    /// Recommend from a table that contradicts itself, too
    ///
    /// Where C, N and D, or batch and steps, disagree by more than a factor of 2.5, nothing is recommended without it.
    #[arg(long, hide_short_help = true)]
    trust: bool,
    /// Refit beside without runs that stand off the law
    ///
    /// Of a table of others: runs whose loss lies six residuals or more from the law of the rest are named, and what the law would be
    /// without them is said. What is recommended rests on all runs; --where leaves a run out for good.
    #[arg(long, hide_short_help = true)]
    robust: bool,
    /// Hide runs of more compute than this, FLOPs
    ///
    /// `scalelab forecast` forecasts those that are hidden.
    #[arg(long, value_name = "C", hide_short_help = true)]
    max_compute: Option<Flops>,
}

impl Default for Choices {
    fn default() -> Self {
        let FitOptions { refits, seed, .. } = FitOptions::default();
        Self {
            size_measure: None,
            flop_rule: None,
            estimator: None,
            delta: 1e-3,
            resample: None,
            refits,
            checkpoints: None,
            level: 0.95,
            seed,
            force: false,
            trust: false,
            robust: false,
            max_compute: None,
        }
    }
}

impl Choices {
    /// Level of intervals.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Largest compute of runs that are seen, FLOPs.
    pub(super) fn max_compute(&self) -> Option<Flops> {
        self.max_compute
    }

    /// A source without the runs of more compute than is to be seen, and those runs.
    pub(super) fn seen(&self, mut source: Source) -> Result<(Source, Vec<RunRecord>), Failure> {
        let Some(most) = self.max_compute else { return Ok((source, Vec::new())) };
        let (measure, rule) = self.options(&source).conventions();
        let is_above = |record: &RunRecord| {
            let (points, _) = points(std::slice::from_ref(record), measure, rule);
            points.first().is_some_and(|point| point.c > most.0 * (1.0 + 1e-9))
        };
        let hidden = source.hide(is_above, &format!("more compute than --max-compute {most}"));
        if source.records.is_empty() {
            let path = source.path.display();
            return Err(Failure::Input(anyhow!("{path}: every run has more compute than --max-compute {most}; give more")));
        }
        source.max_compute = self.max_compute;
        Ok((source, hidden))
    }

    /// The same for a command that says nothing of the runs that it left out: a line on standard error does.
    pub(super) fn seen_aloud(&self, source: Source) -> Result<Source, Failure> {
        let all = source.records.len();
        let (source, hidden) = self.seen(source)?;
        if let Some(most) = self.max_compute {
            let path = source.path.display();
            eprintln!("{path}: {} of {all} runs have more compute than --max-compute {most} and are hidden", hidden.len());
        }
        Ok(source)
    }

    /// The choices as a study of a source takes them.
    pub(super) fn options(&self, source: &Source) -> StudyOptions {
        let default = if source.own { Estimator::LeastSquaresLog } else { Estimator::default() };
        let left_out = source.left_out.iter().map(|(run, reason)| Exclusion { run: run.clone(), reason: reason.clone() });
        StudyOptions {
            own: source.own,
            size_measure: self.size_measure,
            flop_rule: self.flop_rule,
            estimator: Some(self.estimator.unwrap_or(default).with_delta(self.delta)),
            resample: self.resample.unwrap_or_default(),
            refits: self.refits,
            level: self.level,
            seed: self.seed,
            force: self.force,
            trust: self.trust,
            robust: self.robust,
            reading: source.reading.clone(),
            loss_unit: source.loss_unit,
            lines: source.named_lines(),
            active_shares: source
                .records
                .iter()
                .zip(&source.active_shares)
                .filter_map(|(run, share)| Some((run.run_id.clone(), (*share)?)))
                .collect(),
            checkpoints: self.checkpoints,
            excluded: left_out.collect(),
            notes: source.notes.clone(),
            scrutiny: Scrutinised::No,
            ..StudyOptions::default()
        }
    }

    /// The same with the laws that were named.
    pub(super) fn options_with(&self, source: &Source, laws: &Laws) -> StudyOptions {
        StudyOptions { laws: laws.named(), base: laws.base.clone(), ..self.options(source) }
    }
}

/// Studies the runs of a source.
pub(super) fn study(source: &Source, options: &StudyOptions) -> Result<Study, Failure> {
    let curves = curves(source, options)?;
    let what = format!("studying {}", plural(source.records.len(), "run", "runs"));
    let of = |seconds| StudyTime::of(options, source.records.len(), seconds);
    let (found, seconds) = patiently(&what, of(0.0).expected(), || studied(source, &curves, options));
    of(seconds).keep();
    found
}

/// The same where nobody waits before a terminal.
pub(super) fn study_unseen(source: &Source, options: &StudyOptions) -> Result<Study, Failure> {
    studied(source, &curves(source, options)?, options)
}

fn studied(source: &Source, curves: &Curves, options: &StudyOptions) -> Result<Study, Failure> {
    let found = Study::of(&source.records, curves, options).map_err(|error| of_source(source, error))?;
    // Asked for by whatever forecasts: now, while somebody is told how long it takes.
    found.mixture();
    Ok(found)
}

/// A refusal, with the path of the runs.
pub(super) fn of_source(source: &Source, error: StudyError) -> Failure {
    Failure::Input(anyhow!("{}: {error}", source.path.display()))
}

/// What a study may ask of the runs beside their rows: curves of runs that repeat their data, of all for an envelope; losses on
/// windows; trajectories of a table of others.
fn curves(source: &Source, options: &StudyOptions) -> Result<Curves, Failure> {
    let mut curves = Curves {
        trajectories: source.trajectories.iter().map(|curve| (curve.run.clone(), curve.points.clone())).collect(),
        ..Curves::default()
    };
    let Some(folder) = &source.folder else { return Ok(curves) };
    let all = options.laws.iter().any(|law| matches!(law, LawName::Envelope));
    let wanted = |record: &&RunRecord| all || record.epochs.is_some_and(|epochs| epochs > 1.0);
    let kept = folder.curves();
    for record in source.records.iter().filter(wanted) {
        if let Some(curve) = kept.of(record)? {
            curves.training.insert(record.run_id.clone(), curve);
        }
    }
    for record in &source.records {
        match folder.window_losses(record) {
            Ok(losses) => curves.windows.extend(losses.map(|losses| (record.run_id.clone(), losses))),
            // They are not needed, and a folder that was sent has none.
            Err(problem) => eprintln!("not used: {problem}"),
        }
    }
    Ok(curves)
}

/// The study of what was asked, with a law, or the reason why there is none: bad input.
pub(super) fn asked_study(source: &Source, asked: &Asked, change: impl FnOnce(&mut StudyOptions)) -> Result<Study, Failure> {
    let mut options = asked.choices.options_with(source, &asked.laws);
    change(&mut options);
    study(source, &options)?.with_a_law().or_input()
}
