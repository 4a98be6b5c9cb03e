//! What it looks like: values in, PNG bytes (or the page of a report) out; the only room that imports plotters, tiny-skia and png.
//! Every figure is a pure function: the same input gives the same bytes.
//!
//! plotters draws: lines, areas and marks are its series and elements, axes its coordinates. Below it stands a backend over
//! tiny-skia, which knows pixels; above it what plotters cannot do to our taste: labels that never touch, ends of curves named
//! beside them, legends, captions with the conventions.
//!
//! A figure is 900 × 600 units on 1800 × 1200 pixels. Its parts, from below: [`backend`](self) fills and strokes, a canvas draws in
//! units, ticks and coordinates place numbers, a panel is one pair of axes, a page is title, panels, legend and caption.
//! Each file of a figure gathers its data from a study and draws it; `FIGURES` lists them.

mod backend;
mod canvas;
mod comparison;
mod coordinate;
mod curves;
mod elements;
mod exponents;
mod figure;
mod figures;
mod floor_profile;
mod frontier;
mod heat_map;
mod hyperparams;
mod influence;
mod isoflop;
mod legend;
mod loss_compute;
mod matrix;
mod optimal;
mod page;
mod palette;
mod panel;

mod recipe_laws;
mod report;
mod residual_map;
mod residuals;
mod schedule_forecasts;
mod schedules;
mod slices;
mod surface;
mod text;
mod ticks;
mod tuned;

pub use comparison::{ComparedLaw, comparison};
pub use curves::run_curves;
pub use figure::{Figure, LARGE, Picture, Subject};
pub use figures::{FIGURES, figure, figures};
pub use optimal::{FrontierPoint, frontier_of, frontier_together};
pub use page::Conventions;
pub use report::{Block, Calculator, CalculatorRow, RUN_COLUMNS, Report, ReportRun, ReportTable, Section, html, latex, markdown};
pub use schedule_forecasts::{DrawnCurve, schedule_forecasts};
pub use schedules::{ScheduleCurve, schedules};
pub use slices::{formula_of, in_greek};
pub use tuned::{TunedFigure, tuned_figures};

use crate::fit::Estimate;

/// Why a figure cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Nothing that could be drawn.
    #[error("nothing to draw in the figure of {figure}: {missing}")]
    Empty {
        /// What the figure shows.
        figure: &'static str,
        /// What was looked for and not found.
        missing: String,
    },
}

impl ViewError {
    fn empty(figure: &'static str, missing: impl Into<String>) -> Self {
        Self::Empty { figure, missing: missing.into() }
    }
}

/// A value with its interval; an end that the data do not bound is infinite, the ends of an interval that is not there are no numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Point estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Range {
    /// Whether the interval of a positive quantity says next to nothing: a side without end, or a factor of a hundred.
    fn is_open(&self) -> bool {
        !(self.low > 0.0 && self.high.is_finite() && self.high < 100.0 * self.low)
    }

    /// Whether there is an interval at all.
    fn is_known(&self) -> bool {
        !self.low.is_nan() && !self.high.is_nan()
    }
}

impl From<&Estimate> for Range {
    fn from(estimate: &Estimate) -> Self {
        let [low, high] = estimate.uncertainty.map_or([f64::NAN; 2], |known| [known.low, known.high]);
        Self { value: estimate.value, low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Evidence;

    /// The conventions of a figure in a test.
    pub(super) fn conventions() -> Conventions {
        Conventions { points: 25, ..Conventions::of("example", &Evidence::as_given(Vec::new())) }
    }

    /// The bytes of a figure's pixels, and how many there are of each.
    fn pixels(picture: &[u8]) -> (Vec<u8>, usize) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().expect("a picture");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a picture of some size")];
        let info = reader.next_frame(&mut pixels).expect("a picture");
        assert_eq!((info.width, info.height), (1800, 1200));
        (pixels, info.color_type.samples())
    }

    /// How much of a figure is not white, from 0 to 255.
    pub(super) fn shade(picture: &[u8]) -> f64 {
        let (pixels, _) = pixels(picture);
        pixels.iter().map(|value| 255.0 - f64::from(*value)).sum::<f64>() / pixels.len() as f64
    }

    /// Draws a figure twice, compares the bytes, and decodes them. With the environment variable
    /// SCALELAB_FIGURES the pictures are kept in the folder it names, to be looked at.
    #[expect(clippy::disallowed_methods, reason = "a person who tests may want to look")]
    pub(super) fn is_drawn_twice_the_same(name: &str, draw: impl Fn() -> Result<Vec<u8>, ViewError>) {
        let bytes = draw().expect(name);
        assert!(bytes == draw().expect(name), "{name} differs from drawing to drawing");
        let (pixels, samples) = pixels(&bytes);
        let coloured = pixels.iter().filter(|value| **value < 200).count();
        assert!(coloured > 10_000, "{name} is nearly white: {coloured}");
        resembles_its_snapshot(name, &brightness(&pixels, samples));
        if let Ok(folder) = std::env::var("SCALELAB_FIGURES") {
            std::fs::write(format!("{folder}/{name}.png"), bytes).expect("the folder exists");
        }
    }

    /// Blocks of a snapshot across and down.
    const BLOCKS: (usize, usize) = (45, 30);

    /// Mean brightness, 0 to 255, of each block of a figure of 1800 × 1200 pixels.
    fn brightness(pixels: &[u8], samples: usize) -> Vec<f64> {
        let (width, height) = (1800 / BLOCKS.0, 1200 / BLOCKS.1);
        let block = |at: usize| {
            let (left, top) = (at % BLOCKS.0 * width, at / BLOCKS.0 * height);
            let rows = (top..top + height).map(|y| &pixels[(y * 1800 + left) * samples..(y * 1800 + left + width) * samples]);
            let sum: f64 = rows.flatten().map(|value| f64::from(*value)).sum();
            sum / (width * height * samples) as f64
        };
        (0..BLOCKS.0 * BLOCKS.1).map(block).collect()
    }

    /// Largest change of a block: a mark that moves out of one changes it by about 20, rounding by less than 1.
    const BLOCK_TOLERANCE: f64 = 8.0;
    /// Largest mean change over all blocks.
    const TOLERANCE: f64 = 0.5;

    /// Compares a figure with tests/data/figures/NAME.txt, which SCALELAB_SNAPSHOTS=write makes anew (then look at it, by
    /// SCALELAB_FIGURES).
    #[expect(clippy::disallowed_methods, reason = "snapshots are files")]
    fn resembles_its_snapshot(name: &str, blocks: &[f64]) {
        let path = format!("{}/tests/data/figures/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("SCALELAB_SNAPSHOTS").is_ok_and(|what| what == "write") {
            let row = |row: &[f64]| row.iter().map(|value| format!("{:02x}", value.round() as u8)).collect::<String>() + "\n";
            std::fs::write(&path, blocks.chunks(BLOCKS.0).map(row).collect::<String>()).expect("the folder exists");
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name} has no snapshot; SCALELAB_SNAPSHOTS=write makes it"));
        let known: Vec<f64> = text
            .lines()
            .flat_map(|line| (0..line.len() / 2).map(move |at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).map(f64::from)))
            .collect::<Result<_, _>>()
            .expect("hexadecimal");
        assert_eq!(known.len(), blocks.len(), "{name}: a snapshot of another size");
        let changes = known.iter().zip(blocks).map(|(known, block)| (known - block).abs());
        let (largest, mean) = (changes.clone().fold(0.0, f64::max), changes.sum::<f64>() / blocks.len() as f64);
        assert!(largest < BLOCK_TOLERANCE && mean < TOLERANCE, "{name} changed: {largest:.1} in one block, {mean:.2} on average");
    }

    #[test]
    fn a_mark_that_moves_is_more_than_a_snapshot_tolerates() {
        let mut pixels = vec![255; 1800 * 1200];
        let white = brightness(&pixels, 1);
        (600..612).for_each(|y| pixels[y * 1800 + 900..y * 1800 + 912].fill(0));
        let marked = brightness(&pixels, 1);
        let largest = white.iter().zip(&marked).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest > BLOCK_TOLERANCE, "{largest}");
    }
}
