//! `scalelab fit`: laws with intervals, figures and a recommendation, from a sweep or any table of runs.

use super::analysis::{Asked, Choices, Laws, asked_study, of_source};
use super::colour::heading;
use super::failure::{Failure, OrWork, Outcome};
use super::folders::Folders;
use super::laws::{law_text, side_by_side};
use super::profiles::{isoflop_text, lone_budget_text, of_budgets_text};
use super::recipes::{cell_rows, correction_text, critical_text, protocol_text, study_text};
use super::recommend::recommendation_rows;
use super::scrutiny::scrutiny_text;
use super::source::{Source, SourceArgs};
use super::summary::{law_line, next, summary};
use super::text::{entry, filled, indented, number};
use super::voice::is_quiet;
use super::{certificate, fine_tuned, groups, plot, starts};
use crate::fit::{Blocks, Comparison, Estimate, Protocol, SeedNoise, Vertices};
use crate::law::recipe_trials;
use crate::recommend::{Allocation, advise};
use crate::results::{SweepFolder, to_csv, write_whole};
use crate::spec::{FlopRule, Flops, SizeMeasure};
use crate::study::{LawReport, Scrutinised, Study, StudyError, StudyOptions, document, is_fine_tuned, law_documents};
use anyhow::Context;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab fit\n  scalelab fit results/grid --compute 1e15,1e18\n  scalelab fit runs.csv --columns params=N,tokens=D,loss=val_loss --out fits\n  scalelab fit runs.csv --law gamma,chinchilla,kaplan",
    after_long_help = "Examples:\n  scalelab fit\n  scalelab fit results/grid --compute 1e15,1e18\n  scalelab fit runs.csv --columns params=N,tokens=D,loss=val_loss --out fits\n  scalelab fit runs.csv --where dataset=c4 --json\n  scalelab fit runs.csv --law gamma,chinchilla,kaplan\n  scalelab fit runs.csv --estimator least-squares-log --starts starts.csv\n  scalelab fit runs.csv --by dataset\n  scalelab fit results/grid --certificate\n  scalelab fit sizes.csv --certificate --noise 0.3%\n\n`scalelab explain` says what the words of an answer mean."
)]
pub(super) struct FitArgs {
    /// Nominal budgets of a table without a column of them, FLOPs
    ///
    /// For IsoFLOP profiles: runs within 10 % of one belong to it.
    #[arg(long, hide_short_help = true, value_name = "C,…", value_delimiter = ',')]
    budgets: Vec<Flops>,
    /// What the optimum of each budget weighs
    ///
    /// In the powers of compute through them: 1/se^2, or all the same as in published practice.
    #[arg(long, hide_short_help = true, value_name = "HOW", default_value = "weighted", value_parser = PossibleValuesParser::new(Vertices::NAMES).try_map(|name| name.parse::<Vertices>()))]
    vertices: Vertices,
    /// Compare groups of runs by a column
    ///
    /// Each by itself, tests of equal exponents, and a fit with shared ones.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["law", "conventions", "compute"])]
    pub(super) by: Option<String>,
    /// Follow a published protocol whole: deepseek
    ///
    /// M in FLOPs per token, C = M·D; hyperparameter laws from near-optimal runs, IsoFLOP profiles, L(C), forecast to a thousand
    /// times the compute.
    #[arg(long, value_name = "NAME", value_parser = ["deepseek"], hide_possible_values = true, conflicts_with_all = ["law", "by"])]
    protocol: Option<String>,
    /// Print the exponent a under every convention of counting
    ///
    /// Of counting N and C, from the same runs.
    #[arg(long)]
    conventions: bool,
    /// Fit no law: say what the runs alone allow
    ///
    /// What every sum of falling powers that agrees with the runs within their noise allows, over compute through the minima of
    /// budgets, else over the one variable in which the runs differ (a table of loss and one of params, tokens and flops will do);
    /// losses that no such law has are rejected.
    #[arg(long, conflicts_with_all = ["law", "by", "protocol", "conventions", "starts", "out", "compute", "checkpoints"])]
    certificate: bool,
    /// By what share one run scatters, for --certificate
    ///
    /// A share of its loss, such as 0.3% [default: what the runs show]
    #[arg(long, hide_short_help = true, value_name = "SHARE", requires = "certificate", value_parser = certificate::share)]
    noise: Option<f64>,
    /// Write every start of L-BFGS, where it ended and why, into this CSV
    #[arg(long, hide_short_help = true, value_name = "FILE", conflicts_with_all = ["by", "json"])]
    starts: Option<PathBuf>,
    /// Write fits and figures into this folder
    ///
    /// A results folder keeps its own.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print everything behind the answer
    ///
    /// Coefficients by every interval, how they were found, optima of cells, what other estimators and conventions say, forecasts of
    /// runs that were left out.
    #[arg(long, conflicts_with = "json")]
    details: bool,
    #[command(flatten)]
    pub(super) asked: Asked,
}

impl FitArgs {
    /// The fit that follows a sweep.
    pub(super) fn of_sweep(folder: &SweepFolder, folders: &Folders) -> Self {
        let (source, choices) = (SourceArgs::of_folder(folder, folders), Choices::default());
        Self {
            asked: Asked { source, laws: Laws::default(), choices, compute: Vec::new(), json: false },
            budgets: Vec::new(),
            vertices: Vertices::default(),
            by: None,
            protocol: None,
            conventions: false,
            certificate: false,
            noise: None,
            starts: None,
            out: None,
            details: false,
        }
    }

    /// The protocol that is followed, where one is.
    pub(super) fn followed(&self, source: &Source, study: &Study) -> Result<Option<Protocol>, Failure> {
        let protocol = self.protocol.as_ref().map(|_| study.protocol()).transpose();
        protocol.map_err(|error: StudyError| of_source(source, error))
    }

    /// The choices as a study takes them.
    pub(super) fn options(&self, source: &Source) -> StudyOptions {
        let mut options = self.asked.choices.options_with(source, &self.asked.laws);
        self.change(&mut options);
        options
    }

    /// What a fit asks of its study beside the common choices.
    fn change(&self, options: &mut StudyOptions) {
        options.budgets.clone_from(&self.budgets);
        options.vertices = self.vertices;
        options.scrutiny = if self.conventions { Scrutinised::WithConventions } else { Scrutinised::Closely };
        if self.protocol.is_some() && options.own {
            // DeepSeek's conventions: M in FLOPs per token and C = M·D.
            options.size_measure.get_or_insert(SizeMeasure::FlopsPerToken);
            options.flop_rule.get_or_insert(FlopRule::Md);
        }
    }
}

pub(super) fn run(args: &FitArgs) -> Outcome {
    if let Some(by) = &args.by {
        return compare_groups(args, by);
    }
    if args.certificate {
        let source = args.asked.choices.seen_aloud(args.asked.source.read_one_variable()?)?;
        return certificate::run(&source, &args.options(&source), args.noise, args.asked.json);
    }
    let (source, _) = args.asked.choices.seen(args.asked.source.read_of_any()?)?;
    source.spared_by(args.starts.as_deref())?;
    let of_pre_training = args.asked.laws.are_named() || args.protocol.is_some() || args.conventions || args.starts.is_some();
    if !of_pre_training && is_fine_tuned(&source.records) {
        let document = fine_tuned::run(&source, &args.options(&source), args.asked.json, args.details)?;
        return args.out.as_ref().map_or(Ok(()), |out| write_json(&out.join("fits/fine-tuning.json"), &document));
    }
    let study = asked_study(&source, &args.asked, |options| args.change(options))?;
    let protocol = args.followed(&source, &study)?;
    let recommendations = advise(&study, &args.asked.compute);
    if args.asked.json {
        println!("{:#}", as_json(&source, &study, protocol.as_ref(), &recommendations)?);
        return Ok(());
    }
    if is_quiet() {
        println!("{}", law_line(&study));
        return keep(args, &source, &study, &recommendations);
    }
    let all = args.details || protocol.is_some() || args.conventions || study.laws.len() > 1;
    if all {
        print!("{}", details(&source, &study, protocol.as_ref(), &recommendations));
    } else {
        print!("{}", summary(&source, &study, &recommendations));
    }
    keep(args, &source, &study, &recommendations)?;
    if !all {
        print!("{}", next(&source, &study, !recommendations.is_empty()));
    }
    match (&args.starts, study.best_law()) {
        (Some(path), Some(fitted)) => starts::keep(path, fitted),
        _ => Ok(()),
    }
}

/// All that there is to say.
pub(super) fn details(source: &Source, study: &Study, protocol: Option<&Protocol>, recommendations: &[Allocation]) -> String {
    let mut text = report(source, study);
    if let Some(hyperparameters) = &study.hyperparameters {
        let cells = recipe_trials(&source.records, study.evidence.size_measure, study.evidence.flop_rule);
        text += &critical_text(&cells, &source.records, hyperparameters, &study.options);
    }
    text += &protocol.map_or(String::new(), protocol_text);
    text += &study.scrutiny.as_ref().map_or(String::new(), |found| scrutiny_text(found, &study.records, study.evidence.loss_unit));
    text + &recommendation_rows(recommendations)
}

/// All of it as one document.
pub(super) fn as_json(
    source: &Source,
    study: &Study,
    protocol: Option<&Protocol>,
    recommendations: &[Allocation],
) -> Result<Value, Failure> {
    let mut document = document(study, &recommendations).or_work()?;
    document["source"] = json!(source.path);
    if let Some(protocol) = protocol {
        document["protocol"] = serde_json::to_value(protocol).or_work()?;
    }
    Ok(document)
}

/// What is said of groups that have no laws to compare.
const NO_LAWS: &str = "no law of N and D can be fitted to each group, so exponents are not compared";

/// `--by`: groups side by side, as laws where each has one, and on the cells that they share.
fn compare_groups(args: &FitArgs, by: &str) -> Outcome {
    let found = ByColumn::of(args, by)?;
    let document = found.as_json()?;
    if args.asked.json {
        println!("{document:#}");
        return Ok(());
    }
    if is_quiet() {
        println!("{}: {}", found.counted(), found.exponents());
    } else {
        print!("{}", found.text(args.details));
    }
    match &args.out {
        Some(out) => write_json(&out.join("fits/comparison.json"), &document),
        None => Ok(()),
    }
}

/// The groups that a column makes, side by side.
pub(super) struct ByColumn {
    column: String,
    source: Source,
    level: f64,
    /// On the cells that they share.
    shared: Option<Blocks>,
    /// As laws, where each has one.
    comparison: Option<Comparison>,
}

impl ByColumn {
    /// Groups of the runs that are asked for.
    pub(super) fn of(args: &FitArgs, by: &str) -> Result<Self, Failure> {
        let source = args.asked.choices.seen_aloud(args.asked.source.read_by(Some(by))?)?;
        let options = args.asked.choices.options(&source);
        let shared = crate::study::on_common_cells(&source.records, &source.groups, options.level);
        let groups = crate::study::groups_of(&source.records, &source.groups, &options);
        let comparison = match (groups.and_then(|(_, groups)| crate::study::compare_groups(&groups, &options)), &shared) {
            (Ok(comparison), _) => Some(comparison),
            (Err(_), Some(_)) => None,
            (Err(error), None) => return Err(of_source(&source, error)),
        };
        Ok(Self { column: by.to_owned(), source, level: options.level, shared, comparison })
    }

    /// All of it as one document.
    pub(super) fn as_json(&self) -> Result<Value, Failure> {
        let mut document = self.comparison.as_ref().map_or_else(|| Ok(json!({})), serde_json::to_value).or_work()?;
        document["common_cells"] = serde_json::to_value(&self.shared).or_work()?;
        Ok(document)
    }

    fn counted(&self) -> String {
        format!("{}: {} runs in groups by {}", self.source.path.display(), self.source.records.len(), self.column)
    }

    fn exponents(&self) -> String {
        self.comparison.as_ref().map_or_else(|| NO_LAWS.to_owned(), groups::exponents)
    }

    /// For a person, with everything behind it or without.
    pub(super) fn text(&self, details: bool) -> String {
        let (by, source) = (&self.column, &self.source);
        let mut text = heading(&filled("", &self.counted()));
        text += &self.shared.as_ref().map_or(String::new(), |shared| groups::blocks_text(by, shared, self.level, source.loss_unit));
        text + &match self.comparison.as_ref().filter(|_| details) {
            Some(comparison) => groups::text(by, comparison),
            None => self.comparison.as_ref().map_or(String::new(), |found| groups::laws(by, found)) + &indented(&self.exponents()),
        }
    }
}

/// Writes fits, recommendation and figures where they belong, and says where.
fn keep(args: &FitArgs, source: &Source, study: &Study, recommendations: &[Allocation]) -> Outcome {
    let all_runs = args.asked.source.rows.filters.is_empty() && source.max_compute.is_none();
    let whole = all_runs && study.options.laws.is_empty();
    let (fits, plots) = match (&args.out, source.folder.as_ref().filter(|_| whole)) {
        (Some(out), _) => (out.clone(), out.clone()),
        (None, Some(folder)) => (folder.path.clone(), args.asked.source.plots_of(source)),
        (None, None) => {
            let what = match (&source.folder, all_runs) {
                (Some(_), false) => "a part of the runs leaves the fits of the whole sweep as they are",
                (Some(_), true) => "--law leaves the fits of the sweep as they are",
                (None, _) => "nothing was written beside the table",
            };
            say_kept(&format!("{what}; --out DIR keeps fits and figures"));
            return Ok(());
        }
    };
    for (name, law) in law_documents(study).or_work()? {
        write_json(&fits.join("fits").join(format!("{name}.json")), &law)?;
    }
    write_json(&fits.join("recommendation.json"), &serde_json::to_value(recommendations).or_work()?)?;
    if let Some(hyperparameters) = &study.hyperparameters {
        write_json(&fits.join("fits/hyperparameters.json"), &serde_json::to_value(hyperparameters).or_work()?)?;
        SweepFolder::at(&fits).write("cells.csv", &to_csv(&cell_rows(hyperparameters)))?;
    }
    let drawn = plot::draw_all(source, study, &plots)?.len();
    say_kept(&format!("fits in {}, {drawn} figures in {}", fits.display(), plots.display()));
    Ok(())
}

/// Where fits and figures are, for those who do not want one line alone.
fn say_kept(what: &str) {
    if !is_quiet() {
        print!("\n{}", entry("kept", what));
    }
}

fn write_json(path: &Path, value: &Value) -> Outcome {
    let text = serde_json::to_vec_pretty(value).or_work()?;
    write_whole(path, &text).with_context(|| format!("{} cannot be written", path.display())).or_work()
}

/// What a person reads on a terminal.
pub(super) fn report(source: &Source, study: &Study) -> String {
    let evidence = &study.evidence;
    let (points, runs) = (evidence.points.len(), source.records.len());
    let counted = if points > runs { format!("{points} points of {runs} runs") } else { format!("{points} runs") };
    let mut text = format!(
        "{}: {counted}, N counted as {}, C as {}\n",
        source.path.display(),
        evidence.size_measure.words(),
        evidence.flop_rule.words()
    );
    for said in &study.options.reading {
        text += &format!("  read: {said}\n");
    }
    for (reason, count) in study.exclusions_by_reason() {
        text += &format!("  left out: {count} ({reason})\n");
    }
    for note in &study.notes {
        text += &format!("  note: {note}\n");
    }
    text += &study.noise.as_ref().map_or(String::new(), noise_text);
    for (at, law) in study.laws.iter().enumerate() {
        text += &law_text(law);
        if let (0, Some(fitted)) = (at, study.best_law()) {
            text += &study.untuned_law.as_ref().map_or(String::new(), |untuned| correction_text(untuned, fitted));
            text += &truth(study, fitted.law.floor_index().map(|at| &fitted.coefficients.0[at].1).filter(|_| fitted.law.may_advise()));
            text += &super::summary::theory(study, fitted).map_or(String::new(), |said| format!("  theory: {said}\n"));
        }
    }
    text += &study.lone_budget.as_ref().map_or(String::new(), lone_budget_text);
    let additive = study.best_law().and_then(|fitted| fitted.law.additive());
    if let Some(fitted) = &study.isoflop {
        text += &isoflop_text(fitted, additive.as_ref(), study.bytes_per_token);
    }
    for (name, found) in study.of_budgets.iter().filter(|(name, _)| *name != "isoflop" || study.isoflop.is_none()) {
        text += &of_budgets_text(name, found, study.bytes_per_token);
    }
    if study.laws.len() > 1 {
        text += &side_by_side(&study.laws);
    }
    text += &study.hyperparameters.as_ref().map_or(String::new(), study_text);
    text
}

/// What runs scatter by between seeds.
fn noise_text(noise: &SeedNoise) -> String {
    let percent = |sigma: f64| format!("{:.2} %", 100.0 * sigma);
    let sigma = &noise.sigma;
    let mut text = format!(
        "  seed noise: {} of the loss [{}, {}] at L = {}, from {} runs in {} cells",
        percent(sigma.value),
        percent(sigma.low()),
        percent(sigma.high()),
        number(noise.loss_at),
        noise.runs,
        noise.cells
    );
    text += &match &noise.slope {
        Some(slope) => format!(", growing as L^{slope}: runs are weighted by 1/sigma(L)^2\n"),
        None => "; no change with the loss is shown, so all runs weigh the same\n".to_owned(),
    };
    text
}

/// E beside the truth, on a source whose entropy is known.
fn truth(study: &Study, e: Option<&Estimate>) -> String {
    let (Some(floor), Some(entropy), Some(e)) = (study.floor_nats, study.entropy_nats, e) else {
        return String::new();
    };
    let refused = study.laws.first().is_some_and(LawReport::is_refused);
    let inside = match (refused, e.holds(floor)) {
        (true, _) => "repeated runs refuse the law, so its floor is no estimate of that",
        (false, true) => "the truth is inside",
        (false, false) => "the truth is outside",
    };
    format!("  truth: no loss below {floor:.4} is possible on these windows (entropy rate {entropy:.4}); E = {e}: {inside}\n")
}
