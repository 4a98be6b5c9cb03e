//! What is drawn at places of data and plotters has no element for: dashed lines of any pattern, our marks, intervals with caps,
//! texts with a rim.

use super::backend::{STEPS, Skia};
use super::palette::{Colour, Mark, WHITE};
use plotters::element::{Drawable, PointCollection};
use plotters::style::{RGBAColor, ShapeStyle, TextStyle};
use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};

/// Pixels of a unit.
pub(super) const PIXELS: f64 = 2.0;

/// A length in units as steps of plotters.
pub(super) fn steps(units: f64) -> f64 {
    units * PIXELS * f64::from(STEPS)
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    pub(super) colour: Colour,
    pub(super) width: f64,
    /// Lengths drawn and left out in turn; empty for a full line.
    pub(super) dash: &'static [f64],
}

/// Dashes of a law outside its data.
pub(super) const DASHED: &[f64] = &[6.0, 4.5];

impl Stroke {
    pub(super) fn full(colour: Colour, width: f64) -> Self {
        Self { colour, width, dash: &[] }
    }

    pub(super) fn dashed(self) -> Self {
        Self { dash: DASHED, ..self }
    }
}

impl From<Colour> for RGBAColor {
    fn from(colour: Colour) -> Self {
        Self(colour.rgb[0], colour.rgb[1], colour.rgb[2], colour.alpha)
    }
}

impl From<Colour> for ShapeStyle {
    fn from(colour: Colour) -> Self {
        Self { color: colour.into(), filled: true, stroke_width: 0 }
    }
}

impl From<Stroke> for ShapeStyle {
    fn from(stroke: Stroke) -> Self {
        Self { color: stroke.colour.into(), filled: false, stroke_width: steps(stroke.width).round() as u32 }
    }
}

/// Whether a mark is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// With a thin white rim, which keeps neighbours apart.
    Solid,
    /// An outline on white.
    Hollow,
    /// Without a rim, for crowds.
    Bare,
}

/// A line with a dash pattern, of lengths on the picture. (`DashedPathElement` of plotters knows one length and one gap.)
pub(super) struct Dashed<C> {
    pub(super) points: Vec<C>,
    pub(super) stroke: Stroke,
}

impl<'a, C: 'a> PointCollection<'a, C> for &'a Dashed<C> {
    type Point = &'a C;
    type IntoIter = &'a [C];

    fn point_iter(self) -> &'a [C] {
        &self.points
    }
}

impl<C> Drawable<Skia> for Dashed<C> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        backend: &mut Skia,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<<Skia as DrawingBackend>::ErrorType>> {
        let pattern: Vec<f32> = self.stroke.dash.iter().map(|length| steps(*length) as f32).collect();
        backend.stroke(points, &ShapeStyle::from(self.stroke), &pattern)
    }
}

/// A mark of a radius in units.
pub(super) struct Marker<C> {
    pub(super) at: C,
    pub(super) mark: Mark,
    pub(super) radius: f64,
    pub(super) fill: Fill,
    pub(super) colour: Colour,
}

impl<'a, C: 'a> PointCollection<'a, C> for &'a Marker<C> {
    type Point = &'a C;
    type IntoIter = std::iter::Once<&'a C>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<C, DB: DrawingBackend> Drawable<DB> for Marker<C> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut points: I,
        backend: &mut DB,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        const RIM: f64 = 0.8;
        const WALL: f64 = 1.3;
        let Some(at) = points.next() else { return Ok(()) };
        if self.fill != Fill::Bare {
            self.mark.fill(backend, at, steps(self.radius + RIM), WHITE)?;
        }
        self.mark.fill(backend, at, steps(self.radius), self.colour)?;
        if self.fill == Fill::Hollow {
            self.mark.fill(backend, at, steps(self.radius - WALL), WHITE)?;
        }
        Ok(())
    }
}

impl Mark {
    /// Fills the mark of a radius in steps.
    fn fill<DB: DrawingBackend>(
        self,
        backend: &mut DB,
        at: BackendCoord,
        radius: f64,
        colour: Colour,
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        let style = ShapeStyle::from(colour);
        match self.corners() {
            None => backend.draw_circle(at, radius.max(0.0).round() as u32, &style, true),
            Some(corners) => {
                let corner = |(x, y): &(f64, f64)| (at.0 + (x * radius).round() as i32, at.1 + (y * radius).round() as i32);
                backend.fill_polygon(corners.iter().map(corner), &style)
            }
        }
    }

    /// Corners of a mark of radius 1; `None` for a circle. Sizes are chosen to look alike.
    fn corners(self) -> Option<&'static [(f64, f64)]> {
        Some(match self {
            Self::Circle => return None,
            Self::Square => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
            Self::Triangle => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            Self::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Self::TriangleDown => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
            Self::Cross => &[
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
}

/// An interval from one place to another, upright or across, with a cap at either end.
pub(super) struct Interval<C> {
    pub(super) ends: [C; 2],
    pub(super) upright: bool,
    pub(super) stroke: Stroke,
}

impl<'a, C: 'a> PointCollection<'a, C> for &'a Interval<C> {
    type Point = &'a C;
    type IntoIter = &'a [C];

    fn point_iter(self) -> &'a [C] {
        &self.ends
    }
}

impl<C, DB: DrawingBackend> Drawable<DB> for Interval<C> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut points: I,
        backend: &mut DB,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        /// Half the width of a cap, units.
        const CAP: f64 = 3.5;
        let (Some(from), Some(to)) = (points.next(), points.next()) else { return Ok(()) };
        let style = ShapeStyle::from(self.stroke);
        backend.draw_line(from, to, &style)?;
        let cap = steps(CAP) as i32;
        let (right, down) = if self.upright { (cap, 0) } else { (0, cap) };
        for (x, y) in [from, to] {
            backend.draw_line((x - right, y - down), (x + right, y + down), &style)?;
        }
        Ok(())
    }
}

/// A text with a white rim.
pub(super) struct Label<C> {
    pub(super) text: String,
    pub(super) at: C,
    pub(super) style: TextStyle<'static>,
}

impl<'a, C: 'a> PointCollection<'a, C> for &'a Label<C> {
    type Point = &'a C;
    type IntoIter = std::iter::Once<&'a C>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<C> Drawable<Skia> for Label<C> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut points: I,
        backend: &mut Skia,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<<Skia as DrawingBackend>::ErrorType>> {
        /// Width of the rim, units.
        const RIM: f64 = 1.5;
        points.next().map_or(Ok(()), |at| backend.text_with_rim(&self.text, &self.style, at, steps(RIM) as f32))
    }
}
