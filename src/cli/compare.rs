//! `scalelab compare`: the laws of several sweeps side by side, in bits per byte where the runs say how many bytes their tokens
//! have. Exponents with intervals, tests of equality, the fit with shared exponents, and what each law makes of one budget.

use super::analysis::Choices;
use super::compared::{Allocated, Compared};
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::source::{RowArgs, Source, SourceArgs};
use super::speedup::{self, Runs, SpeedupArgs};
use super::text::entry;
use super::voice::is_quiet;
use crate::fit::{Comparison, FORMAT, GroupFit};
use crate::law::ComputeCount;
use crate::recommend::{Known, allocate};
use crate::results::write_whole;
use crate::spec::Flops;
use crate::spec::sample::extent;
use crate::study::{Group, LossUnit, Mixture, NamedRuns, StudyOptions, compare_groups, groups_of};
use crate::view::{ComparedLaw, Conventions, FrontierPoint, Range, comparison, frontier_of, frontier_together};
use anyhow::{Context, anyhow};
use clap::Args;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab compare results/english results/code results/chinese\n  scalelab compare before.csv after.csv --speedup\n  scalelab compare runs.csv --speedup --by optimizer --baseline adamw\n\n`scalelab fit --by COLUMN` compares groups of one table.",
    after_long_help = "Examples:\n  scalelab compare results/english results/code results/chinese\n  scalelab compare a.csv b.csv --compute 1e21 --out comparison\n  scalelab compare before.csv after.csv --speedup\n  scalelab compare runs.csv --speedup --by optimizer --baseline adamw\n  scalelab compare --speedup --losses 2.975,2.958 --floor 1.6 --alpha 0.0912\n\n`scalelab fit --by COLUMN` compares groups of one table."
)]
pub(super) struct CompareArgs {
    /// Results folders or CSVs of runs, one for each data set
    #[arg(required_unless_present = "losses", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Budgets that every law allocates, FLOPs
    ///
    /// [default: 1, 10 and 100 times the largest that all of them reached]; with --speedup those at which it is asked for
    /// [default: the least, the middle and the largest that both reached]
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    pub(super) compute: Vec<Flops>,
    /// Print one JSON document and write no file
    #[arg(long)]
    json: bool,
    /// Print everything behind the answer
    ///
    /// Tests of equal exponents, the fit with shared ones, sizes and tokens with their intervals, which laws say them.
    #[arg(long, conflicts_with_all = ["json", "speedup"])]
    details: bool,
    /// Write the figure and the numbers into this folder
    ///
    /// [default for results folders: the figure into plots]
    #[arg(long, value_name = "DIR", conflicts_with = "speedup")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) speedup: SpeedupArgs,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    folders: Folders,
    #[command(flatten)]
    choices: Choices,
    /// What stands for each path, where that is at hand or has another name.
    #[arg(skip)]
    pub(super) given: Vec<Given>,
}

/// A source that somebody hands over by a name.
#[derive(Clone)]
pub(super) struct Given {
    /// What it is called.
    pub(super) name: String,
    /// The table, where it is not read from the path.
    pub(super) table: Option<Arc<[u8]>>,
    /// Pairs of columns, as --columns takes them.
    pub(super) columns: Vec<String>,
}

const DEFAULT_MULTIPLES: [f64; 3] = [1.0, 10.0, 100.0];

impl CompareArgs {
    fn source_args(&self, path: &Path) -> SourceArgs {
        SourceArgs::of_path(path, self.rows.clone(), &self.folders)
    }

    /// The runs of every path: of two or more, or of one whose groups a column names.
    fn sources(&self, by: Option<&str>) -> Result<Vec<Source>, Failure> {
        if by.is_none() && self.paths.len() < 2 {
            return Err(Failure::Input(anyhow!(
                "compare sets two or more sources side by side, and one is named: name another path, or groups of this one (--speedup --by COLUMN, fit --by COLUMN)"
            )));
        }
        let read = |(at, path): (usize, &PathBuf)| {
            let (mut args, given) = (self.source_args(path), self.given.get(at));
            args.at_hand = given.and_then(|given| given.table.clone());
            args.rows.columns.extend(given.iter().flat_map(|given| given.columns.clone()));
            let source = self.choices.seen_aloud(args.read_by(by)?)?;
            Ok(Source { name: given.map_or(source.name, |given| given.name.clone()), ..source })
        };
        self.paths.iter().enumerate().map(read).collect()
    }

    /// The sources as groups, all in the same unit of loss.
    fn grouped(&self, sources: &[Source]) -> Result<(LossUnit, Vec<Group>), Failure> {
        let options: Vec<StudyOptions> = sources.iter().map(|source| self.choices.options(source)).collect();
        let all: Vec<NamedRuns<'_>> =
            sources.iter().zip(options).map(|(source, options)| (source.name.as_str(), source.records.as_slice(), options)).collect();
        crate::study::grouped(&all).or_input()
    }

    /// The groups that are measured against each other: the sources, or those that a column makes of one.
    pub(super) fn runs(&self) -> Result<Runs, Failure> {
        let by = self.speedup.by.as_deref();
        let sources = self.sources(by)?;
        let options = self.choices.options(&sources[0]);
        let (unit, groups) = match (by, sources.as_slice()) {
            (None, _) => self.grouped(&sources)?,
            (Some(_), [source]) => groups_of(&source.records, &source.groups, &options).or_input()?,
            (Some(by), several) => {
                return Err(Failure::Input(anyhow!("--by {by} makes groups of one table, and there are {} paths", several.len())));
            }
        };
        Ok((unit, groups, options))
    }
}

pub(super) fn run(args: &CompareArgs) -> Outcome {
    if args.speedup.speedup {
        return speedup::run(&args.speedup, &args.compute, args.json, || args.runs());
    }
    let (sources, beside) = SideBySide::of(args)?;
    let (first, groups) = (&sources[0], &beside.groups);
    let document = beside.as_json()?;
    if args.json {
        println!("{document:#}");
        return Ok(());
    }
    if is_quiet() {
        println!("{}", beside.compared().line());
    } else {
        print!("{}", beside.text(args.details));
    }
    let picture = beside.figure()?;
    let (path, numbers) = match (&args.out, &first.folder) {
        (Some(out), _) => (out.join("comparison.png"), Some(out.join("comparison.json"))),
        (None, Some(_)) => {
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            let plots = args.source_args(&first.path).plots_of(first);
            (plots.parent().unwrap_or(Path::new(".")).join(format!("compare-{}.png", names.join("-"))), None)
        }
        (None, None) => {
            say("nothing was written beside the tables; --out DIR keeps the figure and the numbers");
            return Ok(());
        }
    };
    write(&path, &picture)?;
    let numbers = match numbers {
        Some(numbers) => {
            write(&numbers, &serde_json::to_vec_pretty(&document).or_work()?)?;
            format!(", numbers: {}", numbers.display())
        }
        None => String::new(),
    };
    say(&format!("figure: {}{numbers}", path.display()));
    Ok(())
}

/// Sources side by side.
pub(super) struct SideBySide {
    unit: LossUnit,
    groups: Vec<Group>,
    found: Comparison,
    /// The laws together of each group whose law has optima, by its name.
    mixtures: Vec<(String, Option<Mixture>)>,
    /// At the largest compute that all groups reached.
    measured: Vec<Allocated>,
    /// At the budgets that are asked for.
    budgets: Vec<Allocated>,
}

impl SideBySide {
    /// Reads and compares what is asked for.
    pub(super) fn of(args: &CompareArgs) -> Result<(Vec<Source>, Self), Failure> {
        let sources = args.sources(None)?;
        let (unit, groups) = args.grouped(&sources)?;
        let found = compare_groups(&groups, &args.choices.options(&sources[0])).or_input()?;
        let optimal = optimal(&found, &groups);
        let budgets = allocated(&optimal, &groups, &args.compute);
        let measured = allocated(&optimal, &groups, &[Flops(common(&groups))]);
        let mixtures = optimal.into_iter().map(|one| (one.group.name.clone(), one.mixture)).collect();
        Ok((sources, Self { unit, groups, found, mixtures, measured, budgets }))
    }

    /// All of it as one document.
    pub(super) fn as_json(&self) -> Result<serde_json::Value, Failure> {
        document(self.unit, &self.found, &self.budgets)
    }

    fn compared(&self) -> Compared<'_> {
        let Self { unit, groups, found, measured, budgets, .. } = self;
        Compared { unit: *unit, found, groups, measured: measured.first(), allocated: budgets }
    }

    /// For a person, with everything behind it or without.
    pub(super) fn text(&self, details: bool) -> String {
        if details { self.compared().details() } else { self.compared().answer() }
    }

    /// The frontiers in one figure.
    pub(super) fn figure(&self) -> Result<Vec<u8>, Failure> {
        let one = |(name, mixture): &(String, Option<Mixture>)| {
            let fit = self.found.groups.iter().find(|fit| fit.group == *name)?;
            Some(Optimal { fit, group: of_group(&self.groups, fit), mixture: mixture.clone() })
        };
        let optimal: Vec<Optimal<'_>> = self.mixtures.iter().filter_map(one).collect();
        figure(&self.found, &self.groups, &optimal).or_work()
    }
}

/// What was kept, for those who do not want one line alone.
fn say(what: &str) {
    if !is_quiet() {
        print!("{}", entry("kept", what));
    }
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    write_whole(path, bytes).with_context(|| format!("{} cannot be written", path.display())).or_work()
}

/// Whether a budget has an optimum under the law of a group.
fn has_optimum(one: &GroupFit) -> bool {
    one.fitted.law.has_optimum(one.fitted.evidence.largest_compute(), &ComputeCount::of(&one.fitted.evidence.points))
}

fn of_group<'a>(groups: &'a [Group], one: &GroupFit) -> &'a Group {
    groups.iter().find(|group| group.name == one.group).expect("a fit is of one of the groups")
}

/// A group whose law has optima, with the laws that say them together.
struct Optimal<'a> {
    fit: &'a GroupFit,
    group: &'a Group,
    mixture: Option<Mixture>,
}

fn optimal<'a>(found: &'a Comparison, groups: &'a [Group]) -> Vec<Optimal<'a>> {
    let one = |fit: &'a GroupFit| {
        let group = of_group(groups, fit);
        Optimal { fit, group, mixture: group.mixture() }
    };
    found.groups.par_iter().filter(|fit| has_optimum(fit)).map(one).collect()
}

/// The largest compute that all groups reached, FLOPs.
fn common(groups: &[Group]) -> f64 {
    groups.iter().map(|group| group.evidence.largest_compute()).fold(f64::INFINITY, f64::min)
}

/// Every group that has optima, at every budget.
fn allocated(optimal: &[Optimal<'_>], groups: &[Group], asked: &[Flops]) -> Vec<Allocated> {
    let defaults = DEFAULT_MULTIPLES.map(|multiple| Flops(multiple * common(groups)));
    let budgets = if asked.is_empty() { &defaults[..] } else { asked };
    let one = |budget: &Flops| {
        let allocation = |Optimal { fit, group, mixture }: &Optimal<'_>| {
            let known = Known { records: &group.records, mixture: mixture.as_ref(), ..Known::default() };
            (fit.group.clone(), allocate(&fit.fitted, fit.fitted.level, &known, *budget))
        };
        Allocated { compute: budget.0, groups: optimal.iter().map(allocation).collect() }
    };
    budgets.iter().map(one).collect()
}

fn document(unit: LossUnit, found: &Comparison, allocated: &[Allocated]) -> Result<serde_json::Value, Failure> {
    let budget = |one: &Allocated| {
        let groups: serde_json::Map<String, serde_json::Value> = one
            .groups
            .iter()
            .map(|(name, a)| {
                let value = serde_json::json!({
                    "params": a.params, "tokens": a.tokens, "tokens_per_param": a.tokens_per_param, "loss": a.loss,
                    "extrapolation_factor": a.extrapolation_factor, "size_source": a.size_source, "loss_source": a.loss_source,
                });
                (name.clone(), value)
            })
            .collect();
        serde_json::json!({ "compute": one.compute, "groups": groups })
    };
    let mut document = serde_json::to_value(found).or_work()?;
    if let Some(document) = document.as_object_mut() {
        document.insert("format".into(), FORMAT.into());
        document.insert("loss_unit".into(), serde_json::to_value(unit).or_work()?);
        document.insert("tokens_unit".into(), if unit == LossUnit::BitsPerByte { "bytes of text" } else { "tokens" }.into());
        document.insert("allocations".into(), allocated.iter().map(budget).collect());
    }
    Ok(document)
}

/// How many computes a frontier is drawn at.
const FRONTIER_POINTS: usize = 60;

/// Optima from the least compute of all to ten times the most, by what `allocated` says them by.
fn frontier_of_group(Optimal { fit, group, mixture }: &Optimal<'_>, (low, high): (f64, f64)) -> Vec<FrontierPoint> {
    let (level, shown) = (fit.fitted.level, (low, 10.0 * high));
    match mixture {
        Some(mixture) => frontier_together(mixture, level, &group.evidence.points, shown, FRONTIER_POINTS),
        None => frontier_of(&fit.fitted, level, shown, FRONTIER_POINTS),
    }
}

fn figure(found: &Comparison, groups: &[Group], optimal: &[Optimal<'_>]) -> Result<Vec<u8>, crate::view::ViewError> {
    let reached = |group: &Group| extent(group.evidence.points.iter().map(|point| point.c)).expect("a group has runs");
    let low = groups.iter().map(|group| reached(group).0).fold(f64::INFINITY, f64::min);
    let high = groups.iter().map(|group| reached(group).1).fold(0.0, f64::max);
    let law = |one: &GroupFit| {
        let group = of_group(groups, one);
        let of = |symbol, name: &str| {
            one.fitted.coefficients.get(name).or_else(|| one.fitted.derived.get(name)).map(|e| (symbol, Range::from(e)))
        };
        ComparedLaw {
            name: one.group.clone(),
            exponents: [of("a", "a"), of("b", "b"), of("α", "alpha"), of("β", "beta")].into_iter().flatten().collect(),
            frontier: optimal
                .iter()
                .find(|other| other.fit.group == one.group)
                .map_or_else(Vec::new, |other| frontier_of_group(other, (low, high))),
            evidence: reached(group),
        }
    };
    let shared = |symbol, name: &str| found.shared.coefficients.get(name).map(|estimate| (symbol, estimate.value));
    let all: Vec<crate::law::Point> = groups.iter().flat_map(|group| group.evidence.points.iter().cloned()).collect();
    let names = groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
    let conventions = Conventions::of(names, &groups[0].evidence.with_points(all)).fitted_by(found.groups[0].fitted.estimator);
    let shared: Vec<(&'static str, f64)> = [shared("a", "a"), shared("α", "alpha"), shared("β", "beta")].into_iter().flatten().collect();
    comparison(&found.groups.iter().map(law).collect::<Vec<_>>(), &shared, &conventions)
}
