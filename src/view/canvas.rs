//! Drawing in units (a figure is 900 × 600 of them, two pixels each): lines, areas, marks and text as elements of plotters on
//! one drawing area.

use super::backend::Skia;
use super::elements::{Dashed, Label, Marker, PIXELS, steps};
use super::palette::{Colour, Mark};
use super::text::{self, Weight};
use plotters::coord::{CoordTranslate, Shift};
use plotters::drawing::DrawingArea;
use plotters::element::{Drawable, DynElement, IntoDynElement, PointCollection, Rectangle, Text};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle};
use std::cell::RefCell;
use std::rc::Rc;

pub(super) use super::elements::{Fill, Stroke};

/// A place in units, y downwards.
pub(super) type Place = (f64, f64);

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

    /// Its corners in steps of plotters: left and top, right and bottom.
    pub(super) fn corners(self) -> [(i32, i32); 2] {
        [stepped((self.left, self.top)), stepped((self.right, self.bottom))]
    }
}

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// Direction of a line of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From left to right.
    Across,
    /// From below upwards.
    Up,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LabelStyle {
    /// Height of a line, units.
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) colour: Colour,
    pub(super) align: Align,
    pub(super) direction: Direction,
}

impl LabelStyle {
    pub(super) fn new(size: f64, colour: Colour) -> Self {
        Self { size, weight: Weight::Regular, colour, align: Align::Start, direction: Direction::Across }
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
        text::width(text, self.size, self.weight)
    }
}

impl From<LabelStyle> for TextStyle<'static> {
    fn from(how: LabelStyle) -> Self {
        let style = match how.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        };
        let transform = match how.direction {
            Direction::Across => FontTransform::None,
            Direction::Up => FontTransform::Rotate270,
        };
        let h_pos = match how.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::SansSerif, steps(how.size), style).transform(transform);
        Self { font, color: RGBAColor::from(how.colour).to_backend_color(), pos: Pos::new(h_pos, VPos::Bottom) }
    }
}

/// A picture measured in units.
pub(super) struct Canvas {
    backend: Rc<RefCell<Skia>>,
    /// The page and far beyond it: plotters moves what lies outside an area onto its edge, which would bend lines.
    area: DrawingArea<Skia, Shift>,
}

/// How far beyond the page places are kept, in steps.
pub(super) const FAR: i32 = 1 << 24;

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let backend = Rc::new(RefCell::new(Skia::new((width * PIXELS) as u32, (height * PIXELS) as u32)));
        let area = DrawingArea::from(&backend).margin(-FAR, -FAR, -FAR, -FAR).use_screen_coord();
        Self { backend, area }
    }

    /// The drawing area, with coordinates laid over it.
    pub(super) fn area<C: CoordTranslate>(&mut self, coordinates: C) -> DrawingArea<Skia, C> {
        self.area.apply_coord_spec(coordinates)
    }

    /// Restricts drawing to a rectangle.
    pub(super) fn clip(&mut self, to: Rect) {
        let [from, to] = to.corners();
        self.backend.borrow_mut().cut(Some((from, to)));
    }

    pub(super) fn unclip(&mut self) {
        self.backend.borrow_mut().cut(None);
    }

    /// A line along places; it is broken where one is not finite.
    pub(super) fn line(&mut self, places: &[Place], stroke: Stroke) {
        for part in places.split(|place| !is_finite(place)) {
            drawn(&self.area, line(part.iter().copied().map(stepped).collect(), stroke));
        }
    }

    /// Fills a rectangle.
    pub(super) fn rect(&mut self, rect: Rect, colour: Colour) {
        drawn(&self.area, [Rectangle::new(rect.corners(), colour)]);
    }

    /// A mark of the given radius.
    pub(super) fn mark(&mut self, at: Place, mark: Mark, radius: f64, fill: Fill, colour: Colour) {
        if is_finite(&at) {
            drawn(&self.area, [Marker { at: stepped(at), mark, radius, fill, colour }]);
        }
    }

    /// A text whose baseline passes through `at`.
    pub(super) fn text(&mut self, text: &str, at: Place, how: LabelStyle) {
        drawn(&self.area, [Text::new(text.to_owned(), stepped(at), TextStyle::from(how))]);
    }

    /// A text with a white ground under it, readable over lines.
    pub(super) fn label(&mut self, text: &str, at: Place, how: LabelStyle) {
        drawn(&self.area, [Label { text: text.to_owned(), at: stepped(at), style: how.into() }]);
    }

    pub(super) fn png(&self) -> Vec<u8> {
        self.backend.borrow().png()
    }
}

/// A line through places of any coordinates, in parts that are drawn one after the other.
pub(super) fn line<C: Clone + 'static>(points: Vec<C>, stroke: Stroke) -> Vec<DynElement<'static, Skia, C>> {
    if stroke.dash.is_empty() {
        LineSeries::new(points, ShapeStyle::from(stroke)).collect()
    } else {
        vec![Dashed { points, stroke }.into_dyn()]
    }
}

/// Draws elements on an area: in memory, where nothing can go wrong.
pub(super) fn drawn<C: CoordTranslate, E>(area: &DrawingArea<Skia, C>, elements: impl IntoIterator<Item = E>)
where
    for<'a> &'a E: PointCollection<'a, C::From>,
    E: Drawable<Skia>,
{
    for element in elements {
        area.draw(&element).expect("drawing in memory does not fail");
    }
}

fn is_finite(place: &Place) -> bool {
    place.0.is_finite() && place.1.is_finite()
}

/// The nearest step of plotters to a place.
fn stepped(place: Place) -> (i32, i32) {
    let step = |units: f64| (steps(units).round() as i32).clamp(-FAR, FAR);
    (step(place.0), step(place.1))
}
