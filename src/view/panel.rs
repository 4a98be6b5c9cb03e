//! One pair of axes: grid, ticks, labels and frame, and the drawing of data inside it in the units of the data.

use super::backend::Skia;
use super::canvas::{Align, Canvas, Fill, LabelStyle, Place, Rect, Stroke, drawn, line};
use super::coordinate::{Coordinate, Plane};
use super::elements::{Interval, Marker, steps};
use super::palette::{BLACK, Colour, GREY, Mark, PALE};
use super::ticks::{Scale, Span, Ticks, Unit, share, ticks};
use plotters::coord::cartesian::MeshLine;
use plotters::coord::ranged1d::{BoldPoints, LightPoints};
use plotters::element::{Drawable, PointCollection, Polygon, Rectangle};
use plotters::style::ShapeStyle;
use plotters_backend::DrawingBackend;

/// More marks than any axis has.
const MARKS: usize = 1000;
/// Height of a line of tick labels.
pub(super) const TICK_TEXT: f64 = 13.5;
/// Height of a line of axis labels.
pub(super) const AXIS_TEXT: f64 = 14.5;

/// One axis: what it shows and from where to where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) unit: Unit,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Axis {
    /// A logarithmic axis around positive values, with some air at both ends.
    pub(super) fn log(label: impl Into<String>, unit: Unit, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values.into_iter().filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let air = ((high / low).ln() * 0.05).max(0.02).exp();
        let (low, high) = if high / low > 1.0 + 1e-12 { (low / air, high * air) } else { (low / 1.5, high * 1.5) };
        Self { label: label.into(), scale: Scale::Log, unit, low, high }
    }

    /// A linear axis around values, with some air at both ends.
    pub(super) fn linear(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values).unwrap_or((0.0, 1.0));
        let magnitude = low.abs().max(high.abs()).max(1e-300);
        let air = if high - low > 1e-12 * magnitude { 0.06 * (high - low) } else { 0.05 * magnitude };
        Self { label: label.into(), scale: Scale::Linear, unit: Unit::Plain, low: low - air, high: high + air }
    }

    /// An axis of losses: linear, or logarithmic where they differ by more than a factor of four.
    pub(super) fn losses(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        match range(values.iter().copied()) {
            Some((low, high)) if low > 0.0 && high > 4.0 * low => Self::log(label, Unit::Plain, values),
            _ => Self::linear(label, values),
        }
    }

    /// Labelled values of the axis laid along a length.
    pub(super) fn marks(&self, length: f64) -> Vec<(f64, String)> {
        self.ticks(length, &|_| TICK_TEXT).major
    }

    /// Position of a value along the axis, 0 to 1 inside.
    pub(super) fn share(&self, value: f64) -> f64 {
        share(self.scale, self.low, self.high, value)
    }

    /// Value at a position.
    pub(super) fn value(&self, share: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.low + share * (self.high - self.low),
            Scale::Log => self.low * ((self.high / self.low).ln() * share).exp(),
        }
    }

    /// Values at equal distances from one value to another, ends included.
    pub(super) fn samples(&self, from: f64, to: f64, count: usize) -> Vec<f64> {
        let (start, end) = (self.share(from), self.share(to));
        (0..count).map(|i| self.value(start + (end - start) * i as f64 / (count - 1) as f64)).collect()
    }

    /// The axis laid along a length.
    fn coordinate(&self, length: f64, extent: &dyn Fn(&str) -> f64) -> Coordinate {
        Coordinate { scale: self.scale, low: self.low, high: self.high, ticks: self.ticks(length, extent) }
    }

    fn ticks(&self, length: f64, extent: &dyn Fn(&str) -> f64) -> Ticks {
        ticks(&Span { scale: self.scale, unit: self.unit, low: self.low, high: self.high, length, extent })
    }
}

/// Room that the labels of the y axis take at the left.
pub(super) fn left_room(x: &Axis, y: &Axis, outside: Rect) -> f64 {
    let ticks = y.ticks(outside.height() - bottom_room(x), &|_| TICK_TEXT * 0.8);
    let style = LabelStyle::new(TICK_TEXT, BLACK);
    let widest = ticks.major.iter().map(|(_, label)| style.length(label)).fold(0.0, f64::max);
    widest + 12.0 + if y.label.is_empty() { 0.0 } else { 24.0 }
}

fn bottom_room(x: &Axis) -> f64 {
    if x.label.is_empty() { 24.0 } else { 47.0 }
}

/// Smallest and largest finite value.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold(None, |known: Option<(f64, f64)>, value| Some(known.map_or((value, value), |(low, high)| (low.min(value), high.max(value)))))
}

/// Axes laid into a rectangle.
pub(super) struct Panel {
    /// The inside of the frame.
    pub(super) inside: Rect,
    pub(super) x: Axis,
    pub(super) y: Axis,
    plane: Plane,
}

impl Panel {
    /// Lays axes, with their labels, into the whole of `outside`, and draws them.
    pub(super) fn draw(canvas: &mut Canvas, outside: Rect, x: Axis, y: Axis) -> Self {
        let room = left_room(&x, &y, outside);
        Self::draw_with_room(canvas, outside, x, y, room)
    }

    /// The same with the given room for the labels of the y axis, so that panels above one another align.
    pub(super) fn draw_with_room(canvas: &mut Canvas, outside: Rect, x: Axis, y: Axis, room: f64) -> Self {
        let style = LabelStyle::new(TICK_TEXT, BLACK);
        let bottom = outside.bottom - bottom_room(&x);
        // Whole units, so that areas laid side by side meet at the edges of pixels.
        let outside = Rect { right: outside.right.round(), top: outside.top.round(), ..outside };
        let (left, bottom) = ((outside.left + room).round(), bottom.round());
        let inside = Rect { left, top: outside.top, right: outside.right, bottom };
        let across = x.coordinate(inside.width(), &|text| style.length(text));
        let upwards = y.coordinate(inside.height(), &|_| TICK_TEXT * 0.8);
        let [(left, top), (right, bottom)] = inside.corners();
        let panel = Self { inside, x, y, plane: Plane::new(across, upwards, (left..right, bottom..top)) };
        panel.grid(canvas);
        panel.frame(canvas, outside);
        panel
    }

    fn grid(&self, canvas: &mut Canvas) {
        canvas.rect(self.inside, super::palette::WHITE);
        let style = ShapeStyle::from(Stroke::full(PALE, 0.8));
        let area = canvas.area(self.plane.clone());
        area.draw_mesh(|backend, line| line.draw(backend, &style), BoldPoints(MARKS), BoldPoints(MARKS))
            .expect("drawing in memory does not fail");
    }

    /// The frame and its ticks, without labels; drawn once more where something covered the inside.
    pub(super) fn edge(&self, canvas: &mut Canvas, colour: Colour) {
        let area = canvas.area(self.plane.clone());
        let tick = |length: f64, width: f64| {
            let (length, style) = (steps(length).round() as i32, ShapeStyle::from(Stroke::full(colour, width)));
            move |backend: &mut Skia, line: MeshLine<'_, Coordinate, Coordinate>| match line {
                MeshLine::XMesh((x, y), ..) => backend.draw_line((x, y), (x, y - length), &style),
                MeshLine::YMesh((x, y), ..) => backend.draw_line((x, y), (x + length, y), &style),
            }
        };
        let light = || LightPoints::new(MARKS, MARKS);
        area.draw_mesh(tick(3.0, 0.6), light(), light()).expect("drawing in memory does not fail");
        area.draw_mesh(tick(5.5, 1.0), BoldPoints(MARKS), BoldPoints(MARKS)).expect("drawing in memory does not fail");
        let corners = [(self.x.low, self.y.low), (self.x.high, self.y.high)];
        drawn(&area, [Rectangle::new(corners, Stroke::full(BLACK, 1.0))]);
    }

    fn frame(&self, canvas: &mut Canvas, outside: Rect) {
        let Rect { left, top, right, bottom } = self.inside;
        self.edge(canvas, BLACK);
        let style = LabelStyle::new(TICK_TEXT, BLACK);
        for (value, label) in &self.plane.x_spec().ticks.major {
            canvas.text(label, (self.column(*value), bottom + 15.0), style.aligned(Align::Middle));
        }
        for (value, label) in &self.plane.y_spec().ticks.major {
            canvas.text(label, (left - 6.0, self.row(*value) + 4.2), style.aligned(Align::End));
        }
        let style = LabelStyle::new(AXIS_TEXT, BLACK).aligned(Align::Middle);
        canvas.text(&self.x.label, (0.5 * (left + right), bottom + 37.0), style);
        canvas.text(&self.y.label, (outside.left + 13.0, 0.5 * (top + bottom)), style.upwards());
    }

    /// Column of a value of x.
    pub(super) fn column(&self, x: f64) -> f64 {
        self.inside.left + self.x.share(x) * self.inside.width()
    }

    /// Row of a value of y.
    pub(super) fn row(&self, y: f64) -> f64 {
        self.inside.bottom - self.y.share(y) * self.inside.height()
    }

    /// Place of a point of data.
    pub(super) fn place(&self, (x, y): Place) -> Place {
        (self.column(x), self.row(y))
    }

    /// Draws elements at places of data, cut at a part of the inside.
    fn draw_cut<E>(&self, canvas: &mut Canvas, part: Rect, elements: impl IntoIterator<Item = E>)
    where
        for<'a> &'a E: PointCollection<'a, Place>,
        E: Drawable<Skia>,
    {
        canvas.clip(part);
        drawn(&canvas.area(self.plane.clone()), elements);
        canvas.unclip();
    }

    /// A line through data, cut at the frame; it is broken where a value has no place.
    pub(super) fn line(&self, canvas: &mut Canvas, data: &[Place], stroke: Stroke) {
        self.line_in(canvas, data, self.inside, stroke);
    }

    /// The part of a line between two values of x.
    pub(super) fn line_between(&self, canvas: &mut Canvas, data: &[Place], (from, to): (f64, f64), stroke: Stroke) {
        if let Some(part) = self.part_between(from, to) {
            self.line_in(canvas, data, part, stroke);
        }
    }

    fn line_in(&self, canvas: &mut Canvas, data: &[Place], part: Rect, stroke: Stroke) {
        let has_place = |at: &Place| self.x.share(at.0).is_finite() && self.y.share(at.1).is_finite();
        let whole = data.split(|at| !has_place(at));
        self.draw_cut(canvas, part, whole.flat_map(|part| line(part.to_vec(), stroke)));
    }

    /// The area between two curves over the same x: (x, low, high). An end beyond the axis runs to its edge.
    pub(super) fn band(&self, canvas: &mut Canvas, data: &[(f64, f64, f64)], colour: Colour) {
        self.band_between(canvas, data, (self.x.low, self.x.high), colour);
    }

    /// The part of such an area between two values of x.
    pub(super) fn band_between(&self, canvas: &mut Canvas, data: &[(f64, f64, f64)], (from, to): (f64, f64), colour: Colour) {
        let shown = |y: f64| y.max(self.y.value(-1.0)).min(self.y.value(2.0));
        let known = data.iter().filter(|(x, low, high)| self.x.share(*x).is_finite() && !low.is_nan() && !high.is_nan());
        let mut path: Vec<Place> = known.clone().map(|(x, _, high)| (*x, shown(*high))).collect();
        path.extend(known.rev().map(|(x, low, _)| (*x, shown(*low))));
        if let Some(part) = self.part_between(from, to) {
            self.draw_cut(canvas, part, [Polygon::new(path, colour)]);
        }
    }

    /// The inside between two values of x, where there is any.
    fn part_between(&self, from: f64, to: f64) -> Option<Rect> {
        let edge = |x: f64| self.column(x).clamp(self.inside.left, self.inside.right);
        let part = Rect { left: edge(from), right: edge(to), ..self.inside };
        (part.right > part.left).then_some(part)
    }

    /// A mark at a point of data; not drawn outside the frame.
    pub(super) fn mark(&self, canvas: &mut Canvas, at: Place, mark: Mark, radius: f64, fill: Fill, colour: Colour) {
        let place = self.place(at);
        let Rect { left, top, right, bottom } = self.inside;
        let inside = place.0 >= left - 0.5 && place.0 <= right + 0.5 && place.1 >= top - 0.5 && place.1 <= bottom + 0.5;
        if inside {
            drawn(&canvas.area(&self.plane), [Marker { at, mark, radius, fill, colour }]);
        }
    }

    /// An interval in y with its caps. An end beyond the axis runs to its edge without a cap.
    pub(super) fn error_bar(&self, canvas: &mut Canvas, x: f64, low: f64, high: f64, colour: Colour) {
        let ends = [low.max(self.y.value(-1.0)), high.min(self.y.value(2.0))].map(|y| (x, y));
        self.interval(canvas, ends, true, colour, low.is_nan() || high.is_nan());
    }

    /// An interval in x with its caps.
    pub(super) fn error_bar_across(&self, canvas: &mut Canvas, y: f64, low: f64, high: f64, colour: Colour) {
        let ends = [low.max(self.x.value(-1.0)), high.min(self.x.value(2.0))].map(|x| (x, y));
        self.interval(canvas, ends, false, colour, low.is_nan() || high.is_nan());
    }

    fn interval(&self, canvas: &mut Canvas, ends: [Place; 2], upright: bool, colour: Colour, is_unknown: bool) {
        let has_place = |at: &Place| self.x.share(at.0).is_finite() && self.y.share(at.1).is_finite();
        if !is_unknown && ends.iter().all(has_place) {
            self.draw_cut(canvas, self.inside, [Interval { ends, upright, stroke: Stroke::full(colour, 1.3) }]);
        }
    }

    /// A short title inside the upper left corner.
    pub(super) fn title(&self, canvas: &mut Canvas, text: &str) {
        canvas.label(text, (self.inside.left + 8.0, self.inside.top + 18.0), LabelStyle::new(14.0, BLACK).bold());
    }

    /// A remark on a level of y, above its line at the left edge.
    pub(super) fn remark(&self, canvas: &mut Canvas, y: f64, text: &str) {
        canvas.label(text, (self.inside.left + 8.0, self.row(y) - 4.0), LabelStyle::new(12.5, GREY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_leave_air_around_data_and_survive_a_single_value() {
        let axis = Axis::log("N", Unit::Count, [1e3, 1e6, f64::NAN, -5.0]);
        assert!(axis.low < 1e3 && axis.high > 1e6 && axis.low > 400.0);
        let single = Axis::log("N", Unit::Count, [1e6]);
        assert!((single.share(1e6) - 0.5).abs() < 1e-9);
        let level = Axis::linear("loss", [2.5, 2.5]);
        assert!(level.low < 2.5 && level.high > 2.5);
        assert!(Axis::linear("loss", [0.0]).high > 0.0);
    }

    #[test]
    fn values_and_shares_are_inverse() {
        for axis in [Axis::log("N", Unit::Count, [1e3, 1e6]), Axis::linear("loss", [2.0, 3.0])] {
            for share in [0.0, 0.3, 1.0] {
                assert!((axis.share(axis.value(share)) - share).abs() < 1e-12);
            }
            let samples = axis.samples(axis.low, axis.high, 3);
            assert!((samples[2] / axis.high - 1.0).abs() < 1e-12);
        }
    }
}
