//! The report of a sweep: one document of sections, as a page of HTML that loads nothing from elsewhere, as Markdown, or as
//! LaTeX tables. Values in, text out; every text that came from a table of runs is escaped for the language it goes into.

mod calculator;
mod html;
mod plain;

pub use calculator::{Calculator, CalculatorRow};
pub use html::html;
pub use plain::{latex, markdown};

/// What a report says, from the verdict to the commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Name of the sweep or table.
    pub title: String,
    /// A line under it.
    pub subtitle: String,
    /// Sections, in the order of reading.
    pub sections: Vec<Section>,
}

/// A titled part of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Heading of the section.
    pub title: String,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A sentence of the verdict, large.
    Verdict(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(ReportTable),
    /// A list of lines.
    Lines(Vec<String>),
    /// A figure: file name, what it shows, PNG.
    Figure(&'static str, String, Vec<u8>),
    /// The calculator; in HTML alone.
    Calculator(Box<Calculator>),
    /// Every run with its curve.
    Runs(Vec<ReportRun>),
    /// Commands or output of a terminal.
    Code(String),
    /// The same behind a line that unfolds it.
    Folded(String, String),
}

/// A table of text.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportTable {
    /// What the table shows, above it.
    pub caption: String,
    /// Names of columns.
    pub header: Vec<String>,
    /// Cells by row, as text.
    pub rows: Vec<Vec<String>>,
}

/// A run in the list of all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRun {
    /// Its cells, under [`RUN_COLUMNS`].
    pub cells: Vec<String>,
    /// (tokens, training loss) along it; may be empty.
    pub curve: Vec<(f64, f64)>,
    /// Whether something ails it.
    pub sick: bool,
}

/// Columns of the list of runs; its curve stands after the first.
pub const RUN_COLUMNS: [&str; 10] = ["run", "status", "N", "D", "C, FLOPs", "learning rate", "batch", "loss", "above the law", "findings"];

impl Section {
    /// A section of a title and blocks.
    pub fn new(title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { title: title.into(), blocks }
    }
}

impl ReportTable {
    /// A table.
    pub fn new(caption: impl Into<String>, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { caption: caption.into(), header: header.iter().map(ToString::to_string).collect(), rows }
    }

    /// The runs without their curves.
    fn of_runs(runs: &[ReportRun]) -> Self {
        Self::new("every run", &RUN_COLUMNS, runs.iter().map(|run| run.cells.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "<script>alert(1)</script> & \"x\" | $y_1$ \\end{document}";

    fn evil() -> Report {
        let run =
            ReportRun { cells: vec![EVIL.into(); RUN_COLUMNS.len()], curve: vec![(1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0)], sick: true };
        let table = ReportTable::new(EVIL, &[EVIL], vec![vec![EVIL.into()]]);
        let blocks = vec![
            Block::Verdict(EVIL.into()),
            Block::Text(EVIL.into()),
            Block::Table(table),
            Block::Lines(vec![EVIL.into()]),
            Block::Figure("a.png", EVIL.into(), vec![1, 2, 3]),
            Block::Runs(vec![run]),
            Block::Code(EVIL.into()),
            Block::Folded(EVIL.into(), EVIL.into()),
            Block::Calculator(Box::new(Calculator { note: "</script>".into(), ..Calculator::default() })),
        ];
        Report { title: EVIL.into(), subtitle: EVIL.into(), sections: vec![Section::new(EVIL, blocks)] }
    }

    #[test]
    fn text_of_runs_is_escaped_in_every_language() {
        let page = html(&evil());
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)") && page.contains("&amp; &quot;x&quot;"));
        // One script of data, one of code; the text inside closes neither.
        assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
        // Indented lines are code, which Markdown shows as it is.
        let text = markdown(&evil()).lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>().join("\n");
        assert!(text.contains("\\<script\\>") && !text.contains(" | $y"), "{text}");
        let tex = latex(&evil());
        assert!(tex.contains("\\$y\\_1\\$ \\textbackslash{}end\\{document\\}") && !tex.contains("\\end{document}"), "{tex}");
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        let page = html(&evil());
        for word in ["http://", "https://", "src=\"/", "@import", "url("] {
            let allowed = page.matches("http://www.w3.org/2000/svg").count();
            let found = page.matches(word).count() - if word == "http://" { allowed } else { 0 };
            assert_eq!(found, 0, "{word}");
        }
        assert!(page.contains("data:image/png;base64,AQID\""));
    }

    #[test]
    fn a_thousand_runs_make_less_than_ten_megabytes() {
        let curve: Vec<(f64, f64)> = (1..=200).map(|at| (f64::from(at), 5.0 / f64::from(at).powf(0.2))).collect();
        let run = ReportRun { cells: vec!["2x128-d100m-lr0.008-b1024-s0.0-2476b8ffeb".into(); RUN_COLUMNS.len()], curve, sick: false };
        let figures = (0..12).map(|_| Block::Figure("a.png", "a figure".into(), vec![7; 300_000]));
        let blocks = std::iter::once(Block::Runs(vec![run; 1000])).chain(figures).collect();
        let page = html(&Report { title: "large".into(), subtitle: String::new(), sections: vec![Section::new("all", blocks)] });
        assert!(page.len() < 10_000_000, "{}", page.len());
    }
}
