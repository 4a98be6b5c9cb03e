//! Measured loss curves, and the curves that a law gives to schedules: those that were run and those that were not.

use super::ViewError;
use super::canvas::Stroke;
use super::legend::Entry;
use super::page::{Layout, Page};
use super::palette::{GREY, ordered};
use super::panel::{Axis, Panel};
use super::ticks::Unit;

/// A curve as it is drawn: steps and losses.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnCurve {
    /// What it is called.
    pub label: String,
    /// (steps done, loss).
    pub points: Vec<(f64, f64)>,
}

/// Measured curves in grey, curves of the law to schedules in colour.
pub fn schedule_forecasts(measured: &[DrawnCurve], of_law: &[DrawnCurve], sweep: &str, caption: &str) -> Result<Vec<u8>, ViewError> {
    let sound = |at: &&(f64, f64)| at.0.is_finite() && at.1.is_finite() && at.1 > 0.0;
    let places = || measured.iter().chain(of_law).flat_map(|curve| curve.points.iter().filter(sound));
    if places().next().is_none() {
        return Err(ViewError::empty("schedules and losses", "no curve has a finite loss"));
    }
    let x = Axis::linear("steps", places().map(|at| at.0).chain([0.0]));
    let x = Axis { low: 0.0, unit: Unit::Count, ..x };
    let y = Axis::losses("loss", places().map(|at| at.1));
    let colour = |at: usize| ordered(if of_law.len() < 2 { 0.35 } else { at as f64 / (of_law.len() - 1) as f64 });
    let mut entries: Vec<Entry> =
        of_law.iter().enumerate().map(|(at, curve)| Entry::Line(Stroke::full(colour(at), 2.0), shortened(&curve.label))).collect();
    entries.extend((!measured.is_empty()).then(|| Entry::Line(Stroke::full(GREY, 1.2), "measured".into())));
    let layout = Layout { title: "Loss under schedules", beside: &entries, ..Layout::default() };
    let mut page = Page::captioned(&layout, sweep, caption);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    for curve in measured {
        panel.line(&mut page.canvas, &curve.points, Stroke::full(GREY.with_alpha(0.7), 1.2));
    }
    for (at, curve) in of_law.iter().enumerate() {
        panel.line(&mut page.canvas, &curve.points, Stroke::full(colour(at), 2.0));
    }
    Ok(page.png())
}

fn shortened(label: &str) -> String {
    super::page::shortened(label, 30.0, &|text| text.chars().count() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::is_drawn_twice_the_same;
    use super::*;

    #[test]
    fn measured_and_forecast_curves_are_drawn_together_and_none_is_an_error() {
        let curve = |label: &str, floor: f64| DrawnCurve {
            label: label.to_owned(),
            points: (1..200).map(|at| (f64::from(at) * 50.0, floor + 3.0 * f64::from(at).powf(-0.5))).collect(),
        };
        let (measured, of_law) = ([curve("a", 2.0), curve("b", 2.1)], [curve("best: wsd(0.2, 1-sqrt)", 1.9), curve("cosine", 2.05)]);
        is_drawn_twice_the_same("schedule-forecasts", || schedule_forecasts(&measured, &of_law, "example", "Lines: the law."));
        assert!(schedule_forecasts(&[], &[], "example", "").expect_err("nothing").to_string().contains("no curve"));
    }
}
