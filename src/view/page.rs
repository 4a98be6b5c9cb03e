//! The page of a figure: title above, legend at the right, and below a caption that says under which
//! conventions the numbers stand.

use super::canvas::{Canvas, LabelStyle, Rect};
use super::legend::{self, Entry};
use super::palette::{BLACK, GREY};
use crate::fit::Estimator;
use crate::law::Evidence;
use crate::spec::{FlopRule, LossUnit, SizeMeasure};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 600.0;
const MARGIN: f64 = 18.0;
const CAPTION: f64 = 11.5;

/// What every figure says of its data: the sweep, how N and C are counted, what was estimated how.
#[derive(Debug, Clone, PartialEq)]
pub struct Conventions {
    /// Name of the sweep or table.
    pub sweep: String,
    /// How N is counted.
    pub size_measure: SizeMeasure,
    /// How C is counted.
    pub flop_rule: FlopRule,
    /// What losses are counted in.
    pub loss_unit: LossUnit,
    /// Runs the figure rests on.
    pub points: usize,
    /// Runs left out.
    pub excluded: usize,
    /// What the fit minimised, where a law is shown.
    pub estimator: Option<Estimator>,
}

impl Conventions {
    /// The conventions of evidence, before any fit.
    pub fn of(sweep: impl Into<String>, evidence: &Evidence) -> Self {
        Self {
            sweep: sweep.into(),
            size_measure: evidence.size_measure,
            flop_rule: evidence.flop_rule,
            loss_unit: evidence.loss_unit,
            points: evidence.points.len(),
            excluded: evidence.excluded.len(),
            estimator: None,
        }
    }

    /// The same with the estimator of a fitted law.
    pub fn fitted_by(self, estimator: Estimator) -> Self {
        Self { estimator: Some(estimator), ..self }
    }

    /// Label of an axis of losses.
    pub(super) fn loss_label(&self) -> String {
        format!("held-out loss, {}", self.loss_unit)
    }

    /// Label of an axis of sizes.
    pub(super) fn size_label(&self) -> String {
        match self.size_measure {
            SizeMeasure::Total => "N, parameters (all)".into(),
            SizeMeasure::NonEmbedding => "N, parameters (non-embedding)".into(),
            SizeMeasure::Matmul => "N, parameters (blocks and output)".into(),
            SizeMeasure::FlopsPerToken => "M, FLOPs per token (non-embedding)".into(),
            SizeMeasure::AsGiven => "N, parameters (as given)".into(),
        }
    }

    /// Label of an axis of compute.
    pub(super) fn compute_label(&self) -> String {
        let rule = match self.flop_rule {
            FlopRule::SixNd => "6ND",
            FlopRule::Md => "M·D",
            FlopRule::Exact => "exact count",
            FlopRule::AsGiven => "as given",
        };
        format!("C, training FLOPs ({rule})")
    }

    /// Symbol of a size.
    pub(super) fn size_symbol(&self) -> &'static str {
        if self.size_measure == SizeMeasure::FlopsPerToken { "M" } else { "N" }
    }

    fn words(&self) -> String {
        let count = |n: usize| format!("{n} {}", if n == 1 { "run" } else { "runs" });
        let mut parts = vec![format!("size: {}", self.size_measure), format!("FLOPs: {}", self.flop_rule), count(self.points)];
        if self.excluded > 0 {
            parts.push(format!("{} left out", self.excluded));
        }
        if let Some(estimator) = self.estimator {
            parts.push(format!("estimator: {estimator}"));
        }
        parts.join(" · ")
    }
}

/// Label of an axis of training tokens.
pub(super) const TOKENS: &str = "D, training tokens";

/// A figure in the making.
pub(super) struct Page {
    pub(super) canvas: Canvas,
    /// Where panels go.
    pub(super) content: Rect,
}

/// What stands around the panels.
#[derive(Default)]
pub(super) struct Layout<'a> {
    pub(super) title: &'a str,
    /// What the figure needs explained, added to the conventions in the caption.
    pub(super) remark: &'a str,
    /// The legend at the right.
    pub(super) beside: &'a [Entry],
    /// A short legend in the line of the title.
    pub(super) above: &'a [Entry],
    /// Room between panels and legend, for labels at the ends of curves.
    pub(super) room: f64,
}

impl Page {
    /// A page with its title, legend and caption.
    pub(super) fn new(title: &str, conventions: &Conventions, remark: &str, beside: &[Entry]) -> Self {
        Self::laid(&Layout { title, remark, beside, ..Layout::default() }, conventions)
    }

    /// The same with everything that can stand around panels.
    pub(super) fn laid(layout: &Layout<'_>, conventions: &Conventions) -> Self {
        let words = conventions.words();
        let caption = if layout.remark.is_empty() { words } else { format!("{words}. {}", layout.remark) };
        Self::captioned(layout, &conventions.sweep, &caption)
    }

    /// A page whose caption is given whole.
    pub(super) fn captioned(layout: &Layout<'_>, sweep: &str, caption: &str) -> Self {
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        let above = legend::row_width(layout.above);
        heading(&mut canvas, layout.title, sweep, WIDTH - MARGIN - above);
        legend::draw_row(&mut canvas, WIDTH - MARGIN, 15.0, layout.above);
        let style = LabelStyle::new(CAPTION, GREY);
        let lines = wrapped(caption, WIDTH - 2.0 * MARGIN, &|text| style.length(text));
        let line_height = CAPTION + 3.0;
        let top = HEIGHT - 10.0 - line_height * lines.len() as f64;
        for (i, line) in lines.iter().enumerate() {
            canvas.text(line, (MARGIN, top + line_height * (i as f64 + 0.8)), style);
        }
        let legend_width = legend::width(layout.beside);
        let content = Rect { left: 10.0, top: 46.0, right: WIDTH - MARGIN - legend_width - layout.room, bottom: top - 8.0 };
        legend::draw(&mut canvas, Rect { left: WIDTH - MARGIN - legend_width, right: WIDTH, ..content }, layout.beside);
        Self { canvas, content }
    }

    pub(super) fn png(&self) -> Vec<u8> {
        self.canvas.png()
    }
}

/// The title in bold and the name of the sweep beside it, shortened where it does not fit.
fn heading(canvas: &mut Canvas, title: &str, sweep: &str, right: f64) {
    let (bold, light) = (LabelStyle::new(19.0, BLACK).bold(), LabelStyle::new(15.0, GREY));
    canvas.text(title, (MARGIN, 30.0), bold);
    let left = MARGIN + bold.length(title) + 12.0;
    canvas.text(&shortened(sweep, right - left - 12.0, &|text| light.length(text)), (left, 30.0), light);
}

/// A text cut to a width, with an ellipsis where something is gone. Control characters become spaces.
pub(super) fn shortened(text: &str, room: f64, length: &dyn Fn(&str) -> f64) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if length(&clean) <= room {
        return clean;
    }
    let characters: Vec<char> = clean.chars().collect();
    let cut = |count: usize| characters[..count].iter().collect::<String>() + "…";
    (0..characters.len()).rev().map(cut).find(|text| length(text) <= room).unwrap_or_default()
}

/// Breaks a text between words into lines no longer than `room`.
fn wrapped(text: &str, room: f64, length: &dyn Fn(&str) -> f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if length(&format!("{line} {word}")) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seven(text: &str) -> f64 {
        7.0 * text.chars().count() as f64
    }

    #[test]
    fn captions_wrap_between_words_and_names_are_shortened() {
        assert_eq!(wrapped("one two three", 60.0, &seven), ["one two", "three"]);
        assert_eq!(shortened("short", 100.0, &seven), "short");
        assert_eq!(shortened("a long name of a sweep", 70.0, &seven), "a long na…");
        assert_eq!(shortened("tab\tline\n", 100.0, &seven), "tab line ");
    }

    #[test]
    fn conventions_are_said_in_words() {
        let mut conventions = Conventions::of("grid", &Evidence::as_given(vec![crate::law::Point::new(1e6, 1e8, 3.0)]));
        assert_eq!(conventions.words(), "size: as-given · FLOPs: as-given · 1 run");
        conventions.excluded = 2;
        let words = conventions.fitted_by(Estimator::default()).words();
        assert!(words.ends_with("1 run · 2 left out · estimator: huber-log (δ = 1e-3)"), "{words}");
    }
}
