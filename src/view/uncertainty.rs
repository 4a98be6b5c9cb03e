//! What the data leave open: the cloud of refitted exponents (α, β) with lines of equal a = β/(α+β), and the
//! profile of the objective over E.

use super::canvas::{Align, Body, Canvas, Lettering, Stroke};
use super::legend::Entry;
use super::page::{Conventions, Page};
use super::palette::{ACCENT, BLACK, GREY, Ink, Mark, ordered};
use super::panel::{Axis, Panel};
use super::{Range, ViewError};
use crate::fit::{Estimate, FittedLaw};

/// Colour of refits.
const CLOUD: Ink = Ink { rgb: [38, 84, 150], alpha: 0.35 };

/// The exponents of a fit, of its refits and of published laws.
#[derive(Debug, Clone, PartialEq)]
pub struct ExponentCloud {
    /// (α, β) of every refit.
    pub refits: Vec<(f64, f64)>,
    /// α with its interval.
    pub alpha: Range,
    /// β with its interval.
    pub beta: Range,
    /// Published exponents by name.
    pub published: Vec<(String, f64, f64)>,
}

impl ExponentCloud {
    /// The refits of a fitted law as a cloud, and the intervals that the fit prints.
    /// `None` for a law that has no α and β.
    pub fn of(fitted: &FittedLaw) -> Option<Self> {
        let printed = |name: &str| fitted.coefficients.get(name).map(|estimate: &Estimate| Range::from(estimate));
        let drawn = |law: &crate::law::Law| Some((law.get("alpha")?, law.get("beta")?));
        Some(Self {
            refits: fitted.draws.iter().map(drawn).collect::<Option<_>>()?,
            alpha: printed("alpha")?,
            beta: printed("beta")?,
            published: Vec::new(),
        })
    }
}

/// The cloud of refitted exponents.
pub fn exponent_cloud(cloud: &ExponentCloud, conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let refits: Vec<(f64, f64)> = cloud.refits.iter().copied().filter(|at| at.0.is_finite() && at.1.is_finite()).collect();
    if refits.is_empty() {
        return Err(ViewError::empty("the cloud of exponents", "the fit has no refits; ask for a bootstrap"));
    }
    let own = |pick: fn(&(f64, f64)) -> f64, fit: Range| central(&refits, pick).into_iter().chain([fit.value, fit.low, fit.high]);
    let published = |pick: fn(&(String, f64, f64)) -> f64| cloud.published.iter().map(pick);
    let x = Axis::linear("α, exponent of N", own(|at| at.0, cloud.alpha).chain(published(|p| p.1)));
    let y = Axis::linear("β, exponent of D", own(|at| at.1, cloud.beta).chain(published(|p| p.2)));
    let remark = "Dashed: equal a = β/(α+β), the exponent of N*(C). Refits in the outermost half per cent may lie outside the frame.";
    let mut page = Page::new("Exponents and their uncertainty", conventions, remark, &entries(&refits, cloud));
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    draw_splits(&mut page.canvas, &panel);
    for at in &refits {
        panel.mark(&mut page.canvas, *at, Mark::Circle, 2.2, Body::Bare, CLOUD);
    }
    for (i, (_, alpha, beta)) in cloud.published.iter().enumerate() {
        panel.mark(&mut page.canvas, (*alpha, *beta), reference_mark(i), 5.0, Body::Hollow, BLACK);
    }
    let best = (cloud.alpha.value, cloud.beta.value);
    panel.error_bar_across(&mut page.canvas, best.1, cloud.alpha.low, cloud.alpha.high, ACCENT);
    panel.error_bar(&mut page.canvas, best.0, cloud.beta.low, cloud.beta.high, ACCENT);
    panel.mark(&mut page.canvas, best, Mark::Diamond, 5.5, Body::Solid, ACCENT);
    Ok(page.png())
}

/// Values without the outermost half per cent on either side, so that stray refits do not flatten the cloud.
fn central(refits: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = refits.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 200;
    values[cut..values.len() - cut].to_vec()
}

fn reference_mark(index: usize) -> Mark {
    [Mark::Square, Mark::Triangle, Mark::Wedge, Mark::Cross, Mark::Circle, Mark::Diamond][index % 6]
}

/// Lines of equal a through the origin, labelled where they leave the frame at the top or the right.
fn draw_splits(canvas: &mut Canvas, panel: &Panel) {
    for twentieth in 1..20 {
        let a = f64::from(twentieth) / 20.0;
        let slope = a / (1.0 - a);
        let line = [panel.x.low, panel.x.high].map(|alpha| (alpha, slope * alpha));
        panel.line(canvas, &line, Stroke::full(GREY.faint(0.7), 0.9).dashed());
        let (right, top) = ((panel.x.high, slope * panel.x.high), (panel.y.high / slope, panel.y.high));
        let (at, align, shift) = if right.1 <= panel.y.high { (right, Align::End, (-6.0, -5.0)) } else { (top, Align::Start, (4.0, 15.0)) };
        if panel.x.share(at.0) > 0.02 && panel.y.share(at.1) > 0.04 && panel.x.share(at.0) <= 1.0 {
            let (x, y) = panel.place(at);
            canvas.label(&format!("a = {a:.2}"), (x + shift.0, y + shift.1), Lettering::new(12.0, GREY).aligned(align));
        }
    }
}

fn entries(refits: &[(f64, f64)], cloud: &ExponentCloud) -> Vec<Entry> {
    let mut entries = vec![
        Entry::Mark(Mark::Diamond, Body::Solid, ACCENT, "fit with interval".into()),
        Entry::Mark(
            Mark::Circle,
            Body::Bare,
            CLOUD.faint(0.6),
            format!("{} {}", refits.len(), if refits.len() == 1 { "refit" } else { "refits" }),
        ),
    ];
    if !cloud.published.is_empty() {
        entries.extend([Entry::Gap, Entry::Heading("published".into())]);
        let mark = |(i, law): (usize, &(String, f64, f64))| Entry::Mark(reference_mark(i), Body::Hollow, BLACK, law.0.clone());
        entries.extend(cloud.published.iter().enumerate().map(mark));
    }
    entries
}

/// The profile of the objective: its least value for each fixed E, against E, with the estimate and levels of
/// E to compare with (the true entropy of a synthetic source, a published value).
pub fn floor_profile(
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
    let x = Axis::linear("E, nats per token", profile.iter().map(|at| at.0).chain([estimate.value]).chain(compared));
    let y = Axis::linear("least objective at this E", profile.iter().map(|at| at.1));
    let mut entries =
        vec![Entry::Line(Stroke::full(ordered(0.2), 1.8), "profile".into()), Entry::Line(Stroke::full(ACCENT, 1.6), "estimate".into())];
    let bounded = estimate.low.is_finite() || estimate.high.is_finite();
    if bounded {
        entries.push(Entry::Band(ACCENT.faint(0.14), "interval".into()));
    }
    entries.extend(references.iter().enumerate().map(|(i, reference)| Entry::Line(reference_stroke(i), reference.0.clone())));
    let mut page =
        Page::new("How well the data know E", conventions, "A flat profile: E and the exponents trade against each other.", &entries);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    let (bottom, top) = (panel.y.low, panel.y.high);
    let ends = [estimate.low.max(panel.x.low), estimate.high.min(panel.x.high)];
    if bounded && ends[1] > ends[0] {
        panel.band(&mut page.canvas, &ends.map(|e| (e, bottom, top)), ACCENT.faint(0.14));
    }
    panel.line(&mut page.canvas, &[(estimate.value, bottom), (estimate.value, top)], Stroke::full(ACCENT, 1.6));
    for (i, reference) in references.iter().enumerate() {
        panel.line(&mut page.canvas, &[(reference.1, bottom), (reference.1, top)], reference_stroke(i));
    }
    panel.line(&mut page.canvas, &profile, Stroke::full(ordered(0.2), 1.8));
    for at in profile.iter().filter(|_| profile.len() <= 60) {
        panel.mark(&mut page.canvas, *at, Mark::Circle, 3.2, Body::Solid, ordered(0.2));
    }
    Ok(page.png())
}

fn reference_stroke(index: usize) -> Stroke {
    const DASHES: [&[f64]; 3] = [&[6.0, 3.0], &[1.5, 3.0], &[9.0, 3.0, 1.5, 3.0]];
    Stroke { ink: BLACK, width: 1.3, dash: DASHES[index % DASHES.len()] }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    /// A slanted cloud from a fixed sequence.
    fn cloud(count: usize) -> ExponentCloud {
        let wave = |i: usize, step: f64| (i as f64 * step).sin() + (i as f64 * step * 1.7).cos();
        let refits = (0..count).map(|i| (0.35 + 0.012 * wave(i, 0.73), 0.36 + 0.01 * wave(i, 0.73) + 0.012 * wave(i, 1.31))).collect();
        let around = |value: f64| Range { value, low: value - 0.025, high: value + 0.027 };
        let published = vec![("hoffmann".into(), 0.339, 0.285), ("besiroglu".into(), 0.3478, 0.3658)];
        ExponentCloud { refits, alpha: around(0.35), beta: around(0.36), published }
    }

    #[test]
    fn clouds_of_a_thousand_refits_and_of_one_are_drawn() {
        is_drawn_twice_the_same("cloud", || exponent_cloud(&cloud(1000), &conventions()));
        let one = ExponentCloud { published: vec![], ..cloud(1) };
        is_drawn_twice_the_same("cloud-single", || exponent_cloud(&one, &conventions()));
        assert!(exponent_cloud(&cloud(0), &conventions()).expect_err("nothing").to_string().contains("bootstrap"));
    }

    #[test]
    fn stray_refits_do_not_set_the_axes() {
        let mut wide = cloud(1000);
        wide.refits.push((9.0, -4.0));
        assert!(central(&wide.refits, |at| at.0).into_iter().all(|alpha| alpha < 1.0));
    }

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
