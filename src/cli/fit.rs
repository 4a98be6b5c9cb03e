//! `scalelab fit`: laws with intervals, figures and a recommendation, from a sweep or any table of runs.

use super::analysis::{Analysis, Asked, Choices, analyse, seen};
use super::checkpoints::MANY;
use super::estimates::{certificate, estimates};
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::laws::{LawName, Told, comparison, tell};
use super::recipes::{cell_rows, correction_text, critical_text, protocol_text, study_text};
use super::recommend::{advise, recommendation_rows};
use super::scrutiny::{Scrutiny, scrutinise};
use super::source::{Source, SourceArgs};
use super::text::{interval, number, table};
use super::{envelope, groups, plot, starts};
use crate::fit::{Estimate, FittedLaw, Interpolator, IsoflopFit, Named, PowerOfCompute, Protocol, SeedNoise, Valley, deepseek, isoflop};
use crate::law::{Chinchilla, Evidence, PUBLISHED, PowerLaw, recipe_trials};
use crate::recommend::Allocation;
use crate::results::{SweepFolder, to_csv, write_whole};
use crate::spec::{Flops, Nats, short};
use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab fit\n  scalelab fit results/grid --compute 1e15,1e18\n  scalelab fit runs.csv --columns params=N,tokens=D,loss=val_loss --out fits\n  scalelab fit runs.csv --where dataset=c4 --json\n  scalelab fit runs.csv --law chinchilla,gamma,kaplan --estimator least-squares-log\n  scalelab fit runs.csv --by dataset\n  scalelab fit runs.csv --starts starts.csv"
)]
pub(super) struct FitArgs {
    #[command(flatten)]
    asked: Asked,
    /// Fit these laws and compare them [default: chinchilla, and isoflop where runs have budgets]; also gamma, kaplan,
    /// power-n, power-d, power-c (each also -no-floor), data-constrained, three-term, isoflop-akima, envelope
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    law: Vec<LawName>,
    /// Nominal budgets, FLOPs, for isoflop of a table without a budget column: runs within 10 % of one belong to it
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    budgets: Vec<Flops>,
    /// Compare groups of runs by a column: each by itself, tests of equal exponents, and a fit with shared ones
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["law", "conventions", "compute"])]
    by: Option<String>,
    /// The published law that data-constrained rests on [default: fitted to the runs that see their data once]
    #[arg(long, value_name = "NAME", requires = "law", value_parser = PUBLISHED.map(|law| law.name))]
    base: Option<String>,
    /// Follow a published protocol whole: deepseek (M in FLOPs per token, C = M·D; hyperparameter laws from near-optimal runs,
    /// IsoFLOP profiles, L(C), forecast to a thousand times the compute)
    #[arg(long, value_name = "NAME", value_parser = ["deepseek"], conflicts_with_all = ["law", "by"])]
    protocol: Option<String>,
    /// Print the exponent a under every convention of counting N and C, from the same runs
    #[arg(long)]
    conventions: bool,
    /// Write every start of L-BFGS, where it ended and why, into this CSV
    #[arg(long, value_name = "FILE", conflicts_with_all = ["law", "by", "json"])]
    starts: Option<PathBuf>,
    /// Write fits and figures into this folder (a results folder keeps its own)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl FitArgs {
    /// The fit that follows a sweep.
    pub(super) fn of_sweep(folder: &SweepFolder, folders: &Folders) -> Self {
        let source = SourceArgs::of_folder(folder, folders);
        Self {
            asked: Asked { source, choices: Choices::default(), compute: Vec::new(), json: false },
            law: Vec::new(),
            budgets: Vec::new(),
            by: None,
            base: None,
            protocol: None,
            conventions: false,
            starts: None,
            out: None,
        }
    }
}

pub(super) fn run(args: &FitArgs) -> Outcome {
    if let Some(by) = &args.by {
        return compare_groups(args, by);
    }
    if !args.law.is_empty() {
        return fit_laws(args);
    }
    let source = args.asked.source.read()?;
    source.spared_by(args.starts.as_deref())?;
    let choices = if args.protocol.is_some() { args.asked.choices.of_deepseek(&source) } else { args.asked.choices.clone() };
    let analysis = analyse(&source, &choices, &args.budgets)?.with_a_law()?;
    let protocol = if args.protocol.is_some() { Some(follow(&source, &analysis)?) } else { None };
    let recommendations = advise(&analysis, &args.asked.compute)?;
    if args.conventions && !source.own {
        let path = source.path.display();
        return Err(Failure::Input(anyhow!(
            "{path} names no shapes, so --conventions has nothing to count anew; it is for sweeps of scalelab"
        )));
    }
    let many = analysis.evidence.points.len() > MANY;
    let scrutiny = if many { None } else { scrutinise(&analysis, &choices.options(&source)?, args.conventions) };
    if args.asked.json {
        let mut document = document(&source, &analysis, &recommendations, scrutiny.as_ref())?;
        if let (Some(protocol), Some(document)) = (&protocol, document.as_object_mut()) {
            document.insert("protocol".into(), serde_json::to_value(protocol).or_work()?);
        }
        println!("{document:#}");
        return Ok(());
    }
    print!("{}", report(&source, &analysis));
    if let Some(study) = &analysis.study {
        let Evidence { size_measure, flop_rule, .. } = analysis.evidence;
        let cells = recipe_trials(&source.records, size_measure, flop_rule);
        print!("{}", critical_text(&cells, &source.records, study, &choices.options(&source)?));
    }
    print!("{}", protocol.as_ref().map_or(String::new(), protocol_text));
    if let Some(scrutiny) = &scrutiny {
        print!("{}", scrutiny.text(&analysis.records));
    }
    print!("{}", recommendation_rows(&recommendations));
    keep(args, &source, &analysis, &recommendations)?;
    match &args.starts {
        Some(path) => starts::keep(path, &analysis.evidence, choices.options(&source)?.estimator),
        None => Ok(()),
    }
}

/// `--protocol`: what must be there for it, and its laws.
fn follow(source: &Source, analysis: &Analysis) -> Result<Protocol, Failure> {
    let path = source.path.display();
    let Some(isoflop) = &analysis.isoflop else {
        let why = analysis.notes.iter().find(|note| note.starts_with("no IsoFLOP fit")).map_or("", String::as_str);
        let advice = "train budgets = { kind = \"iso-flop\", … }, or name them with --budgets";
        return Err(Failure::Input(anyhow!(
            "{path}: the protocol rests on IsoFLOP profiles, and the runs have no compute budgets; {advice} {why}"
        )));
    };
    let law = analysis.study.as_ref().and_then(|study| study.law("near-optimal"));
    let (rate, batch) = (law.and_then(|law| law.learning_rate.as_ref()), law.and_then(|law| law.batch.as_ref()));
    deepseek(isoflop, rate, batch, analysis.bytes_per_token).or_input()
}

/// `--by`: groups side by side, as laws where each has one, and on the cells that they share.
fn compare_groups(args: &FitArgs, by: &str) -> Outcome {
    let source = args.asked.source.read_by(Some(by))?;
    let level = args.asked.choices.level();
    let shared = groups::on_common_cells(&source, level);
    let comparison = match (groups::compared(&source, &args.asked.choices), &shared) {
        (Ok(comparison), _) => Some(comparison),
        (Err(_), Some(_)) => None,
        (Err(failure), None) => return Err(failure),
    };
    let mut document = comparison.as_ref().map_or_else(|| Ok(json!({})), serde_json::to_value).or_work()?;
    document["common_cells"] = serde_json::to_value(&shared).or_work()?;
    if args.asked.json {
        println!("{document:#}");
        return Ok(());
    }
    println!("{}: {} runs in groups by {by}", source.path.display(), source.records.len());
    print!("{}", shared.as_ref().map_or(String::new(), |shared| groups::blocks_text(by, shared, level)));
    match &comparison {
        Some(comparison) => print!("{}", groups::text(by, comparison)),
        None => println!("  no law of N and D can be fitted to each group, so exponents are not compared"),
    }
    match &args.out {
        Some(out) => write_json(&out.join("fits/comparison.json"), &document),
        None => Ok(()),
    }
}

/// `--law`: the laws that were named, and no recommendation.
fn fit_laws(args: &FitArgs) -> Outcome {
    let source = args.asked.source.read()?;
    let analysis = seen(&source, &args.asked.choices)?;
    let options = args.asked.choices.options_for(&source, &analysis.evidence)?;
    let mut told = tell(&args.law, &analysis.evidence, &options, args.base.as_deref())?;
    let formulas = told.len();
    let budgeted = analysis.evidence.at_budgets(&args.budgets);
    for name in args.law.iter().filter(|name| name.is_of_budgets()) {
        told.push(match name {
            LawName::Isoflop => told_of_budgets("isoflop", &analysis, &budgeted, args, Interpolator::Parabola)?,
            LawName::IsoflopAkima => told_of_budgets("isoflop-akima", &analysis, &budgeted, args, Interpolator::Akima)?,
            _ => envelope::told(&source, &analysis, &options)?,
        });
    }
    if told.iter().all(|told| !told.fitted) {
        let reasons: Vec<&str> = told.iter().map(|told| told.text.trim()).collect();
        return Err(Failure::Input(anyhow!("{}: {}", source.path.display(), reasons.join("; "))));
    }
    let laws: Map<String, Value> = told.iter().filter(|told| told.fitted).map(|told| (told.name.clone(), told.json.clone())).collect();
    if args.asked.json {
        let document = json!({
            "source": source.path, "points": analysis.evidence.points.len(), "notes": analysis.notes, "seed_noise": analysis.noise,
            "laws": laws, "recommendations": [],
        });
        println!("{document:#}");
        return Ok(());
    }
    print!("{}", report(&source, &analysis));
    told.iter().for_each(|told| print!("{}", told.text));
    if formulas > 1 {
        print!("{}", comparison(&told[..formulas]));
    }
    if let Some(out) = args.out.as_ref() {
        for (name, law) in &laws {
            write_json(&out.join("fits").join(format!("{name}.json")), law)?;
        }
        println!("\nfits: {}", out.join("fits").display());
    }
    Ok(())
}

/// Approach 2 by one of its interpolators.
fn told_of_budgets(
    name: &str,
    analysis: &Analysis,
    evidence: &Evidence,
    args: &FitArgs,
    interpolator: Interpolator,
) -> Result<Told, Failure> {
    let bytes = analysis.bytes_per_token;
    Ok(match isoflop(evidence, &args.asked.choices.of_budgets(interpolator)) {
        Ok(fitted) => Told::new(name, isoflop_text(&fitted, None, bytes), isoflop_json(&fitted, None, bytes)?),
        Err(error) => Told::refused(name, &error),
    })
}

/// Everything as one document.
fn document(source: &Source, analysis: &Analysis, recommendations: &[Allocation], scrutiny: Option<&Scrutiny>) -> Result<Value, Failure> {
    let laws: Map<String, Value> = laws(analysis)?.into_iter().collect();
    Ok(json!({
        "source": source.path,
        "points": analysis.evidence.points.len(),
        "notes": analysis.notes,
        "laws": laws,
        "seed_noise": analysis.noise,
        "hyperparameters": analysis.study,
        "scrutiny": scrutiny,
        "recommendations": recommendations,
    }))
}

/// Name and JSON of every law that was fitted.
fn laws(analysis: &Analysis) -> Result<Vec<(String, Value)>, Failure> {
    let mut laws = Vec::new();
    if let Some(fitted) = &analysis.chinchilla {
        laws.push(("chinchilla".to_owned(), serde_json::to_value(fitted).or_work()?));
    }
    if let Some(fitted) = &analysis.compute {
        laws.push((fitted.name.clone(), serde_json::to_value(fitted).or_work()?));
    }
    if let Some(fitted) = &analysis.isoflop {
        laws.push(("isoflop".to_owned(), isoflop_json(fitted, analysis.chinchilla.as_ref(), analysis.bytes_per_token)?));
    }
    Ok(laws)
}

/// What every entry has beside what is its own; valleys are minimised budget by budget and have no one objective.
fn isoflop_json(fitted: &IsoflopFit, surface: Option<&FittedLaw<Chinchilla>>, bytes_per_token: Option<f64>) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(fitted).or_work()?;
    let loss_of_compute = fitted.loss_of_compute(fitted.params.exponent.level).ok();
    let law = surface.map(|fitted| &fitted.law);
    let shared = json!({
        "estimator": { "name": "least-squares" },
        "method": fitted.interpolator,
        "objective": Value::Null,
        "derived": {},
        "loss_of_compute_bits_per_byte": loss_of_compute.as_ref().zip(bytes_per_token).map(|(law, bytes)| in_bits_per_byte(law, bytes)),
        "loss_of_compute": loss_of_compute,
        "data_sha256": surface.map(|fitted| &fitted.data_sha256),
        "corrected": law.filter(|_| fitted.interpolator == Interpolator::Parabola).map(|law| fitted.corrected(law)),
    });
    if let (Some(value), Value::Object(shared)) = (value.as_object_mut(), shared) {
        shared.into_iter().for_each(|(key, entry)| _ = value.entry(key).or_insert(entry));
    }
    Ok(value)
}

/// Writes fits, recommendation and figures where they belong, and says where.
fn keep(args: &FitArgs, source: &Source, analysis: &Analysis, recommendations: &[Allocation]) -> Outcome {
    let whole = args.asked.source.filters.is_empty();
    let (fits, plots) = match (&args.out, source.folder.as_ref().filter(|_| whole)) {
        (Some(out), _) => (out.clone(), out.clone()),
        (None, Some(folder)) => (folder.path.clone(), args.asked.source.plots_of(source)),
        (None, None) => {
            let what = if source.folder.is_some() {
                "--where leaves the fits of the whole sweep as they are"
            } else {
                "nothing was written beside the table"
            };
            println!("\n{what}; --out DIR keeps these fits and figures");
            return Ok(());
        }
    };
    for (name, law) in laws(analysis)? {
        write_json(&fits.join("fits").join(format!("{name}.json")), &law)?;
    }
    write_json(&fits.join("recommendation.json"), &serde_json::to_value(recommendations).or_work()?)?;
    if let Some(study) = &analysis.study {
        write_json(&fits.join("fits/hyperparameters.json"), &serde_json::to_value(study).or_work()?)?;
        SweepFolder::at(&fits).write("cells.csv", &to_csv(&cell_rows(study)))?;
    }
    let drawn = plot::draw_all(source, analysis, &args.asked.choices.options_for(source, &analysis.evidence)?, &plots)?;
    println!("\nfits: {}  recommendation: {}", fits.join("fits").display(), fits.join("recommendation.json").display());
    println!("figures: {} in {}", drawn.join(", "), plots.display());
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Outcome {
    let text = serde_json::to_vec_pretty(value).or_work()?;
    write_whole(path, &text).with_context(|| format!("{} cannot be written", path.display())).or_work()
}

/// What a person reads on a terminal.
pub(super) fn report(source: &Source, analysis: &Analysis) -> String {
    let evidence = &analysis.evidence;
    let (points, runs) = (evidence.points.len(), source.records.len());
    let counted = if points > runs { format!("{points} points of {runs} runs") } else { format!("{points} runs") };
    let mut text = format!("{}: {counted}, N counted as {}, C as {}\n", source.path.display(), evidence.size_measure, evidence.flop_rule);
    for (reason, count) in analysis.exclusions_by_reason() {
        text += &format!("  left out: {count} ({reason})\n");
    }
    for note in &analysis.notes {
        text += &format!("  note: {note}\n");
    }
    text += &analysis.noise.as_ref().map_or(String::new(), noise_text);
    if let Some(fitted) = &analysis.chinchilla {
        text += &format!("\nL(N, D) = E + A/N^alpha + B/D^beta, nats per token; {}, {}\n", fitted.estimator, fitted.status);
        text += &estimates(fitted);
        text += &certificate(fitted);
        text += &analysis.raw_law.as_ref().map_or(String::new(), |raw| correction_text(raw, fitted));
        text += &truth(analysis, fitted.coefficients.get("E"));
    }
    if let Some(fitted) = &analysis.compute {
        text += &format!("\nL(C); {}, {}\n", fitted.estimator, fitted.status);
        text += &estimates(fitted);
        text += &certificate(fitted);
    }
    if let Some(fitted) = &analysis.isoflop {
        text += &isoflop_text(fitted, analysis.chinchilla.as_ref().map(|fitted| &fitted.law), analysis.bytes_per_token);
    }
    text += &analysis.study.as_ref().map_or(String::new(), study_text);
    text
}

/// What runs scatter by between seeds.
fn noise_text(noise: &SeedNoise) -> String {
    let percent = |sigma: f64| format!("{:.2} %", 100.0 * sigma);
    let sigma = &noise.sigma;
    let mut text = format!(
        "  seed noise: {} of the loss [{}, {}] at L = {}, from {} runs in {} cells",
        percent(sigma.value),
        percent(sigma.low),
        percent(sigma.high),
        number(noise.loss_at),
        noise.runs,
        noise.cells
    );
    text += &match &noise.slope {
        Some(slope) => format!(", growing as L^{} {}: runs are weighted by 1/sigma(L)^2\n", number(slope.value), interval(slope)),
        None => "; no change with the loss is shown, so all runs weigh the same\n".to_owned(),
    };
    text
}

/// The optimum of each budget, raw and corrected for the bias of a parabola on the fitted surface, what was dropped and
/// why, and the powers through the optima.
fn isoflop_text(fitted: &IsoflopFit, law: Option<&Chinchilla>, bytes_per_token: Option<f64>) -> String {
    let parabola = fitted.interpolator == Interpolator::Parabola;
    let name = if parabola { "parabolas" } else { "Akima splines" };
    let mut text = format!("\nIsoFLOP {name} in ln N; {}\n", fitted.status);
    let corrected = law.filter(|_| parabola).map(|law| fitted.corrected(law));
    let row = |(at, valley): (usize, &Valley)| {
        let mut row = vec![
            Flops(valley.compute).to_string(),
            valley.points.to_string(),
            short(valley.params.value),
            format!("[{}, {}]", short(valley.params.low), short(valley.params.high)),
            short(valley.tokens.value),
            number(valley.loss),
        ];
        let params = |corrected: &crate::fit::Corrected| corrected.params.get(at).copied().flatten();
        row.extend(corrected.as_ref().map(|corrected| params(corrected).map_or("—".into(), short)));
        row
    };
    let mut header = vec!["C, FLOPs", "runs", "N*", "95 %", "D*", "loss, nats"];
    header.extend(corrected.as_ref().map(|_| "N* corrected"));
    text += &table(&header, &fitted.valleys.iter().enumerate().map(row).collect::<Vec<_>>());
    for dropped in &fitted.dropped {
        text += &format!("  dropped: C = {} ({} runs): {}\n", Flops(dropped.compute), dropped.points, dropped.reason);
    }
    let exponent = |name: &str, power: &PowerOfCompute| {
        format!("  {name} = {} C^{} {}\n", number(power.factor.value), number(power.exponent.value), interval(&power.exponent))
    };
    text += &exponent("N*", &fitted.params);
    text += &exponent("D*", &fitted.tokens);
    if let Some(exponent) = corrected.and_then(|corrected| corrected.exponent) {
        text += &format!(
            "  corrected for what a parabola errs by on the fitted surface, with these sizes: a = {} {}\n",
            number(exponent.value),
            interval(&exponent)
        );
    }
    text += &fitted.loss_of_compute(fitted.params.exponent.level).map_or(String::new(), |law| loss_text(&law, bytes_per_token));
    text += &format!("  the centre of the sizes moves from the optimum as C^{:+.3}\n", fitted.centre_drift);
    fitted.warnings.iter().for_each(|warning| text += &format!("  warning: {warning}\n"));
    text
}

/// L*(C) in a line, and in bits per byte where the bytes of a token are known.
fn loss_text(fitted: &FittedLaw<PowerLaw>, bytes_per_token: Option<f64>) -> String {
    let line = |head: &str, of: &Named<Estimate>| {
        let cell = |name: &str| of.get(name).map_or(String::new(), |e| format!("{} {}", number(e.value), interval(e)));
        format!("  {head}E {}, A {}, alpha {}\n", cell("E"), cell("A"), cell("alpha"))
    };
    let bits = bytes_per_token.map(|bytes| line("in bits per byte: ", &in_bits_per_byte(fitted, bytes)));
    line("L* = E + A/C^alpha: ", &fitted.coefficients) + &bits.unwrap_or_default()
}

/// The same coefficients with losses in bits per byte: E and A over ln 2 and the bytes of a token.
fn in_bits_per_byte(fitted: &FittedLaw<PowerLaw>, bytes_per_token: f64) -> Named<Estimate> {
    let bits = |nats: f64| Nats(nats).to_bits_per_byte(bytes_per_token).0;
    let scaled = |e: Estimate| Estimate { value: bits(e.value), se: bits(e.se), low: bits(e.low), high: bits(e.high), ..e };
    let one = |(name, estimate): (&str, &Estimate)| (name.to_owned(), if name == "alpha" { *estimate } else { scaled(*estimate) });
    Named(fitted.coefficients.iter().map(one).collect())
}

/// E beside the truth, on a source whose entropy is known.
fn truth(analysis: &Analysis, e: Option<&Estimate>) -> String {
    let (Some(floor), Some(entropy), Some(e)) = (analysis.floor_nats, analysis.entropy_nats, e) else {
        return String::new();
    };
    let inside = if (e.low..=e.high).contains(&floor) { "inside" } else { "outside" };
    format!(
        "  truth: no loss below {floor:.4} is possible on these windows (entropy rate {entropy:.4}); E = {:.4} {}: the truth is {inside}\n",
        e.value,
        interval(e)
    )
}
