//! Colours and marks that survive colour blindness, greyscale print and a photocopier: an ordered scale that
//! grows lighter (viridis without its pale end) for sizes and budgets, and a different mark for each step.

use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Colour {
    /// Red, green, blue.
    pub(super) rgb: [u8; 3],
    /// 0 is invisible, 1 opaque.
    pub(super) alpha: f64,
}

impl Colour {
    /// The same colour, more or less transparent.
    pub(super) fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The same hue, dark enough for text on white.
    pub(super) fn legible(self) -> Self {
        let luminance = 0.2126 * f64::from(self.rgb[0]) + 0.7152 * f64::from(self.rgb[1]) + 0.0722 * f64::from(self.rgb[2]);
        let factor = (105.0 / luminance.max(1.0)).min(1.0);
        Self { rgb: self.rgb.map(|channel| (f64::from(channel) * factor).round() as u8), ..self }
    }
}

/// Text, frames, laws.
pub(super) const BLACK: Colour = Colour { rgb: [25, 25, 30], alpha: 1.0 };
/// Secondary text and reference lines.
pub(super) const GREY: Colour = Colour { rgb: [105, 105, 112], alpha: 1.0 };
/// Grid lines.
pub(super) const PALE: Colour = Colour { rgb: [228, 228, 232], alpha: 1.0 };
/// Colour of the page.
pub(super) const WHITE: Colour = Colour { rgb: [255, 255, 255], alpha: 1.0 };
/// What stands for itself and must be seen: minima, optima (vermilion of Okabe & Ito's colour-blind safe set).
pub(super) const ACCENT: Colour = Colour { rgb: [205, 80, 0], alpha: 1.0 };

/// Shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Cross,
}

const MARKS: [Mark; 6] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond, Mark::TriangleDown, Mark::Cross];

/// The most steps that are told apart by colour and mark; beyond it colour runs continuously.
pub(super) const STEPS: usize = 10;

/// The ordered scale, `share` from 0 (dark) to 1 (light but readable on white).
pub(super) fn ordered(share: f64) -> Colour {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 };
    let colour = ViridisRGB.get_color((0.87 * share) as f32);
    Colour { rgb: [colour.0, colour.1, colour.2], alpha: 1.0 }
}

/// Colours and marks of increasing positive quantities such as sizes or budgets.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    /// Distinct values, increasing.
    pub(super) steps: Vec<f64>,
}

impl Ladder {
    /// Values nearer than one per cent count as one step.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite() && *value > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let mut steps: Vec<f64> = Vec::new();
        for value in sorted {
            if steps.last().is_none_or(|last| value > last * 1.01) {
                steps.push(value);
            }
        }
        Self { steps }
    }

    /// Whether each step has a colour and a mark of its own.
    pub(super) fn is_discrete(&self) -> bool {
        self.steps.len() <= STEPS
    }

    /// Position of a value on the ladder.
    pub(super) fn step(&self, value: f64) -> usize {
        self.steps.partition_point(|step| *step * 1.01 < value).min(self.steps.len().saturating_sub(1))
    }

    /// Colour of a value: by step while they are few, else by its logarithm.
    pub(super) fn colour(&self, value: f64) -> Colour {
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else { return ordered(0.5) };
        let share = match self.steps.len() {
            1 => 0.35,
            count if self.is_discrete() => self.step(value) as f64 / (count - 1) as f64,
            _ => (value / first).ln() / (last / first).ln(),
        };
        ordered(share)
    }

    /// Mark of a value: by step while they are few, else a circle.
    pub(super) fn mark(&self, value: f64) -> Mark {
        if self.is_discrete() { MARKS[self.step(value) % MARKS.len()] } else { Mark::Circle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Colour) -> f64 {
        0.2126 * f64::from(colour.rgb[0]) + 0.7152 * f64::from(colour.rgb[1]) + 0.0722 * f64::from(colour.rgb[2])
    }

    #[test]
    fn the_ordered_scale_grows_lighter_and_stays_readable_on_white() {
        let greys: Vec<f64> = (0..STEPS).map(|step| luminance(ordered(step as f64 / (STEPS - 1) as f64))).collect();
        assert!(greys.windows(2).all(|pair| pair[1] > pair[0] + 8.0), "{greys:?}");
        assert!(greys[STEPS - 1] < 200.0, "{greys:?}");
    }

    #[test]
    fn a_ladder_merges_equal_sizes_and_finds_their_step() {
        let ladder = Ladder::of([2e6, 1e6, 1.001e6, f64::NAN, 4e6, -1.0]);
        assert_eq!(ladder.steps, [1e6, 2e6, 4e6]);
        assert_eq!((ladder.step(1.001e6), ladder.step(2e6), ladder.step(9e6)), (0, 1, 2));
        assert_ne!(ladder.mark(1e6), ladder.mark(2e6));
        assert_ne!(ladder.colour(1e6), ladder.colour(4e6));
    }

    #[test]
    fn many_sizes_are_coloured_by_their_logarithm() {
        let ladder = Ladder::of((0..50).map(|i| 1e6 * 1.2f64.powi(i)));
        assert!(!ladder.is_discrete());
        assert_eq!(ladder.colour(1e6), ordered(0.0));
        assert_eq!(ladder.mark(1e6), Mark::Circle);
    }
}
