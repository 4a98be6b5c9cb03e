//! What plotters draws on: its backend over tiny-skia, which fills, strokes, dashes and cuts with smooth edges. plotters counts
//! places in whole numbers; eight of its steps are one pixel, so that rounding to them is not seen.

use super::text::{self, Weight};
use plotters_backend::text_anchor::HPos;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use plotters_backend::{FontStyle, FontTransform};
use std::convert::Infallible;
use tiny_skia::{Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

/// Steps of plotters in a pixel.
pub(super) const STEPS: f32 = 8.0;

/// Drawing fails for no reason of its own.
type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// A picture, at first white.
pub(super) struct Skia {
    pixmap: Pixmap,
    cut: Option<Rect>,
    mask: Mask,
}

impl Skia {
    /// A white picture of so many pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let mut pixmap = Pixmap::new(width, height).expect("a picture has pixels");
        pixmap.fill(Color::WHITE);
        Self { pixmap, cut: None, mask: Mask::new(width, height).expect("a picture has pixels") }
    }

    /// Restricts drawing to the pixels that a rectangle touches, from one corner to the other in steps; `None`: to none.
    pub(super) fn cut(&mut self, to: Option<(BackendCoord, BackendCoord)>) {
        let (width, height) = (self.pixmap.width() as f32, self.pixmap.height() as f32);
        let edge = |at: i32, most: f32| (at as f32 / STEPS).clamp(0.0, most);
        let cut = to.and_then(|((left, top), (right, bottom))| {
            let (left, top) = (edge(left, width).floor(), edge(top, height).floor());
            Rect::from_ltrb(left, top, edge(right, width).ceil(), edge(bottom, height).ceil())
        });
        if let Some(new) = cut.filter(|_| cut != self.cut) {
            self.mask.clear();
            let columns = new.left() as usize..new.right() as usize;
            for row in self.mask.data_mut().chunks_exact_mut(width as usize).take(new.bottom() as usize).skip(new.top() as usize) {
                row[columns.clone()].fill(255);
            }
        }
        self.cut = cut;
    }

    /// A line along points, of a width in steps; the lengths of the pattern are drawn and left out in turn.
    pub(super) fn stroke(&mut self, points: impl IntoIterator<Item = BackendCoord>, style: &impl BackendStyle, pattern: &[f32]) -> Drawn {
        let width = style.stroke_width() as f32 / STEPS;
        let pattern = pattern.iter().map(|length| length / STEPS).collect();
        let how = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(pattern, 0.0),
            ..Stroke::default()
        };
        if let Some(path) = path(points, false) {
            self.stroke_path(&path, style.color(), &how);
        }
        Ok(())
    }

    /// A text with a white rim of a width in steps, which keeps it readable over lines.
    pub(super) fn text_with_rim(&mut self, text: &str, style: &impl BackendTextStyle, at: BackendCoord, rim: f32) -> Drawn {
        if let Some(path) = outlined(text, style, at) {
            let how = Stroke { width: 2.0 * rim / STEPS, line_join: LineJoin::Round, ..Stroke::default() };
            self.stroke_path(&path, BackendColor { rgb: (255, 255, 255), alpha: 1.0 }, &how);
            self.fill_path(&path, style.color());
        }
        Ok(())
    }

    fn stroke_path(&mut self, path: &Path, color: BackendColor, how: &Stroke) {
        if how.width > 0.0 && self.reaches(path.bounds(), how.width) {
            let mask = mask(self.cut, &self.mask, path.bounds(), how.width);
            self.pixmap.stroke_path(path, &paint(color), how, Transform::identity(), mask);
        }
    }

    fn fill_path(&mut self, path: &Path, color: BackendColor) {
        if self.reaches(path.bounds(), 0.0) {
            let mask = mask(self.cut, &self.mask, path.bounds(), 0.0);
            self.pixmap.fill_path(path, &paint(color), FillRule::Winding, Transform::identity(), mask);
        }
    }

    /// Whether something within bounds can be seen at all.
    fn reaches(&self, bounds: Rect, wider: f32) -> bool {
        let all = || Rect::from_xywh(0.0, 0.0, self.pixmap.width() as f32, self.pixmap.height() as f32).expect("a picture has pixels");
        let seen = self.cut.unwrap_or_else(all);
        bounds.left() - wider < seen.right()
            && seen.left() < bounds.right() + wider
            && bounds.top() - wider < seen.bottom()
            && seen.top() < bounds.bottom() + wider
    }

    /// The picture as PNG. tiny-skia would write opacity too: larger files, in twice the time.
    pub(super) fn png(&self) -> Vec<u8> {
        let opaque: Vec<u8> = self.pixmap.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.pixmap.width(), self.pixmap.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_filter(png::Filter::NoFilter);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&opaque));
        written.expect("a picture of matching size is written to memory");
        bytes
    }
}

impl DrawingBackend for Skia {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.pixmap.width() * STEPS as u32, self.pixmap.height() * STEPS as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.stroke([from, to], style, &[])
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.stroke(path, style, &[])
    }

    /// Between edges, not over pixels: rectangles that share an edge meet there.
    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        if !fill {
            return self.stroke([from, (to.0, from.1), to, (from.0, to.1), from], style, &[]);
        }
        let [(left, top), (right, bottom)] = [from, to].map(pixels);
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom).filter(|rect| self.reaches(*rect, 0.0)) {
            let mask = mask(self.cut, &self.mask, rect, 0.0);
            self.pixmap.fill_rect(rect, &paint(style.color()), Transform::identity(), mask);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (x, y) = pixels(centre);
        if let Some(path) = PathBuilder::from_circle(x, y, radius as f32 / STEPS) {
            if fill {
                self.fill_path(&path, style.color());
            } else {
                self.stroke_path(&path, style.color(), &Stroke { width: style.stroke_width() as f32 / STEPS, ..Stroke::default() });
            }
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        if let Some(path) = path(corners, true) {
            self.fill_path(&path, style.color());
        }
        Ok(())
    }

    /// The baseline of a text passes through `at`, whatever its vertical anchor.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        if let Some(path) = outlined(text, style, at) {
            self.fill_path(&path, style.color());
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((text::width(text, style.size(), weight(style.style())).round() as u32, style.size().round() as u32))
    }
}

/// The mask, where something within bounds is cut.
fn mask(cut: Option<Rect>, mask: &Mask, bounds: Rect, wider: f32) -> Option<&Mask> {
    let cut = cut?;
    let whole = bounds.left() - wider > cut.left()
        && bounds.right() + wider < cut.right()
        && bounds.top() - wider > cut.top()
        && bounds.bottom() + wider < cut.bottom();
    (!whole).then_some(mask)
}

fn paint(color: BackendColor) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let (red, green, blue) = color.rgb;
    paint.set_color_rgba8(red, green, blue, (color.alpha.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint
}

fn pixels((x, y): BackendCoord) -> (f32, f32) {
    (x as f32 / STEPS, y as f32 / STEPS)
}

fn path(points: impl IntoIterator<Item = BackendCoord>, closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (x, y) in points.into_iter().map(pixels) {
        if path.is_empty() { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// The outlines of a text as it is anchored and turned.
fn outlined(text: &str, style: &impl BackendTextStyle, at: BackendCoord) -> Option<Path> {
    let (size, weight) = (style.size() / f64::from(STEPS), weight(style.style()));
    let share = match style.anchor().h_pos {
        HPos::Left => 0.0,
        HPos::Center => 0.5,
        HPos::Right => 1.0,
    };
    let before = (share * text::width(text, size, weight)) as f32;
    let (x, y) = pixels(at);
    let turned = match style.transform() {
        FontTransform::None => Transform::from_row(1.0, 0.0, 0.0, 1.0, x, y),
        FontTransform::Rotate90 => Transform::from_row(0.0, 1.0, -1.0, 0.0, x, y),
        FontTransform::Rotate180 => Transform::from_row(-1.0, 0.0, 0.0, -1.0, x, y),
        FontTransform::Rotate270 => Transform::from_row(0.0, -1.0, 1.0, 0.0, x, y),
    };
    text::outline(text, size, weight)?.transform(turned.pre_translate(-before, 0.0))
}

fn weight(style: FontStyle) -> Weight {
    match style {
        FontStyle::Bold => Weight::Bold,
        FontStyle::Normal | FontStyle::Oblique | FontStyle::Italic => Weight::Regular,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::style::{Color as _, RGBAColor, ShapeStyle};

    fn style(width: u32, alpha: f64) -> ShapeStyle {
        ShapeStyle { color: RGBAColor(0, 0, 0, alpha), filled: true, stroke_width: 8 * width }
    }

    fn steps(points: &[(f64, f64)]) -> Vec<BackendCoord> {
        points.iter().map(|(x, y)| ((8.0 * x).round() as i32, (8.0 * y).round() as i32)).collect()
    }

    fn grey(picture: &Skia, column: u32, row: u32) -> u8 {
        picture.pixmap.pixel(column, row).expect("inside").red()
    }

    /// Sum of blackness over the picture, in pixels.
    fn area(picture: &Skia) -> f64 {
        picture.pixmap.pixels().iter().map(|pixel| 1.0 - f64::from(pixel.red()) / 255.0).sum()
    }

    #[test]
    fn a_fill_covers_its_area_even_between_pixels() {
        let corners = [(5.25, 5.5), (25.75, 5.5), (25.75, 20.0), (5.25, 20.0)];
        let mut filled = Skia::new(40, 40);
        filled.fill_polygon(steps(&corners), &style(1, 1.0)).expect("drawn");
        let mut blocked = Skia::new(40, 40);
        let [from, to] = [corners[0], corners[2]].map(|at| steps(&[at])[0]);
        blocked.draw_rect(from, to, &style(1, 1.0), true).expect("drawn");
        for picture in [filled, blocked] {
            assert!((area(&picture) - 20.5 * 14.5).abs() < 1.0, "{}", area(&picture));
            assert_eq!((grey(&picture, 10, 10), grey(&picture, 30, 10)), (0, 255));
        }
    }

    #[test]
    fn a_stroke_covers_its_length_times_its_width_in_any_direction() {
        for to in [(90.0, 10.0), (10.0, 90.0), (70.0, 65.0), (15.3, 88.1)] {
            let mut picture = Skia::new(100, 100);
            picture.draw_line((80, 80), steps(&[to])[0], &style(4, 1.0)).expect("drawn");
            let expected = 4.0 * (to.0 - 10.0f64).hypot(to.1 - 10.0) + 4.0 * std::f64::consts::PI;
            assert!((area(&picture) / expected - 1.0).abs() < 0.02, "{} {expected}", area(&picture));
        }
    }

    #[test]
    fn dashes_are_as_long_as_their_pattern_across_corners() {
        let mut picture = Skia::new(100, 100);
        let path = steps(&[(10.0, 10.0), (40.0, 10.0), (40.0, 40.0)]);
        picture.stroke(path, &style(2, 1.0), &[8.0 * 40.0, 8.0 * 10.0]).expect("drawn");
        assert_eq!([15, 35].map(|column| grey(&picture, column, 9)), [0, 0]);
        assert_eq!([15, 25, 35].map(|row| grey(&picture, 39, row)), [0, 255, 0], "40 pixels, with the corner, then a gap of 10");
    }

    #[test]
    fn a_translucent_stroke_is_not_darker_where_it_crosses_itself() {
        let mut picture = Skia::new(60, 60);
        let path = steps(&[(5.0, 30.0), (55.0, 30.0), (30.0, 5.0), (30.0, 55.0)]);
        picture.draw_path(path, &style(6, 0.5)).expect("drawn");
        assert_eq!(grey(&picture, 29, 30), grey(&picture, 10, 30));
    }

    #[test]
    fn what_lies_outside_a_cut_is_left_out_and_far_ends_keep_the_direction() {
        let mut picture = Skia::new(20, 20);
        picture.cut(Some(((40, 40), (120, 120))));
        picture.draw_line((-(1 << 24), 80), (1 << 24, 80), &style(2, 1.0)).expect("drawn");
        assert!((area(&picture) - 20.0).abs() < 0.1, "two rows of ten columns: {}", area(&picture));
        picture.cut(None);
        picture.draw_line((0, 0), (1 << 24, 1 << 24), &style(2, 1.0)).expect("drawn");
        assert_eq!(grey(&picture, 18, 18), 0);
    }

    #[test]
    fn texts_stand_where_they_are_anchored() {
        use plotters::style::text_anchor::{Pos, VPos};
        use plotters::style::{FontDesc, FontFamily, TextStyle};
        let font = FontDesc::new(FontFamily::SansSerif, 8.0 * 20.0, FontStyle::Normal);
        let how = |h_pos| TextStyle {
            font: font.clone(),
            color: style(1, 1.0).color.to_backend_color(),
            pos: Pos { h_pos, v_pos: VPos::Bottom },
        };
        let columns = |h_pos| {
            let mut picture = Skia::new(100, 40);
            picture.draw_text("HIH", &how(h_pos), (8 * 50, 8 * 30)).expect("drawn");
            let dark: Vec<u32> = (0..100).filter(|&column| (0..40).any(|row| grey(&picture, column, row) < 128)).collect();
            assert!((0..100).all(|column| (30..40).all(|row| grey(&picture, column, row) == 255)), "nothing below the baseline");
            (dark[0], dark[dark.len() - 1])
        };
        let (start, middle, end) = (columns(HPos::Left), columns(HPos::Center), columns(HPos::Right));
        assert!(start.0 >= 50 && end.1 < 50 && middle.0 < 40 && middle.1 > 60, "{start:?} {middle:?} {end:?}");
    }
}
