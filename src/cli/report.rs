//! `scalelab report`: everything about a sweep in one file: verdict, calculator, figures, tables, every run, and what a reader
//! needs to judge and repeat it.

use super::analysis::{Asked, Choices, Laws, study};
use super::checklist::{checklist, commands, conventions_of, methods};
use super::estimates::{estimates_rows, floor_text};
use super::failure::{Failure, OrWork, Outcome};
use super::fit::report as fit_text;
use super::folders::Folders;
use super::plot::figures_of;
use super::recommend::recommendation_pieces;
use super::report_runs::{Diagnosed, diagnosed, health, runs};
use super::scrutiny::{by_estimator, estimator_rows, scrutiny_text};
use super::source::{Source, SourceArgs};
use super::text::{Piece, counts, number, rate_text};
use super::tuned_report::tuned_report;
use crate::fit::Convention;
use crate::recommend::{Allocation, advise};
use crate::results::{SweepFolder, write_whole};
use crate::spec::{Flops, short};
use crate::study::{Scrutinised, Scrutiny, Study, StudyOptions, is_fine_tuned};
use crate::view::{Block, Calculator, Figure, LARGE, Picture, Report, ReportTable, Section, formula_of, html, in_greek, latex, markdown};
use anyhow::{Context, anyhow};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab report results/grid --open\n  scalelab report results/grid --markdown report.md --latex tables.tex\n  scalelab report runs.csv --out runs.html"
)]
pub(super) struct ReportArgs {
    /// Write the page here [default: plots/<sweep>/report.html]
    ///
    /// The default is that of a results folder, beside which the plots are.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the same as Markdown, too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write its tables for LaTeX, too
    #[arg(long, value_name = "FILE")]
    latex: Option<PathBuf>,
    /// Show the page in a browser
    #[arg(long, conflicts_with = "json")]
    open: bool,
    #[command(flatten)]
    asked: Asked,
}

impl ReportArgs {
    /// The report that follows a sweep.
    pub(super) fn of_sweep(folder: &SweepFolder, folders: &Folders) -> Self {
        let (source, choices) = (SourceArgs::of_folder(folder, folders), Choices::default());
        let asked = Asked { source, laws: Laws::default(), choices, compute: Vec::new(), json: false };
        Self { out: None, markdown: None, latex: None, open: false, asked }
    }
}

pub(super) fn run(args: &ReportArgs) -> Outcome {
    let (source, _) = args.asked.choices.seen(args.asked.source.read_of_any()?)?;
    let page = match (&args.out, &source.folder) {
        (Some(out), _) => out.clone(),
        (None, Some(_)) => args.asked.source.plots_of(&source).join("report.html"),
        (None, None) => return Err(Failure::Input(anyhow!("nothing is written beside a CSV: say where with --out FILE"))),
    };
    for out in [Some(&page), args.markdown.as_ref(), args.latex.as_ref()] {
        source.spared_by(out.map(PathBuf::as_path))?;
    }
    let report = report_of(&source, args)?;
    if args.asked.json {
        println!("{}", markdown_json(&report)?);
        return Ok(());
    }
    let texts = [(Some(&page), html as fn(&Report) -> String), (args.markdown.as_ref(), markdown), (args.latex.as_ref(), latex)];
    for (path, render) in texts.into_iter().filter_map(|(path, render)| Some((path?, render))) {
        let text = render(&report);
        write_whole(path, text.as_bytes()).with_context(|| format!("{} cannot be written", path.display())).or_work()?;
        println!("report  {} ({:.1} MB)", path.display(), text.len() as f64 / 1e6);
    }
    if args.open { shown(&page) } else { Ok(()) }
}

/// Shows a page in whatever shows pages here.
fn shown(page: &Path) -> Outcome {
    let why = |error| anyhow!("nothing here opens {}: {error}; open it by hand", page.display());
    open::that_detached(page).map_err(why).or_work()
}

/// The sections with their tables, for a program.
fn markdown_json(report: &Report) -> Result<String, Failure> {
    let table = |table: &ReportTable| serde_json::json!({ "caption": table.caption, "header": table.header, "rows": table.rows });
    let section = |section: &Section| {
        let tables: Vec<_> =
            section.blocks.iter().filter_map(|block| if let Block::Table(one) = block { Some(table(one)) } else { None }).collect();
        let text = |block: &Block| match block {
            Block::Verdict(text) | Block::Text(text) => Some(text.clone()),
            _ => None,
        };
        let text: Vec<String> = section.blocks.iter().filter_map(text).collect();
        serde_json::json!({ "title": section.title, "text": text, "tables": tables })
    };
    serde_json::to_string_pretty(&report.sections.iter().map(section).collect::<Vec<_>>()).or_work()
}

fn report_of(source: &Source, args: &ReportArgs) -> Result<Report, Failure> {
    if !args.asked.laws.are_named() && is_fine_tuned(&source.records) {
        return tuned_report(source, &args.asked.choices.options_with(source, &args.asked.laws));
    }
    let large = source.records.len() > LARGE;
    let looked_at = match (large, source.own) {
        (true, _) => Scrutinised::No,
        (false, true) => Scrutinised::WithConventions,
        (false, false) => Scrutinised::Closely,
    };
    let plain = args.asked.choices.options_with(source, &args.asked.laws);
    let study = study(source, &StudyOptions { quick: large, scrutiny: looked_at, ..plain })?;
    let recommendations = advise(&study, &args.asked.compute);
    let scrutiny = study.scrutiny.as_ref();
    let diagnosed = diagnosed(source)?;
    let mut sections = vec![Section::new("Verdict", verdict(&study, scrutiny, &recommendations, &diagnosed))];
    sections.extend(
        Calculator::of(&study, CALCULATED[usize::from(large)]).map(|one| Section::new("What to train", render(&recommendations, one))),
    );
    sections.push(Section::new("Figures", drawn(source, &study)?));
    sections.push(Section::new("Laws", laws(source, &study, scrutiny)));
    let law = study.best_law().map(|fitted| &fitted.law).filter(|law| law.may_advise());
    sections.push(Section::new("Runs", runs(&diagnosed, (study.evidence.size_measure, study.evidence.flop_rule), law)));
    sections.push(Section::new("Left out", left_out(&study)));
    sections.push(Section::new("Conventions", vec![Block::Table(conventions_of(source, &study))]));
    sections.push(Section::new("Methods", vec![Block::Text(methods(source, &study)), Block::Table(checklist(source, &study))]));
    sections.push(Section::new("To repeat it", vec![Block::Code(commands(source, &study))]));
    let subtitle = format!(
        "{} runs, {} of them in the fit; N counted as {}, C as {}; scalelab {}",
        source.records.len(),
        study.evidence.points.len(),
        study.evidence.size_measure.words(),
        study.evidence.flop_rule.words(),
        env!("CARGO_PKG_VERSION")
    );
    Ok(Report { title: format!("Scaling laws of {}", source.name), subtitle, sections })
}

/// What law, how sure, what to train, and whether the runs are well.
fn verdict(study: &Study, scrutiny: Option<&Scrutiny>, recommendations: &[Allocation], diagnosed: &[Diagnosed<'_>]) -> Vec<Block> {
    let mut said = Vec::new();
    match study.best_law() {
        Some(fitted) if fitted.law.may_advise() => {
            let exponent = fitted.derived.get("a").map_or("—".into(), ToString::to_string);
            let floor = floor_text(fitted.law.floor_index().map(|at| &fitted.coefficients.0[at]), study.evidence.loss_unit);
            said.push(format!(
                "Loss follows {} within {:.2} % (rms of {} runs); the optimal size grows as C^a with a = {exponent}{floor}.",
                in_greek(formula_of(fitted.law.text())),
                100.0 * fitted.diagnostics.residual_rms,
                fitted.evidence.points.len(),
            ));
        }
        Some(fitted) => said.push(format!(
            "The loss follows {} within {:.2} %; it is no law of N and D, so nothing is recommended.",
            fitted.law.text(),
            100.0 * fitted.diagnostics.residual_rms
        )),
        None => said.push(match study.laws.first().and_then(|report| report.fitted.as_ref().err()) {
            Some(error) => format!("No law is fitted: {error}."),
            None => "An analysis of budgets was asked for and no law of N and D, so nothing is recommended.".into(),
        }),
    }
    let far = scrutiny.and_then(|scrutiny| scrutiny.rolling_origin.iter().max_by(|a, b| a.distance.total_cmp(&b.distance)));
    said.extend(far.map(|forecast| {
        format!(
            "How sure: fitted to its {} smaller runs alone, the law forecasts the {} larger ones, up to {} times the compute, with an error of {:.3} {} rms ({:+.3} on average).",
            forecast.runs[0],
            forecast.runs[1],
            short(forecast.distance),
            forecast.rms_nats,
            study.evidence.loss_unit.short(),
            forecast.bias_nats
        )
    }));
    said.extend(recommendations.get(1).or(recommendations.first()).map(|one| {
        let shape = one.shape.as_ref().map_or(String::new(), |shape| format!(", for example {shape}"));
        let rate = one.learning_rate.map_or(String::new(), |rate| format!(", learning rate {}", rate_text(rate.value)));
        format!(
            "What to train with {} FLOPs ({} times the largest run): {} parameters {}{shape} on {} tokens{rate}; expected loss in {} {}.",
            Flops(one.compute),
            short(one.extrapolation_factor),
            short(one.params.value),
            counts(&one.params),
            short(one.tokens.value),
            one.loss_unit.short(),
            one.loss
        )
    }));
    said.push(health(diagnosed));
    said.into_iter().map(Block::Verdict).chain(study.notes.iter().map(|note| Block::Text(format!("Note: {note}.")))).collect()
}

/// Pieces of a terminal's report as blocks.
fn blocks(pieces: Vec<Piece>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut caption = String::new();
    for piece in pieces {
        match piece {
            Piece::Title(title) => caption = title,
            Piece::Table(header, rows) => blocks.push(Block::Table(ReportTable::new(std::mem::take(&mut caption), &header, rows))),
            Piece::Line(_, line) => match blocks.last_mut() {
                Some(Block::Lines(lines)) => lines.push(line),
                _ => blocks.push(Block::Lines(vec![line])),
            },
        }
    }
    blocks
}

fn render(recommendations: &[Allocation], calculator: Calculator) -> Vec<Block> {
    let mut all = vec![Block::Calculator(Box::new(calculator))];
    for block in blocks(recommendation_pieces(recommendations)) {
        all.push(match block {
            Block::Lines(lines) => Block::Folded("shapes, recipes, sources and warnings".into(), lines.join("\n")),
            block => block,
        });
    }
    all
}

/// Computes that the calculator's rows stand at; of a large sweep, where each costs a second, fewer.
const CALCULATED: [usize; 2] = [17, 9];

fn drawn(source: &Source, study: &Study) -> Result<Vec<Block>, Failure> {
    let block = |(figure, picture): (Figure, Picture)| Some(Block::Figure(figure.file, figure.caption.to_owned(), picture.ok()?));
    Ok(figures_of(source, study)?.into_iter().filter_map(block).collect())
}

/// Most influential runs that are listed.
const INFLUENTIAL: usize = 10;

fn laws(source: &Source, study: &Study, scrutiny: Option<&Scrutiny>) -> Vec<Block> {
    let mut all = Vec::new();
    let header = ["", "value", "s.e.", "interval"];
    for report in &study.laws {
        let Ok(fitted) = &report.fitted else { continue };
        let (points, text) = (fitted.evidence.points.len(), fitted.law.text());
        let caption = format!("{text}, {}: {points} runs, {}, {}", fitted.evidence.loss_unit, fitted.estimator, fitted.status);
        all.push(Block::Table(ReportTable::new(caption, &header, estimates_rows(fitted))));
        all.extend(fitted.warnings.iter().map(|warning| Block::Text(format!("Warning: {warning}."))));
    }
    if let Some(scrutiny) = scrutiny {
        let rows = scrutiny.influence_on_a.iter().take(INFLUENTIAL);
        let rows = rows.map(|one| vec![one.run.clone(), number(one.without), format!("{:+.4}", one.change)]).collect();
        all.push(Block::Table(ReportTable::new("runs that move a most when they are left out", &["run", "a without it", "change"], rows)));
        let rows = estimator_rows(&scrutiny.estimators);
        all.push(Block::Table(ReportTable::new(
            "the same runs by every estimator, and how each forecasts the larger ones",
            &by_estimator(study.evidence.loss_unit).each_ref().map(String::as_str),
            rows,
        )));
        all.extend(scrutiny.conventions.as_ref().map(|conventions| Block::Table(matrix(conventions))));
    }
    let mut text = fit_text(source, study);
    text += &scrutiny.map_or(String::new(), |found| scrutiny_text(found, &study.records, study.evidence.loss_unit));
    all.push(Block::Folded("the whole fit as text".into(), text));
    all
}

fn matrix(conventions: &[Convention]) -> ReportTable {
    let row = |one: &Convention| {
        let (value, range) = match &one.exponent {
            Ok(exponent) => {
                let [value, _, interval] = exponent.render();
                (value, interval)
            }
            Err(reason) => (reason.clone(), String::new()),
        };
        vec![one.size_measure.to_string(), one.flop_rule.name().to_owned(), value, range]
    };
    ReportTable::new(
        "the exponent a under every convention of counting, from the lowest loss of each cell as it is",
        &["N", "C", "a", "interval"],
        conventions.iter().map(row).collect(),
    )
}

fn left_out(study: &Study) -> Vec<Block> {
    let excluded = &study.evidence.excluded;
    if excluded.is_empty() {
        return vec![Block::Text("No run is left out of the fit.".into())];
    }
    let rows = excluded.iter().map(|one| vec![one.run.clone(), one.reason.clone()]).collect();
    vec![Block::Table(ReportTable::new(format!("{} runs are left out of the fit", excluded.len()), &["run", "reason"], rows))]
}
