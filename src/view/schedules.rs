//! Learning-rate schedules side by side: the multiplier of the peak rate over the course of a run.

use super::ViewError;
use super::canvas::Stroke;
use super::legend::Entry;
use super::page::{Layout, Page};
use super::palette::ordered;
use super::panel::{Axis, Panel};
use crate::spec::Schedule;

/// One schedule as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleCurve {
    /// What it is called.
    pub label: String,
    /// (fraction of the run done, multiplier of the peak learning rate).
    pub points: Vec<(f64, f64)>,
}

impl ScheduleCurve {
    /// Reads a schedule at every step of a run, or at a thousand of them.
    pub fn of(label: impl Into<String>, schedule: &Schedule, steps: u64, warmup_steps: u64) -> Self {
        let count = steps.clamp(1, 1000);
        let at = |i: u64| if count < 2 { 0 } else { i * (steps - 1) / (count - 1) };
        let point = |step: u64| (step as f64 / steps.max(1) as f64, schedule.multiplier(step, steps, warmup_steps));
        Self { label: label.into(), points: (0..count).map(at).map(point).collect() }
    }
}

/// Multiplier of the peak learning rate against the course of a run.
pub fn schedules(curves: &[ScheduleCurve], sweep: &str) -> Result<Vec<u8>, ViewError> {
    let sound = |at: &&(f64, f64)| at.0.is_finite() && at.1.is_finite();
    let curves: Vec<&ScheduleCurve> = curves.iter().filter(|curve| curve.points.iter().any(|at| sound(&at))).collect();
    if curves.is_empty() {
        return Err(ViewError::empty("learning-rate schedules", "no schedule has a finite multiplier"));
    }
    let places = || curves.iter().flat_map(|curve| curve.points.iter().filter(sound));
    let x = Axis { low: 0.0, high: 1.0, ..Axis::linear("share of the run", places().map(|at| at.0)) };
    let y = Axis::linear("learning rate / peak", places().map(|at| at.1).chain([0.0, 1.0]));
    let entries: Vec<Entry> =
        curves.iter().enumerate().map(|(i, curve)| Entry::Line(stroke(i, curves.len()), shown(&curve.label))).collect();
    let mut page = Page::captioned(
        &Layout { title: "Learning-rate schedules", beside: &entries, ..Layout::default() },
        sweep,
        "Warmup is part of the run.",
    );
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    for (i, curve) in curves.iter().enumerate() {
        panel.line(&mut page.canvas, &curve.points, stroke(i, curves.len()));
    }
    Ok(page.png())
}

/// Colour by order and a dash pattern in turn, so that curves that run on top of each other are seen.
fn stroke(index: usize, count: usize) -> Stroke {
    const DASHES: [&[f64]; 4] = [&[], &[8.0, 4.0], &[2.0, 3.2], &[10.0, 3.5, 2.0, 3.5]];
    let share = if count < 2 { 0.35 } else { index as f64 / (count - 1) as f64 };
    Stroke { colour: ordered(share), width: 2.0, dash: DASHES[index % DASHES.len()] }
}

/// A label of at most thirty characters.
fn shown(label: &str) -> String {
    super::page::shortened(label, 30.0, &|text| text.chars().count() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::is_drawn_twice_the_same;
    use super::*;
    use crate::spec::DecayShape;

    #[test]
    fn schedules_of_all_kinds_are_drawn_together() {
        let kinds = [
            ("constant", Schedule::Constant {}),
            ("linear", Schedule::Linear { final_fraction: 0.0 }),
            ("cosine", Schedule::Cosine { final_fraction: 0.1 }),
            ("exponential", Schedule::Exponential { final_fraction: 0.1 }),
            ("WSD, 1 − √p", Schedule::Wsd { decay_fraction: 0.2, shape: DecayShape::OneMinusSqrt }),
            ("multi-step", Schedule::MultiStep { milestones: vec![0.8, 0.9], factors: vec![0.316, 0.1] }),
        ];
        let curves: Vec<ScheduleCurve> = kinds.iter().map(|(label, kind)| ScheduleCurve::of(*label, kind, 2000, 100)).collect();
        is_drawn_twice_the_same("schedules", || schedules(&curves, "example"));
    }

    #[test]
    fn a_run_of_one_step_is_drawn_and_none_is_an_error() {
        let one = ScheduleCurve::of("constant", &Schedule::Constant {}, 1, 0);
        assert_eq!(one.points, [(0.0, 1.0)]);
        is_drawn_twice_the_same("schedules-single", || schedules(std::slice::from_ref(&one), "example"));
        assert!(schedules(&[], "example").expect_err("nothing").to_string().contains("no schedule"));
    }
}
