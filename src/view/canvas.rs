//! Drawing in units (a figure is 900 × 600 of them, two pixels each): lines, bands, marks and text.

use super::palette::{Mark, WHITE};
use super::raster::{Ink, Place, Raster};
use super::text::{self, Direction, Weight};

/// Pixels of a unit.
const PIXELS: f64 = 2.0;

/// A rectangle in units, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f64 {
        self.bottom - self.top
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    pub(super) ink: Ink,
    pub(super) width: f64,
    /// Lengths drawn and left out in turn; empty for a full line.
    pub(super) dash: &'static [f64],
}

/// Dashes of a law outside its data.
pub(super) const DASHED: &[f64] = &[6.0, 4.5];

impl Stroke {
    pub(super) fn full(ink: Ink, width: f64) -> Self {
        Self { ink, width, dash: &[] }
    }

    pub(super) fn dashed(self) -> Self {
        Self { dash: DASHED, ..self }
    }
}

/// Whether a mark is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// With a thin white rim, which keeps neighbours apart.
    Solid,
    /// An outline on white.
    Hollow,
    /// Without a rim, for crowds.
    Bare,
}

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lettering {
    /// Height of a line, units.
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) ink: Ink,
    pub(super) align: Align,
    pub(super) direction: Direction,
}

impl Lettering {
    pub(super) fn new(size: f64, ink: Ink) -> Self {
        Self { size, weight: Weight::Regular, ink, align: Align::Start, direction: Direction::Across }
    }

    pub(super) fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    pub(super) fn aligned(self, align: Align) -> Self {
        Self { align, ..self }
    }

    pub(super) fn upwards(self) -> Self {
        Self { direction: Direction::Up, ..self }
    }

    /// Length of a text, units.
    pub(super) fn length(self, text: &str) -> f64 {
        text::width(text, self.size * PIXELS, self.weight) / PIXELS
    }
}

/// A picture measured in units.
pub(super) struct Canvas {
    raster: Raster,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { raster: Raster::new((width * PIXELS) as usize, (height * PIXELS) as usize) }
    }

    pub(super) fn clip(&mut self, to: Rect) {
        self.raster.clip(pixels((to.left, to.top)), pixels((to.right, to.bottom)));
    }

    pub(super) fn unclip(&mut self) {
        self.raster.unclip();
    }

    /// A line along places; it is broken where one is not finite.
    pub(super) fn line(&mut self, places: &[Place], stroke: Stroke) {
        let mut paths: Vec<Vec<Place>> = places
            .split(|place| !(place.0.is_finite() && place.1.is_finite()))
            .map(|path| path.iter().copied().map(pixels).collect())
            .collect();
        if !stroke.dash.is_empty() {
            paths = paths.iter().flat_map(|path| dashes(path, stroke.dash)).collect();
        }
        self.raster.stroke(&paths, stroke.width * PIXELS, stroke.ink);
    }

    /// The inside of a closed path.
    pub(super) fn fill(&mut self, places: &[Place], ink: Ink) {
        let path: Vec<Place> = places.iter().copied().map(pixels).collect();
        self.raster.fill(&path, ink);
    }

    /// A rectangle.
    pub(super) fn block(&mut self, rect: Rect, ink: Ink) {
        self.fill(&[(rect.left, rect.top), (rect.right, rect.top), (rect.right, rect.bottom), (rect.left, rect.bottom)], ink);
    }

    /// A mark of the given radius.
    pub(super) fn mark(&mut self, at: Place, mark: Mark, radius: f64, body: Body, ink: Ink) {
        const RIM: f64 = 0.8;
        if body != Body::Bare {
            self.shape(at, mark, radius + RIM, WHITE);
        }
        self.shape(at, mark, radius, ink);
        if body == Body::Hollow {
            self.shape(at, mark, radius - 1.3, WHITE);
        }
    }

    fn shape(&mut self, at: Place, mark: Mark, radius: f64, ink: Ink) {
        match outline(mark) {
            None => self.raster.disc(pixels(at), radius * PIXELS, ink),
            Some(corners) => {
                let places: Vec<Place> = corners.iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect();
                self.fill(&places, ink);
            }
        }
    }

    /// A text whose baseline passes through `at`.
    pub(super) fn text(&mut self, text: &str, at: Place, how: Lettering) {
        let back = how.length(text)
            * match how.align {
                Align::Start => 0.0,
                Align::Middle => 0.5,
                Align::End => 1.0,
            };
        let start = match how.direction {
            Direction::Across => (at.0 - back, at.1),
            Direction::Up => (at.0, at.1 + back),
        };
        text::draw(&mut self.raster, text, pixels(start), how.size * PIXELS, how.weight, how.direction, how.ink);
    }

    /// A text with a white ground under it, readable over lines.
    pub(super) fn label(&mut self, text: &str, at: Place, how: Lettering) {
        const AROUND: [Place; 8] = [(1.5, 0.0), (-1.5, 0.0), (0.0, 1.5), (0.0, -1.5), (1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)];
        for (right, down) in AROUND {
            self.text(text, (at.0 + right, at.1 + down), Lettering { ink: WHITE, ..how });
        }
        self.text(text, at, how);
    }

    pub(super) fn png(&self) -> Vec<u8> {
        self.raster.png()
    }
}

fn pixels(place: Place) -> Place {
    (place.0 * PIXELS, place.1 * PIXELS)
}

/// Corners of a mark of radius 1; `None` for a circle. Sizes are chosen to look alike.
fn outline(mark: Mark) -> Option<&'static [Place]> {
    Some(match mark {
        Mark::Circle => return None,
        Mark::Square => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        Mark::Triangle => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        Mark::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        Mark::Wedge => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
        Mark::Cross => &[
            (-0.4, -1.15),
            (0.4, -1.15),
            (0.4, -0.4),
            (1.15, -0.4),
            (1.15, 0.4),
            (0.4, 0.4),
            (0.4, 1.15),
            (-0.4, 1.15),
            (-0.4, 0.4),
            (-1.15, 0.4),
            (-1.15, -0.4),
            (-0.4, -0.4),
        ],
    })
}

/// Cuts a path (in pixels) into the drawn parts of a dash pattern (in units).
fn dashes(path: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    let mut parts = Vec::new();
    let mut part: Vec<Place> = path.first().map(|first| vec![*first]).unwrap_or_default();
    let (mut phase, mut left) = (0, pattern[0] * PIXELS);
    for pair in path.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = ((to.0 - from.0).powi(2) + (to.1 - from.1).powi(2)).sqrt();
            if length <= left || length > 1e6 {
                left -= length.min(left);
                if phase % 2 == 0 {
                    part.push(to);
                }
                break;
            }
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            if phase % 2 == 0 {
                part.push(from);
                parts.push(std::mem::take(&mut part));
            } else {
                part = vec![from];
            }
            phase = (phase + 1) % pattern.len();
            left = pattern[phase] * PIXELS;
        }
    }
    if phase % 2 == 0 && part.len() > 1 {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_are_as_long_as_their_pattern_across_corners() {
        let path = [(0.0, 0.0), (30.0, 0.0), (30.0, 30.0)];
        let parts = dashes(&path, &[20.0, 5.0]);
        assert_eq!(parts[0], [(0.0, 0.0), (30.0, 0.0), (30.0, 10.0)], "40 pixels, with the corner");
        assert_eq!(parts[1], [(30.0, 20.0), (30.0, 30.0)], "after a gap of 10, what is left");
        assert_eq!(parts.len(), 2);
    }
}
