//! The report as one page of HTML: style, script, figures and curves are inside it.

use super::{Block, RUN_COLUMNS, Report, ReportRun, ReportTable, Section};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn html(report: &Report) -> String {
    let (title, subtitle) = (escaped(&report.title), escaped(&report.subtitle));
    let contents: String =
        report.sections.iter().enumerate().map(|(at, section)| format!("<a href=\"#s{at}\">{}</a>", escaped(&section.title))).collect();
    let sections: String = report.sections.iter().enumerate().map(|(at, section)| section_of(at, section)).collect();
    let calculator = report.sections.iter().flat_map(|section| &section.blocks).find_map(|block| match block {
        Block::Calculator(calculator) => Some(calculator.json()),
        _ => None,
    });
    let data = calculator.unwrap_or("null".into());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\n<body><header><h1>{title}</h1>\
         <p class=\"sub\">{subtitle}</p><nav>{contents}</nav></header>\n<main>{sections}</main>\n\
         <script id=\"data\" type=\"application/json\">{data}</script><script>{SCRIPT}</script></body></html>\n"
    )
}

fn section_of(at: usize, section: &Section) -> String {
    let blocks: String = section.blocks.iter().map(block_of).collect();
    format!("<section id=\"s{at}\"><h2>{}</h2>{blocks}</section>\n", escaped(&section.title))
}

fn block_of(block: &Block) -> String {
    match block {
        Block::Verdict(sentence) => format!("<p class=\"verdict\">{}</p>", escaped(sentence)),
        Block::Text(paragraph) => format!("<p>{}</p>", escaped(paragraph)),
        Block::Table(table) => table_of(table),
        Block::Lines(lines) => format!("<ul>{}</ul>", lines.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect::<String>()),
        Block::Figure(name, caption, png) => {
            let (name, caption) = (escaped(name), escaped(caption));
            let data = base64::encode(png);
            format!(
                "<figure><img alt=\"{caption}\" title=\"{name}\" src=\"data:image/png;base64,{data}\"><figcaption>{caption}</figcaption></figure>"
            )
        }
        Block::Calculator(calculator) => format!("<div id=\"calculator\"></div><p class=\"note\">{}</p>", escaped(&calculator.note)),
        Block::Runs(runs) => runs_of(runs),
        Block::Code(code) => format!("<pre>{}</pre>", escaped(code)),
        Block::Folded(title, code) => format!("<details><summary>{}</summary><pre>{}</pre></details>", escaped(title), escaped(code)),
    }
}

/// Whether every cell of a column that holds anything begins like a number: such columns stand to the right.
fn is_number(rows: &[Vec<String>], column: usize) -> bool {
    let cells = || rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty() && *cell != "—");
    cells().count() > 0 && cells().all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || "[+-<≥".contains(c)) && cell.len() < 40)
}

fn table_of(table: &ReportTable) -> String {
    let numbers: Vec<bool> = (0..table.header.len()).map(|column| is_number(&table.rows, column)).collect();
    let class = |at: usize| if numbers.get(at).copied().unwrap_or(false) { " class=n" } else { "" };
    let mut text = format!("<div class=\"wide\"><table><caption>{}</caption><thead><tr>", escaped(&table.caption));
    for (at, name) in table.header.iter().enumerate() {
        _ = write!(text, "<th{}>{}</th>", class(at), escaped(name));
    }
    text += "</tr></thead><tbody>";
    for row in &table.rows {
        text += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            _ = write!(text, "<td{}>{}</td>", class(at), escaped(cell));
        }
        text += "</tr>";
    }
    text + "</tbody></table></div>"
}

fn runs_of(runs: &[ReportRun]) -> String {
    let class = |at: usize| match at {
        2..9 => " class=n",
        9 => " class=what",
        _ => "",
    };
    let names = RUN_COLUMNS.iter().enumerate().map(|(at, name)| format!("<th{}>{}</th>", class(at), escaped(name)));
    let curve = std::iter::once("<th class=\"fixed\">training loss</th>".to_owned());
    let head: String = names.clone().take(1).chain(curve).chain(names.skip(1)).collect();
    let range = runs.iter().flat_map(|run| &run.curve).filter(|point| point.1.is_finite() && point.1 > 0.0).map(|point| point.1.ln());
    let (low, high) = range.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)));
    let row = |run: &ReportRun| {
        let cell = |(at, text): (usize, &String)| {
            let curve = if at == 0 { format!("<td>{}</td>", sparkline(&run.curve, low, high)) } else { String::new() };
            format!("<td{}>{}</td>{curve}", class(at), escaped(text))
        };
        let cells: String = run.cells.iter().enumerate().map(cell).collect();
        let class = if run.sick { " class=sick" } else { "" };
        format!("<tr{class}>{cells}</tr>")
    };
    let rows: String = runs.iter().map(row).collect();
    format!(
        "<p><input id=\"filter\" type=\"search\" placeholder=\"filter runs\" aria-label=\"filter runs\"></p>\
         <div class=\"wide\"><table id=\"runs\"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Points of a curve in the list of runs.
const SPARK_POINTS: usize = 48;

/// ln L over the square root of tokens, on one scale of losses for all runs.
fn sparkline(curve: &[(f64, f64)], low: f64, high: f64) -> String {
    let sound: Vec<&(f64, f64)> = curve.iter().filter(|point| point.1.is_finite() && point.1 > 0.0).collect();
    let Some(last) = sound.last().filter(|last| last.0 > 0.0 && sound.len() > 1) else {
        return "—".into();
    };
    let each = sound.len().div_ceil(SPARK_POINTS);
    let place = |point: &&(f64, f64)| {
        let x = 120.0 * (point.0 / last.0).max(0.0).sqrt();
        let y = 1.0 + 26.0 * (high - point.1.ln()) / (high - low).max(1e-9);
        format!("{x:.0} {y:.1}")
    };
    let kept = sound.iter().enumerate().filter(|(at, _)| at % each == 0 || at + 1 == sound.len());
    let places: Vec<String> = kept.map(|(_, point)| place(point)).collect();
    format!("<svg viewBox=\"0 0 120 28\" width=120 height=28><path d=\"M{}\"/></svg>", places.join("L"))
}

/// Text in which HTML sees no marks, inside elements and quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}
