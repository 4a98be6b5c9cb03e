//! The report as one page of HTML: style, script, figures and curves are inside it. page.html is its template (minijinja, which
//! escapes every text that is put in), page.css its style, page.js its script.

use super::{Block, RUN_COLUMNS, Report, ReportRun, ReportTable, Section};
use minijinja::value::Serde;
use minijinja::{Environment, Error};
use serde::Serialize;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    subtitle: &'a str,
    sections: Vec<PageSection<'a>>,
    style: &'static str,
    script: &'static str,
    /// What the calculator computes with, as JSON that closes no script.
    data: String,
}

#[derive(Serialize)]
struct PageSection<'a> {
    title: &'a str,
    blocks: Vec<PageBlock<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum PageBlock<'a> {
    Verdict { text: &'a str },
    Text { text: &'a str },
    Lines { lines: &'a [String] },
    Code { text: &'a str },
    Folded { title: &'a str, text: &'a str },
    Figure { name: &'a str, caption: &'a str, png: String },
    Calculator { note: &'a str },
    Table { caption: &'a str, header: Vec<Cell<'a>>, rows: Vec<Vec<Cell<'a>>> },
    Runs { header: Vec<Cell<'a>>, runs: Vec<Run<'a>> },
}

#[derive(Serialize)]
struct Cell<'a> {
    text: &'a str,
    class: &'static str,
}

#[derive(Serialize)]
struct Run<'a> {
    cells: Vec<Cell<'a>>,
    class: &'static str,
    /// Its curve as the places of a path; empty where it has none.
    path: String,
}

/// The whole page with its style, script and figures.
pub fn html(report: &Report) -> String {
    filled(&page(report)).expect("the template knows every block")
}

fn filled(page: &Page<'_>) -> Result<String, Error> {
    let mut templates = Environment::new();
    templates.add_template("page.html", PAGE)?;
    templates.get_template("page.html")?.render(Serde(page))
}

fn page(report: &Report) -> Page<'_> {
    let calculator = report.sections.iter().flat_map(|section| &section.blocks).find_map(|block| match block {
        Block::Calculator(calculator) => Some(calculator.json()),
        _ => None,
    });
    Page {
        title: &report.title,
        subtitle: &report.subtitle,
        sections: report.sections.iter().map(section_of).collect(),
        style: STYLE,
        script: SCRIPT,
        data: calculator.unwrap_or("null".into()),
    }
}

fn section_of(section: &Section) -> PageSection<'_> {
    PageSection { title: &section.title, blocks: section.blocks.iter().map(block_of).collect() }
}

fn block_of(block: &Block) -> PageBlock<'_> {
    match block {
        Block::Verdict(text) => PageBlock::Verdict { text },
        Block::Text(text) => PageBlock::Text { text },
        Block::Lines(lines) => PageBlock::Lines { lines },
        Block::Code(text) => PageBlock::Code { text },
        Block::Folded(title, text) => PageBlock::Folded { title, text },
        Block::Figure(name, caption, png) => PageBlock::Figure { name, caption, png: base64::encode(png) },
        Block::Calculator(calculator) => PageBlock::Calculator { note: &calculator.note },
        Block::Table(table) => table_of(table),
        Block::Runs(runs) => runs_of(runs),
    }
}

/// Whether every cell of a column that holds anything begins like a number: such columns stand to the right.
fn is_number(rows: &[Vec<String>], column: usize) -> bool {
    let cells = || rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty() && *cell != "—");
    cells().count() > 0 && cells().all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || "[+-<≥".contains(c)) && cell.len() < 40)
}

fn table_of(table: &ReportTable) -> PageBlock<'_> {
    let numbers: Vec<bool> = (0..table.header.len()).map(|column| is_number(&table.rows, column)).collect();
    let class = |at: usize| if numbers.get(at).copied().unwrap_or(false) { "n" } else { "" };
    PageBlock::Table {
        caption: &table.caption,
        header: cells(table.header.iter().map(String::as_str), class),
        rows: table.rows.iter().map(|row| cells(row.iter().map(String::as_str), class)).collect(),
    }
}

fn cells<'a>(texts: impl Iterator<Item = &'a str>, class: impl Fn(usize) -> &'static str) -> Vec<Cell<'a>> {
    texts.enumerate().map(|(at, text)| Cell { text, class: class(at) }).collect()
}

fn runs_of(runs: &[ReportRun]) -> PageBlock<'_> {
    let range = runs.iter().flat_map(|run| &run.curve).filter(|point| point.1.is_finite() && point.1 > 0.0).map(|point| point.1.ln());
    let (low, high) = range.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)));
    PageBlock::Runs {
        header: cells(RUN_COLUMNS.into_iter(), class_of_run),
        runs: runs.iter().map(|run| run_of(run, (low, high))).collect(),
    }
}

fn run_of(run: &ReportRun, (low, high): (f64, f64)) -> Run<'_> {
    Run {
        cells: cells(run.cells.iter().map(String::as_str), class_of_run),
        class: if run.sick { "sick" } else { "" },
        path: sparkline(&run.curve, low, high),
    }
}

/// Style of a column of the list of runs.
fn class_of_run(column: usize) -> &'static str {
    match column {
        2..9 => "n",
        9 => "what",
        _ => "",
    }
}

/// Points of a curve in the list of runs.
const SPARK_POINTS: usize = 48;

/// ln L over the square root of tokens, on one scale of losses for all runs.
fn sparkline(curve: &[(f64, f64)], low: f64, high: f64) -> String {
    let sound: Vec<&(f64, f64)> = curve.iter().filter(|point| point.1.is_finite() && point.1 > 0.0).collect();
    let Some(last) = sound.last().filter(|last| last.0 > 0.0 && sound.len() > 1) else {
        return String::new();
    };
    let each = sound.len().div_ceil(SPARK_POINTS);
    let place = |point: &&(f64, f64)| {
        let x = 120.0 * (point.0 / last.0).max(0.0).sqrt();
        let y = 1.0 + 26.0 * (high - point.1.ln()) / (high - low).max(1e-9);
        format!("{x:.0} {y:.1}")
    };
    let kept = sound.iter().enumerate().filter(|(at, _)| at % each == 0 || at + 1 == sound.len());
    kept.map(|(_, point)| place(point)).collect::<Vec<_>>().join("L")
}
