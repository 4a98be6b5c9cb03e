//! How well the data know E: the least objective at each fixed E, against E.

use super::canvas::{Fill, Stroke};
use super::figure::{Figure, Picture, Subject};
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, BLACK, Mark, ordered};
use super::panel::{Axis, Panel};
use super::{Range, ViewError};
use crate::fit::{Quantity, profiles};

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure { file: "floor-profile.png", caption: "Profile of E", of: profile_of_floor };

/// The profile of the objective: its least value for each fixed E, against E, with the estimate and levels of
/// E to compare with (the true entropy of a synthetic source, a published value).
fn floor_profile(
    profile: &[(f64, f64)],
    estimate: Range,
    references: &[(String, f64)],
    conventions: &Conventions,
) -> Result<Vec<u8>, ViewError> {
    let mut profile: Vec<(f64, f64)> = profile.iter().copied().filter(|at| at.0.is_finite() && at.1.is_finite()).collect();
    if profile.is_empty() {
        return Err(ViewError::empty("the profile of E", "no value of E has a finite objective"));
    }
    profile.sort_by(|left, right| left.0.total_cmp(&right.0));
    let compared = references.iter().map(|reference| reference.1);
    let x = Axis::linear(format!("E, {}", conventions.loss_unit), profile.iter().map(|at| at.0).chain([estimate.value]).chain(compared));
    let y = Axis::linear("least objective at this E", profile.iter().map(|at| at.1));
    let mut entries =
        vec![Entry::Line(Stroke::full(ordered(0.2), 1.8), "profile".into()), Entry::Line(Stroke::full(ACCENT, 1.6), "estimate".into())];
    let bounded = estimate.low.is_finite() || estimate.high.is_finite();
    if bounded {
        entries.push(Entry::Band(ACCENT.with_alpha(0.14), "interval".into()));
    }
    entries.extend(references.iter().enumerate().map(|(i, reference)| Entry::Line(reference_stroke(i), reference.0.clone())));
    let mut page =
        Page::new("How well the data know E", conventions, "A flat profile: E and the exponents trade against each other.", &entries);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    let (bottom, top) = (panel.y.low, panel.y.high);
    let ends = [estimate.low.max(panel.x.low), estimate.high.min(panel.x.high)];
    if bounded && ends[1] > ends[0] {
        panel.band(&mut page.canvas, &ends.map(|e| (e, bottom, top)), ACCENT.with_alpha(0.14));
    }
    panel.line(&mut page.canvas, &[(estimate.value, bottom), (estimate.value, top)], Stroke::full(ACCENT, 1.6));
    for (i, reference) in references.iter().enumerate() {
        panel.line(&mut page.canvas, &[(reference.1, bottom), (reference.1, top)], reference_stroke(i));
    }
    panel.line(&mut page.canvas, &profile, Stroke::full(ordered(0.2), 1.8));
    for at in profile.iter().filter(|_| profile.len() <= 60) {
        panel.mark(&mut page.canvas, *at, Mark::Circle, 3.2, Fill::Solid, ordered(0.2));
    }
    Ok(page.png())
}

fn reference_stroke(index: usize) -> Stroke {
    const DASHES: [&[f64]; 3] = [&[6.0, 3.0], &[1.5, 3.0], &[9.0, 3.0, 1.5, 3.0]];
    Stroke { colour: BLACK, width: 1.3, dash: DASHES[index % DASHES.len()] }
}

/// The profile likelihood of E, with the floor of the source where it is known; least squares of log loss alone has one.
fn profile_of_floor(subject: &Subject<'_>) -> Option<Picture> {
    let fit = subject.study.law_with_optima()?;
    let floor = Quantity::coefficient(&fit.law, fit.law.floor_index()?);
    let found = profiles(fit, fit.level, &[floor]).ok()?;
    let profile = &found.0.first()?.1;
    let references: Vec<(String, f64)> = subject.study.floor_nats.map(|floor| ("truth".to_owned(), floor)).into_iter().collect();
    Some(floor_profile(&profile.curve, Range::from(&profile.profile), &references, &subject.fitted()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    #[test]
    fn profiles_of_the_floor_are_drawn() {
        let profile: Vec<(f64, f64)> =
            (0..41).map(|i| 1.6 + 0.01 * f64::from(i)).map(|e| (e, 1e-3 * (1.0 + 8.0 * (e - 1.82).powi(2)))).collect();
        let estimate = Range { value: 1.82, low: 1.77, high: 1.88 };
        let truth = [("true entropy".to_owned(), 1.85)];
        is_drawn_twice_the_same("floor-profile", || floor_profile(&profile, estimate, &truth, &conventions()));
        let open = Range { value: 1.8, low: f64::NEG_INFINITY, high: f64::INFINITY };
        is_drawn_twice_the_same("floor-profile-single", || floor_profile(&profile[..1], open, &[], &conventions()));
        assert!(floor_profile(&[], open, &[], &conventions()).is_err());
    }
}
