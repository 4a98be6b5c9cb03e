//! The report as Markdown and as LaTeX tables.

use super::{Block, Report, ReportTable};

/// The report as Markdown; figures by the names of their files.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# {}\n\n{}\n", marked(&report.title), marked(&report.subtitle));
    for section in &report.sections {
        text += &format!("\n## {}\n\n", marked(&section.title));
        section.blocks.iter().for_each(|block| text += &markdown_of(block));
    }
    text
}

fn markdown_of(block: &Block) -> String {
    match block {
        Block::Verdict(sentence) => format!("**{}**\n\n", marked(sentence)),
        Block::Text(paragraph) => format!("{}\n\n", marked(paragraph)),
        Block::Table(table) => markdown_table(table),
        Block::Lines(lines) => lines.iter().map(|line| format!("- {}\n", marked(line))).collect::<String>() + "\n",
        Block::Figure(name, caption, _) => format!("![{}]({name})\n\n", marked(caption)),
        Block::Calculator(_) => String::new(),
        Block::Runs(runs) => markdown_table(&ReportTable::of_runs(runs)),
        Block::Code(code) | Block::Folded(_, code) => code.lines().map(|line| format!("    {line}\n")).collect::<String>() + "\n",
    }
}

fn markdown_table(table: &ReportTable) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| marked(cell)).collect::<Vec<_>>().join(" | "));
    let rule: Vec<&str> = table.header.iter().enumerate().map(|(at, _)| if at == 0 { ":--" } else { "--:" }).collect();
    let rows: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!("{}\n\n{}| {} |\n{rows}\n", marked(&table.caption), row(&table.header), rule.join(" | "))
}

/// Text in which Markdown sees no marks: no HTML, no cells, no emphasis.
fn marked(text: &str) -> String {
    text.chars().flat_map(|c| "\\`*_<>|".contains(c).then_some('\\').into_iter().chain([if c == '\n' { ' ' } else { c }])).collect()
}

/// The tables of the report in LaTeX, to be included in a document.
pub fn latex(report: &Report) -> String {
    let mut text = format!("% Tables of {}; \\usepackage{{longtable}}\n", typeset(&report.title));
    for block in report.sections.iter().flat_map(|section| &section.blocks) {
        match block {
            Block::Table(table) => text += &latex_table(table),
            Block::Runs(runs) => text += &latex_table(&ReportTable::of_runs(runs)),
            Block::Verdict(sentence) => text += &format!("\n\\textbf{{{}}}\n", typeset(sentence)),
            Block::Text(paragraph) => text += &format!("\n{}\n", typeset(paragraph)),
            _ => {}
        }
    }
    text
}

fn latex_table(table: &ReportTable) -> String {
    let columns: String = table.header.iter().enumerate().map(|(at, _)| if at == 0 { 'l' } else { 'r' }).collect();
    let row = |cells: &[String]| cells.iter().map(|cell| typeset(cell)).collect::<Vec<_>>().join(" & ") + " \\\\\n";
    let rows: String = table.rows.iter().map(|cells| row(cells)).collect();
    let (caption, head) = (typeset(&table.caption), row(&table.header));
    format!("\n\\begin{{longtable}}{{{columns}}}\n\\caption{{{caption}}}\\\\\n\\hline\n{head}\\hline\n{rows}\\hline\n\\end{{longtable}}\n")
}

/// Text in which LaTeX sees no commands.
fn typeset(text: &str) -> String {
    let one = |c: char| match c {
        '\\' => "\\textbackslash{}".into(),
        '&' | '%' | '$' | '#' | '_' | '{' | '}' => format!("\\{c}"),
        '~' => "\\textasciitilde{}".into(),
        '^' => "\\textasciicircum{}".into(),
        '<' => "\\textless{}".into(),
        '>' => "\\textgreater{}".into(),
        '|' => "\\textbar{}".into(),
        '—' => "---".into(),
        '–' => "--".into(),
        '×' => "$\\times$".into(),
        '±' => "$\\pm$".into(),
        '·' => "$\\cdot$".into(),
        '\n' => " ".into(),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}
