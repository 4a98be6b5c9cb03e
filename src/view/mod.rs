//! What it looks like: values in, PNG bytes (or the page of a report) out; the only room that imports plotters (its fonts, text and
//! colour maps) and png. Every figure is a pure function: the same input gives the same bytes.
//!
//! A figure is 900 × 600 units on 1800 × 1200 pixels. Its parts, from below: [`raster`](self) covers pixels,
//! a canvas draws in units, ticks and axes place numbers, a panel is one pair of axes, a page is title,
//! panels, legend and the caption with the conventions.

mod canvas;
mod curves;
mod frontier;
mod heat_map;
mod hyperparams;
mod isoflop;
mod legend;
mod loss_compute;
mod page;
mod palette;
mod panel;
mod raster;
mod recipe_laws;
mod report;
mod residual_map;
mod residuals;
mod schedules;
mod slices;
mod surface;
mod text;
mod ticks;
mod uncertainty;

pub use curves::{RunCurve, loss_curves};
pub use frontier::{Frontier, FrontierPoint, ReferenceFrontier, frontier, frontier_of, reference_frontier};
pub use heat_map::{RecipeCell, RecipeMap, recipe_maps};
pub use hyperparams::{RateCurve, rate_curves};
pub use isoflop::{IsoflopBudget, isoflop_valleys};
pub use loss_compute::loss_by_compute;
pub use page::Conventions;
pub use recipe_laws::{RecipeFigure, RecipeLine, RecipePoint, recipe_laws};
pub use report::{Block, Calculator, CalculatorRow, RUN_COLUMNS, Report, ReportRun, ReportTable, Section, html, latex, markdown};
pub use residual_map::residual_map;
pub use residuals::{Residual, observed_and_predicted};
pub use schedules::{ScheduleCurve, schedules};
pub use slices::loss_by_tokens;
pub use surface::loss_surface;
pub use uncertainty::{ExponentCloud, exponent_cloud, floor_profile};

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

/// A value with its interval; an end that the data do not bound is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Best value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<&Estimate> for Range {
    fn from(estimate: &Estimate) -> Self {
        Self { value: estimate.value, low: estimate.low, high: estimate.high }
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

    /// Draws a figure twice, compares the bytes, and decodes them. With the environment variable
    /// SCALELAB_FIGURES the pictures are kept in the folder it names, to be looked at.
    #[expect(clippy::disallowed_methods, reason = "a person who tests may want to look")]
    pub(super) fn is_drawn_twice_the_same(name: &str, draw: impl Fn() -> Result<Vec<u8>, ViewError>) {
        let bytes = draw().expect(name);
        assert!(bytes == draw().expect(name), "{name} differs from drawing to drawing");
        let mut reader = png::Decoder::new(&bytes[..]).read_info().expect(name);
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).expect(name);
        assert_eq!((info.width, info.height), (1800, 1200), "{name}");
        let inked = pixels.iter().filter(|value| **value < 200).count();
        assert!(inked > 10_000, "{name} is nearly white: {inked}");
        if let Ok(folder) = std::env::var("SCALELAB_FIGURES") {
            std::fs::write(format!("{folder}/{name}.png"), bytes).expect("the folder exists");
        }
    }
}
